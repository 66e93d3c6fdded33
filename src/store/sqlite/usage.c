/*
 * Usage: what each user has stored here and waiting, for the quotas. In memory it is exact, and undone with
 * its batch. On disk:
 *
 *   stored_bytes  `usage` has the sum of owned.bytes and of the lengths of resources.json, by user; it
 *                 changes in the transaction that changes those. The events behind `owned` are added at open
 *   resources     `usage` has the number of the user's rows in `resources`
 *   pending       the index of deliveries has it: what it had at open, when nothing was leased, is counted
 *                 between batches, in a read transaction of its own, and added to what has changed since
 */
#include "sqlite_parts.h"

/* 1 ms. A backlog of fewer rows is counted before the store is open. */
enum { COUNT_ROWS = 8192 };

enum store_status sqlite_usage_save(struct store *store, int64_t user_id, struct user_usage change)
{
    if (change.stored_bytes == 0 && change.resources == 0)
        return STORE_OK;
    return sqlite_run_ints(store, SQL_USAGE_ADD, SQLITE_INTS(user_id, change.stored_bytes, change.resources));
}

enum store_status sqlite_usage_change(struct store *store, int64_t user_id, struct user_usage change)
{
    struct roster_owner *owner = roster_owner(&store->roster, user_id);
    if (owner)
        roster_use(&store->roster, owner, change.stored_bytes, change.resources);
    return sqlite_usage_save(store, user_id, change);
}

/* ---- what waits ---- */

void sqlite_counting_end(struct store *store)
{
    sqlite3_finalize(store->counting.rows);
    sqlite3_finalize(store->counting.one);
    sqlite3_close(store->counting.db);
    store->counting = (struct counting){0};
}

enum store_status sqlite_count_endpoint(struct store *store, struct roster_entry *endpoint)
{
    sqlite3_stmt *one = store->counting.one;
    if (!store->counting.db || endpoint->counted)
        return STORE_OK;
    sqlite3_bind_int64(one, 1, endpoint->id);
    int64_t waiting = sqlite3_step(one) == SQLITE_ROW ? sqlite3_column_int64(one, 0) : 0;
    roster_counted(&store->roster, endpoint, waiting);
    return sqlite_rows_end(store, one, STORE_OK);
}

/* All rows of an endpoint have been seen. */
static void count_add(struct store *store)
{
    struct counting *counting = &store->counting;
    struct roster_entry *endpoint = roster_get(&store->roster, counting->endpoint_id);
    if (endpoint && !endpoint->counted)
        roster_counted(&store->roster, endpoint, counting->waiting);
    counting->waiting = 0;
}

/* It waits for a time that is none: it would wait for ever. A slice is one transaction. */
static enum store_status mend_due(struct store *store, int64_t delivery_id, int64_t endpoint_id)
{
    struct roster_entry *endpoint = roster_get(&store->roster, endpoint_id);
    enum store_status status = STORE_OK;
    if (sqlite3_get_autocommit(store->db))
        status = sqlite_run(store, SQL_BEGIN);
    status = status ?: sqlite_run_ints(store, SQL_DUE_MEND, SQLITE_INTS(store->now.due_ms, delivery_id));
    return status == STORE_OK && endpoint ? sqlite_roster_due(store, endpoint) : status;
}

enum store_status sqlite_count_some(struct store *store)
{
    struct counting *counting = &store->counting;
    if (!counting->db)
        return STORE_OK;
    enum store_status status = STORE_OK;
    int rc = SQLITE_ROW;
    for (int i = 0; i < COUNT_ROWS && status == STORE_OK && rc == SQLITE_ROW; i++) {
        rc = sqlite3_step(counting->rows);
        int64_t endpoint_id = rc == SQLITE_ROW ? sqlite3_column_int64(counting->rows, 0) : 0;
        if (endpoint_id != counting->endpoint_id)
            count_add(store);
        counting->endpoint_id = endpoint_id;
        counting->waiting++;
        if (rc == SQLITE_ROW && sqlite3_column_type(counting->rows, 1) != SQLITE_INTEGER)
            status = mend_due(store, sqlite3_column_int64(counting->rows, 2), endpoint_id);
    }
    if (rc != SQLITE_ROW)
        sqlite_counting_end(store);
    if (status == STORE_OK && !sqlite3_get_autocommit(store->db))
        status = sqlite_run(store, SQL_COMMIT);
    return status != STORE_OK || rc == SQLITE_ROW || rc == SQLITE_DONE ? status : sqlite_fault(store, rc);
}

/* Its first step begins the transaction: what it sees is what the tables hold now. */
static enum store_status count_begin(struct store *store)
{
    static const char rows[] = "SELECT queue, due_at, id FROM deliveries WHERE queue > 0 ORDER BY queue";
    static const char one[] = "SELECT count(*) FROM deliveries WHERE queue = ?1";
    struct counting *counting = &store->counting;
    int rc = sqlite_connect(store->path, NULL, &counting->db);
    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v2(counting->db, rows, -1, &counting->rows, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v2(counting->db, one, -1, &counting->one, NULL);
    return rc == SQLITE_OK ? sqlite_count_some(store) : sqlite_fault(store, rc);
}

enum store_status sqlite_usage_load(struct store *store)
{
    sqlite3_stmt *rows = store->sql[SQL_USAGE_LOAD];
    while (sqlite3_step(rows) == SQLITE_ROW) {
        struct roster_owner *owner = roster_owner(&store->roster, sqlite3_column_int64(rows, 0));
        if (owner)
            roster_use(&store->roster, owner, sqlite3_column_int64(rows, 1), sqlite3_column_int64(rows, 2));
    }
    return sqlite_rows_end(store, rows, STORE_OK) ?: count_begin(store);
}
