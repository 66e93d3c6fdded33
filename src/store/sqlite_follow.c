/*
 * Rows that follow their events. The tables `owned` and `resources` are in an order of their own, by owner,
 * so the rows of one batch would be spread over as many pages, each of them written to the log for a few
 * bytes: more than all the rest of a batch of 64. So both are brought up to date for many events at once,
 * sorted and many rows a statement; and a reader looks through the events that are ahead of them.
 */
#include "memory.h"
#include "sqlite_parts.h"
#include <assert.h>
#include <stdlib.h>

/* An event whose rows are not there yet. */
struct ahead_entry {
    int64_t owner_id, event_id;
    bool named;            /* it has the snapshot of its resource, or destroys it */
    struct bytes type, id; /* of that */
};

static void add(struct store *store, const struct ahead_entry *entry)
{
    struct ahead *ahead = &store->ahead;
    if (store->tally.ahead_count == ahead->cap) {
        ahead->cap = ahead->cap ? 2 * ahead->cap : 64;
        ahead->entries = memory_grow(ahead->entries, (size_t)ahead->cap * sizeof *ahead->entries);
    }
    struct ahead_entry *added = &ahead->entries[store->tally.ahead_count++];
    *added = *entry;
    if (!entry->named)
        return;
    added->type = arena_copy(&ahead->names, entry->type);
    added->id = arena_copy(&ahead->names, entry->id);
    assert(added->type.data && added->id.data);
}

enum store_status sqlite_ahead_add(struct store *store, const struct event *event, bool named)
{
    if (event->id > store->tally.followed_to) {
        add(store, &(struct ahead_entry){.owner_id = event->owner_id,
                                         .event_id = event->id,
                                         .named = named,
                                         .type = event->resource_type,
                                         .id = event->resource_id});
        return STORE_OK;
    }
    sqlite3_bind_int64(store->sql[SQL_OWNED_INSERT], 1, event->owner_id);
    sqlite3_bind_int64(store->sql[SQL_OWNED_INSERT], 2, event->id);
    return sqlite_run(store, SQL_OWNED_INSERT);
}

bool sqlite_ahead_overtaken(const struct store *store, const struct event *event)
{
    for (int i = store->tally.ahead_first; i < store->tally.ahead_count; i++) {
        const struct ahead_entry *entry = &store->ahead.entries[i];
        if (entry->named && entry->event_id > event->id && entry->owner_id == event->owner_id &&
            bytes_equal(entry->type, event->resource_type) && bytes_equal(entry->id, event->resource_id))
            return true;
    }
    return event->id <= store->tally.followed_to;
}

/* ---- the orders of the tables ---- */

static int order(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int order_text(struct bytes a, struct bytes b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int first = len ? memcmp(a.data, b.data, len) : 0;
    return first ? first : (a.len > b.len) - (a.len < b.len);
}

static int by_owner(const void *a, const void *b)
{
    const struct ahead_entry *left = *(struct ahead_entry *const *)a,
                             *right = *(struct ahead_entry *const *)b;
    int owner = order(left->owner_id, right->owner_id);
    return owner ? owner : order(left->event_id, right->event_id);
}

static int names(const struct ahead_entry *left, const struct ahead_entry *right)
{
    int owner = order(left->owner_id, right->owner_id);
    int type = owner ? owner : order_text(left->type, right->type);
    return type ? type : order_text(left->id, right->id);
}

static int by_name(const void *a, const void *b)
{
    const struct ahead_entry *left = *(struct ahead_entry *const *)a,
                             *right = *(struct ahead_entry *const *)b;
    int name = names(left, right);
    return name ? name : order(left->event_id, right->event_id);
}

/* ---- their rows ---- */

static void bind_owned(sqlite3_stmt *insert, int row, const struct ahead_entry *entry)
{
    sqlite3_bind_int64(insert, 2 * row + 1, entry->owner_id);
    sqlite3_bind_int64(insert, 2 * row + 2, entry->event_id);
}

static void bind_named(sqlite3_stmt *insert, int row, const struct ahead_entry *entry)
{
    sqlite3_bind_int64(insert, 4 * row + 1, entry->owner_id);
    sqlite_bind_text(insert, 4 * row + 2, entry->type);
    sqlite_bind_text(insert, 4 * row + 3, entry->id);
    sqlite3_bind_int64(insert, 4 * row + 4, entry->event_id);
}

/* Many at a time: a statement costs more than its row. */
static enum store_status insert(struct store *store, struct ahead_entry *const *entries, int count,
                                enum sql one, enum sql many,
                                void (*bind)(sqlite3_stmt *, int, const struct ahead_entry *))
{
    enum store_status status = STORE_OK;
    for (int i = 0, rows; i < count && status == STORE_OK; i += rows) {
        rows = count - i < SQL_MANY ? 1 : SQL_MANY;
        enum sql sql = rows == 1 ? one : many;
        for (int row = 0; row < rows; row++)
            bind(store->sql[sql], row, entries[i + row]);
        status = sqlite_run(store, sql);
    }
    return status;
}

enum store_status sqlite_follow(struct store *store)
{
    struct tally *tally = &store->tally;
    int count = tally->ahead_count - tally->ahead_first, named = 0;
    struct ahead_entry **sorted = memory_alloc((size_t)(count + 1) * sizeof *sorted);
    for (int i = 0; i < count; i++)
        sorted[i] = &store->ahead.entries[tally->ahead_first + i];
    qsort(sorted, (size_t)count, sizeof *sorted, by_owner);
    enum store_status status =
        insert(store, sorted, count, SQL_OWNED_INSERT, SQL_OWNED_INSERT_MANY, bind_owned);

    for (int i = 0; i < count; i++)
        if (sorted[i]->named)
            sorted[named++] = sorted[i];
    qsort(sorted, (size_t)named, sizeof *sorted, by_name);
    int latest = 0; /* of each name only the last */
    for (int i = 0; i < named; i++)
        if (i + 1 == named || names(sorted[i], sorted[i + 1]) != 0)
            sorted[latest++] = sorted[i];
    if (status == STORE_OK)
        status = insert(store, sorted, latest, SQL_RESOURCE_NAME, SQL_RESOURCE_NAME_MANY, bind_named);
    free(sorted);
    tally->ahead_first = tally->ahead_count;
    tally->followed_to = tally->event_id_max;
    return status;
}

void sqlite_ahead_committed(struct store *store)
{
    struct tally *tally = &store->tally;
    if (tally->ahead_first == 0 || tally->ahead_first < tally->ahead_count)
        return; /* new ones behind those that are done with: rare, and they all go with the next */
    tally->ahead_first = tally->ahead_count = 0;
    arena_reset(&store->ahead.names);
}

enum store_status sqlite_ahead_load(struct store *store)
{
    sqlite3_stmt *get = store->sql[SQL_AHEAD_GET];
    sqlite3_bind_int64(get, 1, store->tally.followed_to);
    while (sqlite3_step(get) == SQLITE_ROW)
        add(store, &(struct ahead_entry){.owner_id = sqlite3_column_int64(get, 0),
                                         .event_id = sqlite3_column_int64(get, 1),
                                         .named = sqlite3_column_int(get, 2),
                                         .type = sqlite_text(get, 3),
                                         .id = sqlite_text(get, 4)});
    int rc = sqlite3_reset(get);
    return rc == SQLITE_OK ? STORE_OK : sqlite_fault(store, rc);
}

void sqlite_ahead_fini(struct store *store)
{
    free(store->ahead.entries);
    arena_fini(&store->ahead.names);
}
