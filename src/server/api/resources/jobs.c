/*
 * POST /api/endpoints/ID/recover, /replay and /backfill make a job, which makes deliveries of the endpoint
 * due some at a time (job.h); or with dry_run count what it would make due. /api/jobs shows them; DELETE
 * cancels.
 */
#include "edit.h"
#include "event_draft.h"
#include "idempotency_key.h"
#include "instant.h"
#include "page.h"
#include "resources.h"

/* The deliveries are counted first, up to this number: for the answer, or for the job's total. */
enum { COUNT_ROWS_MAX = 100000, COUNT_IDS_MAX = 2048 };

struct job_request {
    struct job job; /* first: its fields are read into it */
    bool dry_run;
    int64_t looked, count;
};

/* ---- what a job looks like ---- */

static bool read_type(struct call *call, const struct field *field, struct json_value *value, void *place)
{
    struct bytes *type = place;
    if (json_is(value, JSON_NULL))
        return true;
    if (json_is(value, JSON_STRING))
        *type = value->text;
    return model_type_valid(*type) ||
           field_fail(call, field, "%s must be a text of 1 to %d letters, digits, '_', '.' or '-', or null.",
                      field->name, MODEL_TYPE_LEN_MAX);
}

/* "" would be any. */
static bool read_resource_id(struct call *call, const struct field *field, struct json_value *value,
                             void *place)
{
    struct bytes *id = place;
    if (json_is(value, JSON_NULL))
        return true;
    if (json_is(value, JSON_STRING))
        *id = value->text;
    return model_id_valid(*id) ||
           field_fail(call, field,
                      "resource_id must be a text of 1 to %d bytes without control bytes, or null.",
                      MODEL_ID_LEN_MAX);
}

static bool read_time(struct call *call, const struct field *field, struct json_value *value, void *place)
{
    bool may_be_null = field->flags & FIELD_NULLABLE;
    if (may_be_null && json_is(value, JSON_NULL))
        return true;
    return (json_is(value, JSON_STRING) && instant_parse(value->text, place)) ||
           field_fail(call, field,
                      "%s must be a date with a time zone as in RFC 3339, for example "
                      "2000-01-01T00:00:00.000Z%s.",
                      field->name, may_be_null ? ", or null" : "");
}

static bool read_dry_run(struct call *call, const struct field *field, struct json_value *value, void *place)
{
    return jsonapi_read_bool(call, value, field->pointer, &((struct job_request *)call->state)->dry_run);
}

static bool read_state(struct call *call, const struct field *field, struct json_value *value, void *place)
{
    enum delivery_state *state = place;
    if (json_is(value, JSON_NULL))
        return true;
    for (int i = DELIVERY_DELIVERED; json_is(value, JSON_STRING) && i < DELIVERY_STATES; i++)
        if (bytes_equal_text(value->text, delivery_state_names[i]))
            *state = (enum delivery_state)i;
    return *state != DELIVERY_PENDING ||
           field_fail(call, field,
                      "delivery_state must be \"delivered\", \"given_up\", \"cancelled\" or "
                      "\"skipped\".");
}

static void put_state(struct text *out, const struct call *call, const void *row)
{
    const struct job *job = row;
    if (job->kind == JOB_REPLAY)
        text_printf(out, "\"%s\"", delivery_state_names[job->delivery_state]);
    else
        text_puts(out, "null");
}

static void put_total(struct text *out, const struct call *call, const void *row)
{
    int64_t total = ((const struct job *)row)->total;
    text_printf(out, total < 0 ? "null" : "%lld", (long long)total);
}

#define ROW(name, kind, flags, member) FIELD(name, kind, flags, struct job, member)
static const struct field fields[] = {
    {ROW("kind", FIELD_CHOICE, 0, kind), .choices = job_kind_names},
    {ROW("state", FIELD_CHOICE, 0, state), .choices = job_state_names},
    {ROW("since", FIELD_INSTANT, FIELD_ON_CREATE | FIELD_REQUIRED, since_ms), .read = read_time},
    {ROW("until", FIELD_INSTANT, FIELD_ON_CREATE | FIELD_NULLABLE, until_ms), .read = read_time},
    {ROW("event_type", FIELD_TEXT, FIELD_ON_CREATE | FIELD_NULLABLE, event_type),
     .len_max = MODEL_TYPE_LEN_MAX, .pattern = TYPE_PATTERN, .read = read_type},
    {ROW("resource_type", FIELD_TEXT, FIELD_ON_CREATE | FIELD_NULLABLE, resource_type),
     .len_max = MODEL_TYPE_LEN_MAX, .pattern = TYPE_PATTERN, .read = read_type},
    {ROW("resource_id", FIELD_TEXT, FIELD_ON_CREATE | FIELD_NULLABLE, resource_id),
     .len_max = MODEL_ID_LEN_MAX, .pattern = "^[^\\\\u0000-\\\\u001f\\\\u007f-\\\\u009f]+$",
     .read = read_resource_id},
    {ROW("delivery_state", FIELD_TEXT, FIELD_ON_CREATE | FIELD_NULLABLE, delivery_state), .len_max = 16,
     .pattern = "^(delivered|given_up|cancelled|skipped)$", .read = read_state, .put = put_state},
    {ROW("dry_run", FIELD_FLAG, FIELD_ON_CREATE | FIELD_WRITE_ONLY, state), .read = read_dry_run},
    {ROW("made_due", FIELD_INTEGER, 0, made_due)},
    {ROW("total", FIELD_INTEGER, FIELD_NULLABLE, total), .put = put_total},
    {ROW("looked_at", FIELD_INTEGER, 0, looked)},
    {ROW("created_at", FIELD_INSTANT, 0, created_at_ms)},
    {ROW("finished_at", FIELD_INSTANT, FIELD_NULLABLE, finished_at_ms)},
    {ROW("endpoint", FIELD_TO_ONE, 0, endpoint_id), .related = "endpoints"},
    {ROW("user", FIELD_TO_ONE, 0, owner_id), .related = "users"}};
#undef ROW
const struct shape jobs_shape = {SHAPE("jobs", struct job, fields), .self = "/api/jobs/:id"};

static const char *etag_of(struct call *call, const struct job *job)
{
    return call_printf(call, "\"%lld-%lld-%d\"", (long long)job->id, (long long)job->looked, job->state);
}

static bool answer_job(struct call *call, int status, const struct job *job)
{
    call->etag = etag_of(call, job);
    return shape_answer(call, status, &jobs_shape, job, (struct bytes){0});
}

/* The job that was read; NULL after call_fail: there is none that the caller may see. */
static const struct job *read_one(struct call *call)
{
    const struct job *job = call->read.answer.count ? &call->read.answer.jobs[0] : NULL;
    if (job && call_may_see(call, job->owner_id))
        return job;
    call_not_found(call, "job");
    return NULL;
}

/* ---- making one ---- */

static bool answer_made(struct call *call, const struct job *job)
{
    call_header(call, "Location", bytes_of(call_printf(call, "/api/jobs/%lld", (long long)job->id)));
    return answer_job(call, 201, job);
}

static bool replay_answer(struct call *call)
{
    if (call->read.answer.count == 0)
        return call_not_found(call, "job any more");
    idempotency_key_replayed(call, NULL);
    return answer_made(call, &call->read.answer.jobs[0]);
}

static bool created(struct call *call)
{
    const struct store_op *op = &call->write.op;
    if (!idempotency_key_fits(call))
        return false;
    if (op->result == STORE_REPLAYED)
        return call_get(call, STORE_GET_JOB, op->id, false, replay_answer);
    if (op->result == STORE_CONFLICT)
        return call_fail(call, API_JOB_RUNS, SOURCE_NONE, NULL,
                         "A %s runs for this endpoint. Wait until it is done, or cancel it: see /api/jobs.",
                         job_kind_names[op->job.kind]);
    return op->result == STORE_DONE ? answer_made(call, &op->job) : call_not_found(call, "endpoint");
}

static bool answer_count(struct call *call, const struct job_request *request, bool complete)
{
    struct text out;
    jsonapi_begin(&out, &call->scratch);
    jsonapi_end(&out, call,
                bytes_of(call_printf(call, "\"count\":%lld,\"complete\":%s", (long long)request->count,
                                     complete ? "true" : "false")));
    return jsonapi_answer(call, 200, &out);
}

static bool count_rows(struct call *call);

static bool counted(struct call *call)
{
    struct job_request *request = call->state;
    const struct store_answer *answer = &call->read.answer;
    request->looked += answer->looked;
    request->count += answer->count;
    request->job.cursor = answer->to;
    if (answer->more && request->looked < COUNT_ROWS_MAX)
        return count_rows(call);
    if (request->dry_run)
        return answer_count(call, request, !answer->more);
    request->job.total = answer->more ? -1 : request->count;
    call->write.op =
        (struct store_op){.kind = STORE_JOB_CREATE, .request = call->repeat, .job = request->job};
    return call_write(call, created);
}

static bool count_rows(struct call *call)
{
    const struct job_request *request = call->state;
    struct store_query query = {.kind = STORE_JOB_ROWS, .job = &request->job, .limit = COUNT_IDS_MAX};
    return call_query(call, &query, false, counted);
}

static bool take_endpoint(struct call *call)
{
    struct job *job = &((struct job_request *)call->state)->job;
    const struct endpoint *endpoint = edit_reachable_endpoint(call);
    if (!endpoint)
        return false;
    job->owner_id = endpoint->owner_id;
    job->below_id = job->kind == JOB_BACKFILL ? endpoint->id : INT64_MAX;
    job->cursor = job_begin(job);
    return count_rows(call);
}

static bool make(struct call *call, enum job_kind kind)
{
    struct request_document document;
    struct job_request *request = call_state(call, sizeof *request);
    unsigned given;
    if (!request || !jsonapi_path_id(call, "endpoint", &request->job.endpoint_id) ||
        !jsonapi_read(call, "jobs", &document) || !jsonapi_refuse_id(call, &document) ||
        !jsonapi_refuse_relationships(call, &document, "A job has the relationships of its endpoint.") ||
        !shape_read(call, &jobs_shape, &document, FIELD_ON_CREATE, request, &given))
        return false;
    struct job *job = &request->job;
    if (!shape_gave(&jobs_shape, given, "since"))
        return call_fail(call, API_ATTRIBUTE_MISSING, SOURCE_POINTER, document.attributes_at,
                         "since is missing: the time from which on.");
    if (kind != JOB_REPLAY && shape_gave(&jobs_shape, given, "delivery_state"))
        return call_fail(call, API_ATTRIBUTE_UNKNOWN, SOURCE_POINTER, "/data/attributes/delivery_state",
                         "delivery_state is of a replay only.");
    if (job->until_ms && job->until_ms <= job->since_ms)
        return call_fail(call, API_ATTRIBUTE_INVALID, SOURCE_POINTER, "/data/attributes/until",
                         "until must be later than since.");
    job->kind = kind;
    if (kind == JOB_REPLAY && job->delivery_state == DELIVERY_PENDING)
        job->delivery_state = DELIVERY_DELIVERED;
    job->created_at_ms = clock_wall_ms(&call->api->config.clock);
    const char *path =
        call_printf(call, "/api/endpoints/%lld/%s", (long long)job->endpoint_id, job_kind_names[kind]);
    return (request->dry_run || idempotency_key_take(call, path)) &&
           call_get(call, STORE_GET_ENDPOINT, job->endpoint_id, false, take_endpoint);
}

bool endpoints_recover(struct call *call)
{
    return make(call, JOB_RECOVER);
}

bool endpoints_replay(struct call *call)
{
    return make(call, JOB_REPLAY);
}

bool endpoints_backfill(struct call *call)
{
    return make(call, JOB_BACKFILL);
}

/* ---- seeing and cancelling ---- */

static bool show_list(struct call *call)
{
    return page_answer(call, "/api/jobs", call->state, &jobs_shape, call->read.answer.jobs);
}

bool jobs_list(struct call *call)
{
    struct page *page = call_state(call, sizeof *page);
    struct store_query query = {.kind = STORE_LIST_JOBS};
    return page && page_read(call, "jobs", page) && jsonapi_read_owner(call, &query.owner_id) &&
           page_query(call, page, &query, false, show_list);
}

static bool show(struct call *call)
{
    const struct job *job = read_one(call);
    return job && answer_job(call, 200, job);
}

bool jobs_show(struct call *call)
{
    int64_t id;
    return jsonapi_path_id(call, "job", &id) && call_get(call, STORE_GET_JOB, id, false, show);
}

static bool cancelled(struct call *call)
{
    if (call->write.op.result == STORE_CONFLICT)
        return call_fail(call, API_JOB_ENDED, SOURCE_NONE, NULL,
                         "The job has ended, so it cannot be cancelled.");
    return call->write.op.result == STORE_DONE ? call_answer(call, 204, (struct bytes){0})
                                               : call_not_found(call, "job");
}

static bool cancel(struct call *call)
{
    const struct job *job = read_one(call);
    if (!job || !call_allows(call, "job", etag_of(call, job)))
        return false;
    call->write.op = (struct store_op){.kind = STORE_JOB_CANCEL, .job = {.id = job->id}};
    return call_write(call, cancelled);
}

bool jobs_delete(struct call *call)
{
    int64_t id;
    return jsonapi_path_id(call, "job", &id) && call_get(call, STORE_GET_JOB, id, false, cancel);
}
