/*
 * chunked: decodes a body with `Transfer-Encoding: chunked` (RFC 9112 section 7.1), of receivers and of
 * clients.
 *
 * Pure: bytes in, content out, in pieces of any length. Strict: a size has 1 to 15 hex
 * digits, and lines end with CR LF. Extensions and trailers are skipped: at most 8 KiB each, and at most
 * 128 trailers.
 */
#pragma once
#include "bytes.h"

enum { CHUNKED_LINE_LEN_MAX = 8 * 1024, CHUNKED_TRAILERS_MAX = 128, CHUNKED_DIGITS_MAX = 15 };

enum chunked_state {
    CHUNKED_SIZE,
    CHUNKED_EXTENSION,
    CHUNKED_SIZE_LINE_FEED,
    CHUNKED_DATA,
    CHUNKED_DATA_CR,
    CHUNKED_DATA_LINE_FEED,
    CHUNKED_TRAILER_START,
    CHUNKED_TRAILER,
    CHUNKED_TRAILER_LINE_FEED,
    CHUNKED_LAST_LINE_FEED,
    CHUNKED_DONE,
    CHUNKED_BROKEN
};

struct chunked {
    enum chunked_state state;
    int64_t left;     /* of this chunk */
    size_t line_left; /* of an extension, or a trailer */
    int digits, trailers;
};

void chunked_init(struct chunked *chunked);
/* Takes some bytes from the front of `piece` (not empty) and returns their number. *content: the content
 * among them, often none. Do not call it after DONE or BROKEN. */
size_t chunked_step(struct chunked *chunked, struct bytes piece, struct bytes *content);
