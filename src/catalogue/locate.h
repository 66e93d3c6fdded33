/*
 * locate: where in a JSON text a value stands, for messages about what is wrong with it. Pure.
 */
#pragma once
#include "bytes.h"

/* `pointer` is a JSON pointer (RFC 6901, without escapes) into `text`, which json_check has passed. Where a
 * member is missing, its parent's place. Line and column count from 1, columns in bytes. */
void locate(struct bytes text, const char *pointer, int *line, int *column);
