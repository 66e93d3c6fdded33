#include "locate.h"
#include <stdlib.h>

struct locator {
    const char *at, *end;
};

static void skip_space(struct locator *scan)
{
    while (scan->at < scan->end && strchr(" \t\r\n", *scan->at))
        scan->at++;
}

/* Returns the bytes between the quotes. Escapes are not decoded. */
static struct bytes skip_string(struct locator *scan)
{
    const char *begin = ++scan->at;
    while (scan->at < scan->end && *scan->at != '"')
        scan->at += *scan->at == '\\' ? 2 : 1;
    struct bytes inside = bytes_make(begin, (size_t)(scan->at - begin));
    if (scan->at < scan->end)
        scan->at++;
    return inside;
}

static void skip_value(struct locator *scan)
{
    int depth = 0;
    do {
        skip_space(scan);
        if (scan->at >= scan->end)
            return;
        char c = *scan->at;
        if (c == '"') {
            skip_string(scan);
        } else if (strchr("{}[],:", c)) {
            depth += (c == '{' || c == '[') - (c == '}' || c == ']');
            scan->at++;
        } else {
            while (scan->at < scan->end && !strchr("{}[],: \t\r\n", *scan->at))
                scan->at++;
        }
    } while (depth > 0);
}

/* Moves from the opening bracket to the value of the named member or element. False: there is none. */
static bool enter(struct locator *scan, struct bytes name)
{
    bool object = scan->at < scan->end && *scan->at == '{';
    long index = object ? 0 : strtol(name.data, NULL, 10);
    if (scan->at >= scan->end || !strchr("{[", *scan->at))
        return false;
    do {
        scan->at++; /* the bracket or the comma */
        skip_space(scan);
        if (scan->at >= scan->end || strchr("}]", *scan->at))
            return false;
        if (object) {
            struct bytes member = skip_string(scan);
            skip_space(scan);
            scan->at++; /* the colon */
            skip_space(scan);
            if (bytes_equal(member, name))
                return true;
        } else if (index-- == 0) {
            return true;
        }
        skip_value(scan);
        skip_space(scan);
    } while (scan->at < scan->end && *scan->at == ',');
    return false;
}

void locate(struct bytes text, const char *pointer, int *line, int *column)
{
    struct locator scan = {text.data, text.data + text.len};
    skip_space(&scan);
    const char *found = scan.at;
    while (*pointer == '/') {
        size_t len = strcspn(++pointer, "/");
        if (!enter(&scan, bytes_make(pointer, len)))
            break;
        found = scan.at;
        pointer += len;
    }
    *line = *column = 1;
    for (const char *at = text.data; at < found; at++) {
        *column = *at == '\n' ? 1 : *column + 1;
        *line += *at == '\n';
    }
}
