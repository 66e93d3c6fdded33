#include "delay_queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>

#include <cmocka.h>

enum { ITEMS = 100 };

static struct delayed items[ITEMS];

/* What came out, in order; only the queue's thread writes, and the count says how far. */
static const struct delayed *released[ITEMS];
static atomic_int count;

static void release(void *ctx, struct delayed *item)
{
    int at = atomic_load(&count);

    released[at] = item;
    atomic_store(&count, at + 1);
}

static struct delay_queue *open_with_items(int64_t delay_ms)
{
    struct delay_queue *queue = delay_queue_open(clock_system(), delay_ms, release, NULL);

    assert_non_null(queue);
    atomic_store(&count, 0);
    for (int i = 0; i < ITEMS - 1; i++)
        assert_true(delay_queue_put(queue, &items[i]));
    return queue;
}

static void nothing_comes_early_and_a_flush_keeps_the_order(void **state)
{
    struct delay_queue *queue = open_with_items(3600 * 1000);

    assert_int_equal(atomic_load(&count), 0);
    delay_queue_flush(queue);
    assert_int_equal(atomic_load(&count), ITEMS - 1);
    for (int i = 0; i < ITEMS - 1; i++)
        assert_ptr_equal(released[i], &items[i]);
    assert_false(delay_queue_put(queue, &items[ITEMS - 1]));
    delay_queue_close(queue);
    assert_int_equal(atomic_load(&count), ITEMS - 1);
}

static void the_delay_passes(void **state)
{
    struct delay_queue *queue = open_with_items(5);

    while (atomic_load(&count) < ITEMS - 1)
        clock_pause_us(1000);
    delay_queue_close(queue);
}

static void closing_releases_what_is_left(void **state)
{
    delay_queue_close(open_with_items(3600 * 1000));
    assert_int_equal(atomic_load(&count), ITEMS - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_comes_early_and_a_flush_keeps_the_order),
        cmocka_unit_test(the_delay_passes),
        cmocka_unit_test(closing_releases_what_is_left),
    };
    return cmocka_run_group_tests_name("base/delay_queue", tests, NULL, NULL);
}
