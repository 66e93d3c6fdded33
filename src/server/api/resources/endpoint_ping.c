/* POST /api/endpoints/ID/ping: one whole event of the type `ping`, to this endpoint alone, whatever it wants.
 * It is about the endpoint, and is recorded like any event. The endpoint's secrets, texts and URL are not in
 * it. */
#include "body.h"
#include "digest.h"
#include "edit.h"
#include "endpoint_fields.h"
#include "event_document.h"
#include "event_draft.h"
#include "idempotency_key.h"
#include "resources.h"

enum { INCLUDED_LEN_MAX = 256 };

static bool show(struct call *call)
{
    const struct store_answer *answer = &call->read.answer;
    struct text out;
    if (answer->count == 0)
        return call_not_found(call, "event any more");
    if (call->write.op.result == STORE_REPLAYED)
        idempotency_key_replayed(call, NULL);
    const char *path = call_printf(call, "/api/events/%lld", (long long)answer->events[0].id);
    call_header(call, "Location", bytes_of(path));
    jsonapi_begin(&out, &call->scratch);
    jsonapi_put_self(&out, call, "/api/events/", answer->events[0].id);
    text_puts(&out, ",\"data\":");
    event_document_put(&out, call, &answer->events[0]);
    jsonapi_end(&out, call, (struct bytes){0});
    return jsonapi_answer(call, 201, &out);
}

static bool written(struct call *call)
{
    const struct store_op *op = &call->write.op;
    switch (op->result) {
    case STORE_DONE:
    case STORE_REPLAYED:
        return call_get(call, STORE_GET_EVENT, op->id, false, show);
    case STORE_CONFLICT:
        return idempotency_key_refuse(call);
    case STORE_QUOTA:
        return call_fail_quota(call, op->event.event.owner_id, &op->reached);
    default:
        return call_not_found(call, "endpoint");
    }
}

/* Keys of events are the requester's, whatever the path: so the path is in the digest. */
static bool take_key(struct call *call, int64_t id)
{
    struct store_op *op = &call->write.op;
    struct bytes key;
    if (!idempotency_key_read(call, MODEL_KEY_LEN_MAX, &key))
        return false;
    if (!key.len)
        return true;
    const char *asked =
        arena_printf(&call->request->arena, "ping %lld %.*s", (long long)id, (int)call->request->body_len,
                     call->request->body_len ? call->request->body : "");
    if (!asked)
        return call_too_large(call);
    digest_sha256(bytes_of(asked), op->event.request_digest);
    op->event.idempotency_key = arena_copy(&call->request->arena, key);
    return (op->event.idempotency_key.data || call_too_large(call)) &&
           event_draft_hold_key(call, op, SOURCE_HEADER, "Idempotency-Key");
}

static bool send_ping(struct call *call)
{
    struct event_draft *draft = call->state;
    const struct endpoint *endpoint = edit_reachable_endpoint(call);
    if (!endpoint)
        return false;
    const char *id = call_printf(call, "%lld", (long long)endpoint->id);
    draft->event_type = bytes_of(PING_EVENT_TYPE);
    draft->resource_type = bytes_of("endpoints");
    draft->resource_id = bytes_of(id);
    draft->owner_id = endpoint->owner_id;
    draft->terms.owner_only = true;
    text_init(&draft->relationships, &call->request->arena, 1);
    text_init(&draft->included, &call->request->arena, INCLUDED_LEN_MAX);
    draft->front =
        body_leave_head(&draft->included, &(struct body_parts){.event_type = draft->event_type,
                                                               .resource_type = draft->resource_type,
                                                               .resource_id = draft->resource_id});
    text_printf(&draft->included, "{\"type\":\"endpoints\",\"id\":\"%s\",\"attributes\":{\"status\":\"%s\"}}",
                id, endpoint_status(endpoint));
    body_put_tail(&draft->included);
    call->write.op =
        (struct store_op){.kind = STORE_EVENT,
                          .event = {.requester_id = call->caller.user_id, .only_endpoint_id = endpoint->id}};
    return take_key(call, endpoint->id) &&
           event_draft_render(call, &call->request->arena, draft, &call->write.op) &&
           call_write(call, written);
}

bool endpoints_ping(struct call *call)
{
    int64_t id;
    return call_state(call, sizeof(struct event_draft)) && jsonapi_path_id(call, "endpoint", &id) &&
           call_get(call, STORE_GET_ENDPOINT, id, true, send_ping);
}
