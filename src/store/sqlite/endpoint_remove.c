/*
 * ENDPOINT_REMOVE, and what is left of an endpoint afterwards: deliveries that wait for it, until they are
 * cancelled; and a row that says whose it was, as long as there are deliveries that name it.
 */
#include "sqlite_parts.h"

/* Deliveries that wait for an endpoint that was removed are cancelled, so many in a batch. */
enum { CANCELLED_MAX = 1024 };

static enum store_status cancel_waiting(struct store *store, const struct roster_entry *endpoint, bool *more)
{
    enum store_status status = STORE_OK;
    bool found = true;
    for (int i = 0; i < CANCELLED_MAX && status == STORE_OK && found; i++) {
        struct store_op cancel = {.kind = STORE_CANCEL};
        sqlite3_bind_int64(store->sql[SQL_REMOVED_WAITING], 1, endpoint->id);
        status = sqlite_number(store, SQL_REMOVED_WAITING, &cancel.delivery.delivery_id, &found);
        if (!found)
            break;
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
        op->id = 0;
        return sqlite_result(op, STORE_CONFLICT);
    }
    store->counts.endpoints -= endpoint->url != NULL;
    return sqlite_run_ints(store, SQL_ENDPOINT_REMOVE, SQLITE_INTS(op->id, store->counts.event_id_max))
               ?: sqlite_user_changed(store, endpoint->owner->id)
               ?: sqlite_failing_save(store, endpoint, &(struct failing){0})
               ?: sqlite_jobs_cancel(store, op->id)
               ?: sqlite_run_ints(store, SQL_NOTICES_FORGET, SQLITE_INTS(op->id))
               ?: sqlite_hours_forget(store, op->id)
               ?: sqlite_tail_settle(store, endpoint)
               ?: cancel_waiting(store, endpoint, &more);
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
    return sqlite_rows_end(store, forget, STORE_OK);
}

enum store_status sqlite_removed_purge(struct store *store, bool *more)
{
    sqlite3_stmt *list = store->sql[SQL_REMOVED_LIST];
    enum store_status status = STORE_OK;
    bool any = false;
    while (status == STORE_OK && sqlite3_step(list) == SQLITE_ROW) {
        const struct roster_entry *endpoint = roster_get(&store->roster, sqlite3_column_int64(list, 0));
        any = true;
        if (endpoint && endpoint->work->counts.due_at_ms != ROSTER_NEVER)
            status = cancel_waiting(store, endpoint, more);
    }
    status = sqlite_rows_end(store, list, status);
    return any ? status ?: forget(store) : status;
}
