/* What is SQLite's own: its files, lock, schema, and what it does with the leases of a former process.
 */
#include "fixture.h"
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int open_one(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    fixture_open(fixture, &store_sqlite);
    *state = fixture;
    return 0;
}

static int close_one(void **state)
{
    fixture_close(*state);
    free(*state);
    return 0;
}

static sqlite3 *shell(const struct fixture *f)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    return db;
}

static void say(const struct fixture *f, const char *sql)
{
    sqlite3 *db = shell(f);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static int64_t ask(const struct fixture *f, const char *sql)
{
    sqlite3 *db = shell(f);
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int64_t number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return number;
}

static void files_are_private(void **state)
{
    struct fixture *f = *state;
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    fixture_user(f, NULL);
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        char path[128];
        struct stat file;
        snprintf(path, sizeof path, "%s%s", f->path, suffixes[i]);
        assert_int_equal(stat(path, &file), 0);
        assert_int_equal(file.st_mode & 0777, 0600);
    }
}

static void lock_ends_with_its_process(void **state)
{
    struct fixture *f = *state;
    int ready[2];
    f->engine->close(f->store);
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        struct store *store;
        char word = f->engine->open(&f->config, &store) == STORE_OK ? 'y' : 'n';
        if (write(ready[1], &word, 1) == 1)
            pause();
        _exit(1);
    }
    char word;
    assert_int_equal(read(ready[0], &word, 1), 1);
    assert_int_equal(word, 'y');
    assert_int_equal(f->engine->open(&f->config, &f->store), STORE_LOCKED);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_int_equal(f->engine->open(&f->config, &f->store), STORE_OK);
    close(ready[0]);
    close(ready[1]);
}

static void newer_schema_is_refused(void **state)
{
    struct fixture *f = *state;
    f->engine->close(f->store);
    int64_t version = ask(f, "PRAGMA user_version");
    say(f, "PRAGMA user_version = 9999");
    assert_int_equal(f->engine->open(&f->config, &f->store), STORE_NEWER);
    assert_int_equal(ask(f, "PRAGMA user_version"), 9999);
    char back[64];
    snprintf(back, sizeof back, "PRAGMA user_version = %d", (int)version);
    say(f, back);
    assert_int_equal(f->engine->open(&f->config, &f->store), STORE_OK);
}

static void somebody_elses_file_is_refused(void **state)
{
    struct fixture *f = *state;
    f->engine->close(f->store);
    say(f, "PRAGMA application_id = 7");
    assert_int_equal(f->engine->open(&f->config, &f->store), STORE_REFUSED);
    say(f, "PRAGMA application_id = 0x70686f72");
    assert_int_equal(f->engine->open(&f->config, &f->store), STORE_OK);
}

/* A migration that fails in its midst leaves nothing behind, and succeeds when what stopped it is gone. */
static void migrations_are_whole(void **state)
{
    struct fixture *f = *state;
    f->engine->close(f->store);
    unlink(f->path);
    say(f, "CREATE TABLE attempts (x)"); /* in the way of the last but one table */
    assert_int_equal(f->engine->open(&f->config, &f->store), STORE_REFUSED);
    assert_int_equal(ask(f, "SELECT count(*) FROM sqlite_schema WHERE type = 'table'"), 1);
    assert_int_equal(ask(f, "PRAGMA user_version"), 0);
    say(f, "DROP TABLE attempts");
    assert_int_equal(f->engine->open(&f->config, &f->store), STORE_OK);
    fixture_user(f, NULL);
}

static void damaged_file(void **state)
{
    struct fixture *f = *state;
    f->engine->close(f->store);
    FILE *file = fopen(f->path, "r+");
    assert_non_null(file);
    fputs("this is no database", file);
    fclose(file);
    assert_int_equal(f->engine->open(&f->config, &f->store), STORE_DAMAGED);
    unlink(f->path);
    assert_int_equal(f->engine->open(&f->config, &f->store), STORE_OK);
}

/* Born or claimed: whatever a former process had out is due at once. */
static void leases_of_a_former_process(void **state)
{
    struct fixture *f = *state;
    int64_t user = fixture_user(f, "https://example.com/");
    struct store_op ops[3] = {fixture_event_op(f, user), fixture_event_op(f, user),
                              fixture_event_op(f, user)};
    fixture_write(f, ops, 1, 0);
    fixture_claim(f, 1, 1); /* claimed */
    fixture_write(f, &ops[1], 2, 2);
    assert_int_equal(f->filled, 2); /* born */
    fixture_do(f, fixture_outcome_op(f, &f->boxes[0], DECISION_DELIVERED, 0), STORE_DONE);
    fixture_reopen(f);
    fixture_claim(f, 4, 2);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(f->boxes[i].lease, 2);
        assert_int_equal(f->boxes[i].lost, 1);
    }
}

static void somebody_holds_the_write_lock(void **state)
{
    struct fixture *f = *state;
    int64_t user = fixture_user(f, "https://example.com/");
    struct store_op op = fixture_event_op(f, user), *list = &op;
    struct store_batch batch = {.ops = &list, .op_count = 1, .boxes = f->box_list, .box_count = 1};
    sqlite3 *db = shell(f);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(f->engine->write(f->store, &batch), STORE_DOWN);
    assert_int_equal(batch.filled_count, 0);
    sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    sqlite3_close(db);
    assert_int_equal(f->engine->write(f->store, &batch), STORE_OK);
    assert_int_equal(batch.filled_count, 1);
}

/* An event and its outcome at a low rate write no page for the row of `state`; what readers see is exact. */
static void plain_batches_leave_the_state_alone(void **state)
{
    struct fixture *f = *state;
    int64_t user = fixture_user(f, "https://example.com/");
    fixture_prove(f, user);
    fixture_advance(f, 2000);
    fixture_prove(f, user); /* the row was a second late */
    int64_t events = ask(f, "SELECT events FROM state");
    for (int i = 0; i < 20; i++)
        fixture_prove(f, user);
    assert_int_equal(ask(f, "SELECT events FROM state"), events);
    struct store_answer answer = fixture_read(f, (struct store_query){.kind = STORE_GET_STATS});
    assert_int_equal(answer.stats->events, events + 20);
    assert_int_equal(answer.stats->deliveries_pending, 0);
    fixture_advance(f, 1000);
    fixture_prove(f, user);
    assert_int_equal(ask(f, "SELECT events FROM state"), events + 21);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(files_are_private, open_one, close_one),
        cmocka_unit_test_setup_teardown(lock_ends_with_its_process, open_one, close_one),
        cmocka_unit_test_setup_teardown(newer_schema_is_refused, open_one, close_one),
        cmocka_unit_test_setup_teardown(somebody_elses_file_is_refused, open_one, close_one),
        cmocka_unit_test_setup_teardown(migrations_are_whole, open_one, close_one),
        cmocka_unit_test_setup_teardown(damaged_file, open_one, close_one),
        cmocka_unit_test_setup_teardown(leases_of_a_former_process, open_one, close_one),
        cmocka_unit_test_setup_teardown(somebody_holds_the_write_lock, open_one, close_one),
        cmocka_unit_test_setup_teardown(plain_batches_leave_the_state_alone, open_one, close_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
