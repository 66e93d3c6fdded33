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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_endpoint_takes_no_more_than_its_share),
        cmocka_unit_test(a_client_takes_no_more_than_its_share),
        cmocka_unit_test(cheap_handshakes_are_not_held_up),
        cmocka_unit_test(who_took_nothing_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
