/*
 * posthorn check: reads the whole database of a data folder and reports the damage; a server may run.
 */
#include "body.h"
#include "failure.h"
#include "hour.h"
#include "idempotency.h"
#include "identities.h"
#include "json.h"
#include "manage.h"
#include "model.h"
#include "network.h"
#include "push_secrets.h"
#include "signing.h"
#include "snapshot.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { SHOWN_MAX = 100, WHAT_LEN = 96 };

static const int64_t year_0_ms = -62167219200000, year_10000_ms = 253402300800000;

static const char details[] =
    "Reads the whole database and names all damage: pages and indexes, documents and the place of sent_at "
    "in\n"
    "them, states, numbers, texts, ids without a row, wrong sums, and secrets that the key file does not\n"
    "decrypt. The server may run. Nothing is changed.\n"
    "A server tolerates damaged rows: it marks them as damaged and gives up their deliveries. If it meets a\n"
    "damaged page while writing, it stops accepting and sending, and still answers reads: restore a backup.\n"
    "exit status 1: something is damaged.";

#define OR_NO_NUMBER(name, max) " OR " #name " NOT BETWEEN 0 AND " #max
#define OR_TOO_LONG(name, max)  " OR ifnull(length(" #name "), 0) > " #max

/* Each finds rows of a table that no server writes. The values that a column's type allows are in
 * odd_column. */
static const struct {
    const char *table, *what, *where;
    const char *row; /* its name; NULL: the rowid */
} rules[] = {
    {"state", "the state has numbers below zero",
     "min(due_clock_ms, service_clock_ms, born_from, delivery_id_max, event_id_max, ids_from, events, "
     "pending,"
     " delivered, given_up, cancelled, skipped, endpoints, followed_to, born_out, purged_to, attempts_to,"
     " idempotency_to, idempotency_before) < 0"},
    {"state", "the fingerprint of the key file is none",
     "fingerprint IS NOT NULL AND length(fingerprint) <> 32"},
    {"users", "the user has an id, role or flag that is none",
     "id <= 0 OR role NOT IN (0, 1) OR receives_users_events NOT IN (0, 1) OR version <= 0 OR change <= 0"},
    {"users", "the user's Master is missing",
     "master_id <> 0 AND NOT EXISTS (SELECT 1 FROM users m WHERE m.id = users.master_id)"},
    {"users", "the user's default endpoint is missing",
     "NOT EXISTS (SELECT 1 FROM endpoints e WHERE e.id = users.id AND e.owner_id = users.id)"},
    {"endpoints", "the endpoint has an id or flag that is none, or its owner is missing",
     "id <= 0 OR paused NOT IN (0, 1) OR disable_on_410 NOT IN (0, 1)"
     " OR ifnull(disabled, 1) NOT IN (1, 2) OR disabled IS NOT NULL AND NOT paused"
     " OR (paused_at IS NULL) = paused"
     " OR answered NOT IN (0, 1) OR version <= 0"
     " OR ifnull(in_flight_max, 1) NOT BETWEEN 1 AND 256 OR ifnull(rate_count, 1) NOT BETWEEN 1 AND 100000"
     " OR ifnull(disable_after, 1) NOT BETWEEN 1 AND 365 OR ifnull(rate_per, 0) NOT IN (0, 1, 2) OR "
     "ifnull(ordered, 0) NOT IN (0, 1)"
     " OR NOT EXISTS (SELECT 1 FROM users u WHERE u.id = endpoints.owner_id)"},
    {"endpoints", "a setting of its pushes is none",
     "ifnull(success, '2xx') <> '2xx' AND success GLOB '*[^0-9 ]*'"
     " OR ifnull(retry, 'backoff 0') NOT GLOB 'schedule [1-9]*'"
     " AND ifnull(retry, 'backoff 0') NOT GLOB 'backoff [0-9]*'" PUSH_SETTINGS_LIST(OR_NO_NUMBER, OR_TOO_LONG,
                                                                                    OR_TOO_LONG)},
    {"endpoints", "the URL is none", "url IS NOT NULL AND url NOT LIKE 'http%://_%'"},
    {"api_keys", "the key's digest or pace is none, or its user is missing",
     "id <= 0 OR length(digest) <> 64 OR digest GLOB '*[^0-9a-f]*' OR rate_per_s < -1"
     " OR NOT EXISTS (SELECT 1 FROM users u WHERE u.id = api_keys.user_id)"},
    {"events", "the event's owner is missing, or its id is none",
     "id <= 0 OR NOT EXISTS (SELECT 1 FROM users u WHERE u.id = events.owner_id)"},
    {"events", "the event's snapshot is not within its document",
     "snapshot_len < -1 OR (snapshot_len > 0 AND (snapshot_at < 0"
     " OR snapshot_at + snapshot_len > length(document)))"},
    {"events", "the event's Idempotency-Key is none",
     "idempotency_key IS NOT NULL AND (length(idempotency_key) NOT BETWEEN 1 AND 256"
     " OR requester_id IS NULL OR ifnull(length(request_digest), 0) <> 32)"},
    {"events", "the event's deliveries are not there",
     "delivery_count < 0 OR delivery_count <> (SELECT count(*)"
     " FROM deliveries d WHERE d.id >= events.delivery_first"
     " AND d.id < (events.delivery_first >> 24) + events.delivery_count << 24 AND d.event_id = events.id)"},
    {"deliveries", "the delivery's state, lease or attempts are damaged",
     "id <= 0 OR state NOT IN (0, 1, 2, 3, 4) OR min(lease, attempt, lost, earlier) < 0"
     " OR max(lease, attempt, lost, earlier) > 0xffffff"
     " OR ifnull(last_status, 0) NOT BETWEEN 0 AND 999"
     " OR (queue IS NOT NULL AND (queue NOT IN (0, endpoint_id) OR due_at IS NULL))"},
    {"deliveries", "the delivery waits, but in no queue: it would never be sent",
     "state = 0 AND queue IS NULL AND id < (SELECT born_from FROM state)"},
    {"deliveries", "the delivery's event or endpoint is missing",
     "NOT EXISTS (SELECT 1 FROM events e"
     " WHERE e.id = deliveries.event_id) OR NOT EXISTS (SELECT 1 FROM endpoints n"
     " WHERE n.id = deliveries.endpoint_id)"},
    {"added", "the event has no such delivery",
     "NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.id = added.delivery_id AND d.event_id = added.event_id)",
     "event_id || ' ' || delivery_id"},
    {"attempts", "the attempt's numbers are damaged, or its delivery is missing",
     "min(attempt, duration_ms, flags) < 0 OR max(attempt, duration_ms, flags) > 0x7fffffff"
     " OR status NOT BETWEEN 0 AND 999 OR NOT EXISTS (SELECT 1 FROM deliveries d"
     " WHERE d.id >= attempts.id >> 24 << 24 AND d.id <= (attempts.id | 0xffffff))"},
    {"idempotency_runs", "the numbers of a run of Idempotency-Keys are damaged",
     "min(id - 1, level, built, keys, into_run + 1) < 0 OR bits NOT BETWEEN 0 AND 32 OR built > 1 << bits"},
    {"idempotency_entries", "these Idempotency-Keys are of no run, or cut",
     "length(entries) % 16 <> 0 OR NOT EXISTS (SELECT 1 FROM idempotency_runs r WHERE r.id ="
     " idempotency_entries.id >> 32)"},
    {"requests", "the request has no Idempotency-Key, or its numbers are damaged",
     "length(key) = 0 OR length(digest) <> 32 OR min(requester_id, made_id) < 0"},
    {"jobs", "the job's endpoint or owner is none, or its numbers are damaged",
     "min(id, endpoint_id, owner_id) <= 0 OR kind NOT BETWEEN 0 AND 2 OR state NOT BETWEEN 0 AND 2"
     " OR delivery_state NOT BETWEEN 0 AND 4 OR min(since, until, cursor_at, looked, made_due, total + 1) < 0"
     " OR (state = 0) <> (finished_at = 0)"},
    {"resources", "the resource's version is none, or its owner is missing",
     "version <= 0 OR NOT EXISTS (SELECT 1 FROM users u WHERE u.id = resources.owner_id)",
     "type || ' ' || id"},
    {"owned", "the row of a user's event has numbers that are none", "bytes < 0 OR event_id <= 0",
     "owner_id || ' ' || event_id"},
    {"usage", "the usage of the user is no number", "min(user_id, stored_bytes, resources) < 0"},
    {"failing", "since when the endpoint fails is no time, or the endpoint is missing",
     "since <= 0 OR ifnull(outage_from, since) < since OR NOT EXISTS (SELECT 1 FROM endpoints n"
     " WHERE n.id = failing.endpoint_id)"},
    {"notices", "a notice about an endpoint has a bad number, or the endpoint is missing",
     "kind NOT BETWEEN 0 AND 3 OR count < 0 OR due_at < 0 OR told NOT IN (0, 1)"
     " OR NOT EXISTS (SELECT 1 FROM endpoints n WHERE n.id = notices.endpoint_id)",
     "endpoint_id || ' ' || kind"},
    {"endpoint_hours", "an hour of an endpoint has numbers that are none, or the endpoint is missing",
     "min(hour, accepted, delivered, failed, given_up, cancelled) < 0"
     " OR NOT EXISTS (SELECT 1 FROM endpoints n WHERE n.id = endpoint_hours.endpoint_id)",
     "hour || ' ' || endpoint_id"},
    {"ended_late", "the event of a late end is none", "event_id <= 0", "event_id"},
};

/* ---- the values that a column may have ---- */

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);
    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

/* A column `*_at` is a time that can be shown. Exceptions: due_at is of the due clock, where numbers below 0
 * come first; snapshot_at is a position. */
static bool number_is_sound(const char *column, int64_t number)
{
    return !ends_with(column, "_at") || strcmp(column, "due_at") == 0 ||
           (number >= year_0_ms && number < year_10000_ms);
}

static bool are_networks(const char *text)
{
    struct network network;
    bool sound = true;
    for (size_t len; *text && sound; text += len + (text[len] == ' ')) {
        len = strcspn(text, " ");
        sound = network_parse(bytes_make(text, len), &network);
    }
    return sound;
}

static bool text_is_sound(const char *column, struct bytes text)
{
    if (strcmp(column, "allow_from") == 0)
        return are_networks(text.data);
    if (strcmp(column, "failure") == 0 || strcmp(column, "last_reason") == 0)
        return failure_parse(text.data) != FAILURE_COUNT;
    return bytes_are_utf8(text);
}

/* The name of the first column with a value that its type does not allow; NULL: none. integrity_check finds
 * forbidden NULLs. */
static const char *odd_column(sqlite3_stmt *row)
{
    for (int i = 1; i < sqlite3_column_count(row); i++) {
        const char *name = sqlite3_column_name(row, i), *declared = sqlite3_column_decltype(row, i);
        int type = sqlite3_column_type(row, i);
        bool sound = type == SQLITE_NULL;
        if (type == SQLITE_INTEGER && strcmp(declared, "INTEGER") == 0)
            sound = number_is_sound(name, sqlite3_column_int64(row, i));
        else if (type == SQLITE_TEXT && strcmp(declared, "TEXT") == 0)
            sound = text_is_sound(name, bytes_make((const char *)sqlite3_column_text(row, i),
                                                   (size_t)sqlite3_column_bytes(row, i)));
        else if (type == SQLITE_BLOB)
            sound = strcmp(declared, "BLOB") == 0;
        if (!sound)
            return name;
    }
    return NULL;
}

/* ---- findings ---- */

static void found(int *count, const char *table, const char *row, const char *what)
{
    if (++*count <= SHOWN_MAX)
        printf("%s%s%s: %s\n", table, row ? " " : "", row ? row : "", what);
}

/* False: the query failed, which is damage, too. */
static bool each(sqlite3 *db, const char *sql, int *count, const char *table, const char *what,
                 bool (*is_sound)(sqlite3_stmt *row))
{
    sqlite3_stmt *rows = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &rows, NULL);
    while (rc == SQLITE_OK && (rc = sqlite3_step(rows)) == SQLITE_ROW) {
        if (!is_sound || !is_sound(rows))
            found(count, table, (const char *)sqlite3_column_text(rows, 0), what);
        rc = SQLITE_OK;
    }
    if (rc != SQLITE_DONE)
        found(count, table, NULL, sqlite3_errmsg(db));
    sqlite3_finalize(rows);
    return rc == SQLITE_DONE;
}

static void check_columns(sqlite3 *db, int *count, const char *table, const char *row)
{
    char *sql = sqlite3_mprintf("SELECT %s, * FROM %s", row, table), what[WHAT_LEN];
    sqlite3_stmt *rows = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &rows, NULL);
    for (const char *column; rc == SQLITE_OK && sqlite3_step(rows) == SQLITE_ROW;)
        if ((column = odd_column(rows))) {
            snprintf(what, sizeof what, "%s has a value that no server writes", column);
            found(count, table, (const char *)sqlite3_column_text(rows, 0), what);
        }
    sqlite3_finalize(rows); /* integrity_check and the rules have reported the reason of an early end */
    sqlite3_free(sql);
}

static bool document_is_sound(sqlite3_stmt *row)
{
    struct json_reading reading;
    struct body_view view;
    const char *data = sqlite3_column_blob(row, 1);
    struct bytes document = bytes_make(data, data ? (size_t)sqlite3_column_bytes(row, 1) : 0);
    return body_read(document, sqlite3_column_int64(row, 2), &view) &&
           json_check((char *)document.data, document.len, false, &reading) == JSON_OK;
}

static bool json_is_sound(sqlite3_stmt *row)
{
    struct json_reading reading;
    const char *data = sqlite3_column_blob(row, 1);
    return data && json_check((char *)data, (size_t)sqlite3_column_bytes(row, 1), false, &reading) == JSON_OK;
}

static bool answers_are_sound(sqlite3_stmt *row)
{
    struct hour hour = {0};
    const char *data = sqlite3_column_blob(row, 1);
    return hour_load_answers(&hour, bytes_make(data, data ? (size_t)sqlite3_column_bytes(row, 1) : 0));
}

static bool is_ok(sqlite3_stmt *row)
{
    const char *text = (const char *)sqlite3_column_text(row, 0);
    return text && strcmp(text, "ok") == 0;
}

/* The part of an entry that a filter stores. */
static uint64_t key_and_event(uint64_t hash, int64_t event_id)
{
    return hash ^ (uint64_t)event_id * 0x9E3779B97F4A7C15u;
}

static void add_entries(struct idempotency_filter *filter, sqlite3_stmt *row)
{
    int64_t bucket = sqlite3_column_int64(row, 0);
    const char *stored = sqlite3_column_blob(row, 2);
    int len = stored ? sqlite3_column_bytes(row, 2) : 0;
    for (int at = 0; at + IDEMPOTENCY_ENTRY_LEN <= len; at += IDEMPOTENCY_ENTRY_LEN) {
        struct idempotency_entry entry = idempotency_get(stored + at);
        if (idempotency_bucket(entry.hash, sqlite3_column_int(row, 1)) == bucket)
            idempotency_filter_add(filter, key_and_event(entry.hash, entry.event_id));
    }
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql, int *count)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
        found(count, "idempotency_runs", NULL, sqlite3_errmsg(db));
    return statement; /* NULL: a step of it is none */
}

/* Each remembered Idempotency-Key leads to its event. It compares with a filter of all entries of the runs,
 * so it misses one in 200 lost keys. */
static void check_keys(sqlite3 *db, int *count)
{
    sqlite3_exec(db, "BEGIN", NULL, NULL, NULL); /* all from one moment */
    sqlite3_stmt *total = prepare(db, "SELECT sum(length(entries)) / 16 FROM idempotency_entries", count);
    int64_t keys = sqlite3_step(total) == SQLITE_ROW ? sqlite3_column_int64(total, 0) : 0;
    sqlite3_finalize(total);
    struct idempotency_filter *filter = idempotency_filter_new(keys);
    struct digest *digest = digest_open();
    sqlite3_stmt *entries =
        prepare(db,
                "SELECT e.id & 4294967295, r.bits, e.entries FROM idempotency_runs r JOIN"
                " idempotency_entries e ON e.id BETWEEN r.id << 32 AND (r.id << 32) + 4294967295"
                " WHERE r.id < 1 << 30 AND r.bits BETWEEN 0 AND 32",
                count);
    while (sqlite3_step(entries) == SQLITE_ROW)
        add_entries(filter, entries);
    sqlite3_finalize(entries);
    sqlite3_stmt *events = prepare(db,
                                   "SELECT e.id, e.requester_id, e.idempotency_key FROM events e, state s"
                                   " WHERE e.id <= s.idempotency_to AND e.received_at >= s.idempotency_before"
                                   " AND length(e.idempotency_key) BETWEEN 1 AND 256",
                                   count);
    while (sqlite3_step(events) == SQLITE_ROW) {
        struct bytes key =
            bytes_make(sqlite3_column_blob(events, 2), (size_t)sqlite3_column_bytes(events, 2));
        uint64_t hash = 0;
        if (key.len > 0 && key.len <= MODEL_KEY_LEN_MAX)
            hash = idempotency_hash(digest, sqlite3_column_int64(events, 1), key);
        if (!idempotency_filter_has(filter, key_and_event(hash, sqlite3_column_int64(events, 0))))
            found(count, "events", (const char *)sqlite3_column_text(events, 0),
                  "its Idempotency-Key is not found: the same request again is another event");
    }
    sqlite3_finalize(events);
    digest_close(digest);
    idempotency_filter_free(filter);
    sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
}

/* ---- sums and sealed values ---- */

/* Each sum and its rows are read in one statement, because they change together. */
static void check_sums(sqlite3 *db, int *count)
{
    static const char usage[] =
        "SELECT user_id FROM (SELECT owner_id AS user_id, bytes, 0 AS resources FROM owned"
        " UNION ALL SELECT owner_id, ifnull(length(json), 0), 1 FROM resources"
        " UNION ALL SELECT user_id, -stored_bytes, -resources FROM usage)"
        " GROUP BY user_id HAVING total(bytes) <> 0 OR total(resources) <> 0";
    /* The row of `state` may be late by what the rows themselves say (state_catch_up of the store): events
     * and deliveries with higher ids, and deliveries that were out then and are delivered now. */
    static const char state[] =
        "WITH e AS (SELECT count(*) AS events FROM events WHERE id <= (SELECT event_id_max FROM state)),"
        " d AS (SELECT total(d.state = 0) AS pending, total(d.state = 1) AS delivered,"
        " total(d.state = 2) AS given_up, total(d.state = 3) AS cancelled, total(d.state = 4) AS skipped,"
        " total(d.state = 0 AND d.queue IS NULL AND d.id >= s.born_from) AS still_out"
        " FROM deliveries d, state s WHERE d.id <= s.delivery_id_max),"
        " u AS (SELECT count(url) AS endpoints FROM endpoints)"
        " SELECT 1 FROM state s, e, d, u WHERE s.events <> e.events OR s.endpoints <> u.endpoints"
        " OR s.pending - s.born_out <> d.pending - d.still_out"
        " OR s.delivered + s.born_out <> d.delivered + d.still_out"
        " OR s.given_up <> d.given_up OR s.cancelled <> d.cancelled OR s.skipped <> d.skipped";
    each(db, usage, count, "usage", "the usage of the user is not the sum of its rows", NULL);
    each(db, state, count, "state",
         "the figures of events, deliveries or endpoints are not those of the rows", NULL);
}

static struct bytes blob(sqlite3_stmt *row, int column)
{
    const void *data = sqlite3_column_blob(row, column);
    return bytes_make(data, data ? (size_t)sqlite3_column_bytes(row, column) : 0);
}

static void check_sealed(const struct vault *vault, sqlite3 *db, int *count)
{
    static const char sql[] =
        "SELECT id, created_at, signing, identity, owner_id, header_names, headers,"
        " auth, auth_secret FROM endpoints WHERE length(signing) > 0 OR length(identity) > 0"
        " OR length(header_names) > 0 OR length(headers) > 0"
        " OR length(auth) > 0 OR length(auth_secret) > 0";
    sqlite3_stmt *row = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &row, NULL);
    while (rc == SQLITE_OK && sqlite3_step(row) == SQLITE_ROW) {
        int64_t id = sqlite3_column_int64(row, 0);
        struct bytes sealed = blob(row, 2), identity = blob(row, 3);
        struct signing signing;
        struct identity_source source;
        struct arena arena;
        arena_init(&arena, (size_t)2 * MODEL_IDENTITY_LEN_MAX);
        if (signing_open(vault, id, sqlite3_column_int64(row, 1), sealed, &signing) != VAULT_OK)
            found(count, "endpoints", (const char *)sqlite3_column_text(row, 0),
                  "the signing secrets do not open with this key file: pushes go out without "
                  "webhook-signature");
        if (identity.len > 0 && identities_unseal(vault, id, identity, &arena, &source) != VAULT_OK)
            found(count, "endpoints", (const char *)sqlite3_column_text(row, 0),
                  "the TLS identity does not open with this key file: nothing is sent");
        else if (identity.len > 0)
            identities_wipe(&source);
        struct push_settings push = {.header_names = blob(row, 5),
                                     .headers = blob(row, 6),
                                     .auth = blob(row, 7),
                                     .auth_secret = blob(row, 8)};
        struct push_secret headers =
            push_secret_headers(sqlite3_column_int64(row, 4), sqlite3_column_int64(row, 1), &push);
        if (push.header_names.len <= PUSH_OWN_NAMES_LEN_MAX && push_secret_is_lost(vault, &headers))
            found(count, "endpoints", (const char *)sqlite3_column_text(row, 0),
                  "its headers do not open with this key file: nothing is sent");
        struct push_secret auth =
            push_secret_auth(sqlite3_column_int64(row, 4), sqlite3_column_int64(row, 1), &push);
        if (push.auth.len <= PUSH_OWN_NAMES_LEN_MAX && push_secret_is_lost(vault, &auth))
            found(count, "endpoints", (const char *)sqlite3_column_text(row, 0),
                  "its auth does not open with this key file: nothing is sent");
        signing_wipe(&signing);
        arena_fini(&arena);
    }
    sqlite3_finalize(row);
}

/* A key file of another database is reported; the sealed values are then skipped. */
static void check_key_file(const struct manage *manage, sqlite3 *db, int *count)
{
    char path[MANAGE_PATH_LEN];
    struct vault *vault;
    sqlite3_stmt *row = NULL;
    server_key_path(&manage->config, path);
    enum vault_error error = vault_open(path, &vault);
    bool has_row = sqlite3_prepare_v2(db, "SELECT fingerprint FROM state", -1, &row, NULL) == SQLITE_OK &&
                   sqlite3_step(row) == SQLITE_ROW;
    struct bytes wanted = has_row ? blob(row, 0) : (struct bytes){0};
    if (error != VAULT_OK)
        found(count, "key file", path, vault_error_sentence(error));
    else if (wanted.len == STORE_FINGERPRINT_LEN &&
             memcmp(wanted.data, vault_fingerprint(vault), STORE_FINGERPRINT_LEN) != 0)
        found(count, "key file", path, "it is not this database's");
    else
        check_sealed(vault, db, count);
    sqlite3_finalize(row);
    vault_close(vault);
}

static int check_all(const struct manage *manage, sqlite3 *db)
{
    int count = 0;
    /* First, because a database of another program would give the same answer to every query. */
    if (!each(db, "SELECT 'rows' WHERE (SELECT count(*) FROM state) <> 1", &count, "state",
              "there is not one", NULL))
        return count;
    each(db, "PRAGMA integrity_check(100)", &count, "database", "damaged", is_ok);
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        const char *row = rules[i].row ? rules[i].row : "rowid", *table = rules[i].table;
        char *sql = sqlite3_mprintf("SELECT %s FROM %s WHERE ifnull(%s, 1)", row, table, rules[i].where);
        each(db, sql, &count, table, rules[i].what, NULL);
        sqlite3_free(sql);
        if (i > 0 && strcmp(rules[i - 1].table, table) == 0)
            continue;
        check_columns(db, &count, table, row);
    }
    each(db, "SELECT id, document, stamp_offset FROM events", &count, "events",
         "the document is damaged: it cannot be shown or sent", document_is_sound);
    each(db, "SELECT type || ' ' || id, json FROM resources WHERE json IS NOT NULL", &count, "resources",
         "the snapshot is damaged: it cannot be shown", json_is_sound);
    each(db, "SELECT hour || ' ' || endpoint_id, answers FROM endpoint_hours", &count, "endpoint_hours",
         "the times of the answers are damaged: they are shown in part", answers_are_sound);
    check_keys(db, &count);
    check_sums(db, &count);
    check_key_file(manage, db, &count);
    return count;
}

static int check(const struct invocation *invocation, void *options)
{
    struct manage *manage = options;
    const char *path = manage->store.path;
    sqlite3 *db = NULL;
    struct stat about;
    if (stat(path, &about) != 0)
        return command_failed(manage->invocation, "%s: %s", path, strerror(errno));
    if (!S_ISREG(about.st_mode)) /* a pipe would block */
        return command_failed(manage->invocation, "%s: it is not a regular file", path);
    int rc = snapshot_open(path, &db);
    int count = 0;
    bool can_be_read = rc == SQLITE_OK || (rc & 0xff) == SQLITE_CORRUPT || (rc & 0xff) == SQLITE_NOTADB;
    if (can_be_read)
        count = check_all(manage, db);
    sqlite3_close(db);
    if (!can_be_read) /* permissions and locks are not damage */
        return command_failed(manage->invocation, "%s: %s", path, sqlite3_errstr(rc));
    if (count > 0)
        return command_failed(manage->invocation, "%s: %d damaged%s", path, count,
                              count > SHOWN_MAX ? ", the first 100 are shown" : "");
    puts(manage->invocation->json ? "{\"damaged\":0}" : "sound: nothing is damaged");
    return EXIT_DONE;
}

const struct command check_command = {
    .name = "check",
    .summary = "find damaged rows and pages in a data folder",
    .details = details,
    .verbs = {{NULL, "[DATA]", check}},
    MANAGE_COMMAND(struct manage, manage_run),
};
