#include "delayed_answers.h"
#include "memory.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

struct delayed_answer {
    struct delayed_answer *next;
    struct listener_request *request;
    struct listener_reply reply;
    int64_t due_ms;
};

struct delayed_answers {
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct clock clock;
    int64_t delay_ms;
    struct delayed_answer *first, **last;
    bool giving; /* an answer is on its way, with the mutex released */
    bool flushed, ending;
};

/* Waits with the mutex held until something changes or `due_ms` of the monotonic clock. */
static void wait_until(struct delayed_answers *delayed_answers, int64_t due_ms)
{
    struct timespec due = {.tv_sec = due_ms / 1000, .tv_nsec = due_ms % 1000 * 1000000};

    pthread_cond_timedwait(&delayed_answers->changed, &delayed_answers->mutex, &due);
}

static void *give_answers(void *ctx)
{
    struct delayed_answers *delayed_answers = ctx;

    pthread_mutex_lock(&delayed_answers->mutex);
    while (delayed_answers->first || !delayed_answers->ending) {
        struct delayed_answer *first = delayed_answers->first;
        if (!first) {
            pthread_cond_wait(&delayed_answers->changed, &delayed_answers->mutex);
        } else if (!delayed_answers->flushed && clock_mono_ms(&delayed_answers->clock) < first->due_ms) {
            wait_until(delayed_answers, first->due_ms);
        } else {
            delayed_answers->first = first->next;
            if (!first->next)
                delayed_answers->last = &delayed_answers->first;
            delayed_answers->giving = true;
            pthread_mutex_unlock(&delayed_answers->mutex);
            listener_answer(first->request, &first->reply);
            free(first);
            pthread_mutex_lock(&delayed_answers->mutex);
            delayed_answers->giving = false;
            pthread_cond_broadcast(&delayed_answers->changed);
        }
    }
    pthread_mutex_unlock(&delayed_answers->mutex);
    return NULL;
}

struct delayed_answers *delayed_answers_open(int64_t delay_ms)
{
    struct delayed_answers *delayed_answers = memory_zero(1, sizeof *delayed_answers);
    pthread_condattr_t monotonic;

    delayed_answers->delay_ms = delay_ms;
    delayed_answers->clock = clock_system();
    delayed_answers->last = &delayed_answers->first;
    pthread_mutex_init(&delayed_answers->mutex, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&delayed_answers->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (pthread_create(&delayed_answers->thread, NULL, give_answers, delayed_answers) != 0) {
        pthread_cond_destroy(&delayed_answers->changed);
        pthread_mutex_destroy(&delayed_answers->mutex);
        free(delayed_answers);
        return NULL;
    }
    return delayed_answers;
}

void delayed_answers_answer(struct delayed_answers *delayed_answers, struct listener_request *request,
                            const struct listener_reply *reply)
{
    pthread_mutex_lock(&delayed_answers->mutex);
    bool at_once = delayed_answers->flushed;
    if (!at_once) {
        struct delayed_answer *entry = memory_zero(1, sizeof *entry);
        entry->request = request;
        entry->reply = *reply;
        entry->due_ms = clock_mono_ms(&delayed_answers->clock) + delayed_answers->delay_ms;
        *delayed_answers->last = entry;
        delayed_answers->last = &entry->next;
        pthread_cond_broadcast(&delayed_answers->changed);
    }
    pthread_mutex_unlock(&delayed_answers->mutex);
    if (at_once)
        listener_answer(request, reply);
}

void delayed_answers_flush(struct delayed_answers *delayed_answers)
{
    pthread_mutex_lock(&delayed_answers->mutex);
    delayed_answers->flushed = true;
    pthread_cond_broadcast(&delayed_answers->changed);
    while (delayed_answers->first || delayed_answers->giving)
        pthread_cond_wait(&delayed_answers->changed, &delayed_answers->mutex);
    pthread_mutex_unlock(&delayed_answers->mutex);
}

void delayed_answers_close(struct delayed_answers *delayed_answers)
{
    delayed_answers_flush(delayed_answers);
    pthread_mutex_lock(&delayed_answers->mutex);
    delayed_answers->ending = true;
    pthread_cond_broadcast(&delayed_answers->changed);
    pthread_mutex_unlock(&delayed_answers->mutex);
    pthread_join(delayed_answers->thread, NULL);
    pthread_cond_destroy(&delayed_answers->changed);
    pthread_mutex_destroy(&delayed_answers->mutex);
    free(delayed_answers);
}
