#include "layout.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct layout_scan {
    const unsigned char *at, *end;
    struct ph_layout *out;
    char open[POSTHORN_DEPTH_MAX]; /* the closing brackets awaited */
    int depth;
    size_t parts; /* members and elements */
    enum posthorn_result result;
};

static bool fail(struct layout_scan *scan, const char *error)
{
    scan->out->error = error;
    scan->result = POSTHORN_NOT_JSON;
    return false;
}

static bool put(struct layout_scan *scan, const void *data, size_t len)
{
    struct ph_layout *out = scan->out;

    if (out->cap - out->len <= len) {
        /* First the length of the rest of the text: indenting adds little to a long text. */
        size_t cap = out->cap + out->cap / 8 + len + (size_t)(scan->end - scan->at) + 256;
        char *grown = realloc(out->data, cap);
        if (!grown) {
            scan->result = POSTHORN_NO_MEMORY;
            return false;
        }
        out->data = grown;
        out->cap = cap;
    }
    memcpy(out->data + out->len, data, len);
    out->len += len;
    out->data[out->len] = '\0';
    return true;
}

static bool put_line(struct layout_scan *scan)
{
    char line[1 + 2 * POSTHORN_DEPTH_MAX];

    memset(line, ' ', sizeof line);
    line[0] = '\n';
    return put(scan, line, 1 + 2 * (size_t)scan->depth);
}

static int peek(const struct layout_scan *scan)
{
    return scan->at < scan->end ? *scan->at : -1;
}

static bool is_space(unsigned char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static int skip_space(struct layout_scan *scan)
{
    while (scan->at < scan->end && is_space(*scan->at))
        scan->at++;
    return peek(scan);
}

/* The length of the UTF-8 sequence at `at`, RFC 3629; 0: not one. */
static size_t utf8_len(const unsigned char *at, const unsigned char *end)
{
    size_t len = *at < 0x80 ? 1 : *at < 0xC2 ? 0 : *at < 0xE0 ? 2 : *at < 0xF0 ? 3 : *at < 0xF5 ? 4 : 0;

    if (len == 0 || (size_t)(end - at) < len)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((at[i] & 0xC0) != 0x80)
            return 0;
    if ((*at == 0xE0 && at[1] < 0xA0) || (*at == 0xED && at[1] > 0x9F) || (*at == 0xF0 && at[1] < 0x90) ||
        (*at == 0xF4 && at[1] > 0x8F))
        return 0;
    return len;
}

/* Reads the four digits of \uXXXX at scan->at and moves past them; -1: not four digits. */
static int32_t hex4(struct layout_scan *scan)
{
    int32_t value = 0;

    for (int i = 0; i < 4; i++, scan->at++) {
        int c = peek(scan);
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

static bool skip_escape(struct layout_scan *scan, bool name)
{
    scan->at++;
    int c = peek(scan);
    if (c >= 0)
        scan->at++;
    if (c != 'u')
        return (c > 0 && strchr("\"\\/bfnrt", c)) || fail(scan, "an unknown escape in a string");
    int32_t unit = hex4(scan);
    if (unit < 0)
        return fail(scan, "\\u needs four hex digits");
    /* json-c ends a member's name at a NUL, so it would read another name. */
    if (name && unit == 0)
        return fail(scan, "a NUL in a member's name");
    if (unit < 0xD800 || unit > 0xDFFF)
        return true;
    if (unit < 0xDC00 && scan->end - scan->at > 6 && scan->at[0] == '\\' && scan->at[1] == 'u') {
        scan->at += 2;
        unit = hex4(scan);
        if (unit >= 0xDC00 && unit <= 0xDFFF)
            return true;
    }
    return fail(scan, "half of a surrogate pair");
}

static bool copy_string(struct layout_scan *scan, bool name)
{
    const unsigned char *start = scan->at++;

    for (int c; (c = peek(scan)) != '"';) {
        size_t len = c < 0 ? 0 : utf8_len(scan->at, scan->end);
        if (c < 0)
            return fail(scan, "a string without its end");
        if (c < 0x20)
            return fail(scan, "a control character in a string");
        if (len == 0)
            return fail(scan, "not UTF-8");
        if (c != '\\')
            scan->at += len;
        else if (!skip_escape(scan, name))
            return false;
    }
    scan->at++;
    return put(scan, start, (size_t)(scan->at - start));
}

static bool skip_digits(struct layout_scan *scan)
{
    const unsigned char *start = scan->at;

    while (peek(scan) >= '0' && peek(scan) <= '9')
        scan->at++;
    return scan->at > start;
}

static bool copy_number(struct layout_scan *scan)
{
    const unsigned char *start = scan->at;

    if (peek(scan) == '-')
        scan->at++;
    if (peek(scan) == '0')
        scan->at++;
    else if (!skip_digits(scan))
        return fail(scan, "a value is expected");
    if (peek(scan) == '.') {
        scan->at++;
        if (!skip_digits(scan))
            return fail(scan, "a digit is expected behind the decimal point");
    }
    if (peek(scan) == 'e' || peek(scan) == 'E') {
        scan->at++;
        if (peek(scan) == '+' || peek(scan) == '-')
            scan->at++;
        if (!skip_digits(scan))
            return fail(scan, "a digit is expected in the exponent");
    }
    return put(scan, start, (size_t)(scan->at - start));
}

static bool copy_scalar(struct layout_scan *scan)
{
    static const char *const literals[] = {"true", "false", "null"};

    if (peek(scan) == '"')
        return copy_string(scan, false);
    for (size_t i = 0; i < sizeof literals / sizeof *literals; i++) {
        size_t len = strlen(literals[i]);
        if ((size_t)(scan->end - scan->at) >= len && memcmp(scan->at, literals[i], len) == 0) {
            scan->at += len;
            return put(scan, literals[i], len);
        }
    }
    return copy_number(scan);
}

static bool copy_name(struct layout_scan *scan)
{
    if (skip_space(scan) != '"')
        return fail(scan, "a member's name in double quotes is expected");
    if (!copy_string(scan, true))
        return false;
    if (skip_space(scan) != ':')
        return fail(scan, "a colon is expected");
    scan->at++;
    scan->out->members++;
    return put(scan, ": ", 2);
}

/* Before every value: writes the line break and, for a member, its name. */
static bool begin_part(struct layout_scan *scan)
{
    if (++scan->parts > PH_MEMBERS_MAX) {
        scan->result = POSTHORN_TOO_LARGE;
        return false;
    }
    return put_line(scan) && (scan->open[scan->depth - 1] == ']' || copy_name(scan));
}

/* A scalar, an empty container, or the beginning of one: then *opened, and a value comes next. */
static bool copy_value(struct layout_scan *scan, bool *opened)
{
    int c = skip_space(scan);
    char close = c == '{' ? '}' : ']';

    *opened = false;
    if (c != '{' && c != '[')
        return copy_scalar(scan);
    if (scan->depth == POSTHORN_DEPTH_MAX)
        return fail(scan, "too deep");
    scan->at++;
    if (!put(scan, &(char){(char)c}, 1))
        return false;
    if (skip_space(scan) == close) {
        scan->at++;
        return put(scan, &close, 1);
    }
    scan->open[scan->depth++] = close;
    *opened = true;
    return begin_part(scan);
}

/* After a value: closes the containers that end here. True: another value follows, or none is open any more.
 */
static bool close_or_continue(struct layout_scan *scan)
{
    while (scan->depth > 0) {
        int c = skip_space(scan);
        if (c == ',') {
            scan->at++;
            return put(scan, ",", 1) && begin_part(scan);
        }
        if (c != scan->open[scan->depth - 1])
            return fail(scan, scan->open[scan->depth - 1] == '}' ? "a comma or } is expected"
                                                                 : "a comma or ] is expected");
        scan->at++;
        scan->depth--;
        if (!put_line(scan) || !put(scan, &(char){(char)c}, 1))
            return false;
    }
    return true;
}

enum posthorn_result ph_layout(const char *text, size_t len, struct ph_layout *layout)
{
    struct layout_scan scan = {.at = (const unsigned char *)text, .end = (const unsigned char *)text + len};
    bool opened = false;

    *layout = (struct ph_layout){0};
    scan.out = layout;
    do {
        if (!copy_value(&scan, &opened) || (!opened && !close_or_continue(&scan)))
            break;
    } while (scan.depth > 0);
    if (scan.result == POSTHORN_OK && skip_space(&scan) >= 0)
        fail(&scan, "something stands behind the document");
    if (scan.result == POSTHORN_OK)
        put(&scan, "\n", 1);
    if (scan.result != POSTHORN_OK) {
        layout->error_offset = (size_t)(scan.at - (const unsigned char *)text);
        free(layout->data);
        layout->data = NULL;
    }
    return scan.result;
}
