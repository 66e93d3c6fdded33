/* Counting: what counts, the error of a percentile, and bytes from a disk that are anything. */
#include "hour.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void buckets_are_narrow(void **state)
{
    (void)state;
    int before = 0;
    for (int64_t ms = 0; ms < 131072; ms++) {
        int bucket = hour_bucket(ms);
        int64_t said_ms = hour_bucket_ms(bucket), wrong_ms = said_ms > ms ? said_ms - ms : ms - said_ms;
        assert_true(bucket == before || bucket == before + 1);
        if (100 * wrong_ms > 7 * ms)
            fail_msg("%d ms is said to be %d", (int)ms, (int)said_ms);
        before = bucket;
    }
    assert_int_equal(before, HOUR_BUCKETS - 1);
    assert_int_equal(hour_bucket(INT64_MAX), HOUR_BUCKETS - 1);
    assert_int_equal(hour_bucket(INT64_MIN), 0);
}

static void percentiles(void **state)
{
    (void)state;
    struct hour hour = {0};
    int64_t ms = -1;
    assert_false(hour_percentile(&hour, 50, &ms));
    for (int i = 1; i <= 100; i++)
        hour.answers[hour_bucket(i <= 98 ? 3 : i == 99 ? 10 : 12)]++;
    assert_true(hour_percentile(&hour, 50, &ms));
    assert_int_equal(ms, 3);
    assert_true(hour_percentile(&hour, 99, &ms));
    assert_int_equal(ms, 10);
    assert_true(hour_percentile(&hour, 100, &ms));
    assert_int_equal(ms, 12);
    assert_true(hour_percentile(&hour, 0, &ms));
    assert_int_equal(ms, 3);
    memset(hour.answers, 0xff, sizeof hour.answers);
    assert_true(hour_percentile(&hour, 50, &ms));
}

static void what_counts(void **state)
{
    (void)state;
    static const struct {
        enum decision_kind kind;
        int status;
        enum hour_kind counts;
        int bucket;
    } table[] = {{DECISION_DELIVERED, 200, HOUR_DELIVERED, 9},
                 {DECISION_RETRY, 500, HOUR_FAILED, 9},
                 {DECISION_RETRY, 0, HOUR_FAILED, HOUR_NO_ANSWER},
                 {DECISION_GIVE_UP, 410, HOUR_FAILED, 9},
                 {DECISION_RELEASE, 0, HOUR_KINDS, HOUR_NO_ANSWER},
                 {DECISION_RELEASE, 200, HOUR_KINDS, HOUR_NO_ANSWER}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct ledger_outcome outcome = {.decision.kind = table[i].kind,
                                         .attempt = {.status = table[i].status, .duration_ms = 9}};
        int bucket;
        assert_int_equal(hour_outcome(&outcome, &bucket), table[i].counts);
        assert_int_equal(bucket, table[i].bucket);
    }
    struct ledger_row waits = {.state = DELIVERY_PENDING}, over = {.state = DELIVERY_GIVEN_UP},
                      off = {.state = DELIVERY_CANCELLED}, done = {.state = DELIVERY_DELIVERED};
    assert_int_equal(hour_change(NULL, &waits), HOUR_ACCEPTED);
    assert_int_equal(hour_change(&waits, &waits), HOUR_KINDS);
    assert_int_equal(hour_change(&waits, &over), HOUR_GIVEN_UP);
    assert_int_equal(hour_change(&waits, &off), HOUR_CANCELLED);
    assert_int_equal(hour_change(&waits, &done), HOUR_KINDS);
    assert_int_equal(hour_change(&over, &waits), HOUR_KINDS);
}

static void answers_are_kept(void **state)
{
    (void)state;
    struct hour hour = {0}, again = {0};
    unsigned char saved[HOUR_ANSWERS_LEN_MAX];
    for (int i = 0; i < HOUR_BUCKETS; i++)
        hour.answers[i] = UINT32_MAX >> (i % 33 == 32 ? 31 : i % 33);
    size_t len = hour_save_answers(&hour, saved);
    assert_true(hour_load_answers(&again, bytes_make((const char *)saved, len)));
    assert_memory_equal(hour.answers, again.answers, sizeof hour.answers);
    assert_int_equal(hour_save_answers(&(struct hour){0}, saved), 0);
}

static void damaged_bytes(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
    } table[] = {{"\x01", 1},                         /* no count */
                 {"\x01\x80", 2},                     /* half of one */
                 {"\x01\xff\xff\xff\xff\xff\x01", 7}, /* too long */
                 {"\x01\xff\xff\xff\xff\x1f", 6},     /* above 32 bits */
                 {"\x78\x01", 2},                     /* no such bucket */
                 {"\xff\x01", 2},
                 {"\x02\x01\x02\x01", 4}}; /* twice */
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct hour hour = {0};
        assert_false(hour_load_answers(&hour, bytes_make(table[i].bytes, table[i].len)));
    }
    unsigned char any[64];
    uint32_t seed = 7;
    for (int round = 0; round < 100000; round++) {
        struct hour hour = {0};
        for (size_t i = 0; i < sizeof any; i++)
            any[i] = (unsigned char)((seed = seed * 1664525 + 1013904223) >> 24);
        (void)hour_load_answers(&hour, bytes_make((const char *)any, seed % sizeof any));
        unsigned char saved[HOUR_ANSWERS_LEN_MAX];
        assert_true(hour_save_answers(&hour, saved) <= sizeof saved);
    }
    struct hour hour = {.counts = {INT64_MIN, -1, 0, INT64_MAX, 5}};
    hour_bound(&hour);
    assert_int_equal(hour.counts[0], 0);
    assert_int_equal(hour.counts[1], 0);
    assert_true(hour.counts[3] > 0 && hour.counts[3] < INT64_MAX);
    struct hour sum = hour;
    memset(sum.answers, 0xff, sizeof sum.answers);
    memset(hour.answers, 0xff, sizeof hour.answers);
    hour_add(&sum, &hour);
    assert_int_equal(sum.counts[3], hour.counts[3]);
    assert_int_equal(sum.answers[0], UINT32_MAX);
    assert_int_equal(sum.counts[4], 10);
}

static void hours_of_clocks(void **state)
{
    (void)state;
    assert_int_equal(hour_of(-1), 0);
    assert_int_equal(hour_of(HOUR_MS - 1), 0);
    assert_int_equal(hour_of(HOUR_MS), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buckets_are_narrow), cmocka_unit_test(percentiles),
        cmocka_unit_test(what_counts),        cmocka_unit_test(answers_are_kept),
        cmocka_unit_test(damaged_bytes),      cmocka_unit_test(hours_of_clocks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
