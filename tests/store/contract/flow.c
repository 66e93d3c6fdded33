/* The limits that the owner of an endpoint sets: in_flight_max and rate. */
#include "contract.h"

static int64_t limited(struct fixture *f, int64_t owner, struct flow_settings flow)
{
    struct store_op op = fixture_endpoint_op(f, fixture_endpoint(f, owner, "https://example.com/limited"));
    op.endpoint.endpoint.flow = flow;
    return fixture_do(f, op, STORE_DONE);
}

static void accept(struct fixture *f, int64_t user, int count)
{
    for (int i = 0; i < count; i++)
        fixture_do(f, fixture_event_op(f, user), STORE_DONE);
}

static void kept(struct fixture *f)
{
    int64_t owner = fixture_user(f, NULL);
    int64_t id =
        limited(f, owner, (struct flow_settings){.in_flight_max = 256, .rate = {100000, FLOW_PER_HOUR}});
    fixture_reopen(f);
    struct store_op op = fixture_endpoint_op(f, id);
    const struct flow_settings *flow = &op.endpoint.endpoint.flow;
    assert_true(flow->in_flight_max == 256 && flow->rate.count == 100000 && flow->rate.per == FLOW_PER_HOUR);
    op.endpoint.endpoint.flow = (struct flow_settings){0};
    fixture_do(f, op, STORE_DONE);
    op = fixture_endpoint_op(f, id);
    assert_true(flow_settings_none(&op.endpoint.endpoint.flow));
}

static void in_flight_max(struct fixture *f)
{
    int64_t owner = fixture_user(f, NULL);
    int64_t id = limited(f, owner, (struct flow_settings){.in_flight_max = 2});
    struct store_op events[3];
    for (int i = 0; i < 3; i++)
        events[i] = fixture_event_op(f, owner);
    fixture_write(f, events, 3, 16); /* born leased, as far as that goes */
    assert_int_equal(f->filled, 2);
    struct store_work first = f->boxes[0];
    fixture_claim(f, 16, 0);
    fixture_do(f, fixture_outcome_op(f, &first, DECISION_DELIVERED, 0), STORE_DONE);
    fixture_claim(f, 16, 1);
    assert_int_equal(f->boxes[0].attempt, 0);
    accept(f, owner, 5);
    fixture_claim(f, 16, 0);
    fixture_reopen(f); /* the leases of the last process are over; the limit is not */
    fixture_claim(f, 16, 2);
    struct store_op op = fixture_endpoint_op(f, id);
    op.endpoint.endpoint.flow.in_flight_max = 3;
    fixture_do(f, op, STORE_DONE);
    fixture_claim(f, 16, 1);
}

/* One in half a second: what waits is due all the time, and has no attempt, lease or loss for it. */
static void rate_holds(struct fixture *f)
{
    int64_t owner = fixture_user(f, NULL);
    limited(f, owner, (struct flow_settings){.rate = {2, FLOW_PER_SECOND}});
    struct store_op first = fixture_event_op(f, owner);
    fixture_write(f, &first, 1, 16);
    assert_int_equal(f->filled, 1);
    accept(f, owner, 2);
    for (int i = 0; i < 2; i++) {
        fixture_claim(f, 16, 0);
        assert_int_equal(f->next_due_in_ms, 500);
        fixture_advance(f, 499);
        fixture_claim(f, 16, 0);
        fixture_advance(f, 1);
        fixture_claim(f, 16, 1);
        assert_true(f->boxes[0].attempt == 0 && f->boxes[0].lease == 1 && f->boxes[0].lost == 0 &&
                    f->boxes[0].age_ms == 0);
    }
}

/* A lease counts, whatever comes of it; an outcome, a resend and another setting do not. */
static void rate_counts_leases(struct fixture *f)
{
    int64_t owner = fixture_user(f, NULL);
    int64_t id = limited(f, owner, (struct flow_settings){.rate = {1, FLOW_PER_MINUTE}});
    accept(f, owner, 1);
    fixture_claim(f, 4, 1);
    int64_t delivery = f->boxes[0].delivery_id;
    fixture_do(f, fixture_outcome_op(f, &f->boxes[0], DECISION_RETRY, 1000), STORE_DONE);
    fixture_advance(f, 1000);
    fixture_claim(f, 4, 0);
    fixture_do(f, (struct store_op){.kind = STORE_RESEND, .delivery.delivery_id = delivery}, STORE_DONE);
    struct store_op op = fixture_endpoint_op(f, id);
    op.endpoint.endpoint.success_2xx = true;
    fixture_do(f, op, STORE_DONE);
    fixture_claim(f, 4, 0);
    fixture_advance(f, 58999);
    fixture_claim(f, 4, 0);
    fixture_advance(f, 1);
    fixture_claim(f, 4, 1);
    assert_int_equal(f->boxes[0].attempt, 1);
    fixture_do(f, fixture_outcome_op(f, &f->boxes[0], DECISION_DELIVERED, 0), STORE_DONE);
    op = fixture_endpoint_op(f, id);
    op.endpoint.endpoint.flow.rate.count = 2; /* a new rate starts afresh */
    fixture_do(f, op, STORE_DONE);
    accept(f, owner, 1);
    fixture_claim(f, 4, 1);
}

/* 100 a second go two by two; another endpoint of the same user is not held. */
static void rate_in_groups(struct fixture *f)
{
    int64_t owner = fixture_user(f, "https://example.com/default");
    fixture_prove(f, owner);
    int64_t id = limited(f, owner, (struct flow_settings){.rate = {100, FLOW_PER_SECOND}});
    accept(f, owner, 6);
    fixture_claim(f, 64, 9);
    int of = 0;
    for (int i = 0; i < f->filled; i++)
        of += f->boxes[i].endpoint_id == id;
    assert_int_equal(of, 3);
}

const struct contract_test contract_flow[] = {
    {"limits are kept", kept},
    {"in_flight_max", in_flight_max},
    {"rate: what it holds uses up no attempt", rate_holds},
    {"rate: each lease counts, and nothing else", rate_counts_leases},
    {"rate: in groups", rate_in_groups},
    {0},
};
