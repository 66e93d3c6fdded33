/*
 * The same random batches on the model store and on SQLite: every result, every filled box and every answer
 * must be equal. A failing seed is in the output and can be given as an argument.
 *
 * What a backend may choose is kept out of the way: there are always boxes for all that may be claimed, or
 * none; restarts happen with no lease out, and every URL is new after them, since pace is not kept.
 */
#include "model_store.h"
#include "sqlite_parts.h"
#include "twin.h"
#include <stdio.h>
#include <stdlib.h>

enum { STEPS = 150, SEEDS = 36, SEEDS_MORE = 7, OPS_MAX = 6 };

static void write_both(struct twin *t, struct store_op *ops, int count, int boxes)
{
    struct store_op twins[OPS_MAX];
    memcpy(twins, ops, (size_t)count * sizeof *ops);
    fixture_write(&t->model, ops, count, boxes);
    fixture_write(&t->sqlite, twins, count, boxes);
    for (int i = 0; i < count; i++) {
        assert_int_equal(ops[i].result, twins[i].result);
        assert_int_equal(ops[i].id, twins[i].id);
        if (ops[i].kind == STORE_PURGE || ops[i].kind == STORE_JOB_STEP)
            assert_int_equal(ops[i].count, twins[i].count);
        if (ops[i].kind == STORE_JOB_STEP)
            assert_int_equal(ops[i].job_step.held, twins[i].job_step.held);
        if (ops[i].kind == STORE_ENDPOINT_CREATE && ops[i].id) {
            bool full = t->endpoint_count == ENDPOINTS_MAX;
            t->endpoints[full ? (int)twin_draw(t, ENDPOINTS_MAX) : t->endpoint_count++] = ops[i].id;
        }
        if (ops[i].kind != STORE_EVENT)
            continue;
        assert_int_equal(ops[i].event.skipped, twins[i].event.skipped);
        if (t->event_count < EVENTS_MAX)
            t->events[t->event_count++] = ops[i];
    }
    twin_same_boxes(t);
    assert_int_equal(t->model.next_due_in_ms == 0, t->sqlite.next_due_in_ms == 0);
}

static void advance_both(struct twin *t, int64_t ms)
{
    fixture_advance(&t->model, ms);
    fixture_advance(&t->sqlite, ms);
}

/* ---- notices ---- */

enum { NOTICES_MAX = 64 };

static int by_endpoint(const void *a, const void *b)
{
    const struct store_notice *left = a, *right = b;
    if (left->endpoint_id != right->endpoint_id)
        return left->endpoint_id < right->endpoint_id ? -1 : 1;
    return (int)left->kind - (int)right->kind;
}

static int notices_due(struct fixture *fixture, struct store_notice *rows)
{
    struct store_op op = {.kind = STORE_NOTICES, .notices = {.rows = rows, .room = NOTICES_MAX}};
    fixture_write(fixture, &op, 1, 0);
    assert_int_equal(op.result, STORE_DONE);
    assert_true(op.notices.count < NOTICES_MAX); /* or which ones is the backend's choice */
    qsort(rows, (size_t)op.notices.count, sizeof *rows, by_endpoint);
    return op.notices.count;
}

/* Both have the same to tell; some of it is told, and at times twice. */
static void tell_some(struct twin *t)
{
    struct store_notice rows[2][NOTICES_MAX];
    int count = notices_due(&t->model, rows[0]);
    assert_int_equal(count, notices_due(&t->sqlite, rows[1]));
    for (int i = 0; i < count; i++) {
        const struct store_notice *a = &rows[0][i], *b = &rows[1][i];
        assert_int_equal(a->endpoint_id, b->endpoint_id);
        assert_int_equal(a->kind, b->kind);
        assert_int_equal(a->owner_id, b->owner_id);
        assert_int_equal(a->count, b->count);
        assert_int_equal(a->paused, b->paused);
        assert_int_equal(a->disabled, b->disabled);
        assert_int_equal(a->since_ms, b->since_ms);
        assert_int_equal(a->disabled_at_ms, b->disabled_at_ms);
        struct store_op op = fixture_event_op(&t->model, a->owner_id);
        op.event.event.event_type = bytes_of(notice_names[a->kind]);
        op.event.notice = a;
        for (uint64_t times = twin_draw(t, 3); times > 0; times--)
            write_both(t, &op, 1, twin_draw(t, 2) ? FIXTURE_BOXES : 0);
    }
}

/* ---- steps ---- */

static void restart(struct twin *t)
{
    while (t->pool_count > 0) {
        struct store_op op = fixture_outcome_op(&t->model, &t->pool[--t->pool_count], DECISION_DELIVERED, 0);
        write_both(t, &op, 1, 0);
    }
    fixture_reopen(&t->model);
    fixture_reopen(&t->sqlite);
    t->renewals++;
    struct store_query all = {.kind = STORE_LIST_ENDPOINTS, .limit = 1000};
    struct store_answer endpoints = fixture_read(&t->model, all);
    for (int i = 0; i < endpoints.count; i++) {
        struct store_op op = fixture_endpoint_op(&t->model, endpoints.endpoints[i].id);
        op.endpoint.endpoint.url =
            bytes_of(arena_printf(&t->model.arena, "https://example.com/restart/%d", t->renewals));
        write_both(t, &op, 1, 0);
    }
}

static int64_t ask(sqlite3 *db, const char *sql, int64_t user_id)
{
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    sqlite3_bind_int64(statement, 1, user_id);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int64_t number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return number;
}

/* What the store says of each user's usage is what its tables say. */
static void count_again(struct twin *t)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(t->sqlite.path, &db), SQLITE_OK);
    for (int i = 0; i < t->user_count; i++) {
        int64_t id = t->users[i];
        const struct user_usage usage = roster_usage(roster_owner(&t->sqlite.store->roster, id));
        assert_int_equal(
            usage.stored_bytes,
            ask(db, "SELECT ifnull(sum(length(document)), 0) FROM events WHERE owner_id = ?", id) +
                ask(db, "SELECT ifnull(sum(length(json)), 0) FROM resources WHERE owner_id = ?", id));
        assert_int_equal(usage.resources, ask(db, "SELECT count(*) FROM resources WHERE owner_id = ?", id));
        assert_int_equal(usage.pending,
                         ask(db,
                             "SELECT count(*) FROM deliveries WHERE (state = 0 OR queue IS NOT NULL)"
                             " AND endpoint_id IN (SELECT id FROM endpoints WHERE owner_id = ?)",
                             id));
    }
    sqlite3_close(db);
}

static void hours_are_equal(struct twin *t, int64_t endpoint_id)
{
    struct store_query query = {.kind = STORE_LIST_HOURS,
                                .id = endpoint_id,
                                .after_id = hour_of(t->model.wall_ms) - HOURS_KEPT,
                                .limit = 2 * HOURS_KEPT};
    struct store_answer a = fixture_read(&t->model, query), b = fixture_read(&t->sqlite, query);
    assert_int_equal(a.count, b.count);
    if (a.count > 0)
        assert_memory_equal(a.hours, b.hours, (size_t)a.count * sizeof *a.hours);
}

/* Both say the same of each endpoint. */
static void look_at_endpoints(struct twin *t)
{
    struct store_figures figures[2][USERS_MAX + ENDPOINTS_MAX] = {{{0}}};
    struct fixture *fixtures[] = {&t->model, &t->sqlite};
    int count = t->user_count + t->endpoint_count;
    for (int of = 0; of < 2; of++) {
        struct store_op op = {.kind = STORE_LOOK, .look = {figures[of], count, true}};
        for (int i = 0; i < count; i++)
            figures[of][i].id = i < t->user_count ? t->users[i] : t->endpoints[i - t->user_count];
        fixture_do(fixtures[of], op, STORE_DONE);
    }
    for (int i = 0; i < count; i++) {
        const struct store_figures *a = &figures[0][i], *b = &figures[1][i];
        assert_int_equal(a->found, b->found);
        assert_int_equal(a->failing, b->failing);
        assert_int_equal(a->waiting, b->waiting);
        assert_int_equal(a->in_hand, b->in_hand);
        assert_int_equal(a->window, b->window);
        assert_int_equal(a->delivered, b->delivered);
        assert_int_equal(a->line_first, b->line_first);
        assert_int_equal(a->oldest_waiting_at_ms, b->oldest_waiting_at_ms);
        hours_are_equal(t, a->id);
    }
}

static void step(struct twin *t)
{
    static const int64_t pauses[] = {0, 0, 1, 700, 5000, 30000, 60000, 200000};
    advance_both(t, pauses[twin_draw(t, 8)]);
    struct store_op ops[OPS_MAX];
    int count = (int)twin_draw(t, OPS_MAX + 1);
    for (int i = 0; i < count; i++)
        ops[i] = twin_op(t);
    write_both(t, ops, count, twin_draw(t, 3) ? FIXTURE_BOXES : 0);
    twin_read(t);
    if (twin_draw(t, 6) == 0)
        tell_some(t);
    if (twin_draw(t, 60) == 0)
        restart(t);
    if (twin_draw(t, 8) == 0) {
        count_again(t);
        look_at_endpoints(t);
    }
}

static void begin(struct twin *t, uint64_t seed)
{
    *t = (struct twin){.random = seed * 0x9E3779B97F4A7C15u + 1};
    fixture_open(&t->model, &store_model);
    fixture_open(&t->sqlite, &store_sqlite);
    if (seed % 3 == 0) { /* quotas that are reached now and then */
        struct user_usage quotas = {.stored_bytes = 40000, .resources = 12, .pending = 15};
        t->model.config.quotas = t->sqlite.config.quotas = quotas;
        t->sqlite.config.keys_ahead_max = 5; /* runs of keys, merged soon */
        fixture_reopen(&t->model);
        fixture_reopen(&t->sqlite);
    }
    for (t->user_count = 0; t->user_count < USERS_MAX; t->user_count++) {
        struct store_op op = {.kind = STORE_USER_CREATE,
                              .user.user = {.name = bytes_of("x"),
                                            .role = t->user_count == 0 ? USER_MASTER : USER_REGULAR,
                                            .master_id = t->user_count > 3 ? t->users[0] : 0,
                                            .receives_users_events = t->user_count == 0,
                                            .endpoint.url = bytes_of("https://example.com/")}};
        write_both(t, &op, 1, 0);
        t->users[t->user_count] = op.id;
        op = fixture_key_op(&t->model, op.id);
        write_both(t, &op, 1, 0);
    }
}

static void seeds(void **state)
{
    const uint64_t *seed = *state;
    struct twin *t = calloc(1, sizeof *t);
    assert_non_null(t);
    begin(t, *seed);
    for (int i = 0; i < STEPS; i++)
        step(t);
    fixture_close(&t->model);
    fixture_close(&t->sqlite);
    free(t);
}

int main(int argc, char **argv)
{
    /* They showed faults that the first ones do not come across. */
    static const uint64_t more[SEEDS_MORE] = {149, 169, 278, 678, 1081, 1112, 1516};
    static uint64_t numbers[SEEDS + SEEDS_MORE];
    static char names[SEEDS + SEEDS_MORE][32];
    static struct CMUnitTest tests[SEEDS + SEEDS_MORE];
    uint64_t first = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    size_t count = argc > 1 ? 1 : SEEDS + SEEDS_MORE;
    for (size_t i = 0; i < count; i++) {
        numbers[i] = i < SEEDS ? first + i : more[i - SEEDS];
        snprintf(names[i], sizeof names[i], "seed %llu", (unsigned long long)numbers[i]);
        tests[i] = (struct CMUnitTest){.name = names[i], .test_func = seeds, .initial_state = &numbers[i]};
    }
    return _cmocka_run_group_tests("store differential", tests, count, NULL, NULL);
}
