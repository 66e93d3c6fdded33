/*
 * push_headers: the headers of a push, in their order, and the second signature (Standard Webhooks 1.0).
 * The server and `posthorn trigger --to` use it. Pure: the caller passes the function that signs.
 */
#pragma once
#include "format.h"
#include "message_signature.h"

/* Headers that an owner adds to the pushes of an endpoint. */
enum {
    PUSH_OWN_HEADERS_MAX = 20,
    PUSH_TOKEN_LEN_MAX = 4096,
    PUSH_USERNAME_LEN_MAX = 256,
    PUSH_PASSWORD_LEN_MAX = 1024,
    PUSH_OWN_NAME_LEN_MAX = 64,
    PUSH_OWN_VALUE_LEN_MAX = 2048,
    PUSH_OWN_LEN_MAX = 8 << 10, /* all names and values */
    PUSH_OWN_NAMES_LEN_MAX = PUSH_OWN_HEADERS_MAX * (PUSH_OWN_NAME_LEN_MAX + 1),
    PUSH_OWN_SEALED_LEN_MAX = PUSH_OWN_LEN_MAX + PUSH_OWN_HEADERS_MAX + 64
};

/* Names that no owner may use, in any case: posthorn or the protocol sets them, or may one day. */
bool push_header_reserved(struct bytes name);

enum {
    PUSH_HEADERS_MAX = 14 + FORMAT_HEADERS_MAX + PUSH_OWN_HEADERS_MAX,
    PUSH_SIGNATURE_LEN_MAX = 96,
    PUSH_SIGNATURES_LEN_MAX = 2048
};

/* Which signatures a push has. Those behind STANDARD have the headers and the signed text of the services
 * that they are named after, for receivers that move to posthorn as they are: HMAC-SHA256 with the secret's
 * text. Those with Ed25519 are for receivers that hold no secret: the key pairs are the endpoint's Ed25519
 * secrets.
 */
enum push_signature {
    PUSH_WEBHOOK_AUTH = 1,
    PUSH_STANDARD = 2, /* with every secret, Ed25519 ones too */
    PUSH_STRIPE = 4, /* with every HMAC secret; the following with the newest, as they allow one signature */
    PUSH_GITHUB = 8,
    PUSH_SHOPIFY = 16,
    PUSH_SLACK = 32,
    PUSH_STANDARD_ED25519 = 64, /* the headers of PUSH_STANDARD, at least with every Ed25519 secret */
    PUSH_RFC9421 = 128,         /* with every Ed25519 secret; see message_signature.h */
    PUSH_ED25519 = PUSH_STANDARD_ED25519 | PUSH_RFC9421,
    PUSH_SIGNATURES_DEFAULT = PUSH_WEBHOOK_AUTH | PUSH_STANDARD,
    PUSH_SIGNATURES_OTHERS = PUSH_STRIPE | PUSH_GITHUB | PUSH_SHOPIFY | PUSH_SLACK
};
extern const char *const push_signature_names[]; /* in the order of the bits; NULL ends */

enum { PUSH_MAC_LEN = 32, PUSH_HEX_LEN = 2 * PUSH_MAC_LEN, PUSH_BASE64_LEN = 44, PUSH_SECRETS_MAX = 8 };
/* HMAC-SHA256 of these pieces, one behind the other. */
typedef void push_mac(struct bytes secret, const struct bytes *pieces, int count,
                      unsigned char out[PUSH_MAC_LEN]);

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
    int signatures; /* bits of enum push_signature; 0: the default. Of PUSH_SIGNATURES_OTHERS: */
    push_mac *mac;
    const struct bytes *secrets; /* texts, the newest first; at most PUSH_SECRETS_MAX. None: no such header */
    int secret_count;
    /* Of PUSH_RFC9421: */
    const struct url *url;
    message_hash *hash;
    message_sign *sign_message;
    const struct message_key *keys; /* none: no such headers */
    int key_count;
    const struct header *own; /* the owner's, which come last; at most PUSH_OWN_HEADERS_MAX */
    int own_count;
    struct bytes authorization; /* the header of this name, behind them; empty: none */
};

struct push_headers {
    struct header list[PUSH_HEADERS_MAX];
    int count;
    /* The list views these, and the parts. */
    char stripe[2 + BYTES_INT64_LEN_MAX + PUSH_SECRETS_MAX * (4 + PUSH_HEX_LEN)];
    struct message_signature message;
    char github[7 + PUSH_HEX_LEN], shopify[PUSH_BASE64_LEN], slack[3 + PUSH_HEX_LEN];
    char id[BYTES_INT64_LEN_MAX], timestamp[BYTES_INT64_LEN_MAX], signatures[PUSH_SIGNATURES_LEN_MAX];
};

/* Do not move `headers` afterwards. */
void push_headers_make(struct push_headers *headers, const struct push_parts *parts);
