#include "workers.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { THREADS = 3, WAITING = 4 };

/* Jobs stop at a gate, so that it can be seen how many are at work. */
struct scene {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    int at_work, most, done, dropped, busy[THREADS];
    bool open;
};

static void job(void *ctx, int worker, void *item, bool dropped)
{
    struct scene *scene = ctx;

    pthread_mutex_lock(&scene->mutex);
    assert_int_equal(scene->busy[worker]++, 0); /* no number is two threads' */
    scene->at_work++;
    if (scene->at_work > scene->most)
        scene->most = scene->at_work;
    pthread_cond_broadcast(&scene->changed);
    while (!scene->open && !dropped)
        pthread_cond_wait(&scene->changed, &scene->mutex);
    scene->at_work--;
    scene->busy[worker]--;
    scene->done += !dropped;
    scene->dropped += dropped;
    ++*(int *)item;
    pthread_cond_broadcast(&scene->changed);
    pthread_mutex_unlock(&scene->mutex);
}

static void wait_until_at_work(struct scene *scene, int count)
{
    pthread_mutex_lock(&scene->mutex);
    while (scene->at_work < count)
        pthread_cond_wait(&scene->changed, &scene->mutex);
    pthread_mutex_unlock(&scene->mutex);
}

static void open_gate(struct scene *scene)
{
    pthread_mutex_lock(&scene->mutex);
    scene->open = true;
    pthread_cond_broadcast(&scene->changed);
    pthread_mutex_unlock(&scene->mutex);
}

static void so_many_at_once_so_many_waiting_and_no_more(void **state)
{
    struct scene scene = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    struct workers *workers = workers_open("worker", THREADS, WAITING, job, &scene);
    int items[THREADS + WAITING + 1] = {0};

    assert_non_null(workers);
    for (int i = 0; i < THREADS; i++)
        assert_true(workers_give(workers, &items[i]));
    wait_until_at_work(&scene, THREADS);
    for (int i = THREADS; i < THREADS + WAITING; i++)
        assert_true(workers_give(workers, &items[i]));
    assert_false(workers_give(workers, &items[THREADS + WAITING]));
    open_gate(&scene);
    workers_close(workers);
    assert_int_equal(scene.most, THREADS);
    assert_int_equal(scene.done + scene.dropped, THREADS + WAITING);
    for (int i = 0; i < THREADS + WAITING; i++)
        assert_int_equal(items[i], 1);
    assert_int_equal(items[THREADS + WAITING], 0);
}

static void *finish(void *workers)
{
    workers_finish(workers);
    return NULL;
}

static void finishing_drops_what_waits_and_waits_for_what_runs(void **state)
{
    struct scene scene = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    struct workers *workers = workers_open("worker", 1, WAITING, job, &scene);
    int items[3] = {0};
    pthread_t finisher;

    assert_true(workers_give(workers, &items[0]));
    wait_until_at_work(&scene, 1);
    assert_true(workers_give(workers, &items[1]));
    assert_false(workers_is_finishing(workers));
    assert_int_equal(pthread_create(&finisher, NULL, finish, workers), 0);
    while (!workers_is_finishing(workers))
        sched_yield();
    assert_false(workers_give(workers, &items[2]));
    open_gate(&scene);
    pthread_join(finisher, NULL);
    assert_int_equal(scene.done, 1);
    assert_int_equal(scene.dropped, 1);
    assert_int_equal(items[2], 0);
    workers_close(workers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(so_many_at_once_so_many_waiting_and_no_more),
        cmocka_unit_test(finishing_drops_what_waits_and_waits_for_what_runs),
    };
    return cmocka_run_group_tests_name("base/workers", tests, NULL, NULL);
}
