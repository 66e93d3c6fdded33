/*
 * event_draft: an event on its way in, read from one request document; the store will give it its id. POST
 * /api/events makes one of its body, a batch one of each line.
 */
#pragma once
#include "jsonapi.h"

/* As model_type_valid: neither "." nor "..", which are no segments of a path. (No lookahead: RE2 has none.)
 */
#define TYPE_PATTERN "^(\\\\.{0,2}[A-Za-z0-9_-][A-Za-z0-9_.-]*|\\\\.{3}[A-Za-z0-9_.-]*)$"

struct event_draft {
    struct bytes event_type, resource_type, resource_id;
    struct bytes channels; /* with a space between two */
    int64_t created_at_ms;
    bool created_at_given;
    struct bytes own_id; /* its producer's `id`; len 0: none */
    int64_t owner_id;    /* set it first: to the caller */
    struct routing_terms terms;
    struct text relationships;  /* init them first; JSON, as body_render takes it */
    struct text included;       /* its document but for the head, for which there is room in front */
    size_t front;               /* that room */
    struct resource *snapshots; /* of `included`, in its order */
    int snapshot_count;
};

/* The texts view the document's tree, and the text it was read from. False: call->failure. */
bool event_draft_read(struct call *call, const struct request_document *document, struct event_draft *draft);
/* Copies those views, so that the tree may go. */
bool event_draft_keep(struct call *call, struct arena *arena, struct event_draft *draft);
/* Of what is between the brackets of `included`. */
size_t event_draft_included_len(const struct event_draft *draft);
/* The op's event, its document, which but for its id is frozen, and the snapshots in there. The arena is for
 * a while. */
bool event_draft_render(struct call *call, struct arena *arena, const struct event_draft *draft,
                        struct store_op *op);
/* The event's own id, if it has one, as its idempotency key, unless the op has another: the same event again
 * is replayed, another one conflicts. Says in a warning what became of the id. */
bool event_draft_take_own_id(struct call *call, const struct event_draft *draft, struct store_op *op);
/* The op's key, if it has one, is this request's until its answer (idempotency_key.h). `kind` and `source`:
 * where it is from, if it is not the event's id. */
bool event_draft_hold_key(struct call *call, const struct store_op *op, enum source_kind kind,
                          const char *source);
bool event_draft_is_named_by_id(const struct store_op *op);
bool event_draft_fail_id(struct call *call);
/* Members of the answer's meta when the written event goes to nobody: that, why, and how it is sent later.
 * NULL: it goes to somebody. */
const char *event_draft_goes_nowhere(struct call *call, const struct store_op *op);
