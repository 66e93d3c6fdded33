/* Compiles a pattern (filter.h), or says which place in it is wrong. */
#include "filter_parts.h"
#include <assert.h>

/* The way to the place that is being read. */
struct pattern_place {
    const struct pattern_place *above;
    struct bytes name; /* of a member; data NULL: an element */
    int index;
};

struct pattern_reading {
    struct arena *arena;
    struct filter_problem *problem;
    bool failed;
};

static void put_token(struct text *out, struct bytes name)
{
    text_putc(out, '/');
    for (size_t i = 0; i < name.len; i++)
        if (name.data[i] == '~' || name.data[i] == '/')
            text_puts(out, name.data[i] == '~' ? "~0" : "~1");
        else
            text_putc(out, name.data[i]);
}

static void put_place(struct text *out, const struct pattern_place *place)
{
    if (!place)
        return;
    put_place(out, place->above);
    if (place->name.data)
        put_token(out, place->name);
    else
        text_printf(out, "/%d", place->index);
}

static void put_member(struct text *out, const struct filter_member *member)
{
    if (member->above)
        put_member(out, member->above);
    put_token(out, member->name);
}

const char *filter_pointer(struct arena *arena, const struct filter_member *member)
{
    struct text pointer;
    text_init(&pointer, arena, FILTER_POINTER_LEN_MAX);
    put_member(&pointer, member);
    return pointer.overflow ? NULL : pointer.data;
}

static void *fail(struct pattern_reading *reading, const struct pattern_place *place, const char *detail)
{
    struct text pointer;
    if (reading->failed)
        return NULL;
    reading->failed = true;
    text_init(&pointer, reading->arena, FILTER_POINTER_LEN_MAX);
    text_puts(&pointer, "");
    put_place(&pointer, place);
    *reading->problem = (struct filter_problem){pointer.overflow ? NULL : pointer.data, detail};
    return NULL;
}

static void *make(struct pattern_reading *reading, size_t size)
{
    void *made = arena_zero(reading->arena, size);
    if (!made) {
        *reading->problem = (struct filter_problem){NULL, "the pattern is too large"};
        reading->failed = true;
    }
    return made;
}

/* ---- alternatives ---- */

static bool is_number(const struct json_value *value)
{
    return json_is(value, JSON_INTEGER) || json_is(value, JSON_DECIMAL);
}

static bool is_word(const struct json_value *value)
{
    return json_is(value, JSON_NULL) || json_is(value, JSON_TRUE) || json_is(value, JSON_FALSE);
}

static struct filter_test *make_test(struct pattern_reading *reading, enum filter_test_kind kind,
                                     struct bytes text)
{
    struct filter_test *test = make(reading, sizeof *test);
    if (test) {
        test->kind = kind;
        test->text = text;
    }
    return test;
}

static struct filter_test *read_plain(struct pattern_reading *reading, const struct json_value *value)
{
    static const char *const words[] = {[JSON_NULL] = "null", [JSON_TRUE] = "true", [JSON_FALSE] = "false"};
    if (is_word(value))
        return make_test(reading, TEST_WORD, bytes_of(words[value->kind]));
    return make_test(reading, is_number(value) ? TEST_NUMBER : TEST_TEXT, value->text);
}

static struct filter_test *read_affix(struct pattern_reading *reading, const struct json_value *value,
                                      const struct pattern_place *place, enum filter_test_kind kind)
{
    if (!json_is(value, JSON_STRING) || value->text.len == 0)
        return fail(reading, place, "A prefix or suffix is a text that is not empty.");
    return make_test(reading, kind, value->text);
}

static bool read_relation(const struct json_value *value, enum filter_relation *relation)
{
    static const char *const names[] = {[RELATION_EQUAL] = "=",
                                        [RELATION_LESS] = "<",
                                        [RELATION_LESS_EQUAL] = "<=",
                                        [RELATION_MORE] = ">",
                                        [RELATION_MORE_EQUAL] = ">="};
    for (size_t i = 0; json_is(value, JSON_STRING) && i < sizeof names / sizeof *names; i++)
        if (bytes_equal_text(value->text, names[i])) {
            *relation = (enum filter_relation)i;
            return true;
        }
    return false;
}

static struct filter_test *read_numeric(struct pattern_reading *reading, const struct json_value *value,
                                        const struct pattern_place *place)
{
    struct filter_test *outer = NULL;
    if (!json_is(value, JSON_ARRAY) || (value->count != 2 && value->count != 4))
        return fail(reading, place,
                    "numeric has one or two comparisons: [\">\", 0] or [\">\", 0, \"<=\", 5].");
    for (const struct json_value *at = value->first; at; at = at->next->next) {
        struct filter_test *test = make_test(reading, TEST_NUMERIC, at->next->text);
        if (!test)
            return NULL;
        if (!read_relation(at, &test->relation))
            return fail(reading, place, "A comparison is one of \"=\", \"<\", \"<=\", \">\", \">=\".");
        if (!is_number(at->next))
            return fail(reading, place, "Behind a comparison stands a number.");
        test->inner = outer;
        outer = test;
    }
    return outer;
}

static struct filter_test *read_exists(struct pattern_reading *reading, const struct json_value *value,
                                       const struct pattern_place *place)
{
    if (!json_is(value, JSON_TRUE) && !json_is(value, JSON_FALSE))
        return fail(reading, place, "exists is true or false.");
    return make_test(reading, json_is(value, JSON_TRUE) ? TEST_EXISTS : TEST_ABSENT, (struct bytes){0});
}

static struct filter_test *read_operator(struct pattern_reading *reading, const struct json_value *object,
                                         const struct pattern_place *above, bool inside_but);

static struct filter_test *read_anything_but(struct pattern_reading *reading, const struct json_value *value,
                                             const struct pattern_place *place)
{
    struct filter_test *but = make_test(reading, TEST_ANYTHING_BUT, (struct bytes){0});
    bool list = json_is(value, JSON_ARRAY);
    int index = 0;
    if (list && value->count == 0)
        return fail(reading, place, "anything-but names at least one value.");
    for (const struct json_value *at = list ? value->first : value; at && but; at = list ? at->next : NULL) {
        struct pattern_place element = {place, {0}, index++};
        struct filter_test *test;
        if (json_is(at, JSON_OBJECT) && !list)
            test = read_operator(reading, at, place, true);
        else if (json_is(at, JSON_STRING) || is_number(at))
            test = read_plain(reading, at);
        else
            return fail(reading, list ? &element : place,
                        "anything-but takes a text, a number, an array of them, or {\"prefix\": ...} or "
                        "{\"suffix\": ...}.");
        if (!test)
            return NULL;
        test->next = but->inner;
        but->inner = test;
    }
    return but;
}

static struct filter_test *read_operator(struct pattern_reading *reading, const struct json_value *object,
                                         const struct pattern_place *above, bool inside_but)
{
    const struct json_value *value = object->first;
    if (object->count != 1)
        return fail(reading, above, "An operator is an object with one member.");
    struct pattern_place place = {above, value->name, 0};
    if (bytes_equal_text(value->name, "prefix"))
        return read_affix(reading, value, &place, TEST_PREFIX);
    if (bytes_equal_text(value->name, "suffix"))
        return read_affix(reading, value, &place, TEST_SUFFIX);
    if (inside_but)
        return fail(reading, &place, "Within anything-but there are \"prefix\" and \"suffix\".");
    if (bytes_equal_text(value->name, "anything-but"))
        return read_anything_but(reading, value, &place);
    if (bytes_equal_text(value->name, "numeric"))
        return read_numeric(reading, value, &place);
    if (bytes_equal_text(value->name, "exists"))
        return read_exists(reading, value, &place);
    return fail(reading, &place,
                "There is no such operator; there are prefix, suffix, anything-but, numeric, exists.");
}

static void read_alternatives(struct pattern_reading *reading, const struct json_value *array,
                              const struct pattern_place *place, struct filter_member *member)
{
    int index = 0;
    if (array->count == 0)
        fail(reading, place, "An array of alternatives has at least one.");
    for (const struct json_value *value = array->first; value && !reading->failed; value = value->next) {
        struct pattern_place element = {place, {0}, index++};
        struct filter_test *test;
        if (json_is(value, JSON_ARRAY))
            fail(reading, &element, "An alternative is a value or an operator, not an array.");
        test = reading->failed               ? NULL
               : json_is(value, JSON_OBJECT) ? read_operator(reading, value, &element, false)
                                             : read_plain(reading, value);
        if (!test)
            return;
        member->absent_matches |= test->kind == TEST_ABSENT;
        test->next = member->tests;
        member->tests = test;
    }
}

/* ---- patterns ---- */

static bool read_level(struct pattern_reading *reading, const struct json_value *object,
                       const struct pattern_place *place, const struct filter_member *above, int depth,
                       struct filter_level *level);
static struct filter_term *read_members(struct pattern_reading *reading, const struct json_value *object,
                                        const struct pattern_place *place, const struct filter_member *above,
                                        int depth, struct filter_level *level);

static struct filter_term *make_term(struct pattern_reading *reading, int kind,
                                     const struct filter_member *member)
{
    struct filter_term *term = make(reading, sizeof *term);
    if (term) {
        term->kind = kind;
        term->member = member;
    }
    return term;
}

static struct filter_term *read_member(struct pattern_reading *reading, const struct json_value *value,
                                       const struct pattern_place *place, const struct filter_member *above,
                                       int depth, struct filter_level *level)
{
    struct filter_member *member = make(reading, sizeof *member);
    if (!member)
        return NULL;
    if (level->count == FILTER_MEMBERS_MAX)
        return fail(reading, place, "The pattern names too many members of one object.");
    member->name = value->name;
    member->above = above;
    member->place = level->count++;
    member->next = level->members;
    level->members = member;
    if (json_is(value, JSON_ARRAY)) {
        read_alternatives(reading, value, place, member);
    } else if (json_is(value, JSON_OBJECT)) {
        struct filter_level *below = make(reading, sizeof *below);
        if (!below || !read_level(reading, value, place, member, depth + 1, below))
            return NULL;
        member->below = below;
        member->absent_matches = below->absent_matches;
    } else {
        fail(reading, place, "A member of a pattern is an array of alternatives, or an object.");
    }
    return reading->failed ? NULL : make_term(reading, TERM_MEMBER, member);
}

static struct filter_term *read_or(struct pattern_reading *reading, const struct json_value *value,
                                   const struct pattern_place *place, const struct filter_member *above,
                                   int depth, struct filter_level *level)
{
    struct filter_term *any = make_term(reading, TERM_ANY, NULL);
    int index = 0;
    if (!json_is(value, JSON_ARRAY) || value->count == 0)
        return fail(reading, place, "\"$or\" is an array of patterns, and has at least one.");
    for (const struct json_value *at = value->first; any && at; at = at->next) {
        struct pattern_place element = {place, {0}, index++};
        struct filter_term *term = read_members(reading, at, &element, above, depth + 1, level);
        if (!term)
            return NULL;
        term->next = any->first;
        any->first = term;
    }
    return any;
}

/* The members of one object of the pattern: all of them must match. */
static struct filter_term *read_members(struct pattern_reading *reading, const struct json_value *object,
                                        const struct pattern_place *place, const struct filter_member *above,
                                        int depth, struct filter_level *level)
{
    struct filter_term *all = make_term(reading, TERM_ALL, NULL);
    const struct filter_term **last = all ? &all->first : NULL;
    if (!json_is(object, JSON_OBJECT) || object->count == 0)
        return fail(reading, place, "A pattern is an object that is not empty.");
    if (depth > FILTER_LEVELS_MAX)
        return fail(reading, place, "A pattern has at most 8 levels.");
    for (const struct json_value *value = object->first; all && value; value = value->next) {
        struct pattern_place here = {place, value->name, 0};
        struct filter_term *term = bytes_equal_text(value->name, "$or")
                                       ? read_or(reading, value, &here, above, depth, level)
                                       : read_member(reading, value, &here, above, depth, level);
        if (!term)
            return NULL;
        *last = term;
        last = &term->next;
    }
    return all;
}

static bool read_level(struct pattern_reading *reading, const struct json_value *object,
                       const struct pattern_place *place, const struct filter_member *above, int depth,
                       struct filter_level *level)
{
    level->term = read_members(reading, object, place, above, depth, level);
    if (!level->term)
        return false;
    level->absent_matches = filter_term_holds(level->term, NULL);
    return true;
}

const struct filter *filter_compile(struct arena *arena, const struct json_value *pattern,
                                    struct filter_problem *problem)
{
    struct pattern_reading reading = {.arena = arena, .problem = problem};
    struct filter *filter = make(&reading, sizeof *filter);
    return filter && read_level(&reading, pattern, NULL, NULL, 1, &filter->level) ? filter : NULL;
}
