/* The queries of the model store: a filter over an array, a page of it, copies on the caller's arena. */
#include "model_state.h"
#include <assert.h>
#include <stdlib.h>

static struct bytes model_out(struct arena *arena, struct bytes source)
{
    return source.len ? arena_copy(arena, source) : (struct bytes){0};
}

struct model_page {
    int *rows; /* indexes into an array of the disk */
    int count;
    bool more;
};

typedef bool model_match(const struct store *store, const struct store_query *query, int row);
typedef int64_t model_id_of(const struct model_disk *disk, int row);

/* Rows that match, by id in the query's direction, behind the cursor, cut to the limit. */
static struct model_page model_page(const struct store *store, const struct store_query *query,
                                    struct arena *arena, int rows, model_match *match, model_id_of *id_of)
{
    struct model_page page = {.rows = arena_zero(arena, ((size_t)rows + 1) * sizeof(int))};
    int64_t last = query->after_id;
    bool started = query->after_id != 0;
    for (;;) {
        int best = -1;
        for (int row = 0; row < rows; row++) {
            int64_t id = id_of(store->disk, row);
            bool behind = !started || (query->descending ? id < last : id > last);
            if (!behind || !match(store, query, row))
                continue;
            int64_t best_id = best < 0 ? 0 : id_of(store->disk, best);
            if (best < 0 || (query->descending ? id > best_id : id < best_id))
                best = row;
        }
        if (best < 0)
            return page;
        if (page.count == query->limit) {
            page.more = true;
            return page;
        }
        page.rows[page.count++] = best;
        last = id_of(store->disk, best);
        started = true;
    }
}

/* ---- users and keys ---- */

static int64_t model_user_id(const struct model_disk *disk, int row)
{
    return disk->users[row].id;
}

static int64_t model_user_change(const struct model_disk *disk, int row)
{
    return disk->users[row].change;
}

static bool model_user_matches(const struct store *store, const struct store_query *query, int row)
{
    const struct user *user = &store->disk->users[row];
    bool seen = query->master_id == 0 || user->id == query->master_id || user->master_id == query->master_id;
    return seen && (query->kind != STORE_GET_USER || user->id == query->id);
}

static struct endpoint model_endpoint_out(struct arena *arena, struct endpoint endpoint)
{
    endpoint.url = model_out(arena, endpoint.url);
    endpoint.signing = model_out(arena, endpoint.signing);
    endpoint.identity = model_out(arena, endpoint.identity);
    endpoint.event_types = model_out(arena, endpoint.event_types);
    endpoint.channels = model_out(arena, endpoint.channels);
    endpoint.filter = model_out(arena, endpoint.filter);
    endpoint.description = model_out(arena, endpoint.description);
    endpoint.metadata = model_out(arena, endpoint.metadata);
#define OUT_NOTHING(name, max)
#define OUT_BYTES(name, max) endpoint.push.name = model_out(arena, endpoint.push.name);
    PUSH_SETTINGS_LIST(OUT_NOTHING, OUT_BYTES, OUT_BYTES)
    return endpoint;
}

static void model_read_users(const struct store *store, const struct model_page *page, struct arena *arena,
                             struct store_answer *answer)
{
    answer->users = arena_zero(arena, ((size_t)page->count + 1) * sizeof *answer->users);
    for (int i = 0; i < page->count; i++) {
        struct user *user = &answer->users[i];
        *user = store->disk->users[page->rows[i]];
        user->name = model_out(arena, user->name);
        user->email = model_out(arena, user->email);
        user->endpoint = model_endpoint_out(arena, model_find_endpoint(store->disk, user->id)->endpoint);
    }
}

static int64_t model_endpoint_id(const struct model_disk *disk, int row)
{
    return disk->endpoints[row].endpoint.id;
}

static bool model_endpoint_matches(const struct store *store, const struct store_query *query, int row)
{
    const struct model_row *endpoint = &store->disk->endpoints[row];
    return !endpoint->removed && (!query->owner_id || query->owner_id == endpoint->endpoint.owner_id) &&
           (query->kind == STORE_LIST_ENDPOINTS || query->id == endpoint->endpoint.id);
}

static void model_read_endpoints(const struct store *store, const struct model_page *page,
                                 struct arena *arena, struct store_answer *answer)
{
    answer->endpoints = arena_zero(arena, ((size_t)page->count + 1) * sizeof *answer->endpoints);
    for (int i = 0; i < page->count; i++)
        answer->endpoints[i] = model_endpoint_out(arena, store->disk->endpoints[page->rows[i]].endpoint);
}

static int64_t model_key_id(const struct model_disk *disk, int row)
{
    return disk->keys[row].id;
}

static bool model_key_matches(const struct store *store, const struct store_query *query, int row)
{
    const struct api_key *key = &store->disk->keys[row];
    return query->kind == STORE_GET_KEYRING ? key->revoked_at_ms == 0 : key->user_id == query->id;
}

static void model_read_keys(const struct store *store, const struct model_page *page, struct arena *arena,
                            struct store_answer *answer)
{
    answer->keys = arena_zero(arena, ((size_t)page->count + 1) * sizeof *answer->keys);
    for (int i = 0; i < page->count; i++) {
        answer->keys[i] = store->disk->keys[page->rows[i]];
        answer->keys[i].label = model_out(arena, answer->keys[i].label);
        answer->keys[i].allow_from = model_out(arena, answer->keys[i].allow_from);
    }
}

/* ---- events ---- */

static int64_t model_event_id(const struct model_disk *disk, int row)
{
    return disk->events[row].event.id;
}

static bool model_sees(const struct model_disk *disk, const struct store_query *query, int64_t user_id)
{
    if (query->master_id == 0 || query->master_id == user_id)
        return true;
    for (int i = 0; i < disk->user_count; i++)
        if (disk->users[i].id == user_id)
            return disk->users[i].master_id == query->master_id;
    return false;
}

static bool model_undelivered(const struct model_disk *disk, const struct store_query *query,
                              int64_t event_id)
{
    for (int i = 0; i < disk->delivery_count; i++)
        if (disk->deliveries[i].event_id == event_id &&
            model_sees(disk, query, disk->deliveries[i].user_id) &&
            (disk->deliveries[i].state == DELIVERY_PENDING ||
             disk->deliveries[i].state == DELIVERY_GIVEN_UP || disk->deliveries[i].state == DELIVERY_SKIPPED))
            return true;
    return false;
}

static bool model_event_matches(const struct store *store, const struct store_query *query, int row)
{
    const struct event *event = &store->disk->events[row].event;
    if (query->owner_id && event->owner_id != query->owner_id)
        return false;
    if (query->kind == STORE_GET_EVENT)
        return event->id == query->id;
    return (!query->event_type.len || bytes_equal(query->event_type, event->event_type)) &&
           (!query->resource_type.len || bytes_equal(query->resource_type, event->resource_type)) &&
           (!query->resource_id.len || bytes_equal(query->resource_id, event->resource_id)) &&
           (!query->undelivered || model_undelivered(store->disk, query, event->id));
}

static void model_read_events(const struct store *store, const struct store_query *query,
                              const struct model_page *page, struct arena *arena, struct store_answer *answer)
{
    answer->events = arena_zero(arena, ((size_t)page->count + 1) * sizeof *answer->events);
    for (int i = 0; i < page->count; i++) {
        struct event *event = &answer->events[i];
        *event = store->disk->events[page->rows[i]].event;
        event->event_type = model_out(arena, event->event_type);
        event->resource_type = model_out(arena, event->resource_type);
        event->resource_id = model_out(arena, event->resource_id);
        event->channels = model_out(arena, event->channels);
        event->unmatched = model_out(arena, event->unmatched);
        event->document = query->with_document ? model_out(arena, event->document) : (struct bytes){0};
    }
}

/* ---- deliveries and their history ---- */

static int64_t model_delivery_id(const struct model_disk *disk, int row)
{
    return disk->deliveries[row].id;
}

static bool model_delivery_matches(const struct store *store, const struct store_query *query, int row)
{
    const struct model_delivery *delivery = &store->disk->deliveries[row];
    if (!model_sees(store->disk, query, delivery->user_id))
        return false;
    return query->id == (query->kind == STORE_GET_DELIVERY ? delivery->id : delivery->event_id);
}

static bool model_delivery_found(const struct store *store, const struct store_query *query, int row)
{
    const struct model_delivery *delivery = &store->disk->deliveries[row];
    const struct model_event *event = model_find_event(store->disk, delivery->event_id);
    const char *reason = delivery->last_reason ? failure_name(delivery->last_reason) : "";
    return model_sees(store->disk, query, delivery->user_id) &&
           (!query->owner_id || query->owner_id == delivery->user_id) &&
           (!query->states || query->states & 1U << delivery->state) &&
           (!query->endpoint_id || query->endpoint_id == delivery->endpoint_id) &&
           (!query->reason.len || bytes_equal_text(query->reason, reason)) &&
           (!query->event_type.len || bytes_equal(query->event_type, event->event.event_type)) &&
           event->event.received_at_ms >= query->received_from_ms;
}

static void model_read_deliveries(const struct store *store, const struct model_page *page,
                                  struct arena *arena, struct store_answer *answer)
{
    int64_t now = model_due_now_ms(store);
    answer->deliveries = arena_zero(arena, ((size_t)page->count + 1) * sizeof *answer->deliveries);
    for (int i = 0; i < page->count; i++) {
        const struct model_delivery *from = &store->disk->deliveries[page->rows[i]];
        bool pending = model_under_way(from);
        bool leased = pending && from->leased && from->due_ms > now;
        int64_t in = from->due_ms > now ? from->due_ms - now : 0;
        answer->deliveries[i] = (struct delivery){
            .id = from->id,
            .event_id = from->event_id,
            .endpoint_id = from->endpoint_id,
            .user_id = from->user_id,
            .state = from->state,
            .leased = leased,
            .resending = from->resending,
            .attempt = from->earlier + from->attempt,
            .lease = from->lease,
            .next_in_ms = pending && !leased ? in : -1,
            .last_reason = from->last_reason ? bytes_of(failure_name(from->last_reason)) : (struct bytes){0},
            .last_status = from->last_status,
            .created_at_ms = from->created_at_ms,
            .first_attempt_at_ms = from->first_attempt_at_ms,
            .finished_at_ms = from->finished_at_ms,
        };
    }
}

static int64_t model_attempt_lease(const struct model_disk *disk, int row)
{
    return disk->attempts[row].lease;
}

static bool model_attempt_matches(const struct store *store, const struct store_query *query, int row)
{
    return store->disk->attempts[row].delivery_id == query->id;
}

static void model_read_attempts(const struct store *store, const struct model_page *page, struct arena *arena,
                                struct store_answer *answer)
{
    answer->attempts = arena_zero(arena, ((size_t)page->count + 1) * sizeof *answer->attempts);
    for (int i = 0; i < page->count; i++) {
        struct attempt *attempt = &answer->attempts[i];
        *attempt = store->disk->attempts[page->rows[i]];
        attempt->address = model_out(arena, attempt->address);
        attempt->detail = model_out(arena, attempt->detail);
        attempt->response = model_out(arena, attempt->response);
    }
}

/* ---- resources ---- */

static int model_by_id(const struct bytes *a, const struct bytes *b)
{
    size_t len = a->len < b->len ? a->len : b->len;
    int order = len ? memcmp(a->data, b->data, len) : 0;
    return order ? order : (a->len > b->len) - (a->len < b->len);
}

static bool model_resource_matches(const struct store_query *query, const struct resource *resource)
{
    if (resource->owner_id != query->owner_id || !bytes_equal(resource->type, query->resource_type))
        return false;
    if (query->kind == STORE_GET_RESOURCE)
        return bytes_equal(resource->id, query->resource_id);
    int order = model_by_id(&resource->id, &query->after_resource_id);
    return query->after_resource_id.len == 0 || (query->descending ? order < 0 : order > 0);
}

static void model_read_resources(const struct store *store, const struct store_query *query,
                                 struct arena *arena, struct store_answer *answer)
{
    const struct model_disk *disk = store->disk;
    struct resource *rows = arena_zero(arena, ((size_t)disk->resource_count + 1) * sizeof *rows);
    for (int i = 0; i < disk->resource_count; i++) {
        struct resource resource = disk->resources[i];
        if (!model_resource_matches(query, &resource))
            continue;
        resource.event_id = resource.event_id == MODEL_PUT ? 0 : resource.event_id;
        resource.type = model_out(arena, resource.type);
        resource.id = model_out(arena, resource.id);
        resource.json = model_out(arena, resource.json);
        int at = answer->count++;
        for (; at > 0 && (model_by_id(&rows[at - 1].id, &resource.id) > 0) != query->descending; at--)
            rows[at] = rows[at - 1];
        rows[at] = resource;
    }
    answer->resources = rows;
    answer->more = answer->count > query->limit;
    answer->count = answer->more ? query->limit : answer->count;
}

static int64_t model_job_id(const struct model_disk *disk, int row)
{
    return disk->jobs[row].id;
}

static bool model_job_matches(const struct store *store, const struct store_query *query, int row)
{
    const struct job *job = &store->disk->jobs[row];
    bool seen = !query->owner_id || query->owner_id == job->owner_id;
    return query->kind == STORE_LIST_JOBS_RUNNING
               ? job->state == JOB_RUNNING
               : seen && (query->kind == STORE_LIST_JOBS || job->id == query->id);
}

static void model_read_jobs(const struct store *store, const struct model_page *page, struct arena *arena,
                            struct store_answer *answer)
{
    answer->jobs = arena_zero(arena, ((size_t)page->count + 1) * sizeof *answer->jobs);
    for (int i = 0; i < page->count; i++) {
        struct job *job = &answer->jobs[i];
        *job = store->disk->jobs[page->rows[i]];
        job->event_type = model_out(arena, job->event_type);
        job->resource_type = model_out(arena, job->resource_type);
        job->resource_id = model_out(arena, job->resource_id);
    }
}

static void model_read_stats(const struct store *store, struct arena *arena, struct store_answer *answer)
{
    const struct model_disk *disk = store->disk;
    struct store_stats *stats = arena_zero(arena, sizeof *stats);
    stats->has_fingerprint = disk->has_fingerprint;
    memcpy(stats->fingerprint, disk->fingerprint, sizeof stats->fingerprint);
    stats->events = disk->event_count;
    for (int i = 0; i < disk->endpoint_count; i++) {
        const struct model_row *endpoint = &disk->endpoints[i];
        stats->endpoints += endpoint->endpoint.url.len > 0;
    }
    for (int i = 0; i < store->endpoint_count; i++) {
        const struct model_endpoint *endpoint = &store->endpoints[i];
        stats->endpoints_failing += endpoint->endpoint.url.len > 0 && endpoint->pace.failing;
    }
    for (int i = 0; i < disk->delivery_count; i++) {
        const struct model_delivery *delivery = &disk->deliveries[i];
        stats->deliveries_pending += delivery->state == DELIVERY_PENDING;
        stats->deliveries_delivered += delivery->state == DELIVERY_DELIVERED;
        stats->deliveries_given_up += delivery->state == DELIVERY_GIVEN_UP;
        stats->deliveries_cancelled += delivery->state == DELIVERY_CANCELLED;
        stats->deliveries_skipped += delivery->state == DELIVERY_SKIPPED;
        bool waits = model_under_way(delivery) && !(delivery->leased && delivery->lease <= 1);
        if (waits && (!stats->oldest_waiting_at_ms || delivery->created_at_ms < stats->oldest_waiting_at_ms))
            stats->oldest_waiting_at_ms = delivery->created_at_ms;
    }
    answer->stats = stats;
    answer->count = 1;
}

enum store_status model_read(struct store *store, const struct store_query *query, struct arena *arena,
                             struct store_answer *answer)
{
    struct model_disk *disk = store->disk;
    struct store_query all = *query;
    struct model_page page = {0};
    *answer = (struct store_answer){0};
    if (query->limit <= 0)
        all.limit = INT32_MAX;
    switch (query->kind) {
    case STORE_GET_USER:
    case STORE_LIST_USERS:
    case STORE_LIST_CHANGED:
        page = model_page(store, &all, arena, disk->user_count, model_user_matches,
                          query->kind == STORE_LIST_CHANGED ? model_user_change : model_user_id);
        model_read_users(store, &page, arena, answer);
        break;
    case STORE_GET_ENDPOINT:
    case STORE_LIST_ENDPOINTS:
        page =
            model_page(store, &all, arena, disk->endpoint_count, model_endpoint_matches, model_endpoint_id);
        model_read_endpoints(store, &page, arena, answer);
        break;
    case STORE_GET_KEYRING:
    case STORE_LIST_KEYS:
        page = model_page(store, &all, arena, disk->key_count, model_key_matches, model_key_id);
        model_read_keys(store, &page, arena, answer);
        break;
    case STORE_GET_EVENT:
    case STORE_LIST_EVENTS:
        page = model_page(store, &all, arena, disk->event_count, model_event_matches, model_event_id);
        model_read_events(store, &all, &page, arena, answer);
        break;
    case STORE_GET_DELIVERY:
    case STORE_LIST_DELIVERIES:
    case STORE_FIND_DELIVERIES:
        page =
            model_page(store, &all, arena, disk->delivery_count,
                       query->kind == STORE_FIND_DELIVERIES ? model_delivery_found : model_delivery_matches,
                       model_delivery_id);
        model_read_deliveries(store, &page, arena, answer);
        break;
    case STORE_LIST_ATTEMPTS:
        page =
            model_page(store, &all, arena, disk->attempt_count, model_attempt_matches, model_attempt_lease);
        model_read_attempts(store, &page, arena, answer);
        break;
    case STORE_GET_JOB:
    case STORE_LIST_JOBS:
    case STORE_LIST_JOBS_RUNNING:
        page = model_page(store, &all, arena, disk->job_count, model_job_matches, model_job_id);
        model_read_jobs(store, &page, arena, answer);
        break;
    case STORE_LIST_HOURS:
        model_read_hours(store, query, arena, answer);
        return STORE_OK;
    case STORE_JOB_ROWS:
        model_job_rows(store, query, arena, answer);
        return STORE_OK;
    case STORE_GET_RESOURCE:
    case STORE_LIST_RESOURCES:
        model_read_resources(store, &all, arena, answer);
        return STORE_OK;
    case STORE_GET_STATS:
        model_read_stats(store, arena, answer);
        return STORE_OK;
    }
    answer->count = page.count;
    answer->more = page.more;
    return STORE_OK;
}
