/* How much of the loop's time the handshakes of an endpoint may take. */
#include "handshake_shares.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
/* after the above */
#include <cmocka.h>

enum { SECOND_US = 1000000, MS_US = 1000 };

static struct handshake_shares shares;

/* Handshakes of `cost_us` each that begin within `for_us`, tried every millisecond, from a clock that goes
 * on. */
static int64_t now_us = 77 * (int64_t)SECOND_US;

static int begun(int64_t endpoint, int64_t cost_us, int64_t for_us)
{
    int count = 0;
    for (int64_t end_us = now_us + for_us; now_us < end_us; now_us += MS_US)
        while (handshake_shares_take(&shares, endpoint, now_us)) {
            handshake_shares_took(&shares, endpoint, now_us, cost_us);
            count++;
        }
    return count;
}

/* 8.1: a tenth of the time, and what was saved up; 8 ms each is a client key of RSA 4096. */
static void an_endpoint_takes_no_more_than_its_share(void **state)
{
    memset(&shares, 0, sizeof shares);
    int first = begun(1, 8 * MS_US, SECOND_US), later = begun(1, 8 * MS_US, 10 * SECOND_US);
    assert_in_range(first * 8, 200, 330);
    assert_in_range(later * 8, 900, 1100);
    now_us += 60 * SECOND_US; /* at rest it saves up no more than its burst */
    assert_in_range(begun(1, 8 * MS_US, SECOND_US) * 8, 200, 330);
}

/* 8.25: of a listener, a client address has a quarter. */
static void a_client_takes_no_more_than_its_share(void **state)
{
    memset(&shares, 0, sizeof shares);
    shares.percent = 25;
    begun(1, 8 * MS_US, SECOND_US);
    assert_in_range(begun(1, 8 * MS_US, 10 * SECOND_US) * 8, 2300, 2700);
    assert_true(handshake_shares_take(&shares, 2, now_us));
}

static void cheap_handshakes_are_not_held_up(void **state)
{
    memset(&shares, 0, sizeof shares);
    for (int i = 0; i < 1000; i++, now_us += 10 * MS_US) { /* 100 a second, half a millisecond each */
        assert_true(handshake_shares_take(&shares, 1, now_us));
        handshake_shares_took(&shares, 1, now_us, 500);
    }
}

/* However many take theirs, one that took nothing goes on. */
static void who_took_nothing_goes_on(void **state)
{
    memset(&shares, 0, sizeof shares);
    int all = 0;
    for (int64_t end_us = now_us + 10 * (int64_t)SECOND_US; now_us < end_us; now_us += MS_US)
        for (int64_t endpoint = 1; endpoint <= 40; endpoint++)
            if (handshake_shares_take(&shares, endpoint, now_us)) {
                handshake_shares_took(&shares, endpoint, now_us, 8 * MS_US);
                all++;
            }
    assert_in_range(all * 8, 4000, 9000); /* about half, and the bursts */
    assert_false(handshake_shares_take(&shares, 1, now_us) && handshake_shares_take(&shares, 1, now_us));
    assert_true(handshake_shares_take(&shares, 12345, now_us));
}

/* Handshakes of so many endpoints at once, in a loop that sleeps `idle_permille` of the time they leave it,
 * tried every millisecond. What each has taken, in ms. */
static void share_out(const int *costs_ms, int *taken_ms, int count, int idle_permille, int64_t for_us)
{
    static int64_t idle_us;
    for (int64_t end_us = now_us + for_us; now_us < end_us; now_us += MS_US) {
        int64_t cost_us = 0;
        for (int i = 0; i < count; i++) {
            shares_see(&shares, now_us, idle_us);
            if (!handshake_shares_take(&shares, i + 1, now_us))
                continue;
            handshake_shares_took(&shares, i + 1, now_us, costs_ms[i] * MS_US);
            shares_end(&shares, i + 1, now_us, true);
            taken_ms[i] += costs_ms[i];
            cost_us += costs_ms[i] * MS_US;
        }
        now_us += cost_us; /* that is how long it took */
        idle_us += (int64_t)MS_US * idle_permille / 1000;
    }
}

/* 8.1: alone, an endpoint gets half of what is free, be it much or little; its tenth it always has. */
static void alone_it_gets_a_share_of_what_is_free(void **state)
{
    static const struct {
        int idle_permille, min_ms, max_ms;
    } rows[] = {{1000, 4500, 5500}, {500, 1800, 4000}, {0, 900, 1300}};
    const int cost_ms = 2;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int taken_ms = 0;
        memset(&shares, 0, sizeof shares);
        share_out(&cost_ms, &taken_ms, 1, rows[i].idle_permille, SECOND_US);
        taken_ms = 0;
        share_out(&cost_ms, &taken_ms, 1, rows[i].idle_permille, 10 * SECOND_US);
        assert_in_range(taken_ms, rows[i].min_ms, rows[i].max_ms);
    }
}

/* And what it took of that is not held against it, nor against those that come. */
static void what_was_free_is_not_owed(void **state)
{
    const int costs_ms[] = {2, 2};
    int taken_ms[2] = {0};
    memset(&shares, 0, sizeof shares);
    share_out(costs_ms, taken_ms, 1, 1000, 60 * (int64_t)SECOND_US);
    assert_true(handshake_shares_take(&shares, 2, now_us));
    handshake_shares_took(&shares, 2, now_us, 2 * MS_US);
    taken_ms[0] = taken_ms[1] = 0;
    share_out(costs_ms, taken_ms, 2, 1000, 10 * SECOND_US);
    assert_in_range(taken_ms[0], 900, 5000);
    assert_in_range(taken_ms[1], 900, 5000);
    taken_ms[0] = 0;
    share_out(costs_ms, taken_ms, 1, 0, 10 * SECOND_US); /* nothing is free any more: its tenth, at once */
    assert_in_range(taken_ms[0], 800, 1400);
}

enum { ROOM = 2900 };

static int hang(int64_t first, int64_t last, int each_max, int under_way)
{
    for (int64_t endpoint = first; endpoint <= last; endpoint++)
        for (int i = 0; i < each_max; i++, under_way++) {
            if (!shares_has_room(&shares, endpoint, now_us, under_way, ROOM))
                break;
            assert_true(handshake_shares_take(&shares, endpoint, now_us));
            handshake_shares_took(&shares, endpoint, now_us, 0); /* it hangs, and costs nothing */
        }
    return under_way;
}

/* 8.21: of the handshakes under way, a quarter is for endpoints that complete theirs; one that hangs holds a
 * part of what is free. */
static void those_that_hang_leave_room(void **state)
{
    enum { HEALTHY = 1000000, PROVEN = 2000000 };
    memset(&shares, 0, sizeof shares);
    int alone = hang(1, 1, ROOM, 0);
    assert_in_range(alone, ROOM / 8, ROOM / 6);
    assert_true(shares_has_room(&shares, 2, now_us, alone, ROOM));
    assert_true(handshake_shares_take(&shares, HEALTHY, now_us));
    shares_end(&shares, HEALTHY, now_us, true);
    for (int i = 0; i < 10; i++) { /* proven, and now they hang, too */
        assert_true(handshake_shares_take(&shares, PROVEN + i, now_us));
        shares_end(&shares, PROVEN + i, now_us, true);
    }
    int all = hang(2, 3000, 1, alone);
    assert_in_range(all, ROOM * 3 / 4 - 1, ROOM * 3 / 4 + 5); /* one may share a place with one of the ten */
    all = hang(PROVEN, PROVEN + 9, 1, all);
    now_us += 2 * SECOND_US;
    assert_int_equal(hang(PROVEN, PROVEN + 9, ROOM, all), all);
    assert_true(all < ROOM);
    assert_false(shares_has_room(&shares, 12345678, now_us, all, ROOM));
    assert_true(shares_has_room(&shares, HEALTHY, now_us, all, ROOM));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_endpoint_takes_no_more_than_its_share),
        cmocka_unit_test(a_client_takes_no_more_than_its_share),
        cmocka_unit_test(cheap_handshakes_are_not_held_up),
        cmocka_unit_test(who_took_nothing_goes_on),
        cmocka_unit_test(alone_it_gets_a_share_of_what_is_free),
        cmocka_unit_test(what_was_free_is_not_owed),
        cmocka_unit_test(those_that_hang_leave_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
