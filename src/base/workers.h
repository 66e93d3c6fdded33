/*
 * workers: a fixed number of threads that take jobs from a bounded queue, for work that takes too long for
 * the calling thread.
 */
#pragma once
#include <stdbool.h>

struct workers;

/* `worker` numbers the threads from 0. `dropped`: the workers are stopping; only release the item. */
typedef void workers_job(void *ctx, int worker, void *item, bool dropped);

/* `name` is the name of each thread, at most 15 characters; the caller keeps it. NULL: no thread could be
 * started. */
struct workers *workers_open(const char *name, int threads, int waiting_max, workers_job *job, void *ctx);
/* False: the queue is full, or the workers are stopping; the caller keeps the item. Any thread. */
bool workers_give(struct workers *workers, void *item);
/* Drops waiting jobs, accepts no more, and returns after the last job. */
void workers_finish(struct workers *workers);
bool workers_is_finishing(struct workers *workers);
void workers_close(struct workers *workers); /* NULL is fine */
