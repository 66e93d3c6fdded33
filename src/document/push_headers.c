#include "push_headers.h"

static void add(struct push_headers *headers, const char *name, struct bytes value)
{
    headers->list[headers->count++] = (struct header){bytes_of(name), value};
}

/* Each signer's, separated by spaces. */
static struct bytes sign(struct push_headers *headers, const struct push_parts *parts, struct bytes id)
{
    char *out = headers->signatures;
    size_t len = 0;
    for (int i = 0; i < parts->signer_count; i++) {
        size_t at = len + (len > 0);
        if (at + PUSH_SIGNATURE_LEN_MAX > sizeof headers->signatures)
            break;
        if (!parts->sign(parts->signers[i], id, parts->at_ms / 1000, parts->document, out + at))
            continue;
        if (len > 0)
            out[len] = ' ';
        len = at + strlen(out + at);
    }
    return bytes_make(out, len);
}

/* ---- as other services sign ---- */

const char *const push_signature_names[] = {
    "webhook-auth", "standard", "stripe", "github", "shopify", "slack", "standard-ed25519", "rfc9421", NULL};

static char *put_text(char *at, struct bytes text)
{
    memcpy(at, text.data, text.len);
    return at + text.len;
}

static char *put_hex(char *at, const unsigned char mac[PUSH_MAC_LEN])
{
    for (int i = 0; i < PUSH_MAC_LEN; i++) {
        *at++ = "0123456789abcdef"[mac[i] >> 4];
        *at++ = "0123456789abcdef"[mac[i] & 15];
    }
    return at;
}

static void add_stripe(struct push_headers *headers, const struct push_parts *parts, struct bytes timestamp)
{
    const struct bytes pieces[] = {timestamp, bytes_of("."), parts->document};
    unsigned char mac[PUSH_MAC_LEN];
    char *at = put_text(put_text(headers->stripe, bytes_of("t=")), timestamp);
    for (int i = 0; i < parts->secret_count && i < PUSH_SECRETS_MAX; i++) {
        parts->mac(parts->secrets[i], pieces, 3, mac);
        at = put_hex(put_text(at, bytes_of(",v1=")), mac);
    }
    add(headers, "Stripe-Signature", bytes_make(headers->stripe, (size_t)(at - headers->stripe)));
}

static void add_slack(struct push_headers *headers, const struct push_parts *parts, struct bytes timestamp)
{
    const struct bytes pieces[] = {bytes_of("v0:"), timestamp, bytes_of(":"), parts->document};
    unsigned char mac[PUSH_MAC_LEN];
    parts->mac(parts->secrets[0], pieces, 4, mac);
    put_hex(put_text(headers->slack, bytes_of("v0=")), mac);
    add(headers, "X-Slack-Request-Timestamp", timestamp);
    add(headers, "X-Slack-Signature", bytes_make(headers->slack, sizeof headers->slack));
}

static void add_others(struct push_headers *headers, const struct push_parts *parts, struct bytes timestamp)
{
    unsigned char mac[PUSH_MAC_LEN];
    if (parts->signatures & PUSH_STRIPE)
        add_stripe(headers, parts, timestamp);
    if (parts->signatures & PUSH_SLACK)
        add_slack(headers, parts, timestamp);
    if (parts->signatures & (PUSH_GITHUB | PUSH_SHOPIFY))
        parts->mac(parts->secrets[0], &parts->document, 1, mac);
    if (parts->signatures & PUSH_GITHUB) {
        put_hex(put_text(headers->github, bytes_of("sha256=")), mac);
        add(headers, "X-Hub-Signature-256", bytes_make(headers->github, sizeof headers->github));
    }
    if (parts->signatures & PUSH_SHOPIFY) {
        bytes_put_base64(headers->shopify, mac, PUSH_MAC_LEN);
        add(headers, "X-Shopify-Hmac-Sha256", bytes_make(headers->shopify, sizeof headers->shopify));
    }
}

/* ---- all of them ---- */

/* False: none; all three or none. */
static bool add_standard(struct push_headers *headers, const struct push_parts *parts, struct bytes id,
                         struct bytes timestamp)
{
    struct bytes signatures = sign(headers, parts, id);
    if (!signatures.len)
        return false;
    add(headers, "webhook-id", id);
    add(headers, "webhook-timestamp", timestamp);
    add(headers, "webhook-signature", signatures);
    return true;
}

static void add_rfc9421(struct push_headers *headers, const struct push_parts *parts, struct bytes id,
                        bool has_id)
{
    struct message_signature *made = &headers->message;
    const struct message message = {.url = parts->url,
                                    .content_type = headers->list[0].value,
                                    .webhook_id = id,
                                    .body = parts->document,
                                    .created_s = parts->at_ms / 1000};
    if (!message_signature_make(made, &message, parts->keys, parts->key_count, parts->hash,
                                parts->sign_message))
        return;
    if (!has_id)
        add(headers, "webhook-id", id);
    add(headers, "Content-Digest", made->digest_value);
    add(headers, "Signature-Input", made->input_value);
    add(headers, "Signature", made->signature_value);
}

bool push_header_reserved(struct bytes name)
{
    static const char *const names[] = {"accept",
                                        "accept-encoding",
                                        "connection",
                                        "date",
                                        "expect",
                                        "host",
                                        "http2-settings",
                                        "keep-alive",
                                        "te",
                                        "trailer",
                                        "transfer-encoding",
                                        "upgrade",
                                        "user-agent", /* of the protocol */
                                        "signature",
                                        "signature-input",
                                        "stripe-signature",
                                        "x-hub-signature",
                                        "x-hub-signature-256",
                                        "x-shopify-hmac-sha256",
                                        "x-slack-request-timestamp",
                                        "x-slack-signature"};
    static const char *const prefixes[] = {"ce-", "content-", "posthorn-", "proxy-", "webhook-"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (bytes_equal_nocase(name, names[i]))
            return true;
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        size_t len = strlen(prefixes[i]);
        if (name.len >= len && bytes_equal_nocase(bytes_make(name.data, len), prefixes[i]))
            return true;
    }
    return false;
}

void push_headers_make(struct push_headers *headers, const struct push_parts *parts)
{
    int which = parts->signatures ? parts->signatures : PUSH_SIGNATURES_DEFAULT;
    headers->count = 0;
    const struct format_push *format = parts->format;
    add(headers, "Content-Type", format ? format->content_type : bytes_of("application/json"));
    for (int i = 0; format && i < format->header_count; i++)
        headers->list[headers->count++] = format->headers[i];
    if (parts->digest.len && which & PUSH_WEBHOOK_AUTH)
        add(headers, "WEBHOOK-AUTH", parts->digest);
    struct bytes timestamp = bytes_from_int64(parts->at_ms / 1000, headers->timestamp);
    struct bytes id = bytes_from_int64(parts->event_id, headers->id);
    bool has_id =
        which & (PUSH_STANDARD | PUSH_STANDARD_ED25519) && add_standard(headers, parts, id, timestamp);
    if (parts->secret_count > 0)
        add_others(headers, parts, timestamp);
    if (which & PUSH_RFC9421 && parts->key_count > 0)
        add_rfc9421(headers, parts, id, has_id);
    for (int i = 0; i < parts->own_count && i < PUSH_OWN_HEADERS_MAX; i++)
        headers->list[headers->count++] = parts->own[i];
    if (parts->authorization.len > 0)
        add(headers, "Authorization", parts->authorization);
}
