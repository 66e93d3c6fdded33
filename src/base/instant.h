/*
 * instant: points of time as text. `2000-01-01T00:00:00.000Z`: UTC, three decimals, Z,
 * 24 characters always (mission row 16). Pure.
 */
#pragma once
#include "bytes.h"

enum { INSTANT_LEN = 24 };

/* Years 0000 to 9999; `out` takes 24 bytes and gets no NUL. */
void instant_format(int64_t wall_ms, char out[INSTANT_LEN]);
/* RFC 3339 section 5.6 with a zone (Z or an offset); 1 to 9 decimals, cut to ms. A leap second,
 * 23:59:60 UTC on the last day of a month, becomes the second after it, as in POSIX. False: not a date (30
 * February, second 60 at another time, no zone, ...). */
bool instant_parse(struct bytes text, int64_t *wall_ms);
/* HTTP-date in its three forms, RFC 9110 section 5.6.7. */
bool instant_parse_http(struct bytes text, int64_t *wall_ms);
/* Writes the IMF-fixdate, 29 characters and a NUL. */
void instant_format_http(int64_t wall_ms, char out[30]);
