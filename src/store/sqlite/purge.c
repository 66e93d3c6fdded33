/*
 * PURGE: what has ended goes, some events at a time, at a cost of what is removed.
 *
 * The scan goes through the events once, in the order of their ids, and never back (counts.purged_to). An
 * event that may not go yet is passed over: whatever ends one of its deliveries later leaves a row in
 * `ended_late`, and that row brings the event back when its time has come. So a million deliveries that wait
 * cost nothing but the one look.
 *
 * Events, deliveries and attempts stand in the order of their ids, so they go in ranges. The rows of `owned`
 * are spread by owner: they stay until there are many of one owner, or of all (sweep.c); readers find
 * no event for them and go on.
 */
#include "memory.h"
#include "sqlite_parts.h"
#include <stdlib.h>

enum { PURGE_ROWS_MAX = 1000, STATES = DELIVERY_SKIPPED + 1 };

/* The state of an event's deliveries. */
struct ended {
    bool waits;      /* one of them does, or is under way */
    int64_t at_ms;   /* when the last one ended; 0: there are none */
    int ranges_from; /* of the slice: theirs are the last */
    int64_t counts[STATES];
};

/* Deliveries with these numbers in their ids (model.h), whatever their marks; and their attempts. */
struct range {
    int64_t first, end;
};

/* The events that one PURGE looks at. */
struct slice {
    struct purged {
        int64_t id, owner_id;
        bool run_on; /* no other event is between the one before and this one */
        bool has_snapshot;
    } * events;
    int count, max;
    struct range *ranges; /* of their deliveries */
    int range_count, range_cap;
    bool any_added;         /* some event has deliveries that were added */
    int64_t counts[STATES]; /* of their deliveries */
};

/* ---- what may go ---- */

/* A row of the scans: id, received_at, delivery_first, delivery_count, owner_id, snapshot_len. */
enum { COLUMN_ID, COLUMN_RECEIVED, COLUMN_FIRST, COLUMN_COUNT, COLUMN_OWNER, COLUMN_SNAPSHOT };
/* A row of PURGE_ENDED and PURGE_ADDED: id, event_id, state, queue IS NOT NULL, finished_at. */
enum { ENDED_ID, ENDED_EVENT, ENDED_STATE, ENDED_QUEUED, ENDED_AT };

/* A delivery of the event that is looked at. */
static void ended_add(struct slice *slice, struct ended *ended, sqlite3_stmt *row)
{
    bool has_state = sqlite3_column_type(row, ENDED_STATE) == SQLITE_INTEGER;
    int64_t state = has_state ? sqlite3_column_int64(row, ENDED_STATE) : -1;
    int64_t at_ms = sqlite3_column_int64(row, ENDED_AT);
    ended->waits = ended->waits || state == DELIVERY_PENDING || sqlite3_column_int(row, ENDED_QUEUED);
    ended->at_ms = at_ms > ended->at_ms ? at_ms : ended->at_ms;
    if (state >= 0 && state < STATES)
        ended->counts[state]++;
    int64_t first = sqlite3_column_int64(row, ENDED_ID) & -MODEL_DELIVERY_STEP; /* any number, if damaged */
    int64_t end = model_delivery_end(first);
    if (slice->range_count > ended->ranges_from && slice->ranges[slice->range_count - 1].end == first) {
        slice->ranges[slice->range_count - 1].end = end;
        return;
    }
    slice->ranges = memory_room(slice->ranges, slice->range_count, &slice->range_cap, sizeof *slice->ranges);
    slice->ranges[slice->range_count++] = (struct range){first, end};
}

static enum store_status added_of(struct store *store, sqlite3_stmt *event, struct slice *slice,
                                  struct ended *ended)
{
    sqlite3_stmt *row = store->sql[SQL_PURGE_ADDED];
    sqlite3_bind_int64(row, 1, sqlite3_column_int64(event, COLUMN_ID));
    while (sqlite3_step(row) == SQLITE_ROW)
        if (sqlite3_column_int64(row, ENDED_EVENT) == sqlite3_column_int64(event, COLUMN_ID))
            ended_add(slice, ended, row); /* else another's: damaged */
    return sqlite_rows_end(store, row, STORE_OK);
}

/* The deliveries of this event. They are in the order of their events, nearly all of them: so the statement
 * goes on from event to event, and is only asked anew where it does not stand at the first of them. Who is
 * done resets it. */
static enum store_status ended_of(struct store *store, sqlite3_stmt *event, struct slice *slice,
                                  struct ended *ended)
{
    sqlite3_stmt *row = store->sql[SQL_PURGE_ENDED];
    int64_t first = sqlite3_column_int64(event, COLUMN_FIRST);
    *ended = (struct ended){.ranges_from = slice->range_count};
    bool there = sqlite3_stmt_busy(row) && sqlite3_column_int64(row, ENDED_ID) == first;
    if (!there) {
        int rc = sqlite3_reset(row);
        if (rc != SQLITE_OK)
            return sqlite_fault(store, rc);
        sqlite3_bind_int64(row, 1, first);
        there = sqlite3_step(row) == SQLITE_ROW;
    }
    for (int64_t left = sqlite3_column_int64(event, COLUMN_COUNT); there && left > 0; left--) {
        if (sqlite3_column_int64(row, ENDED_EVENT) != sqlite3_column_int64(event, COLUMN_ID))
            break; /* another's: one of the numbers is damaged */
        ended_add(slice, ended, row);
        there = sqlite3_step(row) == SQLITE_ROW;
    }
    return slice->any_added ? added_of(store, event, slice, ended) : STORE_OK;
}

static bool may_go(const struct ended *ended, int64_t before_ms)
{
    return !ended->waits && ended->at_ms < before_ms;
}

/* The event that was looked at stays. */
static void slice_leave(struct slice *slice, const struct ended *ended)
{
    slice->range_count = ended->ranges_from;
}

static void slice_begin(struct slice *slice)
{
    slice->count = slice->range_count = 0;
    memset(slice->counts, 0, sizeof slice->counts);
}

static void slice_add(struct slice *slice, sqlite3_stmt *row, const struct ended *ended, bool run_on)
{
    for (int state = 0; state < STATES; state++)
        slice->counts[state] += ended->counts[state];
    slice->events[slice->count++] =
        (struct purged){.id = sqlite3_column_int64(row, COLUMN_ID),
                        .owner_id = sqlite3_column_int64(row, COLUMN_OWNER),
                        .run_on = run_on && slice->count > 1,
                        .has_snapshot = sqlite3_column_int64(row, COLUMN_SNAPSHOT) > 0};
}

enum store_status sqlite_purge_later(struct store *store, int64_t event_id, int64_t ended_at_ms)
{
    if (event_id > store->counts.purged_to)
        return STORE_OK;
    return sqlite_run_ints(store, SQL_PURGE_LATER, SQLITE_INTS(ended_at_ms, event_id));
}

/* The end of a scan, and of the deliveries beside it. */
static enum store_status scanned(struct store *store, sqlite3_stmt *scan, enum store_status status)
{
    return sqlite_rows_end(store, store->sql[SQL_PURGE_ENDED], sqlite_rows_end(store, scan, status));
}

/* Goes on to the event of this row. Rows come in the order of their ids: a page where they do not is damaged,
 * and would be looked at for ever. */
static enum store_status advance(struct store *store, sqlite3_stmt *scan, int64_t *to)
{
    int64_t id = sqlite3_column_int64(scan, COLUMN_ID);
    if (id <= *to)
        return sqlite_fault(store, SQLITE_CORRUPT);
    *to = id;
    return STORE_OK;
}

/* The next events by id, up to the first that is too young. */
static enum store_status scan(struct store *store, struct store_op *op, struct slice *slice)
{
    sqlite3_stmt *scan = store->sql[SQL_PURGE_SCAN];
    enum store_status status = STORE_OK;
    sqlite_bind_ints(scan, SQLITE_INTS(store->counts.purged_to, slice->max));
    int seen = 0;
    bool run_on = false;
    for (; status == STORE_OK && sqlite3_step(scan) == SQLITE_ROW; seen++) {
        if (sqlite3_column_int64(scan, COLUMN_RECEIVED) >= op->purge.before_ms)
            break;
        struct ended ended = {.ranges_from = slice->range_count};
        status = advance(store, scan, &store->counts.purged_to) ?: ended_of(store, scan, slice, &ended);
        bool goes = status == STORE_OK && may_go(&ended, op->purge.before_ms);
        if (goes)
            slice_add(slice, scan, &ended, run_on);
        else
            slice_leave(slice, &ended);
        if (status == STORE_OK && !goes && !ended.waits)
            status = sqlite_purge_later(store, store->counts.purged_to, ended.at_ms);
        run_on = goes;
    }
    store->changed = store->changed || seen > 0;
    op->purge.more = op->purge.more || seen == slice->max;
    return scanned(store, scan, status);
}

/* Events that the scan passed over and that have ended since. One that waits again comes back by itself. */
static enum store_status scan_late(struct store *store, struct store_op *op, struct slice *slice)
{
    sqlite3_stmt *late = store->sql[SQL_PURGE_LATE], *get = store->sql[SQL_PURGE_GET];
    int64_t *rows = memory_alloc((size_t)slice->max * 2 * sizeof *rows);
    int count = 0, gone = 0; /* a damaged row does not go, and is no reason to look again at once */
    sqlite_bind_ints(late, SQLITE_INTS(op->purge.before_ms, slice->max));
    for (; sqlite3_step(late) == SQLITE_ROW; count++) {
        rows[2 * count] = sqlite3_column_int64(late, 0);
        rows[2 * count + 1] = sqlite3_column_int64(late, 1);
    }
    enum store_status status = sqlite_rows_end(store, late, STORE_OK);
    for (int i = 0; i < count && status == STORE_OK; i++) {
        bool found = false, twice = false;
        sqlite3_bind_int64(get, 1, rows[2 * i + 1]);
        status = sqlite_row(store, SQL_PURGE_GET, &found);
        for (int j = 0; j < slice->count; j++)
            twice = twice || slice->events[j].id == rows[2 * i + 1];
        if (found) {
            struct ended ended;
            status = ended_of(store, get, slice, &ended);
            bool goes = status == STORE_OK && may_go(&ended, op->purge.before_ms);
            if (goes && !twice)
                slice_add(slice, get, &ended, false);
            else
                slice_leave(slice, &ended);
            if (status == STORE_OK && !goes && !ended.waits)
                status = sqlite_purge_later(store, rows[2 * i + 1], ended.at_ms);
            status = scanned(store, get, status);
        }
        sqlite_bind_ints(store->sql[SQL_PURGE_LATE_DONE], 2, &rows[2 * i]);
        status = status ?: sqlite_run(store, SQL_PURGE_LATE_DONE);
        gone += status == STORE_OK && sqlite3_changes(store->db) > 0;
    }
    free(rows);
    store->changed = store->changed || gone > 0;
    op->purge.more = op->purge.more || (count == slice->max && gone > 0);
    return status;
}

/* ---- it goes ---- */

/* Of deliveries with these ids: their attempts, or all. */
static enum store_status purge_attempts(struct store *store, int64_t first, int64_t end)
{
    return sqlite_run_ints(store, SQL_PURGE_ATTEMPTS, SQLITE_INTS(first, end));
}

static enum store_status purge_deliveries(struct store *store, int64_t first, int64_t end)
{
    return purge_attempts(store, first, end)
               ?: sqlite_run_ints(store, SQL_PURGE_DELIVERIES, SQLITE_INTS(first, end));
}

static int by_first(const void *a, const void *b)
{
    int64_t left = ((const struct range *)a)->first, right = ((const struct range *)b)->first;
    return (left > right) - (left < right);
}

/* In ranges as long as they are. */
static enum store_status purge_all_deliveries(struct store *store, struct slice *slice,
                                              enum store_status (*purge)(struct store *, int64_t, int64_t))
{
    enum store_status status = STORE_OK;
    struct range *ranges = slice->ranges;
    if (slice->range_count > 0) /* qsort wants no NULL, not even for nothing */
        qsort(ranges, (size_t)slice->range_count, sizeof *ranges, by_first);
    for (int i = 0, next; i < slice->range_count && status == STORE_OK; i = next) {
        int64_t end = ranges[i].end;
        for (next = i + 1; next < slice->range_count && ranges[next].first == end; next++)
            end = ranges[next].end;
        status = purge(store, ranges[i].first, end);
    }
    return status;
}

/* Events next to each other, and what hangs on them alone. */
static enum store_status purge_run(struct store *store, const struct store_op *op, const struct slice *slice,
                                   const struct purged *first, const struct purged *last, bool has_snapshot)
{
    enum store_status status = STORE_OK;
    if (has_snapshot)
        status = sqlite_resource_keep(store, first->id, last->id, op->purge.resources_before_ms);
    if (slice->any_added)
        status = status ?: sqlite_run_ints(store, SQL_PURGE_ADDED_DONE, SQLITE_INTS(first->id, last->id));
    return status ?: sqlite_run_ints(store, SQL_PURGE_EVENTS, SQLITE_INTS(first->id, last->id));
}

static enum store_status purge_slice(struct store *store, struct store_op *op, struct slice *slice)
{
    enum store_status status = STORE_OK;
    struct purged *events = slice->events;
    for (int i = 0; i < slice->count && status == STORE_OK; i++)
        if (events[i].id > store->counts.followed_to)
            status = sqlite_write_late_rows(store); /* what goes has its rows, then */
    for (int i = 0, next; i < slice->count && status == STORE_OK; i = next) {
        bool has_snapshot = events[i].has_snapshot;
        for (next = i + 1; next < slice->count && events[next].run_on; next++)
            has_snapshot = has_snapshot || events[next].has_snapshot;
        status = purge_run(store, op, slice, &events[i], &events[next - 1], has_snapshot);
    }
    for (int i = 0; i < slice->count && status == STORE_OK; i++)
        status = sqlite_sweep_dead(store, events[i].owner_id, events[i].id);
    status = status ?: purge_all_deliveries(store, slice, purge_deliveries);
    for (int state = 0; state < DELIVERY_STATES; state++)
        store->counts.states[state] -= slice->counts[state];
    store->counts.events -= slice->count;
    op->count += slice->count;
    return status;
}

/* ---- what goes before its event ---- */

/* attempts_to goes on behind the events that have been looked at. Attempts of what had not ended by then stay
 * as long as their event. */
static enum store_status purge_attempts_alone(struct store *store, struct store_op *op, struct slice *slice)
{
    int64_t before_ms = op->purge.attempts_before_ms, *to = &store->counts.attempts_to;
    sqlite3_stmt *scan = store->sql[SQL_PURGE_SCAN];
    if (*to < store->counts.purged_to)
        *to = store->counts.purged_to;
    enum store_status status = STORE_OK;
    int seen = 0;
    slice_begin(slice);
    sqlite_bind_ints(scan, SQLITE_INTS(*to, slice->max));
    for (; status == STORE_OK && sqlite3_step(scan) == SQLITE_ROW; seen++) {
        struct ended ended = {.ranges_from = slice->range_count};
        if (sqlite3_column_int64(scan, COLUMN_RECEIVED) >= before_ms)
            break;
        status = advance(store, scan, to) ?: ended_of(store, scan, slice, &ended);
        if (status == STORE_OK && may_go(&ended, before_ms))
            slice_add(slice, scan, &ended, false);
        else
            slice_leave(slice, &ended);
    }
    status = scanned(store, scan, status);
    if (status != STORE_OK)
        return status;
    store->changed = store->changed || seen > 0;
    op->purge.more = op->purge.more || seen == slice->max;
    return purge_all_deliveries(store, slice, purge_attempts);
}

static enum store_status save(struct store *store)
{
    return sqlite_run_ints(store, SQL_PURGE_SAVE,
                           SQLITE_INTS(store->counts.purged_to, store->counts.attempts_to));
}

enum store_status sqlite_purge_load(struct store *store)
{
    sqlite3_stmt *load = store->sql[SQL_PURGE_LOAD];
    bool found = false;
    enum store_status status = sqlite_row(store, SQL_PURGE_LOAD, &found);
    if (status != STORE_OK || !found)
        return status;
    store->counts.purged_to = sqlite3_column_int64(load, 0);
    store->counts.attempts_to = sqlite3_column_int64(load, 1);
    sqlite3_reset(load);
    return STORE_OK;
}

enum store_status sqlite_purge(struct store *store, struct store_op *op)
{
    struct slice slice = {.max = op->purge.rows_max < PURGE_ROWS_MAX ? op->purge.rows_max : PURGE_ROWS_MAX};
    op->purge.more = false;
    if (slice.max <= 0)
        return STORE_OK;
    slice.events = memory_zero((size_t)slice.max, sizeof *slice.events);
    int64_t one;
    enum store_status status = sqlite_number(store, SQL_PURGE_ANY_ADDED, &one, &slice.any_added)
                                   ?: scan_late(store, op, &slice) ?: purge_slice(store, op, &slice);
    slice_begin(&slice);
    status = status ?: scan(store, op, &slice) ?: purge_slice(store, op, &slice);
    if (op->purge.attempts_before_ms > op->purge.before_ms)
        status = status ?: purge_attempts_alone(store, op, &slice);
    status = status ?: sqlite_sweep(store, op) ?: sqlite_idempotency_forget(store, op) ?: sqlite_requests_forget(store, &op->purge.more);
    if (status == STORE_OK && store->changed)
        status = save(store);
    free(slice.events);
    free(slice.ranges);
    return status;
}
