/*
 * The sender against receivers that misbehave (posthorn-delivery(7), "Receivers"): each must end in its own
 * verdict, on a fresh connection and on a kept-alive one, over http and https.
 */
#include "scene.h"
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
/* after the four above */
#include <cmocka.h>

#define OK_ANSWER "HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok"

enum {
    FRESH = 1,
    REUSED = 2,
    HTTP = 4,
    HTTPS = 8,
    EVERYWHERE = FRESH | REUSED | HTTP | HTTPS,
    FRESH_ONLY = FRESH | HTTP | HTTPS, /* what must pass a limit, so that no other exchange can */
    INCOMPLETE = 16,                   /* the body is marked so */
    LARGE = 32,                        /* a request body no socket buffer takes */
    SMALL_WINDOW = 64
};

struct play {
    const char *name;
    const char *script; /* after `accept` */
    unsigned how;
    enum failure failure;
    int status;
    struct sender_limits limits; /* those that are not 0 */
};

static const struct play plays[] = {
    {"answers", "request; send \"" OK_ANSWER "\"", EVERYWHERE, FAILURE_NONE, 200},
    {"answers at the end of the headers", "request; send \"HTTP/1.0 200 OK\\r\\n\\r\\n\"; close", EVERYWHERE,
     FAILURE_NONE, 200},
    {"answers byte by byte", "request; send \"" OK_ANSWER "\" every 1 ms", EVERYWHERE, FAILURE_NONE, 200},
    {"201", "request; send \"HTTP/1.1 201 Created\\r\\nContent-Length: 0\\r\\n\\r\\n\"", EVERYWHERE,
     FAILURE_NONE, 201},
    {"204", "request; send \"HTTP/1.1 204 No Content\\r\\n\\r\\n\"", EVERYWHERE, FAILURE_NONE, 204},
    {"302",
     "request; send \"HTTP/1.1 302 F\\r\\nLocation: http://127.0.0.1:1/\\r\\nContent-Length: 0\\r\\n\\r\\n\"",
     EVERYWHERE, FAILURE_NONE, 302},
    {"500", "request; send \"HTTP/1.1 500 Oops\\r\\nContent-Length: 0\\r\\n\\r\\n\"", EVERYWHERE,
     FAILURE_NONE, 500},
    {"999", "request; send \"HTTP/1.1 999 Oops\\r\\nContent-Length: 0\\r\\n\\r\\n\"", EVERYWHERE,
     FAILURE_NONE, 999},
    {"407, Alt-Svc, HSTS, cookies",
     "request; send \"HTTP/1.1 407 P\\r\\nProxy-Authenticate: Basic\\r\\nSet-Cookie: a=b\\r\\nAlt-Svc: "
     "h3=\\\":1\\\"\\r\\n"
     "Strict-Transport-Security: max-age=1\\r\\nContent-Length: 0\\r\\n\\r\\n\"",
     EVERYWHERE, FAILURE_NONE, 407},

    {"half-closes at once", "fin; await", FRESH | HTTP | HTTPS, FAILURE_CLOSED_EARLY},
    {"closes after the request", "request; close", EVERYWHERE, FAILURE_CLOSED_EARLY},
    {"half-closes after the request", "request; fin; await", EVERYWHERE, FAILURE_CLOSED_EARLY},
    {"resets after the request", "request; rst", EVERYWHERE, FAILURE_RESET},
    {"says goodbye after the request", "request; goodbye; await", FRESH | REUSED | HTTPS,
     FAILURE_CLOSED_EARLY},
    {"silence", "request; silence", FRESH_ONLY, FAILURE_HEADER_TIMEOUT, 0, {.header_ms = 100}},
    {"silence, and the attempt's own limit",
     "request; silence",
     FRESH_ONLY,
     FAILURE_TIMEOUT,
     0,
     {.attempt_ms = 300}},
    {"headers one byte at a time",
     "request; send \"HTTP/1.1 200 OK\\r\\nX: yyyyyyyyyyyyyyyyyyyy\" every 20 ms; silence",
     FRESH_ONLY,
     FAILURE_HEADER_TIMEOUT,
     0,
     {.header_ms = 200}},
    {"200 OK, then reset", "request; send \"HTTP/1.1 200 OK\\r\\n\"; rst", EVERYWHERE,
     FAILURE_TRUNCATED_HEADERS},
    {"200 OK, then end", "request; send \"HTTP/1.1 200 OK\\r\\nX: y\\r\\n\"; close", EVERYWHERE,
     FAILURE_TRUNCATED_HEADERS},
    {"endless status line", "request; send \"HTTP/1.1 200 \"; send \"aaaaaaaaaaaaaaaa\" forever", EVERYWHERE,
     FAILURE_HEADERS_TOO_LARGE},
    {"10,000 fields",
     "request; send \"HTTP/1.1 200 OK\\r\\n\"; send \"X: y\\r\\n\" 10000 times; send \"\\r\\n\"", EVERYWHERE,
     FAILURE_HEADERS_TOO_LARGE},
    {"a line of 1 MiB",
     "request; send \"HTTP/1.1 200 OK\\r\\nX: \"; send \"yyyyyyyyyyyyyyyy\" 65536 times; send "
     "\"\\r\\n\\r\\n\"",
     EVERYWHERE, FAILURE_HEADERS_TOO_LARGE},
    {"NUL", "request; send \"HTTP/1.1 200 OK\\r\\nX: \\0\\r\\n\\r\\n\"; await", EVERYWHERE,
     FAILURE_BAD_RESPONSE},
    {"bare LF", "request; send \"HTTP/1.1 200 OK\\n\\n\"; await", EVERYWHERE, FAILURE_BAD_RESPONSE},
    {"8.16: a folded line",
     "request; send \"HTTP/1.1 200 OK\\r\\nX: a\\r\\n b\\r\\nContent-Length: 0\\r\\n\\r\\n\"; await",
     EVERYWHERE, FAILURE_NONE, 200},
    {"8.16: no space behind 200", "request; send \"HTTP/1.1 200\\r\\nContent-Length: 0\\r\\n\\r\\n\"; await",
     EVERYWHERE, FAILURE_NONE, 200},
    {"20", "request; send \"HTTP/1.1 20 OK\\r\\n\\r\\n\"; await", EVERYWHERE, FAILURE_BAD_RESPONSE},
    {"ICY", "request; send \"ICY 200 OK\\r\\n\\r\\n\"; await", EVERYWHERE, FAILURE_BAD_RESPONSE},
    {"a TLS alert on http", "request; send \"\\x15\\x03\\x01\\0\\x02\\x02\\x46\"; await", FRESH | HTTP,
     FAILURE_BAD_RESPONSE},
    {"endless interim answers", "request; send \"HTTP/1.1 100 Continue\\r\\n\\r\\n\" forever", EVERYWHERE,
     FAILURE_BAD_RESPONSE},
    {"101", "request; send \"HTTP/1.1 101 Switching\\r\\nUpgrade: h2c\\r\\n\\r\\n\"; await", EVERYWHERE,
     FAILURE_BAD_RESPONSE},

    {"endless body", "request; send \"HTTP/1.1 200 OK\\r\\n\\r\\n\"; send \"bbbbbbbbbbbbbbbb\" forever",
     EVERYWHERE | INCOMPLETE, FAILURE_NONE, 200},
    {"dripping body",
     "request; send \"HTTP/1.1 200 OK\\r\\nContent-Length: 1000\\r\\n\\r\\n\"; send \"bbbbbbbbbbbbbbbb\" "
     "every 50 ms; silence",
     EVERYWHERE | INCOMPLETE,
     FAILURE_NONE,
     200,
     {.body_ms = 150}},
    {"body too short", "request; send \"HTTP/1.1 200 OK\\r\\nContent-Length: 10\\r\\n\\r\\nabc\"; close",
     EVERYWHERE | INCOMPLETE, FAILURE_NONE, 200},
    {"reset in the body", "request; send \"HTTP/1.1 200 OK\\r\\n\\r\\nabc\"; rst",
     FRESH | REUSED | HTTP | INCOMPLETE, FAILURE_NONE, 200},
    {"body too long", "request; send \"" OK_ANSWER "and more\"; await", EVERYWHERE, FAILURE_NONE, 200},
    {"length and coding",
     "request; send \"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\nTransfer-Encoding: "
     "chunked\\r\\n\\r\\nok\"; await",
     EVERYWHERE | INCOMPLETE, FAILURE_NONE, 200},
    {"odd chunks",
     "request; send \"HTTP/1.1 200 OK\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n-2\\r\\nok\"; await",
     EVERYWHERE | INCOMPLETE, FAILURE_NONE, 200},
    {"10,000 trailers",
     "request; send \"HTTP/1.1 200 OK\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n0\\r\\n\"; send \"X: "
     "y\\r\\n\" 10000 times; await",
     EVERYWHERE | INCOMPLETE, FAILURE_NONE, 200},

    {"never opens its window",
     "read 100; silence",
     FRESH_ONLY | LARGE | SMALL_WINDOW,
     FAILURE_SEND_TIMEOUT,
     0,
     {.send_ms = 300}},
    {"413 during the upload, then reset",
     "read 1000; send \"HTTP/1.1 413 Too Large\\r\\nContent-Length: 0\\r\\n\\r\\n\"; rst",
     FRESH | REUSED | HTTP | LARGE | SMALL_WINDOW, FAILURE_UNEXPECTED_STATUS, 413},
    {"413 during the upload, then end",
     "read 1000; send \"HTTP/1.1 413 Too Large\\r\\nContent-Length: 0\\r\\n\\r\\n\"; fin; close",
     EVERYWHERE | LARGE | SMALL_WINDOW, FAILURE_UNEXPECTED_STATUS, 413},
    {"413 during the upload, which goes on for ever",
     "read 1000; send \"HTTP/1.1 413 Too Large\\r\\nContent-Length: 0\\r\\n\\r\\n\"; silence",
     FRESH_ONLY | LARGE | SMALL_WINDOW,
     FAILURE_UNEXPECTED_STATUS,
     413,
     {.send_ms = 300}},
    {"301 during the upload, then reset",
     "read 1000; send \"HTTP/1.1 301 Moved\\r\\nLocation: /\\r\\nContent-Length: 0\\r\\n\\r\\n\"; rst",
     FRESH | HTTP | LARGE | SMALL_WINDOW, FAILURE_REDIRECT, 301},
    {"200 during the upload, then reset", "read 1000; send \"" OK_ANSWER "\"; rst",
     FRESH | REUSED | HTTP | LARGE | SMALL_WINDOW, FAILURE_EARLY_RESPONSE},
    {"200 during the upload, then the window stays shut",
     "read 1000; send \"" OK_ANSWER "\"; silence",
     FRESH_ONLY | LARGE | SMALL_WINDOW,
     FAILURE_EARLY_RESPONSE,
     0,
     {.send_ms = 300}},
    {"200 during the upload, then takes all of it", "read 1000; send \"" OK_ANSWER "\"; await",
     EVERYWHERE | LARGE, FAILURE_NONE, 200},
    {"resets during the upload", "read 1000; rst", FRESH | REUSED | HTTP | LARGE | SMALL_WINDOW,
     FAILURE_RESET},
};

enum { LARGE_LEN = 24 * 1024 * 1024 };

struct stage {
    struct evil_certificates certificates;
    char *large;
};

static void merge_limits(struct sender_limits *limits, const struct sender_limits *wanted)
{
    int *to = (int *)limits;
    const int *from = (const int *)wanted;
    for (size_t i = 0; i < sizeof *limits / sizeof *to; i++)
        if (from[i] != 0)
            to[i] = from[i];
}

/* On a reused connection the first exchange goes well. */
static int play_once(const struct stage *stage, const struct play *play, bool reused, bool https)
{
    char script[8192], url[64];
    struct scene scene;
    const char *once = play->script;

    if (reused)
        snprintf(script, sizeof script, "accept; request; send \"" OK_ANSWER "\"; %s", once);
    else
        snprintf(script, sizeof script, "accept; %s", once);
    struct evil *evil = evil_open(&(struct evil_config){.script = script,
                                                        .tls = https,
                                                        .small_window = play->how & SMALL_WINDOW,
                                                        .certificates = &stage->certificates});
    scene_init(&scene);
    merge_limits(&scene.limits, &play->limits);
    scene.ca_file = stage->certificates.ca_file;
    scene_open(&scene);
    scene_url(url, sizeof url, https, "127.0.0.1", evil_port(evil));
    if (reused) {
        scene_attempt(&scene, url);
        assert_int_equal(scene.result.failure, FAILURE_NONE);
        assert_int_equal(scene_stats(&scene).idle, 1);
    }
    if (play->how & LARGE) {
        scene.body = stage->large;
        scene.body_len = LARGE_LEN;
    }
    const struct sender_result *result = scene_attempt(&scene, url);
    bool as_expected = result->failure == play->failure && result->status == play->status &&
                       result->body_incomplete == !!(play->how & INCOMPLETE);
    if (!as_expected)
        print_error("%s (%s, %s): %s, status %d, incomplete %d\n", play->name, reused ? "reused" : "fresh",
                    https ? "https" : "http", failure_name(result->failure), result->status,
                    result->body_incomplete);
    assert_int_equal(scene_stats(&scene).connections_reused, reused);
    scene_fini(&scene);
    evil_close(evil, NULL);
    return as_expected ? 0 : 1;
}

static void test_plays(void **state)
{
    int wrong = 0;
    for (size_t i = 0; i < sizeof plays / sizeof *plays; i++) {
        for (int reused = 0; reused < 2; reused++) {
            for (int https = 0; https < 2; https++) {
                unsigned needed = (reused ? REUSED : FRESH) | (https ? HTTPS : HTTP);
                if ((plays[i].how & needed) == needed)
                    wrong += play_once(*state, &plays[i], reused, https);
            }
        }
    }
    assert_int_equal(wrong, 0);
}

/* ---- what is said in a request, and what comes back ---- */

static void test_request_bytes(void **state)
{
    struct evil_record record;
    struct scene scene;
    char url[64], expected[1024];
    struct evil *evil = evil_open(
        &(struct evil_config){.script = "accept; request; send \"HTTP/1.1 503 Busy\\r\\nRetry-After: "
                                        "7\\r\\nContent-Length: 5\\r\\n\\r\\n\\0\\x1b<b>\"; await"});
    scene_init(&scene);
    scene_open(&scene);
    scene_attempt(&scene, scene_url(url, sizeof url, false, "127.0.0.1", evil_port(evil)));
    assert_int_equal(scene.result.failure, FAILURE_NONE);
    assert_int_equal(scene.result.status, 503);
    assert_int_equal(scene.result.retry_after_ms, 7000);
    assert_int_equal(scene.result.response.len, 5);
    assert_memory_equal(scene.result.response.data, "\0\x1b<b>", 5);
    snprintf(expected, sizeof expected, "127.0.0.1:%d", evil_port(evil));
    assert_string_equal(scene.result.address, expected);
    snprintf(expected, sizeof expected,
             "POST /hook?a=b HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUser-Agent: posthorn/test\r\nAccept: */*\r\n"
             "Accept-Encoding: identity\r\nContent-Type: application/json\r\nWEBHOOK-AUTH: "
             "03ac674216f3e15c761ee1a5e255f067953623c8b388b4459e13f978d7c846f4\r\nContent-Length: 11\r\n\r\n"
             "{\"data\":{}}",
             evil_port(evil));
    scene_fini(&scene);
    evil_close(evil, &record);
    assert_string_equal(record.last, expected);
}

/* 8.31: the answer did not wait for the request; it is an answer, and the record says so. */
static void test_answered_unread(void **state)
{
    enum { LEN = 256 * 1024 };
    struct stage *stage = *state;
    for (int reads = 0; reads < 2; reads++) {
        struct scene scene;
        char url[64];
        struct evil *evil = evil_open(
            &(struct evil_config){.script = reads ? "accept; request; send \"" OK_ANSWER "\"; silence"
                                                  : "accept; read 100; send \"" OK_ANSWER "\"; silence",
                                  .small_window = true});
        assert_true((size_t)LEN <= (size_t)LARGE_LEN);
        scene_init(&scene);
        scene.body = stage->large;
        scene.body_len = LEN;
        scene_open(&scene);
        scene_attempt(&scene, scene_url(url, sizeof url, false, "127.0.0.1", evil_port(evil)));
        assert_int_equal(scene.result.status, 200);
        assert_int_equal(scene.result.failure, FAILURE_NONE);
        assert_int_equal(scene.result.request_unread, !reads);
        assert_int_equal(scene_stats(&scene).idle, reads);
        scene_fini(&scene);
        evil_close(evil, NULL);
    }
}

/* 8.15, 8.31: what is no HTTP is kept, and what is wrong with it is said. */
static void test_says_what_came(void **state)
{
    static const struct {
        const char *script, *kept, *says;
    } rows[] = {
        {"accept; request; send \"SSH-2.0-OpenSSH_9.2\\r\\n\"; await", "SSH-2.0-OpenSSH_9.2\r\n",
         "an SSH server"},
        {"accept; request; send \"HTTP/2 200\\r\\n\\r\\n\"; await", "HTTP/2 200\r\n\r\n", "says HTTP/2"},
        {"accept; request; send \"HTTP/1.1 200 OK\\nX: y\\n\\n\"; await", "HTTP/1.1 200 OK\nX: y\n\n",
         "bare LF"},
        {"accept; request; send \"HTTP/1.1 200 OK\\r\\n\"; close", "HTTP/1.1 200 OK\r\n", "they begin with"},
        {"accept; request; close", "", "if this port speaks TLS"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct scene scene;
        char url[64];
        struct evil *evil = evil_open(&(struct evil_config){.script = rows[i].script});
        scene_init(&scene);
        scene_open(&scene);
        scene_attempt(&scene, scene_url(url, sizeof url, false, "127.0.0.1", evil_port(evil)));
        assert_int_equal(scene.result.status, 0);
        assert_true(bytes_equal_text(scene.result.response, rows[i].kept));
        if (!strstr(scene.detail, rows[i].says))
            fail_msg("%s: %s", rows[i].says, scene.detail);
        scene_fini(&scene);
        evil_close(evil, NULL);
    }
}

static void test_keeps_16_kib_of_the_answer(void **state)
{
    struct scene scene;
    char url[64];
    struct evil *evil = evil_open(&(struct evil_config){
        .script = "accept; request; send \"HTTP/1.1 500 Oops\\r\\nContent-Length: 40000\\r\\n\\r\\n\"; send "
                  "\"0123456789\" 4000 times; await"});
    scene_init(&scene);
    scene_open(&scene);
    scene_attempt(&scene, scene_url(url, sizeof url, false, "127.0.0.1", evil_port(evil)));
    assert_int_equal(scene.result.status, 500);
    assert_int_equal(scene.result.response.len, 16384);
    assert_memory_equal(scene.result.response.data + 16380, "0123", 4);
    assert_false(scene.result.body_incomplete);
    scene_fini(&scene);
    evil_close(evil, NULL);
}

/* ---- no connection at all ---- */

/* Where it was tried is said even if nothing came of it. */
static const char *address_text(int port)
{
    static char text[32];
    snprintf(text, sizeof text, "127.0.0.1:%d", port);
    return text;
}

static void test_refused(void **state)
{
    struct scene scene;
    char url[64];
    scene_init(&scene);
    scene_open(&scene);
    int port = evil_closed_port();
    scene_attempt(&scene, scene_url(url, sizeof url, false, "127.0.0.1", port));
    assert_int_equal(scene.result.failure, FAILURE_CONNECT_REFUSED);
    assert_string_equal(scene.result.address, address_text(port));
    scene_fini(&scene);
}

static void expect_black_hole(struct sender_limits limits)
{
    struct black_hole hole;
    struct scene scene;
    char url[64];
    int port = 0;

    assert_true(black_hole_open(&hole, "127.0.0.1", &port));
    scene_init(&scene);
    merge_limits(&scene.limits, &limits);
    scene_open(&scene);
    scene_attempt(&scene, scene_url(url, sizeof url, false, "127.0.0.1", port));
    assert_int_equal(scene.result.failure, FAILURE_CONNECT_TIMEOUT);
    assert_string_equal(scene.result.address, address_text(port));
    scene_fini(&scene);
    black_hole_close(&hole);
}

static void test_black_hole(void **state)
{
    expect_black_hole((struct sender_limits){.connect_ms = 100});
    expect_black_hole((struct sender_limits){.connect_all_ms = 100});
}

/* The wait for an answer has no limit of its own then, and a neighbour without a timeout goes on. */
static void test_timeout_of_the_request(void **state)
{
    struct evil_record record;
    struct scene scene;
    char url[64];
    struct evil *evil = evil_open(&(struct evil_config){.script = "accept; request; silence"});
    struct evil *neighbour = evil_open(&(struct evil_config){.script = "accept; request; silence"});
    scene_init(&scene);
    scene_open(&scene);
    scene_begin(&scene, scene_url(url, sizeof url, false, "127.0.0.1", evil_port(neighbour)));
    scene.timeout_s = 1;
    scene_attempt(&scene, scene_url(url, sizeof url, false, "127.0.0.1", evil_port(evil)));
    assert_int_equal(scene.result.failure, FAILURE_TIMEOUT);
    assert_string_equal(scene.detail, "the attempt reached the endpoint's timeout of 1 s");
    scene.timeout_s = 60; /* of which a second is left */
    scene.spent_s = 59;
    scene_attempt(&scene, scene_url(url, sizeof url, false, "127.0.0.1", evil_port(evil)));
    assert_int_equal(scene.result.failure, FAILURE_TIMEOUT);
    assert_string_equal(scene.detail, "the attempt reached the endpoint's timeout of 60 s");
    scene.timeout_s = 0; /* 30; nothing is left, but a second all the same */
    scene.spent_s = 40;
    scene_attempt(&scene, scene_url(url, sizeof url, false, "127.0.0.1", evil_port(evil)));
    assert_int_equal(scene.result.failure, FAILURE_TIMEOUT);
    scene.spent_s = 0;
    assert_int_equal(scene_stats(&scene).under_way, 1);
    sender_abort(scene.sender);
    assert_int_equal(scene.result.failure, FAILURE_SHUTDOWN);
    scene_fini(&scene);

    scene_init(&scene);
    scene.limits.header_ms = 100;
    scene.timeout_s = 1;
    scene_open(&scene);
    struct evil *late = evil_open(&(struct evil_config){
        .script = "accept; request; send \"HTTP/1.1 200 OK\\r\\nX: y\" every 20 ms; send "
                  "\"\\r\\nContent-Length: 0\\r\\n\\r\\n\""});
    scene_attempt(&scene, scene_url(url, sizeof url, false, "127.0.0.1", evil_port(late)));
    assert_int_equal(scene.result.failure, FAILURE_NONE);
    scene_fini(&scene);
    evil_close(evil, &record);
    evil_close(neighbour, &record);
    evil_close(late, &record);
}

static bool allow_none(void *ctx, const struct sockaddr *address)
{
    ++*(int *)ctx;
    return false;
}

/* Allowed when the addresses are chosen, no longer when the connection is made. */
static bool allow_once(void *ctx, const struct sockaddr *address)
{
    return ++*(int *)ctx == 1;
}

static void test_guard_is_asked(void **state)
{
    static const struct {
        bool (*allow)(void *ctx, const struct sockaddr *address);
        int asked;
    } guards[] = {{allow_none, 1}, {allow_once, 2}};

    for (size_t i = 0; i < 2; i++) {
        struct evil_record record;
        struct scene scene;
        char url[64];
        int asked = 0;
        struct evil *evil = evil_open(&(struct evil_config){.script = "accept; request"});
        scene_init(&scene);
        scene.allow = guards[i].allow;
        scene.allow_ctx = &asked;
        scene_open(&scene);
        scene_attempt(&scene, scene_url(url, sizeof url, false, "127.0.0.1", evil_port(evil)));
        assert_int_equal(scene.result.failure, FAILURE_BLOCKED_ADDRESS);
        assert_int_equal(asked, guards[i].asked);
        scene_fini(&scene);
        evil_close(evil, &record);
        assert_int_equal(record.connections, 0);
    }
}

static bool allow_two(void *ctx, const struct sockaddr *address)
{
    return ++*(int *)ctx <= 2;
}

/* The address of an attempt that timed out while it connected stood in the result of the next one, whose
 * addresses are all blocked. */
static void test_blocked_after_black_hole(void **state)
{
    struct black_hole hole;
    struct scene scene;
    char url[64];
    int port = 0, asked = 0;
    assert_true(black_hole_open(&hole, "127.0.0.1", &port));
    scene_init(&scene);
    scene.limits.connect_ms = 100;
    scene.allow = allow_two;
    scene.allow_ctx = &asked;
    scene_open(&scene);
    scene_attempt(&scene, scene_url(url, sizeof url, false, "127.0.0.1", port));
    assert_int_equal(scene.result.failure, FAILURE_CONNECT_TIMEOUT);
    scene_attempt(&scene, "http://127.0.0.2:1/hook");
    assert_int_equal(scene.result.failure, FAILURE_BLOCKED_ADDRESS);
    assert_string_equal(scene.result.address, "");
    scene_fini(&scene);
    black_hole_close(&hole);
}

static int stage_up(void **state)
{
    struct stage *stage = calloc(1, sizeof *stage);
    signal(SIGPIPE, SIG_IGN);
    evil_certificates_make(&stage->certificates);
    stage->large = calloc(1, LARGE_LEN);
    *state = stage;
    return stage->large ? 0 : -1;
}

static int stage_down(void **state)
{
    struct stage *stage = *state;
    evil_certificates_free(&stage->certificates);
    free(stage->large);
    free(stage);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plays),
        cmocka_unit_test(test_request_bytes),
        cmocka_unit_test(test_answered_unread),
        cmocka_unit_test(test_says_what_came),
        cmocka_unit_test(test_keeps_16_kib_of_the_answer),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_black_hole),
        cmocka_unit_test(test_timeout_of_the_request),
        cmocka_unit_test(test_guard_is_asked),
        cmocka_unit_test(test_blocked_after_black_hole),
    };
    return cmocka_run_group_tests(tests, stage_up, stage_down);
}
