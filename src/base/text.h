/*
 * text: a growing byte string with a maximum, on an arena.
 *
 * Once the maximum (or the arena's) is passed, `overflow` stays true, further
 * appends do nothing, and the content is what fitted: check once, at the end.
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
/* Right after it: all the memory it may ever need at once, so that nothing is moved, and `front` bytes left
 * free that its maker writes later. */
void text_leave_front(struct text *text, size_t front);
void text_put(struct text *text, struct bytes piece);
void text_puts(struct text *text, const char *piece);
void text_putc(struct text *text, char c);
void text_put_int64(struct text *text, int64_t value);
void text_printf(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A JSON string with its quotes, RFC 8259 section 7; input must be UTF-8. */
void text_put_json(struct text *text, struct bytes piece);
/* What came from a stranger, made safe for a terminal or a log line: control bytes, ESC, characters that turn
 * the direction or are not seen, and bad UTF-8 come out as \xNN, and a backslash as two, so that no other
 * text looks the same. */
void text_put_printable(struct text *text, struct bytes piece);
/* The same between quotes. A quote inside stays as it is: JSON is read more often than it is told apart. */
void text_put_quoted(struct text *text, struct bytes piece);
/* A sentence in which what came from strangers is escaped already: its backslashes stay single. */
void text_put_escaped(struct text *text, struct bytes sentence);
/* The same for JSON, as text: such characters come out as \uNNNN, so it says what it said before. (Bad UTF-8
 * comes out as U+FFFD.) */
void text_put_json_shown(struct text *text, struct bytes json);
struct bytes text_bytes(const struct text *text);
