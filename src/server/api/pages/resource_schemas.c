#include "resource_schemas.h"
#include "json_tree.h"
#include <ctype.h>
#include <stdio.h>

#define SCHEMAS "#/components/schemas/"
/* Answers have dates of one form. A request may have any date of RFC 3339. */
#define DATE             "\"format\":\"date-time\""
#define OWN_DATE         DATE ",\"pattern\":\"^\\\\d{4}-\\\\d{2}-\\\\d{2}T\\\\d{2}:\\\\d{2}:\\\\d{2}\\\\.\\\\d{3}Z$\""
#define NO_CONTROL_BYTES "^[^\\\\x00-\\\\x1f\\\\x7f]*$"

void resource_schema_name(const char *type, char name[RESOURCE_NAME_LEN_MAX])
{
    size_t len = 0, type_len = strlen(type) - strlen("s");
    bool ies = type_len > 2 && memcmp(type + type_len - 2, "ie", 2) == 0;
    bool capital = true;
    for (size_t i = 0; i < (ies ? type_len - 2 : type_len) && len < RESOURCE_NAME_LEN_MAX - 2; i++) {
        if (type[i] != '_')
            name[len++] = capital ? (char)toupper(type[i]) : type[i];
        capital = type[i] == '_';
    }
    if (ies)
        name[len++] = 'y';
    name[len] = '\0';
}

/* ---- one field ---- */

static bool is_relationship(const struct field *field)
{
    return field->kind >= FIELD_TO_ONE;
}

static const char *type_of(const struct field *field)
{
    switch (field->kind) {
    case FIELD_FLAG:
        return "boolean";
    case FIELD_INTEGER:
        return "integer";
    case FIELD_LIST:
        return "array";
    default:
        return "string";
    }
}

static bool may_be_null(const struct field *field, unsigned when)
{
    return field->flags & (when ? FIELD_NULLABLE | FIELD_NULL_CLEARS : FIELD_NULLABLE);
}

static void put_choices(struct text *out, const struct field *field, unsigned when)
{
    int most = when ? field->choices_given : 0;
    for (int i = 0; field->choices[i] && (!most || i < most); i++)
        text_printf(out, "%s\"%s\"", i ? "," : "\"enum\":[", field->choices[i]);
    text_putc(out, ']');
}

/* The limits of requests. Answers have none, because their values have passed these. */
static void put_limits(struct text *out, const struct field *field, unsigned when)
{
    if (field->kind == FIELD_LIST) {
        if (when && field->minimum)
            text_printf(out, ",\"minItems\":%lld", (long long)field->minimum);
        if (when && field->maximum)
            text_printf(out, ",\"maxItems\":%lld", (long long)field->maximum);
        if (field->schema)
            text_printf(out, ",\"items\":{\"$ref\":\"" SCHEMAS "%s\"}", field->schema);
        else if (when && field->pattern)
            text_printf(out, ",\"uniqueItems\":true,\"items\":{\"type\":\"string\",\"pattern\":\"%s\"}",
                        field->pattern);
        else
            text_puts(out, ",\"items\":{\"type\":\"string\"}");
    }
    if (field->kind == FIELD_INSTANT)
        text_puts(out, when ? "," DATE : "," OWN_DATE);
    if (!when)
        return;
    if (field->kind == FIELD_INTEGER)
        text_printf(out, ",\"minimum\":%lld,\"maximum\":%lld", (long long)field->minimum,
                    (long long)field->maximum);
    if (field->kind != FIELD_TEXT)
        return;
    const char *pattern = field->pattern || field->read ? field->pattern : NO_CONTROL_BYTES;
    text_printf(out, ",\"maxLength\":%zu", field->len_max);
    if (pattern)
        text_printf(out, ",\"pattern\":\"%s\"", pattern);
}

/* The members of its schema. */
static void put_value(struct text *out, const struct field *field, unsigned when)
{
    const char *type = type_of(field);
    bool null = may_be_null(field, when);
    if (field->choices && field->kind == FIELD_INTEGER) { /* a number or a word */
        text_printf(out, "\"oneOf\":[{\"type\":\"integer\"");
        put_limits(out, field, when);
        text_puts(out, "},{\"type\":\"string\",");
        put_choices(out, field, when);
        text_puts(out, null ? "},{\"type\":\"null\"}]" : "}]");
        return;
    }
    text_printf(out, null ? "\"type\":[\"%s\",\"null\"]" : "\"type\":\"%s\"", type);
    if (field->choices) {
        text_putc(out, ',');
        put_choices(out, field, when);
    } else {
        put_limits(out, field, when);
    }
}

static void put_field(struct text *out, const struct field *field, unsigned when,
                      const struct json_value *words)
{
    const char *description = json_member_string(words, field->name);
    const char *separator = "";
    text_printf(out, "\"%s\":{", field->name);
    if (is_relationship(field) && field->schema && !when) {
        text_printf(out, "\"$ref\":\"" SCHEMAS "%s\"", field->schema);
    } else if (is_relationship(field)) {
        bool users = field->related && strcmp(field->related, "users") == 0;
        text_printf(out, "\"$ref\":\"" SCHEMAS "%s%s\"",
                    field->kind == FIELD_RELATIONSHIP ? "ToMany"
                    : users                           ? "ToUser"
                                                      : "ToOne",
                    may_be_null(field, when) ? "OrNone" : "");
    } else if (field->kind == FIELD_JSON) {
        text_printf(out, "\"$ref\":\"" SCHEMAS "%s\"", field->schema);
    } else {
        if (description) {
            text_puts(out, "\"description\":");
            text_put_json(out, bytes_of(description));
            separator = ",";
        }
        if (!when || !(field->flags & FIELD_IGNORED)) {
            text_puts(out, separator);
            put_value(out, field, when);
        }
    }
    text_putc(out, '}');
}

void resource_field_put_type(struct text *out, const struct field *field)
{
    bool of_words = field->choices != NULL;
    for (int i = 0; of_words && field->choices[i]; i++)
        text_printf(out, "%s%s", i ? ", " : "", field->choices[i]);
    if (of_words && field->kind == FIELD_INTEGER)
        text_puts(out, ", ");
    if (!of_words || field->kind == FIELD_INTEGER)
        text_puts(out, field->kind == FIELD_INSTANT   ? "date"
                       : field->kind == FIELD_JSON    ? "object"
                       : is_relationship(field)       ? "relationship"
                       : field->kind == FIELD_FLAG    ? "true or false"
                       : field->kind == FIELD_INTEGER ? "number"
                       : field->kind == FIELD_LIST    ? "list"
                                                      : "text");
    if (field->kind == FIELD_INTEGER && field->maximum)
        text_printf(out, " from %lld to %lld", (long long)field->minimum, (long long)field->maximum);
    if (field->kind == FIELD_TEXT && field->len_max)
        text_printf(out, " of at most %zu bytes", field->len_max);
    if (field->flags & (FIELD_NULLABLE | FIELD_NULL_CLEARS))
        text_puts(out, ", or null");
}

/* ---- one resource ---- */

static bool is_there(const struct field *field, bool relationships, unsigned when)
{
    return is_relationship(field) == relationships &&
           (when ? (field->flags & when) != 0 : !(field->flags & FIELD_WRITE_ONLY));
}

static int count_fields(const struct shape *shape, bool relationships, unsigned when)
{
    int count = 0;
    for (int i = 0; i < shape->field_count; i++)
        count += is_there(&shape->fields[i], relationships, when);
    return count;
}

static bool has_required(const struct shape *shape)
{
    bool required = false;
    for (int i = 0; i < shape->field_count; i++)
        required = required || shape->fields[i].flags & FIELD_REQUIRED;
    return required;
}

static void put_required(struct text *out, const struct shape *shape)
{
    bool first = true;
    text_puts(out, ",\"required\":[");
    for (int i = 0; i < shape->field_count; i++) {
        if (!(shape->fields[i].flags & FIELD_REQUIRED))
            continue;
        text_printf(out, first ? "\"%s\"" : ",\"%s\"", shape->fields[i].name);
        first = false;
    }
    text_putc(out, ']');
}

/* All attributes, or all relationships, as an object. */
static void put_fields(struct text *out, const struct shape *shape, bool relationships, unsigned when,
                       const struct json_value *words)
{
    const char *separator = "";
    text_puts(out, "{\"type\":\"object\",\"properties\":{");
    for (int i = 0; i < shape->field_count; i++) {
        if (!is_there(&shape->fields[i], relationships, when))
            continue;
        text_puts(out, separator);
        put_field(out, &shape->fields[i], when, words);
        separator = ",";
    }
    text_putc(out, '}');
    if (when && !relationships) {
        if (has_required(shape))
            put_required(out, shape);
        text_puts(out, ",\"additionalProperties\":false");
    }
    if (relationships && shape->has_other_relationships)
        text_puts(out, ",\"additionalProperties\":{\"$ref\":\"" SCHEMAS "Relationship\"}");
    text_puts(out, "},");
}

static void put_shown(struct text *out, const struct shape *shape, const char *name,
                      const struct json_value *words)
{
    bool related = count_fields(shape, true, 0) > 0;
    text_printf(out, "\"%sTypeName\":{\"type\":\"string\",\"enum\":[\"%s\"]},\"%sAttributes\":", name,
                shape->type, name);
    put_fields(out, shape, false, 0, words);
    if (related) {
        text_printf(out, "\"%sRelationships\":", name);
        put_fields(out, shape, true, 0, words);
    }
    text_printf(out,
                "\"%s\":{\"type\":\"object\",\"required\":[\"type\",\"id\"],\"properties\":{\"type\":"
                "{\"$ref\":\"" SCHEMAS "%sTypeName\"},\"id\":{\"$ref\":\"" SCHEMAS
                "Id\"},\"attributes\":{\"$ref\":\"" SCHEMAS "%sAttributes\"}",
                name, name, name);
    if (related)
        text_printf(out, ",\"relationships\":{\"$ref\":\"" SCHEMAS "%sRelationships\"}", name);
    if (shape->self)
        text_puts(out, ",\"links\":{\"$ref\":\"" SCHEMAS "Links\"}");
    if (shape->meta)
        text_printf(out, ",\"meta\":{\"$ref\":\"" SCHEMAS "%s\"}", shape->meta);
    text_puts(out, "}},");
}

/* `base` is User, and `name` that of the document: UserCreate. */
static void put_request(struct text *out, const struct shape *shape, const char *base, const char *name,
                        unsigned when, const struct json_value *words)
{
    bool required = has_required(shape), related = count_fields(shape, true, when) > 0;
    text_printf(out, "\"%sAttributes\":", name);
    put_fields(out, shape, false, when, words);
    if (related) {
        text_printf(out, "\"%sRelationships\":", name);
        put_fields(out, shape, true, when, words);
    }
    text_printf(out,
                "\"%sData\":{\"type\":\"object\",\"required\":[\"type\"%s],\"properties\":{\"type\":"
                "{\"$ref\":\"" SCHEMAS "%sTypeName\"},",
                name, required ? ",\"attributes\"" : "", base);
    if (when == FIELD_ON_UPDATE)
        text_puts(out, "\"id\":{\"description\":\"That of the path, or left out.\",\"type\":\"string\"},");
    text_printf(out, "\"attributes\":{\"$ref\":\"" SCHEMAS "%sAttributes\"},\"relationships\":", name);
    if (related)
        text_printf(out, "{\"$ref\":\"" SCHEMAS "%sRelationships\"}}},", name);
    else
        text_puts(out, "{\"description\":\"None can be given.\",\"type\":\"object\",\"maxProperties\":0}}},");
    text_printf(out,
                "\"%s\":{\"type\":\"object\",\"required\":[\"data\"],\"properties\":{\"data\":{\"$ref\":"
                "\"" SCHEMAS "%sData\"}%s}},",
                name, name,
                shape->has_other_relationships
                    ? ",\"included\":{\"type\":\"array\",\"items\":{\"$ref\":\"" SCHEMAS "Resource\"}}"
                    : "");
}

static bool is_requested(const struct json_value *words, const char *name)
{
    const struct json_value *operations = json_member(words, "operations");
    for (const struct json_value *one = json_first(operations); one; one = one->next) {
        const char *request = json_member_string(one, "request");
        if (request && strcmp(request, name) == 0)
            return true;
    }
    return false;
}

void resource_schemas_put(struct text *out, const struct json_value *words)
{
    static const struct {
        unsigned when;
        const char *suffix;
    } requests[] = {{FIELD_ON_CREATE, "Create"}, {FIELD_ON_UPDATE, "Update"}};
    const struct shape *shape;
    for (int i = 0; (shape = shape_at(i)); i++) {
        const struct json_value *about = json_member(json_member(words, "fields"), shape->type);
        char name[RESOURCE_NAME_LEN_MAX], request[RESOURCE_NAME_LEN_MAX + 8];
        resource_schema_name(shape->type, name);
        put_shown(out, shape, name, about);
        for (size_t k = 0; k < sizeof requests / sizeof *requests; k++) {
            snprintf(request, sizeof request, "%s%s", name, requests[k].suffix);
            if (is_requested(words, request))
                put_request(out, shape, name, request, requests[k].when, about);
        }
    }
}
