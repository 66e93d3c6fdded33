#include "queue.h"
#include "memory.h"
#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

struct job_list {
    struct queue_job *first, **end;
    int count;
};

enum {
    RETRY_MS = 100 /* between claims from a store that could not */
};

struct queue {
    struct queue_config config;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;

    /* Under the lock. */
    struct job_list waiting;
    struct store_work **offered; /* boxes not yet taken over by the writer */
    int offered_count, offered_cap;
    bool withdraw, closing, asleep;
    struct queue_stats stats;

    /* The writer's own. */
    struct store_work **boxes; /* the standing claim */
    int box_count, box_cap;
    struct queue_job **batch;
    struct store_op **ops;
    int64_t due_at_ms; /* mono: when a claim would find something */
    bool broken;
    enum store_status broken_by;
};

static void boxes_add(struct store_work ***boxes, int *count, int *cap, struct store_work **more,
                      int more_count)
{
    if (more_count == 0)
        return; /* memcpy wants no NULL, not even for nothing */
    if (*count + more_count > *cap) {
        *cap = 2 * (*count + more_count);
        *boxes = memory_grow(*boxes, (size_t)*cap * sizeof **boxes);
    }
    memcpy(*boxes + *count, more, (size_t)more_count * sizeof *more);
    *count += more_count;
}

/* ---- any thread ---- */

static void wake(struct queue *queue)
{
    if (queue->asleep)
        pthread_cond_signal(&queue->wake);
}

bool queue_submit(struct queue *queue, struct queue_job *job)
{
    pthread_mutex_lock(&queue->lock);
    bool taken = job->op.kind == STORE_OUTCOME || queue->waiting.count < queue->config.waiting_max;
    if (taken) {
        assert(!queue->closing || job->op.kind == STORE_OUTCOME);
        job->next = NULL;
        job->group = 1;
        *queue->waiting.end = job;
        queue->waiting.end = &job->next;
        queue->waiting.count++;
        wake(queue);
    }
    pthread_mutex_unlock(&queue->lock);
    return taken;
}

bool queue_submit_many(struct queue *queue, struct queue_job *first)
{
    int count = 0, left;
    struct queue_job *last = first;
    for (struct queue_job *job = first; job; job = job->next, count++)
        last = job;
    left = count;
    for (struct queue_job *job = first; job; job = job->next)
        job->group = left--;
    pthread_mutex_lock(&queue->lock);
    bool taken =
        count <= queue->config.batch_max && queue->waiting.count + count <= queue->config.waiting_max;
    if (taken) {
        assert(!queue->closing);
        *queue->waiting.end = first;
        queue->waiting.end = &last->next;
        queue->waiting.count += count;
        wake(queue);
    }
    pthread_mutex_unlock(&queue->lock);
    return taken;
}

void queue_offer(struct queue *queue, struct store_work **boxes, int count)
{
    pthread_mutex_lock(&queue->lock);
    boxes_add(&queue->offered, &queue->offered_count, &queue->offered_cap, boxes, count);
    wake(queue);
    pthread_mutex_unlock(&queue->lock);
}

void queue_withdraw(struct queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->withdraw = true;
    wake(queue);
    pthread_mutex_unlock(&queue->lock);
}

void queue_stats(struct queue *queue, struct queue_stats *stats)
{
    pthread_mutex_lock(&queue->lock);
    *stats = queue->stats;
    stats->waiting = queue->waiting.count;
    pthread_mutex_unlock(&queue->lock);
}

/* ---- the writer ---- */

static void give_back(struct queue *queue, int count)
{
    if (count == 0)
        return;
    queue->config.on_work(queue->config.ctx, queue->boxes, count);
    queue->box_count -= count;
    memmove(queue->boxes, queue->boxes + count, (size_t)queue->box_count * sizeof *queue->boxes);
}

static int64_t mono_ms(const struct queue *queue)
{
    return clock_mono_ms(&queue->config.clock);
}

static void sleep_until(struct queue *queue, int64_t at_ms)
{
    queue->asleep = true;
    if (at_ms == INT64_MAX) {
        pthread_cond_wait(&queue->wake, &queue->lock);
    } else {
        int64_t ms = at_ms - mono_ms(queue);
        struct timespec until = clock_deadline(ms < 1 ? 1 : ms);
        pthread_cond_timedwait(&queue->wake, &queue->lock, &until);
    }
    queue->asleep = false;
}

/* Waits for work, under the lock, and takes it over. The number of jobs; 0 may be a claim alone. */
static int take(struct queue *queue)
{
    for (;;) {
        boxes_add(&queue->boxes, &queue->box_count, &queue->box_cap, queue->offered, queue->offered_count);
        queue->offered_count = 0;
        bool due = queue->box_count > 0 && !queue->broken && mono_ms(queue) >= queue->due_at_ms;
        if (queue->waiting.count > 0 || queue->withdraw || queue->closing || due)
            break;
        sleep_until(queue, queue->box_count > 0 && !queue->broken ? queue->due_at_ms : INT64_MAX);
    }
    int count = 0;
    for (; count < queue->config.batch_max && queue->waiting.first; count++) {
        if (count + queue->waiting.first->group > queue->config.batch_max)
            break; /* it would be torn: it is the next transaction's */
        queue->batch[count] = queue->waiting.first;
        queue->waiting.first = queue->batch[count]->next;
    }
    queue->waiting.count -= count;
    if (!queue->waiting.first)
        queue->waiting.end = &queue->waiting.first;
    return count;
}

static enum store_status write_some(struct queue *queue, struct queue_job **jobs, int count, int boxes,
                                    int *filled)
{
    for (int i = 0; i < count; i++)
        queue->ops[i] = &jobs[i]->op;
    struct store_batch batch = {
        .ops = queue->ops, .op_count = count, .boxes = queue->boxes, .box_count = boxes};
    enum store_status status =
        queue->broken ? queue->broken_by : queue->config.engine->write(queue->config.store, &batch);
    *filled = status == STORE_OK ? batch.filled_count : 0;
    if (status != STORE_OK)
        queue->due_at_ms = mono_ms(queue) + RETRY_MS;
    else if (batch.next_due_in_ms < 0)
        queue->due_at_ms = INT64_MAX;
    else
        queue->due_at_ms = mono_ms(queue) + batch.next_due_in_ms;
    bool fatal = status != STORE_OK && status != STORE_FULL && status != STORE_DOWN;
    if (fatal && !queue->broken) {
        queue->broken = true;
        queue->broken_by = status;
        queue->config.on_broken(queue->config.ctx, status);
    }
    return status;
}

static void complete(struct queue_job **jobs, int count, enum store_status status)
{
    for (int i = 0; i < count; i++)
        jobs[i]->done(jobs[i], status);
}

/* Outcomes to the front, both parts in their order. */
static int part_outcomes(struct queue_job **jobs, int count)
{
    int outcomes = 0;
    for (int i = 0; i < count; i++) {
        struct queue_job *job = jobs[i];
        if (job->op.kind != STORE_OUTCOME)
            continue;
        memmove(jobs + outcomes + 1, jobs + outcomes, (size_t)(i - outcomes) * sizeof *jobs);
        jobs[outcomes++] = job;
    }
    return outcomes;
}

static void run_batch(struct queue *queue, int count)
{
    int filled;
    enum store_status status = write_some(queue, queue->batch, count, queue->box_count, &filled);
    int first = 0;
    if (status == STORE_FULL) {
        /* What new events need is not there, but outcomes are small, and each one ends work. */
        first = part_outcomes(queue->batch, count);
        complete(queue->batch + first, count - first, STORE_FULL);
        if (first > 0 && first < count)
            status = write_some(queue, queue->batch, first, 0, &filled);
        count = first;
    }
    complete(queue->batch, count, status);
    give_back(queue, filled);
}

static void *writer_main(void *argument)
{
    struct queue *queue = argument;
    pthread_setname_np(pthread_self(), "ph-writer"); /* what top and the bench tell threads by */
    pthread_mutex_lock(&queue->lock);
    for (;;) {
        int count = take(queue);
        bool closing = queue->closing, withdraw = queue->withdraw || closing;
        queue->withdraw = false;
        pthread_mutex_unlock(&queue->lock);

        if (withdraw) /* before the batch, so that none is filled any more */
            give_back(queue, queue->box_count);
        if (count > 0 || queue->box_count > 0)
            run_batch(queue, count);

        pthread_mutex_lock(&queue->lock);
        queue->stats.batches++;
        queue->stats.jobs += count;
        queue->stats.cpu_us = clock_thread_cpu_us();
        if (closing && queue->waiting.count == 0 && queue->offered_count == 0)
            break;
    }
    pthread_mutex_unlock(&queue->lock);
    return NULL;
}

/* ---- open and close ---- */

struct queue *queue_open(const struct queue_config *config)
{
    assert(config->batch_max > 0 && config->waiting_max > 0);
    struct queue *queue = memory_zero(1, sizeof *queue);
    queue->config = *config;
    queue->waiting.end = &queue->waiting.first;
    queue->batch = memory_zero((size_t)config->batch_max, sizeof *queue->batch);
    queue->ops = memory_zero((size_t)config->batch_max, sizeof *queue->ops);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&queue->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&queue->lock, NULL);
    int failed = pthread_create(&queue->thread, NULL, writer_main, queue);
    assert(!failed);
    return queue;
}

void queue_close(struct queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->closing = true;
    wake(queue);
    pthread_mutex_unlock(&queue->lock);
    pthread_join(queue->thread, NULL);
    pthread_cond_destroy(&queue->wake);
    pthread_mutex_destroy(&queue->lock);
    free(queue->boxes);
    free(queue->offered);
    free(queue->batch);
    free(queue->ops);
    free(queue);
}
