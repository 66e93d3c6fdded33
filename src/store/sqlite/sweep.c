/*
 * Sweeping: what purges leave behind for later, because it is spread over pages of its own order. Rows of
 * `owned` whose event is gone go when there are many of one owner, or of all owners, or nothing else is to
 * do; what a user has stored is less from then on. And snapshots that nobody has changed for long, which no
 * event has any more.
 */
#include "memory.h"
#include "sqlite_parts.h"
#include <stdio.h>
#include <stdlib.h>

enum { DEAD_OF_ONE_MAX = 256, DEAD_OF_ALL_MAX = 32768, SWEEP_ROWS_MAX = 1024, SWEEP_OWNERS_MAX = 128 };

/* Rows of one owner whose events are gone. */
struct run {
    int64_t first, last; /* their events' */
};

struct look {
    struct run runs[SWEEP_ROWS_MAX / 2 + 1];
    int runs_count, rows_dead, rows;
    int64_t bytes; /* of those that are dead */
    int64_t to;    /* the last row */
    int64_t there; /* no event is below it, as far as has been asked */
};

/* The first event at or behind `id`. Events below it are gone, whoever owned them. */
static enum store_status ask_there(struct store *store, int64_t id, int64_t *there)
{
    bool found = false;
    *there = INT64_MAX;
    sqlite3_bind_int64(store->sql[SQL_SWEEP_THERE], 1, id);
    return sqlite_number(store, SQL_SWEEP_THERE, there, &found);
}

static enum store_status look_at_rows(struct store *store, int64_t owner_id, int64_t from, struct look *look)
{
    sqlite3_stmt *row = store->sql[SQL_SWEEP_ROWS];
    enum store_status status = STORE_OK;
    bool run_on = false;
    sqlite_bind_ints(row, SQLITE_INTS(owner_id, from, store->counts.purged_to, SWEEP_ROWS_MAX));
    for (; status == STORE_OK && sqlite3_step(row) == SQLITE_ROW; look->rows++) {
        int64_t id = sqlite3_column_int64(row, 0);
        look->to = id;
        if (id > look->there)
            status = ask_there(store, id, &look->there);
        bool dead = id < look->there;
        if (dead && !run_on)
            look->runs[look->runs_count++].first = id;
        if (dead)
            look->runs[look->runs_count - 1].last = id;
        look->rows_dead += dead;
        look->bytes += dead ? sqlite3_column_int64(row, 1) : 0;
        run_on = dead;
    }
    return sqlite_rows_end(store, row, status);
}

/* Up to SWEEP_ROWS_MAX rows of one owner, behind those that were looked at before. *left: there are more. */
static enum store_status sweep_owner(struct store *store, int64_t owner_id, bool *left)
{
    struct roster_owner *owner = roster_owner(&store->roster, owner_id);
    int64_t from = owner ? owner->counts.swept_to : 0;
    struct look look = {.there = from};
    enum store_status status = look_at_rows(store, owner_id, from, &look);
    *left =
        look.rows == SWEEP_ROWS_MAX && look.to > from; /* else it is damaged, and would be found for ever */
    for (int i = 0; i < look.runs_count && status == STORE_OK; i++)
        status = sqlite_run_ints(store, SQL_SWEEP_RUN,
                                 SQLITE_INTS(owner_id, look.runs[i].first, look.runs[i].last));
    if (status != STORE_OK)
        return status;
    store->counts.dead -= look.rows_dead < store->counts.dead ? look.rows_dead : store->counts.dead;
    store->changed = store->changed || look.rows_dead > 0;
    if (owner)
        roster_swept(&store->roster, owner, *left ? look.to : store->counts.purged_to);
    return sqlite_usage_change(store, owner_id, (struct user_usage){.stored_bytes = -look.bytes});
}

enum store_status sqlite_sweep_dead(struct store *store, int64_t owner_id, int64_t event_id)
{
    struct roster_owner *owner = roster_owner(&store->roster, owner_id);
    store->counts.dead++;
    if (!owner)
        return STORE_OK;
    if (event_id <=
        owner->counts.swept_to) { /* it was passed over, and the sweep does not come back for it */
        int64_t bytes = 0;
        bool found = false;
        sqlite_bind_ints(store->sql[SQL_SWEEP_ONE], SQLITE_INTS(owner_id, event_id));
        enum store_status status = sqlite_number(store, SQL_SWEEP_ONE, &bytes, &found);
        store->counts.dead--;
        if (status != STORE_OK || !found)
            return status;
        return sqlite_usage_change(store, owner_id, (struct user_usage){.stored_bytes = -bytes});
    }
    bool left = false;
    return roster_dead(&store->roster, owner) < DEAD_OF_ONE_MAX ? STORE_OK
                                                                : sweep_owner(store, owner_id, &left);
}

/* Owner by owner, in the order of the table. */
static enum store_status sweep_owners(struct store *store, bool *done)
{
    enum store_status status = STORE_OK;
    *done = false;
    for (int i = 0; i < SWEEP_OWNERS_MAX && status == STORE_OK && !*done; i++) {
        int64_t owner_id = 0;
        bool found = false, left = false;
        sqlite3_bind_int64(store->sql[SQL_SWEEP_NEXT], 1, store->sweep_owner);
        status = sqlite_number(store, SQL_SWEEP_NEXT, &owner_id, &found);
        *done = status == STORE_OK && (!found || owner_id <= store->sweep_owner); /* the rest are damaged */
        if (!found || *done)
            break;
        status = sweep_owner(store, owner_id, &left);
        if (left && roster_owner(&store->roster, owner_id))
            break; /* the rest of this one next time; of a user that is none, nobody knows where to go on */
        store->sweep_owner = owner_id;
    }
    return status;
}

/* ---- snapshots that stand by themselves ---- */

static enum store_status sweep_resources(struct store *store, int64_t before_ms)
{
    sqlite3_stmt *scan = store->sql[SQL_SWEEP_RESOURCES];
    struct sweep_name *rows = memory_zero(SWEEP_ROWS_MAX, sizeof *rows);
    const struct sweep_name from = store->sweep_resource;
    struct sweep_name *at = &store->sweep_resource;
    int count = 0, seen = 0;
    sqlite3_bind_int64(scan, 1, from.owner_id);
    sqlite_bind_text(scan, 2, bytes_of(from.type));
    sqlite_bind_text(scan, 3, bytes_of(from.id));
    sqlite3_bind_int(scan, 4, SWEEP_ROWS_MAX / 4);
    sqlite3_bind_int64(scan, 5, before_ms);
    for (; sqlite3_step(scan) == SQLITE_ROW; seen++) {
        struct sweep_name *row = &rows[count];
        row->owner_id = sqlite3_column_int64(scan, 0);
        snprintf(row->type, sizeof row->type, "%s", (const char *)sqlite3_column_text(scan, 1));
        snprintf(row->id, sizeof row->id, "%s", (const char *)sqlite3_column_text(scan, 2));
        *at = *row;
        count += sqlite3_column_int(scan, 3) != 0;
    }
    if (seen < SWEEP_ROWS_MAX / 4)
        *at = (struct sweep_name){0};
    enum store_status status = sqlite_rows_end(store, scan, STORE_OK);
    for (int i = 0; i < count && status == STORE_OK; i++)
        status = sqlite_resource_drop(store, rows[i].owner_id, bytes_of(rows[i].type), bytes_of(rows[i].id));
    store->changed = store->changed || count > 0;
    free(rows);
    return status;
}

enum store_status sqlite_sweep(struct store *store, struct store_op *op)
{
    enum store_status status = STORE_OK;
    bool idle = !op->purge.more;
    if (idle || store->sweeping || store->counts.dead >= DEAD_OF_ALL_MAX) {
        bool dead = store->counts.dead > 0 || !store->swept_once || store->sweeping, done = true;
        if (dead)
            status = sweep_owners(store, &done);
        store->sweeping = !done;
        if (status == STORE_OK && done && dead) {
            store->swept_once = true;
            store->sweep_owner = 0;
            store->counts.dead = 0;
        }
        op->purge.more = op->purge.more || !done;
    }
    if (status == STORE_OK && idle && op->purge.resources_before_ms > 0)
        status = sweep_resources(store, op->purge.resources_before_ms);
    return status;
}
