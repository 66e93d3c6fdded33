#include "event_document.h"
#include "body.h"
#include "instant.h"

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

/* Some fields of it, read from the whole. False: that takes too much memory. */
static bool put_some(struct text *out, const struct call *call, const struct event *event,
                     const struct body_view *view)
{
    struct json_reading reading;
    struct arena tree;
    struct text whole;
    arena_init(&tree, CALL_SCRATCH_LEN_MAX);
    text_init(&whole, &tree, CALL_SCRATCH_LEN_MAX);
    body_put_data(&whole, view, event->sent_at_ms);
    text_putc(&whole, '}');
    /* Strict reading changes nothing. */
    const struct json_value *data =
        whole.overflow ? NULL : json_tree_read(&tree, whole.data, whole.len, false, &reading);
    if (data) {
        fieldset_put(out, call, data);
        put_end(out, event);
    }
    arena_fini(&tree);
    return data != NULL;
}

/* Read from the disk, so it may be anything. False: it is damaged. */
static bool read_stored(const struct event *event, struct body_view *view)
{
    struct json_reading reading;
    return body_read(event->document, event->stamp_offset, view) &&
           json_check((char *)event->document.data, event->document.len, false, &reading) == JSON_OK;
}

static void put_whole(struct text *out, const struct event *event, const struct body_view *view,
                      size_t id_places[EVENT_DOCUMENT_IDS])
{
    id_places[0] = body_put_data(out, view, event->sent_at_ms);
    id_places[1] = put_end(out, event);
}

const struct event *event_document_read(struct call *call)
{
    const struct store_answer *answer = &call->read.answer;
    if (answer->count > 0 && call_may_see(call, answer->events[0].owner_id))
        return &answer->events[0];
    call_not_found(call, "event");
    return NULL;
}

void event_document_put(struct text *out, const struct call *call, const struct event *event)
{
    size_t id_places[EVENT_DOCUMENT_IDS];
    struct body_view view;
    if (read_stored(event, &view)) {
        if (!fieldset_find(call, bytes_of("events")) || !put_some(out, call, event, &view))
            put_whole(out, event, &view, id_places);
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
    struct body_view view;
    body_read_made(event->document, event->stamp_offset, included_len, &view);
    put_whole(out, event, &view, id_places);
}

static struct bytes find_included(const struct event *event)
{
    struct body_view view;
    return read_stored(event, &view) ? view.included : (struct bytes){0};
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
