/*
 * posthorn check: reads all of a data folder's database and names what is damaged, whether a server runs or
 * not.
 */
#include "body.h"
#include "json.h"
#include "manage.h"
#include <sqlite3.h>
#include <stdio.h>

enum { SHOWN_MAX = 100, BUSY_MS = 10000 };

static const char details[] =
    "Reads the whole database, also while a server runs on it, and names every row that is damaged: pages "
    "and\n"
    "indexes, documents and where sent_at stands in them, states, numbers, texts, ids that lead nowhere.\n"
    "It changes nothing. A server goes on beside damaged rows: it shows them as such and gives their "
    "deliveries up.\n"
    "Where pages are damaged, restore a backup. exit status 1: something is damaged.";

/* Each finds the rows of a table that no server has written so: ?: what is wrong. */
static const struct {
    const char *table, *what, *where;
    const char *row; /* its name; NULL: the rowid */
} rules[] = {
    {"state", "the state has numbers below zero",
     "due_clock_ms < 0 OR service_clock_ms < 0 OR delivery_id_max < 0"
     " OR event_id_max < 0 OR ids_from < 0 OR pending < 0 OR events < 0 OR typeof(event_id_max) <> "
     "'integer'"},
    {"state", "the fingerprint of the key file is none",
     "fingerprint IS NOT NULL AND length(fingerprint) <> 32"},
    {"users", "the user has an id, role or flag that is none",
     "id <= 0 OR role NOT IN (0, 1) OR paused NOT IN (0, 1)"
     " OR success_2xx NOT IN (0, 1) OR disable_on_410 NOT IN (0, 1) OR receives_users_events NOT IN (0, 1)"
     " OR typeof(name) <> 'text' OR typeof(email) <> 'text' OR typeof(version) <> 'integer'"},
    {"users", "the webhook_url is no URL", "webhook_url IS NOT NULL AND webhook_url NOT LIKE 'http%://_%'"},
    {"api_keys", "the key's digest is none, or its user is missing",
     "length(digest) <> 64 OR digest GLOB '*[^0-9a-f]*'"
     " OR NOT EXISTS (SELECT 1 FROM users u WHERE u.id = api_keys.user_id)"},
    {"events", "the event's owner, times or types are damaged",
     "id <= 0 OR typeof(event_type) <> 'text'"
     " OR typeof(received_at) <> 'integer' OR NOT EXISTS (SELECT 1 FROM users u WHERE u.id = "
     "events.owner_id)"},
    {"events", "the event's snapshot is not within its document",
     "snapshot_len > 0 AND (snapshot_at < 0"
     " OR snapshot_at + snapshot_len > length(document))"},
    {"events", "the event's deliveries are not there",
     "delivery_count < 0 OR delivery_count <> (SELECT count(*)"
     " FROM deliveries d WHERE d.id >= events.delivery_first"
     " AND d.id < events.delivery_first + (events.delivery_count << 24))"},
    {"deliveries", "the delivery's state, lease or attempts are damaged",
     "id <= 0 OR state NOT IN (0, 1, 2, 3, 4)"
     " OR typeof(lease) <> 'integer' OR lease < 0 OR typeof(attempt) <> 'integer' OR attempt < 0 OR lost < 0"
     " OR (queue IS NOT NULL AND (queue NOT IN (0, endpoint_id) OR typeof(due_at) <> 'integer'))"},
    {"deliveries", "the delivery's event or endpoint is missing",
     "NOT EXISTS (SELECT 1 FROM events e"
     " WHERE e.id = deliveries.event_id) OR NOT EXISTS (SELECT 1 FROM users u WHERE u.id = "
     "deliveries.endpoint_id)"},
    {"attempts", "the attempt's numbers are damaged",
     "typeof(attempt) <> 'integer' OR attempt < 0 OR duration_ms < 0"
     " OR status < 0 OR status > 999 OR typeof(flags) <> 'integer'"},
    {"api_keys", "the key's label, networks or pace are damaged",
     "typeof(label) <> 'text' OR typeof(allow_from) <> 'text' OR typeof(rate_per_s) <> 'integer'"
     " OR rate_per_s < -1"},
    {"idempotency", "the Idempotency-Key's digest or event is none",
     "length(digest) <> 32 OR typeof(event_id) <> 'integer' OR event_id <= 0", "hex(key)"},
    {"resources", "the resource's owner, version or time is damaged",
     "typeof(version) <> 'integer' OR version <= 0 OR typeof(type) <> 'text' OR typeof(id) <> 'text'"
     " OR typeof(updated_at) NOT IN ('integer', 'null')"
     " OR NOT EXISTS (SELECT 1 FROM users u WHERE u.id = resources.owner_id)",
     "type || ' ' || id"},
    {"owned", "the row of a user's event has numbers that are none",
     "typeof(bytes) <> 'integer' OR bytes < 0 OR typeof(event_id) <> 'integer' OR event_id <= 0"
     " OR typeof(owner_id) <> 'integer'",
     "owner_id || ' ' || event_id"},
    {"usage", "what the user has stored is no number",
     "typeof(stored_bytes) <> 'integer' OR typeof(resources) <> 'integer' OR stored_bytes < 0"},
    {"ended_late", "the time or event of a late end is no number",
     "typeof(ended_at) <> 'integer' OR typeof(event_id) <> 'integer'", "event_id"},
};

static void found(int *count, const char *table, const char *row, const char *what)
{
    if (++*count <= SHOWN_MAX)
        printf("%s%s%s: %s\n", table, row ? " " : "", row ? row : "", what);
}

/* False: the question itself could not be asked, which is damage, too. */
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

static bool document_is_sound(sqlite3_stmt *row)
{
    struct json_reading reading;
    const char *data = sqlite3_column_blob(row, 1);
    struct bytes document = bytes_make(data, data ? (size_t)sqlite3_column_bytes(row, 1) : 0);
    return body_data_end(document) > 0 && body_has_stamp(document, sqlite3_column_int64(row, 2)) &&
           json_check((char *)document.data, document.len, false, &reading) == JSON_OK;
}

static bool json_is_sound(sqlite3_stmt *row)
{
    struct json_reading reading;
    const char *data = sqlite3_column_blob(row, 1);
    return data && json_check((char *)data, (size_t)sqlite3_column_bytes(row, 1), false, &reading) == JSON_OK;
}

static bool is_ok(sqlite3_stmt *row)
{
    const char *text = (const char *)sqlite3_column_text(row, 0);
    return text && strcmp(text, "ok") == 0;
}

static int check_all(sqlite3 *db)
{
    int count = 0;
    each(db, "PRAGMA integrity_check(100)", &count, "database", "damaged", is_ok);
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        char *sql = sqlite3_mprintf("SELECT %s FROM %s WHERE ifnull(%s, 1)",
                                    rules[i].row ? rules[i].row : "rowid", rules[i].table, rules[i].where);
        each(db, sql, &count, rules[i].table, rules[i].what, NULL);
        sqlite3_free(sql);
    }
    each(db, "SELECT id, document, stamp_offset FROM events", &count, "events",
         "the document is damaged: it cannot be shown or sent", document_is_sound);
    each(db, "SELECT type || ' ' || id, json FROM resources WHERE json IS NOT NULL", &count, "resources",
         "the snapshot is damaged: it cannot be shown", json_is_sound);
    each(db, "SELECT 'rows' WHERE (SELECT count(*) FROM state) <> 1", &count, "state", "there is not one",
         NULL);
    return count;
}

static int check(struct manage *manage)
{
    char path[MANAGE_PATH_LEN];
    sqlite3 *db = NULL;
    snprintf(path, sizeof path, "%s/posthorn.db", manage->config.data);
    int rc = sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);
    int count = 0;
    if (rc == SQLITE_OK) {
        sqlite3_busy_timeout(db, BUSY_MS);
        sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        count = check_all(db);
    }
    sqlite3_close(db);
    if (rc != SQLITE_OK)
        return manage_failed(manage, "%s: %s", path, sqlite3_errstr(rc));
    if (count > 0)
        return manage_failed(manage, "%s: %d damaged%s", path, count,
                             count > SHOWN_MAX ? ", the first 100 are shown" : "");
    puts(manage->json ? "{\"damaged\":0}" : "sound: nothing is damaged");
    return manage_flush(manage) ? MANAGE_DONE : MANAGE_FAILED;
}

int check_main(int argc, char **argv)
{
    const struct manage_usage usage = {.command = "check",
                                       .synopsis = "check DATA",
                                       .details = details,
                                       .operand = "DATA",
                                       .operand_is_data = true};
    struct manage manage;
    int code;
    if (!manage_begin(&manage, &usage, argc, argv, &code))
        return code;
    code = check(&manage);
    manage_end(&manage);
    return code;
}
