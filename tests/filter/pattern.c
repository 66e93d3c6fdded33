/* Patterns that cannot be compiled, each with the place and the sentence that its writer gets. */
#include "filter.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static const struct json_value *tree_of(struct arena *arena, const char *text)
{
    struct json_reading reading;
    struct bytes copy = arena_copy(arena, bytes_of(text));
    const struct json_value *tree = json_tree_read(arena, (char *)copy.data, copy.len, false, &reading);
    assert_non_null(tree);
    return tree;
}

static void test_problems(void **state)
{
    static const struct {
        const char *pattern, *pointer, *begins;
    } rows[] = {
        {"[]", "", "A pattern is an object"},
        {"{}", "", "A pattern is an object that is not empty"},
        {"{\"a\":{}}", "/a", "A pattern is an object that is not empty"},
        {"{\"a\":\"x\"}", "/a", "A member of a pattern is an array"},
        {"{\"a\":null}", "/a", "A member of a pattern is an array"},
        {"{\"a\":[]}", "/a", "An array of alternatives has at least one"},
        {"{\"a\":[1,[2]]}", "/a/1", "An alternative is a value or an operator"},
        {"{\"a\":[{}]}", "/a/0", "An operator is an object with one member"},
        {"{\"a\":[{\"prefix\":\"x\",\"suffix\":\"y\"}]}", "/a/0", "An operator is an object with one"},
        {"{\"a\":[\"x\",{\"wildcard\":\"*\"}]}", "/a/1/wildcard", "There is no such operator"},
        {"{\"a\":[{\"prefix\":1}]}", "/a/0/prefix", "A prefix or suffix is a text"},
        {"{\"a\":[{\"suffix\":\"\"}]}", "/a/0/suffix", "A prefix or suffix is a text"},
        {"{\"a\":[{\"exists\":null}]}", "/a/0/exists", "exists is true or false"},
        {"{\"a\":[{\"exists\":\"true\"}]}", "/a/0/exists", "exists is true or false"},
        {"{\"a\":[{\"numeric\":5}]}", "/a/0/numeric", "numeric has one or two"},
        {"{\"a\":[{\"numeric\":[]}]}", "/a/0/numeric", "numeric has one or two"},
        {"{\"a\":[{\"numeric\":[\">\",1,\"<\"]}]}", "/a/0/numeric", "numeric has one or two"},
        {"{\"a\":[{\"numeric\":[\"=>\",1]}]}", "/a/0/numeric", "A comparison is one of"},
        {"{\"a\":[{\"numeric\":[1,\">\"]}]}", "/a/0/numeric", "A comparison is one of"},
        {"{\"a\":[{\"numeric\":[\">\",\"1\"]}]}", "/a/0/numeric", "Behind a comparison stands a number"},
        {"{\"a\":[{\"anything-but\":[]}]}", "/a/0/anything-but", "anything-but names at least one"},
        {"{\"a\":[{\"anything-but\":null}]}", "/a/0/anything-but", "anything-but takes"},
        {"{\"a\":[{\"anything-but\":[\"x\",true]}]}", "/a/0/anything-but/1", "anything-but takes"},
        {"{\"a\":[{\"anything-but\":[{\"prefix\":\"x\"}]}]}", "/a/0/anything-but/0", "anything-but takes"},
        {"{\"a\":[{\"anything-but\":{\"exists\":true}}]}", "/a/0/anything-but/exists", "Within anything-but"},
        {"{\"$or\":{}}", "/$or", "\"$or\" is an array"},
        {"{\"a\":{\"$or\":[]}}", "/a/$or", "\"$or\" is an array"},
        {"{\"$or\":[{\"a\":[1]},[]]}", "/$or/1", "A pattern is an object"},
        {"{\"$or\":[{\"a/b~c\":[1]},{\"a/b~c\":7}]}", "/$or/1/a~1b~0c", "A member of a pattern"},
        {"{\"1\":{\"2\":{\"3\":{\"4\":{\"5\":{\"6\":{\"7\":{\"8\":{\"9\":[1]}}}}}}}}}", "/1/2/3/4/5/6/7/8",
         "A pattern has at most 8 levels"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena arena;
        struct filter_problem problem = {0};
        arena_init(&arena, 1 << 20);
        assert_null(filter_compile(&arena, tree_of(&arena, rows[i].pattern), &problem));
        if (!problem.pointer || strcmp(problem.pointer, rows[i].pointer) != 0 ||
            strncmp(problem.detail, rows[i].begins, strlen(rows[i].begins)) != 0)
            fail_msg("%s: '%s' %s", rows[i].pattern, problem.pointer, problem.detail);
        arena_fini(&arena);
    }
}

/* A pattern of 4 KiB names more members of one object than there is room for. */
static void test_many_members(void **state)
{
    char text[16 << 10];
    size_t len = 0;
    struct arena arena;
    struct filter_problem problem = {0};
    (void)state;
    arena_init(&arena, 1 << 20);
    text[len++] = '{';
    for (int i = 0; i <= FILTER_MEMBERS_MAX; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "%s\"%x\":[1]", i ? "," : "", i);
    (void)snprintf(text + len, sizeof text - len, "}");
    assert_null(filter_compile(&arena, tree_of(&arena, text), &problem));
    assert_string_equal(problem.pointer, "/200");
    arena_fini(&arena);
}

static void test_a_full_arena(void **state)
{
    struct arena texts, arena;
    struct filter_problem problem = {"x", NULL};
    (void)state;
    arena_init(&texts, 1 << 20);
    arena_init(&arena, 64);
    assert_null(filter_compile(&arena, tree_of(&texts, "{\"a\":[1,2,3]}"), &problem));
    assert_null(problem.pointer);
    arena_fini(&arena);
    arena_fini(&texts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_problems), cmocka_unit_test(test_many_members),
                                       cmocka_unit_test(test_a_full_arena)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
