/*
 * OUTCOME: the end of an attempt, fenced by its lease. RESEND and CANCEL: a person's word about a delivery.
 */
#include "sqlite_parts.h"

/* The largest lease that attempts.id can hold. */
enum { ATTEMPT_LEASE_MAX = 0xffffff };

/* A delivery as an op finds it. */
struct found {
    int64_t event_id;
    struct roster_entry *endpoint;
    struct lease *out; /* NULL: this process has no lease of it */
    int64_t finished_at_ms;
    struct ledger_row row;
};

static enum store_status find(struct store *store, int64_t delivery_id, struct found *found, bool *exists)
{
    enum store_status status = sqlite_tail_leave(store, delivery_id);
    if (status != STORE_OK)
        return status;
    sqlite3_stmt *get = store->sql[SQL_DELIVERY_GET];
    sqlite3_bind_int64(get, 1, delivery_id);
    status = sqlite_row(store, SQL_DELIVERY_GET, exists);
    if (status != STORE_OK || !*exists)
        return status;
    enum delivery_state state = (enum delivery_state)sqlite3_column_int(get, 2);
    bool queued = sqlite3_column_int(get, 7);
    *found = (struct found){
        .event_id = sqlite3_column_int64(get, 0),
        .endpoint = roster_get(&store->roster, sqlite3_column_int64(get, 1)),
        .out = leases_get(&store->leases, delivery_id),
        .finished_at_ms = sqlite3_column_int64(get, 11),
        .row = {.state = state,
                .under_way = state == DELIVERY_PENDING || (state == DELIVERY_DELIVERED && queued),
                .lease = sqlite3_column_int64(get, 3),
                .attempt = sqlite3_column_int(get, 4),
                .aged_from_ms = sqlite3_column_int64(get, 5),
                .lost = sqlite3_column_int(get, 6),
                .earlier = sqlite3_column_int(get, 8),
                .due_at_ms = sqlite3_column_int64(get, 9),
                .resumes_at_ms = sqlite3_column_int64(get, 10)}};
    if (found->out) /* the row does not know it of one that waited in memory first */
        found->row.due_at_ms = found->out->ends_at_ms;
    ledger_bound(&found->row);
    *exists = found->endpoint != NULL; /* of a damaged row: there is nobody to send it to */
    sqlite3_reset(get);
    return STORE_OK;
}

/* By the lease in memory, so that nothing is read; if there is none, by the row. */
static enum store_status find_leased(struct store *store, const struct store_op *op, struct found *found,
                                     bool *exists)
{
    struct lease *out = leases_get(&store->leases, op->outcome.delivery_id);
    if (!out)
        return find(store, op->outcome.delivery_id, found, exists);
    *exists = true;
    *found =
        (struct found){.event_id = out->event_id, .endpoint = out->endpoint, .out = out, .row = out->row};
    return STORE_OK;
}

/* The one before was the last one until now. */
static enum store_status attempt_trim(struct store *store, const struct store_op *op)
{
    return sqlite_run_ints(store, SQL_ATTEMPT_TRIM,
                           SQLITE_INTS(op->outcome.delivery_id, op->outcome.lease, MODEL_RESPONSE_KEPT_LEN));
}

/* A stretch of our own outage is one line: none if the delivery's last one says the same. */
static enum store_status outage_is_news(struct store *store, const struct store_op *op, bool *news)
{
    sqlite3_stmt *last = store->sql[SQL_ATTEMPT_LAST];
    bool found = false;
    sqlite_bind_ints(last, SQLITE_INTS(op->outcome.delivery_id, op->outcome.lease));
    enum store_status status = sqlite_row(store, SQL_ATTEMPT_LAST, &found);
    *news = !found || !bytes_equal_text(sqlite_text(last, 0), failure_name(op->outcome.decision.reason));
    if (found)
        sqlite3_reset(last);
    return status;
}

/* NULL: there was no failure. */
static void bind_reason(sqlite3_stmt *statement, int at, enum failure failure)
{
    if (failure == FAILURE_NONE)
        sqlite3_bind_null(statement, at);
    else
        sqlite3_bind_text(statement, at, failure_name(failure), -1, SQLITE_STATIC);
}

static enum store_status attempt_insert(struct store *store, const struct store_op *op,
                                        const struct attempt *attempt, int32_t earlier)
{
    sqlite3_stmt *insert = store->sql[SQL_ATTEMPT_INSERT];
    int64_t id = op->outcome.delivery_id / MODEL_DELIVERY_STEP * MODEL_DELIVERY_STEP | op->outcome.lease;
    sqlite_bind_ints(insert, SQLITE_INTS(id, attempt->attempt + earlier, attempt->duration_ms,
                                         attempt->status, sqlite_attempt_flags(attempt)));
    sqlite_bind_time(insert, 6, attempt->started_at_ms);
    bind_reason(insert, 7, attempt->failure);
    sqlite_bind_text(insert, 8, attempt->address);
    sqlite_bind_text(insert, 9, attempt->detail);
    sqlite_bind_blob(insert, 10, attempt->response);
    return sqlite_run(store, SQL_ATTEMPT_INSERT);
}

static void bind_row(const struct store *store, sqlite3_stmt *update, int64_t id, const struct found *found)
{
    const struct ledger_row *row = &found->row;
    sqlite_bind_ints(update, SQLITE_INTS(id, found->endpoint->id, row->due_at_ms, row->state, row->attempt,
                                         row->lost, row->aged_from_ms, row->earlier));
    for (int at = 2; !row->under_way && at <= 3; at++)
        sqlite3_bind_null(update, at);
    if (!row->under_way || row->attempt == 0)
        sqlite3_bind_null(update, 7);
    bool in_line = row->under_way && row->state == DELIVERY_PENDING && roster_is_ordered(found->endpoint);
    if (in_line)
        sqlite3_bind_int64(update, 3, ledger_missed_due_at(id));
    sqlite_bind_time(update, 13, in_line && row->due_at_ms > store->now.due_ms ? row->due_at_ms : 0);
    sqlite_bind_time(update, 14, row->resumes_at_ms);
    sqlite_bind_time(update, 9, row->state == DELIVERY_PENDING ? 0 : store->now.wall_ms);
}

static enum store_status save(struct store *store, int64_t id, const struct found *found)
{
    store->changed = true;
    bind_row(store, store->sql[SQL_DELIVERY_SAVE], id, found);
    return sqlite_run(store, SQL_DELIVERY_SAVE);
}

/* Most deliveries end so, and none of what changes is in an index. */
static enum store_status record_first(struct store *store, const struct store_op *op)
{
    sqlite3_stmt *update = store->sql[SQL_DELIVERY_DELIVERED];
    sqlite_bind_ints(update,
                     SQLITE_INTS(op->outcome.delivery_id, store->now.wall_ms, op->outcome.attempt.status));
    sqlite_bind_time(update, 4, op->outcome.attempt.started_at_ms);
    return sqlite_run(store, SQL_DELIVERY_DELIVERED);
}

/* The row after the decision. */
static enum store_status record(struct store *store, const struct store_op *op, const struct found *found)
{
    sqlite3_stmt *update = store->sql[SQL_DELIVERY_RECORD];
    bind_row(store, update, op->outcome.delivery_id, found);
    sqlite_bind_time(update, 10, op->outcome.attempt.started_at_ms);
    sqlite3_bind_int(update, 11, op->outcome.attempt.status);
    bind_reason(update, 12, op->outcome.decision.reason);
    return sqlite_run(store, SQL_DELIVERY_RECORD);
}

/* The endpoint answers again: what failed because of it is due, before all that came later. */
static enum store_status missed_again(struct store *store, struct roster_entry *endpoint, bool recovered)
{
    enum store_status status = STORE_OK;
    bool any = false;
    for (int64_t id; status == STORE_OK && (id = roster_again(&store->roster, endpoint, recovered));) {
        any = true;
        status = sqlite_run_ints(
            store, SQL_DELIVERY_AGAIN,
            SQLITE_INTS(id, endpoint->id, ledger_missed_due_at(id), roster_is_ordered(endpoint)));
    }
    return status == STORE_OK && any ? sqlite_roster_due(store, endpoint) : status;
}

void sqlite_count(struct store *store, struct roster_entry *endpoint, const struct ledger_row *before,
                  const struct ledger_row *after)
{
    int more = after->under_way;
    store->counts.states[after->state]++;
    if (before) {
        more -= before->under_way;
        store->counts.states[before->state]--;
    }
    if (more)
        roster_pending(&store->roster, endpoint, more);
    sqlite_hours_note(store, endpoint, hour_change(before, after), HOUR_NO_ANSWER);
}

/* The same for what is in memory, and the endpoint's pace. */
static enum store_status account(struct store *store, struct store_op *op, const struct found *found,
                                 const struct ledger_row *before)
{
    struct roster_entry *endpoint = found->endpoint;
    int64_t began_ms = found->out ? found->out->begun_at_ms : store->now.due_ms;
    enum store_status status = STORE_OK;
    int bucket;
    enum hour_kind kind = hour_outcome(&op->outcome, &bucket);
    sqlite_hours_note(store, endpoint, kind, bucket);
    if (found->out)
        sqlite_unlease(store, found->out);
    sqlite_count(store, endpoint, before, &found->row);
    if (!found->out) /* it waited: it may have been the first */
        status = sqlite_roster_due(store, endpoint);
    else if (found->row.under_way)
        status = sqlite_waits(store, endpoint, found->row.due_at_ms);
    struct ledger_pace made = roster_ended(&store->roster, endpoint, &op->outcome, &found->row, began_ms);
    if (made.answered)
        status = status ?: missed_again(store, endpoint, made.recovered);
    if (made.first_answer)
        status = status ?: sqlite_run_ints(store, SQL_ENDPOINT_ANSWERED, SQLITE_INTS(endpoint->id));
    struct notice_causes causes = {.failed_before = endpoint->work->counts.fails,
                                   .given_up = found->row.state == DELIVERY_GIVEN_UP};
    status = status ?: sqlite_endpoint_ended(store, endpoint, &op->outcome, &op->count);
    causes.disabled = op->count != ENDPOINT_ENABLED;
    return status ?: sqlite_notices_of(store, endpoint, &op->outcome, causes);
}

/* A line of a lease that is over. (An outcome that is repeated has its line.) */
static enum store_status line_if_missing(struct store *store, const struct store_op *op,
                                         const struct found *found)
{
    struct attempt attempt = op->outcome.attempt;
    bool there = false;
    int64_t one;
    sqlite_bind_ints(store->sql[SQL_ATTEMPT_GET], SQLITE_INTS(op->outcome.delivery_id, op->outcome.lease));
    enum store_status status = sqlite_number(store, SQL_ATTEMPT_GET, &one, &there);
    if (status != STORE_OK || there)
        return status;
    store->changed = true;
    attempt.counted = false;
    if (attempt.response.len > MODEL_RESPONSE_KEPT_LEN)
        attempt.response.len = MODEL_RESPONSE_KEPT_LEN;
    return attempt_trim(store, op) ?: attempt_insert(store, op, &attempt, found->row.earlier);
}

static enum store_status write_line(struct store *store, const struct store_op *op, const struct found *found,
                                    int32_t earlier, enum ledger_line line)
{
    enum store_status status = STORE_OK;
    /* A delivery that was leased 16 million times (years of our own outages) keeps its state, but no more
     * records: their ids would be those of the next one. */
    bool kept = line != LEDGER_NO_LINE && op->outcome.lease <= ATTEMPT_LEASE_MAX;
    if (kept && line == LEDGER_LINE_IF_MISSING)
        return line_if_missing(store, op, found);
    if (kept && line == LEDGER_LINE_IF_NEWS)
        status = outage_is_news(store, op, &kept);
    if (status == STORE_OK && kept && op->outcome.lease > 1)
        status = attempt_trim(store, op);
    if (status == STORE_OK && kept)
        status = attempt_insert(store, op, &op->outcome.attempt, earlier);
    return status;
}

/* It has ended. What was delivered before ended then, however its resend did: the event may be overdue. */
static enum store_status purge_after(struct store *store, const struct found *found,
                                     const struct ledger_row *before)
{
    int64_t ended_at_ms = before->state == DELIVERY_DELIVERED ? 0 : store->now.wall_ms;
    return sqlite_purge_later(store, found->event_id, ended_at_ms);
}

enum store_status sqlite_outcome(struct store *store, struct store_op *op)
{
    struct found found;
    bool exists = false;
    enum store_status status = find_leased(store, op, &found, &exists);
    op->result = STORE_NOT_FOUND;
    if (status != STORE_OK || !exists)
        return status;
    struct ledger_row before = found.row;
    struct ledger_record made = ledger_record(&found.row, &op->outcome, &store->now);
    op->result = made.fenced ? STORE_FENCED : STORE_DONE;
    if (made.fenced)
        return write_line(store, op, &found, before.earlier, made.line);
    op->id = op->outcome.delivery_id;
    store->changed = true;
    bool at_once = found.out && found.out->born && op->outcome.decision.kind == DECISION_DELIVERED;
    store->plain = store->plain && at_once;
    status = at_once ? record_first(store, op) : record(store, op, &found);
    status = status ?: write_line(store, op, &found, before.earlier, made.line);
    if (!found.row.under_way)
        status = status ?: purge_after(store, &found, &before);
    return status ?: account(store, op, &found, &before);
}

/* NOT_FOUND when it is somebody else's: ids tell nothing about others. FENCED when it is not as it was read.
 */
static enum store_status find_for(struct store *store, struct store_op *op, struct found *found, bool *yes)
{
    enum store_status status = find(store, op->delivery.delivery_id, found, yes);
    if (status != STORE_OK)
        return status;
    if (*yes && op->delivery.user_id && found->endpoint->owner->id != op->delivery.user_id)
        *yes = false;
    const struct delivery *seen = op->delivery.if_as;
    if (!*yes)
        op->result = STORE_NOT_FOUND;
    else if (seen && !ledger_is_as(&found->row, found->finished_at_ms, seen, store->now.due_ms))
        op->result = STORE_FENCED;
    *yes = *yes && op->result != STORE_FENCED;
    return STORE_OK;
}

enum store_status sqlite_resend(struct store *store, struct store_op *op)
{
    struct found found;
    bool exists = false;
    enum store_status status = find_for(store, op, &found, &exists);
    if (status != STORE_OK || !exists)
        return status;
    struct ledger_row before = found.row;
    enum ledger_resent resent =
        ledger_resend(&found.row, found.endpoint->url != NULL, found.endpoint->removed, store->now.due_ms);
    if (resent == LEDGER_REFUSED)
        return sqlite_result(op, STORE_CONFLICT);
    op->id = op->delivery.delivery_id;
    if (resent == LEDGER_IS_OUT)
        return STORE_OK;
    sqlite_count(store, found.endpoint, &before, &found.row);
    roster_pace(&store->roster, found.endpoint, pace_hurry);
    return save(store, op->id, &found) ?: sqlite_waits(store, found.endpoint, store->now.due_ms);
}

enum store_status sqlite_again(struct store *store, const struct job *job, int64_t delivery_id, bool *taken)
{
    struct found found;
    enum store_status status = find(store, delivery_id, &found, taken);
    if (status != STORE_OK || !*taken)
        return status;
    struct ledger_row before = found.row;
    *taken = found.endpoint->id == job->endpoint_id &&
             job_takes_delivery(job, found.row.state, found.row.under_way) &&
             ledger_resend(&found.row, found.endpoint->url != NULL, found.endpoint->removed,
                           store->now.due_ms) == LEDGER_SENT_AGAIN;
    if (!*taken)
        return STORE_OK;
    sqlite_count(store, found.endpoint, &before, &found.row);
    return save(store, delivery_id, &found) ?: sqlite_waits(store, found.endpoint, store->now.due_ms);
}

enum store_status sqlite_cancel(struct store *store, struct store_op *op)
{
    struct found found;
    bool exists = false;
    enum store_status status = find_for(store, op, &found, &exists);
    if (status != STORE_OK || !exists)
        return status;
    struct ledger_row before = found.row;
    if (!ledger_cancel(&found.row))
        return sqlite_result(op, STORE_CONFLICT);
    op->id = op->delivery.delivery_id;
    sqlite_count(store, found.endpoint, &before, &found.row);
    status = save(store, op->id, &found) ?: purge_after(store, &found, &before);
    if (!found.out)
        return status ?: sqlite_roster_due(store, found.endpoint);
    if (status == STORE_OK)
        sqlite_unlease(store, found.out);
    return status;
}

enum store_status sqlite_damaged(struct store *store, struct roster_entry *endpoint, int64_t id,
                                 int64_t event_id, struct ledger_row row)
{
    ledger_bound(&row);
    struct ledger_row before = row;
    ledger_give_up(&row);
    enum store_status status = sqlite_run_ints(store, SQL_DELIVERY_DAMAGED,
                                               SQLITE_INTS(id, store->now.wall_ms, endpoint->id, row.state));
    if (status != STORE_OK || sqlite3_changes(store->db) == 0)
        return status; /* it does not wait: the index says so alone */
    log_write(store->config.log, LOG_LEVEL_ERROR, "store",
              "an event is damaged and cannot be sent: its delivery is given up delivery=%lld",
              (long long)id);
    store->changed = true;
    store->plain = false;
    sqlite_count(store, endpoint, &before, &row);
    return event_id > 0 ? sqlite_purge_later(store, event_id, store->now.wall_ms) : STORE_OK;
}
