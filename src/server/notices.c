#include "notices.h"
#include "body.h"
#include "instant.h"
#include "memory.h"
#include <assert.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { ROWS_AT_ONCE = 64, DOCUMENT_LEN_MAX = 4096 };

struct notices {
    struct notices_config config;
    pthread_t thread;
    int stop_fd, done_fd; /* eventfds */
    struct queue_job job;
    enum store_status status; /* of the job, before done_fd */
    struct arena arena;       /* of one document */
    struct store_notice rows[ROWS_AT_ONCE];
};

static void notices_done(struct queue_job *job, enum store_status status)
{
    struct notices *notices = job->ctx;
    notices->status = status;
    eventfd_write(notices->done_fd, 1);
}

/* False: the queue is full, or the store writes nothing now. */
static bool notices_do(struct notices *notices, struct store_op op)
{
    eventfd_t ignored;
    notices->job = (struct queue_job){.op = op, .done = notices_done, .ctx = notices};
    if (!queue_submit(notices->config.queue, &notices->job))
        return false;
    eventfd_read(notices->done_fd, &ignored);
    return notices->status == STORE_OK;
}

static void put_time(struct text *out, const char *name, int64_t at_ms)
{
    char date[INSTANT_LEN + 1] = "";
    if (at_ms > 0)
        instant_format(at_ms, date);
    text_printf(out, at_ms > 0 ? ",\"%s\":\"%s\"" : ",\"%s\":null", name, date);
}

/* The endpoint as it does now. Its URL and its secrets are not in it. */
static void put_endpoint(struct text *out, const struct store_notice *notice)
{
    static const char *const reasons[] = {"null", "\"gone\"", "\"failing\""};
    const char *status = !notice->paused ? "active" : notice->disabled ? "disabled" : "paused";
    text_printf(
        out,
        "{\"type\":\"endpoints\",\"id\":\"%lld\",\"attributes\":{\"status\":\"%s\",\"disabled_reason\":%s",
        (long long)notice->endpoint_id, status, reasons[notice->paused ? notice->disabled : 0]);
    put_time(out, "failing_since", notice->since_ms);
    put_time(out, "disabled_at", notice->disabled_at_ms);
    if (notice->kind == NOTICE_GIVEN_UP)
        text_printf(out, ",\"deliveries_given_up\":%lld}}", (long long)notice->count);
    else
        text_puts(out, ",\"deliveries_given_up\":null}}");
}

static struct store_op event_of(struct notices *notices, const struct store_notice *notice)
{
    char digits[BYTES_INT64_LEN_MAX];
    struct text included, document;
    arena_reset(&notices->arena);
    int64_t now_ms = clock_wall_ms(&notices->config.clock);
    struct bytes id = arena_copy(&notices->arena, bytes_from_int64(notice->endpoint_id, digits));
    struct event event = {.owner_id = notice->owner_id,
                          .event_type = bytes_of(notice_names[notice->kind]),
                          .resource_type = bytes_of("endpoints"),
                          .resource_id = id,
                          .created_at_ms = now_ms,
                          .received_at_ms = now_ms};
    text_init(&included, &notices->arena, DOCUMENT_LEN_MAX);
    text_init(&document, &notices->arena, 2 * DOCUMENT_LEN_MAX);
    put_endpoint(&included, notice);
    body_render(&document,
                &(struct body_parts){.event_type = event.event_type,
                                     .created_at_ms = now_ms,
                                     .resource_type = event.resource_type,
                                     .resource_id = id,
                                     .user_id = notice->owner_id,
                                     .included = text_bytes(&included)},
                &event.stamp_offset);
    event.document = text_bytes(&document);
    return (struct store_op){.kind = STORE_EVENT,
                             .event = {.event = event, .requester_id = notice->owner_id, .notice = notice}};
}

static void notices_look(struct notices *notices)
{
    struct store_op list = {.kind = STORE_NOTICES, .notices = {.rows = notices->rows, .room = ROWS_AT_ONCE}};
    if (!notices_do(notices, list))
        return;
    int count = notices->job.op.notices.count;
    for (int i = 0; i < count; i++)
        if (!notices_do(notices, event_of(notices, &notices->rows[i])))
            return; /* they are due still */
}

static void *notices_main(void *argument)
{
    struct notices *notices = argument;
    struct pollfd stop = {.fd = notices->stop_fd, .events = POLLIN};
    while (poll(&stop, 1, notices->config.period_ms) <= 0)
        notices_look(notices);
    return NULL;
}

struct notices *notices_open(const struct notices_config *config)
{
    struct notices *notices = memory_zero(1, sizeof *notices);
    notices->config = *config;
    arena_init(&notices->arena, 64 << 10);
    notices->stop_fd = eventfd(0, EFD_CLOEXEC);
    notices->done_fd = eventfd(0, EFD_CLOEXEC);
    int error = pthread_create(&notices->thread, NULL, notices_main, notices);
    assert(notices->stop_fd >= 0 && notices->done_fd >= 0 && error == 0);
    return notices;
}

void notices_close(struct notices *notices)
{
    if (!notices)
        return;
    eventfd_write(notices->stop_fd, 1);
    pthread_join(notices->thread, NULL);
    close(notices->stop_fd);
    close(notices->done_fd);
    arena_fini(&notices->arena);
    free(notices);
}
