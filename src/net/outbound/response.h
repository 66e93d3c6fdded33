/*
 * response: a strict parser of HTTP/1.x responses (RFC 9112) with fixed limits. Pure: bytes in, verdict
 * out, in pieces of any length.
 *
 * A response is valid (promises.md: the acknowledgement rule, the table of receivers) if it has a status
 * line `HTTP/1.0|1.1 SP 3DIGIT [SP reason] CRLF` with a status from 100 to 999, and header lines `token ":"
 * value CRLF` without NUL, bare CR or LF, or space before the colon. A folded line continues the value
 * before it (RFC 9112 section 5.2). Limits: 32 KiB and 128 fields, 8 KiB a line, 8 interim (1xx) responses;
 * 101 is a failure. A fault in the framing of the body never invalidates a complete header block; it only
 * closes the connection.
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
    RESPONSE_STOPPED, /* stop reading and close: the limit of the body is reached, or its framing is void */
    RESPONSE_FAILED   /* see `failure`: BAD_RESPONSE or HEADERS_TOO_LARGE */
};

struct response; /* fixed size, no pointers into the input */

size_t response_size(void);
struct response *response_init(void *memory);
/* Uses `piece` up to the end of the response, and returns the number of used bytes. After bytes beyond DONE,
 * close. */
size_t response_feed(struct response *response, struct bytes piece);
/* The receiver has closed its side. HEAD becomes FAILED (TRUNCATED_HEADERS, or CLOSED_EARLY if no byte had
 * come). BODY becomes DONE if the close ends it, otherwise STOPPED. */
void response_end(struct response *response);

enum response_stage response_stage(const struct response *response);
enum failure response_failure(const struct response *response);
/* FAILED: the wrong part of the answer; NULL: the failure says enough. */
const char *response_flaw(const struct response *response);
int response_status(const struct response *response); /* of the final response, 0 before BODY */
/* Seconds or HTTP-date. INT64_MAX: too many seconds to count. -1: none, several, or malformed. */
int64_t response_retry_after_ms(const struct response *response, int64_t wall_ms);
/* The Location of a redirect as it came, at most 256 bytes; len 0: none. */
struct bytes response_location(const struct response *response);
bool response_json(const struct response *response); /* Content-Type is application/json, and is there once */
bool response_keep_alive(const struct response *response); /* the connection may be used again after DONE */
/* The first 16 KiB, raw; chunk framing removed. */
struct bytes response_body(const struct response *response);
/* For people: the body. If there is no body, the first 1 KiB of the whole answer, but not of a 2xx. With void
 * framing, its length depends on how the network cut the answer. */
struct bytes response_said(const struct response *response);
bool response_started(const struct response *response); /* a byte has been fed */
