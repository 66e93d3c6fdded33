#include "snapshot.h"
#include "clock.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    STEP_PAGES = 256,
    PAUSE_US_MAX = 20000,
    LOG_GROWS_MAX = 256 << 20,
    BUSY_MS = 10000,
    APPLICATION_ID = 0x70686f72,
    PATH_LEN = 4200
};

static bool fail(char text[SNAPSHOT_TEXT_LEN], const char *what, const char *why)
{
    snprintf(text, SNAPSHOT_TEXT_LEN, "%s: %s", what, why);
    return false;
}

static int64_t log_len(const char *path)
{
    char log[PATH_LEN];
    struct stat about;
    snprintf(log, sizeof log, "%s-wal", path);
    return stat(log, &about) == 0 ? about.st_size : 0;
}

/* `immutable` makes no -wal and -shm beside a file without a log. With a log, the log must be read, too. */
static int open_still(const char *path, sqlite3 **db)
{
    char *uri = sqlite3_mprintf("file:%s?immutable=1", path);
    char *question = strchr(path, '?');
    int rc =
        log_len(path) > 0 || question || strchr(path, '%') || strchr(path, '#')
            ? sqlite3_open_v2(path, db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL)
            : sqlite3_open_v2(uri, db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI, NULL);
    sqlite3_free(uri);
    return rc;
}

static void settle(sqlite3 *db)
{
    sqlite3_extended_result_codes(db, 1);
    sqlite3_busy_timeout(db, BUSY_MS);
    sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
}

/* If the index of the log cannot be made, a database without a log is opened as immutable: it has no writer.
 */
int snapshot_open(const char *path, sqlite3 **db)
{
    int rc = sqlite3_open_v2(path, db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc == SQLITE_OK) {
        settle(*db);
        rc = sqlite3_exec(*db, "SELECT count(*) FROM sqlite_schema", NULL, NULL, NULL);
    }
    if ((rc & 0xff) != SQLITE_CANTOPEN || log_len(path) > 0)
        return rc;
    sqlite3_close(*db);
    rc = open_still(path, db);
    settle(*db);
    return rc;
}

/* ---- copying ---- */

static bool sync_file(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool synced = fd >= 0 && fsync(fd) == 0;
    int error = errno;
    if (fd >= 0)
        close(fd);
    errno = error;
    return synced;
}

struct copy {
    const char *from, *to;
    bool gently;
    int fd;          /* of `to` */
    int64_t log_len; /* of `from`, at the beginning */
    struct clock clock;
};

/* Syncs the written part and drops it from the page cache, which the server needs. Then pauses as long as
 * that took. */
static void give_way(const struct copy *copy, int64_t began_ms)
{
    (void)sync_file_range(copy->fd, 0, 0,
                          SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
    (void)posix_fadvise(copy->fd, 0, 0, POSIX_FADV_DONTNEED);
    int64_t took_us = (clock_mono_ms(&copy->clock) - began_ms + 1) * 1000;
    if (log_len(copy->from) - copy->log_len < LOG_GROWS_MAX)
        clock_pause_us(took_us < PAUSE_US_MAX ? took_us : PAUSE_US_MAX);
}

/* In steps within one read transaction; without it SQLite would start again at each change. */
static int copy_pages(const struct copy *copy, sqlite3 *from, sqlite3 *to)
{
    sqlite3_backup *backup = sqlite3_backup_init(to, "main", from, "main");
    if (!backup)
        return sqlite3_errcode(to);
    int rc;
    do {
        int64_t began_ms = clock_mono_ms(&copy->clock);
        rc = sqlite3_backup_step(backup, STEP_PAGES);
        if (rc == SQLITE_OK && copy->gently)
            give_way(copy, began_ms);
    } while (rc == SQLITE_OK);
    int end = sqlite3_backup_finish(backup);
    return rc == SQLITE_DONE ? SQLITE_OK : end != SQLITE_OK ? end : rc;
}

static int copy_open(const struct copy *copy, sqlite3 *from)
{
    sqlite3 *db = NULL;
    /* An interrupted copy is deleted, so it needs neither a journal nor a sync of each page. */
    static const char pragmas[] =
        "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -2048;";
    int rc = sqlite3_open_v2(copy->to, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db, pragmas, NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(from, "BEGIN; SELECT count(*) FROM sqlite_schema;", NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = copy_pages(copy, from, db);
    int end = sqlite3_close(db);
    return rc == SQLITE_OK ? end : rc;
}

bool snapshot_copy(const char *from, const char *to, bool gently, char text[SNAPSHOT_TEXT_LEN])
{
    struct copy copy = {
        .from = from, .to = to, .gently = gently, .log_len = log_len(from), .clock = clock_system()};
    sqlite3 *db = NULL;
    struct stat about;
    if (stat(from, &about) != 0)
        return fail(text, from, strerror(errno));
    if (!S_ISREG(about.st_mode))
        return fail(text, from, "it is not a regular file");
    copy.fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (copy.fd < 0)
        return fail(text, to, strerror(errno));
    int rc = snapshot_open(from, &db);
    if (rc == SQLITE_OK)
        rc = copy_open(&copy, db);
    sqlite3_close(db);
    bool synced = rc == SQLITE_OK && fsync(copy.fd) == 0;
    int error = errno;
    close(copy.fd); /* after SQLite's own: before, it would release its locks */
    if (rc != SQLITE_OK)
        fail(text, from, sqlite3_errstr(rc));
    else if (!synced)
        fail(text, to, strerror(error));
    if (!synced)
        unlink(to);
    return synced;
}

/* ---- ids ---- */

bool snapshot_renew_ids(const char *path, char text[SNAPSHOT_TEXT_LEN])
{
    /* 2^32: more ids than an installation gives out. */
    static const char sql[] =
        "BEGIN;"
        "UPDATE state SET ids_from = (1 << 32) + (random() & 0xffffffff) + max(ids_from,"
        " ifnull((SELECT max(id) FROM users), 0), ifnull((SELECT max(id) FROM api_keys), 0));"
        "UPDATE users SET version = version + (1 << 32) + (random() & 0xffffffff);"
        "UPDATE endpoints SET version = version + (1 << 32) + (random() & 0xffffffff);"
        "COMMIT;";
    sqlite3 *db = NULL;
    int rc = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
    int end = sqlite3_close(db); /* removes its log */
    if (rc == SQLITE_OK)
        rc = end;
    return rc == SQLITE_OK ? sync_file(path) || fail(text, path, strerror(errno))
                           : fail(text, path, sqlite3_errstr(rc));
}

/* ---- verifying ---- */

static int64_t number(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    int64_t value = -1;
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return value;
}

/* Reads every page; reports the first fault. */
static bool is_sound(sqlite3 *db, const char *path, char text[SNAPSHOT_TEXT_LEN])
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &statement, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(statement);
    const char *verdict =
        rc == SQLITE_ROW ? (const char *)sqlite3_column_text(statement, 0) : sqlite3_errmsg(db);
    bool sound = rc == SQLITE_ROW && verdict && strcmp(verdict, "ok") == 0;
    if (!sound)
        snprintf(text, SNAPSHOT_TEXT_LEN, "%.100s is damaged: %.80s", path, verdict ? verdict : "?");
    sqlite3_finalize(statement);
    return sound;
}

static void read_fingerprint(sqlite3 *db, struct snapshot_facts *facts)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(db, "SELECT fingerprint FROM state", -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW &&
        sqlite3_column_bytes(statement, 0) == (int)sizeof facts->fingerprint) {
        memcpy(facts->fingerprint, sqlite3_column_blob(statement, 0), sizeof facts->fingerprint);
        facts->has_fingerprint = true;
    }
    sqlite3_finalize(statement);
}

bool snapshot_verify(const char *path, struct snapshot_facts *facts, char text[SNAPSHOT_TEXT_LEN])
{
    sqlite3 *db = NULL;
    struct stat about;
    *facts = (struct snapshot_facts){0};
    if (stat(path, &about) != 0)
        return fail(text, path, strerror(errno));
    if (!S_ISREG(about.st_mode)) /* a pipe would block */
        return fail(text, path, "it is not a regular file");
    int rc = open_still(path, &db);
    bool sound = rc == SQLITE_OK;
    if (!sound)
        fail(text, path, sqlite3_errstr(rc));
    if (sound) {
        settle(db);
        int64_t application = number(db, "PRAGMA application_id");
        sound = application == APPLICATION_ID ? is_sound(db, path, text)
                                              : fail(text, path, "this is not a posthorn database");
    }
    if (sound) {
        facts->bytes = about.st_size;
        facts->events = number(db, "SELECT count(*) FROM events");
        facts->deliveries_pending = number(db, "SELECT count(*) FROM deliveries WHERE state = 0");
        facts->users = number(db, "SELECT count(*) FROM users");
        read_fingerprint(db, facts);
    }
    sqlite3_close(db);
    return sound;
}
