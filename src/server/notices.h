/*
 * notices: posts what posthorn tells about endpoints (notice.h) as events. One thread that asks the store now
 * and then. The store settles what an event tells in the event's transaction, so a crash loses and doubles
 * nothing.
 */
#pragma once
#include "clock.h"
#include "queue.h"

struct notices;

struct notices_config {
    struct queue *queue; /* must outlive it */
    struct clock clock;
    int period_ms;
};

struct notices *notices_open(const struct notices_config *config);
/* Waits for the event under way. NULL: nothing. */
void notices_close(struct notices *notices);
