/*
 * workers: a fixed number of threads that do jobs from a queue of bounded length, for work that takes too
 * long to be done where it comes in.
 */
#pragma once
#include <stdbool.h>

struct workers;

/* `worker` counts the threads from 0. `dropped`: the workers are finishing; do no more than the item needs to
 * be put away. */
typedef void workers_job(void *ctx, int worker, void *item, bool dropped);

/* `name` is that of each thread, at most 15 characters, and stays the caller's. NULL: no threads to be had.
 */
struct workers *workers_open(const char *name, int threads, int waiting_max, workers_job *job, void *ctx);
/* False: the queue is full, or the workers are finishing; the item is still the caller's. Any thread. */
bool workers_give(struct workers *workers, void *item);
/* Drops what waits, takes nothing more, and returns when the last job is done. */
void workers_finish(struct workers *workers);
bool workers_is_finishing(struct workers *workers);
void workers_close(struct workers *workers); /* NULL is fine */
