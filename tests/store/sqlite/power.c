/*
 * Power cuts: everything acknowledged is in the bytes that a disk would have kept. The controls, with syncs
 * left out, must lose something: otherwise this test could not tell.
 */
#include "fixture.h"
#include "shim_vfs.h"
#include "sqlite_parts.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CUTS = 60, BATCHES_MAX = 30, PER_BATCH = 4 };

struct kept {
    int64_t events[BATCHES_MAX * PER_BATCH];
    int64_t delivered[BATCHES_MAX * PER_BATCH];
    int event_count, delivered_count;
};

static void work(struct fixture *f, int64_t user, int batches, struct kept *kept)
{
    for (int i = 0; i < batches; i++) {
        struct store_op ops[2 * PER_BATCH];
        int outcomes = f->filled;
        for (int j = 0; j < outcomes; j++)
            ops[j] = fixture_outcome_op(f, &f->boxes[j], DECISION_DELIVERED, 0);
        for (int j = 0; j < PER_BATCH; j++)
            ops[outcomes + j] = fixture_keyed_op(f, user, f->event_number + 1);
        fixture_write(f, ops, outcomes + PER_BATCH, PER_BATCH);
        for (int j = 0; j < outcomes; j++)
            kept->delivered[kept->delivered_count++] = ops[j].outcome.delivery_id;
        for (int j = 0; j < PER_BATCH; j++)
            kept->events[kept->event_count++] = ops[outcomes + j].id;
    }
}

/* How much of what was acknowledged is not there. */
static int lost(struct fixture *f, const char *path, int64_t user, const struct kept *kept)
{
    struct store_config config = f->config;
    struct store *store, *before = f->store;
    config.path = path;
    if (f->backend->open(&config, &store) != STORE_OK)
        return kept->event_count;
    int missing = 0;
    f->store = store;
    for (int i = 0; i < kept->event_count; i++) {
        struct store_query get = {.kind = STORE_GET_EVENT, .id = kept->events[i]};
        int there = fixture_read(f, get).count;
        missing += there != 1;
        if (there == 1)
            fixture_event_replayed(f, user, kept->events[i]);
    }
    for (int i = 0; i < kept->delivered_count; i++) {
        struct store_query get = {.kind = STORE_GET_DELIVERY, .id = kept->delivered[i]};
        struct store_answer answer = fixture_read(f, get);
        missing += answer.count != 1 || answer.deliveries[0].state != DELIVERY_DELIVERED;
    }
    f->store = before;
    f->backend->close(store);
    return missing;
}

static int lost_in_a_cut(uint64_t seed, const char *pragma)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    struct shim_fault fault = {0};
    struct fixture *f = calloc(1, sizeof *f);
    struct kept *kept = calloc(1, sizeof *kept);
    assert_true(f && kept);
    shim_install(&fault, true);
    fixture_open(f, &store_sqlite);
    f->config.keys_ahead_max = 3; /* runs of keys, and merges */
    fixture_reopen(f);
    int64_t user = fixture_user(f, "https://example.com/");
    if (pragma)
        assert_int_equal(sqlite3_exec(f->store->db, pragma, NULL, NULL, NULL), SQLITE_OK);
    work(f, user, (int)(1 + seed % BATCHES_MAX), kept);
    char folder[96], path[128];
    snprintf(folder, sizeof folder, "%s/after", f->folder); /* of its own: a folder is locked */
    assert_int_equal(mkdir(folder, 0700), 0);
    snprintf(path, sizeof path, "%s/after.db", folder);
    shim_cut(path, seed);
    int missing = lost(f, path, user, kept);
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        char name[160];
        snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
        unlink(name);
    }
    assert_int_equal(rmdir(folder), 0);
    fixture_close(f);
    shim_remove();
    free(kept);
    free(f);
    return missing;
}

static int lost_in_all(const char *pragma)
{
    int missing = 0;
    for (uint64_t seed = 1; seed <= CUTS; seed++)
        missing += lost_in_a_cut(seed, pragma);
    return missing;
}

static void nothing_acknowledged_is_lost(void **state)
{
    assert_int_equal(lost_in_all(NULL), 0);
}

static void control_normal(void **state)
{
    assert_true(lost_in_all("PRAGMA synchronous = NORMAL") > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_acknowledged_is_lost),
        cmocka_unit_test(control_normal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
