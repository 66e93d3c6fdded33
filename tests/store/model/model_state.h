/* model_state: the data that model_store.c writes and model_read.c reads: the disk, which handles may share,
 * and a handle. */
#pragma once
#include "ids.h"
#include "model_store.h"
#include <pthread.h>

/* What is to be told of one kind. */
struct model_notice {
    int64_t count, due_ms; /* service clock */
    bool told;             /* of the failing: since it began */
};

/* An endpoint on the disk. */
struct model_row {
    struct endpoint endpoint;
    bool removed, ever_answered;
    int64_t fails_since_ms, outage_since_ms; /* service clock; 0: it does not fail; there is no outage */
    struct model_notice notices[NOTICE_KINDS];
};

/* An endpoint as a handle knows it. */
struct model_endpoint {
    struct endpoint endpoint; /* with copies of its own */
    bool removed;
    char auth_digest[65]; /* "": its owner has no key */
    struct pace pace;
    int64_t *begun; /* due clock: when each of its leases began, of those that its rate may count */
    int begun_count, begun_cap;
    int64_t delivered;               /* since the handle was opened */
    int64_t missed[PACE_MISSED_MAX]; /* as roster.h has it */
    int missed_count;
};

/* A lease that a handle gave, until it has recorded its end. */
struct model_lease {
    int64_t delivery_id, endpoint_id, lease;
};

struct model_event {
    struct event event;
    int delivery_count;
    bool owner_only, for_chosen;
};

struct model_delivery {
    int64_t id, event_id, endpoint_id;
    int64_t user_id; /* the owner of that endpoint */
    enum delivery_state state;
    bool resending;  /* delivered, and sent beside that */
    int32_t earlier; /* attempts that counted before it was resent */
    bool leased;     /* a lease was given and not recorded; it may have run out */
    int32_t attempt, lost;
    int64_t lease;
    int64_t due_ms;     /* due clock; while leased, when the lease runs out */
    int64_t resumes_ms; /* due clock: when its schedule goes on, if this attempt out of turn fails; 0: none */
    int64_t age_start_ms; /* service clock; of meaning once attempt > 0 */
    enum failure last_reason;
    int last_status;
    int64_t created_at_ms, first_attempt_at_ms, finished_at_ms;
};

struct model_key {
    int64_t requester_id, event_id;
    struct bytes key;
    unsigned char digest[32];
};

struct model_hour {
    int64_t endpoint_id;
    struct hour hour;
};

/* resources[].event_id of what a Master has put; read as 0. */
enum { MODEL_PUT = -1 };

struct model_request {
    int64_t requester_id, made_id, at_ms;
    struct bytes key;
    unsigned char digest[32];
    char made[STORE_MADE_LEN];
};

struct model_disk {
    char path[16];
    struct user *users; /* but their endpoints: */
    struct model_row *endpoints;
    struct api_key *keys;
    struct model_event *events; /* in order of arrival */
    struct model_delivery *deliveries;
    struct attempt *attempts;
    struct resource *resources; /* in no order */
    struct model_key *idempotency;
    struct model_request *requests;
    int request_count, request_cap;
    struct job *jobs; /* by id */
    int job_count, job_cap;
    struct model_hour *hours;
    int hour_count, hour_cap;
    int64_t keys_before_ms; /* those of events received before are forgotten */
    int user_count, endpoint_count, key_count, event_count, delivery_count, attempt_count, idempotency_count,
        resource_count;
    int user_cap, endpoint_cap, key_cap, event_cap, delivery_cap, attempt_cap, idempotency_cap, resource_cap;
    int64_t last_user_id, last_key_id, last_delivery_id, last_event_id, last_change;
    int64_t due_ms, service_ms; /* as of the last write */
    enum model_fault fault;
    bool down, no_space, has_fingerprint;
    unsigned char fingerprint[STORE_FINGERPRINT_LEN];
    int handles;        /* open ones */
    bool shared;        /* there may be several */
    struct clock clock; /* of the handle; of the database server, if it is shared */
    int64_t due_base_ms, service_base_ms, mono_base_ms; /* when the first handle was opened */
    int64_t down_since_ms, down_ms;                     /* mono: time that was no service */
};

struct store {
    const struct store_backend *backend; /* first: store_backend */
    struct model_disk *disk;
    bool disk_own;
    struct store_config config;
    /* Its view: the endpoints and keys as of seen_change, how each endpoint does, and its leases. */
    struct model_endpoint *endpoints;
    struct model_lease *out;
    int endpoint_count, endpoint_cap, out_count, out_cap;
    int64_t seen_change;
    int64_t served_last; /* endpoint */
    struct pace_budget failing;
    struct pace_outage outage;
    struct ids ids;
    pthread_mutex_t lock;
};

/* The next id of an event or of what is put. */
int64_t model_next_id(struct store *store);

struct user *model_find_user(struct model_disk *disk, int64_t id);
struct model_row *model_find_endpoint(struct model_disk *disk, int64_t id);
/* The user, one of its keys or one of its endpoints has changed. */
void model_touch(struct model_disk *disk, int64_t user_id);
struct model_event *model_find_event(struct model_disk *disk, int64_t id);
struct bytes model_copy(struct bytes source);
void model_drop(struct bytes owned);
void *model_room(void *array, int count, int *cap, size_t size);

/* It waits or is out. */
bool model_under_way(const struct model_delivery *delivery);
struct model_delivery *model_find_delivery(struct model_disk *disk, int64_t id);

/* The endpoint in the handle's view. NULL: it does not know it. */
struct model_endpoint *model_view(struct store *store, int64_t id);
/* Reads what has changed since. */
void model_view_refresh(struct store *store);
void model_view_open(struct store *store);
void model_view_close(struct store *store);
void model_view_leased(struct store *store, const struct model_delivery *delivery);
void model_view_ended(struct store *store, int64_t delivery_id);
/* Did this handle give it, and no later one? */
bool model_view_gave(const struct store *store, int64_t delivery_id, int64_t lease);
/* Its leases that have not run out, endpoint_id 0: of all; and how long the oldest is out. */
int model_view_out(const struct store *store, int64_t endpoint_id, int64_t now);
int64_t model_view_oldest_ms(const struct store *store, int64_t endpoint_id, int64_t now);

/* The clock that ages are counted on: service time, but for a planted bug. */
int64_t model_age_clock_ms(const struct store *store);
/* Pace, live leases, its share of them: may this endpoint have one more? */
bool model_may_take(const struct store *store, const struct model_endpoint *endpoint, int64_t now);
struct model_delivery *model_first_due(struct model_disk *disk, int64_t endpoint_id, int64_t now);
/* Leases it into the next box of the batch. */
void model_lease(struct store *store, struct store_batch *batch, struct model_delivery *delivery);
/* How endpoints are doing. */
void model_look(struct store *store, struct store_op *op);
void model_claim(struct store *store, struct store_batch *batch);

void model_resources_take(struct model_disk *disk, const struct store_op *op);
/* Quotas: op->result and op->reached say so. */
bool model_event_beyond(struct store *store, struct store_op *op);
void model_resource_put(struct store *store, struct store_op *op);
void model_resource_delete(struct model_disk *disk, struct store_op *op);
/* What no event has any more and no Master has put. */
/* Is the op's request known? Then its result says what that means. */
bool model_request_known(struct model_disk *disk, struct store_op *op);
void model_request_keep(struct store *store, const struct store_op *op);
void model_resources_purge(struct model_disk *disk, int64_t before_ms);
void model_resources_free(struct model_disk *disk);

enum store_status model_read(struct store *store, const struct store_query *query, struct arena *arena,
                             struct store_answer *answer);

/* Adds one that is due now; its index. */
int model_delivery_add(struct store *store, const struct event *event, const struct endpoint *endpoint,
                       int64_t now);
/* NULL: the endpoint wants the event; else why it does not. */
const char *model_unwanted(const struct event *event, const struct endpoint *endpoint);
/* Starts again a delivery that has ended. */
void model_again(struct model_delivery *delivery, int64_t now);

/* Jobs (model_job.c). */
void model_job_create(struct store *store, struct store_op *op);
void model_job_step(struct store *store, struct store_op *op);
void model_job_cancel(struct store *store, struct store_op *op);
void model_jobs_cancel(struct store *store, int64_t endpoint_id);
void model_jobs_purge(struct model_disk *disk, int64_t before_ms);
void model_jobs_free(struct model_disk *disk);
void model_job_rows(const struct store *store, const struct store_query *query, struct arena *arena,
                    struct store_answer *answer);
/* Hours (model_hour.c). */
void model_hour_count(struct store *store, int64_t endpoint_id, enum hour_kind kind, int bucket);
void model_hour_attempt(struct store *store, int64_t endpoint_id, const struct ledger_outcome *outcome);
void model_hours_forget(struct model_disk *disk, int64_t endpoint_id);
void model_hours_purge(struct store *store);
void model_read_hours(const struct store *store, const struct store_query *query, struct arena *arena,
                      struct store_answer *answer);
int64_t model_oldest_waiting(const struct store *store, int64_t endpoint_id);
/* An outcome was recorded; op->count: it disabled the endpoint. */
void model_notices(struct store *store, struct model_row *row, const struct store_op *op, bool given_up);
/* False: there is nothing to tell. */
bool model_notice_told(struct store *store, const struct store_notice *told);
bool model_gets_notice(struct store *store, const struct store_notice *notice,
                       const struct endpoint *endpoint);
void model_notices_due(struct store *store, struct store_op *op);

/* One op each, for a batch. */
void model_event(struct store *store, struct store_batch *batch, struct store_op *op);
void model_outcome(struct store *store, struct store_op *op);
void model_resend_or_cancel(struct store *store, struct store_op *op);
void model_key_create(struct model_disk *disk, struct store_op *op);
void model_key_revoke(struct store *store, struct store_op *op);
void model_key_update(struct model_disk *disk, struct store_op *op);
void model_user_create(struct model_disk *disk, struct store_op *op);
void model_user_update(struct model_disk *disk, struct store_op *op);
void model_purge(struct store *store, struct store_op *op);
void model_endpoint_create(struct store *store, struct store_op *op);
void model_endpoint_change(struct store *store, struct store_op *op);
void model_event_drop(struct model_disk *disk, int at);
void model_user_drop(const struct user *user);

void model_end(struct store *store, struct model_delivery *delivery, enum delivery_state state);
void model_endpoint_add(struct model_disk *disk, int64_t id, int64_t owner_id, const struct endpoint *from);
void model_endpoint_set(struct model_disk *disk, struct model_row *row, const struct endpoint *from);
/* It has changed in whatever way: its version, and its user's if it is the default one. */
void model_endpoint_changed(struct model_disk *disk, struct model_row *row);
void model_endpoint_drop(const struct endpoint *endpoint);
struct endpoint model_endpoint_copy(struct endpoint endpoint);
/* What waits for an endpoint that was removed; 0: for any of them. */
void model_cancel_removed(struct store *store, int64_t endpoint_id);
