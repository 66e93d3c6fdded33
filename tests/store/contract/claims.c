/* Claims: the endpoints served, their order and numbers; and the two clocks. */
#include "contract.h"

static void put_events(struct fixture *f, int64_t user, int count)
{
    for (int i = 0; i < count; i++)
        fixture_do(f, fixture_event_op(f, user), STORE_DONE);
}

static int boxes_of(const struct fixture *f, int64_t user)
{
    int count = 0;
    for (int i = 0; i < f->filled; i++)
        count += f->boxes[i].user_id == user;
    return count;
}

static void lease_runs_out(struct fixture *f)
{
    int64_t user = fixture_user(f, "https://example.com/");
    put_events(f, user, 1);
    fixture_claim(f, 4, 1);
    for (int lost = 1; lost <= 3; lost++) {
        fixture_advance(f, f->config.lease_ms - 1);
        fixture_claim(f, 4, 0);
        assert_int_equal(f->next_due_in_ms, 1);
        fixture_advance(f, 1);
        fixture_claim(f, 4, 1);
        assert_int_equal(f->boxes[0].lost, lost);
        assert_int_equal(f->boxes[0].lease, lost + 1);
        assert_int_equal(f->boxes[0].attempt, 0);
    }
    fixture_do(f, fixture_outcome_op(f, &f->boxes[0], DECISION_RELEASE, 500), STORE_DONE);
    fixture_advance(f, 500);
    fixture_claim(f, 4, 1);
    assert_int_equal(f->boxes[0].lost, 0); /* a record resets it */
}

/* The lease counts from the claim, however long the delivery waited before, where it is shown and for a
 * resend as well. */
static void lease_after_a_wait(struct fixture *f)
{
    int64_t user = fixture_user(f, "https://example.com/");
    fixture_prove(f, user);
    put_events(f, user, 1);
    fixture_advance(f, 2000);
    fixture_claim(f, 1, 1);
    int64_t id = f->boxes[0].delivery_id;
    fixture_advance(f, f->config.lease_ms - 1);
    assert_true(fixture_delivery(f, id).leased);
    fixture_do(f, (struct store_op){.kind = STORE_RESEND, .delivery.delivery_id = id}, STORE_DONE);
    fixture_claim(f, 1, 0);
    fixture_advance(f, 1);
    fixture_claim(f, 1, 1);
    assert_int_equal(f->boxes[0].lost, 1);
}

/* Age is the time of service since the first attempt that counted; our own faults use up none of it. */
static void age(struct fixture *f)
{
    int64_t user = fixture_user(f, "https://example.com/");
    put_events(f, user, 1);
    fixture_claim(f, 1, 1);
    fixture_advance(f, 3000);
    fixture_do(f, fixture_outcome_op(f, &f->boxes[0], DECISION_RELEASE, 1000), STORE_DONE);
    fixture_advance(f, 1000);
    fixture_claim(f, 1, 1);
    assert_int_equal(f->boxes[0].age_ms, 0);
    fixture_advance(f, 40);
    fixture_do(f, fixture_outcome_op(f, &f->boxes[0], DECISION_RETRY, 10000), STORE_DONE);
    fixture_advance(f, 10000);
    fixture_claim(f, 1, 1);
    assert_int_equal(f->boxes[0].attempt, 1);
    assert_int_equal(f->boxes[0].age_ms, 10040); /* from the beginning of that attempt */
    fixture_advance(f, 40);
    fixture_do(f, fixture_outcome_op(f, &f->boxes[0], DECISION_RELEASE, 7000), STORE_DONE);
    fixture_advance(f, 7000);
    fixture_claim(f, 1, 1);
    assert_int_equal(f->boxes[0].attempt, 1);
    assert_int_equal(f->boxes[0].age_ms, 10040); /* neither the attempt nor the delay */
    fixture_do(f, fixture_outcome_op(f, &f->boxes[0], DECISION_RETRY, 1000), STORE_DONE);

    f->wall_ms += 5 * 86400000LL; /* down for five days */
    fixture_reopen(f);
    fixture_claim(f, 1, 1);
    assert_int_equal(f->boxes[0].attempt, 2);
    assert_in_range(f->boxes[0].age_ms, 10040, 12040);
}

static void wall_clock_jumps(struct fixture *f)
{
    int64_t user = fixture_user(f, "https://example.com/");
    put_events(f, user, 1);
    fixture_claim(f, 1, 1);
    fixture_do(f, fixture_outcome_op(f, &f->boxes[0], DECISION_RETRY, 10000), STORE_DONE);
    f->wall_ms += 3 * 86400000LL; /* forward: nothing comes early */
    fixture_claim(f, 1, 0);
    assert_int_equal(f->next_due_in_ms, 10000);
    f->wall_ms -= 40 * 86400000LL; /* back: nothing comes late */
    f->mono_ms += 10000;
    fixture_claim(f, 1, 1);
    fixture_do(f, fixture_outcome_op(f, &f->boxes[0], DECISION_RETRY, 10000), STORE_DONE);
    fixture_reopen(f); /* the due clock goes on from its own last value, which is later */
    fixture_claim(f, 1, 0);
    assert_int_equal(f->next_due_in_ms, 10000);
    f->mono_ms += 10000;
    fixture_claim(f, 1, 1);
}

static void held_while_paused(struct fixture *f)
{
    int64_t user = fixture_user(f, "https://old.example/");
    put_events(f, user, 2);
    struct store_op pause = fixture_update_op(f, user), resume = pause;
    pause.user.user.endpoint.paused = true;
    fixture_do(f, pause, STORE_DONE);
    assert_int_equal(f->next_due_in_ms, -1);
    fixture_claim(f, 4, 0);
    struct store_op event = fixture_event_op(f, user);
    fixture_write(f, &event, 1, 4); /* it is still a recipient */
    assert_int_equal(event.count, 1);
    assert_int_equal(f->filled, 0);
    fixture_reopen(f);
    fixture_claim(f, 4, 0);
    fixture_do(f, resume, STORE_DONE);
    fixture_claim(f, 8, 3);

    struct store_op gone = fixture_update_op(f, user), back = gone;
    for (int i = 0; i < 3; i++)
        fixture_do(f, fixture_outcome_op(f, &f->boxes[i], DECISION_RETRY, 0), STORE_DONE);
    gone.user.user.endpoint.url = (struct bytes){0};
    fixture_do(f, gone, STORE_DONE);
    fixture_advance(f, 100000);
    fixture_claim(f, 8, 0);
    event = fixture_event_op(f, user);
    fixture_write(f, &event, 1, 4);
    assert_int_equal(event.count, 0); /* no longer a recipient */
    back.user.user.endpoint.url = bytes_of("https://new.example/");
    fixture_do(f, back, STORE_DONE);
    fixture_claim(f, 8, 3);
    for (int i = 0; i < 3; i++)
        assert_true(bytes_equal_text(f->boxes[i].url, "https://new.example/"));
}

static void held_without_key(struct fixture *f)
{
    struct store_op op = {.kind = STORE_USER_CREATE,
                          .user.user = {.endpoint.url = bytes_of("https://example.com/")}};
    int64_t user = fixture_do(f, op, STORE_DONE);
    struct store_op event = fixture_event_op(f, user);
    fixture_write(f, &event, 1, 4);
    assert_int_equal(event.count, 1);
    assert_int_equal(f->filled, 0);
    assert_int_equal(f->next_due_in_ms, -1);
    struct store_op key = fixture_key_op(f, user);
    fixture_write(f, &key, 1, 4);
    assert_int_equal(f->filled, 1);
    assert_string_equal(f->boxes[0].auth_digest, key.key.digest);
}

enum { WINDOW_NEW = 64, WINDOW_BACK = 4 };

static void end_all(struct fixture *f, int first, int count, enum decision_kind kind, int64_t delay_ms)
{
    for (int i = first; i < first + count; i++) {
        struct store_work box = f->boxes[i];
        fixture_do(f, fixture_outcome_op(f, &box, kind, delay_ms), STORE_DONE);
    }
}

/* pace.h: the window grows while it is used and answered, is one while the endpoint fails, and starts small.
 */
static void pace(struct fixture *f)
{
    int64_t user = fixture_user(f, "https://example.com/");
    put_events(f, user, 250);
    fixture_claim(f, 200, WINDOW_NEW);
    fixture_advance(f, f->config.pace.growth_ms);
    end_all(f, 0, 4, DECISION_DELIVERED, 0);
    fixture_claim(f, 200, WINDOW_NEW + 4); /* 60 are out, and the window is 128 */
    end_all(f, 0, 5, DECISION_RETRY, 3600000);
    fixture_claim(f, 200, 0); /* it fails */
    fixture_advance(f, f->config.lease_ms);
    fixture_claim(f, 200, 1);
    fixture_do(f, fixture_outcome_op(f, &f->boxes[0], DECISION_RETRY, 3600000), STORE_DONE);
    fixture_claim(f, 10, 0);
    int64_t held_ms = f->next_due_in_ms;
    assert_in_range(held_ms, f->config.pace.hold_first_ms * 3 / 2, f->config.pace.hold_first_ms * 5 / 2);
    fixture_advance(f, held_ms - 1);
    fixture_claim(f, 10, 0);
    assert_int_equal(f->next_due_in_ms, 1);
    fixture_advance(f, 1);
    fixture_claim(f, 10, 1);
    fixture_do(f, fixture_outcome_op(f, &f->boxes[0], DECISION_DELIVERED, 0), STORE_DONE);
    fixture_claim(f, 10, WINDOW_BACK);
    fixture_advance(f, f->config.pace.growth_ms);
    end_all(f, 0, 1, DECISION_DELIVERED, 0);
    fixture_claim(f, 10, WINDOW_BACK + 1);
}

static void new_url_starts_afresh(struct fixture *f)
{
    int64_t user = fixture_user(f, "https://old.example/");
    fixture_prove(f, user);
    put_events(f, user, 20);
    fixture_claim(f, 5, 5);
    end_all(f, 0, 5, DECISION_RETRY, 0);
    fixture_claim(f, 20, 0); /* held */
    struct store_op move = fixture_update_op(f, user);
    move.user.user.endpoint.url = bytes_of("https://new.example/");
    fixture_do(f, move, STORE_DONE);
    fixture_claim(f, 20, 20);
}

/* One that has answered is not failing after a first failure; one that never has is. */
static void proven_outlives_restart(struct fixture *f)
{
    int64_t user = fixture_user(f, "https://example.com/");
    fixture_prove(f, user);
    fixture_reopen(f);
    put_events(f, user, 20);
    fixture_claim(f, 1, 1);
    end_all(f, 0, 1, DECISION_RETRY, 3600000);
    fixture_claim(f, 30, 19);
}

/* Endpoints that hang leave room for one that answers quickly, and for a new one. */
static void shares(struct fixture *f)
{
    enum { SLOTS = 128, RESERVE = SLOTS / 4, HANGING = 40 };
    f->config.pace.slots = SLOTS;
    fixture_reopen(f);
    int64_t quick = fixture_user(f, "https://quick.example/");
    fixture_prove(f, quick);
    for (int i = 0; i < HANGING; i++) {
        put_events(f, fixture_user(f, "https://hangs.example/"), 20);
    }
    int taken = 0, more;
    do {
        fixture_advance(f, 2000); /* what is under way is old by now */
        struct store_op none = fixture_event_op(f, 999);
        fixture_write(f, &none, 1, 200);
        more = f->filled;
        taken += more;
    } while (more > 0);
    assert_int_not_equal(f->next_due_in_ms, 0);
    assert_in_range(taken, HANGING, SLOTS - RESERVE - 1);
    put_events(f, fixture_user(f, "https://new.example/"), 8);
    fixture_claim(f, 200, 2);
    put_events(f, quick, 8);
    fixture_claim(f, 200, 6);
}

/* However many hang, the last quarter is for those that are quick. */
static void reserve(struct fixture *f)
{
    enum { SLOTS = 64 };
    f->config.pace.slots = SLOTS;
    fixture_reopen(f);
    int64_t quick = fixture_user(f, "https://quick.example/");
    fixture_prove(f, quick);
    for (int i = 0; i < 2 * SLOTS; i++)
        put_events(f, fixture_user(f, "https://hangs.example/"), 1);
    fixture_claim(f, 200, SLOTS - SLOTS / 4);
    assert_int_not_equal(f->next_due_in_ms, 0);
    put_events(f, quick, 1);
    fixture_claim(f, 200, 1);
    assert_int_equal(boxes_of(f, quick), 1);
    struct store_work box = f->boxes[0];
    fixture_advance(f, 2000);
    put_events(f, quick, 1);
    fixture_claim(f, 200, 0); /* its own is old, and it is quick no more */
    fixture_do(f, fixture_outcome_op(f, &box, DECISION_DELIVERED, 0), STORE_DONE);
    fixture_claim(f, 200, 1);
}

/* All endpoints that fail have one budget. */
static void failing_budget(struct fixture *f)
{
    f->config.pace.failing_per_s = 50;
    fixture_reopen(f);
    enum { USERS = 30, GROUP = 12 };
    for (int i = 0; i < USERS; i++)
        put_events(f, fixture_user(f, "https://refuses.example/"), 2);
    fixture_claim(f, 60, 60);
    struct store_work boxes[60];
    memcpy(boxes, f->boxes, sizeof boxes);
    for (int i = 0; i < 60; i++)
        fixture_do(f, fixture_outcome_op(f, &boxes[i], DECISION_RETRY, 0), STORE_DONE);
    fixture_advance(f, f->config.pace.hold_first_ms * 2);
    int64_t healthy = fixture_user(f, "https://example.com/");
    put_events(f, healthy, 1);
    fixture_claim(f, 60, GROUP + 1);
    assert_int_equal(boxes_of(f, healthy), 1);
    fixture_claim(f, 60, 0);
    assert_in_range(f->next_due_in_ms, 1, 250);
    fixture_advance(f, 250);
    fixture_claim(f, 60, GROUP);
}

/* Two endpoints with a backlog share whatever boxes there are, few or many. */
static void turns(struct fixture *f)
{
    int64_t early = fixture_user(f, "https://early.example/"),
            late = fixture_user(f, "https://late.example/");
    fixture_prove(f, early);
    fixture_prove(f, late);
    put_events(f, early, 30);
    fixture_advance(f, 1000);
    put_events(f, late, 30);
    int counts[2] = {0};
    for (int i = 0; i < 10; i++) {
        fixture_claim(f, 1, 1);
        counts[0] += boxes_of(f, early);
        counts[1] += boxes_of(f, late);
    }
    assert_int_equal(counts[0], 5);
    assert_int_equal(counts[1], 5);
    fixture_claim(f, 20, 20);
    assert_int_equal(boxes_of(f, early), 10);
    assert_int_equal(boxes_of(f, late), 10);
}

/* Nothing new passes by what is due and waits. */
static void first_come(struct fixture *f)
{
    int64_t user = fixture_user(f, "https://example.com/");
    fixture_prove(f, user);
    put_events(f, user, 3);
    struct store_op event = fixture_event_op(f, user);
    fixture_write(f, &event, 1, 3);
    assert_int_equal(f->filled, 3);
    for (int i = 0; i < 3; i++)
        assert_true(f->boxes[i].event_id < event.id);
    assert_int_equal(f->next_due_in_ms, 0);
}

static void two_servers(struct fixture *f)
{
    struct store *second = NULL;
    assert_int_equal(f->backend->open(&f->config, &second), STORE_LOCKED);
    assert_null(second);
    fixture_user(f, NULL); /* the first is none the worse */
}

/* 8.5: a refusal slows the endpoint to what it takes, and its Retry-After holds all that waits for it. */
static void refused(struct fixture *f)
{
    int64_t user = fixture_user(f, "https://example.com/");
    put_events(f, user, 200);
    fixture_claim(f, 30, 30);
    struct store_work boxes[30];
    memcpy(boxes, f->boxes, sizeof boxes);
    for (int i = 0; i < 30; i++) {
        struct store_op op =
            fixture_outcome_op(f, &boxes[i], i < 20 ? DECISION_DELIVERED : DECISION_RETRY, 0);
        op.outcome.decision.refused = i >= 20;
        op.outcome.decision.hold_ms = i == 25 ? 30000 : 0;
        fixture_do(f, op, STORE_DONE);
    }
    fixture_claim(f, 30, 0);
    assert_int_equal(f->next_due_in_ms, 30000);
    fixture_advance(f, 30000);
    int claimed = 0;
    for (int i = 0; i < 100; i++) { /* a second */
        struct store_op none = fixture_event_op(f, 999);
        fixture_write(f, &none, 1, 30);
        claimed += f->filled;
        fixture_advance(f, 10);
    }
    assert_in_range(claimed, 1, 100); /* and not all that wait */
}

/* An endpoint is back: what waits goes in order of acceptance, whatever its backoff says; new ones behind. */
static void back_in_order(struct fixture *f)
{
    enum { EVENTS = 12 };
    int64_t user = fixture_user(f, "https://example.com/"), last = 0;
    fixture_prove(f, user);
    put_events(f, user, EVENTS);
    fixture_claim(f, 6, 6);
    end_all(f, 0, 6, DECISION_RETRY, 3600000);
    put_events(f, user, 2);
    fixture_advance(f, 2 * f->config.pace.hold_first_ms);
    fixture_claim(f, 20, 1); /* a probe: the first that is due */
    fixture_do(f, fixture_outcome_op(f, &f->boxes[0], DECISION_DELIVERED, 0), STORE_DONE);
    struct store_op event = fixture_event_op(f, user);
    fixture_write(f, &event, 1, 20);
    for (int gone = 0; gone < EVENTS - 1 + 3; gone += f->filled) {
        if (gone > 0) {
            fixture_advance(f, f->config.pace.growth_ms);
            struct store_op none = fixture_event_op(f, 999);
            fixture_write(f, &none, 1, 20);
        }
        assert_in_range(f->filled, 1, 8);
        struct store_work boxes[20];
        int filled = f->filled;
        memcpy(boxes, f->boxes, sizeof boxes);
        for (int i = 0; i < filled; i++) {
            assert_true(boxes[i].event_id > last);
            last = boxes[i].event_id;
            fixture_do(f, fixture_outcome_op(f, &boxes[i], DECISION_DELIVERED, 0), STORE_DONE);
        }
        f->filled = filled;
    }
    assert_int_equal(last, event.id);
}

/* One that fails by itself keeps its backoff, and is not tried each time that another is answered. */
static void its_own_trouble(struct fixture *f)
{
    int64_t user = fixture_user(f, "https://example.com/");
    fixture_prove(f, user);
    put_events(f, user, 1);
    for (int i = 0; i < 3; i++) {
        fixture_claim(f, 1, 1);
        end_all(f, 0, 1, DECISION_RETRY, 3600000);
        fixture_prove(f, user);
        fixture_claim(f, 1, 0);
        fixture_advance(f, 3600000);
    }
    for (int i = 0; i < 5; i++) { /* a refusal counts as the endpoint's, three times */
        fixture_claim(f, 1, 1);
        struct store_op op = fixture_outcome_op(f, &f->boxes[0], DECISION_RETRY, 3600000);
        op.outcome.decision.refused = true;
        fixture_do(f, op, STORE_DONE);
        fixture_advance(f, 5000);
        fixture_prove(f, user);
        fixture_advance(f, 5000);
        fixture_claim(f, 1, 0);
        fixture_advance(f, 3600000);
    }
}

static void fault_end(struct fixture *f, struct store_work box, enum failure reason)
{
    struct store_op op = fixture_outcome_op(f, &box, DECISION_RELEASE, f->config.pace.local_delay_ms);
    op.outcome.decision.reason = op.outcome.attempt.failure = reason;
    op.outcome.attempt.counted = false;
    fixture_do(f, op, STORE_DONE);
}

static int lines_of(struct fixture *f, int64_t delivery_id)
{
    return fixture_read(f, (struct store_query){.kind = STORE_LIST_ATTEMPTS, .id = delivery_id, .limit = 50})
        .count;
}

/* 8.5: what waits at a start goes as to one that answers again: nobody knows whether it is well by now. */
static void resumed(struct fixture *f)
{
    int64_t waits = fixture_user(f, "https://waits.example/"),
            idle = fixture_user(f, "https://idle.example/");
    fixture_prove(f, idle);
    put_events(f, waits, 100);
    fixture_reopen(f);
    fixture_claim(f, 100, 4);
    end_all(f, 0, 4, DECISION_RETRY, 3600000);
    fixture_claim(f, 100, 0);
    put_events(f, idle, 20);
    fixture_claim(f, 100, 20);
}

/* 8.6: it is not the network alone: no descriptors or ports, an identity that is sealed. */
static void other_faults_of_ours(struct fixture *f)
{
    static const enum failure reasons[] = {FAILURE_LOCAL_LIMIT, FAILURE_SEALED};
    put_events(f, fixture_user(f, "https://example.com/"), 3);
    fixture_claim(f, 20, 3);
    struct store_work boxes[3];
    memcpy(boxes, f->boxes, sizeof boxes);
    for (int i = 0; i < 3; i++)
        fault_end(f, boxes[i], reasons[0]);
    for (int i = 0; i < 10; i++) {
        fixture_advance(f, f->config.pace.local_delay_ms);
        fixture_claim(f, 20, 1);
        fault_end(f, f->boxes[0], reasons[i / 5]);
        for (int j = 0; j < 3; j++)
            assert_in_range(lines_of(f, boxes[j].delivery_id), 1, 1 + i / 5);
    }
}

/* 8.6: while the fault is ours: one probe for all who know, and one line a delivery; then all go on. */
static void our_outage(struct fixture *f)
{
    int64_t delay_ms = f->config.pace.local_delay_ms, users[3];
    for (int i = 0; i < 3; i++) {
        users[i] = fixture_user(f, "https://example.com/");
        put_events(f, users[i], 2);
    }
    fixture_claim(f, 20, 6);
    struct store_work boxes[6];
    memcpy(boxes, f->boxes, sizeof boxes);
    for (int i = 0; i < 6; i++)
        fault_end(f, boxes[i], FAILURE_LOCAL_OUTAGE);
    for (int i = 0; i < 30; i++) {
        fixture_claim(f, 20, 0);
        assert_in_range(f->next_due_in_ms, 1, delay_ms);
        fixture_advance(f, f->next_due_in_ms);
        fixture_claim(f, 20, 1);
        fault_end(f, f->boxes[0], FAILURE_LOCAL_OUTAGE);
    }
    for (int i = 0; i < 6; i++)
        assert_int_equal(lines_of(f, boxes[i].delivery_id), 1);
    /* One that has not been told by an attempt of its own is tried. */
    int64_t other = fixture_user(f, "https://[2001:db8::1]/");
    put_events(f, other, 1);
    fixture_claim(f, 20, 1);
    assert_int_equal(f->boxes[0].endpoint_id, other);
    fixture_do(f, fixture_outcome_op(f, &f->boxes[0], DECISION_RETRY, 3600000), STORE_DONE);
    fixture_advance(f, delay_ms); /* it ended in another way: all go on, one by one until they are answered */
    fixture_claim(f, 20, 3);
    struct store_work again = f->boxes[0];
    fixture_do(f, fixture_outcome_op(f, &again, DECISION_RETRY, delay_ms), STORE_DONE);
    assert_int_equal(lines_of(f, again.delivery_id), 2);
    fixture_advance(f, 2 * delay_ms);
    struct store_op none = fixture_event_op(f, 999);
    fixture_write(f, &none, 1, 20);
}

const struct contract_test contract_claims[] = {
    {"a lease that runs out is due again", lease_runs_out},
    {"a lease counts from its claim", lease_after_a_wait},
    {"age is time of service since the first attempt", age},
    {"jumps of the wall clock move nothing", wall_clock_jumps},
    {"paused or without URL: held, not lost", held_while_paused},
    {"without a key: held", held_without_key},
    {"pace opens with an answer and closes with failures", pace},
    {"a new URL starts afresh", new_url_starts_afresh},
    {"who has answered is known after a restart", proven_outlives_restart},
    {"those that hang leave room for all others", shares},
    {"a reserve that only those use that are quick", reserve},
    {"all that fail have one budget", failing_budget},
    {"8.5: who refuses gets what it takes, and nothing until its Retry-After", refused},
    {"an endpoint is back: in order of acceptance", back_in_order},
    {"what fails by itself keeps its backoff", its_own_trouble},
    {"8.6: our own outage: one probe for all, one line a delivery", our_outage},
    {"8.5: what waits at a start is tried with few", resumed},
    {"8.6: other faults of ours: the same", other_faults_of_ours},
    {"endpoints take turns", turns},
    {"what waits goes first", first_come},
    {"a second server is locked out", two_servers},
    {0},
};
