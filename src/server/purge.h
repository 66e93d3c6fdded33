/*
 * purge: removes what has ended and is old, some events at a time through the queue. One thread that sleeps.
 * While there is more to remove it goes on at once, but leaves the writer three quarters of its time.
 */
#pragma once
#include "clock.h"
#include "log.h"
#include "queue.h"

struct purge;

struct purge_config {
    struct queue *queue; /* must outlive it */
    struct clock clock;
    /* How long what has ended is kept; 0: events and snapshots for ever, the others with their event. */
    int64_t events_ms, attempts_ms, idempotency_ms, resources_ms;
    int period_ms; /* between two looks while there is nothing to remove */
    int rows_max;  /* events that a look looks at */
    struct log *log;
};

struct purge *purge_open(const struct purge_config *config);
/* Waits for the look under way. NULL: nothing. */
void purge_close(struct purge *purge);
