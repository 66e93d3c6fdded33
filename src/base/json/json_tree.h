/*
 * json_tree: a JSON text as a tree on an arena, made in the same pass that checks it (json.h has the rules).
 * Requests are read with it. Nothing is released. Names and strings without escapes are views of the text, so
 * the text must live as long as the tree. Numbers keep their text. Members keep their order.
 */
#pragma once
#include "json.h"

enum json_kind {
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_INTEGER,
    JSON_DECIMAL,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
};

struct json_value {
    enum json_kind kind;
    bool name_plain, text_plain;     /* may be written between quotes unchanged */
    int count;                       /* of members or elements */
    struct bytes name;               /* of a member */
    struct bytes text;               /* of a string: decoded; of a number: as written */
    struct json_value *first, *last; /* members or elements */
    struct json_value *next;
};

/* `text` is modified only when lenient; NULL: reading->problem says why. */
struct json_value *json_tree_read(struct arena *arena, char *text, size_t len, bool lenient,
                                  struct json_reading *reading);

/* A copy of `text` on the arena, as a tree. Its names and strings end with a NUL, so they can be printed. */
struct json_value *json_tree_read_copy(struct arena *arena, struct bytes text, struct json_reading *reading);

/* The first member or element. NULL: there is none, or `value` is NULL. */
struct json_value *json_first(const struct json_value *value);
/* NULL: absent, or `object` is not an object (NULL is allowed). A member that is null is not absent. */
struct json_value *json_named(const struct json_value *object, struct bytes name);
static inline struct json_value *json_member(const struct json_value *object, const char *name)
{
    return json_named(object, bytes_of(name)); /* the length of a literal costs nothing */
}
/* NULL: absent, or of another kind. */
struct json_value *json_member_of_kind(const struct json_value *object, const char *name,
                                       enum json_kind kind);
bool json_member_text(const struct json_value *object, const char *name,
                      struct bytes *text);                         /* string only */
bool json_is(const struct json_value *value, enum json_kind kind); /* NULL is of no kind */
/* False: not an integer, or one that does not fit. 5.0 is one, as in JSON Schema (validation, 6.1.1):
 * some languages write only such numbers. */
bool json_integer(const struct json_value *value, int64_t *number);

/* Only for a tree from json_tree_read_copy. NULL: no such string. */
const char *json_member_string(const struct json_value *object, const char *name);
bool json_member_flag(const struct json_value *object, const char *name); /* false: not `true` */
int64_t json_member_integer(const struct json_value *object, const char *name, int64_t otherwise);

/* Makes the value a string. `text` must be UTF-8 and live as long as the tree. */
void json_become_string(struct json_value *value, struct bytes text);
/* Puts a copy of `member` into `object` (its children are shared). It replaces the member of that name, or
 * goes to the end. False: the arena is full. */
bool json_set_member(struct arena *arena, struct json_value *object, const struct json_value *member);
/* Adds `element`, which is in no other tree, at the end. */
void json_append(struct json_value *array, struct json_value *element);
/* Adds an empty object with that name. NULL: the arena is full. */
struct json_value *json_add_object(struct arena *arena, struct json_value *object, const char *name);

/* Compact, slashes not escaped, numbers as read. */
void json_tree_put(struct text *out, const struct json_value *value);
/* Indented by two spaces. */
void json_tree_put_pretty(struct text *out, const struct json_value *value);
/* The same for a compact text with a NUL behind it. */
void json_put_indented(struct text *out, struct bytes compact);
/* Compact, after its name: `"name":value`. */
void json_tree_put_member(struct text *out, const struct json_value *member);
