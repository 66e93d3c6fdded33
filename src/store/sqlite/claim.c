/*
 * Claims: deliveries that are due leave for a box, endpoint by endpoint in turns. Costs
 * O(endpoints with due work + rows claimed): roster.h says whose turn it is, the index says which rows.
 */
#include "body.h"
#include "sqlite_parts.h"

/* A transaction: new events wait for it, and what is claimed is sent in one turn of the engine. */
enum { CLAIMS_MAX = 256, REST_MS = 1000, DOCUMENT_LEN_MAX = 2 * MODEL_BODY_LEN_MAX };

enum store_status sqlite_expire(struct store *store)
{
    enum store_status status = STORE_OK;
    struct lease *next, *lease = leases_first(&store->leases);
    for (; lease && lease->ends_at_ms <= store->now.due_ms && status == STORE_OK; lease = next) {
        next = TAILQ_NEXT(lease, order);
        struct roster_entry *endpoint = lease->endpoint;
        bool in_line = roster_is_ordered(endpoint) && lease->row.state == DELIVERY_PENDING;
        int64_t due_at_ms = in_line ? ledger_missed_due_at(lease->delivery_id) : lease->ends_at_ms;
        status = sqlite_run_ints(store, SQL_DELIVERY_UNCLAIM, SQLITE_INTS(lease->delivery_id, due_at_ms))
                     ?: sqlite_waits(store, endpoint, due_at_ms);
        sqlite_unlease(store, lease);
        store->changed = true;
        store->plain = false;
    }
    return status;
}

/* The document of a row of DUE_GET, stamped. The one that another endpoint has in hand, if there is one.
 * NULL: there is no memory for it now. */
static struct payload *claim_payload(struct store *store, struct roster_entry *endpoint, int64_t event_id,
                                     int64_t sent_at_ms)
{
    sqlite3_stmt *row = store->sql[SQL_DUE_GET];
    bool shared = sqlite3_column_int(row, 9) > 1;
    size_t len = (size_t)sqlite3_column_bytes(row, 8);
    struct payload *payload = shared ? leases_payload(&store->leases, event_id) : NULL;
    if (payload && payload->len == len)
        return payload_hold(payload);
    if (!payload_fits(store->config.budget, endpoint->work->counts.bytes, len))
        return NULL;
    payload = payload_make(store->config.budget, len);
    if (!payload)
        return NULL;
    if (len > 0)
        memcpy(payload->data, sqlite3_column_blob(row, 8), len);
    body_stamp(payload->data, len, (uint32_t)sqlite3_column_int64(row, 7), sent_at_ms);
    return payload;
}

/* From a row of DUE_GET into a box, with a new lease; the row itself is changed when the reading is done.
 * False: there is no memory for it now. */
static bool claim_row(struct store *store, struct roster_entry *endpoint, struct store_work *box)
{
    sqlite3_stmt *row = store->sql[SQL_DUE_GET];
    int64_t sent_at_ms = sqlite3_column_int64(row, 6);
    struct payload *payload = claim_payload(store, endpoint, sqlite3_column_int64(row, 5),
                                            sent_at_ms ? sent_at_ms : store->now.wall_ms);
    if (!payload)
        return false;
    struct ledger_row delivery = {.lease = sqlite3_column_int64(row, 1),
                                  .lost = sqlite3_column_int(row, 2),
                                  .attempt = sqlite3_column_int(row, 3),
                                  .aged_from_ms = sqlite3_column_int64(row, 4),
                                  .state = (enum delivery_state)sqlite3_column_int(row, 10),
                                  .earlier = sqlite3_column_int(row, 11),
                                  .resumes_at_ms = sqlite3_column_int64(row, 15),
                                  .under_way = true};
    ledger_bound(&delivery);
    ledger_lease(&delivery, store->now.due_ms, store->config.lease_ms);
    struct lease *lease = leases_begin(&store->leases, sqlite3_column_int64(row, 0), store->now.due_ms,
                                       delivery.due_at_ms, false, &roster_work(endpoint)->out);
    lease->endpoint = endpoint;
    lease->row = delivery;
    lease->event_id = sqlite3_column_int64(row, 5);
    lease->len = payload->len;
    if (sqlite3_column_int(row, 9) > 1)
        leases_share(&store->leases, lease, payload);
    roster_bytes(&store->roster, endpoint, lease->len, 0);
    sqlite_fill(store, box, endpoint, lease, payload);
    payload_drop(payload);
    box->sent_at_ms = sent_at_ms; /* 0: to be written */
    return true;
}

/* The damaged rows that a batch has found. The next batch finds the others. */
struct damaged {
    int64_t ids[CLAIMS_MAX], events[CLAIMS_MAX];
    enum delivery_state states[CLAIMS_MAX];
    int count;
    struct roster_past last;
};

static void damaged_add(struct damaged *damaged, sqlite3_stmt *due)
{
    if (damaged->count == CLAIMS_MAX)
        return;
    damaged->states[damaged->count] = (enum delivery_state)sqlite3_column_int(due, 10);
    damaged->events[damaged->count] = sqlite3_column_int64(due, 5);
    damaged->ids[damaged->count++] = sqlite3_column_int64(due, 0);
    damaged->last = (struct roster_past){sqlite3_column_int64(due, 13), sqlite3_column_int64(due, 0)};
}

/* No further than what waits in memory, which goes first then. `beside`: what is not in the line. */
static void due_bind(const struct store *store, const struct roster_entry *endpoint, bool beside)
{
    const struct lease *tail = TAILQ_FIRST(&endpoint->work->tail.list);
    struct roster_past past = beside ? (struct roster_past){-1, INT64_MAX} : endpoint->work->counts.past;
    sqlite_bind_ints(store->sql[SQL_DUE_GET],
                     SQLITE_INTS(endpoint->id, tail ? tail->begun_at_ms : store->now.due_ms, CLAIMS_MAX,
                                 past.delivery_id ? past.due_at_ms : INT64_MIN, past.delivery_id));
}

/* Entries of the index whose rows are not there stay in it. So those behind them are read the next time; once
 * there are no more, all again, since what was put off may be due before them. */
static void due_goes_on(struct store *store, struct roster_entry *endpoint, const struct damaged *damaged)
{
    struct roster_past past = damaged->count == CLAIMS_MAX ? damaged->last : (struct roster_past){0};
    if (past.delivery_id != endpoint->work->counts.past.delivery_id)
        roster_past(&store->roster, endpoint, past);
}

/* The index says that it waits, and so does the row; or what has been sent would be sent again. */
static bool row_waits(const struct roster_entry *endpoint, sqlite3_stmt *due)
{
    int64_t state = sqlite3_column_int64(due, 10);
    return sqlite3_column_type(due, 12) == SQLITE_INTEGER && sqlite3_column_int64(due, 12) == endpoint->id &&
           sqlite3_column_type(due, 10) == SQLITE_INTEGER &&
           (state == DELIVERY_PENDING || state == DELIVERY_DELIVERED);
}

/* A row of DUE_GET: from the disk, so it may be anything. What is sent needs its event and the stamp in it.
 */
static bool row_is_sound(const struct roster_entry *endpoint, sqlite3_stmt *due)
{
    if (!row_waits(endpoint, due))
        return false;
    bool has_event = sqlite3_column_type(due, 5) == SQLITE_INTEGER && sqlite3_column_int64(due, 5) > 0;
    struct bytes document = sqlite_text(due, 8);
    return has_event && sqlite3_column_int64(due, 0) > 0 && document.len <= DOCUMENT_LEN_MAX &&
           body_has_stamp(document, sqlite3_column_int64(due, 7));
}

static enum store_status claim_write(struct store *store, struct store_work *box)
{
    return sqlite_run_ints(
        store, SQL_DELIVERY_CLAIM,
        SQLITE_INTS(box->delivery_id, store->now.due_ms + store->config.lease_ms, box->lease, box->lost + 1));
}

/* The row waits, so a lease that memory has of it is over: the table is right, and memory is a view of it.
 * The new lease fences the old one. False: the lease began in this very batch. */
static bool drop_old_lease(struct store *store, int64_t delivery_id)
{
    struct lease *lease = leases_get(&store->leases, delivery_id);
    if (lease && (lease->begun || lease->taken))
        return false;
    if (lease)
        sqlite_unlease(store, lease);
    return sqlite_tail_forget(store, delivery_id);
}

/* Up to `max` deliveries of one endpoint. Of damaged rows, it takes out as many as it finds before. `*held`:
 * the next one is to wait. */
static enum store_status claim_some(struct store *store, struct store_batch *batch,
                                    struct roster_entry *endpoint, int max, bool beside, bool *held)
{
    if (endpoint->work->wants &&
        !payload_fits(store->config.budget, endpoint->work->counts.bytes, endpoint->work->wants)) {
        roster_wants_memory(&store->roster, endpoint, endpoint->work->wants);
        return STORE_OK;
    }
    roster_work(endpoint)->wants = 0;
    bool room = true;
    struct damaged damaged = {.count = 0};
    sqlite3_stmt *due = store->sql[SQL_DUE_GET];
    due_bind(store, endpoint, beside);
    int first = batch->filled_count;
    enum store_status status = STORE_OK;
    while (room && status == STORE_OK && batch->filled_count - first < max &&
           sqlite3_step(due) == SQLITE_ROW) {
        if (!row_is_sound(endpoint, due)) {
            damaged_add(&damaged, due);
            continue;
        }
        *held = sqlite3_column_int64(due, 14) > store->now.due_ms;
        if (*held)
            break; /* the first of the line waits, and all others behind it */
        if (!drop_old_lease(store, sqlite3_column_int64(due, 0)))
            continue;
        struct store_work *box = batch->boxes[batch->filled_count];
        room = claim_row(store, endpoint, box);
        batch->filled_count += room;
        if (room)
            status = sqlite_sent(store, box);
    }
    size_t wants = room ? 0 : (size_t)sqlite3_column_bytes(due, 8);
    status = sqlite_rows_end(store, due, status);
    if (status != STORE_OK)
        return status;
    for (int i = 0; i < damaged.count && status == STORE_OK; i++)
        status = sqlite_damaged(store, endpoint, damaged.ids[i], damaged.events[i],
                                (struct ledger_row){.state = damaged.states[i], .under_way = true});
    for (int i = first; i < batch->filled_count && status == STORE_OK; i++) {
        status = claim_write(store, batch->boxes[i]);
        roster_leased(&store->roster, endpoint);
        store->changed = true;
        store->plain = false;
    }
    if (room && batch->filled_count == first)
        due_goes_on(store, endpoint, &damaged);
    status = status ?: sqlite_roster_due(store, endpoint);
    if (wants)
        roster_wants_memory(&store->roster, endpoint, wants);
    return status;
}

/* One turn of an endpoint. It fills a box; or what waits first is later than before; or it waits for memory;
 * or the endpoint rests. So the turns end, whatever the rows and their index say. */
static enum store_status claim_turn(struct store *store, struct store_batch *batch,
                                    struct roster_entry *endpoint, int max)
{
    if (roster_tail_first(endpoint))
        return sqlite_tail_claim(store, batch, endpoint, max);
    int filled = batch->filled_count;
    int64_t due_at_ms = endpoint->work->counts.due_at_ms;
    bool ordered = roster_is_ordered(endpoint), moved = false, held = false;
    enum store_status status = ordered ? sqlite_line_move(store, endpoint, &moved) : STORE_OK;
    if (status != STORE_OK || moved)
        return status;
    if (ordered)
        status = claim_some(store, batch, endpoint, max, true, &held);
    if (status == STORE_OK && batch->filled_count == filled)
        status = claim_some(store, batch, endpoint, max, false, &held);
    if (status == STORE_OK && held && !ordered) /* it is still where it was in the line */
        status = sqlite_line_move(store, endpoint, &moved);
    bool stands = batch->filled_count == filled && endpoint->work->wants == 0 && !moved &&
                  endpoint->work->counts.due_at_ms <= due_at_ms;
    if (status != STORE_OK || !stands)
        return status;
    log_write(store->config.log, LOG_LEVEL_ERROR, "store",
              "deliveries are said to be due, and cannot be had: run `posthorn check`: user=%lld "
              "endpoint=%lld",
              (long long)endpoint->owner->id, (long long)endpoint->id);
    roster_rests(&store->roster, endpoint, REST_MS);
    return STORE_OK;
}

enum store_status sqlite_claim(struct store *store, struct store_batch *batch)
{
    int left = batch->box_count - batch->filled_count;
    int end = batch->filled_count + (left < CLAIMS_MAX ? left : CLAIMS_MAX);
    int each = roster_each(&store->roster, end - batch->filled_count);
    enum store_status status = STORE_OK;
    while (status == STORE_OK && batch->filled_count < end) {
        struct roster_entry *endpoint = roster_turn(&store->roster);
        if (!endpoint)
            break;
        int max = roster_leases_free(&store->roster, endpoint);
        max = max < each ? max : each;
        max = max < end - batch->filled_count ? max : end - batch->filled_count;
        status = claim_turn(store, batch, endpoint, max);
    }
    return status;
}
