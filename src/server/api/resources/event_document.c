#include "event_document.h"
#include "body.h"
#include "instant.h"
#include <assert.h>

static const char data_begins[] = "{\"data\":";
static const char included_begins[] = ",\"included\":[";

/* Behind the members of data: what the API adds. Returns where the id stands. */
static size_t put_end(struct text *out, const struct event *event)
{
    char received[INSTANT_LEN];
    instant_format(event->received_at_ms, received);
    text_puts(out, ",\"links\":{\"self\":\"/api/events/");
    size_t id_place = body_put_id(out, event->id);
    text_puts(out, "\"},\"meta\":{\"user\":\"");
    text_put_int64(out, event->owner_id);
    text_puts(out, "\",\"received_at\":\"");
    text_put(out, bytes_make(received, sizeof received));
    text_puts(out, "\"}}");
    return id_place;
}

/* `end` is where data's own brace stands. */
static void put_data(struct text *out, const struct event *event, size_t end,
                     size_t id_places[EVENT_DOCUMENT_IDS])
{
    struct bytes document = event->document;
    size_t begin = sizeof data_begins - 1;
    size_t stamp = event->stamp_offset, behind_stamp = stamp + INSTANT_LEN;
    assert(stamp > begin && behind_stamp < end);
    assert(document.data[stamp - 1] == '"' && document.data[behind_stamp] == '"');
    id_places[0] = out->len + BODY_ID_AT - begin;
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
    id_places[1] = put_end(out, event);
}

/* Some fields of it, read from the document. False: that takes too much memory. */
static bool put_some(struct text *out, const struct call *call, const struct event *event)
{
    struct json_reading reading;
    struct arena tree;
    char date[INSTANT_LEN];
    arena_init(&tree, CALL_SCRATCH_LEN_MAX);
    /* Strict reading changes nothing. */
    const struct json_value *root =
        json_tree_read(&tree, (char *)event->document.data, event->document.len, false, &reading);
    const struct json_value *data = json_member(root, "data");
    struct json_value *sent_at = json_member(json_member(data, "attributes"), "sent_at");
    if (sent_at) {
        instant_format(event->sent_at_ms, date);
        json_become_string(sent_at, bytes_make(date, sizeof date));
        if (!event->sent_at_ms)
            sent_at->kind = JSON_NULL;
        fieldset_put(out, call, data);
        put_end(out, event);
    }
    arena_fini(&tree);
    return sent_at != NULL;
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

void event_document_put(struct text *out, const struct call *call, const struct event *event)
{
    size_t id_places[EVENT_DOCUMENT_IDS];
    if (event_document_is_sound(event)) {
        if (!fieldset_find(call, bytes_of("events")) || !put_some(out, call, event))
            put_data(out, event, body_data_end(event->document) - 1, id_places);
        return;
    }
    text_puts(out, "{\"type\":\"events\",\"id\":\"");
    text_put_int64(out, event->id);
    text_puts(out, "\",\"meta\":{\"damaged\":\"The stored event is damaged and cannot be shown or sent; "
                   "`posthorn check` finds all such.\"}}");
}

void event_document_put_rendered(struct text *out, const struct event *event, size_t included_len,
                                 size_t id_places[EVENT_DOCUMENT_IDS])
{
    size_t behind = sizeof included_begins - 1 + included_len + (sizeof "]}" - 1);
    assert(event->document.len > behind + 1);
    size_t end = event->document.len - behind - 1;
    assert(bytes_starts(bytes_make(event->document.data + end, behind), "},\"included\":["));
    put_data(out, event, end, id_places);
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

struct json_value *event_document_read_included(const struct event *event, struct arena *arena)
{
    struct json_reading reading;
    struct bytes included = find_included(event);
    /* With its brackets. Strict reading changes nothing. */
    return included.len ? json_tree_read(arena, (char *)included.data - 1, included.len + 2, false, &reading)
                        : NULL;
}

void event_document_put_included(struct text *out, const struct call *call, const struct event *event,
                                 const char *separator)
{
    struct arena tree;
    arena_init(&tree, CALL_SCRATCH_LEN_MAX);
    const struct json_value *included =
        call->query.fieldset_count ? event_document_read_included(event, &tree) : NULL;
    if (!included) { /* all of it, also when some of it would take too much memory */
        struct bytes whole = find_included(event);
        text_puts(out, whole.len ? separator : "");
        text_put(out, whole);
    }
    for (const struct json_value *one = included ? included->first : NULL; one; one = one->next) {
        text_puts(out, separator);
        fieldset_put(out, call, one);
        text_putc(out, '}');
        separator = ",";
    }
    arena_fini(&tree);
}
