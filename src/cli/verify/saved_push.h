/*
 * saved_push: a stored push: header lines and a body, from a file with the bytes of the wire, or from
 * options.
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

/* Reads a request: an optional request line, header lines, an empty line, the body. Views of `text`. False:
 * stderr has the fault. */
bool saved_parse(const struct invocation *invocation, struct bytes text, struct saved_push *push);
/* "webhook-id: 8". */
bool saved_add_header(const struct invocation *invocation, struct bytes line, struct saved_push *push);
/* The first value, name case-insensitive; *count: their number. data NULL: none. */
struct bytes saved_header(const struct saved_push *push, const char *name, int *count);
