#include "json_c.h"
#include "json_tree.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

/* The text is copied to a block of exactly its size, so that the sanitizers see one byte too many. */
static struct json_object *read_text(struct bytes text, bool lenient, struct json_reading *reading)
{
    char *copy = malloc(text.len ? text.len : 1);
    assert_non_null(copy);
    memcpy(copy, text.data, text.len);
    struct json_object *object = json_read(copy, text.len, lenient, reading);
    if (!lenient)
        assert_memory_equal(copy, text.data, text.len); /* not modified */
    free(copy);
    return object;
}

static void refused_at(const char *text, enum json_error error, int line, int column, const char *word)
{
    struct json_reading reading;
    struct json_object *object = read_text(bytes_of(text), true, &reading);
    if (object)
        fail_msg("accepted: %s", text);
    const struct json_problem *problem = &reading.problem;
    if (problem->error != error || problem->line != line || problem->column != column ||
        !strstr(problem->detail, word))
        fail_msg("%s: %s, not line %d, column %d, ...%s...: %s", text, problem->detail, line, column, word,
                 json_error_code(problem->error));
    char expected[64];
    snprintf(expected, sizeof expected, "line %d, column %d: ", line, column);
    assert_int_equal(strncmp(problem->detail, expected, strlen(expected)), 0);
}

/* Read, and written again. */
static void becomes(const char *text, const char *expected)
{
    struct json_reading reading;
    struct json_object *object = read_text(bytes_of(text), true, &reading);
    if (!object)
        fail_msg("%s: %s", text, reading.problem.detail);
    struct arena arena;
    struct text out;
    arena_init(&arena, 1 << 22);
    text_init(&out, &arena, 1 << 20);
    json_put(&out, object);
    assert_string_equal(out.data, expected);
    json_object_put(object);
    arena_fini(&arena);
}

/* The sample of the guide, as it stands there. */
static const char guide_sample[] =
    "{\n"
    "   \"data\" : {\n"
    "      \"type\" : \"events\",\n"
    "      // Events have a unique identifier you can store on your end to make sure\n"
    "      // you never handle the same event twice.\n"
    "      \"id\" : \"8\",\n"
    "      \"attributes\" : {\n"
    "         // The event_type can be used for dispatching.\n"
    "         // It's the general reason for the Event to be triggered.\n"
    "         // The associated 'resource' will depend on the event_type.\n"
    "         \"event_type\" : \"user_enabled\"%s\n"
    "\n"
    "         // This is the date in which the event happened.\n"
    "         \"created_at\" : \"2000-01-01T00:00:00.000Z\",\n"
    "\n"
    "         // This is the date in which the Event was sent to you the first time.\n"
    "         \"sent_at\" : \"2000-01-01T00:00:00.000Z\",\n"
    "      },\n"
    "      \"relationships\" : {\n"
    "         \"resource\" : {\n"
    "            \"data\" : {\n"
    "               \"type\" : \"concierge_requests\",\n"
    "               \"id\" : \"1\"\n"
    "            }\n"
    "         }\n"
    "      }\n"
    "   },\n"
    "   \"included\" : [\n"
    "     // The 'resource' attributes will be included. If that's not enough,\n"
    "     // you need to fetch its relationships you can always poll for the\n"
    "     // specific resource in your handler code.\n"
    "     %s\n"
    "   ]\n"
    "}\n";

static void the_guide_s_sample(void **state)
{
    char text[sizeof guide_sample + 16];
    struct json_reading reading;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(text, sizeof text, guide_sample, "", "...");
    refused_at(text, JSON_SYNTAX, 11, 39, "a comma is missing before \"created_at\"");
    snprintf(text, sizeof text, guide_sample, ",", "...");
    refused_at(text, JSON_SYNTAX, 32, 6, "three dots");
    snprintf(text, sizeof text, guide_sample, ",", "");
#pragma GCC diagnostic pop
    struct json_object *object = read_text(bytes_of(text), true, &reading);
    assert_non_null(object);
    assert_int_equal(reading.warning_count, 11);
    assert_int_equal(reading.warnings[0].kind, JSON_WARNING_COMMENT);
    assert_int_equal(reading.warnings[0].line, 4);
    assert_int_equal(reading.warnings[0].column, 7);
    assert_int_equal(reading.warnings[7].kind, JSON_WARNING_TRAILING_COMMA);
    assert_int_equal(reading.warnings[7].line, 17);
    assert_int_equal(reading.warnings[7].column, 48);
    struct bytes id;
    assert_true(json_get_text(json_get_object(object, "data"), "id", &id) && bytes_equal_text(id, "8"));
    json_object_put(object);
}

/* The body of the guide's curl. */
static void the_guide_s_curl(void **state)
{
    static const char body[] =
        "{\n    \"data\": {\n        \"id\": \"5\",\n        \"type\": \"users\",\n"
        "        \"attributes\": {\n            \"webhook_url\": \"https://example.com\",\n"
        "        }\n    }\n}";
    struct json_reading reading;
    json_object_put(read_text(bytes_of(body), true, &reading));
    assert_int_equal(reading.problem.error, JSON_OK);
    assert_int_equal(reading.warning_count, 1);
    assert_int_equal(reading.warnings[0].line, 6);
    assert_null(read_text(bytes_of(body), false, &reading));
    assert_int_equal(reading.problem.line, 6);
    assert_non_null(strstr(reading.problem.detail, "trailing comma"));
}

static void likely_fixes(void **state)
{
    refused_at("", JSON_EMPTY, 1, 1, "no JSON");
    refused_at(" \n ", JSON_EMPTY, 2, 2, "no JSON");
    refused_at("// only a comment", JSON_EMPTY, 1, 18, "no JSON");
    refused_at("{", JSON_SYNTAX, 1, 2, "the { of line 1, column 1 is still open");
    refused_at("{\"a\":\n [1", JSON_SYNTAX, 2, 4, "the [ of line 2, column 2 is still open");
    refused_at("{\"a\":1", JSON_SYNTAX, 1, 7, "still open");
    refused_at("{\"a\":", JSON_SYNTAX, 1, 6, "still open");
    refused_at("{\"a\"", JSON_SYNTAX, 1, 5, "still open");
    refused_at("[1,,2]", JSON_SYNTAX, 1, 4, "a value is missing");
    refused_at("[,1]", JSON_SYNTAX, 1, 2, "a value is missing");
    refused_at("[1,,]", JSON_SYNTAX, 1, 4, "a value is missing");
    refused_at("{\"a\":1,,}", JSON_SYNTAX, 1, 8, "one comma too many");
    refused_at("{,}", JSON_SYNTAX, 1, 2, "one comma too many");
    refused_at("{\"a\" 1}", JSON_SYNTAX, 1, 6, "a colon is missing after \"a\"");
    refused_at("{\"a\"=1}", JSON_SYNTAX, 1, 5, "a colon is missing after \"a\"");
    refused_at("{\"a\",1}", JSON_SYNTAX, 1, 5, "a colon is missing after \"a\"");
    refused_at("{\"a\":}", JSON_SYNTAX, 1, 6, "a value is missing");
    refused_at("{\"a\":1]", JSON_SYNTAX, 1, 7, "} was expected");
    refused_at("[1}", JSON_SYNTAX, 1, 3, "] was expected");
    refused_at("{\"a\":1,]", JSON_SYNTAX, 1, 8, "} was expected");
    refused_at("[\"a\":1]", JSON_SYNTAX, 1, 5, "a comma or ]");
    refused_at("{a:1}", JSON_SYNTAX, 1, 2, "double quotes");
    refused_at("{1:1}", JSON_SYNTAX, 1, 2, "double quotes");
    refused_at("{'a':1}", JSON_SYNTAX, 1, 2, "single quotes");
    refused_at("{\"a\":'b'}", JSON_SYNTAX, 1, 6, "single quotes");
    refused_at("{\"a\":b}", JSON_SYNTAX, 1, 6, "double quotes");
    refused_at("[\"a\" \"b\"]", JSON_SYNTAX, 1, 5, "a comma is missing");
    refused_at("[1 2]", JSON_SYNTAX, 1, 3, "a comma is missing");
    refused_at("{\"a\":{} \"b\":1}", JSON_SYNTAX, 1, 8, "a comma is missing before \"b\"");
    refused_at("{\"a\":1;\"b\":1}", JSON_SYNTAX, 1, 7, "a comma or }");
    refused_at("[True]", JSON_SYNTAX, 1, 2, "true in lower case");
    refused_at("[None]", JSON_SYNTAX, 1, 2, "null");
    refused_at("[undefined]", JSON_SYNTAX, 1, 2, "null");
    refused_at("[nulls]", JSON_SYNTAX, 1, 2, "double quotes");
    refused_at("[true1]", JSON_SYNTAX, 1, 6, "double quotes");
    refused_at("null", JSON_SYNTAX, 1, 1, "not null");
    refused_at("...", JSON_SYNTAX, 1, 1, "three dots");
    refused_at("{...}", JSON_SYNTAX, 1, 2, "three dots");
    refused_at("{\"a\":1, ...}", JSON_SYNTAX, 1, 9, "three dots");
    refused_at("[1 ...]", JSON_SYNTAX, 1, 4, "three dots");
    refused_at("[\xe2\x80\xa6]", JSON_SYNTAX, 1, 2, "three dots");
    refused_at("{\xe2\x80\x9c"
               "a\xe2\x80\x9d:1}",
               JSON_SYNTAX, 1, 2, "typographic");
    refused_at("{\xc2\xa0}", JSON_SYNTAX, 1, 2, "non-breaking");
    refused_at("# x\n{}", JSON_SYNTAX, 1, 1, "//");
    refused_at("/* x", JSON_SYNTAX, 1, 1, "*/");
    refused_at("/ x", JSON_SYNTAX, 1, 1, "JSON was expected");
    refused_at("[\"a]", JSON_SYNTAX, 1, 2, "no closing quote");
    refused_at("[\"a\n\"]", JSON_SYNTAX, 1, 2, "not closed on its line");
    refused_at("[\"a\tb\"]", JSON_SYNTAX, 1, 4, "\\t");
    refused_at("[\"a\x01\"]", JSON_SYNTAX, 1, 4, "\\u0001");
    refused_at("[\"\\x\"]", JSON_SYNTAX, 1, 3, "escape");
    refused_at("[\"\\u12g4\"]", JSON_SYNTAX, 1, 3, "four hex digits");
    refused_at("[\"\\", JSON_SYNTAX, 1, 3, "escape");
    refused_at("[\"\\u12", JSON_SYNTAX, 1, 3, "four hex digits");
    refused_at("{}{}", JSON_TRAILING, 1, 3, "document has ended");
    refused_at("{}}", JSON_TRAILING, 1, 3, "too many");
    refused_at("{}\n]", JSON_TRAILING, 2, 1, "too many");
    refused_at("{},", JSON_TRAILING, 1, 3, "document has ended");
}

static void numbers(void **state)
{
    refused_at("[01]", JSON_SYNTAX, 1, 2, "begin with 0");
    refused_at("[-01]", JSON_SYNTAX, 1, 2, "begin with 0");
    refused_at("[+1]", JSON_SYNTAX, 1, 2, "plus sign");
    refused_at("[.5]", JSON_SYNTAX, 1, 2, "digit before its decimal point");
    refused_at("[-.5]", JSON_SYNTAX, 1, 2, "digit is missing");
    refused_at("[1.]", JSON_SYNTAX, 1, 4, "digit is missing");
    refused_at("[1e]", JSON_SYNTAX, 1, 4, "exponent");
    refused_at("[1e+]", JSON_SYNTAX, 1, 5, "exponent");
    refused_at("[0x10]", JSON_SYNTAX, 1, 2, "hexadecimal");
    refused_at("[-]", JSON_SYNTAX, 1, 2, "digit is missing");
    refused_at("[-", JSON_SYNTAX, 1, 2, "digit is missing");
    refused_at("[NaN]", JSON_SYNTAX, 1, 2, "NaN");
    refused_at("[Infinity]", JSON_SYNTAX, 1, 2, "Infinity");
    refused_at("[-Infinity]", JSON_SYNTAX, 1, 2, "Infinity");
    refused_at("[1_000]", JSON_SYNTAX, 1, 3, "double quotes");
    refused_at("[1,5 2]", JSON_SYNTAX, 1, 5, "comma is missing");
    refused_at("[1-2]", JSON_SYNTAX, 1, 3, "the value ends here");
    becomes("[0,-1,5,1000000]", "[0,-1,5,1000000]");
    becomes("[9223372036854775807,-9223372036854775808,18446744073709551615]",
            "[9223372036854775807,-9223372036854775808,18446744073709551615]");
    refused_at("[18446744073709551616]", JSON_RANGE, 1, 2, "64 bits");
    refused_at("[-9223372036854775809]", JSON_RANGE, 1, 2, "64 bits");
    refused_at("[1, 100000000000000000000000]", JSON_RANGE, 1, 5, "64 bits");
    /* What is malformed goes before what is too large: 400 before 422. */
    refused_at("[99999999999999999999, x]", JSON_SYNTAX, 1, 24, "quotes");
}

/* Amounts have up to 14 decimals, and none may change on its way through. */
static void decimals_keep_their_text(void **state)
{
    static const char text[] = "[0.10,1.0,-0.0,1e400,1E5,1e-7,100.00000000000001,123456789.12345678901234,"
                               "0.1234567890123456789012345678901234567890]";
    becomes(text, text);
}

static void texts_come_through(void **state)
{
    becomes("{}", "{}");
    becomes(" [ ] ", "[]");
    becomes("5", "5");
    becomes("\"x\"", "\"x\"");
    becomes("true", "true");
    becomes("{\"b\":1,\"a\":[true,false,null,{\"c\":\"d\"}]}",
            "{\"b\":1,\"a\":[true,false,null,{\"c\":\"d\"}]}");
    becomes("[\"\\u00f1\\n\\/\\\"\\\\\\ud83d\\ude00\\u0000\"]", "[\"ñ\\n/\\\"\\\\😀\\u0000\"]");
    becomes("{\"__proto__\":1,\"constructor\":2,\"\":3}", "{\"__proto__\":1,\"constructor\":2,\"\":3}");
    becomes("{\"a\":1,/* b */\"c\":[2,],}// end", "{\"a\":1,\"c\":[2]}");
    becomes("[\"// no comment\",\"/* nor this */\",\",]\"]", "[\"// no comment\",\"/* nor this */\",\",]\"]");
    becomes("[1/**/,/**/2]", "[1,2]");
}

static void comments_keep_lines(void **state)
{
    refused_at("/* one\n two\n three */ x", JSON_SYNTAX, 3, 11, "quotes");
    refused_at("// one\r\n// two\r\n x", JSON_SYNTAX, 3, 2, "quotes");
}

static void lenient_is_two_things_only(void **state)
{
    struct json_reading reading;
    static const char *const texts[] = {"{}// c", "/* c */{}", "{\"a\":1,}", "[1,]"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct json_object *object = read_text(bytes_of(texts[i]), true, &reading);
        assert_non_null(object);
        json_object_put(object);
        assert_int_equal(reading.warning_count, 1);
        assert_null(read_text(bytes_of(texts[i]), false, &reading));
        assert_int_equal(reading.problem.error, JSON_SYNTAX);
    }
}

static void encodings(void **state)
{
    struct json_reading reading;
    refused_at("\xef\xbb\xbf{}", JSON_ENCODING, 1, 1, "byte order mark");
    refused_at("\xff\xfe{", JSON_ENCODING, 1, 1, "UTF-16");
    refused_at("\xfe\xff", JSON_ENCODING, 1, 1, "UTF-16");
    assert_null(read_text(bytes_make("{\0}\0", 4), true, &reading));
    assert_int_equal(reading.problem.error, JSON_ENCODING);
    assert_null(read_text(bytes_make("\0{\0}", 4), true, &reading));
    assert_int_equal(reading.problem.error, JSON_ENCODING);
    assert_null(read_text(bytes_make("{ \0}", 4), true, &reading));
    assert_int_equal(reading.problem.error, JSON_ENCODING);
    assert_null(read_text(bytes_make("[\"a\0\"]", 6), true, &reading));
    assert_int_equal(reading.problem.error, JSON_ENCODING);
    assert_null(read_text(bytes_make("[]//\0", 5), true, &reading));
    assert_int_equal(reading.problem.error, JSON_ENCODING);
    refused_at("[\"\x80\"]", JSON_ENCODING, 1, 3, "0x80");
    refused_at("[\"\xc3\"]", JSON_ENCODING, 1, 3, "UTF-8");
    refused_at("[\"\xed\xa0\x80\"]", JSON_ENCODING, 1, 3, "UTF-8");
    refused_at("[\xff]", JSON_ENCODING, 1, 2, "UTF-8");
    refused_at("// \xff\n[]", JSON_ENCODING, 1, 1, "UTF-8");
    refused_at("[\"\\ud800\"]", JSON_ENCODING, 1, 3, "surrogate");
    refused_at("[\"\\ud800\\u0041\"]", JSON_ENCODING, 1, 3, "surrogate");
    refused_at("[\"\\udc00\\udc00\"]", JSON_ENCODING, 1, 3, "surrogate");
    refused_at("[\"\\udc00\"]", JSON_ENCODING, 1, 3, "surrogate");
    refused_at("[\"\\ud800\\", JSON_ENCODING, 1, 3, "surrogate");
    refused_at("{\"a\\u0000\":1}", JSON_ENCODING, 1, 4, "u0000");
}

static void duplicates(void **state)
{
    refused_at("{\"a\":1,\"a\":2}", JSON_DUPLICATE, 1, 8, "\"a\" is there twice");
    refused_at("{\"a\":1,\n \"\\u0061\":2}", JSON_DUPLICATE, 2, 2, "twice");
    refused_at("{\"\\ud83d\\ude00\":1,\"😀\":2}", JSON_DUPLICATE, 1, 19, "twice");
    refused_at("{\"\\n\":1,\"\\u000A\":2}", JSON_DUPLICATE, 1, 9, "twice");
    refused_at("{\"x\":{\"a\":1,\"b\":{\"a\":1},\"a\":2}}", JSON_DUPLICATE, 1, 25, "twice");
    refused_at("{\"\":1,\"\":2}", JSON_DUPLICATE, 1, 7, "twice");
    becomes("{\"a\":{\"a\":{\"a\":1}},\"b\":{\"a\":2}}", "{\"a\":{\"a\":{\"a\":1}},\"b\":{\"a\":2}}");
    becomes("{\"a\":1,\"A\":2,\"a \":3,\"\\\\u0061\":4}", "{\"a\":1,\"A\":2,\"a \":3,\"\\\\u0061\":4}");
}

/* n members; number `twin` has the name of number 3. Names stand in an order that is not sorted. */
static char *many_members(int n, int twin, size_t *len)
{
    char *text = malloc((size_t)n * 20 + 3), *at = text;
    assert_non_null(text);
    *at++ = '{';
    for (int i = 0; i < n; i++)
        at += sprintf(at, "%s\"m%d\":0", i ? "," : "", (i == twin ? 3 : i) * 7919 % 100003);
    *at++ = '}';
    *len = (size_t)(at - text);
    return text;
}

static void duplicates_among_many(void **state)
{
    static const int counts[] = {11, 12, 13, 14, 63, 64, 65, 66, 1000, JSON_MEMBERS_MAX};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        struct json_reading reading;
        size_t len;
        char *text = many_members(counts[i], -1, &len);
        assert_int_equal(json_check(text, len, false, &reading), JSON_OK);
        free(text);
        text = many_members(counts[i], counts[i] - 1, &len);
        assert_int_equal(json_check(text, len, false, &reading), JSON_DUPLICATE);
        assert_int_equal(reading.problem.column, len - strlen("\"m23757\":0}") + 1);
        free(text);
    }
}

/* Of several the first in the text is named, in whatever order they were found. */
static void the_first_duplicate_is_named(void **state)
{
    struct json_reading reading;
    char text[400] = "{\"zz\":0,\"aa\":0";
    for (int i = 0; i < 20; i++)
        sprintf(text + strlen(text), ",\"m%c\":0", 'a' + i);
    size_t column = strlen(text) + 2;
    strcat(text, ",\"zz\":0,\"aa\":0}");
    assert_int_equal(json_check(text, strlen(text), false, &reading), JSON_DUPLICATE);
    assert_int_equal(reading.problem.column, column);
    assert_non_null(strstr(reading.problem.detail, "\"zz\""));
}

static void limits(void **state)
{
    struct json_reading reading;
    char text[400];
    for (int depth = JSON_DEPTH_MAX - 1; depth <= JSON_DEPTH_MAX + 1; depth++) {
        for (int kind = 0; kind < 2; kind++) {
            char *at = text;
            for (int i = 0; i < depth - 1; i++)
                at = stpcpy(at, kind ? "{\"\":" : "[");
            at = stpcpy(at, kind ? "{}" : "[]");
            for (int i = 0; i < depth - 1; i++)
                *at++ = kind ? '}' : ']';
            struct json_object *object = read_text(bytes_make(text, (size_t)(at - text)), true, &reading);
            assert_int_equal(reading.problem.error, depth <= JSON_DEPTH_MAX ? JSON_OK : JSON_DEPTH);
            json_object_put(object);
        }
    }
    size_t len;
    char *members = many_members(JSON_MEMBERS_MAX + 1, -1, &len);
    assert_int_equal(json_check(members, len, true, &reading), JSON_MEMBERS);
    free(members);
    len = 1000000;
    members = malloc(len);
    memset(members, '[', len);
    assert_int_equal(json_check(members, len, true, &reading), JSON_DEPTH);
    for (size_t i = 0; i < len; i++)
        members[i] = i ? i % 2 ? '1' : ',' : '[';
    assert_int_equal(json_check(members, len, true, &reading), JSON_MEMBERS);
    free(members);
}

static void warnings_beyond_the_array_are_counted(void **state)
{
    char text[200] = "[";
    struct json_reading reading;
    for (int i = 0; i < 30; i++)
        strcat(text, "/**/");
    strcat(text, "]");
    json_object_put(read_text(bytes_of(text), true, &reading));
    assert_int_equal(reading.problem.error, JSON_OK);
    assert_int_equal(reading.warning_count, 30);
}

/* Cut anywhere, changed anywhere: an answer every time, the same from json_check and json_read. */
static void cut_and_changed(void **state)
{
    static const char text[] =
        "{\"a\":[1,-2.5e3,true,\"x\\u00e9\\ud83d\\ude00\"],\"b\":{\"c\":null,},/*d*/\"e\":\"ñ\"}";
    for (size_t len = 0; len < sizeof text - 1; len++) {
        struct json_reading reading;
        assert_null(read_text(bytes_make(text, len), true, &reading));
        assert_int_not_equal(reading.problem.error, JSON_OK);
    }
    for (size_t i = 0; i < sizeof text - 1; i++) {
        for (int c = 0; c < 256; c++) {
            char changed[sizeof text], checked[sizeof text];
            memcpy(changed, text, sizeof text);
            changed[i] = (char)c;
            memcpy(checked, changed, sizeof text);
            struct json_reading reading, reading_too;
            struct json_object *object = read_text(bytes_make(changed, sizeof text - 1), true, &reading);
            enum json_error error = json_check(checked, sizeof text - 1, true, &reading_too);
            if ((object != NULL) != (error == JSON_OK))
                fail_msg("byte %zu as 0x%02x: json-c does not agree", i, c);
            json_object_put(object);
        }
    }
}

static void members(void **state)
{
    struct json_reading reading;
    struct json_object *object =
        read_text(bytes_of("{\"o\":{},\"a\":[],\"t\":\"x\\u0000y\",\"n\":1}"), true, &reading);
    struct bytes text = bytes_of("untouched");
    assert_non_null(json_get_object(object, "o"));
    assert_null(json_get_object(object, "a"));
    assert_non_null(json_get_array(object, "a"));
    assert_null(json_get_array(object, "o"));
    assert_false(json_get_text(object, "n", &text));
    assert_false(json_get_text(object, "none", &text));
    assert_true(bytes_equal_text(text, "untouched"));
    assert_true(json_get_text(object, "t", &text) && bytes_equal(text, bytes_make("x\0y", 3)));
    assert_null(json_get(NULL, "x"));
    assert_null(json_get(json_get(object, "n"), "x"));
    json_object_put(object);
}

static void pretty(void **state)
{
    struct json_reading reading;
    struct json_object *object =
        read_text(bytes_of("{\"a\":[1,{\"b\":{}}],\"c\":[],\"d,:{\\\"\":\"]\\\\\"}"), true, &reading);
    struct arena arena;
    struct text out;
    arena_init(&arena, 1 << 16);
    text_init(&out, &arena, 1 << 12);
    json_put_indented(&out, json_text(object));
    assert_string_equal(out.data, "{\n  \"a\": [\n    1,\n    {\n      \"b\": {}\n    }\n  ],\n  \"c\": "
                                  "[],\n  \"d,:{\\\"\": \"]\\\\\"\n}");
    json_object_put(object);
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_guide_s_sample),
        cmocka_unit_test(the_guide_s_curl),
        cmocka_unit_test(likely_fixes),
        cmocka_unit_test(numbers),
        cmocka_unit_test(decimals_keep_their_text),
        cmocka_unit_test(texts_come_through),
        cmocka_unit_test(comments_keep_lines),
        cmocka_unit_test(lenient_is_two_things_only),
        cmocka_unit_test(encodings),
        cmocka_unit_test(duplicates),
        cmocka_unit_test(duplicates_among_many),
        cmocka_unit_test(the_first_duplicate_is_named),
        cmocka_unit_test(limits),
        cmocka_unit_test(warnings_beyond_the_array_are_counted),
        cmocka_unit_test(cut_and_changed),
        cmocka_unit_test(members),
        cmocka_unit_test(pretty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
