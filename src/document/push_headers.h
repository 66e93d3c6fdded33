/*
 * push_headers: the headers of a push, in their order, and the second signature (Standard Webhooks 1.0).
 * The server and `posthorn trigger --to` use it. Pure: the caller passes the function that signs.
 */
#pragma once
#include "format.h"

enum {
    PUSH_HEADERS_MAX = 5 + FORMAT_HEADERS_MAX,
    PUSH_SIGNATURE_LEN_MAX = 96,
    PUSH_SIGNATURES_LEN_MAX = 2048
};

/* Writes one signature of the document, with a NUL. False: this signer has none; the others still sign. */
typedef bool push_sign(void *signer, struct bytes id, int64_t at_s, struct bytes document,
                       char out[PUSH_SIGNATURE_LEN_MAX]);

struct push_parts {
    int64_t event_id;
    int64_t at_ms;                    /* wall clock, of this attempt */
    struct bytes document;            /* stamped, and in its format: the bytes that are sent */
    const struct format_push *format; /* NULL: the guide's */
    struct bytes digest;              /* of the API key, for WEBHOOK-AUTH; empty: no key */
    push_sign *sign;
    void *const *signers; /* none: without the second signature */
    int signer_count;
};

struct push_headers {
    struct header list[PUSH_HEADERS_MAX];
    int count;
    /* The list views these, and the parts. */
    char id[BYTES_INT64_LEN_MAX], timestamp[BYTES_INT64_LEN_MAX], signatures[PUSH_SIGNATURES_LEN_MAX];
};

/* Do not move `headers` afterwards. */
void push_headers_make(struct push_headers *headers, const struct push_parts *parts);
