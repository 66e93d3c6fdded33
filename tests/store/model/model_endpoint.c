/* The model's endpoints. */
#include "model_state.h"
#include <assert.h>
#include <stdlib.h>

/* The default endpoint is part of its user. */
void model_endpoint_changed(struct model_disk *disk, struct model_row *row)
{
    row->endpoint.version++;
    if (row->endpoint.id == row->endpoint.owner_id)
        model_find_user(disk, row->endpoint.id)->version++;
    model_touch(disk, row->endpoint.owner_id);
}

void model_endpoint_drop(const struct endpoint *endpoint)
{
    model_drop(endpoint->url);
    model_drop(endpoint->signing);
    model_drop(endpoint->identity);
    model_drop(endpoint->event_types);
    model_drop(endpoint->channels);
    model_drop(endpoint->filter);
    model_drop(endpoint->description);
    model_drop(endpoint->metadata);
#define DROP_NOTHING(name, max)
#define DROP_BYTES(name, max) model_drop(endpoint->push.name);
    PUSH_SETTINGS_LIST(DROP_NOTHING, DROP_BYTES, DROP_BYTES)
}

struct endpoint model_endpoint_copy(struct endpoint endpoint)
{
    endpoint.url = model_copy(endpoint.url);
    endpoint.signing = model_copy(endpoint.signing);
    endpoint.identity = model_copy(endpoint.identity);
    endpoint.event_types = model_copy(endpoint.event_types);
    endpoint.channels = model_copy(endpoint.channels);
    endpoint.filter = model_copy(endpoint.filter);
    endpoint.description = model_copy(endpoint.description);
    endpoint.metadata = model_copy(endpoint.metadata);
#define COPY_NOTHING(name, max)
#define COPY_BYTES(name, max) endpoint.push.name = model_copy(endpoint.push.name);
    PUSH_SETTINGS_LIST(COPY_NOTHING, COPY_BYTES, COPY_BYTES)
    return endpoint;
}

void model_endpoint_add(struct model_disk *disk, int64_t id, int64_t owner_id, const struct endpoint *from)
{
    disk->endpoints =
        model_room(disk->endpoints, disk->endpoint_count, &disk->endpoint_cap, sizeof *disk->endpoints);
    struct model_row *added = &disk->endpoints[disk->endpoint_count++];
    *added = (struct model_row){.endpoint = model_endpoint_copy(*from)};
    added->endpoint.id = id;
    added->endpoint.owner_id = owner_id;
    added->endpoint.version = 1;
    if (!from->paused) {
        added->endpoint.disabled = ENDPOINT_ENABLED;
        added->endpoint.paused_at_ms = 0;
    }
    model_touch(disk, owner_id);
}

/* It is ordered no longer: what is due in its line goes first, in order of acceptance. */
static void model_line_leave(struct model_disk *disk, int64_t endpoint_id)
{
    int64_t now = disk->due_base_ms + clock_mono_ms(&disk->clock) - disk->mono_base_ms;
    for (int i = 0; i < disk->delivery_count; i++) {
        struct model_delivery *delivery = &disk->deliveries[i];
        if (delivery->endpoint_id == endpoint_id && delivery->state == DELIVERY_PENDING &&
            delivery->due_ms <= now)
            delivery->due_ms = (delivery->id >> MODEL_MARK_BITS) - ((int64_t)1 << 40);
    }
}

/* All settings at once; which one it is, whose, and since when, stays. */
void model_endpoint_set(struct model_disk *disk, struct model_row *endpoint, const struct endpoint *from)
{
    struct endpoint old = endpoint->endpoint;
    endpoint->endpoint = model_endpoint_copy(*from);
    endpoint->endpoint.id = old.id;
    endpoint->endpoint.owner_id = old.owner_id;
    endpoint->endpoint.created_at_ms = old.created_at_ms;
    endpoint->endpoint.version = old.version;
    if (!from->paused) {
        endpoint->endpoint.disabled = ENDPOINT_ENABLED;
        endpoint->endpoint.paused_at_ms = 0;
    }
    if (from->paused || !bytes_equal(from->url, old.url)) {
        endpoint->fails_since_ms = endpoint->outage_since_ms = 0;
        endpoint->notices[NOTICE_FAILING] = (struct model_notice){0};
    }
    if (old.flow.ordered && !from->flow.ordered)
        model_line_leave(disk, old.id);
    model_endpoint_changed(disk, endpoint);
    model_endpoint_drop(&old);
}

void model_endpoint_create(struct store *store, struct store_op *op)
{
    struct model_disk *disk = store->disk;
    const struct endpoint *from = &op->endpoint.endpoint;
    int64_t count = 0, max = op->endpoint.endpoints_max ? op->endpoint.endpoints_max : MODEL_ENDPOINTS_MAX;
    for (int i = 0; i < disk->endpoint_count; i++)
        count += disk->endpoints[i].endpoint.owner_id == from->owner_id && !disk->endpoints[i].removed;
    if (count == 0 || count >= max) {
        op->result = count == 0 ? STORE_NOT_FOUND : STORE_QUOTA;
        return;
    }
    op->id = model_next_id(store);
    model_endpoint_add(disk, op->id, from->owner_id, from);
}

void model_cancel_removed(struct store *store, int64_t endpoint_id)
{
    int64_t now = model_due_now_ms(store);
    for (int i = 0; i < store->disk->delivery_count; i++) {
        struct model_delivery *delivery = &store->disk->deliveries[i];
        bool waits = model_under_way(delivery) && !(delivery->leased && delivery->due_ms > now);
        bool asked = !endpoint_id || delivery->endpoint_id == endpoint_id;
        if (asked && waits && model_find_endpoint(store->disk, delivery->endpoint_id)->removed)
            model_end(store, delivery, DELIVERY_CANCELLED);
    }
}

void model_endpoint_change(struct store *store, struct store_op *op)
{
    struct model_row *endpoint = model_find_endpoint(store->disk, op->endpoint.endpoint.id);
    if (!endpoint || endpoint->removed || endpoint->endpoint.owner_id != op->endpoint.endpoint.owner_id) {
        op->result = STORE_NOT_FOUND;
        return;
    }
    bool other = op->endpoint.if_version != -1 && op->endpoint.if_version != endpoint->endpoint.version;
    bool removes = op->kind == STORE_ENDPOINT_REMOVE;
    if (other || (removes && endpoint->endpoint.id == endpoint->endpoint.owner_id)) {
        op->result = STORE_CONFLICT;
        return;
    }
    op->id = endpoint->endpoint.id;
    if (!removes) {
        model_endpoint_set(store->disk, endpoint, &op->endpoint.endpoint);
        return;
    }
    model_endpoint_drop(&endpoint->endpoint);
    endpoint->endpoint = (struct endpoint){.id = op->endpoint.endpoint.id,
                                           .owner_id = op->endpoint.endpoint.owner_id,
                                           .created_at_ms = endpoint->endpoint.created_at_ms,
                                           .version = endpoint->endpoint.version};
    endpoint->removed = true;
    endpoint->fails_since_ms = endpoint->outage_since_ms = 0;
    model_jobs_cancel(store, endpoint->endpoint.id);
    model_hours_forget(store->disk, endpoint->endpoint.id);
    memset(endpoint->notices, 0, sizeof endpoint->notices);
    model_touch(store->disk, endpoint->endpoint.owner_id);
    model_cancel_removed(store, endpoint->endpoint.id);
}
