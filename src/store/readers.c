#include "readers.h"
#include "memory.h"
#include "workers.h"
#include <stdlib.h>

struct readers {
    const struct store_backend *backend;
    struct store *store;
    struct workers *workers;
};

/* A worker's number is that of its connection. What waits is answered at the end, too. */
static void read_and_answer(void *ctx, int worker, void *item, bool dropped)
{
    struct readers *readers = ctx;
    struct readers_job *job = item;
    job->status = readers->backend->read(readers->store, worker, &job->query, job->arena, &job->answer);
    job->done(job);
}

struct readers *readers_open(const struct store_backend *backend, struct store *store, int threads,
                             int waiting_max)
{
    struct readers *readers = memory_zero(1, sizeof *readers);
    readers->backend = backend;
    readers->store = store;
    readers->workers = workers_open("ph-reader", threads, waiting_max, read_and_answer, readers);
    if (readers->workers)
        return readers;
    free(readers);
    return NULL;
}

bool readers_submit(struct readers *readers, struct readers_job *job)
{
    return workers_give(readers->workers, job);
}

void readers_close(struct readers *readers)
{
    workers_close(readers->workers);
    free(readers);
}
