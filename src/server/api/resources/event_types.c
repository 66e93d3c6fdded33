/* /api/event_types, /openapi.json and /docs: what there is to receive, and how to ask. Needs no key. */
#include "catalogue.h"
#include "jsonapi.h"
#include "page.h"
#include "reference.h"
#include "resources.h"

static bool is_listed(const struct query *query, const struct reference_type *type)
{
    return (!query_has(query, QUERY_SECTION) || bytes_equal(type->section, query->values[QUERY_SECTION])) &&
           (!query_has(query, QUERY_STATUS) || bytes_equal(type->status, query->values[QUERY_STATUS]));
}

bool event_types_list(struct call *call)
{
    int count;
    const struct reference_type *types = reference_types(call->api->reference, &count);
    enum catalogue_status status;
    struct page page = {0};
    bool first = true;
    struct text out;

    if (query_has(&call->query, QUERY_STATUS) &&
        !catalogue_status_parse(call->query.values[QUERY_STATUS], &status))
        return call_fail(call, API_PARAMETER_INVALID, SOURCE_PARAMETER, "filter[status]",
                         "filter[status] is documented, stated or inferred.");
    jsonapi_begin(&out, &call->scratch);
    text_puts(&out, ",\"data\":[");
    for (int i = 0; i < count; i++) {
        const struct reference_type *type = &types[i];
        if (!is_listed(&call->query, type))
            continue;
        text_puts(&out, first ? "" : ",");
        size_t begin = out.len;
        text_put(&out, type->resource_object);
        jsonapi_trim(call, &out, begin, false);
        first = false;
    }
    text_putc(&out, ']');
    page_put_end(&out, call, "/api/event_types", &page, &(struct page_rows){0}); /* all of them, always */
    return jsonapi_answer(call, 200, &out);
}

bool event_types_show(struct call *call)
{
    int count;
    const struct reference_type *types = reference_types(call->api->reference, &count);
    struct text out;

    for (int i = 0; i < count; i++) {
        const struct reference_type *type = &types[i];
        if (!bytes_equal(type->name, call->id_text))
            continue;
        jsonapi_begin(&out, &call->scratch);
        text_printf(&out, ",\"links\":{\"self\":\"/api/event_types/%.*s\"},\"data\":", BYTES_ARG(type->name));
        size_t begin = out.len;
        text_put(&out, type->resource_object);
        jsonapi_trim(call, &out, begin, false);
        jsonapi_end(&out, call, (struct bytes){0});
        return jsonapi_answer(call, 200, &out);
    }
    return call_not_found(call, "event type in the catalogue (it may be sent all the same)");
}

bool openapi_show(struct call *call)
{
    return call_answer_page(call, "application/json", reference_openapi(call->api->reference));
}

bool docs_show(struct call *call)
{
    call_header(call, "Content-Security-Policy", bytes_of("default-src 'none'; style-src 'unsafe-inline'"));
    call_header(call, "X-Content-Type-Options", bytes_of("nosniff"));
    return call_answer_page(call, "text/html; charset=utf-8", reference_docs(call->api->reference));
}
