/*
 * plain_filter: the rules of filter.h stated again, plain and slow, on trees: the second opinion of the test
 * beside it and of the model store. Numbers are doubles.
 */
#pragma once
#include "json_tree.h"

/* `object` NULL: there is none. */
bool plain_filter(const struct json_value *pattern, const struct json_value *object);
