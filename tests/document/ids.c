#include "ids.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

static void they_rise_and_carry_the_time(void **state)
{
    struct ids ids = {.node = 3};
    int64_t last = 0;
    for (int i = 0; i < 5000; i++) {
        int64_t id = ids_next(&ids, 1700000000000 + i / 7);
        assert_true(id > last);
        assert_int_equal(id >> 20, 1700000000000 + i / 7);
        assert_int_equal(id >> 6 & IDS_NODE_MAX, 3);
        last = id;
    }
}

static void a_full_millisecond_borrows_from_the_next(void **state)
{
    struct ids ids = {.node = 0};
    int64_t last = 0;
    for (int i = 0; i < 5000; i++) {
        int64_t id = ids_next(&ids, 1700000000000);
        assert_true(id > last);
        assert_int_equal(id >> 20, 1700000000000 + i / 64);
        last = id;
    }
}

static void never_back_with_the_clock(void **state)
{
    struct ids ids = {.node = 1};
    int64_t last = ids_next(&ids, 1700000000000);
    assert_int_equal(ids_next(&(struct ids){0}, -5), (int64_t)953674316407 << 20); /* of 19 digits */
    assert_true((int64_t)953674316407 << 20 >= 1000000000000000000);
    static const int64_t jumps[] = {1699999999999, 0, -5, 1700000000000, 1600000000000, 1700000000001};
    for (size_t i = 0; i < sizeof jumps / sizeof *jumps; i++) {
        int64_t id = ids_next(&ids, jumps[i]);
        assert_true(id > last);
        last = id;
    }
}

static void above_the_floor_of_another_node(void **state)
{
    for (int other = 0; other <= IDS_NODE_MAX; other += 997) {
        struct ids ids = {.node = 500}, others = {.node = other};
        int64_t floor = ids_next(&others, 1700000000005);
        ids_floor(&ids, floor);
        ids_floor(&ids, 5); /* never down again */
        int64_t id = ids_next(&ids, 1700000000000);
        assert_true(id > floor);
        assert_int_equal(id >> 6 & IDS_NODE_MAX, 500);
    }
}

/* 8.8: two copies of one folder under a clock that was set back: both go on from the same floor. */
static void two_starts_from_one_floor(void **state)
{
    struct ids one = {.node = 4711}, two = {.node = 4712};
    ids_floor(&one, (int64_t)1700000000000 << 20);
    ids_floor(&two, (int64_t)1700000000000 << 20);
    int64_t ids[2][3000];
    for (int i = 0; i < 3000; i++) {
        ids[0][i] = ids_next(&one, 1600000000000);
        ids[1][i] = ids_next(&two, 1600000000000 + i);
    }
    for (int a = 0, b = 0; a < 3000 && b < 3000; ids[0][a] < ids[1][b] ? a++ : b++)
        assert_int_not_equal(ids[0][a], ids[1][b]);
}

static int compare(const void *a_, const void *b_)
{
    const int64_t *a = a_, *b = b_;
    return *a < *b ? -1 : *a > *b;
}

/* Mission row 10: 100,000 ids over 20 restarts, a clock that wanders, and a backup restored half-way. */
static void unique_for_ever(void **state)
{
    enum { IDS = 100000, RESTARTS = 20 };
    int64_t *all = malloc(IDS * sizeof *all), wall_ms = 1700000000000, backup = 0;
    assert_non_null(all);
    uint64_t random = 1;
    struct ids ids = {.node = 0};
    for (int i = 0; i < IDS; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        if (i % (IDS / RESTARTS) == 0) {
            int64_t highest = i == IDS / 2 ? backup : ids.last;
            ids = (struct ids){.node = 0};
            ids_floor(&ids, highest);
            if (i == IDS / 4)
                backup = highest;
            wall_ms += 60000; /* a restart, and all the more a restore, takes its time */
        }
        wall_ms += random >> 62 == 0;
        if ((random >> 33) % 1000 == 0 && i < IDS / 4)
            wall_ms -= 500;
        all[i] = ids_next(&ids, wall_ms);
    }
    qsort(all, IDS, sizeof *all, compare);
    for (int i = 1; i < IDS; i++)
        assert_true(all[i] > all[i - 1]);
    free(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_rise_and_carry_the_time),
        cmocka_unit_test(a_full_millisecond_borrows_from_the_next),
        cmocka_unit_test(never_back_with_the_clock),
        cmocka_unit_test(above_the_floor_of_another_node),
        cmocka_unit_test(two_starts_from_one_floor),
        cmocka_unit_test(unique_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
