/* The throttle on a clock of its own: clients that are answered at once, wait, or are refused. */
#include "throttle.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

static atomic_llong now_ms = 1000000;
static atomic_int released;

static int64_t read_clock(void *ctx)
{
    return atomic_load(&now_ms);
}

static void release(void *item)
{
    atomic_fetch_add(&released, 1);
}

static void wait_for(int count)
{
    while (atomic_load(&released) < count)
        usleep(1000);
}

static const struct clock test_clock = {read_clock, read_clock, NULL};
static int item;

static void spend(struct throttle *throttle, const char *peer)
{
    for (int i = 0; i < THROTTLE_FREE_GUESSES; i++)
        assert_int_equal(throttle_guess(throttle, peer, &item), THROTTLE_NOW);
}

static void test_a_thousand_guesses(void **state)
{
    struct throttle *throttle = throttle_open(test_clock, release);
    int counts[3] = {0};
    atomic_store(&released, 0);
    for (int i = 0; i < 1000; i++)
        counts[throttle_guess(throttle, "192.0.2.1", &item)]++;
    assert_int_equal(counts[THROTTLE_NOW], THROTTLE_FREE_GUESSES);
    assert_int_equal(counts[THROTTLE_HELD], THROTTLE_HELD_PER_PEER_MAX);
    assert_int_equal(throttle_guess(throttle, "192.0.2.2", &item), THROTTLE_NOW); /* others are not touched */
    usleep(60000);
    assert_int_equal(atomic_load(&released), 0); /* on this clock nothing is due */
    atomic_fetch_add(&now_ms, THROTTLE_DELAY_MS);
    wait_for(THROTTLE_HELD_PER_PEER_MAX);
    throttle_close(throttle);
    assert_int_equal(atomic_load(&released), THROTTLE_HELD_PER_PEER_MAX);
}

static void test_time_forgives(void **state)
{
    struct throttle *throttle = throttle_open(test_clock, release);
    spend(throttle, "192.0.2.1");
    atomic_fetch_add(&now_ms, 1000);
    assert_int_equal(throttle_guess(throttle, "192.0.2.1", &item), THROTTLE_NOW);
    assert_int_equal(throttle_guess(throttle, "192.0.2.1", &item), THROTTLE_HELD);
    atomic_fetch_add(&now_ms, 3600000);
    spend(throttle, "192.0.2.1");
    throttle_close(throttle);
}

static void test_an_ipv6_network_is_one_address(void **state)
{
    struct throttle *throttle = throttle_open(test_clock, release);
    char peer[64];
    for (int i = 0; i < THROTTLE_FREE_GUESSES; i++) {
        snprintf(peer, sizeof peer, "2001:db8:1:2:%x::1", i);
        assert_int_equal(throttle_guess(throttle, peer, &item), THROTTLE_NOW);
    }
    assert_int_equal(throttle_guess(throttle, "2001:db8:1:2::ffff", &item), THROTTLE_HELD);
    assert_int_equal(throttle_guess(throttle, "2001:db8:1:3::1", &item), THROTTLE_NOW);
    throttle_close(throttle);
}

static void test_bounds(void **state)
{
    struct throttle *throttle = throttle_open(test_clock, release);
    char peer[64];
    int held = 0;
    atomic_store(&released, 0);
    for (int network = 0; network < 5000; network++) {
        snprintf(peer, sizeof peer, "10.%d.%d.1", network / 250, network % 250);
        for (int i = 0; i < THROTTLE_FREE_GUESSES + 2; i++)
            held += throttle_guess(throttle, peer, &item) == THROTTLE_HELD;
    }
    assert_int_equal(held, THROTTLE_HELD_MAX);
    throttle_drain(throttle);
    wait_for(held);
    assert_int_equal(throttle_guess(throttle, peer, &item), THROTTLE_NOW); /* draining: nothing is held */
    throttle_close(throttle);
    assert_int_equal(atomic_load(&released), held);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_thousand_guesses),
        cmocka_unit_test(test_time_forgives),
        cmocka_unit_test(test_an_ipv6_network_is_one_address),
        cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
