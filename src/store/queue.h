/*
 * queue: the one way to write. A writer thread drains what waits and does it in ONE transaction with ONE
 * fsync (group commit), serves the standing claim in the same transaction, then runs the completions.
 *
 * Outcomes may wait some ms for company (OUTCOMES_WAIT_MS), unless work waits for what they free, an
 * operation of the API waits, or the queue is being closed: a process that is killed meanwhile sends these
 * once more (P4).
 *
 * Completions run on the writer thread: they must be short and must not block. A job belongs to
 * the submitter before and after; in between it is the queue's. Memory that an op views must
 * live until its completion.
 */
#pragma once
#include "store.h"

struct queue;

struct queue_job {
    struct store_op op;
    void (*done)(struct queue_job *job,
                 enum store_status status); /* OK: op.result says how. Else: not written */
    void *ctx;
    struct queue_job *next; /* the queue's, but for queue_submit_many */
    int group;              /* the queue's: so many jobs from here on are written together */
};

struct queue_config {
    const struct store_backend *backend;
    struct store *store;
    struct clock clock;
    int batch_max;   /* jobs a transaction, for example 1,024 */
    int waiting_max; /* jobs in the queue; outcomes may exceed it by the number of slots */
    /* Filled boxes, or empty ones that were withdrawn. On the writer thread. */
    void (*on_work)(void *ctx, struct store_work **boxes, int count);
    /* Once: nothing is written any more, and each job that is here or comes ends with this status. BROKEN:
     * the server is to exit. Else reads go on. On the writer thread, before any job hears of it. */
    void (*on_broken)(void *ctx, enum store_status status);
    void *ctx;
    struct log *log;
};

struct queue *queue_open(const struct queue_config *config);
/* False: the queue is full (503 with Retry-After). Outcomes are never refused. Any thread. */
bool queue_submit(struct queue *queue, struct queue_job *job);
/* All of a chain of jobs, linked by `next`, in this order and in one transaction; or none. More than
 * batch_max: none. Any thread. */
bool queue_submit_many(struct queue *queue, struct queue_job *first);
/* The standing claim grows by these empty boxes. Any thread. */
void queue_offer(struct queue *queue, struct store_work **boxes, int count);
/* Every empty box comes back through on_work with filled == false. Any thread. */
void queue_withdraw(struct queue *queue);
/* Writes what waits, returns empty boxes, ends the thread. */
void queue_close(struct queue *queue);

struct queue_stats {
    int64_t batches, jobs, cpu_us; /* cpu of the writer thread */
    int waiting;
    enum store_status broken_by; /* why nothing is written any more; OK: it is */
};
void queue_stats(struct queue *queue, struct queue_stats *stats);
