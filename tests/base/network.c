#include "network.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void forms(void **state)
{
    static const struct {
        const char *text;
        bool ipv6;
        unsigned char first, last;
        int prefix, port;
        bool exact;
    } rows[] = {
        {"10.0.0.0/8", false, 10, 0, 8, 0, true},
        {"127.0.0.1", false, 127, 1, 32, 0, true},
        {"10.1.2.3/8", false, 10, 3, 8, 0, false},
        {"0.0.0.0/0", false, 0, 0, 0, 0, true},
        {"127.0.0.0/8:3000", false, 127, 0, 8, 3000, true},
        {"127.0.0.1:80", false, 127, 1, 32, 80, true},
        {"192.0.2.128/25", false, 192, 128, 25, 0, true},
        {"192.0.2.128/24", false, 192, 128, 24, 0, false},
        {"fd00::/8", true, 0xfd, 0, 8, 0, true},
        {"[fd00::]/8", true, 0xfd, 0, 8, 0, true},
        {"[::1]:3000", true, 0, 1, 128, 3000, true},
        {"::1", true, 0, 1, 128, 0, true},
        {"::/0", true, 0, 0, 0, 0, true},
        {"2001:db8::5/64", true, 0x20, 5, 64, 0, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct network network;
        if (!network_parse(bytes_of(rows[i].text), &network))
            fail_msg("%s is refused", rows[i].text);
        assert_int_equal(network.ipv6, rows[i].ipv6);
        assert_int_equal(network.address[0], rows[i].first);
        assert_int_equal(network.address[rows[i].ipv6 ? 15 : 3], rows[i].last);
        assert_int_equal(network.prefix, rows[i].prefix);
        assert_int_equal(network.port, rows[i].port);
        if (network_is_exact(&network) != rows[i].exact)
            fail_msg("%s: exact", rows[i].text);
    }
}

static void malformed(void **state)
{
    static const char *const rows[] = {
        "",
        "10",
        "10.0.0.0/",
        "10.0.0.0/33",
        "10.0.0.0/-1",
        "10.0.0.0/08",
        "10.0.0.0/8x",
        "10.0.0/8",
        "010.0.0.0/8",
        "0x0a.0.0.0",
        "10.0.0.0 /8",
        "localhost",
        "[::1",
        "::1]",
        "[10.0.0.1]",
        "fd00::/129",
        "fd00::%eth0",
        "10.0.0.0:0",
        "10.0.0.0:",
        "10.0.0.0:99999",
        "[]",
        "/8",
        ":80",
        "10.0.0.0/8/8",
    };
    struct network network;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (network_parse(bytes_of(rows[i]), &network))
            fail_msg("%s is taken", rows[i]);
    assert_false(network_parse((struct bytes){0}, &network));
}

static void addresses_alone(void **state)
{
    struct network network;
    assert_true(network_parse_address(bytes_of("192.0.2.1"), &network));
    assert_int_equal(network.prefix, 32);
    assert_true(network_parse_address(bytes_of("2001:db8::1"), &network));
    assert_int_equal(network.prefix, 128);
    static const char *const refused[] = {"", "192.0.2.1/32", "[2001:db8::1]", "192.0.2.1:80", "host"};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        assert_false(network_parse_address(bytes_of(refused[i]), &network));
}

static bool holds(const char *text, const char *address)
{
    struct network network, one;
    assert_true(network_parse(bytes_of(text), &network));
    assert_true(network_parse_address(bytes_of(address), &one));
    return network_holds(&network, one.ipv6, one.address);
}

static void holding(void **state)
{
    assert_true(holds("10.0.0.0/8", "10.255.255.255"));
    assert_false(holds("10.0.0.0/8", "11.0.0.0"));
    assert_true(holds("192.0.2.128/25", "192.0.2.128"));
    assert_true(holds("192.0.2.128/25", "192.0.2.255"));
    assert_false(holds("192.0.2.128/25", "192.0.2.127"));
    assert_true(holds("192.0.2.1", "192.0.2.1"));
    assert_false(holds("192.0.2.1", "192.0.2.0"));
    assert_true(holds("0.0.0.0/0", "203.0.113.9"));
    assert_true(holds("fd00::/8", "fdff::1"));
    assert_false(holds("fd00::/8", "fe00::1"));
    assert_true(holds("2001:db8:0:8::/61", "2001:db8:0:f::1"));
    assert_false(holds("2001:db8:0:8::/61", "2001:db8:0:10::1"));
    /* Never across families, not even where the bytes agree. */
    assert_false(holds("0.0.0.0/0", "::1"));
    assert_false(holds("::/0", "192.0.2.1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(forms), cmocka_unit_test(malformed),
                                       cmocka_unit_test(addresses_alone), cmocka_unit_test(holding)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
