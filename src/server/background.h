/*
 * background: a thread that looks again and again for something to do, and sleeps in between: the purge, the
 * jobs, the notices. It reads and writes as a request does, one thing at a time, and waits for it.
 */
#pragma once
#include "queue.h"
#include "readers.h"
#include <pthread.h>

struct background {
    pthread_t thread;
    int stop_fd, done_fd;   /* eventfds */
    int (*look)(void *ctx); /* returns how many ms to sleep */
    void *ctx;
    int first_ms;             /* the sleep before the first look */
    struct queue_job write;   /* the last one; write.op has its results */
    struct readers_job read;  /* the last one */
    enum store_status status; /* of the last write */
};

void background_start(struct background *background, int first_ms, int (*look)(void *ctx), void *ctx);
/* Waits for the end of the look that goes on. */
void background_stop(struct background *background);

/* For `look`. False: the queue is full (producers go first), or the store cannot write; `status` is STORE_OK
 * if the queue was full. */
bool background_write(struct background *background, struct queue *queue, struct store_op op);
/* False: the readers are busy, or the store cannot read. Resets `memory`, which has the answer. */
bool background_read(struct background *background, struct readers *readers, struct store_query query,
                     struct arena *memory);
