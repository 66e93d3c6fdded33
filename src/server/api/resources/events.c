/* GET /api/events and /api/events/ID. */
#include "digest.h"
#include "endpoint_fields.h"
#include "event_document.h"
#include "idmap.h"
#include "page.h"
#include "resources.h"

enum { INCLUDE_RESOURCE = 1, ROUTING_META_LEN_MAX = 16 << 10 };
static const char *const event_includes[] = {"resource", NULL};

struct listing {
    struct page page;
    struct store_query query;
    unsigned include;
};

/* Was this one seen before? A digest finds it, so that nobody can choose names that take long. */
static bool saw(struct call *call, struct idmap *seen, struct bytes type, struct bytes id)
{
    unsigned char digest[DIGEST_LEN];
    int64_t place;
    const char *name = arena_printf(&call->scratch, "%.*s %.*s", BYTES_ARG(type), BYTES_ARG(id));
    if (!name)
        return true;
    digest_sha256(bytes_of(name), digest);
    memcpy(&place, digest, sizeof place);
    place = (place & INT64_MAX) | 1;
    const char *known = idmap_get(seen, place);
    if (known)
        return strcmp(known, name) == 0;
    idmap_put(seen, place, (void *)name);
    return false;
}

/* The snapshots of one event, but for those that were `seen` in another. */
static void put_unseen(struct text *out, struct call *call, const struct event *event, struct idmap *seen)
{
    struct arena tree;
    arena_init(&tree, CALL_SCRATCH_LEN_MAX);
    const struct json_value *included = event_document_read_included(event, &tree);
    for (const struct json_value *one = included ? included->first : NULL; one; one = one->next) {
        struct bytes type = {0}, id = {0};
        bool is_first = seen->count == 0;
        json_member_text(one, "type", &type);
        json_member_text(one, "id", &id);
        if (saw(call, seen, type, id))
            continue;
        text_puts(out, is_first ? "" : ",");
        fieldset_put(out, call, one);
        text_putc(out, '}');
    }
    arena_fini(&tree);
}

/* A document has each resource once (JSON:API section 7.4), so it is the latest snapshot on the page. */
static void put_included(struct text *out, struct call *call, int shown)
{
    const struct page *page = &((struct listing *)call->state)->page;
    const struct store_answer *answer = &call->read.answer;
    struct idmap seen = {0};
    text_puts(out, ",\"included\":[");
    for (int i = 0; i < shown; i++) {
        int latest_first = page->descending ? i : shown - 1 - i;
        put_unseen(out, call, &answer->events[page_row(page, answer, latest_first)], &seen);
    }
    text_putc(out, ']');
    idmap_fini(&seen);
}

static bool put_list(struct call *call)
{
    struct listing *listing = call->state;
    const struct store_answer *answer = &call->read.answer;
    struct page_rows rows = page_rows_of(call, answer);
    struct text out;
    int i = 0;
    jsonapi_begin(&out, &call->scratch);
    text_puts(&out, ",\"data\":[");
    for (; i < answer->count && !rows.cut; i++) {
        const struct event *event = &answer->events[page_row(&listing->page, answer, i)];
        text_puts(&out, i ? "," : "");
        event_document_put(&out, call, event);
        page_saw(call, &rows, event->id);
        /* A short page: the next one goes on here. */
        rows.cut = out.len > CALL_ANSWER_LEN_MAX / 2 && i + 1 < answer->count;
    }
    text_putc(&out, ']');
    if (listing->include)
        put_included(&out, call, i);
    page_put_end(&out, call, "/api/events", &listing->page, &rows);
    return jsonapi_answer(call, 200, &out);
}

static bool read_undelivered(struct call *call, struct store_query *query)
{
    struct bytes value = call->query.values[QUERY_UNDELIVERED];
    query->undelivered = bytes_equal_text(value, "true");
    return !query_has(&call->query, QUERY_UNDELIVERED) || query->undelivered ||
           bytes_equal_text(value, "false") ||
           call_fail(call, API_PARAMETER_INVALID, SOURCE_PARAMETER, "filter[undelivered]",
                     "filter[undelivered] must be true or false.");
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
    struct listing *listing = call_state(call, sizeof *listing);
    if (!listing)
        return false;
    struct store_query *query = &listing->query;
    query->kind = STORE_LIST_EVENTS;
    query->with_document = true;
    query->master_id = call->caller.user_id;
    if (!page_read(call, "events", &listing->page) ||
        !jsonapi_read_include(call, event_includes, &listing->include) ||
        !jsonapi_read_owner(call, &query->owner_id))
        return false;
    return read_undelivered(call, query) && read_text_filters(call, query) &&
           page_query(call, &listing->page, query, false, put_list);
}

static void put_unmatched(struct text *out, const struct call *call, struct bytes unmatched)
{
    struct routing_unmatched one;
    text_puts(out, "\"unmatched\":[");
    for (const char *comma = ""; routing_next_unmatched(&unmatched, &one);) {
        if (one.is_masters && call->caller.role != USER_MASTER)
            continue;
        text_printf(out, "%s{\"endpoint\":\"%lld\",\"reason\":\"%s\"}", comma, (long long)one.endpoint_id,
                    routing_verdict_names[one.verdict - ROUTING_TYPE]);
        comma = ",";
    }
    text_putc(out, ']');
}

/* Members of meta: the event's channels, and which endpoints did not want it, where there are any. */
static struct bytes routing_meta(struct call *call, const struct event *event)
{
    struct text out;
    text_init(&out, &call->scratch, ROUTING_META_LEN_MAX);
    if (event->channels.len) {
        text_puts(&out, "\"channels\":");
        words_put(&out, event->channels);
    }
    if (event->unmatched.len) {
        text_puts(&out, out.len ? "," : "");
        put_unmatched(&out, call, event->unmatched);
    }
    return out.overflow ? (struct bytes){0} : text_bytes(&out);
}

static bool put_one(struct call *call)
{
    const struct listing *wanted = call->state;
    const struct event *event = event_document_read(call);
    struct text out;
    if (!event)
        return false;
    call->etag = call_printf(call, "\"%lld-%lld\"", (long long)event->id, (long long)event->sent_at_ms);
    jsonapi_begin(&out, &call->scratch);
    jsonapi_put_self(&out, call, "/api/events/", event->id);
    text_puts(&out, ",\"data\":");
    event_document_put(&out, call, event);
    if (wanted->include & INCLUDE_RESOURCE) {
        text_puts(&out, ",\"included\":[");
        event_document_put_included(&out, call, event, "");
        text_putc(&out, ']');
    }
    jsonapi_end(&out, call, routing_meta(call, event));
    return jsonapi_answer(call, 200, &out);
}

bool events_show(struct call *call)
{
    int64_t id;
    struct listing *wanted = call_state(call, sizeof *wanted);
    return wanted && jsonapi_read_include(call, event_includes, &wanted->include) &&
           jsonapi_path_id(call, "event", &id) && call_get(call, STORE_GET_EVENT, id, false, put_one);
}
