/* A platform's own file: its additions, and the exact places of its errors. */
#include "catalogue_fixture.h"
#include "embedded.h"
#include "json_c.h"
#include "text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static const char shop[] =
    "{\n"
    "  // ours\n"
    "  \"resources\": {\"orders\": {\"state_attribute\": \"state\", \"attributes\": {\"state\": \"new\", "
    "\"total\": 9.90},\n"
    "    \"relationships\": {\"user\": {\"data\": {\"type\": \"users\", \"id\": \"5\"}}}}},\n"
    "  \"event_types\": [\n"
    "    {\"name\": \"order_paid\", \"section\": \"shop\", \"resource\": \"orders\", \"state\": \"paid\",\n"
    "     \"en\": \"The order was paid.\", \"example\": {\"attributes\": {\"state\": \"paid\"}, \"include\": "
    "[\"user\"]}},\n"
    "    {\"name\": \"cart_left\", \"section\": \"shop\", \"resource\": \"carts\", \"en\": \"A cart was "
    "left.\"},\n"
    "    {\"name\": \"user_enabled\", \"section\": \"shop\", \"resource\": \"users\", \"en\": \"In our "
    "words.\"}, ],\n"
    "  \"scenarios\": [{\"name\": \"bought\", \"en\": \"Bought.\", \"steps\": [\"cart_left\", "
    "{\"event_type\": \"order_paid\"}]}],\n"
    "}\n";

static bool add(struct catalogue *catalogue, const char *text, struct catalogue_problem *problem)
{
    char *copy = strdup(text);
    bool added = catalogue_add(catalogue, copy, strlen(text), problem);
    free(copy);
    return added;
}

static void its_types_stand_beside_ours(void **state)
{
    struct catalogue *catalogue = catalogue_open();
    struct catalogue_problem problem;
    int count = catalogue_count(catalogue);
    const char *text;

    if (!add(catalogue, shop, &problem))
        fail_msg("%d:%d: %s", problem.line, problem.column, problem.detail);
    assert_int_equal(catalogue_count(catalogue), count + 2);
    const struct catalogue_type *type = catalogue_find(catalogue, bytes_of("order_paid"));
    assert_int_equal(type->status, CATALOGUE_DOCUMENTED);
    assert_string_equal(type->es, type->en);
    struct json_object *example = example_of(catalogue, type);
    text = json_object_to_json_string_ext(example, JSON_C_TO_STRING_PLAIN);
    assert_non_null(strstr(text, "\"attributes\":{\"state\":\"paid\",\"total\":9.90}"));
    assert_int_equal(json_object_array_length(json_get_array(example, "included")), 2);
    json_object_put(example);
    example = example_of(catalogue, catalogue_find(catalogue, bytes_of("cart_left")));
    text = json_object_to_json_string_ext(example, JSON_C_TO_STRING_PLAIN);
    assert_non_null(strstr(text, "\"included\":[{\"type\":\"carts\",\"id\":\"1\",\"attributes\":{},"));
    json_object_put(example);
    type = catalogue_find(catalogue, bytes_of("user_enabled"));
    assert_string_equal(type->en, "In our words.");
    assert_string_equal(catalogue_nearest(catalogue, bytes_of("order_payd"))->name, "order_paid");
    catalogue_close(catalogue);
}

/* An example that would fill all memory is refused, as any that is too large. */
static void an_example_has_a_maximum(void **state)
{
    struct catalogue *catalogue = catalogue_open();
    struct catalogue_problem problem;
    struct arena arena;
    struct text file;

    arena_init(&arena, 4 << 20);
    text_init(&file, &arena, 1 << 20);
    text_puts(&file,
              "{\"resources\":{\"orders\":{\"relationships\":{\"o\":{\"data\":{\"type\":\"orders\",\"id\":"
              "\"1\"}}},\"attributes\":{\"a\":1");
    for (int i = 0; i < 200; i++)
        text_printf(&file, ",\"a%d\":1", i);
    text_puts(&file,
              "}}},\"event_types\":[{\"name\":\"n\",\"section\":\"s\",\"resource\":\"orders\",\"en\":\"E.\","
              "\"example\":{\"include\":[\"o\"");
    for (int i = 0; i < 9000; i++)
        text_puts(&file, ",\"o\"");
    text_puts(&file, "]}}]}");
    assert_false(catalogue_add(catalogue, file.data, file.len, &problem));
    assert_non_null(strstr(problem.detail, "the examples together have more than"));
    arena_fini(&arena);
    catalogue_close(catalogue);
}

/* What we ship has the form that we ask for. */
static void our_own_files_would_be_accepted(void **state)
{
    struct catalogue *catalogue = catalogue_open();
    struct catalogue_problem problem;
    int count = catalogue_count(catalogue);
    char *text;

    assert_true(asprintf(&text,
                         "{\"event_types\":%s,\"resources\":%s,\n\"state_machines\":%s,\"scenarios\":%s}",
                         catalogue_event_types, catalogue_resources, catalogue_state_machines,
                         catalogue_scenarios) > 0);
    if (!add(catalogue, text, &problem))
        fail_msg("%d:%d: %s", problem.line, problem.column, problem.detail);
    assert_int_equal(catalogue_count(catalogue), count);
    free(text);
    catalogue_close(catalogue);
}

#define TYPE "\"section\":\"s\",\"resource\":\"users\",\"en\":\"E.\""

static void what_is_wrong_is_named_with_its_place(void **state)
{
    static const struct {
        const char *text;
        int line, column;
        const char *says;
    } rows[] = {
        {"", 1, 1, "empty"},
        {"{\"event_types\":\n  [}", 2, 4, ""},
        {"[]", 1, 1, "must be an object"},
        {"{\n \"event_typs\": []}", 2, 16, "unknown member \"event_typs\""},
        {"{\"event_types\":{}}", 1, 16, "must be an array"},
        {"{\"event_types\":[1]}", 1, 17, "must be an object"},
        {"{\"event_types\":[\n{\"name\":\"a\"}]}", 2, 1, "\"section\" is missing"},
        {"{\"event_types\":[{" TYPE ",\n \"name\":\"a b\"}]}", 2, 9, "letters, digits"},
        {"{\"event_types\":[{" TYPE ",\n \"name\":\"..\"}]}", 2, 9, "letters, digits"},
        {"{\"event_types\":[{" TYPE ",\n \"name\":\"a\\u0000b\"}]}", 2, 9, "letters, digits"},
        {"{\"event_types\":[{" TYPE ",\"name\":\"a\",\n\"status\":\"done\"}]}", 2, 10,
         "inferred or posthorn"},
        {"{\"event_types\":[{" TYPE ",\"name\":\"a\",\n\"final\":1}]}", 2, 9, "true or false"},
        {"{\"event_types\":[{" TYPE ",\"name\":\"a\"},\n{" TYPE ",\n\"name\":\"a\"}]}", 3, 8,
         "defined twice"},
        {"{\"event_types\":[{\"name\":\"a\",\"section\":\"s\",\"resource\":\"x\",\"en\":\"E.\",\n\"state\":"
         "\"s\"}]}",
         2, 9, "no state_attribute"},
        {"{\"event_types\":[{" TYPE ",\"name\":\"a\",\"example\":{\"include\":[\n\"user\"]}}]}", 2, 1,
         "no relationship \"user\""},
        {"{\"event_types\":[{" TYPE ",\"name\":\"a\",\"example\":{\"relationships\":{\"f\":\n1}}}]}", 2, 1,
         "an object with \"data\""},
        {"{\"event_types\":[{" TYPE
         ",\"name\":\"a\",\"example\":{\"relationships\":{\"f\":{\"data\":[{},\n{}]}}}}]}",
         1, 0, "\"type\" is missing"},
        {"{\"resources\":{\"a b\":\n{}}}", 2, 1, "a resource has"},
        {"{\"resources\":{\"a\":{\"id\":\n1}}}", 2, 1, "must be a text"},
        {"{\"state_machines\":{\"users\":{\"initial\":\"a\",\"final\":[],\"moves\":[\n{\"from\":[],\"to\":"
         "\"x\",\n"
         "\"event_type\":\"nope\"}]}}}",
         3, 14, "no type \"nope\""},
        {"{\"scenarios\":[{\"name\":\"s\",\"en\":\"S.\",\"steps\":[\"user_enabled\",\n   \"nope\"]}]}", 2, 4,
         "no type \"nope\""},
        {"{\"scenarios\":[{\"name\":\"s\",\"en\":\"S.\",\"steps\":[\n 7]}]}", 2, 2, "must be an object"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct catalogue *catalogue = catalogue_open();
        struct catalogue_problem problem = {0};
        assert_false(add(catalogue, rows[i].text, &problem));
        if (!strstr(problem.detail, rows[i].says) || problem.line != rows[i].line ||
            (rows[i].column && problem.column != rows[i].column))
            fail_msg("%s\n%d:%d: %s", rows[i].text, problem.line, problem.column, problem.detail);
        catalogue_close(catalogue);
    }
}

/* The file is small; what would be made of it is not. */
static void what_multiplies_is_bounded(void **state)
{
    struct catalogue *catalogue = catalogue_open();
    struct catalogue_problem problem = {0};
    struct arena arena;
    struct text text;

    arena_init(&arena, 1 << 22);
    text_init(&text, &arena, 1 << 20);
    text_puts(&text, "{\"resources\":{\"large\":{\"attributes\":{\"a\":\"");
    for (int i = 0; i < 10000; i++)
        text_putc(&text, 'x');
    text_puts(&text, "\"}}},\"event_types\":[");
    for (int i = 0; i < 300; i++)
        text_printf(&text, "%s{\"name\":\"t%d\",\"section\":\"s\",\"resource\":\"large\",\"en\":\"E.\"}",
                    i ? "," : "", i);
    text_puts(&text, "]}");
    assert_false(text.overflow);
    assert_false(add(catalogue, text.data, &problem));
    assert_non_null(strstr(problem.detail, "together"));
    arena_fini(&arena);
    catalogue_close(catalogue);
}

static void files_are_named(void **state)
{
    struct catalogue *catalogue = catalogue_open();
    char path[] = "/tmp/posthorn-catalogue-XXXXXX", error_text[512], expected[128];
    int fd = mkstemp(path);

    assert_true(fd >= 0 && write(fd, "{\n  \"x\": 1}", 11) == 11);
    close(fd);
    assert_int_equal(catalogue_add_file(catalogue, path, error_text), CATALOGUE_FILE_WRONG);
    snprintf(expected, sizeof expected, "%s:2:8: ", path);
    assert_true(bytes_starts(bytes_of(error_text), expected));
    unlink(path);
    assert_int_equal(catalogue_add_file(catalogue, path, error_text), CATALOGUE_FILE_ABSENT);
    assert_int_equal(catalogue_add_file(catalogue, "/", error_text), CATALOGUE_FILE_WRONG);
    catalogue_close(catalogue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_types_stand_beside_ours),
        cmocka_unit_test(an_example_has_a_maximum),
        cmocka_unit_test(our_own_files_would_be_accepted),
        cmocka_unit_test(what_is_wrong_is_named_with_its_place),
        cmocka_unit_test(what_multiplies_is_bounded),
        cmocka_unit_test(files_are_named),
    };
    return cmocka_run_group_tests_name("catalogue_file", tests, NULL, NULL);
}
