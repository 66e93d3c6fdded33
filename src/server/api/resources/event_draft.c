/* Reading one event of a request, and rendering it into what will be stored. */
#include "event_draft.h"
#include "body.h"
#include "endpoint_fields.h"
#include "instant.h"
#include "resources.h"

enum { SNAPSHOTS_FEW = 16 };

/* As model_type_valid: neither "." nor "..", which are no segments of a path. (No lookahead: RE2 has none.)
 */
#define TYPE_PATTERN "^(\\\\.{0,2}[A-Za-z0-9_-][A-Za-z0-9_.-]*|\\\\.{3}[A-Za-z0-9_.-]*)$"

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
    [ROW_USER] = {FIELD_NO_MEMBER("user", FIELD_TO_ONE, FIELD_ON_CREATE), .related = "users"}};
const struct shape events_shape = {SHAPE("events", struct event_draft, fields), .self = "/api/events/:id",
                                   .meta = "EventMeta", .has_other_relationships = true};

static bool read_attributes(struct call *call, const struct request_document *document,
                            struct event_draft *draft)
{
    if (json_member(document->data, "id"))
        call_warn(call, "id_ignored", 0, 0, "the event's id was ignored: the server chooses ids");
    unsigned given;
    if (!shape_read(call, &events_shape, document, FIELD_ON_CREATE, draft, &given))
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
        if (bytes_equal_text(one->name, "user"))
            continue; /* rendered from the owner's id */
        if (bytes_equal_text(one->name, "resource")) {
            if (!read_resource(call, one, draft))
                return false;
            continue;
        }
        if (!jsonapi_check_relationship(call, one))
            return call_within(call, "/data/relationships", one->name);
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
    static const char *const objects[] = {"attributes", "relationships"};
    for (int i = 0; i < 2; i++)
        if (json_member(resource, objects[i]) && !json_member_of_kind(resource, objects[i], JSON_OBJECT)) {
            call_fail(call, API_INCLUDED_INVALID, SOURCE_POINTER, "", "%s must be an object.", objects[i]);
            return call_within(call, "", bytes_of(objects[i]));
        }
    struct json_value *relationships = json_member(resource, "relationships");
    for (struct json_value *one = relationships ? relationships->first : NULL; one; one = one->next)
        if (!jsonapi_check_relationship(call, one))
            return call_within(call, "/relationships", one->name);
    return true;
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
    return true;
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
