/*
 * chunked: the body of a message with `Transfer-Encoding: chunked` (RFC 9112 section 7.1), taken apart.
 *
 * Pure: bytes in, content out, however they are cut into pieces. Strict: a size of 1 to 15 hex digits, CR LF
 * and nothing else at the end of a line. Extensions and trailers are skipped, but not without end: at most 8
 * KiB each, at most 128 trailers. Used for what receivers answer and for what clients send.
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
/* Takes one run of bytes off `piece` (not empty) and returns its length; *content is the part of it that
 * belongs to the content, often nothing. Not to be called once DONE or BROKEN. */
size_t chunked_step(struct chunked *chunked, struct bytes piece, struct bytes *content);
