/*
 * Clients that act at the wrong time, and the end of the listener, in every stage of a request.
 */
#include "listener_rig.h"
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void test_client_leaves_before_the_answer(void **state)
{
    struct application *application = *state;
    set_holding(application, true);
    for (int i = 0; i < 8; i++) {
        int fd = dial(application);
        put_text(fd, "POST /later HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx");
        wait_for_handled(application, i + 1);
        if (i % 2)
            reset(fd);
        else
            close(fd);
    }
    set_holding(application, false);
}

static void test_quiesced(void **state)
{
    struct application *application = *state;
    static struct answer answer;
    int kept = dial(application), waiting = dial(application);
    ask(kept, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n", &answer);
    set_holding(application, true);
    put_text(waiting, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
    wait_for_handled(application, 2);
    listener_quiesce(application->listener);
    /* What is in hand is answered, and the connection closed; new requests are not taken. */
    put_text(kept, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
    get(kept, &answer, true);
    assert_int_equal(answer.status, 503);
    set_holding(application, false);
    get(waiting, &answer, true);
    assert_int_equal(answer.status, 201);
    assert_non_null(find_header(&answer, "\r\nConnection: close"));
    assert_true(answer.closed);
    close(kept);
    close(waiting);
}

/* ---- out of turn ---- */

/* To the end of the stream. */
static int count_answers(int fd)
{
    enum { ROOM = 1 << 20 };
    char *text = malloc(ROOM);
    size_t len = 0;
    int count = 0;
    for (ssize_t got; len + 1 < ROOM && (got = recv(fd, text + len, ROOM - len - 1, 0)) > 0;)
        len += (size_t)got;
    text[len] = '\0';
    for (const char *at = text; (at = strstr(at, "HTTP/1.1 2")); at++)
        count++;
    free(text);
    return count;
}

static void test_pipelined_behind_one_that_waits(void **state)
{
    struct application *application = *state;
    static char many[200 * 1024];
    size_t len = 0;
    int count = 0, fd = dial(application);
    set_holding(application, true);
    put_text(fd, "POST /later HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi");
    wait_for_handled(application, 1);
    /* More than one read brings: the rest waits in the socket. */
    for (; len + 100 < sizeof many; count++)
        len += (size_t)sprintf(many + len, "GET /%d HTTP/1.1\r\nHost: h\r\n\r\n", count);
    put(fd, many, len / 2);
    usleep(20000);
    assert_int_equal(application->handled, 1);
    set_holding(application, false);
    put(fd, many + len / 2, len - len / 2);
    put_text(fd, "GET /bye HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_int_equal(count_answers(fd), count + 2);
    wait_for_handled(application, count + 2);
    close(fd);
}

/* RFC 9112 section 9.6: it has closed only its own side. */
static void test_half_closed_still_gets_its_answers(void **state)
{
    struct application *application = *state;
    static struct answer answer;
    set_holding(application, true);
    int fd = dial(application), two = dial(application);
    put_text(fd, "GET /later/1 HTTP/1.1\r\nHost: h\r\n\r\n");
    shutdown(fd, SHUT_WR);
    put_text(two, "GET /later/2 HTTP/1.1\r\nHost: h\r\n\r\nGET /bye HTTP/1.1\r\nHost: h\r\n\r\n");
    shutdown(two, SHUT_WR);
    wait_for_handled(application, 2);
    usleep(20000); /* so that the ends have been seen */
    set_holding(application, false);
    get(fd, &answer, true);
    assert_string_equal(answer.body, "GET|/later/1||1|0|");
    assert_true(answer.closed);
    get(two, &answer, false);
    assert_non_null(strstr(answer.text, "GET|/later/2||1|0|"));
    if (!strstr(answer.text, "/bye"))
        get(two, &answer, false);
    assert_non_null(strstr(answer.text, "GET|/bye||1|0|"));
    close(fd);
    close(two);
}

static void test_large_answer_to_a_slow_reader(void **state)
{
    int fd = dial(*state), gone = dial(*state), small = 64 * 1024;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    put_text(gone, "GET /large HTTP/1.1\r\nHost: h\r\n\r\n");
    put_text(fd, "GET /large HTTP/1.1\r\nHost: h\r\n\r\nGET /bye HTTP/1.1\r\nHost: h\r\n\r\n");
    wait_for_handled(*state, 2);
    reset(gone); /* in the middle of its answer */
    size_t len = drink(fd, NULL, 8192);
    assert_in_range(len, LARGE_LEN + 200, LARGE_LEN + 1000); /* both answers */
    wait_for_handled(*state, 3);
    close(fd);
}

struct leaver {
    struct application *application;
    unsigned seed;
};

/* Asks, and leaves at any time in any way, while answers come from another thread. */
static void *leave_at_random(void *argument)
{
    struct leaver *leaver = argument;
    for (int i = 0; i < 200; i++) {
        int fd = dial(leaver->application);
        put_text(fd, rand_r(&leaver->seed) % 2
                         ? "POST /later HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx"
                           "GET /large HTTP/1.1\r\nHost: h\r\n\r\n"
                         : "POST /later HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked"
                           "\r\n\r\n1\r\nx\r\n0\r\n\r\nGET /later HTT");
        for (int k = rand_r(&leaver->seed) % 200; k > 0; k--)
            sched_yield();
        if (rand_r(&leaver->seed) % 2)
            reset(fd);
        else
            close(fd);
    }
    return NULL;
}

static void test_clients_leave_at_random(void **state)
{
    struct leaver leavers[4];
    pthread_t threads[4];
    static struct answer answer;
    for (unsigned i = 0; i < 4; i++) {
        leavers[i] = (struct leaver){.application = *state, .seed = i + 1};
        pthread_create(&threads[i], NULL, leave_at_random, &leavers[i]);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    /* The listener may not have seen yet that they left, and send away who comes as one too many. */
    for (int tries = 0; answer.status != 200; tries++) {
        int fd = dial(*state);
        ask(fd, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n", &answer);
        close(fd);
        assert_true(answer.status == 200 || (answer.status == 0 && tries < 1000));
        usleep(answer.status == 200 ? 0 : 10 * 1000);
    }
}

/* ---- the end, in every stage ---- */

static const char *const stages[] = {
    "",
    "G",
    "GET /a HTTP/1.1\r\n",
    "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nx",
    "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe",
    "POST /closed HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n", /* lingers */
    "GET /later HTTP/1.1\r\nHost: h\r\n\r\nGET /a HTTP/1.1\r\nHost: h\r\n\r\n",
    "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"};
enum { STAGES = sizeof stages / sizeof *stages };

static void test_closed_in_every_stage(void **state)
{
    for (int quiesced = 0; quiesced < 2; quiesced++) {
        struct application *application = rig_open(rig_config());
        int fds[STAGES];
        set_holding(application, true);
        for (int i = 0; i < STAGES; i++) {
            fds[i] = dial(application);
            put_text(fds[i], stages[i]);
        }
        wait_for_handled(application, 2);
        wait_for_refused(application, 1);
        if (quiesced)
            listener_quiesce(application->listener);
        rig_close(application);
        for (int i = 0; i < STAGES; i++)
            close(fds[i]);
    }
}

/* Bodies that become complete while the listener closes: handed over, and waited for, or not handed over. */
static void *finish_bodies(void *argument)
{
    const int *fds = argument;
    for (int i = 0; i < 64; i++)
        put_text(fds[i], "x");
    return NULL;
}

static void test_closed_while_bodies_end(void **state)
{
    for (int round = 0; round < 20; round++) {
        struct application *application = rig_open(rig_config());
        int fds[64];
        pthread_t thread;
        for (int i = 0; i < 64; i++) {
            fds[i] = dial(application);
            put_text(fds[i], "POST /later HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n");
        }
        pthread_create(&thread, NULL, finish_bodies, fds);
        usleep((useconds_t)round * 50);
        rig_close(application);
        pthread_join(thread, NULL);
        for (int i = 0; i < 64; i++)
            close(fds[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_client_leaves_before_the_answer, rig_start, rig_stop),
        cmocka_unit_test_setup_teardown(test_quiesced, rig_start, rig_stop),
        cmocka_unit_test_setup_teardown(test_pipelined_behind_one_that_waits, rig_start, rig_stop),
        cmocka_unit_test_setup_teardown(test_half_closed_still_gets_its_answers, rig_start, rig_stop),
        cmocka_unit_test_setup_teardown(test_large_answer_to_a_slow_reader, rig_start, rig_stop),
        cmocka_unit_test_setup_teardown(test_clients_leave_at_random, rig_start, rig_stop),
        cmocka_unit_test(test_closed_in_every_stage),
        cmocka_unit_test(test_closed_while_bodies_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
