/* POST /api/events: from the request to one write, and the 201 from its completion. */
#include "body.h"
#include "digest.h"
#include "event_document.h"
#include "instant.h"
#include "jsonapi.h"
#include "resources.h"
#include <assert.h>

enum { DOCUMENT_OVERHEAD_MAX = 4096, SMALL_LEN_MAX = 64 << 10 };

struct new_event {
    struct bytes event_type, resource_type, resource_id;
    int64_t created_at_ms;
    bool created_at_given;
    int64_t owner_id;
    struct text relationships, included; /* JSON, as body_render takes them */
    char *location;
    struct bytes answer; /* the 201, made before the write so that the writer only sends it */
};

/* ---- attributes ---- */

static bool read_event_type(struct call *call, void *target, struct json_object *value, const char *pointer)
{
    struct new_event *new = target;
    if (json_object_is_type(value, json_type_string))
        new->event_type =
            bytes_make(json_object_get_string(value), (size_t)json_object_get_string_len(value));
    return model_type_valid(new->event_type) ||
           call_fail(call, API_ATTRIBUTE_INVALID, SOURCE_POINTER, pointer,
                     "event_type is a text of 1 to %d letters, digits, '_', '.' or '-'.", MODEL_TYPE_LEN_MAX);
}

static bool read_created_at(struct call *call, void *target, struct json_object *value, const char *pointer)
{
    struct new_event *new = target;
    struct bytes text = {0};
    if (json_object_is_type(value, json_type_string))
        text = bytes_make(json_object_get_string(value), (size_t)json_object_get_string_len(value));
    new->created_at_given = text.data &&instant_parse(text, &new->created_at_ms);
    return new->created_at_given ||
           call_fail(
               call, API_ATTRIBUTE_INVALID, SOURCE_POINTER, pointer,
               "created_at is a date with a zone as in RFC 3339, for example 2000-01-01T00:00:00.000Z.");
}

static bool ignore_sent_at(struct call *call, void *target, struct json_object *value, const char *pointer)
{
    call_warn(call, "attribute_ignored", 0, 0,
              "sent_at was ignored: it is stamped when the event is first sent");
    return true;
}

static const struct jsonapi_attribute event_attributes[] = {JSONAPI_ATTRIBUTE("event_type", read_event_type),
                                                            JSONAPI_ATTRIBUTE("created_at", read_created_at),
                                                            JSONAPI_ATTRIBUTE("sent_at", ignore_sent_at)};

static bool read_attributes(struct call *call, const struct request_document *document, struct new_event *new)
{
    struct json_object *id;
    if (json_object_object_get_ex(document->data, "id", &id))
        call_warn(call, "id_ignored", 0, 0,
                  "the event's id was ignored: the server gives each event its own");
    if (!jsonapi_read_attributes(call, document, event_attributes,
                                 sizeof event_attributes / sizeof *event_attributes, new))
        return false;
    return new->event_type.len || call_fail(call, API_ATTRIBUTE_MISSING, SOURCE_POINTER,
                                            document->attributes_at, "An event needs an event_type.");
}

/* ---- relationships and the snapshot ---- */

static bool read_resource(struct call *call, struct json_object *relationship, struct new_event *new)
{
    struct json_object *linkage;
    if (!json_object_is_type(relationship, json_type_object) ||
        !json_object_object_get_ex(relationship, "data", &linkage))
        return call_fail(call, API_RELATIONSHIP_INVALID, SOURCE_POINTER, "/data/relationships/resource",
                         "The relationship has no data.");
    return !linkage || jsonapi_read_linkage(call, linkage, "/data/relationships/resource/data",
                                            &new->resource_type, &new->resource_id);
}

/* Linkage of any relationship: null, one, or a list. Only `type` and `id` of each are checked. */
static bool check_linkage(struct call *call, struct json_object *linkage)
{
    struct bytes type, id;
    if (!json_object_is_type(linkage, json_type_array))
        return !linkage || jsonapi_read_linkage(call, linkage, "", &type, &id);
    for (size_t i = 0; i < json_object_array_length(linkage); i++)
        if (!jsonapi_read_linkage(call, json_object_array_get_idx(linkage, i), "", &type, &id))
            return false;
    return true;
}

/* Failures here and below point into the part that is checked; who asked puts the way to it in front
 * (call_within), so that what is in order costs no pointers. */
static bool check_relationship(struct call *call, struct json_object *relationship)
{
    struct json_object *linkage;
    if (!json_object_is_type(relationship, json_type_object))
        return call_fail(call, API_RELATIONSHIP_INVALID, SOURCE_POINTER, "",
                         "A relationship is an object with data, links or meta.");
    return !json_object_object_get_ex(relationship, "data", &linkage) || check_linkage(call, linkage) ||
           call_within(call, "", "data");
}

static void put_member(struct text *out, const char *name, struct json_object *value)
{
    if (out->len)
        text_putc(out, ',');
    text_put_json(out, bytes_of(name));
    text_putc(out, ':');
    json_put(out, value);
}

static bool read_relationships(struct call *call, const struct request_document *document,
                               struct new_event *new)
{
    if (!jsonapi_read_user(call, document, &new->owner_id))
        return false;
    if (!document->relationships)
        return true;
    struct json_object_iterator i = json_object_iter_begin(document->relationships),
                                end = json_object_iter_end(document->relationships);
    for (; !json_object_iter_equal(&i, &end); json_object_iter_next(&i)) {
        const char *name = json_object_iter_peek_name(&i);
        struct json_object *relationship = json_object_iter_peek_value(&i);
        if (strcmp(name, "user") == 0)
            continue; /* says whose event it is; no part of what is pushed */
        if (strcmp(name, "resource") == 0) {
            if (!read_resource(call, relationship, new))
                return false;
            continue;
        }
        if (!check_relationship(call, relationship))
            return call_within(call, "/data/relationships", name);
        put_member(&new->relationships, name, relationship);
    }
    return true;
}

static bool check_included(struct call *call, struct json_object *resource)
{
    struct json_object *part;
    struct bytes type, id;
    if (!jsonapi_read_linkage(call, resource, "", &type, &id)) {
        call->failure.error = API_INCLUDED_INVALID;
        return false;
    }
    static const char *const objects[] = {"attributes", "relationships"};
    for (int i = 0; i < 2; i++)
        if (json_object_object_get_ex(resource, objects[i], &part) &&
            !json_object_is_type(part, json_type_object)) {
            call_fail(call, API_INCLUDED_INVALID, SOURCE_POINTER, "", "%s must be an object.", objects[i]);
            return call_within(call, "", objects[i]);
        }
    struct json_object *relationships = json_get_object(resource, "relationships");
    if (!relationships)
        return true;
    struct json_object_iterator i = json_object_iter_begin(relationships),
                                end = json_object_iter_end(relationships);
    for (; !json_object_iter_equal(&i, &end); json_object_iter_next(&i))
        if (!check_relationship(call, json_object_iter_peek_value(&i)))
            return call_within(call, "/relationships", json_object_iter_peek_name(&i));
    return true;
}

static bool read_included(struct call *call, const struct request_document *document, struct new_event *new)
{
    struct json_object *included;
    if (!json_object_object_get_ex(document->root, "included", &included))
        return true;
    if (!json_object_is_type(included, json_type_array))
        return call_fail(call, API_DOCUMENT_INVALID, SOURCE_POINTER, "/included",
                         "included must be a list of resource objects.");
    for (size_t i = 0; i < json_object_array_length(included); i++) {
        struct json_object *resource = json_object_array_get_idx(included, i);
        if (!check_included(call, resource))
            return call_within(call, "/included", call_printf(call, "%zu", i));
        if (i)
            text_putc(&new->included, ',');
        json_put(&new->included, resource);
    }
    return true;
}

/* ---- the write ---- */

static bool read_idempotency_key(struct call *call)
{
    struct store_op *op = &call->write.op;
    int count = 0;
    struct bytes key = listener_header(call->request, "Idempotency-Key", &count);
    if (!count)
        return true;
    if (count > 1 || key.len == 0 || key.len > MODEL_KEY_LEN_MAX)
        return call_fail(call, API_HEADER_INVALID, SOURCE_HEADER, "Idempotency-Key",
                         "Idempotency-Key is one text of 1 to %d bytes.", MODEL_KEY_LEN_MAX);
    /* The body says whose event it is, or else it is the requester's, and keys are the requester's own: so
     * the body alone tells one request from another. */
    digest_sha256(bytes_make(call->request->body, call->request->body_len), op->event.request_digest);
    op->event.idempotency_key = arena_copy(&call->request->arena, key);
    return op->event.idempotency_key.data || call_too_large(call);
}

/* The views of the JSON are copied, so that it can be released here and not on the writer's thread. */
static bool keep_texts(struct call *call, struct new_event *new)
{
    struct bytes *const texts[] = {&new->event_type, &new->resource_type, &new->resource_id};
    for (int i = 0; i < 3; i++) {
        *texts[i] = arena_copy(&call->request->arena, *texts[i]);
        if (!texts[i]->data)
            return call_too_large(call);
    }
    call_release_body(call);
    return !(new->relationships.overflow || new->included.overflow) || call_too_large(call);
}

/* The 201 and its Location, from the event as it will be stored: no read is needed. */
static bool make_answer(struct call *call, const struct event *event, struct arena *arena)
{
    struct new_event *new = call->state;
    struct text out;
    jsonapi_begin(&out, arena);
    jsonapi_put_self(&out, "/api/events/", event->id);
    text_puts(&out, ",\"data\":");
    event_document_put(&out, event);
    jsonapi_end(&out, call, (struct bytes){0});
    new->answer = text_bytes(&out);
    new->location = arena_printf(&call->request->arena, "/api/events/%lld", (long long)event->id);
    return (new->location && !out.overflow) || call_too_large(call);
}

static bool send_created(struct call *call)
{
    struct new_event *new = call->state;
    call_header(call, "Location", bytes_of(new->location));
    return call_answer(call, 201, new->answer);
}

/* An Idempotency-Key seen before: the first answer again, from what was stored then. */
static bool replay(struct call *call)
{
    if (call->read.answer.count == 0)
        return call_not_found(call, "event any more");
    struct event event = call->read.answer.events[0];
    event.sent_at_ms = 0; /* as it was when the first answer was given */
    return make_answer(call, &event, &call->scratch) && send_created(call);
}

static bool written(struct call *call)
{
    const struct store_op *op = &call->write.op;
    switch (op->result) {
    case STORE_DONE:
        atomic_fetch_add_explicit(&call->api->events_accepted, 1, memory_order_relaxed);
        return send_created(call);
    case STORE_REPLAYED:
        atomic_fetch_add_explicit(&call->api->events_replayed, 1, memory_order_relaxed);
        return call_query(
            call,
            &(struct store_query){.kind = STORE_GET_EVENT, .id = op->id, .with_document = true, .limit = 1},
            false, replay);
    case STORE_CONFLICT:
        return call_fail(call, API_IDEMPOTENCY_CONFLICT, SOURCE_HEADER, "Idempotency-Key",
                         "This key came with another request before. Use a new key for a new request.");
    default:
        return call_not_found(call, "user");
    }
}

/* Holds the lock over id, rendering and submission, so that ids are committed in the order of their size and
 * a poller that pages by id misses nothing. */
static bool submit(struct call *call, struct new_event *new)
{
    struct api *api = call->api;
    struct event *event = &call->write.op.event.event;
    struct text document;
    int64_t now_ms = clock_wall_ms(&api->config.clock);
    struct body_parts parts = {.event_type = new->event_type,
                               .created_at_ms = new->created_at_given ? new->created_at_ms : now_ms,
                               .resource_type = new->resource_type,
                               .resource_id = new->resource_id,
                               .relationships = text_bytes(&new->relationships),
                               .included = text_bytes(&new->included)};
    *event = (struct event){.owner_id = new->owner_id,
                            .event_type = new->event_type,
                            .resource_type = new->resource_type,
                            .resource_id = new->resource_id,
                            .created_at_ms = parts.created_at_ms,
                            .received_at_ms = now_ms};
    /* The request's arena is for ordinary events: it is kept from one request to the next. */
    size_t parts_len = parts.relationships.len + parts.included.len;
    struct arena *arena = parts_len > SMALL_LEN_MAX ? &call->scratch : &call->request->arena;
    text_init(&document, arena, parts_len + DOCUMENT_OVERHEAD_MAX);
    pthread_mutex_lock(&api->event_lock);
    parts.id = event->id = ids_next(&api->ids, now_ms);
    body_render(&document, &parts, &event->stamp_offset);
    event->document = text_bytes(&document);
    bool fits = !document.overflow || call_too_large(call);
    bool submitted = fits && make_answer(call, event, arena) && call_write(call, written);
    pthread_mutex_unlock(&api->event_lock);
    return submitted;
}

bool events_create(struct call *call)
{
    struct request_document document;
    struct new_event *new = arena_zero(&call->request->arena, sizeof *new);
    if (!new)
        return call_too_large(call);
    call->state = new;
    call->write.op.kind = STORE_EVENT;
    call->write.op.event.requester_id = call->caller.user_id;
    new->owner_id = call->caller.user_id;
    /* Rendering adds no more than the quotes around ids that came as numbers. */
    size_t len_max = call->request->body_len + call->request->body_len / 8;
    text_init(&new->relationships, &call->request->arena, len_max);
    text_init(&new->included, &call->request->arena, len_max);
    if (!jsonapi_read(call, "events", &document) || !read_attributes(call, &document, new))
        return false;
    if (!read_relationships(call, &document, new) || !read_included(call, &document, new))
        return false;
    return read_idempotency_key(call) && keep_texts(call, new) && submit(call, new);
}
