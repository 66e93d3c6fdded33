/*
 * grammar: the parts of HTTP lines, for requests and for responses (RFC 9110 section 5.6, RFC 9112 section
 * 2.2). Pure.
 */
#pragma once
#include "bytes.h"

/* Letters, digits and !#$%&'*+-.^_`|~, a bit each: RFC 9110 section 5.6.2. */
static inline bool grammar_is_token(char c)
{
    static const uint64_t bits[2] = {0x3ff6cfa00000000, 0x57ffffffc7fffffe};
    unsigned char byte = (unsigned char)c;
    return byte < 128 && (bits[byte >> 6] >> (byte & 63) & 1);
}

/* -1: not a hex digit. */
static inline int grammar_hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The number of bytes before the first CR, LF or NUL: any of these may end a line for some parser. */
static inline size_t grammar_line_run(struct bytes piece)
{
    size_t n = 0;
    while (n < piece.len && piece.data[n] != '\r' && piece.data[n] != '\n' && piece.data[n] != '\0')
        n++;
    return n;
}

/* 1*DIGIT, as in Content-Length and Retry-After; zeros may lead. -1: not a number; -2: over 63 bits. */
int64_t grammar_number(struct bytes text);
bool grammar_is_token_text(struct bytes text); /* 1*tchar */
/* A field value: no control bytes except tabs (RFC 9110 section 5.5; bytes above ASCII are obs-text). */
bool grammar_is_value(struct bytes text);
/* True: `token` is an element of a comma-separated list. */
bool grammar_list_has(struct bytes list, const char *token);
