#include "decimal.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static int sign(int value)
{
    return value < 0 ? -1 : value > 0;
}

/* Each line from the smallest to the largest; texts between commas are equal. */
static void test_order(void **state)
{
    static const char *const ascending[][5] = {
        {"-1e999999999999999999999"},
        {"-9223372036854775808", "-9.223372036854775808e18", "-9223372036854775808.000"},
        {"-10", "-1e1", "-10.0", "-0.1e2"},
        {"-9.99"},
        {"-1e-400"},
        {"0", "-0", "0.0", "0e99", "-0.000E-5"},
        {"1e-999999999999999999999"},
        {"0.1"},
        {"0.10000000000000000001"},
        {"0.2", "2e-1", "0.02E+1", "200e-3"},
        {"1", "1.0", "10e-1", "0.1e1", "1e0"},
        {"1.5"},
        {"9"},
        {"10", "1e1", "1E+1"},
        {"100.001", "1.00001e2"},
        {"9007199254740992"},
        {"9007199254740993"},
        {"1e400"},
        {"1.1e400"}};
    enum { LINES = sizeof ascending / sizeof *ascending };
    (void)state;
    for (int i = 0; i < LINES; i++)
        for (int j = 0; j < LINES; j++)
            for (int m = 0; m < 5 && ascending[i][m]; m++)
                for (int n = 0; n < 5 && ascending[j][n]; n++)
                    assert_int_equal(
                        sign(decimal_compare(bytes_of(ascending[i][m]), bytes_of(ascending[j][n]))),
                        sign(i - j));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_order)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
