/*
 * JOB_CREATE, JOB_STEP, JOB_CANCEL (job.h). The rows of a step were found by a reader (job_rows.c); here each
 * is looked at once more, as others may have changed it since.
 */
#include "sqlite_parts.h"

enum store_status sqlite_jobs_cancel(struct store *store, int64_t endpoint_id)
{
    return sqlite_run_ints(store, SQL_JOBS_CANCEL, SQLITE_INTS(endpoint_id, store->now.wall_ms));
}

enum store_status sqlite_jobs_purge(struct store *store, int64_t before_ms)
{
    enum store_status status = sqlite_run_ints(store, SQL_JOBS_PURGE, SQLITE_INTS(before_ms));
    store->changed = store->changed || (status == STORE_OK && sqlite3_changes(store->db) > 0);
    return status;
}

static enum store_status insert(struct store *store, const struct job *job)
{
    sqlite3_stmt *insert = store->sql[SQL_JOB_INSERT];
    sqlite_bind_ints(insert, SQLITE_INTS(job->id, job->owner_id, job->endpoint_id, job->kind, job->since_ms,
                                         job->until_ms, job->delivery_state));
    sqlite_bind_text(insert, 8, job->event_type);
    sqlite_bind_text(insert, 9, job->resource_type);
    sqlite_bind_text(insert, 10, job->resource_id);
    sqlite3_bind_int64(insert, 11, job->cursor.at_ms);
    sqlite3_bind_int64(insert, 12, job->cursor.id);
    sqlite3_bind_int64(insert, 13, job->below_id);
    sqlite3_bind_int64(insert, 14, job->total);
    sqlite3_bind_int64(insert, 15, job->created_at_ms);
    return sqlite_run(store, SQL_JOB_INSERT);
}

enum store_status sqlite_job_create(struct store *store, struct store_op *op)
{
    struct job *job = &op->job;
    const struct roster_entry *endpoint = roster_get(&store->roster, job->endpoint_id);
    int64_t one;
    bool runs = false;
    if (!endpoint || endpoint->removed || endpoint->owner->id != job->owner_id)
        return sqlite_result(op, STORE_NOT_FOUND);
    sqlite_bind_ints(store->sql[SQL_JOB_RUNS], SQLITE_INTS(endpoint->id, job->kind));
    enum store_status status = sqlite_number(store, SQL_JOB_RUNS, &one, &runs);
    if (status != STORE_OK || runs)
        return status ?: sqlite_result(op, STORE_CONFLICT);
    op->id = job->id = sqlite_next_id(store);
    job->below_id = job->kind == JOB_BACKFILL ? endpoint->id : job->id;
    job->cursor = job_begin(job);
    store->changed = true;
    return sqlite_run_ints(store, SQL_JOBS_FORGET, SQLITE_INTS(endpoint->id, STORE_JOBS_KEPT))
               ?: insert(store, job);
}

/* *runs: it does; else op->result says why not. */
static enum store_status find(struct store *store, struct store_op *op, int64_t id, struct job *job,
                              bool *runs)
{
    sqlite3_stmt *get = store->sql[SQL_JOB_GET];
    bool found = false;
    sqlite3_bind_int64(get, 1, id);
    enum store_status status = sqlite_row(store, SQL_JOB_GET, &found);
    *runs = false;
    if (status != STORE_OK || !found)
        return status ?: sqlite_result(op, STORE_NOT_FOUND);
    *job = (struct job){.id = id,
                        .kind = (enum job_kind)sqlite3_column_int(get, 0),
                        .state = (enum job_state)sqlite3_column_int(get, 1),
                        .endpoint_id = sqlite3_column_int64(get, 2),
                        .delivery_state = (enum delivery_state)sqlite3_column_int(get, 3),
                        .cursor = {sqlite3_column_int64(get, 4), sqlite3_column_int64(get, 5)},
                        .below_id = sqlite3_column_int64(get, 6)};
    sqlite3_reset(get);
    *runs = job->state == JOB_RUNNING;
    return *runs ? STORE_OK : sqlite_result(op, STORE_CONFLICT);
}

static enum store_status end(struct store *store, int64_t id, enum job_state state)
{
    store->changed = true;
    return sqlite_run_ints(store, SQL_JOB_END, SQLITE_INTS(id, state, store->now.wall_ms));
}

enum store_status sqlite_job_cancel(struct store *store, struct store_op *op)
{
    struct job job;
    bool runs;
    enum store_status status = find(store, op, op->job.id, &job, &runs);
    if (status != STORE_OK || !runs)
        return status;
    op->id = job.id;
    return end(store, job.id, JOB_CANCELLED);
}

/* Are so many deliveries to the endpoint due? */
static enum store_status is_held(struct store *store, const struct roster_entry *endpoint, int ahead_max,
                                 bool *held)
{
    int64_t due = endpoint->work->tail.count;
    bool found = false;
    if (due < ahead_max) {
        int64_t in_table = 0;
        sqlite_bind_ints(store->sql[SQL_DUE_COUNT],
                         SQLITE_INTS(endpoint->id, store->now.due_ms, ahead_max - due));
        enum store_status status = sqlite_number(store, SQL_DUE_COUNT, &in_table, &found);
        if (status != STORE_OK)
            return status;
        due += in_table;
    }
    *held = due >= ahead_max;
    return STORE_OK;
}

/* The event's delivery to the endpoint, if it has none. */
static enum store_status add(struct store *store, struct roster_entry *endpoint, const struct job *job,
                             int64_t event_id, bool *taken)
{
    int64_t one;
    sqlite_bind_ints(store->sql[SQL_JOB_EVENT], SQLITE_INTS(event_id, endpoint->id));
    enum store_status status = sqlite_number(store, SQL_JOB_EVENT, &one, taken);
    *taken = *taken && event_id < job->below_id;
    if (status != STORE_OK || !*taken)
        return status;
    int64_t id = model_delivery_next(store->counts.delivery_id_max, store->config.mark);
    store->counts.delivery_id_max = id;
    store->changed = true;
    struct ledger_row row = ledger_accepted(store->now.due_ms);
    if (roster_is_ordered(endpoint))
        row.due_at_ms = ledger_missed_due_at(id);
    sqlite_count(store, endpoint, NULL, &row);
    return sqlite_run_ints(store, SQL_DELIVERY_INSERT,
                           SQLITE_INTS(id, event_id, endpoint->id, row.due_at_ms, 0, endpoint->id))
               ?: sqlite_run_ints(store, SQL_ADDED_INSERT, SQLITE_INTS(event_id, id))
               ?: sqlite_waits(store, endpoint, row.due_at_ms);
}

enum store_status sqlite_job_step(struct store *store, struct store_op *op)
{
    struct job job;
    bool runs;
    op->job_step.held = false;
    enum store_status status = find(store, op, op->job_step.id, &job, &runs);
    if (status != STORE_OK || !runs)
        return status;
    if (!job_cursor_equal(job.cursor, op->job_step.from))
        return sqlite_result(op, STORE_FENCED);
    struct roster_entry *endpoint = roster_get(&store->roster, job.endpoint_id);
    if (!endpoint) /* of a damaged row */
        return end(store, job.id, JOB_CANCELLED);
    op->id = job.id;
    if (op->job_step.count > 0)
        status = is_held(store, endpoint, op->job_step.ahead_max, &op->job_step.held);
    if (status != STORE_OK || op->job_step.held)
        return status;
    for (int i = 0; i < op->job_step.count && status == STORE_OK; i++) {
        bool taken = false;
        status = job.kind == JOB_BACKFILL ? add(store, endpoint, &job, op->job_step.ids[i], &taken)
                                          : sqlite_again(store, &job, op->job_step.ids[i], &taken);
        op->count += taken;
    }
    store->changed = true;
    status = status
                 ?: sqlite_run_ints(store, SQL_JOB_SAVE,
                                    SQLITE_INTS(job.id, op->job_step.to.at_ms, op->job_step.to.id,
                                                op->job_step.looked, op->count));
    return status == STORE_OK && op->job_step.finished ? end(store, job.id, JOB_DONE) : status;
}
