/*
 * The same random batches on the model store and on SQLite: every result, every filled box and every answer
 * must be equal. A failing seed is in the output and can be given as an argument.
 *
 * What a backend may choose is kept out of the way: there are always boxes for all that may be claimed, or
 * none; restarts happen with no lease out, and every URL is new after them, since pace is not kept.
 */
#include "fixture.h"
#include "model_store.h"
#include "sqlite_parts.h"
#include <stdio.h>
#include <stdlib.h>

enum {
    USERS_MAX = 6,
    ENDPOINTS_MAX = 16,
    STEPS = 150,
    SEEDS = 36,
    SEEDS_MORE = 7,
    OPS_MAX = 6,
    POOL_MAX = 4000,
    EVENTS_MAX = 2000
};

struct twin {
    struct fixture model, sqlite;
    uint64_t random;
    int64_t users[USERS_MAX];
    int user_count;
    int64_t endpoints[ENDPOINTS_MAX]; /* further ones, and some that were removed */
    int endpoint_count;
    struct store_work pool[POOL_MAX]; /* boxes that were filled and not yet recorded; views are not used */
    int pool_count;
    struct store_op done[32]; /* earlier outcomes, to be repeated */
    int done_count;
    struct store_op events[EVENTS_MAX];
    int event_count;
    int renewals;
};

static uint64_t draw(struct twin *t, uint64_t below)
{
    t->random ^= t->random << 13;
    t->random ^= t->random >> 7;
    t->random ^= t->random << 17;
    return t->random % below;
}

static int64_t some_user(struct twin *t)
{
    return draw(t, 12) == 0 ? 999 : t->users[draw(t, (uint64_t)t->user_count)];
}

/* A further endpoint, or a user's default one. */
static int64_t some_endpoint(struct twin *t)
{
    return t->endpoint_count > 0 && draw(t, 3) ? t->endpoints[draw(t, (uint64_t)t->endpoint_count)]
                                               : some_user(t);
}

/* ---- random ops ---- */

static struct bytes some_resource_id(struct twin *t)
{
    static const char *const ids[] = {"1", "10", "2", "a", "ab", "b"};
    return bytes_of(ids[draw(t, 6)]);
}

/* A store does not look into a snapshot: any part of the document will do. */
static void some_snapshots(struct twin *t, struct store_op *op)
{
    struct event *event = &op->event.event;
    struct resource *included = arena_zero(&t->model.arena, 3 * sizeof *included);
    event->resource_id = some_resource_id(t);
    for (int i = 0; i < 3; i++)
        included[i] =
            (struct resource){.type = bytes_of(i ? "quotes" : "payments"),
                              .id = i == 2 ? event->resource_id : some_resource_id(t),
                              .json = bytes_make(event->document.data + 1 + draw(t, 30), 1 + draw(t, 100))};
    included[0].id = event->resource_id;
    uint64_t kind = draw(t, 10);
    op->event.included = included + (kind == 0);
    op->event.included_count = kind < 2 ? 2 : kind < 9;
    op->event.destroyed = draw(t, 6) == 0;
}

static struct store_op some_event(struct twin *t)
{
    if (t->event_count > 0 && draw(t, 15) == 0) { /* done again */
        struct store_op op = t->events[draw(t, (uint64_t)t->event_count)];
        op.event.event.received_at_ms = t->model.wall_ms; /* a purge may stop at the first that is young */
        return op;
    }
    static const char *const keys[] = {"", "", "", "a", "b", "c", "d", "e", "f", "g"};
    static const char *const types[] = {"payment_updated", "user_enabled"};
    struct store_op op = fixture_event_op(&t->model, some_user(t));
    op.event.event.event_type = bytes_of(types[draw(t, 2)]);
    op.event.idempotency_key = bytes_of(keys[draw(t, 10)]);
    op.event.request_digest[0] = (unsigned char)draw(t, 2);
    some_snapshots(t, &op);
    op.event.owner_only = draw(t, 8) == 0;
    if (draw(t, 12) == 0) /* a default endpoint, which may be another's or have no URL */
        op.event.only_endpoint_id = 5 + (int64_t)draw(t, 4);
    op.event.event.channels = fixture_channels((int)draw(t, FIXTURE_CHANNELS));
    if (draw(t, 10) == 0) /* an earlier write of it came to nothing */
        op.event.event.id = 1000000000000000000 + (int64_t)draw(t, 40);
    return op;
}

static struct store_op some_outcome(struct twin *t)
{
    /* None is 0: which goes first of what is due since the same millisecond is the backend's choice. */
    static const int64_t delays[] = {1, 700, 10000, 100000};
    if (t->done_count > 0 && (t->pool_count == 0 || draw(t, 8) == 0))
        return t->done[draw(t, (uint64_t)t->done_count)];
    if (t->pool_count == 0)
        return (struct store_op){.kind = STORE_OUTCOME, .outcome = {.delivery_id = 777777, .lease = 1}};
    int at = (int)draw(t, (uint64_t)t->pool_count);
    struct store_work box = t->pool[at];
    enum decision_kind kind = (enum decision_kind)draw(t, 4);
    struct store_op op =
        fixture_outcome_op(&t->model, &box, kind, kind == DECISION_GIVE_UP ? 0 : delays[draw(t, 4)]);
    op.outcome.attempt.duration_ms = (int32_t)draw(t, 100);
    if (draw(t, 10) == 0)
        op.outcome.attempt.started_at_ms = 0;
    t->done[t->done_count < 32 ? t->done_count++ : (int)draw(t, 32)] = op;
    if (draw(t, 10) != 0) /* else it is recorded twice, perhaps differently */
        t->pool[at] = t->pool[--t->pool_count];
    return op;
}

static struct store_op some_update(struct twin *t)
{
    struct store_op op = fixture_update_op(&t->model, t->users[draw(t, (uint64_t)t->user_count)]);
    struct user *user = &op.user.user;
    switch (draw(t, 8)) {
    case 4:
        fixture_wish(&user->endpoint, (int)draw(t, FIXTURE_WISHES));
        break;
    case 5:
        user->endpoint.signing = bytes_of(draw(t, 2) ? "signing" : "");
        break;
    case 6:
        user->endpoint.identity = bytes_of(draw(t, 2) ? "identity" : "");
        break;
    case 0:
        user->endpoint.url = (struct bytes){0};
        break;
    case 1:
        user->endpoint.url =
            bytes_of(arena_printf(&t->model.arena, "https://example.com/%d", (int)draw(t, 3)));
        break;
    case 2:
        user->endpoint.paused = !user->endpoint.paused;
        break;
    case 3:
        user->receives_users_events = !user->receives_users_events;
        break;
    default:
        user->endpoint.disable_on_410 = !user->endpoint.disable_on_410;
    }
    op.user.if_version = draw(t, 3) == 0 ? (int64_t)draw(t, 6) : -1;
    return op;
}

static struct store_op some_resource(struct twin *t)
{
    static const char *const snapshots[] = {"{}", "{\"put\":1}"};
    return (struct store_op){.kind = draw(t, 4) ? STORE_RESOURCE_PUT : STORE_RESOURCE_DELETE,
                             .resource = {.resource = {.owner_id = some_user(t),
                                                       .type = bytes_of(draw(t, 2) ? "quotes" : "payments"),
                                                       .id = some_resource_id(t),
                                                       .json = bytes_of(snapshots[draw(t, 2)]),
                                                       .updated_at_ms = t->model.wall_ms},
                                          .if_version = draw(t, 3) ? -1 : (int64_t)draw(t, 2)}};
}

/* Made, changed or removed; at times of a user that is not its owner, or that is none. */
static struct store_op some_endpoint_op(struct twin *t)
{
    struct store_op op = {.kind = STORE_ENDPOINT_CREATE, .endpoint.if_version = -1};
    struct endpoint *endpoint = &op.endpoint.endpoint;
    struct store_query get = {.kind = STORE_GET_ENDPOINT, .id = some_endpoint(t)};
    struct store_answer there = fixture_read(&t->model, get);
    if (there.count == 1)
        *endpoint = there.endpoints[0];
    else
        endpoint->id = get.id;
    switch (draw(t, 8)) {
    case 0:
        op.kind = STORE_ENDPOINT_REMOVE;
        return op;
    case 1:
    case 2:
        *endpoint = (struct endpoint){.owner_id = some_user(t)};
        break;
    default:
        op.kind = STORE_ENDPOINT_UPDATE;
        op.endpoint.if_version = draw(t, 3) ? -1 : (int64_t)draw(t, 4);
    }
    endpoint->url = bytes_of(
        draw(t, 8) ? arena_printf(&t->model.arena, "https://more.example/%d", (int)draw(t, 3)) : NULL);
    endpoint->paused = draw(t, 6) == 0;
    int64_t drawn = draw(t, 18);
    endpoint->disabled = (enum endpoint_disabled)(drawn % 2 * (1 + drawn / 6 % 2));
    endpoint->disable_after = (int32_t)(drawn / 6);
    fixture_wish(endpoint, (int)draw(t, FIXTURE_WISHES));
    endpoint->signing = bytes_of(draw(t, 2) ? "its signing" : "");
    endpoint->push = draw(t, 2) ? fixture_push_settings() : (struct push_settings){0};
    endpoint->updated_at_ms = t->model.wall_ms;
    return op;
}

/* A person's word, now and then about the delivery as it was read, or as it never was. */
static struct store_op some_word(struct twin *t)
{
    struct store_op op = {
        .kind = draw(t, 11) < 7 ? STORE_RESEND : STORE_CANCEL,
        .delivery = {.delivery_id = (int64_t)draw(t, 200) * MODEL_DELIVERY_STEP | FIXTURE_MARK,
                     .user_id = draw(t, 2) ? 0 : some_user(t)}};
    struct store_query get = {.kind = STORE_GET_DELIVERY, .id = op.delivery.delivery_id};
    struct store_answer answer = fixture_read(&t->model, get);
    if (!answer.count || draw(t, 2))
        return op;
    struct delivery *seen = answer.deliveries;
    op.delivery.if_as = seen;
    uint64_t other = draw(t, 12);
    seen->lease += other == 0;
    seen->attempt += other == 1;
    seen->finished_at_ms += other == 2;
    seen->leased = seen->leased != (other == 3);
    seen->resending = seen->resending != (other == 4);
    seen->state = other == 5 ? (enum delivery_state)draw(t, 5) : seen->state;
    return op;
}

static struct store_op some_new_job(struct twin *t)
{
    struct store_query get = {.kind = STORE_GET_ENDPOINT, .id = some_endpoint(t), .limit = 1};
    struct store_answer answer = fixture_read(&t->model, get);
    static const char *const types[] = {"", "", "payment_updated", "none"};
    struct job job = {.endpoint_id = get.id,
                      .owner_id = answer.count && draw(t, 8) ? answer.endpoints[0].owner_id : some_user(t),
                      .kind = (enum job_kind)draw(t, JOB_KINDS),
                      .since_ms = draw(t, 2) ? 0 : t->model.wall_ms - (int64_t)draw(t, 100000),
                      .until_ms = draw(t, 4) ? 0 : t->model.wall_ms - (int64_t)draw(t, 20000),
                      .delivery_state = (enum delivery_state)(1 + draw(t, DELIVERY_STATES - 1)),
                      .event_type = bytes_of(types[draw(t, 4)]),
                      .resource_id = draw(t, 4) ? (struct bytes){0} : some_resource_id(t),
                      .total = -1,
                      .created_at_ms = t->model.wall_ms};
    return (struct store_op){.kind = STORE_JOB_CREATE, .job = job};
}

/* Both find the same rows, of a job that there is. */
static struct store_op some_step(struct twin *t, const struct job *job)
{
    struct store_query query = {.kind = STORE_JOB_ROWS, .job = job, .limit = 1 + (int)draw(t, 6)};
    struct store_answer a = fixture_read(&t->model, query), b = fixture_read(&t->sqlite, query);
    assert_int_equal(a.count, b.count);
    assert_int_equal(a.looked, b.looked);
    assert_int_equal(a.more, b.more);
    assert_true(job_cursor_equal(a.to, b.to));
    for (int i = 0; i < a.count; i++)
        assert_int_equal(a.ids[i], b.ids[i]);
    struct store_op op = {.kind = STORE_JOB_STEP,
                          .job_step = {.id = job->id,
                                       .from = job->cursor,
                                       .to = a.to,
                                       .ids = a.ids,
                                       .count = a.count,
                                       .looked = a.looked,
                                       .ahead_max = 1 + (int)draw(t, 40),
                                       .finished = !a.more}};
    op.job_step.from.id -= draw(t, 12) == 0;
    return op;
}

static struct store_op some_job_op(struct twin *t)
{
    struct store_query running = {.kind = STORE_LIST_JOBS_RUNNING, .limit = 20};
    struct store_answer answer = fixture_read(&t->model, running);
    uint64_t kind = draw(t, 10);
    if (answer.count == 0 || kind < 2)
        return some_new_job(t);
    const struct job *job = &answer.jobs[draw(t, (uint64_t)answer.count)];
    if (kind == 2)
        return (struct store_op){.kind = STORE_JOB_CANCEL, .job.id = job->id};
    return some_step(t, job);
}

static struct store_op some_op(struct twin *t)
{
    if (draw(t, 25) == 0)
        return some_endpoint_op(t);
    if (draw(t, 12) == 0)
        return some_resource(t);
    if (draw(t, 12) == 0)
        return some_job_op(t);
    uint64_t kind = draw(t, 100);
    if (kind < 40)
        return some_event(t);
    if (kind < 80)
        return some_outcome(t);
    if (kind < 85)
        return some_update(t);
    if (kind < 87)
        return fixture_key_op(&t->model, some_user(t));
    if (kind < 88)
        return (struct store_op){.kind = STORE_KEY_UPDATE,
                                 .key_changes = (unsigned)draw(t, 8),
                                 .key = {.id = (int64_t)draw(t, 12),
                                         .user_id = some_user(t),
                                         .allow_from = bytes_of(draw(t, 2) ? "::1" : ""),
                                         .rate_per_s = (int64_t)draw(t, 9) - 1},
                                 .key_if_version = (int64_t)draw(t, 3)};
    if (kind < 89)
        return (struct store_op){.kind = STORE_KEY_REVOKE,
                                 .key = {.id = (int64_t)draw(t, 12), .user_id = some_user(t)},
                                 .key_if_version = (int64_t)draw(t, 3)};
    if (kind < 98)
        return some_word(t);
    int64_t before_ms = t->model.wall_ms - 60000;
    return (struct store_op){.kind = STORE_PURGE,
                             .purge = {.before_ms = before_ms,
                                       .idempotency_before_ms = draw(t, 2) ? before_ms + 20000 : 0,
                                       .resources_before_ms = draw(t, 2) ? before_ms : 0,
                                       .rows_max = 1000}};
}

/* ---- comparing ---- */

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

static void same_boxes(struct twin *t)
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

static void read_some(struct twin *t)
{
    static const char *const types[] = {"", "payment_updated", "none"};
    int64_t event = t->event_count ? t->events[draw(t, (uint64_t)t->event_count)].event.event.id : 1;
    same_answers(t, (struct store_query){.kind = STORE_LIST_EVENTS,
                                         .limit = 1 + (int)draw(t, 20),
                                         .owner_id = draw(t, 2) ? 0 : some_user(t),
                                         .event_type = bytes_of(types[draw(t, 3)]),
                                         .undelivered = draw(t, 2),
                                         .master_id = draw(t, 2) ? 0 : some_user(t),
                                         .descending = draw(t, 2),
                                         .after_id = draw(t, 2) ? 0 : event,
                                         .with_document = draw(t, 2)});
    same_answers(t, (struct store_query){.kind = STORE_LIST_DELIVERIES,
                                         .id = event,
                                         .limit = 5,
                                         .descending = draw(t, 2),
                                         .master_id = draw(t, 2) ? 0 : some_user(t)});
    int64_t delivery = (1 + (int64_t)draw(t, 200)) * MODEL_DELIVERY_STEP | FIXTURE_MARK;
    static const char *const reasons[] = {"", "unexpected_status", "timeout"};
    const struct event *since =
        t->event_count ? &t->events[draw(t, (uint64_t)t->event_count)].event.event : NULL;
    same_answers(t, (struct store_query){.kind = STORE_FIND_DELIVERIES,
                                         .limit = 1 + (int)draw(t, 20),
                                         .owner_id = draw(t, 2) ? 0 : some_user(t),
                                         .master_id = draw(t, 2) ? 0 : some_user(t),
                                         .endpoint_id = draw(t, 2) ? 0 : some_endpoint(t),
                                         .states = (unsigned)draw(t, 1 << DELIVERY_STATES),
                                         .event_type = bytes_of(types[draw(t, 3)]),
                                         .reason = bytes_of(reasons[draw(t, 3)]),
                                         .received_from_ms = draw(t, 2) && since ? since->received_at_ms : 0,
                                         .descending = draw(t, 2),
                                         .after_id = draw(t, 2) ? 0 : delivery});
    same_answers(t, (struct store_query){.kind = STORE_GET_DELIVERY, .id = delivery});
    same_answers(t, (struct store_query){
                        .kind = STORE_LIST_ATTEMPTS, .id = delivery, .limit = 2, .descending = draw(t, 2)});
    same_answers(t, (struct store_query){.kind = STORE_LIST_USERS, .limit = 10, .master_id = some_user(t)});
    same_answers(t, (struct store_query){.kind = STORE_LIST_CHANGED, .limit = 1 + (int)draw(t, 8)});
    same_answers(t, (struct store_query){.kind = STORE_LIST_ENDPOINTS,
                                         .limit = 1 + (int)draw(t, 20),
                                         .owner_id = draw(t, 2) ? 0 : some_user(t),
                                         .descending = draw(t, 2)});
    same_answers(t, (struct store_query){.kind = STORE_GET_ENDPOINT, .id = some_endpoint(t)});
    same_answers(t, (struct store_query){.kind = STORE_GET_KEYRING, .limit = 1000});
    same_answers(t, (struct store_query){.kind = STORE_LIST_JOBS,
                                         .limit = 1 + (int)draw(t, 20),
                                         .owner_id = draw(t, 2) ? 0 : some_user(t),
                                         .descending = draw(t, 2)});
    struct store_query resources = {.owner_id = some_user(t),
                                    .resource_type = bytes_of(draw(t, 2) ? "quotes" : "payments"),
                                    .resource_id = some_resource_id(t)};
    resources.kind = STORE_GET_RESOURCE;
    same_answers(t, resources);
    resources.kind = STORE_LIST_RESOURCES;
    resources.limit = 1 + (int)draw(t, 6);
    resources.descending = draw(t, 2);
    resources.after_resource_id = draw(t, 2) ? some_resource_id(t) : (struct bytes){0};
    same_answers(t, resources);
    same_answers(t, (struct store_query){.kind = STORE_GET_STATS});
}

/* ---- writing ---- */

static void write_both(struct twin *t, struct store_op *ops, int count, int boxes)
{
    struct store_op twins[OPS_MAX];
    memcpy(twins, ops, (size_t)count * sizeof *ops);
    fixture_write(&t->model, ops, count, boxes);
    fixture_write(&t->sqlite, twins, count, boxes);
    for (int i = 0; i < count; i++) {
        assert_int_equal(ops[i].result, twins[i].result);
        assert_int_equal(ops[i].id, twins[i].id);
        if (ops[i].kind == STORE_PURGE || ops[i].kind == STORE_JOB_STEP)
            assert_int_equal(ops[i].count, twins[i].count);
        if (ops[i].kind == STORE_JOB_STEP)
            assert_int_equal(ops[i].job_step.held, twins[i].job_step.held);
        if (ops[i].kind == STORE_ENDPOINT_CREATE && ops[i].id) {
            bool full = t->endpoint_count == ENDPOINTS_MAX;
            t->endpoints[full ? (int)draw(t, ENDPOINTS_MAX) : t->endpoint_count++] = ops[i].id;
        }
        if (ops[i].kind != STORE_EVENT)
            continue;
        assert_int_equal(ops[i].event.skipped, twins[i].event.skipped);
        if (t->event_count < EVENTS_MAX)
            t->events[t->event_count++] = ops[i];
    }
    same_boxes(t);
    assert_int_equal(t->model.next_due_in_ms == 0, t->sqlite.next_due_in_ms == 0);
}

static void advance_both(struct twin *t, int64_t ms)
{
    fixture_advance(&t->model, ms);
    fixture_advance(&t->sqlite, ms);
}

/* ---- notices ---- */

enum { NOTICES_MAX = 64 };

static int by_endpoint(const void *a, const void *b)
{
    const struct store_notice *left = a, *right = b;
    if (left->endpoint_id != right->endpoint_id)
        return left->endpoint_id < right->endpoint_id ? -1 : 1;
    return (int)left->kind - (int)right->kind;
}

static int notices_due(struct fixture *fixture, struct store_notice *rows)
{
    struct store_op op = {.kind = STORE_NOTICES, .notices = {.rows = rows, .room = NOTICES_MAX}};
    fixture_write(fixture, &op, 1, 0);
    assert_int_equal(op.result, STORE_DONE);
    assert_true(op.notices.count < NOTICES_MAX); /* or which ones is the backend's choice */
    qsort(rows, (size_t)op.notices.count, sizeof *rows, by_endpoint);
    return op.notices.count;
}

/* Both have the same to tell; some of it is told, and at times twice. */
static void tell_some(struct twin *t)
{
    struct store_notice rows[2][NOTICES_MAX];
    int count = notices_due(&t->model, rows[0]);
    assert_int_equal(count, notices_due(&t->sqlite, rows[1]));
    for (int i = 0; i < count; i++) {
        const struct store_notice *a = &rows[0][i], *b = &rows[1][i];
        assert_int_equal(a->endpoint_id, b->endpoint_id);
        assert_int_equal(a->kind, b->kind);
        assert_int_equal(a->owner_id, b->owner_id);
        assert_int_equal(a->count, b->count);
        assert_int_equal(a->paused, b->paused);
        assert_int_equal(a->disabled, b->disabled);
        assert_int_equal(a->since_ms, b->since_ms);
        assert_int_equal(a->disabled_at_ms, b->disabled_at_ms);
        struct store_op op = fixture_event_op(&t->model, a->owner_id);
        op.event.event.event_type = bytes_of(notice_names[a->kind]);
        op.event.notice = a;
        for (uint64_t times = draw(t, 3); times > 0; times--)
            write_both(t, &op, 1, draw(t, 2) ? FIXTURE_BOXES : 0);
    }
}

/* ---- steps ---- */

static void restart(struct twin *t)
{
    while (t->pool_count > 0) {
        struct store_op op = fixture_outcome_op(&t->model, &t->pool[--t->pool_count], DECISION_DELIVERED, 0);
        write_both(t, &op, 1, 0);
    }
    fixture_reopen(&t->model);
    fixture_reopen(&t->sqlite);
    t->renewals++;
    struct store_query all = {.kind = STORE_LIST_ENDPOINTS, .limit = 1000};
    struct store_answer endpoints = fixture_read(&t->model, all);
    for (int i = 0; i < endpoints.count; i++) {
        struct store_op op = fixture_endpoint_op(&t->model, endpoints.endpoints[i].id);
        op.endpoint.endpoint.url =
            bytes_of(arena_printf(&t->model.arena, "https://example.com/restart/%d", t->renewals));
        write_both(t, &op, 1, 0);
    }
}

static int64_t ask(sqlite3 *db, const char *sql, int64_t user_id)
{
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    sqlite3_bind_int64(statement, 1, user_id);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int64_t number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return number;
}

/* What the store says of each user's usage is what its tables say. */
static void count_again(struct twin *t)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(t->sqlite.path, &db), SQLITE_OK);
    for (int i = 0; i < t->user_count; i++) {
        int64_t id = t->users[i];
        const struct user_usage usage = roster_usage(roster_owner(&t->sqlite.store->roster, id));
        assert_int_equal(
            usage.stored_bytes,
            ask(db, "SELECT ifnull(sum(length(document)), 0) FROM events WHERE owner_id = ?", id) +
                ask(db, "SELECT ifnull(sum(length(json)), 0) FROM resources WHERE owner_id = ?", id));
        assert_int_equal(usage.resources, ask(db, "SELECT count(*) FROM resources WHERE owner_id = ?", id));
        assert_int_equal(usage.pending,
                         ask(db,
                             "SELECT count(*) FROM deliveries WHERE (state = 0 OR queue IS NOT NULL)"
                             " AND endpoint_id IN (SELECT id FROM endpoints WHERE owner_id = ?)",
                             id));
    }
    sqlite3_close(db);
}

static void hours_are_equal(struct twin *t, int64_t endpoint_id)
{
    struct store_query query = {.kind = STORE_LIST_HOURS,
                                .id = endpoint_id,
                                .after_id = hour_of(t->model.wall_ms) - HOURS_KEPT,
                                .limit = 2 * HOURS_KEPT};
    struct store_answer a = fixture_read(&t->model, query), b = fixture_read(&t->sqlite, query);
    assert_int_equal(a.count, b.count);
    if (a.count > 0)
        assert_memory_equal(a.hours, b.hours, (size_t)a.count * sizeof *a.hours);
}

/* Both say the same of each endpoint. */
static void look_at_endpoints(struct twin *t)
{
    struct store_figures figures[2][USERS_MAX + ENDPOINTS_MAX] = {{{0}}};
    struct fixture *fixtures[] = {&t->model, &t->sqlite};
    int count = t->user_count + t->endpoint_count;
    for (int of = 0; of < 2; of++) {
        struct store_op op = {.kind = STORE_LOOK, .look = {figures[of], count, true}};
        for (int i = 0; i < count; i++)
            figures[of][i].id = i < t->user_count ? t->users[i] : t->endpoints[i - t->user_count];
        fixture_do(fixtures[of], op, STORE_DONE);
    }
    for (int i = 0; i < count; i++) {
        const struct store_figures *a = &figures[0][i], *b = &figures[1][i];
        assert_int_equal(a->found, b->found);
        assert_int_equal(a->failing, b->failing);
        assert_int_equal(a->waiting, b->waiting);
        assert_int_equal(a->in_hand, b->in_hand);
        assert_int_equal(a->window, b->window);
        assert_int_equal(a->delivered, b->delivered);
        assert_int_equal(a->line_first, b->line_first);
        assert_int_equal(a->oldest_waiting_at_ms, b->oldest_waiting_at_ms);
        hours_are_equal(t, a->id);
    }
}

static void step(struct twin *t)
{
    static const int64_t pauses[] = {0, 0, 1, 700, 5000, 30000, 60000, 200000};
    advance_both(t, pauses[draw(t, 8)]);
    struct store_op ops[OPS_MAX];
    int count = (int)draw(t, OPS_MAX + 1);
    for (int i = 0; i < count; i++)
        ops[i] = some_op(t);
    write_both(t, ops, count, draw(t, 3) ? FIXTURE_BOXES : 0);
    read_some(t);
    if (draw(t, 6) == 0)
        tell_some(t);
    if (draw(t, 60) == 0)
        restart(t);
    if (draw(t, 8) == 0) {
        count_again(t);
        look_at_endpoints(t);
    }
}

static void begin(struct twin *t, uint64_t seed)
{
    *t = (struct twin){.random = seed * 0x9E3779B97F4A7C15u + 1};
    fixture_open(&t->model, &store_model);
    fixture_open(&t->sqlite, &store_sqlite);
    if (seed % 3 == 0) { /* quotas that are reached now and then */
        struct user_usage quotas = {.stored_bytes = 40000, .resources = 12, .pending = 15};
        t->model.config.quotas = t->sqlite.config.quotas = quotas;
        t->sqlite.config.keys_ahead_max = 5; /* runs of keys, merged soon */
        fixture_reopen(&t->model);
        fixture_reopen(&t->sqlite);
    }
    for (t->user_count = 0; t->user_count < USERS_MAX; t->user_count++) {
        struct store_op op = {.kind = STORE_USER_CREATE,
                              .user.user = {.name = bytes_of("x"),
                                            .role = t->user_count == 0 ? USER_MASTER : USER_REGULAR,
                                            .master_id = t->user_count > 3 ? t->users[0] : 0,
                                            .receives_users_events = t->user_count == 0,
                                            .endpoint.url = bytes_of("https://example.com/")}};
        write_both(t, &op, 1, 0);
        t->users[t->user_count] = op.id;
        op = fixture_key_op(&t->model, op.id);
        write_both(t, &op, 1, 0);
    }
}

static void seeds(void **state)
{
    const uint64_t *seed = *state;
    struct twin *t = calloc(1, sizeof *t);
    assert_non_null(t);
    begin(t, *seed);
    for (int i = 0; i < STEPS; i++)
        step(t);
    fixture_close(&t->model);
    fixture_close(&t->sqlite);
    free(t);
}

int main(int argc, char **argv)
{
    /* They showed faults that the first ones do not come across. */
    static const uint64_t more[SEEDS_MORE] = {149, 169, 278, 678, 1081, 1112, 1516};
    static uint64_t numbers[SEEDS + SEEDS_MORE];
    static char names[SEEDS + SEEDS_MORE][32];
    static struct CMUnitTest tests[SEEDS + SEEDS_MORE];
    uint64_t first = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    size_t count = argc > 1 ? 1 : SEEDS + SEEDS_MORE;
    for (size_t i = 0; i < count; i++) {
        numbers[i] = i < SEEDS ? first + i : more[i - SEEDS];
        snprintf(names[i], sizeof names[i], "seed %llu", (unsigned long long)numbers[i]);
        tests[i] = (struct CMUnitTest){.name = names[i], .test_func = seeds, .initial_state = &numbers[i]};
    }
    return _cmocka_run_group_tests("store differential", tests, count, NULL, NULL);
}
