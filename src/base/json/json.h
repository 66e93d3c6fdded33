/*
 * json: strict reading of JSON texts, with the position and likely fix of an error.
 *
 * json_check scans the whole text once: UTF-8 without BOM, lone surrogates, duplicate members,
 * depth, number syntax, trailing bytes. With `lenient`, comments and trailing commas (nothing
 * else, mission row 41) are overwritten with spaces in place and reported as warnings. json-c then
 * parses the checked text with its strict flag, so it never has to guess. Integers beyond 64 bits
 * are refused, because json-c saturates them silently.
 * Decimals keep their text.
 */
#pragma once
#include "arena.h"
#include "text.h"
#include <json-c/json.h>

enum json_error {
    JSON_OK,
    JSON_EMPTY,     /* nothing but white space */
    JSON_SYNTAX,    /* with the position and the expected token */
    JSON_ENCODING,  /* BOM, UTF-16, bad UTF-8, lone surrogate, NUL */
    JSON_DUPLICATE, /* the same member twice */
    JSON_DEPTH,     /* deeper than 64 */
    JSON_MEMBERS,   /* more than 10,000 members and elements in all */
    JSON_RANGE,     /* an integer beyond 64 bits: the API answers 422 for this one */
    JSON_TRAILING   /* bytes after the document */
};

enum { JSON_DEPTH_MAX = 64, JSON_MEMBERS_MAX = 10000 };

struct json_problem {
    enum json_error error;
    int line, column; /* from 1; column counts bytes */
    char detail[160]; /* "line 11, column 39: a comma is missing before \"created_at\"" */
};

struct json_warning {
    int line, column;
    enum { JSON_WARNING_COMMENT, JSON_WARNING_TRAILING_COMMA } kind;
};

enum { JSON_WARNINGS_MAX = 16 };

struct json_reading {
    struct json_problem problem;
    struct json_warning warnings[JSON_WARNINGS_MAX];
    int warning_count; /* may be larger than the array; the rest is only counted */
};

/* `text` is modified only when lenient. On success the caller owns the object (json_object_put).
 * NULL: reading->problem says why. (The document `null` is refused as JSON_SYNTAX.) */
struct json_object *json_read(char *text, size_t len, bool lenient, struct json_reading *reading);
enum json_error json_check(char *text, size_t len, bool lenient, struct json_reading *reading);
const char *json_error_code(enum json_error error); /* "json_syntax", ... */

/* Members: NULL if absent or of another type. */
struct json_object *json_get(struct json_object *object, const char *name);
struct json_object *json_get_object(struct json_object *object, const char *name);
struct json_object *json_get_array(struct json_object *object, const char *name);
bool json_get_text(struct json_object *object, const char *name, struct bytes *text); /* string only */
/* Compact serialisation, slashes not escaped, decimals as read. Appends to `out`. */
void json_put(struct text *out, struct json_object *object);
/* Indented by two spaces. */
void json_put_pretty(struct text *out, struct json_object *object);

/* ---- these never fail ---- */

/* A string; "" with len 0 if there is none. */
struct bytes json_string(struct json_object *object, const char *name);
int64_t json_number(struct json_object *object, const char *name, int64_t otherwise);
bool json_flag(struct json_object *object, const char *name);
/* Follows a path of members: "relationships.resource.data". NULL: one is absent. */
struct json_object *json_at(struct json_object *object, const char *path);
/* 0: not an array. */
size_t json_length(struct json_object *array);
