/* /api/deliveries and /api/events/ID/deliveries: what became of an event, attempt by attempt. */
#include "jsonapi.h"
#include "resources.h"

enum { ATTEMPTS_MAX = 100 };

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
    text_put_json(out, bytes_of(failure_sentence(attempt->failure)));
    text_printf(out, ",\"counted\":%s,\"body_incomplete\":%s,\"reused_connection\":%s,\"mixed_answer\":%s,",
                jsonapi_flag(attempt->counted), jsonapi_flag(attempt->body_incomplete),
                jsonapi_flag(attempt->reused_connection), jsonapi_flag(attempt->mixed_answer));
    jsonapi_put_text(out, "address", attempt->address);
    put_response(out, attempt->response);
    text_putc(out, '}');
}

/* `attempts` NULL: not asked for. */
static void put_delivery(struct text *out, const struct delivery *delivery,
                         const struct store_answer *attempts)
{
    text_printf(out, "{\"type\":\"deliveries\",\"id\":\"%lld\",\"attributes\":{\"state\":\"%s\",",
                (long long)delivery->id, delivery_state_name(delivery->state));
    text_printf(out, "\"in_flight\":%s,\"attempt_count\":%d,\"next_attempt_in_ms\":",
                jsonapi_flag(delivery->leased), delivery->attempt);
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
    if (attempts) {
        text_puts(out, ",\"attempts\":[");
        for (int i = 0; i < attempts->count; i++) {
            text_puts(out, i ? "," : "");
            put_attempt(out, &attempts->attempts[i]);
        }
        text_putc(out, ']');
    }
    text_printf(out,
                "},\"relationships\":{\"event\":{\"data\":{\"type\":\"events\",\"id\":\"%lld\"}},"
                "\"user\":{\"data\":{\"type\":\"users\",\"id\":\"%lld\"}}},"
                "\"links\":{\"self\":\"/api/deliveries/%lld\"}}",
                (long long)delivery->event_id, (long long)delivery->user_id, (long long)delivery->id);
}

/* ---- an event's deliveries ---- */

struct event_deliveries {
    struct page page;
    int64_t event_id;
};

static bool show_list(struct call *call)
{
    struct event_deliveries *list = call->state;
    const struct store_answer *answer = &call->read.answer;
    int64_t last_id = 0;
    struct text out;
    jsonapi_begin(&out, &call->scratch);
    text_puts(&out, ",\"data\":[");
    for (int i = 0; i < answer->count; i++) {
        text_puts(&out, i ? "," : "");
        put_delivery(&out, &answer->deliveries[i], NULL);
        last_id = answer->deliveries[i].id;
    }
    text_putc(&out, ']');
    const char *path = call_printf(call, "/api/events/%lld/deliveries", (long long)list->event_id);
    jsonapi_put_page(&out, call, path, &list->page, last_id, answer->more);
    return jsonapi_answer(call, 200, &out);
}

static bool list_event_deliveries(struct call *call)
{
    struct event_deliveries *list = call->state;
    const struct store_answer *answer = &call->read.answer;
    if (answer->count == 0 || !keyring_may_see(call->api->keyring, &call->caller, answer->events[0].owner_id))
        return call_not_found(call, "event");
    return call_query(call,
                      &(struct store_query){.kind = STORE_LIST_DELIVERIES,
                                            .id = list->event_id,
                                            .descending = list->page.descending,
                                            .after_id = list->page.after_id,
                                            .limit = list->page.size},
                      false, show_list);
}

bool event_deliveries_list(struct call *call)
{
    struct event_deliveries *list = arena_zero(&call->request->arena, sizeof *list);
    if (!list)
        return call_too_large(call);
    call->state = list;
    if (!jsonapi_path_id(call, "event", &list->event_id))
        return false;
    const char *name = call_printf(call, "deliveries of %lld", (long long)list->event_id);
    return jsonapi_read_page(call, name, &list->page) &&
           call_query(call, &(struct store_query){.kind = STORE_GET_EVENT, .id = list->event_id, .limit = 1},
                      false, list_event_deliveries);
}

/* ---- one delivery ---- */

static bool show_with_attempts(struct call *call)
{
    const struct delivery *delivery = call->state;
    struct text out;
    jsonapi_begin(&out, &call->scratch);
    jsonapi_put_self(&out, "/api/deliveries/", delivery->id);
    text_puts(&out, ",\"data\":");
    put_delivery(&out, delivery, &call->read.answer);
    jsonapi_end(&out, call, (struct bytes){0});
    return jsonapi_answer(call, 200, &out);
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
    const struct delivery *delivery = visible_delivery(call);
    if (!delivery)
        return false;
    call->state = (void *)delivery;
    return call_query(
        call, &(struct store_query){.kind = STORE_LIST_ATTEMPTS, .id = delivery->id, .limit = ATTEMPTS_MAX},
        true, show_with_attempts);
}

static bool show_delivery(struct call *call, int64_t id)
{
    return call_query(call, &(struct store_query){.kind = STORE_GET_DELIVERY, .id = id, .limit = 1}, false,
                      read_attempts);
}

bool deliveries_show(struct call *call)
{
    int64_t id;
    return jsonapi_path_id(call, "delivery", &id) && show_delivery(call, id);
}

/* ---- resend, cancel ---- */

static bool changed(struct call *call)
{
    const struct store_op *op = &call->write.op;
    if (op->result == STORE_CONFLICT)
        return call_fail(call, API_DELIVERY_STATE, SOURCE_NONE, NULL,
                         op->kind == STORE_RESEND ? "The delivery is still under way: it will be sent anyway."
                                                  : "Only a pending delivery can be cancelled.");
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
    if (!jsonapi_path_id(call, "delivery", &id))
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
