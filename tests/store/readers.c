/* Readers answer while the writer writes; each sees whole commits. */
#include "readers.h"
#include "fixture.h"
#include <pthread.h>
#include <stdlib.h>

enum { QUERIES = 300, ROUNDS = 60 };

struct desk {
    pthread_mutex_t lock;
    int done, odd;
};

struct desk_job {
    struct readers_job job;
    struct arena arena;
};

/* Every batch puts two events, so no reader may ever count an odd number. */
static void on_done(struct readers_job *job)
{
    struct desk *desk = job->ctx;
    bool odd = job->status != STORE_OK || job->answer.stats->events % 2 != 0;
    pthread_mutex_lock(&desk->lock);
    desk->done++;
    desk->odd += odd;
    pthread_mutex_unlock(&desk->lock);
}

static void readers_beside_a_writer(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    fixture_open(fixture, &store_sqlite);
    int64_t user = fixture_user(fixture, "https://example.com/");
    struct desk desk = {.lock = PTHREAD_MUTEX_INITIALIZER};
    struct desk_job *jobs = calloc(QUERIES, sizeof *jobs);
    struct readers *readers = readers_open(&store_sqlite, fixture->store, 2, QUERIES);
    for (int i = 0, submitted = 0; i < ROUNDS; i++) {
        for (; submitted < QUERIES * (i + 1) / ROUNDS; submitted++) {
            struct desk_job *one = &jobs[submitted];
            arena_init(&one->arena, 1 << 16);
            one->job = (struct readers_job){
                .query = {.kind = STORE_GET_STATS}, .arena = &one->arena, .done = on_done, .ctx = &desk};
            assert_true(readers_submit(readers, &one->job));
        }
        struct store_op ops[2] = {fixture_event_op(fixture, user), fixture_event_op(fixture, user)};
        fixture_write(fixture, ops, 2, 0);
    }
    readers_close(readers); /* answers what waits */
    assert_int_equal(desk.done, QUERIES);
    assert_int_equal(desk.odd, 0);
    for (int i = 0; i < QUERIES; i++)
        arena_fini(&jobs[i].arena);
    free(jobs);
    fixture_close(fixture);
    free(fixture);
}

/* A backend whose reader waits until it is let go. */
struct store {
    pthread_mutex_t lock;
    pthread_cond_t change;
    int reading;
    bool let_go;
};

static enum store_status slow_read(struct store *store, int reader, const struct store_query *query,
                                   struct arena *arena, struct store_answer *answer)
{
    pthread_mutex_lock(&store->lock);
    store->reading++;
    pthread_cond_broadcast(&store->change);
    while (!store->let_go)
        pthread_cond_wait(&store->change, &store->lock);
    pthread_mutex_unlock(&store->lock);
    return STORE_DOWN;
}

static void count_down(struct readers_job *job)
{
    int *left = job->ctx;
    assert_int_equal(job->status, STORE_DOWN);
    __atomic_sub_fetch(left, 1, __ATOMIC_SEQ_CST);
}

static void full_readers_refuse(void **state)
{
    static const struct store_backend slow = {.name = "slow", .read = slow_read};
    struct store store = {.lock = PTHREAD_MUTEX_INITIALIZER, .change = PTHREAD_COND_INITIALIZER};
    struct readers *readers = readers_open(&slow, &store, 1, 2);
    int left = 3;
    struct readers_job jobs[4];
    for (int i = 0; i < 4; i++)
        jobs[i] = (struct readers_job){.done = count_down, .ctx = &left};
    assert_true(readers_submit(readers, &jobs[0]));
    pthread_mutex_lock(&store.lock);
    while (store.reading == 0)
        pthread_cond_wait(&store.change, &store.lock);
    pthread_mutex_unlock(&store.lock);
    assert_true(readers_submit(readers, &jobs[1]));
    assert_true(readers_submit(readers, &jobs[2]));
    assert_false(readers_submit(readers, &jobs[3]));
    pthread_mutex_lock(&store.lock);
    store.let_go = true;
    pthread_cond_broadcast(&store.change);
    pthread_mutex_unlock(&store.lock);
    readers_close(readers);
    assert_int_equal(left, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readers_beside_a_writer),
        cmocka_unit_test(full_readers_refuse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
