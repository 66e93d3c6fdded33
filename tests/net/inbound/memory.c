/*
 * 8.21: the bodies of clients are within the listener's budget, and when that is full a newcomer wins over
 * the slowest of the address that holds most.
 */
#include "budget.h"
#include "listener_rig.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { KIB = 1024, ROOM = 1024 * KIB, COMING_IN = ROOM / 4 * 3, SLOW = 40, PATIENCE = 20000 };

struct scene {
    struct budget budget;
    struct application *application;
};

static struct scene *open_with(size_t room, int threads)
{
    struct scene *scene = calloc(1, sizeof *scene);
    budget_init(&scene->budget, room);
    struct listener_config config = rig_config();
    config.threads = threads;
    config.budget = &scene->budget;
    scene->application = rig_open(config);
    return scene;
}

static int start(void **state)
{
    *state = open_with(ROOM, 1);
    return 0;
}

static int start_loops(void **state)
{
    *state = open_with(ROOM, 2);
    return 0;
}

static int start_large(void **state)
{
    *state = open_with((size_t)4 * LARGE_LEN, 1);
    return 0;
}

static int stop(void **state)
{
    struct scene *scene = *state;
    rig_close(scene->application);
    assert_int_equal(budget_used(&scene->budget, BUDGET_IN), 0); /* all of it was given back */
    free(scene);
    return 0;
}

/* A body of BODY_MAX bytes, of which so many come. */
static int upload(struct scene *scene, const char *from, size_t len)
{
    static char body[BODY_MAX];
    char head[128];
    int fd = dial_from(scene->application, from);
    memset(body, 'b', sizeof body);
    put(fd, head,
        (size_t)snprintf(head, sizeof head, "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n",
                         (int)BODY_MAX));
    put(fd, body, len);
    return fd;
}

static int upload_in_chunks(struct scene *scene, const char *from)
{
    static char chunk[BODY_MAX / 2];
    char text[64];
    int fd = dial_from(scene->application, from);
    memset(chunk, 'b', sizeof chunk);
    put_text(fd, "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
    put(fd, text, (size_t)snprintf(text, sizeof text, "%zx\r\n", sizeof chunk));
    put(fd, chunk, sizeof chunk);
    return fd;
}

static void wait_for_used(struct scene *scene, size_t least)
{
    for (int i = 0; i < PATIENCE && budget_used(&scene->budget, BUDGET_IN) < least; i++)
        usleep(1000);
    assert_true(budget_used(&scene->budget, BUDGET_IN) >= least);
}

static void expect_status(int fd, int status)
{
    static struct answer answer;
    get(fd, &answer, false);
    assert_int_equal(answer.status, status);
}

static void slow_uploads(struct scene *scene, int fds[SLOW])
{
    for (int i = 0; i < SLOW; i++)
        fds[i] = i % 2 ? upload_in_chunks(scene, "127.0.0.2") : upload(scene, "127.0.0.2", BODY_MAX - 1);
    wait_for_used(scene, COMING_IN - BODY_MAX - 16 * KIB);
}

static void close_all(const int *fds, int count)
{
    for (int i = 0; i < count; i++)
        close(fds[i]);
}

static void test_newcomers_win_over_the_slowest(void **state)
{
    struct scene *scene = *state;
    int fds[SLOW], slow = upload(scene, "127.0.0.4", BODY_MAX / 2);
    slow_uploads(scene, fds);
    expect_status(fds[0], 503); /* the first of them went first */
    for (int i = 0; i < 30; i++) {
        int fd = upload(scene, i % 2 ? "127.0.0.2" : "127.0.0.3", BODY_MAX);
        expect_status(fd, 200);
        close(fd);
    }
    static char rest[BODY_MAX / 2];
    put(slow, rest, sizeof rest); /* at another address, and slower than all of them: it stayed */
    expect_status(slow, 200);
    assert_true(budget_used(&scene->budget, BUDGET_IN) <= COMING_IN);
    close(slow);
    close_all(fds, SLOW);
}

/* All that is slow is on the other loop. */
static void test_other_loops_give_way(void **state)
{
    struct scene *scene = *state;
    int fds[2 * SLOW], slow = 0;
    for (int i = 0; i < 2 * SLOW; i++) { /* the loops take turns */
        fds[i] = i % 2 ? upload(scene, "127.0.0.2", BODY_MAX - 1) : dial(scene->application);
        slow += i % 2;
    }
    assert_int_equal(slow, SLOW);
    wait_for_used(scene, COMING_IN - BODY_MAX - 16 * KIB);
    for (int i = 0; i < 30; i++) {
        int fd = upload(scene, "127.0.0.3", BODY_MAX);
        expect_status(fd, 200);
        close(fd);
    }
    close_all(fds, 2 * SLOW);
}

/* 8.25: whoever asks and does not read holds what it is to be sent. */
static void test_answers_that_are_not_read(void **state)
{
    struct scene *scene = *state;
    static struct answer answer;
    int fds[8], closed = 0;
    for (int i = 0; i < 8; i++) {
        fds[i] = dial_from(scene->application, "127.0.0.2");
        put_text(fds[i], "GET /large HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    }
    wait_for_handled(scene->application, 8);
    wait_for_used(scene, 2 * LARGE_LEN);
    int reader = dial_from(scene->application, "127.0.0.3");
    put_text(reader, "GET /large HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    assert_true(drink(reader, NULL, sizeof answer.text) >= LARGE_LEN);
    assert_true(budget_used(&scene->budget, BUDGET_IN) <= (size_t)3 * LARGE_LEN);
    for (int i = 0; i < 8; i++)
        closed += drink(fds[i], NULL, sizeof answer.text) < LARGE_LEN;
    assert_true(closed >= 5);
    close(reader);
    close_all(fds, 8);
}

/* What is sent ahead of its turn is held, too. */
static void test_requests_sent_ahead(void **state)
{
    struct scene *scene = *state;
    static char ahead[BODY_MAX];
    int fds[SLOW];
    memset(ahead, 'a', sizeof ahead);
    set_holding(scene->application, true);
    for (int i = 0; i < SLOW; i++) {
        fds[i] = dial_from(scene->application, "127.0.0.2");
        put_text(fds[i], "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
        wait_for_handled(scene->application, i + 1);
        put(fds[i], ahead, sizeof ahead);
    }
    wait_for_used(scene, COMING_IN / 2);
    assert_true(budget_used(&scene->budget, BUDGET_IN) <= COMING_IN);
    close_all(fds, SLOW);
    set_holding(scene->application, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_newcomers_win_over_the_slowest, start, stop),
        cmocka_unit_test_setup_teardown(test_other_loops_give_way, start_loops, stop),
        cmocka_unit_test_setup_teardown(test_answers_that_are_not_read, start_large, stop),
        cmocka_unit_test_setup_teardown(test_requests_sent_ahead, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
