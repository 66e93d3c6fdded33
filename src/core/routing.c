#include "routing.h"

struct routing_terms routing_terms(bool by_master, int64_t producer_id, int64_t producer_master_id,
                                   int64_t owner_id)
{
    return (struct routing_terms){.names_owner = producer_master_id != 0 || owner_id != producer_id,
                                  .owner_only = !by_master,
                                  .changes_resources = by_master};
}

enum routing_verdict routing_judge(const struct routing_event *event, const struct routing_endpoint *endpoint)
{
    bool own = endpoint->user_id == event->owner_id;
    if (!own && endpoint->user_id != event->master_id)
        return ROUTING_FOREIGN;
    if (!own && event->owner_only)
        return ROUTING_OWNER_ONLY;
    if (!own && !endpoint->receives_users_events)
        return ROUTING_NOT_ASKED;
    return endpoint->has_url ? ROUTING_SENT : ROUTING_NO_URL;
}

const struct resource *routing_own_snapshot(const struct event *event, const struct resource *included,
                                            int count)
{
    for (int i = 0; i < count; i++)
        if (bytes_equal(included[i].type, event->resource_type) &&
            bytes_equal(included[i].id, event->resource_id))
            return &included[i];
    return NULL;
}
