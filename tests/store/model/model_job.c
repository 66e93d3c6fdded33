/* The model's jobs: it looks at every row, each time. */
#include "model_state.h"
#include <assert.h>
#include <stdlib.h>

static struct job *model_find_job(struct model_disk *disk, int64_t id)
{
    for (int i = 0; i < disk->job_count; i++)
        if (disk->jobs[i].id == id)
            return &disk->jobs[i];
    return NULL;
}

static void model_job_drop(struct model_disk *disk, int at)
{
    model_drop(disk->jobs[at].event_type);
    model_drop(disk->jobs[at].resource_type);
    model_drop(disk->jobs[at].resource_id);
    memmove(&disk->jobs[at], &disk->jobs[at + 1], (size_t)(disk->job_count - at - 1) * sizeof *disk->jobs);
    disk->job_count--;
}

static void model_job_end(struct store *store, struct job *job, enum job_state state)
{
    job->state = state;
    job->finished_at_ms = clock_wall_ms(&store->config.clock);
}

void model_jobs_cancel(struct store *store, int64_t endpoint_id)
{
    for (int i = 0; i < store->disk->job_count; i++)
        if (store->disk->jobs[i].endpoint_id == endpoint_id && store->disk->jobs[i].state == JOB_RUNNING)
            model_job_end(store, &store->disk->jobs[i], JOB_CANCELLED);
}

void model_jobs_purge(struct model_disk *disk, int64_t before_ms)
{
    for (int i = disk->job_count; i-- > 0;)
        if (disk->jobs[i].state != JOB_RUNNING && disk->jobs[i].finished_at_ms < before_ms)
            model_job_drop(disk, i);
}

void model_jobs_free(struct model_disk *disk)
{
    while (disk->job_count > 0)
        model_job_drop(disk, disk->job_count - 1);
    free(disk->jobs);
}

static void model_jobs_forget(struct model_disk *disk, int64_t endpoint_id)
{
    int kept = 0;
    for (int i = disk->job_count; i-- > 0;)
        if (disk->jobs[i].endpoint_id == endpoint_id && disk->jobs[i].state != JOB_RUNNING &&
            ++kept > STORE_JOBS_KEPT)
            model_job_drop(disk, i);
}

void model_job_create(struct store *store, struct store_op *op)
{
    struct model_disk *disk = store->disk;
    struct job *job = &op->job;
    const struct model_row *endpoint = model_find_endpoint(disk, job->endpoint_id);
    if (!endpoint || endpoint->removed || endpoint->endpoint.owner_id != job->owner_id) {
        op->result = STORE_NOT_FOUND;
        return;
    }
    for (int i = 0; i < disk->job_count; i++)
        if (disk->jobs[i].endpoint_id == job->endpoint_id && disk->jobs[i].kind == job->kind &&
            disk->jobs[i].state == JOB_RUNNING)
            op->result = STORE_CONFLICT;
    if (op->result == STORE_CONFLICT)
        return;
    model_jobs_forget(disk, job->endpoint_id);
    op->id = job->id = model_next_id(store);
    job->below_id = job->kind == JOB_BACKFILL ? job->endpoint_id : job->id;
    job->cursor = job_begin(job);
    disk->jobs = model_room(disk->jobs, disk->job_count, &disk->job_cap, sizeof *disk->jobs);
    struct job *added = &disk->jobs[disk->job_count++];
    *added = *job;
    added->state = JOB_RUNNING;
    added->looked = added->made_due = added->finished_at_ms = 0;
    added->event_type = model_copy(job->event_type);
    added->resource_type = model_copy(job->resource_type);
    added->resource_id = model_copy(job->resource_id);
}

static struct job *model_running(struct store *store, struct store_op *op, int64_t id)
{
    struct job *job = model_find_job(store->disk, id);
    if (job && job->state == JOB_RUNNING) {
        op->id = id;
        return job;
    }
    op->result = job ? STORE_CONFLICT : STORE_NOT_FOUND;
    return NULL;
}

void model_job_cancel(struct store *store, struct store_op *op)
{
    struct job *job = model_running(store, op, op->job.id);
    if (job)
        model_job_end(store, job, JOB_CANCELLED);
}

/* ---- a step ---- */

static const struct model_delivery *model_delivery_to(const struct model_disk *disk, int64_t event_id,
                                                      int64_t endpoint_id)
{
    for (int i = 0; i < disk->delivery_count; i++)
        if (disk->deliveries[i].event_id == event_id && disk->deliveries[i].endpoint_id == endpoint_id)
            return &disk->deliveries[i];
    return NULL;
}

static int model_due_count(struct store *store, const struct endpoint *endpoint)
{
    int count = 0;
    int64_t now = model_due_now_ms(store);
    for (int i = 0; i < store->disk->delivery_count; i++) {
        const struct model_delivery *delivery = &store->disk->deliveries[i];
        bool in_line = endpoint->flow.ordered && delivery->state == DELIVERY_PENDING && !delivery->leased;
        count += delivery->endpoint_id == endpoint->id && model_under_way(delivery) &&
                 (delivery->due_ms <= now || in_line);
    }
    return count;
}

/* As the stores have it in the row of a delivery, said once more. */
static bool model_job_takes(const struct job *job, const struct model_delivery *delivery)
{
    if (model_under_way(delivery) || delivery->endpoint_id != job->endpoint_id)
        return false;
    if (job->kind == JOB_RECOVER && delivery->state != DELIVERY_GIVEN_UP &&
        delivery->state != DELIVERY_CANCELLED)
        return false;
    return job->kind == JOB_RECOVER || delivery->state == job->delivery_state;
}

static bool model_step_one(struct store *store, const struct job *job, const struct endpoint *endpoint,
                           int64_t id)
{
    int64_t now = model_due_now_ms(store);
    if (job->kind == JOB_BACKFILL) {
        const struct model_event *event = model_find_event(store->disk, id);
        bool has = model_delivery_to(store->disk, id, endpoint->id) != NULL;
#ifdef PLANT_BACKFILL_TWICE
        has = false;
#endif
        if (!event || has || id >= job->below_id)
            return false;
        model_delivery_add(store, &event->event, endpoint, now);
        model_hour_count(store, endpoint->id, HOUR_ACCEPTED, HOUR_NO_ANSWER);
        return true;
    }
    struct model_delivery *delivery = model_find_delivery(store->disk, id);
    if (!delivery || !model_job_takes(job, delivery) ||
        (delivery->state == DELIVERY_SKIPPED && endpoint->url.len == 0))
        return false;
    model_again(delivery, now);
#ifdef PLANT_REPLAY_RESTAMPS
    model_find_event(store->disk, delivery->event_id)->event.sent_at_ms = 0;
#endif
    return true;
}

void model_job_step(struct store *store, struct store_op *op)
{
    struct job *job = model_running(store, op, op->job_step.id);
    op->job_step.held = false;
    if (!job)
        return;
    const struct endpoint *endpoint = &model_find_endpoint(store->disk, job->endpoint_id)->endpoint;
#ifndef PLANT_BACKFILL_TWICE /* or a step that was written before is done again */
    if (job->cursor.at_ms != op->job_step.from.at_ms || job->cursor.id != op->job_step.from.id) {
        op->id = 0;
        op->result = STORE_FENCED;
        return;
    }
#endif
    op->job_step.held = op->job_step.count > 0 && model_due_count(store, endpoint) >= op->job_step.ahead_max;
    if (op->job_step.held)
        return;
    for (int i = 0; i < op->job_step.count; i++)
        op->count += model_step_one(store, job, endpoint, op->job_step.ids[i]);
    job->cursor = op->job_step.to;
    job->looked += op->job_step.looked;
    job->made_due += op->count;
    if (op->job_step.finished)
        model_job_end(store, job, JOB_DONE);
}

/* ---- its rows ---- */

/* One that the job has to look at. */
struct model_job_row {
    struct job_cursor at;
    int64_t id; /* 0: not taken */
};

static bool model_same(struct bytes wanted, struct bytes text)
{
    return wanted.len == 0 || bytes_equal(wanted, text);
}

static bool model_job_wants(const struct job *job, const struct event *event)
{
    return model_same(job->event_type, event->event_type) &&
           model_same(job->resource_type, event->resource_type) &&
           model_same(job->resource_id, event->resource_id);
}

static bool model_would_get(struct model_disk *disk, const struct model_event *event,
                            const struct endpoint *endpoint)
{
    const struct user *owner = model_find_user(disk, event->event.owner_id);
    const struct user *user = model_find_user(disk, endpoint->owner_id);
    bool as_master = owner->master_id == user->id && user->receives_users_events && !event->owner_only;
    return !event->for_chosen && (owner == user || as_master) && !model_unwanted(&event->event, endpoint);
}

/* Does this job look at the event at all? */
static bool model_job_sees(struct model_disk *disk, const struct job *job, const struct event *event)
{
    const struct user *user = model_find_user(disk, job->owner_id);
    bool all = user->role == USER_MASTER && (job->kind == JOB_REPLAY || user->receives_users_events);
    return all || event->owner_id == user->id;
}

static int model_event_rows(struct model_disk *disk, const struct job *job, const struct endpoint *endpoint,
                            struct model_job_row *rows)
{
    int count = 0;
    for (int i = 0; i < disk->event_count; i++) {
        const struct model_event *event = &disk->events[i];
        if (!model_job_sees(disk, job, &event->event))
            continue;
        const struct model_delivery *delivery = model_delivery_to(disk, event->event.id, endpoint->id);
        bool takes = job->kind == JOB_REPLAY ? delivery && model_job_takes(job, delivery)
                                             : !delivery && model_would_get(disk, event, endpoint);
        int64_t id = job->kind == JOB_REPLAY && delivery ? delivery->id : event->event.id;
        rows[count++] = (struct model_job_row){{0, event->event.id},
                                               takes && model_job_wants(job, &event->event) ? id : 0};
    }
    return count;
}

static int model_failed_rows(struct model_disk *disk, const struct job *job, struct model_job_row *rows)
{
    int count = 0;
    for (int i = 0; i < disk->delivery_count; i++) {
        const struct model_delivery *delivery = &disk->deliveries[i];
        bool failed = delivery->state == DELIVERY_GIVEN_UP || delivery->state == DELIVERY_CANCELLED;
        if (delivery->endpoint_id != job->endpoint_id || !failed)
            continue;
        bool takes = model_job_takes(job, delivery) &&
                     model_job_wants(job, &model_find_event(disk, delivery->event_id)->event);
        rows[count++] =
            (struct model_job_row){{delivery->finished_at_ms, delivery->id}, takes ? delivery->id : 0};
    }
    return count;
}

static int model_by_cursor(const void *a, const void *b)
{
    const struct job_cursor *left = a, *right = b;
    if (left->at_ms != right->at_ms)
        return left->at_ms > right->at_ms ? 1 : -1;
    return (left->id > right->id) - (left->id < right->id);
}

void model_job_rows(const struct store *store, const struct store_query *query, struct arena *arena,
                    struct store_answer *answer)
{
    struct model_disk *disk = store->disk;
    const struct job *job = query->job;
    const struct model_row *endpoint = model_find_endpoint(disk, job->endpoint_id);
    int looks_max = store->config.scan_rows_max > 0 ? store->config.scan_rows_max : 2048, count = 0;
    size_t size = sizeof(struct model_job_row);
    answer->to = job->cursor;
    answer->ids = arena_zero(arena, ((size_t)query->limit + 1) * sizeof *answer->ids);
    struct model_job_row *rows =
        arena_zero(arena, ((size_t)disk->event_count + (size_t)disk->delivery_count + 1) * size);
    if (endpoint && !endpoint->removed)
        count = job->kind == JOB_RECOVER ? model_failed_rows(disk, job, rows)
                                         : model_event_rows(disk, job, &endpoint->endpoint, rows);
    qsort(rows, (size_t)count, size, model_by_cursor);
    for (int i = 0; i < count; i++) {
        if (model_by_cursor(&rows[i].at, &job->cursor) <= 0)
            continue;
        if (job_is_past(job, rows[i].at))
            return;
        answer->more = answer->count == query->limit || answer->looked == looks_max;
        if (answer->more)
            return;
        answer->to = rows[i].at;
        answer->looked++;
        if (rows[i].id)
            answer->ids[answer->count++] = rows[i].id;
    }
}
