#include "message_signature.h"
#include "url.h"
#include <stdio.h>
#include <string.h>

enum { LABEL_LEN_MAX = sizeof ", sig9=:" };

/* sha-256=:BASE64: */
static struct bytes put_digest(struct message_signature *made, struct bytes body, message_hash *hash)
{
    unsigned char digest[MESSAGE_DIGEST_LEN];
    hash(body, digest);
    char *at = made->digest + snprintf(made->digest, sizeof made->digest, "sha-256=:");
    at = bytes_put_base64(at, digest, sizeof digest);
    *at++ = ':';
    return bytes_make(made->digest, (size_t)(at - made->digest));
}

struct bytes message_signature_base(const struct message *message, struct bytes digest, struct bytes params,
                                    char out[MESSAGE_BASE_LEN_MAX])
{
    int len = snprintf(out, MESSAGE_BASE_LEN_MAX,
                       "\"@method\": POST\n\"@target-uri\": %s://%.*s%.*s\n\"content-digest\": %.*s\n"
                       "\"content-type\": %.*s\n\"webhook-id\": %.*s\n\"@signature-params\": %.*s",
                       message->url->https ? "https" : "http", BYTES_ARG(message->url->authority),
                       BYTES_ARG(message->url->target), BYTES_ARG(digest), BYTES_ARG(message->content_type),
                       BYTES_ARG(message->webhook_id), BYTES_ARG(params));
    return bytes_make(out, len < MESSAGE_BASE_LEN_MAX ? (size_t)len : 0);
}

bool message_signature_make(struct message_signature *made, const struct message *message,
                            const struct message_key *keys, int count, message_hash *hash, message_sign *sign)
{
    char base[MESSAGE_BASE_LEN_MAX];
    unsigned char raw[MESSAGE_SIGNATURE_LEN];
    char *input = made->input, *signature = made->signature;
    int signed_count = 0;
    made->digest_value = put_digest(made, message->body, hash);
    for (int i = 0; i < count && i < MESSAGE_KEYS_MAX; i++) {
        const char *separator = signed_count ? ", " : "";
        size_t room = sizeof made->input - (size_t)(input - made->input);
        int begins = snprintf(input, room, "%ssig%d=", separator, signed_count + 1);
        int len = begins + snprintf(input + begins, room - (size_t)begins,
                                    MESSAGE_COMPONENTS ";created=%lld;keyid=\"%.*s\";alg=\"ed25519\"",
                                    (long long)message->created_s, BYTES_ARG(keys[i].id));
        struct bytes params = bytes_make(input + begins, (size_t)(len - begins));
        struct bytes text = message_signature_base(message, made->digest_value, params, base);
        if ((size_t)len >= room || !text.len || !sign(keys[i].secret, text, raw))
            continue;
        input += len;
        signature += snprintf(signature, LABEL_LEN_MAX, "%ssig%d=:", separator, ++signed_count);
        signature = bytes_put_base64(signature, raw, sizeof raw);
        *signature++ = ':';
    }
    made->input_value = bytes_make(made->input, (size_t)(input - made->input));
    made->signature_value = bytes_make(made->signature, (size_t)(signature - made->signature));
    return signed_count > 0;
}
