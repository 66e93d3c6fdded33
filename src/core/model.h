/*
 * model: the nouns of posthorn as plain data. Views point into the arena of the code that filled them.
 *
 * Ids are positive 64-bit integers, printed in decimal as JSON strings; 0: none.
 * Names that end in _at_ms are wall-clock times; 0: not yet.
 */
#pragma once
#include "bytes.h"
#include "failure.h"
#include "push_settings.h"

enum {
    MODEL_TYPE_LEN_MAX = 128, /* event_type, resource type: letters, digits, _ . - */
    MODEL_ID_LEN_MAX = 128,   /* resource id, as text */
    MODEL_KEY_LEN_MAX = 256,  /* Idempotency-Key */
    MODEL_BODY_LEN_MAX = 1 << 20,
    MODEL_SIGNING_LEN_MAX = 16 << 10,
    MODEL_IDENTITY_LEN_MAX = 128 << 10,
    MODEL_ALLOW_FROM_LEN_MAX = 4096,
    MODEL_ENDPOINTS_MAX = 100,    /* of a user, the default one included */
    MODEL_EVENT_TYPES_MAX = 100,  /* that an endpoint lists */
    MODEL_CHANNELS_MAX = 10,      /* of an endpoint, and */
    MODEL_EVENT_CHANNELS_MAX = 5, /* of an event */
    MODEL_CHANNEL_LEN_MAX = 64,
    MODEL_METADATA_MAX = 50, /* pairs */
    MODEL_METADATA_NAME_LEN_MAX = 64,
    MODEL_METADATA_VALUE_LEN_MAX = 512,
    MODEL_DESCRIPTION_LEN_MAX = 1024,
    MODEL_IN_FLIGHT_MAX = 256,
    MODEL_RATE_MAX = 100000,
    MODEL_TIMEOUT_S_MAX = 60,
    MODEL_DISABLE_AFTER_MAX = 365, /* days */
    MODEL_RESPONSE_KEPT_LEN = 1024,
    MODEL_DETAIL_LEN_MAX = 240,
    MODEL_USER_ID_FIRST = 5 /* so that the guide's own curl works as printed (mission row 43) */
};

/* The settings of an endpoint for the flow of its deliveries (flow.h). Zeroed memory: no limits. */
enum flow_per { FLOW_PER_SECOND, FLOW_PER_MINUTE, FLOW_PER_HOUR };
struct endpoint_rate {
    int32_t count; /* 1 to MODEL_RATE_MAX; 0: no limit */
    enum flow_per per;
};
struct flow_settings {
    int32_t in_flight_max; /* 1 to MODEL_IN_FLIGHT_MAX; 0: as the settings say */
    struct endpoint_rate rate;
    bool ordered;
};
static inline bool flow_settings_none(const struct flow_settings *set)
{
    return set->in_flight_max == 0 && set->rate.count == 0 && !set->ordered;
}
/* From stored numbers, which may be damaged: one that is out of range is none. */
struct flow_settings flow_settings_of(int64_t in_flight_max, int64_t rate_count, int64_t rate_per,
                                      int64_t ordered);

enum user_role { USER_REGULAR, USER_MASTER };

/* Why posthorn itself has disabled an endpoint. */
enum endpoint_disabled {
    ENDPOINT_ENABLED,
    ENDPOINT_GONE,    /* a 410, with disable_on_410 */
    ENDPOINT_FAILING, /* it only failed for the days of disable_after (failing.h) */
    ENDPOINT_DISABLED_COUNT
};

/* Where events are pushed to, and how. */
struct endpoint {
    int64_t id, owner_id; /* the owner is a user */
    struct bytes url;     /* len 0: none */
    bool disable_on_410;
    int32_t disable_after; /* days, 1 to MODEL_DISABLE_AFTER_MAX; 0: never */
    bool paused; /* nothing is attempted, and deliveries wait: as a person set it, or as it is disabled */
    int64_t paused_at_ms; /* since when; 0: it is not */
    enum endpoint_disabled disabled;
    struct flow_settings flow;
    /* Which events it wants (routing.h). Names and labels are separated by spaces. */
    struct bytes event_types, channels; /* len 0: all; none */
    struct bytes filter;                /* a pattern (filter.h), as JSON; len 0: none */
    struct bytes description, metadata; /* shown, never sent; metadata: a JSON object of texts */
    /* Sealed (vault.h): only the server can open them, and nothing shows them. len 0: none. */
    struct bytes signing;  /* the secrets of the second signature */
    struct bytes identity; /* the TLS identity: certificate, key, CA, pinned name */
    struct push_settings push;
    int64_t version; /* counts changes */
    int64_t created_at_ms, updated_at_ms;
};

struct user {
    int64_t id;
    enum user_role role;
    int64_t master_id; /* who created it; 0 for the first Master */
    struct bytes name, email;
    bool receives_users_events; /* a Master whose endpoints also get its users' events (mission row 5) */
    struct endpoint endpoint;   /* the default one: it has the user's id, and is there as long as the user */
    int64_t version;            /* counts changes, those of that endpoint included, for ETag and If-Match */
    int64_t change; /* the last change of the user, an endpoint or a key of it: STORE_LIST_CHANGED */
    int64_t created_at_ms, updated_at_ms;
};

struct api_key {
    int64_t id, user_id;
    char digest[65]; /* SHA-256 of the key, hex; also what WEBHOOK-AUTH carries */
    struct bytes label;
    struct bytes allow_from; /* networks it may be used from, separated by spaces; len 0: any */
    int64_t rate_per_s;      /* 0: as the settings say; -1: no limit */
    int64_t created_at_ms, revoked_at_ms;
    int64_t version; /* counts changes, for ETag and If-Match */
};

struct event {
    int64_t id, owner_id;
    struct bytes event_type, resource_type, resource_id;
    struct bytes channels; /* labels separated by spaces; len 0: none */
    int64_t created_at_ms, received_at_ms, sent_at_ms;
    struct bytes document; /* the frozen bytes; sent_at is at stamp_offset, see body.h */
    uint32_t stamp_offset;
    struct bytes unmatched; /* out: routing_next_unmatched; len 0: every endpoint wanted it */
};

/* The latest snapshot of a resource that events are about: a payment, a user, a cross-border request. */
struct resource {
    int64_t owner_id;
    struct bytes type, id;
    struct bytes json;     /* the resource object, as an event's `included` had it or as it was put */
    int64_t version;       /* rises with every change: the id of the event that carried it, or of the put */
    int64_t event_id;      /* that event while it is kept; 0: it is gone, or the resource was put */
    int64_t updated_at_ms; /* when that event was received, or it was put */
};

enum delivery_state {
    DELIVERY_PENDING,
    DELIVERY_DELIVERED,
    DELIVERY_GIVEN_UP,
    DELIVERY_CANCELLED,
    DELIVERY_SKIPPED /* to nobody: there was no URL when the event came */
};
enum { DELIVERY_STATES = DELIVERY_SKIPPED + 1 };
extern const char *const delivery_state_names[]; /* NULL ends */

/*
 * The id of a delivery: a number that counts up in one database, followed by a mark that is random for each
 * start of the server. So an id is never used twice, not even after a restore (but once in 16 million times).
 * It says nothing about the event, which may get another delivery at any time.
 */
enum { MODEL_MARK_BITS = 24, MODEL_MARK_MAX = (1 << MODEL_MARK_BITS) - 1 };
#define MODEL_DELIVERY_STEP ((int64_t)1 << MODEL_MARK_BITS) /* from one to the next of the same start */
/* The next id after `last`, which may have another mark. */
static inline int64_t model_delivery_next(int64_t last, int mark)
{
    return ((last >> MODEL_MARK_BITS) + 1) << MODEL_MARK_BITS | mark;
}
/* A bound above this id and not above the next one, whatever its mark. Takes any number, also of a damaged
 * row. */
static inline int64_t model_delivery_end(int64_t id)
{
    return id > INT64_MAX - MODEL_DELIVERY_STEP ? INT64_MAX
                                                : id - (id & MODEL_MARK_MAX) + MODEL_DELIVERY_STEP;
}

struct delivery {
    int64_t id, event_id, endpoint_id, user_id;
    enum delivery_state state;
    bool leased;              /* an attempt is under way */
    bool resending;           /* delivered, and being sent once more */
    int32_t attempt;          /* attempts that counted; never falls */
    int64_t lease;            /* the fence: rises with every claim */
    int64_t next_in_ms;       /* until the next attempt; -1 when none is due */
    struct bytes last_reason; /* name of the failure, or empty */
    int last_status;
    int64_t created_at_ms, first_attempt_at_ms, finished_at_ms;
};

/* One line in the history of a delivery. */
struct attempt {
    int64_t delivery_id, lease;
    int32_t attempt;
    int64_t started_at_ms;
    int32_t duration_ms;
    int status; /* 0: no answer */
    enum failure failure;
    bool counted, body_incomplete, reused_connection, mixed_answer;
    bool request_unread;   /* answered before the receiver had taken most of the request */
    struct bytes address;  /* "192.0.2.1:443" */
    struct bytes detail;   /* a sentence that says more than the failure's, UTF-8; len 0: none */
    struct bytes response; /* the first bytes of the answer's body, raw: at most 16 KiB of a delivery's last
                              attempt, MODEL_RESPONSE_KEPT_LEN of the others. Of an answer that is not HTTP:
                              its first bytes, at most 1 KiB */
};

/* Letters, digits, '_', '.', '-'; 1 to 128 bytes; not "." or "..". */
bool model_type_valid(struct bytes type);
/* Printable UTF-8 without control bytes, 1 to 128 bytes. */
bool model_id_valid(struct bytes id);
