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

/* The document is a head, what is included, and a tail. The head takes at most so many bytes, whatever its id
 * and dates will be. */
size_t body_head_len_max(const struct body_parts *parts);
void body_render_head(struct text *out, const struct body_parts *parts, uint32_t *stamp_offset);
#define BODY_TAIL "]}"
/* Appends an id; if it is 0, a place for ids_put. Where it stands, counted from the start of `out`. */
size_t body_put_id(struct text *out, int64_t id);
/* Appends the document; *stamp_offset is where the 24 bytes of sent_at begin, counted from the start of
 * `out`. */
void body_render(struct text *out, const struct body_parts *parts, uint32_t *stamp_offset);
/* Whether a document that was kept somewhere still has its stamp: what body_stamp asks for. */
bool body_has_stamp(struct bytes document, int64_t stamp_offset);
/* Behind the object `data`, of a document that was kept somewhere. 0: it is damaged. */
size_t body_data_end(struct bytes document);
/* Writes the 24 bytes. The document must have come from body_render (asserted: quotes around the stamp). */
void body_stamp(char *document, size_t len, uint32_t stamp_offset, int64_t sent_at_ms);
/* Writes the id into the place that body_render has left for it (asserted: quotes around it). */
void body_stamp_id(char *document, size_t len, int64_t id);
