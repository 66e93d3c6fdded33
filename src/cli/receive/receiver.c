#include "receiver.h"
#include "clock.h"
#include "delay_queue.h"
#include "handlers.h"
#include "memory.h"
#include "request_line.h"
#include "terminal.h"
#include "tree_budget.h"
#include "workers.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { HEADERS_AUTH_MAX = 2, WAITING_MAX = 1000, DETAIL_LEN = 128 };

struct receiver {
    struct receiver_config config;
    struct posthorn_store *store;
    struct handlers *handlers;       /* NULL: events are only stored */
    struct workers *workers;         /* runs the handlers */
    struct delay_queue *delays;      /* of answers; NULL: no delay */
    struct tree_budget *tree_budget; /* of parsed events */
    struct request_line_style style;
    struct clock clock;
    atomic_llong requests; /* authenticated ones */
};

static struct posthorn_text text_of(struct bytes bytes)
{
    return (struct posthorn_text){bytes.data, bytes.len};
}

/* ---- answers ------------------------------------------------------------------------------------------- */

static const struct header json_type = {{"Content-Type", 12}, {"application/json", 16}};

static void fill_reply(struct listener_reply *reply, int status, struct bytes body)
{
    *reply =
        (struct listener_reply){.status = status, .headers = &json_type, .header_count = 1, .body = body};
}

static void answer_now(struct listener_request *request, int status)
{
    struct listener_reply reply;

    fill_reply(&reply, status,
               bytes_of(status == 200 ? "{\"status\":\"success\"}" : "{\"status\":\"failure\"}"));
    listener_answer(request, &reply);
}

struct delayed_answer {
    struct delayed delayed; /* first */
    struct listener_request *request;
    int status;
};

static void answer_delayed(void *ctx, struct delayed *delayed)
{
    struct delayed_answer *answer = (struct delayed_answer *)delayed;

    answer_now(answer->request, answer->status);
    free(answer);
}

static void answer(struct receiver *receiver, struct listener_request *request, int status)
{
    struct delayed_answer *later = NULL;

    if (receiver->delays) {
        later = memory_zero(1, sizeof *later);
        later->request = request;
        later->status = status;
    }
    if (later && delay_queue_put(receiver->delays, &later->delayed))
        return;
    free(later);
    answer_now(request, status);
}

/* ---- authentication
 * ----------------------------------------------------------------------------------------- */

static enum posthorn_result check_auth(const struct receiver *receiver,
                                       const struct listener_request *request)
{
    struct posthorn_text keys[OPTION_LIST_MAX], values[HEADERS_AUTH_MAX];
    size_t value_count = 0;

    for (int i = 0; i < receiver->config.keys.count; i++)
        keys[i] = text_of(bytes_of(receiver->config.keys.items[i]));
    for (int i = 0; i < request->header_count && value_count < HEADERS_AUTH_MAX; i++)
        if (bytes_equal_nocase(request->headers[i].name, "WEBHOOK-AUTH"))
            values[value_count++] = text_of(request->headers[i].value);
    return posthorn_verify(keys, (size_t)receiver->config.keys.count, values, value_count);
}

enum { SIGNATURE_ID, SIGNATURE_TIMESTAMP, SIGNATURES, SIGNATURE_HEADERS };

/* The three headers of the second signature, each exactly once. */
static enum posthorn_result signature_headers(const struct listener_request *request,
                                              struct posthorn_text values[SIGNATURE_HEADERS],
                                              char detail[DETAIL_LEN])
{
    static const char *const names[] = {"webhook-id", "webhook-timestamp", "webhook-signature"};

    for (int i = 0; i < SIGNATURE_HEADERS; i++) {
        int count;
        values[i] = text_of(listener_header(request, names[i], &count));
        if (count == 1 && values[i].len > 0)
            continue;
        snprintf(detail, DETAIL_LEN,
                 count > 1 ? "there is more than one %s header" : "the %s header is missing", names[i]);
        return count > 1 ? POSTHORN_SIGNATURE_WRONG : POSTHORN_SIGNATURE_MISSING;
    }
    return POSTHORN_OK;
}

static enum posthorn_result check_signature(const struct receiver *receiver,
                                            const struct listener_request *request, char detail[DETAIL_LEN])
{
    struct posthorn_text secrets[OPTION_LIST_MAX], values[SIGNATURE_HEADERS];
    int64_t now_s = clock_wall_ms(&receiver->clock) / 1000, at_s;
    enum posthorn_result result = signature_headers(request, values, detail);

    if (result != POSTHORN_OK)
        return result;
    for (int i = 0; i < receiver->config.secrets.count; i++)
        secrets[i] = text_of(bytes_of(receiver->config.secrets.items[i]));
    result = posthorn_verify_signature(secrets, (size_t)receiver->config.secrets.count, values[SIGNATURE_ID],
                                       values[SIGNATURE_TIMESTAMP], values[SIGNATURES],
                                       (struct posthorn_text){request->body, request->body_len}, now_s,
                                       POSTHORN_TOLERANCE_S);
    struct bytes timestamp = bytes_make(values[SIGNATURE_TIMESTAMP].data, values[SIGNATURE_TIMESTAMP].len);
    if (result == POSTHORN_SIGNATURE_TIME && bytes_to_int64(timestamp, &at_s))
        snprintf(detail, DETAIL_LEN, "webhook-timestamp is %lld s %s this clock; %d s are tolerated",
                 (long long)(at_s < now_s ? now_s - at_s : at_s - now_s),
                 at_s < now_s ? "behind" : "ahead of", POSTHORN_TOLERANCE_S);
    else
        snprintf(detail, DETAIL_LEN, "%s", posthorn_result_sentence(result));
    return result;
}

/* The checks that the head allows. */
static enum posthorn_result check_head(const struct receiver *receiver,
                                       const struct listener_request *request, char detail[DETAIL_LEN])
{
    struct posthorn_text values[SIGNATURE_HEADERS];
    enum posthorn_result result = POSTHORN_OK;

    if (receiver->config.keys.count > 0) {
        result = check_auth(receiver, request);
        snprintf(detail, DETAIL_LEN, "%s", posthorn_result_sentence(result));
    }
    if (result == POSTHORN_OK && receiver->config.secrets.count > 0)
        result = signature_headers(request, values, detail);
    return result;
}

int receiver_accept_head(void *ctx, struct listener_request *request)
{
    struct receiver *receiver = ctx;
    char detail[DETAIL_LEN];

    if (!bytes_equal_text(request->method, "POST"))
        return 405;
    enum posthorn_result result = check_head(receiver, request, detail);
    return result == POSTHORN_OK ? 0 : posthorn_http_status(result);
}

void receiver_on_refused(void *ctx, struct listener_request *request, int status,
                         struct listener_reply *reply)
{
    static const struct header not_allowed[] = {{{"Content-Type", 12}, {"application/json", 16}},
                                                {{"Allow", 5}, {"POST", 4}}};
    struct receiver *receiver = ctx;
    char detail[DETAIL_LEN], late[LISTENER_LATE_LEN];
    struct request_line report = {
        .status = status, .outcome = "refused", .detail = "not an acceptable HTTP request"};

    if (status == 401) {
        check_head(receiver, request, detail);
        report.detail = detail;
    } else if (status == 405) {
        report.detail = "events are sent with POST";
    } else if (status == 413) {
        report.detail = posthorn_result_sentence(POSTHORN_TOO_LARGE);
    } else if (status == 408) {
        listener_say_late(request, late);
        report.detail = late;
    } else if (status == 414 || status == 431) {
        report.detail = "the request line or the headers are too large";
    } else if (status == 501) {
        report.detail = "its Transfer-Encoding is not supported: use chunked or Content-Length";
    } else if (status == 503) {
        report.detail = "too many connections or bodies at once: the sender retries";
    }
    fill_reply(reply, status, bytes_of("{\"status\":\"failure\"}"));
    if (status == 405) {
        reply->headers = not_allowed;
        reply->header_count = 2;
    }
    request_line_print(&report, &receiver->style);
}

/* ---- one event ----------------------------------------------------------------------------------------- */

/* True: the settings want this request to fail. */
static bool take_fault(struct receiver *receiver)
{
    long long number = atomic_fetch_add(&receiver->requests, 1);

    return receiver->config.fault_status >= 0 &&
           (receiver->config.fault_count < 0 || number < receiver->config.fault_count);
}

/* The outcome of an event, with the memory that the report refers to. */
struct intake {
    const struct receiver *receiver;
    struct handlers_run run;
    char name[POSTHORN_NAME_LEN_MAX + 1];
};

static enum posthorn_result on_event(void *ctx, const struct posthorn_event *event)
{
    struct intake *attempt = ctx;
    return handlers_run(attempt->receiver->handlers, event, &attempt->run);
}

static void report_result(struct request_line *report, struct intake *attempt, enum posthorn_result result,
                          int error)
{
    report->status = posthorn_http_status(result);
    report->outcome = result == POSTHORN_OK ? "stored" : posthorn_result_name(result);
    report->output = bytes_make(attempt->run.end.output, attempt->run.end.output_len);
    if (report->status == 200)
        report->file = attempt->name;
    if (result == POSTHORN_IO)
        report->detail = strerrordesc_np(error);
    else if (result == POSTHORN_HANDLER_FAILED && attempt->run.detail[0])
        report->detail = attempt->run.detail;
    else if (result != POSTHORN_OK && result != POSTHORN_DUPLICATE)
        report->detail = posthorn_result_sentence(result);
}

/* Checks, handles and stores the event; then prints the outcome and answers. */
static void settle(struct receiver *receiver, struct listener_request *request,
                   const struct posthorn_event *event)
{
    struct intake attempt = {.receiver = receiver};
    struct request_line report = {.event = event};
    struct posthorn_dispatcher *dispatcher = posthorn_dispatcher_new();
    enum posthorn_result result = POSTHORN_NO_MEMORY;

    if (dispatcher && receiver->handlers && handlers_want(receiver->handlers, event))
        posthorn_otherwise(dispatcher, on_event, &attempt);
    if (dispatcher)
        result = posthorn_handle(dispatcher, receiver->store, event, attempt.name);
    report_result(&report, &attempt, result, errno);
    posthorn_dispatcher_free(dispatcher);
    request_line_print(&report, &receiver->style);
    answer(receiver, request, report.status);
}

/* The caller keeps the event. */
static void refuse(struct receiver *receiver, struct listener_request *request,
                   const struct posthorn_event *event, int status, const char *outcome, const char *detail)
{
    struct request_line report = {.status = status, .outcome = outcome, .event = event, .detail = detail};

    request_line_print(&report, &receiver->style);
    answer(receiver, request, status);
}

/* ---- the workers --------------------------------------------------------------------------------------- */

/* On the request's arena, except for the job that resumes. */
struct handler_job {
    struct listener_request *request; /* NULL: resume the events in work */
};

/* Many jobs wait, and a tree is far larger than its body, so the body is parsed again in the worker. */
static void handle_again(struct receiver *receiver, struct listener_request *request)
{
    size_t weight = tree_budget_weight(bytes_make(request->body, request->body_len));
    struct posthorn_event *event = NULL;
    struct posthorn_problem problem;

    tree_budget_take(receiver->tree_budget, weight, true);
    if (posthorn_parse(request->body, request->body_len, &event, &problem) == POSTHORN_OK)
        settle(receiver, request, event);
    else /* it was parsed before, so memory has run out */
        refuse(receiver, request, NULL, 503, "busy", problem.detail);
    posthorn_event_free(event);
    tree_budget_give(receiver->tree_budget, weight);
}

static bool on_resumed(void *ctx, const struct posthorn_event *event, enum posthorn_result result,
                       const char *name)
{
    struct intake *attempt = ctx;
    struct request_line report = {.event = event};

    snprintf(attempt->name, sizeof attempt->name, "%s", name);
    report_result(&report, attempt, result, errno);
    if (result == POSTHORN_OK)
        report.outcome = "resumed";
    request_line_print(&report, &attempt->receiver->style);
    attempt->run = (struct handlers_run){0};
    return !workers_is_finishing(attempt->receiver->workers);
}

static void resume(const struct receiver *receiver)
{
    struct intake attempt = {.receiver = receiver};
    struct posthorn_dispatcher *dispatcher = posthorn_dispatcher_new();

    if (!dispatcher)
        return;
    posthorn_otherwise(dispatcher, on_event, &attempt);
    if (posthorn_resume(dispatcher, receiver->store, on_resumed, &attempt) != POSTHORN_OK)
        fprintf(stderr, "posthorn receive: events in progress at the last stop cannot be listed: %s\n",
                strerrordesc_np(errno));
    posthorn_dispatcher_free(dispatcher);
}

static void do_job(void *ctx, int worker, void *item, bool dropped)
{
    struct receiver *receiver = ctx;
    struct handler_job *job = item;
    struct listener_request *request = job->request; /* the answer frees the job */

    if (!request) {
        if (!dropped)
            resume(receiver);
        free(job);
    } else if (dropped) {
        refuse(receiver, request, NULL, 503, "busy", "the receiver is stopping");
    } else {
        handle_again(receiver, request);
    }
}

/* Gives the request to the workers. The caller keeps the event. */
static void hand_over(struct receiver *receiver, struct listener_request *request,
                      const struct posthorn_event *event)
{
    struct handler_job *job = arena_zero(&request->arena, sizeof *job);

    if (job)
        *job = (struct handler_job){request};
    if (job && workers_give(receiver->workers, job))
        return;
    refuse(receiver, request, event, 503, "busy", "all handlers are busy, and too many events wait");
}

void receiver_resume(struct receiver *receiver)
{
    if (!receiver->workers)
        return;
    struct handler_job *job = memory_zero(1, sizeof *job);
    if (!workers_give(receiver->workers, job))
        free(job);
}

/* ---- one request --------------------------------------------------------------------------------------- */

/* The part that needs the event's tree. */
static void handle_parsed(struct receiver *receiver, struct listener_request *request)
{
    struct posthorn_event *event = NULL;
    struct posthorn_problem problem;
    enum posthorn_result result = posthorn_parse(request->body, request->body_len, &event, &problem);

    if (take_fault(receiver))
        refuse(receiver, request, event, (int)receiver->config.fault_status, "fault",
               "as asked for with --status; not stored");
    else if (result != POSTHORN_OK)
        refuse(receiver, request, NULL, posthorn_http_status(result), posthorn_result_name(result),
               problem.detail);
    else if (receiver->handlers && handlers_want(receiver->handlers, event))
        hand_over(receiver, request, event);
    else
        settle(receiver, request, event);
    posthorn_event_free(event);
}

void receiver_handle(void *ctx, struct listener_request *request)
{
    struct receiver *receiver = ctx;
    size_t weight = tree_budget_weight(bytes_make(request->body, request->body_len));
    char detail[DETAIL_LEN];
    enum posthorn_result result = POSTHORN_OK;

    if (receiver->config.secrets.count > 0)
        result = check_signature(receiver, request, detail);
    if (result != POSTHORN_OK) {
        refuse(receiver, request, NULL, posthorn_http_status(result), posthorn_result_name(result), detail);
    } else if (!tree_budget_take(receiver->tree_budget, weight, false)) {
        refuse(receiver, request, NULL, 503, "busy", "too many large events at once; the sender retries");
    } else {
        handle_parsed(receiver, request);
        tree_budget_give(receiver->tree_budget, weight);
    }
}

/* ---- life ---------------------------------------------------------------------------------------------- */

static bool open_parts(struct receiver *receiver)
{
    const struct receiver_config *config = &receiver->config;

    if (posthorn_store_open(config->folder, &receiver->store) != POSTHORN_OK) {
        fprintf(stderr, "posthorn receive: the folder %s cannot be used: %s\n", config->folder,
                strerrordesc_np(errno));
        return false;
    }
    if (config->handlers && !(receiver->handlers = handlers_open(config->handlers, config->handler_limit_ms)))
        return false;
    if ((config->delay_ms > 0 && !(receiver->delays = delay_queue_open(receiver->clock, config->delay_ms,
                                                                       answer_delayed, receiver))) ||
        (config->handlers && !(receiver->workers = workers_open("ph-handler", (int)config->handlers_max,
                                                                WAITING_MAX, do_job, receiver)))) {
        fprintf(stderr, "posthorn receive: a thread cannot be started\n");
        return false;
    }
    return true;
}

struct receiver *receiver_open(const struct receiver_config *config)
{
    struct receiver *receiver = memory_zero(1, sizeof *receiver);

    receiver->config = *config;
    receiver->clock = clock_system();
    receiver->tree_budget = tree_budget_open(config->trees_bytes_max);
    receiver->style = (struct request_line_style){config->folder, config->json, colours_for(stdout)};
    if (open_parts(receiver))
        return receiver;
    receiver_close(receiver);
    return NULL;
}

void receiver_flush(struct receiver *receiver)
{
    if (receiver->workers)
        workers_finish(receiver->workers);
    if (receiver->delays)
        delay_queue_flush(receiver->delays);
}

void receiver_close(struct receiver *receiver)
{
    workers_close(receiver->workers);
    delay_queue_close(receiver->delays);
    handlers_close(receiver->handlers);
    posthorn_store_close(receiver->store);
    tree_budget_close(receiver->tree_budget);
    free(receiver);
}
