#include "flow.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { TIMES_MAX = 300000 };

static struct flow limited(int32_t count, enum flow_per per)
{
    return (struct flow){.set.rate = {count, per}};
}

static void no_limits(void **state)
{
    struct flow flow = {0};
    assert_int_equal(flow_at_once(&flow), INT32_MAX);
    assert_int_equal(flow_from_ms(&flow), 0);
    assert_int_equal(flow_left(&flow, 5), INT32_MAX);
    flow_begun(&flow, 5);
    assert_int_equal(flow.bucket.spent, 0);
    flow.set.in_flight_max = 3;
    assert_int_equal(flow_at_once(&flow), 3);
    flow.set.ordered = true;
    assert_int_equal(flow_at_once(&flow), 1);
}

/* An endpoint with more work than it may have: in no span more than `count` begin, and in the long run hardly
 * fewer. flow_from_ms is the very time at which the next one may begin. */
static void never_more_in_any_span(void **state)
{
    static const struct {
        int32_t count;
        enum flow_per per;
        int64_t span_ms;
    } rows[] = {
        {1, FLOW_PER_SECOND, 1000},     {7, FLOW_PER_SECOND, 1000},   {50, FLOW_PER_SECOND, 1000},
        {999, FLOW_PER_SECOND, 1000},   {1, FLOW_PER_HOUR, 3600000},  {100, FLOW_PER_HOUR, 3600000},
        {5000, FLOW_PER_MINUTE, 60000}, {13, FLOW_PER_MINUTE, 60000}, {100000, FLOW_PER_SECOND, 1000}};
    static int64_t times[TIMES_MAX];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct flow flow = limited(rows[i].count, rows[i].per);
        int64_t now = 1000000, end = now + 2 * rows[i].span_ms;
        int count = 0, first = 0;
        for (; now<end; now = flow_from_ms(&flow)> now ? flow_from_ms(&flow) : now + 1) {
            int left = flow_left(&flow, now);
            assert_true(left > 0);
            assert_true(count == 0 || flow_left(&flow, now - 1) == 0 || now - 1 == times[count - 1]);
            for (; left > 0 && count < TIMES_MAX; left--) {
                flow_begun(&flow, now);
                times[count++] = now;
            }
            assert_int_equal(flow_left(&flow, now), 0);
            while (times[first] <= now - rows[i].span_ms)
                first++;
            assert_true(count - first <= rows[i].count);
        }
        assert_true(count >= 2 * rows[i].count * 24 / 25);
    }
}

static void a_quiet_time_saves_nothing_up(void **state)
{
    struct flow flow = limited(100, FLOW_PER_HOUR);
    assert_int_equal(flow_left(&flow, (int64_t)365 * 86400000), 1);
    flow_begun(&flow, (int64_t)365 * 86400000);
    assert_int_equal(flow_from_ms(&flow), (int64_t)365 * 86400000 + 36000);
}

static void settings_change(void **state)
{
    struct flow flow = limited(1, FLOW_PER_HOUR);
    flow_begun(&flow, 1000);
    struct flow_settings set = flow.set;
    set.in_flight_max = 5;
    flow_set(&flow, &set);
    assert_int_equal(flow_left(&flow, 2000), 0);
    set.rate.per = FLOW_PER_MINUTE;
    flow_set(&flow, &set);
    assert_int_equal(flow_left(&flow, 2000), 1);
}

static void stored_numbers_may_be_anything(void **state)
{
    static const int64_t wrong[] = {INT64_MIN, -1, 0, 100001, INT64_MAX};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct flow_settings set = flow_settings_of(wrong[i], wrong[i], 1, 0);
        assert_true(flow_settings_none(&set));
    }
    struct flow_settings set = flow_settings_of(256, 100000, 2, 1);
    assert_true(set.in_flight_max == 256 && set.rate.count == 100000 && set.rate.per == FLOW_PER_HOUR &&
                set.ordered);
    set = flow_settings_of(257, 5, 3, 2);
    assert_true(flow_settings_none(&set));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_limits), cmocka_unit_test(never_more_in_any_span),
                                       cmocka_unit_test(a_quiet_time_saves_nothing_up),
                                       cmocka_unit_test(settings_change),
                                       cmocka_unit_test(stored_numbers_may_be_anything)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
