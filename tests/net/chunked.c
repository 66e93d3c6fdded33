/* Chunked bodies: well and badly framed ones, in all possible cuts; limits exactly at their edge. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "chunked.h"
#include <stdio.h>
#include <stdlib.h>

enum { CONTENT_MAX = 4096 };

struct outcome {
    enum chunked_state state;
    size_t used, len;
    char content[CONTENT_MAX];
};

static bool is_over(const struct chunked *chunked)
{
    return chunked->state == CHUNKED_DONE || chunked->state == CHUNKED_BROKEN;
}

/* In pieces of `first` bytes, then of `others`. */
static void run(struct bytes text, size_t first, size_t others, struct outcome *outcome)
{
    struct chunked chunked;
    chunked_init(&chunked);
    *outcome = (struct outcome){0};
    for (size_t end = first; !is_over(&chunked) && outcome->used < text.len; end += others) {
        if (end > text.len || end < first)
            end = text.len;
        while (outcome->used < end && !is_over(&chunked)) {
            struct bytes content, piece = bytes_make(text.data + outcome->used, end - outcome->used);
            size_t used = chunked_step(&chunked, piece, &content);
            assert_true(used <= piece.len && content.len <= used);
            assert_true(used > 0 || is_over(&chunked));
            assert_true(outcome->len + content.len < CONTENT_MAX);
            if (content.len > 0)
                memcpy(outcome->content + outcome->len, content.data, content.len);
            outcome->len += content.len;
            outcome->used += used;
        }
    }
    outcome->state = chunked.state;
}

struct body {
    const char *text;
    size_t len;
    const char *content; /* NULL: broken */
    size_t rest;         /* bytes that are not its own any more */
};
#define RAW(text) text, sizeof text - 1

static const struct body bodies[] = {
    {RAW("0\r\n\r\n"), "", 0},
    {RAW("5\r\nhello\r\n0\r\n\r\n"), "hello", 0},
    {RAW("5\r\nhello\r\n0\r\n\r\nGET /"), "hello", 5},
    {RAW("00005\r\nhello\r\n000\r\n\r\n"), "hello", 0},
    {RAW("a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n"), "01234567890123456789", 0},
    {RAW("2;a=b;c=\"d e\"\r\nhi\r\n0;x\r\n\r\n"), "hi", 0},
    {RAW("2 ;a\r\nhi\r\n0\t\r\n\r\n"), "hi", 0},
    {RAW("2\r\n\r\n\r\n0\r\n\r\n"), "\r\n", 0},
    {RAW("1\r\nx\r\n0\r\nA: b\r\nC:\r\n\r\n"), "x", 0},
    {RAW("\r\n"), NULL, 0},
    {RAW(";x\r\n"), NULL, 0},
    {RAW(" 5\r\nhello\r\n"), NULL, 0},
    {RAW("+5\r\nhello\r\n"), NULL, 0},
    {RAW("-0\r\n\r\n"), NULL, 0},
    {RAW("0x5\r\nhello\r\n"), NULL, 0},
    {RAW("5\nhello\r\n"), NULL, 0},
    {RAW("5\r\rhello\r\n"), NULL, 0},
    {RAW("5;\nhello\r\n"), NULL, 0},
    {RAW("5;a\0b\r\nhello\r\n"), NULL, 0},
    {RAW("5,5\r\nhello\r\n"), NULL, 0},
    {RAW("5\r\nhello!\r\n"), NULL, 0},
    {RAW("5\r\nhell\r\n0\r\n\r\n"), NULL, 0},
    {RAW("5\r\nhello\n0\r\n\r\n"), NULL, 0},
    {RAW("5\r\nhello\r0\r\n\r\n"), NULL, 0},
    {RAW("5\r\nhello0\r\n\r\n"), NULL, 0},
    {RAW("0\r\n\n"), NULL, 0},
    {RAW("0\r\n X: folded\r\n\r\n"), NULL, 0},
    {RAW("0\r\nX: y\n\r\n"), NULL, 0},
    {RAW("0\r\n: y\r\n\r\n"), NULL, 0},
    {RAW("0\r\nX: y\r\r\n\r\n"), NULL, 0},
    {RAW("0\r\n\rX"), NULL, 0},
    {RAW("1000000000000000\r\n"), NULL, 0}, /* 16 digits */
    {RAW("8000000000000000\r\n"), NULL, 0},
    {RAW("fffffffffffffffff\r\n"), NULL, 0},
};

static void test_bodies_in_all_cuts(void **state)
{
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        struct bytes text = bytes_make(bodies[i].text, bodies[i].len);
        struct outcome whole, cut;
        run(text, text.len, 1, &whole);
        if (whole.state != (bodies[i].content ? CHUNKED_DONE : CHUNKED_BROKEN))
            fail_msg("body %zu: state %d", i, (int)whole.state);
        if (bodies[i].content) {
            assert_int_equal(whole.len, strlen(bodies[i].content));
            assert_memory_equal(whole.content, bodies[i].content, whole.len);
            assert_int_equal(text.len - whole.used, bodies[i].rest);
        }
        for (size_t first = 1; first <= text.len; first++)
            for (size_t others = 1; others <= text.len; others++) {
                run(text, first, others, &cut);
                assert_int_equal(cut.state, whole.state);
                assert_int_equal(cut.len, whole.len);
                assert_memory_equal(cut.content, whole.content, whole.len);
                if (whole.state == CHUNKED_DONE)
                    assert_int_equal(cut.used, whole.used);
            }
    }
}

/* Whatever is missing at the end: neither done nor broken. */
static void test_cut_off(void **state)
{
    static const char text[] = "2;x\r\nhi\r\n0\r\nA: b\r\n\r\n";
    struct outcome outcome;
    for (size_t len = 1; len + 1 < sizeof text; len++) {
        run(bytes_make(text, len), len, 1, &outcome);
        assert_true(outcome.state != CHUNKED_DONE && outcome.state != CHUNKED_BROKEN);
    }
}

static enum chunked_state state_after(const char *before, char fill, size_t count, const char *after,
                                      size_t piece)
{
    char *text = malloc(strlen(before) + count + strlen(after));
    size_t len = strlen(before);
    struct outcome outcome;
    memcpy(text, before, len);
    memset(text + len, fill, count);
    memcpy(text + len + count, after, strlen(after));
    len += count + strlen(after);
    run(bytes_make(text, len), piece, piece, &outcome);
    free(text);
    return outcome.state;
}

static void test_limits_at_the_edge(void **state)
{
    static const size_t pieces[] = {1, 7, 8191, 8192, 8193, 65536};
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        /* An extension, from behind its ';', and a trailer, from behind its first byte, with their CR. */
        size_t edge = CHUNKED_LINE_LEN_MAX;
        assert_int_equal(state_after("0;", 'x', edge - 1, "\r\n\r\n", pieces[i]), CHUNKED_DONE);
        assert_int_equal(state_after("0;", 'x', edge, "\r\n\r\n", pieces[i]), CHUNKED_BROKEN);
        assert_int_equal(state_after("0\r\nA", 'x', CHUNKED_LINE_LEN_MAX - 1, "\r\n\r\n", pieces[i]),
                         CHUNKED_DONE);
        assert_int_equal(state_after("0\r\nA", 'x', CHUNKED_LINE_LEN_MAX, "\r\n\r\n", pieces[i]),
                         CHUNKED_BROKEN);
        /* Leading zeros count as digits. */
        assert_int_equal(state_after("", '0', CHUNKED_DIGITS_MAX, "\r\n\r\n", pieces[i]), CHUNKED_DONE);
        assert_int_equal(state_after("", '0', CHUNKED_DIGITS_MAX + 1, "\r\n\r\n", pieces[i]), CHUNKED_BROKEN);
    }
    for (int trailers = CHUNKED_TRAILERS_MAX; trailers <= CHUNKED_TRAILERS_MAX + 1; trailers++) {
        char text[2048] = "0\r\n";
        struct outcome outcome;
        for (int i = 0; i < trailers; i++)
            strcat(text, "a:\r\n");
        strcat(text, "\r\n");
        run(bytes_of(text), strlen(text), 1, &outcome);
        assert_int_equal(outcome.state, trailers == CHUNKED_TRAILERS_MAX ? CHUNKED_DONE : CHUNKED_BROKEN);
    }
}

/* The largest size there is: taken as it says, without an overflow. */
static void test_largest_chunk(void **state)
{
    struct chunked chunked;
    struct bytes content, size = bytes_of("fffffffffffffff\r\n");
    chunked_init(&chunked);
    while (size.len > 0) {
        size_t used = chunked_step(&chunked, size, &content);
        size = bytes_make(size.data + used, size.len - used);
    }
    assert_int_equal(chunked.state, CHUNKED_DATA);
    assert_true(chunked.left == 0xfffffffffffffff);
    assert_int_equal(chunked_step(&chunked, bytes_of("abc"), &content), 3);
    assert_int_equal(content.len, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bodies_in_all_cuts),
        cmocka_unit_test(test_cut_off),
        cmocka_unit_test(test_limits_at_the_edge),
        cmocka_unit_test(test_largest_chunk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
