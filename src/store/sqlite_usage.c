/*
 * Usage: what each user has stored here and waiting, for the quotas. In memory it is exact, and undone with
 * its batch. On disk:
 *
 *   stored_bytes  `usage` has the sum of owned.bytes and of the lengths of resources.json, by user; it
 * changes in the transaction that changes those. The events behind `owned` are added at open resources
 * `usage` has the number of the user's rows in `resources` pending       the index of deliveries has it;
 * counted at open, when nothing is leased
 */
#include "sqlite_parts.h"

enum store_status sqlite_usage_save(struct store *store, int64_t user_id, struct usage change)
{
    if (change.stored_bytes == 0 && change.resources == 0)
        return STORE_OK;
    sqlite3_stmt *add = store->sql[SQL_USAGE_ADD];
    sqlite3_bind_int64(add, 1, user_id);
    sqlite3_bind_int64(add, 2, change.stored_bytes);
    sqlite3_bind_int64(add, 3, change.resources);
    return sqlite_run(store, SQL_USAGE_ADD);
}

enum store_status sqlite_usage_change(struct store *store, int64_t user_id, struct usage change)
{
    struct endpoint *endpoint = roster_get(&store->roster, user_id);
    if (endpoint)
        roster_use(&store->roster, endpoint, change);
    return sqlite_usage_save(store, user_id, change);
}

static enum store_status load(struct store *store, enum sql sql, bool pending)
{
    sqlite3_stmt *rows = store->sql[sql];
    while (sqlite3_step(rows) == SQLITE_ROW) {
        struct endpoint *endpoint = roster_get(&store->roster, sqlite3_column_int64(rows, 0));
        int64_t first = sqlite3_column_int64(rows, 1);
        struct usage usage = {.stored_bytes = first, .resources = sqlite3_column_int64(rows, 2)};
        if (pending)
            usage = (struct usage){.pending = first};
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
