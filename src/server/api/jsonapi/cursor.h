/*
 * cursor: page[after] and page[before] as an opaque text: where a list goes on, with a check over whose list
 * it is.
 *
 * The check binds the cursor to its caller, filters and order, so that a cursor that was cut, changed,
 * or belongs to another user or another list is told apart from a good one (400). It is not a secret seal:
 * whoever forged one would reach nothing but a position in their own list, because every query is confined to
 * what its caller may see. So it needs no stored key, and lives through restarts, for pollers.
 */
#pragma once
#include "model.h"

/* A check of 16 bytes and the id, in base64url without padding (RFC 4648). */
enum { CURSOR_CHECK_LEN = 16, CURSOR_LEN_MAX = (CURSOR_CHECK_LEN + MODEL_ID_LEN_MAX + 2) / 3 * 4 };

/* `scope` is a text that differs for each list; the id has at most MODEL_ID_LEN_MAX bytes. Writes a NUL, too.
 */
void cursor_format(struct bytes id, struct bytes scope, char out[CURSOR_LEN_MAX + 1]);
/* False: not a cursor of this list. */
bool cursor_parse(struct bytes text, struct bytes scope, char id[MODEL_ID_LEN_MAX], size_t *id_len);
