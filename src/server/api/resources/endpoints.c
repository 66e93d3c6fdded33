/*
 * /api/endpoints: where a user's events go, and which of them. A user's default endpoint has the user's id;
 * its url is the user's webhook_url.
 */
#include "edit.h"
#include "endpoint_fields.h"
#include "endpoint_sealed.h"
#include "format.h"
#include "idempotency_key.h"
#include "page.h"
#include "resources.h"
#include "signing.h"

/* ---- what an endpoint looks like ---- */

static const struct field fields[] = {
    {FIELD("url", FIELD_TEXT, FIELD_ALWAYS | FIELD_NULLABLE, struct endpoint, url), .len_max = URL_LEN_MAX,
     .pattern = "^[Hh][Tt][Tt][Pp][Ss]?://", .read = endpoint_read_url},
    {FIELD("description", FIELD_TEXT, FIELD_ALWAYS | FIELD_NULLABLE, struct endpoint, description),
     .len_max = MODEL_DESCRIPTION_LEN_MAX},
    {FIELD("metadata", FIELD_JSON, FIELD_ALWAYS, struct endpoint, metadata), .schema = "Metadata",
     .read = endpoint_read_metadata, .put = endpoint_put_metadata},
    {FIELD("event_types", FIELD_LIST, FIELD_ALWAYS | FIELD_NULLABLE, struct endpoint, event_types),
     .minimum = 1, .maximum = MODEL_EVENT_TYPES_MAX, .pattern = "^([A-Za-z0-9_.-]{1,128}[*]?|[*])$",
     .read = endpoint_read_event_types, .put = endpoint_put_event_types},
    {FIELD("channels", FIELD_LIST, FIELD_ALWAYS | FIELD_NULL_CLEARS, struct endpoint, channels),
     .maximum = MODEL_CHANNELS_MAX, .pattern = CHANNEL_PATTERN, .read = endpoint_read_channels,
     .put = endpoint_put_channels},
    {FIELD("filter", FIELD_JSON, FIELD_ALWAYS | FIELD_NULLABLE, struct endpoint, filter), .schema = "Filter",
     .read = endpoint_read_filter, .put = endpoint_put_filter},
    {FIELD("status", FIELD_CHOICE, FIELD_ALWAYS, struct endpoint, paused), .len_max = 16,
     .choices = endpoint_statuses, .choices_given = 2, .put = endpoint_put_status,
     .rule = "status must be \"active\", or \"paused\" to keep deliveries waiting. Only posthorn sets "
             "\"disabled\"."},
    {FIELD("paused_at", FIELD_INSTANT, FIELD_NULLABLE, struct endpoint, paused_at_ms)},
    {FIELD("disabled_reason", FIELD_TEXT, FIELD_NULLABLE, struct endpoint, disabled),
     .put = endpoint_put_disabled_reason},
    {FIELD("in_flight_max", FIELD_INTEGER, FIELD_ALWAYS | FIELD_NULLABLE, struct endpoint,
           flow.in_flight_max),
     .minimum = 1, .maximum = MODEL_IN_FLIGHT_MAX, .read = endpoint_read_number,
     .rule = ", which stands for the setting endpoint-connections."},
    {FIELD("rate", FIELD_JSON, FIELD_ALWAYS | FIELD_NULLABLE, struct endpoint, flow.rate), .schema = "Rate",
     .read = endpoint_read_rate, .put = endpoint_put_rate},
    {FIELD("ordered", FIELD_FLAG, FIELD_ALWAYS, struct endpoint, flow.ordered)},
    {FIELD("format", FIELD_CHOICE, FIELD_ALWAYS, struct endpoint, push.format), .len_max = 32,
     .choices = push_format_names,
     .rule = "format must be \"guide\", \"cloudevents\", \"cloudevents-binary\" or \"thin\"."},
    {FIELD("success", FIELD_JSON, FIELD_ALWAYS | FIELD_NULL_CLEARS, struct endpoint, push.success),
     .schema = "Success", .read = endpoint_read_success, .put = endpoint_put_success},
    {FIELD("retry", FIELD_JSON, FIELD_ALWAYS | FIELD_NULLABLE, struct endpoint, push.retry),
     .schema = "Retry", .read = endpoint_read_retry, .put = endpoint_put_retry},
    {FIELD("timeout", FIELD_INTEGER, FIELD_ALWAYS | FIELD_NULLABLE, struct endpoint, push.timeout),
     .minimum = 1, .maximum = MODEL_TIMEOUT_S_MAX, .read = endpoint_read_number,
     .rule = ", which stands for 30 seconds."},
    {FIELD("disable_on_410", FIELD_FLAG, FIELD_ALWAYS, struct endpoint, disable_on_410)},
    {FIELD("disable_after", FIELD_INTEGER, FIELD_ALWAYS | FIELD_NULLABLE, struct endpoint, disable_after),
     .minimum = 1, .maximum = MODEL_DISABLE_AFTER_MAX, .read = endpoint_read_number,
     .rule = ", which stands for never."},
    {FIELD("signatures", FIELD_LIST, FIELD_ALWAYS | FIELD_NULL_CLEARS, struct endpoint, push.signatures),
     .minimum = 1, .maximum = 8,
     .pattern = "^(webhook-auth|standard|stripe|github|shopify|slack|standard-ed25519|rfc9421)$",
     .read = endpoint_read_signatures, .put = endpoint_put_signatures},
    {FIELD_NO_MEMBER("headers", FIELD_JSON, FIELD_ALWAYS | FIELD_NULL_CLEARS),
     .offset = offsetof(struct endpoint, push.header_names), .size = 2 * sizeof(struct bytes),
     .schema = "Headers", .read = endpoint_read_headers, .put = endpoint_put_headers},
    {FIELD_NO_MEMBER("auth", FIELD_JSON, FIELD_ALWAYS | FIELD_NULLABLE),
     .offset = offsetof(struct endpoint, push.auth), .size = 2 * sizeof(struct bytes), .schema = "Auth",
     .read = endpoint_read_auth, .put = endpoint_put_auth},
    {FIELD("created_at", FIELD_INSTANT, 0, struct endpoint, created_at_ms)},
    {FIELD("updated_at", FIELD_INSTANT, 0, struct endpoint, updated_at_ms)},
    {FIELD("user", FIELD_TO_ONE, FIELD_ON_CREATE, struct endpoint, owner_id), .related = "users"}};
const struct shape endpoints_shape = {SHAPE("endpoints", struct endpoint, fields),
                                      .self = "/api/endpoints/:id"};

/* ---- showing ---- */

static bool answer_endpoint(struct call *call, int status, const struct endpoint *endpoint, struct bytes meta)
{
    if (!call->etag)
        call->etag = edit_endpoint_etag(call, endpoint);
    return shape_answer(call, status, &endpoints_shape, endpoint, meta);
}

/* The endpoint that was read; NULL after call_fail. */
static const struct endpoint *read_one(struct call *call)
{
    const struct endpoint *endpoint = edit_seen_endpoint(call);
    if (!endpoint)
        call_not_found(call, "endpoint");
    return endpoint;
}

static const char *read_etag(struct call *call)
{
    const struct endpoint *endpoint = edit_seen_endpoint(call);
    return endpoint ? edit_endpoint_etag(call, endpoint) : NULL;
}

static bool show_line(struct call *call)
{
    const struct endpoint *endpoint = read_one(call);
    const struct store_op *look = &call->write.op;
    int64_t id = look->kind == STORE_LOOK ? look->look.figures->line_first : 0;
    struct bytes meta = {0};
    if (id)
        meta = bytes_of(call_printf(call, "\"line\":{\"held_by\":\"%lld\"}", (long long)id));
    if (!endpoint)
        return false;
    const char *etag = edit_endpoint_etag(call, endpoint); /* the line goes before its last quote */
    call->etag = id ? call_printf(call, "%.*s;%lld\"", (int)strlen(etag) - 1, etag, (long long)id) : etag;
    return answer_endpoint(call, 200, endpoint, meta);
}

/* A store that writes no more takes this word from the answer, and no others. */
static void look_done(struct queue_job *job, enum store_status status)
{
    struct call *call = job->ctx;
    call_note_store(call, status);
    if (!show_line(call))
        call_answer_failure(call);
}

/* Only the writer knows the delivery that holds the line of an ordered endpoint. */
static bool show(struct call *call)
{
    const struct endpoint *endpoint = read_one(call);
    if (!endpoint || !endpoint->flow.ordered)
        return endpoint && answer_endpoint(call, 200, endpoint, (struct bytes){0});
    struct store_figures *figures = arena_zero(&call->request->arena, sizeof *figures);
    if (!figures)
        return call_too_large(call);
    figures->id = endpoint->id;
    call->write.op = (struct store_op){.kind = STORE_LOOK, .look = {figures, 1}};
    call->write.done = look_done;
    call->write.ctx = call;
    return queue_submit(call->api->config.queue, &call->write) || call_fail_busy(call);
}

bool endpoints_show(struct call *call)
{
    int64_t id;
    return jsonapi_path_id(call, "endpoint", &id) && call_get(call, STORE_GET_ENDPOINT, id, false, show);
}

static bool show_list(struct call *call)
{
    const char *path = "/api/endpoints";
    if (call->id_text.len)
        path = call_printf(call, "/api/users/%.*s/endpoints", BYTES_ARG(call->id_text));
    return page_answer(call, path, call->state, &endpoints_shape, call->read.answer.endpoints);
}

bool endpoints_list(struct call *call)
{
    struct page *page = call_state(call, sizeof *page);
    struct store_query query = {.kind = STORE_LIST_ENDPOINTS};
    bool of_user = call->id_text.len > 0; /* /api/users/ID/endpoints */
    return page && page_read(call, "endpoints", page) &&
           (of_user ? users_path_id(call, &query.owner_id) : jsonapi_read_owner(call, &query.owner_id)) &&
           page_query(call, page, &query, false, show_list);
}

/* ---- a new one ---- */

struct endpoint_edit {
    struct endpoint endpoint; /* the fields that are given */
    unsigned given;
    const char *was; /* its status */
};

static void put_location(struct call *call, int64_t id)
{
    call_header(call, "Location", bytes_of(call_printf(call, "/api/endpoints/%lld", (long long)id)));
}

/* The endpoint as it is by now. */
static bool replay(struct call *call)
{
    const struct endpoint *endpoint = edit_seen_endpoint(call);
    if (!endpoint)
        return call_not_found(call, "endpoint any more");
    idempotency_key_replayed(call, "the endpoint's signing secret");
    put_location(call, endpoint->id);
    return answer_endpoint(call, 201, endpoint, (struct bytes){0});
}

static bool created(struct call *call)
{
    const struct store_op *op = &call->write.op;
    struct endpoint endpoint = op->endpoint.endpoint;
    char secret[POSTHORN_SECRET_LEN_MAX];
    if (!idempotency_key_fits(call))
        return false;
    if (op->result == STORE_REPLAYED)
        return call_get(call, STORE_GET_ENDPOINT, op->id, false, replay);
    if (op->result == STORE_QUOTA)
        return call_fail(call, API_TOO_MANY_ENDPOINTS, SOURCE_NONE, NULL,
                         "The user has %lld endpoints, and may have no more (setting endpoints-max). Delete "
                         "one first.",
                         (long long)op->endpoint.endpoints_max);
    if (op->result != STORE_DONE)
        return call_not_found(call, "user");
    endpoint.id = op->id;
    endpoint.version = 1;
    put_location(call, op->id);
    call_header(call, "Cache-Control", bytes_of("no-store"));
    signing_default(call->api->config.vault, endpoint.id, endpoint.created_at_ms, secret);
    return answer_endpoint(call, 201, &endpoint,
                           bytes_of(call_printf(call, "\"signing_secret\":\"%s\"", secret)));
}

bool endpoints_create(struct call *call)
{
    struct request_document document;
    struct endpoint_edit *edit = call_state(call, sizeof *edit);
    int64_t owner_id = call->caller.user_id;
    if (!edit || !jsonapi_read(call, "endpoints", &document) || !jsonapi_refuse_id(call, &document) ||
        !shape_read(call, &endpoints_shape, &document, FIELD_ON_CREATE, &edit->endpoint, &edit->given) ||
        !jsonapi_read_user(call, &document, &owner_id) || !idempotency_key_take(call, "/api/endpoints"))
        return false;
    edit->endpoint.owner_id = owner_id;
    edit->endpoint.created_at_ms = edit->endpoint.updated_at_ms = clock_wall_ms(&call->api->config.clock);
    endpoint_set_paused_at(call, &edit->endpoint, false);
    if (!endpoint_seal(call, true, true, NULL, &edit->endpoint))
        return false;
    call->write.op =
        (struct store_op){.kind = STORE_ENDPOINT_CREATE,
                          .request = call->repeat,
                          .endpoint = {.endpoint = edit->endpoint,
                                       .if_version = -1,
                                       .endpoints_max = call->api->config.config->endpoints_max}};
    return call_write(call, created);
}

/* ---- changing ---- */

static bool change(struct call *call, struct endpoint *endpoint)
{
    struct endpoint_edit *edit = call->state;
    const struct endpoint was = *endpoint;
    edit->was = endpoint_status(endpoint);
    shape_apply(&endpoints_shape, edit->given, &edit->endpoint, endpoint);
    if (shape_gave(&endpoints_shape, edit->given, "status"))
        endpoint->disabled = ENDPOINT_ENABLED;
    endpoint_set_paused_at(call, endpoint, was.paused);
    return endpoint_seal(call, shape_gave(&endpoints_shape, edit->given, "headers"),
                         shape_gave(&endpoints_shape, edit->given, "auth"), &was, endpoint);
}

static bool changed(struct call *call)
{
    const struct endpoint_edit *edit = call->state;
    const struct endpoint *endpoint = &call->write.op.endpoint.endpoint;
    endpoint_log_status(call, endpoint, edit->was);
    return answer_endpoint(call, 200, endpoint, (struct bytes){0});
}

bool endpoints_update(struct call *call)
{
    struct request_document document;
    int64_t id;
    struct endpoint_edit *edit = call_state(call, sizeof *edit);
    return edit && jsonapi_path_id(call, "endpoint", &id) && jsonapi_read(call, "endpoints", &document) &&
           jsonapi_check_id(call, &document, id) &&
           jsonapi_refuse_relationships(call, &document, "An endpoint cannot move to another user.") &&
           shape_read(call, &endpoints_shape, &document, FIELD_ON_UPDATE, &edit->endpoint, &edit->given) &&
           edit_endpoint(call, "endpoint", id, read_etag, change, changed);
}

/* ---- deleting ---- */

static bool remove_it(struct call *call)
{
    const struct endpoint *endpoint = read_one(call);
    if (!endpoint)
        return false;
    if (endpoint->id == endpoint->owner_id)
        return call_fail(call, API_DEFAULT_ENDPOINT, SOURCE_NONE, NULL,
                         "This is the user's default endpoint, which stays. Set its url to null to stop "
                         "deliveries to it.");
    call->write.op = (struct store_op){.kind = STORE_ENDPOINT_REMOVE,
                                       .endpoint = {.endpoint = *endpoint, .if_version = endpoint->version}};
    return edit_write(call);
}

static bool removed(struct call *call)
{
    return call->write.op.result == STORE_DONE ? call_answer(call, 204, (struct bytes){0})
                                               : call_not_found(call, "endpoint");
}

bool endpoints_delete(struct call *call)
{
    int64_t id;
    return jsonapi_path_id(call, "endpoint", &id) &&
           edit_start(call, &(struct edit){.what = "endpoint",
                                           .query = {.kind = STORE_GET_ENDPOINT, .id = id, .limit = 1},
                                           .etag = read_etag,
                                           .change = remove_it,
                                           .done = removed});
}
