#include "catalogue_fixture.h"
#include "json_tree.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct json_object *read_back(const struct json_value *value)
{
    struct json_reading reading;
    struct arena arena;
    struct text text;
    arena_init(&arena, 4 << 20);
    text_init(&text, &arena, 1 << 20);
    json_tree_put(&text, value);
    struct json_object *object = json_read(text.data, text.len, false, &reading);
    assert_non_null(object);
    arena_fini(&arena);
    return object;
}

struct json_object *example_of(const struct catalogue *catalogue, const struct catalogue_type *type)
{
    struct arena arena;
    arena_init(&arena, CATALOGUE_EXAMPLE_MEMORY_MAX);
    struct json_object *example = read_back(catalogue_example(&arena, catalogue, type));
    arena_fini(&arena);
    return example;
}
