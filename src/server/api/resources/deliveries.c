/* /api/deliveries, its attempts, and /api/events/ID/deliveries: what became of an event, attempt by attempt.
 */
#include "event_document.h"
#include "idmap.h"
#include "instant.h"
#include "notice.h"
#include "page.h"
#include "precondition.h"
#include "resources.h"

enum {
    ATTEMPTS_MAX = 100, /* that a delivery is shown with: the last ones */
    NOT_SENT_LEN_MAX = 3 * MODEL_ENDPOINTS_MAX * 64
};

enum { INCLUDE_EVENT = 1, INCLUDE_EVENT_RESOURCE = 2, INCLUDE_ATTEMPTS = 4 };
static const char *const list_includes[] = {"event", "event.resource", NULL};
static const char *const includes[] = {"event", "event.resource", "attempts", NULL};

struct wanted_deliveries {
    struct page page;
    unsigned include;
    int64_t event_id;
    struct event event;       /* id 0: not read */
    struct delivery delivery; /* id 0: it is a list of them */
    struct store_answer attempts;
    int tries;                     /* of a change with a precondition */
    struct store_answer endpoints; /* of the event's owner */
    struct bytes not_sent;         /* len 0: not asked for, or none */
};

/* ---- what an attempt looks like ---- */

static void put_attempt_id(struct text *out, const void *row)
{
    const struct attempt *attempt = row;
    text_printf(out, "%lld-%lld", (long long)attempt->delivery_id, (long long)attempt->lease);
}

static void put_reason(struct text *out, const struct call *call, const void *row)
{
    text_printf(out, "\"%s\"", failure_name(((const struct attempt *)row)->failure));
}

static void put_detail(struct text *out, const struct call *call, const void *row)
{
    const struct attempt *attempt = row;
    text_put_json(out, attempt->detail.len ? attempt->detail : bytes_of(failure_sentence(attempt->failure)));
}

/* A receiver's answer is a stranger's bytes: shown as text if it is text, otherwise in hex. */
static bool is_text(const struct call *call, const void *row)
{
    return bytes_are_utf8(((const struct attempt *)row)->response);
}

static bool is_not_text(const struct call *call, const void *row)
{
    return !is_text(call, row);
}

static void put_response(struct text *out, const struct call *call, const void *row)
{
    text_put_json(out, ((const struct attempt *)row)->response);
}

static void put_response_hex(struct text *out, const struct call *call, const void *row)
{
    static const char digits[] = "0123456789abcdef";
    struct bytes response = ((const struct attempt *)row)->response;
    text_putc(out, '"');
    for (size_t i = 0; i < response.len; i++) {
        unsigned char c = (unsigned char)response.data[i];
        text_putc(out, digits[c >> 4]);
        text_putc(out, digits[c & 15]);
    }
    text_putc(out, '"');
}

#define ROW(name, kind, flags, member) FIELD(name, kind, flags, struct attempt, member)
static const struct field attempt_fields[] = {
    {ROW("attempt", FIELD_INTEGER, 0, attempt)},
    {ROW("lease", FIELD_INTEGER, 0, lease)},
    {ROW("started_at", FIELD_INSTANT, 0, started_at_ms)},
    {ROW("duration_ms", FIELD_INTEGER, 0, duration_ms)},
    {ROW("status", FIELD_INTEGER, FIELD_NULLABLE, status)},
    {ROW("reason", FIELD_TEXT, 0, failure), .put = put_reason},
    {ROW("detail", FIELD_TEXT, 0, detail), .put = put_detail},
    {ROW("counted", FIELD_FLAG, 0, counted)},
    {ROW("body_incomplete", FIELD_FLAG, 0, body_incomplete)},
    {ROW("reused_connection", FIELD_FLAG, 0, reused_connection)},
    {ROW("mixed_answer", FIELD_FLAG, 0, mixed_answer)},
    {ROW("request_unread", FIELD_FLAG, 0, request_unread)},
    {ROW("address", FIELD_TEXT, FIELD_NULLABLE, address)},
    {ROW("response", FIELD_TEXT, 0, response), .put = put_response, .is_shown = is_text},
    {ROW("response_hex", FIELD_TEXT, 0, response), .put = put_response_hex, .is_shown = is_not_text}};
#undef ROW
const struct shape attempts_shape = {SHAPE("attempts", struct attempt, attempt_fields),
                                     .place = offsetof(struct attempt, lease), .put_id = put_attempt_id};

/* ---- what a delivery looks like ---- */

static void put_next_in(struct text *out, const struct call *call, const void *row)
{
    int64_t next_in_ms = ((const struct delivery *)row)->next_in_ms;
    if (next_in_ms >= 0)
        text_put_int64(out, next_in_ms);
    else
        text_puts(out, "null");
}

/* On its own page a delivery has its attempts: as an attribute, or, if they are included, as a relationship.
 */
static bool has_attempts(const struct call *call, const void *row)
{
    const struct wanted_deliveries *wanted = call->state;
    return wanted->delivery.id && !(wanted->include & INCLUDE_ATTEMPTS);
}

static bool has_related(const struct call *call, const void *row)
{
    const struct wanted_deliveries *wanted = call->state;
    return wanted->include & INCLUDE_ATTEMPTS;
}

static void put_attempts(struct text *out, const struct call *call, const void *row)
{
    const struct store_answer *attempts = &((const struct wanted_deliveries *)call->state)->attempts;
    text_putc(out, '[');
    for (int i = 0; i < attempts->count; i++) {
        text_puts(out, i ? "," : "");
        shape_put_attributes(out, call, &attempts_shape, &attempts->attempts[i]);
    }
    text_putc(out, ']');
}

static void put_earlier(struct text *out, const struct call *call, const void *row)
{
    text_puts(out, ((const struct wanted_deliveries *)call->state)->attempts.more ? "true" : "false");
}

static void put_related(struct text *out, const struct call *call, const void *row)
{
    const struct store_answer *attempts = &((const struct wanted_deliveries *)call->state)->attempts;
    text_puts(out, "{\"data\":[");
    for (int i = 0; i < attempts->count; i++) {
        text_puts(out, i ? ",{\"type\":\"attempts\",\"id\":\"" : "{\"type\":\"attempts\",\"id\":\"");
        put_attempt_id(out, &attempts->attempts[i]);
        text_puts(out, "\"}");
    }
    text_puts(out, "]}");
}

#define ROW(name, kind, flags, member) FIELD(name, kind, flags, struct delivery, member)
static const struct field delivery_fields[] = {
    {ROW("state", FIELD_CHOICE, 0, state), .choices = delivery_state_names},
    {ROW("resending", FIELD_FLAG, 0, resending)},
    {ROW("in_flight", FIELD_FLAG, 0, leased)},
    {ROW("attempt_count", FIELD_INTEGER, 0, attempt)},
    {ROW("next_attempt_in_ms", FIELD_INTEGER, FIELD_NULLABLE, next_in_ms), .put = put_next_in},
    {ROW("last_reason", FIELD_TEXT, FIELD_NULLABLE, last_reason)},
    {ROW("last_status", FIELD_INTEGER, FIELD_NULLABLE, last_status)},
    {ROW("created_at", FIELD_INSTANT, 0, created_at_ms)},
    {ROW("first_attempt_at", FIELD_INSTANT, FIELD_NULLABLE, first_attempt_at_ms)},
    {ROW("finished_at", FIELD_INSTANT, FIELD_NULLABLE, finished_at_ms)},
    {FIELD_NO_MEMBER("attempts", FIELD_LIST, 0), .schema = "AttemptAttributes", .put = put_attempts,
     .is_shown = has_attempts},
    {FIELD_NO_MEMBER("earlier_attempts", FIELD_FLAG, 0), .put = put_earlier, .is_shown = has_attempts},
    {ROW("event", FIELD_TO_ONE, 0, event_id), .related = "events"},
    {ROW("endpoint", FIELD_TO_ONE, 0, endpoint_id), .related = "endpoints"},
    {ROW("user", FIELD_TO_ONE, 0, user_id), .related = "users"},
    {FIELD_NO_MEMBER("attempts", FIELD_RELATIONSHIP, 0), .related = "attempts", .put = put_related,
     .is_shown = has_related}};
#undef ROW
const struct shape deliveries_shape = {SHAPE("deliveries", struct delivery, delivery_fields),
                                       .self = "/api/deliveries/:id",
                                       .related = "/api/deliveries/:id/attempts"};

/* ---- what goes with them ---- */

static struct wanted_deliveries *read_wanted(struct call *call, const char *const *names)
{
    struct wanted_deliveries *wanted = call_state(call, sizeof *wanted);
    return wanted && jsonapi_read_include(call, names, &wanted->include) ? wanted : NULL;
}

/* A path through the event includes the event, too (JSON:API section 7.3). */
static bool wants_event(const struct wanted_deliveries *wanted)
{
    return (wanted->include & (INCLUDE_EVENT | INCLUDE_EVENT_RESOURCE)) != 0;
}

static void put_included(struct text *out, struct call *call, const struct wanted_deliveries *wanted)
{
    const char *separator = "";
    if (!wanted->include)
        return;
    text_puts(out, ",\"included\":[");
    if (wants_event(wanted) && wanted->event.id) {
        event_document_put(out, call, &wanted->event);
        separator = ",";
        if (wanted->include & INCLUDE_EVENT_RESOURCE)
            event_document_put_included(out, call, &wanted->event, separator);
    }
    for (int i = 0; wanted->include & INCLUDE_ATTEMPTS && i < wanted->attempts.count; i++) {
        text_puts(out, separator);
        shape_put(out, call, &attempts_shape, &wanted->attempts.attempts[i]);
        separator = ",";
    }
    text_putc(out, ']');
}

/* ---- an event's deliveries ---- */

static bool show_list(struct call *call)
{
    const struct wanted_deliveries *wanted = call->state;
    struct page_rows seen;
    struct text out;
    jsonapi_begin(&out, &call->scratch);
    page_put_rows(&out, call, &wanted->page, &deliveries_shape, call->read.answer.deliveries, &seen);
    seen.meta = wanted->not_sent;
    put_included(&out, call, wanted);
    const char *path = call_printf(call, "/api/events/%lld/deliveries", (long long)wanted->event_id);
    page_put_end(&out, call, path, &wanted->page, &seen);
    return jsonapi_answer(call, 200, &out);
}

/* Those that have a page for the caller (visible_delivery): who sees an event may not see its Master's. */
static bool query_page(struct call *call)
{
    struct wanted_deliveries *wanted = call->state;
    struct store_query query = {
        .kind = STORE_LIST_DELIVERIES, .id = wanted->event_id, .master_id = call->caller.user_id};
    return page_query(call, &wanted->page, &query, true, show_list);
}

static void put_one_not_sent(struct text *out, int64_t endpoint_id, const char *reason)
{
    text_printf(out, "%s{\"endpoint\":\"%lld\",\"reason\":\"%s\"}", out->data[out->len - 1] == '[' ? "" : ",",
                (long long)endpoint_id, reason);
}

/* An endpoint that wanted the event, or was not asked, and has no delivery. Ids of further endpoints come
 * from the same series as those of events. */
static const char *not_sent_reason(const struct event *event, const struct endpoint *endpoint)
{
    if (endpoint->id != endpoint->owner_id && endpoint->id > event->id)
        return "created_later";
    if (endpoint->url.len == 0)
        return "no_url";
    for (int kind = 0; kind < NOTICE_KINDS; kind++)
        if (bytes_equal_text(event->event_type, notice_names[kind]))
            return "notice";
    return bytes_equal_text(event->event_type, PING_EVENT_TYPE) ? "ping" : "no_url";
}

static void put_not_sent(struct text *out, const struct call *call, const struct wanted_deliveries *wanted)
{
    struct idmap named = {0};
    struct bytes unmatched = wanted->event.unmatched;
    struct routing_unmatched one;
    const struct store_answer *sent = &call->read.answer, *all = &wanted->endpoints;
    text_puts(out, "\"not_sent\":[");
    while (routing_next_unmatched(&unmatched, &one)) {
        idmap_put(&named, one.endpoint_id, (void *)wanted);
        if (!one.is_masters || call->caller.role == USER_MASTER)
            put_one_not_sent(out, one.endpoint_id, routing_verdict_names[one.verdict - ROUTING_TYPE]);
    }
    for (int i = 0; i < sent->count; i++)
        idmap_put(&named, sent->deliveries[i].endpoint_id, (void *)wanted);
    for (int i = 0; i < all->count; i++)
        if (!idmap_get(&named, all->endpoints[i].id))
            put_one_not_sent(out, all->endpoints[i].id, not_sent_reason(&wanted->event, &all->endpoints[i]));
    text_putc(out, ']');
    idmap_fini(&named);
}

static bool take_sent(struct call *call)
{
    struct wanted_deliveries *wanted = call->state;
    struct text out;
    text_init(&out, &call->request->arena, NOT_SENT_LEN_MAX);
    put_not_sent(&out, call, wanted);
    if (out.overflow)
        return call_too_large(call);
    wanted->not_sent = text_bytes(&out);
    return query_page(call);
}

static bool take_endpoints(struct call *call)
{
    struct wanted_deliveries *wanted = call->state;
    wanted->endpoints = call->read.answer;
    return call_query(call, &(struct store_query){.kind = STORE_LIST_DELIVERIES, .id = wanted->event_id},
                      true, take_sent);
}

/* The first page also says which endpoints have no delivery, and why. */
static bool list_event_deliveries(struct call *call)
{
    struct wanted_deliveries *wanted = call->state;
    const struct event *event = event_document_read(call);
    if (!event)
        return false;
    wanted->event = *event;
    if (wanted->page.cursor.len)
        return query_page(call);
    struct store_query endpoints = {.kind = STORE_LIST_ENDPOINTS, .owner_id = wanted->event.owner_id};
    return call_query(call, &endpoints, true, take_endpoints);
}

static bool query_event(struct call *call, int64_t id, bool with_document, call_step *then)
{
    return call_query(
        call,
        &(struct store_query){.kind = STORE_GET_EVENT, .id = id, .with_document = with_document, .limit = 1},
        true, then);
}

bool event_deliveries_list(struct call *call)
{
    struct wanted_deliveries *wanted = read_wanted(call, list_includes);
    if (!wanted || !jsonapi_path_id(call, "event", &wanted->event_id))
        return false;
    const char *name = call_printf(call, "deliveries of %lld", (long long)wanted->event_id);
    return page_read(call, name, &wanted->page) &&
           query_event(call, wanted->event_id, wants_event(wanted), list_event_deliveries);
}

/* ---- those of all events, newest first ---- */

static bool filter_fail(struct call *call, enum query_parameter filter, const char *rule)
{
    return call_fail(call, API_PARAMETER_INVALID, SOURCE_PARAMETER, query_name(filter), "%s %s.",
                     query_name(filter), rule);
}

static bool read_states(struct call *call, struct store_query *query)
{
    struct bytes names = call->query.values[QUERY_STATE];
    bool known = query_has(&call->query, QUERY_STATE), more = known;
    while (known && more) {
        more = memchr(names.data, ',', names.len) != NULL;
        struct bytes name = bytes_cut(&names, ',');
        int state = 0;
        while (state < DELIVERY_STATES && !bytes_equal_text(name, delivery_state_names[state]))
            state++;
        known = state < DELIVERY_STATES;
        query->states |= 1U << state;
    }
    return known || !query_has(&call->query, QUERY_STATE) ||
           filter_fail(call, QUERY_STATE,
                       "must be pending, delivered, given_up, cancelled or skipped, or several of them "
                       "separated by commas");
}

static bool read_filters(struct call *call, struct store_query *query)
{
    const struct query *given = &call->query;
    const struct bytes *values = given->values;
    if (query_has(given, QUERY_TO_ENDPOINT) &&
        (!bytes_to_int64(values[QUERY_TO_ENDPOINT], &query->endpoint_id) || query->endpoint_id < 1))
        return filter_fail(call, QUERY_TO_ENDPOINT, "must be the id of an endpoint");
    query->event_type = values[QUERY_EVENT_TYPE];
    if (query_has(given, QUERY_EVENT_TYPE) && !model_type_valid(query->event_type))
        return filter_fail(call, QUERY_EVENT_TYPE, "must be an event_type");
    query->reason = values[QUERY_REASON];
    enum failure reason = query_has(given, QUERY_REASON) ? failure_parse(query->reason.data) : FAILURE_RESET;
    if (reason == FAILURE_NONE || reason == FAILURE_COUNT)
        return filter_fail(call, QUERY_REASON, "must be a last_reason, as unexpected_status");
    if (query_has(given, QUERY_SINCE) && !instant_parse(values[QUERY_SINCE], &query->received_from_ms))
        return filter_fail(call, QUERY_SINCE, "must be a time, as 2026-01-31T12:00:00Z");
    return read_states(call, query);
}

static bool show_found(struct call *call)
{
    const struct wanted_deliveries *wanted = call->state;
    return page_answer(call, "/api/deliveries", &wanted->page, &deliveries_shape,
                       call->read.answer.deliveries);
}

bool deliveries_list(struct call *call)
{
    struct wanted_deliveries *wanted = call_state(call, sizeof *wanted);
    struct store_query query = {.kind = STORE_FIND_DELIVERIES, .master_id = call->caller.user_id};
    if (!wanted)
        return false;
    wanted->page.descending = true;
    if (!page_read(call, "deliveries", &wanted->page) || !read_filters(call, &query))
        return false;
    if (query_has(&call->query, QUERY_USER) && !jsonapi_read_owner(call, &query.owner_id))
        return false;
    return page_query(call, &wanted->page, &query, false, show_found);
}

/* ---- one delivery ---- */

/* Of all that is shown but next_attempt_in_ms, which is counted from the answer's Date. */
static const char *etag_of(struct call *call, const struct wanted_deliveries *wanted)
{
    const struct delivery *delivery = &wanted->delivery;
    const struct store_answer *attempts = &wanted->attempts;
    int64_t last = attempts->count ? attempts->attempts[attempts->count - 1].lease : 0;
    return call_printf(call, "\"%lld-%d%d%d-%lld-%d-%lld-%d-%lld\"", (long long)delivery->id,
                       (int)delivery->state, delivery->resending, delivery->leased,
                       (long long)delivery->lease, (int)delivery->attempt,
                       (long long)delivery->finished_at_ms, attempts->count, (long long)last);
}

static bool show_one(struct call *call)
{
    const struct wanted_deliveries *wanted = call->state;
    struct text out;
    call->etag = etag_of(call, wanted);
    shape_begin_document(&out, call, &deliveries_shape, &wanted->delivery);
    put_included(&out, call, wanted);
    jsonapi_end(&out, call, (struct bytes){0});
    return jsonapi_answer(call, 200, &out);
}

static bool take_event(struct call *call)
{
    struct wanted_deliveries *wanted = call->state;
    if (call->read.answer.count)
        wanted->event = call->read.answer.events[0];
    return show_one(call);
}

static void keep_attempts(struct call *call)
{
    struct wanted_deliveries *wanted = call->state;
    struct store_answer *last = &wanted->attempts;
    *last = call->read.answer;
    for (int i = 0; i < last->count / 2; i++) { /* they were read backwards */
        struct attempt earlier = last->attempts[last->count - 1 - i];
        last->attempts[last->count - 1 - i] = last->attempts[i];
        last->attempts[i] = earlier;
    }
}

static bool take_attempts(struct call *call)
{
    struct wanted_deliveries *wanted = call->state;
    keep_attempts(call);
    return wants_event(wanted) ? query_event(call, wanted->delivery.event_id, true, take_event)
                               : show_one(call);
}

/* The delivery that was read, when the caller may see whose it is; else 404. */
static const struct delivery *visible_delivery(struct call *call)
{
    const struct store_answer *answer = &call->read.answer;
    if (answer->count > 0 && call_may_see(call, answer->deliveries[0].user_id))
        return &answer->deliveries[0];
    call_not_found(call, "delivery");
    return NULL;
}

static bool query_attempts(struct call *call, const struct delivery *delivery, call_step *then)
{
    struct wanted_deliveries *wanted = call->state;
    wanted->delivery = *delivery;
    struct store_query last = {
        .kind = STORE_LIST_ATTEMPTS, .id = delivery->id, .descending = true, .limit = ATTEMPTS_MAX};
    return call_query(call, &last, true, then);
}

static bool read_attempts(struct call *call)
{
    const struct delivery *delivery = visible_delivery(call);
    return delivery && query_attempts(call, delivery, take_attempts);
}

static bool show_delivery(struct call *call, int64_t id)
{
    return call_get(call, STORE_GET_DELIVERY, id, false, read_attempts);
}

bool deliveries_show(struct call *call)
{
    int64_t id;
    return read_wanted(call, includes) && jsonapi_path_id(call, "delivery", &id) && show_delivery(call, id);
}

/* ---- all of its attempts ---- */

static bool show_attempts(struct call *call)
{
    const struct wanted_deliveries *wanted = call->state;
    const char *path = call_printf(call, "/api/deliveries/%lld/attempts", (long long)wanted->delivery.id);
    return page_answer(call, path, &wanted->page, &attempts_shape, call->read.answer.attempts);
}

static bool list_attempts(struct call *call)
{
    struct wanted_deliveries *wanted = call->state;
    const struct delivery *delivery = visible_delivery(call);
    if (!delivery)
        return false;
    struct store_query query = {.kind = STORE_LIST_ATTEMPTS, .id = delivery->id};
    return page_query(call, &wanted->page, &query, false, show_attempts);
}

bool delivery_attempts_list(struct call *call)
{
    struct wanted_deliveries *wanted = call_state(call, sizeof *wanted);
    if (!wanted || !jsonapi_path_id(call, "delivery", &wanted->delivery.id))
        return false;
    const char *name = call_printf(call, "attempts of %lld", (long long)wanted->delivery.id);
    return page_read(call, name, &wanted->page) &&
           call_get(call, STORE_GET_DELIVERY, wanted->delivery.id, true, list_attempts);
}

/* ---- resend, cancel ---- */

static bool change_visible(struct call *call);

/* It changed between the read and the write: the precondition is judged again by what it is now. */
static bool look_again(struct call *call)
{
    struct wanted_deliveries *wanted = call->state;
    if (++wanted->tries == CALL_EDIT_TRIES_MAX)
        return call_fail(call, API_EDIT_CONFLICT, SOURCE_NONE, NULL,
                         "The delivery changed again and again meanwhile.");
    return call_get(call, STORE_GET_DELIVERY, wanted->delivery.id, false, change_visible);
}

static bool changed(struct call *call)
{
    const struct store_op *op = &call->write.op;
    if (op->result == STORE_FENCED)
        return look_again(call);
    if (op->result == STORE_CONFLICT && op->kind == STORE_RESEND)
        return call_fail(call, API_DELIVERY_STATE, SOURCE_NONE, NULL,
                         "The delivery was skipped, and there is still no webhook_url. Set the webhook_url "
                         "of user %lld, then resend it.",
                         (long long)op->delivery.user_id);
    if (op->result == STORE_CONFLICT)
        return call_fail(call, API_DELIVERY_STATE, SOURCE_NONE, NULL,
                         "Only a pending delivery can be cancelled.");
    if (op->result != STORE_DONE)
        return call_not_found(call, "delivery");
    return show_delivery(call, op->delivery.delivery_id);
}

/* A resend and a cancel are judged by the state of their delivery. */
static bool change_judged(struct call *call)
{
    struct wanted_deliveries *wanted = call->state;
    keep_attempts(call);
    call->write.op.delivery.if_as = &wanted->delivery;
    return call_allows(call, "delivery", etag_of(call, wanted)) && call_write(call, changed);
}

static bool change_visible(struct call *call)
{
    const struct delivery *delivery = visible_delivery(call);
    if (!delivery)
        return false;
    call->write.op.delivery.delivery_id = delivery->id;
    call->write.op.delivery.user_id = delivery->user_id;
    return precondition_is_given(call->request) ? query_attempts(call, delivery, change_judged)
                                                : call_write(call, changed);
}

static bool change(struct call *call, enum store_op_kind kind)
{
    int64_t id;
    if (!read_wanted(call, includes) || !jsonapi_path_id(call, "delivery", &id))
        return false;
    call->write.op = (struct store_op){.kind = kind};
    return call_get(call, STORE_GET_DELIVERY, id, false, change_visible);
}

bool deliveries_resend(struct call *call)
{
    return change(call, STORE_RESEND);
}

bool deliveries_cancel(struct call *call)
{
    return change(call, STORE_CANCEL);
}
