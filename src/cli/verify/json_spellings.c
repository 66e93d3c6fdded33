#include "json_spellings.h"

#include <stdlib.h>

enum escapes { KEPT, PLAIN, ASCII, SLASHES, ASCII_SLASHES, ESCAPES };

struct layout {
    const char *name;
    const char *indent;          /* NULL: all on one line */
    const char *between, *colon; /* behind a value, behind a name */
};

static const struct layout layouts[] = {
    {"compact JSON", NULL, ",", ":"},
    {"JSON on one line with spaces, as Python writes it", NULL, ", ", ": "},
    {"JSON indented by two spaces", "  ", ",", ": "},
    {"JSON indented by four spaces", "    ", ",", ": "},
    {"JSON indented by tabs", "\t", ",", ": "},
};

enum { LAYOUTS = sizeof layouts / sizeof *layouts };

int json_spellings_count(void)
{
    return LAYOUTS * ESCAPES * 2;
}

static const struct layout *layout_of(int way)
{
    return &layouts[way / 2 % LAYOUTS];
}

const char *json_spellings_name(int way)
{
    return layout_of(way)->name;
}

/* ---- strings ------------------------------------------------------------------------------------------- */

static uint32_t hex4(const char *digits)
{
    char text[5] = {digits[0], digits[1], digits[2], digits[3], 0};
    return (uint32_t)strtoul(text, NULL, 16);
}

/* The next character of a string, escaped or not; *at moves past it. */
static uint32_t take_character(const char **at)
{
    const unsigned char *c = (const unsigned char *)*at;

    if (*c == '\\') {
        static const char letters[] = "bfnrt", meant[] = "\b\f\n\r\t";
        const char *letter = strchr(letters, c[1]);
        if (c[1] != 'u') {
            *at += 2;
            return letter ? (uint32_t)meant[letter - letters] : c[1];
        }
        uint32_t unit = hex4(*at + 2);
        *at += 6;
        if (unit < 0xD800 || unit > 0xDBFF)
            return unit;
        uint32_t low = hex4(*at + 2);
        *at += 6;
        return 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
    }
    if (*c < 0x80) {
        *at += 1;
        return *c;
    }
    int len = *c < 0xE0 ? 2 : *c < 0xF0 ? 3 : 4;
    uint32_t character = *c & (0x7Fu >> len);
    for (int i = 1; i < len; i++)
        character = character << 6 | (c[i] & 0x3F);
    *at += len;
    return character;
}

static void put_utf8(struct text *out, uint32_t c)
{
    if (c < 0x80) {
        text_putc(out, (char)c);
        return;
    }
    if (c < 0x800) {
        text_putc(out, (char)(0xC0 | c >> 6));
    } else {
        if (c < 0x10000) {
            text_putc(out, (char)(0xE0 | c >> 12));
        } else {
            text_putc(out, (char)(0xF0 | c >> 18));
            text_putc(out, (char)(0x80 | (c >> 12 & 0x3F)));
        }
        text_putc(out, (char)(0x80 | (c >> 6 & 0x3F)));
    }
    text_putc(out, (char)(0x80 | (c & 0x3F)));
}

static void put_character(struct text *out, uint32_t c, enum escapes escapes)
{
    static const char meant[] = "\b\f\n\r\t\"\\", letters[] = "bfnrt\"\\";
    const char *special = c > 0 && c < 0x80 ? strchr(meant, (int)c) : NULL;
    bool ascii = escapes == ASCII || escapes == ASCII_SLASHES;

    if (special)
        text_printf(out, "\\%c", letters[special - meant]);
    else if (c == '/' && (escapes == SLASHES || escapes == ASCII_SLASHES))
        text_puts(out, "\\/");
    else if (c < 0x20 || (ascii && c >= 0x7F && c < 0x10000))
        text_printf(out, "\\u%04x", c);
    else if (ascii && c >= 0x10000)
        text_printf(out, "\\u%04x\\u%04x", 0xD800 + ((c - 0x10000) >> 10), 0xDC00 + ((c - 0x10000) & 0x3FF));
    else
        put_utf8(out, c);
}

/* From the quote at `at`; returns the place after the string. */
static const char *put_string(struct text *out, const char *at, enum escapes escapes)
{
    at++;

    text_putc(out, '"');
    while (*at != '"') {
        const char *before = at;
        uint32_t c = take_character(&at);
        if (escapes == KEPT)
            text_put(out, bytes_make(before, (size_t)(at - before)));
        else
            put_character(out, c, escapes);
    }
    text_putc(out, '"');
    return at + 1;
}

/* ---- structure ----------------------------------------------------------------------------------------- */

static void put_line(struct text *out, const struct layout *layout, int depth)
{
    if (!layout->indent)
        return;
    text_putc(out, '\n');
    for (int i = 0; i < depth; i++)
        text_puts(out, layout->indent);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

void json_spellings_put(struct text *out, struct bytes json, int way)
{
    const struct layout *layout = layout_of(way);
    enum escapes escapes = (enum escapes)(way / 2 / LAYOUTS);
    const char *end = json.data + json.len;
    bool opened = false; /* a bracket, and nothing in it so far */
    int depth = 0;

    for (const char *at = json.data; at < end;) {
        char c = *at;
        bool closes = c == '}' || c == ']';
        if (is_space(c)) {
            at++;
            continue;
        }
        if (opened && !closes)
            put_line(out, layout, depth);
        depth -= closes;
        if (closes && !opened)
            put_line(out, layout, depth);
        opened = c == '{' || c == '[';
        depth += opened;
        if (c == '"') {
            at = put_string(out, at, escapes);
            continue;
        }
        at++;
        if (c == ',') {
            text_puts(out, layout->between);
            put_line(out, layout, depth);
        } else if (c == ':') {
            text_puts(out, layout->colon);
        } else {
            text_putc(out, c);
        }
    }
    if (way % 2)
        text_putc(out, '\n');
}
