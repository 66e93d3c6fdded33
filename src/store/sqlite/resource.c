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

enum store_status sqlite_resource_number(struct store *store, enum sql sql, int64_t owner_id,
                                         const struct resource *resource, int64_t *number, bool *found)
{
    bind_name(store->sql[sql], owner_id, resource->type, resource->id);
    return sqlite_number(store, sql, number, found);
}

/* As it is, for it stands in no event as its own. `op`: that of a Master, to be weighed and given a version;
 * else NULL. */
static enum store_status put(struct store *store, struct resource *resource, struct store_op *op)
{
    sqlite3_stmt *put = store->sql[SQL_RESOURCE_PUT];
    int64_t len = 0;
    bool found = false;
    enum store_status status =
        sqlite_resource_number(store, SQL_RESOURCE_SIZE, resource->owner_id, resource, &len, &found);
    if (status != STORE_OK)
        return status;
    struct user_usage change = {.stored_bytes = (int64_t)resource->json.len - len, .resources = !found};
    if (op) {
        struct user_usage used = roster_usage(roster_owner(&store->roster, resource->owner_id));
        op->reached = quota_beyond(&used, &change, &store->config.quotas);
        if (op->reached.quota)
            return sqlite_result(op, STORE_QUOTA);
        resource->version = sqlite_next_id(store);
    }
    bind_name(put, resource->owner_id, resource->type, resource->id);
    sqlite3_bind_int64(put, 4, resource->version);
    sqlite_bind_time(put, 5, resource->updated_at_ms);
    sqlite_bind_blob(put, 6, resource->json);
    sqlite_bind_time(put, 7, op != NULL);
    store->changed = true;
    return sqlite_run(store, SQL_RESOURCE_PUT) ?: sqlite_usage_change(store, resource->owner_id, change);
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
    sqlite_bind_ints(rows, SQLITE_INTS(first, last, before_ms));
    while (status == STORE_OK && sqlite3_step(rows) == SQLITE_ROW) {
        struct user_usage change = {.stored_bytes = sqlite3_column_int64(rows, 1),
                                    .resources = sqlite3_column_int64(rows, 2)};
        status = sqlite_usage_change(store, sqlite3_column_int64(rows, 0), change);
    }
    return sqlite_rows_end(store, rows, status);
}

enum store_status sqlite_resource_keep(struct store *store, int64_t first, int64_t last, int64_t before_ms)
{
    enum store_status status = STORE_OK;
    if (before_ms > 0)
        status = run_purge(store, SQL_RESOURCE_PURGE, first, last, before_ms);
    return status ?: run_purge(store, SQL_RESOURCE_KEEP, first, last, before_ms);
}

/* ---- what a Master puts ---- */

/* The version that the op's is compared with. 0: there is no such resource. */
static enum store_status look(struct store *store, struct store_op *op, int64_t *version)
{
    const struct resource *resource = &op->resource.resource;
    bool found = false;
    store->changed = true;
    *version = 0;
    enum store_status status =
        sqlite_write_late_rows(store)
            ?: sqlite_resource_number(store, SQL_RESOURCE_GET, resource->owner_id, resource, version, &found);
    if (op->resource.if_version != -1 && op->resource.if_version != *version)
        op->result = STORE_CONFLICT;
    return status;
}

enum store_status sqlite_resource_put(struct store *store, struct store_op *op)
{
    struct resource *resource = &op->resource.resource;
    int64_t version = 0;
    if (!roster_owner(&store->roster, resource->owner_id))
        return sqlite_result(op, STORE_NOT_FOUND);
    enum store_status status = look(store, op, &version);
    if (status == STORE_OK && op->result == STORE_DONE)
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
    if (version == 0)
        return sqlite_result(op, STORE_NOT_FOUND);
    op->id = version;
    op->count = 1;
    return sqlite_resource_drop(store, resource->owner_id, resource->type, resource->id);
}
