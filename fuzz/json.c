/* A request body as strangers write it. Lenient reading may only blank out comments and trailing commas: the
 * rest must be strict JSON. And strict JSON must mean the same to json-c, the second opinion. */
#include "json_c.h"
#include "json_tree.h"
#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *copy_of(const uint8_t *data, size_t size)
{
    char *copy = malloc(size + 1);
    assert(copy);
    memcpy(copy, data, size);
    copy[size] = '\0';
    return copy;
}

static void check_problem(const struct json_problem *problem, enum json_error error)
{
    assert(problem->error == error && json_error_code(error));
    assert(problem->line >= 1 && problem->column >= 1);
    assert(strlen(problem->detail) < sizeof problem->detail);
}

/* What is written is strict JSON, and reading it changes nothing any more. */
static void check_written(struct json_object *object)
{
    struct arena arena;
    struct text once, twice;
    struct json_reading reading;
    arena_init(&arena, 16 << 20);
    text_init(&once, &arena, 4 << 20);
    text_init(&twice, &arena, 4 << 20);
    json_put(&once, object);
    struct json_object *again = json_read(once.data, once.len, false, &reading);
    assert(again && !once.overflow);
    json_put(&twice, again);
    assert(bytes_equal(text_bytes(&once), text_bytes(&twice)));
    json_object_put(again);
    arena_fini(&arena);
}

/* The tree says what json-c says, but for numbers, whose text it keeps: json-c writes -0 as 0. */
static void check_tree(char *text, size_t size, struct json_object *object)
{
    struct arena arena;
    struct text theirs, ours;
    struct json_reading reading;
    arena_init(&arena, 64 << 20);
    text_init(&theirs, &arena, 4 << 20);
    text_init(&ours, &arena, 4 << 20);
    const struct json_value *root = json_tree_read(&arena, text, size, false, &reading);
    assert(root);
    json_put(&theirs, object);
    json_tree_put(&ours, root);
    assert(bytes_equal(text_bytes(&theirs), text_bytes(&ours)) || memmem(text, size, "-0", 2));
    arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 1 << 16)
        return 0;
    struct json_reading strict, lenient, after;
    char *as_given = copy_of(data, size), *mended = copy_of(data, size);
    enum json_error error = json_check(as_given, size, false, &strict);
    enum json_error error_lenient = json_check(mended, size, true, &lenient);

    assert(memcmp(as_given, data, size) == 0); /* strict reading changes nothing */
    if (error != JSON_OK)
        check_problem(&strict.problem, error);
    if (error_lenient != JSON_OK)
        check_problem(&lenient.problem, error_lenient);
    if (error == JSON_OK)
        assert(error_lenient == JSON_OK && lenient.warning_count == 0 && memcmp(mended, data, size) == 0);
    if (error_lenient == JSON_OK) {
        assert(json_check(mended, size, false, &after) == JSON_OK);
        struct json_object *object = json_read(mended, size, false, &after);
        assert(object); /* json-c understands all that json_check lets through */
        check_written(object);
        check_tree(mended, size, object);
        json_object_put(object);
    }
    free(as_given);
    free(mended);
    return 0;
}
