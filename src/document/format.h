/*
 * format: what a push carries of a stored, stamped document: its body, its Content-Type and the headers that
 * describe the event. Pure. It depends on the document and the format alone, so every attempt sends the same
 * bytes, across restarts too. Signatures sign these bytes.
 *
 *   guide               the document, as the guide has it
 *   cloudevents         CloudEvents 1.0, structured mode: a JSON object whose `data` is the document
 *   cloudevents-binary  CloudEvents 1.0, binary mode: the document, and ce- headers
 *   thin                the document without `included`
 *
 * The attributes of CloudEvents: `id` is the event's, `source` is "/api/events" (so source, a slash and the
 * id are the event's path in the API), `type` is the event type, `subject` is the resource as "type/id"
 * (absent: the event has none), `time` is created_at, and `datacontenttype` is that of JSON:API.
 */
#pragma once
#include "header.h"

enum push_format { FORMAT_GUIDE, FORMAT_CLOUDEVENTS, FORMAT_CLOUDEVENTS_BINARY, FORMAT_THIN, FORMAT_COUNT };
extern const char *const push_format_names[]; /* NULL ends */

enum { FORMAT_PIECES_MAX = 20, FORMAT_HEADERS_MAX = 6, FORMAT_VALUES_LEN_MAX = 1024 };

struct format_push {
    struct bytes content_type;
    struct header headers[FORMAT_HEADERS_MAX];
    int header_count;
    /* The body: these, one after the other. One piece is the document itself. */
    struct bytes pieces[FORMAT_PIECES_MAX];
    int piece_count;
    size_t len;
    char values[FORMAT_VALUES_LEN_MAX]; /* of the headers */
    size_t values_len;
};

/* Views of `document` and of `push`: do not move it. False: the document is damaged. */
bool format_render(enum push_format format, struct bytes document, struct format_push *push);
/* Writes push->len bytes. */
void format_write(const struct format_push *push, char *out);
