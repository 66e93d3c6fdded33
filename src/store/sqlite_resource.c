/*
 * Resources: the latest snapshot of each. Most stand in the document of the event that carried them and are
 * only named in the table, so that an event is written once. And that table, in the order of names, is
 * brought up to date for many events at once: to write its pages for each batch would cost four times as
 * much.
 */
#include "memory.h"
#include "sqlite_parts.h"
#include <assert.h>
#include <stdlib.h>

static void bind_name(sqlite3_stmt *statement, int64_t owner_id, struct bytes type, struct bytes id)
{
    sqlite3_bind_int64(statement, 1, owner_id);
    sqlite_bind_text(statement, 2, type);
    sqlite_bind_text(statement, 3, id);
}

/* Kept as it is; or with `in_event` only named, as it stands in its event. */
static enum store_status put(struct store *store, const struct resource *resource, bool in_event)
{
    sqlite3_stmt *put = store->sql[SQL_RESOURCE_PUT];
    bind_name(put, resource->owner_id, resource->type, resource->id);
    sqlite3_bind_int64(put, 4, resource->version);
    sqlite_bind_time(put, 5, resource->updated_at_ms);
    if (in_event)
        sqlite3_bind_null(put, 6);
    else
        sqlite_bind_blob(put, 6, resource->json);
    store->changed = true;
    return sqlite_run(store, SQL_RESOURCE_PUT);
}

/* ---- what events carry ---- */

static bool is_own(const struct event *event, const struct resource *resource)
{
    return bytes_equal(resource->type, event->resource_type) && bytes_equal(resource->id, event->resource_id);
}

const struct resource *sqlite_resource_own(const struct store_op *op)
{
    for (int i = 0; i < op->event.included_count; i++)
        if (is_own(&op->event.event, &op->event.included[i]))
            return &op->event.included[i];
    return NULL;
}

struct behind_entry {
    int64_t owner_id, event_id;
    struct bytes type, id;
    int place; /* among those that are sorted */
};

static void append(struct store *store, const struct event *event)
{
    struct behind *behind = &store->behind;
    if (store->tally.behind_count == behind->cap) {
        behind->cap = behind->cap ? 2 * behind->cap : 64;
        behind->entries = memory_grow(behind->entries, (size_t)behind->cap * sizeof *behind->entries);
    }
    struct behind_entry *entry = &behind->entries[store->tally.behind_count++];
    *entry = (struct behind_entry){.owner_id = event->owner_id,
                                   .event_id = event->id,
                                   .type = arena_copy(&behind->names, event->resource_type),
                                   .id = arena_copy(&behind->names, event->resource_id)};
    assert(entry->type.data && entry->id.data);
}

static int order(struct bytes a, struct bytes b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int first = len ? memcmp(a.data, b.data, len) : 0;
    return first ? first : (a.len > b.len) - (a.len < b.len);
}

static int by_name(const struct behind_entry *a, const struct behind_entry *b)
{
    int type = order(a->type, b->type);
    if (a->owner_id != b->owner_id)
        return a->owner_id < b->owner_id ? -1 : 1;
    return type ? type : order(a->id, b->id);
}

/* Of the same name, in the order of writing. */
static int by_name_then_place(const void *a, const void *b)
{
    const struct behind_entry *left = a, *right = b;
    int name = by_name(left, right);
    return name ? name : left->place - right->place;
}

/* In the order of the table, and only the last of each name. */
enum store_status sqlite_resources_merge(struct store *store)
{
    struct tally *tally = &store->tally;
    int count = tally->behind_count - tally->behind_first;
    enum store_status status = STORE_OK;
    struct behind_entry *sorted = memory_alloc((size_t)(count + 1) * sizeof *sorted);
    for (int i = 0; i < count; i++) {
        sorted[i] = store->behind.entries[tally->behind_first + i];
        sorted[i].place = i;
    }
    qsort(sorted, (size_t)count, sizeof *sorted, by_name_then_place);
    for (int i = 0; i < count && status == STORE_OK; i++) {
        if (i + 1 < count && by_name(&sorted[i], &sorted[i + 1]) == 0)
            continue;
        struct resource resource = {.owner_id = sorted[i].owner_id,
                                    .type = sorted[i].type,
                                    .id = sorted[i].id,
                                    .version = sorted[i].event_id};
        status = put(store, &resource, true);
    }
    free(sorted);
    tally->behind_first = tally->behind_count;
    tally->resources_to = tally->event_id_max;
    return status;
}

enum store_status sqlite_resources_catch_up(struct store *store)
{
    sqlite3_bind_int64(store->sql[SQL_RESOURCE_CATCH_UP], 1, store->tally.resources_to);
    store->tally.resources_to = store->tally.event_id_max;
    return sqlite_run(store, SQL_RESOURCE_CATCH_UP);
}

void sqlite_resources_committed(struct store *store)
{
    if (store->tally.behind_first == 0 || store->tally.behind_first < store->tally.behind_count)
        return; /* new ones behind merged ones: rare, and they all go with the next merge */
    store->tally.behind_first = store->tally.behind_count = 0;
    arena_reset(&store->behind.names);
}

void sqlite_resources_fini(struct store *store)
{
    free(store->behind.entries);
    arena_fini(&store->behind.names);
}

enum store_status sqlite_resources_take(struct store *store, const struct store_op *op, bool late)
{
    const struct event *event = &op->event.event;
    const struct resource *own = sqlite_resource_own(op);
    bool others = op->event.included_count > (own ? 1 : 0);
    enum store_status status = STORE_OK;
    if (own || op->event.destroyed)
        append(store, event);
    if (late || others) /* readers look for those that are behind among the events with the highest ids */
        status = sqlite_resources_merge(store);
    for (int i = 0; i < op->event.included_count && status == STORE_OK; i++) {
        struct resource resource = op->event.included[i];
        resource.owner_id = event->owner_id;
        resource.version = event->id;
        resource.updated_at_ms = event->received_at_ms;
        if (&op->event.included[i] != own)
            status = put(store, &resource, false);
    }
    return status;
}

enum store_status sqlite_resource_keep(struct store *store, int64_t event_id)
{
    enum store_status status = STORE_OK;
    if (event_id > store->tally.resources_to)
        status = sqlite_resources_merge(store);
    sqlite3_bind_int64(store->sql[SQL_RESOURCE_KEEP], 1, event_id);
    sqlite3_bind_int64(store->sql[SQL_RESOURCE_FORGET], 1, event_id);
    if (status == STORE_OK)
        status = sqlite_run(store, SQL_RESOURCE_KEEP);
    return status == STORE_OK ? sqlite_run(store, SQL_RESOURCE_FORGET) : status;
}

/* ---- what a Master puts ---- */

/* *version 0: it is not there. */
static enum store_status version_of(struct store *store, const struct resource *resource, int64_t *version)
{
    bool found = false;
    bind_name(store->sql[SQL_RESOURCE_GET], resource->owner_id, resource->type, resource->id);
    enum store_status status = sqlite_row(store, SQL_RESOURCE_GET, &found);
    *version = 0;
    if (status == STORE_OK && found) {
        *version = sqlite3_column_int64(store->sql[SQL_RESOURCE_GET], 0);
        sqlite3_reset(store->sql[SQL_RESOURCE_GET]);
    }
    return status;
}

/* The version as it is, for the op to be weighed against. */
static enum store_status look(struct store *store, struct store_op *op, int64_t *version)
{
    enum store_status status = sqlite_resources_merge(store);
    store->changed = true;
    if (status == STORE_OK)
        status = version_of(store, &op->resource.resource, version);
    if (op->resource.if_version != -1 && op->resource.if_version != *version)
        op->result = STORE_CONFLICT;
    return status;
}

enum store_status sqlite_resource_put(struct store *store, struct store_op *op)
{
    const struct resource *resource = &op->resource.resource;
    int64_t version = 0;
    if (!roster_get(&store->roster, resource->owner_id)) {
        op->result = STORE_NOT_FOUND;
        return STORE_OK;
    }
    enum store_status status = look(store, op, &version);
    if (status != STORE_OK || op->result != STORE_DONE)
        return status;
    if (resource->version > store->tally.event_id_max)
        store->tally.event_id_max = store->tally.resources_to = resource->version;
    op->id = resource->version;
    op->count = version == 0;
    return put(store, resource, false);
}

enum store_status sqlite_resource_delete(struct store *store, struct store_op *op)
{
    const struct resource *resource = &op->resource.resource;
    int64_t version = 0;
    enum store_status status = look(store, op, &version);
    if (status != STORE_OK || op->result != STORE_DONE)
        return status;
    if (version == 0) {
        op->result = STORE_NOT_FOUND;
        return STORE_OK;
    }
    op->id = version;
    op->count = 1;
    bind_name(store->sql[SQL_RESOURCE_DELETE], resource->owner_id, resource->type, resource->id);
    return sqlite_run(store, SQL_RESOURCE_DELETE);
}
