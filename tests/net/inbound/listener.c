/*
 * The listener, spoken to with raw bytes: well-framed requests are answered, now or later, from any thread.
 */
#include "listener_rig.h"
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

static void test_answers_now_and_later(void **state)
{
    struct application *application = *state;
    static struct answer answer;
    int fd = dial(application);
    ask(fd, "GET /a?x=1&y=%20 HTTP/1.1\r\nHost: h\r\n\r\n", &answer);
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.body, "GET|/a|x=1&y=%20|1|0|");
    assert_non_null(find_header(&answer, "\r\nDate:"));
    assert_null(find_header(&answer, "\r\nServer:"));
    assert_null(find_header(&answer, "\r\nConnection:"));
    for (int i = 0; i < 20; i++) { /* one kept-alive connection */
        ask(fd, "POST /later HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello", &answer);
        assert_int_equal(answer.status, 201);
        assert_string_equal(answer.body, "POST|/later||2|5|hello");
    }
    close(fd);
}

static void test_target_stays_raw(void **state)
{
    static struct answer answer;
    int fd = dial(*state);
    ask(fd, "GET /a%2Fb/%2e%2e//c;d?x=1&y=&z=%zz+a=b HTTP/1.1\r\nHost: h\r\n\r\n", &answer);
    assert_string_equal(answer.body, "GET|/a%2Fb/%2e%2e//c;d|x=1&y=&z=%zz+a=b|1|0|");
    ask(fd, "GET http://example.com/p?q HTTP/1.1\r\nHost: h\r\n\r\n", &answer);
    assert_string_equal(answer.body, "GET|/p|q|1|0|");
    ask(fd, "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", &answer);
    assert_string_equal(answer.body, "OPTIONS|*||1|0|");
    close(fd);
}

static void test_body_in_pieces(void **state)
{
    static struct answer answer;
    const char *request = "POST /later HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\nhello world";
    int fd = dial(*state);
    for (const char *c = request; *c; c++)
        put(fd, c, 1);
    get(fd, &answer, false);
    assert_string_equal(answer.body, "POST|/later||2|11|hello world");
    ask(fd,
        "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
        "5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nTrailer: t\r\n\r\n",
        &answer);
    assert_string_equal(answer.body, "POST|/a||2|11|hello world");
    /* Two at once. */
    ask(fd, "GET /one HTTP/1.1\r\nHost: h\r\n\r\nGET /two HTTP/1.1\r\nHost: h\r\n\r\n", &answer);
    assert_non_null(strstr(answer.text, "GET|/one||1|0|"));
    if (!strstr(answer.text, "/two"))
        get(fd, &answer, false);
    assert_non_null(strstr(answer.text, "GET|/two||1|0|"));
    close(fd);
}

/* It is read where it stays, and the request behind it is not. */
static void test_large_body(void **state)
{
    enum { BODY_LEN = 60000, HEAD_LEN = 56, PIECE_LEN = 4321 };
    static struct answer answer;
    static char request[HEAD_LEN + BODY_LEN + 64];
    static const char head[] = "POST /whole HTTP/1.1\r\nHost: h\r\nContent-Length: 60000\r\n\r\n";
    static const char next[] = "GET /next HTTP/1.1\r\nHost: h\r\n\r\n";
    int fd = dial(*state);
    assert_int_equal(strlen(head), HEAD_LEN);
    memcpy(request, head, HEAD_LEN);
    for (int i = 0; i < BODY_LEN; i++)
        request[HEAD_LEN + i] = (char)('a' + i * 7 / 100 % 26);
    memcpy(request + HEAD_LEN + BODY_LEN, next, sizeof next);
    size_t len = HEAD_LEN + BODY_LEN + strlen(next);
    for (size_t at = 0; at < len; at += PIECE_LEN)
        put(fd, request + at, len - at < PIECE_LEN ? len - at : PIECE_LEN);
    get(fd, &answer, false);
    const char *body = strstr(answer.body, "|60000|");
    assert_non_null(body);
    assert_memory_equal(body + strlen("|60000|"), request + HEAD_LEN, BODY_LEN);
    if (!strstr(answer.text, "/next"))
        get(fd, &answer, false);
    assert_non_null(strstr(answer.text, "GET|/next||1|0|"));
    close(fd);
}

static void test_continue(void **state)
{
    static struct answer answer;
    int fd = dial(*state);
    ask(fd, "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n", &answer);
    assert_int_equal(answer.status, 100);
    ask(fd, "ok", &answer);
    assert_int_equal(answer.status, 200);
    /* A refusal comes instead. */
    ask(fd, "POST /closed HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n", &answer);
    assert_int_equal(answer.status, 401);
    close(fd);
}

static void test_close_and_http_1_0(void **state)
{
    static struct answer answer;
    int fd = dial(*state);
    put_text(fd, "GET /bye HTTP/1.1\r\nHost: h\r\n\r\n");
    get(fd, &answer, true);
    assert_int_equal(answer.status, 200);
    assert_non_null(find_header(&answer, "\r\nConnection: close"));
    assert_true(answer.closed);
    close(fd);
    fd = dial(*state);
    put_text(fd, "GET /a HTTP/1.0\r\n\r\n");
    get(fd, &answer, true);
    assert_int_equal(answer.status, 200);
    assert_true(answer.closed);
    close(fd);
    fd = dial(*state);
    put_text(fd, "HEAD /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    get(fd, &answer, true);
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.body, "");
    close(fd);
}

static void test_absolute_form(void **state)
{
    static struct answer answer;
    int fd = dial(*state);
    ask(fd, "GET HTTPS://user.example:8443/p/?q=/x HTTP/1.1\r\nHost: h\r\n\r\n", &answer);
    assert_string_equal(answer.body, "GET|/p/|q=/x|1|0|");
    ask(fd, "GET http://[::1]:80 HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", &answer);
    assert_string_equal(answer.body, "GET|/||1|0|");
    ask(fd, "GET / HTTP/1.1\r\nHost:\r\n\r\n", &answer); /* RFC 9112 section 3.2: it may be empty */
    assert_int_equal(answer.status, 200);
    close(fd);
}

/* What has no body must not look as if it had: the next answer would begin in the wrong place. */
static void test_answers_without_body(void **state)
{
    static struct answer answer;
    static const char *const requests[] = {"GET /status/204 HTTP/1.1\r\nHost: h\r\n\r\n",
                                           "GET /status/304 HTTP/1.1\r\nHost: h\r\n\r\n"};
    int fd = dial(*state);
    for (int i = 0; i < 2; i++) {
        ask(fd, requests[i], &answer);
        assert_int_equal(answer.status, i == 0 ? 204 : 304);
        assert_null(find_header(&answer, "\r\nContent-Length:"));
        assert_string_equal(answer.body, "");
        ask(fd, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n", &answer);
        assert_int_equal(answer.status, 200);
    }
    put_text(fd, "HEAD /a HTTP/1.1\r\nHost: h\r\n\r\nGET /b HTTP/1.0\r\n\r\n");
    get(fd, &answer, true);
    assert_non_null(find_header(&answer, "\r\nContent-Length: 13\r\n"));
    close(fd);
}

static void test_http_1_0_kept_alive(void **state)
{
    static struct answer answer;
    int fd = dial(*state);
    for (int i = 0; i < 3; i++) {
        ask(fd,
            "POST /later HTTP/1.0\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\nExpect: "
            "100-continue\r\n\r\nhi",
            &answer);
        assert_int_equal(answer.status, 201);
        assert_non_null(find_header(&answer, "\r\nConnection: keep-alive"));
    }
    put_text(fd, "GET /a HTTP/1.1\r\nHost: h\r\nConnection: keep-alive , Close\r\n\r\n");
    get(fd, &answer, true);
    assert_true(answer.closed);
    close(fd);
}

/* ---- threads ---- */

struct crowd {
    struct application *application;
    atomic_int good;
};

static void *crowd_member(void *argument)
{
    struct crowd *crowd = argument;
    struct answer *answer = malloc(sizeof *answer);
    int fd = dial(crowd->application);
    for (int i = 0; i < 100; i++) {
        ask(fd,
            i % 3 ? "POST /later/x HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
                  : "POST /now HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc",
            answer);
        if (answer->status == (i % 3 ? 201 : 200) && strstr(answer->body, "|3|abc"))
            atomic_fetch_add(&crowd->good, 1);
    }
    close(fd);
    free(answer);
    return NULL;
}

static void test_many_at_once(void **state)
{
    struct crowd crowd = {.application = *state};
    pthread_t threads[16];
    for (int i = 0; i < 16; i++)
        pthread_create(&threads[i], NULL, crowd_member, &crowd);
    for (int i = 0; i < 16; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(crowd.good, 1600);
}

/* ---- wake-ups ---- */

enum { HELD = 20 };

static atomic_int wakes;
int __real_eventfd_write(int fd, eventfd_t value);
int __wrap_eventfd_write(int fd, eventfd_t value);

int __wrap_eventfd_write(int fd, eventfd_t value)
{
    atomic_fetch_add(&wakes, 1);
    return __real_eventfd_write(fd, value);
}

struct held {
    struct listener_request *requests[HELD];
    atomic_int count;
    atomic_bool busy, go_on;
};

static void hold(void *ctx, struct listener_request *request)
{
    struct held *held = ctx;
    if (bytes_equal_text(request->path, "/busy")) {
        atomic_store(&held->busy, true);
        while (!atomic_load(&held->go_on))
            usleep(1000);
        listener_answer(request, &(struct listener_reply){.status = 204});
        return;
    }
    held->requests[atomic_load(&held->count)] = request;
    atomic_fetch_add(&held->count, 1);
}

/* A system exchange an answer, if each woke the loop, which has been told by the first. */
static void test_answers_that_come_together_wake_the_loop_once(void **state)
{
    static struct answer answer;
    struct held held = {.count = 0};
    struct listener_config config = rig_config();
    config.threads = 1;
    config.handle = hold;
    config.ctx = &held;
    struct listener *listener;
    assert_int_equal(listener_open(&config, &listener), LISTENER_OK);
    struct application place = {.listener = listener};
    int fds[HELD + 1];
    for (int i = 0; i <= HELD; i++) {
        fds[i] = dial(&place);
        put_text(fds[i], i < HELD ? "GET /held HTTP/1.1\r\nHost: h\r\n\r\n"
                                  : "GET /busy HTTP/1.1\r\nHost: h\r\n\r\n");
        while (i < HELD ? atomic_load(&held.count) <= i : !atomic_load(&held.busy))
            usleep(1000);
    }
    int before = atomic_load(&wakes);
    for (int i = 0; i < HELD; i++)
        listener_answer(held.requests[i], &(struct listener_reply){.status = 204});
    assert_int_equal(atomic_load(&wakes) - before, 1);
    atomic_store(&held.go_on, true);
    for (int i = 0; i <= HELD; i++) {
        get(fds[i], &answer, false);
        assert_int_equal(answer.status, 204);
        close(fds[i]);
    }
    listener_close(listener);
}

/* ---- where it listens ---- */

static void test_addresses(void **state)
{
    struct listener_config config = rig_config();
    static const char *const wrong[] = {"",
                                        "8080",
                                        "127.0.0.1",
                                        "127.0.0.1:",
                                        "127.0.0.1:65536",
                                        "::1:80",
                                        ":x",
                                        "203.0.113.9:0",
                                        "[]:0",
                                        "[::1:0",
                                        "*:0",
                                        "http://127.0.0.1:0",
                                        "[fe80::1]:0",
                                        "[::ffff:203.0.113.9]:0"};
    struct listener *listener, *second;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        config.listen = wrong[i];
        assert_int_equal(listener_open(&config, &listener), LISTENER_BAD_ADDRESS);
    }
    config.listen = ":0";
    assert_int_equal(listener_open(&config, &listener), LISTENER_OK);
    listener_close(listener);
    config.listen = "127.0.0.1:0";
    assert_int_equal(listener_open(&config, &listener), LISTENER_OK);
    assert_int_equal(strncmp(listener_address(listener), "127.0.0.1:", 10), 0);
    assert_string_not_equal(listener_address(listener), "127.0.0.1:0");
    /* Other spellings of it. */
    char spelled[96];
    snprintf(spelled, sizeof spelled, "[::ffff:127.0.0.1]%s", strchr(listener_address(listener), ':'));
    config.listen = spelled;
    assert_int_equal(listener_open(&config, &second), LISTENER_IN_USE);
    config.listen = "[::ffff:127.0.0.1]:0";
    assert_int_equal(listener_open(&config, &second), LISTENER_OK);
    assert_int_equal(strncmp(listener_address(second), "127.0.0.1:", 10), 0);
    listener_close(second);
    config.listen = listener_address(listener);
    assert_int_equal(listener_open(&config, &second), LISTENER_IN_USE);
    listener_close(listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_answers_now_and_later, rig_start, rig_stop),
        cmocka_unit_test_setup_teardown(test_target_stays_raw, rig_start, rig_stop),
        cmocka_unit_test_setup_teardown(test_body_in_pieces, rig_start, rig_stop),
        cmocka_unit_test_setup_teardown(test_large_body, rig_start, rig_stop),
        cmocka_unit_test_setup_teardown(test_continue, rig_start, rig_stop),
        cmocka_unit_test_setup_teardown(test_close_and_http_1_0, rig_start, rig_stop),
        cmocka_unit_test_setup_teardown(test_absolute_form, rig_start, rig_stop),
        cmocka_unit_test_setup_teardown(test_answers_without_body, rig_start, rig_stop),
        cmocka_unit_test_setup_teardown(test_http_1_0_kept_alive, rig_start, rig_stop),
        cmocka_unit_test_setup_teardown(test_many_at_once, rig_start, rig_stop),
        cmocka_unit_test(test_answers_that_come_together_wake_the_loop_once),
        cmocka_unit_test(test_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
