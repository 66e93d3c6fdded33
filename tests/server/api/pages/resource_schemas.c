/* The tables of fields as JSON Schema: the schema of each kind of row, in an answer and in a request. */
#include "resource_schemas.h"
#include "catalogue.h"
#include "json_c.h"
#include "json_tree.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct catalogue *catalogue;
static struct json_object *schemas;

static int setup(void **state)
{
    struct json_reading reading;
    struct arena arena;
    struct text out;
    catalogue = catalogue_open();
    arena_init(&arena, 1 << 20);
    text_init(&out, &arena, 1 << 19);
    text_putc(&out, '{');
    resource_schemas_put(&out, catalogue_api_json(catalogue));
    assert_false(out.overflow);
    out.data[out.len - 1] = '}'; /* over the last comma */
    schemas = json_read(out.data, out.len, false, &reading);
    arena_fini(&arena);
    return schemas ? 0 : -1;
}

static int teardown(void **state)
{
    json_object_put(schemas);
    catalogue_close(catalogue);
    return 0;
}

static void types_have_names(void **state)
{
    static const char *const rows[][2] = {{"users", "User"},
                                          {"api_keys", "ApiKey"},
                                          {"deliveries", "Delivery"},
                                          {"tls_identities", "TlsIdentity"},
                                          {"event_types", "EventType"}};
    char name[RESOURCE_NAME_LEN_MAX];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        resource_schema_name(rows[i][0], name);
        assert_string_equal(name, rows[i][1]);
    }
}

#define ANY_TEXT "\"pattern\":\"^[^\\\\x00-\\\\x1f\\\\x7f]*$\""
#define DATE                                                                                                 \
    "\"format\":\"date-time\",\"pattern\":\"^\\\\d{4}-\\\\d{2}-\\\\d{2}T\\\\d{2}:\\\\d{2}:\\\\d{2}\\\\."     \
    "\\\\d{3}Z$\""

/* Descriptions left out. */
static void rows_become_schemas(void **state)
{
    static const struct {
        const char *schema, *field, *text;
    } rows[] = {
        {"UserAttributes", "name", "{\"type\":[\"string\",\"null\"]}"},
        {"UserCreateAttributes", "name", "{\"type\":[\"string\",\"null\"],\"maxLength\":256," ANY_TEXT "}"},
        {"UserCreateAttributes", "role", "{\"type\":\"string\",\"enum\":[\"regular\",\"master\"]}"},
        {"UserUpdateAttributes", "role", NULL},
        {"UserUpdateAttributes", "paused", "{\"type\":\"boolean\"}"},
        {"UserAttributes", "created_at", "{\"type\":\"string\"," DATE "}"},
        {"UserUpdateAttributes", "created_at", NULL},
        {"EventCreateAttributes", "created_at", "{\"type\":\"string\",\"format\":\"date-time\"}"},
        {"EventCreateAttributes", "sent_at", "{}"},
        {"EventAttributes", "sent_at", "{\"type\":[\"string\",\"null\"]," DATE "}"},
        {"EventAttributes", "event_type", "{\"type\":\"string\"}"},
        {"ApiKeyAttributes", "allow_from", "{\"type\":\"array\",\"items\":{\"type\":\"string\"}}"},
        {"ApiKeyCreateAttributes", "allow_from",
         "{\"type\":[\"array\",\"null\"],\"maxItems\":64,\"items\":{\"type\":\"string\"}}"},
        {"ApiKeyAttributes", "rate_per_s",
         "{\"oneOf\":[{\"type\":\"integer\"},{\"type\":\"string\",\"enum\":[\"unlimited\"]},{\"type\":"
         "\"null\"}]}"},
        {"ApiKeyUpdateAttributes", "rate_per_s",
         "{\"oneOf\":[{\"type\":\"integer\",\"minimum\":1,\"maximum\":1000000},{\"type\":\"string\",\"enum\":"
         "[\"unlimited\"]},{\"type\":\"null\"}]}"},
        {"ApiKeyAttributes", "token", "{\"type\":\"string\"}"},
        {"ApiKeyCreateAttributes", "token", NULL},
        {"SigningSecretAttributes", "overlap_s", NULL},
        {"SigningSecretCreateAttributes", "overlap_s",
         "{\"type\":\"integer\",\"minimum\":0,\"maximum\":2592000}"},
        {"DeliveryAttributes", "attempts",
         "{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/AttemptAttributes\"}}"},
        {"EventTypeAttributes", "example", "{\"$ref\":\"#/components/schemas/Push\"}"},
        {"UserRelationships", "master", "{\"$ref\":\"#/components/schemas/ToUserOrNone\"}"},
        {"DeliveryRelationships", "attempts", "{\"$ref\":\"#/components/schemas/ToMany\"}"},
        {"ApiKeyCreateRelationships", "user", "{\"$ref\":\"#/components/schemas/ToUser\"}"},
        {"EventCreateRelationships", "resource", "{\"$ref\":\"#/components/schemas/ToOneOrNone\"}"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct json_object *properties = json_get(json_get(schemas, rows[i].schema), "properties");
        struct json_object *schema = json_get(properties, rows[i].field);
        if (schema)
            json_object_object_del(schema, "description");
        const char *text =
            schema ? json_object_to_json_string_ext(schema, JSON_C_TO_STRING_NOSLASHESCAPE) : NULL;
        assert_non_null(properties);
        if (!text != !rows[i].text || (text && strcmp(text, rows[i].text) != 0))
            fail_msg("%s %s: %s", rows[i].schema, rows[i].field, text ? text : "(none)");
    }
}

static const char *put(struct json_object *value)
{
    return value ? json_object_to_json_string_ext(value, JSON_C_TO_STRING_NOSLASHESCAPE) : "";
}

/* The attributes of a request are closed; fields[TYPE] may leave any of an answer out. */
static void requests_are_closed_and_answers_sparse(void **state)
{
    json_object_object_foreach(schemas, name, schema)
    {
        bool request = strstr(name, "CreateAttributes") || strstr(name, "UpdateAttributes");
        assert_string_equal(put(json_get(schema, "additionalProperties")),
                            request ? "false"
                            : strstr(name, "Event") == name && strstr(name, "Relationships")
                                ? "{\"$ref\":\"#/components/schemas/Relationship\"}"
                                : "");
        if (strstr(name, "Attributes") && strcmp(name, "EventCreateAttributes") != 0 &&
            strcmp(name, "JobCreateAttributes") != 0)
            assert_null(json_get(schema, "required"));
    }
    assert_string_equal(put(json_get(json_get(schemas, "EventCreateAttributes"), "required")),
                        "[\"event_type\"]");
    assert_string_equal(put(json_get(json_get(schemas, "JobCreateAttributes"), "required")), "[\"since\"]");
    struct json_object *relationships =
        json_get(json_get(json_get(schemas, "UserUpdateData"), "properties"), "relationships");
    assert_int_equal(json_object_get_int(json_get(relationships, "maxProperties")), 0);
    assert_non_null(json_get(relationships, "maxProperties"));
}

/* api.json says nothing of a field that is not there. */
static void words_are_of_fields(void **state)
{
    const struct json_value *all = json_member(catalogue_api_json(catalogue), "fields");
    const struct shape *shape;
    int described = 0;
    for (int i = 0; (shape = shape_at(i)); i++) {
        const struct json_value *words = json_member(all, shape->type);
        int known = 0;
        for (int k = 0; k < shape->field_count; k++) {
            bool again = false; /* a relationship and an attribute of one name */
            for (int j = 0; j < k; j++)
                again = again || strcmp(shape->fields[j].name, shape->fields[k].name) == 0;
            known += json_member_string(words, shape->fields[k].name) && !again;
        }
        described += words != NULL;
        if (words && words->count != known)
            fail_msg("api.json describes fields that %s does not have", shape->type);
    }
    assert_int_equal(all->count, described);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types_have_names),
        cmocka_unit_test(rows_become_schemas),
        cmocka_unit_test(requests_are_closed_and_answers_sparse),
        cmocka_unit_test(words_are_of_fields),
    };
    return cmocka_run_group_tests_name("server/api/pages/resource_schemas", tests, setup, teardown);
}
