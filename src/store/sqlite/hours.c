/* What happened to each endpoint's deliveries, by hour: rows of endpoint_hours (gathered.h, hour.h). */
#include "sqlite_parts.h"

/* Rows that a PURGE removes. */
enum { PURGED_MAX = 1024 };

bool sqlite_take_hour(sqlite3_stmt *row, struct arena *arena, void *out)
{
    struct hour *hour = out;
    *hour = (struct hour){.hour = sqlite3_column_int64(row, 0)};
    for (int i = 0; i < HOUR_KINDS; i++)
        hour->counts[i] = sqlite3_column_int64(row, 1 + i);
    hour_bound(hour);
    (void)hour_load_answers(hour, sqlite_text(row, 1 + HOUR_KINDS)); /* of damaged ones, what makes sense */
    return true;
}

static enum store_status put(struct store *store, int64_t endpoint_id, const struct hour *hour)
{
    unsigned char answers[HOUR_ANSWERS_LEN_MAX];
    size_t len = hour_save_answers(hour, answers);
    sqlite_bind_ints(store->sql[SQL_HOUR_PUT],
                     SQLITE_INTS(hour->hour, endpoint_id, hour->counts[HOUR_ACCEPTED],
                                 hour->counts[HOUR_DELIVERED], hour->counts[HOUR_FAILED],
                                 hour->counts[HOUR_GIVEN_UP], hour->counts[HOUR_CANCELLED]));
    sqlite_bind_blob(store->sql[SQL_HOUR_PUT], 8, bytes_make((const char *)answers, len));
    return sqlite_run(store, SQL_HOUR_PUT);
}

/* Adds it to its row. */
static enum store_status write_out(struct store *store, struct gathered_out *out)
{
    struct hour hour = {0};
    bool found = false;
    sqlite_bind_ints(store->sql[SQL_HOUR_GET], SQLITE_INTS(out->sums.hour, out->endpoint_id));
    enum store_status status = sqlite_row(store, SQL_HOUR_GET, &found);
    if (status != STORE_OK)
        return status;
    if (found) {
        sqlite_take_hour(store->sql[SQL_HOUR_GET], NULL, &hour);
        sqlite3_reset(store->sql[SQL_HOUR_GET]);
    }
    hour.hour = out->sums.hour;
    gathered_add(out, &hour);
    out->done = true;
    store->changed = true;
    return put(store, out->endpoint_id, &hour);
}

static enum store_status write_outs(struct store *store)
{
    enum store_status status = STORE_OK;
    for (int i = 0; i < store->gathered.out_count && status == STORE_OK; i++)
        if (!store->gathered.outs[i].done)
            status = write_out(store, &store->gathered.outs[i]);
    return status;
}

void sqlite_hours_note(struct store *store, const struct roster_entry *endpoint, enum hour_kind kind,
                       int bucket)
{
    if (!endpoint->removed && (kind != HOUR_KINDS || bucket != HOUR_NO_ANSWER))
        gathered_note(&store->gathered, endpoint->id, kind, bucket);
}

enum store_status sqlite_hours_write(struct store *store)
{
    gathered_some(&store->gathered);
    return write_outs(store);
}

enum store_status sqlite_hours_write_of(struct store *store, int64_t endpoint_id)
{
    gathered_one(&store->gathered, endpoint_id);
    return write_outs(store);
}

void sqlite_hours_end(struct store *store)
{
    enum store_status status = STORE_OK;
    for (;;) {
        gathered_begin(&store->gathered, store->now.mono_ms, store->now.wall_ms);
        if (status != STORE_OK || !gathered_rest(&store->gathered))
            break;
        status = sqlite_run(store, SQL_BEGIN) ?: write_outs(store) ?: sqlite_run(store, SQL_COMMIT);
        if (status == STORE_OK)
            gathered_commit(&store->gathered);
        else
            gathered_undo(&store->gathered);
    }
}

enum store_status sqlite_hours_forget(struct store *store, int64_t endpoint_id)
{
    gathered_drop(&store->gathered, endpoint_id);
    return sqlite_run_ints(store, SQL_HOURS_FORGET, SQLITE_INTS(endpoint_id));
}

/* The first hour, or the last one, if it is too far away. *hour 0: neither is. */
static enum store_status outside(struct store *store, int64_t *hour)
{
    int64_t now = hour_of(store->now.wall_ms);
    bool found = false;
    enum store_status status = sqlite_row(store, SQL_HOURS_ENDS, &found);
    *hour = 0;
    if (!found)
        return status;
    int64_t first = sqlite3_column_int64(store->sql[SQL_HOURS_ENDS], 0);
    int64_t last = sqlite3_column_int64(store->sql[SQL_HOURS_ENDS], 1);
    sqlite3_reset(store->sql[SQL_HOURS_ENDS]);
    *hour = first <= now - HOURS_KEPT ? first : last > now + HOURS_KEPT ? last : 0;
    return STORE_OK;
}

enum store_status sqlite_hours_purge(struct store *store, bool *more)
{
    int64_t hour, to = INT64_MAX;
    bool found = false;
    enum store_status status = outside(store, &hour);
    if (status != STORE_OK || hour == 0)
        return status;
    sqlite_bind_ints(store->sql[SQL_HOURS_PART], SQLITE_INTS(hour, PURGED_MAX));
    status = sqlite_number(store, SQL_HOURS_PART, &to, &found)
                 ?: sqlite_run_ints(store, SQL_HOURS_PURGE, SQLITE_INTS(hour, found ? to : INT64_MAX));
    bool gone = status == STORE_OK && sqlite3_changes(store->db) > 0;
    store->changed = store->changed || gone;
    *more = *more || gone;
    return status;
}

enum store_status sqlite_oldest_waiting(struct store *store, const struct roster_entry *endpoint,
                                        int64_t *at_ms)
{
    int64_t event_id = 0, id = INT64_MAX;
    bool found = false;
    sqlite3_stmt *first = store->sql[SQL_WAITING_FIRST];
    sqlite3_bind_int64(first, 1, endpoint->id);
    enum store_status status = sqlite_row(store, SQL_WAITING_FIRST, &found);
    if (status != STORE_OK)
        return status;
    if (found) {
        id = sqlite3_column_int64(first, 0);
        event_id = sqlite3_column_int64(first, 1);
        sqlite3_reset(first);
    }
    const struct endpoint_leases *const lists[] = {&endpoint->work->out, &endpoint->work->tail.list};
    for (int i = 0; i < 2; i++) {
        const struct lease *lease;
        TAILQ_FOREACH(lease, lists[i], sibling)
        {
            event_id = lease->delivery_id < id ? lease->event_id : event_id;
            id = lease->delivery_id < id ? lease->delivery_id : id;
        }
    }
    sqlite3_bind_int64(store->sql[SQL_EVENT_RECEIVED], 1, event_id);
    status = sqlite_number(store, SQL_EVENT_RECEIVED, at_ms, &found);
    if (!found || *at_ms < 0)
        *at_ms = 0;
    return status;
}
