/* Tables of the effect of each outcome, resend and cancel on a delivery. tests/store/rules.c compares many
 * more with the model store. */
#include "ledger.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct moment now = {.wall_ms = 1700000000000, .due_ms = 5000, .service_ms = 900000};

/* Out under lease 4, three attempts counted. */
static const struct ledger_row out = {.lease = 4,
                                      .due_at_ms = 6000,
                                      .aged_from_ms = 1000,
                                      .attempt = 3,
                                      .earlier = 2,
                                      .lost = 2,
                                      .state = DELIVERY_PENDING,
                                      .under_way = true};

static struct ledger_row with_state(enum delivery_state state, bool under_way)
{
    struct ledger_row row = out;
    row.state = state;
    row.under_way = under_way;
    if (!under_way)
        row.lost = 0;
    return row;
}

static struct ledger_row with_attempts(int32_t attempt)
{
    struct ledger_row row = out;
    row.attempt = attempt;
    return row;
}

static void same_row(struct ledger_row a, struct ledger_row b)
{
    assert_int_equal(a.state, b.state);
    assert_int_equal(a.under_way, b.under_way);
    assert_int_equal(a.lease, b.lease);
    assert_int_equal(a.attempt, b.attempt);
    assert_int_equal(a.earlier, b.earlier);
    assert_int_equal(a.lost, b.lost);
    assert_int_equal(a.aged_from_ms, b.aged_from_ms);
    if (a.under_way)
        assert_int_equal(a.due_at_ms, b.due_at_ms);
}

static struct ledger_outcome outcome_of(enum decision_kind kind, enum failure reason, int64_t lease)
{
    bool fails = kind == DECISION_RETRY || kind == DECISION_RELEASE;
    return (struct ledger_outcome){.delivery_id = 7,
                                   .lease = lease,
                                   .answered = kind == DECISION_DELIVERED,
                                   .decision = {.kind = kind, .reason = reason, .delay_ms = fails ? 300 : 0},
                                   .attempt = {.started_at_ms = 1, .duration_ms = 40}};
}

static void an_outcome_is_recorded_under_its_lease(void **state)
{
    (void)state;
    static const struct {
        enum decision_kind kind;
        enum failure reason;
        int32_t attempt; /* before */
        enum delivery_state state;
        bool under_way;
        int32_t attempt_then;
        int64_t aged_from_ms;
        enum ledger_line line;
    } table[] = {
        {DECISION_DELIVERED, FAILURE_NONE, 0, DELIVERY_DELIVERED, false, 1, 899960, LEDGER_LINE},
        {DECISION_DELIVERED, FAILURE_NONE, 3, DELIVERY_DELIVERED, false, 4, 1000, LEDGER_LINE},
        {DECISION_RETRY, FAILURE_UNEXPECTED_STATUS, 0, DELIVERY_PENDING, true, 1, 899960, LEDGER_LINE},
        {DECISION_RETRY, FAILURE_UNEXPECTED_STATUS, 3, DELIVERY_PENDING, true, 4, 1000, LEDGER_LINE},
        {DECISION_GIVE_UP, FAILURE_GONE, 3, DELIVERY_GIVEN_UP, false, 4, 1000, LEDGER_LINE},
        {DECISION_RELEASE, FAILURE_SHUTDOWN, 3, DELIVERY_PENDING, true, 3, 1340, LEDGER_LINE},
        {DECISION_RELEASE, FAILURE_LOCAL_OUTAGE, 3, DELIVERY_PENDING, true, 3, 1340, LEDGER_LINE_IF_NEWS},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct ledger_row row = with_attempts(table[i].attempt), want = row;
        struct ledger_outcome outcome = outcome_of(table[i].kind, table[i].reason, row.lease);
        struct ledger_record made = ledger_record(&row, &outcome, &now);
        want.state = table[i].state;
        want.under_way = table[i].under_way;
        want.attempt = table[i].attempt_then;
        want.aged_from_ms = table[i].aged_from_ms;
        want.due_at_ms = 5300;
        want.lost = 0;
        assert_false(made.fenced);
        assert_int_equal(made.line, table[i].line);
        same_row(row, want);
    }
    struct ledger_row row = out;
    struct ledger_outcome untried = outcome_of(DECISION_RELEASE, FAILURE_SHUTDOWN, out.lease);
    untried.attempt.started_at_ms = 0;
    assert_int_equal(ledger_record(&row, &untried, &now).line, LEDGER_NO_LINE);
}

static void what_has_no_lease_is_fenced(void **state)
{
    (void)state;
    struct ledger_row recorded = out;
    recorded.lost = 0;
    const struct {
        struct ledger_row row;
        int64_t lease;
        enum failure reason;
        bool fenced;
        enum ledger_line line;
    } table[] = {
        {out, 3, FAILURE_UNEXPECTED_STATUS, true, LEDGER_LINE_IF_MISSING},
        {out, 3, FAILURE_LOCAL_OUTAGE, true, LEDGER_NO_LINE},
        {out, 5, FAILURE_UNEXPECTED_STATUS, true, LEDGER_NO_LINE}, /* nobody ever gave that lease */
        {recorded, 4, FAILURE_UNEXPECTED_STATUS, true, LEDGER_LINE_IF_MISSING},
        {with_state(DELIVERY_CANCELLED, false), 4, FAILURE_UNEXPECTED_STATUS, true, LEDGER_LINE_IF_MISSING},
        {with_state(DELIVERY_DELIVERED, false), 4, FAILURE_UNEXPECTED_STATUS, true, LEDGER_LINE_IF_MISSING},
        {with_state(DELIVERY_DELIVERED, true), 4, FAILURE_UNEXPECTED_STATUS, false, LEDGER_LINE},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct ledger_row row = table[i].row;
        bool outage = table[i].reason == FAILURE_LOCAL_OUTAGE;
        struct ledger_outcome outcome =
            outcome_of(outage ? DECISION_RELEASE : DECISION_RETRY, table[i].reason, table[i].lease);
        struct ledger_record made = ledger_record(&row, &outcome, &now);
        assert_int_equal(made.fenced, table[i].fenced);
        assert_int_equal(made.line, table[i].line);
        if (made.fenced)
            same_row(row, table[i].row);
    }
    struct ledger_row untried = out;
    struct ledger_outcome none = outcome_of(DECISION_RETRY, FAILURE_UNEXPECTED_STATUS, 3);
    none.attempt.started_at_ms = 0;
    assert_int_equal(ledger_record(&untried, &none, &now).line, LEDGER_NO_LINE);
}

/* A lease that ran out may be recorded as long as nobody has claimed the delivery since; each one that was
 * not recorded is counted. */
static void leases_rise_and_are_counted(void **state)
{
    (void)state;
    struct ledger_row row = ledger_accepted(100);
    same_row(row, (struct ledger_row){.due_at_ms = 100, .under_way = true});
    ledger_lease(&row, 100, 50);
    ledger_lease(&row, 200, 50);
    same_row(row, (struct ledger_row){.lease = 2, .lost = 2, .due_at_ms = 250, .under_way = true});
    struct ledger_outcome first = outcome_of(DECISION_DELIVERED, FAILURE_NONE, 1);
    struct ledger_outcome second = outcome_of(DECISION_DELIVERED, FAILURE_NONE, 2);
    assert_true(ledger_record(&row, &first, &now).fenced);
    assert_false(ledger_record(&row, &second, &now).fenced);
    assert_true(ledger_record(&row, &second, &now).fenced);
}

static void a_delivery_is_resent(void **state)
{
    (void)state;
    struct ledger_row waits = out, ran_out = out;
    waits.lost = 0;
    ran_out.due_at_ms = now.due_ms;
    const struct {
        struct ledger_row row;
        bool has_url;
        enum ledger_resent resent;
        enum delivery_state state;
        int32_t attempt, earlier, lost;
    } table[] = {
        {out, true, LEDGER_IS_OUT, DELIVERY_PENDING, 3, 2, 2},
        {waits, true, LEDGER_HURRIED, DELIVERY_PENDING, 3, 2, 0},
        {ran_out, true, LEDGER_HURRIED, DELIVERY_PENDING, 3, 2, 2},
        {with_state(DELIVERY_GIVEN_UP, false), true, LEDGER_SENT_AGAIN, DELIVERY_PENDING, 0, 5, 0},
        {with_state(DELIVERY_GIVEN_UP, false), false, LEDGER_SENT_AGAIN, DELIVERY_PENDING, 0, 5, 0},
        {with_state(DELIVERY_CANCELLED, false), true, LEDGER_SENT_AGAIN, DELIVERY_PENDING, 0, 5, 0},
        {with_state(DELIVERY_DELIVERED, false), true, LEDGER_SENT_AGAIN, DELIVERY_DELIVERED, 0, 5, 0},
        {with_state(DELIVERY_SKIPPED, false), true, LEDGER_SENT_AGAIN, DELIVERY_PENDING, 0, 5, 0},
        {with_state(DELIVERY_SKIPPED, false), false, LEDGER_REFUSED, DELIVERY_SKIPPED, 3, 2, 0},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct ledger_row row = table[i].row, want = row;
        assert_int_equal(ledger_resend(&row, table[i].has_url, false, now.due_ms), table[i].resent);
        bool due = table[i].resent == LEDGER_HURRIED || table[i].resent == LEDGER_SENT_AGAIN;
        want.state = table[i].state;
        want.attempt = table[i].attempt;
        want.earlier = table[i].earlier;
        want.lost = table[i].lost;
        want.under_way = table[i].resent != LEDGER_REFUSED;
        want.due_at_ms = due ? now.due_ms : row.due_at_ms;
        if (table[i].resent == LEDGER_HURRIED && want.lost == 0)
            want.resumes_at_ms = waits.due_at_ms;
        same_row(row, want);
    }
    /* Of an endpoint that was removed: what waits is to be cancelled, and what has ended stays so. */
    struct ledger_row row = waits;
    assert_int_equal(ledger_resend(&row, false, true, now.due_ms), LEDGER_HURRIED);
    row = with_state(DELIVERY_GIVEN_UP, false);
    struct ledger_row ended = row;
    assert_int_equal(ledger_resend(&row, false, true, now.due_ms), LEDGER_REFUSED);
    same_row(row, ended);
}

static void what_is_under_way_ends_once(void **state)
{
    (void)state;
    for (int was = 0; was < DELIVERY_STATES; was++) {
        bool may_be = was == DELIVERY_PENDING || was == DELIVERY_DELIVERED;
        struct ledger_row cancelled = with_state((enum delivery_state)was, may_be), given_up = cancelled;
        bool stays = was == DELIVERY_DELIVERED;
        assert_int_equal(ledger_cancel(&cancelled), may_be);
        assert_int_equal(cancelled.state, was == DELIVERY_PENDING ? (int)DELIVERY_CANCELLED : was);
        assert_false(cancelled.under_way || cancelled.lost || ledger_cancel(&cancelled));
        ledger_give_up(&given_up);
        assert_int_equal(given_up.state, stays ? was : (int)DELIVERY_GIVEN_UP);
    }
}

static void age_is_counted_from_the_first_attempt(void **state)
{
    (void)state;
    struct ledger_row row = out;
    assert_int_equal(ledger_age_ms(&row, &now), 899000);
    row.attempt = 0;
    assert_int_equal(ledger_age_ms(&row, &now), 0);
    row = out;
    row.aged_from_ms = now.service_ms + 1;
    assert_int_equal(ledger_age_ms(&row, &now), 0);
}

static void any_number_of_a_disk_is_bounded(void **state)
{
    (void)state;
    static const int64_t numbers[] = {INT64_MIN, -1, 0, INT64_MAX};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct ledger_row row = {.lease = numbers[i],
                                 .due_at_ms = numbers[i],
                                 .aged_from_ms = numbers[i],
                                 .attempt = i % 2 ? INT32_MIN : INT32_MAX,
                                 .earlier = i % 2 ? INT32_MIN : INT32_MAX,
                                 .lost = i % 2 ? INT32_MIN : INT32_MAX,
                                 .state = (enum delivery_state)(int)numbers[i],
                                 .under_way = true};
        ledger_bound(&row);
        assert_true((int)row.state >= 0 && (int)row.state < DELIVERY_STATES);
        assert_true(row.attempt >= 0 && row.earlier >= 0 && row.lost >= 0 && row.lease >= 0);
        ledger_lease(&row, now.due_ms, 60000); /* undefined behaviour is the sanitizer's to see */
        struct ledger_outcome outcome = outcome_of(DECISION_RELEASE, FAILURE_SHUTDOWN, row.lease);
        assert_false(ledger_record(&row, &outcome, &now).fenced);
        assert_true(ledger_age_ms(&row, &now) >= 0);
        ledger_cancel(&row);
        ledger_resend(&row, true, false, now.due_ms);
    }
}

static void the_pace_follows(void **state)
{
    (void)state;
    const struct pace_config config = pace_default();
    struct pace pace = {0};
    struct pace_outage outage = {0};
    struct ledger_row row = out;
    struct ledger_outcome outcome = outcome_of(DECISION_DELIVERED, FAILURE_NONE, 4);
    struct ledger_pace made = ledger_pace(&pace, &outage, &config, &outcome, &row, 9, 4000, 5000);
    assert_true(made.answered && made.first_answer && !made.recovered && pace.ever_answered);
    assert_false(ledger_pace(&pace, &outage, &config, &outcome, &row, 9, 4000, 5000).first_answer);

    outcome = outcome_of(DECISION_RELEASE, FAILURE_SHUTDOWN, 4);
    struct pace before = pace;
    ledger_pace(&pace, &outage, &config, &outcome, &row, 9, 4000, 5000);
    assert_memory_equal(&pace, &before, sizeof pace); /* neither an answer, nor a failure, nor an outage */
    outcome = outcome_of(DECISION_RELEASE, FAILURE_LOCAL_OUTAGE, 4);
    ledger_pace(&pace, &outage, &config, &outcome, &row, 9, 4000, 5000);
    assert_true(pace.released && outage.on && pace.failures_in_a_row == 0);

    row.attempt = 1;
    outcome = outcome_of(DECISION_RETRY, FAILURE_UNEXPECTED_STATUS, 4);
    made = ledger_pace(&pace, &outage, &config, &outcome, &row, 9, 4000, 5000);
    assert_false(outage.on || made.answered);
    assert_int_equal(pace.failures_in_a_row, 1);
    assert_int_equal(made.missed, PACE_ON_RECOVERY);
    outcome.decision.kind = DECISION_GIVE_UP;
    assert_int_equal(ledger_pace(&pace, &outage, &config, &outcome, &row, 9, 4000, 5000).missed,
                     PACE_BY_BACKOFF);
    assert_int_equal(pace.failures_in_a_row, 2);
    outcome.decision.kind = DECISION_RETRY;
    for (row.attempt = 3; row.attempt <= 4; row.attempt++)
        assert_int_equal(ledger_pace(&pace, &outage, &config, &outcome, &row, 9, 4000, 5000).missed,
                         row.attempt == 3 ? PACE_ON_RECOVERY : PACE_BY_BACKOFF);
    row.attempt = 1;
    outcome.decision.refused = true;
    assert_int_equal(ledger_pace(&pace, &outage, &config, &outcome, &row, 9, 4000, 5000).missed,
                     PACE_ON_ANSWER);
    pace.failing = true;
    outcome = outcome_of(DECISION_DELIVERED, FAILURE_NONE, 4);
    assert_true(ledger_pace(&pace, &outage, &config, &outcome, &row, 9, 4000, 5000).recovered);
    int64_t first = ledger_missed_due_at(MODEL_DELIVERY_STEP | 99);
    assert_true(first < ledger_missed_due_at(2 * MODEL_DELIVERY_STEP) && first < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_outcome_is_recorded_under_its_lease),
        cmocka_unit_test(what_has_no_lease_is_fenced),
        cmocka_unit_test(leases_rise_and_are_counted),
        cmocka_unit_test(a_delivery_is_resent),
        cmocka_unit_test(what_is_under_way_ends_once),
        cmocka_unit_test(age_is_counted_from_the_first_attempt),
        cmocka_unit_test(any_number_of_a_disk_is_bounded),
        cmocka_unit_test(the_pace_follows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
