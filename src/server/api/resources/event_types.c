/* /api/event_types, /openapi.json and /docs: what there is to receive, and how to ask. Needs no key. */
#include "catalogue.h"
#include "page.h"
#include "reference.h"
#include "resources.h"

static void put_example(struct text *out, const struct call *call, const void *row)
{
    text_put(out, ((const struct reference_type *)row)->example);
}

#define ROW(name, kind, flags, member) FIELD(name, kind, flags, struct reference_type, member)
static const struct field fields[] = {
    {ROW("section", FIELD_TEXT, 0, section)},
    {ROW("resource", FIELD_TEXT, 0, resource)},
    {ROW("status", FIELD_TEXT, 0, status), .choices = catalogue_status_names},
    {ROW("state", FIELD_TEXT, FIELD_NULLABLE, state)},
    {ROW("final", FIELD_FLAG, 0, final)},
    {ROW("en", FIELD_TEXT, 0, en)},
    {ROW("es", FIELD_TEXT, FIELD_NULLABLE, es)},
    {ROW("note", FIELD_TEXT, FIELD_NULLABLE, note)},
    {ROW("example", FIELD_JSON, 0, example), .schema = "Push", .put = put_example}};
const struct shape event_types_shape = {SHAPE("event_types", struct reference_type, fields),
                                        .self = "/api/event_types/:id", .put_id = shape_put_text_id};

/* Of what changes with the program and its settings alone, at a restart. */
static const char reference_caching[] = "public, max-age=300";

static bool is_listed(const struct query *query, const struct reference_type *type)
{
    return (!query_has(query, QUERY_SECTION) || bytes_equal(type->section, query->values[QUERY_SECTION])) &&
           (!query_has(query, QUERY_STATUS) || bytes_equal(type->status, query->values[QUERY_STATUS]));
}

static bool answer_reference(struct call *call, struct text *out)
{
    call->etag = call_etag_of(call, text_bytes(out));
    call_header(call, "Cache-Control", bytes_of(reference_caching));
    return jsonapi_answer(call, 200, out);
}

bool event_types_list(struct call *call)
{
    int count;
    const struct reference_type *types = reference_types(call->api->reference, &count);
    enum catalogue_status status;
    struct page page = {0};
    const char *separator = "";
    struct text out;

    if (query_has(&call->query, QUERY_STATUS) &&
        !catalogue_status_parse(call->query.values[QUERY_STATUS], &status))
        return call_fail(call, API_PARAMETER_INVALID, SOURCE_PARAMETER, "filter[status]",
                         "filter[status] must be documented, stated, inferred or posthorn.");
    jsonapi_begin(&out, &call->scratch);
    text_puts(&out, ",\"data\":[");
    for (int i = 0; i < count; i++) {
        if (!is_listed(&call->query, &types[i]))
            continue;
        text_puts(&out, separator);
        shape_put(&out, call, &event_types_shape, &types[i]);
        separator = ",";
    }
    text_putc(&out, ']');
    page_put_end(&out, call, "/api/event_types", &page, &(struct page_rows){0}); /* all of them, always */
    return answer_reference(call, &out);
}

bool event_types_show(struct call *call)
{
    int count;
    const struct reference_type *types = reference_types(call->api->reference, &count);
    struct text out;

    for (int i = 0; i < count; i++)
        if (bytes_equal(types[i].name, call->id_text)) {
            shape_begin_document(&out, call, &event_types_shape, &types[i]);
            jsonapi_end(&out, call, (struct bytes){0});
            return answer_reference(call, &out);
        }
    return call_not_found(call,
                          "event type in the catalogue (events of this type are accepted all the same)");
}

/* Compressed, if the client accepts it; an ETag names one of the two forms. */
static bool answer_public(struct call *call, const char *type, const struct reference_page *page)
{
    struct bytes coding = listener_header(call->request, "Accept-Encoding", NULL);
    bool gzip = negotiation_accepts_gzip(coding);
    struct bytes body = gzip ? page->gzip : page->text;
    call->etag = call_etag_of(call, body);
    call_header(call, "Cache-Control", bytes_of(reference_caching));
    call_header(call, "Vary", bytes_of("Accept-Encoding"));
    if (gzip)
        call_header(call, "Content-Encoding", bytes_of("gzip"));
    return call_answer_page(call, type, body);
}

bool openapi_show(struct call *call)
{
    return answer_public(call, "application/json", reference_openapi(call->api->reference));
}

bool docs_show(struct call *call)
{
    call_header(call, "Content-Security-Policy", bytes_of("default-src 'none'; style-src 'unsafe-inline'"));
    call_header(call, "X-Content-Type-Options", bytes_of("nosniff"));
    return answer_public(call, "text/html; charset=utf-8", reference_docs(call->api->reference));
}
