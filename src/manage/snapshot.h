/*
 * snapshot: a database copied as it was at one moment, whether a server has it or not.
 *
 * One read transaction holds that moment for as long as the copy takes; a server writes on meanwhile, to its
 * log, which cannot be folded back until the copy is done. So a copy beside a server is made in small pieces
 * that are on the disk before the next one, with a pause behind each, or the server's own syncs would wait
 * for hundreds of megabytes; and without pauses once the log has grown by 256 MiB. The connection is
 * read-only, never checkpoints and leaves the log where it is.
 */
#pragma once
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

enum { SNAPSHOT_TEXT_LEN = 200 };

/* What a database says of itself. */
struct snapshot_facts {
    int64_t events, deliveries_pending, users, bytes;
    bool has_fingerprint;
    unsigned char fingerprint[32];
};

/* To read, whether a server has it or not, also where nothing may be written. An answer of SQLite's; `db` is
 * to be closed in any case. */
int snapshot_open(const char *path, sqlite3 **db);
/* `to` must not be there; it is made with mode 0600, and synced. `gently`: a server may be at work. False:
 * `text` says why, and `to` is gone. */
bool snapshot_copy(const char *from, const char *to, bool gently, char text[SNAPSHOT_TEXT_LEN]);
/* In a copy that is about to be put in the place of another database, whose ids may be known outside: users
 * and keys made from now on have ids that none had there, drawn at random anew for each such copy, and
 * users have other versions. (New events and deliveries have ids of their own at each start.) */
bool snapshot_renew_ids(const char *path, char text[SNAPSHOT_TEXT_LEN]);
/* Opens a database that nobody writes, a copy or a backup, without leaving anything beside it: is it
 * posthorn's, and every page of it sound? */
bool snapshot_verify(const char *path, struct snapshot_facts *facts, char text[SNAPSHOT_TEXT_LEN]);
