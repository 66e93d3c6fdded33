#include "json_tree.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

/* A text in a block of exactly its size, so that the sanitizers see one byte too many, and its tree. */
struct reading {
    struct arena arena;
    char *text;
    struct json_value *root;
    struct json_reading said;
};

static void read_bytes(struct reading *reading, struct bytes text, bool lenient)
{
    arena_init(&reading->arena, 4 << 20);
    reading->text = malloc(text.len ? text.len : 1);
    assert_non_null(reading->text);
    memcpy(reading->text, text.data, text.len);
    reading->root = json_tree_read(&reading->arena, reading->text, text.len, lenient, &reading->said);
}

static void read_text(struct reading *reading, const char *text)
{
    read_bytes(reading, bytes_of(text), true);
    if (!reading->root)
        fail_msg("%s: %s", text, reading->said.problem.detail);
}

static void forget(struct reading *reading)
{
    free(reading->text);
    arena_fini(&reading->arena);
}

static void written_as(struct reading *reading, const char *expected)
{
    struct text out;
    text_init(&out, &reading->arena, 1 << 20);
    json_tree_put(&out, reading->root);
    assert_string_equal(out.data, expected);
}

static void test_every_kind(void **state)
{
    struct reading reading;
    read_text(
        &reading,
        "{\"n\":null,\"t\":true,\"f\":false,\"i\":-12,\"d\":1.50e+2,\"s\":\"x\",\"a\":[1,[]],\"o\":{}}");
    static const struct {
        const char *name;
        enum json_kind kind;
    } members[] = {{"n", JSON_NULL},    {"t", JSON_TRUE},   {"f", JSON_FALSE}, {"i", JSON_INTEGER},
                   {"d", JSON_DECIMAL}, {"s", JSON_STRING}, {"a", JSON_ARRAY}, {"o", JSON_OBJECT}};
    assert_int_equal(reading.root->count, 8);
    const struct json_value *at = reading.root->first;
    for (size_t i = 0; i < sizeof members / sizeof *members; i++, at = at->next) {
        assert_ptr_equal(at, json_member(reading.root, members[i].name)); /* in their order */
        assert_true(json_is(at, members[i].kind));
        assert_ptr_equal(json_member_of_kind(reading.root, members[i].name, members[i].kind), at);
        assert_null(
            json_member_of_kind(reading.root, members[i].name, members[i].kind ? JSON_NULL : JSON_TRUE));
    }
    assert_null(at);
    assert_int_equal(json_member(reading.root, "a")->count, 2);
    assert_true(bytes_equal_text(json_member(reading.root, "d")->text, "1.50e+2"));
    struct bytes text = {0};
    assert_true(json_member_text(reading.root, "s", &text) && bytes_equal_text(text, "x"));
    assert_false(json_member_text(reading.root, "i", &text));
    forget(&reading);
}

static void test_nothing_is_no_surprise(void **state)
{
    struct reading reading;
    struct bytes text;
    read_text(&reading, "[1]");
    assert_null(json_member(NULL, "x"));
    assert_null(json_member(reading.root, "x"));
    assert_false(json_is(NULL, JSON_NULL));
    assert_false(json_member_text(NULL, "x", &text));
    forget(&reading);
    read_text(&reading, "{\"x\":1,\"xy\":2}");
    assert_null(json_member(reading.root, ""));
    assert_null(json_member(reading.root, "xyz"));
    assert_true(bytes_equal_text(json_member(reading.root, "xy")->text, "2"));
    forget(&reading);
}

static void test_texts_as_they_are_meant(void **state)
{
    struct reading reading;
    struct bytes text = {0};
    read_text(&reading, "{\"\\u0061\":\"\\ud83d\\ude00\\n\\u0000\\/\",\"b\":\"\xc3\xa9\"}");
    assert_true(json_member_text(reading.root, "a", &text));
    assert_int_equal(text.len, 7);
    assert_memory_equal(text.data, "\xf0\x9f\x98\x80\n\0/", 7);
    assert_true(json_member_text(reading.root, "b", &text) && bytes_equal_text(text, "\xc3\xa9"));
    assert_true(text.data > reading.text && text.data < reading.text + 48); /* a view: nothing was copied */
    written_as(&reading, "{\"a\":\"\xf0\x9f\x98\x80\\n\\u0000/\",\"b\":\"\xc3\xa9\"}");
    forget(&reading);
}

static void test_lenient_texts(void **state)
{
    struct reading reading;
    read_text(&reading, "{ // one\n \"a\" : [ 1 , 2 , ] , /* two */ }");
    written_as(&reading, "{\"a\":[1,2]}");
    assert_int_equal(reading.said.warning_count, 4);
    forget(&reading);
    read_bytes(&reading, bytes_of("{\"a\":1,}"), false);
    assert_null(reading.root);
    assert_int_equal(reading.said.problem.error, JSON_SYNTAX);
    forget(&reading);
}

static void test_integers(void **state)
{
    static const struct {
        const char *text;
        bool fits;
        int64_t number;
    } cases[] = {{"0", true, 0},
                 {"-0", true, 0},
                 {"-1", true, -1},
                 {"9223372036854775807", true, INT64_MAX},
                 {"-9223372036854775807", true, -INT64_MAX},
                 {"9223372036854775808", false, 0},
                 {"18446744073709551615", false, 0},
                 {"1.0", true, 1},
                 {"-20.000", true, -20},
                 {"9223372036854775808.0", false, 0},
                 {"1.5", false, 0},
                 {"1.50", false, 0},
                 {"1.0e1", false, 0},
                 {"1e20", false, 0},
                 {"1e2", false, 0},
                 {"\"1\"", false, 0},
                 {"true", false, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct reading reading;
        int64_t number = 77;
        read_text(&reading, cases[i].text);
        assert_int_equal(json_integer(reading.root, &number), cases[i].fits);
        assert_int_equal(number, cases[i].fits ? cases[i].number : 77);
        written_as(&reading, cases[i].text);
        forget(&reading);
    }
    assert_false(json_integer(NULL, &(int64_t){0}));
}

static void test_changes(void **state)
{
    struct reading reading, more;
    read_text(&reading, "{\"a\":1,\"b\":2,\"c\":3}");
    read_text(&more, "{\"b\":{\"x\":[1]},\"d\":\"new\"}");
    for (const struct json_value *member = more.root->first; member; member = member->next)
        assert_true(json_set_member(&reading.arena, reading.root, member));
    written_as(&reading, "{\"a\":1,\"b\":{\"x\":[1]},\"c\":3,\"d\":\"new\"}");
    assert_int_equal(reading.root->count, 4);
    written_as(&more, "{\"b\":{\"x\":[1]},\"d\":\"new\"}"); /* who gave keeps what is theirs */

    struct json_value *part = json_add_object(&reading.arena, reading.root, "e\"");
    assert_true(json_set_member(&reading.arena, part, json_member(reading.root, "a")));
    json_become_string(json_member(reading.root, "c"), bytes_of("\"3\""));
    written_as(&reading, "{\"a\":1,\"b\":{\"x\":[1]},\"c\":\"\\\"3\\\"\",\"d\":\"new\",\"e\\\"\":{\"a\":1}}");
    forget(&more);
    forget(&reading);
}

/* The deepest and the widest there may be, and an arena that is too small for it. */
static void test_limits(void **state)
{
    struct reading reading;
    char deep[2 * JSON_DEPTH_MAX + 1];
    memset(deep, '[', JSON_DEPTH_MAX);
    memset(deep + JSON_DEPTH_MAX, ']', JSON_DEPTH_MAX);
    deep[sizeof deep - 1] = '\0';
    read_text(&reading, deep);
    written_as(&reading, deep);
    forget(&reading);

    char *wide = malloc(2 * JSON_MEMBERS_MAX + 2), *at = wide;
    for (int i = 0; i < JSON_MEMBERS_MAX; i++)
        at += sprintf(at, "%s1", i ? "," : "[");
    sprintf(at, "]");
    read_text(&reading, wide);
    assert_int_equal(reading.root->count, JSON_MEMBERS_MAX);
    written_as(&reading, wide);
    forget(&reading);
    struct arena small;
    for (size_t size = 0; size < 4096; size += 64) {
        char *copy = strdup(wide);
        arena_init(&small, size);
        assert_null(json_tree_read(&small, copy, strlen(copy), true, &reading.said));
        assert_int_equal(reading.said.problem.error, JSON_MEMBERS);
        arena_fini(&small);
        free(copy);
    }
    free(wide);
    char escaped[] = "{\"\\u0061\\u0061\":\"\\n\\n\\n\\n\\n\\n\"}";
    for (size_t size = 0; size < 512; size++) {
        char copy[sizeof escaped];
        memcpy(copy, escaped, sizeof copy);
        arena_init(&small, size);
        const struct json_value *root = json_tree_read(&small, copy, sizeof copy - 1, true, &reading.said);
        assert_true(root || reading.said.problem.error == JSON_MEMBERS);
        arena_fini(&small);
    }
}

static void test_copies_end_their_strings(void **state)
{
    static const char given[] = "{\"a\": \"\\u0062\", \"l\": [1.50, {}, []], \"yes\": true, \"n\": 12}";
    struct json_reading said;
    struct arena arena;
    struct text out;
    arena_init(&arena, 1 << 16);
    const struct json_value *root = json_tree_read_copy(&arena, bytes_of(given), &said);
    assert_non_null(root);
    assert_string_equal(root->first->name.data, "a");
    assert_string_equal(json_member_string(root, "a"), "b");
    assert_null(json_member_string(root, "n"));
    assert_true(json_member_flag(root, "yes"));
    assert_false(json_member_flag(root, "a"));
    assert_int_equal(json_member_integer(root, "n", 7), 12);
    assert_int_equal(json_member_integer(root, "none", 7), 7);
    assert_null(json_first(NULL));
    text_init(&out, &arena, 1 << 12);
    json_tree_put_pretty(&out, root);
    assert_string_equal(out.data, "{\n  \"a\": \"b\",\n  \"l\": [\n    1.50,\n    {},\n    []\n  ],\n"
                                  "  \"yes\": true,\n  \"n\": 12\n}");
    assert_null(json_tree_read_copy(&arena, bytes_of("{"), &said));
    assert_int_equal(said.problem.error, JSON_SYNTAX);
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kind),
        cmocka_unit_test(test_nothing_is_no_surprise),
        cmocka_unit_test(test_texts_as_they_are_meant),
        cmocka_unit_test(test_lenient_texts),
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_copies_end_their_strings),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
