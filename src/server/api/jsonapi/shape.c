#include "shape.h"
#include <assert.h>

/* ---- reading ---- */

static bool is_relationship(const struct field *field)
{
    return field->kind >= FIELD_TO_ONE;
}

static int find_attribute(const struct shape *shape, struct bytes name)
{
    for (int i = 0; i < shape->field_count; i++)
        if (!is_relationship(&shape->fields[i]) && bytes_equal_text(name, shape->fields[i].name))
            return i;
    return -1;
}

static void set_number(const struct field *field, void *place, int64_t number)
{
    if (field->size == sizeof(bool))
        *(bool *)place = number != 0;
    else
        *(int *)place = (int)number;
}

static bool read_choice(struct call *call, const struct field *field, const struct json_value *value,
                        void *place)
{
    struct bytes text;
    if (!jsonapi_read_text(call, value, field->pointer, field->len_max, &text))
        return false;
    for (int i = 0; field->choices[i] && (!field->choices_given || i < field->choices_given); i++) {
        if (!bytes_equal_text(text, field->choices[i]))
            continue;
        set_number(field, place, i);
        return true;
    }
    return field_fail(call, field, "%s", field->rule);
}

static bool read_integer(struct call *call, const struct field *field, const struct json_value *value,
                         int64_t *number)
{
    return (json_integer(value, number) && *number >= field->minimum && *number <= field->maximum) ||
           field_fail(call, field, "%s must be a number from %lld to %lld%s", field->name,
                      (long long)field->minimum, (long long)field->maximum, field->rule);
}

static bool read_field(struct call *call, const struct field *field, struct json_value *value, void *place)
{
    if (field->read)
        return field->read(call, field, value, place);
    if (field->kind == FIELD_TEXT)
        return jsonapi_read_text(call, value, field->pointer, field->len_max, place);
    if (field->kind == FIELD_FLAG)
        return jsonapi_read_bool(call, value, field->pointer, place);
    if (field->kind == FIELD_INTEGER)
        return read_integer(call, field, value, place);
    assert(field->kind == FIELD_CHOICE);
    return read_choice(call, field, value, place);
}

bool shape_read(struct call *call, const struct shape *shape, const struct request_document *document,
                unsigned when, void *row, unsigned *given)
{
    struct json_value *value = document->attributes ? document->attributes->first : NULL;
    *given = 0;
    jsonapi_warn_ignored(call, document);
    for (; value; value = value->next) {
        if (bytes_starts(value->name, "@")) /* JSON:API 1.1 section 5.8.3: to be ignored */
            continue;
        int i = find_attribute(shape, value->name);
        const struct field *field = &shape->fields[i < 0 ? 0 : i];
        if (i >= 0 && field->flags & when) {
            if (!read_field(call, field, value, (char *)row + field->offset))
                return false;
            *given |= 1u << i;
            continue;
        }
        const char *pointer = call_pointer(call, "/data/attributes", value->name);
        if (i >= 0)
            return call_fail(call, API_ATTRIBUTE_READ_ONLY, SOURCE_POINTER, pointer,
                             "Only the server writes %s.", field->name);
        return call_fail(call, API_ATTRIBUTE_UNKNOWN, SOURCE_POINTER, pointer,
                         "This resource has no attribute \"%.*s\".", jsonapi_shown_len(value->name),
                         value->name.data);
    }
    return true;
}

void shape_apply(const struct shape *shape, unsigned given, const void *from, void *to)
{
    for (int i = 0; i < shape->field_count; i++) {
        const struct field *field = &shape->fields[i];
        if (given & 1u << i)
            memcpy((char *)to + field->offset, (const char *)from + field->offset, field->size);
    }
}

bool shape_gave(const struct shape *shape, unsigned given, const char *name)
{
    return given >> find_attribute(shape, bytes_of(name)) & 1;
}

/* ---- writing ---- */

static int64_t number_at(const struct field *field, const void *place)
{
    if (field->size == sizeof(bool))
        return *(const bool *)place;
    return field->size == sizeof(int64_t) ? *(const int64_t *)place : *(const int *)place;
}

static void put_integer(struct text *out, const struct field *field, int64_t number)
{
    if (number || !(field->flags & FIELD_NULLABLE))
        text_put_int64(out, number);
    else
        text_puts(out, "null");
}

static void put_to_one(struct text *out, const char *type, int64_t id)
{
    if (id)
        text_printf(out, "{\"data\":{\"type\":\"%s\",\"id\":\"%lld\"}}", type, (long long)id);
    else
        text_puts(out, "{\"data\":null}");
}

static void put_value(struct text *out, const struct call *call, const struct field *field, const void *row)
{
    const void *place = (const char *)row + field->offset;
    if (field->put) {
        field->put(out, call, row);
        return;
    }
    switch (field->kind) {
    case FIELD_TEXT:
        jsonapi_put_text(out, *(const struct bytes *)place);
        break;
    case FIELD_CHARS:
        jsonapi_put_text(out, bytes_of(place));
        break;
    case FIELD_FLAG:
        text_puts(out, *(const bool *)place ? "true" : "false");
        break;
    case FIELD_CHOICE:
        text_printf(out, "\"%s\"", field->choices[number_at(field, place)]);
        break;
    case FIELD_INTEGER:
        put_integer(out, field, number_at(field, place));
        break;
    case FIELD_INSTANT:
        jsonapi_put_instant(out, *(const int64_t *)place);
        break;
    case FIELD_SHOWN_ONCE:
        jsonapi_put_text(out, bytes_of(call->shown_once));
        break;
    case FIELD_TO_ONE:
        put_to_one(out, field->related, *(const int64_t *)place);
        break;
    case FIELD_JSON:
    case FIELD_LIST:
    case FIELD_RELATIONSHIP:
        assert(false); /* it has a put of its own */
    }
}

static bool is_shown(const struct call *call, const struct field *field, const void *row)
{
    if (field->flags & FIELD_WRITE_ONLY || (field->kind == FIELD_SHOWN_ONCE && !call->shown_once))
        return false;
    return !field->is_shown || field->is_shown(call, row);
}

/* Behind `opening` all attributes, or all relationships, that are asked for; nothing when that is none. */
static void put_fields(struct text *out, const struct call *call, const struct shape *shape, const void *row,
                       bool relationships, const char *opening, const struct bytes *names)
{
    const char *separator = opening;
    for (int i = 0; i < shape->field_count; i++) {
        const struct field *field = &shape->fields[i];
        if (is_relationship(field) != relationships || !is_shown(call, field, row) ||
            !fieldset_has(names, bytes_of(field->name)))
            continue;
        text_puts(out, separator);
        text_putc(out, '"');
        text_puts(out, field->name);
        text_puts(out, "\":");
        put_value(out, call, field, row);
        separator = ",";
    }
    if (separator != opening)
        text_putc(out, '}');
}

void shape_put_text_id(struct text *out, const void *row)
{
    text_put(out, *(const struct bytes *)row);
}

static void put_id(struct text *out, const struct shape *shape, const void *row)
{
    if (shape->put_id)
        shape->put_id(out, row);
    else
        text_put_int64(out, *(const int64_t *)row);
}

static void put_link(struct text *out, const char *name, const char *path, const struct shape *shape,
                     const void *row)
{
    const char *id = strstr(path, ":id");
    text_printf(out, "\"%s\":\"%.*s", name, (int)(id - path), path);
    put_id(out, shape, row);
    text_puts(out, id + strlen(":id"));
}

static void put_self(struct text *out, const struct shape *shape, const void *row)
{
    if (!shape->put_self) {
        put_link(out, "self", shape->self, shape, row);
        return;
    }
    text_puts(out, "\"self\":\"");
    shape->put_self(out, row);
}

void shape_put(struct text *out, const struct call *call, const struct shape *shape, const void *row)
{
    const struct bytes *names = fieldset_find(call, bytes_of(shape->type));
    text_printf(out, "{\"type\":\"%s\",\"id\":\"", shape->type);
    put_id(out, shape, row);
    text_putc(out, '"');
    put_fields(out, call, shape, row, false, ",\"attributes\":{", names);
    put_fields(out, call, shape, row, true, ",\"relationships\":{", names);
    if (shape->self) {
        text_puts(out, ",\"links\":{");
        put_self(out, shape, row);
        if (shape->related) {
            text_puts(out, "\",");
            put_link(out, "related", shape->related, shape, row);
        }
        text_puts(out, "\"}");
    }
    text_putc(out, '}');
}

void shape_put_attributes(struct text *out, const struct call *call, const struct shape *shape,
                          const void *row)
{
    put_fields(out, call, shape, row, false, "{", NULL);
}

void shape_begin_document(struct text *out, struct call *call, const struct shape *shape, const void *row)
{
    jsonapi_begin(out, &call->scratch);
    if (shape->self) {
        text_puts(out, ",\"links\":{");
        put_self(out, shape, row);
        jsonapi_put_query(out, call);
        text_puts(out, "\"}");
    }
    text_puts(out, ",\"data\":");
    shape_put(out, call, shape, row);
}

bool shape_answer(struct call *call, int status, const struct shape *shape, const void *row,
                  struct bytes meta)
{
    struct text out;
    shape_begin_document(&out, call, shape, row);
    jsonapi_end(&out, call, meta);
    return jsonapi_answer(call, status, &out);
}
