#include "text.h"
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

enum { TEXT_CAP_MIN = 256 };

static const char hex_digits[] = "0123456789abcdef";

void text_init(struct text *text, struct arena *arena, size_t len_max)
{
    *text = (struct text){.arena = arena, .len_max = len_max};
}

void text_leave_front(struct text *text, size_t front)
{
    assert(!text->cap && front <= text->len_max);
    text->data = arena_alloc(text->arena, text->len_max + 1);
    if (!text->data) {
        text->overflow = true;
        return;
    }
    text->cap = text->len_max + 1;
    text->len = front;
    text->data[front] = '\0';
}

/* Extends the block or moves to a larger one. False: the arena is full. */
static bool grow(struct text *text, size_t needed)
{
    size_t cap = text->cap ? text->cap * 2 : TEXT_CAP_MIN;
    if (cap > text->len_max + 1)
        cap = text->len_max + 1;
    if (cap < needed)
        cap = needed;
    if (text->cap && arena_extend(text->arena, text->data, text->cap, cap)) {
        text->cap = cap;
        return true;
    }
    char *data = arena_alloc(text->arena, cap);
    if (!data && cap > needed)
        data = arena_alloc(text->arena, cap = needed);
    if (!data)
        return false;
    if (text->len)
        memcpy(data, text->data, text->len);
    data[text->len] = '\0';
    text->data = data;
    text->cap = cap;
    return true;
}

/* Makes room for `more` bytes and a NUL. Returns how many of them the limits allow. */
static size_t reserve(struct text *text, size_t more)
{
    if (text->overflow)
        return 0;
    if (text->cap && more < text->cap - text->len)
        return more;
    if (more > text->len_max - text->len) {
        text->overflow = true;
        more = text->len_max - text->len;
    }
    if (text->len + more + 1 <= text->cap || grow(text, text->len + more + 1))
        return more;
    text->overflow = true;
    return text->cap ? text->cap - text->len - 1 : 0;
}

void text_put(struct text *text, struct bytes piece)
{
    size_t len = reserve(text, piece.len);
    if (!len)
        return;
    memcpy(text->data + text->len, piece.data, len);
    text->len += len;
    text->data[text->len] = '\0';
}

void text_puts(struct text *text, const char *piece)
{
    text_put(text, bytes_of(piece));
}

void text_putc(struct text *text, char c)
{
    if (!reserve(text, 1))
        return;
    text->data[text->len++] = c;
    text->data[text->len] = '\0';
}

void text_printf(struct text *text, const char *format, ...)
{
    char small[256];
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int needed = vsnprintf(small, sizeof small, format, args);
    va_end(args);
    assert(needed >= 0);
    size_t len = (size_t)needed;
    if (len < sizeof small) {
        text_put(text, bytes_make(small, len));
    } else if (reserve(text, len) == len && !text->overflow) {
        vsnprintf(text->data + text->len, len + 1, format, again);
        text->len += len;
    } else {
        text->overflow = true;
    }
    va_end(again);
}

void text_put_int64(struct text *text, int64_t value)
{
    char digits[BYTES_INT64_LEN_MAX];
    text_put(text, bytes_from_int64(value, digits));
}

/* 0: as it is; 'u': \u00NN; else the letter of its short escape. */
static char json_escape(unsigned char c)
{
    switch (c) {
    case '"':
    case '\\':
        return (char)c;
    case '\b':
        return 'b';
    case '\f':
        return 'f';
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\t':
        return 't';
    default:
        return c < 0x20 ? 'u' : 0;
    }
}

void text_put_json(struct text *text, struct bytes piece)
{
    text_putc(text, '"');
    size_t start = 0;
    for (size_t i = 0; i < piece.len; i++) {
        unsigned char c = (unsigned char)piece.data[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        char escape = json_escape(c);
        char out[6] = {'\\', escape, '0', '0', hex_digits[c >> 4], hex_digits[c & 15]};
        text_put(text, bytes_make(piece.data + start, i - start));
        text_put(text, bytes_make(out, escape == 'u' ? 6 : 2));
        start = i + 1;
    }
    text_put(text, bytes_make(piece.data + start, piece.len - start));
    text_putc(text, '"');
}

/* `c` is well-formed UTF-8. */
static uint32_t code_point(const unsigned char *c, size_t len)
{
    if (len == 1)
        return c[0];
    uint32_t point = len == 2 ? c[0] & 0x1fu : len == 3 ? c[0] & 0x0fu : c[0] & 0x07u;
    for (size_t i = 1; i < len; i++)
        point = point << 6 | (c[i] & 0x3fu);
    return point;
}

/* Characters that move the cursor, end a line, change the direction of text or are invisible: the
 * categories Cc, Cf, Zl and Zp of Unicode 15, its noncharacters, and the blank letters. Sorted. */
static const struct {
    uint32_t first, last;
} treacherous[] = {
    {0x0000, 0x001f},   {0x007f, 0x009f},   {0x00ad, 0x00ad},   {0x034f, 0x034f},   {0x0600, 0x0605},
    {0x061c, 0x061c},   {0x06dd, 0x06dd},   {0x070f, 0x070f},   {0x0890, 0x0891},   {0x08e2, 0x08e2},
    {0x115f, 0x1160},   {0x17b4, 0x17b5},   {0x180b, 0x180f},   {0x200b, 0x200f},   {0x2028, 0x202e},
    {0x2060, 0x206f},   {0x3164, 0x3164},   {0xfdd0, 0xfdef},   {0xfeff, 0xfeff},   {0xffa0, 0xffa0},
    {0xfff0, 0xfffb},   {0xfffe, 0xffff},   {0x110bd, 0x110bd}, {0x110cd, 0x110cd}, {0x13430, 0x1343f},
    {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff},
};

static bool is_treacherous(uint32_t point)
{
    size_t low = 0, high = sizeof treacherous / sizeof *treacherous;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (point > treacherous[middle].last)
            low = middle + 1;
        else
            high = middle;
    }
    return low < sizeof treacherous / sizeof *treacherous && point >= treacherous[low].first;
}

static void put_unit(struct text *text, uint32_t unit)
{
    char out[6] = {'\\', 'u'};
    for (int i = 0; i < 4; i++)
        out[2 + i] = hex_digits[unit >> (12 - 4 * i) & 15];
    text_put(text, bytes_make(out, sizeof out));
}

/* Escapes one character. `point` is its code point, or U+FFFD for bad UTF-8. */
static void put_escape(struct text *text, struct bytes character, uint32_t point, bool json)
{
    if (json && point > 0xffff)
        put_unit(text, 0xd800 + ((point - 0x10000) >> 10));
    if (json) {
        put_unit(text, point > 0xffff ? 0xdc00 + ((point - 0x10000) & 0x3ff) : point);
        return;
    }
    for (size_t i = 0; i < character.len; i++) {
        unsigned char c = (unsigned char)character.data[i];
        char out[4] = {'\\', 'x', hex_digits[c >> 4], hex_digits[c & 15]};
        text_put(text, bytes_make(out, sizeof out));
    }
}

/* `marked`: characters that get a backslash. `json`: writes JSON's escapes and keeps line ends and tabs,
 * which are layout there: its strings have them escaped. */
static void put_safe(struct text *text, struct bytes piece, const char *marked, bool json)
{
    size_t start = 0, i = 0;
    while (i < piece.len) {
        const unsigned char *c = (const unsigned char *)piece.data + i;
        size_t len = bytes_utf8_length(bytes_make(c, piece.len - i)), taken = len ? len : 1;
        uint32_t point = len ? code_point(c, len) : 0xfffd;
        bool mark = *c && strchr(marked, *c);
        if (mark || !len || (is_treacherous(point) && !(json && point < 0x20))) {
            text_put(text, bytes_make(piece.data + start, i - start));
            if (mark)
                text_putc(text, '\\');
            else
                put_escape(text, bytes_make(c, taken), point, json);
            start = mark ? i : i + taken;
        }
        i += taken;
    }
    text_put(text, bytes_make(piece.data + start, piece.len - start));
}

void text_put_printable(struct text *text, struct bytes piece)
{
    put_safe(text, piece, "\\", false);
}

void text_put_shell(struct text *text, struct bytes word)
{
    text_putc(text, '\'');
    for (size_t i = 0; i < word.len; i++)
        if (word.data[i] == '\'')
            text_puts(text, "'\\''");
        else
            text_putc(text, word.data[i]);
    text_putc(text, '\'');
}

void text_put_quoted(struct text *text, struct bytes piece)
{
    text_putc(text, '"');
    put_safe(text, piece, "\\", false);
    text_putc(text, '"');
}

void text_put_escaped(struct text *text, struct bytes sentence)
{
    put_safe(text, sentence, "", false);
}

void text_put_json_shown(struct text *text, struct bytes json)
{
    put_safe(text, json, "", true);
}

struct bytes text_bytes(const struct text *text)
{
    return text->data ? bytes_make(text->data, text->len) : bytes_make("", 0);
}
