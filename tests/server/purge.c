/*
 * Retention: old and ended rows go, a few at a time; young ones stay.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "body.h"
#include "policy.h"
#include "purge.h"
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { OLD = 25, YOUNG = 3, DAY_MS = 86400000 };

struct rig {
    char folder[64], path[96];
    struct store *store;
    struct queue *queue;
    atomic_int done;
};

static void on_work(void *ctx, struct store_work **boxes, int count)
{
}

static void on_broken(void *ctx, enum store_status status)
{
    abort();
}

static void done(struct queue_job *job, enum store_status status)
{
    struct rig *rig = job->ctx;
    assert_int_equal(status, STORE_OK);
    assert_int_equal(job->op.result, STORE_DONE);
    atomic_fetch_add(&rig->done, 1);
}

static void submit(struct rig *rig, struct queue_job *job)
{
    int before = atomic_load(&rig->done);
    job->done = done;
    job->ctx = rig;
    assert_true(queue_submit(rig->queue, job));
    while (atomic_load(&rig->done) == before)
        usleep(100);
}

static void add_event(struct rig *rig, int64_t received_at_ms)
{
    struct arena arena;
    struct text document;
    struct queue_job job = {.op = {.kind = STORE_EVENT,
                                   .event = {.event = {.owner_id = MODEL_USER_ID_FIRST,
                                                       .event_type = bytes_of("user_enabled"),
                                                       .created_at_ms = received_at_ms,
                                                       .received_at_ms = received_at_ms},
                                             .requester_id = MODEL_USER_ID_FIRST}}};
    arena_init(&arena, 64 * 1024);
    text_init(&document, &arena, 32 * 1024);
    body_render(&document,
                &(struct body_parts){.event_type = bytes_of("user_enabled"), .created_at_ms = received_at_ms},
                &job.op.event.event.stamp_offset);
    job.op.event.event.document = text_bytes(&document);
    submit(rig, &job);
    arena_fini(&arena);
}

static int64_t events_left(struct rig *rig)
{
    struct arena arena;
    struct store_query query = {.kind = STORE_LIST_EVENTS, .limit = 1000};
    struct store_answer answer = {0};
    arena_init(&arena, 1 << 20);
    assert_int_equal(store_sqlite.read(rig->store, 0, &query, &arena, &answer), STORE_OK);
    int64_t count = answer.count;
    arena_fini(&arena);
    return count;
}

static int start(void **state)
{
    struct rig *rig = calloc(1, sizeof *rig);
    strcpy(rig->folder, "/tmp/posthorn-purge-XXXXXX");
    assert_non_null(mkdtemp(rig->folder));
    snprintf(rig->path, sizeof rig->path, "%s/posthorn.db", rig->folder);
    struct store_config store = {
        .path = rig->path, .clock = clock_system(), .lease_ms = 60000, .readers = 1, .pace = pace_default()};
    assert_int_equal(store_sqlite.open(&store, &rig->store), STORE_OK);
    struct queue_config queue = {.backend = &store_sqlite,
                                 .store = rig->store,
                                 .clock = clock_system(),
                                 .batch_max = 16,
                                 .waiting_max = 64,
                                 .on_work = on_work,
                                 .on_broken = on_broken,
                                 .ctx = rig};
    rig->queue = queue_open(&queue);
    struct queue_job user = {
        .op = {.kind = STORE_USER_CREATE, .user = {.user = {.role = USER_MASTER}, .if_version = -1}}};
    submit(rig, &user);
    *state = rig;
    return 0;
}

static int stop(void **state)
{
    struct rig *rig = *state;
    char command[96];
    queue_close(rig->queue);
    store_sqlite.close(rig->store);
    snprintf(command, sizeof command, "rm -r %s", rig->folder);
    assert_int_equal(system(command), 0);
    free(rig);
    return 0;
}

static void test_old_goes_young_stays(void **state)
{
    struct rig *rig = *state;
    struct clock clock = clock_system();
    int64_t now_ms = clock_wall_ms(&clock);
    for (int i = 0; i < OLD; i++)
        add_event(rig, now_ms - 3 * (int64_t)DAY_MS);
    for (int i = 0; i < YOUNG; i++)
        add_event(rig, now_ms - DAY_MS);
    assert_int_equal(events_left(rig), OLD + YOUNG);
    struct purge *purge = purge_open(&(struct purge_config){.queue = rig->queue,
                                                            .clock = clock,
                                                            .events_ms = 2 * (int64_t)DAY_MS,
                                                            .period_ms = 5,
                                                            .rows_max = 10});
    for (int i = 0; i < 10000 && events_left(rig) > YOUNG; i++)
        usleep(1000);
    usleep(50 * 1000); /* a few looks more */
    assert_int_equal(events_left(rig), YOUNG);
    purge_close(purge);
}

static void test_closes_at_once(void **state)
{
    struct rig *rig = *state;
    struct purge *purge = purge_open(&(struct purge_config){
        .queue = rig->queue, .clock = clock_system(), .period_ms = 3600 * 1000, .rows_max = 10});
    purge_close(purge);
    purge_close(NULL);
}

/* Whatever a look takes, up to what 20,000/s leave it. */
static void pauses_keep_up(void **state)
{
    enum { ROWS = 512, LOOK_MS_MAX = ROWS * 1000 / 20000 };
    for (int looks = 1; looks < 200; looks++)
        for (int64_t took_ms = 0; took_ms < LOOK_MS_MAX; took_ms++) {
            int64_t pause_ms = purge_pause_ms(looks, took_ms, ROWS);
            assert_in_range(took_ms + pause_ms, 1, LOOK_MS_MAX);
            assert_in_range(pause_ms, 1, took_ms ? 3 * took_ms : 1);
            assert_true(looks < 100 || pause_ms == 1);
        }
    assert_int_equal(purge_pause_ms(1, 4, ROWS), 12); /* a quarter of the time */
    assert_int_equal(purge_pause_ms(1, 500, ROWS), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pauses_keep_up),
        cmocka_unit_test_setup_teardown(test_old_goes_young_stays, start, stop),
        cmocka_unit_test_setup_teardown(test_closes_at_once, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
