/* POST /api/endpoints/ID/test_filter: would the endpoint get this event, and which setting decides? Nothing
 * is sent and nothing is kept. */
#include "edit.h"
#include "endpoint_fields.h"
#include "event_document.h"
#include "notice.h"
#include "resources.h"

struct filter_test_row {
    int64_t endpoint_id;
    int64_t event_id;
    struct bytes document, event_type, channels; /* with a space between two */
    int64_t owner_id;                            /* of the event */
    struct routing_notice about;                 /* if it is a notice */
    bool matches;
    enum routing_verdict verdict;
    struct bytes pointer;
    const struct endpoint *endpoint;
};

static bool is_notice(const struct filter_test_row *row)
{
    for (int kind = 0; kind < NOTICE_KINDS; kind++)
        if (bytes_equal_text(row->event_type, notice_names[kind]))
            return true;
    return false;
}

static bool read_event(struct call *call, const struct field *field, struct json_value *value, void *place)
{
    struct bytes id;
    return (jsonapi_id(value, &id) && bytes_to_int64(id, place) && *(int64_t *)place > 0) ||
           field_fail(call, field, "event must be the id of an event.");
}

static void put_event(struct text *out, const struct call *call, const void *row)
{
    int64_t id = ((const struct filter_test_row *)row)->event_id;
    text_printf(out, id ? "\"%lld\"" : "null", (long long)id);
}

/* The endpoint that a notice is about; 0: none that could be. */
static int64_t read_about(const struct json_value *data)
{
    const struct json_value *resource = json_member(json_member(data, "relationships"), "resource");
    struct bytes id;
    int64_t about_id;
    bool is_one = json_member_text(json_member(resource, "data"), "id", &id) && bytes_to_int64(id, &about_id);
    return is_one ? about_id : 0;
}

/* Its type is read from it, as an event's is. */
static bool read_document(struct call *call, const struct field *field, struct json_value *value, void *place)
{
    struct filter_test_row *row = call->state;
    const struct json_value *data = json_member(value, "data"), *attributes = json_member(data, "attributes");
    struct text out;
    if (!json_member_text(attributes, "event_type", &row->event_type) || !model_type_valid(row->event_type))
        return field_fail(call, field,
                          "document must be an event as it is pushed: an object whose "
                          "data.attributes.event_type is the name of an event type.");
    row->about.about_id = read_about(data);
    text_init(&out, &call->request->arena, MODEL_BODY_LEN_MAX);
    json_tree_put(&out, value);
    *(struct bytes *)place = text_bytes(&out);
    return !out.overflow || call_too_large(call);
}

static bool read_channels(struct call *call, const struct field *field, struct json_value *value, void *place)
{
    return words_read(call, field, value, channel_valid, CHANNEL_RULE, place);
}

static void put_channels(struct text *out, const struct call *call, const void *row)
{
    words_put(out, ((const struct filter_test_row *)row)->channels);
}

static void put_decided_by(struct text *out, const struct call *call, const void *row)
{
    enum routing_verdict verdict = ((const struct filter_test_row *)row)->verdict;
    if (routing_is_unmatched(verdict))
        text_printf(out, "\"%s\"", routing_verdict_names[verdict - ROUTING_TYPE]);
    else if (verdict == ROUTING_NOT_ASKED)
        text_puts(out, "\"notice\"");
    else
        text_puts(out, "null");
}

#define ROW(name, kind, flags, member) FIELD(name, kind, flags, struct filter_test_row, member)
static const struct field fields[] = {
    {ROW("event", FIELD_TEXT, FIELD_ON_CREATE | FIELD_NULLABLE, event_id), .len_max = BYTES_INT64_LEN_MAX,
     .pattern = "^[0-9]{1,19}$", .read = read_event, .put = put_event},
    {ROW("document", FIELD_JSON, FIELD_ON_CREATE | FIELD_WRITE_ONLY, document), .schema = "TestedDocument",
     .read = read_document},
    {ROW("channels", FIELD_LIST, FIELD_ON_CREATE | FIELD_NULL_CLEARS, channels),
     .maximum = MODEL_EVENT_CHANNELS_MAX, .pattern = CHANNEL_PATTERN, .read = read_channels,
     .put = put_channels},
    {ROW("matches", FIELD_FLAG, 0, matches)},
    {ROW("decided_by", FIELD_TEXT, FIELD_NULLABLE, verdict), .put = put_decided_by},
    {ROW("pointer", FIELD_TEXT, FIELD_NULLABLE, pointer)}};
#undef ROW
const struct shape filter_tests_shape = {SHAPE("filter_tests", struct filter_test_row, fields)};

/* Where the key that decided stands in the endpoint's attributes. */
static const char *pointer_of(struct call *call, const struct routing_event *event,
                              enum routing_verdict verdict)
{
    const char *below = "";
    if (verdict == ROUTING_TYPE || verdict == ROUTING_NOT_ASKED)
        return "/event_types";
    if (verdict == ROUTING_CHANNEL)
        return "/channels";
    if (verdict != ROUTING_FILTER)
        return "";
    if (event->differs)
        below = filter_pointer(&call->request->arena, event->differs);
    return call_printf(call, "/filter%s", below ? below : "");
}

/* NULL: none, or one that is damaged, which lets all through as the server does. */
static const struct filter *filter_of(struct call *call, const struct endpoint *endpoint)
{
    struct json_reading reading;
    struct filter_problem problem;
    struct arena *arena = &call->request->arena;
    struct bytes text = arena_copy(arena, endpoint->filter);
    const struct json_value *pattern =
        text.len ? json_tree_read(arena, (char *)text.data, text.len, false, &reading) : NULL;
    return pattern ? filter_compile(arena, pattern, &problem) : NULL;
}

/* The endpoint is judged as the owner's, but for a notice: a Master's may get one that the owner's may not.
 */
static bool judge(struct call *call)
{
    struct filter_test_row *row = call->state;
    const struct endpoint *endpoint = row->endpoint;
    bool notice = is_notice(row);
    struct routing_wishes wishes = {.event_types = endpoint->event_types,
                                    .channels = endpoint->channels,
                                    .filter = filter_of(call, endpoint)};
    struct routing_event event = {.owner_id = row->owner_id,
                                  .master_id = endpoint->owner_id,
                                  .event_type = row->event_type,
                                  .channels = row->channels,
                                  .document = row->document,
                                  .steps = FILTER_STEPS_MAX,
                                  .notice = notice ? &row->about : NULL};
    struct routing_endpoint judged = {.user_id = notice ? endpoint->owner_id : row->owner_id,
                                      .has_url = true,
                                      .wishes = &wishes,
                                      .id = endpoint->id};
    row->verdict = routing_judge(&event, &judged);
    row->matches = row->verdict == ROUTING_SENT;
    row->pointer = bytes_of(pointer_of(call, &event, row->verdict));
    return shape_answer(call, 200, &filter_tests_shape, row, (struct bytes){0});
}

static bool take_about(struct call *call)
{
    struct filter_test_row *row = call->state;
    const struct endpoint *about = edit_seen_endpoint(call);
    if (about) {
        row->owner_id = about->owner_id;
        row->about.about_asks = routing_asks_for_notices(about->event_types);
    }
    return judge(call);
}

static bool look_at_notice(struct call *call)
{
    const struct filter_test_row *row = call->state;
    if (!is_notice(row) || row->about.about_id <= 0)
        return judge(call);
    return call_get(call, STORE_GET_ENDPOINT, row->about.about_id, true, take_about);
}

static bool take_event(struct call *call)
{
    struct filter_test_row *row = call->state;
    const struct event *event = event_document_read(call);
    if (!event)
        return false;
    row->event_type = event->event_type;
    row->channels = event->channels;
    row->document = event->document;
    row->owner_id = event->owner_id;
    if (!bytes_to_int64(event->resource_id, &row->about.about_id))
        row->about.about_id = 0;
    return look_at_notice(call);
}

static bool take_endpoint(struct call *call)
{
    struct filter_test_row *row = call->state;
    row->endpoint = edit_seen_endpoint(call);
    if (!row->endpoint)
        return call_not_found(call, "endpoint");
    if (row->event_id)
        return call_get(call, STORE_GET_EVENT, row->event_id, true, take_event);
    row->owner_id = row->endpoint->owner_id;
    return look_at_notice(call);
}

bool endpoints_test_filter(struct call *call)
{
    struct request_document document;
    struct filter_test_row *row = call_state(call, sizeof *row);
    unsigned given;
    if (!row || !jsonapi_path_id(call, "endpoint", &row->endpoint_id) ||
        !jsonapi_read(call, "filter_tests", &document) || !jsonapi_refuse_id(call, &document) ||
        !jsonapi_refuse_relationships(call, &document, "A filter test has no relationships.") ||
        !shape_read(call, &filter_tests_shape, &document, FIELD_ON_CREATE, row, &given))
        return false;
    if (!row->event_id == !row->document.len)
        return call_fail(call, API_ATTRIBUTE_MISSING, SOURCE_POINTER, document.attributes_at,
                         "Give event, the id of an event, or document, an event as it is pushed: one of the "
                         "two.");
    if (row->event_id && row->channels.len)
        return call_fail(call, API_ATTRIBUTE_INVALID, SOURCE_POINTER, "/data/attributes/channels",
                         "The event has channels of its own. Give channels with document only.");
    return call_get(call, STORE_GET_ENDPOINT, row->endpoint_id, false, take_endpoint);
}
