#include "call.h"
#include "digest.h"
#include "precondition.h"
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

enum {
    ANSWER_DETAIL_LEN_MAX = 512,
    ETAG_DIGITS = 32,
    POINTER_NAME_LEN_MAX = 128,
    RETRY_BUSY_S = 1,
    RETRY_DOWN_S = 5,
    RETRY_DAMAGED_S = 60,
    RETRY_FULL_S = 30,
    RETRY_WAITING_S = 60
};

/* ---- memory ---- */

/* A cut inside a character, or a stranger's control bytes, would spoil the answer. */
static const char *keep_printable(struct call *call, const char *text)
{
    struct text safe;
    text_init(&safe, &call->request->arena, (size_t)4 * ANSWER_DETAIL_LEN_MAX);
    text_put_printable(&safe, bytes_of(text));
    return safe.data ? safe.data : "";
}

const char *call_printf(struct call *call, const char *format, ...)
{
    char buffer[ANSWER_DETAIL_LEN_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(buffer, sizeof buffer, format, args);
    va_end(args);
    return keep_printable(call, buffer);
}

const char *call_pointer(struct call *call, const char *base, struct bytes name)
{
    struct text pointer;
    text_init(&pointer, &call->request->arena, ANSWER_DETAIL_LEN_MAX);
    text_puts(&pointer, base);
    text_putc(&pointer, '/');
    for (size_t i = 0; i < name.len && i < POINTER_NAME_LEN_MAX; i++) {
        if (name.data[i] == '~')
            text_puts(&pointer, "~0");
        else if (name.data[i] == '/')
            text_puts(&pointer, "~1");
        else
            text_putc(&pointer, name.data[i]);
    }
    return bytes_are_utf8(text_bytes(&pointer)) && pointer.data ? pointer.data : base;
}

void *call_state(struct call *call, size_t size)
{
    call->state = arena_zero(&call->request->arena, size);
    if (!call->state)
        call_too_large(call);
    return call->state;
}

/* ---- failing ---- */

bool call_fail(struct call *call, enum api_error error, enum source_kind kind, const char *source,
               const char *format, ...)
{
    char buffer[ANSWER_DETAIL_LEN_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(buffer, sizeof buffer, format, args);
    va_end(args);
    call->failure = (struct failure_report){
        .error = error, .source_kind = kind, .source = source, .detail = keep_printable(call, buffer)};
    return false;
}

bool call_fail_code(struct call *call, enum api_error error, const char *code, const char *pointer,
                    const char *detail)
{
    call_fail(call, error, SOURCE_POINTER, pointer, "%s", detail);
    call->failure.code = code;
    return false;
}

bool call_within(struct call *call, const char *base, struct bytes name)
{
    const char *source =
        arena_printf(&call->request->arena, "%s%s", call_pointer(call, base, name), call->failure.source);
    call->failure.source = source ? source : base;
    return false;
}

bool call_not_found(struct call *call, const char *what)
{
    return call_fail(call, API_NOT_FOUND, SOURCE_NONE, NULL, "There is no such %s.", what);
}

bool call_too_large(struct call *call)
{
    return call_fail(call, API_BODY_TOO_LARGE, SOURCE_POINTER, "",
                     "The request needs more memory than one request may use.");
}

void call_warn(struct call *call, const char *code, int line, int column, const char *format, ...)
{
    if (call->warning_count == CALL_WARNINGS_MAX)
        return;
    char buffer[ANSWER_DETAIL_LEN_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(buffer, sizeof buffer, format, args);
    va_end(args);
    call->warnings[call->warning_count++] = (struct warning){
        .code = code, .detail = keep_printable(call, buffer), .line = line, .column = column};
}

/* ---- the store ---- */

/* `doing` is what is not done. */
static bool fail_damaged(struct call *call, const char *doing)
{
    call_fail(call, API_STORE_DAMAGED, SOURCE_NONE, NULL,
              "%s The operator of this server can find the damage with `posthorn check DATA`; docs/backup.md "
              "says what to do.",
              doing);
    call->failure.retry_after_s = RETRY_DAMAGED_S;
    return false;
}

bool call_fail_store(struct call *call, enum store_status status)
{
    if (status == STORE_DAMAGED)
        return fail_damaged(call, "Nothing was written. The server writes nothing until its operator repairs "
                                  "the database or restores a backup, and starts it again.");
    if (status == STORE_FULL)
        call_fail(call, API_STORE_FULL, SOURCE_NONE, NULL, "Nothing was written. Try again later.");
    else
        call_fail(call, API_STORE_DOWN, SOURCE_NONE, NULL, "Nothing was accepted. Try again later.");
    call->failure.retry_after_s = status == STORE_FULL ? RETRY_FULL_S : RETRY_DOWN_S;
    return false;
}

bool call_fail_busy(struct call *call)
{
    call_fail(call, API_BUSY, SOURCE_NONE, NULL, "The write queue is full; nothing was written. Retry.");
    call->failure.retry_after_s = RETRY_BUSY_S;
    return false;
}

bool call_fail_quota(struct call *call, int64_t user_id, const struct quota_reached *reached)
{
    if (reached->quota == QUOTA_WAITING) {
        call_fail(call, API_TOO_MANY_WAITING, SOURCE_NONE, NULL,
                  "User %lld has %lld unfinished deliveries, and may have %lld (setting user-waiting-max). "
                  "Nothing was written. Retry when some of them are delivered, given up or cancelled.",
                  (long long)user_id, (long long)reached->used, (long long)reached->limit);
        call->failure.retry_after_s = RETRY_WAITING_S;
        return false;
    }
    bool bytes = reached->quota == QUOTA_STORED_BYTES;
    return call_fail(call, API_QUOTA_REACHED, SOURCE_NONE, NULL,
                     "User %lld has %lld %s stored, and may have %lld (setting %s). This request would "
                     "exceed that. Nothing was written. Retry when retention has removed old events%s.",
                     (long long)user_id, (long long)reached->used, bytes ? "bytes" : "resources",
                     (long long)reached->limit, bytes ? "user-bytes-max" : "user-resources-max",
                     bytes ? "" : " or when resources are deleted");
}

void call_note_store(struct call *call, enum store_status status)
{
    if (atomic_load_explicit(&call->api->store_told, memory_order_relaxed) != (int)status)
        atomic_store_explicit(&call->api->store_told, (int)status, memory_order_relaxed);
}

static void write_done(struct queue_job *job, enum store_status status)
{
    struct call *call = job->ctx;
    call_note_store(call, status);
    bool fine = status == STORE_OK && job->op.result != STORE_NO_SPACE;
    if (!fine)
        call_fail_store(call, status == STORE_OK ? STORE_FULL : status);
    if (!fine || !call->then(call))
        call_answer_failure(call);
}

bool call_write(struct call *call, call_step *then)
{
    call->then = then;
    call->write.done = write_done;
    call->write.ctx = call;
    return queue_submit(call->api->config.queue, &call->write) || call_fail_busy(call);
}

static bool fail_read(struct call *call, enum store_status status)
{
    return status == STORE_DAMAGED
               ? fail_damaged(call, "A damaged part of the database is needed for this and cannot be read.")
               : call_fail_store(call, status);
}

static void query_done(struct readers_job *job)
{
    struct call *call = job->ctx;
    bool fine = job->status == STORE_OK || fail_read(call, job->status);
    call->scratch.size_max = CALL_SCRATCH_LEN_MAX;
    if (!fine || !call->then(call))
        call_answer_failure(call);
}

bool call_query(struct call *call, const struct store_query *query, bool keep, call_step *then)
{
    if (!keep)
        arena_reset(&call->scratch);
    call->scratch.size_max = call->scratch.used + CALL_ROWS_LEN_MAX;
    call->then = then;
    call->read =
        (struct readers_job){.query = *query, .arena = &call->scratch, .done = query_done, .ctx = call};
    return readers_submit(call->api->config.readers, &call->read) || call_fail_busy(call);
}

bool call_get(struct call *call, enum store_query_kind kind, int64_t id, bool keep, call_step *then)
{
    return call_query(call, &(struct store_query){.kind = kind, .id = id, .with_document = true, .limit = 1},
                      keep, then);
}

/* ---- answering ---- */

void call_header(struct call *call, const char *name, struct bytes value)
{
    assert(call->header_count < CALL_HEADERS_MAX - CALL_COMMON_HEADERS_MAX);
    call->headers[call->header_count++] = (struct header){bytes_of(name), value};
}

/* A warning of each kind once in a while; the others are counted. A client that can cause answers of 500 or
 * more (a full quota, too many bodies) must not fill the operator's log. */
static enum log_level level_of(struct api *api, int status, long long *left_out)
{
    struct complaint *complaint = &api->complaints[status % COMPLAINTS_MAX];
    int64_t now_ms = clock_mono_ms(&api->config.clock);
    long long told_ms = atomic_load_explicit(&complaint->told_ms, memory_order_relaxed);
    *left_out = 0;
    if (status < 500)
        return LOG_LEVEL_DEBUG;
    bool due = told_ms == 0 || now_ms - told_ms >= COMPLAINT_QUIET_MS;
    if (!due || !atomic_compare_exchange_strong(&complaint->told_ms, &told_ms, now_ms)) {
        atomic_fetch_add_explicit(&complaint->left_out, 1, memory_order_relaxed);
        return LOG_LEVEL_DEBUG;
    }
    *left_out = atomic_exchange_explicit(&complaint->left_out, 0, memory_order_relaxed);
    return LOG_LEVEL_WARN;
}

/* A failure of ours is for the operator to see; the rest for who looks for one request. Never the query: a
 * key may stand there by mistake. */
static void log_answer(const struct call *call, int status)
{
    const struct listener_request *request = call->request;
    long long left_out;
    enum log_level level = level_of(call->api, status, &left_out);
    log_write(call->api->config.log, level, "api", "%.*s %.*s: %d peer=%s request=%.*s",
              BYTES_ARG(request->method), BYTES_ARG(request->path), status, request->peer,
              BYTES_ARG(call->request_id));
    if (left_out > 0)
        log_write(call->api->config.log, LOG_LEVEL_WARN, "api", "answers left out: status=%d count=%lld",
                  status, left_out);
}

static void put_header(struct header *header, const char *name, struct bytes value)
{
    *header = (struct header){bytes_of(name), value};
}

static void put_number(const struct call *call, struct header *header, const char *name, int64_t value)
{
    char digits[BYTES_INT64_LEN_MAX];
    struct bytes text = arena_copy(&call->request->arena, bytes_from_int64(value, digits));
    put_header(header, name, text.data ? text : bytes_of("0"));
}

/* Those of every answer; returns how many. */
static int put_common_headers(const struct call *call, struct header headers[CALL_COMMON_HEADERS_MAX])
{
    put_header(&headers[0], "X-Request-Id", call->request_id);
    put_header(&headers[1], "Version", bytes_of(API_VERSION));
    put_header(&headers[2], "Posthorn-Mode", bytes_of(call->api->config.config->mode));
    int count = 3;
    if (call->rate_limit) {
        put_number(call, &headers[count++], "RateLimit-Limit", call->rate_limit);
        put_number(call, &headers[count++], "RateLimit-Remaining", call->rate.remaining);
        put_number(call, &headers[count++], "RateLimit-Reset", (call->rate.full_again_ms + 999) / 1000);
    }
    if (!call->at_metrics)
        count += cors_put(call->api->config.config, call->request, headers + count);
    return count;
}

static void complete_reply(struct call *call, struct listener_reply *reply)
{
    assert(reply->status >= 100 && reply->status < 600);
    call->header_count += put_common_headers(call, call->headers + call->header_count);
    reply->headers = call->headers;
    reply->header_count = call->header_count;
    atomic_fetch_add_explicit(&call->api->answers[reply->status / 100], 1, memory_order_relaxed);
}

static bool send_reply(struct call *call, struct listener_reply reply)
{
    struct api *api = call->api;
    struct listener_request *request = call->request;
    struct arena scratch = call->scratch; /* may hold the body: freed after it is copied */
    struct payload *document = call->document;
    complete_reply(call, &reply);
    for (struct in_flight_key *key = call->keys_held; key; key = key->others)
        in_flight_leave(&api->in_flight, key); /* before the client can know that it is answered */
    log_answer(call, reply.status);
    listener_answer(request, &reply); /* the request's arena, and with it the call, is gone */
    arena_fini(&scratch);
    payload_drop(document);
    atomic_fetch_sub_explicit(&api->in_hand, 1, memory_order_release);
    return true;
}

static bool send_answer(struct call *call, int status, struct bytes body, bool close)
{
    return send_reply(call, (struct listener_reply){.status = status, .body = body, .close = close});
}

const char *call_etag_of(struct call *call, struct bytes looks)
{
    char digest[DIGEST_HEX_LEN + 1];
    digest_sha256_hex(looks, digest);
    return call_printf(call, "\"%.*s\"", ETAG_DIGITS, digest);
}

static bool fail_precondition(struct call *call, enum precondition failed, const char *what)
{
    if (failed == PRECONDITION_IF_MATCH)
        return call_fail(call, API_VERSION_CONFLICT, SOURCE_HEADER, "If-Match",
                         "The %s has changed since that ETag was given. Read it again.", what);
    return call_fail(call, API_VERSION_CONFLICT, SOURCE_HEADER, "If-None-Match",
                     "The %s is there already, in the state that If-None-Match names.", what);
}

bool call_allows(struct call *call, const char *what, const char *etag)
{
    enum precondition verdict = precondition_judge(call->request, etag);
    return verdict == PRECONDITION_HOLDS || fail_precondition(call, verdict, what);
}

/* Of what a 2xx shows: its ETag, and of a GET the preconditions. False after call_fail. */
static bool judge(struct call *call, int *status, struct bytes *body)
{
    struct bytes method = call->request->method;
    bool read = bytes_equal_text(method, "GET") || bytes_equal_text(method, "HEAD");
    if (!call->etag || *status / 100 != 2)
        return true;
    enum precondition verdict = read ? precondition_judge(call->request, call->etag) : PRECONDITION_HOLDS;
    if (verdict != PRECONDITION_HOLDS && verdict != PRECONDITION_NOT_MODIFIED)
        return fail_precondition(call, verdict, "resource");
    call_header(call, "ETag", bytes_of(call->etag));
    if (verdict == PRECONDITION_NOT_MODIFIED) {
        *status = 304;
        *body = (struct bytes){0};
    }
    return true;
}

bool call_answer_page(struct call *call, const char *content_type, struct bytes body)
{
    int status = 200;
    if (!judge(call, &status, &body))
        return false;
    call_header(call, "Content-Type", bytes_of(content_type));
    return send_reply(call, (struct listener_reply){.status = status, .body = body, .body_stays = true});
}

bool call_answer_text(struct call *call, int status, const char *content_type, struct bytes body)
{
    call_header(call, "Content-Type", bytes_of(content_type));
    return send_answer(call, status, body, false);
}

bool call_answer(struct call *call, int status, struct bytes body)
{
    if (!judge(call, &status, &body))
        return false;
    if (body.len)
        call_header(call, "Content-Type", bytes_of(media_name(call->media)));
    call_header(call, "Vary", bytes_of("Accept"));
    return send_answer(call, status, body, false);
}

static const char *source_member(enum source_kind kind)
{
    static const char *const names[] = {
        [SOURCE_POINTER] = "pointer", [SOURCE_PARAMETER] = "parameter", [SOURCE_HEADER] = "header"};
    return names[kind];
}

void failure_put_error(struct text *out, const struct failure_report *failure, struct bytes request_id)
{
    const struct api_error_row *row = api_error_row(failure->error);
    text_puts(out, "{\"id\":");
    text_put_json(out, request_id);
    text_printf(out, ",\"status\":\"%d\",\"code\":\"%s\",\"title\":", row->status,
                failure->code ? failure->code : row->code);
    text_put_json(out, bytes_of(row->title));
    text_puts(out, ",\"detail\":");
    text_put_json(out, bytes_of(failure->detail ? failure->detail : row->title));
    if (failure->source_kind != SOURCE_NONE) {
        text_printf(out, ",\"source\":{\"%s\":", source_member(failure->source_kind));
        text_put_json(out, bytes_of(failure->source));
        text_putc(out, '}');
    }
    if (failure->line)
        text_printf(out, ",\"meta\":{\"line\":%d,\"column\":%d}", failure->line, failure->column);
    text_putc(out, '}');
}

void failure_put(struct text *out, const struct failure_report *failure, struct bytes request_id)
{
    text_puts(out, "{\"jsonapi\":{\"version\":\"1.1\"},\"errors\":[");
    failure_put_error(out, failure, request_id);
    text_puts(out, "]}");
}

/* Writes the document of a failure, and sets its headers. */
static struct bytes make_failure(struct call *call, int status, struct arena *arena)
{
    const struct failure_report *failure = &call->failure;
    struct text out;
    text_init(&out, arena, CALL_ANSWER_LEN_MAX);
    failure_put(&out, failure, call->request_id);
    call->header_count = 0; /* headers of the answer that was not to be */
    if (failure->retry_after_s)
        call_header(call, "Retry-After", bytes_of(call_printf(call, "%d", failure->retry_after_s)));
    if (status == 401)
        call_header(call, "WWW-Authenticate", bytes_of("Bearer realm=\"posthorn\""));
    if (status == 405)
        call_header(call, "Allow", bytes_of(call->state));
    call_header(call, "Content-Type", bytes_of(media_name(call->media)));
    call_header(call, "Vary", bytes_of("Accept"));
    return text_bytes(&out);
}

bool call_answer_failure(struct call *call)
{
    int status = api_error_row(call->failure.error)->status;
    return send_answer(call, status, make_failure(call, status, &call->scratch), call->failure.close);
}

void call_refuse(struct call *call, int status, struct listener_reply *reply)
{
    reply->status = status;
    reply->body = make_failure(call, status, &call->request->arena);
    complete_reply(call, reply);
}
