#include "event.h"

#include <json-c/json.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static enum posthorn_result parse(const char *body, struct posthorn_problem *problem)
{
    struct posthorn_event *event = NULL;
    enum posthorn_result result = posthorn_parse(body, strlen(body), &event, problem);

    assert_true((event != NULL) == (result == POSTHORN_OK));
    posthorn_event_free(event);
    return result;
}

static void assert_text(struct posthorn_text text, const char *expected)
{
    assert_int_equal(text.len, strlen(expected));
    assert_memory_equal(text.data, expected, text.len);
    assert_int_equal(text.data[text.len], '\0');
}

/* The guide's sample, with its comma mended and its comments gone. */
static const char sample[] =
    "{\"data\":{\"type\":\"events\",\"id\":\"8\",\"attributes\":{\"event_type\":\"user_enabled\","
    "\"created_at\":\"2000-01-01T00:00:00.000Z\",\"sent_at\":\"2000-01-01T00:00:01.000Z\"},"
    "\"relationships\":{\"resource\":{\"data\":{\"type\":\"concierge_requests\",\"id\":\"1\"}}}},"
    "\"included\":[{\"type\":\"users\",\"id\":\"1\"},"
    "{\"type\":\"concierge_requests\",\"id\":\"1\",\"attributes\":{\"total\":1043.50000000000001}}]}";

static void the_guides_document(void **state)
{
    struct posthorn_event *event;
    struct json_object *attributes, *total;

    assert_int_equal(posthorn_parse(sample, strlen(sample), &event, NULL), POSTHORN_OK);
    assert_text(posthorn_event_id(event), "8");
    assert_text(posthorn_event_type(event), "user_enabled");
    assert_text(posthorn_event_created_at(event), "2000-01-01T00:00:00.000Z");
    assert_text(posthorn_event_sent_at(event), "2000-01-01T00:00:01.000Z");
    assert_text(posthorn_event_resource_type(event), "concierge_requests");
    assert_text(posthorn_event_resource_id(event), "1");
    assert_text(posthorn_event_body(event), sample);
    assert_int_equal(json_object_array_length(posthorn_event_included(event)), 2);
    assert_ptr_equal(posthorn_event_resource(event),
                     json_object_array_get_idx(posthorn_event_included(event), 1));
    assert_true(json_object_object_get_ex(posthorn_event_resource(event), "attributes", &attributes));
    assert_true(json_object_object_get_ex(attributes, "total", &total));
    posthorn_event_free(event);
}

static void what_is_missing_is_empty(void **state)
{
    static const char body[] = "{\"data\":{\"type\":\"events\",\"id\":\"a\",\"attributes\":{\"event_type\":"
                               "\"b\",\"sent_at\":null}}}";
    struct posthorn_event *event;

    assert_int_equal(posthorn_parse(body, strlen(body), &event, NULL), POSTHORN_OK);
    assert_text(posthorn_event_sent_at(event), "");
    assert_text(posthorn_event_resource_id(event), "");
    assert_null(posthorn_event_included(event));
    assert_null(posthorn_event_resource(event));
    posthorn_event_free(event);
}

static void hostile_names_come_through_whole(void **state)
{
    static const char body[] =
        "{\"data\":{\"type\":\"events\",\"id\":\"a\\u0000b\",\"attributes\":{\"event_type\":"
        "\"../\\u202e\\n\"}}}";
    struct posthorn_event *event;

    assert_int_equal(posthorn_parse(body, strlen(body), &event, NULL), POSTHORN_OK);
    assert_int_equal(posthorn_event_id(event).len, 3);
    assert_memory_equal(posthorn_event_id(event).data, "a\0b", 4);
    assert_text(posthorn_event_type(event), "../\xe2\x80\xae\n");
    posthorn_event_free(event);
}

static void not_json(void **state)
{
    static const char *const bodies[] = {"",
                                         " ",
                                         "{",
                                         "}",
                                         "[",
                                         "{}}",
                                         "{} {}",
                                         "[1,]",
                                         "{\"a\":1,}",
                                         "{\"a\"}",
                                         "{a:1}",
                                         "{'a':1}",
                                         "{\"a\":'1'}",
                                         "nul",
                                         "True",
                                         "NaN",
                                         "Infinity",
                                         "-Infinity",
                                         "[NaN]",
                                         "01",
                                         "+1",
                                         ".5",
                                         "1.",
                                         "-",
                                         "1e",
                                         "0x10",
                                         "[1 2]",
                                         "{\"a\":1 \"b\":2}",
                                         "\"a",
                                         "\"\\x\"",
                                         "\"\\u12g4\"",
                                         "\"\\",
                                         "\"\t\"",
                                         "\"\n\"",
                                         "\xEF\xBB\xBF{}",
                                         "\"\xff\"",
                                         "\"\xc0\xaf\"",
                                         "\"\xed\xa0\x80\"",
                                         "\"\xf4\x90\x80\x80\"",
                                         "\"\xe2\x82\"",
                                         "\"\\ud800\"",
                                         "\"\\udc00\"",
                                         "\"\\ud800\\u0041\"",
                                         "\"\\ud800\\ud800\"",
                                         "\"\\ud800\\",
                                         "{\"a\":1,\"a\":2}",
                                         "[{\"x\":{\"a\":1,\"a\":1}}]",
                                         "{\"a\\u0000b\":1}",
                                         "// c\n{}",
                                         "/* c */{}",
                                         "[1]//",
                                         "{\"a\":}",
                                         "[,]",
                                         "{,}",
                                         "\x01",
                                         "tru",
                                         "[",
                                         "[[",
                                         "-a"};
    struct posthorn_problem problem;

    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        enum posthorn_result result = parse(bodies[i], &problem);
        if (result != POSTHORN_NOT_JSON)
            fail_msg("%s: %s", bodies[i], posthorn_result_name(result));
        assert_true(strlen(problem.detail) > 0);
    }
    assert_int_equal(parse("{\"data\": 1 2}", &problem), POSTHORN_NOT_JSON);
    assert_int_equal(problem.offset, 11);
    assert_string_equal(problem.detail, "a comma or } is expected");
    struct posthorn_event *event;
    assert_int_equal(posthorn_parse("{}\0", 3, &event, NULL), POSTHORN_NOT_JSON);
    assert_int_equal(posthorn_parse(NULL, 0, &event, NULL), POSTHORN_NOT_JSON);
}

static void json_but_no_event(void **state)
{
    static const char *const bodies[] = {
        "null",
        "1",
        "\"a\"",
        "[]",
        "{}",
        "true",
        "-0.5e+10",
        "\"\\ud83d\\ude00\"",
        "{\"data\":[]}",
        "{\"data\":{\"type\":\"users\",\"id\":\"1\",\"attributes\":{\"event_type\":\"a\"}}}",
        "{\"data\":{\"type\":\"events\",\"id\":8,\"attributes\":{\"event_type\":\"a\"}}}",
        "{\"data\":{\"type\":\"events\",\"id\":\"\",\"attributes\":{\"event_type\":\"a\"}}}",
        "{\"data\":{\"type\":\"events\",\"attributes\":{\"event_type\":\"a\"}}}",
        "{\"data\":{\"type\":\"events\",\"id\":\"8\",\"attributes\":{\"event_type\":\"\"}}}",
        "{\"data\":{\"type\":\"events\",\"id\":\"8\",\"attributes\":{\"event_type\":null}}}",
        "{\"data\":{\"type\":\"events\",\"id\":\"8\",\"attributes\":[]}}",
        "{\"data\":{\"type\":\"events\",\"id\":\"8\"}}"};
    struct posthorn_problem problem;

    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        enum posthorn_result result = parse(bodies[i], &problem);
        if (result != POSTHORN_NOT_AN_EVENT)
            fail_msg("%s: %s", bodies[i], posthorn_result_name(result));
        assert_true(strlen(problem.detail) > 0);
    }
}

static void limits(void **state)
{
    size_t len = POSTHORN_DOCUMENT_LEN_MAX + 1;
    char *body = malloc(len + 1);
    struct posthorn_event *event;

    memset(body, ' ', len);
    assert_int_equal(posthorn_parse(body, len, &event, NULL), POSTHORN_TOO_LARGE);
    memset(body, '[', len);
    assert_int_equal(posthorn_parse(body, 1000000, &event, NULL), POSTHORN_NOT_JSON);
    for (size_t depth = POSTHORN_DEPTH_MAX; depth <= POSTHORN_DEPTH_MAX + 1; depth++) {
        memset(body, '[', depth);
        memset(body + depth, ']', depth);
        assert_int_equal(posthorn_parse(body, 2 * depth, &event, NULL),
                         depth == POSTHORN_DEPTH_MAX ? POSTHORN_NOT_AN_EVENT : POSTHORN_NOT_JSON);
    }
    body[0] = '[';
    for (size_t i = 0; i <= 10000; i++)
        memcpy(body + 1 + 2 * i, "0,", 2);
    body[2 * 10001] = ']';
    assert_int_equal(posthorn_parse(body, 2 * 10001 + 1, &event, NULL), POSTHORN_TOO_LARGE);
    body[2 * 10000] = ']';
    assert_int_equal(posthorn_parse(body, 2 * 10000 + 1, &event, NULL), POSTHORN_NOT_AN_EVENT);
    free(body);
}

/* As JSON.stringify(x, null, 2) lays it out, but with every number and string as it came. */
static void the_layout_changes_white_space_only(void **state)
{
    static const char body[] =
        " {\"data\" :{\"type\":\"events\",\"id\":\"8\",\r\n\"attributes\":{\"event_type\":\"a\\/b\\u00e9\"},"
        "\"x\":[],\"y\":{ },\"z\":[1.10,-0,123456789012345678901234567890,1E400,[true,false , null]]}}";
    static const char expected[] =
        "{\n  \"data\": {\n    \"type\": \"events\",\n    \"id\": \"8\",\n"
        "    \"attributes\": {\n      \"event_type\": \"a\\/b\\u00e9\"\n    },\n"
        "    \"x\": [],\n    \"y\": {},\n    \"z\": [\n      1.10,\n      -0,\n"
        "      123456789012345678901234567890,\n      1E400,\n      [\n        true,\n"
        "        false,\n        null\n      ]\n    ]\n  }\n}\n";
    struct posthorn_event *event;

    assert_int_equal(posthorn_parse(body, strlen(body), &event, NULL), POSTHORN_OK);
    assert_text(ph_event_pretty(event), expected);
    posthorn_event_free(event);
    /* And again, from its own output. */
    assert_int_equal(posthorn_parse(expected, strlen(expected), &event, NULL), POSTHORN_OK);
    assert_text(ph_event_pretty(event), expected);
    posthorn_event_free(event);
}

/* A body may end anywhere. */
static void every_cut_is_not_json(void **state)
{
    struct posthorn_event *event;

    for (size_t len = 0; len < strlen(sample); len++) {
        char *exact = malloc(len ? len : 1); /* so that a sanitizer sees a byte too many */
        memcpy(exact, sample, len);
        assert_int_equal(posthorn_parse(exact, len, &event, NULL), POSTHORN_NOT_JSON);
        free(exact);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_guides_document),
        cmocka_unit_test(what_is_missing_is_empty),
        cmocka_unit_test(hostile_names_come_through_whole),
        cmocka_unit_test(not_json),
        cmocka_unit_test(json_but_no_event),
        cmocka_unit_test(limits),
        cmocka_unit_test(the_layout_changes_white_space_only),
        cmocka_unit_test(every_cut_is_not_json),
    };
    return cmocka_run_group_tests_name("lib/event", tests, NULL, NULL);
}
