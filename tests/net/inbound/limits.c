/*
 * The listener's limits: of heads, of bodies, of time, of connections, of descriptors.
 */
#include "listener_rig.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define HOST "Host: h\r\n"

/* A request whose target or headers have a given size. */
static char *make_request(size_t target_len, int header_count, size_t value_len)
{
    char *text = malloc(target_len + (size_t)header_count * (value_len + 16) + 128), *at = text;
    at += sprintf(at, "GET /");
    memset(at, 'a', target_len - 1);
    at += target_len - 1;
    at += sprintf(at, " HTTP/1.1\r\nHost: h\r\n");
    for (int i = 1; i < header_count; i++) {
        at += sprintf(at, "X-%d: ", i);
        memset(at, 'v', value_len);
        at += value_len;
        at += sprintf(at, "\r\n");
    }
    sprintf(at, "\r\n");
    return text;
}

static int status_of(struct application *application, char *request)
{
    static struct answer answer;
    int fd = dial(application);
    put_text(fd, request);
    get(fd, &answer, true);
    close(fd);
    free(request);
    return answer.status;
}

static int status_kept(struct application *application, char *request)
{
    static struct answer answer;
    int fd = dial(application);
    ask(fd, request, &answer);
    int status = answer.status;
    /* And the connection still serves. */
    ask(fd, "GET /again HTTP/1.1\r\nHost: h\r\n\r\n", &answer);
    assert_int_equal(answer.status, 200);
    close(fd);
    free(request);
    return status;
}

static void test_head_limits(void **state)
{
    struct application *application = *state;
    assert_int_equal(status_kept(application, make_request(8000, 2, 10)), 200);
    assert_int_equal(status_of(application, make_request(8200, 2, 10)), 414);
    assert_int_equal(status_of(application, make_request(300000, 2, 10)), 414);
    assert_int_equal(status_kept(application, make_request(10, 100, 10)), 200);
    assert_int_equal(status_of(application, make_request(10, 101, 10)), 431);
    assert_int_equal(status_of(application, make_request(10, 5000, 10)), 431);
    assert_int_equal(status_kept(application, make_request(10, 32, 1000)), 200);
    assert_int_equal(status_of(application, make_request(10, 34, 1000)), 431);
    assert_int_equal(status_kept(application, make_request(10, 2, 32000)), 200);
    assert_int_equal(status_of(application, make_request(10, 2, 33000)), 431);
    assert_int_equal(status_of(application, make_request(10, 2, 300000)), 431);
    assert_int_equal(status_kept(application, make_request(8100, 100, 310)), 200);
}

static void test_body_limits(void **state)
{
    struct application *application = *state;
    static struct answer answer;
    static char big[BODY_MAX];
    char head[128];
    memset(big, 'b', sizeof big);

    int fd = dial(application);
    put(fd, head,
        (size_t)sprintf(head, "POST /a HTTP/1.1\r\n" HOST "Content-Length: %d\r\n\r\n", (int)BODY_MAX));
    put(fd, big, sizeof big);
    get(fd, &answer, false);
    assert_string_equal(answer.body, "POST|/a||2|65536|...");
    /* The same in chunks of 8 KiB. */
    put(fd, head,
        (size_t)sprintf(head, "POST /later HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"));
    for (int i = 0; i < 8; i++) {
        put(fd, "2000\r\n", 6);
        put(fd, big, 0x2000);
        put(fd, "\r\n", 2);
    }
    put(fd, "0\r\n\r\n", 5);
    get(fd, &answer, false);
    assert_string_equal(answer.body, "POST|/later||2|65536|...");
    close(fd);

    /* At once: nothing of the body has been sent. */
    fd = dial(application);
    put(fd, head, (size_t)sprintf(head, "POST /a HTTP/1.1\r\n" HOST "Content-Length: 9999999\r\n\r\n"));
    get(fd, &answer, true);
    assert_int_equal(answer.status, 413);
    close(fd);
    /* At once, as soon as the sum passes: the last chunk never comes. */
    fd = dial(application);
    put(fd, head, (size_t)sprintf(head, "POST /a HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"));
    for (int i = 0; i < 9; i++) {
        put(fd, "2000\r\n", 6);
        put(fd, big, 0x2000);
        put(fd, "\r\n", 2);
    }
    get(fd, &answer, false);
    assert_int_equal(answer.status, 413);
    assert_string_equal(answer.body, "refused 413");
    close(fd);
    assert_int_equal(application->handled, 2);
}

static int start_small(void **state)
{
    struct listener_config config = rig_config();
    config.threads = 1;
    config.connections_max = 4;
    *state = rig_open(config);
    return 0;
}

static int start_impatient(void **state)
{
    struct listener_config config = rig_config();
    config.head_ms_max = 200;
    config.body_ms_max = 600;
    *state = rig_open(config);
    return 0;
}

static void test_oldest_idle_goes(void **state)
{
    struct application *application = *state;
    static struct answer answer;
    int fds[8];
    for (int i = 0; i < 8; i++) {
        fds[i] = dial(application);
        ask(fds[i], "GET /a HTTP/1.1\r\nHost: h\r\n\r\n", &answer);
        assert_int_equal(answer.status, 200);
    }
    /* The first four have been closed, the last four serve on. */
    for (int i = 0; i < 4; i++) {
        struct pollfd readable = {.fd = fds[i], .events = POLLIN};
        char byte;
        assert_int_equal(poll(&readable, 1, 10000), 1);
        assert_int_equal(recv(fds[i], &byte, 1, 0), 0);
    }
    for (int i = 4; i < 8; i++) {
        ask(fds[i], "GET /a HTTP/1.1\r\nHost: h\r\n\r\n", &answer);
        assert_int_equal(answer.status, 200);
    }
    for (int i = 0; i < 8; i++)
        close(fds[i]);
}

/* Those who have been told to go, and stay, take nobody's place. */
static void test_lingering_goes_first(void **state)
{
    static struct answer answer;
    int fds[3], idle = dial(*state);
    ask(idle, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n", &answer);
    for (int i = 0; i < 3; i++) {
        fds[i] = dial(*state);
        ask(fds[i], "POST /closed HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n", &answer);
        assert_int_equal(answer.status, 401);
    }
    for (int i = 0; i < 3; i++) {
        int fd = dial(*state);
        put_text(fd, "GET /bye HTTP/1.1\r\nHost: h\r\n\r\n");
        get(fd, &answer, true);
        assert_int_equal(answer.status, 200);
        close(fds[i]);
        fds[i] = fd;
    }
    ask(idle, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n", &answer);
    assert_int_equal(answer.status, 200);
    for (int i = 0; i < 3; i++)
        close(fds[i]);
    close(idle);
}

enum { CROWD = 60 }; /* of a listener that takes four */

/* 8.25: one client's connections with a byte each keep nobody out, neither at its own address nor elsewhere;
 * and those who wait between two requests elsewhere stay. */
static void test_a_crowd_of_one(void **state)
{
    static struct answer answer;
    int fds[CROWD], idle = dial_from(*state, "127.0.0.9");
    ask(idle, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n", &answer);
    for (int i = 0; i < CROWD; i++) {
        fds[i] = dial_from(*state, "127.0.0.2");
        put_text(fds[i], i % 3 == 0   ? ""
                         : i % 3 == 1 ? "G"
                                      : "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n1");
    }
    for (int i = 0; i < 20; i++) {
        char address[16];
        snprintf(address, sizeof address, "127.0.0.%d", i % 2 ? 2 : 10 + i);
        int fd = dial_from(*state, address);
        put_text(fd, "GET /bye HTTP/1.1\r\nHost: h\r\n\r\n");
        get(fd, &answer, true);
        assert_int_equal(answer.status, 200);
        close(fd);
    }
    ask(idle, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n", &answer);
    assert_int_equal(answer.status, 200);
    for (int i = 0; i < CROWD; i++)
        close(fds[i]);
    close(idle);
}

/* 8.25: of two crowds of about one size that have only just come, the one that came first makes room. */
static void test_a_crowd_that_came_first(void **state)
{
    static struct answer answer;
    int fds[5];
    for (int i = 0; i < 5; i++)
        fds[i] = dial_from(*state, i < 2 ? "127.0.0.2" : "127.0.0.3");
    for (int i = 2; i < 5; i++) {
        ask(fds[i], "GET /a HTTP/1.1\r\nHost: h\r\n\r\n", &answer);
        assert_int_equal(answer.status, 200);
    }
    for (int i = 0; i < 5; i++)
        close(fds[i]);
}

/* 8.25: nor do those who never read their answer. */
static void test_a_crowd_that_never_reads(void **state)
{
    static struct answer answer;
    int fds[8];
    for (int i = 0; i < 8; i++) {
        fds[i] = dial_from(*state, "127.0.0.2");
        put_text(fds[i], "GET /large HTTP/1.1\r\nHost: h\r\n\r\n");
    }
    for (int i = 0; i < 20; i++) {
        int fd = dial_from(*state, i % 2 ? "127.0.0.2" : "127.0.0.3");
        put_text(fd, "GET /bye HTTP/1.1\r\nHost: h\r\n\r\n");
        get(fd, &answer, true);
        assert_int_equal(answer.status, 200);
        close(fd);
    }
    for (int i = 0; i < 8; i++)
        close(fds[i]);
}

/* Absolute deadlines: however little comes how often, it is over after so long of head or of body. */
static void test_slow_senders(void **state)
{
    struct application *application = *state;
    static struct answer answer;
    set_holding(application, true);
    int line = dial(application), head = dial(application), body = dial(application);
    int handled = dial(application), idle = dial(application);
    put_text(head, "GET /a HTTP/1.1\r\nHost: h\r\n");
    put_text(body, "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nx");
    put_text(handled, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
    put_text(line, "GET /a");
    wait_for_handled(application, 1);
    put_text(head, "X: y\r\n");
    get(head, &answer, true);
    assert_int_equal(answer.status, 408);
    assert_string_equal(answer.body, "refused 408");
    assert_true(answer.closed);
    put_text(body, "x");
    get(body, &answer, true);
    assert_int_equal(answer.status, 408);
    get(line, &answer, true);
    assert_int_equal(answer.status, 408);
    /* Ours is the delay here: no deadline of the client's. */
    set_holding(application, false);
    get(handled, &answer, false);
    assert_int_equal(answer.status, 201);
    int fds[] = {line, head, body, handled, idle};
    for (int i = 0; i < 5; i++)
        close(fds[i]);
}

/* ---- no descriptors ---- */

static atomic_bool no_descriptors;
static atomic_int attempts;

/* The linker puts this in the place of accept4. */
int __real_accept4(int fd, struct sockaddr *address, socklen_t *len, int flags);
int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *len, int flags);
int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *len, int flags)
{
    atomic_fetch_add(&attempts, 1);
    if (!atomic_load(&no_descriptors))
        return __real_accept4(fd, address, len, flags);
    errno = EMFILE;
    return -1;
}

static void wait_for_attempts(int count)
{
    for (int i = 0; i < 20000 && atomic_load(&attempts) < count; i++)
        usleep(1000);
    assert_true(atomic_load(&attempts) >= count);
}

/* It waits, says so once, serves those it has, and takes the others in afterwards. */
static void test_no_descriptors(void **state)
{
    int ends[2], fds[5];
    static struct answer answer;
    char text[4096];
    assert_int_equal(pipe(ends), 0);
    struct listener_config config = rig_config();
    config.log = log_open(ends[1], LOG_LEVEL_INFO, false, clock_system());
    struct application *application = rig_open(config);
    int here = dial(application);
    ask(here, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n", &answer);
    atomic_store(&no_descriptors, true);
    atomic_store(&attempts, 0);
    for (int i = 0; i < 5; i++) {
        fds[i] = dial(application); /* the kernel's queue takes it */
        put_text(fds[i], "GET /b HTTP/1.1\r\nHost: h\r\n\r\n");
    }
    wait_for_attempts(5);
    usleep(100 * 1000);
    assert_true(atomic_load(&attempts) < 100); /* a busy loop would have made thousands */
    ask(here, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n", &answer);
    assert_int_equal(answer.status, 200);
    atomic_store(&no_descriptors, false);
    for (int i = 0; i < 5; i++) {
        get(fds[i], &answer, false);
        assert_int_equal(answer.status, 200);
        close(fds[i]);
    }
    close(here);
    /* Shut again, and closed in that state. */
    atomic_store(&no_descriptors, true);
    atomic_store(&attempts, 0);
    here = dial(application);
    wait_for_attempts(2);
    rig_close(application);
    atomic_store(&no_descriptors, false);
    close(here);
    log_close(config.log);
    close(ends[1]);
    ssize_t len = read(ends[0], text, sizeof text - 1);
    text[len > 0 ? len : 0] = '\0';
    const char *first = strstr(text, "cannot accept");
    assert_non_null(first);
    assert_null(strstr(first + 1, "cannot accept"));
    close(ends[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_head_limits, rig_start, rig_stop),
        cmocka_unit_test_setup_teardown(test_body_limits, rig_start, rig_stop),
        cmocka_unit_test_setup_teardown(test_oldest_idle_goes, start_small, rig_stop),
        cmocka_unit_test_setup_teardown(test_lingering_goes_first, start_small, rig_stop),
        cmocka_unit_test_setup_teardown(test_a_crowd_of_one, start_small, rig_stop),
        cmocka_unit_test_setup_teardown(test_a_crowd_that_came_first, start_small, rig_stop),
        cmocka_unit_test_setup_teardown(test_a_crowd_that_never_reads, start_small, rig_stop),
        cmocka_unit_test_setup_teardown(test_slow_senders, start_impatient, rig_stop),
        cmocka_unit_test(test_no_descriptors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
