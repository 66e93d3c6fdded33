/* What must be equal in the model and in SQLite. */
#include "twin.h"
#include <stdlib.h>

static void same_bytes(struct bytes a, struct bytes b)
{
    assert_true(bytes_equal(a, b));
}

static int by_delivery(const void *a, const void *b)
{
    int64_t left = (*(struct store_work *const *)a)->delivery_id;
    int64_t right = (*(struct store_work *const *)b)->delivery_id;
    return (left > right) - (left < right);
}

static void same_jobs(const struct job *a, const struct job *b)
{
    assert_int_equal(a->id, b->id);
    assert_int_equal(a->owner_id, b->owner_id);
    assert_int_equal(a->endpoint_id, b->endpoint_id);
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->state, b->state);
    assert_int_equal(a->since_ms, b->since_ms);
    assert_int_equal(a->until_ms, b->until_ms);
    assert_int_equal(a->delivery_state, b->delivery_state);
    same_bytes(a->event_type, b->event_type);
    same_bytes(a->resource_type, b->resource_type);
    same_bytes(a->resource_id, b->resource_id);
    assert_true(job_cursor_equal(a->cursor, b->cursor));
    assert_int_equal(a->below_id, b->below_id);
    assert_int_equal(a->looked, b->looked);
    assert_int_equal(a->made_due, b->made_due);
    assert_int_equal(a->total, b->total);
    assert_int_equal(a->created_at_ms, b->created_at_ms);
    assert_int_equal(a->finished_at_ms, b->finished_at_ms);
}

void twin_same_boxes(struct twin *t)
{
    assert_int_equal(t->model.filled, t->sqlite.filled);
    assert_true(t->model.filled < FIXTURE_BOXES); /* or which ones is the backend's choice */
    const struct store_work *left[FIXTURE_BOXES], *right[FIXTURE_BOXES];
    for (int i = 0; i < t->model.filled; i++) {
        left[i] = &t->model.boxes[i];
        right[i] = &t->sqlite.boxes[i];
    }
    qsort(left, (size_t)t->model.filled, sizeof *left, by_delivery);
    qsort(right, (size_t)t->model.filled, sizeof *right, by_delivery);
    for (int i = 0; i < t->model.filled; i++) {
        const struct store_work *a = left[i], *b = right[i];
        assert_int_equal(a->delivery_id, b->delivery_id);
        assert_int_equal(a->event_id, b->event_id);
        assert_int_equal(a->endpoint_id, b->endpoint_id);
        assert_int_equal(a->user_id, b->user_id);
        assert_int_equal(a->lease, b->lease);
        assert_int_equal(a->attempt, b->attempt);
        assert_int_equal(a->lost, b->lost);
        assert_int_equal(a->age_ms, b->age_ms);
        assert_int_equal(a->sent_at_ms, b->sent_at_ms);
        assert_int_equal(a->quick, b->quick);
        assert_string_equal(a->auth_digest, b->auth_digest);
        same_bytes(a->url, b->url);
        same_bytes(a->signing, b->signing);
        same_bytes(a->identity, b->identity);
        assert_true(push_settings_equal(push_settings_of(a->push), push_settings_of(b->push)));
        assert_int_equal(a->endpoint_version, b->endpoint_version);
        assert_int_equal(a->endpoint_created_at_ms, b->endpoint_created_at_ms);
        same_bytes(bytes_make(a->document, a->document_len), bytes_make(b->document, b->document_len));
        assert_true(t->pool_count < POOL_MAX);
        t->pool[t->pool_count++] = *a;
    }
}

static void same_endpoints(const struct endpoint *a, const struct endpoint *b)
{
    assert_int_equal(a->id, b->id);
    assert_int_equal(a->owner_id, b->owner_id);
    same_bytes(a->url, b->url);
    assert_int_equal(a->disable_on_410, b->disable_on_410);
    assert_int_equal(a->disable_after, b->disable_after);
    assert_int_equal(a->flow.in_flight_max, b->flow.in_flight_max);
    assert_int_equal(a->flow.rate.count, b->flow.rate.count);
    assert_int_equal(a->flow.rate.per, b->flow.rate.per);
    assert_int_equal(a->flow.ordered, b->flow.ordered);
    assert_int_equal(a->paused, b->paused);
    assert_int_equal(a->disabled, b->disabled);
    assert_int_equal(a->paused_at_ms, b->paused_at_ms);
    same_bytes(a->signing, b->signing);
    same_bytes(a->identity, b->identity);
    same_bytes(a->event_types, b->event_types);
    same_bytes(a->channels, b->channels);
    same_bytes(a->filter, b->filter);
    same_bytes(a->description, b->description);
    same_bytes(a->metadata, b->metadata);
    assert_true(push_settings_equal(&a->push, &b->push));
    assert_int_equal(a->version, b->version);
    assert_int_equal(a->created_at_ms, b->created_at_ms);
    assert_int_equal(a->updated_at_ms, b->updated_at_ms);
}

static void same_users(const struct user *a, const struct user *b)
{
    assert_int_equal(a->id, b->id);
    assert_int_equal(a->role, b->role);
    assert_int_equal(a->master_id, b->master_id);
    same_bytes(a->name, b->name);
    assert_int_equal(a->receives_users_events, b->receives_users_events);
    assert_int_equal(a->version, b->version);
    assert_int_equal(a->updated_at_ms, b->updated_at_ms);
    same_endpoints(&a->endpoint, &b->endpoint);
}

static void same_events(const struct event *a, const struct event *b)
{
    assert_int_equal(a->id, b->id);
    assert_int_equal(a->owner_id, b->owner_id);
    assert_int_equal(a->sent_at_ms, b->sent_at_ms);
    assert_int_equal(a->received_at_ms, b->received_at_ms);
    same_bytes(a->event_type, b->event_type);
    same_bytes(a->channels, b->channels);
    same_bytes(a->unmatched, b->unmatched);
    same_bytes(a->document, b->document);
}

static void same_deliveries(const struct delivery *a, const struct delivery *b)
{
    assert_int_equal(a->id, b->id);
    assert_int_equal(a->event_id, b->event_id);
    assert_int_equal(a->endpoint_id, b->endpoint_id);
    assert_int_equal(a->user_id, b->user_id);
    assert_int_equal(a->state, b->state);
    assert_int_equal(a->leased, b->leased);
    assert_int_equal(a->attempt, b->attempt);
    assert_int_equal(a->lease, b->lease);
    assert_int_equal(a->next_in_ms, b->next_in_ms);
    same_bytes(a->last_reason, b->last_reason);
    assert_int_equal(a->last_status, b->last_status);
    assert_int_equal(a->created_at_ms, b->created_at_ms);
    assert_int_equal(a->first_attempt_at_ms, b->first_attempt_at_ms);
    assert_int_equal(a->finished_at_ms, b->finished_at_ms);
}

static void same_attempts(const struct attempt *a, const struct attempt *b)
{
    assert_int_equal(a->lease, b->lease);
    assert_int_equal(a->attempt, b->attempt);
    assert_int_equal(a->started_at_ms, b->started_at_ms);
    assert_int_equal(a->duration_ms, b->duration_ms);
    assert_int_equal(a->status, b->status);
    assert_int_equal(a->failure, b->failure);
    assert_int_equal(a->counted, b->counted);
    same_bytes(a->address, b->address);
    assert_int_equal(a->request_unread, b->request_unread);
    same_bytes(a->detail, b->detail);
    same_bytes(a->response, b->response);
}

static void same_resources(const struct resource *a, const struct resource *b)
{
    assert_int_equal(a->owner_id, b->owner_id);
    same_bytes(a->type, b->type);
    same_bytes(a->id, b->id);
    same_bytes(a->json, b->json);
    assert_int_equal(a->version, b->version);
    assert_int_equal(a->event_id, b->event_id);
    assert_int_equal(a->updated_at_ms, b->updated_at_ms);
}

static void same_answers(struct twin *t, struct store_query query)
{
    struct store_answer a = fixture_read(&t->model, query), b = fixture_read(&t->sqlite, query);
    assert_int_equal(a.count, b.count);
    assert_int_equal(a.more, b.more);
    for (int i = 0; i < a.count; i++) {
        if (a.users)
            same_users(&a.users[i], &b.users[i]);
        if (a.endpoints)
            same_endpoints(&a.endpoints[i], &b.endpoints[i]);
        if (a.keys)
            assert_string_equal(a.keys[i].digest, b.keys[i].digest);
        if (a.events)
            same_events(&a.events[i], &b.events[i]);
        if (a.deliveries)
            same_deliveries(&a.deliveries[i], &b.deliveries[i]);
        if (a.jobs)
            same_jobs(&a.jobs[i], &b.jobs[i]);
        if (a.attempts)
            same_attempts(&a.attempts[i], &b.attempts[i]);
        if (a.resources)
            same_resources(&a.resources[i], &b.resources[i]);
        if (a.stats) { /* who is under the first lease of its life is the backend's to know */
            a.stats->oldest_waiting_at_ms = b.stats->oldest_waiting_at_ms = 0;
            a.stats->log_bytes = b.stats->log_bytes = 0; /* the model has none */
            assert_memory_equal(a.stats, b.stats, sizeof *a.stats);
        }
    }
}

void twin_read(struct twin *t)
{
    static const char *const types[] = {"", "payment_updated", "none"};
    int64_t event = t->event_count ? t->events[twin_draw(t, (uint64_t)t->event_count)].event.event.id : 1;
    same_answers(t, (struct store_query){.kind = STORE_LIST_EVENTS,
                                         .limit = 1 + (int)twin_draw(t, 20),
                                         .owner_id = twin_draw(t, 2) ? 0 : twin_user(t),
                                         .event_type = bytes_of(types[twin_draw(t, 3)]),
                                         .undelivered = twin_draw(t, 2),
                                         .master_id = twin_draw(t, 2) ? 0 : twin_user(t),
                                         .descending = twin_draw(t, 2),
                                         .after_id = twin_draw(t, 2) ? 0 : event,
                                         .with_document = twin_draw(t, 2)});
    same_answers(t, (struct store_query){.kind = STORE_LIST_DELIVERIES,
                                         .id = event,
                                         .limit = 5,
                                         .descending = twin_draw(t, 2),
                                         .master_id = twin_draw(t, 2) ? 0 : twin_user(t)});
    int64_t delivery = (1 + (int64_t)twin_draw(t, 200)) * MODEL_DELIVERY_STEP | FIXTURE_MARK;
    static const char *const reasons[] = {"", "unexpected_status", "timeout"};
    const struct event *since =
        t->event_count ? &t->events[twin_draw(t, (uint64_t)t->event_count)].event.event : NULL;
    same_answers(
        t, (struct store_query){.kind = STORE_FIND_DELIVERIES,
                                .limit = 1 + (int)twin_draw(t, 20),
                                .owner_id = twin_draw(t, 2) ? 0 : twin_user(t),
                                .master_id = twin_draw(t, 2) ? 0 : twin_user(t),
                                .endpoint_id = twin_draw(t, 2) ? 0 : twin_endpoint(t),
                                .states = (unsigned)twin_draw(t, 1 << DELIVERY_STATES),
                                .event_type = bytes_of(types[twin_draw(t, 3)]),
                                .reason = bytes_of(reasons[twin_draw(t, 3)]),
                                .received_from_ms = twin_draw(t, 2) && since ? since->received_at_ms : 0,
                                .descending = twin_draw(t, 2),
                                .after_id = twin_draw(t, 2) ? 0 : delivery});
    same_answers(t, (struct store_query){.kind = STORE_GET_DELIVERY, .id = delivery});
    same_answers(t,
                 (struct store_query){
                     .kind = STORE_LIST_ATTEMPTS, .id = delivery, .limit = 2, .descending = twin_draw(t, 2)});
    same_answers(t, (struct store_query){.kind = STORE_LIST_USERS, .limit = 10, .master_id = twin_user(t)});
    same_answers(t, (struct store_query){.kind = STORE_LIST_CHANGED, .limit = 1 + (int)twin_draw(t, 8)});
    same_answers(t, (struct store_query){.kind = STORE_LIST_ENDPOINTS,
                                         .limit = 1 + (int)twin_draw(t, 20),
                                         .owner_id = twin_draw(t, 2) ? 0 : twin_user(t),
                                         .descending = twin_draw(t, 2)});
    same_answers(t, (struct store_query){.kind = STORE_GET_ENDPOINT, .id = twin_endpoint(t)});
    same_answers(t, (struct store_query){.kind = STORE_GET_KEYRING, .limit = 1000});
    same_answers(t, (struct store_query){.kind = STORE_LIST_JOBS,
                                         .limit = 1 + (int)twin_draw(t, 20),
                                         .owner_id = twin_draw(t, 2) ? 0 : twin_user(t),
                                         .descending = twin_draw(t, 2)});
    struct store_query resources = {.owner_id = twin_user(t),
                                    .resource_type = bytes_of(twin_draw(t, 2) ? "quotes" : "payments"),
                                    .resource_id = twin_resource_id(t)};
    resources.kind = STORE_GET_RESOURCE;
    same_answers(t, resources);
    resources.kind = STORE_LIST_RESOURCES;
    resources.limit = 1 + (int)twin_draw(t, 6);
    resources.descending = twin_draw(t, 2);
    resources.after_resource_id = twin_draw(t, 2) ? twin_resource_id(t) : (struct bytes){0};
    same_answers(t, resources);
    same_answers(t, (struct store_query){.kind = STORE_GET_STATS});
}
