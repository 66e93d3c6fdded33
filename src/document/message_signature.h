/*
 * message_signature: the headers Content-Digest (RFC 9530), Signature-Input and Signature (RFC 9421) of a
 * push. Pure: the caller passes the functions that hash and sign.
 *
 * Each key makes one signature, `sig1`, `sig2`, ..., over the same components: "@method" "@target-uri"
 * "content-digest" "content-type" "webhook-id". The algorithm is ed25519; `keyid` is the id of the signing
 * secret. "@target-uri" is the URL as it is sent: the authority as in Host, the scheme in lower case.
 */
#pragma once
#include "bytes.h"

struct url;

enum {
    MESSAGE_KEYS_MAX = 9,
    MESSAGE_SIGNATURE_LEN = 64,
    MESSAGE_DIGEST_LEN = 32,
    MESSAGE_BASE_LEN_MAX = 4096, /* the signed text; a URL has at most URL_LEN_MAX bytes */
    MESSAGE_INPUT_LEN_MAX = MESSAGE_KEYS_MAX * 192,
    MESSAGE_SIGNATURES_LEN_MAX = MESSAGE_KEYS_MAX * 104
};

/* The components that every signature covers, in this order. */
#define MESSAGE_COMPONENTS "(\"@method\" \"@target-uri\" \"content-digest\" \"content-type\" \"webhook-id\")"

struct message_key {
    struct bytes id, secret; /* whsk_... */
};

typedef void message_hash(struct bytes data, unsigned char out[MESSAGE_DIGEST_LEN]);
/* False: not a key. */
typedef bool message_sign(struct bytes secret, struct bytes message,
                          unsigned char out[MESSAGE_SIGNATURE_LEN]);

struct message {
    const struct url *url;
    struct bytes content_type, webhook_id, body;
    int64_t created_s;
};

struct message_signature {
    char digest[64], input[MESSAGE_INPUT_LEN_MAX], signature[MESSAGE_SIGNATURES_LEN_MAX];
    struct bytes digest_value, input_value, signature_value; /* views of these */
};

/* False: no key signed. Do not move `made` afterwards. */
bool message_signature_make(struct message_signature *made, const struct message *message,
                            const struct message_key *keys, int count, message_hash *hash,
                            message_sign *sign);
/* The text that the parameters `params` (from the parenthesis on) say is signed; len 0: it is too long. */
struct bytes message_signature_base(const struct message *message, struct bytes digest, struct bytes params,
                                    char out[MESSAGE_BASE_LEN_MAX]);
