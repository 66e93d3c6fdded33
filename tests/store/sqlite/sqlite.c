/* The parts that only the SQLite backend has: its files, lock, schema, and the leases of a former process.
 */
#include "fixture.h"
#include "sqlite_parts.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static sqlite3 *shell(const struct fixture *f)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    return db;
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

/* Memory is a view of the table. Where they differ, the table is right, and nothing is damaged: another node
 * may have ended the lease. */
static void the_table_is_right_about_leases(void **state)
{
    struct fixture *f = *state;
    int64_t user = fixture_user(f, "https://a.example/");
    fixture_prove(f, user);
    struct store_op ops[2] = {fixture_event_op(f, user), fixture_event_op(f, user)};
    fixture_write(f, ops, 1, 1);
    assert_int_equal(f->filled, 1);
    struct store_op late = fixture_outcome_op(f, &f->boxes[0], DECISION_DELIVERED, 0);
    int64_t id = f->boxes[0].delivery_id;
    assert_int_equal(sqlite3_exec(f->store->db,
                                  "UPDATE deliveries SET queue = endpoint_id, due_at = 1 WHERE state = 0",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    struct store_op again = fixture_update_op(f, user);
    again.user.user.endpoint.paused = true; /* the next one waits in the table, and is asked for there */
    fixture_do(f, again, STORE_DONE);
    fixture_write(f, &ops[1], 1, 0);
    again.user.user.endpoint.paused = false;
    fixture_do(f, again, STORE_DONE);
    fixture_claim(f, 3, 2);
    assert_int_equal(f->boxes[0].delivery_id, id);
    assert_int_equal(f->boxes[0].lease, 2);
    fixture_do(f, late, STORE_FENCED);
    for (int i = 0; i < 2; i++)
        fixture_do(f, fixture_outcome_op(f, &f->boxes[i], DECISION_DELIVERED, 0), STORE_DONE);
    struct store_stats *stats = fixture_read(f, (struct store_query){.kind = STORE_GET_STATS}).stats;
    assert_int_equal(stats->deliveries_delivered, 3);
    assert_int_equal(stats->deliveries_pending + stats->deliveries_given_up, 0);
}

static void lock_ends_with_its_process(void **state)
{
    struct fixture *f = *state;
    int ready[2];
    f->backend->close(f->store);
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        struct store *store;
        char word = f->backend->open(&f->config, &store) == STORE_OK ? 'y' : 'n';
        if (write(ready[1], &word, 1) == 1)
            pause();
        _exit(1);
    }
    char word;
    assert_int_equal(read(ready[0], &word, 1), 1);
    assert_int_equal(word, 'y');
    assert_int_equal(f->backend->open(&f->config, &f->store), STORE_LOCKED);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_int_equal(f->backend->open(&f->config, &f->store), STORE_OK);
    close(ready[0]);
    close(ready[1]);
}

static void newer_schema_is_refused(void **state)
{
    struct fixture *f = *state;
    f->backend->close(f->store);
    int64_t version = fixture_ask(f, "PRAGMA user_version");
    fixture_say(f, "PRAGMA user_version = 9999");
    assert_int_equal(f->backend->open(&f->config, &f->store), STORE_NEWER);
    assert_int_equal(fixture_ask(f, "PRAGMA user_version"), 9999);
    char back[64];
    snprintf(back, sizeof back, "PRAGMA user_version = %d", (int)version);
    fixture_say(f, back);
    assert_int_equal(f->backend->open(&f->config, &f->store), STORE_OK);
}

static void somebody_elses_file_is_refused(void **state)
{
    struct fixture *f = *state;
    f->backend->close(f->store);
    fixture_say(f, "PRAGMA application_id = 7");
    assert_int_equal(f->backend->open(&f->config, &f->store), STORE_REFUSED);
    fixture_say(f, "PRAGMA application_id = 0x70686f72");
    assert_int_equal(f->backend->open(&f->config, &f->store), STORE_OK);
}

/* A migration that fails in its midst leaves nothing behind, and succeeds when what stopped it is gone. */
static void migrations_are_whole(void **state)
{
    struct fixture *f = *state;
    f->backend->close(f->store);
    unlink(f->path);
    fixture_say(f, "CREATE TABLE attempts (x)"); /* in the way of the last but one table */
    assert_int_equal(f->backend->open(&f->config, &f->store), STORE_REFUSED);
    assert_int_equal(fixture_ask(f, "SELECT count(*) FROM sqlite_schema WHERE type = 'table'"), 1);
    assert_int_equal(fixture_ask(f, "PRAGMA user_version"), 0);
    fixture_say(f, "DROP TABLE attempts");
    assert_int_equal(f->backend->open(&f->config, &f->store), STORE_OK);
    fixture_user(f, NULL);
}

static void damaged_file(void **state)
{
    struct fixture *f = *state;
    f->backend->close(f->store);
    FILE *file = fopen(f->path, "r+");
    assert_non_null(file);
    fputs("this is no database", file);
    fclose(file);
    assert_int_equal(f->backend->open(&f->config, &f->store), STORE_DAMAGED);
    unlink(f->path);
    assert_int_equal(f->backend->open(&f->config, &f->store), STORE_OK);
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
    assert_int_equal(f->backend->write(f->store, &batch), STORE_DOWN);
    assert_int_equal(batch.filled_count, 0);
    sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    sqlite3_close(db);
    assert_int_equal(f->backend->write(f->store, &batch), STORE_OK);
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
    int64_t events = fixture_ask(f, "SELECT events FROM state");
    for (int i = 0; i < 20; i++)
        fixture_prove(f, user);
    assert_int_equal(fixture_ask(f, "SELECT events FROM state"), events);
    struct store_answer answer = fixture_read(f, (struct store_query){.kind = STORE_GET_STATS});
    assert_int_equal(answer.stats->events, events + 20);
    assert_int_equal(answer.stats->deliveries_pending, 0);
    fixture_advance(f, 1000);
    fixture_prove(f, user);
    assert_int_equal(fixture_ask(f, "SELECT events FROM state"), events + 21);
}

static int64_t waiting(struct fixture *f, int64_t user)
{
    struct store_figures figures = {.id = user};
    struct store_op look = {.kind = STORE_LOOK, .look = {.figures = &figures, .count = 1}};
    fixture_do(f, look, STORE_DONE);
    return figures.waiting + figures.in_hand;
}

/* A start does not take longer because more waits. Who asks meanwhile is told the truth, and so is the quota.
 */
static void a_backlog_is_counted_behind_the_start(void **state)
{
    enum { BACKLOG = 60000 };
    struct fixture *f = *state;
    int64_t dead = fixture_user(f, "https://example.com/"), user = fixture_user(f, "https://example.com/");
    fixture_prove(f, user);
    struct store_op ops[3];
    for (int i = 0; i < 3; i++)
        ops[i] = fixture_event_op(f, user);
    fixture_write(f, ops, 3, 0);
    char sql[512];
    snprintf(sql, sizeof sql,
             "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)"
             " INSERT INTO deliveries (id, event_id, endpoint_id, queue, due_at, lease, lost)"
             " SELECT (SELECT max(id) FROM deliveries) + i, %lld, %lld, %lld, 1 << 60, 0, 0 FROM n",
             BACKLOG, (long long)ops[0].event.event.id, (long long)dead, (long long)dead);
    f->config.quotas.pending = 3;
    for (int round = 0; round < 2; round++) {
        f->backend->close(f->store);
        if (round == 0)
            fixture_say(f, sql);
        assert_int_equal(f->backend->open(&f->config, &f->store), STORE_OK);
        assert_non_null(f->store->counting.db);
        fixture_claim(f, 0, 0);
        assert_int_equal(f->next_due_in_ms, 0); /* there is more to do */
        if (round == 0) {
            fixture_do(f, fixture_event_op(f, user), STORE_QUOTA);
            assert_int_equal(waiting(f, dead), BACKLOG);
        } else { /* what ends before it has been counted */
            fixture_claim(f, 1, 1);
            fixture_do(f, fixture_outcome_op(f, &f->boxes[0], DECISION_DELIVERED, 0), STORE_DONE);
        }
        while (f->store->counting.db)
            fixture_claim(f, 0, 0);
        assert_int_equal(waiting(f, user), 3 - round);
        assert_int_equal(waiting(f, dead), BACKLOG);
        fixture_do(f, fixture_event_op(f, dead), STORE_QUOTA);
    }
    fixture_do(f, fixture_event_op(f, user), STORE_DONE);
    fixture_do(f, fixture_event_op(f, user), STORE_QUOTA);
}

enum { LINE_LEN = 10000, LINE_STEP_MAX = 4096 };

/* So many wait for this endpoint, each due so long after the one before. */
static void put_waiting(struct fixture *f, int64_t endpoint, int64_t event, int each_ms)
{
    char sql[512];
    snprintf(
        sql, sizeof sql,
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)"
        " INSERT INTO deliveries (id, event_id, endpoint_id, queue, due_at, lease, lost)"
        " SELECT (SELECT max(id) FROM deliveries) + (i << 24), %lld, %lld, %lld, %lld + %d * i, 0, 0 FROM n",
        LINE_LEN, (long long)event, (long long)endpoint, (long long)endpoint, (long long)f->wall_ms, each_ms);
    f->backend->close(f->store);
    fixture_say(f, sql);
    assert_int_equal(f->backend->open(&f->config, &f->store), STORE_OK);
}

static void set_ordered(struct fixture *f, int64_t id, bool ordered)
{
    struct store_op op = fixture_endpoint_op(f, id);
    op.endpoint.endpoint.flow.ordered = ordered;
    fixture_do(f, op, STORE_DONE);
}

/* Batches with a box, until one is filled or nothing is due; each moves no more than a step. */
static void move_in_steps(struct fixture *f, const char *count_sql)
{
    for (int64_t left = fixture_ask(f, count_sql), before = left; left > 0; before = left) {
        fixture_advance(f, 20);
        fixture_write(f, NULL, 0, 1);
        left = fixture_ask(f, count_sql);
        assert_true(left < before && before - left <= LINE_STEP_MAX);
        assert_true(left == 0 || f->filled == 0);
    }
}

/* All others wait for a transaction, so a long line is made in several. None is sent before it is whole. */
static void a_long_line_is_made_in_steps(void **state)
{
    struct fixture *f = *state;
    int64_t user = fixture_user(f, "https://example.com/");
    struct store_op op = fixture_event_op(f, user);
    fixture_write(f, &op, 1, 1);
    fixture_do(f, fixture_outcome_op(f, &f->boxes[0], DECISION_DELIVERED, 0), STORE_DONE);
    put_waiting(f, user, op.id, -1);
    set_ordered(f, user, true);
    assert_int_equal(fixture_ask(f, "SELECT count(*) FROM deliveries WHERE due_at < 0"), LINE_STEP_MAX);
    move_in_steps(f, "SELECT count(*) FROM deliveries WHERE queue > 0 AND due_at >= 0");
    if (f->filled == 0)
        fixture_claim(f, 1, 1);
    assert_int_equal(f->boxes[0].delivery_id,
                     fixture_ask(f, "SELECT min(id) FROM deliveries WHERE state = 0"));
}

/* All but the first few are to be tried later than now. */
static void a_long_line_is_left_in_steps(void **state)
{
    static const char in_line[] = "SELECT count(*) FROM deliveries WHERE due_at < 0";
    struct fixture *f = *state;
    int64_t user = fixture_user(f, "https://example.com/");
    struct store_op op = fixture_event_op(f, user);
    fixture_write(f, &op, 1, 1);
    fixture_do(f, fixture_outcome_op(f, &f->boxes[0], DECISION_DELIVERED, 0), STORE_DONE);
    put_waiting(f, user, op.id, 1000);
    set_ordered(f, user, true);
    fixture_advance(f, 1000); /* the first one is due */
    move_in_steps(f, "SELECT count(*) FROM deliveries WHERE queue > 0 AND due_at >= 0");
    if (f->filled == 0)
        fixture_claim(f, 1, 1);
    int64_t before = fixture_ask(f, in_line);
    set_ordered(f, user, false);
    assert_int_equal(fixture_ask(f, in_line), before - LINE_STEP_MAX);
    move_in_steps(f, in_line);
    fixture_claim(f, 1, 0); /* each is tried when it was to be */
    assert_int_equal(
        fixture_ask(f, "SELECT count(*) FROM deliveries WHERE queue > 0 AND not_before NOT NULL"), 0);
    fixture_advance(f, 1000);
    fixture_claim(f, 1, 1);
}

/* Some events, each with a key, a snapshot, a delivery and its attempt; delivered. */
static void accept_and_deliver(struct fixture *f, int64_t user, int count)
{
    struct store_op ops[FIXTURE_BOXES], ends[FIXTURE_BOXES];
    char keys[FIXTURE_BOXES][24], ids[FIXTURE_BOXES][24];
    struct resource own[FIXTURE_BOXES];
    for (int i = 0; i < count; i++) {
        ops[i] = fixture_event_op(f, user);
        struct event *event = &ops[i].event.event;
        snprintf(keys[i], sizeof keys[i], "key %lld", (long long)f->event_number);
        snprintf(ids[i], sizeof ids[i], "%d", i % 50);
        event->resource_id = bytes_of(ids[i]);
        own[i] = (struct resource){.type = event->resource_type,
                                   .id = event->resource_id,
                                   .json = bytes_make(event->document.data, 2)};
        ops[i].event.included = &own[i];
        ops[i].event.included_count = 1;
        ops[i].event.idempotency_key = bytes_of(keys[i]);
    }
    fixture_write(f, ops, count, count);
    while (f->filled > 0) {
        int filled = f->filled;
        for (int i = 0; i < filled; i++)
            ends[i] = fixture_outcome_op(f, &f->boxes[i], DECISION_DELIVERED, 0);
        fixture_write(f, ends, filled, count);
    }
}

/* What comes in finds the room of what goes: the file has its size once the first has gone. */
static void the_file_does_not_grow_under_retention(void **state)
{
    enum { EACH = 200, KEPT_MINUTES = 10, MINUTES = 60, USERS = 4 };
    struct fixture *f = *state;
    int64_t users[USERS], pages = 0;
    for (int i = 0; i < USERS; i++) {
        users[i] = fixture_user(f, "https://example.com/");
        fixture_prove(f, users[i]);
    }
    for (int minute = 1; minute <= MINUTES; minute++) {
        accept_and_deliver(f, users[minute % USERS], EACH);
        fixture_advance(f, 60000);
        struct store_op purge = {.kind = STORE_PURGE,
                                 .purge = {.before_ms = f->wall_ms - KEPT_MINUTES * 60000, .rows_max = 100}};
        do
            fixture_write(f, &purge, 1, 0);
        while (purge.purge.more);
        int64_t now = fixture_ask(f, "PRAGMA page_count");
        if (minute == 2 * KEPT_MINUTES)
            pages = now;
        if (minute > 2 * KEPT_MINUTES)
            assert_in_range(now, 1, pages + pages / 20);
    }
    assert_in_range(fixture_ask(f, "SELECT count(*) FROM events"), EACH * KEPT_MINUTES,
                    EACH * (KEPT_MINUTES + 1));
}

/* 8.2: a thousand wait, with fewer leases than it or none, and a quick one gets three of four all the same.
 */
static void quick_ones_go_first(void **state)
{
    struct fixture *f = *state;
    enum { OTHERS = 30, EVENTS = 20 };
    int64_t quick = fixture_user(f, "https://quick.example/");
    fixture_prove(f, quick);
    for (int i = 0; i < EVENTS; i++)
        fixture_do(f, fixture_event_op(f, quick), STORE_DONE);
    fixture_claim(f, 8, 8);
    for (int i = 0; i < OTHERS; i++) {
        int64_t user = fixture_user(f, "https://hangs.example/");
        for (int event = 0; event < 3; event++)
            fixture_do(f, fixture_event_op(f, user), STORE_DONE);
    }
    int got = 0;
    fixture_claim(f, 8, 8);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(f->boxes[i].quick, f->boxes[i].endpoint_id == quick);
        got += f->boxes[i].quick;
    }
    assert_int_equal(got, 6);
    fixture_advance(f, 500); /* what it has under way is late, so it waits with the others */
    fixture_claim(f, 8, 8);
    for (int i = 0; i < 8; i++)
        assert_false(f->boxes[i].quick || f->boxes[i].endpoint_id == quick);
}

/* Lines of the log that say so. */
static int told(FILE *log, const char *what)
{
    char line[1024];
    int count = 0;
    rewind(log);
    while (fgets(line, sizeof line, log))
        count += strstr(line, what) != NULL;
    return count;
}

/* 8.7: a program that reads and does not end. It is told once, and the log is not looked at for each batch.
 */
static void a_reader_that_stays_is_told(void **state)
{
    struct fixture *f = *state;
    static const char grows[] = "log of the database has grown",
                      ends[] = "log of the database is short again";
    FILE *lines = tmpfile();
    int64_t user = fixture_user(f, NULL);
    f->config.log = log_open(fileno(lines), LOG_LEVEL_INFO, false, clock_system());
    fixture_reopen(f);
    f->store->log_tries_each = 20;
    f->store->log_held_told = 60;
    sqlite3 *db = shell(f);
    assert_int_equal(sqlite3_exec(db, "BEGIN; SELECT count(*) FROM events", NULL, NULL, NULL), SQLITE_OK);
    for (int i = 0, tried = 0; i < 100; i++) {
        fixture_do(f, fixture_event_op(f, user), STORE_DONE);
        assert_true(f->store->log_tried == tried || f->store->log_tried >= tried + 20);
        tried = f->store->log_tried;
    }
    assert_true(f->store->log_tried > 60);
    assert_int_equal(told(lines, grows), 1);
    assert_int_equal(told(lines, ends), 0);
    struct store_query stats = {.kind = STORE_GET_STATS};
    assert_in_range(fixture_read(f, stats).stats->log_bytes, 100 * 4096, 1000 * 4096);
    sqlite3_close(db);
    for (int i = 0; i < 30; i++)
        fixture_do(f, fixture_event_op(f, user), STORE_DONE);
    assert_int_equal(told(lines, grows), 1);
    assert_int_equal(told(lines, ends), 1);
    assert_in_range(fixture_read(f, stats).stats->log_bytes, 4096, 100 * 4096);
    struct log *log = f->config.log;
    f->config.log = NULL;
    fixture_reopen(f);
    log_close(log);
    fclose(lines);
}

/* As a replay will: a delivery of an event that came long ago, for another endpoint. */
static void a_delivery_is_added_later(void **state)
{
    enum { EVENTS = 3 };
    struct fixture *f = *state;
    int64_t user = fixture_user(f, "https://example.com/"), late = fixture_user(f, "https://late.example/");
    struct store_op ops[EVENTS];
    for (int i = 0; i < EVENTS; i++)
        ops[i] = fixture_event_op(f, user);
    fixture_write(f, ops, EVENTS, EVENTS);
    for (int i = 0; i < EVENTS; i++)
        fixture_do(f, fixture_outcome_op(f, &f->boxes[i], DECISION_DELIVERED, 0), STORE_DONE);
    f->backend->close(f->store);
    char sql[512];
    snprintf(sql, sizeof sql,
             "INSERT INTO deliveries (id, event_id, endpoint_id, queue, due_at, lease, lost)"
             " SELECT max(id) + (1 << 24), %lld, %lld, %lld, 0, 0, 0 FROM deliveries;"
             "INSERT INTO added SELECT %lld, max(id) FROM deliveries",
             (long long)ops[1].id, (long long)late, (long long)late, (long long)ops[1].id);
    fixture_say(f, sql);
    assert_int_equal(f->backend->open(&f->config, &f->store), STORE_OK);

    struct store_query list = {.kind = STORE_LIST_DELIVERIES, .id = ops[1].id, .limit = 9};
    struct store_query undelivered = {.kind = STORE_LIST_EVENTS, .undelivered = true, .limit = 9};
    for (int descending = 0; descending < 2; descending++) {
        list.descending = descending;
        struct store_answer answer = fixture_read(f, list);
        assert_int_equal(answer.count, 2);
        assert_int_equal(answer.deliveries[!descending].user_id, late);
        assert_int_equal(answer.deliveries[descending].user_id, user);
    }
    assert_int_equal(fixture_read(f, undelivered).count, 1);
    assert_int_equal(fixture_read(f, undelivered).events[0].id, ops[1].id);
    fixture_advance(f, 60000);
    struct store_op purge = {.kind = STORE_PURGE, .purge = {.before_ms = f->wall_ms, .rows_max = 100}};
    fixture_do(f, purge, STORE_DONE); /* but for the event that waits */
    assert_int_equal(fixture_ask(f, "SELECT count(*) FROM events"), 1);
    fixture_claim(f, 1, 1);
    assert_int_equal(f->boxes[0].event_id, ops[1].id);
    assert_int_equal(f->boxes[0].user_id, late);
    fixture_do(f, fixture_outcome_op(f, &f->boxes[0], DECISION_DELIVERED, 0), STORE_DONE);
    assert_int_equal(fixture_read(f, undelivered).count, 0);
    fixture_advance(f, 60000);
    purge.purge.before_ms = f->wall_ms;
    fixture_do(f, purge, STORE_DONE);
    assert_int_equal(fixture_ask(f, "SELECT count(*) FROM events"), 0);
    assert_int_equal(fixture_ask(f, "SELECT count(*) FROM deliveries"), 0);
    assert_int_equal(fixture_ask(f, "SELECT count(*) FROM attempts"), 0);
    assert_int_equal(fixture_ask(f, "SELECT count(*) FROM added"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SQLITE_TEST(files_are_private),
        SQLITE_TEST(lock_ends_with_its_process),
        SQLITE_TEST(newer_schema_is_refused),
        SQLITE_TEST(somebody_elses_file_is_refused),
        SQLITE_TEST(migrations_are_whole),
        SQLITE_TEST(damaged_file),
        SQLITE_TEST(leases_of_a_former_process),
        SQLITE_TEST(somebody_holds_the_write_lock),
        SQLITE_TEST(plain_batches_leave_the_state_alone),
        SQLITE_TEST(quick_ones_go_first),
        SQLITE_TEST(a_backlog_is_counted_behind_the_start),
        SQLITE_TEST(the_file_does_not_grow_under_retention),
        SQLITE_TEST(the_table_is_right_about_leases),
        SQLITE_TEST(a_reader_that_stays_is_told),
        SQLITE_TEST(a_delivery_is_added_later),
        SQLITE_TEST(a_long_line_is_made_in_steps),
        SQLITE_TEST(a_long_line_is_left_in_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
