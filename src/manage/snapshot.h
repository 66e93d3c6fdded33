/*
 * snapshot: copies a database as it is at one moment; a server may run.
 *
 * One read transaction holds that moment. Meanwhile a server writes to its log, which cannot be checkpointed
 * until the copy is done. So beside a server the copy is made in small pieces, each followed by a sync and a
 * pause; otherwise the server's own syncs would wait for hundreds of megabytes. The pauses end once the log
 * has grown by 256 MiB. The connection is read-only and never checkpoints.
 */
#pragma once
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

enum { SNAPSHOT_TEXT_LEN = 200 };

/* The facts that a database has about itself. */
struct snapshot_facts {
    int64_t events, deliveries_pending, users, bytes;
    bool has_fingerprint;
    unsigned char fingerprint[32];
};

/* Opens for reading; a server may run, and the folder may be read-only. Returns SQLite's result code. Close
 * `db` in any case. */
int snapshot_open(const char *path, sqlite3 **db);
/* `to` must not exist; it gets mode 0600 and is synced. `gently`: with pauses for a server. False: `text` has
 * the reason, and `to` is removed. */
bool snapshot_copy(const char *from, const char *to, bool gently, char text[SNAPSHOT_TEXT_LEN]);
/* For a copy that replaces another database, whose ids may be known outside. New users and keys get ids that
 * were never used there, from a random start for each copy, and users get other versions. (Events and
 * deliveries get a new range of ids at each start.) */
bool snapshot_renew_ids(const char *path, char text[SNAPSHOT_TEXT_LEN]);
/* Checks a database without a writer, such as a copy or a backup: it is posthorn's, and every page is sound.
 * Leaves no file beside it. */
bool snapshot_verify(const char *path, struct snapshot_facts *facts, char text[SNAPSHOT_TEXT_LEN]);
