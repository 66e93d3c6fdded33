#include "delayed_answers.h"
#include "memory.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

struct postponed {
    struct postponed *next;
    struct listener_request *request;
    struct listener_reply reply;
    int64_t due_ms;
};

struct postpone {
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct clock clock;
    int64_t delay_ms;
    struct postponed *first, **last;
    bool giving; /* an answer is on its way, with the mutex released */
    bool flushed, ending;
};

/* Waits with the mutex held until something changes or `due_ms` of the monotonic clock. */
static void wait_until(struct postpone *postpone, int64_t due_ms)
{
    struct timespec due = {.tv_sec = due_ms / 1000, .tv_nsec = due_ms % 1000 * 1000000};

    pthread_cond_timedwait(&postpone->changed, &postpone->mutex, &due);
}

static void *give_answers(void *ctx)
{
    struct postpone *postpone = ctx;

    pthread_mutex_lock(&postpone->mutex);
    while (postpone->first || !postpone->ending) {
        struct postponed *first = postpone->first;
        if (!first) {
            pthread_cond_wait(&postpone->changed, &postpone->mutex);
        } else if (!postpone->flushed && clock_mono_ms(&postpone->clock) < first->due_ms) {
            wait_until(postpone, first->due_ms);
        } else {
            postpone->first = first->next;
            if (!first->next)
                postpone->last = &postpone->first;
            postpone->giving = true;
            pthread_mutex_unlock(&postpone->mutex);
            listener_answer(first->request, &first->reply);
            free(first);
            pthread_mutex_lock(&postpone->mutex);
            postpone->giving = false;
            pthread_cond_broadcast(&postpone->changed);
        }
    }
    pthread_mutex_unlock(&postpone->mutex);
    return NULL;
}

struct postpone *postpone_open(int64_t delay_ms)
{
    struct postpone *postpone = memory_zero(1, sizeof *postpone);
    pthread_condattr_t monotonic;

    postpone->delay_ms = delay_ms;
    postpone->clock = clock_system();
    postpone->last = &postpone->first;
    pthread_mutex_init(&postpone->mutex, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&postpone->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (pthread_create(&postpone->thread, NULL, give_answers, postpone) != 0) {
        pthread_cond_destroy(&postpone->changed);
        pthread_mutex_destroy(&postpone->mutex);
        free(postpone);
        return NULL;
    }
    return postpone;
}

void postpone_answer(struct postpone *postpone, struct listener_request *request,
                     const struct listener_reply *reply)
{
    pthread_mutex_lock(&postpone->mutex);
    bool at_once = postpone->flushed;
    if (!at_once) {
        struct postponed *entry = memory_zero(1, sizeof *entry);
        entry->request = request;
        entry->reply = *reply;
        entry->due_ms = clock_mono_ms(&postpone->clock) + postpone->delay_ms;
        *postpone->last = entry;
        postpone->last = &entry->next;
        pthread_cond_broadcast(&postpone->changed);
    }
    pthread_mutex_unlock(&postpone->mutex);
    if (at_once)
        listener_answer(request, reply);
}

void postpone_flush(struct postpone *postpone)
{
    pthread_mutex_lock(&postpone->mutex);
    postpone->flushed = true;
    pthread_cond_broadcast(&postpone->changed);
    while (postpone->first || postpone->giving)
        pthread_cond_wait(&postpone->changed, &postpone->mutex);
    pthread_mutex_unlock(&postpone->mutex);
}

void postpone_close(struct postpone *postpone)
{
    postpone_flush(postpone);
    pthread_mutex_lock(&postpone->mutex);
    postpone->ending = true;
    pthread_cond_broadcast(&postpone->changed);
    pthread_mutex_unlock(&postpone->mutex);
    pthread_join(postpone->thread, NULL);
    pthread_cond_destroy(&postpone->changed);
    pthread_mutex_destroy(&postpone->mutex);
    free(postpone);
}
