#include "rate.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* How many of `tries` at this instant pass. */
static int pass(struct rate_bucket *bucket, struct rate rate, int64_t now_ms, int tries)
{
    int passed = 0;
    for (int i = 0; i < tries; i++)
        passed += rate_take(bucket, &rate, now_ms).allowed;
    return passed;
}

static void burst_then_pace(void **state)
{
    const struct rate rate = {.per_s = 5, .burst = 5};
    struct rate_bucket bucket = {0};
    assert_int_equal(pass(&bucket, rate, 1000, 20), 5);
    assert_int_equal(pass(&bucket, rate, 1199, 3), 0);
    assert_int_equal(pass(&bucket, rate, 1200, 3), 1);
    assert_int_equal(pass(&bucket, rate, 1399, 3), 0);
    assert_int_equal(pass(&bucket, rate, 1400, 3), 1);
    assert_int_equal(pass(&bucket, rate, 2400, 20), 5);
    assert_int_equal(pass(&bucket, rate, 1000000, 20), 5); /* never more than the burst */
}

static void what_the_headers_say(void **state)
{
    const struct rate rate = {.per_s = 5, .burst = 3};
    struct rate_bucket bucket = {0};
    struct rate_verdict verdict = rate_take(&bucket, &rate, 50);
    assert_true(verdict.allowed);
    assert_int_equal(verdict.remaining, 2);
    assert_int_equal(verdict.retry_in_ms, 0);
    assert_int_equal(verdict.full_again_ms, 200);
    rate_take(&bucket, &rate, 50);
    verdict = rate_take(&bucket, &rate, 50);
    assert_true(verdict.allowed);
    assert_int_equal(verdict.remaining, 0);
    assert_int_equal(verdict.full_again_ms, 600);
    verdict = rate_take(&bucket, &rate, 60);
    assert_false(verdict.allowed);
    assert_int_equal(verdict.remaining, 0);
    assert_int_equal(verdict.retry_in_ms, 190);
    assert_int_equal(verdict.full_again_ms, 590);
    /* What it said comes true, not a millisecond sooner. */
    assert_false(rate_take(&bucket, &rate, 249).allowed);
    assert_true(rate_take(&bucket, &rate, 250).allowed);
}

/* Over a long time exactly per_s a second pass, whatever the rate: nothing is lost to rounding. */
static void exact(void **state)
{
    static const int64_t rates[] = {1, 3, 5, 7, 333, 999, 1000, 1001, 4999};
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        const struct rate rate = {.per_s = rates[i], .burst = 10};
        struct rate_bucket bucket = {0};
        int64_t passed = 0;
        for (int64_t now_ms = 0; now_ms < 100000; now_ms++)
            passed += pass(&bucket, rate, now_ms, 6);
        assert_in_range(passed, rates[i] * 100, rates[i] * 100 + 10);
    }
}

static void refused_ones_cost_nothing(void **state)
{
    const struct rate rate = {.per_s = 1, .burst = 1};
    struct rate_bucket bucket = {0};
    assert_int_equal(pass(&bucket, rate, 0, 1000), 1);
    assert_int_equal(pass(&bucket, rate, 999, 1000), 0);
    assert_int_equal(pass(&bucket, rate, 1000, 1000), 1);
}

static void odd_clocks_and_limits(void **state)
{
    const struct rate wide = {.per_s = RATE_PER_S_MAX, .burst = RATE_PER_S_MAX},
                      narrow = {.per_s = 1, .burst = 2};
    struct rate_bucket bucket = {0};
    assert_int_equal(pass(&bucket, narrow, 5000, 5), 2);
    assert_int_equal(pass(&bucket, narrow, 1000, 5), 0); /* back: nothing comes in twice */
    assert_int_equal(pass(&bucket, narrow, 5999, 5), 0);
    assert_int_equal(pass(&bucket, narrow, 6000, 5), 1);
    /* The longest jump there is. */
    assert_int_equal(pass(&bucket, narrow, INT64_MAX, 5), 2);
    struct rate_bucket other = {0};
    assert_int_equal(pass(&other, wide, 10, 1000), 1000);
    /* Narrowed: it is empty, but not for longer than the narrow limit makes one wait. */
    assert_int_equal(pass(&other, narrow, 10, 5), 0);
    assert_int_equal(pass(&other, narrow, 1010, 5), 1);
    assert_int_equal(pass(&other, narrow, 3010, 5), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(burst_then_pace), cmocka_unit_test(what_the_headers_say), cmocka_unit_test(exact),
        cmocka_unit_test(refused_ones_cost_nothing), cmocka_unit_test(odd_clocks_and_limits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
