/*
 * grammar: what the lines of an HTTP message are made of, for the messages that come and for those that are
 * answers to ours (RFC 9110 section 5.6, RFC 9112 section 2.2). Pure.
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

/* How many bytes from here on can stand inside a line; behind them stands what ends one, for us or for
 * somebody else: CR, LF or NUL. */
static inline size_t grammar_line_run(struct bytes piece)
{
    size_t n = 0;
    while (n < piece.len && piece.data[n] != '\r' && piece.data[n] != '\n' && piece.data[n] != '\0')
        n++;
    return n;
}

bool grammar_is_token_text(struct bytes text); /* 1*tchar */
/* A field's value: no control bytes but tabs (RFC 9110 section 5.5; bytes beyond ASCII are obs-text). */
bool grammar_is_value(struct bytes text);
/* Is `token` an element of a comma-separated list? */
bool grammar_list_has(struct bytes list, const char *token);
