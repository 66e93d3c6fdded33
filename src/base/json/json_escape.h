/*
 * json_escape: escape sequences in JSON strings (RFC 8259 section 7).
 */
#pragma once
#include "bytes.h"

/* The value of four hex digits, or -1. */
int json_hex4(const char *at, const char *end);
/* Decodes `raw`, a checked string without its quotes. `out` has room for raw.len bytes. Returns the length.
 */
size_t json_unescape(char *out, struct bytes raw);
