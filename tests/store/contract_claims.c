/* Claims: who is served, when, and how much of it at once; and the two clocks. */
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
    pause.user.user.paused = true;
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
    gone.user.user.webhook_url = (struct bytes){0};
    fixture_do(f, gone, STORE_DONE);
    fixture_advance(f, 100000);
    fixture_claim(f, 8, 0);
    event = fixture_event_op(f, user);
    fixture_write(f, &event, 1, 4);
    assert_int_equal(event.count, 0); /* no longer a recipient */
    back.user.user.webhook_url = bytes_of("https://new.example/");
    fixture_do(f, back, STORE_DONE);
    fixture_claim(f, 8, 3);
    for (int i = 0; i < 3; i++)
        assert_true(bytes_equal_text(f->boxes[i].url, "https://new.example/"));
}

static void held_without_key(struct fixture *f)
{
    struct store_op op = {.kind = STORE_USER_CREATE,
                          .user.user = {.webhook_url = bytes_of("https://example.com/")}};
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

/* policy_pace: eight at once until an answer came, then many; two when it fails, and a hold. */
static void pace(struct fixture *f)
{
    int64_t user = fixture_user(f, "https://example.com/");
    struct pace untried = policy_pace(&f->config.policy, false, 0);
    put_events(f, user, 40);
    fixture_claim(f, 30, untried.leases_max);
    struct store_work box = f->boxes[0];
    fixture_do(f, fixture_outcome_op(f, &box, DECISION_DELIVERED, 0), STORE_DONE);
    fixture_claim(f, 10, 10); /* proven */
    for (int i = 0; i < 10; i++)
        fixture_do(f, fixture_outcome_op(f, &f->boxes[i], DECISION_RETRY, 3600000), STORE_DONE);
    struct pace failing = policy_pace(&f->config.policy, true, 10);
    assert_true(failing.hold_ms > 0);
    fixture_claim(f, 10, 0); /* seven are still out, and it is held */
    fixture_advance(f, f->config.lease_ms);
    fixture_claim(f, 10, failing.leases_max);
    fixture_do(f, fixture_outcome_op(f, &f->boxes[0], DECISION_RETRY, 3600000), STORE_DONE);
    int64_t hold_ms = policy_pace(&f->config.policy, true, 11).hold_ms;
    fixture_claim(f, 10, 0);
    fixture_advance(f, hold_ms - 1);
    fixture_claim(f, 10, 0);
    assert_int_equal(f->next_due_in_ms, 1);
    fixture_advance(f, 1);
    fixture_claim(f, 10, 1);
    fixture_do(f, fixture_outcome_op(f, &f->boxes[0], DECISION_DELIVERED, 0), STORE_DONE);
    fixture_claim(f, 10, 10); /* open again at once */
}

static void new_url_starts_afresh(struct fixture *f)
{
    int64_t user = fixture_user(f, "https://old.example/");
    fixture_prove(f, user);
    put_events(f, user, 20);
    struct store_op move = fixture_update_op(f, user);
    move.user.user.webhook_url = bytes_of("https://new.example/");
    fixture_do(f, move, STORE_DONE);
    fixture_claim(f, 20, policy_pace(&f->config.policy, false, 0).leases_max);
}

static void proven_outlives_restart(struct fixture *f)
{
    int64_t user = fixture_user(f, "https://example.com/");
    fixture_prove(f, user);
    fixture_reopen(f);
    put_events(f, user, 20);
    fixture_claim(f, 20, 20);
}

/* Whoever has not answered lately shares a part of the slots, and those who fail have half of it at most: so
 * a newcomer waits behind nobody who fails. */
static void shares(struct fixture *f)
{
    struct store_work boxes[20];
    struct pace failing = policy_pace(&f->config.policy, false, 1);
    struct pace stumbling = policy_pace(&f->config.policy, true, 1);
    f->config.slots_unproven_max = 20;
    fixture_reopen(f);
    for (int i = 0; i < 5; i++)
        put_events(f, fixture_user(f, "https://hangs.example/"), 8);
    fixture_claim(f, 20, 20); /* four of each */
    memcpy(boxes, f->boxes, sizeof boxes);
    fixture_claim(f, 40, 0);
    assert_int_not_equal(f->next_due_in_ms, 0);
    int64_t newcomer = fixture_user(f, "https://example.com/");
    put_events(f, newcomer, 1);
    fixture_claim(f, 40, 0); /* nobody knows yet who is who */
    for (int i = 0; i < 20; i++)
        fixture_do(f, fixture_outcome_op(f, &boxes[i], DECISION_RETRY, 3600000), STORE_DONE);
    int failing_leased = 5 * failing.leases_max;
    assert_in_range(failing_leased, 1, 10);
    fixture_claim(f, 40, failing_leased + 1);
    assert_int_equal(boxes_of(f, newcomer), 1);
    for (int i = 0; i < f->filled; i++)
        if (f->boxes[i].endpoint_id == newcomer)
            boxes[0] = f->boxes[i];
    fixture_do(f, fixture_outcome_op(f, &boxes[0], DECISION_DELIVERED, 0), STORE_DONE);
    /* Who answered may use every slot. */
    put_events(f, newcomer, 30);
    fixture_claim(f, 40, 30);
    boxes[0] = f->boxes[0];
    /* It stumbles with 29 out, and is counted for as many as it would get now. */
    fixture_do(f, fixture_outcome_op(f, &boxes[0], DECISION_RETRY, 3600000), STORE_DONE);
    int64_t next = fixture_user(f, "https://example.com/");
    put_events(f, next, 8);
    fixture_claim(f, 40, 20 - failing_leased - stumbling.leases_max);
    assert_int_equal(boxes_of(f, next), f->filled);
}

/* However many fail, there is room beside them. */
static void failing_share(struct fixture *f)
{
    f->config.slots_unproven_max = 10;
    fixture_reopen(f);
    int64_t users[8];
    for (int i = 0; i < 8; i++) {
        users[i] = fixture_user(f, "https://hangs.example/");
        put_events(f, users[i], 1);
        fixture_claim(f, 1, 1);
        struct store_work box = f->boxes[0];
        fixture_do(f, fixture_outcome_op(f, &box, DECISION_RETRY, 3600000), STORE_DONE);
    }
    for (int i = 0; i < 8; i++)
        put_events(f, users[i], 3);
    fixture_claim(f, 40, 5);
    int64_t newcomer = fixture_user(f, "https://example.com/");
    put_events(f, newcomer, 8);
    fixture_claim(f, 40, 5);
    assert_int_equal(boxes_of(f, newcomer), 5);
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
    assert_int_equal(f->engine->open(&f->config, &second), STORE_LOCKED);
    assert_null(second);
    fixture_user(f, NULL); /* the first is none the worse */
}

const struct contract_test contract_claims[] = {
    {"a lease that runs out is due again", lease_runs_out},
    {"age is time of service since the first attempt", age},
    {"jumps of the wall clock move nothing", wall_clock_jumps},
    {"paused or without URL: held, not lost", held_while_paused},
    {"without a key: held", held_without_key},
    {"pace opens with an answer and closes with failures", pace},
    {"a new URL starts afresh", new_url_starts_afresh},
    {"who has answered is known after a restart", proven_outlives_restart},
    {"those who are new and those who fail have a share of the slots each", shares},
    {"however many fail, there is room beside them", failing_share},
    {"endpoints take turns", turns},
    {"what waits goes first", first_come},
    {"a second server is locked out", two_servers},
    {0},
};
