#include "workers.h"
#include "memory.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

struct worker {
    struct workers *workers;
    int number;
    pthread_t thread;
};

struct workers {
    pthread_mutex_t mutex;
    pthread_cond_t given; /* an item came, or the end */
    pthread_cond_t done;  /* a job ended while finishing */
    const char *name;
    workers_job *job;
    void *ctx;
    void **items; /* a ring */
    int first, waiting, waiting_max;
    int at_work;
    bool finishing, ending;
    int thread_count;
    struct worker threads[];
};

static void *work(void *ctx)
{
    struct worker *worker = ctx;
    struct workers *workers = worker->workers;

    pthread_setname_np(pthread_self(), workers->name);
    pthread_mutex_lock(&workers->mutex);
    while (workers->waiting > 0 || !workers->ending) {
        if (workers->waiting == 0) {
            pthread_cond_wait(&workers->given, &workers->mutex);
            continue;
        }
        void *item = workers->items[workers->first];
        bool dropped = workers->finishing;
        workers->first = (workers->first + 1) % workers->waiting_max;
        workers->waiting--;
        workers->at_work++;
        pthread_mutex_unlock(&workers->mutex);
        workers->job(workers->ctx, worker->number, item, dropped);
        pthread_mutex_lock(&workers->mutex);
        workers->at_work--;
        if (workers->finishing)
            pthread_cond_broadcast(&workers->done);
    }
    pthread_mutex_unlock(&workers->mutex);
    return NULL;
}

struct workers *workers_open(const char *name, int threads, int waiting_max, workers_job *job, void *ctx)
{
    struct workers *workers = memory_zero(1, sizeof *workers + (size_t)threads * sizeof(struct worker));

    assert(threads > 0 && waiting_max > 0);
    workers->name = name;
    workers->job = job;
    workers->ctx = ctx;
    workers->waiting_max = waiting_max;
    workers->items = memory_zero((size_t)waiting_max, sizeof *workers->items);
    pthread_mutex_init(&workers->mutex, NULL);
    pthread_cond_init(&workers->given, NULL);
    pthread_cond_init(&workers->done, NULL);
    for (int i = 0; i < threads; i++) {
        struct worker *worker = &workers->threads[i];
        worker->workers = workers;
        worker->number = i;
        if (pthread_create(&worker->thread, NULL, work, worker) != 0) {
            workers_close(workers);
            return NULL;
        }
        workers->thread_count++;
    }
    return workers;
}

bool workers_give(struct workers *workers, void *item)
{
    pthread_mutex_lock(&workers->mutex);
    bool taken = !workers->finishing && workers->waiting < workers->waiting_max;
    if (taken) {
        workers->items[(workers->first + workers->waiting) % workers->waiting_max] = item;
        workers->waiting++;
        pthread_cond_signal(&workers->given);
    }
    pthread_mutex_unlock(&workers->mutex);
    return taken;
}

void workers_finish(struct workers *workers)
{
    pthread_mutex_lock(&workers->mutex);
    workers->finishing = true;
    while (workers->thread_count > 0 && workers->waiting + workers->at_work > 0)
        pthread_cond_wait(&workers->done, &workers->mutex);
    pthread_mutex_unlock(&workers->mutex);
}

bool workers_is_finishing(struct workers *workers)
{
    pthread_mutex_lock(&workers->mutex);
    bool finishing = workers->finishing;
    pthread_mutex_unlock(&workers->mutex);
    return finishing;
}

void workers_close(struct workers *workers)
{
    if (!workers)
        return;
    workers_finish(workers);
    pthread_mutex_lock(&workers->mutex);
    workers->ending = true;
    pthread_cond_broadcast(&workers->given);
    pthread_mutex_unlock(&workers->mutex);
    for (int i = 0; i < workers->thread_count; i++)
        pthread_join(workers->threads[i].thread, NULL);
    pthread_cond_destroy(&workers->given);
    pthread_cond_destroy(&workers->done);
    pthread_mutex_destroy(&workers->mutex);
    free(workers->items);
    free(workers);
}
