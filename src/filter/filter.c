#include "filter.h"
#include "decimal.h"
#include "filter_parts.h"
#include "json_escape.h"
#include <assert.h>

/* Where the judge is in the document. It was checked when it was accepted, but it comes from a disk. */
struct reader {
    const char *at, *end;
    int64_t *steps;
    bool failed; /* the steps are used up, or this is no JSON */
    const struct filter_member *differs;
};

enum { DEPTH_MAX = JSON_DEPTH_MAX + 1 };

bool filter_term_holds(const struct filter_term *term, const uint64_t *bits)
{
    if (term->kind == TERM_MEMBER)
        return bits ? bits[term->member->place / 64] >> term->member->place % 64 & 1
                    : term->member->absent_matches;
    bool any = term->kind == TERM_ANY;
    for (const struct filter_term *inner = term->first; inner; inner = inner->next)
        if (filter_term_holds(inner, bits) == any)
            return any;
    return !any;
}

/* ---- the document ---- */

static bool spend(struct reader *reader, size_t steps)
{
    *reader->steps -= (int64_t)steps;
    if (*reader->steps < 0)
        reader->failed = true;
    return !reader->failed;
}

static bool fail(struct reader *reader)
{
    reader->failed = true;
    return false;
}

static bool is_white(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

/* The next byte that is not white space, which is left there; 0: none. */
static char peek(struct reader *reader)
{
    const char *begin = reader->at;
    while (reader->at < reader->end && is_white(*reader->at))
        reader->at++;
    if (reader->at > begin && !spend(reader, (size_t)(reader->at - begin) / 8))
        return '\0';
    return reader->at < reader->end ? *reader->at : '\0';
}

static bool take(struct reader *reader, char c)
{
    if (peek(reader) != c || c == '\0')
        return false;
    reader->at++;
    return true;
}

/* A string without its quotes, its escapes as they are. */
static bool take_string(struct reader *reader, struct bytes *raw)
{
    if (!take(reader, '"'))
        return fail(reader);
    const char *begin = reader->at, *quote;
    for (;;) {
        quote = memchr(reader->at, '"', (size_t)(reader->end - reader->at));
        if (!quote)
            return fail(reader);
        const char *slash = quote;
        while (slash > reader->at && slash[-1] == '\\')
            slash--;
        reader->at = quote + 1;
        if (!spend(reader, 1 + (size_t)(quote - slash) / 8))
            return false;
        if ((quote - slash) % 2 == 0)
            break;
    }
    *raw = bytes_make(begin, (size_t)(quote - begin));
    return spend(reader, raw->len / 64);
}

/* A number, true, false or null. */
static bool take_plain(struct reader *reader, struct bytes *text)
{
    const char *begin = reader->at;
    while (reader->at < reader->end && !strchr(",]} \t\r\n", *reader->at))
        reader->at++;
    *text = bytes_make(begin, (size_t)(reader->at - begin));
    return spend(reader, 1 + text->len) && (text->len > 0 || fail(reader));
}

/* Goes behind a value that nobody asks for. */
static bool skip(struct reader *reader)
{
    int depth = 0;
    struct bytes text;
    do {
        char c = peek(reader);
        if (c == '"') {
            if (!take_string(reader, &text))
                return false;
            continue;
        }
        if (c == '\0' || !spend(reader, 1))
            return fail(reader);
        depth += c == '{' || c == '[' ? 1 : c == '}' || c == ']' ? -1 : 0;
        if (strchr("{}[],:", c))
            reader->at++;
        else if (!take_plain(reader, &text))
            return false;
    } while (depth > 0);
    return depth == 0 || fail(reader);
}

/* ---- texts with escapes ---- */

/* Goes on along both as long as they are equal; true: all of `wanted` was found. */
static bool raw_starts(struct reader *reader, struct bytes *raw, struct bytes wanted)
{
    char decoded[JSON_UNESCAPED_LEN_MAX];
    if (raw->len >= wanted.len && !memchr(raw->data, '\\', wanted.len)) {
        bool equal = memcmp(raw->data, wanted.data, wanted.len) == 0;
        *raw = bytes_make(raw->data + wanted.len, raw->len - wanted.len);
        return equal;
    }
    while (wanted.len > 0) {
        size_t len = raw->len > 0 && spend(reader, 1) ? json_unescape_next(raw, decoded) : 0;
        if (len == 0 || len > wanted.len || memcmp(decoded, wanted.data, len) != 0)
            return false;
        wanted = bytes_make(wanted.data + len, wanted.len - len);
    }
    return true;
}

static bool raw_ends(struct reader *reader, struct bytes raw, struct bytes wanted)
{
    char decoded[JSON_UNESCAPED_LEN_MAX];
    size_t len = 0;
    for (struct bytes rest = raw; rest.len > 0;)
        len += json_unescape_next(&rest, decoded);
    while (len > wanted.len)
        len -= json_unescape_next(&raw, decoded);
    return len == wanted.len && raw_starts(reader, &raw, wanted) && raw.len == 0;
}

/* ---- alternatives ---- */

struct scalar {
    enum { SCALAR_TEXT, SCALAR_NUMBER, SCALAR_WORD } kind;
    struct bytes text; /* of a text: raw */
};

static bool relates(const struct filter_test *test, struct bytes number)
{
    int compared = decimal_compare(number, test->text);
    switch (test->relation) {
    case RELATION_EQUAL:
        return compared == 0;
    case RELATION_LESS:
        return compared < 0;
    case RELATION_LESS_EQUAL:
        return compared <= 0;
    case RELATION_MORE:
        return compared > 0;
    case RELATION_MORE_EQUAL:
        return compared >= 0;
    }
    assert(false);
}

static bool passes(struct reader *reader, const struct filter_test *test, const struct scalar *scalar);

static bool passes_none(struct reader *reader, const struct filter_test *tests, const struct scalar *scalar)
{
    for (const struct filter_test *test = tests; test; test = test->next)
        if (passes(reader, test, scalar))
            return false;
    return true;
}

static bool passes(struct reader *reader, const struct filter_test *test, const struct scalar *scalar)
{
    struct bytes raw = scalar->text;
    bool text = scalar->kind == SCALAR_TEXT, number = scalar->kind == SCALAR_NUMBER;
    size_t read = test->kind == TEST_SUFFIX || number ? raw.len : 0;
    if (!spend(reader, 1 + (read + test->text.len) / 4))
        return false;
    switch (test->kind) {
    case TEST_TEXT:
        return text && raw.len >= test->text.len && raw_starts(reader, &raw, test->text) && raw.len == 0;
    case TEST_PREFIX:
        return text && raw_starts(reader, &raw, test->text);
    case TEST_SUFFIX:
        return text && raw_ends(reader, raw, test->text);
    case TEST_NUMBER:
        return number && decimal_compare(raw, test->text) == 0;
    case TEST_NUMERIC:
        return number && relates(test, raw) && (!test->inner || relates(test->inner, raw));
    case TEST_WORD:
        return scalar->kind == SCALAR_WORD && bytes_equal(raw, test->text);
    case TEST_EXISTS:
        return true;
    case TEST_ABSENT:
        return false;
    case TEST_ANYTHING_BUT:
        return passes_none(reader, test->inner, scalar);
    }
    assert(false);
}

static bool passes_any(struct reader *reader, const struct filter_test *tests, const struct scalar *scalar)
{
    for (const struct filter_test *test = tests; test; test = test->next)
        if (passes(reader, test, scalar))
            return true;
    return false;
}

static bool asks_whether_there(const struct filter_test *tests)
{
    for (const struct filter_test *test = tests; test; test = test->next)
        if (test->kind == TEST_EXISTS)
            return true;
    return false;
}

static bool take_scalar(struct reader *reader, struct scalar *scalar)
{
    char c = peek(reader);
    scalar->kind = c == '"' ? SCALAR_TEXT : c == '-' || (c >= '0' && c <= '9') ? SCALAR_NUMBER : SCALAR_WORD;
    return c == '"' ? take_string(reader, &scalar->text) : take_plain(reader, &scalar->text);
}

/* ---- values ---- */

static bool value_matches(struct reader *reader, const struct filter_member *member, int depth);
static bool object_matches(struct reader *reader, const struct filter_level *level, int depth);

static bool array_matches(struct reader *reader, const struct filter_member *member, int depth)
{
    bool matches = member->below ? false : asks_whether_there(member->tests);
    if (depth == DEPTH_MAX || !spend(reader, 1) || !take(reader, '['))
        return fail(reader);
    if (take(reader, ']'))
        return member->below ? member->below->absent_matches : matches;
    do {
        if (matches ? !skip(reader) : (matches = value_matches(reader, member, depth + 1), reader->failed))
            return false;
    } while (take(reader, ','));
    return take(reader, ']') ? matches : fail(reader);
}

/* Reads one value, and says whether the member's pattern matches it. */
static bool value_matches(struct reader *reader, const struct filter_member *member, int depth)
{
    char c = peek(reader);
    if (c == '[')
        return array_matches(reader, member, depth);
    if (c == '{' && member->below)
        return object_matches(reader, member->below, depth);
    if (c == '{' || member->below)
        return skip(reader) &&
               (member->below ? member->below->absent_matches : asks_whether_there(member->tests));
    struct scalar scalar;
    return take_scalar(reader, &scalar) && passes_any(reader, member->tests, &scalar);
}

static void judge_member(struct reader *reader, const struct filter_level *level, struct bytes name,
                         uint64_t *bits, int depth)
{
    const char *value = reader->at, *behind = NULL;
    for (const struct filter_member *member = level->members; member && !reader->failed;
         member = member->next) {
        struct bytes raw = name;
        if (!spend(reader, 1) || raw.len < member->name.len || !raw_starts(reader, &raw, member->name) ||
            raw.len > 0)
            continue;
        reader->at = value;
        if (value_matches(reader, member, depth))
            bits[member->place / 64] |= 1ULL << member->place % 64;
        else
            bits[member->place / 64] &= ~(1ULL << member->place % 64);
        behind = reader->at;
    }
    if (behind)
        reader->at = behind;
    else if (!reader->failed)
        (void)skip(reader);
}

/* The first of the members, all of which must match, that does not. */
static void note_difference(struct reader *reader, const struct filter_term *all, const uint64_t *bits)
{
    for (const struct filter_term *term = all->first; term; term = term->next)
        if (!filter_term_holds(term, bits)) {
            /* The note below this member says more than the member itself. */
            const struct filter_member *noted = reader->differs;
            while (noted && noted != term->member)
                noted = noted->above;
            if (!noted)
                reader->differs = term->member;
            return;
        }
}

static bool object_matches(struct reader *reader, const struct filter_level *level, int depth)
{
    uint64_t bits[FILTER_MEMBERS_MAX / 64] = {0};
    struct bytes name;
    for (const struct filter_member *member = level->members; member; member = member->next)
        bits[member->place / 64] |= (uint64_t)member->absent_matches << member->place % 64;
    if (depth == DEPTH_MAX || !spend(reader, 1 + (size_t)level->count) || !take(reader, '{'))
        return fail(reader);
    if (!take(reader, '}')) {
        do {
            if (!take_string(reader, &name) || !take(reader, ':'))
                return fail(reader);
            judge_member(reader, level, name, bits, depth + 1);
            if (reader->failed)
                return false;
        } while (take(reader, ','));
        if (!take(reader, '}'))
            return fail(reader);
    }
    bool matches = filter_term_holds(level->term, bits);
    if (!matches)
        note_difference(reader, level->term, bits);
    return matches;
}

enum filter_verdict filter_judge(const struct filter *filter, struct bytes document, int64_t *steps,
                                 const struct filter_member **member)
{
    struct reader reader = {.at = document.data, .end = document.data + document.len, .steps = steps};
    bool matches = object_matches(&reader, &filter->level, 0);
    if (member)
        *member = reader.differs;
    (void)peek(&reader);
    if (reader.failed || reader.at != reader.end)
        return FILTER_UNJUDGED;
    return matches ? FILTER_MATCHES : FILTER_DIFFERS;
}
