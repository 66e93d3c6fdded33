/* The notices about endpoints, and the endpoints that get them. A day of these tests is FIXTURE_DAY_MS. */
#include "contract.h"

enum { ROOM = 16 };

struct place {
    int64_t master, owner, asker; /* a Master, its user, and an endpoint of the Master that asks */
};

static int64_t asker_of(struct fixture *f, int64_t user, const char *event_types)
{
    int64_t id = fixture_endpoint(f, user, "https://asker.example/");
    struct store_op op = fixture_endpoint_op(f, id);
    op.endpoint.endpoint.event_types = bytes_of(event_types);
    fixture_do(f, op, STORE_DONE);
    return id;
}

/* An endpoint that fails is held for a second at most. */
static void begin(struct fixture *f)
{
    f->config.pace.hold_ms_max = 1000;
    fixture_reopen(f);
}

static struct place place_of(struct fixture *f)
{
    begin(f);
    struct place place = {.master = fixture_user(f, "https://master.example/")};
    struct store_op user = {.kind = STORE_USER_CREATE,
                            .user.user = {.name = bytes_of("x"),
                                          .master_id = place.master,
                                          .endpoint.url = bytes_of("https://example.com/")}};
    place.owner = fixture_do(f, user, STORE_DONE);
    fixture_do(f, fixture_key_op(f, place.owner), STORE_DONE);
    place.asker = asker_of(f, place.master, "endpoint_* delivery_given_up");
    return place;
}

/* The first attempt of an event of this user, or one of the next, ends so. */
static void ends(struct fixture *f, enum decision_kind kind, enum failure reason)
{
    fixture_advance(f, 5000);
    fixture_claim(f, 1, 1);
    struct store_op end = fixture_outcome_op(f, &f->boxes[0], kind, 1000);
    if (reason != FAILURE_NONE)
        end.outcome.decision.reason = reason;
    fixture_do(f, end, STORE_DONE);
}

static void fails(struct fixture *f, int times)
{
    for (int i = 0; i < times; i++)
        ends(f, DECISION_RETRY, FAILURE_NONE);
}

/* What is due: as many as are expected; the first of them. */
static struct store_notice due(struct fixture *f, int expected)
{
    static struct store_notice rows[ROOM];
    struct store_op op = {.kind = STORE_NOTICES, .notices = {.rows = rows, .room = ROOM}};
    fixture_write(f, &op, 1, 0);
    assert_int_equal(op.result, STORE_DONE);
    assert_int_equal(op.notices.count, expected);
    return expected ? rows[0] : (struct store_notice){0};
}

/* It is told: `recipients` get it, and what they get ends. 0: nobody, and there is no event. */
static int64_t told(struct fixture *f, struct store_notice notice, int recipients)
{
    struct store_op op = fixture_event_op(f, notice.owner_id);
    op.event.event.event_type = bytes_of(notice_names[notice.kind]);
    op.event.notice = &notice;
    fixture_write(f, &op, 1, FIXTURE_BOXES);
    assert_int_equal(op.result, recipients ? STORE_DONE : STORE_NOT_FOUND);
    assert_int_equal(op.count, recipients);
    assert_int_equal(f->filled, recipients);
    for (int i = 0; i < recipients; i++)
        fixture_do(f, fixture_outcome_op(f, &f->boxes[i], DECISION_DELIVERED, 0), STORE_DONE);
    int64_t id = op.id;
    op.event.event.id = 0;
    fixture_do(f, op, STORE_NOT_FOUND); /* what was told is not told again */
    return id;
}

/* A backfill gives an endpoint that came later what it would have got: no notice. */
static void no_backfill_of_a_notice(struct fixture *f)
{
    struct place place = place_of(f);
    fixture_do(f, fixture_event_op(f, place.owner), STORE_DONE);
    fails(f, 5);
    told(f, due(f, 1), 1);
    int64_t later = asker_of(f, place.owner, "*");
    struct job job = {.kind = JOB_BACKFILL,
                      .owner_id = place.owner,
                      .endpoint_id = later,
                      .total = -1,
                      .created_at_ms = f->wall_ms};
    int64_t id = fixture_do(f, (struct store_op){.kind = STORE_JOB_CREATE, .job = job}, STORE_DONE);
    job = fixture_read(f, (struct store_query){.kind = STORE_GET_JOB, .id = id, .limit = 1}).jobs[0];
    struct store_query rows = {.kind = STORE_JOB_ROWS, .job = &job, .limit = ROOM};
    assert_int_equal(fixture_read(f, rows).count, 1); /* the event that failed */
}

static void failing_is_told_daily(struct fixture *f)
{
    struct place place = place_of(f);
    fixture_do(f, fixture_event_op(f, place.owner), STORE_DONE);
    fails(f, 4);
    due(f, 0);
    fails(f, 1);
    fixture_reopen(f);
    struct store_notice notice = due(f, 1);
    assert_int_equal(notice.endpoint_id, place.owner);
    assert_int_equal(notice.owner_id, place.owner);
    assert_int_equal(notice.kind, NOTICE_FAILING);
    assert_true(notice.since_ms > 0 && notice.disabled_at_ms == 0 && !notice.paused);
    struct event event = fixture_event(f, told(f, notice, 1));
    assert_int_equal(event.owner_id, place.owner);
    fails(f, 1);
    due(f, 0);
    fixture_advance(f, FIXTURE_DAY_MS);
    due(f, 0); /* nothing has failed since */
    fails(f, 5);
    told(f, due(f, 1), 1);
    ends(f, DECISION_DELIVERED, FAILURE_NONE);
    notice = due(f, 1);
    assert_int_equal(notice.kind, NOTICE_RECOVERED);
    assert_int_equal(notice.since_ms, 0);
    told(f, notice, 1);
    due(f, 0);
}

/* Nobody was told that it fails, so nobody is told that it recovers. */
static void recovered_only_if_it_was_told(struct fixture *f)
{
    struct place place = place_of(f);
    fixture_do(f, fixture_event_op(f, place.owner), STORE_DONE);
    fails(f, 5);
    due(f, 1);
    ends(f, DECISION_DELIVERED, FAILURE_NONE);
    due(f, 0);
}

static void disabled_is_told(struct fixture *f)
{
    struct place place = place_of(f);
    struct store_op update = fixture_update_op(f, place.owner);
    update.user.user.endpoint.disable_after = 2;
    fixture_do(f, update, STORE_DONE);
    fixture_do(f, fixture_event_op(f, place.owner), STORE_DONE);
    fails(f, 5);
    struct store_notice notice = due(f, 1);
    assert_int_equal(notice.disabled_at_ms, notice.since_ms + 2 * FIXTURE_DAY_MS);
    told(f, notice, 1);
    fixture_advance(f, 2 * FIXTURE_DAY_MS);
    fails(f, 1);
    notice = due(f, 1);
    assert_int_equal(notice.kind, NOTICE_DISABLED);
    assert_int_equal(notice.disabled, ENDPOINT_FAILING);
    assert_true(notice.paused);
    told(f, notice, 1);
    due(f, 0);
}

static void given_up_adds_up(struct fixture *f)
{
    struct place place = place_of(f);
    for (int i = 0; i < 2; i++) {
        fixture_do(f, fixture_event_op(f, place.owner), STORE_DONE);
        ends(f, DECISION_GIVE_UP, FAILURE_NONE);
    }
    struct store_notice notice = due(f, 1);
    assert_int_equal(notice.kind, NOTICE_GIVEN_UP);
    assert_int_equal(notice.count, 2);
    fixture_do(f, fixture_event_op(f, place.owner), STORE_DONE);
    ends(f, DECISION_GIVE_UP, FAILURE_NONE);
    struct store_op op = fixture_event_op(f, place.owner);
    op.event.event.event_type = bytes_of("delivery_given_up");
    op.event.notice = &notice; /* one more was given up since it was read: it is told later */
    fixture_write(f, &op, 1, 1);
    assert_int_equal(op.count, 1);
    due(f, 0);
    fixture_advance(f, FIXTURE_DAY_MS / 1440 + 1);
    struct store_op end = fixture_outcome_op(f, &f->boxes[0], DECISION_GIVE_UP, 0);
    fixture_do(f, end, STORE_DONE); /* of the notice itself: nobody is told */
    assert_int_equal(due(f, 1).count, 1);
}

/* It stays delivered, so nothing is given up. */
static void a_replay_that_fails_is_not_given_up(struct fixture *f)
{
    struct place place = place_of(f);
    fixture_do(f, fixture_event_op(f, place.owner), STORE_DONE);
    ends(f, DECISION_DELIVERED, FAILURE_NONE);
    struct store_op again = {.kind = STORE_RESEND, .delivery.delivery_id = f->boxes[0].delivery_id};
    fixture_do(f, again, STORE_DONE);
    ends(f, DECISION_GIVE_UP, FAILURE_NONE);
    due(f, 0);
}

/* Null and `*` do not ask; a name and a prefix do. Not for what asks for notices itself, but to the Master.
 */
static void only_who_asks_by_name(struct fixture *f)
{
    begin(f);
    int64_t master = fixture_user(f, "https://master.example/");
    fixture_do(f, fixture_event_op(f, master), STORE_DONE);
    int64_t all = asker_of(f, master, "*");
    fails(f, 6);
    due(f, 0);
    int64_t asker = asker_of(f, master, "delivery_*"), other = asker_of(f, master, "endpoint_failing");
    assert_true(all && asker);
    fails(f, 1);
    struct store_notice notice = due(f, 1);
    told(f, notice, 1); /* to `other` */
    ends(f, DECISION_DELIVERED, FAILURE_NONE);
    due(f, 0); /* nobody asks for endpoint_recovered */

    /* Now `other` fails: it asks for notices, and so its sibling hears nothing. */
    struct store_op event = fixture_event_op(f, master);
    event.event.only_endpoint_id = other;
    fixture_do(f, event, STORE_DONE);
    fails(f, 5);
    due(f, 0);
}

static void the_owner_may_ask(struct fixture *f)
{
    struct place place = place_of(f);
    int64_t own = asker_of(f, place.owner, "endpoint_failing");
    fixture_do(f, fixture_event_op(f, place.owner), STORE_DONE);
    fails(f, 5);
    told(f, due(f, 1), 2); /* to its own, and to the Master's */
    ends(f, DECISION_DELIVERED, FAILURE_NONE);
    told(f, due(f, 1), 1); /* its own has not asked for endpoint_recovered */
    struct store_op event = fixture_event_op(f, place.owner);
    event.event.only_endpoint_id = own;
    fixture_do(f, event, STORE_DONE);
    fails(f, 5);
    told(f, due(f, 1), 1); /* of its own: to the Master's alone */
}

static void a_pause_ends_it_without_a_word(struct fixture *f)
{
    struct place place = place_of(f);
    fixture_do(f, fixture_event_op(f, place.owner), STORE_DONE);
    fails(f, 5);
    told(f, due(f, 1), 1);
    for (int paused = 1; paused >= 0; paused--) {
        struct store_op update = fixture_update_op(f, place.owner);
        update.user.user.endpoint.paused = paused;
        fixture_do(f, update, STORE_DONE);
    }
    ends(f, DECISION_DELIVERED, FAILURE_NONE);
    due(f, 0);
}

const struct contract_test contract_notices[] = {
    {"notices: failing is told after 5 failures, then daily, and recovered", failing_is_told_daily},
    {"notices: recovered only if it was told", recovered_only_if_it_was_told},
    {"notices: disabled is told", disabled_is_told},
    {"notices: deliveries given up add up", given_up_adds_up},
    {"notices: a replay that fails is not given up", a_replay_that_fails_is_not_given_up},
    {"notices: only who asks by name", only_who_asks_by_name},
    {"notices: the owner may ask", the_owner_may_ask},
    {"notices: a pause ends the failing without a word", a_pause_ends_it_without_a_word},
    {"notices: no backfill of a notice", no_backfill_of_a_notice},
    {0}};
