/*
 * sqlite_parts: the declarations that the files of the SQLite backend share. Besides them, only tests of the
 * backend's internals include it. No file calls one that is below it in this list:
 *
 *   log_vfs.c          the VFS of the connection that writes
 *   files.c            the lock of the folder, and who may read its files
 *   statement.c        statements and columns, result codes, clocks, ids; sqlite_sql.h has the texts
 *   schema.c           the tables and their migrations
 *   job_rows.c         the rows that a job may make due next
 *   read.c             queries
 *   hours.c            what happened to deliveries by hour, and the oldest that waits
 *   endpoint.c         endpoints, and their entries in the roster
 *   usage.c            the stored bytes and waiting deliveries of each user
 *   late_rows.c        rows that are written later, for many events at once
 *   user.c             users and keys
 *   resource.c         RESOURCE_PUT, RESOURCE_DELETE, and the snapshots that events carry
 *   idempotency.c      Idempotency-Keys in memory; key_runs.c: in the table; key_lookup.c: finds them
 *   box.c              fills a box for a lease, and ends a lease
 *   tail.c             deliveries that wait in memory for a quick endpoint
 *   sweep.c            removes rows that are spread by owner
 *   purge.c            PURGE
 *   notice.c           what is to be told about endpoints: NOTICES
 *   outcome.c          OUTCOME, RESEND, CANCEL
 *   job.c              JOB_CREATE, JOB_STEP, JOB_CANCEL
 *   endpoint_remove.c  ENDPOINT_REMOVE, and what is left of the endpoint
 *   claim.c            claims and expired leases
 *   event_quota.c      what an EVENT would add to its owner's usage
 *   event.c            EVENT
 *   sqlite.c           open, close, and the transaction of a batch
 */
#pragma once
#include "failing.h"
#include "gathered.h"
#include "idempotency.h"
#include "ids.h"
#include "leases.h"
#include "log_vfs.h"
#include "roster.h"
#include "sqlite_sql.h"
#include "store.h"
#include <pthread.h>
#include <sqlite3.h>

enum { STORE_PAGE_BYTES = 4096 }; /* sqlite_connect */

/* events.audience: of those that were not for all endpoints of their owner and its Master. */
enum { AUDIENCE_OWNER = 1, AUDIENCE_CHOSEN = 2 /* a ping, a notice: nobody gets it later */ };

/* The effect of an event on the snapshot of its own resource. */
enum snapshot { SNAPSHOT_NONE, SNAPSHOT_CARRIED, SNAPSHOT_DESTROYED };

/* Stored in the table `state`, and undone with the batch. The effect of plain batches (see `plain`) can be
 * computed from the rows of events and deliveries, so the row of `state` may be late by a second of them, or
 * by 1,024 events. */
struct sqlite_counts {
    int64_t delivery_id_max, event_id_max, events;
    int64_t states[DELIVERY_STATES]; /* deliveries by enum delivery_state */
    int64_t endpoints;               /* those with a URL */
    int64_t born_out;                /* deliveries under the lease that began with them */
    int64_t followed_to;             /* up to this event, all late rows are written (late_rows.c) */
    int ahead_first, ahead_count;    /* the later events: entries of struct ahead */
    int64_t purged_to, attempts_to;  /* purge.c */
    int64_t idempotency_to, idempotency_before_ms;
    int idempotency_count, idempotency_ahead; /* keys in memory; events after idempotency_to */
    int64_t failing, log_frames, oldest_born; /* only in `published` */
    int64_t dead;                             /* rows of `owned` known to be without event; not stored */
};

struct sweep_name {
    int64_t owner_id;
    char type[MODEL_TYPE_LEN_MAX + 1], id[MODEL_ID_LEN_MAX + 1];
};

/* Events whose late rows are not written yet. The counts say which entries are valid, so that a batch can be
 * undone; sqlite_ahead_committed drops the written ones. */
struct ahead {
    struct ahead_entry *entries;
    int cap;
    struct arena names;
};

/* The keys of consecutive events, as they are stored (key_runs.c). */
struct idempotency_run {
    int64_t id;
    int level, bits;
    int64_t built, keys, received_last_ms, into;
    bool is_read;
    struct idempotency_filter *filter; /* NULL: each look-up reads a row */
};

/* The maximum of runs. The ids of the rows of a run begin with its id, shifted by this. */
enum { IDEMPOTENCY_RUNS_MAX = 256, IDEMPOTENCY_RUN_SHIFT = 32 };

struct idempotency {
    struct digest *digest;
    struct idempotency_recent recent;
    int64_t received_last_ms;                                                        /* of those */
    struct idempotency_run runs[IDEMPOTENCY_RUNS_MAX], before[IDEMPOTENCY_RUNS_MAX]; /* by id */
    int run_count, before_count;
    bool touched;             /* changed by this batch; `before` has the state before it */
    int credit;               /* new keys since the last step of work */
    int ahead_max;            /* events whose keys are in memory; an open reads these again */
    int64_t filters_size_max; /* bytes of all filters */
};

struct sqlite_reader;

/* Counts the deliveries that waited at open, in one read transaction (usage.c). */
struct counting {
    sqlite3 *db; /* NULL: all is counted */
    sqlite3_stmt *rows, *one;
    int64_t endpoint_id, waiting; /* of the last row; rows of that endpoint so far */
};

struct store {
    const struct store_backend *backend; /* first: store_backend */
    struct store_config config;
    char *path;
    sqlite3 *db;
    struct log_vfs log_vfs; /* of db */
    sqlite3_stmt *sql[SQL_COUNT];
    struct sqlite_reader *readers;
    struct counting counting;
    int folder_fd, file_fd; /* locked; -1: not open */

    int64_t mono_at_open_ms, due_at_open_ms, service_at_open_ms;
    struct moment now; /* of the batch */

    struct roster roster;
    struct leases leases;
    struct gathered gathered;
    struct ids ids; /* of events. An undo does not give ids back, because the ops keep theirs */
    struct sqlite_counts counts, counts_before;
    struct ahead ahead;
    struct idempotency idempotency;
    bool users_changed; /* by this batch: an undo loads the roster again */
    bool changed;       /* this batch wrote something */
    bool plain;         /* this batch only accepted events, and recorded born leases as delivered */
    int64_t saved_ms, saved_events; /* when the row of `state` was written: mono, events */
    pthread_mutex_t published_lock;
    struct sqlite_counts published;        /* for readers: at the last commit */
    int64_t oldest_at_ms, oldest_again_ms; /* for readers, under published_lock: the oldest waiting delivery;
                                              the next look-up (mono) */
    int boxes_kept;                        /* boxes of this batch for waiting work */

    /* The write-ahead log: its frames; those that a checkpoint has moved; its frames at the last checkpoint.
     */
    int log_frames, log_moved, log_tried;
    int log_tries_each, log_held_told; /* frames between checkpoints; frames left that the log warns about */
    bool log_held;                     /* the log has warned */
    bool disk_low;
    bool sweeping, swept_once;        /* sweep.c */
    int64_t disk_asked_ms;            /* mono */
    int64_t ids_from;                 /* new users and keys have ids above it */
    int64_t born_from;                /* at open: the born leases of the last process begin here */
    int64_t sweep_owner;              /* the sweep continues after this owner, */
    struct sweep_name sweep_resource; /* and this resource */
    enum store_status broken_by;      /* the reason why nothing is written any more; OK: none */
    int64_t fault_told_ms; /* mono, under published_lock: the last log line about a fault; 0: none */
    int faults_untold;     /* faults since then */
};

/* ---- statement.c ---- */

struct moment sqlite_now(const struct store *store);
/* The id of a new event, endpoint, or version of a resource: above all earlier ones. */
int64_t sqlite_next_id(struct store *store);
/* Prepares all statements of the writer. */
enum store_status sqlite_prepare(struct store *store);

/* The meaning of an SQLite result code for the batch; logs it. Not for SQLITE_OK, _ROW or _DONE. */
enum store_status sqlite_fault(struct store *store, int rc);
/* The same for a reading connection; the store is not changed. Any thread. */
enum store_status sqlite_fault_of_reader(struct store *store, sqlite3 *db, int rc);
/* STORE_OK is 0. So `a() ?: b()` calls b only if a has succeeded, and is the first status that is not OK. */
/* Integers for ?1, ?2, ... of a statement: SQLITE_INTS(id, now_ms). */
#define SQLITE_INTS(...)                                                                                     \
    (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (int64_t[])                                   \
    {                                                                                                        \
        __VA_ARGS__                                                                                          \
    }
static inline void sqlite_bind_ints(sqlite3_stmt *statement, int count, const int64_t *numbers)
{
#pragma GCC unroll 16
    for (int i = 0; i < count; i++)
        sqlite3_bind_int64(statement, i + 1, numbers[i]);
}
/* Runs a statement that has no rows, and resets it. */
enum store_status sqlite_run(struct store *store, enum sql sql);
static inline enum store_status sqlite_run_ints(struct store *store, enum sql sql, int count,
                                                const int64_t *numbers)
{
    sqlite_bind_ints(store->sql[sql], count, numbers);
    return sqlite_run(store, sql);
}
/* Runs a statement for its first row. *found: there is one, and the caller resets the statement. */
enum store_status sqlite_row(struct store *store, enum sql sql, bool *found);
/* Runs a statement for the integer that its first row begins with, and resets it. *found: there is one. */
enum store_status sqlite_number(struct store *store, enum sql sql, int64_t *number, bool *found);
/* Resets a statement after its rows. The status so far, or else that of the rows. */
enum store_status sqlite_rows_end(struct store *store, sqlite3_stmt *rows, enum store_status status);
/* The op ends with this result. */
static inline enum store_status sqlite_result(struct store_op *op, enum store_result result)
{
    op->result = result;
    return STORE_OK;
}

void sqlite_bind_text(sqlite3_stmt *statement, int at, struct bytes text);     /* len 0 is '' */
void sqlite_bind_blob(sqlite3_stmt *statement, int at, struct bytes blob);     /* len 0 is empty */
void sqlite_bind_optional(sqlite3_stmt *statement, int at, struct bytes text); /* len 0 is NULL */
/* 0: NULL. */
void sqlite_bind_time(sqlite3_stmt *statement, int at, int64_t at_ms);
/* Settings of pushes, by the names of their columns; and those that stand in a row from `column` on, views of
 * it. */
void sqlite_bind_push(sqlite3_stmt *statement, const struct push_settings *push);
struct push_settings sqlite_push_of(sqlite3_stmt *row, int column);
struct bytes sqlite_text(sqlite3_stmt *statement, int column); /* valid until the next step */

/* ---- hours.c ---- */

/* A row of a query or of HOUR_GET; `out` is a struct hour. The arena is not used. True. */
bool sqlite_take_hour(sqlite3_stmt *row, struct arena *arena, void *out);
/* gathered_note, unless it is removed. */
void sqlite_hours_note(struct store *store, const struct roster_entry *endpoint, enum hour_kind kind,
                       int bucket);
/* Writes what a batch should write; or all that is gathered of an endpoint. */
enum store_status sqlite_hours_write(struct store *store);
enum store_status sqlite_hours_write_of(struct store *store, int64_t endpoint_id);
/* At the close: all, in transactions of its own. */
void sqlite_hours_end(struct store *store);
enum store_status sqlite_hours_forget(struct store *store, int64_t endpoint_id);
/* Part of a PURGE. */
enum store_status sqlite_hours_purge(struct store *store, bool *more);
/* Of its deliveries that have not ended, the first one's event: when that was received. 0: there is none. */
enum store_status sqlite_oldest_waiting(struct store *store, const struct roster_entry *endpoint,
                                        int64_t *at_ms);

/* ---- files.c ---- */

/* Locks the folder and the database, and creates it if it is missing. OK, LOCKED or REFUSED. */
enum store_status sqlite_files_open(struct store *store);
void sqlite_files_close(struct store *store); /* after SQLite's connections */
/* Gives the reason to the log and to the opener. REFUSED. */
enum store_status sqlite_refuse(struct store *store, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* ---- schema.c ---- */

/* Opens the writing connection, through `log_vfs`; or with NULL a reading one. SQLite's result code. */
int sqlite_connect(const char *path, struct log_vfs *log_vfs, sqlite3 **db);
enum store_status sqlite_migrate(struct store *store);

/* The ops. The op has its result; the status is that of the batch. */
enum store_status sqlite_event(struct store *store, struct store_batch *batch, struct store_op *op);
enum store_status sqlite_outcome(struct store *store, struct store_op *op);
enum store_status sqlite_resend(struct store *store, struct store_op *op);
/* Adjusts the counts and the usage of the owner. `before` NULL: a new delivery. */
void sqlite_count(struct store *store, struct roster_entry *endpoint, const struct ledger_row *before,
                  const struct ledger_row *after);
/* Gives up a delivery that a claim has found damaged. Does nothing if its row does not wait for this
 * endpoint. event_id 0: the event is gone. */
enum store_status sqlite_damaged(struct store *store, struct roster_entry *endpoint, int64_t id,
                                 int64_t event_id, struct ledger_row row);
enum store_status sqlite_cancel(struct store *store, struct store_op *op);
/* A delivery that has ended becomes due again by this job, if it takes it. *taken: it does. */
enum store_status sqlite_again(struct store *store, const struct job *job, int64_t delivery_id, bool *taken);
enum store_status sqlite_job_create(struct store *store, struct store_op *op);
enum store_status sqlite_job_step(struct store *store, struct store_op *op);
enum store_status sqlite_job_cancel(struct store *store, struct store_op *op);
/* The endpoint was removed: its jobs end. */
enum store_status sqlite_jobs_cancel(struct store *store, int64_t endpoint_id);
/* Part of a PURGE. */
enum store_status sqlite_jobs_purge(struct store *store, int64_t before_ms);
enum store_status sqlite_purge(struct store *store, struct store_op *op);
enum store_status sqlite_purge_load(struct store *store);
/* A delivery has ended. If the purge has passed over its event, it looks at the event again. */
enum store_status sqlite_purge_later(struct store *store, int64_t event_id, int64_t ended_at_ms);
/* The event is removed, so its row of `owned` may be removed. */
enum store_status sqlite_sweep_dead(struct store *store, int64_t owner_id, int64_t event_id);
/* The end of a PURGE. */
enum store_status sqlite_sweep(struct store *store, struct store_op *op);
enum store_status sqlite_user_create(struct store *store, struct store_op *op);
enum store_status sqlite_user_update(struct store *store, struct store_op *op);
/* Inserts a user's default endpoint, or an additional one. */
enum store_status sqlite_endpoint_insert(struct store *store, const struct endpoint *endpoint);
/* *found: there was a row. */
enum store_status sqlite_endpoint_set(struct store *store, const struct endpoint *endpoint, bool *found);
/* An attempt has ended: since when the endpoint fails. *disabled: that disables it (enum endpoint_disabled).
 * Touches no table if the endpoint is well and was so before. */
enum store_status sqlite_endpoint_ended(struct store *store, struct roster_entry *endpoint,
                                        const struct ledger_outcome *outcome, int64_t *disabled);
enum store_status sqlite_failing_save(struct store *store, struct roster_entry *endpoint,
                                      const struct failing *failing);
/* At open: which endpoints fail. */
enum store_status sqlite_failing_load(struct store *store);
/* The causes of a notice in this outcome. After sqlite_endpoint_ended. */
struct notice_causes {
    bool failed_before, given_up, disabled;
};
enum store_status sqlite_notices_of(struct store *store, const struct roster_entry *endpoint,
                                    const struct ledger_outcome *outcome, struct notice_causes causes);
/* Those are told with this event. *waits: there is something to tell. */
enum store_status sqlite_notice_settle(struct store *store, const struct store_notice *notice, bool *waits);
enum store_status sqlite_notices_due(struct store *store, struct store_op *op);
/* It gets notices of whatever kind. */
bool sqlite_asks_for_notices(const struct store *store, int64_t endpoint_id);
/* Finds the endpoint of an op. *found: it exists with this owner and the expected version; otherwise see
 * op->result. */
enum store_status sqlite_endpoint_find(struct store *store, struct store_op *op, bool *found);
enum store_status sqlite_endpoint_create(struct store *store, struct store_op *op);
enum store_status sqlite_endpoint_update(struct store *store, struct store_op *op);
enum store_status sqlite_endpoint_remove(struct store *store, struct store_op *op);
/* Part of a PURGE: cancels deliveries that wait for removed endpoints (*more: there are more of them), and
 * forgets removed endpoints without events. */
enum store_status sqlite_removed_purge(struct store *store, bool *more);
/* A user has changed in the tables: updates its entries in the roster. */
enum store_status sqlite_user_changed(struct store *store, int64_t user_id);
enum store_status sqlite_fingerprint(struct store *store, struct store_op *op);
enum store_status sqlite_key_create(struct store *store, struct store_op *op);
enum store_status sqlite_key_update(struct store *store, struct store_op *op);
enum store_status sqlite_key_revoke(struct store *store, struct store_op *op);
enum store_status sqlite_resource_put(struct store *store, struct store_op *op);
enum store_status sqlite_resource_delete(struct store *store, struct store_op *op);

/* Writes all late rows that are missing. */
enum store_status sqlite_write_late_rows(struct store *store);
/* Notes an inserted event. */
void sqlite_ahead_add(struct store *store, const struct event *event, enum snapshot snapshot);
/* At open: from the events. */
enum store_status sqlite_ahead_load(struct store *store);
void sqlite_ahead_committed(struct store *store);
void sqlite_ahead_fini(struct store *store);

/* Stores the snapshots of an accepted EVENT. */
enum store_status sqlite_resources_take(struct store *store, const struct store_op *op);
/* Runs RESOURCE_SIZE or RESOURCE_GET for this resource of that owner. */
enum store_status sqlite_resource_number(struct store *store, enum sql sql, int64_t owner_id,
                                         const struct resource *resource, int64_t *number, bool *found);
/* Removes the row of a resource. *bytes: of the snapshot in it. (late_rows.c) */
enum store_status sqlite_resource_remove(struct store *store, int64_t owner_id, struct bytes type,
                                         struct bytes id, int64_t *bytes, bool *found);
enum store_status sqlite_resource_drop(struct store *store, int64_t owner_id, struct bytes type,
                                       struct bytes id);
/* Before these events are removed: snapshots in their documents are removed too if the event was received
 * before before_ms; otherwise they are copied. */
enum store_status sqlite_resource_keep(struct store *store, int64_t first, int64_t last, int64_t before_ms);
/* The snapshot of the event's own resource in its document. NULL: it has none. */
const struct resource *sqlite_resource_own(const struct store_op *op);

/* *known: the op's key is known; op->result and op->id have the answer. *hash: of the key. */
enum store_status sqlite_idempotency_find(struct store *store, struct store_op *op, uint64_t *hash,
                                          bool *known);
/* Notes the key of an inserted event. */
void sqlite_idempotency_add(struct store *store, const struct event *event, uint64_t hash);
/* At the end of a batch: does the due work. */
enum store_status sqlite_idempotency_work(struct store *store);
/* Part of a PURGE. */
enum store_status sqlite_idempotency_forget(struct store *store, struct store_op *op);

/* ---- requests.c ---- */

enum { SQLITE_REQUESTS_AT_ONCE = 256 };
/* Is the op's request known? Then its result says what that means. */
enum store_status sqlite_request_find(struct store *store, struct store_op *op, bool *known);
enum store_status sqlite_request_keep(struct store *store, const struct store_op *op);
enum store_status sqlite_requests_forget(struct store *store, bool *more);
enum store_status sqlite_idempotency_load(struct store *store);
void sqlite_idempotency_committed(struct store *store);
void sqlite_idempotency_undo(struct store *store); /* to the counts */
void sqlite_idempotency_fini(struct store *store);

/* Writes the keys in memory as a run. */
enum store_status sqlite_runs_write(struct store *store);
/* The row of a run for this hash. *found: the caller resets IDEMPOTENCY_ENTRIES_GET. */
enum store_status sqlite_runs_row(struct store *store, const struct idempotency_run *run, uint64_t hash,
                                  struct bytes *stored, bool *found);
/* Removes or merges some runs. *worked: there was work. */
enum store_status sqlite_runs_step(struct store *store, bool *worked);
/* Forgets runs whose last key came before. *dead: a step would remove some. */
enum store_status sqlite_runs_forget(struct store *store, int64_t before_ms, bool *dead);
/* *sound becomes false if the stored index is damaged; then call sqlite_runs_clear. */
enum store_status sqlite_runs_load(struct store *store, bool *sound);
enum store_status sqlite_runs_clear(struct store *store);
void sqlite_runs_committed(struct store *store);
void sqlite_runs_undo(struct store *store);
void sqlite_runs_fini(struct store *store);

/* Loads a user with its endpoints into the roster; id 0: all users. */
enum store_status sqlite_roster_load(struct store *store, int64_t user_id);
/* Reads the due time of the first waiting delivery of the endpoint. */
enum store_status sqlite_roster_due(struct store *store, struct roster_entry *endpoint);
/* One more delivery waits in the table; its row is written. */
enum store_status sqlite_waits(struct store *store, struct roster_entry *endpoint, int64_t due_at_ms);
/* The delivery that holds the line of an endpoint; 0: none, or it is not ordered. */
enum store_status sqlite_line_first(struct store *store, const struct roster_entry *endpoint, int64_t *id);
/* What waits for an ordered endpoint joins its line; what waits for one that is no longer leaves it. Of very
 * many, some: then the endpoint rests, and the claim moves the next ones. */
enum store_status sqlite_line_move(struct store *store, struct roster_entry *endpoint, bool *moved);

/* Changes the table only; the roster has the change already. */
enum store_status sqlite_usage_save(struct store *store, int64_t user_id, struct user_usage change);
/* Changes the table and the roster. */
enum store_status sqlite_usage_change(struct store *store, int64_t user_id, struct user_usage change);
/* Refuses the EVENT (op->result, op->reached) if it would take its owner beyond a quota. */
enum store_status sqlite_usage_weigh(struct store *store, struct store_op *op, struct roster_owner *owner);
/* At open: loads the usage from the table, and counts waiting deliveries as far as that is quick. */
enum store_status sqlite_usage_load(struct store *store);
/* Between batches: counts some more of the deliveries that waited at open. */
enum store_status sqlite_count_some(struct store *store);
/* Counts those of this endpoint now. */
enum store_status sqlite_count_endpoint(struct store *store, struct roster_entry *endpoint);
void sqlite_counting_end(struct store *store);

/* Deliveries with expired leases wait again. */
enum store_status sqlite_expire(struct store *store);
enum store_status sqlite_claim(struct store *store, struct store_batch *batch);
/* ---- box.c ---- */

/* Ends a lease; its endpoint may have another one. */
void sqlite_unlease(struct store *store, struct lease *lease);
/* Fills a box for a lease; the box holds the payload. */
void sqlite_fill(const struct store *store, struct store_work *box, const struct roster_entry *endpoint,
                 const struct lease *lease, struct payload *payload);
/* Writes sent_at if it is missing, before the box can be sent. */
enum store_status sqlite_sent(struct store *store, struct store_work *box);

/* ---- tail.c ---- */

/* True: the delivery of a new event may wait in memory. */
bool sqlite_tail_takes(const struct store *store, const struct roster_entry *endpoint, size_t len);
void sqlite_tail_put(struct store *store, const struct event *event, int64_t delivery_id,
                     struct ledger_row row, struct roster_entry *endpoint, struct payload *payload);
/* Claims up to `max` deliveries of the tail. */
enum store_status sqlite_tail_claim(struct store *store, struct store_batch *batch,
                                    struct roster_entry *endpoint, int max);
/* Forgets a delivery that waits in memory, because its row waits. False: it began to wait in this batch. */
bool sqlite_tail_forget(struct store *store, int64_t delivery_id);
/* If the delivery waits in memory, moves it to the table. */
enum store_status sqlite_tail_leave(struct store *store, int64_t delivery_id);
/* Moves all deliveries of the tail to the table. */
enum store_status sqlite_tail_settle(struct store *store, struct roster_entry *endpoint);
/* At the end of a batch: moves tails that will not be served soon to the table. */
enum store_status sqlite_tails_settle(struct store *store);
enum store_status sqlite_read(struct store *store, int reader, const struct store_query *query,
                              struct arena *arena, struct store_answer *answer);
/* The text of a query. Variants: bit 0: descending; bit 1: of one user. Tests check the plans. */
enum { SQLITE_VARIANTS = 4, SQLITE_QUERY_LEN_MAX = 2048 };
size_t sqlite_query_text(enum store_query_kind kind, int variant, char out[SQLITE_QUERY_LEN_MAX]);
/* The rows that a page with a filter looks at. Events: 3 ms if they lie together, 17 if each is read on its
 * own. Deliveries are small: about 10 ms. On a disk that must seek, the time is the limit. */
enum { SCAN_EVENTS_MAX = 2048, SCAN_DELIVERIES_MAX = 32768, SCAN_MS_MAX = 25, SCAN_ROWS_EACH = 64 };

/* ---- job_rows.c ---- */

extern const char *const sqlite_job_rows_texts[SQLITE_VARIANTS];
/* JOB_ROWS, by statements of those texts. SQLite's result code. */
int sqlite_job_rows(const struct store *store, sqlite3_stmt *const statements[SQLITE_VARIANTS],
                    const struct store_query *query, struct arena *arena, struct store_answer *answer);
/* The flags of an attempt, as the table stores them. */
int sqlite_attempt_flags(const struct attempt *attempt);
enum store_status sqlite_readers_open(struct store *store);
void sqlite_readers_close(struct store *store);
