/*
 * routing: which endpoints an event goes to, what its copies say, and what it changes beside. Pure.
 *
 * Who accepts an event asks what follows from its producer. A store then gives each endpoint that may be
 * meant, those of the owner first, then those of the owner's Master; each that is judged ROUTING_SENT gets
 * one delivery. If none does, the event is skipped: it has one delivery, to the owner's default endpoint,
 * that has ended as DELIVERY_SKIPPED; unless an endpoint with a URL did not want it: then it has none, and
 * the store keeps which did not, and why.
 */
#pragma once
#include "filter.h"
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

/*
 * A notice (notice.h) is an event of the owner of the endpoint that it is about. It goes to the endpoints of
 * the owner and of the owner's Master, whatever that receives_users_events, which ask for its type by name:
 * one of their event_types stands for it and is more than `*`. It never goes to the endpoint that it is
 * about. If that one asks for any notices itself, it goes to the Master's alone. So what a notice causes is
 * told further up or not at all, and no notice leads to another for ever.
 */
struct routing_notice {
    int64_t about_id;
    bool about_asks; /* routing_asks_for_notices of the endpoint that it is about */
};

struct routing_event {
    int64_t owner_id, master_id; /* master_id 0: the owner has none */
    bool owner_only;
    struct bytes event_type;
    struct bytes channels;               /* labels separated by spaces; len 0: none */
    struct bytes document;               /* what filters are judged on */
    int64_t steps;                       /* FILTER_STEPS_MAX at first: left for its filters */
    const struct filter_member *differs; /* out: of ROUTING_FILTER, what did not match (filter.h) */
    const struct routing_notice *notice; /* NULL: an event like any other */
};

/* The events that an endpoint wants. */
struct routing_wishes {
    struct bytes event_types;    /* names separated by spaces; len 0: all. A `*` at the end of one stands for
                                    any rest */
    struct bytes channels;       /* labels separated by spaces; len 0: none */
    const struct filter *filter; /* NULL: none */
};

struct routing_endpoint {
    int64_t user_id; /* whose it is */
    bool has_url;
    bool receives_users_events;          /* a Master's, of the events of its users */
    const struct routing_wishes *wishes; /* NULL: all events */
    int64_t id;                          /* its own; for notices */
};

enum routing_verdict {
    ROUTING_SENT,
    ROUTING_NO_URL,
    ROUTING_NOT_ASKED, /* a Master's that does not receive_users_events; one that does not ask for a notice */
    ROUTING_OWNER_ONLY, /* a Master's, and the event is its owner's alone */
    ROUTING_FOREIGN,    /* neither the owner's nor its Master's */
    ROUTING_TYPE,       /* none of its event_types */
    ROUTING_CHANNEL,    /* it has channels, and the event has none of them, or none at all */
    ROUTING_FILTER      /* its filter differs. One that is FILTER_UNJUDGED lets the event through */
};
/* Of a notice: the endpoint, which is the owner's or its Master's, asks for it. */
bool routing_asks_for(const struct routing_event *event, const struct routing_endpoint *endpoint);
enum routing_verdict routing_judge(struct routing_event *event, const struct routing_endpoint *endpoint);

/* An event with channels goes to an endpoint without; an event without does not go to an endpoint with. */
bool routing_channels_meet(struct bytes of_event, struct bytes of_endpoint);
bool routing_type_listed(struct bytes event_type, struct bytes event_types);
/* An endpoint with these event_types asks for any notice by name. */
bool routing_asks_for_notices(struct bytes event_types);

/* Of the endpoints that had a URL, one whose wishes an event did not meet. */
struct routing_unmatched {
    int64_t endpoint_id;
    enum routing_verdict verdict;
    bool is_masters; /* of the owner's Master, whom alone it concerns */
};
/* They are kept with the event as text: `ID:type ID:filter ID:channel:master`. */
enum { ROUTING_UNMATCHED_LEN_MAX = 2 * MODEL_ENDPOINTS_MAX * (BYTES_INT64_LEN_MAX + 17) };
extern const char *const routing_verdict_names[]; /* "type", "channel", "filter", from ROUTING_TYPE on */
bool routing_is_unmatched(enum routing_verdict verdict);
/* Writes one behind `out`, which has room; returns its length. */
size_t routing_put_unmatched(char *out, bool first, struct routing_unmatched unmatched);
/* Takes the next one from the front. False: there is none, or the rest is damaged. */
bool routing_next_unmatched(struct bytes *rest, struct routing_unmatched *unmatched);

/* ---- by its snapshots ---- */

/* Of those that an event carries, the one that it is about: unless the event destroys it, it is the latest.
 * NULL: none is. The others are put as they are. */
const struct resource *routing_own_snapshot(const struct event *event, const struct resource *included,
                                            int count);
