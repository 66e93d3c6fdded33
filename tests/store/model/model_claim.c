/* The claim of the model store: the endpoints that may have a lease, their order, and the filling of a box.
 */
#include "body.h"
#include "model_state.h"
#include <assert.h>

/* ---- pace and leases ---- */

/* Whatever is set, not what was measured: a URL, a key to sign with, not paused. */
static bool model_open_to_work(const struct model_endpoint *endpoint)
{
    return endpoint->endpoint.url.len > 0 && !endpoint->endpoint.paused && endpoint->auth_digest[0];
}

static enum pace_health model_standing(const struct store *store, const struct model_endpoint *endpoint,
                                       int64_t now)
{
    return pace_health(&endpoint->pace, model_view_oldest_ms(store, endpoint->endpoint.id, now), now);
}

/* The time from which, by each lease and those after it, `more` are no more than a group and what the time
 * since that lease lets through. */
static int64_t model_rate_allows(const struct model_endpoint *endpoint, int64_t group, int64_t more)
{
    static const int64_t spans[] = {1000, 60000, 3600000};
    const struct endpoint_rate *rate = &endpoint->endpoint.flow.rate;
    int64_t from = 0, each = rate->count - group + 1;
    for (int i = 0; i < endpoint->begun_count; i++) {
        int64_t beyond = endpoint->begun_count - i + more - group;
        int64_t at = endpoint->begun[i] + (beyond > 0 ? (beyond * spans[rate->per] + each - 1) / each : 0);
        from = at > from ? at : from;
    }
    return from;
}

/* The rate of flow.h in another way: once a group is used up, the next one goes when all of it may. */
static int64_t model_rate_from(const struct model_endpoint *endpoint)
{
    static const int32_t in_20_ms[] = {50, 3000, 180000};
    const struct endpoint_rate *rate = &endpoint->endpoint.flow.rate;
    if (rate->count == 0 || endpoint->begun_count == 0)
        return 0;
    int64_t group = 1 + rate->count / in_20_ms[rate->per];
    if (group > rate->count)
        group = rate->count;
    bool used_up = model_rate_allows(endpoint, group, 1) > endpoint->begun[endpoint->begun_count - 1];
    return used_up ? model_rate_allows(endpoint, group, group) : 0;
}

/* Of pace and rate. */
static int64_t model_from(const struct store *store, const struct model_endpoint *endpoint)
{
    int64_t from = pace_from_ms(&endpoint->pace), rate = model_rate_from(endpoint);
    int64_t outage = pace_outage_from_ms(&endpoint->pace, &store->outage);
    from = from > outage ? from : outage;
    return from > rate ? from : rate;
}

static int model_window(const struct store *store, const struct model_endpoint *endpoint)
{
    int window = pace_window(&endpoint->pace, &store->config.pace);
    int most = endpoint->endpoint.flow.ordered ? 1 : endpoint->endpoint.flow.in_flight_max;
    return most > 0 && most < window ? most : window;
}

#ifdef PLANT_RATE_COSTS_ATTEMPT /* what the rate holds is charged as if it had been tried */
static void model_charge(struct store *store, const struct model_endpoint *endpoint, int64_t now)
{
    struct model_delivery *first = model_first_due(store->disk, endpoint->endpoint.id, now);
    if (first && model_rate_from(endpoint) > now)
        first->attempt++;
}
#endif

bool model_may_take(const struct store *store, const struct model_endpoint *endpoint, int64_t now)
{
    const struct pace_config *pace = &store->config.pace;
    enum pace_health health = model_standing(store, endpoint, now);
    int leased = model_view_out(store, endpoint->endpoint.id, now);
    return model_open_to_work(endpoint) && model_from(store, endpoint) <= now &&
           leased < model_window(store, endpoint) && pace_more(&endpoint->pace, pace, leased, now) > 0 &&
           leased < pace_share(pace->slots, model_view_out(store, 0, now), health) &&
           (health != PACE_FAILING || pace_budget_left(&store->failing, pace, now) > 0);
}

/* The first of the line of an ordered endpoint: of what has not ended, however long it has to wait. */
static const struct model_delivery *model_line_first(struct model_disk *disk, int64_t endpoint_id)
{
    const struct model_delivery *first = NULL;
    for (int i = 0; i < disk->delivery_count; i++) {
        const struct model_delivery *delivery = &disk->deliveries[i];
#ifdef PLANT_ORDER_BROKEN_BY_RETRY
        if (delivery->attempt > 0)
            continue;
#endif
        if (delivery->endpoint_id == endpoint_id && delivery->state == DELIVERY_PENDING &&
            (!first || delivery->id < first->id))
            first = delivery;
    }
    return first;
}

/* It is in the line, and another one is before it. */
static bool model_stands_behind(struct model_disk *disk, const struct model_delivery *delivery)
{
#ifdef PLANT_ORDER_BROKEN_BY_RETRY /* what is tried again steps out of the line */
    if (delivery->attempt > 0)
        return false;
#endif
    return model_find_endpoint(disk, delivery->endpoint_id)->endpoint.flow.ordered &&
           delivery->state == DELIVERY_PENDING && model_line_first(disk, delivery->endpoint_id) != delivery;
}

/* Of an ordered endpoint, what is sent once more goes before the line; else by (due, id). */
static bool model_goes_before(const struct model_row *endpoint, const struct model_delivery *a,
                              const struct model_delivery *b)
{
    if (endpoint->endpoint.flow.ordered && a->resending != b->resending)
        return a->resending;
    return a->due_ms < b->due_ms;
}

/* Its first due delivery; NULL: nothing is due. */
struct model_delivery *model_first_due(struct model_disk *disk, int64_t endpoint_id, int64_t now)
{
    const struct model_row *endpoint = model_find_endpoint(disk, endpoint_id);
    struct model_delivery *first = NULL;
    for (int i = 0; i < disk->delivery_count; i++) {
        struct model_delivery *delivery = &disk->deliveries[i];
        if (delivery->endpoint_id == endpoint_id && model_under_way(delivery) && delivery->due_ms <= now &&
            !model_stands_behind(disk, delivery) && (!first || model_goes_before(endpoint, delivery, first)))
            first = delivery;
    }
    return first;
}

static struct bytes model_box_copy(struct store_work *box, struct bytes source)
{
    return source.len ? arena_copy(&box->memory, source) : (struct bytes){0};
}

static void model_fill(struct store *store, struct store_work *box, const struct model_delivery *delivery)
{
    const struct model_event *event = model_find_event(store->disk, delivery->event_id);
    const struct model_endpoint *endpoint = model_view(store, delivery->endpoint_id);
    store_work_clear(box);
    box->filled = true;
    box->delivery_id = delivery->id;
    box->event_id = delivery->event_id;
    box->endpoint_id = delivery->endpoint_id;
    box->user_id = delivery->user_id;
    box->lease = delivery->lease;
    box->attempt = delivery->attempt;
    box->lost = delivery->lost;
    box->age_ms = delivery->attempt ? model_age_clock_ms(store) - delivery->age_start_ms : 0;
    if (box->age_ms < 0)
        box->age_ms = 0;
    box->sent_at_ms = event->event.sent_at_ms;
    box->url = arena_copy(&box->memory, endpoint->endpoint.url);
    memcpy(box->auth_digest, endpoint->auth_digest, sizeof box->auth_digest);
    box->quick = model_standing(store, endpoint, model_due_now_ms(store)) == PACE_QUICK;
    box->signing = model_box_copy(box, endpoint->endpoint.signing);
    box->identity = model_box_copy(box, endpoint->endpoint.identity);
    size_t push_size = push_settings_size(&endpoint->endpoint.push);
    box->push =
        push_size ? push_settings_copy(&endpoint->endpoint.push, arena_alloc(&box->memory, push_size)) : NULL;
    box->endpoint_version = endpoint->endpoint.version;
    box->endpoint_created_at_ms = endpoint->endpoint.created_at_ms;
    box->payload = payload_make(NULL, event->event.document.len);
    assert(box->url.data);
    memcpy(box->payload->data, event->event.document.data, event->event.document.len);
    body_stamp(box->payload->data, box->payload->len, event->event.stamp_offset, box->sent_at_ms);
    box->document = box->payload->data;
    box->document_len = box->payload->len;
}

void model_lease(struct store *store, struct store_batch *batch, struct model_delivery *delivery)
{
    struct model_event *event = model_find_event(store->disk, delivery->event_id);
    struct model_endpoint *endpoint = model_view(store, delivery->endpoint_id);
    int64_t wall = clock_wall_ms(&store->config.clock), now = model_due_now_ms(store);
    if (endpoint->pace.failing)
        pace_budget_spend(&store->failing, &store->config.pace, now);
    pace_outage_begun(&endpoint->pace, &store->outage, &store->config.pace, now);
    if (delivery->leased)
        delivery->lost++;
    delivery->leased = true;
    delivery->lease++;
#ifdef PLANT_ATTEMPT_AS_FENCE
    delivery->attempt =
        (int32_t)delivery->lease - 1; /* one number for both: every lost lease costs an attempt */
#endif
    delivery->due_ms = now + store->config.lease_ms;
    model_view_leased(store, delivery);
    pace_begun(&endpoint->pace, &store->config.pace, model_view_out(store, endpoint->endpoint.id, now), now);
    endpoint->begun =
        model_room(endpoint->begun, endpoint->begun_count, &endpoint->begun_cap, sizeof *endpoint->begun);
    endpoint->begun[endpoint->begun_count++] = now;
    if (event->event.sent_at_ms == 0)
        event->event.sent_at_ms = wall;
#ifdef PLANT_RESTAMP
    event->event.sent_at_ms = wall;
#endif
    model_fill(store, batch->boxes[batch->filled_count++], delivery);
}

/* The endpoint behind the one served last, in circular order of ids, that has something due and may take it.
 */
static struct model_endpoint *model_next_endpoint(struct store *store, int64_t now)
{
    struct model_endpoint *after = NULL, *first = NULL;
    for (int i = 0; i < store->endpoint_count; i++) {
        struct model_endpoint *endpoint = &store->endpoints[i];
        if (!model_first_due(store->disk, endpoint->endpoint.id, now) ||
            !model_may_take(store, endpoint, now))
            continue;
        if (!first || endpoint->endpoint.id < first->endpoint.id)
            first = endpoint;
        if (endpoint->endpoint.id > store->served_last &&
            (!after || endpoint->endpoint.id < after->endpoint.id))
            after = endpoint;
    }
    return after ? after : first;
}

void model_claim(struct store *store, struct store_batch *batch)
{
    int64_t now = model_due_now_ms(store);
    struct model_endpoint *endpoint = model_next_endpoint(store, now);
#ifdef PLANT_RATE_COSTS_ATTEMPT
    for (int i = 0; i < store->endpoint_count; i++)
        model_charge(store, &store->endpoints[i], now);
#endif
    while (endpoint && batch->filled_count < batch->box_count) {
        store->served_last = endpoint->endpoint.id;
        model_lease(store, batch, model_first_due(store->disk, endpoint->endpoint.id, now));
        endpoint = model_next_endpoint(store, now);
    }
    batch->next_due_in_ms = endpoint ? 0 : -1;
    for (int i = 0; i < store->disk->delivery_count && !endpoint; i++) {
        const struct model_delivery *delivery = &store->disk->deliveries[i];
        const struct model_endpoint *to = model_view(store, delivery->endpoint_id);
        if (!model_under_way(delivery) || !to || !model_open_to_work(to) ||
            model_stands_behind(store->disk, delivery))
            continue;
        /* Whatever else holds it back is a live lease, whose own end is in this minimum; or the budget. */
        int64_t from = model_from(store, to);
        if (to->pace.failing && from < store->failing.from_ms)
            from = store->failing.from_ms;
        int64_t in = (delivery->due_ms > from ? delivery->due_ms : from) - now;
        if (in > 0 && (batch->next_due_in_ms < 0 || in < batch->next_due_in_ms))
            batch->next_due_in_ms = in;
    }
}

void model_look(struct store *store, struct store_op *op)
{
    const struct model_disk *disk = store->disk;
    for (int i = 0; i < op->look.count; i++) {
        struct store_figures *figures = &op->look.figures[i];
        struct model_endpoint *endpoint = model_view(store, figures->id);
        *figures =
            (struct store_figures){.id = figures->id, .found = endpoint && endpoint->endpoint.url.len > 0};
        if (!endpoint || endpoint->removed)
            continue;
        figures->in_hand = model_view_out(store, figures->id, model_due_now_ms(store));
        for (int at = 0; at < disk->delivery_count; at++)
            figures->waiting +=
                disk->deliveries[at].endpoint_id == figures->id && model_under_way(&disk->deliveries[at]);
        figures->waiting -= figures->in_hand;
        if (op->look.hours)
            figures->oldest_waiting_at_ms = model_oldest_waiting(store, figures->id);
        if (!figures->found)
            continue;
        figures->failing = endpoint->pace.failing;
        figures->window = model_window(store, endpoint);
        figures->delivered = endpoint->delivered;
        const struct model_delivery *first =
            endpoint->endpoint.flow.ordered ? model_line_first(store->disk, figures->id) : NULL;
        figures->line_first = first ? first->id : 0;
    }
}
