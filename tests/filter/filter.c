/* Patterns judged: rows, then any pattern on any document against a slow and plain statement of the rules. */
#include "filter.h"
#include "plain_filter.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct json_value *tree_of(struct arena *arena, const char *text)
{
    struct json_reading reading;
    struct bytes copy = arena_copy(arena, bytes_of(text));
    const struct json_value *tree = json_tree_read(arena, (char *)copy.data, copy.len, false, &reading);
    if (!tree)
        fail_msg("%s: %s", text, reading.problem.detail);
    return tree;
}

static const struct filter *filter_of(struct arena *arena, const char *pattern)
{
    struct filter_problem problem;
    const struct filter *filter = filter_compile(arena, tree_of(arena, pattern), &problem);
    if (!filter)
        fail_msg("%s: '%s' %s", pattern, problem.pointer, problem.detail);
    return filter;
}

static const char *const verdicts[] = {"matches", "differs", "unjudged"};

struct row {
    const char *pattern, *document, *verdict, *member;
};

static void check_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct arena arena;
        int64_t steps = FILTER_STEPS_MAX;
        const struct filter_member *member;
        arena_init(&arena, 1 << 20);
        enum filter_verdict verdict =
            filter_judge(filter_of(&arena, rows[i].pattern), bytes_of(rows[i].document), &steps, &member);
        const char *pointer = verdict == FILTER_DIFFERS && member ? filter_pointer(&arena, member) : NULL;
        if (strcmp(verdicts[verdict], rows[i].verdict) != 0 ||
            (rows[i].member && (!pointer || strcmp(pointer, rows[i].member) != 0)))
            fail_msg("%s on %s: %s %s", rows[i].pattern, rows[i].document, verdicts[verdict],
                     pointer ? pointer : "");
        arena_fini(&arena);
    }
}
#define CHECK(rows) check_rows(rows, sizeof(rows) / sizeof *(rows))

static void test_values(void **state)
{
    static const struct row rows[] = {
        {"{\"a\":[\"x\"]}", "{\"a\":\"x\"}", "matches", NULL},
        {"{\"a\":[\"x\"]}", "{\"a\":\"y\"}", "differs", "/a"},
        {"{\"a\":[\"x\"]}", "{\"a\":\"xy\"}", "differs", "/a"},
        {"{\"a\":[\"xy\"]}", "{\"a\":\"x\"}", "differs", "/a"},
        {"{\"a\":[\"x\"]}", "{}", "differs", "/a"},
        {"{\"a\":[\"x\",\"y\"]}", " { \"b\" : [ { } , [ ] ] , \"a\" : \"y\" } ", "matches", NULL},
        {"{\"a\":[\"\"]}", "{\"a\":\"\"}", "matches", NULL},
        {"{\"a\":[\"\"]}", "{\"a\":\"x\"}", "differs", NULL},
        {"{\"a\":[1]}", "{\"a\":1.0}", "matches", NULL},
        {"{\"a\":[1]}", "{\"a\":\"1\"}", "differs", NULL},
        {"{\"a\":[\"1\"]}", "{\"a\":1}", "differs", NULL},
        {"{\"a\":[true,null]}", "{\"a\":null}", "matches", NULL},
        {"{\"a\":[true]}", "{\"a\":false}", "differs", NULL},
        {"{\"a\":[\"true\"]}", "{\"a\":true}", "differs", NULL},
        {"{\"a\":[null]}", "{}", "differs", "/a"},
        {"{\"a\":[1],\"b\":[2]}", "{\"b\":2,\"a\":1}", "matches", NULL},
        {"{\"a\":[1],\"b\":[2]}", "{\"b\":3,\"a\":1}", "differs", "/b"},
        {"{\"a\":[1]}", "{\"a\":{\"a\":1}}", "differs", "/a"},
        {"{\"a\":{\"b\":[1]}}", "{\"a\":{\"b\":1}}", "matches", NULL},
        {"{\"a\":{\"b\":[1]}}", "{\"b\":1}", "differs", "/a"},
        {"{\"a\":{\"b\":[1],\"c\":[1]}}", "{\"a\":{\"b\":1,\"c\":2}}", "differs", "/a/c"},
        {"{\"a\":{\"b\":[1]}}", "{\"a\":1}", "differs", "/a"},
        /* escapes, on either side */
        {"{\"a\":[\"\\u0041\\n\\\"\"]}", "{\"a\":\"A\\u000a\\u0022\"}", "matches", NULL},
        {"{\"\\u0061\":[1]}", "{\"a\":1}", "matches", NULL},
        {"{\"a\":[1]}", "{\"\\u0061\":1}", "matches", NULL},
        {"{\"a\":[\"\xf0\x9f\x98\x80\"]}", "{\"a\":\"\\ud83d\\ude00\"}", "matches", NULL},
        {"{\"a\":[\"x\\\\\"]}", "{\"b\":\"\\\\\",\"a\":\"x\\\\\"}", "matches", NULL},
    };
    (void)state;
    CHECK(rows);
}

static void test_operators(void **state)
{
    static const struct row rows[] = {
        {"{\"a\":[{\"prefix\":\"pay\"}]}", "{\"a\":\"payment\"}", "matches", NULL},
        {"{\"a\":[{\"prefix\":\"pay\"}]}", "{\"a\":\"pa\"}", "differs", NULL},
        {"{\"a\":[{\"prefix\":\"pay\"}]}", "{\"a\":\"\\u0070ayment\"}", "matches", NULL},
        {"{\"a\":[{\"prefix\":\"1\"}]}", "{\"a\":12}", "differs", NULL},
        {"{\"a\":[{\"suffix\":\"ent\"}]}", "{\"a\":\"payment\"}", "matches", NULL},
        {"{\"a\":[{\"suffix\":\"ent\"}]}", "{\"a\":\"paymen\\u0074\"}", "matches", NULL},
        {"{\"a\":[{\"suffix\":\"ent\"}]}", "{\"a\":\"nt\"}", "differs", NULL},
        {"{\"a\":[{\"suffix\":\"ent\"}]}", "{\"a\":\"enter\"}", "differs", NULL},
        {"{\"a\":[{\"suffix\":\"t\"}]}", "{\"a\":\"\\\\u0074\"}", "differs", NULL},
        {"{\"a\":[{\"anything-but\":\"x\"}]}", "{\"a\":\"y\"}", "matches", NULL},
        {"{\"a\":[{\"anything-but\":\"x\"}]}", "{\"a\":\"x\"}", "differs", NULL},
        {"{\"a\":[{\"anything-but\":\"x\"}]}", "{}", "differs", NULL},
        {"{\"a\":[{\"anything-but\":[1,\"x\"]}]}", "{\"a\":1.0}", "differs", NULL},
        {"{\"a\":[{\"anything-but\":[1,\"x\"]}]}", "{\"a\":null}", "matches", NULL},
        {"{\"a\":[{\"anything-but\":{\"prefix\":\"x\"}}]}", "{\"a\":\"xy\"}", "differs", NULL},
        {"{\"a\":[{\"anything-but\":{\"suffix\":\"x\"}}]}", "{\"a\":\"xy\"}", "matches", NULL},
        {"{\"a\":[{\"numeric\":[\">\",0,\"<=\",5]}]}", "{\"a\":5}", "matches", NULL},
        {"{\"a\":[{\"numeric\":[\">\",0,\"<=\",5]}]}", "{\"a\":0}", "differs", NULL},
        {"{\"a\":[{\"numeric\":[\">\",0,\"<=\",5]}]}", "{\"a\":5.0000000000000000001}", "differs", NULL},
        {"{\"a\":[{\"numeric\":[\"=\",1e2]}]}", "{\"a\":100}", "matches", NULL},
        {"{\"a\":[{\"numeric\":[\"<\",-1]}]}", "{\"a\":\"-2\"}", "differs", NULL},
        {"{\"a\":[{\"numeric\":[\">=\",-1]}]}", "{\"a\":-1}", "matches", NULL},
        {"{\"a\":[{\"exists\":true}]}", "{\"a\":null}", "matches", NULL},
        {"{\"a\":[{\"exists\":true}]}", "{\"a\":{}}", "matches", NULL},
        {"{\"a\":[{\"exists\":true}]}", "{\"a\":[]}", "matches", NULL},
        {"{\"a\":[{\"exists\":true}]}", "{}", "differs", "/a"},
        {"{\"a\":[{\"exists\":false}]}", "{}", "matches", NULL},
        {"{\"a\":[{\"exists\":false}]}", "{\"a\":null}", "differs", "/a"},
        {"{\"a\":[{\"exists\":false},1]}", "{\"a\":1}", "matches", NULL},
        {"{\"a\":{\"b\":[{\"exists\":false}]}}", "{}", "matches", NULL},
        {"{\"a\":{\"b\":[{\"exists\":false}]}}", "{\"a\":{\"b\":1}}", "differs", "/a/b"},
        {"{\"a\":{\"b\":[{\"exists\":false}]}}", "{\"a\":3}", "matches", NULL},
    };
    (void)state;
    CHECK(rows);
}

static void test_or_and_arrays(void **state)
{
    static const struct row rows[] = {
        {"{\"$or\":[{\"a\":[1]},{\"b\":[2]}]}", "{\"b\":2}", "matches", NULL},
        {"{\"$or\":[{\"a\":[1]},{\"b\":[2]}]}", "{\"a\":2,\"b\":1}", "differs", NULL},
        {"{\"$or\":[{\"a\":[1],\"b\":[1]},{\"a\":[2],\"b\":[2]}]}", "{\"a\":1,\"b\":2}", "differs", NULL},
        {"{\"c\":[3],\"$or\":[{\"a\":[1]},{\"b\":[2]}]}", "{\"a\":1}", "differs", "/c"},
        {"{\"x\":{\"$or\":[{\"a\":[1]},{\"$or\":[{\"b\":[1]},{\"b\":[2]}]}]}}", "{\"x\":{\"b\":2}}",
         "matches", NULL},
        {"{\"$or\":[{\"a\":{\"b\":[1]}},{\"a\":{\"c\":[1]}}]}", "{\"a\":{\"c\":1}}", "matches", NULL},
        {"{\"$or\":[{\"a\":[{\"exists\":false}]},{\"a\":[7]}]}", "{\"a\":8}", "differs", NULL},
        {"{\"a\":[1]}", "{\"a\":[3,2,1]}", "matches", NULL},
        {"{\"a\":[1]}", "{\"a\":[3,[2,[1]],{\"b\":[5]}]}", "matches", NULL},
        {"{\"a\":[1]}", "{\"a\":[]}", "differs", "/a"},
        {"{\"a\":{\"b\":[1],\"c\":[2]}}", "{\"a\":[{\"b\":1,\"c\":1},{\"b\":1,\"c\":2}]}", "matches", NULL},
        /* of the same element */
        {"{\"a\":{\"b\":[1],\"c\":[2]}}", "{\"a\":[{\"b\":1},{\"c\":2}]}", "differs", NULL},
        {"{\"a\":[{\"anything-but\":1}]}", "{\"a\":[1,1]}", "differs", NULL},
        {"{\"a\":[{\"anything-but\":1}]}", "{\"a\":[1,2]}", "matches", NULL},
    };
    (void)state;
    CHECK(rows);
}

/* What a disk may hand out. */
static void test_damage(void **state)
{
    static const char *const documents[] = {
        "",           "{",          "[",         "1",          "{\"a\"",         "{\"a\":",    "{\"a\":1",
        "{\"a\":1}x", "{\"a\":}",   "{\"a\" 1}", "{\"a\":\"",  "{\"a\":\"\\\"}", "{\"b\":[}",  "{\"b\":}}",
        "{a:1}",      "{\"a\":[1}", "{\"a\":[",  "{\"a\":[1,", "{\"b\":{\"c\"",  "{\"a\":1,}", "{\"a\":\"\\"};
    struct row rows[sizeof documents / sizeof *documents];
    char nested[2 * 4096 + 8], *at = nested;
    (void)state;
    for (size_t i = 0; i < sizeof documents / sizeof *documents; i++)
        rows[i] = (struct row){"{\"a\":[1]}", documents[i], "unjudged", NULL};
    CHECK(rows);
    at += sprintf(at, "{\"a\":");
    memset(at, '[', 4096);
    memset(at + 4096, ']', 4096);
    strcpy(at + 8192, "}");
    check_rows(&(struct row){"{\"a\":[1]}", nested, "unjudged", NULL}, 1);
}

/* Whatever a document is made of costs steps: a part that costs none would take as long as its sender likes.
 */
static void test_costly(void **state)
{
    enum { FILTERS = 200, UNITS_LEN = 900 << 10, NAME_LEN = 3800 };
    char name[NAME_LEN + 1], pattern[FILTER_LEN_MAX + 1], many[FILTER_LEN_MAX + 1], text[FILTER_LEN_MAX + 1],
        escaped[6 * NAME_LEN + 16];
    size_t len = (size_t)sprintf(many, "{\"b\":[");
    (void)state;
    memset(name, 'a', NAME_LEN);
    name[NAME_LEN] = '\0';
    sprintf(pattern, "{\"%s\":[1]}", name);
    sprintf(text, "{\"b\":[\"%s\"]}", name);
    while (len < FILTER_LEN_MAX - 64)
        len += (size_t)sprintf(many + len, "{\"numeric\":[\"<\",1]},");
    sprintf(many + len, "1]}");
    char *end = escaped;
    for (int i = 0; i < NAME_LEN - 1; i++)
        end += sprintf(end, "\\u0061");
    strcpy(end, "b");
    char quoted[sizeof escaped + 8], named[sizeof escaped + 8];
    sprintf(quoted, "\"%s\",", escaped);
    sprintf(named, "\"%s\":1,", escaped);
    const struct {
        const char *pattern, *before, *unit, *after;
        int len_max; /* 0: UNITS_LEN */
    } rows[] = {
        {"{\"a\":[1]}", "{\"b\":", " ", "1}", 0},       {"{\"a\":[1]}", "{\"b\":\"", "\\\"", "\"}", 0},
        {"{\"a\":[1]}", "{\"b\":\"", "\\\\", "\"}", 0}, {"{\"a\":[1]}", "{\"b\":[", "{},", "1]}", 0},
        {many, "{\"b\":1", "1", "}", 16 << 10},         {pattern, "{", named, "\"c\":1}", 0},
        {text, "{\"b\":[", quoted, "1]}", 0},
    };
    char *document = malloc(UNITS_LEN + 64);
    assert_non_null(document);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena arena;
        int64_t steps = FILTER_STEPS_MAX;
        int judged = 0, len_max = rows[i].len_max ? rows[i].len_max : UNITS_LEN;
        char *at = document + sprintf(document, "%s", rows[i].before);
        while (at - document + (int)strlen(rows[i].unit) < len_max)
            at += sprintf(at, "%s", rows[i].unit);
        at += sprintf(at, "%s", rows[i].after);
        arena_init(&arena, 1 << 20);
        const struct filter *filter = filter_of(&arena, rows[i].pattern);
        for (int f = 0; f < FILTERS; f++)
            judged += filter_judge(filter, bytes_make(document, (size_t)(at - document)), &steps, NULL) !=
                      FILTER_UNJUDGED;
        if (judged > 0)
            fail_msg("%.40s in %.20s%.20s...: %d filters were judged", rows[i].pattern, rows[i].before,
                     rows[i].unit, judged);
        arena_fini(&arena);
    }
    free(document);
}

/* Steps bound what a hostile pattern can cost on a hostile document, for all filters together. */
static void test_steps(void **state)
{
    enum { DOCUMENT_LEN = 1 << 20 };
    struct arena arena;
    int64_t steps = FILTER_STEPS_MAX;
    char *document = malloc(DOCUMENT_LEN + 1), pattern[FILTER_LEN_MAX + 1];
    size_t len = (size_t)sprintf(pattern, "{\"a\":[");
    (void)state;
    assert_non_null(document);
    arena_init(&arena, 1 << 20);
    while (len < FILTER_LEN_MAX - 8)
        len += (size_t)sprintf(pattern + len, "%d,", 2);
    sprintf(pattern + len, "3]}");
    memcpy(document, "{\"a\":[1", 7);
    for (size_t i = 7; i < DOCUMENT_LEN - 2; i++)
        document[i] = i % 2 ? ',' : '1';
    memcpy(document + DOCUMENT_LEN - 3, "1]}", 4);
    document[DOCUMENT_LEN - 4] = ',';
    const struct filter *filter = filter_of(&arena, pattern);
    struct bytes text = bytes_make(document, DOCUMENT_LEN);
    assert_int_equal(filter_judge(filter, text, &steps, NULL), FILTER_UNJUDGED);
    assert_true(steps < 0);
    assert_int_equal(filter_judge(filter, bytes_of("{\"a\":2}"), &steps, NULL), FILTER_UNJUDGED);
    steps = 100;
    assert_int_equal(filter_judge(filter, bytes_of("{\"a\":3}"), &steps, NULL), FILTER_MATCHES);
    assert_true(steps >= 0 && steps < 100);
    arena_fini(&arena);
    free(document);
}

/* ---- any pattern, any document ---- */

static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static const char *pick(uint64_t *seed, const char *const *texts, size_t count)
{
    return texts[next_random(seed) % count];
}
#define PICK(seed, texts) pick(seed, texts, sizeof(texts) / sizeof *(texts))

static const char *const names[] = {"\"a\"", "\"b\"", "\"c\""};
static const char *const scalars[] = {"\"x\"", "\"xy\"", "\"\\u0078y\"", "\"y\"", "1",
                                      "1.0",   "2",      "-3e0",         "true",  "null"};

static void put_document(struct text *out, uint64_t *seed, int depth)
{
    uint64_t kind = next_random(seed) % (depth == 0 ? 1 : depth > 4 ? 6 : 8);
    if (depth > 0 && kind < 6) {
        text_puts(out, PICK(seed, scalars));
        return;
    }
    bool object = depth == 0 || kind == 6;
    int count = (int)(next_random(seed) % 4);
    text_putc(out, object ? '{' : '[');
    for (int i = 0; i < (object && count == 3 ? 3 : count); i++) {
        if (i > 0)
            text_putc(out, ',');
        if (object)
            text_printf(out, "%s:", names[i]);
        put_document(out, seed, depth + 1);
    }
    text_putc(out, object ? '}' : ']');
}

static void put_alternative(struct text *out, uint64_t *seed)
{
    static const char *const operators[] = {
        "{\"prefix\":\"x\"}",        "{\"suffix\":\"y\"}",
        "{\"anything-but\":\"x\"}",  "{\"exists\":true}",
        "{\"exists\":false}",        "{\"numeric\":[\">\",1]}",
        "{\"numeric\":[\"<\",1.5]}", "{\"anything-but\":{\"prefix\":\"x\"}}",
        "{\"anything-but\":1}"};
    text_puts(out, next_random(seed) % 2 ? PICK(seed, scalars) : PICK(seed, operators));
}

static void put_pattern(struct text *out, uint64_t *seed, int depth)
{
    int count = 1 + (int)(next_random(seed) % 2), first = (int)(next_random(seed) % 3);
    bool with_or = depth < 4 && next_random(seed) % 3 == 0;
    text_putc(out, '{');
    for (int i = 0; i < count; i++) {
        text_printf(out, "%s%s:", i ? "," : "", names[(first + i) % 3]);
        if (depth < 4 && next_random(seed) % 3 == 0) {
            put_pattern(out, seed, depth + 1);
        } else {
            text_putc(out, '[');
            put_alternative(out, seed);
            if (next_random(seed) % 2) {
                text_putc(out, ',');
                put_alternative(out, seed);
            }
            text_putc(out, ']');
        }
    }
    if (with_or) {
        text_puts(out, ",\"$or\":[");
        put_pattern(out, seed, depth + 1);
        text_putc(out, ',');
        put_pattern(out, seed, depth + 1);
        text_putc(out, ']');
    }
    text_putc(out, '}');
}

static void test_any(void **state)
{
    int judged = 0, matched = 0;
    (void)state;
    for (uint64_t i = 1; i <= 40000; i++) {
        uint64_t seed = i * 0x9e3779b97f4a7c15ULL;
        struct arena arena;
        struct text pattern, document;
        struct json_reading reading;
        struct filter_problem problem;
        int64_t steps = FILTER_STEPS_MAX;
        arena_init(&arena, 1 << 20);
        text_init(&pattern, &arena, 64 << 10);
        put_pattern(&pattern, &seed, 1);
        text_init(&document, &arena, 256 << 10);
        put_document(&document, &seed, 0);
        const struct json_value *wanted = json_tree_read(&arena, pattern.data, pattern.len, false, &reading);
        const struct filter *filter = wanted ? filter_compile(&arena, wanted, &problem) : NULL;
        if (filter) { /* else it has too many levels */
            bool matches = plain_filter(wanted, tree_of(&arena, document.data));
            if (filter_judge(filter, text_bytes(&document), &steps, NULL) !=
                (matches ? FILTER_MATCHES : FILTER_DIFFERS))
                fail_msg("seed %d: %s on %s must %s", (int)i, pattern.data, document.data,
                         matches ? "match" : "differ");
            judged++;
            matched += matches;
        }
        arena_fini(&arena);
    }
    print_message("%d judged, %d match\n", judged, matched);
    assert_true(judged > 10000 && matched > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values), cmocka_unit_test(test_operators), cmocka_unit_test(test_or_and_arrays),
        cmocka_unit_test(test_damage), cmocka_unit_test(test_costly),    cmocka_unit_test(test_steps),
        cmocka_unit_test(test_any)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
