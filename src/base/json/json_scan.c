#include "json_scan.h"
#include "json_escape.h"
#include "memory.h"
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { NAMES_INLINE = 64, NAMES_FEW = 12, QUOTE_LEN_MAX = 40 };

enum expect { VALUE, VALUE_OR_CLOSE, NAME, NAME_OR_CLOSE, COLON, COMMA_OR_CLOSE, NOTHING };

struct member_name {
    struct bytes decoded;
    const char *at; /* its opening quote */
};

struct container {
    const char *opened_at;
    uint32_t names_start;
    bool is_object;
};

struct json_scanner {
    char *start, *at, *end;
    bool lenient;
    struct json_reading *reading;
    struct json_builder *builder; /* NULL: only checked */
    enum expect expect;
    int depth, members;
    struct container stack[JSON_DEPTH_MAX];
    char *comma;           /* the last one */
    const char *value_end; /* behind the last value: the place for a missing comma */
    const char *too_large; /* the first integer beyond 64 bits; a syntax error is reported instead of it */
    struct member_name *names; /* of all open objects, innermost last */
    size_t name_count, name_cap;
    struct member_name names_inline[NAMES_INLINE];
    struct arena decoded; /* names with escapes, if there is no tree to keep them */
};

/* Common mistakes and how to mend them. */
static const struct {
    const char *seen, *advice;
} mistakes[] = {
    {"...", "replace the three dots with real data, or delete them"},
    {"\xe2\x80\xa6", "replace the three dots with real data, or delete them"},
    {"\xe2\x80\x9c", "replace the typographic quote with a plain \""},
    {"\xe2\x80\x9d", "replace the typographic quote with a plain \""},
    {"\xc2\xa0", "replace the non-breaking space with a plain one"},
    {"\xef\xbb\xbf", "delete the byte order mark"},
    {"'", "replace the single quotes with double quotes"},
    {"`", "replace the backquotes with double quotes"},
    {"#", "a comment begins with //, not with #"},
    {"NaN", "NaN is not JSON; write null, or a string"},
    {"Infinity", "Infinity is not JSON; write null, or a string"},
    {"-Infinity", "Infinity is not JSON; write null, or a string"},
    {"undefined", "undefined is not JSON; write null, or leave the member out"},
    {"None", "write null instead of None"},
    {"nil", "write null instead of nil"},
    {"Null", "write null in lower case"},
    {"NULL", "write null in lower case"},
    {"True", "write true in lower case"},
    {"TRUE", "write true in lower case"},
    {"False", "write false in lower case"},
    {"FALSE", "write false in lower case"},
    {"+", "a number takes no plus sign; delete it"},
    {".", "a number needs a digit before its decimal point, as in 0.5"},
};

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$';
}

static bool at_text(const struct json_scanner *scan, const char *text)
{
    return bytes_starts(bytes_make(scan->at, (size_t)(scan->end - scan->at)), text);
}

static void locate(const struct json_scanner *scan, const char *at, int *line, int *column)
{
    const char *line_start = scan->start, *newline;
    *line = 1;
    while ((newline = memchr(line_start, '\n', (size_t)(at - line_start)))) {
        line_start = newline + 1;
        (*line)++;
    }
    *column = (int)(at - line_start) + 1;
}

static __attribute__((format(printf, 4, 5))) enum json_error
fail(struct json_scanner *scan, enum json_error error, const char *at, const char *format, ...)
{
    struct json_problem *problem = &scan->reading->problem;
    problem->error = error;
    locate(scan, at, &problem->line, &problem->column);
    int len = snprintf(problem->detail, sizeof problem->detail, "line %d, column %d: ", problem->line,
                       problem->column);
    va_list args;
    va_start(args, format);
    vsnprintf(problem->detail + len, sizeof problem->detail - (size_t)len, format, args);
    va_end(args);
    return error;
}

static void warn(struct json_scanner *scan, const char *at, int kind)
{
    struct json_reading *reading = scan->reading;
    if (reading->warning_count < JSON_WARNINGS_MAX) {
        struct json_warning *warning = &reading->warnings[reading->warning_count];
        warning->kind = kind;
        locate(scan, at, &warning->line, &warning->column);
    }
    reading->warning_count++;
}

/* The member's name at `at` (an opening quote) for a message: cut short, without control characters. */
static const char *quote(const struct json_scanner *scan, const char *at, char out[QUOTE_LEN_MAX + 1])
{
    int len = 0;
    for (at++; at < scan->end && *at != '"' && *at != '\n' && len < QUOTE_LEN_MAX; at++)
        out[len++] = (char)(*at < 0x20 || *at == 0x7f
                                ? '?'
                                : *at); /* char may be signed: bytes beyond ASCII become '?' too */
    out[len] = '\0';
    return out;
}

/* A syntax error. `wanted` is the message if none of the common mistakes fits. */
static enum json_error unexpected(struct json_scanner *scan, const char *wanted)
{
    unsigned char c = (unsigned char)*scan->at;
    if (c == 0)
        return fail(scan, JSON_ENCODING, scan->at, "a NUL byte; send UTF-8 text");
    if (c >= 0x80 && !bytes_utf8_length(bytes_make(scan->at, (size_t)(scan->end - scan->at))))
        return fail(scan, JSON_ENCODING, scan->at, "byte 0x%02x is not UTF-8", c);
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++)
        if (at_text(scan, mistakes[i].seen))
            return fail(scan, JSON_SYNTAX, scan->at, "%s", mistakes[i].advice);
    if (c < 0x20 || c >= 0x7f)
        return fail(scan, JSON_SYNTAX, scan->at, "%s, not byte 0x%02x", wanted, c);
    return fail(scan, JSON_SYNTAX, scan->at, "%s, not %c", wanted, c);
}

static enum json_error ended(struct json_scanner *scan)
{
    if (scan->depth == 0)
        return fail(scan, JSON_EMPTY, scan->end, "there is no JSON text in the body");
    const struct container *open = &scan->stack[scan->depth - 1];
    int line, column;
    locate(scan, open->opened_at, &line, &column);
    return fail(scan, JSON_SYNTAX, scan->end,
                "the text ends here, but the %c of line %d, column %d is still open", *open->opened_at, line,
                column);
}

/* ---- white space and comments ---- */

static enum json_error blank_comment(struct json_scanner *scan)
{
    char *start = scan->at, *end;
    bool block = at_text(scan, "/*");
    if (!block && !at_text(scan, "//"))
        return unexpected(scan, "JSON was expected");
    if (!scan->lenient)
        return fail(scan, JSON_SYNTAX, start, "comments are not JSON; delete this one");
    if (block) {
        end = memmem(start + 2, (size_t)(scan->end - start - 2), "*/", 2);
        if (!end)
            return fail(scan, JSON_SYNTAX, start, "this comment has no end; add */");
        end += 2;
    } else {
        end = memchr(start, '\n', (size_t)(scan->end - start));
        if (!end)
            end = scan->end;
    }
    if (!bytes_are_utf8(bytes_make(start, (size_t)(end - start))) || memchr(start, 0, (size_t)(end - start)))
        return fail(scan, JSON_ENCODING, start, "this comment is not UTF-8 text");
    warn(scan, start, JSON_WARNING_COMMENT);
    for (char *c = start; c < end; c++)
        if (*c != '\n') /* kept, so that later line numbers stay true */
            *c = ' ';
    scan->at = end;
    return JSON_OK;
}

static enum json_error skip_blank(struct json_scanner *scan)
{
    while (scan->at < scan->end) {
        char c = *scan->at;
        if (c == ' ' || c == '\n' || c == '\t' || c == '\r') {
            scan->at++;
        } else if (c == '/') {
            enum json_error error = blank_comment(scan);
            if (error)
                return error;
        } else {
            break;
        }
    }
    return JSON_OK;
}

/* ---- strings ---- */

/* Quote, backslash, control bytes, and all bytes beyond ASCII. */
static bool is_special(char c)
{
    return (unsigned char)c < 0x20 || c == '"' || c == '\\' || (unsigned char)c >= 0x80;
}

/* At a backslash. */
static enum json_error scan_escape(struct json_scanner *scan, bool is_name)
{
    char *at = scan->at;
    char letter = (char)(at + 1 < scan->end ? at[1] : '\0');
    if (letter && strchr("\"\\/bfnrt", letter)) {
        scan->at += 2;
        return JSON_OK;
    }
    if (letter != 'u')
        return fail(scan, JSON_SYNTAX, at, "this escape is not JSON; a backslash itself is written twice");
    int unit = json_hex4(at + 2, scan->end);
    if (unit < 0)
        return fail(scan, JSON_SYNTAX, at, "\\u takes four hex digits");
    scan->at += 6;
    if (unit == 0 && is_name) /* json-c keeps names as C strings and would cut it here */
        return fail(scan, JSON_ENCODING, at, "a member's name must not contain \\u0000");
    if (unit < 0xd800 || unit > 0xdfff)
        return JSON_OK;
    int low = at_text(scan, "\\u") ? json_hex4(scan->at + 2, scan->end) : -1;
    if (unit > 0xdbff || low < 0xdc00 || low > 0xdfff)
        return fail(scan, JSON_ENCODING, at, "half of a surrogate pair; write both, or the character itself");
    scan->at += 6;
    return JSON_OK;
}

/* Skips bytes that are not special, eight at a time. The highest bit of each byte of a word is set, or
 * becomes set by a borrow, if the byte is special. A byte behind a special one may get it wrongly, so the
 * caller looks at each byte from there on. */
static char *skip_plain(char *at, const char *end)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), high = ones << 7;
    while (end - at >= 8) {
        uint64_t word;
        memcpy(&word, at, sizeof word);
        uint64_t quote = word ^ ones * '"', backslash = word ^ ones * '\\';
        if ((word | (word - ones * 0x20) | (quote - ones) | (backslash - ones)) & high)
            break;
        at += 8;
    }
    while (at < end && !is_special(*at))
        at++;
    return at;
}

/* From the opening quote to the byte after the closing one. */
static enum json_error scan_string(struct json_scanner *scan, bool is_name, bool *escaped)
{
    char *opening = scan->at++;
    *escaped = false;
    for (;;) {
        scan->at = skip_plain(scan->at, scan->end);
        if (scan->at == scan->end)
            return fail(scan, JSON_SYNTAX, opening, "the string that begins here has no closing quote");
        unsigned char c = (unsigned char)*scan->at;
        enum json_error error = JSON_OK;
        size_t len = 0;
        if (c == '"') {
            scan->at++;
            return JSON_OK;
        }
        if (c == '\\') {
            *escaped = true;
            error = scan_escape(scan, is_name);
        } else if (c >= 0x80 &&
                   (len = bytes_utf8_length(bytes_make(scan->at, (size_t)(scan->end - scan->at))))) {
            scan->at += len;
        } else if (c == '\n' || c == '\r') {
            return fail(scan, JSON_SYNTAX, opening,
                        "the string that begins here is not closed on its line; write \\n for a line break");
        } else if (c == '\t') {
            return fail(scan, JSON_SYNTAX, scan->at, "write \\t for a tab inside a string");
        } else if (c == 0 || c >= 0x80) {
            return unexpected(scan, "a character was expected");
        } else {
            return fail(scan, JSON_SYNTAX, scan->at, "write \\u%04x for this control byte", c);
        }
        if (error)
            return error;
    }
}

/* Decodes escapes: "\u0061" and "a" are the same member. `raw` has passed scan_string. */
static struct bytes decode(struct json_scanner *scan, struct bytes raw)
{
    struct json_builder *builder = scan->builder;
    /* An escape is never shorter than its meaning. */
    char *out = arena_alloc(builder ? builder->arena : &scan->decoded, raw.len);
    assert(out || builder);
    if (out)
        return bytes_make(out, json_unescape(out, raw));
    builder->full = true;
    return raw;
}

/* ---- names ---- */

static void add_name(struct json_scanner *scan, struct bytes decoded, const char *at)
{
    if (scan->name_count == scan->name_cap) {
        bool was_inline = scan->names == scan->names_inline;
        scan->name_cap *= 2;
        scan->names = memory_grow(was_inline ? NULL : scan->names, scan->name_cap * sizeof *scan->names);
        if (was_inline)
            memcpy(scan->names, scan->names_inline, sizeof scan->names_inline);
    }
    scan->names[scan->name_count++] = (struct member_name){decoded, at};
}

static int compare_names(const void *a_, const void *b_)
{
    const struct member_name *a = a_, *b = b_;
    if (a->decoded.len != b->decoded.len)
        return a->decoded.len < b->decoded.len ? -1 : 1;
    int order = a->decoded.len ? memcmp(a->decoded.data, b->decoded.data, a->decoded.len) : 0;
    return order ? order : a->at < b->at ? -1 : 1;
}

/* The first repeated name, or NULL. May reorder the names: their object is closed. */
static const struct member_name *find_duplicate(struct member_name *names, size_t count)
{
    if (count <= NAMES_FEW) {
        for (size_t i = 1; i < count; i++)
            for (size_t k = 0; k < i; k++)
                if (bytes_equal(names[i].decoded, names[k].decoded))
                    return &names[i];
        return NULL;
    }
    const struct member_name *found = NULL;
    qsort(names, count, sizeof *names, compare_names);
    for (size_t i = 1; i < count; i++)
        if (bytes_equal(names[i].decoded, names[i - 1].decoded) && (!found || names[i].at < found->at))
            found = &names[i];
    return found;
}

static enum json_error scan_name(struct json_scanner *scan)
{
    const char *opening = scan->at;
    bool escaped;
    enum json_error error = scan_string(scan, true, &escaped);
    if (error)
        return error;
    struct bytes name = bytes_make(opening + 1, (size_t)(scan->at - opening) - 2);
    if (escaped)
        name = decode(scan, name);
    add_name(scan, name, opening);
    if (scan->builder)
        json_builder_name(scan->builder, name, !escaped);
    scan->expect = COLON;
    return JSON_OK;
}

/* ---- numbers ---- */

static bool beyond_64_bits(struct bytes digits, bool negative)
{
    const char *max = negative ? "9223372036854775808" : "18446744073709551615";
    size_t len = strlen(max);
    return digits.len > len || (digits.len == len && memcmp(digits.data, max, len) > 0);
}

/* A value that is not a container, and its place. */
static void found(struct json_scanner *scan, enum json_kind kind, const char *start)
{
    if (scan->builder)
        json_builder_value(scan->builder, kind, bytes_make(start, (size_t)(scan->at - start)), true);
}

static enum json_error scan_number(struct json_scanner *scan)
{
    char *start = scan->at, *at = start, *end = scan->end;
    bool negative = *at == '-';
    at += negative;
    if (at == end || !bytes_is_digit(*at))
        return at_text(scan, "-Infinity")
                   ? unexpected(scan, "")
                   : fail(scan, JSON_SYNTAX, start, "a digit is missing after the minus sign");
    char *digits = at;
    while (at < end && bytes_is_digit(*at))
        at++;
    struct bytes integer = bytes_make(digits, (size_t)(at - digits));
    if (*digits == '0' && integer.len == 1 && at < end && (*at == 'x' || *at == 'X'))
        return fail(scan, JSON_SYNTAX, start, "a hexadecimal number is not JSON; write it in decimal");
    if (*digits == '0' && integer.len > 1)
        return fail(scan, JSON_SYNTAX, start,
                    "a number must not begin with 0; delete the zero, or put it in quotes");
    bool is_integer = true;
    if (at < end && *at == '.') {
        is_integer = false;
        if (++at == end || !bytes_is_digit(*at))
            return fail(scan, JSON_SYNTAX, at, "a digit is missing after the decimal point");
        while (at < end && bytes_is_digit(*at))
            at++;
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        is_integer = false;
        at++;
        if (at < end && (*at == '+' || *at == '-'))
            at++;
        if (at == end || !bytes_is_digit(*at))
            return fail(scan, JSON_SYNTAX, at, "a digit is missing in the exponent");
        while (at < end && bytes_is_digit(*at))
            at++;
    }
    if (is_integer && !scan->too_large && beyond_64_bits(integer, negative))
        scan->too_large = start;
    scan->at = at;
    found(scan, is_integer ? JSON_INTEGER : JSON_DECIMAL, start);
    return JSON_OK;
}

/* ---- the grammar ---- */

static void value_done(struct json_scanner *scan)
{
    scan->value_end = scan->at;
    scan->expect = scan->depth ? COMMA_OR_CLOSE : NOTHING;
}

static enum json_error count_member(struct json_scanner *scan)
{
    if (++scan->members > JSON_MEMBERS_MAX)
        return fail(scan, JSON_MEMBERS, scan->at, "more than %d members and elements", JSON_MEMBERS_MAX);
    return JSON_OK;
}

static enum json_error open_container(struct json_scanner *scan)
{
    if (scan->depth == JSON_DEPTH_MAX)
        return fail(scan, JSON_DEPTH, scan->at, "nested more than %d deep", JSON_DEPTH_MAX);
    bool is_object = *scan->at == '{';
    scan->stack[scan->depth++] = (struct container){scan->at, (uint32_t)scan->name_count, is_object};
    scan->expect = is_object ? NAME_OR_CLOSE : VALUE_OR_CLOSE;
    scan->at++;
    if (scan->builder)
        json_builder_open(scan->builder, is_object ? JSON_OBJECT : JSON_ARRAY);
    return JSON_OK;
}

static enum json_error close_container(struct json_scanner *scan)
{
    struct container *open = &scan->stack[scan->depth - 1];
    if (open->is_object != (*scan->at == '}')) {
        int line, column;
        locate(scan, open->opened_at, &line, &column);
        return fail(scan, JSON_SYNTAX, scan->at, "%c was expected, to close the %c of line %d, column %d",
                    open->is_object ? '}' : ']', *open->opened_at, line, column);
    }
    const struct member_name *twice =
        find_duplicate(scan->names + open->names_start, scan->name_count - open->names_start);
    if (twice) {
        char name[QUOTE_LEN_MAX + 1];
        return fail(scan, JSON_DUPLICATE, twice->at, "the member \"%s\" is there twice; delete one",
                    quote(scan, twice->at, name));
    }
    scan->name_count = open->names_start;
    scan->depth--;
    scan->at++;
    if (scan->builder)
        json_builder_close(scan->builder);
    value_done(scan);
    return JSON_OK;
}

/* A closing bracket right after a comma. */
static enum json_error close_after_comma(struct json_scanner *scan)
{
    if (!scan->lenient)
        return fail(scan, JSON_SYNTAX, scan->comma, "a trailing comma is not JSON; delete it");
    *scan->comma = ' ';
    warn(scan, scan->comma, JSON_WARNING_TRAILING_COMMA);
    return close_container(scan);
}

static enum json_error scan_literal(struct json_scanner *scan)
{
    static const char *const literals[] = {"true", "false", "null"};
    static const enum json_kind kinds[] = {JSON_TRUE, JSON_FALSE, JSON_NULL};
    for (int i = 0; i < 3; i++) {
        size_t len = strlen(literals[i]);
        if (!at_text(scan, literals[i]) || (scan->at + len < scan->end && is_word(scan->at[len])))
            continue;
        if (*literals[i] == 'n' && scan->depth == 0)
            return fail(scan, JSON_SYNTAX, scan->at, "an object was expected, not null");
        scan->at += len;
        found(scan, kinds[i], scan->at - len);
        return JSON_OK;
    }
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++)
        if (at_text(scan, mistakes[i].seen))
            return unexpected(scan, "");
    return fail(scan, JSON_SYNTAX, scan->at, "text needs double quotes around it");
}

static enum json_error scan_text(struct json_scanner *scan)
{
    const char *opening = scan->at;
    bool escaped;
    enum json_error error = scan_string(scan, false, &escaped);
    if (error || !scan->builder)
        return error;
    struct bytes text = bytes_make(opening + 1, (size_t)(scan->at - opening) - 2);
    json_builder_value(scan->builder, JSON_STRING, escaped ? decode(scan, text) : text, !escaped);
    return JSON_OK;
}

static enum json_error scan_value(struct json_scanner *scan)
{
    char c = *scan->at;
    if (c == '{' || c == '[')
        return open_container(scan);
    enum json_error error;
    if (c == '"')
        error = scan_text(scan);
    else if (c == '-' || bytes_is_digit(c))
        error = scan_number(scan);
    else if (is_word(c))
        error = scan_literal(scan);
    else if (c == ',')
        error = fail(scan, JSON_SYNTAX, scan->at, "a value is missing before this comma");
    else if ((c == '}' || c == ']') && scan->depth)
        error = fail(scan, JSON_SYNTAX, scan->at, "a value is missing before this %c", c);
    else
        error = unexpected(scan, "a value was expected");
    if (!error)
        value_done(scan);
    return error;
}

static enum json_error expect_name(struct json_scanner *scan)
{
    char c = *scan->at;
    if (c == '"') {
        enum json_error error = count_member(scan);
        return error ? error : scan_name(scan);
    }
    if (c == '}' || c == ']')
        return scan->expect == NAME ? close_after_comma(scan) : close_container(scan);
    if (c == ',')
        return fail(scan, JSON_SYNTAX, scan->at, "one comma too many; delete it");
    if (is_word(c) || bytes_is_digit(c))
        return fail(scan, JSON_SYNTAX, scan->at, "a member's name needs double quotes around it");
    return unexpected(scan, "a member's name in double quotes was expected");
}

static enum json_error expect_element(struct json_scanner *scan)
{
    char c = *scan->at;
    if (c == ']')
        return scan->expect == VALUE ? close_after_comma(scan) : close_container(scan);
    enum json_error error = count_member(scan);
    return error ? error : scan_value(scan);
}

static enum json_error expect_comma(struct json_scanner *scan)
{
    char c = *scan->at;
    bool in_object = scan->stack[scan->depth - 1].is_object;
    char name[QUOTE_LEN_MAX + 1];
    if (c == ',') {
        scan->comma = scan->at++;
        scan->expect = in_object ? NAME : VALUE;
        return JSON_OK;
    }
    if (c == '}' || c == ']')
        return close_container(scan);
    if ((is_word(c) || bytes_is_digit(c) || c == '-') && scan->value_end == scan->at)
        return fail(scan, JSON_SYNTAX, scan->at, "the value ends here; put it in double quotes as a whole");
    if (c == '"' && in_object)
        return fail(scan, JSON_SYNTAX, scan->value_end, "a comma is missing before \"%s\"",
                    quote(scan, scan->at, name));
    if (c == '"' || c == '{' || c == '[' || c == '-' || bytes_is_digit(c))
        return fail(scan, JSON_SYNTAX, scan->value_end, "a comma is missing");
    return unexpected(scan, in_object ? "a comma or } was expected" : "a comma or ] was expected");
}

static enum json_error expect_colon(struct json_scanner *scan)
{
    char name[QUOTE_LEN_MAX + 1];
    if (*scan->at == ':') {
        scan->at++;
        scan->expect = VALUE;
        return JSON_OK;
    }
    const char *at = scan->names[scan->name_count - 1].at;
    return fail(scan, JSON_SYNTAX, scan->at, "a colon is missing after \"%s\"", quote(scan, at, name));
}

static enum json_error step(struct json_scanner *scan)
{
    switch (scan->expect) {
    case VALUE:
    case VALUE_OR_CLOSE:
        return scan->depth && !scan->stack[scan->depth - 1].is_object ? expect_element(scan)
                                                                      : scan_value(scan);
    case NAME:
    case NAME_OR_CLOSE:
        return expect_name(scan);
    case COLON:
        return expect_colon(scan);
    case COMMA_OR_CLOSE:
        return expect_comma(scan);
    case NOTHING:
        break;
    }
    if (*scan->at == '}' || *scan->at == ']')
        return fail(scan, JSON_TRAILING, scan->at, "one closing %c too many", *scan->at);
    return fail(scan, JSON_TRAILING, scan->at, "the document has ended; delete the text after it");
}

static enum json_error check_encoding(struct json_scanner *scan)
{
    size_t len = (size_t)(scan->end - scan->start);
    if (at_text(scan, "\xef\xbb\xbf"))
        return fail(scan, JSON_ENCODING, scan->start, "delete the byte order mark");
    if (at_text(scan, "\xfe\xff") || at_text(scan, "\xff\xfe") ||
        (len >= 2 && (!scan->start[0] || !scan->start[1])))
        return fail(scan, JSON_ENCODING, scan->start, "this looks like UTF-16 or UTF-32; send UTF-8");
    return JSON_OK;
}

static enum json_error scan_all(struct json_scanner *scan)
{
    enum json_error error = check_encoding(scan);
    while (!error && !(error = skip_blank(scan)) && scan->at < scan->end)
        error = step(scan);
    if (error)
        return error;
    if (scan->expect != NOTHING)
        return ended(scan);
    if (scan->too_large)
        return fail(scan, JSON_RANGE, scan->too_large,
                    "this integer does not fit in 64 bits; send it as a string");
    return JSON_OK;
}

enum json_error json_scan(char *text, size_t len, bool lenient, struct json_reading *reading,
                          struct json_builder *builder)
{
    struct json_scanner scan;
    memset(&scan, 0, offsetof(struct json_scanner, names_inline));
    scan.start = scan.at = text;
    scan.end = text + len;
    scan.lenient = lenient;
    scan.reading = reading;
    scan.builder = builder;
    scan.names = scan.names_inline;
    scan.name_cap = NAMES_INLINE;
    arena_init(&scan.decoded, len);
    reading->problem = (struct json_problem){.error = JSON_OK};
    reading->warning_count = 0;
    enum json_error error = scan_all(&scan);
    arena_fini(&scan.decoded);
    if (scan.names != scan.names_inline)
        free(scan.names);
    return error;
}

enum json_error json_check(char *text, size_t len, bool lenient, struct json_reading *reading)
{
    return json_scan(text, len, lenient, reading, NULL);
}

const char *json_error_code(enum json_error error)
{
    static const char *const codes[] = {
        NULL,         "json_empty",   "json_syntax", "json_encoding", "json_duplicate",
        "json_depth", "json_members", "json_range",  "json_trailing"};
    return codes[error];
}
