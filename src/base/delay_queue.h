/*
 * delay_queue: items that come out a fixed time after they went in, without a thread for each. All wait
 * equally long, so the first in is the first out.
 */
#pragma once
#include "clock.h"
#include <stdbool.h>

struct delay_queue;

/* Part of the caller's item, which lives until it is released. */
struct delayed {
    struct delayed *next;
    int64_t due_ms;
};

/* On the queue's thread, which holds no lock. The item is the caller's again. */
typedef void delay_queue_release(void *ctx, struct delayed *item);

/* NULL: no thread to be had. */
struct delay_queue *delay_queue_open(struct clock clock, int64_t delay_ms, delay_queue_release *release,
                                     void *ctx);
/* False: it has been flushed; the item is still the caller's. Any thread. */
bool delay_queue_put(struct delay_queue *queue, struct delayed *item);
/* Releases at once what waits, takes nothing more, and returns when the last release has. */
void delay_queue_flush(struct delay_queue *queue);
void delay_queue_close(struct delay_queue *queue); /* flushes; NULL is fine */
