/*
 * sqlite_parts: the declarations that the files of the SQLite backend share. Besides them, only tests of the
 * backend's internals include it. No file calls one that is below it in this list:
 *
 *   log_vfs.c          the VFS of the connection that writes
 *   files.c            the lock of the folder, and who may read its files
 *   statement.c        statements and columns, result codes, clocks, ids; sqlite_sql.h has the texts
 *   schema.c           the tables and their migrations
 *   read.c             queries
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
 *   outcome.c          OUTCOME, RESEND, CANCEL
 *   endpoint_remove.c  ENDPOINT_REMOVE, and what is left of the endpoint
 *   claim.c            claims and expired leases
 *   event_quota.c      what an EVENT would add to its owner's usage
 *   event.c            EVENT
 *   sqlite.c           open, close, and the transaction of a batch
 */
#pragma once
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

/* What an event says of its own resource. */
enum snapshot { SNAPSHOT_NONE, SNAPSHOT_CARRIED, SNAPSHOT_DESTROYED };

/* Kept in the table `state`, and undone with the batch. What a batch does that is plain (see below) can be
 * told from the rows themselves, so the row of `state` is late by at most a second of it, or 1,024
 * events. */
struct sqlite_counts {
    int64_t delivery_id_max, event_id_max, events;
    int64_t states[DELIVERY_STATES]; /* deliveries by enum delivery_state */
    int64_t endpoints;               /* those with a URL */
    int64_t born_out;                /* deliveries out under the lease they were born with */
    int64_t followed_to;             /* up to this event the rows that follow are all there (late_rows.c) */
    int ahead_first, ahead_count;    /* the events behind it: entries of struct ahead */
    int64_t purged_to, attempts_to;  /* purge.c */
    int64_t idempotency_to, idempotency_before_ms;
    int idempotency_count, idempotency_ahead; /* keys in memory; events behind idempotency_to */
    int64_t failing, log_frames, oldest_born; /* of those that are published */
    int64_t dead;                             /* rows of `owned` to be swept, as far as is known; not kept */
};

struct sweep_name {
    int64_t owner_id;
    char type[MODEL_TYPE_LEN_MAX + 1], id[MODEL_ID_LEN_MAX + 1];
};

/* Events whose rows are to follow. What a batch adds or takes away is in the counts; sqlite_ahead_committed
 * drops what is done with. */
struct ahead {
    struct ahead_entry *entries;
    int cap;
    struct arena names;
};

/* Keys of events that followed each other, as they are stored. */
struct idempotency_run {
    int64_t id;
    int level, bits;
    int64_t built, keys, received_last_ms, into;
    bool is_read;
    struct idempotency_filter *filter; /* NULL: each look reads a row */
};

/* Runs there may be; a run's rows are behind its id, shifted. */
enum { IDEMPOTENCY_RUNS_MAX = 256, IDEMPOTENCY_RUN_SHIFT = 32 };

struct idempotency {
    struct digest *digest;
    struct idempotency_recent recent;
    int64_t received_last_ms;                                                        /* of those */
    struct idempotency_run runs[IDEMPOTENCY_RUNS_MAX], before[IDEMPOTENCY_RUNS_MAX]; /* by id */
    int run_count, before_count;
    bool touched;             /* by this batch: `before` is how they were */
    int credit;               /* new keys, for which there is some work to do */
    int ahead_max;            /* events whose keys are in memory; an open reads so many again */
    int64_t filters_size_max; /* bytes of all filters */
};

struct sqlite_reader;

/* What waited at open, as one read transaction sees it, counted row by row (usage.c). */
struct counting {
    sqlite3 *db; /* NULL: all is counted */
    sqlite3_stmt *rows, *one;
    int64_t endpoint_id, waiting; /* whose rows were seen last, and how many of them */
};

struct store {
    const struct store_backend *backend; /* first: store_backend */
    struct store_config config;
    char *path;
    sqlite3 *db;
    struct log_vfs log_vfs; /* below it */
    sqlite3_stmt *sql[SQL_COUNT];
    struct sqlite_reader *readers;
    struct counting counting;
    int folder_fd, file_fd; /* locked; -1: not open */

    int64_t mono_at_open_ms, due_at_open_ms, service_at_open_ms;
    struct moment now; /* of the batch */

    struct roster roster;
    struct leases leases;
    struct ids ids; /* of events. What a batch took stays taken when it is undone: its ops have it */
    struct sqlite_counts counts, counts_before;
    struct ahead ahead;
    struct idempotency idempotency;
    bool users_changed; /* by this batch: to be loaded anew if it is undone */
    bool changed;       /* this batch wrote something */
    bool plain; /* this batch did nothing but accept events, and record that born leases ended as delivered */
    int64_t saved_ms, saved_events; /* of the row of `state`: mono, events */
    pthread_mutex_t published_lock;
    struct sqlite_counts published;        /* for readers: as of the last commit */
    int64_t oldest_at_ms, oldest_again_ms; /* for readers, under published_lock: of what waits; looked up
                                              again then, mono */
    int boxes_kept;                        /* of this batch, for work that waits */

    /* Of the write-ahead log: its frames; of them, those that are in the database; and how many it had when
     * they were last to be moved there. */
    int log_frames, log_moved, log_tried;
    int log_tries_each, log_held_told; /* frames between two tries; with so many left it is told */
    bool log_held;                     /* it has been told */
    bool disk_low;
    bool sweeping, swept_once;        /* sweep.c */
    int64_t disk_asked_ms;            /* mono */
    int64_t ids_from;                 /* users and keys that are made have ids above it */
    int64_t born_from;                /* at open: a former process's born leases are not before it */
    int64_t sweep_owner;              /* the sweep goes on behind this owner, */
    struct sweep_name sweep_resource; /* and this resource */
    enum store_status broken_by;      /* why nothing is written any more; OK: it is */
    int64_t fault_told_ms; /* mono, under published_lock: the last line about a fault in the log; 0: none */
    int faults_untold;     /* since then */
};

/* ---- statement.c ---- */

struct moment sqlite_now(const struct store *store);
/* For an event that is accepted, or what is put: above all that were given. */
int64_t sqlite_next_id(struct store *store);
/* All statements of the one that writes. */
enum store_status sqlite_prepare(struct store *store);

/* What an SQLite result code means for the batch; logs it. Never for SQLITE_OK, _ROW or _DONE. */
enum store_status sqlite_fault(struct store *store, int rc);
/* The same for a connection that only reads: it leaves the store as it is. Any thread. */
enum store_status sqlite_fault_of_reader(struct store *store, sqlite3 *db, int rc);
/*
 * To run a statement. STORE_OK is 0, so `a() ?: b()` does b if a has succeeded, and is the first status that
 * is not OK.
 */
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
/* 0 is NULL. */
void sqlite_bind_time(sqlite3_stmt *statement, int at, int64_t at_ms);
struct bytes sqlite_text(sqlite3_stmt *statement, int column); /* good until the next step */

/* ---- files.c ---- */

/* Locks the folder and the database, which is made if it is not there. OK, LOCKED or REFUSED. */
enum store_status sqlite_files_open(struct store *store);
void sqlite_files_close(struct store *store); /* after SQLite's connections */
/* Says why, in the log and to whoever opens. */
enum store_status sqlite_refuse(struct store *store, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* ---- schema.c ---- */

/* The one that writes, through `log_vfs`; or with NULL one that reads. SQLite's result code. */
int sqlite_connect(const char *path, struct log_vfs *log_vfs, sqlite3 **db);
enum store_status sqlite_migrate(struct store *store);

/* The ops. Their result is in the op; the status is about the batch. */
enum store_status sqlite_event(struct store *store, struct store_batch *batch, struct store_op *op);
enum store_status sqlite_outcome(struct store *store, struct store_op *op);
enum store_status sqlite_resend(struct store *store, struct store_op *op);
/* The counts and its owner's usage follow: NULL, it is new. */
void sqlite_count(struct store *store, struct roster_entry *endpoint, const struct ledger_row *before,
                  const struct ledger_row *after);
/* A delivery that cannot be sent any more, found when it was to be claimed. If its row does not wait for this
 * endpoint, it stays as it is. event_id 0: that is gone. */
enum store_status sqlite_damaged(struct store *store, struct roster_entry *endpoint, int64_t id,
                                 int64_t event_id, struct ledger_row row);
enum store_status sqlite_cancel(struct store *store, struct store_op *op);
enum store_status sqlite_purge(struct store *store, struct store_op *op);
enum store_status sqlite_purge_load(struct store *store);
/* A delivery has ended: if the purge has passed its event by, that comes back. */
enum store_status sqlite_purge_later(struct store *store, int64_t event_id, int64_t ended_at_ms);
/* The event is gone, its row of `owned` may go. */
enum store_status sqlite_sweep_dead(struct store *store, int64_t owner_id, int64_t event_id);
/* The end of a PURGE. */
enum store_status sqlite_sweep(struct store *store, struct store_op *op);
enum store_status sqlite_user_create(struct store *store, struct store_op *op);
enum store_status sqlite_user_update(struct store *store, struct store_op *op);
/* A user's default endpoint, or a further one: a row from the settings. */
enum store_status sqlite_endpoint_insert(struct store *store, const struct endpoint *endpoint);
/* *found: there was a row to change. */
enum store_status sqlite_endpoint_set(struct store *store, const struct endpoint *endpoint, bool *found);
/* The endpoint answered 410: it is paused if it is to be; *paused says whether it was. */
enum store_status sqlite_endpoint_gone(struct store *store, const struct roster_entry *endpoint,
                                       int64_t *paused);
/* The one that an op names. *found: it is there, its owner's, and of the version that was asked for; else
 * op->result says why not. */
enum store_status sqlite_endpoint_find(struct store *store, struct store_op *op, bool *found);
enum store_status sqlite_endpoint_create(struct store *store, struct store_op *op);
enum store_status sqlite_endpoint_update(struct store *store, struct store_op *op);
enum store_status sqlite_endpoint_remove(struct store *store, struct store_op *op);
/* Of a PURGE: what waits for endpoints that were removed is cancelled; *more: there is more of it. Those of
 * whose events none is left are forgotten. */
enum store_status sqlite_removed_purge(struct store *store, bool *more);
/* What a user has in the tables has changed: its entries in the roster follow. */
enum store_status sqlite_user_changed(struct store *store, int64_t user_id);
enum store_status sqlite_fingerprint(struct store *store, struct store_op *op);
enum store_status sqlite_key_create(struct store *store, struct store_op *op);
enum store_status sqlite_key_update(struct store *store, struct store_op *op);
enum store_status sqlite_key_revoke(struct store *store, struct store_op *op);
enum store_status sqlite_resource_put(struct store *store, struct store_op *op);
enum store_status sqlite_resource_delete(struct store *store, struct store_op *op);

/* The rows that follow their events, all that are not there yet. */
enum store_status sqlite_write_late_rows(struct store *store);
/* An event that was inserted. */
void sqlite_ahead_add(struct store *store, const struct event *event, enum snapshot snapshot);
/* At open: from what the events say. */
enum store_status sqlite_ahead_load(struct store *store);
void sqlite_ahead_committed(struct store *store);
void sqlite_ahead_fini(struct store *store);

/* The snapshots of an EVENT that was accepted. */
enum store_status sqlite_resources_take(struct store *store, const struct store_op *op);
/* Runs RESOURCE_SIZE or RESOURCE_GET for this resource of that owner. */
enum store_status sqlite_resource_number(struct store *store, enum sql sql, int64_t owner_id,
                                         const struct resource *resource, int64_t *number, bool *found);
/* A resource's row, with the bytes of the snapshot in it. (late_rows.c) */
enum store_status sqlite_resource_remove(struct store *store, int64_t owner_id, struct bytes type,
                                         struct bytes id, int64_t *bytes, bool *found);
enum store_status sqlite_resource_drop(struct store *store, int64_t owner_id, struct bytes type,
                                       struct bytes id);
/* Before these events go: the snapshots that stand in their documents go too if the event was received
 * before, and else are copied. */
enum store_status sqlite_resource_keep(struct store *store, int64_t first, int64_t last, int64_t before_ms);
/* Where the snapshot of the event's own resource is in its document. NULL: it has none. */
const struct resource *sqlite_resource_own(const struct store_op *op);

/* *known: the op's key has been seen; op->result and op->id say how it is answered. *hash is the key's. */
enum store_status sqlite_idempotency_find(struct store *store, struct store_op *op, uint64_t *hash,
                                          bool *known);
/* An event that was inserted with its key. */
void sqlite_idempotency_add(struct store *store, const struct event *event, uint64_t hash);
/* At the end of a batch: what has become due. */
enum store_status sqlite_idempotency_work(struct store *store);
/* Of a PURGE. */
enum store_status sqlite_idempotency_forget(struct store *store, struct store_op *op);
enum store_status sqlite_idempotency_load(struct store *store);
void sqlite_idempotency_committed(struct store *store);
void sqlite_idempotency_undo(struct store *store); /* to the counts */
void sqlite_idempotency_fini(struct store *store);

/* What is in memory becomes a run. */
enum store_status sqlite_runs_write(struct store *store);
/* The row of a run where entries with this hash are. *found: the caller resets IDEMPOTENCY_ENTRIES_GET. */
enum store_status sqlite_runs_row(struct store *store, const struct idempotency_run *run, uint64_t hash,
                                  struct bytes *stored, bool *found);
/* Removes or merges some. *worked: there was something to do. */
enum store_status sqlite_runs_step(struct store *store, bool *worked);
/* Runs whose last key came before go. *dead: there are some that a step would remove. */
enum store_status sqlite_runs_forget(struct store *store, int64_t before_ms, bool *dead);
/* *sound becomes false if what is stored is no index; then sqlite_runs_clear is to follow. */
enum store_status sqlite_runs_load(struct store *store, bool *sound);
enum store_status sqlite_runs_clear(struct store *store);
void sqlite_runs_committed(struct store *store);
void sqlite_runs_undo(struct store *store);
void sqlite_runs_fini(struct store *store);

/* The roster from the tables: one user with its endpoints, or with id 0 all of them. */
enum store_status sqlite_roster_load(struct store *store, int64_t user_id);
/* The endpoint's first waiting delivery, asked afresh. */
enum store_status sqlite_roster_due(struct store *store, struct roster_entry *endpoint);

/* In the table alone: it is in the roster already. */
enum store_status sqlite_usage_save(struct store *store, int64_t user_id, struct user_usage change);
/* In the table and in the roster. */
enum store_status sqlite_usage_change(struct store *store, int64_t user_id, struct user_usage change);
/* Would the EVENT take its owner beyond a quota? Then op->result and op->reached say so. */
enum store_status sqlite_usage_weigh(struct store *store, struct store_op *op, struct roster_owner *owner);
/* The roster's, at open: of the table, and what waits, as far as that is quick. */
enum store_status sqlite_usage_load(struct store *store);
/* Between batches: some more of what waited at open. */
enum store_status sqlite_count_some(struct store *store);
/* Now: what waited for this endpoint. */
enum store_status sqlite_count_endpoint(struct store *store, struct roster_entry *endpoint);
void sqlite_counting_end(struct store *store);

/* Leases that ran out wait again. */
enum store_status sqlite_expire(struct store *store);
enum store_status sqlite_claim(struct store *store, struct store_batch *batch);
/* The lease's own part; the box holds the payload from now on. */
void sqlite_fill(const struct store *store, struct store_work *box, const struct roster_entry *endpoint,
                 const struct lease *lease, struct payload *payload);
/* sent_at, if it is not written yet: before the box can be sent. */
enum store_status sqlite_sent(struct store *store, struct store_work *box);

/* ---- tail.c ---- */

/* May the delivery of a new event wait in memory? */
bool sqlite_tail_takes(const struct store *store, const struct roster_entry *endpoint, size_t len);
void sqlite_tail_put(struct store *store, const struct event *event, int64_t delivery_id,
                     struct ledger_row row, struct roster_entry *endpoint, struct payload *payload);
/* Up to `max` of its tail, which waits first. */
enum store_status sqlite_tail_claim(struct store *store, struct store_batch *batch,
                                    struct roster_entry *endpoint, int max);
/* If this delivery waits in memory, it does so no more: its row is known to wait. False: it does since this
 * batch. */
bool sqlite_tail_forget(struct store *store, int64_t delivery_id);
/* If this delivery waits in memory, it waits in the table instead. */
enum store_status sqlite_tail_leave(struct store *store, int64_t delivery_id);
/* What waits in memory for this endpoint waits in the table. */
enum store_status sqlite_tail_settle(struct store *store, struct roster_entry *endpoint);
/* At the end of a batch: tails that are not to be served soon go into the table. */
enum store_status sqlite_tails_settle(struct store *store);
/* A lease has ended: its endpoint may have another. */
void sqlite_unlease(struct store *store, struct lease *lease);

enum store_status sqlite_read(struct store *store, int reader, const struct store_query *query,
                              struct arena *arena, struct store_answer *answer);
/* A query's statement. Variants: bit 0 descending, bit 1 of one user. Tests look at their plans. */
enum { SQLITE_VARIANTS = 4, SQLITE_QUERY_LEN_MAX = 2048 };
size_t sqlite_query_text(enum store_query_kind kind, int variant, char out[SQLITE_QUERY_LEN_MAX]);
/* How the table keeps an attempt's yes and no. */
int sqlite_attempt_flags(const struct attempt *attempt);
enum store_status sqlite_readers_open(struct store *store);
void sqlite_readers_close(struct store *store);
