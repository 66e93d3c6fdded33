/* The random ops of a twin. */
#include "twin.h"
#include <stdio.h>

uint64_t twin_draw(struct twin *t, uint64_t below)
{
    t->random ^= t->random << 13;
    t->random ^= t->random >> 7;
    t->random ^= t->random << 17;
    return t->random % below;
}

int64_t twin_user(struct twin *t)
{
    return twin_draw(t, 12) == 0 ? 999 : t->users[twin_draw(t, (uint64_t)t->user_count)];
}

int64_t twin_endpoint(struct twin *t)
{
    return t->endpoint_count > 0 && twin_draw(t, 3) ? t->endpoints[twin_draw(t, (uint64_t)t->endpoint_count)]
                                                    : twin_user(t);
}

struct bytes twin_resource_id(struct twin *t)
{
    static const char *const ids[] = {"1", "10", "2", "a", "ab", "b"};
    return bytes_of(ids[twin_draw(t, 6)]);
}

/* A store does not look into a snapshot: any part of the document will do. */
static void some_snapshots(struct twin *t, struct store_op *op)
{
    struct event *event = &op->event.event;
    struct resource *included = arena_zero(&t->model.arena, 3 * sizeof *included);
    event->resource_id = twin_resource_id(t);
    for (int i = 0; i < 3; i++)
        included[i] = (struct resource){
            .type = bytes_of(i ? "quotes" : "payments"),
            .id = i == 2 ? event->resource_id : twin_resource_id(t),
            .json = bytes_make(event->document.data + 1 + twin_draw(t, 30), 1 + twin_draw(t, 100))};
    included[0].id = event->resource_id;
    uint64_t kind = twin_draw(t, 10);
    op->event.included = included + (kind == 0);
    op->event.included_count = kind < 2 ? 2 : kind < 9;
    op->event.destroyed = twin_draw(t, 6) == 0;
}

static struct store_op some_event(struct twin *t)
{
    if (t->event_count > 0 && twin_draw(t, 15) == 0) { /* done again */
        struct store_op op = t->events[twin_draw(t, (uint64_t)t->event_count)];
        op.event.event.received_at_ms = t->model.wall_ms; /* a purge may stop at the first that is young */
        return op;
    }
    static const char *const keys[] = {"", "", "", "a", "b", "c", "d", "e", "f", "g"};
    static const char *const types[] = {"payment_updated", "user_enabled"};
    struct store_op op = fixture_event_op(&t->model, twin_user(t));
    op.event.event.event_type = bytes_of(types[twin_draw(t, 2)]);
    op.event.idempotency_key = bytes_of(keys[twin_draw(t, 10)]);
    op.event.request_digest[0] = (unsigned char)twin_draw(t, 2);
    some_snapshots(t, &op);
    op.event.owner_only = twin_draw(t, 8) == 0;
    if (twin_draw(t, 12) == 0) /* a default endpoint, which may be another's or have no URL */
        op.event.only_endpoint_id = 5 + (int64_t)twin_draw(t, 4);
    op.event.event.channels = fixture_channels((int)twin_draw(t, FIXTURE_CHANNELS));
    if (twin_draw(t, 10) == 0) /* an earlier write of it came to nothing */
        op.event.event.id = 1000000000000000000 + (int64_t)twin_draw(t, 40);
    return op;
}

static struct store_op some_outcome(struct twin *t)
{
    /* None is 0: which goes first of what is due since the same millisecond is the backend's choice. */
    static const int64_t delays[] = {1, 700, 10000, 100000};
    if (t->done_count > 0 && (t->pool_count == 0 || twin_draw(t, 8) == 0))
        return t->done[twin_draw(t, (uint64_t)t->done_count)];
    if (t->pool_count == 0)
        return (struct store_op){.kind = STORE_OUTCOME, .outcome = {.delivery_id = 777777, .lease = 1}};
    int at = (int)twin_draw(t, (uint64_t)t->pool_count);
    struct store_work box = t->pool[at];
    enum decision_kind kind = (enum decision_kind)twin_draw(t, 4);
    struct store_op op =
        fixture_outcome_op(&t->model, &box, kind, kind == DECISION_GIVE_UP ? 0 : delays[twin_draw(t, 4)]);
    op.outcome.attempt.duration_ms = (int32_t)twin_draw(t, 100);
    if (twin_draw(t, 10) == 0)
        op.outcome.attempt.started_at_ms = 0;
    t->done[t->done_count < 32 ? t->done_count++ : (int)twin_draw(t, 32)] = op;
    if (twin_draw(t, 10) != 0) /* else it is recorded twice, perhaps differently */
        t->pool[at] = t->pool[--t->pool_count];
    return op;
}

static struct store_op some_update(struct twin *t)
{
    struct store_op op = fixture_update_op(&t->model, t->users[twin_draw(t, (uint64_t)t->user_count)]);
    struct user *user = &op.user.user;
    switch (twin_draw(t, 8)) {
    case 4:
        fixture_wish(&user->endpoint, (int)twin_draw(t, FIXTURE_WISHES));
        break;
    case 5:
        user->endpoint.signing = bytes_of(twin_draw(t, 2) ? "signing" : "");
        break;
    case 6:
        user->endpoint.identity = bytes_of(twin_draw(t, 2) ? "identity" : "");
        break;
    case 0:
        user->endpoint.url = (struct bytes){0};
        break;
    case 1:
        user->endpoint.url =
            bytes_of(arena_printf(&t->model.arena, "https://example.com/%d", (int)twin_draw(t, 3)));
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
    op.user.if_version = twin_draw(t, 3) == 0 ? (int64_t)twin_draw(t, 6) : -1;
    return op;
}

static struct store_op some_resource(struct twin *t)
{
    static const char *const snapshots[] = {"{}", "{\"put\":1}"};
    return (struct store_op){
        .kind = twin_draw(t, 4) ? STORE_RESOURCE_PUT : STORE_RESOURCE_DELETE,
        .resource = {.resource = {.owner_id = twin_user(t),
                                  .type = bytes_of(twin_draw(t, 2) ? "quotes" : "payments"),
                                  .id = twin_resource_id(t),
                                  .json = bytes_of(snapshots[twin_draw(t, 2)]),
                                  .updated_at_ms = t->model.wall_ms},
                     .if_version = twin_draw(t, 3) ? -1 : (int64_t)twin_draw(t, 2)}};
}

/* Made, changed or removed; at times of a user that is not its owner, or that is none. */
static struct store_op some_endpoint_op(struct twin *t)
{
    struct store_op op = {.kind = STORE_ENDPOINT_CREATE, .endpoint.if_version = -1};
    struct endpoint *endpoint = &op.endpoint.endpoint;
    struct store_query get = {.kind = STORE_GET_ENDPOINT, .id = twin_endpoint(t)};
    struct store_answer there = fixture_read(&t->model, get);
    if (there.count == 1)
        *endpoint = there.endpoints[0];
    else
        endpoint->id = get.id;
    switch (twin_draw(t, 8)) {
    case 0:
        op.kind = STORE_ENDPOINT_REMOVE;
        return op;
    case 1:
    case 2:
        *endpoint = (struct endpoint){.owner_id = twin_user(t)};
        break;
    default:
        op.kind = STORE_ENDPOINT_UPDATE;
        op.endpoint.if_version = twin_draw(t, 3) ? -1 : (int64_t)twin_draw(t, 4);
    }
    endpoint->url = bytes_of(
        twin_draw(t, 8) ? arena_printf(&t->model.arena, "https://more.example/%d", (int)twin_draw(t, 3))
                        : NULL);
    endpoint->paused = twin_draw(t, 6) == 0;
    int64_t drawn = twin_draw(t, 18);
    endpoint->disabled = (enum endpoint_disabled)(drawn % 2 * (1 + drawn / 6 % 2));
    endpoint->disable_after = (int32_t)(drawn / 6);
    fixture_wish(endpoint, (int)twin_draw(t, FIXTURE_WISHES));
    endpoint->signing = bytes_of(twin_draw(t, 2) ? "its signing" : "");
    endpoint->push = twin_draw(t, 2) ? fixture_push_settings() : (struct push_settings){0};
    endpoint->updated_at_ms = t->model.wall_ms;
    return op;
}

/* A person's word, now and then about the delivery as it was read, or as it never was. */
static struct store_op some_word(struct twin *t)
{
    struct store_op op = {
        .kind = twin_draw(t, 11) < 7 ? STORE_RESEND : STORE_CANCEL,
        .delivery = {.delivery_id = (int64_t)twin_draw(t, 200) * MODEL_DELIVERY_STEP | FIXTURE_MARK,
                     .user_id = twin_draw(t, 2) ? 0 : twin_user(t)}};
    struct store_query get = {.kind = STORE_GET_DELIVERY, .id = op.delivery.delivery_id};
    struct store_answer answer = fixture_read(&t->model, get);
    if (!answer.count || twin_draw(t, 2))
        return op;
    struct delivery *seen = answer.deliveries;
    op.delivery.if_as = seen;
    uint64_t other = twin_draw(t, 12);
    seen->lease += other == 0;
    seen->attempt += other == 1;
    seen->finished_at_ms += other == 2;
    seen->leased = seen->leased != (other == 3);
    seen->resending = seen->resending != (other == 4);
    seen->state = other == 5 ? (enum delivery_state)twin_draw(t, 5) : seen->state;
    return op;
}

static struct store_op some_new_job(struct twin *t)
{
    struct store_query get = {.kind = STORE_GET_ENDPOINT, .id = twin_endpoint(t), .limit = 1};
    struct store_answer answer = fixture_read(&t->model, get);
    static const char *const types[] = {"", "", "payment_updated", "none"};
    struct job job = {.endpoint_id = get.id,
                      .owner_id =
                          answer.count && twin_draw(t, 8) ? answer.endpoints[0].owner_id : twin_user(t),
                      .kind = (enum job_kind)twin_draw(t, JOB_KINDS),
                      .since_ms = twin_draw(t, 2) ? 0 : t->model.wall_ms - (int64_t)twin_draw(t, 100000),
                      .until_ms = twin_draw(t, 4) ? 0 : t->model.wall_ms - (int64_t)twin_draw(t, 20000),
                      .delivery_state = (enum delivery_state)(1 + twin_draw(t, DELIVERY_STATES - 1)),
                      .event_type = bytes_of(types[twin_draw(t, 4)]),
                      .resource_id = twin_draw(t, 4) ? (struct bytes){0} : twin_resource_id(t),
                      .total = -1,
                      .created_at_ms = t->model.wall_ms};
    return (struct store_op){.kind = STORE_JOB_CREATE, .job = job};
}

/* Both find the same rows, of a job that there is. */
static struct store_op some_step(struct twin *t, const struct job *job)
{
    struct store_query query = {.kind = STORE_JOB_ROWS, .job = job, .limit = 1 + (int)twin_draw(t, 6)};
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
                                       .ahead_max = 1 + (int)twin_draw(t, 40),
                                       .finished = !a.more}};
    op.job_step.from.id -= twin_draw(t, 12) == 0;
    return op;
}

static struct store_op some_job_op(struct twin *t)
{
    struct store_query running = {.kind = STORE_LIST_JOBS_RUNNING, .limit = 20};
    struct store_answer answer = fixture_read(&t->model, running);
    uint64_t kind = twin_draw(t, 10);
    if (answer.count == 0 || kind < 2)
        return some_new_job(t);
    const struct job *job = &answer.jobs[twin_draw(t, (uint64_t)answer.count)];
    if (kind == 2)
        return (struct store_op){.kind = STORE_JOB_CANCEL, .job.id = job->id};
    return some_step(t, job);
}

struct store_op twin_op(struct twin *t)
{
    if (twin_draw(t, 25) == 0)
        return some_endpoint_op(t);
    if (twin_draw(t, 12) == 0)
        return some_resource(t);
    if (twin_draw(t, 12) == 0)
        return some_job_op(t);
    uint64_t kind = twin_draw(t, 100);
    if (kind < 40)
        return some_event(t);
    if (kind < 80)
        return some_outcome(t);
    if (kind < 85)
        return some_update(t);
    if (kind < 87)
        return fixture_key_op(&t->model, twin_user(t));
    if (kind < 88)
        return (struct store_op){.kind = STORE_KEY_UPDATE,
                                 .key_changes = (unsigned)twin_draw(t, 8),
                                 .key = {.id = (int64_t)twin_draw(t, 12),
                                         .user_id = twin_user(t),
                                         .allow_from = bytes_of(twin_draw(t, 2) ? "::1" : ""),
                                         .rate_per_s = (int64_t)twin_draw(t, 9) - 1},
                                 .key_if_version = (int64_t)twin_draw(t, 3)};
    if (kind < 89)
        return (struct store_op){.kind = STORE_KEY_REVOKE,
                                 .key = {.id = (int64_t)twin_draw(t, 12), .user_id = twin_user(t)},
                                 .key_if_version = (int64_t)twin_draw(t, 3)};
    if (kind < 98)
        return some_word(t);
    int64_t before_ms = t->model.wall_ms - 60000;
    return (struct store_op){.kind = STORE_PURGE,
                             .purge = {.before_ms = before_ms,
                                       .idempotency_before_ms = twin_draw(t, 2) ? before_ms + 20000 : 0,
                                       .resources_before_ms = twin_draw(t, 2) ? before_ms : 0,
                                       .rows_max = 1000}};
}
