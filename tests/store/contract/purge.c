/* Retention: the rows that go, the time and the cost. */
#include "contract.h"

enum { SLICE = 100 };

static int64_t events_left(struct fixture *f)
{
    return fixture_read(f, (struct store_query){.kind = STORE_GET_STATS}).stats->events;
}

/* Until there is no more. The PURGEs that it took. */
static int purge_all(struct fixture *f, struct store_op op)
{
    int ops = 0;
    op.kind = STORE_PURGE;
    op.purge.rows_max = op.purge.rows_max ? op.purge.rows_max : SLICE;
    do {
        fixture_write(f, &op, 1, 0);
        ops++;
        assert_true(ops < 1000);
    } while (op.purge.more);
    return ops;
}

static struct store_op before(int64_t before_ms)
{
    return (struct store_op){.purge = {.before_ms = before_ms}};
}

static void pause_user(struct fixture *f, int64_t user, bool paused)
{
    struct store_op op = fixture_update_op(f, user);
    op.user.user.endpoint.paused = paused;
    fixture_do(f, op, STORE_DONE);
}

/* Claims what is due and delivers it. */
static void deliver_all(struct fixture *f)
{
    for (;;) {
        struct store_op none[1], outcomes[FIXTURE_BOXES];
        fixture_write(f, none, 0, FIXTURE_BOXES);
        if (f->filled == 0)
            return;
        for (int i = 0; i < f->filled; i++)
            outcomes[i] = fixture_outcome_op(f, &f->boxes[i], DECISION_DELIVERED, 0);
        fixture_write(f, outcomes, f->filled, 0);
    }
}

/* The first delivery after a restart has a lower id than the last event's own would end at: it is neither
 * shown nor purged with that event. */
static void a_restart_with_a_lower_mark(struct fixture *f)
{
    int64_t user = fixture_user(f, "https://example.com/");
    int64_t former = fixture_do(f, fixture_event_op(f, user), STORE_DONE);
    deliver_all(f);
    f->config.mark = 1;
    fixture_reopen(f);
    fixture_advance(f, HOUR_MS);
    int64_t next = fixture_do(f, fixture_event_op(f, user), STORE_DONE);
    struct store_query list = {.kind = STORE_LIST_DELIVERIES, .id = former};
    for (int descending = 0; descending < 2; descending++) {
        list.descending = descending;
        list.after_id = descending ? INT64_MAX : 0;
        assert_int_equal(fixture_read(f, list).count, 1);
    }
    struct store_query waiting = {.kind = STORE_LIST_EVENTS, .undelivered = true};
    assert_int_equal(fixture_read(f, waiting).count, 1);
    purge_all(f, before(f->wall_ms));
    assert_int_equal(events_left(f), 1);
    list = (struct store_query){.kind = STORE_LIST_DELIVERIES, .id = next};
    assert_int_equal(fixture_read(f, list).count, 1);
    fixture_claim(f, 1, 1);
}

/* One delivery in 40 waits for a paused endpoint: the others go at the same cost, and those when they have
 * ended. */
static void what_waits_in_between(struct fixture *f)
{
    enum { EVENTS = 1200, ONE_IN = 40, WAITING = EVENTS / ONE_IN };
    int64_t user = fixture_user(f, NULL), paused = fixture_user(f, "https://example.com/");
    pause_user(f, paused, true);
    for (int i = 0; i < EVENTS; i++)
        fixture_do(f, fixture_event_op(f, i % ONE_IN ? user : paused), STORE_DONE);
    fixture_advance(f, HOUR_MS);
    assert_in_range(purge_all(f, before(f->wall_ms)), 1, EVENTS / SLICE + 1);
    assert_int_equal(events_left(f), WAITING);
    assert_int_equal(purge_all(f, before(f->wall_ms)), 1); /* those that wait are not looked at again */
    pause_user(f, paused, false);
    deliver_all(f);
    fixture_advance(f, HOUR_MS);
    fixture_reopen(f);
    purge_all(f, before(f->wall_ms));
    assert_int_equal(events_left(f), 0);
    assert_int_equal(
        fixture_read(f, (struct store_query){.kind = STORE_LIST_EVENTS, .owner_id = user, .limit = 9}).count,
        0);
}

/* An old event that ends now is kept as long as a young one. */
static void ended_late(struct fixture *f)
{
    int64_t user = fixture_user(f, "https://example.com/");
    for (int i = 0; i < 3; i++)
        fixture_do(f, fixture_event_op(f, user), STORE_DONE);
    fixture_advance(f, 10 * HOUR_MS);
    fixture_claim(f, 1, 1);
    fixture_do(f, fixture_outcome_op(f, &f->boxes[0], DECISION_DELIVERED, 0), STORE_DONE);
    purge_all(f, before(f->wall_ms - HOUR_MS));
    assert_int_equal(events_left(f), 3); /* one too young, two wait */
    fixture_claim(f, 1, 1);
    int64_t cancelled = f->boxes[0].delivery_id;
    fixture_do(f, (struct store_op){.kind = STORE_CANCEL, .delivery = {.delivery_id = cancelled}},
               STORE_DONE);
    fixture_advance(f, HOUR_MS);
    fixture_claim(f, 1, 1);
    fixture_do(f, fixture_outcome_op(f, &f->boxes[0], DECISION_GIVE_UP, 0), STORE_DONE);
    purge_all(f, before(f->wall_ms - HOUR_MS + 1));
    assert_int_equal(events_left(f), 1);
    fixture_advance(f, HOUR_MS);
    purge_all(f, before(f->wall_ms - HOUR_MS + 1));
    assert_int_equal(events_left(f), 0);
}

/* A resend of what was passed over, and an event that was received before. */
static void comes_back(struct fixture *f)
{
    int64_t user = fixture_user(f, "https://example.com/");
    struct store_op late = fixture_event_op(f, user);
    fixture_do(f, fixture_event_op(f, user), STORE_DONE);
    fixture_claim(f, 1, 1);
    fixture_advance(f, HOUR_MS);
    purge_all(f, before(f->wall_ms)); /* passed over: it waits */
    fixture_do(f, fixture_outcome_op(f, &f->boxes[0], DECISION_DELIVERED, 0), STORE_DONE);
    struct store_op resend = {.kind = STORE_RESEND, .delivery = {.delivery_id = f->boxes[0].delivery_id}};
    fixture_do(f, resend, STORE_DONE);
    fixture_do(f, late, STORE_DONE);
    fixture_advance(f, HOUR_MS);
    purge_all(f, before(f->wall_ms));
    assert_int_equal(events_left(f), 2);
    deliver_all(f);
    fixture_advance(f, HOUR_MS);
    purge_all(f, before(f->wall_ms));
    assert_int_equal(events_left(f), 0);
}

static void resent(struct fixture *f, const struct store_work *box)
{
    fixture_do(f, fixture_outcome_op(f, box, DECISION_DELIVERED, 0), STORE_DONE);
    struct store_op op = {.kind = STORE_RESEND, .delivery.delivery_id = box->delivery_id};
    fixture_do(f, op, STORE_DONE);
}

/* What was delivered ended then, however and whenever a resend of it ends. */
static void a_resend_keeps_nothing(struct fixture *f)
{
    int64_t user = fixture_user(f, "https://example.com/");
    for (int i = 0; i < 2; i++)
        fixture_do(f, fixture_event_op(f, user), STORE_DONE);
    fixture_claim(f, 2, 2);
    int64_t ids[] = {f->boxes[0].delivery_id, f->boxes[1].delivery_id};
    resent(f, &f->boxes[0]);
    fixture_advance(f, HOUR_MS);
    resent(f, &f->boxes[1]);
    purge_all(f, before(f->wall_ms)); /* passed over: both wait */
    for (int i = 0; i < 2; i++)
        fixture_do(f, (struct store_op){.kind = STORE_CANCEL, .delivery.delivery_id = ids[i]}, STORE_DONE);
    purge_all(f, before(f->wall_ms));
    assert_int_equal(events_left(f), 1); /* the other was delivered just now */
    fixture_advance(f, 1);
    purge_all(f, before(f->wall_ms));
    assert_int_equal(events_left(f), 0);
}

static int attempts_of(struct fixture *f, int64_t delivery_id)
{
    return fixture_read(f, (struct store_query){.kind = STORE_LIST_ATTEMPTS, .id = delivery_id, .limit = 9})
        .count;
}

static void parts_go_earlier(struct fixture *f)
{
    int64_t user = fixture_user(f, "https://example.com/");
    struct store_op event = fixture_event_op(f, user);
    event.event.idempotency_key = bytes_of("once");
    event.event.requester_id = user;
    fixture_write(f, &event, 1, 1);
    int64_t delivery = f->boxes[0].delivery_id;
    fixture_do(f, fixture_outcome_op(f, &f->boxes[0], DECISION_DELIVERED, 0), STORE_DONE);
    fixture_advance(f, HOUR_MS);
    struct store_op purge = before(f->wall_ms - 2 * HOUR_MS);
    purge_all(f, purge);
    assert_int_equal(attempts_of(f, delivery), 1);
    purge.purge.attempts_before_ms = f->wall_ms;
    purge_all(f, purge);
    assert_int_equal(attempts_of(f, delivery), 0);
    assert_int_equal(fixture_delivery(f, delivery).state, DELIVERY_DELIVERED);
    fixture_do(f, event, STORE_REPLAYED);
    purge.purge.idempotency_before_ms = f->wall_ms;
    purge_all(f, purge);
    event.event.event.id = 0;
    fixture_do(f, event, STORE_DONE);
    assert_int_equal(events_left(f), 2);
}

/* By the time when their events were received, whatever has become of those. */
static void keys_are_forgotten(struct fixture *f)
{
    int64_t user = fixture_user(f, "https://example.com/"), ids[3];
    for (int i = 0; i < 3; i++) {
        ids[i] = fixture_do(f, fixture_keyed_op(f, user, i), STORE_DONE); /* they wait */
        fixture_advance(f, HOUR_MS);
    }
    purge_all(f, before(f->wall_ms - 3 * HOUR_MS)); /* the first was received at that moment */
    for (int i = 0; i < 3; i++)
        fixture_replayed(f, user, i, ids[i]);
    purge_all(f, before(f->wall_ms - 3 * HOUR_MS + 1));
    assert_int_equal(events_left(f), 3);
    fixture_reopen(f);
    fixture_replayed(f, user, 1, ids[1]);
    ids[0] = fixture_do(f, fixture_keyed_op(f, user, 0), STORE_DONE);
    fixture_replayed(f, user, 0, ids[0]);
    struct store_op purge = before(f->wall_ms); /* keys for longer than events, as long as those are there */
    purge.purge.idempotency_before_ms = f->wall_ms - 100 * HOUR_MS;
    deliver_all(f);
    fixture_advance(f, HOUR_MS);
    purge_all(f, before(f->wall_ms - 3 * HOUR_MS));
    fixture_replayed(f, user, 2, ids[2]);
    purge.purge.before_ms = f->wall_ms;
    purge_all(f, purge);
    assert_int_equal(events_left(f), 0);
    fixture_do(f, fixture_keyed_op(f, user, 2), STORE_DONE);
}

static int resources_of(struct fixture *f, int64_t user)
{
    return fixture_read(f, (struct store_query){.kind = STORE_LIST_RESOURCES,
                                                .owner_id = user,
                                                .resource_type = bytes_of("payments"),
                                                .limit = 9})
        .count;
}

/* A snapshot goes with its event, or later; what a Master has put stays. */
static void resources_go(struct fixture *f)
{
    int64_t user = fixture_user(f, NULL);
    for (int i = 0; i < 2; i++) {
        struct store_op op = fixture_event_op(f, user);
        struct resource own = {.type = bytes_of("payments"),
                               .id = bytes_of(i ? "1" : "2"),
                               .json = bytes_make(op.event.event.document.data, 20)};
        op.event.event.resource_type = own.type;
        op.event.event.resource_id = own.id;
        op.event.included = &own;
        op.event.included_count = 1;
        fixture_do(f, op, STORE_DONE);
        fixture_advance(f, HOUR_MS);
        if (i == 0)
            purge_all(f, before(f->wall_ms)); /* it stays by itself */
    }
    fixture_do(f,
               (struct store_op){.kind = STORE_RESOURCE_PUT,
                                 .resource = {.resource = {.owner_id = user,
                                                           .type = bytes_of("payments"),
                                                           .id = bytes_of("3"),
                                                           .json = bytes_of("{}"),
                                                           .updated_at_ms = f->wall_ms},
                                              .if_version = -1}},
               STORE_DONE);
    assert_int_equal(resources_of(f, user), 3);
    fixture_advance(f, HOUR_MS);
    struct store_op purge = before(f->wall_ms);
    purge.purge.resources_before_ms = f->wall_ms - 3 * HOUR_MS + 1;
    purge_all(f, purge);
    assert_int_equal(events_left(f), 0);
    assert_int_equal(resources_of(f, user), 2); /* the first is gone, the second stays by itself */
    purge.purge.resources_before_ms = f->wall_ms;
    purge_all(f, purge);
    assert_int_equal(resources_of(f, user), 1);
}

const struct contract_test contract_purge[] = {
    {"8.22: what waits in between costs a purge nothing", what_waits_in_between},
    {"8.8: a restart whose mark is lower than the last one's", a_restart_with_a_lower_mark},
    {"8.22: an event goes so long after it has ended", ended_late},
    {"8.22: what a purge has passed over comes back", comes_back},
    {"8.22: a resend of what was delivered does not keep it", a_resend_keeps_nothing},
    {"8.22: attempts and idempotency keys go earlier", parts_go_earlier},
    {"idempotency keys are forgotten by time", keys_are_forgotten},
    {"8.22: snapshots go with their events, or later", resources_go},
    {0},
};
