/*
 * store: the contract of the database. Every backend passes the same tests (tests/store/contract).
 *
 * A call returns when it is done. One thread writes; config.readers threads read. Every write may be
 * repeated: an event is known by its op or its idempotency key, an outcome by its delivery and lease. So a
 * commit whose fate is unknown is done again.
 *
 * CLOCKS. A backend has two. Jumps of the wall clock do not affect them while it runs.
 *   due clock      says when deliveries are due and when leases expire. After a restart it continues from
 *                  the later of the wall clock and its own last value
 *   service clock  counts the time during which posthorn was up. The age of a delivery is measured on it,
 *                  so our outages use up none of the receiver's 72 hours (promise P3)
 * Callers pass durations ("due again in 90 s"), never instants of the due clock. So nodes with different
 * clocks cannot lease a delivery twice.
 *
 * LEASES. A claim adds 1 to the delivery's `lease`, which is the fence, and makes the delivery due again
 * after lease_ms. So an expired lease needs no handling. `attempt` is the step of the backoff. `lost`
 * counts the leases that ended without a record.
 *
 * RULES that every backend follows.
 *
 * Events:
 *   ids            The store gives an event its id when it accepts it. Ids rise in the order of the
 *                  commits: a client that has read up to an id finds all later events above it. The store
 *                  stamps the document with the id. Versions of RESOURCE_PUT come from the same series
 *   repetition     An EVENT op that has an id already was written before, and its fate is unknown. If the
 *                  event is there, the result is DONE with that id. If not, the event gets a new id,
 *                  because later events may have been read by then
 *   recipients     The endpoints of the owner. Then those of its Master, if the Master
 *                  receives_users_events and the event is not owner_only. A user's default endpoint is
 *                  first, the others follow by id. An endpoint without a URL is no recipient, nor is one
 *                  that does not want the event (routing.h). Each recipient has one delivery
 *                  An EVENT with `only_endpoint_id` goes to this endpoint alone, whatever that wants. If the
 *                  owner has no such endpoint, or it has no URL: NOT_FOUND
 *   unmatched      The endpoints with a URL that did not want an event, and why, are kept with the event
 *   notices        An outcome may give something to tell about its endpoint, if an endpoint of its owner or
 * of the Master asks for notices (routing.h): deliveries given up; that it was disabled; the fifth failure in
 * a row, and the first after each further day; an acknowledgement after the notice of that. It is durable,
 * and adds up until it is told. A pause, a new URL and the removal end the failing without a word. NOTICES
 * lists what is due. An EVENT with `notice` tells it: to those that ask, in the transaction that settles
 * `count` of it. If nothing is left to tell, or nobody asks any more: NOT_FOUND, and no event. No quota holds
 * it skipped        An event without recipients has one delivery, to the owner's default endpoint, that ended
 * as SKIPPED at once. RESEND of it is CONFLICT while that endpoint has no URL. An event that is unmatched
 * somewhere and has no recipients has no delivery included       The latest snapshots of the owner's
 * resources from now on. `destroyed` removes the snapshot of the event's own resource. The last write wins. A
 * refused or replayed event changes none documents      A read returns them as they were accepted, a claim
 * returns them stamped
 *
 * Deliveries:
 *   ids            come from model_delivery_next
 *   held           A delivery is not claimed while its endpoint has no URL or is paused, while its owner
 *                  has no active key, or while the endpoint's pace holds it (pace.h). RETRY and GIVE_UP
 *                  without `answered` are failures for the pace. A new URL starts the pace afresh
 *   limits         in_flight_max and rate of an endpoint (flow.h) hold its deliveries as its pace does, those
 *                  of a RESEND as well. Each lease counts for the rate when it begins, whatever comes of it,
 *                  and nothing else does: a delivery that is held uses up no attempt. The count starts
 *                  afresh with the store and when the rate changes
 *   ordered        The deliveries of an ordered endpoint that are pending are its line, in the order of their
 *                  ids. Only the first may be claimed, when it is due, and only while no delivery of the
 *                  endpoint has a lease. So the next one goes when the one before is delivered, given up or
 *                  cancelled: a retry, a RELEASE, a lost lease, a pause and the pace hold the line. A restart
 *                  changes nothing. PACE_ON_ANSWER makes the first due, as it would any delivery. RESEND of a
 *                  delivery that is pending makes it due, in its place; of one that was given up, cancelled
 *                  or skipped, puts it back in its place, where it holds the line again. One that was
 *                  delivered is not in the line: it holds nobody, is not held by a retry, and goes first when
 *                  it is due. ENDPOINT_UPDATE to ordered takes in what waits; what is out then ends first. A
 *                  backend may take in very many in steps, and claims none of them before the last step.
 *                  When it is ordered no longer, what is due of the line goes first, in order
 *   born leased    An EVENT gets a box at once if its endpoint may have one more lease and no other
 *                  delivery to it is due. A backend may keep boxes for other deliveries that wait
 *   age            0 until an attempt has counted; then the service time since that attempt began (its
 *                  record less its duration). RELEASE subtracts its delay and duration
 *   outcome        DELIVERED, RETRY and GIVE_UP count an attempt; RELEASE does not. All set `lost` to 0.
 *                  The outcome of an expired lease is recorded if no one has claimed the delivery since.
 *                  The attempt is kept in the history if its started_at_ms is not 0. It changes
 *                  since when the endpoint has only failed, which is durable, and may disable the endpoint
 *                  (failing.h): disable_on_410, disable_after. Not one that is paused by then
 *   disabled       One that is disabled is paused as well, so its deliveries are held and none is lost. An
 *                  UPDATE that is not paused enables it; a paused one sets `disabled` and the time since
 *                  when it is paused as they are given
 *   resend         A delivery that has ended starts again: step, lost and age are 0; lease, history and the
 *                  count of attempts continue. One that was delivered stays delivered, with its
 *                  finished_at, and is sent once more (`resending`). One that waits becomes due
 *                  now; if that attempt fails, it counts in the history only: step, age and due time stay
 *                  as they were, and it is never the last
 *   if_as          A RESEND or CANCEL with it changes nothing unless state, attempts, lease, `leased`,
 *                  `resending` and finished_at are the same. All of these are in what a read shows
 *   cancel         ends the resend of a delivered one, which stays delivered. Any other one becomes
 *                  cancelled
 *   damaged        A claim that finds an event which cannot be sent gives up its deliveries
 *
 * Jobs (job.h):
 *   rows           JOB_ROWS are the next rows of a job, with `limit` ids at most. A RECOVER has the
 *                  deliveries to its endpoint that were given up or cancelled before the job was made. A
 *                  REPLAY has those of the events accepted before it was made, a BACKFILL the events below
 *                  its endpoint's id. The filters of the job apply. A BACKFILL has only events that the
 *                  endpoint would get today (`recipients`) and of which it has no delivery, and none that
 *                  had only_endpoint_id. For a removed endpoint there are none
 *   step           One transaction makes the ids due and moves the cursor, if that is still at `from`. A
 *                  delivery becomes due as by a RESEND, if it is still as the job takes it; but its
 *                  endpoint's pace is not hurried, and what waits keeps its time. An event gets a delivery,
 *                  if the endpoint has none of it. A step with ids is `held` while ahead_max deliveries to
 *                  the endpoint are due without a lease. So a new event waits for ahead_max of a job's at
 *                  most
 *   ends           with a step that is `finished`, by a JOB_CANCEL, and with its endpoint. What it made due
 *                  stays so. An endpoint keeps STORE_JOBS_KEPT jobs that have ended, until a PURGE removes
 *                  those that ended before before_ms. One of each kind runs for an endpoint
 *
 * Users, endpoints and keys:
 *   default        A user and its default endpoint are one: they are created, read and changed together,
 *                  and have one id, one pair of times and one version. ENDPOINT_UPDATE and GONE raise that
 *                  version too
 *   fixed fields   USER_UPDATE writes all of a user except id, role, master_id and created_at_ms
 *   removal        An endpoint that is not a default one can be removed. Reads no longer find it and no
 *                  event goes to it. Its waiting deliveries are cancelled: some at once, the others by
 *                  later PURGEs, as are those that a lease leaves waiting. The owner still sees its
 *                  deliveries
 *   changes        Every write to a user, one of its endpoints or one of its keys gives that user the next
 *                  number, `change`. Numbers rise in the order of the commits. LIST_CHANGED lists the users
 *                  behind a number, each once and as it is now, by their numbers. So a node that keeps
 *                  copies reads on from the largest number that it has read. It misses nothing, whatever
 *                  the time since, and nothing has to be purged for it
 *   not found      The user or delivery of an op, or the Master of a USER_CREATE, does not exist: NOT_FOUND
 *   taken          USER_CREATE with a used id, a key with a used digest, KEY_REVOKE of a revoked key:
 *                  CONFLICT
 *   revoked keys   The STORE_REVOKED_KEPT ones with the largest ids are kept for each user
 *
 * Quotas and usage:
 *   usage          A user's stored bytes, resources and waiting deliveries (quota.h). It is exact after
 *                  each batch and each restart, and is counted only at open
 *   quota          An EVENT is refused if it would take its owner beyond one of config.quotas. It counts a
 *                  delivery for each of the owner's endpoints with a URL, the bytes of the document and of
 *                  its other resources' snapshots, and the snapshots of new resources (not its own if that
 *                  is destroyed). A RESOURCE_PUT is refused for what it adds. No other op is refused, and
 *                  copies for a Master count for nobody. REPLAYED and NO_SPACE are decided first. `reached`
 *                  names the quota
 *
 * Hours (hour.h):
 *   counts         What happens to an endpoint's deliveries counts for the hour of the wall clock in which it
 *                  is committed: each new delivery, but for one that is SKIPPED; each outcome that counts an
 *                  attempt, with the time of its answer if there was one; each delivery that is given up or
 *                  cancelled. A fenced outcome does not count, nor does what happens after the removal
 *   late           LIST_HOURS may be late by some minutes, but for a LOOK with `hours`, if no batch has
 * failed within a second before. A crash loses what it would have shown later, and a disk that is full may. A
 * close loses nothing kept           A PURGE removes hours that are HOURS_KEPT ago, and those of a clock that
 * was as far ahead. Those of an endpoint that is removed go at once
 *
 * Purge:
 *   events         An event is removed when it was received, and its last delivery ended, before a given
 *                  time. All that belongs to it is removed too. Its latest snapshot of a resource is
 *                  removed if it is older than resources_before_ms. Otherwise the snapshot stays, and is
 *                  removed later unless a Master has put it. stored_bytes may fall later, at the latest
 *                  when `more` is false
 *   keys           An idempotency key is removed with its event. A PURGE also forgets the keys of events
 *                  that were received before idempotency_before_ms (0: before_ms). After a crash they may
 *                  return until the next PURGE
 *
 * Times and results:
 *   times          The store writes sent_at (wall clock) and finished_at. first_attempt_at is the
 *                  started_at_ms of the first attempt that was started. Versions start at 1
 *   reopening      Paces start afresh, except that the store still knows which endpoints have ever
 *                  answered. An endpoint with waiting deliveries starts with few at once. A backend that is
 *                  one process releases the leases of the last process
 *   refusals       An op that is neither DONE nor REPLAYED has id 0 and count 0
 */
#pragma once
#include "arena.h"
#include "clock.h"
#include "hour.h"
#include "job.h"
#include "ledger.h"
#include "log.h"
#include "notice.h"
#include "payload.h"
#include "quota.h"
#include "routing.h"

enum store_status {
    STORE_OK,
    STORE_FULL,    /* no space: nothing of the batch was written; a later try may succeed */
    STORE_DOWN,    /* not reachable now (PostgreSQL). The fate of a commit may be unknown: repeat it */
    STORE_BROKEN,  /* fsync or write failed: stop acknowledging and exit; never retry an fsync */
    STORE_DAMAGED, /* a part of the file is unreadable or wrong. After a write: this store writes nothing more
                      until it is opened again, but still reads. After a read: other reads may succeed */
    STORE_REFUSED, /* open only: no permission, or not our file; config.refusal has the reason */
    STORE_LOCKED,  /* open only: another server has this file open (exit code 3) */
    STORE_NEWER    /* open only: the schema is newer than this program */
};
enum { STORE_REFUSAL_LEN = 200 };
const char *store_status_sentence(enum store_status status);

/* ---- writing ---- */

enum { STORE_FINGERPRINT_LEN = 32 };

enum store_op_kind {
    STORE_EVENT,       /* accepts an event with its deliveries and its idempotency key */
    STORE_OUTCOME,     /* records the end of an attempt, fenced by the lease */
    STORE_USER_CREATE, /* with its first key, both or neither. id 0: the next free one; the first is 5 */
    STORE_USER_UPDATE,
    STORE_ENDPOINT_CREATE, /* an additional one. Its id comes from the series of event ids */
    STORE_ENDPOINT_UPDATE, /* all of it except id, owner_id and created_at_ms */
    STORE_ENDPOINT_REMOVE,
    STORE_KEY_CREATE,
    STORE_KEY_UPDATE, /* the fields in `key_changes` of an active key */
    STORE_KEY_REVOKE,
    STORE_RESEND,
    STORE_CANCEL,
    STORE_JOB_CREATE,
    STORE_JOB_STEP, /* makes some deliveries due and moves the job's cursor */
    STORE_JOB_CANCEL,
    STORE_RESOURCE_PUT,    /* sets the latest snapshot */
    STORE_RESOURCE_DELETE, /* by owner, type and id */
    STORE_FINGERPRINT,     /* stores the fingerprint of the key file that sealed the secrets; see GET_STATS */
    STORE_PURGE,           /* removes some of the old rows */
    STORE_LOOK,            /* reads the figures of endpoints; changes nothing that a read shows */
    STORE_NOTICES,         /* reads what is to be told about endpoints; changes nothing */
    STORE_OP_COUNT
};

enum store_result {
    STORE_DONE,
    STORE_REPLAYED,  /* EVENT: same idempotency key, same request. `id` is the earlier event's. An op with a
                        `request` that is known: `id` is that of what it made */
    STORE_REUSED,    /* an op with a `request`: its key was used for another one */
    STORE_CONFLICT,  /* EVENT: same key, other request. *_UPDATE, RESOURCE_*: the version differs. KEY_REVOKE:
                        the same, or it is the user's last key. CANCEL: it has ended. RESEND: the endpoint was
                        removed, or  the delivery was skipped and there is still no URL. ENDPOINT_REMOVE: a
                        default one. JOB_CREATE: one of its kind runs for the endpoint. JOB_STEP, JOB_CANCEL:
                        it does not run */
    STORE_NOT_FOUND, /* no such user, endpoint, key, delivery, resource, job */
    STORE_FENCED,  /* RESEND, CANCEL: it is not as `if_as`. OUTCOME: another lease has the delivery, or it has
                      ended. Only the history is written; not an error. JOB_STEP: its cursor is elsewhere;
                      nothing is done */
    STORE_QUOTA,   /* KEY_CREATE: the user has keys_max active keys. ENDPOINT_CREATE: the user has
                      endpoints_max. EVENT, RESOURCE_PUT: see above. `request->only_known`: it is not */
    STORE_NO_SPACE /* EVENT: the disk reserve is reached; outcomes are still recorded */
};

enum { STORE_REVOKED_KEPT = 50, STORE_JOBS_KEPT = 50 };

/* A request with an Idempotency-Key that makes something else than an event. It is written with what it
 * makes, so the same one makes nothing more, across a restart too; and it is forgotten as the keys of events
 * are. */
enum { STORE_REQUEST_KEY_LEN_MAX = 320, STORE_MADE_LEN = 64 };
struct store_request {
    int64_t requester_id;
    struct bytes key; /* 1 to STORE_REQUEST_KEY_LEN_MAX bytes; of its requester, whatever it makes */
    unsigned char digest[32];
    bool only_known;           /* make nothing: QUOTA if it is not known */
    char made[STORE_MADE_LEN]; /* a name that is kept with it; of one that is REPLAYED: out */
};

/* The fields that a KEY_UPDATE changes. */
enum store_key_change { STORE_KEY_LABEL = 1, STORE_KEY_ALLOW_FROM = 2, STORE_KEY_RATE = 4 };

/* An endpoint's figures now. `failing`, `window` and `delivered` begin at the open of the store. */
struct store_figures {
    int64_t id;
    bool found, failing; /* found: it has a URL. Without one it has `waiting` and `in_hand` alone, and: */
    int64_t oldest_waiting_at_ms; /* of these, the event of the delivery with the lowest id: its receipt, wall
                                     clock; 0: none */
    int64_t waiting, in_hand;     /* deliveries that have not ended: without a lease, with one */
    int64_t window;               /* leases that its own pace allows at once */
    int64_t delivered;            /* acknowledged attempts */
    int64_t line_first; /* the delivery that holds the line of an ordered one; 0: none, or not ordered */
};

/* Something to tell about an endpoint (notice.h), and how that does now. */
struct store_notice {
    int64_t endpoint_id, owner_id; /* owner_id 0: the row is damaged */
    enum notice_kind kind;
    int64_t count;
    bool paused;
    enum endpoint_disabled disabled;
    int64_t since_ms, disabled_at_ms; /* wall clock: it only fails since, and is disabled then; 0: not */
};

struct store_op {
    enum store_op_kind kind;
    enum store_result result; /* out */
    int64_t id;               /* out: of the row that was created, replayed or changed */
    int64_t count;            /* out: recipients (EVENT; of one that is REPLAYED, too), rows removed (PURGE),
                                 new rows (RESOURCE_PUT), why an endpoint was disabled
                                 (OUTCOME: enum endpoint_disabled), deliveries that became due (JOB_STEP) */
    struct store_request *request; /* *_CREATE, USER_UPDATE, ENDPOINT_UPDATE; NULL: none */
    struct quota_reached reached;  /* out: EVENT, RESOURCE_PUT: the quota of STORE_QUOTA */
    union {
        struct {
            struct event event; /* sent_at_ms is not read. id: 0 at first; out: the event's, which is also
                                   written into the document (store_event_named) */
            struct bytes idempotency_key; /* len 0: none. It belongs to requester_id */
            int64_t requester_id;
            unsigned char request_digest[32];
            struct payload *payload; /* holds the document, which may be stamped and sent from there. NULL: it
                                        is copied */
            const struct resource *included; /* views into event.document; only type, id and json are read */
            int included_count;
            bool destroyed;
            int64_t only_endpoint_id;          /* 0: all that want it; else see `recipients` */
            const struct store_notice *notice; /* NULL: none; see `notices` */
            bool owner_only;                   /* no copy for the owner's Master */
            int64_t skipped; /* out: the id of its skipped delivery, also if REPLAYED. 0: none */
        } event;
        struct ledger_outcome outcome;
        struct {
            struct user user;
            int64_t if_version;        /* UPDATE: -1: any */
            struct api_key *first_key; /* CREATE: out: its id and user_id. NULL: none */
        } user;
        struct {
            struct endpoint endpoint; /* CREATE, UPDATE: all; REMOVE: id and owner_id. If owner_id is not its
                                         owner: NOT_FOUND */
            int64_t if_version;       /* UPDATE, REMOVE: -1: any */
            int64_t endpoints_max;    /* CREATE: of the user, with this one; 0: MODEL_ENDPOINTS_MAX */
        } endpoint;
        struct {
            struct resource resource; /* PUT: all but event_id; out: version. DELETE: owner_id, type, id */
            int64_t if_version;       /* -1: any; 0: only if there is none */
        } resource;
        struct {
            struct api_key key;     /* CREATE: all; UPDATE: id, user_id and changes; REVOKE: id, user_id */
            unsigned key_changes;   /* UPDATE: bits of enum store_key_change */
            int64_t key_if_version; /* UPDATE, REVOKE: 0: any */
            int64_t keys_max;       /* CREATE: active keys of the user, with this one; 0: any number */
        };
        struct {
            int64_t delivery_id, user_id;
            const struct delivery *if_as; /* as it was read: FENCED if it is not so any more. NULL: however it
                                             is */
        } delivery;                       /* RESEND, CANCEL; user_id 0: any user's */
        struct job job; /* CREATE: all but id, cursor and what a RECOVER and a BACKFILL have in below_id,
                           which are out. CANCEL: id */
        struct {
            int64_t id;
            struct job_cursor from, to; /* its cursor, and where it goes */
            const int64_t *ids;         /* of JOB_ROWS */
            int count, looked;          /* ids; rows that JOB_ROWS has looked at */
            int ahead_max;
            bool finished; /* those were the last rows: the job is done */
            bool held;     /* out: nothing was done, because ahead_max deliveries to the endpoint are due */
        } job_step;
        unsigned char fingerprint[STORE_FINGERPRINT_LEN];
        struct {
            struct store_figures *figures; /* in: ids; out: all other fields */
            int count;
            bool hours; /* oldest_waiting_at_ms too; and a LIST_HOURS afterwards has all until now */
        } look;
        struct {
            struct store_notice *rows; /* out: the first ones that are due, `count` of them */
            int room, count;
        } notices;
        struct {
            int64_t before_ms;          /* events received and ended before this go */
            int64_t attempts_before_ms; /* attempts of deliveries that ended before; 0: with their events */
            int64_t idempotency_before_ms; /* 0: before_ms */
            int64_t resources_before_ms;   /* snapshots of events received before; 0: they stay */
            int rows_max;                  /* events to look at */
            bool more;                     /* out: there is more to do */
        } purge;
    };
};

/*
 * A box holds everything that one attempt needs. Empty boxes are the standing claim: a caller with free slots
 * gives boxes with the batch, and the store fills some of them.
 * url, signing, identity and push are in `memory`, which belongs to the box and is reset when the box is
 * filled again. The box holds a reference to the payload; store_work_clear releases it.
 */
struct store_work {
    struct arena memory;
    uint32_t slot; /* the caller's number for this box; the store does not change it */
    bool filled;
    int64_t delivery_id, event_id, endpoint_id, user_id, lease;
    int32_t attempt, lost;
    int64_t age_ms;
    int64_t sent_at_ms; /* already durable */
    struct bytes url;
    char auth_digest[65];             /* of the owner's oldest active key */
    bool quick;                       /* the endpoint was PACE_QUICK when the lease began */
    struct bytes signing, identity;   /* the endpoint's at endpoint_version, still sealed */
    const struct push_settings *push; /* NULL: the defaults */
    int64_t endpoint_version, endpoint_created_at_ms;
    struct payload *payload; /* NULL: released */
    const char *document;    /* stamped; document_len bytes of the payload */
    size_t document_len;
};

/* Releases what a box holds. Nothing may use it afterwards. An empty box: does nothing. */
void store_work_clear(struct store_work *box);

struct store_batch {
    struct store_op **ops;
    int op_count;
    struct store_work **boxes; /* empty ones; filled from the front */
    int box_count, filled_count;
    /* out: time until more could be claimed; -1: nothing waits. 0 only if a box would help now, or while a
     * large backlog is counted after a start. */
    int64_t next_due_in_ms;
    bool leases_scarce; /* out: an endpoint has due work but no free lease; an outcome may free one */
};

/* For backends: gives an EVENT op its id, and writes it into the event's document. */
void store_event_named(struct store_op *op, int64_t id);

/* ---- reading ---- */

enum store_query_kind {
    STORE_GET_USER,
    STORE_LIST_USERS,
    STORE_LIST_CHANGED, /* users by `change`, which is also what after_id means */
    STORE_GET_ENDPOINT,
    STORE_LIST_ENDPOINTS,
    STORE_GET_KEYRING, /* the active keys of all users */
    STORE_LIST_KEYS,
    STORE_GET_EVENT,
    STORE_LIST_EVENTS,
    STORE_LIST_DELIVERIES,
    STORE_FIND_DELIVERIES, /* those of all events */
    STORE_GET_DELIVERY,
    STORE_LIST_ATTEMPTS,
    STORE_GET_JOB,
    STORE_LIST_JOBS,
    STORE_LIST_JOBS_RUNNING, /* upwards by id */
    STORE_LIST_HOURS,        /* of endpoint `id`, upwards: of the `limit` hours behind after_id; 0: none */
    STORE_JOB_ROWS,          /* the next rows of `job`, behind its cursor */
    STORE_GET_RESOURCE,      /* by owner_id, resource_type, resource_id */
    STORE_LIST_RESOURCES,    /* by owner_id and resource_type, in the order of the bytes of their ids */
    STORE_GET_STATS
};

struct store_query {
    enum store_query_kind kind;
    /* GET_*: its id. LIST_DELIVERIES: the event. LIST_ATTEMPTS: the delivery. LIST_KEYS: the user. */
    int64_t id;
    int64_t owner_id; /* events, endpoints, jobs, FIND_DELIVERIES: only this user's; 0: all users' */
    /* Users: only this one and those that it created. Deliveries, also those for `undelivered`: only these
     * users'. 0: all users. */
    int64_t master_id;
    /* Filters of LIST_EVENTS, the first one of FIND_DELIVERIES too; literal; empty: any. */
    struct bytes event_type, resource_type, resource_id;
    bool undelivered; /* LIST_EVENTS: only those with a delivery that is pending, given up or skipped */
    /* Filters of FIND_DELIVERIES. 0, or empty: any. */
    unsigned states; /* 1 << enum delivery_state */
    int64_t endpoint_id;
    struct bytes reason;      /* last_reason, literal */
    int64_t received_from_ms; /* only those of events that were received then or later */
    const struct job *job;    /* JOB_ROWS; it need not exist */
    bool descending;
    int64_t after_id;               /* the cursor, exclusive; 0: from the start */
    struct bytes after_resource_id; /* the cursor of LIST_RESOURCES */
    int limit;                      /* rows at most */
    bool with_document;             /* events: read the document too */
};

struct store_stats {
    int64_t events, deliveries_pending, deliveries_delivered, deliveries_given_up;
    int64_t deliveries_cancelled, deliveries_skipped, endpoints; /* those with a URL */
    int64_t endpoints_failing;
    int64_t log_bytes; /* used bytes of the write-ahead log */
    /* The receipt of the event whose delivery has waited longest, wall clock; 0: nothing waits. It is looked
     * up now and then, and may leave out deliveries under their first lease. */
    int64_t oldest_waiting_at_ms;
    unsigned char fingerprint[STORE_FINGERPRINT_LEN];
    bool has_fingerprint; /* false: none was ever stored */
};

/* The arrays are on the caller's arena. The query's kind says which one is set. */
struct store_answer {
    struct user *users;
    struct endpoint *endpoints;
    struct api_key *keys;
    struct event *events;
    struct delivery *deliveries;
    struct attempt *attempts;
    struct job *jobs;
    struct hour *hours; /* those that have a row */
    int64_t *ids;       /* JOB_ROWS: of deliveries; of a BACKFILL, of events */
    struct resource *resources;
    struct store_stats *stats;
    int count;
    bool more; /* there is another page */
    /* LIST_EVENTS and FIND_DELIVERIES with a filter: the page ended early, after scan_rows_max rows, or
     * 25 ms. It has looked at all rows up to this id; the next page starts behind it. 0: the page is full, or
     * the last. */
    int64_t scanned_to;
    struct job_cursor to; /* JOB_ROWS: all rows up to here were looked at; `more`: there may be others */
    int looked;           /* their number, at most scan_rows_max */
};

/* ---- a backend ---- */

struct store_config {
    const char *path; /* SQLite: the file */
    struct clock clock;
    struct pace_config pace;
    int64_t lease_ms;
    int id_node;                /* part of the ids of new events (ids.h) */
    int mark;                   /* part of the ids of new deliveries (model.h): random for each start */
    int readers;                /* threads that call store_read, numbered from 0 */
    int64_t disk_reserve_bytes; /* with less free space, besides that for the log, EVENT is NO_SPACE */
    struct user_usage quotas;   /* for each user; 0: no limit */
    int scan_rows_max;          /* rows that a page looks at; 0: 2,048 events, 32,768 deliveries */
    int keys_ahead_max;         /* events whose idempotency keys are found in memory; 0: 16,384 */
    /* Payloads take their bytes from here. A delivery beyond it, or beyond its endpoint's share, waits. NULL:
     * no limit. */
    struct budget *budget;
    struct log *log;
    char *refusal; /* NULL, or room for STORE_REFUSAL_LEN bytes: why an open is REFUSED. The log has it too */
};

struct store;

struct store_backend {
    const char *name;
    enum store_status (*open)(const struct store_config *config, struct store **store); /* migrates */
    /* One transaction with one fsync: the ops in order, then the claim. Only STORE_OK means written. */
    enum store_status (*write)(struct store *store, struct store_batch *batch);
    /* STORE_OK with count 0: not found. `reader` < config.readers; each has one thread. */
    enum store_status (*read)(struct store *store, int reader, const struct store_query *query,
                              struct arena *arena, struct store_answer *answer);
    void (*close)(struct store *store);
};

/* A struct store begins with a pointer to its backend. So only the opener names one (server_store_open). */
static inline const struct store_backend *store_backend(const struct store *store)
{
    return *(const struct store_backend *const *)(const void *)store;
}

enum store_status store_write(struct store *store, struct store_batch *batch);
enum store_status store_read(struct store *store, int reader, const struct store_query *query,
                             struct arena *arena, struct store_answer *answer);
void store_close(struct store *store);

extern const struct store_backend store_sqlite;
