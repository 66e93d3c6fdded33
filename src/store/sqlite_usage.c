/*
 * Usage: what each user has stored here and waiting, for the quotas. In memory it is exact, and undone with
 * its batch. On disk:
 *
 *   stored_bytes  `usage` has the sum of owned.bytes and of the lengths of resources.json, by user; it
 *                 changes in the transaction that changes those. The events behind `owned` are added at open
 *   resources     `usage` has the number of the user's rows in `resources`
 *   pending       the index of deliveries has it; counted at open, when nothing is leased
 */
#include "sqlite_parts.h"

enum store_status sqlite_usage_save(struct store *store, int64_t user_id, struct user_usage change)
{
    if (change.stored_bytes == 0 && change.resources == 0)
        return STORE_OK;
    sqlite3_stmt *add = store->sql[SQL_USAGE_ADD];
    sqlite3_bind_int64(add, 1, user_id);
    sqlite3_bind_int64(add, 2, change.stored_bytes);
    sqlite3_bind_int64(add, 3, change.resources);
    return sqlite_run(store, SQL_USAGE_ADD);
}

enum store_status sqlite_usage_change(struct store *store, int64_t user_id, struct user_usage change)
{
    struct endpoint *endpoint = roster_get(&store->roster, user_id);
    if (endpoint)
        roster_use(&store->roster, endpoint, change);
    return sqlite_usage_save(store, user_id, change);
}

/* How many of its snapshots are of resources that are not there: in the table, which must have them all. */
static enum store_status count_new(struct store *store, const struct store_op *op, int64_t *count)
{
    const struct event *event = &op->event.event;
    const struct resource *own = sqlite_resource_own(op);
    sqlite3_stmt *look = store->sql[SQL_RESOURCE_SIZE];
    enum store_status status = sqlite_follow(store);
    store->changed = true;
    *count = 0;
    for (int i = 0; i < op->event.included_count && status == STORE_OK; i++) {
        const struct resource *resource = &op->event.included[i];
        bool found = false;
        if (resource == own && op->event.destroyed)
            continue;
        sqlite3_bind_int64(look, 1, event->owner_id);
        sqlite_bind_text(look, 2, resource->type);
        sqlite_bind_text(look, 3, resource->id);
        status = sqlite_row(store, SQL_RESOURCE_SIZE, &found);
        if (found)
            sqlite3_reset(look);
        *count += !found;
    }
    return status;
}

/* One that is there already is answered as such, not refused. */
static enum store_status refuse(struct store *store, struct store_op *op)
{
    bool known = false;
    sqlite3_bind_int64(store->sql[SQL_EVENT_KNOWN], 1, op->event.event.id);
    enum store_status status = sqlite_row(store, SQL_EVENT_KNOWN, &known);
    if (known)
        sqlite3_reset(store->sql[SQL_EVENT_KNOWN]);
    else
        op->result = STORE_QUOTA;
    return status;
}

enum store_status sqlite_usage_weigh(struct store *store, struct store_op *op, const struct endpoint *owner)
{
    const struct user_usage *limits = &store->config.quotas;
    const struct resource *own = sqlite_resource_own(op);
    struct user_usage used = owner->tally.usage,
                      more = {.stored_bytes = (int64_t)op->event.event.document.len,
                              .pending = owner->url != NULL};
    enum store_status status = STORE_OK;
    for (int i = 0; i < op->event.included_count; i++)
        more.stored_bytes += &op->event.included[i] == own ? 0 : (int64_t)op->event.included[i].json.len;
    /* The table is looked at only where those that are ahead of it could matter. */
    int64_t ahead = store->tally.ahead_count - store->tally.ahead_first;
    if (limits->resources > 0 && used.resources + ahead + op->event.included_count > limits->resources) {
        status = count_new(store, op, &more.resources);
        used = owner->tally.usage;
    }
    op->reached = usage_beyond(&used, &more, limits);
    return status == STORE_OK && op->reached.quota ? refuse(store, op) : status;
}

static enum store_status load(struct store *store, enum sql sql, bool pending)
{
    sqlite3_stmt *rows = store->sql[sql];
    while (sqlite3_step(rows) == SQLITE_ROW) {
        struct endpoint *endpoint = roster_get(&store->roster, sqlite3_column_int64(rows, 0));
        int64_t first = sqlite3_column_int64(rows, 1);
        struct user_usage usage = {.stored_bytes = first, .resources = sqlite3_column_int64(rows, 2)};
        if (pending)
            usage = (struct user_usage){.pending = first};
        if (endpoint)
            roster_use(&store->roster, endpoint, usage);
    }
    int rc = sqlite3_reset(rows);
    return rc == SQLITE_OK ? STORE_OK : sqlite_fault(store, rc);
}

enum store_status sqlite_usage_load(struct store *store)
{
    enum store_status status = load(store, SQL_USAGE_LOAD, false);
    return status == STORE_OK ? load(store, SQL_PENDING_LOAD, true) : status;
}
