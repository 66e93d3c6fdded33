/* What waits first for an endpoint in the table; and the line of an ordered one: schema.c, deliveries.due_at
 * and not_before. */
#include "sqlite_parts.h"

/* The due time of the first by this statement, if it is earlier. */
static enum store_status first_due(struct store *store, enum sql sql, int64_t endpoint_id, int64_t *due_at_ms)
{
    int64_t due_ms = ROSTER_NEVER;
    bool waits = false;
    sqlite3_bind_int64(store->sql[sql], 1, endpoint_id);
    enum store_status status = sqlite_number(store, sql, &due_ms, &waits);
    if (waits && due_ms < *due_at_ms)
        *due_at_ms = due_ms;
    return status;
}

enum store_status sqlite_roster_due(struct store *store, struct roster_entry *endpoint)
{
    int64_t due_at_ms = ROSTER_NEVER, id = endpoint->id;
    enum store_status status = roster_is_ordered(endpoint)
                                   ? first_due(store, SQL_LINE_FIRST, id, &due_at_ms)
                                         ?: first_due(store, SQL_LINE_BESIDE, id, &due_at_ms)
                                   : first_due(store, SQL_DUE_NEXT, id, &due_at_ms);
    if (status == STORE_OK)
        roster_waits_first(&store->roster, endpoint, due_at_ms);
    return status;
}

enum store_status sqlite_waits(struct store *store, struct roster_entry *endpoint, int64_t due_at_ms)
{
    if (roster_is_ordered(endpoint))
        return sqlite_roster_due(store, endpoint);
    roster_waits(&store->roster, endpoint, due_at_ms);
    return STORE_OK;
}

/* ---- the line ---- */

/* A transaction: all others wait for it. */
enum { MOVED_MAX = 4096, MOVES_REST_MS = 20 };

enum store_status sqlite_line_move(struct store *store, struct roster_entry *endpoint, bool *moved)
{
    enum sql sql = roster_is_ordered(endpoint) ? SQL_LINE_JOIN : SQL_LINE_LEAVE;
    enum store_status status =
        sqlite_run_ints(store, sql, SQLITE_INTS(endpoint->id, store->now.due_ms, MOVED_MAX));
    int count = status == STORE_OK ? sqlite3_changes(store->db) : 0;
    *moved = count > 0;
    if (count == 0)
        return status;
    store->changed = true;
    store->plain = false;
    if (count == MOVED_MAX)
        roster_rests(&store->roster, endpoint, MOVES_REST_MS);
    return sqlite_roster_due(store, endpoint);
}

enum store_status sqlite_line_first(struct store *store, const struct roster_entry *endpoint, int64_t *id)
{
    bool found = false;
    int64_t first = 0;
    *id = 0;
    if (!roster_is_ordered(endpoint))
        return STORE_OK;
    sqlite_bind_ints(store->sql[SQL_LINE_HELD_BY], SQLITE_INTS(endpoint->id));
    enum store_status status = sqlite_number(store, SQL_LINE_HELD_BY, &first, &found);
    *id = found ? first : 0;
    const struct lease *out;
    TAILQ_FOREACH(out, &endpoint->work->out, sibling)
    {
        if (out->row.state == DELIVERY_PENDING && (*id == 0 || out->delivery_id < *id))
            *id = out->delivery_id;
    }
    return status;
}
