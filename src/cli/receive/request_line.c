#include "request_line.h"
#include "arena.h"
#include "clock.h"
#include "instant.h"
#include "text.h"

#include <stdio.h>

enum { LINE_LEN_MAX = 8 * 1024, OUTPUT_LEN_MAX = 32 * 1024, LINE_MEMORY_MAX = 4 * POSTHORN_DOCUMENT_LEN_MAX };

static struct bytes bytes_from(struct posthorn_text text)
{
    return bytes_make(text.data, text.len);
}

static void put_member(struct text *line, const char *name, struct bytes value)
{
    text_printf(line, ",\"%s\":", name);
    text_put_json(line, value);
}

/* Joins its lines. */
static void put_output(struct text *line, struct bytes output)
{
    while (output.len > 0) {
        const char *end = memchr(output.data, '\n', output.len);
        struct bytes one = {output.data, end ? (size_t)(end - output.data) : output.len};
        if (one.len > 0) {
            text_puts(line, " | ");
            text_put_printable(line, one);
        }
        output = bytes_make(output.data + one.len + (end != NULL), output.len - one.len - (end != NULL));
    }
}

static void put_json_line(struct text *out, const struct request_line *report, const char *folder,
                          const char *time)
{
    struct text shown, *line = &shown;

    text_init(line, out->arena, LINE_MEMORY_MAX);
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
    if (report->output.len > 0)
        put_member(line, "output", report->output);
    text_puts(line, "}\n");
    text_put_json_shown(out, text_bytes(line));
}

static void put_plain_line(struct text *line, const struct request_line *report, struct colours colours,
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
    put_output(line, report->output);
    text_putc(line, '\n');
}

/* Each line is one write, so the lines of several threads do not mix. */
void request_line_print(const struct request_line *report, const struct request_line_style *style)
{
    struct arena arena;
    struct text line;
    char time[INSTANT_LEN];

    /* An id may be as long as its document; the arena limits the printed part. */
    arena_init(&arena, 3 * (size_t)LINE_MEMORY_MAX);
    text_init(&line, &arena, style->json ? LINE_MEMORY_MAX : LINE_LEN_MAX);
    struct clock clock = clock_system();
    instant_format(clock_wall_ms(&clock), time);
    if (style->json)
        put_json_line(&line, report, style->folder, time);
    else
        put_plain_line(&line, report, style->colours, style->folder, time);
    fwrite(line.data, 1, line.len, stdout);
    if (line.overflow)
        putchar('\n');
    fflush(stdout);
    arena_fini(&arena);
}
