#include "text.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

struct fixture {
    struct arena arena;
    struct text text;
};

static struct fixture *begin(size_t arena_max, size_t len_max)
{
    static struct fixture fixture;
    arena_fini(&fixture.arena);
    arena_init(&fixture.arena, arena_max);
    text_init(&fixture.text, &fixture.arena, len_max);
    return &fixture;
}

static void appends(void **state)
{
    struct text *text = &begin(1 << 20, 1000)->text;
    assert_int_equal(text_bytes(text).len, 0);
    text_puts(text, "a");
    text_putc(text, 'b');
    text_put(text, bytes_make("cd", 2));
    text_put(text, bytes_make(NULL, 0));
    text_printf(text, "-%d", 5);
    assert_string_equal(text->data, "abcd-5");
    assert_int_equal(text->len, 6);
    assert_false(text->overflow);
}

static void the_maximum_is_exact_and_overflow_stays(void **state)
{
    struct text *text = &begin(1 << 20, 10)->text;
    text_puts(text, "0123456789");
    assert_false(text->overflow);
    text_putc(text, 'x');
    assert_true(text->overflow);
    text_puts(text, "y");
    assert_string_equal(text->data, "0123456789");

    text = &begin(1 << 20, 10)->text;
    text_puts(text, "01234");
    text_puts(text, "56789abc");
    assert_true(text->overflow);
    assert_string_equal(text->data, "0123456789"); /* what fitted */
    text_printf(text, "%s", "");
    assert_true(text->overflow);
}

static void the_arena_s_maximum_counts_too(void **state)
{
    struct text *text = &begin(1000, 1 << 20)->text;
    for (int i = 0; i < 2000; i++)
        text_putc(text, 'x');
    assert_true(text->overflow);
    assert_true(text->len > 200 && text->len < 1000);
    assert_int_equal(strlen(text->data), text->len);
}

static void long_texts_grow(void **state)
{
    struct fixture *f = begin(1 << 22, 1 << 20);
    for (int i = 0; i < 1 << 20; i++) {
        text_putc(&f->text, (char)('a' + i % 26));
        if (i % 1000 == 0)
            arena_alloc(&f->arena, 1); /* in the way of growing in place */
    }
    assert_false(f->text.overflow);
    for (int i = 0; i < 1 << 20; i++)
        if (f->text.data[i] != (char)('a' + i % 26))
            fail_msg("byte %d", i);
    text_printf(&f->text, "%s", "");
    assert_false(f->text.overflow);
    text_printf(&f->text, "x");
    assert_true(f->text.overflow);
}

static void printf_of_any_length(void **state)
{
    struct text *text = &begin(1 << 20, 5000)->text;
    char long_piece[1001];
    memset(long_piece, 'y', 1000);
    long_piece[1000] = '\0';
    text_printf(text, "<%s>", long_piece);
    assert_int_equal(text->len, 1002);
    assert_int_equal(text->data[1001], '>');
    for (int i = 0; i < 5; i++)
        text_printf(text, "%s", long_piece);
    assert_true(text->overflow);
    assert_true(text->len <= 5000);
}

static void json_strings(void **state)
{
    struct text *text = &begin(1 << 20, 1000)->text;
    text_put_json(text, bytes_make("a\"b\\c/d\n\r\t\b\f\x01\x1f\x7f\0z", 17));
    text_put_json(text, bytes_of("ñ😀"));
    text_put_json(text, bytes_make(NULL, 0));
    assert_string_equal(text->data, "\"a\\\"b\\\\c/d\\n\\r\\t\\b\\f\\u0001\\u001f\x7f\\u0000z\"\"ñ😀\"\"\"");
}

static void printable(void **state)
{
    static const struct {
        const char *in, *out;
    } table[] = {
        {"plain ñ 😀 \"<script>\"", "plain ñ 😀 \"<script>\""},
        {"\x1b[31m", "\\x1b[31m"},
        {"a\nb\rc\td", "a\\x0ab\\x0dc\\x09d"},
        {"\x7f", "\\x7f"},
        {"\xff\xfe", "\\xff\\xfe"},
        {"\xc3", "\\xc3"},
        {"\xe2\x80\xae"
         "evil",
         "\\xe2\\x80\\xaeevil"},             /* U+202E */
        {"\xe2\x81\xa6", "\\xe2\\x81\\xa6"}, /* U+2066 */
        {"\xe2\x80\xa8", "\\xe2\\x80\\xa8"}, /* U+2028 */
        {"\xc2\x9b"
         "31m",
         "\\xc2\\x9b31m"}, /* C1: CSI in one character */
        {"\xd8\x9c", "\\xd8\\x9c"},
        {"\xef\xbb\xbf", "\\xef\\xbb\\xbf"},
        {"\xc2\xa0", "\xc2\xa0"},
        {"C:\\x1b \"q\"", "C:\\\\x1b \"q\""}, /* not the same as an ESC */
        {"\xe2\x80\x9c", "\xe2\x80\x9c"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct text *text = &begin(1 << 16, 1000)->text;
        text_put_printable(text, bytes_of(table[i].in));
        assert_string_equal(text->data, table[i].out);
    }
    struct text *text = &begin(1 << 16, 1000)->text;
    text_put_printable(text, bytes_make("\0", 1));
    assert_string_equal(text->data, "\\x00");
}

/* Issue 8.15: no two texts look the same. */
static void test_8_15_what_is_quoted_can_be_read_back(void **state)
{
    struct text *text = &begin(1 << 16, 1000)->text;
    text_put_quoted(text, bytes_of("\\x1b\x1b\\ \"\n"));
    assert_string_equal(text->data, "\"\\\\x1b\\x1b\\\\ \"\\x0a\"");
    text = &begin(1 << 16, 1000)->text;
    text_put_escaped(text, bytes_of("it begins with \"\\x1b\"\x1b"));
    assert_string_equal(text->data, "it begins with \"\\x1b\"\\x1b");
}

/* Issue 8.27: every control, format and blank character, by the lists of Unicode's categories. */
static void test_8_27_characters_that_are_not_seen(void **state)
{
    static const char *const hidden[] = {
        "\u00ad", "\u061c", "\u070f",     "\u180e",     "\u200b",     "\u200e",     "\u200f",
        "\u202a", "\u202b", "\u202c",     "\u202d",     "\u202e",     "\u2028",     "\u2029",
        "\u2060", "\u2066", "\u2067",     "\u2068",     "\u2069",     "\ufeff",     "\ufff9",
        "\ufffb", "\u3164", "\U000e0001", "\U000e0041", "\U0001d173", "\U000110bd", "\u0600",
    };
    static const char *const seen[] = {"\u00ae", "\u05be",     "\u0621", "\u06dc", "\u2010",
                                       "\u2027", "\u202f",     "\u205f", "\u2070", "\ufffc",
                                       "\ufffd", "\U0001f600", "\ufe0f", "\u4e2d"};
    for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++) {
        struct text *text = &begin(1 << 16, 1000)->text;
        text_put_printable(text, bytes_of(hidden[i]));
        if (text->data[0] != '\\')
            fail_msg("%zu: %s", i, text->data);
        text = &begin(1 << 16, 1000)->text;
        text_put_json_shown(text, bytes_of(hidden[i]));
        if (text->data[0] != '\\' || text->data[1] != 'u')
            fail_msg("%zu: %s", i, text->data);
    }
    for (size_t i = 0; i < sizeof seen / sizeof *seen; i++) {
        struct text *text = &begin(1 << 16, 1000)->text;
        text_put_printable(text, bytes_of(seen[i]));
        assert_string_equal(text->data, seen[i]);
    }
}

static void test_8_27_json_says_what_it_said(void **state)
{
    static const struct {
        const char *in, *out;
    } table[] = {{"{\n  \"a\": \"ñ\u202e\"\n}", "{\n  \"a\": \"ñ\\u202e\"\n}"},
                 {"\"\x7f\"", "\"\\u007f\""},
                 {"\"\xc2\x9b\"", "\"\\u009b\""},
                 {"\"\U000e0041\"", "\"\\udb40\\udc41\""},
                 {"\"\xff\"", "\"\\ufffd\""},
                 {"\"\\u001b\"", "\"\\u001b\""},
                 {"", ""}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct text *text = &begin(1 << 16, 1000)->text;
        text_puts(text, "");
        text_put_json_shown(text, bytes_of(table[i].in));
        assert_string_equal(text->data, table[i].out);
    }
}

static int end(void **state)
{
    begin(1, 1);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appends),
        cmocka_unit_test(the_maximum_is_exact_and_overflow_stays),
        cmocka_unit_test(the_arena_s_maximum_counts_too),
        cmocka_unit_test(long_texts_grow),
        cmocka_unit_test(printf_of_any_length),
        cmocka_unit_test(json_strings),
        cmocka_unit_test(printable),
        cmocka_unit_test(test_8_15_what_is_quoted_can_be_read_back),
        cmocka_unit_test(test_8_27_characters_that_are_not_seen),
        cmocka_unit_test(test_8_27_json_says_what_it_said),
    };
    return cmocka_run_group_tests(tests, NULL, end);
}
