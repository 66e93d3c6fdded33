/*
 * OUTCOME: the end of an attempt, fenced by its lease. RESEND and CANCEL: a person's word about a delivery.
 */
#include "sqlite_parts.h"

/* What attempts.id has room for. */
enum { ATTEMPT_LEASE_MAX = 0xffffff };

/* A delivery as an op finds it. */
struct found {
    int64_t event_id, lease, aged_from_ms;
    struct roster_entry *endpoint;
    struct lease *out; /* NULL: waits or has ended */
    enum delivery_state state;
    int32_t attempt, earlier;
    bool queued;  /* it waits or is claimed */
    int32_t lost; /* 0: its last lease is recorded */
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
    *found = (struct found){.event_id = sqlite3_column_int64(get, 0),
                            .endpoint = roster_get(&store->roster, sqlite3_column_int64(get, 1)),
                            .out = leases_get(&store->leases, delivery_id),
                            .state = (enum delivery_state)sqlite3_column_int(get, 2),
                            .lease = sqlite3_column_int64(get, 3),
                            .attempt = sqlite3_column_int(get, 4),
                            .aged_from_ms = sqlite3_column_int64(get, 5),
                            .lost = sqlite3_column_int(get, 6),
                            .queued = sqlite3_column_int(get, 7),
                            .earlier = sqlite3_column_int(get, 8)};
    *exists = found->endpoint != NULL; /* of a damaged row: there is nobody to send it to */
    sqlite3_reset(get);
    return STORE_OK;
}

/* Waits or is out: a delivery that is pending, or a resend beside one that stays delivered. */
static bool under_way(const struct found *found)
{
    return found->state == DELIVERY_PENDING || (found->state == DELIVERY_DELIVERED && found->queued);
}

/* By the lease in memory; if that ran out, by the row, for nobody may have claimed it since. */
static enum store_status find_leased(struct store *store, struct store_op *op, struct found *found,
                                     bool *holds)
{
    struct lease *out = leases_get(&store->leases, op->outcome.delivery_id);
    op->result = STORE_FENCED;
    if (out) {
        *holds = out->lease == op->outcome.lease;
        *found = (struct found){.event_id = out->event_id,
                                .endpoint = out->endpoint,
                                .out = out,
                                .state = out->beside ? DELIVERY_DELIVERED : DELIVERY_PENDING,
                                .queued = true,
                                .earlier = out->earlier,
                                .lease = out->lease,
                                .attempt = out->attempt,
                                .aged_from_ms = out->aged_from_ms};
        return STORE_OK;
    }
    enum store_status status = find(store, op->outcome.delivery_id, found, holds);
    if (status != STORE_OK)
        return status;
    op->result = *holds ? STORE_FENCED : STORE_NOT_FOUND;
    *holds = *holds && under_way(found) && found->lease == op->outcome.lease && found->lost > 0;
    return status;
}

/* The one before was the last one until now. */
static enum store_status attempt_trim(struct store *store, const struct store_op *op)
{
    sqlite3_stmt *trim = store->sql[SQL_ATTEMPT_TRIM];
    sqlite3_bind_int64(trim, 1, op->outcome.delivery_id);
    sqlite3_bind_int64(trim, 2, op->outcome.lease);
    sqlite3_bind_int(trim, 3, MODEL_RESPONSE_KEPT_LEN);
    return sqlite_run(store, SQL_ATTEMPT_TRIM);
}

/* A stretch of our own outage is one line: none if the delivery's last one says the same. */
static enum store_status outage_is_news(struct store *store, const struct store_op *op, bool *news)
{
    sqlite3_stmt *last = store->sql[SQL_ATTEMPT_LAST];
    bool found = false;
    sqlite3_bind_int64(last, 1, op->outcome.delivery_id);
    sqlite3_bind_int64(last, 2, op->outcome.lease);
    enum store_status status = sqlite_row(store, SQL_ATTEMPT_LAST, &found);
    *news = !found || !bytes_equal_text(sqlite_text(last, 0), failure_name(op->outcome.decision.reason));
    if (found)
        sqlite3_reset(last);
    return status;
}

static enum store_status attempt_insert(struct store *store, const struct store_op *op,
                                        const struct attempt *attempt, int32_t earlier)
{
    sqlite3_stmt *insert = store->sql[SQL_ATTEMPT_INSERT];
    sqlite3_bind_int64(
        insert, 1, op->outcome.delivery_id / MODEL_DELIVERY_STEP * MODEL_DELIVERY_STEP | op->outcome.lease);
    sqlite3_bind_int(insert, 2, attempt->attempt + earlier);
    sqlite_bind_time(insert, 3, attempt->started_at_ms);
    sqlite3_bind_int(insert, 4, attempt->duration_ms);
    sqlite3_bind_int(insert, 5, attempt->status);
    if (attempt->failure == FAILURE_NONE)
        sqlite3_bind_null(insert, 6);
    else
        sqlite3_bind_text(insert, 6, failure_name(attempt->failure), -1, SQLITE_STATIC);
    sqlite3_bind_int(insert, 7, sqlite_attempt_flags(attempt));
    sqlite_bind_text(insert, 8, attempt->address);
    sqlite_bind_text(insert, 9, attempt->detail);
    sqlite3_bind_blob(insert, 10, attempt->response.len ? attempt->response.data : "",
                      (int)attempt->response.len, SQLITE_STATIC);
    return sqlite_run(store, SQL_ATTEMPT_INSERT);
}

/* Most deliveries end so, and none of what changes is in an index. */
static enum store_status record_first(struct store *store, const struct store_op *op)
{
    sqlite3_stmt *update = store->sql[SQL_DELIVERY_DELIVERED];
    sqlite3_bind_int64(update, 1, op->outcome.delivery_id);
    sqlite_bind_time(update, 2, op->outcome.attempt.started_at_ms);
    sqlite3_bind_int64(update, 3, store->now.wall_ms);
    sqlite3_bind_int(update, 4, op->outcome.attempt.status);
    return sqlite_run(store, SQL_DELIVERY_DELIVERED);
}

/* The row after the decision. */
static enum store_status record(struct store *store, const struct store_op *op, const struct found *found)
{
    const struct decision *decision = &op->outcome.decision;
    const struct attempt *attempt = &op->outcome.attempt;
    bool counted = decision->kind != DECISION_RELEASE;
    bool pending = decision->kind == DECISION_RETRY || decision->kind == DECISION_RELEASE;
    int64_t aged_from_ms = found->aged_from_ms;
    if (counted && found->attempt == 0)
        aged_from_ms = store->now.service_ms - attempt->duration_ms;
    else if (!counted)
        aged_from_ms += decision->delay_ms + attempt->duration_ms;

    sqlite3_stmt *update = store->sql[SQL_DELIVERY_RECORD];
    sqlite3_bind_int64(update, 1, op->outcome.delivery_id);
    sqlite3_bind_null(update, 2);
    sqlite3_bind_null(update, 3);
    if (pending) {
        sqlite3_bind_int64(update, 2, found->endpoint->id);
        sqlite3_bind_int64(update, 3, store->now.due_ms + decision->delay_ms);
    }
    enum delivery_state state = pending                                ? DELIVERY_PENDING
                                : decision->kind == DECISION_DELIVERED ? DELIVERY_DELIVERED
                                                                       : DELIVERY_GIVEN_UP;
    sqlite3_bind_int(update, 4, (int)state);
    sqlite3_bind_int(update, 5, found->attempt + counted);
    if (found->attempt + counted > 0 && pending)
        sqlite3_bind_int64(update, 6, aged_from_ms);
    else
        sqlite3_bind_null(update, 6);
    sqlite_bind_time(update, 7, attempt->started_at_ms);
    sqlite_bind_time(update, 8, pending ? 0 : store->now.wall_ms);
    sqlite3_bind_int(update, 9, attempt->status);
    if (decision->reason == FAILURE_NONE)
        sqlite3_bind_null(update, 10);
    else
        sqlite3_bind_text(update, 10, failure_name(decision->reason), -1, SQLITE_STATIC);
    return sqlite_run(store, SQL_DELIVERY_RECORD);
}

/* The endpoint answers again: what failed because of it is due, before all that came later. */
static enum store_status missed_again(struct store *store, struct roster_entry *endpoint, bool recovered)
{
    enum store_status status = STORE_OK;
    bool any = false;
    sqlite3_stmt *again = store->sql[SQL_DELIVERY_AGAIN];
    for (int64_t id; status == STORE_OK && (id = roster_again(&store->roster, endpoint, recovered));) {
        any = true;
        sqlite3_bind_int64(again, 1, id);
        sqlite3_bind_int64(again, 2, endpoint->id);
        status = sqlite_run(store, SQL_DELIVERY_AGAIN);
    }
    return status == STORE_OK && any ? sqlite_roster_due(store, endpoint) : status;
}

static enum store_status account_pace(struct store *store, const struct store_op *op,
                                      const struct found *found)
{
    struct pace_end end = {.began_ms = found->out ? found->out->begun_at_ms : store->now.due_ms,
                           .took_ms = op->outcome.attempt.duration_ms,
                           .answered = op->outcome.answered,
                           .refused = op->outcome.decision.refused,
                           .retry_after_ms = op->outcome.decision.hold_ms,
                           .given_up = op->outcome.decision.kind == DECISION_GIVE_UP};
    struct roster_change change = roster_attempted(&store->roster, found->endpoint, end);
    enum store_status status = STORE_OK;
    if (end.answered)
        status = missed_again(store, found->endpoint, change.pace == PACE_RECOVERED);
    else if (!end.given_up)
        roster_missed(&store->roster, found->endpoint, op->outcome.delivery_id,
                      pace_again(&found->endpoint->counts.pace, &end, found->attempt + 1));
    if (status != STORE_OK || !change.first_answer)
        return status;
    sqlite3_bind_int64(store->sql[SQL_USER_ANSWERED], 1, found->endpoint->id);
    return sqlite_run(store, SQL_USER_ANSWERED);
}

/* The same for what is in memory. */
static enum store_status account(struct store *store, struct store_op *op, const struct found *found)
{
    const struct decision *decision = &op->outcome.decision;
    if (found->out)
        sqlite_unlease(store, found->out);
    enum store_status status = STORE_OK;
    bool ends = decision->kind == DECISION_DELIVERED || decision->kind == DECISION_GIVE_UP;
    if (ends)
        roster_use(&store->roster, found->endpoint, (struct user_usage){.pending = -1});
    if (ends && found->state == DELIVERY_PENDING) {
        store->counts.pending--;
        store->counts.delivered += decision->kind == DECISION_DELIVERED;
        store->counts.given_up += decision->kind == DECISION_GIVE_UP;
    }
    if (!found->out) /* it waited: it may have been the first */
        status = sqlite_roster_due(store, found->endpoint);
    else if (decision->kind == DECISION_RETRY || decision->kind == DECISION_RELEASE)
        roster_waits(&store->roster, found->endpoint, store->now.due_ms + decision->delay_ms);
    bool attempted =
        op->outcome.answered || decision->kind == DECISION_RETRY || decision->kind == DECISION_GIVE_UP;
    if (status == STORE_OK && attempted)
        status = account_pace(store, op, found);
    if (decision_is_outage(decision))
        roster_released(&store->roster, found->endpoint);
    if (status == STORE_OK && decision->reason == FAILURE_GONE)
        status = sqlite_user_gone(store, found->endpoint->id, &op->count);
    return status;
}

/* It was cancelled under way, or another lease took over. It was sent all the same, so it is in the history,
 * where it counts for nothing: the record is what the receiver saw. (An outcome that is repeated has its
 * line.) */
static enum store_status record_fenced(struct store *store, const struct store_op *op,
                                       const struct found *found)
{
    struct attempt attempt = op->outcome.attempt;
    if (attempt.started_at_ms == 0 || op->outcome.lease > ATTEMPT_LEASE_MAX ||
        op->outcome.lease > found->lease || decision_is_outage(&op->outcome.decision))
        return STORE_OK;
    bool there = false;
    sqlite3_stmt *get = store->sql[SQL_ATTEMPT_GET];
    sqlite3_bind_int64(get, 1, op->outcome.delivery_id);
    sqlite3_bind_int64(get, 2, op->outcome.lease);
    enum store_status status = sqlite_row(store, SQL_ATTEMPT_GET, &there);
    if (there)
        sqlite3_reset(get);
    if (status != STORE_OK || there)
        return status;
    store->changed = true;
    attempt.counted = false;
    if (attempt.response.len > MODEL_RESPONSE_KEPT_LEN)
        attempt.response.len = MODEL_RESPONSE_KEPT_LEN;
    status = attempt_trim(store, op);
    return status == STORE_OK ? attempt_insert(store, op, &attempt, found->earlier) : status;
}

enum store_status sqlite_outcome(struct store *store, struct store_op *op)
{
    struct found found;
    bool holds = false;
    enum store_status status = find_leased(store, op, &found, &holds);
    if (status != STORE_OK)
        return status;
    if (!holds)
        return op->result == STORE_FENCED ? record_fenced(store, op, &found) : STORE_OK;
    op->result = STORE_DONE;
    op->id = op->outcome.delivery_id;
    store->changed = true;
    bool at_once = found.out && found.out->born && op->outcome.decision.kind == DECISION_DELIVERED;
    store->plain = store->plain && at_once;
    status = at_once ? record_first(store, op) : record(store, op, &found);
    /* A delivery that was leased 16 million times (years of our own outages) keeps its state, but no more
     * records: their ids would be those of the next one. */
    bool kept = op->outcome.attempt.started_at_ms && op->outcome.lease <= ATTEMPT_LEASE_MAX;
    if (status == STORE_OK && kept && decision_is_outage(&op->outcome.decision))
        status = outage_is_news(store, op, &kept);
    if (status == STORE_OK && kept && op->outcome.lease > 1)
        status = attempt_trim(store, op);
    if (status == STORE_OK && kept)
        status = attempt_insert(store, op, &op->outcome.attempt, found.earlier);
    enum decision_kind kind = op->outcome.decision.kind;
    if (status == STORE_OK && kind != DECISION_RETRY && kind != DECISION_RELEASE)
        status = sqlite_purge_later(store, found.event_id, store->now.wall_ms);
    return status == STORE_OK ? account(store, op, &found) : status;
}

/* NOT_FOUND when it is somebody else's: ids tell nothing about others. */
static enum store_status find_for(struct store *store, struct store_op *op, struct found *found, bool *yes)
{
    enum store_status status = find(store, op->delivery.delivery_id, found, yes);
    if (status != STORE_OK)
        return status;
    if (*yes && op->delivery.user_id && found->endpoint->id != op->delivery.user_id)
        *yes = false;
    if (!*yes)
        op->result = STORE_NOT_FOUND;
    return STORE_OK;
}

/* What waits is due now; what is out already is on its way. */
static enum store_status hurry(struct store *store, int64_t id, const struct found *found)
{
    if (found->out)
        return STORE_OK;
    store->changed = true;
    sqlite3_stmt *now = store->sql[SQL_DELIVERY_NOW];
    sqlite3_bind_int64(now, 1, id);
    sqlite3_bind_int64(now, 2, store->now.due_ms);
    roster_waits(&store->roster, found->endpoint, store->now.due_ms);
    roster_hurry(&store->roster, found->endpoint);
    return sqlite_run(store, SQL_DELIVERY_NOW);
}

enum store_status sqlite_resend(struct store *store, struct store_op *op)
{
    struct found found;
    bool exists = false;
    enum store_status status = find_for(store, op, &found, &exists);
    if (status != STORE_OK || !exists)
        return status;
    op->id = op->delivery.delivery_id;
    if (under_way(&found))
        return hurry(store, op->id, &found);
    if (found.state == DELIVERY_SKIPPED && !found.endpoint->url) {
        op->id = 0;
        op->result = STORE_CONFLICT;
        return STORE_OK;
    }
    store->changed = true;
    roster_use(&store->roster, found.endpoint, (struct user_usage){.pending = 1});
    if (found.state != DELIVERY_DELIVERED) {
        store->counts.pending++;
        store->counts.given_up -= found.state == DELIVERY_GIVEN_UP;
        store->counts.cancelled -= found.state == DELIVERY_CANCELLED;
        store->counts.skipped -= found.state == DELIVERY_SKIPPED;
    }
    sqlite3_stmt *resend = store->sql[SQL_DELIVERY_RESEND];
    sqlite3_bind_int64(resend, 1, op->id);
    sqlite3_bind_int64(resend, 2, store->now.due_ms);
    roster_waits(&store->roster, found.endpoint, store->now.due_ms);
    roster_hurry(&store->roster, found.endpoint);
    return sqlite_run(store, SQL_DELIVERY_RESEND);
}

enum store_status sqlite_cancel(struct store *store, struct store_op *op)
{
    struct found found;
    bool exists = false;
    enum store_status status = find_for(store, op, &found, &exists);
    if (status != STORE_OK || !exists)
        return status;
    if (!under_way(&found)) {
        op->result = STORE_CONFLICT;
        return STORE_OK;
    }
    store->changed = true;
    op->id = op->delivery.delivery_id;
    roster_use(&store->roster, found.endpoint, (struct user_usage){.pending = -1});
    if (found.state == DELIVERY_PENDING) {
        store->counts.pending--;
        store->counts.cancelled++;
    }
    sqlite3_stmt *cancel = store->sql[SQL_DELIVERY_CANCEL];
    sqlite3_bind_int64(cancel, 1, op->delivery.delivery_id);
    sqlite3_bind_int64(cancel, 2, store->now.wall_ms);
    status = sqlite_run(store, SQL_DELIVERY_CANCEL);
    if (status == STORE_OK)
        status = sqlite_purge_later(store, found.event_id, store->now.wall_ms);
    if (status != STORE_OK)
        return status;
    if (!found.out)
        return sqlite_roster_due(store, found.endpoint);
    sqlite_unlease(store, found.out);
    return STORE_OK;
}

enum store_status sqlite_damaged(struct store *store, struct roster_entry *endpoint, int64_t id, bool pending)
{
    sqlite3_stmt *damaged = store->sql[SQL_DELIVERY_DAMAGED];
    sqlite3_bind_int64(damaged, 1, id);
    sqlite3_bind_int64(damaged, 2, store->now.wall_ms);
    sqlite3_bind_int64(damaged, 3, endpoint->id);
    enum store_status status = sqlite_run(store, SQL_DELIVERY_DAMAGED);
    if (status != STORE_OK || sqlite3_changes(store->db) == 0)
        return status; /* it does not wait: the index says so alone */
    log_write(store->config.log, LOG_LEVEL_ERROR, "store",
              "an event is damaged and cannot be sent: its delivery is given up delivery=%lld",
              (long long)id);
    store->changed = true;
    store->plain = false;
    roster_use(&store->roster, endpoint, (struct user_usage){.pending = -1});
    if (pending) {
        store->counts.pending--;
        store->counts.given_up++;
    }
    return STORE_OK;
}
