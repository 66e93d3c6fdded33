/* The signatures of a push besides those of posthorn: as Stripe, GitHub, Shopify and Slack sign, and RFC
 * 9421. */
#include "diagnose.h"
#include "digest.h"
#include "ed25519.h"
#include "push_headers.h"
#include "url.h"

#include <openssl/evp.h>

/* ---- HMAC: what the header would be with a secret is compared with what it is ---- */

/* The time that is signed, from the header that has it; false after finding_set. */
static bool take_time(const struct saved_push *push, int dialect, struct bytes value, struct bytes *timestamp,
                      struct finding *finding)
{
    int64_t seconds;
    *timestamp = bytes_of("0");
    if (dialect == PUSH_STRIPE) {
        struct bytes first = bytes_cut(&value, ',');
        *timestamp =
            bytes_starts(first, "t=") ? bytes_make(first.data + 2, first.len - 2) : (struct bytes){0};
    } else if (dialect == PUSH_SLACK &&
               !finding_take_header(push, "X-Slack-Request-Timestamp", timestamp, finding)) {
        return false;
    }
    if (bytes_to_int64(*timestamp, &seconds) && seconds >= 0)
        return true;
    finding_set(finding, "timestamp", "the time in it is not a number of seconds");
    return false;
}

/* Stripe's has one signature for each secret that signs. */
static bool holds(struct bytes value, struct bytes expected, int dialect)
{
    if (dialect != PUSH_STRIPE)
        return bytes_equal_secret(value, expected);
    bytes_cut(&expected, ',');
    while (value.len > 0)
        if (bytes_equal_secret(bytes_cut(&value, ','), expected))
            return true;
    return false;
}

static bool fits(const struct saved_push *push, int dialect, const char *secret, int64_t seconds,
                 struct bytes value)
{
    struct bytes one = bytes_of(secret);
    struct push_headers headers;
    push_headers_make(&headers, &(struct push_parts){.at_ms = 1000 * seconds,
                                                     .document = push->body,
                                                     .signatures = dialect,
                                                     .mac = digest_hmac,
                                                     .secrets = &one,
                                                     .secret_count = 1});
    return holds(value, headers.list[headers.count - 1].value, dialect);
}

static void diagnose_hmac(const struct saved_push *push, int dialect, const struct option_list *secrets,
                          const struct arrival *arrival, struct finding *finding)
{
    struct bytes value, timestamp;
    int64_t seconds = 0;
    if (!finding_take_header(push, finding->part, &value, finding) ||
        !take_time(push, dialect, value, &timestamp, finding))
        return;
    bytes_to_int64(timestamp, &seconds);
    for (int i = 0; i < secrets->count; i++) {
        if (bytes_starts(bytes_of(secrets->items[i]), "whpk_") ||
            !fits(push, dialect, secrets->items[i], seconds, value))
            continue;
        if (dialect == PUSH_STRIPE || dialect == PUSH_SLACK)
            finding_set_time(finding, "its timestamp", timestamp, arrival);
        else
            finding_set(finding, "ok", "it matches the body and the secret");
        return;
    }
    finding_set(finding, "wrong",
                "it fits the body with none of the secrets: is it another endpoint's, or was the body parsed "
                "and written again? Keep the bytes as they came");
}

/* ---- RFC 9421 ---- */

static bool digest_is(struct bytes value, struct bytes body)
{
    unsigned char digest[MESSAGE_DIGEST_LEN];
    char expected[64] = "sha-256=:";
    digest_sha256(body, digest);
    char *end = bytes_put_base64(expected + strlen(expected), digest, sizeof digest);
    *end++ = ':';
    return bytes_equal(value, bytes_make(expected, (size_t)(end - expected)));
}

/* The next "label=value" of a dictionary whose values have no commas outside of quotes. */
static bool next_member(struct bytes *rest, struct bytes *label, struct bytes *value)
{
    struct bytes one = bytes_cut(rest, ',');
    while (one.len > 0 && one.data[0] == ' ')
        one = bytes_make(one.data + 1, one.len - 1);
    *label = bytes_cut(&one, '=');
    *value = one;
    return label->len > 0 && value->len > 0;
}

/* 64 bytes between colons. */
static bool read_signature(struct bytes value, unsigned char out[MESSAGE_SIGNATURE_LEN])
{
    enum { BASE64_LEN = 88 };
    unsigned char raw[MESSAGE_SIGNATURE_LEN + 2];
    if (value.len != BASE64_LEN + 2 || value.data[0] != ':' || value.data[value.len - 1] != ':' ||
        EVP_DecodeBlock(raw, (const unsigned char *)value.data + 1, BASE64_LEN) != sizeof raw)
        return false;
    memcpy(out, raw, MESSAGE_SIGNATURE_LEN);
    return true;
}

static bool find_signature(struct bytes signatures, struct bytes wanted,
                           unsigned char out[MESSAGE_SIGNATURE_LEN])
{
    struct bytes label, value;
    while (next_member(&signatures, &label, &value))
        if (bytes_equal(label, wanted))
            return read_signature(value, out);
    return false;
}

/* The value of ;created=. */
static struct bytes created_of(struct bytes params)
{
    static const char name[] = ";created=";
    for (size_t at = 0; at + sizeof name <= params.len; at++) {
        struct bytes rest = bytes_make(params.data + at, params.len - at);
        if (bytes_starts(rest, name)) {
            rest = bytes_make(rest.data + sizeof name - 1, rest.len - (sizeof name - 1));
            return bytes_cut(&rest, ';');
        }
    }
    return (struct bytes){0};
}

/* The parameters of a signature that one of the keys made; len 0: there is none. */
static struct bytes find_params(const struct message *message, struct bytes digest, struct bytes inputs,
                                struct bytes signatures, const struct option_list *keys)
{
    char base[MESSAGE_BASE_LEN_MAX];
    unsigned char raw[MESSAGE_SIGNATURE_LEN];
    struct bytes label, params;
    while (next_member(&inputs, &label, &params)) {
        struct bytes text = message_signature_base(message, digest, params, base);
        if (!bytes_starts(params, MESSAGE_COMPONENTS ";") || !find_signature(signatures, label, raw))
            continue;
        for (int i = 0; i < keys->count; i++)
            if (ed25519_verify(bytes_of(keys->items[i]), text, raw))
                return params;
    }
    return (struct bytes){0};
}

static void diagnose_message(const struct saved_push *push, const struct option_list *keys, const char *to,
                             const struct arrival *arrival, struct finding *finding)
{
    struct message message;
    struct bytes digest, inputs, signatures;
    struct url url;
    message.url = &url;
    if (!to || url_parse(bytes_of(to), &url) != URL_OK) {
        finding_set(finding, "url", "it signs the URL, too: give it as --url, as the endpoint has it");
        return;
    }
    if (!finding_take_header(push, "Signature-Input", &inputs, finding) ||
        !finding_take_header(push, "Signature", &signatures, finding) ||
        !finding_take_header(push, "Content-Digest", &digest, finding) ||
        !finding_take_header(push, "Content-Type", &message.content_type, finding) ||
        !finding_take_header(push, "webhook-id", &message.webhook_id, finding))
        return;
    if (!digest_is(digest, push->body)) {
        finding_set(finding, "body", "Content-Digest is not the SHA-256 of the body: the body was changed");
        return;
    }
    struct bytes params = find_params(&message, digest, inputs, signatures, keys);
    if (params.len)
        finding_set_time(finding, "`created`", created_of(params), arrival);
    else
        finding_set(
            finding, "wrong",
            "it fits with none of the keys (--secret whpk_...): is it another endpoint's key, or another "
            "--url than the endpoint has, or was a signed header changed?");
}

/* ---- which ---- */

static const struct {
    int dialect;
    const char *header;
} dialects[] = {{PUSH_STRIPE, "Stripe-Signature"},
                {PUSH_GITHUB, "X-Hub-Signature-256"},
                {PUSH_SHOPIFY, "X-Shopify-Hmac-Sha256"},
                {PUSH_SLACK, "X-Slack-Signature"},
                {PUSH_RFC9421, "Signature"}};
enum { DIALECTS = sizeof dialects / sizeof *dialects };

int diagnose_which(const struct saved_push *push)
{
    int found = 0, count;
    for (int i = 0; i < DIALECTS; i++)
        if (saved_header(push, dialects[i].header, &count).data)
            found |= dialects[i].dialect;
    return found && !saved_header(push, "webhook-signature", &count).data ? found : found | PUSH_STANDARD;
}

int diagnose_dialects(const struct saved_push *push, int signatures, const struct option_list *secrets,
                      const char *url, const struct arrival *arrival, struct finding *findings)
{
    int count = 0;
    for (int i = 0; i < DIALECTS; i++) {
        if (!(signatures & dialects[i].dialect))
            continue;
        struct finding *finding = &findings[count++];
        *finding = (struct finding){.part = dialects[i].header};
        if (dialects[i].dialect == PUSH_RFC9421)
            diagnose_message(push, secrets, url, arrival, finding);
        else
            diagnose_hmac(push, dialects[i].dialect, secrets, arrival, finding);
    }
    return count;
}
