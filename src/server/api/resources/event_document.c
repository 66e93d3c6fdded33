#include "event_document.h"
#include "body.h"
#include "instant.h"
#include <assert.h>

static const char data_begins[] = "{\"data\":";
static const char included_begins[] = ",\"included\":[";

/* `end` is where data's own brace stands. */
static void put_data(struct text *out, const struct event *event, size_t end)
{
    struct bytes document = event->document;
    size_t begin = sizeof data_begins - 1;
    size_t stamp = event->stamp_offset, behind_stamp = stamp + INSTANT_LEN;
    assert(stamp > begin && behind_stamp < end);
    assert(document.data[stamp - 1] == '"' && document.data[behind_stamp] == '"');
    if (event->sent_at_ms) {
        char date[INSTANT_LEN];
        instant_format(event->sent_at_ms, date);
        text_put(out, bytes_make(document.data + begin, stamp - begin));
        text_put(out, bytes_make(date, sizeof date));
        text_put(out, bytes_make(document.data + behind_stamp, end - behind_stamp));
    } else {
        text_put(out, bytes_make(document.data + begin, stamp - 1 - begin));
        text_puts(out, "null");
        text_put(out, bytes_make(document.data + behind_stamp + 1, end - behind_stamp - 1));
    }
    char received[INSTANT_LEN];
    instant_format(event->received_at_ms, received);
    text_puts(out, ",\"links\":{\"self\":\"/api/events/");
    text_put_int64(out, event->id);
    text_puts(out, "\"},\"meta\":{\"user\":\"");
    text_put_int64(out, event->owner_id);
    text_puts(out, "\",\"received_at\":\"");
    text_put(out, bytes_make(received, sizeof received));
    text_puts(out, "\"}}");
}

bool event_document_is_sound(const struct event *event)
{
    struct json_reading reading;
    struct bytes document = event->document;
    size_t end = body_data_end(document);
    return end > 0 && body_has_stamp(document, event->stamp_offset) &&
           event->stamp_offset + (size_t)INSTANT_LEN < end &&
           json_check((char *)document.data, document.len, false, &reading) == JSON_OK;
}

void event_document_put(struct text *out, const struct event *event)
{
    if (event_document_is_sound(event)) {
        put_data(out, event, body_data_end(event->document) - 1);
        return;
    }
    text_puts(out, "{\"type\":\"events\",\"id\":\"");
    text_put_int64(out, event->id);
    text_puts(out, "\",\"meta\":{\"damaged\":\"The stored event is damaged and cannot be shown or sent; "
                   "`posthorn check` finds all such.\"}}");
}

void event_document_put_rendered(struct text *out, const struct event *event, size_t included_len)
{
    size_t behind = sizeof included_begins - 1 + included_len + (sizeof "]}" - 1);
    assert(event->document.len > behind + 1);
    size_t end = event->document.len - behind - 1;
    assert(bytes_starts(bytes_make(event->document.data + end, behind), "},\"included\":["));
    put_data(out, event, end);
}

/* The elements of `included`, without brackets; data NULL: there is none. */
static struct bytes find_included(const struct event *event)
{
    if (!event_document_is_sound(event))
        return (struct bytes){0};
    size_t end = body_data_end(event->document), begin = sizeof included_begins - 1;
    struct bytes rest = bytes_make(event->document.data + end, event->document.len - end);
    if (!bytes_starts(rest, included_begins) || rest.len < begin + 2)
        return (struct bytes){0};
    return bytes_make(rest.data + begin, rest.len - begin - 2); /* without ]} */
}

void event_document_put_included(struct text *out, const struct event *event)
{
    text_put(out, find_included(event));
}

bool event_document_has_included(const struct event *event)
{
    return find_included(event).len > 0;
}

struct json_object *event_document_read_included(const struct event *event)
{
    struct json_reading reading;
    struct bytes included = find_included(event);
    if (!included.data)
        return NULL;
    /* With its brackets. Strict reading changes nothing. */
    return json_read((char *)included.data - 1, included.len + 2, false, &reading);
}
