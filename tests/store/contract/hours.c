/* What happened to an endpoint's deliveries, by hour. A read comes after a LOOK that asks for all. */
#include "contract.h"

static const char URL[] = "https://example.com/";

static struct store_figures look(struct fixture *f, int64_t endpoint)
{
    struct store_figures figures = {.id = endpoint};
    fixture_do(f, (struct store_op){.kind = STORE_LOOK, .look = {&figures, 1, true}}, STORE_DONE);
    return figures;
}

static struct store_answer hours_of(struct fixture *f, int64_t endpoint)
{
    look(f, endpoint);
    return fixture_read(f, (struct store_query){.kind = STORE_LIST_HOURS,
                                                .id = endpoint,
                                                .after_id = hour_of(f->wall_ms) - HOURS_KEPT,
                                                .limit = HOURS_KEPT});
}

static void are(struct fixture *f, int64_t endpoint, const int64_t wanted[HOUR_KINDS])
{
    struct store_answer answer = hours_of(f, endpoint);
    int64_t sums[HOUR_KINDS] = {0};
    for (int i = 0; i < answer.count; i++)
        for (int kind = 0; kind < HOUR_KINDS; kind++)
            sums[kind] += answer.hours[i].counts[kind];
    for (int kind = 0; kind < HOUR_KINDS; kind++)
        if (sums[kind] != wanted[kind])
            fail_msg("%s: %d instead of %d", hour_names[kind], (int)sums[kind], (int)wanted[kind]);
}
#define ARE(f, endpoint, ...) are(f, endpoint, (const int64_t[HOUR_KINDS]){__VA_ARGS__})

static void event(struct fixture *f, int64_t user)
{
    struct store_op op = fixture_event_op(f, user);
    fixture_write(f, &op, 1, 1);
    assert_int_equal(op.result, STORE_DONE);
}

static struct store_op outcome(struct fixture *f, enum decision_kind kind, int status, int64_t duration_ms)
{
    struct store_op op = fixture_outcome_op(f, &f->boxes[0], kind, 1);
    op.outcome.attempt.status = status;
    op.outcome.attempt.duration_ms = duration_ms;
    return op;
}

static void what_counts(struct fixture *f)
{
    int64_t user = fixture_user(f, URL), other = fixture_user(f, URL), silent = fixture_user(f, NULL);
    ARE(f, user, 0, 0, 0, 0, 0);
    event(f, user);
    ARE(f, user, 1, 0, 0, 0, 0);
    struct store_op fails = outcome(f, DECISION_RETRY, 500, 70);
    int64_t delivery = f->boxes[0].delivery_id;
    fixture_do(f, fails, STORE_DONE);
    fixture_do(f, fails, STORE_FENCED);
    ARE(f, user, 1, 0, 1, 0, 0);
    fixture_advance(f, 60000);
    fixture_claim(f, 1, 1);
    fixture_do(f, outcome(f, DECISION_RELEASE, 0, 5), STORE_DONE);
    ARE(f, user, 1, 0, 1, 0, 0);
    fixture_advance(f, 60000);
    fixture_claim(f, 1, 1);
    fixture_do(f, outcome(f, DECISION_GIVE_UP, 0, 5), STORE_DONE);
    ARE(f, user, 1, 0, 2, 1, 0);
    fixture_do(f, (struct store_op){.kind = STORE_RESEND, .delivery = {delivery}}, STORE_DONE);
    fixture_advance(f, 60000);
    fixture_claim(f, 1, 1);
    fixture_do(f, outcome(f, DECISION_DELIVERED, 200, 70), STORE_DONE);
    ARE(f, user, 1, 1, 2, 1, 0);
    fixture_do(f, (struct store_op){.kind = STORE_RESEND, .delivery = {delivery}}, STORE_DONE);
    fixture_do(f, (struct store_op){.kind = STORE_CANCEL, .delivery = {delivery}}, STORE_DONE);
    ARE(f, user, 1, 1, 2, 1, 0); /* it stays delivered */
    struct store_op waits = fixture_event_op(f, user);
    fixture_accept(f, &waits);
    int64_t id =
        fixture_read(f, (struct store_query){.kind = STORE_LIST_DELIVERIES, .id = waits.id}).deliveries[0].id;
    fixture_do(f, (struct store_op){.kind = STORE_CANCEL, .delivery = {id}}, STORE_DONE);
    ARE(f, user, 2, 1, 2, 1, 1);
    event(f, silent); /* skipped: there is no URL */
    ARE(f, silent, 0, 0, 0, 0, 0);
    ARE(f, other, 0, 0, 0, 0, 0);
}

static void answers(struct fixture *f)
{
    int64_t user = fixture_user(f, URL);
    const int64_t took_ms[] = {5, 70, 90, 110, 4000};
    for (int i = 0; i < 5; i++) {
        event(f, user);
        fixture_do(f, outcome(f, DECISION_DELIVERED, 200, took_ms[i]), STORE_DONE);
    }
    event(f, user);
    fixture_do(f, outcome(f, DECISION_RETRY, 0, 30000), STORE_DONE); /* no answer */
    struct store_answer answer = hours_of(f, user);
    assert_int_equal(answer.count, 1);
    int64_t ms = 0;
    assert_true(hour_percentile(&answer.hours[0], 50, &ms));
    assert_in_range(ms, 84, 96);
    assert_true(hour_percentile(&answer.hours[0], 99, &ms));
    assert_in_range(ms, 3720, 4280);
}

/* Each hour has its own, over a restart too; a clock that goes back counts where it is. */
static void by_hour(struct fixture *f)
{
    int64_t user = fixture_user(f, URL);
    fixture_advance(f, HOUR_MS - f->wall_ms % HOUR_MS);
    int64_t first = hour_of(f->wall_ms);
    for (int i = 0; i < 3; i++) {
        for (int n = 0; n <= i; n++) {
            event(f, user);
            fixture_do(f, outcome(f, DECISION_DELIVERED, 200, 3), STORE_DONE);
        }
        if (i < 2)
            fixture_advance(f, HOUR_MS);
    }
    for (int i = 0; i < 2; i++) {
        struct store_answer answer = hours_of(f, user);
        assert_int_equal(answer.count, 3);
        for (int at = 0; at < 3; at++) {
            assert_int_equal(answer.hours[at].hour, first + at);
            assert_int_equal(answer.hours[at].counts[HOUR_DELIVERED], at + 1);
            assert_int_equal(answer.hours[at].answers[3], at + 1);
        }
        event(f, user);
        fixture_do(f, outcome(f, DECISION_RETRY, 0, 3), STORE_DONE);
        fixture_reopen(f); /* a close loses nothing */
    }
    ARE(f, user, 8, 6, 2, 0, 0);
    f->wall_ms -= 2 * HOUR_MS;
    event(f, user);
    f->wall_ms += 2 * HOUR_MS;
    assert_int_equal(hours_of(f, user).hours[0].counts[HOUR_ACCEPTED], 2);
    struct store_answer part = fixture_read(
        f, (struct store_query){.kind = STORE_LIST_HOURS, .id = user, .after_id = first, .limit = 1});
    assert_int_equal(part.count, 1);
    assert_int_equal(part.hours[0].hour, first + 1);
}

static void purge(struct fixture *f)
{
    bool more = true;
    while (more) {
        struct store_op op = {.kind = STORE_PURGE, .purge = {.rows_max = 100}};
        fixture_write(f, &op, 1, 0);
        assert_int_equal(op.result, STORE_DONE);
        more = op.purge.more;
    }
}

static int kept(struct fixture *f, int64_t user, int64_t after, int limit)
{
    return fixture_read(
               f,
               (struct store_query){.kind = STORE_LIST_HOURS, .id = user, .after_id = after, .limit = limit})
        .count;
}

static void old_ones_go(struct fixture *f)
{
    int64_t user = fixture_user(f, URL), first = hour_of(f->wall_ms);
    event(f, user);
    look(f, user);
    fixture_advance(f, (int64_t)HOUR_MS * (HOURS_KEPT - 1));
    event(f, user);
    look(f, user);
    purge(f);
    assert_int_equal(kept(f, user, first - 1, HOURS_KEPT), 2);
    fixture_advance(f, HOUR_MS);
    purge(f);
    assert_int_equal(kept(f, user, first - 1, HOURS_KEPT), 1);
    fixture_advance(f, (int64_t)365 * 24 * HOUR_MS); /* a year without anything */
    purge(f);
    assert_int_equal(kept(f, user, first - 1, HOURS_KEPT), 0);
    event(f, user);
    look(f, user);
    int64_t ahead = hour_of(f->wall_ms);
    f->wall_ms -= (int64_t)HOUR_MS * (HOURS_KEPT + 1); /* that was a clock that was ahead */
    purge(f);
    assert_int_equal(kept(f, user, ahead - 1, 1), 0);
}

static void removed(struct fixture *f)
{
    int64_t user = fixture_user(f, URL), id = fixture_endpoint(f, user, "https://other.example/");
    event(f, user);
    look(f, id);
    fixture_advance(f, HOUR_MS);
    struct store_op event = fixture_event_op(f, user);
    fixture_write(f, &event, 1, 0);
    fixture_claim(f, 1, 1);
    assert_true(kept(f, id, hour_of(f->wall_ms) - 2, 2) > 0);
    fixture_do(f,
               (struct store_op){.kind = STORE_ENDPOINT_REMOVE,
                                 .endpoint = {.endpoint = {.id = id, .owner_id = user}, .if_version = -1}},
               STORE_DONE);
    fixture_advance(f, 1000000);
    purge(f);
    look(f, id);
    fixture_reopen(f);
    assert_int_equal(kept(f, id, hour_of(f->wall_ms) - 5, 10), 0);
    assert_int_equal(kept(f, user, hour_of(f->wall_ms) - 5, 10), 2);
}

static void oldest_waiting(struct fixture *f)
{
    int64_t user = fixture_user(f, URL), at_ms[3];
    assert_int_equal(look(f, user).oldest_waiting_at_ms, 0);
    for (int i = 0; i < 3; i++) {
        at_ms[i] = f->wall_ms;
        event(f, user);
        if (i > 0)
            assert_int_equal(look(f, user).oldest_waiting_at_ms, at_ms[0]);
        if (i == 0) /* it is due after the others */
            fixture_do(f, outcome(f, DECISION_RETRY, 500, 1), STORE_DONE);
        fixture_advance(f, 10);
    }
    assert_int_equal(look(f, user).oldest_waiting_at_ms, at_ms[0]);
    fixture_reopen(f);
    assert_int_equal(look(f, user).oldest_waiting_at_ms, at_ms[0]);
    for (int left = 3; left > 0;) {
        fixture_advance(f, 100000);
        fixture_write(f, NULL, 0, 1);
        if (f->filled && f->boxes[0].sent_at_ms && left--)
            fixture_do(f, outcome(f, DECISION_DELIVERED, 200, 1), STORE_DONE);
    }
    assert_int_equal(look(f, user).oldest_waiting_at_ms, 0);
    struct store_op update = fixture_update_op(f, user);
    event(f, user);
    int64_t last_ms = f->wall_ms;
    fixture_advance(f, 1000000);
    update.user.user.endpoint.url = (struct bytes){0};
    fixture_do(f, update, STORE_DONE);
    struct store_figures figures = look(f, user);
    assert_false(figures.found);
    assert_int_equal(figures.oldest_waiting_at_ms, last_ms);
    assert_int_equal(figures.waiting + figures.in_hand, 1);
}

const struct contract_test contract_hours[] = {{"hours: what counts", what_counts},
                                               {"hours: the time of answers", answers},
                                               {"hours: each by itself, over a restart too", by_hour},
                                               {"hours: old ones go", old_ones_go},
                                               {"hours: those of a removed endpoint go", removed},
                                               {"hours: the oldest that waits", oldest_waiting},
                                               {0}};
