/* What is SQLite's own: its files, lock, schema, and what it does with the leases of a former process.
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

enum { TAIL = 6 };

/* An endpoint that is quick, and no box is there: TAIL events wait in memory. */
static int64_t tail_of(struct fixture *f)
{
    int64_t user = fixture_user(f, "https://example.com/");
    fixture_prove(f, user);
    struct store_op ops[TAIL];
    for (int i = 0; i < TAIL; i++)
        ops[i] = fixture_event_op(f, user);
    fixture_write(f, ops, TAIL, 0);
    return user;
}

static int64_t queued(const struct fixture *f)
{
    return fixture_ask(f, "SELECT count(*) FROM deliveries WHERE queue > 0");
}

/* The next `count` of the tail, in order of acceptance, from its `first` on. */
static void claim_in_order(struct fixture *f, int count, int64_t first)
{
    fixture_claim(f, count, count);
    for (int i = 0; i < count; i++) {
        assert_int_equal(f->boxes[i].event_id, first + i);
        assert_int_equal(f->boxes[i].lease, 1);
        assert_int_equal(f->boxes[i].lost, 0);
        assert_int_equal(fixture_event(f, first + i).sent_at_ms, f->boxes[i].sent_at_ms);
    }
}

/* 9: what waits for an endpoint that is busy for a moment is not in the index, and a claim does not change
 * its row. */
static void a_tail_waits_in_memory(void **state)
{
    struct fixture *f = *state;
    int64_t user = tail_of(f), first = f->store->counts.event_id_max - TAIL + 1;
    assert_int_equal(queued(f), 0);
    claim_in_order(f, 2, first);
    assert_int_equal(fixture_ask(f, "SELECT count(*) FROM deliveries WHERE queue = 0"), 0);
    struct delivery waits = fixture_delivery(f, f->boxes[1].delivery_id + MODEL_DELIVERY_STEP);
    assert_false(waits.leased);
    assert_int_equal(waits.lease, 0);
    assert_int_equal(waits.next_in_ms, 0);
    assert_true(fixture_delivery(f, f->boxes[1].delivery_id).leased);
    struct store_op late = fixture_event_op(f, user);
    fixture_write(f, &late, 1, 1);
    assert_int_equal(f->boxes[0].event_id, first + 2);
}

/* 9: after a crash it waits in the table, in its order. What was never sent has lost no lease. */
static void a_tail_outlives_its_process(void **state)
{
    struct fixture *f = *state;
    tail_of(f);
    int64_t first = f->store->counts.event_id_max - TAIL + 1;
    fixture_claim(f, 1, 1);
    fixture_reopen(f);
    assert_int_equal(queued(f), TAIL);
    fixture_claim(f, 1, 1);
    assert_int_equal(f->boxes[0].event_id, first);
    assert_int_equal(f->boxes[0].lease, 2);
    assert_int_equal(f->boxes[0].lost, 1);
    claim_in_order(f, 3, first + 1); /* four at once: it has been resumed */
}

/* 9: an endpoint that is not to be served soon holds no memory: its tail goes to the table. */
static void a_tail_of_one_that_is_paused(void **state)
{
    struct fixture *f = *state;
    int64_t user = tail_of(f), first = f->store->counts.event_id_max - TAIL + 1;
    struct store_op pause = fixture_update_op(f, user);
    pause.user.user.endpoint.paused = true;
    fixture_do(f, pause, STORE_DONE);
    assert_int_equal(queued(f), TAIL);
    assert_int_equal(fixture_ask(f, "SELECT sum(lease) + sum(lost) FROM deliveries WHERE queue > 0"), 0);
    fixture_claim(f, 1, 0);
    struct store_op go = fixture_update_op(f, user);
    go.user.user.endpoint.paused = false;
    fixture_do(f, go, STORE_DONE);
    claim_in_order(f, TAIL, first);
}

/* 9: a person's word about one of a tail. */
static void one_of_a_tail(void **state)
{
    struct fixture *f = *state;
    tail_of(f);
    int64_t last = fixture_ask(f, "SELECT max(id) FROM deliveries"),
            first = f->store->counts.event_id_max - TAIL + 1;
    fixture_do(f, (struct store_op){.kind = STORE_CANCEL, .delivery.delivery_id = last}, STORE_DONE);
    last -= MODEL_DELIVERY_STEP;
    fixture_do(f, (struct store_op){.kind = STORE_RESEND, .delivery.delivery_id = last}, STORE_DONE);
    claim_in_order(f, TAIL - 1, first);
    fixture_claim(f, 1, 0);
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

/* A claim says when it wants to be asked again: never at once, if it found nothing. */
static void claim_and_rest(struct fixture *f, int filled)
{
    fixture_claim(f, FIXTURE_BOXES, filled);
    fixture_claim(f, FIXTURE_BOXES, 0);
    assert_true(f->next_due_in_ms != 0);
}

/* 8.12: rows that a claim finds and cannot take, and the sound ones beside them. */
static void damaged_rows_do_not_hold_up_claims(void **state)
{
    static const char *const damages[] = {
        "DELETE FROM events WHERE id = (SELECT min(id) FROM events)",
        "UPDATE events SET stamp_offset = 'x' WHERE id = (SELECT min(id) FROM events)",
        "UPDATE deliveries SET event_id = 'x' WHERE id = (SELECT min(id) FROM deliveries)",
        "UPDATE deliveries SET state = 99 WHERE id = (SELECT min(id) FROM deliveries)",
        "UPDATE deliveries SET state = 2 WHERE id = (SELECT min(id) FROM deliveries)",
        "UPDATE deliveries SET queue = 12345 WHERE id = (SELECT min(id) FROM deliveries)",
        "UPDATE deliveries SET queue = 'x' WHERE id = (SELECT min(id) FROM deliveries)",
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        int64_t user = fixture_user(f, "https://example.com/");
        struct store_op ops[3] = {fixture_event_op(f, user), fixture_event_op(f, user),
                                  fixture_event_op(f, user)};
        fixture_write(f, ops, 3, 0);
        f->backend->close(f->store);
        fixture_say(f, damages[i]);
        assert_int_equal(f->backend->open(&f->config, &f->store), STORE_OK);
        claim_and_rest(f, 2);
        for (int box = 0; box < 2; box++)
            fixture_do(f, fixture_outcome_op(f, &f->boxes[box], DECISION_DELIVERED, 0), STORE_DONE);
        fixture_say(f, "UPDATE deliveries SET queue = NULL, state = 2 WHERE queue IS NOT NULL");
        fixture_reopen(f);
        fixture_say(f, "DELETE FROM events; DELETE FROM deliveries; DELETE FROM attempts");
    }
}

/* A purge has passed it over, for it waited; then a claim gives it up. */
static void damaged_events_are_purged(void **state)
{
    struct fixture *f = *state;
    fixture_do(f, fixture_event_op(f, fixture_user(f, "https://example.com/")), STORE_DONE);
    struct store_op purge = {.kind = STORE_PURGE, .purge.rows_max = 100};
    for (int left = 1; left >= 0; left--) {
        fixture_advance(f, 1000);
        purge.purge.before_ms = f->wall_ms;
        fixture_do(f, purge, STORE_DONE);
        assert_int_equal(fixture_ask(f, "SELECT count(*) FROM events"), left);
        fixture_say(f, "UPDATE events SET stamp_offset = 'x'");
        fixture_claim(f, 1, 0);
    }
}

/* 8.12: numbers that are none. What can be sent is sent; of a time that is none, it is now. */
static void damaged_numbers_are_claimed(void **state)
{
    static const char *const damages[] = {
        "UPDATE deliveries SET due_at = 'x'",
        "UPDATE deliveries SET due_at = NULL",
        "UPDATE deliveries SET due_at = x'00'",
        "UPDATE deliveries SET due_at = 1.5",
        "UPDATE deliveries SET lease = 'x', lost = 'x', attempt = 'x', aged_from = 'x'",
        "UPDATE deliveries SET lease = 9223372036854775807, aged_from = -9223372036854775808, attempt = 1",
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        int64_t user = fixture_user(f, "https://example.com/");
        struct store_op op = fixture_event_op(f, user);
        fixture_write(f, &op, 1, 0);
        fixture_claim(f, 1, 1);
        fixture_do(f, fixture_outcome_op(f, &f->boxes[0], DECISION_RETRY, 0),
                   STORE_DONE); /* has an attempt */
        f->backend->close(f->store);
        fixture_say(f, damages[i]);
        assert_int_equal(f->backend->open(&f->config, &f->store), STORE_OK);
        claim_and_rest(f, 1);
        fixture_do(f, fixture_outcome_op(f, &f->boxes[0], DECISION_DELIVERED, 0), STORE_DONE);
        fixture_say(f, "DELETE FROM deliveries; DELETE FROM events; DELETE FROM attempts");
        fixture_reopen(f);
    }
}

/* 8.12: while the server runs. The endpoint rests, and what is sound goes after that. */
static void damage_under_way_is_no_loop(void **state)
{
    struct fixture *f = *state;
    int64_t user = fixture_user(f, "https://example.com/");
    fixture_prove(f, user);
    struct store_op ops[2] = {fixture_event_op(f, user), fixture_event_op(f, user)};
    fixture_write(f, ops, 1, 0);
    fixture_reopen(f); /* what waited in memory waits in the table */
    fixture_say(f, "UPDATE deliveries SET due_at = 'x' WHERE queue > 0");
    claim_and_rest(f, 0);
    fixture_write(f, &ops[1], 1, 0);
    fixture_advance(f, 1000);
    claim_and_rest(f, 1);
}

/* 8.12: the index of what waits has a row that has been delivered long since. It is not sent again. */
static void an_index_that_disagrees_sends_nothing(void **state)
{
    struct fixture *f = *state;
    int64_t user = fixture_user(f, "https://example.com/");
    struct store_op ops[2] = {fixture_event_op(f, user), fixture_event_op(f, user)};
    fixture_write(f, ops, 1, 0);
    f->backend->close(f->store);
    fixture_say(f, "CREATE TABLE kept AS SELECT * FROM sqlite_schema WHERE name = 'deliveries_queue';"
                   "PRAGMA writable_schema = 1; DELETE FROM sqlite_schema WHERE name = 'deliveries_queue'");
    fixture_say(f, "UPDATE deliveries SET state = 1, queue = NULL, due_at = NULL");
    fixture_say(f, "PRAGMA writable_schema = 1; INSERT INTO sqlite_schema SELECT * FROM kept");
    fixture_say(f, "DROP TABLE kept");
    assert_int_equal(f->backend->open(&f->config, &f->store), STORE_OK);
    claim_and_rest(f, 0);
    fixture_write(f, &ops[1], 1, 0);
    for (int i = 0; i < 3; i++) {
        fixture_advance(f, 1000);
        claim_and_rest(f, i == 0);
    }
    assert_int_equal(fixture_ask(f, "SELECT state FROM deliveries ORDER BY id LIMIT 1"), 1);
}

static void claim_in_time(struct fixture *f, int wanted)
{
    for (int filled = 0, i = 0; filled < wanted; i++) {
        assert_true(i < 20);
        fixture_advance(f, 1000);
        fixture_write(f, NULL, 0, FIXTURE_BOXES);
        filled += f->filled;
    }
}

/* 8.12: more entries of the index without a row than one claim reads. What is due between and behind them
 * goes, and so does what is due before them once they were passed. */
static void entries_without_a_row_are_passed(void **state)
{
    struct fixture *f = *state;
    int64_t user = fixture_user(f, "https://example.com/");
    fixture_prove(f, user);
    struct store_op ops[3];
    for (int i = 0; i < 3; i++)
        ops[i] = fixture_event_op(f, user);
    fixture_write(f, ops, 2, 0);
    f->backend->close(f->store);
    fixture_say(
        f, "UPDATE deliveries SET due_at = 250 WHERE id = (SELECT min(id) FROM deliveries WHERE queue > 0);"
           "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 600)"
           " INSERT INTO deliveries (id, event_id, endpoint_id, queue, due_at, lease, lost)"
           " SELECT i, 1, 1, (SELECT max(queue) FROM deliveries), i / 2, 0, 0 FROM n;"
           "CREATE TABLE kept AS SELECT * FROM sqlite_schema WHERE name = 'deliveries_queue';"
           "PRAGMA writable_schema = 1; DELETE FROM sqlite_schema WHERE name = 'deliveries_queue'");
    fixture_say(f, "DELETE FROM deliveries WHERE id <= 600");
    fixture_say(f, "PRAGMA writable_schema = 1; INSERT INTO sqlite_schema SELECT * FROM kept");
    fixture_say(f, "DROP TABLE kept");
    assert_int_equal(f->backend->open(&f->config, &f->store), STORE_OK);
    claim_in_time(f, 2);
    fixture_write(f, &ops[2], 1, 0);
    fixture_say(f, "UPDATE deliveries SET due_at = 0 WHERE queue > 0");
    claim_in_time(f, 1);
}

/* 8.12: rows that nobody can look for again do not keep the purge going. */
static void damaged_rows_do_not_hurry_the_purge(void **state)
{
    struct fixture *f = *state;
    f->backend->close(f->store);
    fixture_say(f, "INSERT INTO owned VALUES ('x', 1, 1), (x'00', 'x', 1);"
                   "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)"
                   " INSERT INTO ended_late SELECT 0.5, i FROM n");
    assert_int_equal(f->backend->open(&f->config, &f->store), STORE_OK);
    struct store_op op = {.kind = STORE_PURGE, .purge = {.before_ms = 1000, .rows_max = 10, .more = true}};
    for (int i = 0; i < 100 && op.purge.more; i++)
        fixture_write(f, &op, 1, 0);
    assert_false(op.purge.more);
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
        cmocka_unit_test_setup_teardown(files_are_private, fixture_sqlite_up, fixture_sqlite_down),
        cmocka_unit_test_setup_teardown(lock_ends_with_its_process, fixture_sqlite_up, fixture_sqlite_down),
        cmocka_unit_test_setup_teardown(newer_schema_is_refused, fixture_sqlite_up, fixture_sqlite_down),
        cmocka_unit_test_setup_teardown(somebody_elses_file_is_refused, fixture_sqlite_up,
                                        fixture_sqlite_down),
        cmocka_unit_test_setup_teardown(migrations_are_whole, fixture_sqlite_up, fixture_sqlite_down),
        cmocka_unit_test_setup_teardown(damaged_file, fixture_sqlite_up, fixture_sqlite_down),
        cmocka_unit_test_setup_teardown(leases_of_a_former_process, fixture_sqlite_up, fixture_sqlite_down),
        cmocka_unit_test_setup_teardown(damaged_events_are_purged, fixture_sqlite_up, fixture_sqlite_down),
        cmocka_unit_test_setup_teardown(a_tail_waits_in_memory, fixture_sqlite_up, fixture_sqlite_down),
        cmocka_unit_test_setup_teardown(a_tail_outlives_its_process, fixture_sqlite_up, fixture_sqlite_down),
        cmocka_unit_test_setup_teardown(a_tail_of_one_that_is_paused, fixture_sqlite_up, fixture_sqlite_down),
        cmocka_unit_test_setup_teardown(one_of_a_tail, fixture_sqlite_up, fixture_sqlite_down),
        cmocka_unit_test_setup_teardown(somebody_holds_the_write_lock, fixture_sqlite_up,
                                        fixture_sqlite_down),
        cmocka_unit_test_setup_teardown(plain_batches_leave_the_state_alone, fixture_sqlite_up,
                                        fixture_sqlite_down),
        cmocka_unit_test_setup_teardown(quick_ones_go_first, fixture_sqlite_up, fixture_sqlite_down),
        cmocka_unit_test_setup_teardown(damaged_rows_do_not_hold_up_claims, fixture_sqlite_up,
                                        fixture_sqlite_down),
        cmocka_unit_test_setup_teardown(damaged_numbers_are_claimed, fixture_sqlite_up, fixture_sqlite_down),
        cmocka_unit_test_setup_teardown(damage_under_way_is_no_loop, fixture_sqlite_up, fixture_sqlite_down),
        cmocka_unit_test_setup_teardown(damaged_rows_do_not_hurry_the_purge, fixture_sqlite_up,
                                        fixture_sqlite_down),
        cmocka_unit_test_setup_teardown(an_index_that_disagrees_sends_nothing, fixture_sqlite_up,
                                        fixture_sqlite_down),
        cmocka_unit_test_setup_teardown(entries_without_a_row_are_passed, fixture_sqlite_up,
                                        fixture_sqlite_down),
        cmocka_unit_test_setup_teardown(a_backlog_is_counted_behind_the_start, fixture_sqlite_up,
                                        fixture_sqlite_down),
        cmocka_unit_test_setup_teardown(the_file_does_not_grow_under_retention, fixture_sqlite_up,
                                        fixture_sqlite_down),
        cmocka_unit_test_setup_teardown(the_table_is_right_about_leases, fixture_sqlite_up,
                                        fixture_sqlite_down),
        cmocka_unit_test_setup_teardown(a_reader_that_stays_is_told, fixture_sqlite_up, fixture_sqlite_down),
        cmocka_unit_test_setup_teardown(a_delivery_is_added_later, fixture_sqlite_up, fixture_sqlite_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
