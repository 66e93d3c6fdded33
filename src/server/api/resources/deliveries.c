/* /api/deliveries, its attempts, and /api/events/ID/deliveries: what became of an event, attempt by attempt.
 */
#include "event_document.h"
#include "jsonapi.h"
#include "page.h"
#include "resources.h"

enum { ATTEMPTS_MAX = 100 /* that a delivery is shown with: the last ones */ };

static const char hex_digits[] = "0123456789abcdef";

/* What a receiver answered is a stranger's bytes: as text where it is text, else in hex. */
static void put_response(struct text *out, struct bytes response)
{
    if (bytes_are_utf8(response)) {
        text_puts(out, ",\"response\":");
        text_put_json(out, response);
        return;
    }
    text_puts(out, ",\"response_hex\":\"");
    for (size_t i = 0; i < response.len; i++) {
        unsigned char c = (unsigned char)response.data[i];
        text_putc(out, hex_digits[c >> 4]);
        text_putc(out, hex_digits[c & 15]);
    }
    text_putc(out, '"');
}

static void put_attempt(struct text *out, const struct attempt *attempt)
{
    text_printf(out, "{\"attempt\":%d,\"lease\":%lld,", attempt->attempt, (long long)attempt->lease);
    jsonapi_put_instant(out, "started_at", attempt->started_at_ms);
    text_printf(out, ",\"duration_ms\":%d,\"status\":", attempt->duration_ms);
    if (attempt->status)
        text_printf(out, "%d", attempt->status);
    else
        text_puts(out, "null");
    text_printf(out, ",\"reason\":\"%s\",\"detail\":", failure_name(attempt->failure));
    text_put_json(out, attempt->detail.len ? attempt->detail : bytes_of(failure_sentence(attempt->failure)));
    text_printf(out, ",\"counted\":%s,\"body_incomplete\":%s,\"reused_connection\":%s,\"mixed_answer\":%s,",
                jsonapi_flag(attempt->counted), jsonapi_flag(attempt->body_incomplete),
                jsonapi_flag(attempt->reused_connection), jsonapi_flag(attempt->mixed_answer));
    text_printf(out, "\"request_unread\":%s,", jsonapi_flag(attempt->request_unread));
    jsonapi_put_text(out, "address", attempt->address);
    put_response(out, attempt->response);
    text_putc(out, '}');
}

/* How the attempts are shown: they are an attribute, or, if they are to be included, a relationship; a
 * resource has but one of a name. */
enum attempts_shown { ATTEMPTS_NOT, ATTEMPTS_ATTRIBUTE, ATTEMPTS_RELATED };

static void put_attempt_id(struct text *out, const struct attempt *attempt)
{
    text_printf(out, "\"type\":\"attempts\",\"id\":\"%lld-%lld\"", (long long)attempt->delivery_id,
                (long long)attempt->lease);
}

static void put_attempt_resource(struct text *out, const struct attempt *attempt)
{
    text_putc(out, '{');
    put_attempt_id(out, attempt);
    text_puts(out, ",\"attributes\":");
    put_attempt(out, attempt);
    text_putc(out, '}');
}

static void put_attempts_related(struct text *out, const struct store_answer *attempts)
{
    text_puts(out, ",\"attempts\":{\"data\":[");
    for (int i = 0; i < attempts->count; i++) {
        text_puts(out, i ? ",{" : "{");
        put_attempt_id(out, &attempts->attempts[i]);
        text_putc(out, '}');
    }
    text_puts(out, "]}");
}

static void put_delivery(struct text *out, const struct delivery *delivery,
                         const struct store_answer *attempts, enum attempts_shown shown)
{
    text_printf(out, "{\"type\":\"deliveries\",\"id\":\"%lld\",\"attributes\":{\"state\":\"%s\",",
                (long long)delivery->id, delivery_state_name(delivery->state));
    text_printf(out, "\"resending\":%s,\"in_flight\":%s,\"attempt_count\":%d,\"next_attempt_in_ms\":",
                jsonapi_flag(delivery->resending), jsonapi_flag(delivery->leased), delivery->attempt);
    if (delivery->next_in_ms >= 0)
        text_printf(out, "%lld,", (long long)delivery->next_in_ms);
    else
        text_puts(out, "null,");
    jsonapi_put_text(out, "last_reason", delivery->last_reason);
    text_puts(out, ",\"last_status\":");
    if (delivery->last_status)
        text_printf(out, "%d,", delivery->last_status);
    else
        text_puts(out, "null,");
    jsonapi_put_instant(out, "created_at", delivery->created_at_ms);
    text_putc(out, ',');
    jsonapi_put_instant(out, "first_attempt_at", delivery->first_attempt_at_ms);
    text_putc(out, ',');
    jsonapi_put_instant(out, "finished_at", delivery->finished_at_ms);
    if (shown == ATTEMPTS_ATTRIBUTE) {
        text_puts(out, ",\"attempts\":[");
        for (int i = 0; i < attempts->count; i++) {
            text_puts(out, i ? "," : "");
            put_attempt(out, &attempts->attempts[i]);
        }
        text_printf(out, "],\"earlier_attempts\":%s", jsonapi_flag(attempts->more));
    }
    text_printf(out,
                "},\"relationships\":{\"event\":{\"data\":{\"type\":\"events\",\"id\":\"%lld\"}},"
                "\"user\":{\"data\":{\"type\":\"users\",\"id\":\"%lld\"}}",
                (long long)delivery->event_id, (long long)delivery->user_id);
    if (shown == ATTEMPTS_RELATED)
        put_attempts_related(out, attempts);
    text_printf(out, "},\"links\":{\"self\":\"/api/deliveries/%lld\",\"related\":", (long long)delivery->id);
    text_printf(out, "\"/api/deliveries/%lld/attempts\"}}", (long long)delivery->id);
}

/* ---- what goes with them ---- */

enum { INCLUDE_EVENT = 1, INCLUDE_EVENT_RESOURCE = 2, INCLUDE_ATTEMPTS = 4 };
static const char *const list_includes[] = {"event", "event.resource", NULL};
static const char *const includes[] = {"event", "event.resource", "attempts", NULL};

struct wanted {
    struct page page;
    unsigned include;
    int64_t event_id;
    struct event event; /* id 0: not read */
    struct delivery delivery;
    struct store_answer attempts;
};

static struct wanted *read_wanted(struct call *call, const char *const *names)
{
    struct wanted *wanted = arena_zero(&call->request->arena, sizeof *wanted);
    call->state = wanted;
    if (!wanted)
        call_too_large(call);
    return wanted && jsonapi_read_include(call, names, &wanted->include) ? wanted : NULL;
}

/* A path through the event includes the event, too (JSON:API section 7.3). */
static bool wants_event(const struct wanted *wanted)
{
    return (wanted->include & (INCLUDE_EVENT | INCLUDE_EVENT_RESOURCE)) != 0;
}

static void put_included(struct text *out, struct call *call, const struct wanted *wanted)
{
    const char *separator = "";
    if (!wanted->include)
        return;
    text_puts(out, ",\"included\":[");
    size_t begin = out->len;
    if (wants_event(wanted) && wanted->event.id) {
        event_document_put(out, &wanted->event);
        separator = ",";
        if (wanted->include & INCLUDE_EVENT_RESOURCE && event_document_has_included(&wanted->event)) {
            text_putc(out, ',');
            event_document_put_included(out, &wanted->event);
        }
    }
    for (int i = 0; wanted->include & INCLUDE_ATTEMPTS && i < wanted->attempts.count; i++) {
        text_puts(out, separator);
        put_attempt_resource(out, &wanted->attempts.attempts[i]);
        separator = ",";
    }
    jsonapi_trim(call, out, begin, true);
    text_putc(out, ']');
}

/* ---- an event's deliveries ---- */

static bool show_list(struct call *call)
{
    const struct wanted *wanted = call->state;
    const struct store_answer *answer = &call->read.answer;
    struct page_rows rows = {.more = answer->more};
    struct text out;
    jsonapi_begin(&out, &call->scratch);
    text_puts(&out, ",\"data\":[");
    for (int i = 0; i < answer->count; i++) {
        const struct delivery *delivery = &answer->deliveries[page_row(&wanted->page, answer, i)];
        text_puts(&out, i ? "," : "");
        size_t begin = out.len;
        put_delivery(&out, delivery, NULL, ATTEMPTS_NOT);
        jsonapi_trim(call, &out, begin, false);
        page_saw(call, &rows, delivery->id);
    }
    text_putc(&out, ']');
    put_included(&out, call, wanted);
    const char *path = call_printf(call, "/api/events/%lld/deliveries", (long long)wanted->event_id);
    page_put_end(&out, call, path, &wanted->page, &rows);
    return jsonapi_answer(call, 200, &out);
}

static bool list_event_deliveries(struct call *call)
{
    struct wanted *wanted = call->state;
    const struct store_answer *answer = &call->read.answer;
    if (answer->count == 0 || !keyring_may_see(call->api->keyring, &call->caller, answer->events[0].owner_id))
        return call_not_found(call, "event");
    struct store_query query = {.kind = STORE_LIST_DELIVERIES, .id = wanted->event_id};
    page_query(&wanted->page, &query);
    if (wants_event(wanted))
        wanted->event = answer->events[0];
    return call_query(call, &query, wants_event(wanted), show_list);
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
    struct wanted *wanted = read_wanted(call, list_includes);
    if (!wanted || !jsonapi_path_id(call, "event", &wanted->event_id))
        return false;
    const char *name = call_printf(call, "deliveries of %lld", (long long)wanted->event_id);
    return page_read(call, name, &wanted->page) &&
           query_event(call, wanted->event_id, wants_event(wanted), list_event_deliveries);
}

/* ---- one delivery ---- */

static bool show_one(struct call *call)
{
    const struct wanted *wanted = call->state;
    bool related = wanted->include & INCLUDE_ATTEMPTS;
    struct text out;
    jsonapi_begin(&out, &call->scratch);
    jsonapi_put_self(&out, "/api/deliveries/", wanted->delivery.id);
    text_puts(&out, ",\"data\":");
    size_t begin = out.len;
    put_delivery(&out, &wanted->delivery, &wanted->attempts, related ? ATTEMPTS_RELATED : ATTEMPTS_ATTRIBUTE);
    jsonapi_trim(call, &out, begin, false);
    put_included(&out, call, wanted);
    jsonapi_end(&out, call, (struct bytes){0});
    return jsonapi_answer(call, 200, &out);
}

static bool take_event(struct call *call)
{
    struct wanted *wanted = call->state;
    if (call->read.answer.count)
        wanted->event = call->read.answer.events[0];
    return show_one(call);
}

static bool take_attempts(struct call *call)
{
    struct wanted *wanted = call->state;
    struct store_answer *last = &wanted->attempts;
    *last = call->read.answer;
    for (int i = 0; i < last->count / 2; i++) { /* they were read backwards */
        struct attempt earlier = last->attempts[last->count - 1 - i];
        last->attempts[last->count - 1 - i] = last->attempts[i];
        last->attempts[i] = earlier;
    }
    return wants_event(wanted) ? query_event(call, wanted->delivery.event_id, true, take_event)
                               : show_one(call);
}

/* The delivery that was read, when the caller may see whose it is; else 404. */
static const struct delivery *visible_delivery(struct call *call)
{
    const struct store_answer *answer = &call->read.answer;
    if (answer->count > 0 &&
        keyring_may_see(call->api->keyring, &call->caller, answer->deliveries[0].user_id))
        return &answer->deliveries[0];
    call_not_found(call, "delivery");
    return NULL;
}

static bool read_attempts(struct call *call)
{
    struct wanted *wanted = call->state;
    const struct delivery *delivery = visible_delivery(call);
    if (!delivery)
        return false;
    wanted->delivery = *delivery;
    struct store_query last = {
        .kind = STORE_LIST_ATTEMPTS, .id = delivery->id, .descending = true, .limit = ATTEMPTS_MAX};
    return call_query(call, &last, true, take_attempts);
}

static bool show_delivery(struct call *call, int64_t id)
{
    return call_query(call, &(struct store_query){.kind = STORE_GET_DELIVERY, .id = id, .limit = 1}, false,
                      read_attempts);
}

bool deliveries_show(struct call *call)
{
    int64_t id;
    return read_wanted(call, includes) && jsonapi_path_id(call, "delivery", &id) && show_delivery(call, id);
}

/* ---- all of its attempts ---- */

static bool show_attempts(struct call *call)
{
    const struct wanted *wanted = call->state;
    const struct store_answer *answer = &call->read.answer;
    struct page_rows rows = page_rows_of(call, answer);
    struct text out;
    jsonapi_begin(&out, &call->scratch);
    text_puts(&out, ",\"data\":[");
    for (int i = 0; i < answer->count; i++) {
        const struct attempt *attempt = &answer->attempts[page_row(&wanted->page, answer, i)];
        text_puts(&out, i ? "," : "");
        size_t begin = out.len;
        put_attempt_resource(&out, attempt);
        jsonapi_trim(call, &out, begin, false);
        page_saw(call, &rows, attempt->lease);
    }
    text_putc(&out, ']');
    const char *path = call_printf(call, "/api/deliveries/%lld/attempts", (long long)wanted->delivery.id);
    page_put_end(&out, call, path, &wanted->page, &rows);
    return jsonapi_answer(call, 200, &out);
}

static bool list_attempts(struct call *call)
{
    struct wanted *wanted = call->state;
    const struct delivery *delivery = visible_delivery(call);
    if (!delivery)
        return false;
    struct store_query query = {.kind = STORE_LIST_ATTEMPTS, .id = delivery->id};
    page_query(&wanted->page, &query);
    return call_query(call, &query, false, show_attempts);
}

bool delivery_attempts_list(struct call *call)
{
    struct wanted *wanted = arena_zero(&call->request->arena, sizeof *wanted);
    if (!wanted)
        return call_too_large(call);
    call->state = wanted;
    if (!jsonapi_path_id(call, "delivery", &wanted->delivery.id))
        return false;
    const char *name = call_printf(call, "attempts of %lld", (long long)wanted->delivery.id);
    return page_read(call, name, &wanted->page) &&
           call_query(
               call, &(struct store_query){.kind = STORE_GET_DELIVERY, .id = wanted->delivery.id, .limit = 1},
               true, list_attempts);
}

/* ---- resend, cancel ---- */

static bool changed(struct call *call)
{
    const struct store_op *op = &call->write.op;
    if (op->result == STORE_CONFLICT && op->kind == STORE_RESEND)
        return call_fail(call, API_DELIVERY_STATE, SOURCE_NONE, NULL,
                         "The delivery was skipped, and there is still no webhook_url: set that of user %lld "
                         "first, then send it.",
                         (long long)op->delivery.user_id);
    if (op->result == STORE_CONFLICT)
        return call_fail(call, API_DELIVERY_STATE, SOURCE_NONE, NULL,
                         "Only a delivery that is to be sent can be cancelled.");
    if (op->result != STORE_DONE)
        return call_not_found(call, "delivery");
    return show_delivery(call, op->delivery.delivery_id);
}

static bool change_visible(struct call *call)
{
    const struct delivery *delivery = visible_delivery(call);
    if (!delivery)
        return false;
    call->write.op.delivery.delivery_id = delivery->id;
    call->write.op.delivery.user_id = delivery->user_id;
    return call_write(call, changed);
}

static bool change(struct call *call, enum store_op_kind kind)
{
    int64_t id;
    if (!read_wanted(call, includes) || !jsonapi_path_id(call, "delivery", &id))
        return false;
    call->write.op = (struct store_op){.kind = kind};
    return call_query(call, &(struct store_query){.kind = STORE_GET_DELIVERY, .id = id, .limit = 1}, false,
                      change_visible);
}

bool deliveries_resend(struct call *call)
{
    return change(call, STORE_RESEND);
}

bool deliveries_cancel(struct call *call)
{
    return change(call, STORE_CANCEL);
}
