/*
 * push_headers: what a push carries besides its document: which headers, in which order, and the second
 * signature (Standard Webhooks 1.0). The server and `posthorn trigger --to` both push with these. Pure: the
 * caller says how a signature is made.
 */
#pragma once
#include "header.h"

enum { PUSH_HEADERS_MAX = 5, PUSH_SIGNATURE_LEN_MAX = 96, PUSH_SIGNATURES_LEN_MAX = 2048 };

/* Writes one signature of the document, with a NUL. False: there is none, and the others still count. */
typedef bool push_sign(void *signer, struct bytes id, int64_t at_s, struct bytes document,
                       char out[PUSH_SIGNATURE_LEN_MAX]);

struct push_parts {
    int64_t event_id;
    int64_t at_ms;         /* wall clock, of this attempt */
    struct bytes document; /* stamped */
    struct bytes digest;   /* the API key's, as WEBHOOK-AUTH carries it; empty: no key */
    push_sign *sign;
    void *const *signers; /* none: without the second signature */
    int signer_count;
};

struct push_headers {
    struct header list[PUSH_HEADERS_MAX];
    int count;
    /* What the list views, besides the parts. */
    char id[BYTES_INT64_LEN_MAX], timestamp[BYTES_INT64_LEN_MAX], signatures[PUSH_SIGNATURES_LEN_MAX];
};

/* Not to be moved afterwards. */
void push_headers_make(struct push_headers *headers, const struct push_parts *parts);
