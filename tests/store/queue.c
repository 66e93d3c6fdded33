/* The writer thread, on a backend that does as it is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "queue.h"
#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { JOBS_MAX = 64, BOXES_MAX = 8, BATCHES_MAX = 64, THREADS = 4, JOBS_EACH = 3000 };

/* What one write was given. */
struct seen {
    int ops, boxes;
    enum store_op_kind kinds[JOBS_MAX];
    int64_t ids[JOBS_MAX];
};

/* The backend. All under the lock. */
struct store {
    pthread_mutex_t lock;
    pthread_cond_t change;
    bool closed_gate; /* write waits */
    bool leases_scarce;
    enum store_status statuses[BATCHES_MAX];
    int64_t next_due_in_ms;
    int fill;
    int begun, writes;
    struct seen seen[BATCHES_MAX];
};

struct bench {
    struct store store;
    struct queue *queue;
    struct queue_job jobs[JOBS_MAX];
    size_t document_len; /* of the events that are submitted */
    struct store_work boxes[BOXES_MAX];
    struct store_work *box_list[BOXES_MAX];
    /* Under store.lock: what came back. */
    enum store_status results[JOBS_MAX];
    int results_count, order[JOBS_MAX];
    int filled, emptied, broken;
    _Atomic int64_t fixed_ms; /* 0: the system's clock */
};

static enum store_status fake_write(struct store *store, struct store_batch *batch)
{
    pthread_mutex_lock(&store->lock);
    store->begun++;
    pthread_cond_broadcast(&store->change);
    while (store->closed_gate)
        pthread_cond_wait(&store->change, &store->lock);
    int number = store->writes++;
    enum store_status status = STORE_OK;
    if (number < BATCHES_MAX) {
        struct seen *seen = &store->seen[number];
        seen->ops = batch->op_count;
        seen->boxes = batch->box_count;
        for (int i = 0; i < batch->op_count && i < JOBS_MAX; i++) {
            seen->kinds[i] = batch->ops[i]->kind;
            seen->ids[i] = batch->ops[i]->event.requester_id;
        }
        status = store->statuses[number];
    }
    batch->filled_count = 0;
    while (status == STORE_OK && batch->filled_count < batch->box_count && store->fill > 0) {
        batch->boxes[batch->filled_count++]->filled = true;
        store->fill--;
    }
    batch->next_due_in_ms = store->next_due_in_ms;
    batch->leases_scarce = store->leases_scarce;
    pthread_cond_broadcast(&store->change);
    pthread_mutex_unlock(&store->lock);
    return status;
}

static const struct store_backend fake = {.name = "fake", .write = fake_write};

static void on_work(void *ctx, struct store_work **boxes, int count)
{
    struct bench *bench = ctx;
    pthread_mutex_lock(&bench->store.lock);
    for (int i = 0; i < count; i++) {
        bench->filled += boxes[i]->filled;
        bench->emptied += !boxes[i]->filled;
    }
    pthread_cond_broadcast(&bench->store.change);
    pthread_mutex_unlock(&bench->store.lock);
}

static void on_broken(void *ctx, enum store_status status)
{
    struct bench *bench = ctx;
    assert_int_equal(status, bench->store.statuses[0]);
    pthread_mutex_lock(&bench->store.lock);
    bench->broken++;
    pthread_mutex_unlock(&bench->store.lock);
}

static void on_done(struct queue_job *job, enum store_status status)
{
    struct bench *bench = job->ctx;
    int number = (int)(job - bench->jobs);
    pthread_mutex_lock(&bench->store.lock);
    bench->results[number] = status;
    bench->order[bench->results_count++] = number;
    pthread_cond_broadcast(&bench->store.change);
    pthread_mutex_unlock(&bench->store.lock);
}

static int64_t mono_ms(void *ctx)
{
    struct bench *bench = ctx;
    int64_t fixed_ms = atomic_load(&bench->fixed_ms);
    struct clock system = clock_system();
    return fixed_ms ? fixed_ms : clock_mono_ms(&system);
}

static struct bench *bench_open_with(int waiting_max, int batch_max)
{
    struct bench *bench = calloc(1, sizeof *bench);
    assert_non_null(bench);
    pthread_mutex_init(&bench->store.lock, NULL);
    pthread_cond_init(&bench->store.change, NULL);
    bench->store.next_due_in_ms = -1;
    for (int i = 0; i < BOXES_MAX; i++)
        bench->box_list[i] = &bench->boxes[i];
    struct queue_config config = {.backend = &fake,
                                  .store = &bench->store,
                                  .clock = {.mono_ms = mono_ms, .ctx = bench},
                                  .batch_max = batch_max,
                                  .waiting_max = waiting_max,
                                  .on_work = on_work,
                                  .on_broken = on_broken,
                                  .ctx = bench};
    bench->queue = queue_open(&config);
    return bench;
}

static struct bench *bench_open(int waiting_max)
{
    return bench_open_with(waiting_max, JOBS_MAX);
}

static void bench_close_queue(struct bench *bench)
{
    queue_close(bench->queue);
}

static void bench_free(struct bench *bench)
{
    pthread_cond_destroy(&bench->store.change);
    pthread_mutex_destroy(&bench->store.lock);
    free(bench);
}

static void bench_close(struct bench *bench)
{
    bench_close_queue(bench);
    bench_free(bench);
}

static struct queue_job *fill(struct bench *bench, int number, enum store_op_kind kind)
{
    struct queue_job *job = &bench->jobs[number];
    *job = (struct queue_job){.op = {.kind = kind}, .done = on_done, .ctx = bench};
    job->op.event.requester_id = number; /* to be told apart; outcomes have an id in the same place */
    if (kind == STORE_EVENT)
        job->op.event.event.document.len = bench->document_len;
    return job;
}

static bool submit(struct bench *bench, int number, enum store_op_kind kind)
{
    return queue_submit(bench->queue, fill(bench, number, kind));
}

static bool submit_many(struct bench *bench, int first, int count)
{
    for (int i = 0; i < count; i++) {
        struct queue_job *job = fill(bench, first + i, STORE_EVENT);
        job->next = i + 1 < count ? job + 1 : NULL;
    }
    return queue_submit_many(bench->queue, &bench->jobs[first]);
}

static void gate(struct bench *bench, bool closed)
{
    pthread_mutex_lock(&bench->store.lock);
    bench->store.closed_gate = closed;
    pthread_cond_broadcast(&bench->store.change);
    pthread_mutex_unlock(&bench->store.lock);
}

/* Until *value, which is under the lock, has reached `least`. */
static void await(struct bench *bench, const int *value, int least)
{
    pthread_mutex_lock(&bench->store.lock);
    while (*value < least)
        pthread_cond_wait(&bench->store.change, &bench->store.lock);
    pthread_mutex_unlock(&bench->store.lock);
}

/* Boxes for the claim; and the claim that they bring about by themselves is over. */
static void offer(struct bench *bench, int count)
{
    queue_offer(bench->queue, bench->box_list, count);
    await(bench, &bench->store.writes, 1);
}

/* One job is in the backend and held there; so what comes now makes one batch. The backend was idle. */
static void hold_one(struct bench *bench, int number)
{
    pthread_mutex_lock(&bench->store.lock);
    bench->store.closed_gate = true;
    int begun = bench->store.begun;
    pthread_mutex_unlock(&bench->store.lock);
    assert_true(submit(bench, number, STORE_EVENT));
    await(bench, &bench->store.begun, begun + 1);
}

static void one_commit_for_many(void **state)
{
    struct bench *bench = bench_open(JOBS_MAX);
    hold_one(bench, 0);
    for (int i = 1; i < 40; i++)
        assert_true(submit(bench, i, i % 2 ? STORE_OUTCOME : STORE_EVENT));
    struct queue_stats stats;
    queue_stats(bench->queue, &stats);
    assert_int_equal(stats.waiting, 39);
    assert_int_equal(bench->results_count, 0); /* nothing is said before it is written */
    gate(bench, false);
    await(bench, &bench->results_count, 40);
    assert_int_equal(bench->store.writes, 2);
    assert_int_equal(bench->store.seen[1].ops, 39);
    for (int i = 1; i < 40; i++) { /* the outcomes, which free what events may take, and then those */
        assert_int_equal(bench->order[i], i <= 20 ? 2 * i - 1 : 2 * (i - 20));
        assert_int_equal(bench->results[i], STORE_OK);
    }
    bench_close(bench);
}

/* Boxes are at hand, so nothing is scarce; and time stands still until the test moves it. */
static struct bench *bench_open_calm(void)
{
    struct bench *bench = bench_open(JOBS_MAX);
    atomic_store(&bench->fixed_ms, 1000);
    offer(bench, 4);
    return bench;
}

static void outcomes_wait_for_company(void **state)
{
    struct bench *bench = bench_open_calm();
    hold_one(bench, 0);
    assert_true(submit(bench, 1, STORE_OUTCOME));
    assert_true(submit(bench, 2, STORE_OUTCOME));
    assert_true(submit(bench, 3, STORE_EVENT));
    gate(bench, false);
    await(bench, &bench->results_count, 2);
    assert_int_equal(bench->store.seen[bench->store.writes - 1].ops, 1); /* the event, which does not */
    atomic_fetch_add(&bench->fixed_ms, 12);
    assert_true(submit(bench, 4, STORE_EVENT));
    await(bench, &bench->results_count, 5);
    assert_int_equal(bench->store.seen[bench->store.writes - 1].ops, 3);
    assert_true(submit(bench, 5, STORE_OUTCOME));
    atomic_fetch_add(&bench->fixed_ms, 30); /* nobody comes */
    await(bench, &bench->results_count, 6);
    bench_close(bench);
}

/* Time stands still, so all that ends a wait is what comes. */
static void outcomes_do_not_wait(void **state)
{
    struct bench *bench = bench_open_calm();
    hold_one(bench, 0);
    gate(bench, false);
    await(bench, &bench->results_count, 1);
    assert_true(submit(bench, 1, STORE_OUTCOME));
    assert_true(submit(bench, 2, STORE_CANCEL)); /* an operation of the API */
    await(bench, &bench->results_count, 3);
    for (int i = 3; i < 19; i++)
        assert_true(submit(bench, i, STORE_OUTCOME)); /* enough */
    await(bench, &bench->results_count, 19);
    pthread_mutex_lock(&bench->store.lock);
    bench->store.leases_scarce = true;
    pthread_mutex_unlock(&bench->store.lock);
    assert_true(submit(bench, 19, STORE_EVENT));
    await(bench, &bench->results_count, 20);
    assert_true(submit(bench, 20, STORE_OUTCOME)); /* an endpoint wants a lease */
    await(bench, &bench->results_count, 21);
    pthread_mutex_lock(&bench->store.lock);
    bench->store.leases_scarce = false;
    bench->store.fill = 4;
    pthread_mutex_unlock(&bench->store.lock);
    assert_true(submit(bench, 21, STORE_EVENT));
    await(bench, &bench->filled, 4);
    assert_true(submit(bench, 22, STORE_OUTCOME)); /* no box is left */
    await(bench, &bench->results_count, 23);
    queue_offer(bench->queue, bench->box_list, 4);
    assert_true(submit(bench, 23, STORE_OUTCOME));
    bench_close_queue(bench); /* nor for a queue that is closed */
    assert_int_equal(bench->results_count, 24);
    bench_free(bench);
}

/* A group is in one transaction, whatever stands before it. */
static void groups_stay_whole(void **state)
{
    struct bench *bench = bench_open_with(40, 16);
    hold_one(bench, 0);
    for (int i = 1; i <= 10; i++)
        assert_true(submit(bench, i, STORE_EVENT));
    assert_true(submit_many(bench, 11, 10));
    assert_true(submit_many(bench, 21, 6));
    assert_true(submit(bench, 27, STORE_EVENT));
    gate(bench, false);
    await(bench, &bench->results_count, 28);
    assert_int_equal(bench->store.writes, 4);
    assert_int_equal(bench->store.seen[1].ops, 10);
    assert_int_equal(bench->store.seen[2].ops, 16);
    assert_int_equal(bench->store.seen[3].ops, 1);
    for (int i = 0; i < 28; i++)
        assert_int_equal(bench->order[i], i);
    bench_close(bench);
}

static void groups_are_taken_whole(void **state)
{
    struct bench *bench = bench_open_with(10, 8);
    hold_one(bench, 0);
    assert_true(submit_many(bench, 1, 6));
    assert_false(submit_many(bench, 7, 5)); /* room for four */
    assert_false(submit_many(bench, 7, 9)); /* never */
    assert_true(submit_many(bench, 7, 4));
    assert_false(submit(bench, 11, STORE_EVENT));
    gate(bench, false);
    await(bench, &bench->results_count, 11);
    assert_int_equal(bench->results_count, 11);
    bench_close(bench);
}

/* So much that the backend's page cache holds it; a larger one goes alone, and a group stays whole. */
static void large_documents_share_a_batch_by_bytes(void **state)
{
    static const size_t mib[] = {0, 1, 1, 1, 1, 5, 1};
    static const int ops[] = {1, 3, 1, 1, 5};
    struct bench *bench = bench_open(JOBS_MAX);
    hold_one(bench, 0);
    for (int i = 1; i <= 6; i++) {
        bench->document_len = mib[i] << 20;
        assert_true(submit(bench, i, STORE_EVENT));
    }
    assert_true(submit_many(bench, 7, 4)); /* 1 MiB each, as the one before it */
    gate(bench, false);
    await(bench, &bench->results_count, 11);
    assert_int_equal(bench->store.writes, 5);
    for (int i = 0; i < 5; i++)
        assert_int_equal(bench->store.seen[i].ops, ops[i]);
    bench_close(bench);
}

static void full_queue_refuses_but_outcomes(void **state)
{
    struct bench *bench = bench_open(3);
    hold_one(bench, 0);
    for (int i = 1; i <= 3; i++)
        assert_true(submit(bench, i, STORE_EVENT));
    assert_false(submit(bench, 4, STORE_EVENT));
    assert_true(submit(bench, 5, STORE_OUTCOME));
    gate(bench, false);
    await(bench, &bench->results_count, 5);
    bench_close(bench);
}

static void full_disk_still_records_outcomes(void **state)
{
    struct bench *bench = bench_open(JOBS_MAX);
    offer(bench, 4);
    hold_one(bench, 0);
    bench->store.statuses[bench->store.begun] = STORE_FULL;
    int next = bench->store.begun;
    for (int i = 1; i <= 32; i++)
        assert_true(submit(bench, i, i % 2 ? STORE_EVENT : STORE_OUTCOME));
    gate(bench, false);
    await(bench, &bench->results_count, 33);
    for (int i = 1; i <= 32; i++)
        assert_int_equal(bench->results[i], i % 2 ? STORE_FULL : STORE_OK);
    assert_int_equal(bench->store.seen[next].ops, 32);
    assert_int_equal(bench->store.seen[next + 1].ops, 16);
    assert_int_equal(bench->store.seen[next + 1].boxes, 0);
    for (int i = 0; i < 16; i++) {
        assert_int_equal(bench->store.seen[next + 1].kinds[i], STORE_OUTCOME);
        assert_int_equal(bench->store.seen[next + 1].ids[i], 2 * i + 2);
    }
    bench_close(bench);
}

static void full_for_outcomes_too(void **state)
{
    struct bench *bench = bench_open(JOBS_MAX);
    bench->store.statuses[0] = bench->store.statuses[1] = STORE_FULL;
    assert_true(submit(bench, 0, STORE_OUTCOME));
    await(bench, &bench->results_count, 1);
    assert_int_equal(bench->results[0], STORE_FULL); /* its owner tries again in a moment */
    assert_int_equal(bench->store.writes, 1);
    bench_close(bench);
}

static void down_is_said_to_all(void **state)
{
    struct bench *bench = bench_open(JOBS_MAX);
    bench->store.statuses[0] = STORE_DOWN;
    assert_true(submit(bench, 0, STORE_EVENT));
    await(bench, &bench->results_count, 1);
    assert_true(submit(bench, 1, STORE_EVENT));
    await(bench, &bench->results_count, 2);
    assert_int_equal(bench->results[0], STORE_DOWN);
    assert_int_equal(bench->results[1], STORE_OK);
    assert_int_equal(bench->broken, 0);
    bench_close(bench);
}

static void stops_once_and_for_all(enum store_status by)
{
    struct bench *bench = bench_open(JOBS_MAX);
    struct queue_stats stats;
    bench->store.statuses[0] = by;
    for (int i = 0; i < 3; i++) {
        assert_true(submit(bench, i, i == 1 ? STORE_OUTCOME : STORE_EVENT));
        await(bench, &bench->results_count, i + 1);
        assert_int_equal(bench->results[i], by);
    }
    queue_offer(bench->queue, bench->box_list, 1);
    queue_stats(bench->queue, &stats);
    assert_int_equal(stats.broken_by, by);
    assert_int_equal(bench->broken, 1);
    assert_int_equal(bench->store.writes, 1); /* the store is not touched again */
    bench_close(bench);
}

static void broken_once_and_for_all(void **state)
{
    stops_once_and_for_all(STORE_BROKEN);
}

static void damaged_once_and_for_all(void **state)
{
    stops_once_and_for_all(STORE_DAMAGED);
}

static void standing_claim(void **state)
{
    struct bench *bench = bench_open(JOBS_MAX);
    bench->store.fill = 2;
    queue_offer(bench->queue, bench->box_list, 5);
    await(bench, &bench->filled, 2); /* without any job */
    gate(bench, true);
    bench->store.fill = 1;
    gate(bench, false);
    assert_true(submit(bench, 0, STORE_EVENT));
    await(bench, &bench->filled, 3);
    assert_int_equal(bench->store.seen[1].boxes, 3);
    queue_withdraw(bench->queue);
    await(bench, &bench->emptied, 2);
    assert_true(submit(bench, 1, STORE_EVENT));
    await(bench, &bench->results_count, 2);
    assert_int_equal(bench->store.seen[2].boxes, 0);
    assert_int_equal(bench->store.writes, 3); /* nobody wrote without a reason */
    bench_close(bench);
}

/* It is asleep by then, most likely; if not, it is right as well. */
static void boxes_wake_a_writer_without_any(void **state)
{
    struct bench *bench = bench_open(JOBS_MAX);
    bench->store.next_due_in_ms = 0;
    for (int i = 0; i < 3; i++) {
        pthread_mutex_lock(&bench->store.lock);
        bench->store.fill = 1;
        pthread_mutex_unlock(&bench->store.lock);
        clock_pause_us(20 * 1000);
        queue_offer(bench->queue, bench->box_list, 1);
        await(bench, &bench->filled, i + 1);
    }
    bench_close(bench);
}

static void claims_when_due(void **state)
{
    struct bench *bench = bench_open(JOBS_MAX);
    bench->store.next_due_in_ms = 15;
    queue_offer(bench->queue, bench->box_list, 1);
    await(bench, &bench->store.writes, 3);
    pthread_mutex_lock(&bench->store.lock);
    bench->store.fill = 1;
    pthread_mutex_unlock(&bench->store.lock);
    await(bench, &bench->filled, 1);
    bench_close(bench);
}

static void close_writes_what_waits(void **state)
{
    struct bench *bench = bench_open(JOBS_MAX);
    offer(bench, 4);
    hold_one(bench, 0);
    for (int i = 1; i < 10; i++)
        assert_true(submit(bench, i, STORE_OUTCOME));
    gate(bench, false);
    queue_close(bench->queue);
    assert_int_equal(bench->results_count, 10);
    assert_int_equal(bench->filled + bench->emptied, 4);
    pthread_cond_destroy(&bench->store.change);
    pthread_mutex_destroy(&bench->store.lock);
    free(bench);
}

/* ---- many threads ---- */

struct crowd {
    struct queue *queue;
    struct store store;
    int done; /* under store.lock */
};

struct crowd_job {
    struct queue_job job;
    int times;
};

static void crowd_done(struct queue_job *job, enum store_status status)
{
    struct crowd *crowd = job->ctx;
    ((struct crowd_job *)(void *)job)->times++;
    pthread_mutex_lock(&crowd->store.lock);
    crowd->done++;
    pthread_cond_broadcast(&crowd->store.change);
    pthread_mutex_unlock(&crowd->store.lock);
}

static void crowd_work(void *ctx, struct store_work **boxes, int count)
{
}

static void *crowd_main(void *ctx)
{
    struct crowd *crowd = ctx;
    struct crowd_job *jobs = calloc(JOBS_EACH, sizeof *jobs);
    for (int i = 0; i < JOBS_EACH; i++) {
        jobs[i].job = (struct queue_job){
            .op = {.kind = i % 3 ? STORE_EVENT : STORE_OUTCOME}, .done = crowd_done, .ctx = crowd};
        while (!queue_submit(crowd->queue, &jobs[i].job))
            sched_yield();
    }
    return jobs;
}

static void many_threads(void **state)
{
    struct crowd crowd = {.store.next_due_in_ms = -1};
    pthread_mutex_init(&crowd.store.lock, NULL);
    pthread_cond_init(&crowd.store.change, NULL);
    struct queue_config config = {.backend = &fake,
                                  .store = &crowd.store,
                                  .clock = clock_system(),
                                  .batch_max = JOBS_MAX,
                                  .waiting_max = 100,
                                  .on_work = crowd_work,
                                  .ctx = &crowd};
    crowd.queue = queue_open(&config);
    pthread_t threads[THREADS];
    struct crowd_job *jobs[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, crowd_main, &crowd), 0);
    for (int i = 0; i < THREADS; i++) {
        void *result;
        pthread_join(threads[i], &result);
        jobs[i] = result;
    }
    queue_close(crowd.queue);
    assert_int_equal(crowd.done, THREADS * JOBS_EACH);
    for (int i = 0; i < THREADS; i++) {
        for (int j = 0; j < JOBS_EACH; j++)
            assert_int_equal(jobs[i][j].times, 1);
        free(jobs[i]);
    }
    pthread_cond_destroy(&crowd.store.change);
    pthread_mutex_destroy(&crowd.store.lock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_commit_for_many),
        cmocka_unit_test(outcomes_wait_for_company),
        cmocka_unit_test(outcomes_do_not_wait),
        cmocka_unit_test(groups_stay_whole),
        cmocka_unit_test(groups_are_taken_whole),
        cmocka_unit_test(large_documents_share_a_batch_by_bytes),
        cmocka_unit_test(full_queue_refuses_but_outcomes),
        cmocka_unit_test(full_disk_still_records_outcomes),
        cmocka_unit_test(full_for_outcomes_too),
        cmocka_unit_test(down_is_said_to_all),
        cmocka_unit_test(broken_once_and_for_all),
        cmocka_unit_test(damaged_once_and_for_all),
        cmocka_unit_test(standing_claim),
        cmocka_unit_test(boxes_wake_a_writer_without_any),
        cmocka_unit_test(claims_when_due),
        cmocka_unit_test(close_writes_what_waits),
        cmocka_unit_test(many_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
