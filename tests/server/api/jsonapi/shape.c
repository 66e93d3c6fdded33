/* The tables of fields: each row is one that shape.c can read and write, and that can be described. */
#include "resources.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static const size_t sizes[] = {[FIELD_TEXT] = sizeof(struct bytes),
                               [FIELD_FLAG] = sizeof(bool),
                               [FIELD_INSTANT] = sizeof(int64_t),
                               [FIELD_TO_ONE] = sizeof(int64_t),
                               [FIELD_RELATIONSHIP] = 0};

static bool is_read_by_kind(const struct field *field)
{
    switch (field->kind) {
    case FIELD_FLAG:
    case FIELD_CHOICE:
        return true;
    case FIELD_TEXT:
        return field->len_max > 0;
    case FIELD_INTEGER:
        return field->maximum > field->minimum && field->rule && field->size == sizeof(int64_t);
    default:
        return false;
    }
}

static void check_row(const struct shape *shape, const struct field *field)
{
    char pointer[128];
    snprintf(pointer, sizeof pointer, "/data/attributes/%s", field->name);
    assert_string_equal(field->pointer, pointer);
    bool as_stored = shape->has_other_relationships && field->kind == FIELD_TO_ONE;
    if (!field->put && !field->read && sizes[field->kind] && !as_stored)
        assert_int_equal(field->size, sizes[field->kind]);
    if (field->kind == FIELD_CHOICE)
        assert_true(field->choices && (!(field->flags & FIELD_ALWAYS) || (field->rule && field->len_max)));
    if (field->kind == FIELD_JSON || field->kind == FIELD_LIST || field->kind == FIELD_RELATIONSHIP)
        assert_true(field->put || field->flags & FIELD_WRITE_ONLY);
    if (field->kind == FIELD_JSON)
        assert_non_null(field->schema);
    if (field->flags & FIELD_ALWAYS && field->kind < FIELD_TO_ONE)
        assert_true(field->read || is_read_by_kind(field));
    if (field->flags & FIELD_ALWAYS && !(field->flags & FIELD_IGNORED)) { /* a description has its limit */
        assert_true(field->kind != FIELD_TEXT || field->len_max);
        assert_true(field->kind != FIELD_INTEGER || field->maximum);
        assert_true(field->kind != FIELD_LIST || field->maximum);
    }
}

static void test_rows_fit_their_kinds(void **state)
{
    const struct shape *shape;
    for (int i = 0; (shape = shape_at(i)); i++) {
        assert_true(shape->field_count <= SHAPE_FIELDS_MAX);
        for (int k = 0; k < shape->field_count; k++)
            check_row(shape, &shape->fields[k]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_fit_their_kinds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
