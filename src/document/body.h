/*
 * body: the pushed document: the guide's JSON:API compound document (webhooks-guide lines 29 to 66). Pure.
 *
 * It is rendered once, when the event comes in, with places for the id, which the store gives as it accepts
 * the event, and for sent_at. These two stamps are the only later changes (promise P5).
 *
 *   {"data":{"type":"events","id":"8","attributes":{"event_type":..,"created_at":..,"sent_at":".."},
 *    "relationships":{"resource":{"data":{"type":..,"id":..}},"user":..,...}},"included":[..]}
 */
#pragma once
#include "bytes.h"
#include "text.h"

/* The beginning of each document; the id follows. */
#define BODY_BEGINS "{\"data\":{\"type\":\"events\",\"id\":\""
enum { BODY_ID_AT = sizeof BODY_BEGINS - 1 };

struct body_parts {
    int64_t id; /* 0: not known yet; leaves its place for body_stamp_id */
    struct bytes event_type;
    int64_t created_at_ms;
    struct bytes resource_type, resource_id; /* both empty: no resource relationship */
    int64_t user_id;                         /* the owner; 0: not in the document */
    bool user_apart; /* a resource of the type users in the document has that id: the account is named without
                        linkage, which would lead to the resource */
    struct bytes relationships; /* further members, already JSON: `"failures":{"data":[]}`; may be empty */
    struct bytes included;      /* already JSON, the elements without brackets; may be empty */
};

/* ---- made ---- */

/* Appends an id, or for 0 a place for ids_put. Returns its offset in `out`. */
size_t body_put_id(struct text *out, int64_t id);
/* Appends the document. *stamp_offset: the offset of the 24 bytes of sent_at in `out`. */
void body_render(struct text *out, const struct body_parts *parts, uint32_t *stamp_offset);

/* The same if `included` is known first; nothing is moved. Leave room for the head in an empty text, append
 * the elements with commas between them, append the tail, and write the head before them.
 *
 * body_leave_head returns the room, which is enough for every id and date. out->len_max counts the elements
 * and parts->relationships; it rises by the text around them. */
size_t body_leave_head(struct text *out, const struct body_parts *parts);
void body_put_tail(struct text *out);
/* The elements. */
struct bytes body_included(const struct text *out, size_t room);
/* The document. data NULL: the arena, which may be freed afterwards, is too small. */
struct bytes body_put_head(const struct text *out, size_t room, const struct body_parts *parts,
                           struct arena *arena, uint32_t *stamp_offset);
/* Writes the 24 bytes. The document must have come from body_render (asserted: quotes around the stamp). */
void body_stamp(char *document, size_t len, uint32_t stamp_offset, int64_t sent_at_ms);
/* Writes the id into the place that body_render has left (asserted: quotes around it). */
void body_stamp_id(char *document, size_t len, int64_t id);

/* ---- read ---- */

/* True: a stored document still has its stamp, as body_stamp requires. */
bool body_has_stamp(struct bytes document, int64_t stamp_offset);

/* Views of a document. */
struct body_view {
    struct bytes data;     /* the object, with its braces */
    struct bytes included; /* the elements, without brackets; often none */
    size_t stamp;          /* the offset of the date of sent_at in `data` */
};
/* Of a stored document. False: damaged. True does not mean that it is valid JSON. */
bool body_read(struct bytes document, int64_t stamp_offset, struct body_view *view);
/* Behind the object `data` of a stored document. 0: damaged. */
size_t body_data_end(struct bytes document);
/* What names the event in a stored, stamped document. Each is the inside of a JSON string, with its escapes.
 */
struct body_facts {
    struct bytes id, event_type, created_at;
    struct bytes resource_type, resource_id; /* both empty: there is no resource */
};
/* False: damaged. */
bool body_find_facts(struct bytes document, struct body_facts *facts);
/* Of a new document whose `included` has this length: nothing is searched. */
void body_read_made(struct bytes document, uint32_t stamp_offset, size_t included_len,
                    struct body_view *view);
/* Appends `data` without its last brace, so that members may follow. sent_at_ms 0: sent_at is null. Returns
 * where the id stands, counted from the start of `out`. */
size_t body_put_data(struct text *out, const struct body_view *view, int64_t sent_at_ms);
