#include "notices.h"
#include "background.h"
#include "body.h"
#include "instant.h"
#include "memory.h"
#include <stdlib.h>

enum { ROWS_AT_ONCE = 64, DOCUMENT_LEN_MAX = 4096 };

struct notices {
    struct notices_config config;
    struct background background;
    struct arena arena; /* of one document */
    struct store_notice rows[ROWS_AT_ONCE];
};

static bool notices_do(struct notices *notices, struct store_op op)
{
    return background_write(&notices->background, notices->config.queue, op);
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

static int notices_look(void *ctx)
{
    struct notices *notices = ctx;
    struct store_op list = {.kind = STORE_NOTICES, .notices = {.rows = notices->rows, .room = ROWS_AT_ONCE}};
    int count = notices_do(notices, list) ? notices->background.write.op.notices.count : 0;
    for (int i = 0; i < count; i++)
        if (!notices_do(notices, event_of(notices, &notices->rows[i])))
            break; /* they are due still */
    return notices->config.period_ms;
}

struct notices *notices_open(const struct notices_config *config)
{
    struct notices *notices = memory_zero(1, sizeof *notices);
    notices->config = *config;
    arena_init(&notices->arena, 64 << 10);
    background_start(&notices->background, config->period_ms, notices_look, notices);
    return notices;
}

void notices_close(struct notices *notices)
{
    if (!notices)
        return;
    background_stop(&notices->background);
    arena_fini(&notices->arena);
    free(notices);
}
