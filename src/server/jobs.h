/*
 * jobs: runs recoveries, replays and backfills (job.h), some deliveries at a time: a reader finds them, and
 * the writer makes them due. One thread that sleeps. It goes on with a job whenever less than JOBS_AHEAD_MAX
 * deliveries to its endpoint are due; so a job goes at the endpoint's pace, and new events wait behind so
 * many of it at most. What a job has done stands in the store: after a restart, or on another node, it goes
 * on from there.
 */
#pragma once
#include "log.h"
#include "queue.h"
#include "readers.h"

enum { JOBS_AHEAD_MAX = 64 };

struct jobs;

struct jobs_config {
    struct queue *queue; /* these two must outlive it */
    struct readers *readers;
    int period_ms; /* between two looks while no job runs */
    struct log *log;
};

struct jobs *jobs_open(const struct jobs_config *config);
/* Waits for the step under way. NULL: nothing. */
void jobs_close(struct jobs *jobs);
