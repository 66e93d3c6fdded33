#include "readers.h"
#include "memory.h"
#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

struct reader {
    struct readers *readers;
    int number;
    pthread_t thread;
};

struct readers {
    const struct store_backend *backend;
    struct store *store;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct readers_job *first, **end; /* waiting */
    int waiting, waiting_max;
    bool closing;
    int count;
    struct reader threads[];
};

/* NULL: there will be none any more. */
static struct readers_job *take(struct readers *readers)
{
    pthread_mutex_lock(&readers->lock);
    while (!readers->first && !readers->closing)
        pthread_cond_wait(&readers->wake, &readers->lock);
    struct readers_job *job = readers->first;
    if (job) {
        readers->first = job->next;
        if (!job->next)
            readers->end = &readers->first;
        readers->waiting--;
    }
    pthread_mutex_unlock(&readers->lock);
    return job;
}

static void *reader_main(void *argument)
{
    struct reader *reader = argument;
    struct readers *readers = reader->readers;
    pthread_setname_np(pthread_self(), "ph-reader");
    for (struct readers_job *job; (job = take(readers));) {
        job->status =
            readers->backend->read(readers->store, reader->number, &job->query, job->arena, &job->answer);
        job->done(job);
    }
    return NULL;
}

struct readers *readers_open(const struct store_backend *backend, struct store *store, int threads,
                             int waiting_max)
{
    assert(threads > 0 && waiting_max > 0);
    struct readers *readers = memory_zero(1, sizeof *readers + (size_t)threads * sizeof readers->threads[0]);
    readers->backend = backend;
    readers->store = store;
    readers->end = &readers->first;
    readers->waiting_max = waiting_max;
    readers->count = threads;
    pthread_mutex_init(&readers->lock, NULL);
    pthread_cond_init(&readers->wake, NULL);
    for (int i = 0; i < threads; i++) {
        readers->threads[i].readers = readers;
        readers->threads[i].number = i;
        int failed = pthread_create(&readers->threads[i].thread, NULL, reader_main, &readers->threads[i]);
        assert(!failed);
    }
    return readers;
}

bool readers_submit(struct readers *readers, struct readers_job *job)
{
    pthread_mutex_lock(&readers->lock);
    bool taken = !readers->closing && readers->waiting < readers->waiting_max;
    if (taken) {
        job->next = NULL;
        *readers->end = job;
        readers->end = &job->next;
        readers->waiting++;
        pthread_cond_signal(&readers->wake);
    }
    pthread_mutex_unlock(&readers->lock);
    return taken;
}

void readers_close(struct readers *readers)
{
    pthread_mutex_lock(&readers->lock);
    readers->closing = true;
    pthread_cond_broadcast(&readers->wake);
    pthread_mutex_unlock(&readers->lock);
    for (int i = 0; i < readers->count; i++)
        pthread_join(readers->threads[i].thread, NULL);
    pthread_cond_destroy(&readers->wake);
    pthread_mutex_destroy(&readers->lock);
    free(readers);
}
