/*
 * sim: the delivery machine in a world of its own. The parts that this folder's files share; sim.c explains
 * the whole.
 *
 *   sim.c      seeds, the clock, the agenda of steps, the command line
 *   faults.c   how hostile this seed is, and when what goes wrong
 *   node.c     a server: dispatch, its boxes, its queue; in the product, engine.c and queue.c
 *   keyring.c  the keys that a node knows, by the feed of changes; and an operator who changes them
 *   world.c    producers that post, the network, receivers with characters
 *   jobs.c     somebody who has what ended sent again
 *   notices.c  somebody who is told how the endpoints do
 *   disk.c     the store: a handle for each node, on one database
 *   oracle.c   what must hold: promises P1 to P5, checked at every commit, send and answer
 */
#pragma once
#include "dispatch.h"
#include "model_store.h"

enum {
    NODES_MAX = 3,
    SLOTS_MAX = 8,
    RECEIVERS_MAX = 5,
    POSTS_MAX = 40,
    JOBS_MAX = 64,
    DOCUMENT_LEN_MAX = 512,
    ATTEMPT_MS = 30 * 1000, /* unless the endpoint says otherwise */
    DRAIN_MS_MAX = 30 * 1000,
    FROZEN_MS_MAX = 10 * 60 * 1000,
    KEYS_MAX = 2 * RECEIVERS_MAX,
    FRESH_MS_MAX = 2000 /* until a change is known to every node */
};

static const int64_t SECOND = 1000, MINUTE = 60 * 1000, HOUR = 3600 * 1000, DAY = 24 * 3600 * 1000;

/* ---- the agenda ---- */

enum step_kind {
    STEP_POST,      /* a: post. A producer posts, or posts again */
    STEP_ANSWERED,  /* a: post, b: event id, 0 for no 201. The answer reaches the producer */
    STEP_START,     /* node starts, unless it runs */
    STEP_KILL,      /* node is killed, if it still runs in this life */
    STEP_PUMP,      /* node: dispatch_wake_at has come */
    STEP_QUEUE,     /* node: something is due, or a failed write may be tried again */
    STEP_WRITE,     /* node: the batch reaches the store: the commit happens here or not at all */
    STEP_WRITTEN,   /* node: and the writer learns of it */
    STEP_RECEIVE,   /* a: attempt. The request reaches the receiver, whatever became of its sender */
    STEP_RESULT,    /* a: attempt. The sender learns how it ended */
    STEP_REFRESH,   /* node: something was changed, here or elsewhere */
    STEP_DRAIN_END, /* node: what is still under way is aborted */
    STEP_FAULT,     /* a: fault kind */
    STEP_MEND,      /* a: fault kind, b: node. Its end */
    STEP_HEAL       /* from here on nothing goes wrong any more */
};

struct step {
    int64_t at_ms;
    uint64_t order; /* of scheduling: ties are first come, first served */
    enum step_kind kind;
    int node;
    uint32_t life; /* of the node: a step of an earlier one means nothing. 0: any */
    int64_t a, b;
};

/* ---- how hostile ---- */

enum fault_kind {
    FAULT_CRASH,
    FAULT_DRAIN,
    FAULT_STORE_DOWN,
    FAULT_DISK_FULL,     /* all writes say FULL */
    FAULT_DISK_RESERVE,  /* events say NO_SPACE */
    FAULT_LOCAL_OUTAGE,  /* a node has no network */
    FAULT_CLOCK_FORWARD, /* 3 days; of one machine, or of all and the database's */
    FAULT_CLOCK_BACK,    /* an hour */
    FAULT_CLOCK_1970,
    FAULT_FREEZE, /* a node stands still (SIGSTOP), and then goes on as if nothing had been */
    FAULT_CHANGE, /* none: an operator changes a URL, or replaces a key */
    FAULT_COUNT
};

/* All a seed's hostility as numbers. every_ms 0: never. */
struct faults {
    int64_t every_ms[FAULT_COUNT]; /* mean time between two */
    int64_t lasts_ms[FAULT_COUNT]; /* at most */
    int commit_unknown_permille, commit_lost_permille;
    int duplicate_post_permille; /* posted again though answered */
    int answer_lost_permille;    /* the 201 does not reach the producer */
    int64_t chaos_ms;            /* then everything is healed */
};

/* ---- the world ---- */

enum character {
    RECEIVER_OK,
    RECEIVER_SLOW,
    RECEIVER_500,
    RECEIVER_429, /* with Retry-After */
    RECEIVER_HANG,
    RECEIVER_DID_THEN_RESET,
    RECEIVER_FLAPPING,
    RECEIVER_DEAD,
    CHARACTER_COUNT
};

/* An endpoint's own retries, as the oracle knows them. */
struct world_retry {
    const char *text;   /* as it is stored */
    int32_t steps_s[4]; /* 0 ends; of a schedule all, else the first ones */
    int64_t window_s;   /* 0: it is a schedule */
};

/* Behind an endpoint: a user's default one, or a further one. */
struct receiver {
    int64_t user_id, endpoint_id;
    bool further;
    struct flow_settings flow;
    int32_t disable_after;
    int64_t acknowledged_ms;          /* service clock: the last time that was recorded; 0: never */
    const struct world_retry *retry;  /* NULL: as the policy says */
    const char *success;              /* the statuses that acknowledge; NULL: 200 */
    int32_t timeout_s;                /* of a whole attempt; 0: ATTEMPT_MS */
    enum character character, healed; /* healed: how it is after STEP_HEAL */
};

struct post {
    int64_t owner_id, posted, event_id; /* event_id: from the first 201 */
    bool has_key, accepted;
};

/* One attempt as the oracle saw it; index is its name. */
struct sim_attempt {
    int node, receiver;
    uint32_t life, slot;
    int64_t delivery_id, event_id, lease, started_ms, duration_ms;
    int64_t limit_ms; /* of its duration, as its sender knows it */
    uint64_t body_hash;
    int64_t ended_ms;
    bool answered; /* the store has said DONE or FENCED to its outcome */
    bool received, ended, crashed, recorded;
    bool lease_held;                /* recorded before the lease ran out, and not fenced */
    struct outcome coming, outcome; /* on its way; as its sender took it */
};

/* ---- a node ---- */

enum node_job_kind { NODE_JOB_EVENT, NODE_JOB_OUTCOME };

struct node_job {
    enum node_job_kind kind;
    struct store_op op;
    int post;      /* EVENT */
    int tries;     /* EVENT: after a commit of unknown fate */
    uint32_t slot; /* OUTCOME */
    char key[24], document[DOCUMENT_LEN_MAX];
};

/* A key that a node accepts. */
struct node_key {
    int64_t user_id;
    char digest[65];
};

struct node {
    int number;
    struct sim *sim;
    struct store *store;     /* its own handle; NULL: it does not run */
    int64_t wall_skew_ms;    /* its clock, beside that of the world */
    int64_t frozen_until_ms; /* 0: it runs */
    struct node_key keys[KEYS_MAX];
    int key_count;
    int64_t seen_change;
    uint32_t life; /* 0: never ran; rises with every start */
    bool alive, draining, withdrawn, writing;
    void *memory;
    struct dispatch *dispatch;
    int64_t pump_at_ms, queue_at_ms; /* for which a step is scheduled; INT64_MAX: none */
    int64_t next_due_ms;             /* when the store may have something for our boxes */
    bool network_down;
    struct store_work boxes[SLOTS_MAX];
    int attempt[SLOTS_MAX];                 /* index of the attempt under way or just ended; -1: unsent */
    struct store_work *standing[SLOTS_MAX]; /* empty boxes: the standing claim */
    int standing_count;
    struct node_job jobs[JOBS_MAX]; /* the first writing_count are in the batch */
    int job_count, writing_count;
    struct store_work *batch_boxes[SLOTS_MAX];
    struct store_batch batch;
    enum store_status batch_status;
    int batch_boxes_count;
};

/* ---- what the oracle knows ---- */

struct oracle_event {
    int64_t id;
    uint64_t body_hash; /* stamped */
    int64_t sent_at_ms;
};

struct oracle_delivery {
    int64_t id, event_id;
    enum delivery_state state;
    int32_t counted;        /* attempts that were recorded as counted */
    int32_t out_of_turn;    /* those beside them, that a person wanted and that failed */
    bool hurried;           /* the next one is such */
    bool resending;         /* it was delivered, and is sent once more */
    int again;              /* a job made it due again */
    int64_t first_start_ms; /* service clock; -1: never sent */
    int64_t released_ms;    /* recorded delays that are our own fault */
    int64_t lease, granted_ms /* mono */;
    int64_t recorded_lease;
    uint32_t store_life; /* in which the lease was granted */
    int64_t endpoint_id;
};

/* A lease that a node gave. */
struct oracle_lease {
    int64_t endpoint_id, at_ms;
    int node;
    uint32_t life;
};

struct oracle {
    struct oracle_event *events;
    struct oracle_delivery *deliveries;
    struct oracle_lease *leases;
    int event_count, event_cap, delivery_count, delivery_cap, lease_count, lease_cap;
    int64_t given_up, disabled;          /* outcomes that a notice is due to */
    int64_t told[NOTICE_KINDS], notices; /* their counts, and how many notices */
    int64_t polled_to, polled;           /* by somebody who pages by id: up to where, and how many events */
    struct delivery before[JOBS_MAX];    /* of each outcome in the batch being written */
    struct arena arena;
};

/* ---- everything ---- */

struct sim_totals {
    int64_t events, attempts, delivered, given_up, crashes, unknown_commits, steps;
};

struct sim {
    uint64_t seed, random, hash;
    bool trace;
    bool failed;
    char failure[256]; /* "P4: ..." */
    int64_t now_ms;    /* true and monotonic; all else is derived */
    int64_t wall_offset_ms;
    int64_t service_ms; /* true uptime: a store open and reachable */
    struct step *agenda;
    int agenda_count, agenda_cap;
    uint64_t order;
    bool healed;

    struct faults faults;
    struct dispatch_config dispatch_config;
    int64_t lease_ms, commit_ms_max, network_ms_max, attempt_ms_max;
    int batch_max;
    struct pace_config pace;
    int node_count, receiver_count, post_count;
    struct node nodes[NODES_MAX];
    struct receiver receivers[RECEIVERS_MAX];
    bool master_receives;
    struct post posts[POSTS_MAX];
    struct sim_attempt *attempts;
    int attempt_count, attempt_cap;

    const struct store_backend *backend;
    struct model_disk *disk; /* NULL: SQLite, in its folder */
    char folder[64];
    bool store_down, store_was_down, disk_full;
    bool store_fails;    /* in this seed, at some time */
    bool nodes_freeze;   /* likewise */
    uint32_t store_life; /* rises when a first handle is opened */
    int64_t changes;     /* by the operator */
    int64_t asker_id;    /* an endpoint of the Master that asks for notices, and is paused; 0: none */
    struct oracle oracle;
    struct sim_totals totals;
};

/* sim.c */
uint64_t sim_random(struct sim *sim);
int64_t sim_pick(struct sim *sim, int64_t below);                        /* 0 to below - 1 */
int64_t sim_between(struct sim *sim, int64_t low, int64_t high);         /* both included */
int64_t sim_between_log(struct sim *sim, int64_t low, int64_t high_max); /* each doubling equally likely */
bool sim_chance(struct sim *sim, int permille);
void sim_at(struct sim *sim, int64_t at_ms, struct step step);
int64_t sim_wall_ms(const struct sim *sim);
int64_t node_wall_ms(const struct node *node); /* as that machine has it */
/* Into the hash, and with --trace a line; labels may be NULL. node -1: the world. */
void sim_trace(struct sim *sim, int node, const char *what, const char *a_label, int64_t a,
               const char *b_label, int64_t b, const char *c_label, int64_t c);
/* The first one counts: the run ends behind the step. */
void sim_fail(struct sim *sim, const char *promise, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
uint64_t sim_hash(uint64_t hash, const void *data, size_t len);

/* faults.c */
void faults_draw(struct sim *sim);
void faults_schedule(struct sim *sim);
void faults_strike(struct sim *sim, enum fault_kind kind);
void faults_mend(struct sim *sim, enum fault_kind kind, int node);
void faults_heal(struct sim *sim);

/* node.c */
void node_start(struct sim *sim, struct node *node);
void node_crash(struct sim *sim, struct node *node);
bool node_frozen(const struct node *node);
/* Something may be due since then. */
void node_wake(struct sim *sim, struct node *node, int64_t due_ms);
/* The end of patience with a node that drains. */
void node_kill(struct sim *sim, struct node *node);
void node_drain(struct sim *sim, struct node *node);
void node_abort(struct sim *sim, struct node *node);
/* False: it does not take posts now. */
bool node_post(struct sim *sim, struct node *node, int post);
void node_result(struct sim *sim, int attempt, const struct outcome *outcome);
void node_pump(struct sim *sim, struct node *node);
void node_queue(struct sim *sim, struct node *node);
void node_write(struct sim *sim, struct node *node);
void node_written(struct sim *sim, struct node *node);

/* keyring.c */
void keyring_start(struct sim *sim, struct node *node);
void keyring_refresh(struct sim *sim, struct node *node);
/* An operator asks this node to change something. */
void keyring_change(struct sim *sim, struct node *node);
/* A delivery that waits, which a person may have tried now; false: none is at hand. And it is. */
bool oracle_waiting(struct sim *sim, int64_t *delivery_id);
void oracle_hurried(struct sim *sim, int64_t delivery_id);

/* jobs.c */
/* Somebody replays or recovers. False: nothing came of it. */
bool jobs_change(struct sim *sim, struct node *node);
/* When all has ended: a new endpoint and its backfill. */
void jobs_at_end(struct sim *sim);
/* A job has made it due again, if it is. */
void oracle_again(struct sim *sim, int64_t delivery_id);

/* notices.c */
void notices_populate(struct sim *sim);
/* What is due is told. */
void notices_tell(struct sim *sim, struct node *node);
/* When all has ended: everything was told, and once. */
void notices_at_end(struct sim *sim);

/* disk.c */
void disk_init(struct sim *sim, bool sqlite);
void disk_fini(struct sim *sim);
void disk_open(struct sim *sim, struct node *node);
void disk_close(struct sim *sim, struct node *node);
/* A handle that is open; NULL: no node runs. */
struct store *disk_store(const struct sim *sim);
void disk_down(struct sim *sim, bool down);
void disk_reserve(struct sim *sim, bool reached);
enum store_status disk_write(struct sim *sim, struct node *node, struct store_batch *batch,
                             enum model_fault fault);
/* This op alone. False: nothing is written. */
bool disk_write_op(struct sim *sim, struct node *node, struct store_op *op);

/* world.c */
void world_draw(struct sim *sim);
void world_populate(struct sim *sim); /* users, keys; schedules the posts */
void world_post(struct sim *sim, int post);
void world_answered(struct sim *sim, int post, int64_t event_id);
/* Nobody is paused any more. */
void world_resume(struct sim *sim);
/* Has the endpoint of this receiver a URL? */
bool world_has_url(const struct sim *sim, int receiver);
int world_receiver(const struct sim *sim, int64_t endpoint_id); /* index */
int world_recipients(const struct sim *sim, int64_t owner_id);  /* of an event */
int64_t world_attempt_ms(const struct receiver *receiver);
bool world_acknowledges(const struct receiver *receiver, int status);
void world_send(struct sim *sim, int attempt);
void world_receive(struct sim *sim, int attempt);

/* oracle.c */
void oracle_init(struct sim *sim);
void oracle_fini(struct sim *sim);
void oracle_accepted(struct sim *sim, int post, int64_t event_id);
void oracle_before_write(struct sim *sim, const struct store_batch *batch);
void oracle_after_write(struct sim *sim, const struct node *node, const struct store_batch *batch,
                        enum store_status status, bool committed);
/* The node has read all changes: it knows the keys that are active, and no others. */
void oracle_refreshed(struct sim *sim, const struct node *node);
void oracle_send(struct sim *sim, int attempt, const struct store_work *box);
/* Its sender has an answer, or will wait no longer. */
void oracle_result(struct sim *sim, const struct sim_attempt *attempt);
/* Every event in the store has ended as it may; with `bad_too`, also those to receivers that stayed bad. */
bool oracle_all_ended(struct sim *sim, bool bad_too);
void oracle_at_end(struct sim *sim);
