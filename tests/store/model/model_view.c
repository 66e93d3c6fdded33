/* One handle's view of the shared disk: its copy of endpoints and keys, and the leases that it gave. */
#include "model_state.h"
#include <stdlib.h>

static const struct api_key *model_oldest_key(const struct model_disk *disk, int64_t user_id)
{
    for (int i = 0; i < disk->key_count; i++)
        if (disk->keys[i].user_id == user_id && disk->keys[i].revoked_at_ms == 0)
            return &disk->keys[i];
    return NULL;
}

struct model_endpoint *model_view(struct store *store, int64_t id)
{
    for (int i = 0; i < store->endpoint_count; i++)
        if (store->endpoints[i].endpoint.id == id)
            return &store->endpoints[i];
    return NULL;
}

static struct model_endpoint *model_view_add(struct store *store, const struct model_row *row)
{
    store->endpoints =
        model_room(store->endpoints, store->endpoint_count, &store->endpoint_cap, sizeof *store->endpoints);
    struct model_endpoint *added = &store->endpoints[store->endpoint_count++];
    *added = (struct model_endpoint){.endpoint = {.id = row->endpoint.id},
                                     .pace = {.ever_answered = row->ever_answered}};
    return added;
}

static void model_view_read(struct store *store, const struct model_row *row)
{
    struct model_endpoint *endpoint = model_view(store, row->endpoint.id);
    const struct api_key *key = model_oldest_key(store->disk, row->endpoint.owner_id);
    bool known = endpoint != NULL;
    if (!known)
        endpoint = model_view_add(store, row);
    if (known && row->endpoint.url.len > 0 && !bytes_equal(endpoint->endpoint.url, row->endpoint.url))
        pace_renew(&endpoint->pace); /* a new one, not none */
    const struct flow_settings *flow = &endpoint->endpoint.flow;
    if (flow->rate.count != row->endpoint.flow.rate.count || flow->rate.per != row->endpoint.flow.rate.per)
        endpoint->begun_count = 0;
    model_endpoint_drop(&endpoint->endpoint);
    endpoint->endpoint = model_endpoint_copy(row->endpoint);
    endpoint->removed = row->removed;
    memset(endpoint->auth_digest, 0, sizeof endpoint->auth_digest);
    if (key)
        memcpy(endpoint->auth_digest, key->digest, sizeof key->digest);
}

void model_view_refresh(struct store *store)
{
    struct model_disk *disk = store->disk;
    for (int i = 0; i < disk->endpoint_count && store->seen_change < disk->last_change; i++)
        if (model_find_user(disk, disk->endpoints[i].endpoint.owner_id)->change > store->seen_change)
            model_view_read(store, &disk->endpoints[i]);
    store->seen_change = disk->last_change;
}

void model_view_open(struct store *store)
{
    model_view_refresh(store);
    for (int i = 0; i < store->disk->delivery_count; i++)
        if (model_under_way(&store->disk->deliveries[i]))
            pace_resumed(&model_view(store, store->disk->deliveries[i].endpoint_id)->pace);
}

void model_view_close(struct store *store)
{
    for (int i = 0; i < store->endpoint_count; i++) {
        model_endpoint_drop(&store->endpoints[i].endpoint);
        free(store->endpoints[i].begun);
    }
    free(store->endpoints);
    free(store->out);
}

/* ---- the leases that it gave ---- */

static struct model_lease *model_lease_of(const struct store *store, int64_t delivery_id)
{
    for (int i = 0; i < store->out_count; i++)
        if (store->out[i].delivery_id == delivery_id)
            return &store->out[i];
    return NULL;
}

void model_view_leased(struct store *store, const struct model_delivery *delivery)
{
    struct model_lease *lease = model_lease_of(store, delivery->id);
    if (!lease) {
        store->out = model_room(store->out, store->out_count, &store->out_cap, sizeof *store->out);
        lease = &store->out[store->out_count++];
    }
    *lease = (struct model_lease){delivery->id, delivery->endpoint_id, delivery->lease};
}

bool model_view_gave(const struct store *store, int64_t delivery_id, int64_t lease)
{
    const struct model_lease *known = model_lease_of(store, delivery_id);
    return known && known->lease == lease;
}

void model_view_ended(struct store *store, int64_t delivery_id)
{
    struct model_lease *lease = model_lease_of(store, delivery_id);
    if (lease)
        *lease = store->out[--store->out_count];
}

/* The delivery, if it is still out under this lease. */
static const struct model_delivery *
model_still_out(const struct store *store, const struct model_lease *lease, int64_t endpoint_id, int64_t now)
{
    if (endpoint_id && lease->endpoint_id != endpoint_id)
        return NULL;
    const struct model_delivery *delivery = model_find_delivery(store->disk, lease->delivery_id);
    return delivery && delivery->lease == lease->lease && model_under_way(delivery) && delivery->leased &&
                   delivery->due_ms > now
               ? delivery
               : NULL;
}

int model_view_out(const struct store *store, int64_t endpoint_id, int64_t now)
{
    int out = 0;
    for (int i = 0; i < store->out_count; i++)
        out += model_still_out(store, &store->out[i], endpoint_id, now) != NULL;
    return out;
}

int64_t model_view_oldest_ms(const struct store *store, int64_t endpoint_id, int64_t now)
{
    int64_t oldest_ms = 0;
    for (int i = 0; i < store->out_count; i++) {
        const struct model_delivery *delivery = model_still_out(store, &store->out[i], endpoint_id, now);
        int64_t age_ms = delivery ? now - (delivery->due_ms - store->config.lease_ms) : 0;
        oldest_ms = age_ms > oldest_ms ? age_ms : oldest_ms;
    }
    return oldest_ms;
}
