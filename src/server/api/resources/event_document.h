/*
 * event_document: an event as the API shows it, made from the stored document, so that what is pushed and
 * what is polled come from one serializer (body_render).
 *
 * Changed on the way: sent_at is null until it was sent; links.self and meta (user, received_at) are added;
 * the snapshot in `included` is left out unless asked for.
 */
#pragma once
#include "jsonapi.h"

/* The event that was read. NULL after call_fail: there is none that the caller may see. */
const struct event *event_document_read(struct call *call);
/* Appends the resource object, with the fields that are asked for. One that is damaged is shown with its id
 * and no more. */
void event_document_put(struct text *out, const struct call *call, const struct event *event);
enum { EVENT_DOCUMENT_IDS = 2 };
/* The same of one that body_render has just made, with so much of `included`: nothing has to be looked for.
 * Its id is not known yet, and goes into these places of `out` (ids.h). */
void event_document_put_rendered(struct text *out, const struct event *event, size_t included_len,
                                 size_t id_places[EVENT_DOCUMENT_IDS]);
/* The elements of `included` as a tree on the arena; NULL: there are none. */
struct json_value *event_document_read_included(const struct event *event, struct arena *arena);
/* Appends them, with the fields that are asked for, `separator` before the first. */
void event_document_put_included(struct text *out, const struct call *call, const struct event *event,
                                 const char *separator);
