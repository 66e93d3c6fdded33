#include "pace.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct pace_config *standard(void)
{
    static struct pace_config config;
    config = pace_default();
    return &config;
}

static enum pace_change ends(struct pace *pace, int64_t began_ms, int64_t now_ms, bool answered)
{
    struct pace_end end = {.now_ms = now_ms,
                           .began_ms = began_ms,
                           .took_ms = now_ms - began_ms,
                           .answered = answered,
                           .endpoint_id = 7};
    return pace_ended(pace, standard(), &end);
}

/* With nothing answered lately. */
static enum pace_health health(const struct pace *pace, int64_t oldest_ms)
{
    return pace_health(pace, oldest_ms, 1000000);
}

static void shares_leave_room_at_any_number(void **state)
{
    const int64_t total = 16384, reserve = total / 4;
    for (int64_t hanging = 1; hanging <= 20000; hanging = hanging * 3 + 1) {
        int64_t in_use = 0, most = 0;
        /* Each takes one at a time as long as it may. */
        for (int64_t round = 1;; round++) {
            int64_t took = 0;
            for (int64_t i = 0; i < hanging; i++)
                if (round <= pace_share(total, in_use, PACE_PLAIN)) {
                    in_use++;
                    took++;
                }
            if (took == 0)
                break;
            most = round;
        }
        int64_t usual = (total - reserve) / 6;
        assert_true(most <= usual && in_use <= total - reserve);
        assert_true(pace_share(total, in_use, PACE_QUICK) >= reserve / 6);
        if (hanging < 10000)
            assert_true(pace_share(total, in_use, PACE_PLAIN) >= 1);
        if (hanging == 1)
            assert_in_range(most, 700, usual);
    }
    assert_int_equal(pace_share(1, 0, PACE_PLAIN), 1);
    assert_int_equal(pace_share(1, 1, PACE_QUICK), 0);
    assert_int_equal(pace_share(64, 48, PACE_PLAIN), 0);
    assert_int_equal(pace_share(64, 48, PACE_QUICK), 2);
}

/* Answers every `latency_ms` after it began, as many as the window holds; how many at once after `seconds`.
 */
static int window_after(struct pace *pace, int64_t now_ms, int64_t latency_ms, int seconds, int wanted)
{
    for (int64_t until = now_ms + (int64_t)seconds * 1000; now_ms < until; now_ms += latency_ms) {
        int window = pace_window(pace, standard()), at_once = wanted < window ? wanted : window;
        for (int i = 1; i <= at_once; i++)
            pace_begun(pace, standard(), i, now_ms);
        for (int i = 0; i < at_once; i++)
            ends(pace, now_ms, now_ms + latency_ms, true);
    }
    return pace_window(pace, standard());
}

static void the_window_grows_as_it_is_used(void **state)
{
    struct pace pace = {0};
    assert_int_equal(pace_window(&pace, standard()), 64);
    assert_int_equal(window_after(&pace, 5000, 1000, 3, 10000), 512);
    assert_int_equal(window_after(&pace, 9000, 1000, 30, 10000), standard()->at_once_max);
    struct pace idle = {0};
    assert_int_equal(window_after(&idle, 5000, 1000, 30, 50), 64); /* it asks for no more */
    struct pace slow = {0};
    assert_int_equal(window_after(&slow, 5000, 10000, 20, 10000), 256);
}

static void one_that_never_answered_fails_at_once(void **state)
{
    struct pace pace = {0};
    assert_int_equal(health(&pace, 0), PACE_PLAIN);
    assert_int_equal(ends(&pace, 100, 200, false), PACE_BEGAN_FAILING);
    assert_int_equal(health(&pace, 0), PACE_FAILING);
    assert_int_equal(pace_window(&pace, standard()), 1);
    assert_in_range(pace.held_until_ms, 200 + 750, 200 + 1250);
}

static void holds_double_and_end(void **state)
{
    struct pace pace = {0};
    ends(&pace, 0, 10, true);
    for (int i = 0; i < 4; i++)
        assert_int_equal(ends(&pace, 10, 20, false), PACE_SAME);
    assert_int_equal(ends(&pace, 10, 20, false), PACE_BEGAN_FAILING);
    int64_t held_ms = pace.held_until_ms;
    for (int i = 0; i < 50; i++) /* all that were under way fail too, and say nothing new */
        ends(&pace, 10, 21, false);
    assert_int_equal(pace.held_until_ms, held_ms);
    int64_t now_ms = held_ms, hold_ms = 1000;
    for (int i = 0; i < 12; i++) {
        now_ms = pace.held_until_ms + 5;
        assert_int_equal(ends(&pace, pace.held_until_ms, now_ms, false), PACE_SAME);
        hold_ms = hold_ms * 2 < 60000 ? hold_ms * 2 : 60000;
        assert_in_range(pace.held_until_ms - now_ms, hold_ms * 3 / 4, hold_ms * 5 / 4);
    }
    assert_int_equal(ends(&pace, pace.held_until_ms, pace.held_until_ms + 9, true), PACE_RECOVERED);
    assert_int_equal(pace.held_until_ms, 0);
    assert_int_equal(pace_window(&pace, standard()), 4);
    assert_int_equal(health(&pace, 0), PACE_QUICK);
    assert_int_equal(window_after(&pace, now_ms + 100000, 10, 3, 10000), 32);
    for (int i = 0; i < 4; i++)
        assert_int_equal(ends(&pace, now_ms, now_ms + 200000, false), PACE_SAME);
}

/* An endpoint that is dead for good must not keep what has had its time. */
static void giving_up_is_not_held(void **state)
{
    struct pace pace = {0};
    ends(&pace, 0, 10, false);
    struct pace_end end = {.now_ms = 90000, .began_ms = 80000, .given_up = true};
    pace_ended(&pace, standard(), &end);
    assert_int_equal(pace.held_until_ms, 0);
    assert_int_equal(pace_window(&pace, standard()), 2);
    for (int i = 0; i < 10; i++)
        pace_ended(&pace, standard(), &end);
    assert_int_equal(pace_window(&pace, standard()), 64);
    ends(&pace, 80000, 90001, false);
    assert_int_equal(pace_window(&pace, standard()), 1);
    assert_true(pace.held_until_ms > 90001);
}

static void who_is_quick(void **state)
{
    struct pace pace = {0};
    for (int i = 0; i < 20; i++)
        ends(&pace, 0, 5, true);
    assert_int_equal(health(&pace, 0), PACE_QUICK);
    assert_int_equal(health(&pace, 1000), PACE_PLAIN); /* something hangs */
    for (int i = 0; i < 3; i++)
        ends(&pace, 0, 10000, true);
    assert_int_equal(health(&pace, 0), PACE_PLAIN); /* it answers, but late */
    for (int i = 0; i < 20; i++)
        ends(&pace, 0, 5, true);
    assert_int_equal(health(&pace, 0), PACE_QUICK);
}

/* 8.2: one that begins to hang is known before a second has passed; but not by one that is late beside others
 * that are answered, nor by a time that is its usual one. */
static void who_begins_to_hang_is_quick_no_more(void **state)
{
    struct pace pace = {0}, slower = {0};
    for (int i = 0; i < 40; i++) {
        ends(&pace, 1000, 1005, true);
        ends(&slower, 800, 1000, true);
    }
    assert_int_equal(pace_health(&pace, 249, 1255), PACE_QUICK);
    assert_int_equal(pace_health(&pace, 300, 1305), PACE_PLAIN);
    assert_int_equal(pace_health(&pace, 300, 1060), PACE_QUICK);
    assert_int_equal(pace_health(&pace, 99, 60000), PACE_QUICK); /* it has been idle */
    assert_int_equal(pace_health(&slower, 800, 1800), PACE_QUICK);
}

static void the_budget_comes_in_groups(void **state)
{
    struct pace_budget budget = {0};
    int64_t spent = 0;
    for (int64_t now_ms = 1000; now_ms < 11000; now_ms++) {
        int left = pace_budget_left(&budget, standard(), now_ms);
        assert_true(left == 0 || left == 50);
        for (; left > 0; left--, spent++)
            pace_budget_spend(&budget, standard(), now_ms);
    }
    assert_in_range(spent, 1950, 2050);
    struct pace_config one = pace_default();
    one.failing_per_s = 1;
    struct pace_budget slow = {0};
    pace_budget_spend(&slow, &one, 5000);
    assert_int_equal(pace_budget_left(&slow, &one, 5999), 0);
    assert_int_equal(pace_budget_left(&slow, &one, 6000), 1);
}

/* However they come: over no time are there more than that time brings, and a group. */
static void the_budget_is_kept(void **state)
{
    struct pace_budget budget = {0};
    int64_t spent = 0, least = 0,
            random = 1; /* least: of what was spent beyond what time brought, in thousandths */
    for (int64_t now_ms = 0; now_ms < 120000; now_ms++) {
        random = random * 1103515245 % 2147483648 + 12345;
        int64_t wanted = now_ms / 7000 % 3 == 0 ? 1000 : random / 65536 % (now_ms / 7000 % 3 == 1 ? 2 : 9);
        for (; wanted > 0 && pace_budget_left(&budget, standard(), now_ms) > 0; wanted--, spent++)
            pace_budget_spend(&budget, standard(), now_ms);
        int64_t beyond = 1000 * spent - 200 * now_ms;
        assert_true(beyond - least <= 50 * 1000);
        least = beyond < least ? beyond : least;
    }
    assert_in_range(spent, 12000, 24050);
}

static void scaled(void **state)
{
    struct pace_config config = pace_scaled(pace_default(), 100);
    assert_int_equal(config.hold_first_ms, 10);
    assert_int_equal(config.hold_ms_max, 600);
    assert_int_equal(pace_scaled(config, 1000000).hold_ms_max, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_leave_room_at_any_number),
        cmocka_unit_test(the_window_grows_as_it_is_used),
        cmocka_unit_test(one_that_never_answered_fails_at_once),
        cmocka_unit_test(holds_double_and_end),
        cmocka_unit_test(giving_up_is_not_held),
        cmocka_unit_test(who_is_quick),
        cmocka_unit_test(who_begins_to_hang_is_quick_no_more),
        cmocka_unit_test(the_budget_comes_in_groups),
        cmocka_unit_test(the_budget_is_kept),
        cmocka_unit_test(scaled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
