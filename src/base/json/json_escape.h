/*
 * json_escape: what stands behind a backslash in a JSON string (RFC 8259 section 7).
 */
#pragma once
#include "bytes.h"

/* The value of four hex digits, or -1. */
int json_hex4(const char *at, const char *end);
/* The text that `raw`, a string that has been checked, means, without its quotes. `out` has room for raw.len
 * bytes. Returns its length. */
size_t json_unescape(char *out, struct bytes raw);
