/*
 * purge: removes old events whose deliveries have all ended, a few rows at a time through the queue, so that
 * it never holds up anything else. One thread that sleeps; only there when retention-days is set.
 */
#pragma once
#include "clock.h"
#include "log.h"
#include "queue.h"

struct purge;

struct purge_config {
    struct queue *queue; /* must outlive it */
    struct clock clock;
    int64_t retention_ms; /* by the time of arrival */
    int period_ms;        /* between two looks; shorter while there is more to remove */
    int rows_max;         /* a look */
    struct log *log;
};

struct purge *purge_open(const struct purge_config *config);
/* Waits for the look under way. NULL: nothing. */
void purge_close(struct purge *purge);
