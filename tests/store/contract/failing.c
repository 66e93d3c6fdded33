/* The time since which an endpoint only fails, and its effects. A day of these tests is FIXTURE_DAY_MS. */
#include "contract.h"

enum { THIRD_MS = FIXTURE_DAY_MS / 3 };

static int64_t owner_disabled_after(struct fixture *f, int32_t days)
{
    int64_t user = fixture_user(f, "https://example.com/");
    struct store_op update = fixture_update_op(f, user), event = fixture_event_op(f, user);
    update.user.user.endpoint.disable_after = days;
    fixture_do(f, update, STORE_DONE);
    fixture_do(f, event, STORE_DONE);
    fixture_advance(f, 1000);
    return user;
}

/* Its delivery is tried and ends so. Returns why that disabled it. */
static enum endpoint_disabled tried(struct fixture *f, int64_t user, enum decision_kind kind)
{
    fixture_claim(f, 1, 1);
    struct store_op end = fixture_outcome_op(f, &f->boxes[0], kind, 1000);
    if (kind == DECISION_RELEASE)
        end.outcome.decision.reason = FAILURE_LOCAL_OUTAGE;
    struct store_op *ops[] = {&end};
    struct store_batch batch = {.ops = ops, .op_count = 1};
    assert_int_equal(store_write(f->store, &batch), STORE_OK);
    struct endpoint now = fixture_update_op(f, user).user.user.endpoint;
    assert_int_equal(end.count, now.disabled);
    assert_int_equal(now.paused, now.disabled != ENDPOINT_ENABLED);
    return now.disabled;
}

/* Fails, a third of a day after the last time. */
static enum endpoint_disabled fails(struct fixture *f, int64_t user)
{
    fixture_advance(f, THIRD_MS);
    return tried(f, user, DECISION_RETRY);
}

static void days_of_failures_disable(struct fixture *f)
{
    int64_t user = owner_disabled_after(f, 1), other = fixture_user(f, "https://b.example/");
    assert_int_equal(tried(f, user, DECISION_RETRY), ENDPOINT_ENABLED);
    assert_int_equal(fails(f, user), ENDPOINT_ENABLED);
    int64_t version = fixture_update_op(f, user).user.user.version;
    fixture_reopen(f);
    struct store_op purge = {
        .kind = STORE_PURGE,
        .purge = {.before_ms = f->wall_ms, .attempts_before_ms = f->wall_ms, .rows_max = 100}};
    fixture_do(f, purge, STORE_DONE);
    assert_int_equal(fails(f, user), ENDPOINT_ENABLED);
    assert_int_equal(fails(f, user), ENDPOINT_FAILING);
    assert_int_equal(fixture_update_op(f, user).user.user.version, version + 1);
    assert_false(fixture_update_op(f, other).user.user.endpoint.paused);
    fixture_advance(f, 10 * FIXTURE_DAY_MS);
    fixture_claim(f, 1, 0);

    struct store_op again = fixture_update_op(f, user); /* enabled, it has all its days again */
    again.user.user.endpoint.paused = false;
    fixture_do(f, again, STORE_DONE);
    assert_int_equal(fails(f, user), ENDPOINT_ENABLED);
    fixture_advance(f, THIRD_MS);
    assert_int_equal(tried(f, user, DECISION_DELIVERED), ENDPOINT_ENABLED);
}

static void never_unless_asked(struct fixture *f)
{
    int64_t user = owner_disabled_after(f, 0);
    for (int i = 0; i < 4; i++) {
        fixture_advance(f, 5 * FIXTURE_DAY_MS);
        assert_int_equal(tried(f, user, DECISION_RETRY), ENDPOINT_ENABLED);
    }
    struct store_op update = fixture_update_op(f, user); /* what failed before it was set, counts */
    update.user.user.endpoint.disable_after = 20;
    fixture_do(f, update, STORE_DONE);
    fixture_advance(f, 5 * FIXTURE_DAY_MS);
    assert_int_equal(tried(f, user, DECISION_RETRY), ENDPOINT_FAILING);
}

static void a_success_begins_afresh(struct fixture *f)
{
    int64_t user = owner_disabled_after(f, 1);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(fails(f, user), ENDPOINT_ENABLED);
        assert_int_equal(fails(f, user), ENDPOINT_ENABLED);
        fixture_advance(f, THIRD_MS);
        assert_int_equal(tried(f, user, DECISION_DELIVERED), ENDPOINT_ENABLED);
        fixture_do(f, fixture_event_op(f, user), STORE_DONE);
    }
}

/* A pause and a new URL: what was before says nothing. So do outcomes while it is paused. */
static void a_pause_begins_afresh(struct fixture *f)
{
    int64_t user = owner_disabled_after(f, 1);
    assert_int_equal(fails(f, user), ENDPOINT_ENABLED);
    assert_int_equal(fails(f, user), ENDPOINT_ENABLED);
    fixture_advance(f, THIRD_MS);
    fixture_claim(f, 1, 1);
    struct store_op late = fixture_outcome_op(f, &f->boxes[0], DECISION_RETRY, 1000);
    struct store_op update = fixture_update_op(f, user);
    update.user.user.endpoint.paused = true;
    fixture_do(f, update, STORE_DONE);
    fixture_do(f, late, STORE_DONE);
    fixture_advance(f, 9 * FIXTURE_DAY_MS);
    update = fixture_update_op(f, user);
    update.user.user.endpoint.paused = false;
    fixture_do(f, update, STORE_DONE);
    for (int i = 0; i < 3; i++)
        assert_int_equal(fails(f, user), ENDPOINT_ENABLED);
    update = fixture_update_op(f, user);
    update.user.user.endpoint.url = bytes_of("https://example.org/");
    fixture_do(f, update, STORE_DONE);
    for (int i = 0; i < 3; i++)
        assert_int_equal(fails(f, user), ENDPOINT_ENABLED);
    assert_int_equal(fails(f, user), ENDPOINT_FAILING);
}

static void our_outage_does_not_count(struct fixture *f)
{
    int64_t user = owner_disabled_after(f, 1);
    assert_int_equal(fails(f, user), ENDPOINT_ENABLED);
    assert_int_equal(fails(f, user), ENDPOINT_ENABLED);
    for (int i = 0; i < 3; i++) {
        fixture_advance(f, 2 * FIXTURE_DAY_MS);
        assert_int_equal(tried(f, user, DECISION_RELEASE), ENDPOINT_ENABLED);
        fixture_reopen(f);
    }
    /* A third of a day of failures, two days until it was first tried in the outage. */
    struct store_op update = fixture_update_op(f, user);
    update.user.user.endpoint.disable_after = 3;
    fixture_do(f, update, STORE_DONE);
    assert_int_equal(fails(f, user), ENDPOINT_ENABLED);
    assert_int_equal(fails(f, user), ENDPOINT_ENABLED);
    assert_int_equal(fails(f, user), ENDPOINT_FAILING);
}

/* The row of an endpoint that was removed goes with it. */
static void a_removed_one_is_forgotten(struct fixture *f)
{
    int64_t user = fixture_user(f, ""), id = fixture_endpoint(f, user, "https://example.com/");
    struct store_op op = fixture_endpoint_op(f, id);
    op.endpoint.endpoint.disable_after = 1;
    fixture_do(f, op, STORE_DONE);
    fixture_do(f, fixture_event_op(f, user), STORE_DONE);
    fixture_claim(f, 1, 1);
    fixture_do(f, fixture_outcome_op(f, &f->boxes[0], DECISION_RETRY, 0), STORE_DONE);
    fixture_advance(f, 2 * FIXTURE_DAY_MS);
    fixture_claim(f, 1, 1);
    op = fixture_endpoint_op(f, id);
    op.kind = STORE_ENDPOINT_REMOVE;
    fixture_do(f, op, STORE_DONE);
    fixture_do(f, fixture_outcome_op(f, &f->boxes[0], DECISION_RETRY, 1000), STORE_DONE);
    fixture_reopen(f);
}

const struct contract_test contract_failing[] = {
    {"disable_after: days of failures only disable", days_of_failures_disable},
    {"disable_after: none unless it is asked for", never_unless_asked},
    {"disable_after: a success begins afresh", a_success_begins_afresh},
    {"disable_after: a pause or a new URL begins afresh", a_pause_begins_afresh},
    {"disable_after: our outage does not count", our_outage_does_not_count},
    {"disable_after: a removed one is forgotten", a_removed_one_is_forgotten},
    {0}};
