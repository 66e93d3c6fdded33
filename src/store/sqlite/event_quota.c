/* The growth of the owner's usage (usage.c) by an EVENT, against the quotas. */
#include "sqlite_parts.h"

/* How many of its snapshots are of resources that are not there: in the table, which must have them all. */
static enum store_status count_new(struct store *store, const struct store_op *op, int64_t *count)
{
    const struct event *event = &op->event.event;
    const struct resource *own = sqlite_resource_own(op);
    enum store_status status = sqlite_write_late_rows(store);
    store->changed = true;
    *count = 0;
    for (int i = 0; i < op->event.included_count && status == STORE_OK; i++) {
        const struct resource *resource = &op->event.included[i];
        bool found = false;
        if (resource == own && op->event.destroyed)
            continue;
        int64_t len;
        status = sqlite_resource_number(store, SQL_RESOURCE_SIZE, event->owner_id, resource, &len, &found);
        *count += !found;
    }
    return status;
}

enum store_status sqlite_usage_weigh(struct store *store, struct store_op *op, struct roster_owner *owner)
{
    const struct user_usage *limits = &store->config.quotas;
    const struct resource *own = sqlite_resource_own(op);
    struct user_usage more = {.stored_bytes = (int64_t)op->event.event.document.len};
    enum store_status status = STORE_OK;
    /* While it is being counted. With fewer in all, resends apart, nobody has as many. */
    bool count = limits->pending > 0 && store->counts.states[DELIVERY_PENDING] >= limits->pending;
    struct roster_entry *endpoint;
    TAILQ_FOREACH(endpoint, &owner->endpoints, sibling)
    {
        more.pending += endpoint->url != NULL;
        if (count && status == STORE_OK)
            status = sqlite_count_endpoint(store, endpoint);
    }
    if (status != STORE_OK)
        return status;
    struct user_usage used = roster_usage(owner);
    for (int i = 0; i < op->event.included_count; i++)
        more.stored_bytes += &op->event.included[i] == own ? 0 : (int64_t)op->event.included[i].json.len;
    /* The table is looked at only where those that are ahead of it could matter. */
    int64_t ahead = store->counts.ahead_count - store->counts.ahead_first;
    if (limits->resources > 0 && used.resources + ahead + op->event.included_count > limits->resources) {
        status = count_new(store, op, &more.resources);
        used = roster_usage(owner);
    }
    op->reached = quota_beyond(&used, &more, limits);
    if (op->reached.quota)
        op->result = STORE_QUOTA;
    return status;
}
