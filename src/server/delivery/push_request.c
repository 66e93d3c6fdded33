#include "push_request.h"
#include "digest.h"
#include "ed25519.h"
#include "format.h"
#include "push_signer.h"

_Static_assert(PUSH_HEADERS_MAX <= (int)SENDER_HEADERS_MAX, "every header of a push is sent");
_Static_assert((int)MODEL_TIMEOUT_S_MAX == (int)SENDER_TIMEOUT_S_MAX, "what an endpoint asks for can be had");

/* Which connections may be used again? For a first attempt any. For the next one none that the last can have
 * used: the receiver may have moved. If the last counted for nothing, as the lease tells, perhaps because its
 * connection was being closed, none at all; and none if the endpoint has retries of its own. */
static int64_t age_ms_max(const struct policy *policy, const struct store_work *work)
{
    bool own_retry = push_settings_of(work->push)->retry.len > 0; /* perhaps changed since that attempt */
    if (work->lease > work->attempt + 1 || (work->lease > 1 && own_retry))
        return 0;
    return work->lease == 1 ? INT64_MAX : policy->base_ms * (100 - policy->jitter_percent) / 100;
}

static void replace_document(struct store_work *work, struct payload *payload)
{
    work->payload = payload;
    work->document = payload->data;
    work->document_len = payload->len;
}

/* The bytes that are sent take the place of the document. NONE, or why there are none. */
static enum failure render(struct store_work *work, struct format_push *format, struct payload **document)
{
    enum push_format which = (enum push_format)push_settings_of(work->push)->format;
    if (!format_render(which, bytes_make(work->document, work->document_len), format))
        return FAILURE_DAMAGED;
    if (format->piece_count == 1)
        return FAILURE_NONE;
    struct payload *rendered = payload_make(work->payload->budget, format->len);
    if (!rendered)
        return FAILURE_LOCAL_LIMIT;
    format_write(format, rendered->data);
    if (document)
        *document = work->payload;
    else
        payload_drop(work->payload); /* the headers have values of their own if there are pieces */
    replace_document(work, rendered);
    return FAILURE_NONE;
}

void push_request_again(struct store_work *work, struct payload **document)
{
    if (!*document)
        return;
    payload_drop(work->payload);
    replace_document(work, *document);
    *document = NULL;
}

enum failure push_request_start(const struct push_request *request, struct sender *sender, uint32_t tag,
                                sender_done *done, void *ctx)
{
    struct store_work *work = request->work;
    const struct cached_endpoint *endpoint = request->endpoint;
    const struct own_headers *own = endpoint->own;
    struct push_headers headers;
    struct format_push format;
    void *signers[SIGNING_SECRETS_MAX];
    struct bytes secrets[SIGNING_SECRETS_MAX];
    struct message_key keys[SIGNING_SECRETS_MAX];

    enum failure failure = render(work, &format, request->document);
    if (failure != FAILURE_NONE)
        return failure;
    struct push_parts parts = {.event_id = work->event_id,
                               .at_ms = request->at_ms,
                               .document = bytes_make(work->document, work->document_len),
                               .format = &format,
                               .digest =
                                   bytes_make(work->auth_digest, work->auth_digest[0] ? DIGEST_HEX_LEN : 0),
                               .sign = push_signer_sign,
                               .signers = signers,
                               .signer_count = cached_endpoint_signers(endpoint, request->at_ms, signers),
                               .signatures = endpoint->signatures,
                               .mac = digest_hmac,
                               .secrets = secrets,
                               .secret_count = cached_endpoint_secrets(endpoint, request->at_ms, secrets),
                               .url = &endpoint->url,
                               .hash = digest_sha256,
                               .sign_message = ed25519_sign,
                               .keys = keys,
                               .key_count = cached_endpoint_keys(endpoint, request->at_ms, keys),
                               .own = own ? own->list : NULL,
                               .own_count = own ? own->count : 0,
                               .authorization = request->authorization};
    if (own && !parts.authorization.len)
        parts.authorization = bytes_make(own->authorization, own->authorization_len);
    push_headers_make(&headers, &parts);
    sender_start(sender,
                 &(struct sender_request){.timeout_s = push_settings_of(work->push)->timeout,
                                          .spent_s = request->spent_s,
                                          .age_ms_max = age_ms_max(request->policy, work),
                                          .pool_key = work->endpoint_id,
                                          .identity = endpoint->identity,
                                          .url = &endpoint->url,
                                          .headers = headers.list,
                                          .header_count = headers.count,
                                          .body = parts.document},
                 tag, done, ctx);
    return FAILURE_NONE;
}
