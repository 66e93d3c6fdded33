#include "json_c.h"
#include "memory.h"

#include <stdio.h>

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

struct bytes json_text(struct json_object *object)
{
    const char *text =
        json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
    if (!text)
        memory_exhausted();
    return bytes_of(text);
}

void json_put(struct text *out, struct json_object *object)
{
    text_put(out, json_text(object));
}
