#include "workers.h"
#include "memory.h"

#include <pthread.h>
#include <stdlib.h>

struct workers {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    workers_job *job;
    void *ctx;
    void **items; /* a ring */
    int first, waiting, waiting_max;
    int at_work;
    bool finishing, ending;
    int thread_count;
    pthread_t threads[];
};

static void *work(void *ctx)
{
    struct workers *workers = ctx;

    pthread_mutex_lock(&workers->mutex);
    while (workers->waiting > 0 || !workers->ending) {
        if (workers->waiting == 0) {
            pthread_cond_wait(&workers->changed, &workers->mutex);
            continue;
        }
        void *item = workers->items[workers->first];
        bool dropped = workers->finishing;
        workers->first = (workers->first + 1) % workers->waiting_max;
        workers->waiting--;
        workers->at_work++;
        pthread_mutex_unlock(&workers->mutex);
        workers->job(workers->ctx, item, dropped);
        pthread_mutex_lock(&workers->mutex);
        workers->at_work--;
        pthread_cond_broadcast(&workers->changed);
    }
    pthread_mutex_unlock(&workers->mutex);
    return NULL;
}

struct workers *workers_open(int threads, int waiting_max, workers_job *job, void *ctx)
{
    struct workers *workers = memory_zero(1, sizeof *workers + (size_t)threads * sizeof(pthread_t));

    workers->job = job;
    workers->ctx = ctx;
    workers->waiting_max = waiting_max;
    workers->items = memory_zero((size_t)waiting_max, sizeof *workers->items);
    pthread_mutex_init(&workers->mutex, NULL);
    pthread_cond_init(&workers->changed, NULL);
    while (workers->thread_count < threads &&
           pthread_create(&workers->threads[workers->thread_count], NULL, work, workers) == 0)
        workers->thread_count++;
    if (workers->thread_count == threads)
        return workers;
    workers_close(workers);
    return NULL;
}

bool workers_give(struct workers *workers, void *item)
{
    pthread_mutex_lock(&workers->mutex);
    bool taken = !workers->finishing && workers->waiting < workers->waiting_max;
    if (taken) {
        workers->items[(workers->first + workers->waiting) % workers->waiting_max] = item;
        workers->waiting++;
        pthread_cond_broadcast(&workers->changed);
    }
    pthread_mutex_unlock(&workers->mutex);
    return taken;
}

void workers_finish(struct workers *workers)
{
    pthread_mutex_lock(&workers->mutex);
    workers->finishing = true;
    while (workers->thread_count > 0 && workers->waiting + workers->at_work > 0)
        pthread_cond_wait(&workers->changed, &workers->mutex);
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
    pthread_cond_broadcast(&workers->changed);
    pthread_mutex_unlock(&workers->mutex);
    for (int i = 0; i < workers->thread_count; i++)
        pthread_join(workers->threads[i], NULL);
    pthread_cond_destroy(&workers->changed);
    pthread_mutex_destroy(&workers->mutex);
    free(workers->items);
    free(workers);
}
