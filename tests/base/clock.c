#include "clock.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void the_system_clocks_go_forward(void **state)
{
    struct clock clock = clock_system();
    int64_t mono_ms = clock_mono_ms(&clock);
    for (int i = 0; i < 1000; i++) {
        int64_t now_ms = clock_mono_ms(&clock);
        assert_true(now_ms >= mono_ms);
        mono_ms = now_ms;
    }
    assert_true(clock_wall_ms(&clock) > 1600000000000); /* milliseconds, and not before 2020 */
}

static int64_t fixed_ms(void *ctx)
{
    return *(int64_t *)ctx;
}

static void a_test_can_stand_in(void **state)
{
    int64_t now_ms = 42;
    struct clock clock = {.wall_ms = fixed_ms, .mono_ms = fixed_ms, .ctx = &now_ms};
    assert_int_equal(clock_wall_ms(&clock), 42);
    now_ms = 43;
    assert_int_equal(clock_mono_ms(&clock), 43);
}

static void cpu_time_grows(void **state)
{
    int64_t user_us, system_us, user_before_us, system_before_us;
    clock_cpu_us(&user_before_us, &system_before_us);
    do
        clock_cpu_us(&user_us, &system_us);
    while (user_us + system_us == user_before_us + system_before_us);
    assert_true(user_us >= user_before_us && system_us >= system_before_us);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_system_clocks_go_forward),
        cmocka_unit_test(a_test_can_stand_in),
        cmocka_unit_test(cpu_time_grows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
