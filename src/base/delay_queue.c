#include "delay_queue.h"
#include "memory.h"

#include <stdlib.h>

struct delay_queue {
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct clock clock;
    int64_t delay_ms;
    delay_queue_release *release;
    void *ctx;
    struct delayed *first, **end;
    bool releasing; /* the mutex is unlocked meanwhile */
    bool flushed, ending;
};

/* Unlocks the mutex meanwhile. */
static void release_first(struct delay_queue *queue)
{
    struct delayed *first = queue->first;

    queue->first = first->next;
    if (!first->next)
        queue->end = &queue->first;
    queue->releasing = true;
    pthread_mutex_unlock(&queue->mutex);
    queue->release(queue->ctx, first);
    pthread_mutex_lock(&queue->mutex);
    queue->releasing = false;
    pthread_cond_broadcast(&queue->changed);
}

static void *release_in_time(void *ctx)
{
    struct delay_queue *queue = ctx;

    pthread_mutex_lock(&queue->mutex);
    while (queue->first || !queue->ending) {
        int64_t wait_ms =
            queue->first && !queue->flushed ? queue->first->due_ms - clock_mono_ms(&queue->clock) : 0;
        if (!queue->first) {
            pthread_cond_wait(&queue->changed, &queue->mutex);
        } else if (wait_ms > 0) {
            struct timespec due = clock_deadline(wait_ms);
            pthread_cond_timedwait(&queue->changed, &queue->mutex, &due);
        } else {
            release_first(queue);
        }
    }
    pthread_mutex_unlock(&queue->mutex);
    return NULL;
}

struct delay_queue *delay_queue_open(struct clock clock, int64_t delay_ms, delay_queue_release *release,
                                     void *ctx)
{
    struct delay_queue *queue = memory_zero(1, sizeof *queue);
    pthread_condattr_t monotonic;

    queue->clock = clock;
    queue->delay_ms = delay_ms;
    queue->release = release;
    queue->ctx = ctx;
    queue->end = &queue->first;
    pthread_mutex_init(&queue->mutex, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&queue->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (pthread_create(&queue->thread, NULL, release_in_time, queue) == 0)
        return queue;
    pthread_cond_destroy(&queue->changed);
    pthread_mutex_destroy(&queue->mutex);
    free(queue);
    return NULL;
}

bool delay_queue_put(struct delay_queue *queue, struct delayed *item)
{
    pthread_mutex_lock(&queue->mutex);
    bool taken = !queue->flushed;
    if (taken) {
        *item = (struct delayed){.due_ms = clock_mono_ms(&queue->clock) + queue->delay_ms};
        if (!queue->first)
            pthread_cond_broadcast(&queue->changed);
        *queue->end = item;
        queue->end = &item->next;
    }
    pthread_mutex_unlock(&queue->mutex);
    return taken;
}

void delay_queue_flush(struct delay_queue *queue)
{
    pthread_mutex_lock(&queue->mutex);
    queue->flushed = true;
    pthread_cond_broadcast(&queue->changed);
    while (queue->first || queue->releasing)
        pthread_cond_wait(&queue->changed, &queue->mutex);
    pthread_mutex_unlock(&queue->mutex);
}

void delay_queue_close(struct delay_queue *queue)
{
    if (!queue)
        return;
    delay_queue_flush(queue);
    pthread_mutex_lock(&queue->mutex);
    queue->ending = true;
    pthread_cond_broadcast(&queue->changed);
    pthread_mutex_unlock(&queue->mutex);
    pthread_join(queue->thread, NULL);
    pthread_cond_destroy(&queue->changed);
    pthread_mutex_destroy(&queue->mutex);
    free(queue);
}
