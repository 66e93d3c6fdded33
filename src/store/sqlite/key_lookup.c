/*
 * Idempotency-Keys. An event's row has its key, so that a key is durable with its event, costs the bytes of a
 * longer row, and goes when the event does. What is here only finds the event (idempotency.h).
 *
 * The keys of the latest events are in memory. When AHEAD_MAX events have come they are written as one run
 * (key_runs.c), so no page is ever written for a single key, as it would be in a table in the order of
 * random keys. Runs are merged as new keys come.
 *
 * A run goes as a whole, once its last key is forgotten: keys are forgotten by the time when their events
 * were received, and runs are in the order of time. So nothing is ever searched for to be removed.
 *
 * All of it can be made again from the events: so it is if what is stored is no index (open).
 */
#include "sqlite_parts.h"
#include <assert.h>

enum {
    AHEAD_MAX = 16384,
    STEP_CREDIT = 256, /* new keys for a step, of which a level needs one for 1,024 */
    FLUSH_CREDIT = 2 * STEP_CREDIT,
    CREDIT_MAX = 16 * STEP_CREDIT,
    RUNS_CROWD = 128 /* with more of them the writer goes on until there are fewer */
};
#define FILTERS_SIZE_MAX ((int64_t)64 << 20) /* bytes: 44 million keys; larger runs are read instead */

void sqlite_idempotency_committed(struct store *store)
{
    struct idempotency *idempotency = &store->idempotency;
    sqlite_runs_committed(store);
    if (store->counts.idempotency_count == 0 && idempotency->recent.count > 0) { /* they are written */
        idempotency_recent_cut(&idempotency->recent, 0);
        idempotency->received_last_ms = 0;
    }
    assert(store->counts.idempotency_count == idempotency->recent.count);
}

void sqlite_idempotency_undo(struct store *store)
{
    sqlite_runs_undo(store);
    idempotency_recent_cut(&store->idempotency.recent, store->counts.idempotency_count);
}

void sqlite_idempotency_fini(struct store *store)
{
    sqlite_runs_fini(store);
    idempotency_recent_fini(&store->idempotency.recent);
    if (store->idempotency.digest)
        digest_close(store->idempotency.digest);
}

/* ---- looking ---- */

/* The answer of an event about the op's key. */
enum answer { ANSWER_OTHER, ANSWER_FORGOTTEN, ANSWER_KNOWN };

/* KNOWN: op->result says how. */
static enum store_status ask_event(struct store *store, struct store_op *op, int64_t event_id,
                                   enum answer *answer)
{
    sqlite3_stmt *get = store->sql[SQL_IDEMPOTENCY_EVENT];
    bool found = false;
    sqlite3_bind_int64(get, 1, event_id);
    *answer = ANSWER_OTHER;
    enum store_status status = sqlite_row(store, SQL_IDEMPOTENCY_EVENT, &found);
    if (status != STORE_OK || !found)
        return status;
    if (sqlite3_column_int64(get, 0) == op->event.requester_id &&
        bytes_equal(sqlite_text(get, 1), op->event.idempotency_key)) {
        bool forgotten = sqlite3_column_int64(get, 3) < store->counts.idempotency_before_ms;
        *answer = forgotten ? ANSWER_FORGOTTEN : ANSWER_KNOWN;
    }
    if (*answer == ANSWER_KNOWN) {
        struct bytes digest = bytes_make(op->event.request_digest, sizeof op->event.request_digest);
        bool same = bytes_equal(sqlite_text(get, 2), digest);
        op->result = same ? STORE_REPLAYED : STORE_CONFLICT;
        op->id = same ? event_id : 0;
    }
    sqlite3_reset(get);
    return STORE_OK;
}

static enum store_status find_in_run(struct store *store, struct store_op *op,
                                     const struct idempotency_run *run, uint64_t hash, bool *known)
{
    struct bytes stored;
    bool found = false;
    enum store_status status = sqlite_runs_row(store, run, hash, &stored, &found);
    if (status != STORE_OK || !found)
        return status;
    for (size_t at = 0; at < stored.len && status == STORE_OK && !*known; at += IDEMPOTENCY_ENTRY_LEN) {
        struct idempotency_entry entry = idempotency_get(stored.data + at);
        enum answer answer = ANSWER_OTHER;
        if (entry.hash == hash)
            status = ask_event(store, op, entry.event_id, &answer);
        *known = answer == ANSWER_KNOWN;
    }
    sqlite3_reset(store->sql[SQL_IDEMPOTENCY_ENTRIES_GET]);
    return status;
}

enum store_status sqlite_idempotency_find(struct store *store, struct store_op *op, uint64_t *hash,
                                          bool *known)
{
    struct idempotency *idempotency = &store->idempotency;
    enum store_status status = STORE_OK;
    *hash = idempotency_hash(idempotency->digest, op->event.requester_id, op->event.idempotency_key);
    for (int at = -1; (at = idempotency_recent_find(&idempotency->recent, *hash, at)) >= 0;) {
        enum answer answer;
        status = ask_event(store, op, idempotency->recent.links[at].entry.event_id, &answer);
        *known = answer == ANSWER_KNOWN;
        if (status != STORE_OK || answer != ANSWER_OTHER)
            return status; /* of one key the latest alone may still be remembered */
    }
    for (int i = 0; i < idempotency->run_count && status == STORE_OK && !*known; i++) {
        const struct idempotency_run *run = &idempotency->runs[i];
        if (run->is_read && (!run->filter || idempotency_filter_has(run->filter, *hash)))
            status = find_in_run(store, op, run, *hash, known);
    }
    return status;
}

/* ---- adding ---- */

static void add(struct store *store, uint64_t hash, int64_t event_id, int64_t received_at_ms)
{
    struct idempotency *idempotency = &store->idempotency;
    idempotency_recent_add(&idempotency->recent, hash, event_id);
    store->counts.idempotency_count++;
    if (received_at_ms > idempotency->received_last_ms)
        idempotency->received_last_ms = received_at_ms;
}

void sqlite_idempotency_add(struct store *store, const struct event *event, uint64_t hash)
{
    assert(event->id > store->counts.idempotency_to); /* at open it is found behind that one */
    add(store, hash, event->id, event->received_at_ms);
    store->idempotency.credit++;
}

/* ---- the work behind it ---- */

/* The keys in memory become a run; `to`: the last event whose key is in a run then. */
static enum store_status flush(struct store *store, int64_t to)
{
    store->counts.idempotency_to = to;
    store->counts.idempotency_ahead = 0;
    if (store->counts.idempotency_count == 0)
        return STORE_OK;
    enum store_status status = sqlite_runs_write(store);
    store->counts.idempotency_count = 0;
    store->plain = false; /* the row of `state` says up to where */
    store->idempotency.credit += FLUSH_CREDIT;
    return status;
}

enum store_status sqlite_idempotency_work(struct store *store)
{
    struct idempotency *idempotency = &store->idempotency;
    enum store_status status = STORE_OK;
    bool worked = true;
    if (store->counts.idempotency_ahead >= idempotency->ahead_max)
        status = flush(store, store->counts.event_id_max);
    while (status == STORE_OK && worked &&
           (idempotency->credit >= STEP_CREDIT || idempotency->run_count > RUNS_CROWD)) {
        idempotency->credit -= idempotency->credit >= STEP_CREDIT ? STEP_CREDIT : 0;
        status = sqlite_runs_step(store, &worked);
    }
    if (!worked || idempotency->credit > CREDIT_MAX)
        idempotency->credit = worked ? CREDIT_MAX : 0;
    return status;
}

enum store_status sqlite_idempotency_forget(struct store *store, struct store_op *op)
{
    struct sqlite_counts *counts = &store->counts;
    int64_t before_ms =
        op->purge.idempotency_before_ms ? op->purge.idempotency_before_ms : op->purge.before_ms;
    bool dead = false;
    bool was_ahead = counts->idempotency_before_ms > store->now.wall_ms; /* the clock, for a while */
    if (before_ms > counts->idempotency_before_ms || was_ahead)
        counts->idempotency_before_ms = before_ms;
    enum store_status status = sqlite_runs_forget(store, counts->idempotency_before_ms, &dead);
    if (!dead)
        return status;
    store->idempotency.credit += STEP_CREDIT; /* the end of the batch removes some of it */
    store->changed = true;
    op->purge.more = true;
    return status;
}

/* ---- open ---- */

/* All of it is made again from the events. */
static enum store_status start_anew(struct store *store)
{
    log_write(store->config.log, LOG_LEVEL_WARN, "store",
              "the index of Idempotency-Keys is damaged, and is made again from the events");
    store->counts.idempotency_to = 0;
    return sqlite_runs_clear(store);
}

/* A row of AHEAD: id, requester_id, idempotency_key, received_at. */
static void load_key(struct store *store, sqlite3_stmt *row)
{
    struct bytes key = sqlite_text(row, 2);
    if (key.len > 0 && key.len <= MODEL_KEY_LEN_MAX)
        add(store, idempotency_hash(store->idempotency.digest, sqlite3_column_int64(row, 1), key),
            sqlite3_column_int64(row, 0), sqlite3_column_int64(row, 3));
}

/* Most often few; many if the index is made again. */
static enum store_status load_ahead(struct store *store)
{
    sqlite3_stmt *ahead = store->sql[SQL_IDEMPOTENCY_AHEAD];
    enum store_status status = STORE_OK;
    sqlite3_bind_int64(ahead, 1, store->counts.idempotency_to);
    while (status == STORE_OK && sqlite3_step(ahead) == SQLITE_ROW) {
        bool worked = true;
        load_key(store, ahead);
        if (++store->counts.idempotency_ahead < store->idempotency.ahead_max)
            continue;
        status = flush(store, sqlite3_column_int64(ahead, 0));
        sqlite_idempotency_committed(store);
        while (status == STORE_OK && worked)
            status = sqlite_runs_step(store, &worked);
    }
    return sqlite_rows_end(store, ahead, status);
}

enum store_status sqlite_idempotency_load(struct store *store)
{
    struct idempotency *idempotency = &store->idempotency;
    bool sound = store->counts.idempotency_to >= 0;
    idempotency->digest = digest_open();
    idempotency->ahead_max = store->config.keys_ahead_max ? store->config.keys_ahead_max : AHEAD_MAX;
    idempotency->filters_size_max = FILTERS_SIZE_MAX;
    enum store_status status = sqlite_runs_load(store, &sound);
    if (status == STORE_OK && !sound)
        status = start_anew(store);
    return status ?: load_ahead(store);
}
