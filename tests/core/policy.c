#include "policy.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <stdlib.h>

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE };

static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static int64_t whole_backoff_ms(int32_t attempt)
{
    static const int64_t table[] = {10 * SECOND,  30 * SECOND,   90 * SECOND,   270 * SECOND,
                                    810 * SECOND, 2430 * SECOND, 7290 * SECOND, 21870 * SECOND};
    return attempt <= 8 ? table[attempt - 1] : 12 * HOUR;
}

struct row {
    const char *what;
    struct outcome outcome;
    const char *success;
    int32_t attempt;
    int64_t age_ms;
    enum decision_kind kind;
    enum failure reason;
    int64_t delay_min_ms, delay_max_ms;
};

#define BACKOFF(n) 9 * n / 10, 11 * n / 10
#define EXACTLY(n) n, n

/* Mission rows 26 to 30 and promise P3, one line each. */
static const struct row table[] = {
    {"200", {0, 200, -1}, "", 0, 0, DECISION_DELIVERED, FAILURE_NONE, EXACTLY(0)},
    {"200 long after the window",
     {0, 200, -1},
     "",
     50,
     200 * HOUR,
     DECISION_DELIVERED,
     FAILURE_NONE,
     EXACTLY(0)},
    {"200 with Retry-After", {0, 200, 60000}, "", 0, 0, DECISION_DELIVERED, FAILURE_NONE, EXACTLY(0)},
    {"200 is also 2xx", {0, 200, -1}, "2xx", 0, 0, DECISION_DELIVERED, FAILURE_NONE, EXACTLY(0)},
    {"204 where 2xx counts", {0, 204, -1}, "2xx", 0, 0, DECISION_DELIVERED, FAILURE_NONE, EXACTLY(0)},
    {"299 where 2xx counts", {0, 299, -1}, "2xx", 0, 0, DECISION_DELIVERED, FAILURE_NONE, EXACTLY(0)},
    {"199 is not 2xx", {0, 199, -1}, "2xx", 0, 0, DECISION_RETRY, FAILURE_UNEXPECTED_STATUS, BACKOFF(10000)},
    {"300 is not 2xx", {0, 300, -1}, "2xx", 0, 0, DECISION_RETRY, FAILURE_REDIRECT, BACKOFF(10000)},
    {"201", {0, 201, -1}, "", 0, 0, DECISION_RETRY, FAILURE_UNEXPECTED_STATUS, BACKOFF(10000)},
    {"204", {0, 204, -1}, "", 0, 0, DECISION_RETRY, FAILURE_UNEXPECTED_STATUS, BACKOFF(10000)},
    {"206", {0, 206, -1}, "", 1, 0, DECISION_RETRY, FAILURE_UNEXPECTED_STATUS, BACKOFF(30000)},
    {"301", {0, 301, -1}, "", 0, 0, DECISION_RETRY, FAILURE_REDIRECT, BACKOFF(10000)},
    {"304", {0, 304, -1}, "", 0, 0, DECISION_RETRY, FAILURE_REDIRECT, BACKOFF(10000)},
    {"307", {0, 307, -1}, "", 0, 0, DECISION_RETRY, FAILURE_REDIRECT, BACKOFF(10000)},
    {"400", {0, 400, -1}, "", 2, HOUR, DECISION_RETRY, FAILURE_UNEXPECTED_STATUS, BACKOFF(90000)},
    {"410 keeps retrying", {0, 410, -1}, "", 0, 0, DECISION_RETRY, FAILURE_GONE, BACKOFF(10000)},
    {"500", {0, 500, -1}, "", 0, 0, DECISION_RETRY, FAILURE_UNEXPECTED_STATUS, BACKOFF(10000)},
    {"999", {0, 999, -1}, "", 0, 0, DECISION_RETRY, FAILURE_UNEXPECTED_STATUS, BACKOFF(10000)},
    {"a 200 that broke off",
     {FAILURE_TRUNCATED_HEADERS, 200, -1},
     "2xx",
     0,
     0,
     DECISION_RETRY,
     FAILURE_TRUNCATED_HEADERS,
     BACKOFF(10000)},
    {"an early 200",
     {FAILURE_EARLY_RESPONSE, 200, -1},
     "",
     0,
     0,
     DECISION_RETRY,
     FAILURE_EARLY_RESPONSE,
     BACKOFF(10000)},
    {"refused",
     {FAILURE_CONNECT_REFUSED, 0, -1},
     "",
     7,
     0,
     DECISION_RETRY,
     FAILURE_CONNECT_REFUSED,
     BACKOFF(21870000)},
    {"the cap", {FAILURE_RESET, 0, -1}, "", 8, 0, DECISION_RETRY, FAILURE_RESET, BACKOFF(43200000)},
    {"the cap, long after",
     {FAILURE_RESET, 0, -1},
     "",
     2000000,
     0,
     DECISION_RETRY,
     FAILURE_RESET,
     BACKOFF(43200000)},
    {"just inside the window",
     {FAILURE_RESET, 0, -1},
     "",
     13,
     72 * HOUR - 1,
     DECISION_RETRY,
     FAILURE_RESET,
     BACKOFF(43200000)},
    {"at the window", {FAILURE_RESET, 0, -1}, "", 13, 72 * HOUR, DECISION_GIVE_UP, FAILURE_RESET, EXACTLY(0)},
    {"500 past the window",
     {0, 500, 60000},
     "",
     13,
     80 * HOUR,
     DECISION_GIVE_UP,
     FAILURE_UNEXPECTED_STATUS,
     EXACTLY(0)},
    {"Retry-After later than the backoff",
     {0, 503, HOUR},
     "",
     0,
     0,
     DECISION_RETRY,
     FAILURE_UNEXPECTED_STATUS,
     EXACTLY(HOUR)},
    {"Retry-After of 6 h",
     {0, 503, 6 * HOUR},
     "",
     0,
     0,
     DECISION_RETRY,
     FAILURE_UNEXPECTED_STATUS,
     EXACTLY(6 * HOUR)},
    {"Retry-After beyond 6 h",
     {0, 503, 6 * HOUR + 1},
     "",
     0,
     0,
     DECISION_RETRY,
     FAILURE_UNEXPECTED_STATUS,
     EXACTLY(6 * HOUR)},
    {"Retry-After of 1e9 s",
     {0, 503, 1000000000000},
     "",
     0,
     0,
     DECISION_RETRY,
     FAILURE_UNEXPECTED_STATUS,
     EXACTLY(6 * HOUR)},
    {"Retry-After earlier than the backoff",
     {0, 503, 1000},
     "",
     0,
     0,
     DECISION_RETRY,
     FAILURE_UNEXPECTED_STATUS,
     BACKOFF(10000)},
    {"Retry-After 0", {0, 503, 0}, "", 0, 0, DECISION_RETRY, FAILURE_UNEXPECTED_STATUS, BACKOFF(10000)},
    {"Retry-After on a redirect",
     {0, 302, MINUTE},
     "",
     0,
     0,
     DECISION_RETRY,
     FAILURE_REDIRECT,
     EXACTLY(MINUTE)},
    {"our outage",
     {FAILURE_LOCAL_OUTAGE, 0, -1},
     "",
     3,
     0,
     DECISION_RELEASE,
     FAILURE_LOCAL_OUTAGE,
     EXACTLY(5000)},
    {"our outage past the window",
     {FAILURE_LOCAL_OUTAGE, 0, -1},
     "",
     13,
     100 * HOUR,
     DECISION_RELEASE,
     FAILURE_LOCAL_OUTAGE,
     EXACTLY(5000)},
    {"no descriptors",
     {FAILURE_LOCAL_LIMIT, 0, -1},
     "",
     0,
     0,
     DECISION_RELEASE,
     FAILURE_LOCAL_LIMIT,
     EXACTLY(5000)},
    {"8.29: an idle close that crossed the request is sent again at once",
     {FAILURE_IDLE_CLOSED, 0, -1},
     "",
     3,
     80 * HOUR,
     DECISION_RELEASE,
     FAILURE_IDLE_CLOSED,
     EXACTLY(0)},
    {"stopping", {FAILURE_SHUTDOWN, 0, -1}, "", 0, 0, DECISION_RELEASE, FAILURE_SHUTDOWN, EXACTLY(5000)},
    {"lost leases",
     {FAILURE_LEASE_LOST, 0, -1},
     "",
     0,
     0,
     DECISION_RETRY,
     FAILURE_LEASE_LOST,
     BACKOFF(10000)},
    {"lost leases past the window",
     {FAILURE_LEASE_LOST, 0, -1},
     "",
     0,
     72 * HOUR,
     DECISION_GIVE_UP,
     FAILURE_LEASE_LOST,
     EXACTLY(0)},
    {"blocked",
     {FAILURE_BLOCKED_ADDRESS, 0, -1},
     "",
     1,
     0,
     DECISION_RETRY,
     FAILURE_BLOCKED_ADDRESS,
     BACKOFF(30000)},
    {"blocked past the window",
     {FAILURE_BLOCKED_URL, 0, -1},
     "",
     13,
     72 * HOUR,
     DECISION_GIVE_UP,
     FAILURE_BLOCKED_URL,
     EXACTLY(0)},
};

static void decisions(void **state)
{
    struct policy policy = policy_default();
    uint64_t seed = 42;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const struct row *row = &table[i];
        struct push_settings push = {.success = bytes_of(row->success)};
        for (int k = 0; k < 200; k++) { /* whatever the jitter */
            struct decision decision =
                policy_decide(&policy, &push, &row->outcome, row->attempt, row->age_ms, next_random(&seed));
            if (decision.kind != row->kind || decision.reason != row->reason ||
                decision.delay_ms < row->delay_min_ms || decision.delay_ms > row->delay_max_ms)
                fail_msg("%s: kind %d, reason %s, delay %lld", row->what, decision.kind,
                         failure_name(decision.reason), (long long)decision.delay_ms);
        }
    }
}

/* 8.5: a refusal is about the endpoint, and its Retry-After holds that. */
static void refusals(void **state)
{
    static const struct {
        struct outcome outcome;
        bool refused;
        int64_t hold_ms;
    } rows[] = {
        {{0, 429, -1}, true, 0},
        {{0, 503, -1}, true, 0},
        {{0, 429, 0}, true, 0},
        {{0, 429, 1000}, true, 1000},
        {{0, 503, 6 * HOUR + 1}, true, 6 * HOUR},
        {{0, 500, 1000}, false, 0},
        {{0, 301, 1000}, false, 0},
        {{FAILURE_RESET, 503, -1}, false, 0},
    };
    struct policy policy = policy_default();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct decision decision = policy_decide(&policy, NULL, &rows[i].outcome, 0, 0, 7);
        assert_int_equal(decision.kind, DECISION_RETRY);
        assert_int_equal(decision.refused, rows[i].refused);
        assert_int_equal(decision.hold_ms, rows[i].hold_ms);
    }
}

/* Promise P2: of all statuses and failures only a clean 200 is ever "delivered", or what `success` names of
 * the 2xx. */
static void only_success_delivers(void **state)
{
    static const struct {
        const char *success;
        int codes[4]; /* 0 ends; -1: all of 200 to 299 */
    } rules[] = {{"", {200}},
                 {"2xx", {-1}},
                 {"200 202", {200, 202}},
                 {"204", {204}},
                 {"299 200 250", {299, 200, 250}},
                 {"302 204", {204}}, /* a damaged row */
                 {"20 2000 x", {0}}};
    struct policy policy = policy_default();
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        for (int failure = 0; failure < FAILURE_COUNT; failure++)
            for (int status = 0; status <= 1000; status++) {
                struct outcome outcome = {(enum failure)failure, status, -1};
                struct push_settings push = {.success = bytes_of(rules[i].success)};
                bool named = rules[i].codes[0] == -1 && status / 100 == 2;
                for (int k = 0; rules[i].codes[k] > 0; k++)
                    named |= status == rules[i].codes[k];
                bool expected = failure == FAILURE_NONE && named;
                struct decision decision = policy_decide(&policy, &push, &outcome, 0, 0, 0);
                assert_int_equal(decision.kind == DECISION_DELIVERED, expected);
                assert_int_equal(decision.reason == FAILURE_NONE, expected);
            }
}

static int compare(const void *a_, const void *b_)
{
    const int64_t *a = a_, *b = b_;
    return *a < *b ? -1 : *a > *b;
}

/* Mission row 29: the ratio of the medians is the factor, the spread is the jitter, on both sides. */
static void medians_grow_by_three(void **state)
{
    enum { SAMPLES = 2001 };
    static int64_t delays[SAMPLES];
    struct policy policy = policy_default();
    uint64_t seed = 7;
    double median_before = 0;
    for (int32_t attempt = 1; attempt <= 12; attempt++) {
        for (int i = 0; i < SAMPLES; i++)
            delays[i] = policy_backoff_ms(&policy, attempt, next_random(&seed));
        qsort(delays, SAMPLES, sizeof *delays, compare);
        double whole_ms = (double)whole_backoff_ms(attempt), median = (double)delays[SAMPLES / 2];
        assert_true(delays[0] >= 0.9 * whole_ms && delays[0] < 0.905 * whole_ms);
        assert_true(delays[SAMPLES - 1] <= 1.1 * whole_ms && delays[SAMPLES - 1] > 1.095 * whole_ms);
        if (attempt >= 2 && attempt <= 8)
            assert_true(median / median_before > 2.9 && median / median_before < 3.1);
        if (attempt >= 10)
            assert_true(median / median_before > 0.97 && median / median_before < 1.03);
        median_before = median;
    }
}

/* Mission row 30, on a virtual clock: about 14 attempts, the last at 72 h or later, then given up. */
static void a_dead_receiver_from_first_to_last(void **state)
{
    struct policy policy = policy_default();
    uint64_t seed = 99;
    for (int run = 0; run < 1000; run++) {
        int64_t age_ms = 0;
        int32_t attempt = 0;
        struct outcome outcome = {FAILURE_CONNECT_REFUSED, 0, -1};
        struct decision decision;
        for (;; attempt++) {
            decision = policy_decide(&policy, NULL, &outcome, attempt, age_ms, next_random(&seed));
            if (decision.kind != DECISION_RETRY)
                break;
            age_ms += decision.delay_ms;
        }
        assert_int_equal(decision.kind, DECISION_GIVE_UP);
        assert_true(age_ms >= 72 * HOUR && age_ms < 86 * HOUR);
        assert_in_range(attempt + 1, 14, 16);
    }
}

/* The rule of an endpoint's own retries, said once more: from a delivery's first attempt to its last. */
struct own {
    const char *retry;
    int32_t steps[6]; /* seconds; 0 ends; the last one counts on for ever if there is a window */
    int64_t window_s; /* 0: the steps are all */
};

static void walk(const struct own *own, int scale, uint64_t seed)
{
    struct policy policy = policy_scaled(policy_default(), scale);
    struct push_settings push = {.retry = bytes_of(own->retry)};
    struct outcome outcome = {FAILURE_CONNECT_REFUSED, 0, -1};
    int64_t age_ms = 0;
    int step = 0;
    for (int32_t attempt = 0;; attempt++) {
        bool last = own->window_s ? age_ms >= own->window_s * SECOND / scale : !own->steps[attempt];
        struct decision decision =
            policy_decide(&policy, &push, &outcome, attempt, age_ms, next_random(&seed));
        assert_int_equal(decision.kind, last ? DECISION_GIVE_UP : DECISION_RETRY);
        assert_int_equal(decision.reason, FAILURE_CONNECT_REFUSED);
        if (last)
            return;
        double whole_ms = own->steps[step] * 1000.0 / scale;
        assert_true(decision.delay_ms >= 0.9 * whole_ms - 1 && decision.delay_ms <= 1.1 * whole_ms + 1);
        age_ms += decision.delay_ms;
        step += own->steps[step + 1] != 0 || !own->window_s;
    }
}

static void own_retries(void **state)
{
    static const struct own owns[] = {
        {"schedule 10", {10}, 0},
        {"schedule 5 1 700000 60 3", {5, 1, 700000, 60, 3}, 0}, /* longer than the settings' window */
        {"backoff 60 2 240 3600", {60, 120, 240}, 3600},
        {"backoff 0 0 270 7200", {10, 30, 90, 270}, 7200},
        {"backoff 7 1 0 100", {7}, 100},
        {"backoff 0 0 90 0", {10, 30, 90}, 72 * 3600},
        {"backoff 20000 0 0 0", {20000, 43200}, 72 * 3600},
    };
    for (size_t i = 0; i < sizeof owns / sizeof *owns; i++)
        for (uint64_t seed = 1; seed <= 50; seed++) {
            walk(&owns[i], 1, seed);
            walk(&owns[i], 10, seed);
        }
}

/* Retry-After, our own faults and acknowledgements are as they are without. */
static void own_retries_change_nothing_else(void **state)
{
    struct policy policy = policy_default();
    struct push_settings push = {.retry = bytes_of("schedule 10")};
    struct outcome busy = {FAILURE_NONE, 503, 60000}, ours = {FAILURE_LOCAL_OUTAGE, 0, -1};
    struct outcome ok = {FAILURE_NONE, 200, -1};
    struct decision decision = policy_decide(&policy, &push, &busy, 0, 0, 7);
    assert_int_equal(decision.delay_ms, 60000);
    assert_int_equal(decision.hold_ms, 60000);
    assert_int_equal(policy_decide(&policy, &push, &busy, 1, 0, 7).kind, DECISION_GIVE_UP);
    assert_int_equal(policy_decide(&policy, &push, &ours, 1, 0, 7).kind, DECISION_RELEASE);
    assert_int_equal(policy_decide(&policy, &push, &ok, 1, 0, 7).kind, DECISION_DELIVERED);
    push.retry = bytes_of("schedule never"); /* a damaged row: the settings hold */
    assert_int_equal(policy_decide(&policy, &push, &busy, 1, 72 * HOUR - 1, 7).kind, DECISION_RETRY);
    assert_int_equal(policy_decide(&policy, &push, &busy, 1, 72 * HOUR, 7).kind, DECISION_GIVE_UP);
}

static void retries_are_counted(void **state)
{
    static const struct {
        const char *retry;
        int count;
    } rows[] = {{"schedule 1 2 3", 3},    {"backoff 60 1 0 6000", 100}, {"backoff 60 1 0 6001", 101},
                {"backoff 1 1 0 0", 101}, {"backoff 60 2 240 600", 4},  {"backoff 0 0 0 0", 14}};
    struct policy policy = policy_default();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct retry retry;
        assert_true(retry_parse(bytes_of(rows[i].retry), &retry));
        assert_int_equal(policy_retries(&policy, &retry), rows[i].count);
    }
}

static void no_jitter_and_no_growth(void **state)
{
    struct policy policy = policy_default();
    policy.jitter_percent = 0;
    assert_int_equal(policy_backoff_ms(&policy, 3, UINT64_MAX), 90 * SECOND);
    policy.factor = 1;
    assert_int_equal(policy_backoff_ms(&policy, INT32_MAX, 5), 10 * SECOND);
    policy.base_ms = policy.cap_ms + 5;
    assert_int_equal(policy_backoff_ms(&policy, 1, 5), policy.cap_ms);
    policy.factor = INT32_MAX;
    policy.base_ms = 1;
    policy.cap_ms = INT64_MAX / 1000; /* no overflow on the way to any cap */
    assert_int_equal(policy_backoff_ms(&policy, 100, 0), policy.cap_ms);
}

static void scaled(void **state)
{
    struct policy policy = policy_scaled(policy_default(), 1000);
    assert_int_equal(policy.base_ms, 10);
    assert_int_equal(policy.cap_ms, 43200);
    assert_int_equal(policy.window_ms, 259200);
    assert_int_equal(policy.local_delay_ms, 5);
    assert_int_equal(policy.factor, 3);
    assert_int_equal(policy.scale, 1000);
    assert_int_equal(policy.jitter_percent, 10);
    policy = policy_scaled(policy_default(), 1000000000);
    assert_int_equal(policy.base_ms, 1);
    policy = policy_scaled(policy_default(), 1);
    assert_int_equal(policy.cap_ms, 12 * HOUR);
    assert_int_equal(policy.retry_after_ms_max, 6 * HOUR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decisions),
        cmocka_unit_test(refusals),
        cmocka_unit_test(only_success_delivers),
        cmocka_unit_test(medians_grow_by_three),
        cmocka_unit_test(a_dead_receiver_from_first_to_last),
        cmocka_unit_test(own_retries),
        cmocka_unit_test(own_retries_change_nothing_else),
        cmocka_unit_test(retries_are_counted),
        cmocka_unit_test(no_jitter_and_no_growth),
        cmocka_unit_test(scaled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
