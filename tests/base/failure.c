#include "failure.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static void names_are_stable_and_come_back(void **state)
{
    for (int i = 0; i < FAILURE_COUNT; i++) {
        enum failure failure = (enum failure)i;
        assert_int_equal(failure_parse(failure_name(failure)), failure);
        assert_int_equal(strspn(failure_name(failure), "abcdefghijklmnopqrstuvwxyz_"),
                         strlen(failure_name(failure)));
        assert_true(strlen(failure_sentence(failure)) > 10);
        assert_int_equal(failure_class_of(failure) == FAILURE_CLASS_NONE, failure == FAILURE_NONE);
    }
    assert_int_equal(failure_parse("no_such_failure"), FAILURE_COUNT);
    assert_int_equal(failure_parse(""), FAILURE_COUNT);
}

static void the_three_classes(void **state)
{
    assert_int_equal(failure_class_of(FAILURE_CONNECT_REFUSED), FAILURE_CLASS_RECEIVER);
    assert_int_equal(failure_class_of(FAILURE_DNS_NOT_FOUND), FAILURE_CLASS_RECEIVER);
    assert_int_equal(failure_class_of(FAILURE_BLOCKED_ADDRESS), FAILURE_CLASS_POLICY);
    assert_int_equal(failure_class_of(FAILURE_BLOCKED_URL), FAILURE_CLASS_POLICY);
    assert_int_equal(failure_class_of(FAILURE_LOCAL_OUTAGE), FAILURE_CLASS_OURS);
    assert_int_equal(failure_class_of(FAILURE_LOCAL_LIMIT), FAILURE_CLASS_OURS);
    assert_int_equal(failure_class_of(FAILURE_SHUTDOWN), FAILURE_CLASS_OURS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_stable_and_come_back),
        cmocka_unit_test(the_three_classes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
