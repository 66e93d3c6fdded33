#include "budget.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { KIB = 1024, MIB = 1024 * KIB };

static void neither_side_takes_all(void **state)
{
    struct budget budget;
    budget_init(&budget, 16 * MIB);
    assert_true(budget_take(&budget, BUDGET_IN, 12 * MIB));
    assert_false(budget_take(&budget, BUDGET_IN, 1));
    assert_int_equal(budget_free(&budget, BUDGET_OUT), 4 * MIB);
    assert_true(budget_take(&budget, BUDGET_OUT, 4 * MIB));
    assert_false(budget_take(&budget, BUDGET_OUT, 1));
    budget_give(&budget, BUDGET_IN, 2 * MIB);
    assert_true(budget_take(&budget, BUDGET_OUT, 2 * MIB));
    assert_false(budget_take(&budget, BUDGET_IN, 1));
    budget_give(&budget, BUDGET_OUT, 6 * MIB);
    budget_give(&budget, BUDGET_IN, 10 * MIB);
    assert_int_equal(budget_used(&budget, BUDGET_IN) + budget_used(&budget, BUDGET_OUT), 0);
}

/* How much one after another gets that wants all it can have. */
static size_t fill(struct budget *budget)
{
    size_t held = 0;
    while (budget_fair(budget, BUDGET_OUT, held, MIB) && budget_take(budget, BUDGET_OUT, MIB))
        held += MIB;
    return held;
}

static void one_holder_gets_a_share(void **state)
{
    struct budget budget;
    budget_init(&budget, 256 * MIB);
    size_t first = fill(&budget);
    assert_in_range(first, 48 * MIB, 52 * MIB);
    size_t before = first;
    for (int i = 0; i < 20; i++) {
        size_t next = fill(&budget);
        assert_in_range(next, MIB, before); /* ever less, but each its one */
        before = next;
    }
    assert_true(budget_free(&budget, BUDGET_OUT) > 16 * MIB);
}

enum { TAKERS = 4, ROUNDS = 20000 };

static void *taker(void *argument)
{
    struct budget *budget = argument;
    for (int i = 0; i < ROUNDS; i++) {
        if (budget_take(budget, i % 2 ? BUDGET_IN : BUDGET_OUT, 5 * KIB))
            budget_give(budget, i % 2 ? BUDGET_IN : BUDGET_OUT, 5 * KIB);
    }
    return NULL;
}

static void threads_share_it(void **state)
{
    struct budget budget;
    pthread_t threads[TAKERS];
    budget_init(&budget, 16 * KIB);
    for (int i = 0; i < TAKERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, taker, &budget), 0);
    for (int i = 0; i < TAKERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(budget_used(&budget, BUDGET_IN), 0);
    assert_int_equal(budget_used(&budget, BUDGET_OUT), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(neither_side_takes_all),
        cmocka_unit_test(one_holder_gets_a_share),
        cmocka_unit_test(threads_share_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
