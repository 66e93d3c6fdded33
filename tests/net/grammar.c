/* The characters of lines, checked against the RFC's own words, byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "grammar.h"
#include <ctype.h>

static void test_every_byte(void **state)
{
    for (int byte = 0; byte < 256; byte++) {
        char c = (char)byte;
        bool token = byte < 128 && (isalnum(byte) || (byte && strchr("!#$%&'*+-.^_`|~", byte)));
        assert_int_equal(grammar_is_token(c), token);
        assert_int_equal(grammar_is_token_text(bytes_make(&c, 1)), token);
        assert_int_equal(grammar_is_value(bytes_make(&c, 1)), (byte >= 0x20 && byte != 0x7f) || byte == '\t');
        int hex = byte >= '0' && byte <= '9'   ? byte - '0'
                  : byte >= 'a' && byte <= 'f' ? byte - 'a' + 10
                  : byte >= 'A' && byte <= 'F' ? byte - 'A' + 10
                                               : -1;
        assert_int_equal(grammar_hex_value(c), hex);
        assert_int_equal(grammar_line_run(bytes_make(&c, 1)), byte != '\r' && byte != '\n' && byte != 0);
    }
}

/* Whatever stands around it. */
static void test_every_place(void **state)
{
    for (int byte = 0; byte < 256; byte++) {
        for (size_t at = 0; at < 20; at++) {
            char text[20];
            memset(text, at % 2 ? 0xff : '~', sizeof text);
            text[at] = (char)byte;
            assert_int_equal(grammar_is_value(bytes_make(text, sizeof text)),
                             (byte >= 0x20 && byte != 0x7f) || byte == '\t');
            memset(text, 'x', sizeof text);
            text[at] = (char)byte;
            assert_int_equal(grammar_is_token_text(bytes_make(text, sizeof text)),
                             grammar_is_token((char)byte));
        }
    }
}

static void test_texts(void **state)
{
    assert_false(grammar_is_token_text(bytes_of("")));
    assert_true(grammar_is_token_text(bytes_of("Content-Length")));
    assert_false(grammar_is_token_text(bytes_of("Content Length")));
    assert_false(grammar_is_token_text(bytes_of("Host\t")));
    assert_true(grammar_is_value(bytes_of("")));
    assert_true(grammar_is_value(bytes_of("a\tb \xff")));
    assert_false(grammar_is_value(bytes_make("a\0", 2)));
    assert_int_equal(grammar_line_run(bytes_of("")), 0);
    assert_int_equal(grammar_line_run(bytes_of("abc")), 3);
    assert_int_equal(grammar_line_run(bytes_of("ab\nc\r")), 2);
    assert_int_equal(grammar_line_run(bytes_make("a\0b", 3)), 1);
}

static void test_lists(void **state)
{
    static const char *const with[] = {"close",  "Close",         " close ",  "keep-alive, close",
                                       "close,", ",,\tCLOSE\t,x", "a,close,b"};
    static const char *const without[] = {"",        ",",         "closed",    "clos", "close x",
                                          "x close", "\"close\"", "close;q=1", "a,b"};
    for (size_t i = 0; i < sizeof with / sizeof *with; i++)
        assert_true(grammar_list_has(bytes_of(with[i]), "close"));
    for (size_t i = 0; i < sizeof without / sizeof *without; i++)
        assert_false(grammar_list_has(bytes_of(without[i]), "close"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_byte),
        cmocka_unit_test(test_every_place),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
