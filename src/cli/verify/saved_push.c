#include "saved_push.h"

#include <string.h>

/* Takes a line from the front, without its CR and LF. False: there is none. */
static bool next_line(struct bytes *rest, struct bytes *line)
{
    const char *end = memchr(rest->data, '\n', rest->len);

    if (!end)
        return false;
    *line = bytes_make(rest->data, (size_t)(end - rest->data));
    *rest = bytes_make(end + 1, rest->len - line->len - 1);
    if (line->len > 0 && line->data[line->len - 1] == '\r')
        line->len--;
    return true;
}

static bool is_request_line(struct bytes line)
{
    return bytes_starts(line, "POST ") && memmem(line.data, line.len, " HTTP/1.", 8);
}

bool saved_add_header(const struct invocation *invocation, struct bytes line, struct saved_push *push)
{
    const char *colon = memchr(line.data, ':', line.len);

    if (!colon || colon == line.data || push->header_count == SAVED_HEADERS_MAX) {
        command_failed(
            invocation, "%s",
            colon ? "a header without a name, or too many of them"
                  : "there is a line without a colon among the headers (they end with an empty line)");
        return false;
    }
    size_t len = (size_t)(colon - line.data);
    push->headers[push->header_count++] = (struct saved_header){
        bytes_trim(bytes_make(line.data, len)), bytes_trim(bytes_make(colon + 1, line.len - len - 1))};
    return true;
}

bool saved_parse(const struct invocation *invocation, struct bytes text, struct saved_push *push)
{
    struct bytes rest = text, line;

    for (bool first = true; next_line(&rest, &line) && line.len > 0; first = false)
        if (!(first && is_request_line(line)) && !saved_add_header(invocation, line, push))
            return false;
    push->body = rest;
    return true;
}

struct bytes saved_header(const struct saved_push *push, const char *name, int *count)
{
    struct bytes value = {NULL, 0};

    *count = 0;
    for (int i = 0; i < push->header_count; i++) {
        if (!bytes_equal_nocase(push->headers[i].name, name))
            continue;
        if ((*count)++ == 0)
            value = push->headers[i].value;
    }
    return value;
}
