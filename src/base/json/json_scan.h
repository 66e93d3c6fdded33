/*
 * json_scan: the scanner behind json_check and json_tree_read: one pass, one state, a stack of 64 containers;
 * no recursion.
 */
#pragma once
#include "json_builder.h"

/* json_check, which also builds the tree; builder NULL: no tree. */
enum json_error json_scan(char *text, size_t len, bool lenient, struct json_reading *reading,
                          struct json_builder *builder);
