/*
 * How SQLite's backend finds Idempotency-Keys: in memory, in runs, through merges, restarts, damage and
 * hashes that are the same. The contract has the rules of every backend.
 */
#include "fixture.h"
#include "sqlite_parts.h"
#include <stdio.h>
#include <stdlib.h>

enum { BATCH = 100 };

/* With so many events in memory. Returns a user. */
static int64_t begin(struct fixture *f, int ahead_max)
{
    int64_t user = fixture_user(f, NULL);
    f->config.keys_ahead_max = ahead_max;
    fixture_reopen(f);
    return user;
}

/* Between two lives of the store. */
static void damage(struct fixture *f, const char *sql)
{
    f->backend->close(f->store);
    fixture_say(f, sql);
    assert_int_equal(f->backend->open(&f->config, &f->store), STORE_OK);
}

/* Events with the keys first, first + 1, ... in batches. */
static void post(struct fixture *f, int64_t user, int first, int count)
{
    struct store_op ops[BATCH];
    for (int done = 0, n; done < count; done += n) {
        n = count - done < BATCH ? count - done : BATCH;
        for (int i = 0; i < n; i++)
            ops[i] = fixture_keyed_op(f, user, first + done + i);
        fixture_write(f, ops, n, 0);
        for (int i = 0; i < n; i++)
            assert_int_equal(ops[i].result, STORE_DONE);
        arena_reset(&f->arena);
    }
}

/* All of them again: each is answered by its event. */
static void all_replayed(struct fixture *f, int64_t user, int first, int count)
{
    struct store_op ops[BATCH];
    for (int done = 0, n; done < count; done += n) {
        n = count - done < BATCH ? count - done : BATCH;
        for (int i = 0; i < n; i++)
            ops[i] = fixture_keyed_op(f, user, first + done + i);
        fixture_write(f, ops, n, 0);
        for (int i = 0; i < n; i++) {
            assert_int_equal(ops[i].result, STORE_REPLAYED);
            assert_int_equal(fixture_event(f, ops[i].id).created_at_ms, first + done + i);
        }
        arena_reset(&f->arena);
    }
}

static int purge_all(struct fixture *f, int64_t before_ms)
{
    struct store_op op = {.kind = STORE_PURGE,
                          .purge = {.idempotency_before_ms = before_ms, .rows_max = 100}};
    int ops = 0;
    do {
        fixture_write(f, &op, 1, 0);
        assert_true(++ops < 1000);
    } while (op.purge.more);
    return ops;
}

/* ---- in memory ---- */

static void recent_is_cut(void **state)
{
    struct idempotency_recent recent = {0};
    assert_int_equal(idempotency_recent_find(&recent, 7, -1), -1);
    for (int i = 0; i < 1000; i++)
        idempotency_recent_add(&recent, (uint64_t)(i % 10) << 40, i); /* one list, ten hashes */
    int at = -1;
    for (int i = 993; i >= 3; i -= 10) {
        at = idempotency_recent_find(&recent, (uint64_t)3 << 40, at);
        assert_int_equal(at, i);
    }
    assert_int_equal(idempotency_recent_find(&recent, (uint64_t)3 << 40, at), -1);
    idempotency_recent_cut(&recent, 14);
    assert_int_equal(idempotency_recent_find(&recent, (uint64_t)3 << 40, -1), 13);
    assert_int_equal(idempotency_recent_find(&recent, (uint64_t)4 << 40, -1), 4);
    idempotency_recent_cut(&recent, 0);
    assert_int_equal(idempotency_recent_find(&recent, 0, -1), -1);
    idempotency_recent_fini(&recent);
}

static uint64_t mixed(uint64_t number)
{
    number = (number + 1) * 0x9E3779B97F4A7C15u;
    number = (number ^ number >> 30) * 0xBF58476D1CE4E5B9u;
    return number ^ number >> 31;
}

static void filter_misses_none(void **state)
{
    enum { KEYS = 20000 };
    struct idempotency_filter *filter = idempotency_filter_new(KEYS);
    int yes = 0;
    assert_in_range(idempotency_filter_size(KEYS), KEYS, KEYS * 2);
    assert_false(idempotency_filter_has(filter, mixed(0)));
    for (uint64_t i = 0; i < KEYS; i++)
        idempotency_filter_add(filter, mixed(i));
    for (uint64_t i = 0; i < KEYS; i++)
        assert_true(idempotency_filter_has(filter, mixed(i)));
    for (uint64_t i = KEYS; i < 2 * KEYS; i++)
        yes += idempotency_filter_has(filter, mixed(i));
    assert_in_range(yes, 0, KEYS / 100);
    idempotency_filter_free(filter);
}

/* ---- runs ---- */

static void known_after_each_restart(void **state)
{
    struct fixture *f = *state;
    int64_t user = begin(f, 7);
    for (int i = 0; i < 60; i++) {
        post(f, user, 5 * i, 5);
        fixture_reopen(f);
        all_replayed(f, user, 0, 5 * (i + 1));
    }
    assert_true(fixture_ask(f, "SELECT count(*) FROM idempotency_runs") > 0);
}

static void known_through_merges(void **state)
{
    enum { EVENTS = 2600 };
    struct fixture *f = *state;
    int64_t user = begin(f, 3);
    for (int i = 0; i < EVENTS / 10; i++) {
        post(f, user, 10 * i, 10);
        if (i % 40 == 0)
            all_replayed(f, user, 0, 10 * (i + 1));
        if (i % 90 == 0)
            fixture_reopen(f);
    }
    all_replayed(f, user, 0, EVENTS);
    assert_true(fixture_ask(f, "SELECT max(level) FROM idempotency_runs") >= 2);
    assert_in_range(fixture_ask(f, "SELECT count(*) FROM idempotency_runs"), 1, 60);
    assert_in_range(fixture_ask(f, "SELECT sum(length(entries)) / 16 FROM idempotency_entries"), EVENTS - 10,
                    2 * EVENTS);
}

/* Large enough for more than a step. */
static void merge_goes_on_after_a_restart(void **state)
{
    static const char growing[] =
        "SELECT count(*) FROM idempotency_runs WHERE into_run = 0 AND built < 1 << bits";
    enum { EVENTS = 6000, LOT = 50 };
    struct fixture *f = *state;
    int64_t user = begin(f, 200), found_growing = 0;
    for (int i = 0; i < EVENTS / LOT; i++) {
        post(f, user, LOT * i, LOT);
        if (fixture_ask(f, growing) == 0)
            continue;
        found_growing++;
        fixture_reopen(f);
        all_replayed(f, user, 0, LOT * (i + 1));
    }
    assert_true(found_growing > 1);
    assert_true(
        fixture_ask(f, "SELECT count(*) FROM idempotency_runs WHERE level = 1 AND built = 1 << bits") > 0);
    all_replayed(f, user, 0, EVENTS);
}

/* The key's hash leads to that event, too. */
static void mislead(struct fixture *f, int64_t requester_id, int number, int64_t event_id)
{
    struct store_op op = fixture_keyed_op(f, requester_id, number);
    uint64_t hash = idempotency_hash(f->store->idempotency.digest, requester_id, op.event.idempotency_key);
    idempotency_recent_add(&f->store->idempotency.recent, hash, event_id);
    f->store->counts.idempotency_count++;
}

/* Events have the same hash: their keys decide, and whose they are. */
static void same_hash(void **state)
{
    struct fixture *f = *state;
    int64_t user = begin(f, 50), other = fixture_user(f, NULL), filler = fixture_user(f, NULL);
    int64_t first = fixture_do(f, fixture_keyed_op(f, user, 1), STORE_DONE);
    mislead(f, user, 2, first);
    mislead(f, other, 1, first);
    post(f, filler, 100, 60);
    assert_int_equal(fixture_ask(f, "SELECT sum(keys) FROM idempotency_runs"), 63);
    int64_t second = fixture_do(f, fixture_keyed_op(f, user, 2), STORE_DONE);
    int64_t others = fixture_do(f, fixture_keyed_op(f, other, 1), STORE_DONE);
    mislead(f, user, 2, first); /* the latest of that hash in memory */
    for (int round = 0; round < 2; round++) {
        fixture_replayed(f, user, 1, first);
        fixture_replayed(f, user, 2, second);
        fixture_replayed(f, other, 1, others);
        post(f, filler, 1000 * (round + 1), 60);
    }
}

/* ---- forgetting ---- */

static void runs_go_when_all_is_forgotten(void **state)
{
    enum { EVENTS = 300 };
    struct fixture *f = *state;
    int64_t user = begin(f, 50), first_ms = f->wall_ms;
    post(f, user, 0, EVENTS);
    fixture_advance(f, HOUR_MS);
    post(f, user, EVENTS, EVENTS);
    int64_t runs = fixture_ask(f, "SELECT count(*) FROM idempotency_runs");
    purge_all(f, first_ms); /* not before that very moment */
    all_replayed(f, user, 0, 2 * EVENTS);
    assert_int_equal(fixture_ask(f, "SELECT count(*) FROM idempotency_runs"), runs);

    purge_all(f, first_ms + 1);
    assert_in_range(fixture_ask(f, "SELECT count(*) FROM idempotency_runs"), 1, runs - 1);
    assert_in_range(fixture_ask(f, "SELECT sum(length(entries)) / 16 FROM idempotency_entries"), 1, EVENTS);
    all_replayed(f, user, EVENTS, EVENTS);
    fixture_reopen(f);
    all_replayed(f, user, EVENTS, EVENTS);
    post(f, user, 0, EVENTS); /* as if they had never been */
    assert_int_equal(fixture_read(f, (struct store_query){.kind = STORE_GET_STATS}).stats->events,
                     3 * EVENTS);

    fixture_advance(f, HOUR_MS);
    purge_all(f, f->wall_ms);
    assert_int_equal(fixture_ask(f, "SELECT count(*) FROM idempotency_runs"), 0);
    assert_int_equal(fixture_ask(f, "SELECT count(*) FROM idempotency_entries"), 0);
    post(f, user, 0, EVENTS);
}

/* What was forgotten stays so, but new keys are not. */
static void clock_was_ahead(void **state)
{
    struct fixture *f = *state;
    int64_t user = begin(f, 10);
    post(f, user, 0, 25);
    f->wall_ms += 1000LL * HOUR_MS;
    purge_all(f, f->wall_ms - HOUR_MS);
    assert_int_equal(fixture_ask(f, "SELECT count(*) FROM idempotency_runs"), 0);
    f->wall_ms -= 1000LL * HOUR_MS;
    purge_all(f, f->wall_ms - HOUR_MS);
    post(f, user, 100, 25);
    all_replayed(f, user, 100, 25);
}

/* A run that is merged goes with the last key of all. */
static void merged_run_stays(void **state)
{
    enum { OLD = 300, YOUNG = 20 };
    struct fixture *f = *state;
    int64_t user = begin(f, 20), first_ms = f->wall_ms;
    for (int i = 0; i < OLD; i += 20)
        post(f, user, i, 20);
    fixture_advance(f, HOUR_MS);
    post(f, user, OLD, YOUNG);
    assert_int_equal(fixture_ask(f, "SELECT max(level) FROM idempotency_runs"), 1);
    purge_all(f, first_ms + 1);
    all_replayed(f, user, OLD, YOUNG);
    fixture_reopen(f);
    all_replayed(f, user, OLD, YOUNG);
    post(f, user, 0, OLD);
}

/* A key that is used again and again leads to its latest event alone. */
static void used_again(void **state)
{
    struct fixture *f = *state;
    int64_t user = begin(f, 10);
    for (int i = 0; i < 40; i++) {
        struct store_op op = fixture_keyed_op(f, user, 1);
        int64_t id = fixture_do(f, op, STORE_DONE);
        assert_int_equal(fixture_do(f, op, STORE_REPLAYED), id);
        fixture_advance(f, HOUR_MS);
        purge_all(f, f->wall_ms - HOUR_MS / 2);
    }
}

/* ---- bounds and damage ---- */

static void filters_are_bounded(void **state)
{
    enum { EVENTS = 700 };
    struct fixture *f = *state;
    int64_t user = begin(f, 50);
    const struct idempotency *idempotency = &f->store->idempotency;
    f->store->idempotency.filters_size_max = 4 * idempotency_filter_size(50);
    post(f, user, 0, EVENTS);
    int with = 0;
    for (int i = 0; i < idempotency->run_count; i++)
        with += idempotency->runs[i].filter != NULL;
    assert_in_range(with, 1, 4);
    assert_true(idempotency->run_count > with);
    all_replayed(f, user, 0, EVENTS);
    post(f, user, EVENTS, 10);
}

static void made_again(void **state)
{
    static const char *const damages[] = {
        "DELETE FROM idempotency_entries WHERE id = (SELECT min(id) FROM idempotency_entries)",
        "UPDATE idempotency_entries SET entries = x'00'",
        "UPDATE idempotency_entries SET entries = randomblob(length(entries))",
        "UPDATE idempotency_entries SET id = id + (99 << 32)",
        "DELETE FROM idempotency_runs WHERE id = (SELECT min(id) FROM idempotency_runs);"
        " UPDATE state SET idempotency_to = -1",
        "UPDATE idempotency_runs SET bits = 3",
        "UPDATE idempotency_runs SET bits = 60, built = 1 << 60",
        "UPDATE idempotency_runs SET built = 0",
        "UPDATE idempotency_runs SET level = 1 << 40",
        "WITH RECURSIVE n(i) AS (SELECT 50 UNION ALL SELECT i + 1 FROM n WHERE i < 250)"
        " INSERT INTO idempotency_runs SELECT i, 4, 0, 1, 0, 1 << 50, 0 FROM n",
        "UPDATE idempotency_runs SET keys = 1 << 50",
        "UPDATE idempotency_runs SET id = -id",
        "UPDATE idempotency_runs SET into_run = id",
        "UPDATE idempotency_runs SET received_last = 'long ago'",
        "UPDATE state SET idempotency_to = 1 << 61",
        "UPDATE state SET idempotency_before = 1 << 61",
    };
    enum { EVENTS = 400 };
    struct fixture *f = *state;
    int64_t user = begin(f, 150); /* more than a bucket */
    post(f, user, 0, EVENTS);
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        damage(f, damages[i]);
        all_replayed(f, user, 0, EVENTS);
        fixture_reopen(f);
        all_replayed(f, user, 0, EVENTS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recent_is_cut),
        cmocka_unit_test(filter_misses_none),
        SQLITE_TEST(known_after_each_restart),
        SQLITE_TEST(known_through_merges),
        SQLITE_TEST(merge_goes_on_after_a_restart),
        SQLITE_TEST(same_hash),
        SQLITE_TEST(runs_go_when_all_is_forgotten),
        SQLITE_TEST(clock_was_ahead),
        SQLITE_TEST(merged_run_stays),
        SQLITE_TEST(used_again),
        SQLITE_TEST(filters_are_bounded),
        SQLITE_TEST(made_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
