#include "receiver.h"
#include "instant.h"
#include "memory.h"
#include "postpone.h"
#include "terminal.h"
#include "text.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { LINE_LEN_MAX = 8 * 1024, LINE_MEMORY_MAX = 4 * POSTHORN_DOCUMENT_LEN_MAX, HEADERS_AUTH_MAX = 2 };

struct receiver {
    struct receiver_config config;
    struct posthorn_store *store;
    struct posthorn_dispatcher *dispatcher;
    struct postpone *postpone; /* NULL: no delay */
    struct clock clock;
    struct colours colours;
    atomic_llong requests; /* that passed authentication */
};

/* What is said about one request. */
struct report {
    int status;
    const char *outcome; /* "stored", "duplicate", ... */
    const char *detail;  /* what went wrong, or NULL */
    const struct posthorn_event *event;
    const char *file; /* in the folder, or NULL */
};

static struct posthorn_text text_of(struct bytes bytes)
{
    return (struct posthorn_text){bytes.data, bytes.len};
}

static struct bytes bytes_from(struct posthorn_text text)
{
    return bytes_make(text.data, text.len);
}

/* ---- lines --------------------------------------------------------------------------------------------- */

static void put_member(struct text *line, const char *name, struct bytes value)
{
    text_printf(line, ",\"%s\":", name);
    text_put_json(line, value);
}

static void put_json_line(struct text *line, const struct report *report, const char *folder,
                          const char *time)
{
    text_printf(line, "{\"time\":\"%.*s\",\"status\":%d,\"outcome\":\"%s\"", INSTANT_LEN, time,
                report->status, report->outcome);
    if (report->event) {
        put_member(line, "id", bytes_from(posthorn_event_id(report->event)));
        put_member(line, "event_type", bytes_from(posthorn_event_type(report->event)));
        text_puts(line, ",\"resource\":{\"type\":");
        text_put_json(line, bytes_from(posthorn_event_resource_type(report->event)));
        put_member(line, "id", bytes_from(posthorn_event_resource_id(report->event)));
        text_puts(line, "}");
    }
    if (report->file) {
        text_puts(line, ",\"file\":");
        char *path = arena_printf(line->arena, "%s/%s", folder, report->file);
        text_put_json(line, bytes_of(path ? path : report->file));
    }
    if (report->detail)
        put_member(line, "detail", bytes_of(report->detail));
    text_puts(line, "}\n");
}

static void put_plain_line(struct text *line, const struct report *report, struct colours colours,
                           const char *folder, const char *time)
{
    enum colour colour = report->status != 200                    ? COLOUR_BAD
                         : strcmp(report->outcome, "stored") == 0 ? COLOUR_GOOD
                                                                  : COLOUR_NOTE;

    text_printf(line, "%s%.13s%s %s%d %-9s%s", colour_start(colours, COLOUR_FAINT), time + 11,
                colour_end(colours), colour_start(colours, colour), report->status, report->outcome,
                colour_end(colours));
    if (report->event) {
        text_putc(line, ' ');
        text_put_printable(line, bytes_from(posthorn_event_type(report->event)));
        text_putc(line, ' ');
        text_put_printable(line, bytes_from(posthorn_event_resource_type(report->event)));
        text_putc(line, '/');
        text_put_printable(line, bytes_from(posthorn_event_resource_id(report->event)));
    }
    if (report->event && !report->file) { /* the file's name begins with the id */
        text_puts(line, " id ");
        text_put_printable(line, bytes_from(posthorn_event_id(report->event)));
    }
    if (report->file)
        text_printf(line, " %s%s/%s%s", colour_start(colours, COLOUR_FAINT), folder, report->file,
                    colour_end(colours));
    if (report->detail) {
        text_puts(line, " (");
        text_put_printable(line, bytes_of(report->detail));
        text_putc(line, ')');
    }
    text_putc(line, '\n');
}

/* One write a line, so that lines of several threads stay whole. */
static void print_report(const struct receiver *receiver, const struct report *report)
{
    struct arena arena;
    struct text line;
    char time[INSTANT_LEN];

    /* An id may be as long as its document; the arena bounds what of it is printed. */
    arena_init(&arena, LINE_MEMORY_MAX);
    text_init(&line, &arena, receiver->config.json ? LINE_MEMORY_MAX : LINE_LEN_MAX);
    instant_format(clock_wall_ms(&receiver->clock), time);
    if (receiver->config.json)
        put_json_line(&line, report, receiver->config.folder, time);
    else
        put_plain_line(&line, report, receiver->colours, receiver->config.folder, time);
    fwrite(line.data, 1, line.len, stdout);
    if (line.overflow)
        putchar('\n');
    fflush(stdout);
    arena_fini(&arena);
}

/* ---- answers ------------------------------------------------------------------------------------------- */

static const struct listener_header json_type = {{"Content-Type", 12}, {"application/json", 16}};

static void fill_reply(struct listener_reply *reply, int status, struct bytes body)
{
    *reply =
        (struct listener_reply){.status = status, .headers = &json_type, .header_count = 1, .body = body};
}

static void answer(struct receiver *receiver, struct listener_request *request, int status)
{
    struct listener_reply reply;

    fill_reply(&reply, status,
               bytes_of(status == 200 ? "{\"status\":\"success\"}" : "{\"status\":\"failure\"}"));
    if (receiver->postpone)
        postpone_answer(receiver->postpone, request, &reply);
    else
        listener_answer(request, &reply);
}

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

int receiver_accept_head(void *ctx, struct listener_request *request)
{
    struct receiver *receiver = ctx;

    if (!bytes_equal_text(request->method, "POST"))
        return 405;
    if (receiver->config.keys.count == 0)
        return 0;
    enum posthorn_result result = check_auth(receiver, request);
    return result == POSTHORN_OK ? 0 : posthorn_http_status(result);
}

void receiver_on_refused(void *ctx, struct listener_request *request, int status,
                         struct listener_reply *reply)
{
    static const struct listener_header not_allowed[] = {{{"Content-Type", 12}, {"application/json", 16}},
                                                         {{"Allow", 5}, {"POST", 4}}};
    struct receiver *receiver = ctx;
    struct report report = {
        .status = status, .outcome = "refused", .detail = "not an acceptable HTTP request"};

    if (status == 401)
        report.detail = posthorn_result_sentence(check_auth(receiver, request));
    else if (status == 405)
        report.detail = "events are sent with POST";
    else if (status == 413)
        report.detail = posthorn_result_sentence(POSTHORN_TOO_LARGE);
    fill_reply(reply, status, bytes_of("{\"status\":\"failure\"}"));
    if (status == 405) {
        reply->headers = not_allowed;
        reply->header_count = 2;
    }
    print_report(receiver, &report);
}

/* ---- one event ----------------------------------------------------------------------------------------- */

/* Is this request one of those that are to fail? */
static bool take_fault(struct receiver *receiver)
{
    long long number = atomic_fetch_add(&receiver->requests, 1);

    return receiver->config.fault_status != 0 &&
           (receiver->config.fault_count < 0 || number < receiver->config.fault_count);
}

static enum posthorn_result keep(struct receiver *receiver, const struct posthorn_event *event,
                                 struct report *report, char name[POSTHORN_NAME_LEN_MAX + 1])
{
    enum posthorn_result result = posthorn_handle(receiver->dispatcher, receiver->store, event, name);
    int error = errno;

    if (result == POSTHORN_OK || result == POSTHORN_DUPLICATE || result == POSTHORN_CONFLICT)
        report->file = name;
    report->outcome = result == POSTHORN_OK ? "stored" : posthorn_result_name(result);
    if (result == POSTHORN_IO)
        report->detail = strerrordesc_np(error);
    else if (result != POSTHORN_OK && result != POSTHORN_DUPLICATE)
        report->detail = posthorn_result_sentence(result);
    return result;
}

void receiver_handle(void *ctx, struct listener_request *request)
{
    struct receiver *receiver = ctx;
    struct posthorn_event *event = NULL;
    struct posthorn_problem problem;
    struct report report = {0};
    char name[POSTHORN_NAME_LEN_MAX + 1];
    enum posthorn_result result = posthorn_parse(request->body, request->body_len, &event, &problem);

    report.event = event;
    if (take_fault(receiver)) {
        report.status = (int)receiver->config.fault_status;
        report.outcome = "fault";
        report.detail = "as asked for with --status; not stored";
    } else if (result == POSTHORN_OK) {
        report.status = posthorn_http_status(keep(receiver, event, &report, name));
    } else {
        report.status = posthorn_http_status(result);
        report.outcome = posthorn_result_name(result);
        report.detail = problem.detail;
    }
    print_report(receiver, &report);
    posthorn_event_free(event);
    answer(receiver, request, report.status);
}

/* ---- life ---------------------------------------------------------------------------------------------- */

struct receiver *receiver_open(const struct receiver_config *config)
{
    struct receiver *receiver = memory_zero(1, sizeof *receiver);

    receiver->config = *config;
    receiver->clock = clock_system();
    receiver->colours = colours_for(stdout);
    receiver->dispatcher = posthorn_dispatcher_new();
    if (posthorn_store_open(config->folder, &receiver->store) != POSTHORN_OK)
        fprintf(stderr, "posthorn receive: the folder %s cannot be used: %s\n", config->folder,
                strerrordesc_np(errno));
    else if (config->delay_ms > 0 && !(receiver->postpone = postpone_open(config->delay_ms)))
        fprintf(stderr, "posthorn receive: the system gives no thread\n");
    else if (receiver->dispatcher)
        return receiver;
    receiver_close(receiver);
    return NULL;
}

void receiver_flush(struct receiver *receiver)
{
    if (receiver->postpone)
        postpone_flush(receiver->postpone);
}

void receiver_close(struct receiver *receiver)
{
    if (receiver->postpone)
        postpone_close(receiver->postpone);
    posthorn_dispatcher_free(receiver->dispatcher);
    posthorn_store_close(receiver->store);
    free(receiver);
}
