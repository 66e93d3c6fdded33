/*
 * json_builder: what the scanner (json_check.c) tells the tree (json_tree.c) while it goes. Nobody else
 * includes this.
 */
#pragma once
#include "json_tree.h"

struct json_builder {
    struct arena *arena;
    struct json_value *root;
    struct json_value *open[JSON_DEPTH_MAX]; /* innermost last */
    int depth;
    struct bytes name; /* of the member whose value comes next */
    bool name_plain;
    bool full; /* the arena is used up: the tree is not complete */
};

void json_builder_name(struct json_builder *builder, struct bytes name, bool plain);
void json_builder_value(struct json_builder *builder, enum json_kind kind, struct bytes text, bool plain);
void json_builder_open(struct json_builder *builder, enum json_kind kind);
void json_builder_close(struct json_builder *builder);

/* json_check, and the tree on the way; builder NULL: no tree. */
enum json_error json_scan(char *text, size_t len, bool lenient, struct json_reading *reading,
                          struct json_builder *builder);
