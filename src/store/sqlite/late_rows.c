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
    int64_t bytes; /* of its document */
    enum snapshot snapshot;
    struct bytes type, id; /* of that resource */
};

static void add(struct store *store, const struct ahead_entry *entry)
{
    struct ahead *ahead = &store->ahead;
    ahead->entries =
        memory_room(ahead->entries, store->counts.ahead_count, &ahead->cap, sizeof *ahead->entries);
    struct ahead_entry *added = &ahead->entries[store->counts.ahead_count++];
    *added = *entry;
    if (entry->snapshot == SNAPSHOT_NONE)
        return;
    added->type = arena_copy(&ahead->names, entry->type);
    added->id = arena_copy(&ahead->names, entry->id);
    assert(added->type.data && added->id.data);
}

void sqlite_ahead_add(struct store *store, const struct event *event, enum snapshot snapshot)
{
    assert(event->id > store->counts.followed_to);
    add(store, &(struct ahead_entry){.owner_id = event->owner_id,
                                     .event_id = event->id,
                                     .bytes = (int64_t)event->document.len,
                                     .snapshot = snapshot,
                                     .type = event->resource_type,
                                     .id = event->resource_id});
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

/* One owner's events, or one resource's, are in order as they come: then a look is all it takes. */
static void sort(struct ahead_entry **entries, int count, int (*by)(const void *a, const void *b))
{
    for (int i = 1; i < count; i++) {
        if (by(&entries[i - 1], &entries[i]) > 0) {
            qsort(entries, (size_t)count, sizeof *entries, by);
            return;
        }
    }
}

/* ---- their rows ---- */

static void bind_owned(sqlite3_stmt *insert, int row, const struct ahead_entry *entry)
{
    sqlite3_bind_int64(insert, 3 * row + 1, entry->owner_id);
    sqlite3_bind_int64(insert, 3 * row + 2, entry->event_id);
    sqlite3_bind_int64(insert, 3 * row + 3, entry->bytes);
}

static void bind_named(sqlite3_stmt *insert, int row, const struct ahead_entry *entry)
{
    sqlite3_bind_int64(insert, 4 * row + 1, entry->owner_id);
    sqlite_bind_text(insert, 4 * row + 2, entry->type);
    sqlite_bind_text(insert, 4 * row + 3, entry->id);
    sqlite3_bind_int64(insert, 4 * row + 4, entry->event_id);
}

/* The change of the owners' usage by the rows, in the order of the owners. */
struct usages {
    struct owner_usage {
        int64_t owner_id;
        struct user_usage change;
    } * list;
    int count, at; /* at: where the owner that was asked for last is */
};

static struct user_usage *usage_of(struct usages *usages, int64_t owner_id)
{
    while (usages->at < usages->count && usages->list[usages->at].owner_id < owner_id)
        usages->at++;
    if (usages->at == usages->count)
        usages->list[usages->count++] = (struct owner_usage){.owner_id = owner_id};
    assert(usages->list[usages->at].owner_id == owner_id);
    return &usages->list[usages->at].change;
}

static void usage_add(struct store *store, struct usages *usages, int64_t owner_id,
                      const struct user_usage *change)
{
    struct user_usage *usage = usage_of(usages, owner_id);
    struct roster_owner *owner = roster_owner(&store->roster, owner_id);
    usage->stored_bytes += change->stored_bytes;
    usage->resources += change->resources;
    if (owner)
        roster_use(&store->roster, owner, change->stored_bytes, change->resources);
}

/* Runs a statement about resources of ascending owners. A row of its answer: the owner, and NULL for a new
 * row, else the bytes that are free, negative. */
static enum store_status run_named(struct store *store, enum sql sql, struct usages *usages)
{
    sqlite3_stmt *rows = store->sql[sql];
    while (sqlite3_step(rows) == SQLITE_ROW) {
        struct user_usage change = {.stored_bytes = sqlite3_column_int64(rows, 1),
                                    .resources = sqlite3_column_type(rows, 1) == SQLITE_NULL};
        usage_add(store, usages, sqlite3_column_int64(rows, 0), &change);
    }
    return sqlite_rows_end(store, rows, STORE_OK);
}

/* Many at a time: a statement costs more than its row. */
static enum store_status write_owned(struct store *store, struct ahead_entry *const *entries, int count,
                                     struct usages *usages)
{
    enum store_status status = STORE_OK;
    for (int i = 0, rows; i < count && status == STORE_OK; i += rows) {
        rows = count - i < SQL_MANY ? 1 : SQL_MANY;
        enum sql sql = rows == 1 ? SQL_OWNED_INSERT : SQL_OWNED_INSERT_MANY;
        for (int row = 0; row < rows; row++) {
            bind_owned(store->sql[sql], row, entries[i + row]);
            usage_of(usages, entries[i + row]->owner_id)->stored_bytes += entries[i + row]->bytes;
        }
        status = sqlite_run(store, sql);
    }
    return status;
}

enum store_status sqlite_resource_remove(struct store *store, int64_t owner_id, struct bytes type,
                                         struct bytes id, int64_t *bytes, bool *found)
{
    sqlite3_stmt *remove = store->sql[SQL_RESOURCE_DELETE];
    sqlite3_bind_int64(remove, 1, owner_id);
    sqlite_bind_text(remove, 2, type);
    sqlite_bind_text(remove, 3, id);
    return sqlite_number(store, SQL_RESOURCE_DELETE, bytes, found);
}

static enum store_status write_destroyed(struct store *store, const struct ahead_entry *entry,
                                         struct usages *usages)
{
    int64_t bytes = 0;
    bool found = false;
    enum store_status status =
        sqlite_resource_remove(store, entry->owner_id, entry->type, entry->id, &bytes, &found);
    if (status != STORE_OK || !found)
        return status;
    struct user_usage change = {.stored_bytes = -bytes, .resources = -1};
    usage_add(store, usages, entry->owner_id, &change);
    return STORE_OK;
}

/* Only the latest of each name; those that are destroyed have no row. */
static enum store_status write_named(struct store *store, struct ahead_entry **entries, int count,
                                     struct usages *usages)
{
    enum store_status status = STORE_OK;
    int carried = 0;
    usages->at = 0;
    for (int i = 0; i < count && status == STORE_OK; i++) {
        if (i + 1 < count && names(entries[i], entries[i + 1]) == 0)
            continue;
        if (entries[i]->snapshot == SNAPSHOT_CARRIED)
            entries[carried++] = entries[i];
        else
            status = write_destroyed(store, entries[i], usages);
    }
    usages->at = 0;
    for (int i = 0, rows; i < carried && status == STORE_OK; i += rows) {
        rows = carried - i < SQL_MANY ? 1 : SQL_MANY;
        enum sql sql = rows == 1 ? SQL_RESOURCE_NAME : SQL_RESOURCE_NAME_MANY;
        for (int row = 0; row < rows; row++)
            bind_named(store->sql[sql], row, entries[i + row]);
        status = run_named(store, sql, usages);
    }
    return status;
}

enum store_status sqlite_write_late_rows(struct store *store)
{
    struct sqlite_counts *counts = &store->counts;
    int count = counts->ahead_count - counts->ahead_first, named = 0;
    struct ahead_entry **sorted = memory_alloc((size_t)(count + 1) * sizeof *sorted);
    struct usages usages = {.list = memory_alloc((size_t)(count + 1) * sizeof *usages.list)};
    for (int i = 0; i < count; i++)
        sorted[i] = &store->ahead.entries[counts->ahead_first + i];
    sort(sorted, count, by_owner);
    enum store_status status = write_owned(store, sorted, count, &usages);

    for (int i = 0; i < count; i++)
        if (sorted[i]->snapshot)
            sorted[named++] = sorted[i];
    sort(sorted, named, by_name);
    if (status == STORE_OK)
        status = write_named(store, sorted, named, &usages);
    for (int i = 0; i < usages.count && status == STORE_OK; i++)
        status = sqlite_usage_save(store, usages.list[i].owner_id, usages.list[i].change);
    free(sorted);
    free(usages.list);
    store->plain = false; /* readers go by state.followed_to */
    counts->ahead_first = counts->ahead_count;
    counts->followed_to = counts->event_id_max;
    return status;
}

void sqlite_ahead_committed(struct store *store)
{
    struct sqlite_counts *counts = &store->counts;
    if (counts->ahead_first == 0 || counts->ahead_first < counts->ahead_count)
        return; /* new ones behind those that are done with: rare, and they all go with the next */
    counts->ahead_first = counts->ahead_count = 0;
    arena_reset(&store->ahead.names);
}

static enum snapshot snapshot_of(int64_t len)
{
    return len > 0 ? SNAPSHOT_CARRIED : len < 0 ? SNAPSHOT_DESTROYED : SNAPSHOT_NONE;
}

enum store_status sqlite_ahead_load(struct store *store)
{
    sqlite3_stmt *get = store->sql[SQL_AHEAD_GET];
    sqlite3_bind_int64(get, 1, store->counts.followed_to);
    while (sqlite3_step(get) == SQLITE_ROW)
        add(store, &(struct ahead_entry){.owner_id = sqlite3_column_int64(get, 0),
                                         .event_id = sqlite3_column_int64(get, 1),
                                         .snapshot = snapshot_of(sqlite3_column_int64(get, 2)),
                                         .bytes = sqlite3_column_int64(get, 5),
                                         .type = sqlite_text(get, 3),
                                         .id = sqlite_text(get, 4)});
    return sqlite_rows_end(store, get, STORE_OK);
}

void sqlite_ahead_fini(struct store *store)
{
    free(store->ahead.entries);
    arena_fini(&store->ahead.names);
}
