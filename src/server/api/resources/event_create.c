/* POST /api/events: from the request to one write, and the 201 from its completion. */
#include "body.h"
#include "digest.h"
#include "event_document.h"
#include "event_draft.h"
#include "idempotency_key.h"
#include "ids.h"
#include "resources.h"

enum { SMALL_LEN_MAX = 64 << 10, LOCATION_LEN_MAX = 64 };
#define EVENTS_PATH "/api/events/"

struct new_event {
    struct event_draft draft;
    struct text location;
    struct text
        answer; /* the 201, made before the write so that the writer only puts in the id and sends it */
    size_t id_places[1 + EVENT_DOCUMENT_IDS]; /* of the answer */
};

/* ---- the write ---- */

/* The header, or else the event's own id. */
static bool read_idempotency_key(struct call *call, const struct event_draft *draft)
{
    struct store_op *op = &call->write.op;
    struct bytes key;
    if (!idempotency_key_read(call, MODEL_KEY_LEN_MAX, &key))
        return false;
    /* The body says whose event it is, or else it is the requester's, and keys are the requester's own: so
     * the body alone tells one request from another. */
    if (key.len || draft->own_id.len)
        digest_sha256(bytes_make(call->request->body, call->request->body_len), op->event.request_digest);
    if (key.len)
        op->event.idempotency_key = arena_copy(&call->request->arena, key);
    if (key.len && !op->event.idempotency_key.data)
        return call_too_large(call);
    return event_draft_take_own_id(call, draft, op) &&
           event_draft_hold_key(call, op, SOURCE_HEADER, "Idempotency-Key");
}

/* The 201 and its Location, from the event as it will be stored but for its id: no read is needed. draft
 * NULL: as it was stored before. */
static bool make_answer(struct call *call, const struct event *event, const struct event_draft *draft,
                        struct arena *arena)
{
    struct new_event *new = call->state;
    struct text *out = &new->answer;
    jsonapi_begin(out, arena);
    text_puts(out, ",\"links\":{\"self\":\"" EVENTS_PATH);
    new->id_places[0] = body_put_id(out, event->id);
    text_puts(out, "\"},\"data\":");
    if (draft)
        event_document_put_rendered(out, event, event_draft_included_len(draft), new->id_places + 1);
    else
        event_document_put(out, call, event);
    jsonapi_end(out, call, (struct bytes){0});
    text_init(&new->location, &call->request->arena, LOCATION_LEN_MAX);
    text_puts(&new->location, EVENTS_PATH);
    body_put_id(&new->location, event->id);
    return !(new->location.overflow || out->overflow) || call_too_large(call);
}

/* The answer with more in its meta, as only the write has told. Without room it stays as it is, which is
 * true, too: the event is durable. */
static void say_more(struct call *call, struct new_event *new, const char *meta)
{
    size_t end = call->warning_count ? strlen("}}") : strlen("}");
    struct text out;
    text_init(&out, &call->scratch, CALL_ANSWER_LEN_MAX);
    text_put(&out, bytes_make(new->answer.data, new->answer.len - end));
    text_printf(&out, "%s%s}}", call->warning_count ? "," : ",\"meta\":{", meta);
    if (!out.overflow)
        new->answer = out;
}

static void put_in_id(struct new_event *new, int64_t id)
{
    char digits[IDS_DIGITS];
    ids_put(id, digits);
    for (size_t i = 0; i < sizeof new->id_places / sizeof *new->id_places; i++)
        memcpy(new->answer.data + new->id_places[i], digits, sizeof digits);
    memcpy(new->location.data + strlen(EVENTS_PATH), digits, sizeof digits);
}

static bool send_created(struct call *call)
{
    struct new_event *new = call->state;
    const char *meta = event_draft_goes_nowhere(call, &call->write.op);
    if (meta)
        say_more(call, new, meta);
    call_header(call, "Location", text_bytes(&new->location));
    return call_answer(call, 201, text_bytes(&new->answer));
}

/* An Idempotency-Key seen before: the first answer again, from what was stored then. */
static bool replay(struct call *call)
{
    if (call->read.answer.count == 0)
        return call_not_found(call, "event any more");
    struct event event = call->read.answer.events[0];
    event.sent_at_ms = 0; /* as it was when the first answer was given */
    idempotency_key_replayed(call, NULL);
    return make_answer(call, &event, NULL, &call->scratch) && send_created(call);
}

static bool written(struct call *call)
{
    const struct store_op *op = &call->write.op;
    switch (op->result) {
    case STORE_DONE:
        atomic_fetch_add_explicit(&call->api->events_accepted, 1, memory_order_relaxed);
        put_in_id(call->state, op->id);
        return send_created(call);
    case STORE_REPLAYED:
        atomic_fetch_add_explicit(&call->api->events_replayed, 1, memory_order_relaxed);
        return call_get(call, STORE_GET_EVENT, op->id, false, replay);
    case STORE_CONFLICT:
        return event_draft_is_named_by_id(op) ? event_draft_fail_id(call) : idempotency_key_refuse(call);
    case STORE_QUOTA:
        return call_fail_quota(call, op->event.event.owner_id, &op->reached);
    default:
        return call_not_found(call, "user");
    }
}

/* While it waits for the writer, a large event is in memory once: as the document that will be sent. */
static bool render(struct call *call, struct arena *arena, struct event_draft *draft)
{
    struct store_op *op = &call->write.op;
    const struct bytes *document = &op->event.event.document;
    if (!call->document)
        return event_draft_render(call, arena, draft, op);
    if (!event_draft_keep(call, arena, draft) || !event_draft_render(call, arena, draft, op))
        return false;
    listener_forget_body(call->request);
    call->document->data = (char *)document->data;
    call->document->len = document->len;
    op->event.payload = call->document;
    return true;
}

static bool submit(struct call *call, struct new_event *new)
{
    /* The request's arena is for ordinary events: it is kept from one request to the next. */
    struct arena *arena = new->draft.front > SMALL_LEN_MAX ? &call->scratch : &call->request->arena;
    return render(call, arena, &new->draft) &&
           make_answer(call, &call->write.op.event.event, &new->draft, arena) && call_write(call, written);
}

/* Events are pushed with genuine signatures. A user that can post one can forge a message of the platform. */
static bool check_producer(struct call *call)
{
    return call_is_masters(call) || call->api->config.config->regular_events ||
           call_fail(call, API_FORBIDDEN, SOURCE_HEADER, "Authorization",
                     "Only a Master's key may post events. For tests, the setting regular-events lets each "
                     "user post events to itself.");
}

bool events_create(struct call *call)
{
    if (!check_producer(call))
        return false;
    if (negotiation_reads_lines(listener_header(call->request, "Content-Type", NULL)))
        return events_create_batch(call);
    struct request_document document;
    struct new_event *new = call_state(call, sizeof *new);
    if (!new)
        return false;
    call->write.op.kind = STORE_EVENT;
    call->write.op.event.requester_id = call->caller.user_id;
    new->draft.owner_id = call->caller.user_id;
    /* Rendering adds no more than the quotes around ids that came as numbers. */
    size_t len_max = call->request->body_len + call->request->body_len / 8;
    if (call->request->body_len > SMALL_LEN_MAX)
        call->document = payload_begin((size_t)2 * MODEL_BODY_LEN_MAX);
    text_init(&new->draft.relationships, &call->request->arena, len_max);
    text_init(&new->draft.included, call->document ? &call->document->memory : &call->request->arena,
              len_max);
    if (!jsonapi_read(call, "events", &document) || !event_draft_read(call, &document, &new->draft))
        return false;
    return read_idempotency_key(call, &new->draft) && submit(call, new);
}

bool events_create_lines(struct call *call)
{
    bool lines = negotiation_reads_lines(listener_header(call->request, "Content-Type", NULL));
    return check_producer(call) &&
           (lines || call_fail(call, API_MEDIA_TYPE, SOURCE_HEADER, "Content-Type",
                               "A batch is one event a line: send Content-Type: application/x-ndjson.")) &&
           events_create_batch(call);
}
