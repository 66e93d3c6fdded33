#include "workers.h"
#include "memory.h"

#include <pthread.h>
#include <stdlib.h>

struct crew {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    crew_job *job;
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
    struct crew *crew = ctx;

    pthread_mutex_lock(&crew->mutex);
    while (crew->waiting > 0 || !crew->ending) {
        if (crew->waiting == 0) {
            pthread_cond_wait(&crew->changed, &crew->mutex);
            continue;
        }
        void *item = crew->items[crew->first];
        bool dropped = crew->finishing;
        crew->first = (crew->first + 1) % crew->waiting_max;
        crew->waiting--;
        crew->at_work++;
        pthread_mutex_unlock(&crew->mutex);
        crew->job(crew->ctx, item, dropped);
        pthread_mutex_lock(&crew->mutex);
        crew->at_work--;
        pthread_cond_broadcast(&crew->changed);
    }
    pthread_mutex_unlock(&crew->mutex);
    return NULL;
}

struct crew *crew_open(int threads, int waiting_max, crew_job *job, void *ctx)
{
    struct crew *crew = memory_zero(1, sizeof *crew + (size_t)threads * sizeof(pthread_t));

    crew->job = job;
    crew->ctx = ctx;
    crew->waiting_max = waiting_max;
    crew->items = memory_zero((size_t)waiting_max, sizeof *crew->items);
    pthread_mutex_init(&crew->mutex, NULL);
    pthread_cond_init(&crew->changed, NULL);
    while (crew->thread_count < threads &&
           pthread_create(&crew->threads[crew->thread_count], NULL, work, crew) == 0)
        crew->thread_count++;
    if (crew->thread_count == threads)
        return crew;
    crew_close(crew);
    return NULL;
}

bool crew_give(struct crew *crew, void *item)
{
    pthread_mutex_lock(&crew->mutex);
    bool taken = !crew->finishing && crew->waiting < crew->waiting_max;
    if (taken) {
        crew->items[(crew->first + crew->waiting) % crew->waiting_max] = item;
        crew->waiting++;
        pthread_cond_broadcast(&crew->changed);
    }
    pthread_mutex_unlock(&crew->mutex);
    return taken;
}

void crew_finish(struct crew *crew)
{
    pthread_mutex_lock(&crew->mutex);
    crew->finishing = true;
    while (crew->thread_count > 0 && crew->waiting + crew->at_work > 0)
        pthread_cond_wait(&crew->changed, &crew->mutex);
    pthread_mutex_unlock(&crew->mutex);
}

bool crew_is_finishing(struct crew *crew)
{
    pthread_mutex_lock(&crew->mutex);
    bool finishing = crew->finishing;
    pthread_mutex_unlock(&crew->mutex);
    return finishing;
}

void crew_close(struct crew *crew)
{
    if (!crew)
        return;
    crew_finish(crew);
    pthread_mutex_lock(&crew->mutex);
    crew->ending = true;
    pthread_cond_broadcast(&crew->changed);
    pthread_mutex_unlock(&crew->mutex);
    for (int i = 0; i < crew->thread_count; i++)
        pthread_join(crew->threads[i], NULL);
    pthread_cond_destroy(&crew->changed);
    pthread_mutex_destroy(&crew->mutex);
    free(crew->items);
    free(crew);
}
