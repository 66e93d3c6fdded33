/*
 * saved_push: a push as somebody kept it: header lines and a body, from a file as it came over the wire or
 * put together from options.
 */
#pragma once
#include "arena.h"
#include "command.h"

enum { SAVED_HEADERS_MAX = 100, SAVED_LEN_MAX = 4 << 20 };

struct saved_header {
    struct bytes name, value;
};

struct saved_push {
    struct saved_header headers[SAVED_HEADERS_MAX];
    int header_count;
    struct bytes body;
};

/* The request as it came: an optional request line, header lines, an empty line, the body. Views of `text`.
 * False: stderr says what is wrong. */
bool saved_parse(const struct invocation *invocation, struct bytes text, struct saved_push *push);
/* "webhook-id: 8". */
bool saved_add_header(const struct invocation *invocation, struct bytes line, struct saved_push *push);
/* The first value, name case-insensitive; *count says how many there are. data NULL: none. */
struct bytes saved_header(const struct saved_push *push, const char *name, int *count);
