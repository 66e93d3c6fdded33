/* Reading one event of a request, and rendering it into what will be stored. */
#include "event_draft.h"
#include "body.h"
#include "endpoint_fields.h"
#include "idempotency_key.h"
#include "instant.h"
#include "resources.h"
#include "rules.h"

enum { SNAPSHOTS_FEW = 16 };

/* ---- attributes ---- */

static bool read_event_type(struct call *call, const struct field *field, struct json_value *value,
                            void *place)
{
    struct bytes *event_type = place;
    if (json_is(value, JSON_STRING))
        *event_type = value->text;
    return model_type_valid(*event_type) ||
           field_fail(call, field, "event_type must be a text of 1 to %d letters, digits, '_', '.' or '-'.",
                      MODEL_TYPE_LEN_MAX);
}

static bool read_created_at(struct call *call, const struct field *field, struct json_value *value,
                            void *place)
{
    bool text = json_is(value, JSON_STRING);
    return (text && instant_parse(value->text, place)) ||
           field_fail(call, field,
                      "created_at must be a date with a time zone as in RFC 3339, for example "
                      "2000-01-01T00:00:00.000Z.%s",
                      text && memmem(value->text.data, value->text.len, ":60", 3)
                          ? " Second 60 is a leap second, and only exists at 23:59:60 UTC on the last day of "
                            "a month."
                          : "");
}

static bool ignore_sent_at(struct call *call, const struct field *field, struct json_value *value,
                           void *place)
{
    call_warn(call, "attribute_ignored", 0, 0,
              "sent_at was ignored: the server sets it when it first sends the event");
    return true;
}

static bool read_channels(struct call *call, const struct field *field, struct json_value *value, void *place)
{
    return words_read(call, field, value, channel_valid, CHANNEL_RULE, place);
}

enum { ROW_EVENT_TYPE, ROW_CREATED_AT, ROW_SENT_AT, ROW_CHANNELS, ROW_RESOURCE, ROW_USER };
static const struct field fields[] = {
    [ROW_EVENT_TYPE] = {FIELD("event_type", FIELD_TEXT, FIELD_ON_CREATE | FIELD_REQUIRED, struct event_draft,
                              event_type),
                        .len_max = MODEL_TYPE_LEN_MAX, .pattern = TYPE_PATTERN, .read = read_event_type},
    [ROW_CREATED_AT] = {FIELD("created_at", FIELD_INSTANT, FIELD_ON_CREATE, struct event_draft,
                              created_at_ms),
                        .read = read_created_at},
    [ROW_SENT_AT] = {FIELD_NO_MEMBER("sent_at", FIELD_INSTANT,
                                     FIELD_ON_CREATE | FIELD_NULLABLE | FIELD_IGNORED),
                     .read = ignore_sent_at},
    [ROW_CHANNELS] = {FIELD("channels", FIELD_LIST, FIELD_ON_CREATE | FIELD_WRITE_ONLY | FIELD_NULL_CLEARS,
                            struct event_draft, channels),
                      .maximum = MODEL_EVENT_CHANNELS_MAX, .pattern = CHANNEL_PATTERN, .read = read_channels},
    /* Read below; shown as they were stored. */
    [ROW_RESOURCE] = {FIELD_NO_MEMBER("resource", FIELD_TO_ONE, FIELD_ON_CREATE | FIELD_NULLABLE)},
    [ROW_USER] = {FIELD_NO_MEMBER("user", FIELD_TO_ONE, FIELD_ON_CREATE), .related = "users",
                  .schema = "ToOwner"}};
const struct shape events_shape = {SHAPE("events", struct event_draft, fields), .self = "/api/events/:id",
                                   .meta = "EventMeta", .has_other_relationships = true};

/* A producer's own id is never dropped in silence: it names the event to its producer, so that it is accepted
 * once, it is refused, or a warning says that it was ignored (event_draft_take_own_id). */
static bool read_own_id(struct call *call, const struct request_document *document, struct event_draft *draft)
{
    const struct json_value *value = json_member(document->data, "id");
    if (!value)
        return true;
    if (call->api->config.config->refuse_event_ids)
        return jsonapi_refuse_id(call, document);
    if (!jsonapi_id(value, &draft->own_id) || !model_id_valid(draft->own_id))
        return call_fail(call, API_DOCUMENT_INVALID, SOURCE_POINTER, "/data/id",
                         "An id must be a text of 1 to %d bytes without control bytes, or an integer. It may "
                         "also be left out.",
                         MODEL_ID_LEN_MAX);
    return true;
}

static bool read_attributes(struct call *call, const struct request_document *document,
                            struct event_draft *draft)
{
    unsigned given;
    if (!read_own_id(call, document, draft) ||
        !shape_read(call, &events_shape, document, FIELD_ON_CREATE, draft, &given))
        return false;
    draft->created_at_given = given & 1u << ROW_CREATED_AT;
    return draft->event_type.len || call_fail(call, API_ATTRIBUTE_MISSING, SOURCE_POINTER,
                                              document->attributes_at, "An event needs an event_type.");
}

/* ---- relationships and the snapshot ---- */

static bool read_resource(struct call *call, struct json_value *relationship, struct event_draft *draft)
{
    struct json_value *linkage = json_member(relationship, "data");
    if (!linkage)
        return call_fail(call, API_RELATIONSHIP_INVALID, SOURCE_POINTER, "/data/relationships/resource",
                         "The relationship has no data.");
    return json_is(linkage, JSON_NULL) ||
           jsonapi_read_linkage(call, linkage, "/data/relationships/resource/data", &draft->resource_type,
                                &draft->resource_id);
}

static void put_member(struct text *out, const struct json_value *value)
{
    if (out->len)
        text_putc(out, ',');
    text_put_json(out, value->name);
    text_putc(out, ':');
    json_tree_put(out, value);
}

/* The attributes of every event are in its document, whether the request names them or not. */
static bool check_relationship(struct call *call, struct json_value *relationship)
{
    bool taken = bytes_equal_text(relationship->name, "id") || bytes_equal_text(relationship->name, "type");
    for (int i = 0; i < events_shape.field_count; i++)
        taken = taken || (events_shape.fields[i].kind < FIELD_TO_ONE &&
                          bytes_equal_text(relationship->name, events_shape.fields[i].name));
    if (taken)
        return call_fail(call, API_MEMBER_INVALID, SOURCE_POINTER, "",
                         "A relationship cannot be named id or type, or as an attribute of the event.");
    if (!rules_check_name(call, relationship->name)) {
        call->failure.source = "";
        return false;
    }
    return rules_check_relationship(call, relationship);
}

static bool read_relationships(struct call *call, const struct request_document *document,
                               struct event_draft *draft)
{
    if (!jsonapi_read_user(call, document, &draft->owner_id))
        return false;
    draft->terms =
        routing_terms(call_is_masters(call), call->caller.user_id, call->caller.master_id, draft->owner_id);
    if (!document->relationships)
        return true;
    for (struct json_value *one = document->relationships->first; one; one = one->next) {
        if (bytes_starts(one->name, "@"))
            continue;
        if (!check_relationship(call, one))
            return call_within(call, "/data/relationships", one->name);
        if (bytes_equal_text(one->name, "user"))
            continue; /* rendered from the owner's id */
        if (bytes_equal_text(one->name, "resource")) {
            if (!read_resource(call, one, draft))
                return false;
            continue;
        }
        put_member(&draft->relationships, one);
    }
    return true;
}

static bool check_included(struct call *call, struct json_value *resource, struct resource *snapshot)
{
    if (!jsonapi_read_linkage(call, resource, "", &snapshot->type, &snapshot->id)) {
        call->failure.error = API_INCLUDED_INVALID;
        return false;
    }
    return rules_check_resource(call, resource);
}

static bool read_included(struct call *call, const struct request_document *document,
                          struct event_draft *draft)
{
    struct json_value *included = json_member(document->root, "included");
    draft->front = body_leave_head(&draft->included,
                                   &(struct body_parts){.event_type = draft->event_type,
                                                        .resource_type = draft->resource_type,
                                                        .resource_id = draft->resource_id,
                                                        .relationships = text_bytes(&draft->relationships)});
    if (!included)
        return true;
    if (!json_is(included, JSON_ARRAY))
        return call_fail(call, API_DOCUMENT_INVALID, SOURCE_POINTER, "/included",
                         "included must be a list of resource objects.");
    size_t count = (size_t)included->count;
    struct arena *arena = count > SNAPSHOTS_FEW ? &call->scratch : &call->request->arena;
    draft->snapshots = arena_zero(arena, count * sizeof *draft->snapshots + 1);
    if (!draft->snapshots)
        return call_too_large(call);
    for (struct json_value *resource = included->first; resource; resource = resource->next) {
        struct resource *snapshot = &draft->snapshots[draft->snapshot_count++];
        if (!check_included(call, resource, snapshot))
            return call_within(call, "/included",
                               bytes_of(call_printf(call, "%d", draft->snapshot_count - 1)));
        if (resource != included->first)
            text_putc(&draft->included, ',');
        size_t begin = draft->included.len;
        json_tree_put(&draft->included, resource);
        snapshot->json.len = draft->included.len - begin;
    }
    return rules_check_linked(call, document->relationships, included);
}

/* ---- the whole ---- */

bool event_draft_read(struct call *call, const struct request_document *document, struct event_draft *draft)
{
    if (!read_attributes(call, document, draft) || !read_relationships(call, document, draft) ||
        !read_included(call, document, draft))
        return false;
    body_put_tail(&draft->included);
    return !(draft->relationships.overflow || draft->included.overflow) || call_too_large(call);
}

/* Most events carry the resource that they are about, whose name is kept already. */
static bool keep_snapshot_names(struct call *call, const struct event_draft *draft)
{
    struct arena *arena = draft->snapshot_count > SNAPSHOTS_FEW ? &call->scratch : &call->request->arena;
    for (int i = 0; i < draft->snapshot_count; i++) {
        struct resource *snapshot = &draft->snapshots[i];
        bool own = bytes_equal(snapshot->type, draft->resource_type) &&
                   bytes_equal(snapshot->id, draft->resource_id);
        snapshot->type = own ? draft->resource_type : arena_copy(arena, snapshot->type);
        snapshot->id = own ? draft->resource_id : arena_copy(arena, snapshot->id);
        if (!snapshot->type.data || !snapshot->id.data)
            return call_too_large(call);
    }
    return true;
}

bool event_draft_keep(struct call *call, struct arena *arena, struct event_draft *draft)
{
    struct bytes *const texts[] = {&draft->event_type, &draft->resource_type, &draft->resource_id,
                                   &draft->channels};
    for (int i = 0; i < 4; i++) {
        *texts[i] = arena_copy(arena, *texts[i]);
        if (!texts[i]->data)
            return call_too_large(call);
    }
    return keep_snapshot_names(call, draft);
}

size_t event_draft_included_len(const struct event_draft *draft)
{
    return body_included(&draft->included, draft->front).len;
}

static bool is_destroyed(struct bytes event_type)
{
    static const char suffix[] = "_destroyed";
    size_t len = sizeof suffix - 1;
    return event_type.len > len && memcmp(event_type.data + event_type.len - len, suffix, len) == 0;
}

static void place_snapshots(const struct event_draft *draft, struct store_op *op)
{
    const char *at = body_included(&draft->included, draft->front).data;
    for (int i = 0; i < draft->snapshot_count; i++) {
        draft->snapshots[i].json.data = at;
        at += draft->snapshots[i].json.len + (sizeof "," - 1);
    }
    op->event.included = draft->snapshots;
    op->event.included_count = draft->snapshot_count;
    op->event.destroyed = draft->resource_type.len && is_destroyed(draft->event_type);
}

/* Is a resource of the type `users` in the document whose id is also that of the owner's account? */
static bool has_namesake(const struct event_draft *draft)
{
    char digits[BYTES_INT64_LEN_MAX];
    struct bytes id = bytes_from_int64(draft->owner_id, digits);
    if (bytes_equal_text(draft->resource_type, "users") && bytes_equal(draft->resource_id, id))
        return true;
    for (int i = 0; i < draft->snapshot_count; i++)
        if (bytes_equal_text(draft->snapshots[i].type, "users") && bytes_equal(draft->snapshots[i].id, id))
            return true;
    return false;
}

bool event_draft_render(struct call *call, struct arena *arena, const struct event_draft *draft,
                        struct store_op *op)
{
    int64_t now_ms = clock_wall_ms(&call->api->config.clock);
    struct event *event = &op->event.event;
    struct body_parts parts = {.event_type = draft->event_type,
                               .created_at_ms = draft->created_at_given ? draft->created_at_ms : now_ms,
                               .resource_type = draft->resource_type,
                               .resource_id = draft->resource_id,
                               .user_id = draft->terms.names_owner ? draft->owner_id : 0,
                               .user_apart = draft->terms.names_owner && has_namesake(draft),
                               .relationships = text_bytes(&draft->relationships)};
    *event = (struct event){.owner_id = draft->owner_id,
                            .event_type = draft->event_type,
                            .resource_type = draft->resource_type,
                            .resource_id = draft->resource_id,
                            .channels = draft->channels,
                            .created_at_ms = parts.created_at_ms,
                            .received_at_ms = now_ms};
    event->document = body_put_head(&draft->included, draft->front, &parts, arena, &event->stamp_offset);
    if (!event->document.data)
        return call_too_large(call);
    op->event.owner_only = draft->terms.owner_only;
    if (draft->terms.changes_resources)
        place_snapshots(draft, op);
    return true;
}

/* No key of a header or of a line begins so. */
#define OWN_ID_MARK "\x01"

bool event_draft_take_own_id(struct call *call, const struct event_draft *draft, struct store_op *op)
{
    if (!draft->own_id.len)
        return true;
    if (op->event.idempotency_key.len || !call->api->config.config->own_event_ids) {
        call_warn(call, "id_ignored", 0, 0, "the event's id was ignored: the server chooses ids");
        return true;
    }
    call_warn(call, "id_own", 0, 0,
              "the id \"%.*s\" is taken as your own name of this event, so that it is accepted once; its id "
              "here is another one",
              jsonapi_shown_len(draft->own_id), draft->own_id.data);
    const char *key = arena_printf(&call->scratch, OWN_ID_MARK "%.*s", BYTES_ARG(draft->own_id));
    op->event.idempotency_key = bytes_of(key ? key : "");
    return key || call_too_large(call);
}

bool event_draft_is_named_by_id(const struct store_op *op)
{
    return bytes_starts(op->event.idempotency_key, OWN_ID_MARK);
}

bool event_draft_hold_key(struct call *call, const struct store_op *op, enum source_kind kind,
                          const char *source)
{
    bool own = event_draft_is_named_by_id(op);
    return !op->event.idempotency_key.len ||
           idempotency_key_hold(call, "/api/events", op->event.idempotency_key, own ? SOURCE_POINTER : kind,
                                own ? "/data/id" : source);
}

bool event_draft_fail_id(struct call *call)
{
    return call_fail(call, API_ID_USED, SOURCE_POINTER, "/data/id",
                     "You have sent another event with this id. Use a new id for each event, or none.");
}

const char *event_draft_goes_nowhere(struct call *call, const struct store_op *op)
{
    if (op->count > 0)
        return NULL;
    if (!op->event.skipped)
        return "\"deliveries\":0,\"note\":\"It goes to nobody: no endpoint wants it.\"";
    const char *members = arena_printf(
        &call->scratch,
        "\"deliveries\":0,\"skipped_delivery\":\"%lld\",\"note\":\"It goes to nobody: user %lld has no "
        "webhook_url. Set one, and POST /api/deliveries/%lld/resend sends it.\"",
        (long long)op->event.skipped, (long long)op->event.event.owner_id, (long long)op->event.skipped);
    return members ? members : "\"deliveries\":0";
}
