/* Resources in the model store: one array, each snapshot a copy. */
#include "model_state.h"
#include <stdlib.h>

static struct resource *model_find_resource(struct model_disk *disk, int64_t owner_id, struct bytes type,
                                            struct bytes id)
{
    for (int i = 0; i < disk->resource_count; i++) {
        struct resource *resource = &disk->resources[i];
        if (resource->owner_id == owner_id && bytes_equal(resource->type, type) &&
            bytes_equal(resource->id, id))
            return resource;
    }
    return NULL;
}

static void model_resource_drop(struct model_disk *disk, struct resource *resource)
{
    model_drop(resource->type);
    model_drop(resource->id);
    model_drop(resource->json);
    *resource = disk->resources[--disk->resource_count];
}

static void model_resource_set(struct model_disk *disk, const struct resource *from)
{
    struct resource *old = model_find_resource(disk, from->owner_id, from->type, from->id);
    if (old)
        model_resource_drop(disk, old);
    disk->resources =
        model_room(disk->resources, disk->resource_count, &disk->resource_cap, sizeof *disk->resources);
    struct resource *resource = &disk->resources[disk->resource_count++];
    *resource = *from;
    resource->type = model_copy(from->type);
    resource->id = model_copy(from->id);
    resource->json = model_copy(from->json);
}

void model_resources_take(struct model_disk *disk, const struct store_op *op)
{
    const struct event *event = &op->event.event;
    for (int i = 0; i < op->event.included_count; i++) {
        struct resource resource = op->event.included[i];
        bool own =
            bytes_equal(resource.type, event->resource_type) && bytes_equal(resource.id, event->resource_id);
        resource.owner_id = event->owner_id;
        resource.version = event->id;
        resource.event_id = own ? event->id : 0;
        resource.updated_at_ms = event->received_at_ms;
        model_resource_set(disk, &resource);
    }
    struct resource *own =
        model_find_resource(disk, event->owner_id, event->resource_type, event->resource_id);
    if (op->event.destroyed && own)
        model_resource_drop(disk, own);
}

/* The one that the op is about, if its version is right; op->result says. */
static struct resource *model_resource_look(struct model_disk *disk, struct store_op *op)
{
    const struct resource *wanted = &op->resource.resource;
    struct resource *found = model_find_resource(disk, wanted->owner_id, wanted->type, wanted->id);
    int64_t version = found ? found->version : 0;
    if (op->resource.if_version != -1 && op->resource.if_version != version)
        op->result = STORE_CONFLICT;
    return found;
}

/* ---- quotas ---- */

/* Stands by itself, and not in the document of an event. */
static int64_t model_alone_len(const struct resource *resource)
{
    return resource && resource->event_id <= 0 ? (int64_t)resource->json.len : 0;
}

static bool model_beyond(struct store *store, struct store_op *op, int64_t user_id, struct user_usage more)
{
    const struct model_disk *disk = store->disk;
    struct user_usage used = {0};
    for (int i = 0; i < disk->event_count; i++)
        if (disk->events[i].event.owner_id == user_id)
            used.stored_bytes += (int64_t)disk->events[i].event.document.len;
    for (int i = 0; i < disk->resource_count; i++)
        if (disk->resources[i].owner_id == user_id) {
            used.stored_bytes += model_alone_len(&disk->resources[i]);
            used.resources++;
        }
    for (int i = 0; i < disk->delivery_count; i++)
        used.pending += disk->deliveries[i].user_id == user_id && model_under_way(&disk->deliveries[i]);
    op->reached = quota_beyond(&used, &more, &store->config.quotas);
    if (op->reached.quota)
        op->result = STORE_QUOTA;
    return op->reached.quota;
}

bool model_event_beyond(struct store *store, struct store_op *op)
{
    const struct event *event = &op->event.event;
    struct user_usage more = {.stored_bytes = (int64_t)event->document.len};
    for (int i = 0; i < store->disk->endpoint_count; i++) {
        const struct endpoint *endpoint = &store->disk->endpoints[i].endpoint;
        more.pending += endpoint->owner_id == event->owner_id && endpoint->url.len > 0;
    }
    bool own_seen = false;
    for (int i = 0; i < op->event.included_count; i++) {
        const struct resource *one = &op->event.included[i];
        bool own = !own_seen && bytes_equal(one->type, event->resource_type) &&
                   bytes_equal(one->id, event->resource_id);
        own_seen = own_seen || own;
        more.stored_bytes += own ? 0 : (int64_t)one->json.len;
        more.resources += !(own && op->event.destroyed) &&
                          !model_find_resource(store->disk, event->owner_id, one->type, one->id);
    }
    return model_beyond(store, op, event->owner_id, more);
}

void model_resource_put(struct store *store, struct store_op *op)
{
    struct model_disk *disk = store->disk;
    struct resource resource = op->resource.resource;
    if (!model_find_user(disk, resource.owner_id))
        op->result = STORE_NOT_FOUND;
    if (op->result != STORE_DONE)
        return;
    struct resource *found = model_resource_look(disk, op);
    if (op->result != STORE_DONE)
        return;
    struct user_usage more = {.stored_bytes = (int64_t)resource.json.len - model_alone_len(found),
                              .resources = !found};
    if (model_beyond(store, op, resource.owner_id, more))
        return;
    op->id = op->resource.resource.version = resource.version = model_next_id(store);
    op->count = !found;
    resource.event_id = MODEL_PUT;
    model_resource_set(disk, &resource);
}

void model_resource_delete(struct model_disk *disk, struct store_op *op)
{
    struct resource *found = model_resource_look(disk, op);
    if (op->result != STORE_DONE)
        return;
    if (!found) {
        op->result = STORE_NOT_FOUND;
        return;
    }
    op->id = found->version;
    op->count = 1;
    model_resource_drop(disk, found);
}

void model_resources_purge(struct model_disk *disk, int64_t before_ms)
{
    for (int i = 0; i < disk->resource_count;)
        if (disk->resources[i].event_id == 0 && disk->resources[i].updated_at_ms < before_ms)
            model_resource_drop(disk, &disk->resources[i]);
        else
            i++;
}

void model_resources_free(struct model_disk *disk)
{
    while (disk->resource_count > 0)
        model_resource_drop(disk, disk->resources);
    free(disk->resources);
}
