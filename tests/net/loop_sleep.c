/* loop_sleep: waiting is sleep, and the time of callbacks is not. */
#include "loop_sleep.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <unistd.h>
/* after the above */
#include <cmocka.h>

enum { BUSY_MS = 100, WAIT_MS = 200 };

struct scene {
    uv_loop_t loop;
    struct loop_sleep sleep;
    uv_timer_t timer;
    uv_poll_t poll;
    int64_t busy_ms;
};

static int64_t now_ms(void)
{
    return (int64_t)(uv_hrtime() / 1000000);
}

static void on_timer(uv_timer_t *timer)
{
    struct scene *scene = timer->data;
    uv_close((uv_handle_t *)timer, NULL);
    loop_sleep_close(&scene->sleep);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct scene *scene = poll->data;
    int64_t begun_ms = now_ms();
    assert_int_equal(status, 0);
    assert_int_equal(events, UV_READABLE);
    while (now_ms() - begun_ms < BUSY_MS) {
    }
    scene->busy_ms = now_ms() - begun_ms;
    uv_close((uv_handle_t *)poll, NULL);
}

/* Returns how long the loop ran. */
static int64_t run(struct scene *scene, bool busy)
{
    int fd = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);
    int64_t begun_ms = now_ms();
    *scene = (struct scene){0};
    uv_loop_init(&scene->loop);
    loop_sleep_start(&scene->sleep, &scene->loop);
    scene->timer.data = scene->poll.data = scene;
    uv_timer_init(&scene->loop, &scene->timer);
    uv_timer_start(&scene->timer, on_timer, WAIT_MS, 0);
    if (busy) {
        uv_poll_init(&scene->loop, &scene->poll, fd);
        uv_poll_start(&scene->poll, UV_READABLE, on_poll);
    }
    uv_run(&scene->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&scene->loop), 0);
    close(fd);
    return now_ms() - begun_ms;
}

static void test_waiting_is_sleep(void **state)
{
    struct scene scene;
    (void)state;
    int64_t passed_ms = run(&scene, false);
    assert_in_range(scene.sleep.total_ms, 1, passed_ms);
}

/* Otherwise a loop that is busy with descriptors would seem to have all its time free for handshakes. */
static void test_a_callback_is_no_sleep(void **state)
{
    struct scene scene;
    (void)state;
    int64_t passed_ms = run(&scene, true);
    assert_true(scene.busy_ms >= BUSY_MS);
    assert_true(scene.sleep.total_ms <= passed_ms - scene.busy_ms + 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_waiting_is_sleep),
        cmocka_unit_test(test_a_callback_is_no_sleep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
