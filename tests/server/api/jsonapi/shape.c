/* The tables of fields: each row is one that shape.c can read and write, and openapi.json says the same of
 * it. */
#include "catalogue.h"
#include "resources.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

/* Names of schemas in catalogue/api.json; NULL: there is none. */
static const struct {
    const struct shape *shape;
    const char *shown, *created, *updated;
} tables[] = {{&users_shape, "User", "NewUser", "UserChange"},
              {&api_keys_shape, "ApiKey", "NewApiKey", "ApiKeyChange"},
              {&signing_secrets_shape, "SigningSecret", "NewSigningSecret", NULL},
              {&tls_identities_shape, "TlsIdentity", "NewTlsIdentity", NULL},
              {&deliveries_shape, "Delivery", NULL, NULL},
              {&attempts_shape, "Attempt", NULL, NULL},
              {&events_shape, "Event", "NewEvent", NULL},
              {&event_types_shape, "EventType", NULL, NULL}};
enum { TABLE_COUNT = sizeof tables / sizeof *tables };

static const size_t sizes[] = {[FIELD_TEXT] = sizeof(struct bytes),
                               [FIELD_FLAG] = sizeof(bool),
                               [FIELD_INSTANT] = sizeof(int64_t),
                               [FIELD_TO_ONE] = sizeof(int64_t),
                               [FIELD_RELATIONSHIP] = 0};

static void check_row(const struct field *field)
{
    char pointer[128];
    snprintf(pointer, sizeof pointer, "/data/attributes/%s", field->name);
    assert_string_equal(field->pointer, pointer);
    if (!field->put && !field->read && sizes[field->kind])
        assert_int_equal(field->size, sizes[field->kind]);
    if (field->kind == FIELD_CHOICE)
        assert_true(field->choices && (!(field->flags & FIELD_ALWAYS) || (field->rule && field->len_max)));
    if (field->kind == FIELD_JSON || field->kind == FIELD_RELATIONSHIP)
        assert_non_null(field->put);
    if (field->kind == FIELD_TO_ONE || field->kind == FIELD_RELATIONSHIP)
        assert_non_null(field->related);
    if (field->flags & FIELD_ALWAYS)
        assert_true(field->read || field->kind == FIELD_FLAG || field->kind == FIELD_CHOICE ||
                    (field->kind == FIELD_TEXT && field->len_max));
}

static void test_rows_fit_their_kinds(void **state)
{
    for (int i = 0; i < TABLE_COUNT; i++) {
        assert_true(tables[i].shape->field_count <= SHAPE_FIELDS_MAX);
        for (int k = 0; k < tables[i].shape->field_count; k++)
            check_row(&tables[i].shape->fields[k]);
    }
}

/* ---- as openapi.json has it ---- */

static struct json_object *attributes_of(struct catalogue *catalogue, const char *name)
{
    struct json_object *schema = json_get(json_get(catalogue_api_json(catalogue), "schemas"), name);
    struct json_object *properties = json_get(schema, "properties"), *data = json_get(properties, "data");
    if (data)
        properties = json_get(data, "properties");
    struct json_object *attributes = json_get(properties, "attributes");
    return attributes ? json_get(attributes, "properties") : properties;
}

static bool may_be_null(struct json_object *schema)
{
    const char *text = json_object_to_json_string(schema);
    return strstr(text, "\"null\"") != NULL;
}

static bool is_attribute(const struct field *field, unsigned when)
{
    if (field->kind >= FIELD_TO_ONE)
        return false;
    if (when && !field->len_max && !strcmp(field->name, "sent_at")) /* it may come, and is not heeded */
        return false;
    return when ? field->flags & when : !(field->flags & FIELD_WRITE_ONLY);
}

/* `when` 0: what answers hold. */
static void compare(struct catalogue *catalogue, const struct shape *shape, const char *name, unsigned when)
{
    struct json_object *attributes = name ? attributes_of(catalogue, name) : NULL;
    int count = 0;
    if (!name)
        return;
    for (int i = 0; i < shape->field_count; i++) {
        const struct field *field = &shape->fields[i];
        struct json_object *schema = json_get(attributes, field->name);
        if (!is_attribute(field, when))
            continue;
        if (!schema)
            fail_msg("%s: no %s in openapi.json", name, field->name);
        count++;
        if (json_get(schema, "maxLength") &&
            (size_t)json_object_get_int(json_get(schema, "maxLength")) != field->len_max)
            fail_msg("%s: another maxLength of %s", name, field->name);
        if (!when && may_be_null(schema) != ((field->flags & FIELD_NULLABLE) != 0))
            fail_msg("%s: %s may be null, or may not", name, field->name);
    }
    if (json_object_object_length(attributes) != count)
        fail_msg("%s: openapi.json has %d attributes, the table %d", name,
                 json_object_object_length(attributes), count);
}

static void test_openapi_says_the_same(void **state)
{
    struct catalogue *catalogue = catalogue_open();
    for (int i = 0; i < TABLE_COUNT; i++) {
        compare(catalogue, tables[i].shape, tables[i].shown, 0);
        compare(catalogue, tables[i].shape, tables[i].created, FIELD_ON_CREATE);
        compare(catalogue, tables[i].shape, tables[i].updated, FIELD_ON_UPDATE);
    }
    catalogue_close(catalogue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_fit_their_kinds),
        cmocka_unit_test(test_openapi_says_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
