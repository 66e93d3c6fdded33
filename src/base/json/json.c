#include "json.h"
#include <assert.h>
#include <stdio.h>

const char *json_error_code(enum json_error error)
{
    static const char *const codes[] = {
        NULL,         "json_empty",   "json_syntax", "json_encoding", "json_duplicate",
        "json_depth", "json_members", "json_range",  "json_trailing"};
    return codes[error];
}

struct json_object *json_read(char *text, size_t len, bool lenient, struct json_reading *reading)
{
    if (json_check(text, len, lenient, reading))
        return NULL;
    struct json_tokener *tokener = json_tokener_new_ex(JSON_DEPTH_MAX + 1);
    struct json_object *object = NULL;
    if (tokener && len <= INT32_MAX) {
        json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
        object = json_tokener_parse_ex(tokener, text, (int)len);
        if (json_tokener_get_error(tokener) ==
            json_tokener_continue) /* a bare number: its end is the text's end */
            object = json_tokener_parse_ex(tokener, "", 1);
    }
    if (!object) /* json-c is stricter than json_check: a bug, but no reason to end the server */
        reading->problem = (struct json_problem){JSON_SYNTAX, 1, 1, "the JSON text could not be parsed"};
    if (tokener)
        json_tokener_free(tokener);
    return object;
}

struct json_object *json_get(struct json_object *object, const char *name)
{
    struct json_object *member = NULL;
    if (!json_object_is_type(object, json_type_object))
        return NULL;
    json_object_object_get_ex(object, name, &member);
    return member;
}

static struct json_object *get_typed(struct json_object *object, const char *name, enum json_type type)
{
    struct json_object *member = json_get(object, name);
    return member && json_object_is_type(member, type) ? member : NULL;
}

struct json_object *json_get_object(struct json_object *object, const char *name)
{
    return get_typed(object, name, json_type_object);
}

struct json_object *json_get_array(struct json_object *object, const char *name)
{
    return get_typed(object, name, json_type_array);
}

bool json_get_text(struct json_object *object, const char *name, struct bytes *text)
{
    struct json_object *member = get_typed(object, name, json_type_string);
    if (!member)
        return false;
    *text = bytes_make(json_object_get_string(member), (size_t)json_object_get_string_len(member));
    return true;
}

const char *json_text(struct json_object *object, const char *name)
{
    return json_object_get_string(get_typed(object, name, json_type_string));
}

struct bytes json_string(struct json_object *object, const char *name)
{
    struct bytes text = {"", 0};
    json_get_text(object, name, &text);
    return text;
}

int64_t json_number(struct json_object *object, const char *name, int64_t otherwise)
{
    struct json_object *member = get_typed(object, name, json_type_int);
    return member ? json_object_get_int64(member) : otherwise;
}

bool json_flag(struct json_object *object, const char *name)
{
    return json_object_get_boolean(json_get(object, name));
}

struct json_object *json_at(struct json_object *object, const char *path)
{
    char name[64];
    while (object && *path) {
        size_t len = strcspn(path, ".");
        snprintf(name, sizeof name, "%.*s", (int)len, path);
        object = json_get(object, name);
        path += len + (path[len] == '.');
    }
    return object;
}

size_t json_length(struct json_object *array)
{
    return json_object_is_type(array, json_type_array) ? json_object_array_length(array) : 0;
}

enum { COMPACT = -1 };

static void put_value(struct text *out, struct json_object *object, int indent);

/* Starts the line of a member or element, two spaces a level. Compact: nothing. */
static void put_break(struct text *out, int indent)
{
    if (indent == COMPACT)
        return;
    text_putc(out, '\n');
    for (int i = 0; i < indent; i++)
        text_puts(out, "  ");
}

static void put_object(struct text *out, struct json_object *object, int indent)
{
    int inner = indent == COMPACT ? COMPACT : indent + 1;
    bool first = true;
    text_putc(out, '{');
    for (struct lh_entry *entry = json_object_get_object(object)->head; entry; entry = entry->next) {
        if (!first)
            text_putc(out, ',');
        first = false;
        put_break(out, inner);
        text_put_json(out, bytes_of(lh_entry_k(entry)));
        text_puts(out, indent == COMPACT ? ":" : ": ");
        put_value(out, (struct json_object *)lh_entry_v(entry), inner);
    }
    if (!first)
        put_break(out, indent);
    text_putc(out, '}');
}

static void put_array(struct text *out, struct json_object *array, int indent)
{
    int inner = indent == COMPACT ? COMPACT : indent + 1;
    size_t count = json_object_array_length(array);
    text_putc(out, '[');
    for (size_t i = 0; i < count; i++) {
        if (i)
            text_putc(out, ',');
        put_break(out, inner);
        put_value(out, json_object_array_get_idx(array, i), inner);
    }
    if (count)
        put_break(out, indent);
    text_putc(out, ']');
}

static void put_integer(struct text *out, struct json_object *object)
{
    int64_t value = json_object_get_int64(object);
    char digits[24];
    /* json-c caps at INT64_MAX here; a larger integer is unsigned. */
    int len = value == INT64_MAX
                  ? snprintf(digits, sizeof digits, "%ju", (uintmax_t)json_object_get_uint64(object))
                  : snprintf(digits, sizeof digits, "%jd", (intmax_t)value);
    text_put(out, bytes_make(digits, (size_t)len));
}

/* Depth is bounded: JSON_DEPTH_MAX for a text that was read, our own code for an object that was built. */
static void put_value(struct text *out, struct json_object *object, int indent)
{
    switch (json_object_get_type(object)) {
    case json_type_object:
        put_object(out, object, indent);
        break;
    case json_type_array:
        put_array(out, object, indent);
        break;
    case json_type_string:
        text_put_json(out,
                      bytes_make(json_object_get_string(object), (size_t)json_object_get_string_len(object)));
        break;
    case json_type_int:
        put_integer(out, object);
        break;
    case json_type_boolean:
        text_puts(out, json_object_get_boolean(object) ? "true" : "false");
        break;
    case json_type_double: /* json-c keeps the text it was read from */
        text_puts(out, json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN));
        break;
    case json_type_null:
        text_puts(out, "null");
        break;
    }
}

void json_put(struct text *out, struct json_object *object)
{
    put_value(out, object, COMPACT);
}

void json_put_pretty(struct text *out, struct json_object *object)
{
    put_value(out, object, 0);
}
