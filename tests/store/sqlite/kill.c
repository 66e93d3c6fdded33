/*
 * kill -9 at random moments: a child accepts and records, and reports through a pipe each acknowledged event;
 * all of them are there when its successor opens the file, each event once.
 */
#include "fixture.h"
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { KILLS = 30, EVENTS_EACH = 5, WORD_EVENT = 1, WORD_DELIVERED = 2, WORDS_MAX = 400000 };
enum { LAST = 200, STRIDE = 23 };

struct word {
    int64_t kind, id;
};

static void tell(int fd, int64_t kind, int64_t id)
{
    struct word word = {kind, id};
    if (write(fd, &word, sizeof word) != sizeof word)
        _exit(2);
}

/* Until it is killed. */
static void child_main(struct fixture *f, int64_t user, int fd)
{
    if (f->backend->open(&f->config, &f->store) != STORE_OK)
        _exit(1);
    for (;;) {
        struct store_op ops[EVENTS_EACH + FIXTURE_BOXES];
        int outcomes = f->filled, count = outcomes + EVENTS_EACH;
        for (int i = 0; i < outcomes; i++)
            ops[i] = fixture_outcome_op(f, &f->boxes[i], DECISION_DELIVERED, 0);
        for (int i = 0; i < EVENTS_EACH; i++)
            ops[outcomes + i] = fixture_keyed_op(f, user, f->event_number + 1);
        fixture_write(f, ops, count, 2 * EVENTS_EACH);
        for (int i = 0; i < count; i++)
            if (ops[i].result == STORE_DONE)
                tell(fd, i < outcomes ? WORD_DELIVERED : WORD_EVENT, ops[i].id);
    }
}

static void kill_after(pid_t child, int ms)
{
    struct timespec pause = {.tv_nsec = ms * 1000000L};
    nanosleep(&pause, NULL);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

static int hear(int fd, struct word *words, int count)
{
    struct word word;
    while (count < WORDS_MAX && read(fd, &word, sizeof word) == sizeof word)
        words[count++] = word;
    return count;
}

/* All of the last words, and a sample of those before. */
static void check(struct fixture *f, int64_t user, const struct word *words, int count)
{
    for (int i = 0; i < count; i += i < count - LAST ? STRIDE : 1) {
        arena_reset(&f->arena);
        if (words[i].kind == WORD_EVENT) {
            struct store_query list = {.kind = STORE_LIST_DELIVERIES, .id = words[i].id};
            assert_int_equal(fixture_read(f, list).count, 1);
            fixture_event_replayed(f, user, words[i].id);
        } else {
            assert_int_equal(fixture_delivery(f, words[i].id).state, DELIVERY_DELIVERED);
        }
    }
}

/* `state` may be late when the process is killed; what is counted is right all the same. */
static void stats_are_right(struct fixture *f)
{
    sqlite3 *db;
    sqlite3_stmt *count;
    struct store_answer answer = fixture_read(f, (struct store_query){.kind = STORE_GET_STATS});
    const struct store_stats *stats = answer.stats;
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_prepare_v2(db,
                           "SELECT (SELECT count(*) FROM events), total(state = 0), total(state = 1),"
                           " total(state = 2) FROM deliveries",
                           -1, &count, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_step(count), SQLITE_ROW);
    assert_int_equal(stats->events, sqlite3_column_int64(count, 0));
    assert_int_equal(stats->deliveries_pending, sqlite3_column_int64(count, 1));
    assert_int_equal(stats->deliveries_delivered, sqlite3_column_int64(count, 2));
    assert_int_equal(stats->deliveries_given_up, sqlite3_column_int64(count, 3));
    sqlite3_finalize(count);
    sqlite3_close(db);
}

static void acknowledged_is_there(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct word *words = calloc(WORDS_MAX, sizeof *words);
    fixture_open(f, &store_sqlite);
    int64_t user = fixture_user(f, "https://example.com/");
    f->backend->close(f->store);
    f->config.keys_ahead_max = 64;
    int count = 0, checked = 0;
    unsigned random = 12345;
    for (int i = 0; i < KILLS; i++) {
        int ends[2];
        assert_int_equal(pipe(ends), 0);
        f->event_number = 1000 + (int64_t)i * 1000000;
        f->wall_ms += 1000;
        pid_t child = fork();
        if (child == 0) {
            close(ends[0]);
            child_main(f, user, ends[1]);
        }
        close(ends[1]);
        random = random * 1103515245u + 12345u;
        kill_after(child, 5 + (int)(random >> 16) % 60);
        count = hear(ends[0], words, count);
        close(ends[0]);
        assert_int_equal(f->backend->open(&f->config, &f->store), STORE_OK);
        check(f, user, words + checked, count - checked);
        stats_are_right(f);
        checked = count;
        if (i == KILLS - 1)
            check(f, user, words, count); /* and none is lost later */
        f->backend->close(f->store);
    }
    assert_true(count > KILLS);
    sqlite3 *db;
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    sqlite3_stmt *integrity;
    assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &integrity, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(integrity), SQLITE_ROW);
    assert_string_equal((const char *)sqlite3_column_text(integrity, 0), "ok");
    sqlite3_finalize(integrity);
    sqlite3_close(db);
    assert_int_equal(f->backend->open(&f->config, &f->store), STORE_OK);
    fixture_close(f);
    free(words);
    free(f);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {cmocka_unit_test(acknowledged_is_there)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
