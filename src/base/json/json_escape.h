/*
 * json_escape: escape sequences in JSON strings (RFC 8259 section 7).
 */
#pragma once
#include "bytes.h"

/* The value of four hex digits, or -1. */
int json_hex4(const char *at, const char *end);
/* Takes one character, or one escape sequence, from the front of `raw`, which is not empty, and decodes it.
 * Returns the bytes written. A sequence that is cut or malformed stands for its first byte. */
enum { JSON_UNESCAPED_LEN_MAX = 4 };
size_t json_unescape_next(struct bytes *raw, char out[JSON_UNESCAPED_LEN_MAX]);
/* Decodes `raw`, a checked string without its quotes. `out` has room for raw.len bytes. Returns the length.
 */
size_t json_unescape(char *out, struct bytes raw);
