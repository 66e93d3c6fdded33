/* The backend: a batch in its transaction, and the store's open and close. */
#include "memory.h"
#include "sqlite_parts.h"
#include <assert.h>
#include <stdlib.h>

/* Pages of 4 KiB in the write-ahead log before a checkpoint: 32 MiB, so that hot pages are copied back once
 * for many commits. On a disk that is nearly full the log may not eat up what its own checkpoint needs. */
enum { CHECKPOINT_FRAMES = 8192, CHECKPOINT_FRAMES_LOW = 128, HELD_FRAMES = 8 * CHECKPOINT_FRAMES };

/* Events that the rows which follow may be late by: for many at once each page is written once, but a reader
 * has to look through these events. A batch may add to them before it is asked. */
enum { STATE_LATE_MS = 1000, STATE_LATE_EVENTS = 1024 };
enum { EVENTS_AHEAD_MAX = 1024, AHEAD_NAMES_LEN_MAX = 64 << 20 };

/* ---- a batch ---- */

static enum store_status look(struct store *store, struct store_op *op)
{
    enum store_status status = STORE_OK;
    for (int i = 0; i < op->look.count && status == STORE_OK; i++) {
        struct store_figures *figures = &op->look.figures[i];
        struct roster_entry *endpoint = roster_get(&store->roster, figures->id);
        *figures = (struct store_figures){.id = figures->id};
        if (!endpoint || endpoint->removed)
            continue;
        status = sqlite_count_endpoint(store, endpoint);
        const struct roster_counts *counts = &endpoint->work->counts;
        figures->in_hand = counts->leased;
        figures->waiting = counts->pending > counts->leased ? counts->pending - counts->leased : 0;
        if (op->look.hours)
            status = status ?: sqlite_oldest_waiting(store, endpoint, &figures->oldest_waiting_at_ms)
                              ?: sqlite_hours_write_of(store, endpoint->id);
        figures->found = endpoint->url != NULL;
        if (!figures->found)
            continue;
        figures->failing = counts->pace.failing;
        figures->window = roster_window(&store->roster, endpoint);
        figures->delivered = counts->delivered;
        status = status ?: sqlite_line_first(store, endpoint, &figures->line_first);
    }
    return status;
}

static enum store_status purge(struct store *store, struct store_op *op)
{
    return sqlite_purge(store, op) ?: sqlite_jobs_purge(store, op->purge.before_ms) ?: sqlite_removed_purge(store, &op->purge.more)
               ?: sqlite_hours_purge(store, &op->purge.more);
}

/* All but EVENT, which may fill boxes of its batch. */
static enum store_status (*const writers[STORE_OP_COUNT])(struct store *store, struct store_op *op) = {
    [STORE_OUTCOME] = sqlite_outcome,
    [STORE_USER_CREATE] = sqlite_user_create,
    [STORE_USER_UPDATE] = sqlite_user_update,
    [STORE_ENDPOINT_CREATE] = sqlite_endpoint_create,
    [STORE_ENDPOINT_UPDATE] = sqlite_endpoint_update,
    [STORE_ENDPOINT_REMOVE] = sqlite_endpoint_remove,
    [STORE_KEY_CREATE] = sqlite_key_create,
    [STORE_KEY_UPDATE] = sqlite_key_update,
    [STORE_KEY_REVOKE] = sqlite_key_revoke,
    [STORE_RESEND] = sqlite_resend,
    [STORE_CANCEL] = sqlite_cancel,
    [STORE_JOB_CREATE] = sqlite_job_create,
    [STORE_JOB_STEP] = sqlite_job_step,
    [STORE_JOB_CANCEL] = sqlite_job_cancel,
    [STORE_RESOURCE_PUT] = sqlite_resource_put,
    [STORE_RESOURCE_DELETE] = sqlite_resource_delete,
    [STORE_FINGERPRINT] = sqlite_fingerprint,
    [STORE_PURGE] = purge,
    [STORE_LOOK] = look,
    [STORE_NOTICES] = sqlite_notices_due,
};

static enum store_status do_op(struct store *store, struct store_batch *batch, struct store_op *op)
{
    if (op->kind != STORE_EVENT && op->kind != STORE_OUTCOME && op->kind != STORE_LOOK &&
        op->kind != STORE_NOTICES)
        store->plain = false;
    if (op->kind == STORE_EVENT)
        return sqlite_event(store, batch, op);
    assert((unsigned)op->kind < STORE_OP_COUNT && writers[op->kind]);
    return writers[op->kind](store, op);
}

static enum store_status write_op(struct store *store, struct store_batch *batch, struct store_op *op)
{
    bool known = false;
    op->result = STORE_DONE;
    op->id = op->count = 0;
    op->reached = (struct quota_reached){0};
    if (!op->request)
        return do_op(store, batch, op);
    enum store_status status = sqlite_request_find(store, op, &known);
    if (status != STORE_OK || known)
        return status;
    if (op->request->only_known) {
        op->result = STORE_QUOTA;
        return STORE_OK;
    }
    status = do_op(store, batch, op);
    return status == STORE_OK && op->result == STORE_DONE ? sqlite_request_keep(store, op) : status;
}

static enum store_status state_save(struct store *store)
{
    const struct sqlite_counts *counts = &store->counts;
    const struct lease *born = leases_first_born(&store->leases);
    return sqlite_run_ints(store, SQL_STATE_SAVE,
                           SQLITE_INTS(store->now.due_ms, store->now.service_ms, counts->delivery_id_max,
                                       counts->event_id_max, counts->events, counts->states[DELIVERY_PENDING],
                                       counts->states[DELIVERY_DELIVERED], counts->states[DELIVERY_GIVEN_UP],
                                       born ? born->delivery_id : counts->delivery_id_max + 1,
                                       counts->followed_to, counts->states[DELIVERY_CANCELLED],
                                       counts->endpoints, counts->born_out, counts->states[DELIVERY_SKIPPED],
                                       counts->idempotency_to, counts->idempotency_before_ms));
}

/* Its page would be one in four of what a lone event writes. */
static bool state_is_late(const struct store *store)
{
    return !store->plain || store->now.mono_ms - store->saved_ms >= STATE_LATE_MS ||
           store->counts.events - store->saved_events >= STATE_LATE_EVENTS;
}

/* The batch is written. */
static void committed(struct store *store, bool saved)
{
    leases_commit(&store->leases);
    gathered_commit(&store->gathered);
    sqlite_ahead_committed(store);
    sqlite_idempotency_committed(store);
    if (saved) {
        store->saved_ms = store->now.mono_ms;
        store->saved_events = store->counts.events;
    }
    pthread_mutex_lock(&store->published_lock);
    store->published = store->counts;
    store->published.failing = store->roster.failing_count;
    store->published.log_frames = store->log_frames;
    const struct lease *born = leases_first_born(&store->leases);
    store->published.oldest_born = born ? born->delivery_id : INT64_MAX;
    pthread_mutex_unlock(&store->published_lock);
}

static enum store_status transact(struct store *store, struct store_batch *batch, bool *saved)
{
    enum store_status status = sqlite_run(store, SQL_BEGIN) ?: sqlite_expire(store);
    /* New events may not take every box while others wait: half are kept for them. */
    bool others_wait = roster_due_at(&store->roster) <= store->now.due_ms;
    store->boxes_kept = others_wait ? (batch->box_count + 1) / 2 : 0;
    for (int i = 0; i < batch->op_count && status == STORE_OK; i++)
        status = write_op(store, batch, batch->ops[i]);
    status = status ?: sqlite_claim(store, batch) ?: sqlite_tails_settle(store) ?: sqlite_hours_write(store);
    if (status != STORE_OK)
        return status;
    if (!store->changed)
        return sqlite_run(store, SQL_ROLLBACK);
    if (store->counts.ahead_count - store->counts.ahead_first >= EVENTS_AHEAD_MAX)
        status = sqlite_write_late_rows(store);
    status = status ?: sqlite_idempotency_work(store);
    *saved = state_is_late(store);
    if (*saved)
        status = status ?: state_save(store);
    return status ?: sqlite_run(store, SQL_COMMIT);
}

/* As if the batch had never been. */
static enum store_status undo(struct store *store, struct store_batch *batch, enum store_status status)
{
    while (batch->filled_count > 0) {
        batch->boxes[--batch->filled_count]->filled = false;
        store_work_clear(batch->boxes[batch->filled_count]);
    }
    if (store->broken_by)
        return status; /* touch nothing more */
    if (!sqlite3_get_autocommit(store->db) && sqlite_run(store, SQL_ROLLBACK) != STORE_OK)
        return STORE_BROKEN;
    leases_undo(&store->leases); /* they lead to their endpoints, which may go */
    if (store->users_changed && sqlite_roster_load(store, 0) != STORE_OK)
        return STORE_BROKEN;
    roster_undo(&store->roster);
    gathered_undo(&store->gathered);
    store->counts = store->counts_before;
    sqlite_idempotency_undo(store);
    return status;
}

/* Between batches, on the one connection that writes. A reader in the way only puts it off: what was written
 * since it began to read cannot be moved, and the log grows until it is done. */
static enum store_status checkpoint(struct store *store)
{
    int frames = 0, moved = 0;
    int rc = sqlite3_wal_checkpoint_v2(store->db, NULL, SQLITE_CHECKPOINT_PASSIVE, &frames, &moved);
    store->log_tried = store->log_frames;
    if (rc == SQLITE_OK && frames >= 0)
        store->log_moved = moved;
    if (!store->log_held && store->log_frames - store->log_moved >= store->log_held_told) {
        store->log_held = true;
        log_write(store->config.log, LOG_LEVEL_WARN, "store",
                  "the log of the database has grown to %lld MiB and keeps growing: a program keeps a read "
                  "transaction open, such as a stopped `posthorn backup` or an sqlite3 shell. End that "
                  "program path=%s",
                  (long long)store->log_frames * STORE_PAGE_BYTES >> 20, store->path);
    }
    if (rc == SQLITE_OK || (rc & 0xff) == SQLITE_BUSY)
        return STORE_OK;
    return (rc & 0xff) == SQLITE_FULL ? STORE_OK : sqlite_fault(store, rc);
}

static int count_frames(void *ctx, sqlite3 *db, const char *name, int frames)
{
    struct store *store = ctx;
    if (frames < store->log_frames) { /* all of it was moved, and it begins anew */
        store->log_moved = store->log_tried = 0;
        if (store->log_held)
            log_write(store->config.log, LOG_LEVEL_INFO, "store", "the log of the database is short again");
        store->log_held = false;
    }
    store->log_frames = frames;
    return SQLITE_OK;
}

/* Is there anything to write? Without ops: a claim that will find something, or a lease that ran out. */
static bool worth_it(struct store *store, const struct store_batch *batch)
{
    const struct lease *first = leases_first(&store->leases);
    return batch->op_count > 0 || (first && first->ends_at_ms <= store->now.due_ms) ||
           (batch->box_count > 0 && roster_due_at(&store->roster) <= store->now.due_ms);
}

static int64_t next_due_in_ms(struct store *store)
{
    int64_t at_ms = roster_due_at(&store->roster);
    const struct lease *first = leases_first(&store->leases);
    if (first && first->ends_at_ms < at_ms)
        at_ms = first->ends_at_ms;
    if (at_ms == ROSTER_NEVER)
        return -1;
    return at_ms > store->now.due_ms ? at_ms - store->now.due_ms : 0;
}

static enum store_status write_batch(struct store *store, struct store_batch *batch)
{
    int tries_each = store->disk_low ? CHECKPOINT_FRAMES_LOW : store->log_tries_each;
    enum store_status before = STORE_OK;
    if (store->log_frames - store->log_tried >= tries_each)
        before = checkpoint(store);
    store->now = sqlite_now(store);
    before = before ?: sqlite_count_some(store);
    if (before != STORE_OK)
        return before;
    store->counts_before = store->counts;
    store->users_changed = store->changed = false;
    store->plain = true;
    roster_begin(&store->roster, store->now.due_ms);
    gathered_begin(&store->gathered, store->now.mono_ms, store->now.wall_ms);
    if (worth_it(store, batch)) {
        bool saved = false;
        enum store_status status = transact(store, batch, &saved);
        if (status != STORE_OK)
            return undo(store, batch, status);
        committed(store, saved);
    }
    batch->next_due_in_ms = store->counting.db ? 0 : next_due_in_ms(store);
    batch->leases_scarce = roster_starved(&store->roster);
    return STORE_OK;
}

/* Damage ends writing, but not the server: the transaction that met it goes, so that its lock is in nobody's
 * way. What memory knows of it is used no more. After a disk that failed, nothing is touched. */
static enum store_status sqlite_write(struct store *store, struct store_batch *batch)
{
    batch->filled_count = 0;
    batch->next_due_in_ms = -1;
    batch->leases_scarce = false;
    if (store->broken_by)
        return store->broken_by;
    enum store_status status = write_batch(store, batch);
    if (!store->broken_by)
        return status;
    if (store->broken_by == STORE_DAMAGED) {
        sqlite_counting_end(store);
        sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL); /* there may be none */
    }
    return store->broken_by;
}

/* ---- open and close ---- */

/* Of a row that may be damaged: the year 5138 at most. */
enum { TIME_DAYS_MAX = 1157407 };
#define TIME_MS_MAX ((int64_t)TIME_DAYS_MAX * 86400000)

static int64_t sane_time(int64_t ms)
{
    return ms >= 0 && ms < TIME_MS_MAX ? ms : 0;
}

/* Of a row that may be damaged: numbers that no server wrote are 0, and state_catch_up counts all. What the
 * tables say is more than that, and is taken there, once what is new by then is counted. */
static void mend_counts(struct sqlite_counts *counts)
{
    bool deliveries_are_sane = counts->delivery_id_max >= 0 && counts->delivery_id_max >> 61 == 0;
    bool events_are_sane = counts->event_id_max >= 0 && counts->event_id_max >> 62 == 0;
    if (!deliveries_are_sane) {
        counts->delivery_id_max = counts->born_out = 0;
        counts->states[DELIVERY_PENDING] = counts->states[DELIVERY_DELIVERED] = 0;
        counts->states[DELIVERY_GIVEN_UP] = counts->states[DELIVERY_SKIPPED] = 0;
    }
    if (!events_are_sane)
        counts->event_id_max = counts->events = 0;
    if (counts->followed_to > counts->event_id_max || counts->followed_to < 0)
        counts->followed_to = counts->event_id_max;
    if (counts->idempotency_to > counts->event_id_max)
        counts->idempotency_to = -1; /* nobody knows */
}

static enum store_status state_load(struct store *store)
{
    sqlite3_stmt *load = NULL;
    int rc = sqlite3_prepare_v2(store->db,
                                "SELECT due_clock_ms, service_clock_ms, delivery_id_max, event_id_max,"
                                " events, pending, delivered, given_up, born_from, followed_to,"
                                " cancelled, endpoints, born_out, skipped, ids_from, idempotency_to,"
                                " idempotency_before FROM state",
                                -1, &load, NULL);
    bool found = rc == SQLITE_OK && sqlite3_step(load) == SQLITE_ROW;
    if (found) {
        int64_t due_ms = sqlite3_column_int64(load, 0);
        int64_t wall_ms = clock_wall_ms(&store->config.clock);
        store->due_at_open_ms = due_ms > wall_ms && due_ms < TIME_MS_MAX ? due_ms : wall_ms;
        store->born_from = sqlite3_column_int64(load, 8);
        store->service_at_open_ms = sane_time(sqlite3_column_int64(load, 1));
        store->counts =
            (struct sqlite_counts){.delivery_id_max = sqlite3_column_int64(load, 2),
                                   .event_id_max = sqlite3_column_int64(load, 3),
                                   .events = sqlite3_column_int64(load, 4),
                                   .states = {[DELIVERY_PENDING] = sqlite3_column_int64(load, 5),
                                              [DELIVERY_DELIVERED] = sqlite3_column_int64(load, 6),
                                              [DELIVERY_GIVEN_UP] = sqlite3_column_int64(load, 7),
                                              [DELIVERY_CANCELLED] = sqlite3_column_int64(load, 10),
                                              [DELIVERY_SKIPPED] = sqlite3_column_int64(load, 13)},
                                   .followed_to = sqlite3_column_int64(load, 9),
                                   .endpoints = sqlite3_column_int64(load, 11),
                                   .born_out = sqlite3_column_int64(load, 12),
                                   .idempotency_to = sqlite3_column_int64(load, 15)};
        int64_t before_ms = sqlite3_column_int64(load, 16); /* later than now: nothing is forgotten */
        store->counts.idempotency_before_ms = before_ms <= wall_ms ? before_ms : 0;
        mend_counts(&store->counts);
        int64_t ids_from = sqlite3_column_int64(load, 14);
        store->ids_from = ids_from > 0 && ids_from >> 61 == 0 ? ids_from : 0;
    }
    store->mono_at_open_ms = clock_mono_ms(&store->config.clock);
    int end = sqlite3_finalize(load);
    if (rc == SQLITE_OK && end == SQLITE_OK && !found)
        rc = SQLITE_CORRUPT; /* without it, ids would begin anew */
    return rc == SQLITE_OK && end == SQLITE_OK ? STORE_OK : sqlite_fault(store, rc ? rc : end);
}

static enum store_status count_rows(struct store *store, enum sql sql, int64_t *numbers, int count)
{
    bool found = false;
    enum store_status status = sqlite_row(store, sql, &found);
    for (int i = 0; i < count && found; i++)
        numbers[i] = sqlite3_column_int64(store->sql[sql], i);
    sqlite3_reset(store->sql[sql]);
    return status;
}

/* What plain batches did since `state` was written: new events and deliveries have higher ids, and of the
 * born leases that were out those that are not any more ended as delivered. */
static enum store_status state_catch_up(struct store *store)
{
    struct sqlite_counts *counts = &store->counts;
    int64_t events[2] = {0}, deliveries[5] = {0}, still_out = 0;
    bool found;
    sqlite3_bind_int64(store->sql[SQL_STATE_EVENTS], 1, counts->event_id_max);
    sqlite3_bind_int64(store->sql[SQL_STATE_DELIVERIES], 1, counts->delivery_id_max);
    sqlite_bind_ints(store->sql[SQL_STATE_BORN_OUT], SQLITE_INTS(store->born_from, counts->delivery_id_max));
    enum store_status status = count_rows(store, SQL_STATE_EVENTS, events, 2)
                                   ?: count_rows(store, SQL_STATE_DELIVERIES, deliveries, 5)
                                   ?: sqlite_number(store, SQL_STATE_BORN_OUT, &still_out, &found);
    if (status != STORE_OK)
        return status;
    int64_t ended = counts->born_out - still_out;
    counts->events += events[0];
    counts->states[DELIVERY_PENDING] += deliveries[0] - ended;
    counts->states[DELIVERY_DELIVERED] += deliveries[1] + ended;
    counts->states[DELIVERY_GIVEN_UP] += deliveries[2];
    counts->states[DELIVERY_SKIPPED] += deliveries[4];
    if (events[1] > counts->event_id_max)
        counts->event_id_max = events[1];
    if (deliveries[3] > counts->delivery_id_max)
        counts->delivery_id_max = deliveries[3];
    counts->born_out = 0; /* take_over makes them wait */
    store->ids.node = store->config.id_node;
    ids_floor(&store->ids, counts->event_id_max);
    return STORE_OK;
}

/* One process at a time has this file, so whatever is leased was the former one's, and waits again. */
static enum store_status take_over(struct store *store)
{
    store->now = sqlite_now(store);
    roster_begin(&store->roster, store->now.due_ms);
    enum store_status status =
        sqlite_run(store, SQL_BEGIN) ?: state_catch_up(store)
            ?: sqlite_run_ints(store, SQL_DELIVERY_UNCLAIM_ALL, SQLITE_INTS(store->now.due_ms))
            ?: sqlite_run_ints(store, SQL_DELIVERY_UNCLAIM_BORN,
                               SQLITE_INTS(store->now.due_ms, store->born_from))
            ?: sqlite_purge_load(store) ?: sqlite_ahead_load(store) ?: sqlite_write_late_rows(store)
            ?: sqlite_idempotency_load(store) ?: state_save(store) ?: sqlite_run(store, SQL_COMMIT);
    if (status == STORE_OK)
        committed(store, true);
    status = status ?: sqlite_roster_load(store, 0) ?: sqlite_failing_load(store) ?: sqlite_usage_load(store);
    size_t at = 0;
    status = status ?: sqlite_run(store, SQL_BEGIN);
    for (struct roster_entry *endpoint;
         status == STORE_OK && (endpoint = idmap_each(&store->roster.endpoints, &at));) {
        bool moved;
        if (roster_is_ordered(endpoint))
            status = sqlite_line_move(store, endpoint, &moved);
        status = status ?: sqlite_roster_due(store, endpoint);
        if (endpoint->work->counts.due_at_ms != ROSTER_NEVER)
            roster_pace(&store->roster, endpoint, pace_resumed);
    }
    return status ?: sqlite_run(store, SQL_COMMIT);
}

static enum store_status connect_writer(struct store *store)
{
    int rc = sqlite_connect(store->path, &store->log_vfs, &store->db);
    return rc == SQLITE_OK ? STORE_OK : sqlite_fault(store, rc);
}

static enum store_status set_up(struct store *store)
{
    enum store_status status = sqlite_files_open(store) ?: connect_writer(store) ?: sqlite_migrate(store)
                                   ?: sqlite_prepare(store) ?: state_load(store);
    if (status != STORE_OK)
        return status;
    sqlite3_wal_hook(store->db, count_frames, store);
    return take_over(store) ?: sqlite_readers_open(store);
}

static void sqlite_close_all(struct store *store)
{
    sqlite_readers_close(store);
    sqlite_counting_end(store);
    for (int i = 0; i < SQL_COUNT; i++)
        sqlite3_finalize(store->sql[i]);
    /* The last connection to close checkpoints; on a broken disk it must not try. */
    if (store->broken_by && store->db)
        sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite3_close(store->db);
    sqlite_ahead_fini(store);
    sqlite_idempotency_fini(store);
    roster_fini(&store->roster);
    leases_fini(&store->leases);
    gathered_fini(&store->gathered);
    sqlite_files_close(store);
    pthread_mutex_destroy(&store->published_lock);
    free(store->path);
    free(store);
}

static void sqlite_end(struct store *store)
{
    /* The service clock's last value; without it, time since the last batch would not count. */
    store->now = sqlite_now(store);
    if (!store->broken_by)
        (void)state_save(store);
    if (!store->broken_by)
        sqlite_hours_end(store);
    sqlite_close_all(store);
}

static enum store_status sqlite_open(const struct store_config *config, struct store **opened)
{
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    struct store *store = memory_zero(1, sizeof *store);
    store->backend = &store_sqlite;
    store->config = *config;
    store->path = memory_copy_text(config->path);
    store->folder_fd = store->file_fd = -1;
    store->disk_asked_ms = INT64_MIN;
    store->log_tries_each = CHECKPOINT_FRAMES;
    store->log_held_told = HELD_FRAMES;
    roster_init(&store->roster, &config->pace);
    leases_init(&store->leases);
    arena_init(&store->ahead.names, AHEAD_NAMES_LEN_MAX);
    pthread_mutex_init(&store->published_lock, NULL);
    enum store_status status = set_up(store);
    if (status != STORE_OK) {
        sqlite_close_all(store);
        return status;
    }
    store->config.refusal = NULL; /* of the caller of this */
    *opened = store;
    return STORE_OK;
}

const struct store_backend store_sqlite = {
    .name = "sqlite", .open = sqlite_open, .write = sqlite_write, .read = sqlite_read, .close = sqlite_end};
