/*
 * bytes: a view of memory that it does not own. It is not NUL-terminated unless stated. A view is valid as
 * long as that memory.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
    const char *data;
    size_t len;
};

/* printf("%.*s", BYTES_ARG(view)) */
#define BYTES_ARG(b) (int)(b).len, (b).data

static inline struct bytes bytes_of(const char *text)
{
    return (struct bytes){text, text ? strlen(text) : 0};
}
static inline bool bytes_is_digit(char c)
{
    return c >= '0' && c <= '9';
}
static inline char bytes_lower(char c) /* ASCII only */
{
    return (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}
static inline struct bytes bytes_make(const void *data, size_t len)
{
    return (struct bytes){(const char *)data, len};
}

/* Inline, so that the length of a literal costs nothing. */
static inline bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}
static inline bool bytes_equal_text(struct bytes a, const char *text)
{
    return bytes_equal(a, bytes_of(text));
}
bool bytes_equal_nocase(struct bytes a, const char *text); /* ASCII only */
bool bytes_starts(struct bytes a, const char *prefix);
/* For secrets: the time depends only on the lengths. */
bool bytes_equal_secret(struct bytes a, struct bytes b);
/* The part of `rest` before the first separator, or all of it; `rest` becomes the part after it. */
struct bytes bytes_cut(struct bytes *rest, char separator);
struct bytes bytes_trim(struct bytes a); /* spaces and tabs on both ends */

/* Strict decimal: digits only, no sign, no leading zero but "0", no overflow. */
bool bytes_to_int64(struct bytes a, int64_t *value);
/* Writes a number without a NUL and returns a view of `out`. Far cheaper than printf. Negative numbers have a
 * sign. */
enum { BYTES_INT64_LEN_MAX = 20 };
struct bytes bytes_from_int64(int64_t value, char out[BYTES_INT64_LEN_MAX]);

/* Is this well-formed UTF-8 (no surrogates, no overlong forms)? */
bool bytes_are_utf8(struct bytes a);
/* The length of the character at the front, 1 to 4; 0 when it is not well-formed or `a` is empty. */
size_t bytes_utf8_length(struct bytes a);
/* Writes the base64 of `len` bytes, with padding and without a NUL; returns the end. */
char *bytes_put_base64(char *at, const unsigned char *data, size_t len);
