/*
 * response: a strict, sans-IO parser of HTTP/1.x responses (RFC 9112), with fixed limits. Pure: bytes in,
 * verdict out, however they are cut into pieces.
 *
 * What makes a response valid here (promises.md, the acknowledgement rule and the table of receivers):
 * status line `HTTP/1.0|1.1 SP 3DIGIT [SP reason] CRLF`, 100 to 999; header lines `token ":" value CRLF`,
 * without NUL, bare CR or LF, or space before the colon; a folded line goes on with the value before it (RFC
 * 9112 section 5.2); at most 32 KiB and 128 fields, 8 KiB a line; at most 8 interim (1xx) responses, 101 is a
 * failure. Trouble in the body's framing never undoes a
 * complete header block: it only means that the connection is not used again.
 */
#pragma once
#include "bytes.h"
#include "failure.h"

enum {
    RESPONSE_HEAD_LEN_MAX = 32 * 1024,
    RESPONSE_LINE_LEN_MAX = 8 * 1024,
    RESPONSE_FIELDS_MAX = 128,
    RESPONSE_INTERIM_MAX = 8,
    RESPONSE_RAW_KEPT_MAX = 1024,
    RESPONSE_BODY_KEPT_MAX = 16 * 1024,
    RESPONSE_BODY_READ_MAX = 64 * 1024
};

enum response_stage {
    RESPONSE_HEAD,    /* status line and headers, interim responses included */
    RESPONSE_BODY,    /* the final header block is complete: `status` counts */
    RESPONSE_DONE,    /* the body ended where its framing said */
    RESPONSE_STOPPED, /* reading may stop: limit of the body reached, or void framing; close the connection */
    RESPONSE_FAILED   /* `failure` says why: BAD_RESPONSE or HEADERS_TOO_LARGE */
};

struct response; /* fixed size, no pointers into the input */

size_t response_size(void);
struct response *response_init(void *memory);
/* Consumes all of `piece` or up to the end of the response; returns how many bytes it used. Bytes left over
 * after DONE are a reason to close. */
size_t response_feed(struct response *response, struct bytes piece);
/* The peer closed its side. HEAD becomes FAILED (TRUNCATED_HEADERS, or CLOSED_EARLY when not a byte had
 * come); BODY becomes DONE when framed by close, STOPPED otherwise. */
void response_end(struct response *response);

enum response_stage response_stage(const struct response *response);
enum failure response_failure(const struct response *response);
/* FAILED: which part of the answer is wrong, and how; NULL when the failure says it all. */
const char *response_flaw(const struct response *response);
int response_status(const struct response *response); /* of the final response, 0 before BODY */
/* Seconds or HTTP-date. INT64_MAX: more seconds than can be counted. -1: none, several, or not understood. */
int64_t response_retry_after_ms(const struct response *response, int64_t wall_ms);
/* Where a redirect leads, as it was said, its first 256 bytes; len 0: it does not say. */
struct bytes response_location(const struct response *response);
bool response_keep_alive(const struct response *response); /* the connection may be used again after DONE */
/* The first 16 KiB, raw; chunk framing removed. */
struct bytes response_body(const struct response *response);
/* For a person to see: the body; or, if there is none that can be told from the rest, the first 1 KiB of what
 * came, head and all. Of a 2xx, the body alone. How much of a void framing depends on how the network cut it.
 */
struct bytes response_said(const struct response *response);
bool response_started(const struct response *response); /* a byte has been fed */
