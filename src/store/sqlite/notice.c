/* The notices about endpoints: rows of the table `notices` (notice.h). */
#include "sqlite_parts.h"

static enum store_status row_get(struct store *store, int64_t endpoint_id, enum notice_kind kind,
                                 struct notice_row *row, bool *found)
{
    sqlite3_stmt *get = store->sql[SQL_NOTICE_GET];
    sqlite_bind_ints(get, SQLITE_INTS(endpoint_id, kind));
    enum store_status status = sqlite_row(store, SQL_NOTICE_GET, found);
    *row = (struct notice_row){0};
    if (!*found)
        return status;
    int64_t count = sqlite3_column_int64(get, 0), due_ms = sqlite3_column_int64(get, 1);
    /* Of a damaged row: at once, and no more than a person can read. */
    row->count = count < 0 ? 0 : count < INT32_MAX ? count : INT32_MAX;
    row->due_ms = due_ms < 0 || due_ms > store->now.service_ms + store->config.pace.day_ms ? 0 : due_ms;
    row->told = sqlite3_column_int64(get, 2) != 0;
    sqlite3_reset(get);
    return STORE_OK;
}

static enum store_status row_put(struct store *store, int64_t endpoint_id, enum notice_kind kind,
                                 const struct notice_row *row)
{
    return sqlite_run_ints(store, SQL_NOTICE_PUT,
                           SQLITE_INTS(endpoint_id, kind, row->count, row->due_ms, row->told));
}

static enum store_status row_end(struct store *store, int64_t endpoint_id, enum notice_kind kind)
{
    return sqlite_run_ints(store, SQL_NOTICE_END, SQLITE_INTS(endpoint_id, kind));
}

bool sqlite_asks_for_notices(const struct store *store, int64_t endpoint_id)
{
    const struct roster_entry *endpoint = roster_get(&store->roster, endpoint_id);
    const struct routing_wishes *wishes = endpoint ? wishes_of(endpoint->wishes) : NULL;
    return wishes && routing_asks_for_notices(wishes->event_types);
}

static bool any_asks(const struct routing_event *event, const struct roster_owner *user)
{
    const struct roster_entry *endpoint;
    TAILQ_FOREACH(endpoint, &user->endpoints, sibling)
    {
        struct routing_endpoint to = {
            .id = endpoint->id, .user_id = user->id, .wishes = wishes_of(endpoint->wishes)};
        if (endpoint->url && routing_asks_for(event, &to))
            return true;
    }
    return false;
}

/* Does anybody want to hear of it? Who gets it is decided when it is told. */
static bool is_asked_for(const struct store *store, const struct roster_entry *endpoint,
                         enum notice_kind kind)
{
    const struct roster_owner *owner = endpoint->owner;
    const struct roster_owner *master =
        owner->master_id ? roster_owner(&store->roster, owner->master_id) : NULL;
    struct routing_notice about = {endpoint->id, sqlite_asks_for_notices(store, endpoint->id)};
    struct routing_event event = {
        .owner_id = owner->id, .event_type = bytes_of(notice_names[kind]), .notice = &about};
    return any_asks(&event, owner) || (master && any_asks(&event, master));
}

/* One more to tell. That it fails is told once a day, however often it does. */
static enum store_status add(struct store *store, const struct roster_entry *endpoint, enum notice_kind kind)
{
    struct notice_row row;
    bool found = false;
    if (!is_asked_for(store, endpoint, kind))
        return STORE_OK;
    enum store_status status = row_get(store, endpoint->id, kind, &row, &found);
    if (status != STORE_OK ||
        (kind == NOTICE_FAILING && (row.count > 0 || row.due_ms > store->now.service_ms)))
        return status;
    notice_add(&row);
    return row_put(store, endpoint->id, kind, &row);
}

/* Only if somebody was told that it failed. */
static enum store_status recovered(struct store *store, const struct roster_entry *endpoint)
{
    struct notice_row row;
    bool found = false;
    enum store_status status = row_get(store, endpoint->id, NOTICE_FAILING, &row, &found);
    if (status != STORE_OK || !found)
        return status;
    status = row_end(store, endpoint->id, NOTICE_FAILING);
    return row.told ? status ?: add(store, endpoint, NOTICE_RECOVERED) : status;
}

enum store_status sqlite_notices_of(struct store *store, const struct roster_entry *endpoint,
                                    const struct ledger_outcome *outcome, struct notice_causes causes)
{
    enum store_status status = STORE_OK;
    if (outcome->answered)
        return causes.failed_before ? recovered(store, endpoint) : STORE_OK;
    bool fails = failing_is_failure(outcome) && !endpoint->paused &&
                 endpoint->work->counts.pace.failures_in_a_row >= NOTICE_FAILING_FROM;
    if (!(fails || causes.given_up || causes.disabled) || endpoint->removed)
        return STORE_OK;
    if (causes.given_up)
        status = add(store, endpoint, NOTICE_GIVEN_UP);
    if (causes.disabled)
        status = status ?: row_end(store, endpoint->id, NOTICE_FAILING) ?: add(store, endpoint, NOTICE_DISABLED);
    else if (fails)
        status = status ?: add(store, endpoint, NOTICE_FAILING);
    return status;
}

enum store_status sqlite_notice_settle(struct store *store, const struct store_notice *notice, bool *waits)
{
    struct notice_row row;
    bool found = false;
    enum store_status status = row_get(store, notice->endpoint_id, notice->kind, &row, &found);
    *waits = found && row.count > 0;
    if (status != STORE_OK || !*waits)
        return status;
    notice_settle(&row, notice->kind, notice->count, &store->config.pace, store->now.service_ms);
    bool kept = notice->kind == NOTICE_FAILING || notice->kind == NOTICE_GIVEN_UP || row.count > 0;
    return kept ? row_put(store, notice->endpoint_id, notice->kind, &row)
                : row_end(store, notice->endpoint_id, notice->kind);
}

/* How it does now. */
static enum store_status complete(struct store *store, struct store_notice *notice)
{
    const struct roster_entry *endpoint = roster_get(&store->roster, notice->endpoint_id);
    sqlite3_stmt *get = store->sql[SQL_FAILING_GET];
    bool found = false;
    sqlite3_bind_int64(get, 1, notice->endpoint_id);
    enum store_status status = sqlite_row(store, SQL_FAILING_GET, &found);
    notice->owner_id = endpoint ? endpoint->owner->id : 0;
    notice->paused = endpoint && endpoint->paused;
    if (!found)
        return status;
    int32_t days = sqlite3_column_int(get, 1);
    struct failing failing = {sqlite3_column_int64(get, 2), sqlite3_column_int64(get, 3)};
    int64_t disabled = sqlite3_column_int64(get, 4);
    failing_bound(&failing, store->now.service_ms);
    sqlite3_reset(get);
    notice->disabled = disabled > 0 && disabled < ENDPOINT_DISABLED_COUNT ? (enum endpoint_disabled)disabled
                                                                          : ENDPOINT_ENABLED;
    if (failing.since_ms > 0)
        notice->since_ms = store->now.wall_ms - (store->now.service_ms - failing.since_ms);
    if (failing.since_ms > 0 && days > 0 && days <= MODEL_DISABLE_AFTER_MAX)
        notice->disabled_at_ms = notice->since_ms + days * store->config.pace.day_ms;
    return STORE_OK;
}

enum store_status sqlite_notices_due(struct store *store, struct store_op *op)
{
    sqlite3_stmt *list = store->sql[SQL_NOTICES_DUE];
    sqlite_bind_ints(list, SQLITE_INTS(store->now.service_ms, op->notices.room));
    op->notices.count = 0;
    while (op->notices.count < op->notices.room && sqlite3_step(list) == SQLITE_ROW) {
        int64_t kind = sqlite3_column_int64(list, 1), count = sqlite3_column_int64(list, 2);
        if (kind >= 0 && kind < NOTICE_KINDS)
            op->notices.rows[op->notices.count++] =
                (struct store_notice){.endpoint_id = sqlite3_column_int64(list, 0),
                                      .kind = (enum notice_kind)kind,
                                      .count = count < INT32_MAX ? count : INT32_MAX};
    }
    enum store_status status = sqlite_rows_end(store, list, STORE_OK);
    for (int i = 0; i < op->notices.count && status == STORE_OK; i++)
        status = complete(store, &op->notices.rows[i]);
    return status;
}
