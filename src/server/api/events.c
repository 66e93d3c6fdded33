/* GET /api/events and /api/events/ID. */
#include "event_document.h"
#include "jsonapi.h"
#include "resources.h"

struct listing {
    struct page page;
    struct store_query query;
};

static bool put_list(struct call *call)
{
    struct listing *listing = call->state;
    const struct store_answer *answer = &call->read.answer;
    struct text out;
    int64_t last_id = 0;
    int i = 0;
    jsonapi_begin(&out, &call->scratch);
    text_puts(&out, ",\"data\":[");
    for (; i < answer->count; i++) {
        const struct event *event = &answer->events[i];
        if (out.len > CALL_ANSWER_LEN_MAX / 2)
            break; /* a short page: the next one goes on here */
        text_puts(&out, i ? "," : "");
        event_document_put(&out, event);
        last_id = event->id;
    }
    text_putc(&out, ']');
    jsonapi_put_page(&out, call, "/api/events", &listing->page, last_id, answer->more || i < answer->count);
    return jsonapi_answer(call, 200, &out);
}

static bool read_undelivered(struct call *call, struct store_query *query)
{
    struct bytes value = call->query.values[QUERY_UNDELIVERED];
    query->undelivered = bytes_equal_text(value, "true");
    return !query_has(&call->query, QUERY_UNDELIVERED) || query->undelivered ||
           bytes_equal_text(value, "false") ||
           call_fail(call, API_PARAMETER_INVALID, SOURCE_PARAMETER, "filter[undelivered]",
                     "filter[undelivered] is true or false.");
}

/* A filter that is given but empty matches nothing; the store takes an empty one for "any". */
static bool read_text_filters(struct call *call, struct store_query *query)
{
    const struct {
        enum query_parameter parameter;
        struct bytes *filter;
    } filters[] = {{QUERY_EVENT_TYPE, &query->event_type},
                   {QUERY_RESOURCE_TYPE, &query->resource_type},
                   {QUERY_RESOURCE_ID, &query->resource_id}};
    for (int i = 0; i < 3; i++) {
        if (!query_has(&call->query, filters[i].parameter))
            continue;
        *filters[i].filter = call->query.values[filters[i].parameter];
        if (filters[i].filter->len == 0)
            return call_fail(call, API_PARAMETER_INVALID, SOURCE_PARAMETER, query_name(filters[i].parameter),
                             "The filter is empty.");
    }
    return true;
}

bool events_list(struct call *call)
{
    struct listing *listing = arena_zero(&call->request->arena, sizeof *listing);
    if (!listing)
        return call_too_large(call);
    call->state = listing;
    struct store_query *query = &listing->query;
    query->kind = STORE_LIST_EVENTS;
    query->with_document = true;
    if (!jsonapi_read_page(call, "events", &listing->page) || !jsonapi_read_owner(call, &query->owner_id))
        return false;
    if (!read_undelivered(call, query) || !read_text_filters(call, query))
        return false;
    query->descending = listing->page.descending;
    query->after_id = listing->page.after_id;
    query->limit = listing->page.size;
    return call_query(call, query, false, put_list);
}

static bool put_one(struct call *call)
{
    const struct store_answer *answer = &call->read.answer;
    if (answer->count == 0 || !keyring_may_see(call->api->keyring, &call->caller, answer->events[0].owner_id))
        return call_not_found(call, "event");
    const struct event *event = &answer->events[0];
    bool with_included = query_has(&call->query, QUERY_INCLUDE) && call->query.values[QUERY_INCLUDE].len;
    struct text out;
    jsonapi_begin(&out, &call->scratch);
    jsonapi_put_self(&out, "/api/events/", event->id);
    text_puts(&out, ",\"data\":");
    event_document_put(&out, event);
    if (with_included) {
        text_puts(&out, ",\"included\":[");
        event_document_put_included(&out, event);
        text_putc(&out, ']');
    }
    jsonapi_end(&out, call, (struct bytes){0});
    return jsonapi_answer(call, 200, &out);
}

bool events_show(struct call *call)
{
    int64_t id;
    struct bytes include = call->query.values[QUERY_INCLUDE];
    if (include.len && !bytes_equal_text(include, "resource"))
        return call_fail(call, API_PARAMETER_INVALID, SOURCE_PARAMETER, "include",
                         "An event can include its resource, nothing else.");
    return jsonapi_path_id(call, "event", &id) &&
           call_query(
               call,
               &(struct store_query){.kind = STORE_GET_EVENT, .id = id, .with_document = true, .limit = 1},
               false, put_one);
}
