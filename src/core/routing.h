/*
 * routing: which endpoints an event goes to, what its copies say, and what it changes beside. Pure.
 *
 * Who accepts an event asks what follows from its producer. A store then gives each endpoint that may be
 * meant, those of the owner first, then those of the owner's Master; each that is judged ROUTING_SENT gets
 * one delivery. If none does, the event is skipped: it has one delivery, to the owner's default endpoint,
 * that has ended as DELIVERY_SKIPPED. A further setting of an endpoint that decides (event types, a filter)
 * is a field of struct routing_endpoint and a verdict.
 */
#pragma once
#include "model.h"

/* ---- by its producer ---- */

struct routing_terms {
    bool names_owner;       /* the document says whose event it is: a Master has many users */
    bool owner_only;        /* no copy for the owner's Master */
    bool changes_resources; /* its snapshots count */
};
/* `producer_master_id`: 0 for the first Master. A Regular posts where that is allowed for tests: it says
 * nothing to its Master and nothing about resources. */
struct routing_terms routing_terms(bool by_master, int64_t producer_id, int64_t producer_master_id,
                                   int64_t owner_id);

/* ---- by its endpoints ---- */

struct routing_event {
    int64_t owner_id, master_id; /* master_id 0: the owner has none */
    bool owner_only;
};

struct routing_endpoint {
    int64_t user_id; /* whose it is */
    bool has_url;
    bool receives_users_events; /* a Master's, of the events of its users */
};

enum routing_verdict {
    ROUTING_SENT,
    ROUTING_NO_URL,
    ROUTING_NOT_ASKED,  /* a Master's that does not receive_users_events */
    ROUTING_OWNER_ONLY, /* a Master's, and the event is its owner's alone */
    ROUTING_FOREIGN     /* neither the owner's nor its Master's */
};
enum routing_verdict routing_judge(const struct routing_event *event,
                                   const struct routing_endpoint *endpoint);

/* ---- by its snapshots ---- */

/* Of those that an event carries, the one that it is about: unless the event destroys it, it is the latest.
 * NULL: none is. The others are put as they are. */
const struct resource *routing_own_snapshot(const struct event *event, const struct resource *included,
                                            int count);
