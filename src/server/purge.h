/*
 * purge: removes what has ended and is old, some events at a time through the queue. One thread that sleeps.
 * While there is more to remove it goes on, but leaves the writer three quarters of its time, as long as that
 * keeps up with 20,000 events/s.
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

/* The pause behind a look that took so long; `looks` so far in which there was more to remove. */
int64_t purge_pause_ms(int looks, int64_t took_ms, int rows_max);

struct purge *purge_open(const struct purge_config *config);
/* Waits for the look under way. NULL: nothing. */
void purge_close(struct purge *purge);
