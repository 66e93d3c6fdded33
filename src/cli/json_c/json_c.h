/*
 * json_c: JSON documents of the commands, as objects of json-c.
 *
 * A text passes our own strict check (json.h) first, so json-c never has to guess. Decimals keep their text.
 * The server does not see this folder: it reads with json_tree.h alone.
 */
#pragma once
#include "json.h"
#include <json-c/json.h>

/* `text` is modified only when lenient. On success the caller owns the object (json_object_put).
 * NULL: reading->problem says why. (The document `null` is refused as JSON_SYNTAX.) */
struct json_object *json_read(char *text, size_t len, bool lenient, struct json_reading *reading);

/* Members: NULL if absent or of another type. */
struct json_object *json_get(struct json_object *object, const char *name);
struct json_object *json_get_object(struct json_object *object, const char *name);
struct json_object *json_get_array(struct json_object *object, const char *name);
bool json_get_text(struct json_object *object, const char *name, struct bytes *text); /* string only */
/* Compact, slashes not escaped, decimals as read. The object owns the text, until it changes. */
struct bytes json_text(struct json_object *object);
void json_put(struct text *out, struct json_object *object);

/* ---- these never fail ---- */

/* A string; "" with len 0 if there is none. */
struct bytes json_string(struct json_object *object, const char *name);
int64_t json_number(struct json_object *object, const char *name, int64_t otherwise);
bool json_flag(struct json_object *object, const char *name);
/* Follows a path of members: "relationships.resource.data". NULL: one is absent. */
struct json_object *json_at(struct json_object *object, const char *path);
/* 0: not an array. */
size_t json_length(struct json_object *array);
