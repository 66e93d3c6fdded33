/*
 * text: a growing byte string with a maximum, on an arena.
 *
 * If an append exceeds the maximum (or the arena's), `overflow` stays true, and later appends do nothing. So
 * check once, at the end.
 * `data` is NUL-terminated after every append.
 */
#pragma once
#include "arena.h"

struct text {
    struct arena *arena;
    char *data;
    size_t len, cap, len_max;
    bool overflow;
};

void text_init(struct text *text, struct arena *arena, size_t len_max);
/* Right after text_init: reserves all the memory, so that nothing moves, and leaves `front` bytes at the
 * front for the caller to fill in later. */
void text_leave_front(struct text *text, size_t front);
void text_put(struct text *text, struct bytes piece);
void text_puts(struct text *text, const char *piece);
void text_putc(struct text *text, char c);
void text_put_int64(struct text *text, int64_t value);
void text_printf(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A JSON string with its quotes, RFC 8259 section 7; input must be UTF-8. */
void text_put_json(struct text *text, struct bytes piece);
/* Text from outside, made safe for a terminal or a log line. Control bytes, ESC, characters that change the
 * direction, invisible characters and bad UTF-8 become \xNN; a backslash becomes two, so that no other text
 * looks the same. */
void text_put_printable(struct text *text, struct bytes piece);
/* The same between quotes. A quote inside stays as it is, so that JSON stays readable. */
void text_put_quoted(struct text *text, struct bytes piece);
/* A word for a shell, between single quotes. */
void text_put_shell(struct text *text, struct bytes word);
/* The same for a sentence whose parts from outside are already escaped: its backslashes stay single. */
void text_put_escaped(struct text *text, struct bytes sentence);
/* The same for JSON text: such characters become \uNNNN, so its meaning stays. (Bad UTF-8 becomes U+FFFD.) */
void text_put_json_shown(struct text *text, struct bytes json);
struct bytes text_bytes(const struct text *text);
