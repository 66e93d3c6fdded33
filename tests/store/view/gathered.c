/* What is gathered is written once, whole, in its hour, whatever is undone; and memory has a bound. */
#include "gathered.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define T0_MS ((int64_t)1000 * HOUR_MS)

/* What the batches have written: of all endpoints, by hour from T0 on. */
struct written {
    struct gathered gathered;
    struct hour hours[3];
    int64_t mono_ms, wall_ms, rows, last_id;
    bool in_order;
};

static void begin(struct written *w)
{
    gathered_begin(&w->gathered, w->mono_ms, w->wall_ms);
}

static void write_outs(struct written *w)
{
    for (int i = 0; i < w->gathered.out_count; i++) {
        struct gathered_out *out = &w->gathered.outs[i];
        if (out->done)
            continue;
        gathered_add(out, &w->hours[out->sums.hour - T0_MS / HOUR_MS]);
        w->in_order = w->in_order && out->endpoint_id > w->last_id;
        w->last_id = out->endpoint_id;
        w->rows++;
        out->done = true;
    }
}

static void commit(struct written *w)
{
    gathered_some(&w->gathered);
    write_outs(w);
    gathered_commit(&w->gathered);
}

static int setup(void **state)
{
    struct written *w = calloc(1, sizeof *w);
    w->mono_ms = 5;
    w->wall_ms = T0_MS;
    w->in_order = true;
    *state = w;
    return w ? 0 : -1;
}

static int teardown(void **state)
{
    struct written *w = *state;
    gathered_fini(&w->gathered);
    free(w);
    return 0;
}

static void a_row_a_minute(void **state)
{
    struct written *w = *state;
    w->mono_ms = GATHERED_EACH_MS; /* the first round is at once */
    begin(w);
    gathered_note(&w->gathered, 7, HOUR_ACCEPTED, HOUR_NO_ANSWER);
    commit(w);
    w->rows = 0;
    for (int i = 0; i < 600; i++, w->mono_ms += GATHERED_EACH_MS / 200) {
        begin(w);
        gathered_note(&w->gathered, 7 + i % 2, HOUR_DELIVERED, i % 3);
        commit(w);
    }
    assert_in_range(w->rows, 4, 8);
    begin(w);
    assert_true(gathered_rest(&w->gathered));
    commit(w);
    assert_int_equal(w->hours[0].counts[HOUR_ACCEPTED], 1);
    assert_int_equal(w->hours[0].counts[HOUR_DELIVERED], 600);
    for (int bucket = 0; bucket < 3; bucket++)
        assert_int_equal(w->hours[0].answers[bucket], 200);
    assert_int_equal(w->gathered.entries.count, 0);
}

static void undone(void **state)
{
    struct written *w = *state;
    begin(w);
    for (int i = 0; i < 3; i++)
        gathered_note(&w->gathered, 7, HOUR_FAILED, 4);
    gathered_commit(&w->gathered);
    for (int round = 0; round < 4; round++) {
        w->mono_ms += 2 * GATHERED_EACH_MS;
        w->wall_ms = round == 1 ? T0_MS + HOUR_MS : T0_MS;
        begin(w);
        gathered_note(&w->gathered, 7, HOUR_DELIVERED, 4);
        gathered_note(&w->gathered, 7, HOUR_KINDS, 9);
        gathered_note(&w->gathered, 8, HOUR_DELIVERED, 4);
        if (round == 2)
            gathered_one(&w->gathered, 7);
        if (round == 3)
            gathered_drop(&w->gathered, 7);
        gathered_note(&w->gathered, 7, HOUR_ACCEPTED, 4);
        gathered_some(&w->gathered);
        gathered_undo(&w->gathered);
        begin(w);
        gathered_some(&w->gathered); /* it rests */
        assert_int_equal(w->gathered.out_count, 0);
    }
    w->mono_ms += GATHERED_EACH_MS;
    begin(w);
    commit(w);
    const struct hour *hour = &w->hours[0];
    assert_int_equal(hour->counts[HOUR_FAILED], 3);
    assert_int_equal(hour->answers[4], 3);
    assert_int_equal(hour->counts[HOUR_DELIVERED] + hour->counts[HOUR_ACCEPTED] + hour->answers[9], 0);
    assert_int_equal(w->rows, 1);
    assert_int_equal(w->gathered.entries.count, 0);
}

static void hours_are_apart(void **state)
{
    struct written *w = *state;
    for (int i = 0; i < 3; i++, w->wall_ms += HOUR_MS)
        for (int n = 0; n <= i; n++) {
            begin(w);
            gathered_note(&w->gathered, 7, HOUR_FAILED, HOUR_NO_ANSWER);
            commit(w);
        }
    w->wall_ms = T0_MS; /* back */
    begin(w);
    gathered_note(&w->gathered, 7, HOUR_FAILED, HOUR_NO_ANSWER);
    gathered_one(&w->gathered, 7);
    commit(w);
    for (int i = 0; i < 3; i++)
        assert_int_equal(w->hours[i].counts[HOUR_FAILED], i == 0 ? 2 : i + 1);
}

static void dropped(void **state)
{
    struct written *w = *state;
    begin(w);
    gathered_note(&w->gathered, 7, HOUR_ACCEPTED, HOUR_NO_ANSWER);
    gathered_commit(&w->gathered);
    begin(w);
    gathered_note(&w->gathered, 7, HOUR_ACCEPTED, HOUR_NO_ANSWER);
    gathered_drop(&w->gathered, 7);
    commit(w);
    assert_int_equal(w->rows, 0);
    assert_int_equal(w->gathered.entries.count, 0);
}

/* A round is in the order of the ids, a part with each batch, and done in a minute however few they are. */
static void rounds(void **state)
{
    struct written *w = *state;
    begin(w);
    for (int64_t id = 1; id <= 50000; id++)
        gathered_note(&w->gathered, id * 7919 % 50021 + 1, HOUR_ACCEPTED, HOUR_NO_ANSWER);
    gathered_commit(&w->gathered);
    w->mono_ms += GATHERED_EACH_MS;
    int most = 0;
    for (int batch = 0; batch < 60; batch++, w->mono_ms += GATHERED_EACH_MS / 60) {
        int64_t before = w->rows;
        begin(w);
        commit(w);
        most = w->rows - before > most ? (int)(w->rows - before) : most;
    }
    assert_in_range(w->rows, 49000, 50000);
    assert_true(most < 1000);
    begin(w);
    commit(w);
    assert_int_equal(w->rows, 50000);
    assert_true(w->in_order);
    assert_int_equal(w->hours[0].counts[HOUR_ACCEPTED], 50000);
}

static void memory_has_a_bound(void **state)
{
    struct written *w = *state;
    for (int64_t id = 1; id <= 3 * GATHERED_LOST_FROM;) {
        begin(w);
        for (int i = 0; i < 100; i++)
            gathered_note(&w->gathered, id++, HOUR_ACCEPTED, 3);
        commit(w);
        assert_true(w->gathered.entries.count <= GATHERED_MAX + 100);
    }
    /* Nothing can be written. */
    for (int64_t id = 1; id <= 3 * GATHERED_LOST_FROM; id += 1000) {
        begin(w);
        for (int i = 0; i < 1000; i++)
            gathered_note(&w->gathered, id + i, HOUR_ACCEPTED, 3);
        gathered_commit(&w->gathered);
    }
    assert_int_equal(w->gathered.entries.count, GATHERED_LOST_FROM);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {TEST(a_row_a_minute), TEST(undone), TEST(hours_are_apart),
                                       TEST(dropped),        TEST(rounds), TEST(memory_has_a_bound)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
