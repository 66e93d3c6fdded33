/*
 * Endpoints: the roster of them, and their rows. Every user has a default one in the roster, with a URL or
 * without.
 */
#include "memory.h"
#include "sqlite_parts.h"
#include <stdio.h>
#include <stdlib.h>

/* It becomes ordered, or is no longer. */
static enum store_status line_change(struct store *store, struct roster_entry *endpoint,
                                     const struct flow_settings *flow)
{
    if (!endpoint || roster_is_ordered(endpoint) == flow->ordered)
        return STORE_OK;
    store->users_changed = true;                                    /* an undo loads the roster again */
    enum store_status status = sqlite_tail_settle(store, endpoint); /* a line is in the table alone */
    roster_flow(&store->roster, endpoint, flow);
    bool moved;
    return status ?: sqlite_line_move(store, endpoint, &moved) ?: sqlite_roster_due(store, endpoint);
}

/* ---- the roster ---- */

static void replace(struct bytes *owned, struct bytes by)
{
    free((void *)owned->data);
    char *copy = by.len ? memory_alloc(by.len) : NULL;
    if (copy)
        memcpy(copy, by.data, by.len);
    *owned = bytes_make(copy, by.len);
}

/* A box has room for so much; more was never accepted. */
enum { URL_TEXT_LEN_MAX = 2048 };
static struct bytes kept(sqlite3_stmt *row, int column, size_t len_max)
{
    struct bytes sealed = sqlite_text(row, column);
    return sealed.len <= len_max ? sealed : (struct bytes){0};
}

static void replace_push(struct push_settings **owned, sqlite3_stmt *row)
{
    struct push_settings stored = sqlite_push_of(row, SQL_ROSTER_PUSH);
    size_t size = push_settings_size(&stored);
    free(*owned);
    *owned = size ? memory_alloc(size) : NULL;
    if (size)
        push_settings_copy(&stored, *owned);
}

/* NULL: the row is damaged. */
static struct roster_entry *roster_find_or_add(struct store *store, int64_t id, int64_t owner_id,
                                               bool *is_new)
{
    struct roster_entry *endpoint = roster_get(&store->roster, id);
    struct roster_owner *owner = roster_owner(&store->roster, owner_id);
    bool sound =
        id > 0 && owner_id > 0 && (owner || id == owner_id) && (!endpoint || endpoint->owner->id == owner_id);
    *is_new = sound && !endpoint;
    if (!sound)
        log_write(store->config.log, LOG_LEVEL_ERROR, "store",
                  "an endpoint is damaged and left out user=%lld endpoint=%lld", (long long)owner_id,
                  (long long)id);
    return *is_new ? roster_add(&store->roster, id, owner) : sound ? endpoint : NULL;
}

static void roster_take_owner(struct roster_owner *owner, sqlite3_stmt *row)
{
    owner->master_id = sqlite3_column_int64(row, 2);
    owner->receives_users_events = sqlite3_column_int(row, 3);
    const char *digest = (const char *)sqlite3_column_text(row, 4);
    snprintf(owner->auth_digest, sizeof owner->auth_digest, "%s", digest ? digest : "");
}

static void roster_take(struct store *store, sqlite3_stmt *row)
{
    bool is_new = false;
    struct roster_entry *endpoint =
        roster_find_or_add(store, sqlite3_column_int64(row, 0), sqlite3_column_int64(row, 1), &is_new);
    if (!endpoint)
        return;
    endpoint->seen = true;
    roster_take_owner(endpoint->owner, row);
    const char *url = (const char *)sqlite3_column_text(row, 5);
    bool url_changed = !is_new && url && (!endpoint->url || strcmp(url, endpoint->url) != 0);
    free(endpoint->url);
    endpoint->url = url && strlen(url) <= URL_TEXT_LEN_MAX ? memory_copy_text(url) : NULL;
    endpoint->paused = sqlite3_column_int(row, 6);
    endpoint->version = sqlite3_column_int64(row, 8);
    endpoint->created_at_ms = sqlite3_column_int64(row, 9);
    replace(&endpoint->signing, kept(row, 10, MODEL_SIGNING_LEN_MAX));
    replace(&endpoint->identity, kept(row, 11, MODEL_IDENTITY_LEN_MAX));
    replace_push(&endpoint->push, row);
    endpoint->removed = sqlite3_column_int(row, 12);
    if (!wishes_set(&endpoint->wishes, sqlite_text(row, 13), sqlite_text(row, 14), sqlite_text(row, 15)))
        log_write(store->config.log, LOG_LEVEL_ERROR, "store",
                  "a filter is damaged and left out user=%lld endpoint=%lld", (long long)endpoint->owner->id,
                  (long long)endpoint->id);
    struct flow_settings flow =
        flow_settings_of(sqlite3_column_int64(row, 16), sqlite3_column_int64(row, 17),
                         sqlite3_column_int64(row, 18), sqlite3_column_int64(row, 19));
    if (endpoint->flow || !flow_settings_none(&flow))
        roster_flow(&store->roster, endpoint, &flow);
    if (is_new && sqlite3_column_int(row, 7))
        roster_proven(&store->roster, endpoint);
    else if (url_changed)
        roster_pace(&store->roster, endpoint, pace_renew);
    roster_changed(&store->roster, endpoint);
}

static void roster_sweep(struct store *store)
{
    size_t at = 0;
    struct roster_entry *endpoint = idmap_each(&store->roster.endpoints, &at);
    while (endpoint) {
        struct roster_entry *next = idmap_each(&store->roster.endpoints, &at);
        if (!endpoint->seen)
            roster_drop(&store->roster, endpoint);
        else
            endpoint->seen = false;
        endpoint = next;
    }
}

static enum store_status roster_load(struct store *store, enum sql sql, int64_t user_id)
{
    sqlite3_stmt *load = store->sql[sql];
    if (user_id)
        sqlite3_bind_int64(load, 1, user_id);
    while (sqlite3_step(load) == SQLITE_ROW)
        roster_take(store, load);
    return sqlite_rows_end(store, load, STORE_OK);
}

/* Default endpoints first: the others find their owners by them. */
enum store_status sqlite_roster_load(struct store *store, int64_t user_id)
{
    enum store_status status =
        roster_load(store, user_id ? SQL_ROSTER_DEFAULT_OF : SQL_ROSTER_DEFAULT_ALL, user_id)
            ?: roster_load(store, user_id ? SQL_ROSTER_FURTHER_OF : SQL_ROSTER_FURTHER_ALL, user_id);
    if (status != STORE_OK)
        return status;
    if (user_id == 0) {
        roster_sweep(store);
        return STORE_OK;
    }
    struct roster_owner *owner = roster_owner(&store->roster, user_id);
    struct roster_entry *endpoint;
    if (owner)
        TAILQ_FOREACH(endpoint, &owner->endpoints, sibling)
        {
            endpoint->seen = false;
        }
    return STORE_OK;
}

enum store_status sqlite_user_changed(struct store *store, int64_t user_id)
{
    store->users_changed = store->changed = true;
    return sqlite_run_ints(store, SQL_USER_CHANGE, SQLITE_INTS(user_id))
               ?: sqlite_roster_load(store, user_id);
}

/* ---- the table ---- */

static void bind_settings(sqlite3_stmt *statement, const struct endpoint *endpoint)
{
    sqlite_bind_time(statement, sqlite3_bind_parameter_index(statement, ":paused_at"),
                     endpoint->paused ? endpoint->paused_at_ms : 0);
    sqlite3_bind_int64(statement, 1, endpoint->id);
    sqlite_bind_optional(statement, 3, endpoint->url);
    sqlite3_bind_int(statement, 5, endpoint->disable_on_410);
    sqlite3_bind_int(statement, 6, endpoint->paused);
    sqlite_bind_blob(statement, 7, endpoint->signing);
    sqlite_bind_blob(statement, 8, endpoint->identity);
    sqlite_bind_time(statement, 10, endpoint->updated_at_ms);
    sqlite_bind_optional(statement, 11, endpoint->event_types);
    sqlite_bind_optional(statement, 12, endpoint->channels);
    sqlite_bind_optional(statement, 13, endpoint->filter);
    sqlite_bind_optional(statement, 14, endpoint->description);
    sqlite_bind_optional(statement, 15, endpoint->metadata);
    const struct flow_settings *flow = &endpoint->flow;
    sqlite_bind_time(statement, 16, flow->in_flight_max); /* 0: NULL */
    sqlite_bind_time(statement, 17, flow->rate.count);
    sqlite_bind_time(statement, 18, flow->rate.per);
    sqlite_bind_time(statement, 19, flow->ordered);
    sqlite_bind_time(statement, 20, endpoint->paused ? endpoint->disabled : ENDPOINT_ENABLED);
    sqlite_bind_time(statement, sqlite3_bind_parameter_index(statement, ":disable_after"),
                     endpoint->disable_after);
    sqlite_bind_push(statement, &endpoint->push);
}

enum store_status sqlite_endpoint_insert(struct store *store, const struct endpoint *endpoint)
{
    sqlite3_stmt *insert = store->sql[SQL_ENDPOINT_INSERT];
    bind_settings(insert, endpoint);
    sqlite3_bind_int64(insert, 2, endpoint->owner_id);
    sqlite_bind_time(insert, 9, endpoint->created_at_ms);
    store->counts.endpoints += endpoint->url.len > 0;
    return sqlite_run(store, SQL_ENDPOINT_INSERT);
}

/* ---- failing.h ---- */

enum store_status sqlite_failing_save(struct store *store, struct roster_entry *endpoint,
                                      const struct failing *failing)
{
    bool fails = failing->since_ms > 0;
    if (!fails && !endpoint->work->counts.fails)
        return STORE_OK;
    roster_fails(&store->roster, endpoint, fails);
    sqlite3_bind_int64(store->sql[SQL_FAILING_END], 1, endpoint->id);
    if (!fails)
        return sqlite_run(store, SQL_FAILING_END);
    sqlite_bind_ints(store->sql[SQL_FAILING_PUT], SQLITE_INTS(endpoint->id, failing->since_ms));
    sqlite_bind_time(store->sql[SQL_FAILING_PUT], 3, failing->outage_from_ms);
    return sqlite_run(store, SQL_FAILING_PUT);
}

enum store_status sqlite_failing_load(struct store *store)
{
    sqlite3_stmt *list = store->sql[SQL_FAILING_LIST];
    while (sqlite3_step(list) == SQLITE_ROW) {
        struct roster_entry *endpoint = roster_get(&store->roster, sqlite3_column_int64(list, 0));
        if (endpoint)
            roster_fails(&store->roster, endpoint, true);
    }
    return sqlite_rows_end(store, list, STORE_OK);
}

/* While it is paused, and with another URL, what was before says nothing. */
static enum store_status failing_afresh(struct store *store, struct roster_entry *entry,
                                        const struct endpoint *set)
{
    bool same_url = entry && bytes_equal(set->url, bytes_of(entry->url));
    if (!entry || !entry->work->counts.fails || (!set->paused && same_url))
        return STORE_OK;
    return sqlite_failing_save(store, entry, &(struct failing){0})
               ?: sqlite_run_ints(store, SQL_NOTICE_END, SQLITE_INTS(entry->id, NOTICE_FAILING));
}

enum store_status sqlite_endpoint_set(struct store *store, const struct endpoint *endpoint, bool *found)
{
    struct roster_entry *entry = roster_get(&store->roster, endpoint->id);
    bind_settings(store->sql[SQL_ENDPOINT_UPDATE], endpoint);
    enum store_status status = sqlite_run(store, SQL_ENDPOINT_UPDATE);
    *found = status == STORE_OK && sqlite3_changes(store->db) > 0;
    if (*found)
        store->counts.endpoints += (endpoint->url.len > 0) - (entry && entry->url != NULL);
    return *found ? line_change(store, entry, &endpoint->flow) ?: failing_afresh(store, entry, endpoint)
                  : status;
}

/* The default endpoint is part of its user, and a change of it one of the user's. */
static enum store_status changed(struct store *store, int64_t id, int64_t owner_id)
{
    enum store_status status = STORE_OK;
    if (id == owner_id)
        status = sqlite_run_ints(store, SQL_USER_TOUCH, SQLITE_INTS(owner_id));
    return status ?: sqlite_user_changed(store, owner_id);
}

static enum store_status disable(struct store *store, const struct roster_entry *endpoint,
                                 enum endpoint_disabled reason)
{
    return sqlite_run_ints(store, SQL_ENDPOINT_DISABLE, SQLITE_INTS(endpoint->id, reason, store->now.wall_ms))
               ?: changed(store, endpoint->id, endpoint->owner->id);
}

enum store_status sqlite_endpoint_ended(struct store *store, struct roster_entry *endpoint,
                                        const struct ledger_outcome *outcome, int64_t *disabled)
{
    bool idle = endpoint->paused || endpoint->removed, found = false;
    if (!endpoint->work->counts.fails && (idle || !failing_is_failure(outcome)))
        return STORE_OK;
    sqlite3_stmt *row = store->sql[SQL_FAILING_GET];
    sqlite3_bind_int64(row, 1, endpoint->id);
    enum store_status status = sqlite_row(store, SQL_FAILING_GET, &found);
    if (!found)
        return status;
    struct failing failing = {sqlite3_column_int64(row, 2), sqlite3_column_int64(row, 3)}, before = failing;
    failing_bound(&failing, store->now.service_ms);
    failing_ended(&failing, outcome, idle, store->now.service_ms);
    struct failing_limits limits = {sqlite3_column_int(row, 0), sqlite3_column_int(row, 1)};
    if (!idle)
        *disabled = failing_disables(&failing, outcome, limits, &store->config.pace, store->now.service_ms);
    sqlite3_reset(row);
    if (*disabled)
        return sqlite_failing_save(store, endpoint, &(struct failing){0})
                   ?: disable(store, endpoint, (enum endpoint_disabled) * disabled);
    return failing_equal(&failing, &before) ? STORE_OK : sqlite_failing_save(store, endpoint, &failing);
}

/* ---- further ones ---- */

static int endpoints_of(const struct roster_owner *owner)
{
    int count = 0;
    const struct roster_entry *endpoint;
    TAILQ_FOREACH(endpoint, &owner->endpoints, sibling)
    {
        count += !endpoint->removed;
    }
    return count;
}

enum store_status sqlite_endpoint_create(struct store *store, struct store_op *op)
{
    struct endpoint endpoint = op->endpoint.endpoint;
    struct roster_owner *owner = roster_owner(&store->roster, endpoint.owner_id);
    int64_t max = op->endpoint.endpoints_max > 0 ? op->endpoint.endpoints_max : MODEL_ENDPOINTS_MAX;
    if (!owner || endpoints_of(owner) >= max)
        return sqlite_result(op, owner ? STORE_QUOTA : STORE_NOT_FOUND);
    endpoint.id = op->id = sqlite_next_id(store);
    return sqlite_endpoint_insert(store, &endpoint) ?: sqlite_user_changed(store, owner->id);
}

enum store_status sqlite_endpoint_find(struct store *store, struct store_op *op, bool *found)
{
    const struct endpoint *endpoint = &op->endpoint.endpoint;
    int64_t version = 0;
    sqlite_bind_ints(store->sql[SQL_ENDPOINT_GET], SQLITE_INTS(endpoint->id, endpoint->owner_id));
    enum store_status status = sqlite_number(store, SQL_ENDPOINT_GET, &version, found);
    op->result = *found ? STORE_CONFLICT : STORE_NOT_FOUND;
    *found = *found && (op->endpoint.if_version == -1 || op->endpoint.if_version == version);
    if (*found) {
        op->result = STORE_DONE;
        op->id = endpoint->id;
    }
    return status;
}

enum store_status sqlite_endpoint_update(struct store *store, struct store_op *op)
{
    bool found = false;
    enum store_status status = sqlite_endpoint_find(store, op, &found);
    if (status != STORE_OK || !found)
        return status;
    return sqlite_endpoint_set(store, &op->endpoint.endpoint, &found)
               ?: changed(store, op->id, op->endpoint.endpoint.owner_id);
}
