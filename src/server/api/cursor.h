/*
 * cursor: page[after] as an opaque text: where a list goes on, with a check over whose list it is.
 *
 * The check binds the cursor to its caller, filters and order, so that a cursor that was cut, changed,
 * or belongs to another user or another list is told apart from a good one (400). It is not a secret seal:
 * whoever forged one would reach nothing but a position in their own list, because every query is confined to
 * what its caller may see. So it needs no stored key, and lives through restarts, for pollers.
 */
#pragma once
#include "bytes.h"

enum { CURSOR_LEN = 32 };

/* `scope` is a text that differs for each list. Writes CURSOR_LEN characters and a NUL. */
void cursor_format(int64_t id, struct bytes scope, char out[CURSOR_LEN + 1]);
/* False: not a cursor of this list. */
bool cursor_parse(struct bytes text, struct bytes scope, int64_t *id);
