/*
 * Requests that made something with an Idempotency-Key (struct store_request): a row each, written with what
 * was made. There are few of them: an event has its key in its own row (key_lookup.c).
 */
#include "sqlite_parts.h"
#include <stdio.h>

static bool is_same(sqlite3_stmt *get, const struct store_request *request)
{
    const void *digest = sqlite3_column_blob(get, 0);
    return digest && sqlite3_column_bytes(get, 0) == (int)sizeof request->digest &&
           memcmp(digest, request->digest, sizeof request->digest) == 0;
}

enum store_status sqlite_request_find(struct store *store, struct store_op *op, bool *known)
{
    struct store_request *request = op->request;
    sqlite3_stmt *get = store->sql[SQL_REQUEST_GET];
    sqlite3_bind_int64(get, 1, request->requester_id);
    sqlite_bind_blob(get, 2, request->key);
    sqlite3_bind_int64(get, 3, store->counts.idempotency_before_ms);
    enum store_status status = sqlite_row(store, SQL_REQUEST_GET, known);
    if (status != STORE_OK || !*known)
        return status;
    op->result = is_same(get, request) ? STORE_REPLAYED : STORE_REUSED;
    if (op->result == STORE_REPLAYED) {
        const char *made = (const char *)sqlite3_column_text(get, 2);
        op->id = sqlite3_column_int64(get, 1);
        snprintf(request->made, sizeof request->made, "%s", made ? made : "");
    }
    sqlite3_reset(get);
    return STORE_OK;
}

enum store_status sqlite_request_keep(struct store *store, const struct store_op *op)
{
    const struct store_request *request = op->request;
    sqlite3_stmt *put = store->sql[SQL_REQUEST_PUT];
    sqlite3_bind_int64(put, 1, request->requester_id);
    sqlite_bind_blob(put, 2, request->key);
    sqlite_bind_blob(put, 3, bytes_make(request->digest, sizeof request->digest));
    sqlite3_bind_int64(put, 4, op->id);
    sqlite_bind_text(put, 5, bytes_of(request->made));
    sqlite3_bind_int64(put, 6, store->now.wall_ms);
    return sqlite_run(store, SQL_REQUEST_PUT);
}

/* Some of the oldest at once. Those that stay for now are not found any more. */
enum store_status sqlite_requests_forget(struct store *store, bool *more)
{
    enum store_status status = sqlite_run_ints(
        store, SQL_REQUEST_FORGET, SQLITE_INTS(store->counts.idempotency_before_ms, SQLITE_REQUESTS_AT_ONCE));
    int removed = status == STORE_OK ? sqlite3_changes(store->db) : 0;
    store->changed = store->changed || removed;
    *more = *more || removed == SQLITE_REQUESTS_AT_ONCE;
    return status;
}
