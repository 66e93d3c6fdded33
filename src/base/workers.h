/*
 * crew: a fixed number of threads that do jobs from a queue of bounded length, for work that takes too long
 * to be done where it comes in.
 */
#pragma once
#include <stdbool.h>

struct crew;

/* `dropped`: the crew is finishing, and the job is only to be put away. */
typedef void crew_job(void *ctx, void *item, bool dropped);

/* NULL: no threads to be had. */
struct crew *crew_open(int threads, int waiting_max, crew_job *job, void *ctx);
/* False: the queue is full, or the crew is finishing; the item is still the caller's. Any thread. */
bool crew_give(struct crew *crew, void *item);
/* Drops what waits, takes nothing more, and returns when the last job is done. */
void crew_finish(struct crew *crew);
bool crew_is_finishing(struct crew *crew);
void crew_close(struct crew *crew); /* NULL is fine */
