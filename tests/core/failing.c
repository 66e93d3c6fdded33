/* The effect of each outcome on an endpoint's time of failures. tests/store/rules.c compares many more with
 * the model store. */
#include "failing.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { NOW_MS = 1000 };

static struct ledger_outcome outcome_of(enum decision_kind kind, enum failure reason)
{
    return (struct ledger_outcome){
        .answered = kind == DECISION_DELIVERED,
        .decision = {.kind = kind, .reason = reason, .delay_ms = kind == DECISION_RELEASE ? 5 : 0}};
}

static void outcomes(void **state)
{
    static const struct {
        const char *what;
        struct failing before;
        enum decision_kind kind;
        enum failure reason;
        bool idle;
        struct failing after;
    } table[] = {
        {"first", {0, 0}, DECISION_RETRY, FAILURE_RESET, false, {NOW_MS, 0}},
        {"first, and the last of its delivery", {0, 0}, DECISION_GIVE_UP, FAILURE_RESET, false, {NOW_MS, 0}},
        {"another", {300, 0}, DECISION_RETRY, FAILURE_RESET, false, {300, 0}},
        {"acknowledged", {300, 0}, DECISION_DELIVERED, FAILURE_NONE, false, {0, 0}},
        {"well", {0, 0}, DECISION_DELIVERED, FAILURE_NONE, false, {0, 0}},
        {"paused", {300, 0}, DECISION_RETRY, FAILURE_RESET, true, {0, 0}},
        {"outage of one that is well", {0, 0}, DECISION_RELEASE, FAILURE_LOCAL_OUTAGE, false, {0, 0}},
        {"outage", {300, 0}, DECISION_RELEASE, FAILURE_LOCAL_OUTAGE, false, {300, NOW_MS}},
        {"it goes on", {300, 600}, DECISION_RELEASE, FAILURE_LOCAL_OUTAGE, false, {300, 600}},
        {"it is over", {300, 600}, DECISION_RETRY, FAILURE_RESET, false, {700, 0}},
        {"it is over, and all is well", {300, 600}, DECISION_DELIVERED, FAILURE_NONE, false, {0, 0}},
        {"shutdown", {300, 0}, DECISION_RELEASE, FAILURE_SHUTDOWN, false, {300, 0}}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct failing failing = table[i].before;
        struct ledger_outcome outcome = outcome_of(table[i].kind, table[i].reason);
        failing_ended(&failing, &outcome, table[i].idle, NOW_MS);
        if (!failing_equal(&failing, &table[i].after))
            fail_msg("%s: since %d, outage %d", table[i].what, (int)failing.since_ms,
                     (int)failing.outage_from_ms);
    }
}

static void limits(void **state)
{
    struct pace_config config = pace_scaled(pace_default(), 86400); /* a day is a second */
    struct ledger_outcome failed = outcome_of(DECISION_RETRY, FAILURE_RESET);
    struct ledger_outcome gone = outcome_of(DECISION_RETRY, FAILURE_GONE);
    struct ledger_outcome good = outcome_of(DECISION_DELIVERED, FAILURE_NONE);
    struct failing failing = {500, 0};
    struct failing_limits none = {0}, two_days = {.disable_after = 2}, on_410 = {.disable_on_410 = true};
    assert_int_equal(failing_disables(&failing, &failed, two_days, &config, 2499), ENDPOINT_ENABLED);
    assert_int_equal(failing_disables(&failing, &failed, two_days, &config, 2500), ENDPOINT_FAILING);
    assert_int_equal(failing_disables(&failing, &gone, two_days, &config, 2500), ENDPOINT_FAILING);
    assert_int_equal(failing_disables(&failing, &good, two_days, &config, 2500), ENDPOINT_ENABLED);
    assert_int_equal(failing_disables(&failing, &failed, none, &config, INT64_MAX), ENDPOINT_ENABLED);
    assert_int_equal(failing_disables(&failing, &gone, none, &config, 600), ENDPOINT_ENABLED);
    assert_int_equal(failing_disables(&failing, &gone, on_410, &config, 600), ENDPOINT_GONE);
    assert_int_equal(failing_disables(&failing, &failed, on_410, &config, 600), ENDPOINT_ENABLED);
}

static void damaged_rows(void **state)
{
    static const int64_t rows[][4] = {{-1, 0, 0, 0},        {NOW_MS + 1, 0, 0, 0},
                                      {300, 200, 300, 0},   {300, NOW_MS + 1, 300, 0},
                                      {300, 400, 300, 400}, {INT64_MIN, INT64_MAX, 0, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct failing failing = {rows[i][0], rows[i][1]};
        failing_bound(&failing, NOW_MS);
        assert_int_equal(failing.since_ms, rows[i][2]);
        assert_int_equal(failing.outage_from_ms, rows[i][3]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(outcomes), cmocka_unit_test(limits),
                                       cmocka_unit_test(damaged_rows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
