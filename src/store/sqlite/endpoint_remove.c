/*
 * ENDPOINT_REMOVE, and what is left of an endpoint afterwards: deliveries that wait for it, until they are
 * cancelled; and a row that says whose it was, as long as there are deliveries that name it.
 */
#include "sqlite_parts.h"

/* Deliveries that wait for an endpoint that was removed are cancelled, so many in a batch. */
enum { CANCELLED_MAX = 1024 };

static enum store_status cancel_waiting(struct store *store, const struct roster_entry *endpoint, bool *more)
{
    sqlite3_stmt *waiting = store->sql[SQL_REMOVED_WAITING];
    enum store_status status = STORE_OK;
    bool found = true;
    for (int i = 0; i < CANCELLED_MAX && status == STORE_OK && found; i++) {
        sqlite3_bind_int64(waiting, 1, endpoint->id);
        status = sqlite_row(store, SQL_REMOVED_WAITING, &found);
        if (!found)
            break;
        struct store_op cancel = {.kind = STORE_CANCEL,
                                  .delivery.delivery_id = sqlite3_column_int64(waiting, 0)};
        sqlite3_reset(waiting);
        status = sqlite_cancel(store, &cancel);
        found =
            cancel.result == STORE_DONE && cancel.id != 0; /* else it is damaged, and would be found again */
    }
    *more = *more || found;
    return status;
}

enum store_status sqlite_endpoint_remove(struct store *store, struct store_op *op)
{
    bool found = false, more = false;
    enum store_status status = sqlite_endpoint_find(store, op, &found);
    if (status != STORE_OK || !found)
        return status;
    struct roster_entry *endpoint = roster_get(&store->roster, op->id);
    if (!endpoint || endpoint->id == endpoint->owner->id) {
        op->result = STORE_CONFLICT;
        op->id = 0;
        return STORE_OK;
    }
    store->counts.endpoints -= endpoint->url != NULL;
    sqlite3_bind_int64(store->sql[SQL_ENDPOINT_REMOVE], 1, op->id);
    sqlite3_bind_int64(store->sql[SQL_ENDPOINT_REMOVE], 2, store->counts.event_id_max);
    status = sqlite_run(store, SQL_ENDPOINT_REMOVE);
    if (status == STORE_OK)
        status = sqlite_user_changed(store, endpoint->owner->id);
    if (status == STORE_OK)
        status = sqlite_tail_settle(store, endpoint);
    return status == STORE_OK ? cancel_waiting(store, endpoint, &more) : status;
}

/* Those that were removed, of whose events none is left, are forgotten. */
static enum store_status forget(struct store *store)
{
    sqlite3_stmt *forget = store->sql[SQL_ENDPOINT_FORGET];
    while (sqlite3_step(forget) == SQLITE_ROW) {
        struct roster_entry *endpoint = roster_get(&store->roster, sqlite3_column_int64(forget, 0));
        store->users_changed = store->changed = true;
        if (endpoint && endpoint->removed)
            roster_drop(&store->roster, endpoint);
    }
    int rc = sqlite3_reset(forget);
    return rc == SQLITE_OK ? STORE_OK : sqlite_fault(store, rc);
}

enum store_status sqlite_removed_purge(struct store *store, bool *more)
{
    sqlite3_stmt *list = store->sql[SQL_REMOVED_LIST];
    enum store_status status = STORE_OK;
    bool any = false;
    while (status == STORE_OK && sqlite3_step(list) == SQLITE_ROW) {
        const struct roster_entry *endpoint = roster_get(&store->roster, sqlite3_column_int64(list, 0));
        any = true;
        if (endpoint && endpoint->counts.due_at_ms != ROSTER_NEVER)
            status = cancel_waiting(store, endpoint, more);
    }
    int rc = sqlite3_reset(list);
    if (status != STORE_OK || rc != SQLITE_OK)
        return status != STORE_OK ? status : sqlite_fault(store, rc);
    return any ? forget(store) : STORE_OK;
}
