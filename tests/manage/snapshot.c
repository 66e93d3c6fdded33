/* A copy beside a server: in pieces that are on the disk before the next one, with pauses as long as the log
 * may grow. */
#include "snapshot.h"
#include "clock.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ROWS = 3000, MIB = 1 << 20, PIECE_MAX = 4 * MIB, GROWS_AT = 3 };

static struct rig {
    char folder[64], from[96], log[128], to[96];
    sqlite3 *db; /* a server's */
    int syncs, pauses;
    int64_t copied, piece_max; /* bytes of the copy at the last sync; the most between two */
    bool grows;                /* the log does, at the third pause */
} rig;

int __wrap_sync_file_range(int fd, off64_t offset, off64_t len, unsigned flags);
int __wrap_sync_file_range(int fd, off64_t offset, off64_t len, unsigned flags)
{
    struct stat about;
    fstat(fd, &about);
    rig.syncs++;
    rig.piece_max = about.st_size - rig.copied > rig.piece_max ? about.st_size - rig.copied : rig.piece_max;
    rig.copied = about.st_size;
    return 0;
}

void __wrap_clock_pause_us(int64_t us);
void __wrap_clock_pause_us(int64_t us)
{
    struct stat about;
    rig.pauses++;
    if (rig.grows && rig.pauses == GROWS_AT && stat(rig.log, &about) == 0)
        assert_int_equal(truncate(rig.log, about.st_size + 300 * (off_t)MIB), 0);
}

static int start(void **state)
{
    rig = (struct rig){.folder = "/tmp/posthorn-snapshot-XXXXXX"};
    assert_non_null(mkdtemp(rig.folder));
    snprintf(rig.from, sizeof rig.from, "%s/a.db", rig.folder);
    snprintf(rig.log, sizeof rig.log, "%s-wal", rig.from);
    snprintf(rig.to, sizeof rig.to, "%s/b.db", rig.folder);
    assert_int_equal(sqlite3_open(rig.from, &rig.db), SQLITE_OK);
    char sql[256];
    snprintf(sql, sizeof sql,
             "PRAGMA journal_mode = WAL; PRAGMA application_id = 0x70686f72; CREATE TABLE t (b);"
             "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)"
             " INSERT INTO t SELECT randomblob(4000) FROM n",
             ROWS);
    assert_int_equal(sqlite3_exec(rig.db, sql, NULL, NULL, NULL), SQLITE_OK);
    return 0;
}

static int stop(void **state)
{
    sqlite3_close(rig.db);
    unlink(rig.from);
    unlink(rig.log);
    unlink(rig.to);
    assert_int_equal(rmdir(rig.folder), 0);
    return 0;
}

static void copy(bool gently)
{
    char text[SNAPSHOT_TEXT_LEN];
    struct stat about;
    assert_true(snapshot_copy(rig.from, rig.to, gently, text));
    assert_int_equal(stat(rig.to, &about), 0);
    assert_in_range(about.st_size, ROWS * 4000, 2 * ROWS * 4096);
}

static void in_pieces_with_pauses(void **state)
{
    copy(true);
    assert_in_range(rig.syncs, ROWS * 4000 / PIECE_MAX, ROWS);
    assert_in_range(rig.piece_max, 1, PIECE_MAX);
    assert_int_equal(rig.pauses, rig.syncs);
}

static void without_pauses_once_the_log_has_grown(void **state)
{
    rig.grows = true;
    copy(true);
    assert_int_equal(rig.pauses, GROWS_AT);
    assert_true(rig.syncs > 2 * GROWS_AT);
}

static void where_no_server_is_at_once(void **state)
{
    copy(false);
    assert_int_equal(rig.syncs + rig.pauses, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(in_pieces_with_pauses, start, stop),
        cmocka_unit_test_setup_teardown(without_pauses_once_the_log_has_grown, start, stop),
        cmocka_unit_test_setup_teardown(where_no_server_is_at_once, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
