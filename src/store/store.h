/*
 * store: the contract of what keeps posthorn's state. One suite (tests/store) runs on every backend.
 *
 * Synchronous; one thread writes, any reader thread reads. Durations cross this line, instants of the due
 * clock do not ("due again in 90 s"): each backend has its own clock, so that skewed nodes cannot
 * double-lease. Every write is repeatable: an event by its op or idempotency key, an outcome by delivery
 * and lease; so a commit whose fate is unknown is simply done again.
 *
 * Two clocks of a backend, both unaffected by jumps of the wall clock while it runs:
 *   due clock      when deliveries are due and leases run out; on restart it goes on from the later of the
 *                  wall clock and its own last value
 *   service clock  the time during which posthorn was up; a delivery's age is counted on it, so our own
 *                  outages use up nothing of the window (promise P3)
 *
 * A claimed delivery has due = now + lease_ms; so a lease that ran out is simply due again. `lease` rises
 * with every claim and is the fence; `attempt` is the backoff step; `lost` counts leases that ended without a
 * record.
 *
 * What every backend does alike:
 *   recipients     the owner's endpoints, then its Master's if that one receives_users_events and the event
 *                  is not owner_only: of each the default one first, then the others by id. Those without a
 *                  URL are none. One delivery for each
 *   skipped        an event without recipients has one delivery, its owner's, that ended as SKIPPED when the
 *                  event was received, to its default endpoint. RESEND of that is CONFLICT while that one has
 *                  no URL; then it is a delivery as any other
 *   held           a delivery waits, unclaimed, while its endpoint has no URL or is paused, its owner has no
 *                  active key, or its pace holds it (pace.h), which counts RETRY and GIVE_UP without
 *                  `answered` as failures; a new URL starts it afresh. The outcome GONE pauses an
 *                  endpoint with disable_on_410
 *   born leased    an EVENT takes a box at once if its endpoint may have one more lease and has nothing due
 *                  waiting; a backend may keep some of the boxes for others that wait
 *   age            0 until an attempt has counted; from then on the service time since that attempt began
 *                  (its record less its duration). RELEASE takes its delay and duration out of it
 *   outcome        DELIVERED, RETRY and GIVE_UP count an attempt, RELEASE does not; all reset `lost`. A
 *                  lease that ran out may still be recorded as long as nobody has claimed the delivery since.
 *                  A history line is kept if attempt.started_at_ms is not 0: something was started
 *   resend         of one that has ended: step, lost and age start again; lease, history and the count of
 *                  attempts go on. A delivered one stays delivered, with its finished_at, and is sent beside
 *                  that (`resending`); however that ends, it was delivered. Of one that waits or is out: due
 *                  now
 *   cancel         ends a resend beside a delivered one, which stays delivered; any other is cancelled
 *   damaged        an event that cannot be sent, found by a claim: its deliveries are given up
 *   revoked        of a user's revoked keys the STORE_REVOKED_KEPT with the largest ids are kept
 *   event ids      given by the store as it accepts an event, in the order of the commits: whoever has read
 *                  up to an id finds all that comes later above it. The document is stamped with its id. The
 *                  versions of RESOURCE_PUT are of the same kind and in the same order
 *   repeated       an EVENT op that has an id was written before, and its fate is unknown. If that event is
 *                  there: DONE again, with that id. Else it gets another, for later ones may have been seen
 *   delivery ids   follow from each other by model_delivery_next
 *   not there      the user or delivery an op is about, the Master of a USER_CREATE: NOT_FOUND
 *   taken          USER_CREATE with an id, a key with a digest that exists: CONFLICT. So is KEY_REVOKE of a
 *                  key that is revoked already
 *   never changed  USER_UPDATE writes the whole user but id, role, master_id and created_at_ms
 *   a user and     its default endpoint are one: made, read and changed together, with the user's id, times
 *   its endpoint   and count of versions, which ENDPOINT_UPDATE and a pause by GONE raise as well
 *   an endpoint    that is not a default one can be removed. It is not read any more, no event goes to it,
 * and is removed     what waits for it is cancelled: some at once, the rest by each PURGE to come, which also
 *                  takes what a lease leaves waiting. Its deliveries stay its owner's; none is sent again
 *   resources      an EVENT's `included` are the latest snapshots of its owner's resources from then on;
 *                  `destroyed` removes the one that the event is about. The last write wins. An event that is
 *                  not accepted, or was before, changes none
 *   purge          an event goes once it was received, and its last delivery ended, before the time given;
 *                  all that hangs on it goes along. A snapshot that stands in it does so if it is older than
 *                  resources_before_ms says; else it stays, and goes later unless a Master has put it.
 *                  stored_bytes may fall a little later, at the latest when there is no `more`
 *   forgotten      an idempotency key goes with its event. From a PURGE on, those of events received before
 *                  idempotency_before_ms (0: before_ms) are forgotten, also if their event is still there;
 *                  after a crash perhaps from the next one on
 *   usage          of each user: bytes stored, resources, deliveries waiting (quota.h). Exact within the
 *                  batch and after a restart, and cheap: it is counted at open only
 *   quota          an EVENT is refused that would take its owner beyond one of config.quotas: with a delivery
 *                  to each of the owner's endpoints that has a URL; with the bytes of its document and of the
 *                  snapshots in it but its own; with the snapshots of resources that are not there, its own
 *                  not if it is destroyed. A RESOURCE_PUT is refused for what it would add. Nothing else is,
 *                  and nobody's event for a copy to others. An event known already comes first, and so does
 *                  NO_SPACE. `reached` says what was reached
 *   times          written by the store: sent_at (wall clock), finished_at. first_attempt_at is the
 *                  started_at_ms of the first attempt that was started. version starts at 1
 *   reopened       pace starts afresh but for who has ever answered, with few at once where deliveries wait;
 *                  a backend of one process releases the leases of the former one
 *   documents      come out of a read as they were accepted, and out of a claim stamped
 *   refused        an op that is neither DONE nor REPLAYED leaves id and count 0
 */
#pragma once
#include "arena.h"
#include "clock.h"
#include "ledger.h"
#include "log.h"
#include "payload.h"
#include "quota.h"
#include "routing.h"

enum store_status {
    STORE_OK,
    STORE_FULL,    /* no space: nothing of the batch was written; later it may be */
    STORE_DOWN,    /* cannot be reached now (PostgreSQL); the fate of a commit may be unknown: do it again */
    STORE_BROKEN,  /* fsync or write error: stop acknowledging and exit; never retry an fsync */
    STORE_DAMAGED, /* a part of the file cannot be read, or is not what was written there. From a write: this
                      store writes nothing any more until it is opened again, and goes on reading. From a
                      read: this answer cannot be had, others may */
    STORE_REFUSED, /* the file may not be opened, or is none of ours; config.refusal says why (open only) */
    STORE_LOCKED,  /* another server has this file (open only; exit code 3) */
    STORE_NEWER    /* the schema is newer than this program (open only) */
};
enum { STORE_REFUSAL_LEN = 200 };
const char *store_status_sentence(enum store_status status);

/* ---- writing ---- */

enum { STORE_FINGERPRINT_LEN = 32 };

enum store_op_kind {
    STORE_EVENT,       /* accept an event with its deliveries and its idempotency key */
    STORE_OUTCOME,     /* record the end of an attempt, fenced by the lease */
    STORE_USER_CREATE, /* with its first key, or not at all. id 0: the next one, the first is 5 */
    STORE_USER_UPDATE,
    STORE_ENDPOINT_CREATE, /* a further one; its id is of the kind that events have, and in their order */
    STORE_ENDPOINT_UPDATE, /* the whole of it, but id, owner_id and created_at_ms */
    STORE_ENDPOINT_REMOVE, /* a further one */
    STORE_KEY_CREATE,
    STORE_KEY_UPDATE, /* those of `key_changes` of an active key; the others stay as they are by then */
    STORE_KEY_REVOKE,
    STORE_RESEND,          /* one that has ended is sent again; one that waits is due now */
    STORE_CANCEL,          /* a delivery that is to be sent is not */
    STORE_RESOURCE_PUT,    /* the latest snapshot, whatever events have said */
    STORE_RESOURCE_DELETE, /* by owner, type and id */
    STORE_FINGERPRINT,     /* which key file the sealed blobs are from; kept, and told by GET_STATS */
    STORE_PURGE,           /* remove some of what has ended before a time */
    STORE_LOOK,            /* how endpoints are doing; changes nothing */
    STORE_OP_COUNT
};

enum store_result {
    STORE_DONE,
    STORE_REPLAYED,  /* EVENT: same idempotency key and same request: the earlier event, its id in `id` */
    STORE_CONFLICT,  /* EVENT: same key, other request. *_UPDATE, RESOURCE_*: version differs. KEY_REVOKE:
                        it  is the user's last. CANCEL: state. RESEND: to an endpoint that
                        was removed, or skipped and still without a URL. ENDPOINT_REMOVE: a default one */
    STORE_NOT_FOUND, /* no such user, endpoint, key, delivery, resource */
    STORE_FENCED,    /* OUTCOME: another lease has it, or it has ended: in the history alone; not an error */
    STORE_QUOTA,     /* KEY_CREATE: the user has keys_max active keys. ENDPOINT_CREATE: it has
                        MODEL_ENDPOINTS_MAX. EVENT, RESOURCE_PUT: see above */
    STORE_NO_SPACE   /* EVENT: the disk reserve is reached; outcomes are still recorded */
};

enum { STORE_REVOKED_KEPT = 50 };

/* What a KEY_UPDATE changes of a key. */
enum store_key_change { STORE_KEY_LABEL = 1, STORE_KEY_ALLOW_FROM = 2, STORE_KEY_RATE = 4 };

/* An endpoint by now. Its pace and what it delivered are those since the store was opened. */
struct store_figures {
    int64_t id;
    bool found, failing;
    int64_t waiting, in_hand; /* deliveries that have not ended, without a lease and with one */
    int64_t window;           /* how many it may have in hand for its own sake */
    int64_t delivered;        /* attempts that were acknowledged */
};

struct store_op {
    enum store_op_kind kind;
    enum store_result result;     /* out */
    int64_t id;                   /* out: id of what was created, replayed or changed */
    int64_t count;                /* out: recipients (EVENT), rows removed (PURGE),
                                     rows that are new (RESOURCE_PUT), users paused (OUTCOME: 0 or 1) */
    struct quota_reached reached; /* out: EVENT, RESOURCE_PUT: why QUOTA */
    union {
        struct {
            struct event event; /* all fields but sent_at_ms and id, which is written here, and into the
                                   document (store_event_named). id: 0 at first */
            struct bytes idempotency_key; /* len 0: none; scoped to requester_id */
            int64_t requester_id;
            unsigned char request_digest[32];
            const struct resource *included; /* views into event.document; type, id and json count */
            int included_count;
            bool destroyed;
            bool owner_only; /* no copy for the owner's Master */
            int64_t skipped; /* out: its delivery, if that is skipped; also of one that is REPLAYED. 0: it is
                                not */
        } event;
        struct ledger_outcome outcome;
        struct {
            struct user user;
            int64_t if_version;        /* -1: whatever it is */
            struct api_key *first_key; /* CREATE: its id and user_id are written. NULL: none */
        } user;
        struct {
            struct endpoint endpoint; /* CREATE, UPDATE: all; REMOVE: id and owner_id. Of a user's that is not
                                         owner_id: NOT_FOUND */
            int64_t if_version;       /* UPDATE, REMOVE: -1: whatever it is */
        } endpoint;
        struct {
            struct resource resource; /* PUT: all but event_id and version, which is written here; DELETE:
                                         owner_id, type, id */
            int64_t if_version;       /* -1: whatever it is; 0: only if there is none */
        } resource;
        struct {
            struct api_key
                key; /* CREATE: all; UPDATE: what changes, id and user_id; REVOKE: id and user_id */
            unsigned key_changes; /* UPDATE: bits of enum store_key_change */
            int64_t keys_max;     /* CREATE: active ones that the user may have then; 0: any number */
        };
        struct {
            int64_t delivery_id, user_id;
        } delivery; /* RESEND, CANCEL; user_id 0: anybody's */
        unsigned char fingerprint[STORE_FINGERPRINT_LEN];
        struct {
            struct store_figures *figures; /* their ids, in; all else, out */
            int count;
        } look;
        struct {
            int64_t before_ms; /* received and ended before */
            /* What goes earlier than its event: attempts of what has ended before, 0: with their events;
             * idempotency keys, see above. resources: snapshots of events from before; 0: they stay. */
            int64_t attempts_before_ms, idempotency_before_ms, resources_before_ms;
            int rows_max; /* events to look at */
            bool more;    /* out: there is more to do */
        } purge;
    };
};

/*
 * A box for one piece of work: what an attempt needs, self-contained. Empty boxes are the standing claim:
 * whoever has slots free gives boxes with the batch; the store fills some and leaves the others.
 * `memory` belongs to the box, is reset when it is filled, and keeps url and what is sealed alive until the
 * next time. The box holds the payload, which others may hold too; store_work_clear lets go of it.
 */
struct store_work {
    struct arena memory;
    uint32_t slot; /* the owner's number for this box; the store leaves it alone */
    bool filled;
    int64_t delivery_id, event_id, endpoint_id, user_id, lease;
    int32_t attempt, lost;
    int64_t age_ms;
    int64_t sent_at_ms; /* durable by now */
    struct bytes url;
    char auth_digest[65]; /* of the owner's oldest active key */
    bool success_2xx;
    bool quick;                     /* the endpoint was PACE_QUICK when it was leased */
    struct bytes signing, identity; /* the endpoint's, still sealed; good for endpoint_version */
    int64_t endpoint_version, endpoint_created_at_ms;
    struct payload *payload; /* NULL: let go of */
    const char *document;    /* stamped; document_len bytes of the payload */
    size_t document_len;
};

/* Gives back what a box holds, as soon as nobody looks at it any more. An empty one: nothing. */
void store_work_clear(struct store_work *box);

struct store_batch {
    struct store_op **ops;
    int op_count;
    struct store_work **boxes; /* empty ones; filled from the front */
    int box_count, filled_count;
    int64_t
        next_due_in_ms; /* out: when something more could be claimed; -1: nothing waits. 0 only if a box
                           would help now, or after a start with a large backlog, which is being counted */
    bool leases_scarce; /* out: an endpoint has work that is due and no lease for it; an outcome may free one
                         */
};

/* For backends: an EVENT has this id, and so has its document, whose place for it is written. */
void store_event_named(struct store_op *op, int64_t id);

/* ---- reading ---- */

enum store_query_kind {
    STORE_GET_USER,
    STORE_LIST_USERS,
    STORE_GET_ENDPOINT,
    STORE_LIST_ENDPOINTS,
    STORE_GET_KEYRING /* the active keys of all users */,
    STORE_LIST_KEYS,
    STORE_GET_EVENT,
    STORE_LIST_EVENTS,
    STORE_LIST_DELIVERIES,
    STORE_GET_DELIVERY,
    STORE_LIST_ATTEMPTS,
    STORE_GET_RESOURCE,   /* by owner_id, resource_type, resource_id */
    STORE_LIST_RESOURCES, /* by owner_id and resource_type, in the order of the bytes of their ids */
    STORE_GET_STATS
};

struct store_query {
    enum store_query_kind kind;
    int64_t
        id; /* GET_*: its id. LIST_DELIVERIES: the event. LIST_ATTEMPTS: the delivery. LIST_KEYS: the user */
    int64_t owner_id; /* events, endpoints: only this user's; 0: everybody's */
    /* Users: only this one and those it created. Deliveries, and those that `undelivered` looks at: only
     * theirs. 0: everybody. */
    int64_t master_id;
    struct bytes event_type, resource_type, resource_id; /* LIST_EVENTS filters, literal; empty: any */
    bool undelivered; /* LIST_EVENTS: only those with a delivery that is pending, given up or skipped */
    bool descending;
    int64_t after_id;               /* cursor: exclusive; 0: from the start */
    struct bytes after_resource_id; /* the same of LIST_RESOURCES */
    int limit;                      /* rows at most */
    bool with_document;             /* events */
};

struct store_stats {
    int64_t events, deliveries_pending, deliveries_delivered, deliveries_given_up;
    int64_t deliveries_cancelled, deliveries_skipped, endpoints; /* those with a URL */
    int64_t endpoints_failing;
    int64_t log_bytes; /* of the write-ahead log that are in use */
    /* When the event was received whose delivery has waited longest, wall clock; 0: nothing waits. Those
     * under the first lease of their life may be left out, and it may be late: it is looked up at times. */
    int64_t oldest_waiting_at_ms;
    unsigned char fingerprint[STORE_FINGERPRINT_LEN];
    bool has_fingerprint; /* false: none was ever set */
};

/* Arrays on the caller's arena; exactly one is set, by the query's kind. */
struct store_answer {
    struct user *users;
    struct endpoint *endpoints;
    struct api_key *keys;
    struct event *events;
    struct delivery *deliveries;
    struct attempt *attempts;
    struct resource *resources;
    struct store_stats *stats;
    int count;
    bool more; /* a page follows */
    /* LIST_EVENTS with a limit, few matches among many events: the page ends early, having looked at all up
     * to this id; the next one goes on behind it. 0: the page is full, or it was the last. */
    int64_t scanned_to;
};

/* ---- a backend ---- */

struct store_config {
    const char *path; /* SQLite: the file */
    struct clock clock;
    struct pace_config pace;
    int64_t lease_ms;
    int id_node;                /* of the ids of new events (ids.h), and */
    int mark;                   /* of those of new deliveries (model.h): drawn anew for each start */
    int readers;                /* reader threads that will call store_read, numbered from 0 */
    int64_t disk_reserve_bytes; /* EVENT answers NO_SPACE with less free space, beside what the log needs */
    struct user_usage quotas;   /* of each user; 0: no limit */
    int scan_rows_max;          /* events that a page of LIST_EVENTS looks at; 0: 2,048 */
    int keys_ahead_max;         /* events whose idempotency keys are found by memory alone; 0: 16,384 */
    struct budget *budget; /* what payloads take their bytes from; work beyond it, or beyond its endpoint's
                              share of it, waits. NULL: no limit */
    struct log *log;
    char *refusal; /* STORE_REFUSAL_LEN bytes for the reason of an open that is REFUSED; NULL: the log alone
                      has it */
};

struct store;

struct store_backend {
    const char *name;
    enum store_status (*open)(const struct store_config *config, struct store **store); /* migrates */
    /* One transaction, one fsync: the ops in order, then the claim. Only STORE_OK means written. */
    enum store_status (*write)(struct store *store, struct store_batch *batch);
    /* STORE_OK with count 0: not found. `reader` is below config.readers; one thread a reader. */
    enum store_status (*read)(struct store *store, int reader, const struct store_query *query,
                              struct arena *arena, struct store_answer *answer);
    void (*close)(struct store *store);
};

/* Every backend's struct store begins with a pointer to its backend. So whoever has a store need not know
 * which it is; who opens one does (server_store_open). */
static inline const struct store_backend *store_backend(const struct store *store)
{
    return *(const struct store_backend *const *)(const void *)store;
}

enum store_status store_write(struct store *store, struct store_batch *batch);
enum store_status store_read(struct store *store, int reader, const struct store_query *query,
                             struct arena *arena, struct store_answer *answer);
void store_close(struct store *store);

extern const struct store_backend store_sqlite;
