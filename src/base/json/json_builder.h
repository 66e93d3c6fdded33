/*
 * json_builder: builds a tree (json_tree.h) while the scanner (json_scan.c) goes through the text.
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
