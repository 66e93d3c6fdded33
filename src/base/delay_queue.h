/*
 * delay_queue: releases each item a fixed time after it was added, with one thread for all. All wait
 * equally long, so the order stays.
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

/* Called on the queue's thread without a lock. The item belongs to the caller again. */
typedef void delay_queue_release(void *ctx, struct delayed *item);

/* NULL: no thread could be started. */
struct delay_queue *delay_queue_open(struct clock clock, int64_t delay_ms, delay_queue_release *release,
                                     void *ctx);
/* False: the queue has been flushed; the caller keeps the item. Any thread. */
bool delay_queue_put(struct delay_queue *queue, struct delayed *item);
/* Releases all waiting items at once, accepts no more, and returns after the last release. */
void delay_queue_flush(struct delay_queue *queue);
void delay_queue_close(struct delay_queue *queue); /* flushes; NULL is fine */
