#include "queue.h"
#include "memory.h"
#include <assert.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>

struct job_list {
    struct queue_job *first, **end;
    int count;
};

/* At the end of its memory, so that it grows and shrinks at its front. There boxes are filled: those that
 * come back last have their memory in the CPU's cache. */
struct box_list {
    struct store_work **memory;
    int count, cap;
};

enum {
    RETRY_MS = 100, /* between claims from a store that could not */
    /* Outcomes wait for company, so that at a low rate an event and the outcome of the one before share a
     * transaction and its sync: until there are so many, or an event comes when the first has waited a while,
     * or it has waited for long: more than twice as long, so that of events at a steady rate of more than
     * 33/s one is in time. Nothing waits for them meanwhile (queue.scarce). */
    OUTCOMES_ENOUGH = 16,
    OUTCOMES_RIDE_MS = 12,
    OUTCOMES_WAIT_MS = 30
};

struct queue {
    struct queue_config config;
    pthread_t thread;
    pthread_mutex_t lock;
    sem_t wake; /* not a condition: who wakes by one unlocks with a system call */

    /* Under the lock. */
    struct job_list waiting, outcomes;
    int urgent;                /* of those that wait: neither events nor outcomes */
    int64_t outcomes_since_ms; /* mono: the first of them */
    bool scarce;               /* as of the last batch: an outcome would free what work waits for */
    bool boxless;              /* the writer has no empty box */
    bool timed;                /* asleep, but awake in time for outcomes */
    struct box_list offered;   /* not yet taken over by the writer */
    bool withdraw, closing, asleep;
    struct queue_stats stats;

    /* The writer's own. */
    struct box_list boxes; /* the standing claim */
    struct queue_job **batch;
    struct store_op **ops;
    int64_t due_at_ms;           /* mono: when a claim would find something */
    int64_t expect_to_ms;        /* mono: outcomes of what was filled last are likely until then */
    bool leases_scarce;          /* by the last batch */
    enum store_status broken_by; /* why nothing is written any more; OK: it is */
};

static struct store_work **boxes_first(const struct box_list *boxes)
{
    return boxes->memory + (boxes->cap - boxes->count);
}

static void boxes_add(struct box_list *boxes, struct store_work **more, int count)
{
    if (count == 0)
        return; /* memcpy wants no NULL, not even for nothing */
    if (boxes->count + count > boxes->cap) {
        int cap = 2 * (boxes->count + count), had = boxes->cap;
        boxes->memory = memory_grow(boxes->memory, (size_t)cap * sizeof *more);
        memmove(boxes->memory + (cap - had), boxes->memory, (size_t)had * sizeof *more);
        boxes->cap = cap;
    }
    boxes->count += count;
    memcpy(boxes_first(boxes), more, (size_t)count * sizeof *more);
}

static int64_t mono_ms(const struct queue *queue)
{
    return clock_mono_ms(&queue->config.clock);
}

/* ---- any thread ---- */

/* Unlocks, and wakes the writer if `needed`: behind the lock, or it would wake up to wait for that. */
static void unlock(struct queue *queue, bool needed)
{
    bool wake = needed && queue->asleep;
    queue->asleep = queue->asleep && !wake; /* one is enough */
    pthread_mutex_unlock(&queue->lock);
    if (wake)
        sem_post(&queue->wake);
}

static void append(struct job_list *list, struct queue_job *first, struct queue_job *last, int count)
{
    *list->end = first;
    list->end = &last->next;
    list->count += count;
}

/* Most find the writer awake, or asleep until it would look for them anyway. Otherwise true. */
static bool submit_outcome(struct queue *queue, struct queue_job *job)
{
    if (queue->outcomes.count == 0)
        queue->outcomes_since_ms = mono_ms(queue);
    append(&queue->outcomes, job, job, 1);
    return !queue->timed || queue->scarce || queue->outcomes.count == OUTCOMES_ENOUGH;
}

bool queue_submit(struct queue *queue, struct queue_job *job)
{
    bool outcome = job->op.kind == STORE_OUTCOME, needed = true;
    job->next = NULL;
    job->group = 1;
    pthread_mutex_lock(&queue->lock);
    bool taken = outcome || queue->waiting.count < queue->config.waiting_max;
    if (outcome) {
        needed = submit_outcome(queue, job);
    } else if (taken) {
        assert(!queue->closing);
        append(&queue->waiting, job, job, 1);
        queue->urgent += job->op.kind != STORE_EVENT;
    }
    unlock(queue, needed && taken);
    return taken;
}

bool queue_submit_many(struct queue *queue, struct queue_job *first)
{
    int count = 0, urgent = 0, left;
    struct queue_job *last = first;
    for (struct queue_job *job = first; job; job = job->next, count++) {
        assert(job->op.kind != STORE_OUTCOME);
        urgent += job->op.kind != STORE_EVENT;
        last = job;
    }
    left = count;
    for (struct queue_job *job = first; job; job = job->next)
        job->group = left--;
    pthread_mutex_lock(&queue->lock);
    bool taken =
        count <= queue->config.batch_max && queue->waiting.count + count <= queue->config.waiting_max;
    if (taken) {
        assert(!queue->closing);
        append(&queue->waiting, first, last, count);
        queue->urgent += urgent;
    }
    unlock(queue, taken);
    return taken;
}

/* The writer needs them at once only if it has none left: those it has are as many as it knows work for. */
void queue_offer(struct queue *queue, struct store_work **boxes, int count)
{
    pthread_mutex_lock(&queue->lock);
    boxes_add(&queue->offered, boxes, count);
    unlock(queue, queue->boxless);
}

void queue_withdraw(struct queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->withdraw = true;
    unlock(queue, true);
}

void queue_stats(struct queue *queue, struct queue_stats *stats)
{
    pthread_mutex_lock(&queue->lock);
    *stats = queue->stats;
    stats->cpu_us = clock_cpu_of_us(queue->thread);
    stats->waiting = queue->waiting.count + queue->outcomes.count;
    pthread_mutex_unlock(&queue->lock);
}

/* ---- the writer ---- */

static void give_back(struct queue *queue, int count)
{
    if (count == 0)
        return;
    queue->config.on_work(queue->config.ctx, boxes_first(&queue->boxes), count);
    queue->boxes.count -= count;
}

static void sleep_until(struct queue *queue, int64_t at_ms, int64_t outcomes_at_ms)
{
    queue->timed = outcomes_at_ms != INT64_MAX;
    queue->asleep = true;
    if (outcomes_at_ms < at_ms)
        at_ms = outcomes_at_ms;
    pthread_mutex_unlock(&queue->lock);
    if (at_ms == INT64_MAX) {
        sem_wait(&queue->wake);
    } else {
        int64_t ms = at_ms - mono_ms(queue);
        struct timespec until = clock_deadline(ms < 1 ? 1 : ms);
        sem_clockwait(&queue->wake, CLOCK_MONOTONIC, &until);
    }
    pthread_mutex_lock(&queue->lock);
    queue->asleep = queue->timed = false;
}

/* Are outcomes to be written now? */
static bool outcomes_ready(const struct queue *queue, int64_t now_ms)
{
    if (queue->outcomes.count == 0)
        return false;
    int64_t wait_ms = queue->waiting.count > 0 ? OUTCOMES_RIDE_MS : OUTCOMES_WAIT_MS;
    return queue->outcomes.count >= OUTCOMES_ENOUGH || queue->scarce || queue->urgent > 0 ||
           queue->withdraw || queue->closing || now_ms - queue->outcomes_since_ms >= wait_ms;
}

/* When the writer looks at outcomes without being woken for them. */
static int64_t outcomes_at(const struct queue *queue, int64_t now_ms)
{
    if (queue->outcomes.count > 0)
        return queue->outcomes_since_ms + OUTCOMES_WAIT_MS;
    return queue->expect_to_ms > now_ms ? queue->expect_to_ms : INT64_MAX;
}

/* The documents of a batch. With more than a backend's page cache holds, SQLite writes pages before the
 * commit, again at the commit, and then the checksums of all that follow them in the log. */
enum { BATCH_BYTES_MAX = 3 << 20 };

static size_t bytes_of_job(const struct queue_job *job)
{
    return job->op.kind == STORE_EVENT          ? job->op.event.event.document.len
           : job->op.kind == STORE_RESOURCE_PUT ? job->op.resource.resource.json.len
                                                : 0;
}

/* Up to `max` of a list into the batch from `count` on, and at least the first group: a group is not torn.
 * How many are in it then. */
static int take_from(struct queue *queue, struct job_list *list, int count, int max)
{
    int first = count;
    size_t bytes = 0;
    for (; list->first && count + list->first->group <= max; count++) {
        bytes += bytes_of_job(list->first);
        if (bytes > BATCH_BYTES_MAX && count > first && queue->batch[count - 1]->group == 1)
            break;
        queue->batch[count] = list->first;
        list->first = list->first->next;
        queue->urgent -= queue->batch[count]->op.kind != STORE_EVENT && list == &queue->waiting;
    }
    list->count -= count - first;
    if (!list->first)
        list->end = &list->first;
    return count;
}

/* Waits for work, under the lock, and takes it over. The number of jobs; 0 may be a claim alone. Outcomes are
 * first: they free what new events may take. */
static int take(struct queue *queue)
{
    int64_t now_ms;
    for (;;) {
        boxes_add(&queue->boxes, boxes_first(&queue->offered), queue->offered.count);
        queue->offered.count = 0;
        queue->boxless = queue->boxes.count == 0;
        queue->scarce = queue->leases_scarce || queue->boxless;
        now_ms = mono_ms(queue);
        bool claims = queue->boxes.count > 0 && !queue->broken_by;
        if (queue->waiting.count > 0 || queue->withdraw || queue->closing || outcomes_ready(queue, now_ms) ||
            (claims && now_ms >= queue->due_at_ms))
            break;
        sleep_until(queue, claims ? queue->due_at_ms : INT64_MAX, outcomes_at(queue, now_ms));
    }
    int count = 0, max = queue->config.batch_max;
    if (outcomes_ready(queue, now_ms)) {
        int others = !queue->waiting.first                   ? 0
                     : queue->waiting.first->group > max / 2 ? queue->waiting.first->group
                                                             : max / 2;
        count = take_from(queue, &queue->outcomes, 0, max - others);
        queue->outcomes_since_ms = now_ms;
    }
    return take_from(queue, &queue->waiting, count, max);
}

static void stop_writing(struct queue *queue, enum store_status status)
{
    queue->broken_by = status;
    pthread_mutex_lock(&queue->lock);
    queue->stats.broken_by = status;
    pthread_mutex_unlock(&queue->lock);
    queue->config.on_broken(queue->config.ctx, status);
}

static enum store_status write_some(struct queue *queue, struct queue_job **jobs, int count, int boxes,
                                    int *filled)
{
    for (int i = 0; i < count; i++)
        queue->ops[i] = &jobs[i]->op;
    struct store_batch batch = {
        .ops = queue->ops, .op_count = count, .boxes = boxes_first(&queue->boxes), .box_count = boxes};
    enum store_status status =
        queue->broken_by ? queue->broken_by : queue->config.backend->write(queue->config.store, &batch);
    *filled = status == STORE_OK ? batch.filled_count : 0;
    int64_t now_ms = mono_ms(queue);
    if (status != STORE_OK)
        queue->due_at_ms = now_ms + RETRY_MS;
    else if (batch.next_due_in_ms < 0)
        queue->due_at_ms = INT64_MAX;
    else
        queue->due_at_ms = now_ms + batch.next_due_in_ms;
    queue->leases_scarce = status != STORE_OK || batch.leases_scarce;
    if (*filled > 0)
        queue->expect_to_ms = now_ms + OUTCOMES_WAIT_MS;
    bool for_good = status != STORE_OK && status != STORE_FULL && status != STORE_DOWN;
    if (for_good && !queue->broken_by)
        stop_writing(queue, status);
    return status;
}

static void complete(struct queue_job **jobs, int count, enum store_status status)
{
    for (int i = 0; i < count; i++)
        jobs[i]->done(jobs[i], status);
}

static void run_batch(struct queue *queue, int count)
{
    int filled;
    enum store_status status = write_some(queue, queue->batch, count, queue->boxes.count, &filled);
    int first = 0;
    if (status == STORE_FULL) {
        /* New events find no room, but outcomes are small, and each one ends work. */
        while (first < count && queue->batch[first]->op.kind == STORE_OUTCOME)
            first++;
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
            give_back(queue, queue->boxes.count);
        if (count > 0 || queue->boxes.count > 0)
            run_batch(queue, count);

        pthread_mutex_lock(&queue->lock);
        queue->stats.batches++;
        queue->stats.jobs += count;
        if (closing && queue->waiting.count + queue->outcomes.count == 0 && queue->offered.count == 0)
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
    queue->outcomes.end = &queue->outcomes.first;
    queue->batch = memory_zero((size_t)config->batch_max, sizeof *queue->batch);
    queue->ops = memory_zero((size_t)config->batch_max, sizeof *queue->ops);
    sem_init(&queue->wake, 0, 0);
    pthread_mutex_init(&queue->lock, NULL);
    int failed = pthread_create(&queue->thread, NULL, writer_main, queue);
    assert(!failed);
    return queue;
}

void queue_close(struct queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->closing = true;
    unlock(queue, true);
    pthread_join(queue->thread, NULL);
    sem_destroy(&queue->wake);
    pthread_mutex_destroy(&queue->lock);
    free(queue->boxes.memory);
    free(queue->offered.memory);
    free(queue->batch);
    free(queue->ops);
    free(queue);
}
