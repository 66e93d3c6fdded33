/* The shares of descriptors: each side has as many as it wants, or at least half. */
#include "descriptors.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* 8.25: 256 descriptors are enough for clients and for deliveries. */
static void test_shares(void **state)
{
    static const struct {
        int64_t limit, connections, deliveries, gets_connections, gets_deliveries;
    } rows[] = {{1048576, 10000, 32768, 10000, 32768},
                {42868, 10000, 32768, 10000, 32768},
                {42867, 10000, 32768, 10000, 32767},
                {256, 10000, 32768, 78, 78},
                {256, 20, 32768, 20, 136},
                {256, 10000, 30, 126, 30},
                {100, 10000, 32768, 1, 1},
                {10, 5, 5, 1, 1}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct descriptor_shares shares =
            descriptors_share(rows[i].limit, 100, rows[i].connections, rows[i].deliveries);
        assert_int_equal(shares.connections, rows[i].gets_connections);
        assert_int_equal(shares.deliveries, rows[i].gets_deliveries);
    }
    assert_true(descriptors_limit() > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_shares)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
