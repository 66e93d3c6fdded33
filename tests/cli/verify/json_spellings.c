#include "json_spellings.h"
#include "json_c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

enum { LEN_MAX = 4096 };

static const char *const documents[] = {
    "{}",
    "[]",
    "\"a\"",
    "{\"a\":[1,-2.50,1e5,true,false,null],\"b\":{},\"c\":[{},[]],\"d\":{\"e\":\"f\"}}",
    "{\"\\u00e9\\n\\u0001\\\"\\\\\\/\":\"\\ud834\\udd1e \\b\\f\\r\\t/\"}",
    "{ \"a\" :\t[ 1 , { \"b\" : [ ] } ]\r\n}",
    "{\"\xC3\xA9\":\"\xF0\x9D\x84\x9E \xE2\x82\xAC \x7F\"}",
};

static struct json_object *parse(const char *text, size_t len)
{
    struct json_reading reading;
    char copy[LEN_MAX];

    memcpy(copy, text, len);
    copy[len] = '\0';
    struct json_object *value = json_read(copy, len, false, &reading);
    assert_non_null(value);
    return value;
}

static void every_way_is_the_same_data(void **state)
{
    for (size_t i = 0; i < sizeof documents / sizeof *documents; i++) {
        struct json_object *expected = parse(documents[i], strlen(documents[i]));
        for (int way = 0; way < json_spellings_count(); way++) {
            struct arena arena;
            struct text out;
            arena_init(&arena, 4 * LEN_MAX);
            text_init(&out, &arena, LEN_MAX);
            json_spellings_put(&out, bytes_of(documents[i]), way);
            assert_false(out.overflow);
            struct json_object *value = parse(out.data, out.len);
            assert_true(json_object_equal(value, expected));
            json_object_put(value);
            arena_fini(&arena);
        }
        json_object_put(expected);
    }
}

/* Is `expected` among the ways of writing `json`? */
static bool can_be(const char *json, const char *expected)
{
    bool found = false;

    for (int way = 0; way < json_spellings_count() && !found; way++) {
        struct arena arena;
        struct text out;
        arena_init(&arena, 4 * LEN_MAX);
        text_init(&out, &arena, LEN_MAX);
        json_spellings_put(&out, bytes_of(json), way);
        found = bytes_equal_text(text_bytes(&out), expected);
        assert_non_null(json_spellings_name(way));
        arena_fini(&arena);
    }
    return found;
}

static void programs_write_it_as_they_do(void **state)
{
    static const char source[] = "{\"a\": [1.0, {}],\n \"b\": \"\\u00e9/\xF0\x9D\x84\x9E\", \"c\": []}";

    static const char *const written[] = {
        /* JSON.stringify */
        "{\"a\":[1.0,{}],\"b\":\"\xC3\xA9/\xF0\x9D\x84\x9E\",\"c\":[]}",
        "{\n  \"a\": [\n    1.0,\n    {}\n  ],\n  \"b\": \"\xC3\xA9/\xF0\x9D\x84\x9E\",\n  \"c\": []\n}",
        /* json.dumps */
        "{\"a\": [1.0, {}], \"b\": \"\\u00e9/\\ud834\\udd1e\", \"c\": []}",
        /* json_encode */
        "{\"a\":[1.0,{}],\"b\":\"\\u00e9\\/\\ud834\\udd1e\",\"c\":[]}",
        /* jq --tab */
        "{\n\t\"a\": [\n\t\t1.0,\n\t\t{}\n\t],\n\t\"b\": \"\xC3\xA9/\xF0\x9D\x84\x9E\",\n\t\"c\": []\n}\n",
    };
    for (size_t i = 0; i < sizeof written / sizeof *written; i++)
        assert_true(can_be(source, written[i]));
    assert_false(can_be(source, "{\"a\":[1,{}],\"b\":\"\xC3\xA9/\xF0\x9D\x84\x9E\",\"c\":[]}"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_way_is_the_same_data),
        cmocka_unit_test(programs_write_it_as_they_do),
    };
    return cmocka_run_group_tests_name("cli/verify/json_spellings", tests, NULL, NULL);
}
