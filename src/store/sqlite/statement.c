/* Below all other files of the backend: statements and their columns, what a result code means, the clocks.
 */
#include "memory.h"
#include "sqlite_parts.h"
#include <assert.h>

enum { FAULT_QUIET_MS = 10 * 1000 };

#define SQL_TEXT(symbol, text) text,
static const char *const sql_texts[SQL_COUNT] = {SQL_LIST(SQL_TEXT)};
#undef SQL_TEXT

/* ---- what a result code means ---- */

static enum store_status meaning_of(int rc)
{
    switch (rc) {
    case SQLITE_IOERR_SHMSIZE: /* no room for the log's index, which is no data */
        return STORE_FULL;
    case SQLITE_IOERR_READ: /* a sector that cannot be read, or is not there: nothing was written */
    case SQLITE_IOERR_SHORT_READ:
    case SQLITE_IOERR_DATA:
    case SQLITE_IOERR_CORRUPTFS:
        return STORE_DAMAGED;
    default:
        break;
    }
    switch (rc & 0xff) {
    case SQLITE_FULL:
        return STORE_FULL;
    case SQLITE_BUSY: /* somebody's sqlite3 shell holds the write lock */
        return STORE_DOWN;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_CONSTRAINT: /* no server writes what breaks one: something else stands in the tables */
    case SQLITE_MISMATCH:
    case SQLITE_TOOBIG:
    case SQLITE_ERROR: /* our statements fit our tables: what the file says of them is damaged */
    case SQLITE_SCHEMA:
        return STORE_DAMAGED;
    case SQLITE_CANTOPEN: /* no business of the disk: whose file it is, and who we are */
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_READONLY:
        return STORE_REFUSED;
    default:
        return STORE_BROKEN;
    }
}

/* A damaged page may be met by each request: a line in a while says so. */
static void tell_fault(struct store *store, const char *sentence, int rc, bool at_once)
{
    int64_t now_ms = clock_mono_ms(&store->config.clock);
    pthread_mutex_lock(&store->published_lock);
    bool due = at_once || store->fault_told_ms == 0 || now_ms - store->fault_told_ms >= FAULT_QUIET_MS;
    int untold = store->faults_untold;
    store->faults_untold = due ? 0 : untold + 1;
    store->fault_told_ms = due ? now_ms : store->fault_told_ms;
    pthread_mutex_unlock(&store->published_lock);
    if (due)
        log_write(store->config.log, LOG_LEVEL_ERROR, "store", "sqlite: %s code=%d left_out=%d path=%s",
                  sentence, rc, untold, store->path);
    if ((rc & 0xff) == SQLITE_NOMEM)
        memory_exhausted();
}

enum store_status sqlite_fault(struct store *store, int rc)
{
    assert(rc != SQLITE_OK && rc != SQLITE_ROW && rc != SQLITE_DONE);
    assert(rc != SQLITE_MISUSE && rc != SQLITE_RANGE);
    bool latest = store->db && sqlite3_extended_errcode(store->db) == rc;
    const char *sentence = latest ? sqlite3_errmsg(store->db) : sqlite3_errstr(rc);
    enum store_status status = meaning_of(rc);
    bool passes = status == STORE_FULL || status == STORE_DOWN;
    tell_fault(store, sentence, rc, !passes);
    if (status == STORE_REFUSED)
        sqlite_refuse(store, "SQLite may not use the database or its log (%s)", sentence);
    if (!passes)
        store->broken_by = status;
    return status;
}

enum store_status sqlite_fault_of_reader(struct store *store, sqlite3 *db, int rc)
{
    tell_fault(store, sqlite3_errmsg(db), rc, false);
    enum store_status status = meaning_of(rc);
    return status == STORE_REFUSED ? STORE_DOWN : status;
}

/* ---- statements ---- */

enum store_status sqlite_prepare(struct store *store)
{
    for (int i = 0; i < SQL_COUNT; i++) {
        int rc =
            sqlite3_prepare_v3(store->db, sql_texts[i], -1, SQLITE_PREPARE_PERSISTENT, &store->sql[i], NULL);
        if (rc != SQLITE_OK)
            return sqlite_fault(store, rc);
    }
    return STORE_OK;
}

enum store_status sqlite_rows_end(struct store *store, sqlite3_stmt *rows, enum store_status status)
{
    int rc = sqlite3_reset(rows);
    return status != STORE_OK || rc == SQLITE_OK ? status : sqlite_fault(store, rc);
}

enum store_status sqlite_run(struct store *store, enum sql sql)
{
    sqlite3_step(store->sql[sql]);
    return sqlite_rows_end(store, store->sql[sql], STORE_OK);
}

enum store_status sqlite_row(struct store *store, enum sql sql, bool *found)
{
    *found = sqlite3_step(store->sql[sql]) == SQLITE_ROW;
    return *found ? STORE_OK : sqlite_rows_end(store, store->sql[sql], STORE_OK);
}

enum store_status sqlite_number(struct store *store, enum sql sql, int64_t *number, bool *found)
{
    enum store_status status = sqlite_row(store, sql, found);
    if (*found) {
        *number = sqlite3_column_int64(store->sql[sql], 0);
        sqlite3_reset(store->sql[sql]);
    }
    return status;
}

void sqlite_bind_text(sqlite3_stmt *statement, int at, struct bytes text)
{
    sqlite3_bind_text(statement, at, text.len ? text.data : "", (int)text.len, SQLITE_STATIC);
}

void sqlite_bind_blob(sqlite3_stmt *statement, int at, struct bytes blob)
{
    sqlite3_bind_blob(statement, at, blob.len ? blob.data : "", (int)blob.len, SQLITE_STATIC);
}

void sqlite_bind_optional(sqlite3_stmt *statement, int at, struct bytes text)
{
    if (text.len > 0)
        sqlite_bind_text(statement, at, text);
    else
        sqlite3_bind_null(statement, at);
}

void sqlite_bind_time(sqlite3_stmt *statement, int at, int64_t at_ms)
{
    if (at_ms)
        sqlite3_bind_int64(statement, at, at_ms);
    else
        sqlite3_bind_null(statement, at);
}

struct bytes sqlite_text(sqlite3_stmt *statement, int column)
{
    const void *data = sqlite3_column_blob(statement, column);
    return bytes_make(data, data ? (size_t)sqlite3_column_bytes(statement, column) : 0);
}

/* ---- clocks and ids ---- */

struct moment sqlite_now(const struct store *store)
{
    int64_t mono_ms = clock_mono_ms(&store->config.clock);
    int64_t up_ms = mono_ms - store->mono_at_open_ms;
    return (struct moment){.wall_ms = clock_wall_ms(&store->config.clock),
                           .mono_ms = mono_ms,
                           .due_ms = store->due_at_open_ms + up_ms,
                           .service_ms = store->service_at_open_ms + up_ms};
}

int64_t sqlite_next_id(struct store *store)
{
    return store->counts.event_id_max = ids_next(&store->ids, store->now.wall_ms);
}
