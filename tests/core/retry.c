/* The text of an endpoint's own retries: the accepted forms, and that all others are refused. */
#include "retry.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* after the three above */
#include <cmocka.h>

static void understood(void **state)
{
    struct retry retry;
    assert_true(retry_parse(bytes_of("schedule 10 30 1209600"), &retry));
    assert_int_equal(retry.steps, 3);
    assert_int_equal(retry.step_s[0], 10);
    assert_int_equal(retry.step_s[1], 30);
    assert_int_equal(retry.step_s[2], RETRY_S_MAX);
    assert_true(retry_parse(bytes_of("backoff 5 100 0 3600"), &retry));
    assert_int_equal(retry.steps, 0);
    assert_int_equal(retry.backoff[RETRY_BASE], 5);
    assert_int_equal(retry.backoff[RETRY_FACTOR], 100);
    assert_int_equal(retry.backoff[RETRY_CAP], 0);
    assert_int_equal(retry.backoff[RETRY_WINDOW], 3600);
}

/* The longest text that can be stored has a hundred steps; one more is none. */
static void the_longest(void **state)
{
    char text[1024] = "schedule";
    struct retry retry;
    for (int i = 0; i < RETRY_STEPS_MAX; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), " %d", 100000 + i);
    assert_true(retry_parse(bytes_of(text), &retry));
    assert_int_equal(retry.steps, RETRY_STEPS_MAX);
    assert_int_equal(retry.step_s[99], 100099);
    strcat(text, " 1");
    assert_false(retry_parse(bytes_of(text), &retry));
}

/* As only a damaged row has it. */
static void none(void **state)
{
    static const char *const texts[] = {"",
                                        "schedule",
                                        "schedule 0",
                                        "schedule -1",
                                        "schedule 1209601",
                                        "schedule 10  30",
                                        "schedule 1x",
                                        "schedule 99999999999999999999",
                                        "schedules 10",
                                        "backoff",
                                        "backoff 1 2 3",
                                        "backoff 1 2 3 4 5",
                                        "backoff 1 101 3 4",
                                        "backoff 1 2 1209601 4",
                                        "backoff 1 2 x 4",
                                        "retry",
                                        "10 30"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct retry retry;
        if (retry_parse(bytes_of(texts[i]), &retry))
            fail_msg("'%s' was understood", texts[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(understood),
        cmocka_unit_test(the_longest),
        cmocka_unit_test(none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
