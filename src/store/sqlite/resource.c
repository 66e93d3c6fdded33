/*
 * Resources: the latest snapshot of each. Most stand in the document of the event that carried them and are
 * only named in the table, so that an event is written once; and these rows follow their events
 * (late_rows.c).
 */
#include "sqlite_parts.h"

static void bind_name(sqlite3_stmt *statement, int64_t owner_id, struct bytes type, struct bytes id)
{
    sqlite3_bind_int64(statement, 1, owner_id);
    sqlite_bind_text(statement, 2, type);
    sqlite_bind_text(statement, 3, id);
}

/* As it is, for it stands in no event as its own. `op`: that of a Master, to be weighed and given a version;
 * else NULL. */
static enum store_status put(struct store *store, struct resource *resource, struct store_op *op)
{
    sqlite3_stmt *size = store->sql[SQL_RESOURCE_SIZE], *put = store->sql[SQL_RESOURCE_PUT];
    bool found = false;
    bind_name(size, resource->owner_id, resource->type, resource->id);
    enum store_status status = sqlite_row(store, SQL_RESOURCE_SIZE, &found);
    if (status != STORE_OK)
        return status;
    struct user_usage change = {.stored_bytes = (int64_t)resource->json.len, .resources = !found};
    if (found) {
        change.stored_bytes -= sqlite3_column_int64(size, 0);
        sqlite3_reset(size);
    }
    if (op) {
        struct user_usage used = roster_usage(roster_owner(&store->roster, resource->owner_id));
        op->reached = quota_beyond(&used, &change, &store->config.quotas);
    }
    if (op && op->reached.quota) {
        op->result = STORE_QUOTA;
        return STORE_OK;
    }
    if (op)
        resource->version = sqlite_next_id(store);
    bind_name(put, resource->owner_id, resource->type, resource->id);
    sqlite3_bind_int64(put, 4, resource->version);
    sqlite_bind_time(put, 5, resource->updated_at_ms);
    sqlite_bind_blob(put, 6, resource->json);
    sqlite_bind_time(put, 7, op != NULL);
    store->changed = true;
    status = sqlite_run(store, SQL_RESOURCE_PUT);
    return status == STORE_OK ? sqlite_usage_change(store, resource->owner_id, change) : status;
}

enum store_status sqlite_resource_drop(struct store *store, int64_t owner_id, struct bytes type,
                                       struct bytes id)
{
    int64_t bytes = 0;
    bool found = false;
    enum store_status status = sqlite_resource_remove(store, owner_id, type, id, &bytes, &found);
    if (status != STORE_OK || !found)
        return status;
    return sqlite_usage_change(store, owner_id, (struct user_usage){.stored_bytes = -bytes, .resources = -1});
}

/* ---- what events carry ---- */

const struct resource *sqlite_resource_own(const struct store_op *op)
{
    return routing_own_snapshot(&op->event.event, op->event.included, op->event.included_count);
}

enum store_status sqlite_resources_take(struct store *store, const struct store_op *op)
{
    const struct event *event = &op->event.event;
    const struct resource *own = sqlite_resource_own(op);
    enum store_status status = STORE_OK;
    if (op->event.included_count > (own ? 1 : 0))
        status = sqlite_write_late_rows(store);
    for (int i = 0; i < op->event.included_count && status == STORE_OK; i++) {
        struct resource resource = op->event.included[i];
        resource.owner_id = event->owner_id;
        resource.version = event->id;
        resource.updated_at_ms = event->received_at_ms;
        if (&op->event.included[i] != own)
            status = put(store, &resource, NULL);
    }
    return status;
}

/* A row of its answer: the owner, the bytes and the resources that are more. */
static enum store_status run_purge(struct store *store, enum sql sql, int64_t first, int64_t last,
                                   int64_t before_ms)
{
    sqlite3_stmt *rows = store->sql[sql];
    enum store_status status = STORE_OK;
    sqlite3_bind_int64(rows, 1, first);
    sqlite3_bind_int64(rows, 2, last);
    sqlite3_bind_int64(rows, 3, before_ms);
    while (status == STORE_OK && sqlite3_step(rows) == SQLITE_ROW) {
        struct user_usage change = {.stored_bytes = sqlite3_column_int64(rows, 1),
                                    .resources = sqlite3_column_int64(rows, 2)};
        status = sqlite_usage_change(store, sqlite3_column_int64(rows, 0), change);
    }
    int rc = sqlite3_reset(rows);
    return status != STORE_OK || rc == SQLITE_OK ? status : sqlite_fault(store, rc);
}

enum store_status sqlite_resource_keep(struct store *store, int64_t first, int64_t last, int64_t before_ms)
{
    enum store_status status = STORE_OK;
    if (before_ms > 0)
        status = run_purge(store, SQL_RESOURCE_PURGE, first, last, before_ms);
    return status == STORE_OK ? run_purge(store, SQL_RESOURCE_KEEP, first, last, before_ms) : status;
}

/* ---- what a Master puts ---- */

/* *version 0: it is not there. */
static enum store_status version_of(struct store *store, const struct resource *resource, int64_t *version)
{
    bool found = false;
    bind_name(store->sql[SQL_RESOURCE_GET], resource->owner_id, resource->type, resource->id);
    enum store_status status = sqlite_row(store, SQL_RESOURCE_GET, &found);
    *version = 0;
    if (status == STORE_OK && found) {
        *version = sqlite3_column_int64(store->sql[SQL_RESOURCE_GET], 0);
        sqlite3_reset(store->sql[SQL_RESOURCE_GET]);
    }
    return status;
}

/* The version as it is, for the op to be weighed against. */
static enum store_status look(struct store *store, struct store_op *op, int64_t *version)
{
    enum store_status status = sqlite_write_late_rows(store);
    store->changed = true;
    if (status == STORE_OK)
        status = version_of(store, &op->resource.resource, version);
    if (op->resource.if_version != -1 && op->resource.if_version != *version)
        op->result = STORE_CONFLICT;
    return status;
}

enum store_status sqlite_resource_put(struct store *store, struct store_op *op)
{
    struct resource *resource = &op->resource.resource;
    int64_t version = 0;
    if (!roster_owner(&store->roster, resource->owner_id)) {
        op->result = STORE_NOT_FOUND;
        return STORE_OK;
    }
    enum store_status status = look(store, op, &version);
    if (status != STORE_OK || op->result != STORE_DONE)
        return status;
    status = put(store, resource, op);
    if (status != STORE_OK || op->result != STORE_DONE)
        return status;
    store->counts.followed_to = op->id = resource->version;
    op->count = version == 0;
    return STORE_OK;
}

enum store_status sqlite_resource_delete(struct store *store, struct store_op *op)
{
    const struct resource *resource = &op->resource.resource;
    int64_t version = 0;
    enum store_status status = look(store, op, &version);
    if (status != STORE_OK || op->result != STORE_DONE)
        return status;
    if (version == 0) {
        op->result = STORE_NOT_FOUND;
        return STORE_OK;
    }
    op->id = version;
    op->count = 1;
    return sqlite_resource_drop(store, resource->owner_id, resource->type, resource->id);
}
