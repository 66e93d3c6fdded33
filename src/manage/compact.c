/*
 * posthorn compact: gives the free pages of the database back to the file system. A server reuses them
 * by itself, so this is for after a great purge. It rewrites the whole database in one transaction, so no
 * server may run, and the disk needs room for the new copy and its log.
 */
#include "files.h"
#include "manage.h"
#include <errno.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { APPLICATION_ID = 0x70686f72, MIB = 1 << 20 };

static const char details[] =
    "Rewrites the database without its free pages, so that the file shrinks. A server reuses free pages by\n"
    "itself: run this once after many events have been removed.\n\n"
    "The server must be stopped (otherwise exit code 3). The disk needs free space for twice the size of "
    "the\n"
    "remaining data. If there is too little, it prints the size it needs and changes nothing. If it is\n"
    "interrupted, the database stays as it was.";

struct compact {
    struct manage *manage;
    sqlite3 *db;
    const char *path;
    int64_t page_bytes, pages, free_pages;
};

static bool number(struct compact *compact, const char *pragma, int64_t *out)
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(compact->db, pragma, -1, &statement, NULL);
    if (rc == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW)
        *out = sqlite3_column_int64(statement, 0);
    rc = sqlite3_finalize(statement);
    if (rc != SQLITE_OK)
        command_failed(compact->manage->invocation, "%s: %s", compact->path, sqlite3_errmsg(compact->db));
    return rc == SQLITE_OK;
}

static bool run(struct compact *compact, const char *sql)
{
    if (sqlite3_exec(compact->db, sql, NULL, NULL, NULL) == SQLITE_OK)
        return true;
    command_failed(compact->manage->invocation, "%s: %s; nothing is lost", compact->path,
                   sqlite3_errmsg(compact->db));
    return false;
}

static bool open_database(struct compact *compact)
{
    int64_t application = 0;
    int rc = sqlite3_open_v2(compact->path, &compact->db, SQLITE_OPEN_READWRITE, NULL);
    if (rc != SQLITE_OK) {
        command_failed(compact->manage->invocation, "%s: %s", compact->path, sqlite3_errmsg(compact->db));
        return false;
    }
    if (!number(compact, "PRAGMA application_id", &application) ||
        !number(compact, "PRAGMA page_size", &compact->page_bytes) ||
        !number(compact, "PRAGMA page_count", &compact->pages) ||
        !number(compact, "PRAGMA freelist_count", &compact->free_pages))
        return false;
    if (application != APPLICATION_ID)
        command_failed(compact->manage->invocation, "%s is not a posthorn database", compact->path);
    return application == APPLICATION_ID;
}

static bool has_room(struct compact *compact)
{
    struct statvfs disk;
    int64_t needed = 2 * (compact->pages - compact->free_pages) * compact->page_bytes;
    if (statvfs(compact->manage->store.folder, &disk) != 0) {
        command_failed(compact->manage->invocation, "%s: %s", compact->manage->store.folder, strerror(errno));
        return false;
    }
    int64_t room = (int64_t)disk.f_bavail * (int64_t)disk.f_frsize;
    if (room < needed)
        command_failed(compact->manage->invocation,
                       "%s: %" PRId64 " MiB of free space are needed, and there are %" PRId64 " MiB",
                       compact->manage->store.folder, needed / MIB + 1, room / MIB);
    return room >= needed;
}

static int64_t file_bytes(const char *path)
{
    struct stat about;
    return stat(path, &about) == 0 ? (int64_t)about.st_size : 0;
}

static int report(struct compact *compact, int64_t before)
{
    int64_t after = file_bytes(compact->path);
    if (compact->manage->invocation->json)
        printf("{\"bytes_before\":%lld,\"bytes_after\":%lld}\n", (long long)before, (long long)after);
    else
        printf("%s: %.1f MiB before, %.1f MiB now\n", compact->path, (double)before / MIB,
               (double)after / MIB);
    return EXIT_DONE;
}

static int compact_locked(struct compact *compact)
{
    int64_t before = file_bytes(compact->path);
    bool done = open_database(compact) && has_room(compact);
    if (done && compact->free_pages > 0)
        done = run(compact, "PRAGMA synchronous = FULL; VACUUM");
    /* Before the close, so that a reader that blocks it is reported. */
    if (done)
        done = run(compact, "PRAGMA wal_checkpoint(TRUNCATE)");
    sqlite3_close(compact->db);
    return done ? report(compact, before) : EXIT_FAILED;
}

static int compact(const struct invocation *invocation, void *options)
{
    struct manage *manage = options;
    const char *folder = manage->store.folder;
    struct compact compact = {.manage = manage, .path = manage->store.path};
    /* SQLite makes the copy in the data folder, which has the room and is private. */
    setenv("SQLITE_TMPDIR", folder, 1);
    if (file_bytes(compact.path) == 0)
        return command_failed(invocation, "%s is not there or empty", compact.path);
    int lock = files_lock_folder(folder);
    if (lock < 0 && errno == EWOULDBLOCK) {
        command_failed(invocation, "a posthorn is running on %s; stop it first", folder);
        return EXIT_LOCKED;
    }
    if (lock < 0)
        return command_failed(invocation, "%s: %s", folder, strerror(errno));
    int code = compact_locked(&compact);
    close(lock);
    return code;
}

const struct command compact_command = {
    .name = "compact",
    .summary = "shrink the database file",
    .details = details,
    .verbs = {{NULL, "", compact}},
    .required = "--data DATA",
    MANAGE_COMMAND(struct manage, manage_run),
};
