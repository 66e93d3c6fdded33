/*
 * queue: the only way to write. A writer thread takes all waiting jobs, writes them in ONE transaction with
 * ONE fsync (group commit), serves the standing claim in the same transaction, and then runs the
 * completions.
 *
 * Outcomes may wait some milliseconds for others (OUTCOMES_WAIT_MS). They do not wait if work needs the
 * leases that they free, if another op waits, or if the queue closes. A process that is killed meanwhile
 * sends them once more (P4).
 *
 * Completions run on the writer thread; they must be short and must not block. From submission to
 * completion a job, and the memory that its op views, belong to the queue.
 */
#pragma once
#include "store.h"

struct queue;

struct queue_job {
    struct store_op op;
    void (*done)(struct queue_job *job, enum store_status status); /* OK: see op.result. Else: not written */
    void *ctx;
    struct queue_job *next; /* for queue_submit_many; otherwise the queue's */
    int group;              /* the queue's: this many jobs from here on are written together */
};

struct queue_config {
    const struct store_backend *backend;
    struct store *store;
    struct clock clock;
    int batch_max;   /* jobs in a transaction, for example 1,024; fewer if their documents are large */
    int waiting_max; /* jobs in the queue; outcomes may exceed it by the number of slots */
    /* Called with filled boxes, or with empty ones after a withdrawal. On the writer thread. */
    void (*on_work)(void *ctx, struct store_work **boxes, int count);
    /* Called once: nothing is written any more, and every job ends with this status. BROKEN: the server must
     * exit. Otherwise reads continue. On the writer thread, before any job ends. */
    void (*on_broken)(void *ctx, enum store_status status);
    void *ctx;
    struct log *log;
};

struct queue *queue_open(const struct queue_config *config);
/* False: the queue is full (503 with Retry-After). An outcome is never refused. Any thread. */
bool queue_submit(struct queue *queue, struct queue_job *job);
/* Submits a chain of jobs, linked by `next`, for one transaction in this order. False: none was taken (the
 * queue is full, or there are more than batch_max). Any thread. */
bool queue_submit_many(struct queue *queue, struct queue_job *first);
/* Adds empty boxes to the standing claim. Any thread. */
void queue_offer(struct queue *queue, struct store_work **boxes, int count);
/* Returns every empty box through on_work, with filled == false. Any thread. */
void queue_withdraw(struct queue *queue);
/* Writes the waiting jobs, returns the empty boxes, ends the thread. */
void queue_close(struct queue *queue);

struct queue_stats {
    int64_t batches, jobs, cpu_us; /* cpu of the writer thread */
    int waiting;
    enum store_status broken_by; /* why nothing is written any more; OK: it is */
};
void queue_stats(struct queue *queue, struct queue_stats *stats);
