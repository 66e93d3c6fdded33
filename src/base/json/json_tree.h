/*
 * json_tree: a JSON text as a tree on an arena, made in the same pass that checks it (json.h has the rules).
 * What requests are read with: no allocation a node, nothing to release, and names and texts are views of the
 * text itself unless they were written with escapes.
 *
 * The text must live as long as the tree. Numbers keep their text. Order is kept.
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
    bool name_plain, text_plain;     /* may be written between quotes as they are */
    int count;                       /* of members or elements */
    struct bytes name;               /* of a member */
    struct bytes text;               /* of a string: as it is meant; of a number: as it was written */
    struct json_value *first, *last; /* members or elements */
    struct json_value *next;
};

/* As json_read: `text` is modified only when lenient; NULL: reading->problem says why. */
struct json_value *json_tree_read(struct arena *arena, char *text, size_t len, bool lenient,
                                  struct json_reading *reading);

/* NULL: absent, or `object` is none (NULL is fine). A member that is null is not absent. */
struct json_value *json_member(const struct json_value *object, const char *name);
/* NULL: absent, or of another kind. */
struct json_value *json_member_of_kind(const struct json_value *object, const char *name,
                                       enum json_kind kind);
bool json_member_text(const struct json_value *object, const char *name,
                      struct bytes *text);                         /* string only */
bool json_is(const struct json_value *value, enum json_kind kind); /* NULL is of no kind */
/* An integer that fits; others, and other kinds: false. */
bool json_integer(const struct json_value *value, int64_t *number);

/* The value becomes a string. `text` must live as long as the tree, and is valid UTF-8. */
void json_become_string(struct json_value *value, struct bytes text);
/* `object` gets a copy of `member` (what is below it is shared), in the place of one of that name or at the
 * end. False: the arena is used up. */
bool json_set_member(struct arena *arena, struct json_value *object, const struct json_value *member);
/* An empty object of that name. NULL: the arena is used up. */
struct json_value *json_add_object(struct arena *arena, struct json_value *object, const char *name);

/* Compact, slashes not escaped, numbers as read. */
void json_tree_put(struct text *out, const struct json_value *value);
/* The same behind its name: `"name":value`. */
void json_tree_put_member(struct text *out, const struct json_value *member);
