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

void push_headers_make(struct push_headers *headers, const struct push_parts *parts)
{
    headers->count = 0;
    const struct format_push *format = parts->format;
    add(headers, "Content-Type", format ? format->content_type : bytes_of("application/json"));
    for (int i = 0; format && i < format->header_count; i++)
        headers->list[headers->count++] = format->headers[i];
    if (parts->digest.len)
        add(headers, "WEBHOOK-AUTH", parts->digest);
    struct bytes id = bytes_from_int64(parts->event_id, headers->id);
    struct bytes signatures = sign(headers, parts, id);
    if (!signatures.len) /* all three or none */
        return;
    add(headers, "webhook-id", id);
    add(headers, "webhook-timestamp", bytes_from_int64(parts->at_ms / 1000, headers->timestamp));
    add(headers, "webhook-signature", signatures);
}
