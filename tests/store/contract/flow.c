/* The settings for the flow of an endpoint's deliveries: in_flight_max, rate and ordered. */
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
    op.endpoint.endpoint.disable_on_410 = true;
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

/* 100 a second go in threes; another endpoint of the same user is not held. */
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
    for (int i = 0; i < f->filled; i++)
        if (f->boxes[i].endpoint_id == id)
            fixture_do(f, fixture_outcome_op(f, &f->boxes[i], DECISION_DELIVERED, 0), STORE_DONE);
    fixture_advance(f, 30); /* 98 a second beside the group */
    fixture_claim(f, 64, 0);
    assert_int_equal(f->next_due_in_ms, 1);
    fixture_advance(f, 1);
    fixture_claim(f, 64, 3);
}

/* ---- ordered ---- */

/* An endpoint that is ordered and has answered, of a user with no other. */
static int64_t in_order(struct fixture *f, int64_t *owner)
{
    *owner = fixture_user(f, NULL);
    int64_t id = limited(f, *owner, (struct flow_settings){.ordered = true});
    accept(f, *owner, 1);
    fixture_claim(f, 8, 1);
    fixture_do(f, fixture_outcome_op(f, &f->boxes[0], DECISION_DELIVERED, 0), STORE_DONE);
    return id;
}

static int64_t claim_next(struct fixture *f)
{
    fixture_claim(f, 8, 1);
    return f->boxes[0].delivery_id;
}

static void end_with(struct fixture *f, enum decision_kind kind, int64_t delay_ms)
{
    struct store_work box = f->boxes[0];
    fixture_do(f, fixture_outcome_op(f, &box, kind, delay_ms), STORE_DONE);
}

static void do_to(struct fixture *f, enum store_op_kind kind, int64_t delivery)
{
    fixture_do(f, (struct store_op){.kind = kind, .delivery.delivery_id = delivery}, STORE_DONE);
}

static int64_t line_first(struct fixture *f, int64_t endpoint)
{
    struct store_figures figures = {.id = endpoint};
    fixture_do(f, (struct store_op){.kind = STORE_LOOK, .look = {&figures, 1}}, STORE_DONE);
    return figures.line_first;
}

/* The first one fails, is released, loses its lease, and holds all others; also across a restart. */
static void line_is_held(struct fixture *f)
{
    int64_t owner, endpoint = in_order(f, &owner);
    assert_int_equal(line_first(f, endpoint), 0);
    struct store_op first = fixture_event_op(f, owner), later = fixture_event_op(f, owner);
    fixture_write(f, &first, 1, 8);
    assert_int_equal(f->filled, 1); /* born leased */
    int64_t id = f->boxes[0].delivery_id;
    struct store_work box = f->boxes[0];
    fixture_write(f, &later, 1, 8);
    assert_int_equal(f->filled, 0);
    accept(f, owner, 2);
    assert_int_equal(line_first(f, endpoint), id);
    fixture_do(f, fixture_outcome_op(f, &box, DECISION_RETRY, 5000), STORE_DONE);
    assert_int_equal(fixture_delivery(f, id).next_in_ms, 5000);
    assert_int_equal(line_first(f, endpoint), id);
    fixture_claim(f, 8, 0);
    assert_int_equal(f->next_due_in_ms, 5000);
    later = fixture_event_op(f, owner);
    fixture_write(f, &later, 1, 8);
    assert_int_equal(f->filled, 0);
    fixture_reopen(f);
    fixture_claim(f, 8, 0);
    fixture_advance(f, 5000);
    assert_int_equal(claim_next(f), id);
    assert_int_equal(f->boxes[0].attempt, 1);
    end_with(f, DECISION_RELEASE, 700);
    fixture_claim(f, 8, 0);
    fixture_advance(f, 700);
    assert_int_equal(claim_next(f), id);
    fixture_advance(f, f->config.lease_ms);
    assert_int_equal(claim_next(f), id);
    fixture_advance(f, f->config.lease_ms); /* a store of many processes waits for its end */
    fixture_reopen(f);
    assert_int_equal(claim_next(f), id);
    end_with(f, DECISION_DELIVERED, 0);
    for (int i = 0; i < 4; i++) {
        int64_t next = claim_next(f);
        assert_true(next > id);
        id = next;
        end_with(f, i == 2 ? DECISION_GIVE_UP : DECISION_DELIVERED, 0);
        fixture_advance(f, 120000);
    }
}

/* A cancel opens the line. A given up delivery that is resent has its old place; one that was delivered goes
 * beside the line, and its failure holds nobody. */
static void line_and_people(struct fixture *f)
{
    int64_t owner, ids[3];
    in_order(f, &owner);
    accept(f, owner, 3);
    ids[0] = claim_next(f);
    end_with(f, DECISION_RETRY, 60000);
    do_to(f, STORE_CANCEL, ids[0]);
    ids[1] = claim_next(f);
    assert_true(ids[1] > ids[0]);
    end_with(f, DECISION_DELIVERED, 0);
    do_to(f, STORE_RESEND, ids[0]);
    assert_int_equal(claim_next(f), ids[0]);
    end_with(f, DECISION_RETRY, 60000);
    do_to(f, STORE_RESEND, ids[1]);
    assert_int_equal(claim_next(f), ids[1]);
    fixture_claim(f, 8, 0); /* one at a time */
    f->boxes[0].delivery_id = ids[1];
    end_with(f, DECISION_RETRY, 90000);
    do_to(f, STORE_RESEND, ids[0]); /* now */
    assert_int_equal(claim_next(f), ids[0]);
    end_with(f, DECISION_DELIVERED, 0);
    ids[2] = claim_next(f); /* though the resend of ids[1] waits */
    assert_true(ids[2] > ids[1]);
    end_with(f, DECISION_DELIVERED, 0);
    fixture_advance(f, 90000);
    assert_int_equal(claim_next(f), ids[1]);
}

/* What waits already falls in line; and when it is no longer ordered, many go at once. */
static void line_begins_and_ends(struct fixture *f)
{
    int64_t owner, ids[3];
    int64_t id = in_order(f, &owner);
    struct store_op op = fixture_endpoint_op(f, id);
    op.endpoint.endpoint.flow.ordered = false;
    fixture_do(f, op, STORE_DONE);
    accept(f, owner, 3);
    fixture_claim(f, 8, 3);
    for (int i = 0; i < 3; i++)
        ids[i] = f->boxes[i].delivery_id;
    struct store_work boxes[3] = {f->boxes[0], f->boxes[1], f->boxes[2]};
    for (int i = 0; i < 3; i++) /* the first is the last that is due */
        fixture_do(f, fixture_outcome_op(f, &boxes[i], DECISION_RETRY, 3000 - 1000 * i), STORE_DONE);
    op.endpoint.endpoint.flow.ordered = true;
    fixture_do(f, op, STORE_DONE);
    fixture_advance(f, 2000);
    fixture_claim(f, 8, 0);
    fixture_advance(f, 1000);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(claim_next(f), ids[i]);
        end_with(f, DECISION_DELIVERED, 0);
    }
    accept(f, owner, 3);
    op.endpoint.endpoint.flow.ordered = false;
    fixture_do(f, op, STORE_DONE);
    fixture_claim(f, 8, 4);
}

const struct contract_test contract_flow[] = {
    {"limits are kept", kept},
    {"in_flight_max", in_flight_max},
    {"rate: what it holds uses up no attempt", rate_holds},
    {"rate: each lease counts, and nothing else", rate_counts_leases},
    {"rate: in groups", rate_in_groups},
    {"ordered: a retry holds the line", line_is_held},
    {"ordered: cancel and resend", line_and_people},
    {"ordered: what waits falls in line", line_begins_and_ends},
    {0},
};
