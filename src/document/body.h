/*
 * body: the pushed document, the guide's JSON:API compound document (webhooks-guide lines 29 to 66). Pure.
 *
 * Rendered once, when the event comes in, with places of their own length for the id, which the store gives
 * as it accepts the event, and for sent_at. Stamping those two are the only changes ever made (promise P5).
 *
 *   {"data":{"type":"events","id":"8","attributes":{"event_type":..,"created_at":..,"sent_at":".."},
 *    "relationships":{"resource":{"data":{"type":..,"id":..}},"user":..,...}},"included":[..]}
 */
#pragma once
#include "bytes.h"
#include "text.h"

/* How each begins; the id is next. */
#define BODY_BEGINS "{\"data\":{\"type\":\"events\",\"id\":\""
enum { BODY_ID_AT = sizeof BODY_BEGINS - 1 };

struct body_parts {
    int64_t id; /* 0: not known yet, its place is left for body_stamp_id */
    struct bytes event_type;
    int64_t created_at_ms;
    struct bytes resource_type, resource_id; /* both empty: no resource relationship */
    int64_t user_id;                         /* whose event it is; 0: not said */
    struct bytes relationships; /* further members, already JSON: `"failures":{"data":[]}`; may be empty */
    struct bytes included;      /* already JSON, the elements without brackets; may be empty */
};

/* ---- made ---- */

/* Appends an id; if it is 0, a place for ids_put. Where it stands, counted from the start of `out`. */
size_t body_put_id(struct text *out, int64_t id);
/* Appends the document; *stamp_offset is where the 24 bytes of sent_at begin, counted from the start of
 * `out`. */
void body_render(struct text *out, const struct body_parts *parts, uint32_t *stamp_offset);

/* The same when `included` is known first, in the memory where that is written: leave the head's room in an
 * empty text, append the elements with a comma between two, append the tail, and put the head before them.
 * Nothing is moved.
 *
 * body_leave_head returns the room: the head takes no more, whatever its id and dates will be. out->len_max
 * has counted the elements and parts->relationships, and rises by what stands around them. */
size_t body_leave_head(struct text *out, const struct body_parts *parts);
void body_put_tail(struct text *out);
/* The elements, as they stand. */
struct bytes body_included(const struct text *out, size_t room);
/* The document. data NULL: the arena, which may go afterwards, is too small. */
struct bytes body_put_head(const struct text *out, size_t room, const struct body_parts *parts,
                           struct arena *arena, uint32_t *stamp_offset);
/* Writes the 24 bytes. The document must have come from body_render (asserted: quotes around the stamp). */
void body_stamp(char *document, size_t len, uint32_t stamp_offset, int64_t sent_at_ms);
/* Writes the id into the place that body_render has left for it (asserted: quotes around it). */
void body_stamp_id(char *document, size_t len, int64_t id);

/* ---- read ---- */

/* Whether a document that was kept somewhere still has its stamp: what body_stamp asks for. */
bool body_has_stamp(struct bytes document, int64_t stamp_offset);

/* Views of a document. */
struct body_view {
    struct bytes data;     /* the object, with its braces */
    struct bytes included; /* the elements, without brackets; often none */
    size_t stamp;          /* where the date of sent_at begins in `data` */
};
/* Of one that was kept somewhere. False: it is damaged. True says nothing about what is JSON in there. */
bool body_read(struct bytes document, int64_t stamp_offset, struct body_view *view);
/* Of one that was just made, with so much of `included`: nothing has to be looked for. */
void body_read_made(struct bytes document, uint32_t stamp_offset, size_t included_len,
                    struct body_view *view);
/* Appends `data` without its last brace, so that members may follow. sent_at_ms 0: sent_at is null. Returns
 * where the id stands, counted from the start of `out`. */
size_t body_put_data(struct text *out, const struct body_view *view, int64_t sent_at_ms);
