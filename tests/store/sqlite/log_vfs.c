/*
 * The VFS that gathers writes, on a disk whose calls are counted and fail as asked.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "log_vfs.h"
#include "shim_vfs.h"
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ROWS = 40, ROW_LEN = 3000, PAGE_LEN = 4096 };

struct disk {
    struct log_vfs log_vfs;
    struct shim_fault fault;
    sqlite3 *db;
    char folder[64], path[80];
};

static void sql(struct disk *disk, const char *text)
{
    assert_int_equal(sqlite3_exec(disk->db, text, NULL, NULL, NULL), SQLITE_OK);
}

static int64_t number(sqlite3 *db, const char *text)
{
    sqlite3_stmt *statement = NULL;
    assert_int_equal(sqlite3_prepare_v2(db, text, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return value;
}

static int set_up_on(void **state, bool fragile)
{
    struct disk *disk = calloc(1, sizeof *disk);
    disk->fault.fragile = fragile;
    snprintf(disk->folder, sizeof disk->folder, "/tmp/posthorn-log_vfs-XXXXXX");
    assert_non_null(mkdtemp(disk->folder));
    snprintf(disk->path, sizeof disk->path, "%s/a.db", disk->folder);
    shim_install(&disk->fault, false);
    assert_int_equal(
        log_vfs_open(&disk->log_vfs, disk->path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &disk->db),
        SQLITE_OK);
    sqlite3_extended_result_codes(disk->db, 1);
    sql(disk, "PRAGMA page_size = 4096; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
              "PRAGMA wal_autocheckpoint = 0; CREATE TABLE t (id INTEGER PRIMARY KEY, data BLOB)");
    *state = disk;
    return 0;
}

static int set_up(void **state)
{
    return set_up_on(state, false);
}

static int set_up_fragile(void **state)
{
    return set_up_on(state, true);
}

static int tear_down(void **state)
{
    struct disk *disk = *state;
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    sqlite3_close(disk->db);
    shim_remove();
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        char name[96];
        snprintf(name, sizeof name, "%s%s", disk->path, suffixes[i]);
        unlink(name);
    }
    rmdir(disk->folder);
    free(disk);
    return 0;
}

static void insert(struct disk *disk)
{
    char text[256];
    snprintf(text, sizeof text,
             "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)"
             " INSERT INTO t (data) SELECT randomblob(%d) FROM n",
             ROWS, ROW_LEN);
    sql(disk, text);
}

/* A page is two writes above, and a small part of one below. */
static void writes_are_few(void **state)
{
    struct disk *disk = *state;
    disk->fault = (struct shim_fault){.call = SHIM_WRITE, .file = SQLITE_OPEN_WAL};
    insert(disk);
    assert_in_range(disk->fault.seen, 1, 1 + ROWS / 8);
}

/* With next to no cache, pages of a transaction go to the log and are read from there before it ends. */
static void what_was_written_is_read(void **state)
{
    struct disk *disk = *state;
    sql(disk, "PRAGMA cache_size = 3; BEGIN");
    for (int i = 0; i < 5; i++)
        insert(disk);
    assert_int_equal(number(disk->db, "SELECT sum(length(data)) FROM t"), 5 * ROWS * ROW_LEN);
    sql(disk, "UPDATE t SET data = x'00' WHERE id % 2; COMMIT");
    sqlite3 *reader = NULL;
    assert_int_equal(sqlite3_open_v2(disk->path, &reader, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(number(reader, "SELECT count(*) FROM t WHERE length(data) = 1"), 5 * ROWS / 2);
    sqlite3_close(reader);
    sql(disk, "PRAGMA wal_checkpoint");
    sqlite3_stmt *check = NULL;
    assert_int_equal(sqlite3_prepare_v2(disk->db, "PRAGMA integrity_check", -1, &check, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(check), SQLITE_ROW);
    assert_string_equal((const char *)sqlite3_column_text(check, 0), "ok");
    sqlite3_finalize(check);
}

/* A large document is read from the log some ten pages at a time; and what is written then is read, not what
 * was. */
static void reads_in_order_are_few(void **state)
{
    struct disk *disk = *state;
    sql(disk, "INSERT INTO t (id, data) VALUES (1, zeroblob(400000)); PRAGMA cache_size = 3");
    disk->fault = (struct shim_fault){.call = SHIM_READ, .file = SQLITE_OPEN_WAL};
    sql(disk, "PRAGMA wal_checkpoint");
    assert_in_range(disk->fault.seen, 1, 400000 / PAGE_LEN / 4);
    assert_int_equal(
        number(disk->db, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"), 1);

    sqlite3_file *log = NULL;
    sqlite3_int64 end = 0;
    char page[PAGE_LEN], other[PAGE_LEN];
    memset(other, 'b', sizeof other);
    assert_int_equal(sqlite3_file_control(disk->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log), SQLITE_OK);
    assert_int_equal(log->pMethods->xFileSize(log, &end), SQLITE_OK);
    for (sqlite3_int64 at = end - 10 * PAGE_LEN; at < end - 5 * PAGE_LEN; at += PAGE_LEN)
        assert_int_equal(log->pMethods->xRead(log, page, PAGE_LEN, at), SQLITE_OK);
    assert_int_equal(log->pMethods->xWrite(log, other, PAGE_LEN, end - 5 * PAGE_LEN), SQLITE_OK);
    assert_int_equal(log->pMethods->xRead(log, page, PAGE_LEN, end - 5 * PAGE_LEN), SQLITE_OK);
    assert_memory_equal(page, other, PAGE_LEN);
}

static sqlite3 *open_plain(const struct disk *disk, int flags)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open_v2(disk->path, &db, flags, NULL), SQLITE_OK);
    return db;
}

static int checkpoint(struct disk *disk)
{
    return sqlite3_wal_checkpoint_v2(disk->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
}

/* A hundred pages in their order go to the database in a few pieces. */
static void a_checkpoint_writes_little(void **state)
{
    struct disk *disk = *state;
    insert(disk);
    disk->fault = (struct shim_fault){.call = SHIM_WRITE, .file = SQLITE_OPEN_MAIN_DB};
    assert_int_equal(checkpoint(disk), SQLITE_OK);
    assert_in_range(disk->fault.seen, 1, ROWS / 8);
    sqlite3 *reader = open_plain(disk, SQLITE_OPEN_READONLY);
    assert_int_equal(number(reader, "SELECT sum(length(data)) FROM t"), ROWS * ROW_LEN);
    sqlite3_close(reader);
}

/* It does not sync then, and lets the next reader find in the database what it has moved there. */
static void a_checkpoint_held_up_is_read(void **state)
{
    struct disk *disk = *state;
    insert(disk);
    sqlite3 *former = open_plain(disk, SQLITE_OPEN_READONLY);
    assert_int_equal(sqlite3_exec(former, "BEGIN; SELECT count(*) FROM t", NULL, NULL, NULL), SQLITE_OK);
    insert(disk);
    assert_int_equal(checkpoint(disk), SQLITE_OK);
    sqlite3 *reader = open_plain(disk, SQLITE_OPEN_READONLY);
    assert_int_equal(number(reader, "SELECT sum(length(data)) FROM t"), 2 * ROWS * ROW_LEN);
    sqlite3_close(reader);
    assert_int_equal(sqlite3_exec(former, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(former);
    disk->fault = (struct shim_fault){.call = SHIM_WRITE, .file = SQLITE_OPEN_MAIN_DB};
    assert_int_equal(checkpoint(disk), SQLITE_OK);
    assert_in_range(disk->fault.seen, 1, ROWS / 8); /* and the next one is gathered again */
}

/* The log stays what counts until all of it is written. */
static void a_late_error_fails_the_checkpoint(void **state)
{
    struct disk *disk = *state;
    insert(disk);
    disk->fault = (struct shim_fault){
        .call = SHIM_WRITE, .file = SQLITE_OPEN_MAIN_DB, .at = 1, .lasting = true, .code = SQLITE_FULL};
    assert_int_equal(checkpoint(disk), SQLITE_FULL);
    assert_int_equal(checkpoint(disk), SQLITE_FULL);
    sqlite3 *reader = open_plain(disk, SQLITE_OPEN_READONLY);
    assert_int_equal(number(reader, "SELECT sum(length(data)) FROM t"), ROWS * ROW_LEN);
    insert(disk);
    disk->fault.at = 0;
    assert_int_equal(checkpoint(disk), SQLITE_OK);
    assert_int_equal(number(reader, "SELECT sum(length(data)) FROM t"), 2 * ROWS * ROW_LEN);
    sqlite3_close(reader);
}

/* What was read ahead may be another program's by the next transaction. */
static void what_others_write_is_read(void **state)
{
    struct disk *disk = *state;
    sql(disk, "PRAGMA cache_size = 1; INSERT INTO t (id, data) VALUES (1, zeroblob(60000))");
    assert_int_equal(checkpoint(disk), SQLITE_OK);
    assert_int_equal(number(disk->db, "SELECT data = zeroblob(60000) FROM t"), 1);
    sqlite3 *other = open_plain(disk, SQLITE_OPEN_READWRITE);
    assert_int_equal(sqlite3_exec(other,
                                  "UPDATE t SET data = replace(hex(zeroblob(30000)), '0', 'x');"
                                  "PRAGMA wal_checkpoint",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    assert_int_equal(number(disk->db, "SELECT data = replace(hex(zeroblob(30000)), '0', 'x') FROM t"), 1);
    sqlite3_close(other);
}

/* The write fails long after SQLite was told that it had been done. */
static void a_late_error_fails_the_commit(void **state)
{
    struct disk *disk = *state;
    sql(disk, "BEGIN; INSERT INTO t (data) VALUES (x'01')");
    disk->fault = (struct shim_fault){.call = SHIM_WRITE, .at = 1, .code = SQLITE_IOERR_WRITE};
    assert_int_equal(sqlite3_exec(disk->db, "COMMIT", NULL, NULL, NULL), SQLITE_IOERR_WRITE);
    assert_int_equal(disk->fault.failed, 1);
    sqlite3_exec(disk->db, "ROLLBACK", NULL, NULL, NULL);
    assert_int_equal(number(disk->db, "SELECT count(*) FROM t"), 0);
}

/* Nothing that was taken is dropped: as long as it cannot be written, nothing behind it is. */
static void errors_last(void **state)
{
    struct disk *disk = *state;
    disk->fault = (struct shim_fault){.call = SHIM_WRITE, .at = 1, .lasting = true, .code = SQLITE_FULL};
    for (int i = 0; i < 3; i++)
        assert_int_equal(sqlite3_exec(disk->db, "INSERT INTO t (data) VALUES (x'02')", NULL, NULL, NULL),
                         SQLITE_FULL);
    disk->fault.at = 0; /* somebody made room */
    sql(disk, "INSERT INTO t (data) VALUES (x'03')");
    assert_int_equal(number(disk->db, "SELECT count(*) FROM t"), 1);
}

/* But what is committed can be read on: the full disk must not take that away, too. */
static void others_are_read(void **state)
{
    struct disk *disk = *state;
    sql(disk, "PRAGMA cache_size = 3");
    insert(disk);
    disk->fault = (struct shim_fault){.call = SHIM_WRITE, .at = 1, .lasting = true, .code = SQLITE_FULL};
    assert_int_equal(sqlite3_exec(disk->db, "INSERT INTO t (data) VALUES (x'02')", NULL, NULL, NULL),
                     SQLITE_FULL);
    assert_int_equal(number(disk->db, "SELECT sum(length(data)) FROM t"), ROWS * ROW_LEN);
    disk->fault.at = 0;
    sql(disk, "INSERT INTO t (data) VALUES (x'03')");
    assert_int_equal(number(disk->db, "SELECT sum(length(data)) FROM t"), ROWS * ROW_LEN + 1);
}

/* The same, asked of the log itself. */
static void nothing_is_dropped(void **state)
{
    struct disk *disk = *state;
    sqlite3_file *log = NULL;
    sqlite3_int64 before = 0, size = 0;
    assert_int_equal(sqlite3_file_control(disk->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log), SQLITE_OK);
    assert_int_equal(log->pMethods->xFileSize(log, &before), SQLITE_OK);
    disk->fault = (struct shim_fault){.call = SHIM_WRITE, .at = 1, .lasting = true, .code = SQLITE_FULL};
    assert_int_equal(log->pMethods->xWrite(log, "ab", 2, before), SQLITE_OK);
    assert_int_equal(log->pMethods->xSync(log, SQLITE_SYNC_NORMAL), SQLITE_FULL);
    assert_int_equal(log->pMethods->xSync(log, SQLITE_SYNC_NORMAL), SQLITE_FULL);
    assert_int_equal(log->pMethods->xWrite(log, "c", 1, before + 100), SQLITE_FULL);
    assert_int_equal(log->pMethods->xFileSize(log, &size), SQLITE_FULL);
    disk->fault.at = 0;
    assert_int_equal(log->pMethods->xFileSize(log, &size), SQLITE_OK);
    assert_int_equal(size, before + 2);
}

/* Each connection has one of its own, and none is left among the names of the process. */
static void connections_share_nothing(void **state)
{
    struct disk *disk = *state;
    assert_null(sqlite3_vfs_find(disk->log_vfs.name));
    assert_ptr_equal(disk->log_vfs.below, sqlite3_vfs_find("shim"));
    char path[96];
    snprintf(path, sizeof path, "%s/b.db", disk->folder);
    struct log_vfs other;
    sqlite3 *db = NULL;
    assert_int_equal(log_vfs_open(&other, path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &db), SQLITE_OK);
    assert_string_not_equal(other.name, disk->log_vfs.name);
    insert(disk);
    assert_int_equal(sqlite3_exec(db, "CREATE TABLE u (id INTEGER)", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    unlink(path);
    assert_int_equal(number(disk->db, "SELECT count(*) FROM t"), ROWS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(writes_are_few, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_written_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_written_is_read, set_up_fragile, tear_down),
        cmocka_unit_test_setup_teardown(reads_in_order_are_few, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_checkpoint_writes_little, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_checkpoint_held_up_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_late_error_fails_the_checkpoint, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_others_write_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_late_error_fails_the_commit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(errors_last, set_up, tear_down),
        cmocka_unit_test_setup_teardown(others_are_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_is_dropped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(connections_share_nothing, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
