#include "bytes.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

static void equality(void **state)
{
    assert_true(bytes_equal(bytes_of("abc"), bytes_of("abc")));
    assert_false(bytes_equal(bytes_of("abc"), bytes_of("abd")));
    assert_false(bytes_equal(bytes_of("abc"), bytes_of("ab")));
    assert_true(bytes_equal(bytes_of(""), bytes_make(NULL, 0)));
    assert_true(bytes_equal_text(bytes_make("abc", 2), "ab"));
    assert_true(bytes_equal_nocase(bytes_of("Content-TYPE"), "content-type"));
    assert_false(bytes_equal_nocase(bytes_of("a[z"), "a{z")); /* 0x5b and 0x7b are no letters */
    assert_false(bytes_equal_nocase(bytes_of("ab"), "abc"));
    assert_true(bytes_starts(bytes_of("https://"), "https:"));
    assert_false(bytes_starts(bytes_of("http"), "https"));
    assert_true(bytes_starts(bytes_make(NULL, 0), ""));
}

static void secrets(void **state)
{
    char a[64], b[64];
    memset(a, 'x', sizeof a);
    for (size_t i = 0; i < sizeof b; i++) {
        memset(b, 'x', sizeof b);
        assert_true(bytes_equal_secret(bytes_make(a, 64), bytes_make(b, 64)));
        b[i] = 'y';
        assert_false(bytes_equal_secret(bytes_make(a, 64), bytes_make(b, 64)));
    }
    assert_false(bytes_equal_secret(bytes_make(a, 64), bytes_make(a, 63)));
    assert_true(bytes_equal_secret(bytes_make(NULL, 0), bytes_make(NULL, 0)));
}

static void trimming(void **state)
{
    assert_true(bytes_equal_text(bytes_trim(bytes_of(" \t a b\t ")), "a b"));
    assert_int_equal(bytes_trim(bytes_of(" \t ")).len, 0);
    assert_true(bytes_equal_text(bytes_trim(bytes_of("\na")), "\na")); /* a line end is no blank */
}

static void integers(void **state)
{
    static const struct {
        const char *text;
        bool valid;
        int64_t value;
    } table[] = {
        {"0", true, 0},
        {"5", true, 5},
        {"9223372036854775807", true, INT64_MAX},
        {"9223372036854775808", false, 0},
        {"18446744073709551616", false, 0},
        {"99999999999999999999999", false, 0},
        {"", false, 0},
        {"00", false, 0},
        {"01", false, 0},
        {"-1", false, 0},
        {"+1", false, 0},
        {" 1", false, 0},
        {"1 ", false, 0},
        {"1e3", false, 0},
        {"0x1", false, 0},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        int64_t value = -7;
        assert_int_equal(bytes_to_int64(bytes_of(table[i].text), &value), table[i].valid);
        assert_int_equal(value, table[i].valid ? table[i].value : -7);
    }
}

/* Decodes by the definition (RFC 3629 section 3), encodes again, and wants the same bytes: a second
 * formulation that shares nothing with the ranges in bytes.c. */
static bool is_utf8_by_definition(const unsigned char *s, size_t len)
{
    uint32_t code;
    size_t tail;
    if (s[0] < 0x80)
        code = s[0], tail = 0;
    else if (s[0] >> 5 == 6)
        code = s[0] & 0x1f, tail = 1;
    else if (s[0] >> 4 == 14)
        code = s[0] & 0x0f, tail = 2;
    else if (s[0] >> 3 == 30)
        code = s[0] & 0x07, tail = 3;
    else
        return false;
    if (tail + 1 != len)
        return false;
    for (size_t i = 1; i <= tail; i++) {
        if (s[i] >> 6 != 2)
            return false;
        code = code << 6 | (s[i] & 0x3f);
    }
    static const uint32_t smallest[] = {0, 0x80, 0x800, 0x10000};
    return code >= smallest[tail] && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
}

static void integers_as_text(void **state)
{
    static const struct {
        int64_t value;
        const char *text;
    } table[] = {{0, "0"},
                 {7, "7"},
                 {10, "10"},
                 {-1, "-1"},
                 {1234567890123456789, "1234567890123456789"},
                 {INT64_MAX, "9223372036854775807"},
                 {INT64_MIN, "-9223372036854775808"}};
    char out[BYTES_INT64_LEN_MAX];
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        assert_true(bytes_equal_text(bytes_from_int64(table[i].value, out), table[i].text));
    for (int64_t value = 0; value < 12000; value++) {
        char text[8];
        snprintf(text, sizeof text, "%d", (int)value);
        assert_true(bytes_equal_text(bytes_from_int64(value, out), text));
    }
}

static void utf8_exhaustively_to_three_bytes(void **state)
{
    for (uint32_t i = 0; i < 1u << 24; i++) {
        unsigned char s[3] = {(unsigned char)(i >> 16), (unsigned char)(i >> 8), (unsigned char)i};
        size_t len = bytes_utf8_length(bytes_make(s, 3));
        size_t expected = 0;
        for (size_t k = 1; k <= 3 && !expected; k++)
            expected = is_utf8_by_definition(s, k) ? k : 0;
        if (len != expected)
            fail_msg("%02x %02x %02x: %zu, not %zu", s[0], s[1], s[2], len, expected);
    }
}

static void utf8_of_four_bytes(void **state)
{
    static const unsigned char edges[] = {0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff};
    for (int first = 0xe8; first <= 0xff; first++)
        for (int second = 0; second <= 0xff; second++)
            for (size_t k = 0; k < sizeof edges * sizeof edges; k++) {
                unsigned char s[4] = {(unsigned char)first, (unsigned char)second, edges[k / sizeof edges],
                                      edges[k % sizeof edges]};
                size_t len = bytes_utf8_length(bytes_make(s, 4));
                assert_int_equal(len == 4, is_utf8_by_definition(s, 4));
            }
    assert_true(bytes_are_utf8(bytes_of("señal \xf0\x9f\x98\x80")));
    assert_false(bytes_are_utf8(bytes_of("se\xf1"
                                         "al")));
    assert_false(bytes_are_utf8(bytes_make("\xf0\x9f\x98", 3)));
    assert_true(bytes_are_utf8(bytes_make(NULL, 0)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equality),           cmocka_unit_test(secrets),
        cmocka_unit_test(trimming),           cmocka_unit_test(integers),
        cmocka_unit_test(integers_as_text),   cmocka_unit_test(utf8_exhaustively_to_three_bytes),
        cmocka_unit_test(utf8_of_four_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
