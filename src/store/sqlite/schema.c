/*
 * The tables, as a list of numbered migrations. Each runs in its own transaction; once released, none is
 * ever edited: a change is a new one at the end.
 */
#include "sqlite_parts.h"

enum { APPLICATION_ID = 0x70686f72 /* "phor" in the file's header, for file(1) */ };

/* A text may have 4095 bytes (C99), so a migration is several. */
static const char *const migration_1[] = {
    /* `state` is one row; it may be late by what can be told from the rows of events and deliveries
     * (struct sqlite_counts). */
    "PRAGMA application_id = 0x70686f72;"
    "CREATE TABLE state ("
    "due_clock_ms INTEGER NOT NULL,"
    "service_clock_ms INTEGER NOT NULL,"
    "born_from INTEGER NOT NULL," /* no delivery before this one is out under the lease it was born with, or
                                       waits for it */
    "delivery_id_max INTEGER NOT NULL,"
    "event_id_max INTEGER NOT NULL,"
    "events INTEGER NOT NULL, pending INTEGER NOT NULL,"
    "delivered INTEGER NOT NULL, given_up INTEGER NOT NULL, cancelled INTEGER NOT NULL,"
    "skipped INTEGER NOT NULL,"
    "endpoints INTEGER NOT NULL,"   /* those with a URL */
    "followed_to INTEGER NOT NULL," /* an event's id: see `owned` */
    "born_out INTEGER NOT NULL,"
    /* Up to these events all have been looked at: what could go has gone (purge.c). */
    "purged_to INTEGER NOT NULL DEFAULT 0,"
    "attempts_to INTEGER NOT NULL DEFAULT 0,"
    /* Up to this event all Idempotency-Keys are in idempotency_runs. Those of events received before are
     * forgotten. */
    "idempotency_to INTEGER NOT NULL DEFAULT 0, idempotency_before INTEGER NOT NULL DEFAULT 0,"
    "ids_from INTEGER NOT NULL DEFAULT 0," /* users and keys that are made have ids above it (snapshot.c) */
    "fingerprint BLOB);"                   /* of the key file; NULL: not known yet */
    "INSERT INTO state VALUES (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, NULL);"

    "CREATE TABLE users ("
    "id INTEGER PRIMARY KEY,"
    "role INTEGER NOT NULL,"
    "master_id INTEGER NOT NULL," /* 0: none */
    "name TEXT NOT NULL, email TEXT NOT NULL,"
    "receives_users_events INTEGER NOT NULL,"
    "version INTEGER NOT NULL,"
    "created_at INTEGER, updated_at INTEGER,"
    "change INTEGER NOT NULL DEFAULT 0);" /* struct user.change */
    "CREATE INDEX users_master ON users (master_id);"
    "CREATE INDEX users_change ON users (change);"

    /* Each user has one with the user's id, the default one, and may have more. */
    "CREATE TABLE endpoints ("
    "id INTEGER PRIMARY KEY,"
    "owner_id INTEGER NOT NULL,"
    "url TEXT,"
    "disable_on_410 INTEGER NOT NULL,"
    "disable_after INTEGER," /* days; NULL: never */
    "paused INTEGER NOT NULL,"
    "paused_at INTEGER,"                    /* NULL: it is not */
    "disabled INTEGER,"                     /* enum endpoint_disabled; NULL: it is not */
    "in_flight_max INTEGER,"                /* struct flow_settings; NULL: none */
    "rate_count INTEGER, rate_per INTEGER," /* in enum flow_per */
    "ordered INTEGER,"
    "event_types TEXT, channels TEXT, filter TEXT," /* NULL: none is set; model.h */
    "description TEXT, metadata TEXT,"
    /* push_settings.h */
    "signatures INTEGER NOT NULL DEFAULT 0,"
    "format INTEGER NOT NULL DEFAULT 0,"
    "timeout INTEGER NOT NULL DEFAULT 0,"
    "success TEXT,"
    "retry TEXT,"
    "header_names TEXT,"
    "headers BLOB,"
    "auth TEXT,"
    "auth_secret BLOB,"
    "signing BLOB NOT NULL, identity BLOB NOT NULL," /* sealed */
    "answered INTEGER NOT NULL DEFAULT 0,"           /* that URL has acknowledged something once */
    "version INTEGER NOT NULL,"
    "created_at INTEGER, updated_at INTEGER,"
    /* Of one that was removed: the last event that can have gone to it. Its row stays as long as that event,
     * for deliveries name their owner by it. */
    "removed_after INTEGER);"
    "CREATE INDEX endpoints_owner ON endpoints (owner_id);"
    "CREATE INDEX endpoints_removed ON endpoints (removed_after) WHERE removed_after IS NOT NULL;"

    "CREATE TABLE api_keys ("
    "id INTEGER PRIMARY KEY,"
    "user_id INTEGER NOT NULL,"
    "digest TEXT NOT NULL UNIQUE," /* the key itself is kept nowhere */
    "label TEXT NOT NULL,"
    "allow_from TEXT NOT NULL, rate_per_s INTEGER NOT NULL, version INTEGER NOT NULL DEFAULT 1,"
    "created_at INTEGER, revoked_at INTEGER);"
    "CREATE INDEX api_keys_user ON api_keys (user_id);",

    /* Found by event: the deliveries that were made with it have ids in a row (delivery_first,
     * delivery_count; MODEL_DELIVERY_STEP), so that nearly all need no index; those that were added later are
     * named in `added`. `document` is last, so that reading the rest of a row does not read through it. */
    "CREATE TABLE events ("
    "id INTEGER PRIMARY KEY,"
    "owner_id INTEGER NOT NULL,"
    "received_at INTEGER, created_at INTEGER, sent_at INTEGER," /* negative: not sent yet */
    "delivery_first INTEGER NOT NULL, delivery_count INTEGER NOT NULL,"
    "stamp_offset INTEGER NOT NULL,"
    "event_type TEXT NOT NULL, resource_type TEXT NOT NULL, resource_id TEXT NOT NULL,"
    "snapshot_at INTEGER NOT NULL, snapshot_len INTEGER NOT NULL," /* of that resource, in the document; -1:
                                                                         it is destroyed; 0: neither */
    /* Of an event that came with an Idempotency-Key: whose it is, the key, what was asked for with it. */
    "requester_id INTEGER, idempotency_key BLOB, request_digest BLOB,"
    "channels TEXT, unmatched TEXT," /* NULL: none; routing.h */
    "audience INTEGER,"              /* 1: not for its owner's Master; 2: a ping or a notice; NULL: neither */
    "document BLOB NOT NULL);"

    /* The events of each user. Not an index, so that its rows may follow later than their events: up to
     * state.followed_to they are all here. Behind it, the events themselves say it. */
    "CREATE TABLE owned ("
    "owner_id INTEGER NOT NULL, event_id INTEGER NOT NULL,"
    "bytes INTEGER NOT NULL," /* of its document */
    "PRIMARY KEY (owner_id, event_id)) WITHOUT ROWID;"

    /* The storage of a user: the sum of owned.bytes and of the lengths of resources.json, and the number of
       its resources. It changes with those (usage.c). */
    "CREATE TABLE usage ("
    "user_id INTEGER PRIMARY KEY, stored_bytes INTEGER NOT NULL, resources INTEGER NOT NULL);"

    /* queue: the endpoint it waits for; 0, claimed; NULL, ended, still out under the lease it was born with,
     * or waiting in memory for that (tail.c). With it in the index, waiting and claimed deliveries
     * never meet in one scan; and most deliveries, whose first attempt does it, are never in the index at all
     * (see state.born_from). */
    "CREATE TABLE deliveries ("
    "id INTEGER PRIMARY KEY,"
    "event_id INTEGER NOT NULL, endpoint_id INTEGER NOT NULL,"
    "queue INTEGER, due_at INTEGER," /* due clock; below 0: before all others, in order of id */
    "state INTEGER NOT NULL DEFAULT 0,"
    "attempt INTEGER NOT NULL DEFAULT 0,"
    "lease INTEGER NOT NULL, lost INTEGER NOT NULL,"
    "earlier INTEGER NOT NULL DEFAULT 0," /* attempts that counted before it was resent */
    "resumes_at INTEGER,"                 /* due clock; NULL: it is not tried out of turn (ledger.h) */
    "aged_from INTEGER,"                  /* service clock; NULL until an attempt has counted */
    "first_attempt_at INTEGER, finished_at INTEGER,"
    "last_status INTEGER, last_reason TEXT,"
    "not_before INTEGER," /* of one that waits in the line of an ordered endpoint: when it is due */
    "room BLOB);" /* of a row that has just been born: as long as what its end will add, or its page would
                       have to be split for it */
    "CREATE INDEX deliveries_queue ON deliveries (queue, due_at) WHERE queue IS NOT NULL;"
    /* By id: the first one that waits. */
    "CREATE INDEX deliveries_waiting ON deliveries (queue) WHERE queue > 0;"
    /* Those that were given up or cancelled. The others, which are nearly all, are not in it. */
    "CREATE INDEX deliveries_failed ON deliveries (endpoint_id, finished_at) WHERE state IN (2, 3);"

    /* Deliveries that an event has got since it was accepted. Not an index of all by event: that would be a
     * page more for each batch. */
    "CREATE TABLE added ("
    "event_id INTEGER NOT NULL, delivery_id INTEGER NOT NULL,"
    "PRIMARY KEY (event_id, delivery_id)) WITHOUT ROWID;"

    /* id: delivery_id with the lease in place of its mark (model.h). In order for each delivery, and new ones
       are put to the end. */
    "CREATE TABLE attempts ("
    "id INTEGER PRIMARY KEY,"
    "attempt INTEGER NOT NULL,"
    "started_at INTEGER, duration_ms INTEGER NOT NULL,"
    "status INTEGER NOT NULL, failure TEXT," /* NULL: none */
    "flags INTEGER NOT NULL,"
    "address TEXT, detail TEXT, response BLOB);"

    /* The latest snapshots. json NULL: it stands in the document of event `version` (events.snapshot_at), so
     * that it is written once; the purge of that event copies it here. These rows follow like those of
     * `owned`. */
    "CREATE TABLE resources ("
    "owner_id INTEGER NOT NULL, type TEXT NOT NULL, id TEXT NOT NULL,"
    "version INTEGER NOT NULL, updated_at INTEGER, json BLOB,"
    "put INTEGER," /* 1: a Master has put it, and it stays; NULL: an event's */
    "PRIMARY KEY (owner_id, type, id)) WITHOUT ROWID;"

    /* Endpoints that only fail at present, and nothing of others: failing.h. Service clock. */
    "CREATE TABLE failing ("
    "endpoint_id INTEGER PRIMARY KEY, since INTEGER NOT NULL, outage_from INTEGER);"

    /* The notices about endpoints (notice.h). Service clock. */
    "CREATE TABLE notices ("
    "endpoint_id INTEGER NOT NULL, kind INTEGER NOT NULL,"
    "count INTEGER NOT NULL, due_at INTEGER NOT NULL, told INTEGER NOT NULL,"
    "PRIMARY KEY (endpoint_id, kind)) WITHOUT ROWID;"
    "CREATE INDEX notices_due ON notices (due_at) WHERE count > 0;"

    /* What happened to an endpoint's deliveries in an hour (hour.h). By hour first: what is written and what
     * is purged stands together. */
    "CREATE TABLE endpoint_hours ("
    "hour INTEGER NOT NULL, endpoint_id INTEGER NOT NULL,"
    "accepted INTEGER NOT NULL, delivered INTEGER NOT NULL, failed INTEGER NOT NULL,"
    "given_up INTEGER NOT NULL, cancelled INTEGER NOT NULL,"
    "answers BLOB NOT NULL," /* hour_save_answers */
    "PRIMARY KEY (hour, endpoint_id)) WITHOUT ROWID;"

    /* Events that the purge has passed over and that have ended since, by when they did. */
    "CREATE TABLE ended_late ("
    "ended_at INTEGER NOT NULL, event_id INTEGER NOT NULL,"
    "PRIMARY KEY (ended_at, event_id)) WITHOUT ROWID;"

    /* Which events have an Idempotency-Key with this hash: see key_lookup.c. A run has 2 to the power
     * of `bits` buckets, of which `built` are there. into_run: it is, or was, merged into that one; -1: all
     * its keys are forgotten; 0: neither. */
    "CREATE TABLE idempotency_runs ("
    "id INTEGER PRIMARY KEY, level INTEGER NOT NULL, bits INTEGER NOT NULL, built INTEGER NOT NULL,"
    "keys INTEGER NOT NULL, received_last INTEGER NOT NULL, into_run INTEGER NOT NULL);"
    /* id: the run's, shifted by 32, and the bucket. entries: 16 bytes each, hash and event. */
    "CREATE TABLE idempotency_entries (id INTEGER PRIMARY KEY, entries BLOB NOT NULL);"

    /* Requests with an Idempotency-Key that made something else than an event (requests.c). */
    "CREATE TABLE requests ("
    "id INTEGER PRIMARY KEY, requester_id INTEGER NOT NULL, key BLOB NOT NULL,"
    "digest BLOB NOT NULL,"
    "made_id INTEGER NOT NULL, made TEXT NOT NULL, created_at INTEGER NOT NULL);"
    "CREATE UNIQUE INDEX requests_key ON requests (requester_id, key);"

    /* struct job */
    "CREATE TABLE jobs ("
    "id INTEGER PRIMARY KEY,"
    "owner_id INTEGER NOT NULL, endpoint_id INTEGER NOT NULL,"
    "kind INTEGER NOT NULL, state INTEGER NOT NULL,"
    "since INTEGER NOT NULL, until INTEGER NOT NULL, delivery_state INTEGER NOT NULL,"
    "event_type TEXT NOT NULL, resource_type TEXT NOT NULL, resource_id TEXT NOT NULL,"
    "cursor_at INTEGER NOT NULL, cursor_id INTEGER NOT NULL, below_id INTEGER NOT NULL,"
    "looked INTEGER NOT NULL, made_due INTEGER NOT NULL, total INTEGER NOT NULL,"
    "created_at INTEGER NOT NULL, finished_at INTEGER NOT NULL);"
    "CREATE INDEX jobs_owner ON jobs (owner_id);"
    "CREATE INDEX jobs_endpoint ON jobs (endpoint_id);"
    "CREATE INDEX jobs_running ON jobs (id) WHERE state = 0;"
    "CREATE INDEX jobs_ended ON jobs (finished_at) WHERE state <> 0;",
    NULL};

static const char *const *const migrations[] = {migration_1};

enum { SCHEMA_VERSION = sizeof migrations / sizeof *migrations };

int sqlite_connect(const char *path, struct log_vfs *log_vfs, sqlite3 **db)
{
    bool writer = log_vfs != NULL;
    /* NOMUTEX: each connection has one thread. Readers never write, so they never checkpoint either: in
     * SQLite 3.40 a second checkpointer can lose what the first one wrote. */
    int flags = SQLITE_OPEN_NOMUTEX | (writer ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY);
    int rc = writer ? log_vfs_open(log_vfs, path, flags, db) : sqlite3_open_v2(path, db, flags, NULL);
    if (rc != SQLITE_OK)
        return rc;
    sqlite3_extended_result_codes(*db, 1);
    sqlite3_busy_timeout(*db, 1000);
    /* FULL: every commit is synced before it is acknowledged (NORMAL loses commits in a power cut). */
    const char *pragmas =
        writer ? "PRAGMA page_size = 4096; PRAGMA journal_mode = WAL;"
                 "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;"
                 "PRAGMA cache_size = -4096; PRAGMA temp_store = MEMORY; PRAGMA secure_delete = OFF;"
               : "PRAGMA query_only = 1; PRAGMA cache_size = -1024;";
    return sqlite3_exec(*db, pragmas, NULL, NULL, NULL);
}

static int pragma_number(sqlite3 *db, const char *pragma, int *number)
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(db, pragma, -1, &statement, NULL);
    if (rc != SQLITE_OK)
        return rc;
    rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW)
        *number = sqlite3_column_int(statement, 0);
    return sqlite3_finalize(statement);
}

static int migrate_one(sqlite3 *db, int from)
{
    char *version = sqlite3_mprintf("PRAGMA user_version = %d; COMMIT;", from + 1);
    int rc = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    for (const char *const *part = migrations[from]; *part && rc == SQLITE_OK; part++)
        rc = sqlite3_exec(db, *part, NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db, version, NULL, NULL, NULL);
    if (rc != SQLITE_OK && !sqlite3_get_autocommit(db))
        sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    sqlite3_free(version);
    return rc;
}

enum store_status sqlite_migrate(struct store *store)
{
    int version = 0, application = 0, tables = 0;
    int rc = pragma_number(store->db, "PRAGMA user_version", &version);
    if (rc == SQLITE_OK)
        rc = pragma_number(store->db, "PRAGMA application_id", &application);
    if (rc == SQLITE_OK && version == 0)
        rc = pragma_number(store->db, "SELECT count(*) FROM sqlite_schema", &tables);
    if (rc != SQLITE_OK)
        return sqlite_fault(store, rc);
    if ((version > 0 || tables > 0) && application != APPLICATION_ID)
        return sqlite_refuse(store, "this is another program's SQLite database");
    if (version > SCHEMA_VERSION)
        return STORE_NEWER;
    for (; version < SCHEMA_VERSION; version++) {
        rc = migrate_one(store->db, version);
        if (rc == SQLITE_ERROR) /* not the disk: a table of that name is in the way */
            return sqlite_refuse(store, "the tables cannot be made (%s): is this database posthorn's?",
                                 sqlite3_errmsg(store->db));
        if (rc != SQLITE_OK)
            return sqlite_fault(store, rc);
        log_write(store->config.log, LOG_LEVEL_INFO, "store", "schema migrated version=%d", version + 1);
    }
    return STORE_OK;
}
