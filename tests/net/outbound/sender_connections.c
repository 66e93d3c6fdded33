/*
 * Kept-alive connections: used again only when nothing has come on them, by nobody but their own peer, and
 * told from a failure when they end under a request that crossed their close.
 */
#include "pool.h"
#include "scene.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>
/* after the four above */
#include <cmocka.h>

#define OK_ANSWER   "HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok"
#define BUSY_ANSWER "HTTP/1.1 503 Busy\\r\\nContent-Length: 0\\r\\n\\r\\n"
#define EXCHANGE    "request; send \"" OK_ANSWER "\"; "

enum { WAIT_MS = 20000 };

struct act {
    struct evil *evil;
    struct evil_record record;
    struct scene scene;
    char url[64];
    bool https;
};

static void act_begin(struct act *act, void **state, const char *script, bool https)
{
    act->https = https;
    act->evil = evil_open(
        &(struct evil_config){.script = script, .tls = https, .certificates = certificates_of(state)});
    scene_init(&act->scene);
    act->scene.ca_file = certificates_of(state)->ca_file;
    scene_url(act->url, sizeof act->url, https, "127.0.0.1", evil_port(act->evil));
}

static void act_open(struct act *act, void **state, const char *script, bool https)
{
    act_begin(act, state, script, https);
    scene_open(&act->scene);
}

static void act_close(struct act *act)
{
    scene_fini(&act->scene);
    evil_close(act->evil, &act->record);
}

static void expect(struct act *act, enum failure failure, int status, bool reused)
{
    const struct sender_result *result = scene_attempt(&act->scene, act->url);
    if (result->failure != failure || result->status != status || result->reused_connection != reused)
        fail_msg("%s: %s, status %d, reused %d", act->https ? "https" : "http", failure_name(result->failure),
                 result->status, result->reused_connection);
}

static void test_is_kept(void **state)
{
    for (int https = 0; https < 2; https++) {
        struct act act;
        act_open(&act, state, "accept; " EXCHANGE EXCHANGE EXCHANGE "await", https);
        expect(&act, FAILURE_NONE, 200, false);
        expect(&act, FAILURE_NONE, 200, true);
        scene_turn(&act.scene);
        expect(&act, FAILURE_NONE, 200, true);
        act_close(&act);
        assert_int_equal(act.record.connections, 1);
        assert_int_equal(act.record.requests, 3);
    }
}

/* A 200 that comes while the connection lies idle must never answer the next event; whether the loop has seen
 * it by then, or only the last look before the request does. */
static void test_answer_while_idle(void **state)
{
    for (int https = 0; https < 2; https++) {
        for (int seen = 0; seen < 2; seen++) {
            struct act act;
            act_open(&act, state,
                     "accept; " EXCHANGE "until 1; send \"" OK_ANSWER
                     "\"; mark; until 2; accept; request; send \"" BUSY_ANSWER "\"; await",
                     https);
            expect(&act, FAILURE_NONE, 200, false);
            assert_int_equal(scene_stats(&act.scene).idle, 1);
            evil_go(act.evil);
            assert_true(evil_wait(act.evil, 1, WAIT_MS));
            if (seen) {
                scene_turn(&act.scene);
                assert_int_equal(scene_stats(&act.scene).idle, 0);
            }
            evil_go(act.evil);
            expect(&act, FAILURE_NONE, 503, false);
            act_close(&act);
            assert_int_equal(act.record.requests, 2);
        }
    }
}

/* 8.4: whoever fails may have moved; and a connection has an age at which it goes, however busy it is. */
static void test_failed_is_not_kept(void **state)
{
    struct act act;
    act_open(&act, state, "accept; request; send \"" BUSY_ANSWER "\"; await; accept; " EXCHANGE "await",
             false);
    expect(&act, FAILURE_NONE, 503, false);
    assert_int_equal(scene_stats(&act.scene).idle, 0);
    expect(&act, FAILURE_NONE, 200, false);
    act_close(&act);
}

static void test_once_is_not_kept(void **state)
{
    struct act act;
    act_open(&act, state, "accept; " EXCHANGE "await; accept; " EXCHANGE "await", false);
    act.scene.once = true;
    for (int i = 0; i < 2; i++) {
        expect(&act, FAILURE_NONE, 200, false);
        assert_int_equal(scene_stats(&act.scene).idle, 0);
    }
    act_close(&act);
}

static void test_age(void **state)
{
    struct act act;
    act_begin(&act, state, "accept; " EXCHANGE EXCHANGE "await; accept; " EXCHANGE "await", false);
    act.scene.limits.age_ms = 1000;
    scene_open(&act.scene);
    expect(&act, FAILURE_NONE, 200, false);
    int64_t opened_ms = (int64_t)uv_now(&act.scene.loop);
    expect(&act, FAILURE_NONE, 200, true);
    while ((int64_t)uv_now(&act.scene.loop) <= opened_ms + 1000) {
        assert_int_equal(scene_stats(&act.scene).idle, 1);
        usleep(20000);
        scene_turn(&act.scene);
    }
    expect(&act, FAILURE_NONE, 200, false);
    act_close(&act);
    assert_int_equal(act.record.connections, 2);
}

/* The same bytes in one piece with the answer before. */
static void test_answer_behind_an_answer(void **state)
{
    for (int https = 0; https < 2; https++) {
        struct act act;
        act_open(&act, state,
                 "accept; request; send \"" OK_ANSWER OK_ANSWER "\"; accept; request; send \"" BUSY_ANSWER
                 "\"; await",
                 https);
        expect(&act, FAILURE_NONE, 200, false);
        assert_int_equal(scene_stats(&act.scene).idle, 0);
        expect(&act, FAILURE_NONE, 503, false);
        act_close(&act);
    }
}

static void test_end_while_idle(void **state)
{
    static const char *const ends[] = {"close", "rst", "fin"};
    for (size_t i = 0; i < 3; i++) {
        for (int https = 0; https < 2; https++) {
            for (int seen = 0; seen < 2; seen++) {
                char script[512];
                struct act act;
                snprintf(script, sizeof script,
                         "accept; %s until 1; %s; mark; accept; request; send \"" BUSY_ANSWER "\"; await",
                         EXCHANGE, ends[i]);
                act_open(&act, state, script, https);
                expect(&act, FAILURE_NONE, 200, false);
                evil_go(act.evil);
                assert_true(evil_wait(act.evil, 1, WAIT_MS));
                if (seen) {
                    scene_turn(&act.scene);
                    assert_int_equal(scene_stats(&act.scene).idle, 0);
                }
                expect(&act, FAILURE_NONE, 503, false);
                act_close(&act);
                assert_int_equal(act.record.requests, 2);
            }
        }
    }
}

/* 8.29: it took the second request and went away at once, without a word: an attempt sends once, and says
 * what happened to it. */
static void test_crossed(void **state)
{
    static const char *const ends[] = {"close", "rst", "fin; await"};
    for (size_t i = 0; i < 3; i++) {
        for (int https = 0; https < 2; https++) {
            char script[512];
            struct act act;
            snprintf(script, sizeof script, "accept; %s request; %s", EXCHANGE, ends[i]);
            act_begin(&act, state, script, https);
            act.scene.limits.close_ms = 2 * WAIT_MS;
            scene_open(&act.scene);
            expect(&act, FAILURE_NONE, 200, false);
            expect(&act, FAILURE_IDLE_CLOSED, 0, true);
            act_close(&act);
            assert_int_equal(act.record.connections, 1);
            assert_int_equal(act.record.requests, 2);
        }
    }
}

static void go(uv_timer_t *timer)
{
    evil_go(timer->data);
}

/* The second request's connection ends 200 ms after that was written. */
static void end_late(void **state, const char *before, const char *end, enum failure failure, int requests)
{
    for (int https = 0; https < 2; https++) {
        char script[512];
        struct act act;
        uv_timer_t timer;
        snprintf(script, sizeof script, "accept; %s %s mark; until 1; %s", EXCHANGE, before, end);
        act_begin(&act, state, script, https);
        act.scene.limits.close_ms = 5;
        scene_open(&act.scene);
        expect(&act, FAILURE_NONE, 200, false);
        if (requests == 1)
            assert_true(evil_wait(act.evil, 1, WAIT_MS));
        uv_timer_init(&act.scene.loop, &timer);
        timer.data = act.evil;
        uv_timer_start(&timer, go, 200, 0);
        expect(&act, failure, 0, true);
        uv_close((uv_handle_t *)&timer, NULL);
        act_close(&act);
        assert_int_equal(act.record.requests, requests);
    }
}

/* 8.29: the handler had worked before it went away. */
static void test_closed_late_is_a_failure(void **state)
{
    end_late(state, "request;", "close", FAILURE_CLOSED_EARLY, 2);
    end_late(state, "request;", "rst", FAILURE_RESET, 2);
}

/* The receiver is far away: its close set out before the request arrived, and comes long after that was
 * written. */
static void test_crossed_far_away(void **state)
{
    end_late(state, "deaf;", "close", FAILURE_IDLE_CLOSED, 1);
    end_late(state, "deaf;", "fin; await", FAILURE_IDLE_CLOSED, 1);
}

/* 8.29: a fresh connection has no close under way. */
static void test_fresh_is_never_crossed(void **state)
{
    struct act act;
    act_begin(&act, state, "accept; request; close", false);
    act.scene.limits.close_ms = 2 * WAIT_MS;
    scene_open(&act.scene);
    expect(&act, FAILURE_CLOSED_EARLY, 0, false);
    act_close(&act);
}

static void test_fresh_on_demand(void **state)
{
    struct act act;
    act_open(&act, state, "accept; " EXCHANGE "accept; " EXCHANGE "await", false);
    expect(&act, FAILURE_NONE, 200, false);
    act.scene.age_ms_max = 0;
    expect(&act, FAILURE_NONE, 200, false);
    act_close(&act);
    assert_int_equal(act.record.connections, 2);
}

/* One byte of an answer was there: the receiver has begun to answer, so nothing is sent again. */
static void test_not_crossed_after_a_byte(void **state)
{
    struct act act;
    act_begin(&act, state, "accept; " EXCHANGE "request; send \"H\"; close; accept; " EXCHANGE, false);
    act.scene.limits.close_ms = 2 * WAIT_MS;
    scene_open(&act.scene);
    expect(&act, FAILURE_NONE, 200, false);
    expect(&act, FAILURE_TRUNCATED_HEADERS, 0, true);
    act_close(&act);
    assert_int_equal(act.record.requests, 2);
}

/* Holds the loop before it polls until the receiver has done its part, so that both orders of things are in
 * the test's hand. */
static void hold(uv_prepare_t *prepare)
{
    evil_wait(prepare->data, 1, 300);
}

/* The answer is there before the request: over http as soon as the connection stands, over TLS 1.3 in the
 * receiver's half of the handshake. */
static void test_answer_before_the_request(void **state)
{
    for (int https = 0; https < 2; https++) {
        struct act act;
        uv_prepare_t prepare;
        act_open(&act, state,
                 https ? "early \"" OK_ANSWER "\"; mark; await"
                       : "accept; send \"" OK_ANSWER "\"; mark; await",
                 https);
        uv_prepare_init(&act.scene.loop, &prepare);
        prepare.data = act.evil;
        uv_prepare_start(&prepare, hold);
        expect(&act, FAILURE_EARLY_RESPONSE, 0, false);
        assert_int_equal(evil_marks(act.evil), 1);
        uv_close((uv_handle_t *)&prepare, NULL);
        act_close(&act);
        assert_int_equal(act.record.requests, 0);
    }
}

static void test_is_not_kept(void **state)
{
    static const char *const answers[] = {
        "HTTP/1.1 200 OK\\r\\nConnection: close\\r\\nContent-Length: 0\\r\\n\\r\\n",
        "HTTP/1.0 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n",
        "HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n",
    };
    for (size_t i = 0; i < 3; i++) {
        for (int https = 0; https < 2; https++) {
            char script[512];
            struct act act;
            snprintf(script, sizeof script, "accept; request; send \"%s\"; await", answers[i]);
            act_open(&act, state, script, https);
            expect(&act, FAILURE_NONE, 200, false);
            assert_int_equal(scene_stats(&act.scene).idle, 0);
            act_close(&act);
        }
    }
}

static void test_is_nobody_elses(void **state)
{
    struct act act;
    char other[64];
    act_open(&act, state, "accept; " EXCHANGE "mark; accept; " EXCHANGE "mark; accept; " EXCHANGE "await",
             false);
    expect(&act, FAILURE_NONE, 200, false);
    act.scene.pool_key = 2; /* another endpoint with the same URL */
    expect(&act, FAILURE_NONE, 200, false);
    scene_url(other, sizeof other, false, "localhost", evil_port(act.evil)); /* another authority */
    scene_attempt(&act.scene, other);
    assert_int_equal(act.scene.result.failure, FAILURE_NONE);
    assert_false(act.scene.result.reused_connection);
    act_close(&act);
    assert_int_equal(act.record.connections, 3);
}

static void test_idle_limit(void **state)
{
    struct act act;
    act_begin(&act, state, "accept; " EXCHANGE "await; mark", false);
    act.scene.limits.idle_ms = 20;
    scene_open(&act.scene);
    expect(&act, FAILURE_NONE, 200, false);
    assert_int_equal(scene_stats(&act.scene).idle, 1);
    while (scene_stats(&act.scene).idle > 0)
        uv_run(&act.scene.loop, UV_RUN_ONCE);
    scene_turn(&act.scene);
    assert_true(evil_wait(act.evil, 1, WAIT_MS));
    act_close(&act);
}

static void test_oldest_goes(void **state)
{
    struct act act, second;
    act_begin(&act, state, "accept; " EXCHANGE "await; mark", false);
    act.scene.idle_connections_max = 1;
    scene_open(&act.scene);
    second.evil = evil_open(&(struct evil_config){.script = "accept; " EXCHANGE "await; mark"});
    expect(&act, FAILURE_NONE, 200, false);
    scene_attempt(&act.scene,
                  scene_url(second.url, sizeof second.url, false, "127.0.0.1", evil_port(second.evil)));
    assert_int_equal(act.scene.result.failure, FAILURE_NONE);
    assert_int_equal(scene_stats(&act.scene).idle, 1);
    scene_turn(&act.scene);
    assert_true(evil_wait(act.evil, 1, WAIT_MS));
    assert_int_equal(evil_marks(second.evil), 0);
    act_close(&act);
    evil_close(second.evil, NULL);
}

/* One over TLS takes the room of POOL_TLS_WEIGHT: two of other endpoints do not fit where seventeen plain
 * ones would. */
static void test_tls_takes_more_room(void **state)
{
    for (int https = 0; https < 2; https++) {
        struct act act;
        act_begin(&act, state, "accept; " EXCHANGE "await", https);
        act.scene.idle_connections_max = POOL_TLS_WEIGHT + 1;
        scene_open(&act.scene);
        struct evil *other = evil_open(&(struct evil_config){
            .script = "accept; " EXCHANGE "await", .tls = https, .certificates = certificates_of(state)});
        char url[64];
        expect(&act, FAILURE_NONE, 200, false);
        scene_attempt(&act.scene, scene_url(url, sizeof url, https, "127.0.0.1", evil_port(other)));
        assert_int_equal(act.scene.result.failure, FAILURE_NONE);
        assert_int_equal(scene_stats(&act.scene).idle, https ? 1 : 2);
        act_close(&act);
        evil_close(other, NULL);
    }
}

static void test_abort(void **state)
{
    struct act act;
    act_open(&act, state, "accept; request; mark; silence", false);
    scene_begin(&act.scene, act.url);
    while (evil_marks(act.evil) == 0)
        uv_run(&act.scene.loop, UV_RUN_NOWAIT);
    scene_begin(&act.scene, act.url);
    sender_abort(act.scene.sender);
    assert_int_equal(act.scene.results, 2);
    assert_int_equal(act.scene.result.failure, FAILURE_SHUTDOWN);
    assert_int_equal(scene_stats(&act.scene).under_way, 0);
    act_close(&act);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_is_kept),
        cmocka_unit_test(test_failed_is_not_kept),
        cmocka_unit_test(test_once_is_not_kept),
        cmocka_unit_test(test_age),
        cmocka_unit_test(test_answer_while_idle),
        cmocka_unit_test(test_answer_behind_an_answer),
        cmocka_unit_test(test_end_while_idle),
        cmocka_unit_test(test_crossed),
        cmocka_unit_test(test_crossed_far_away),
        cmocka_unit_test(test_closed_late_is_a_failure),
        cmocka_unit_test(test_fresh_is_never_crossed),
        cmocka_unit_test(test_fresh_on_demand),
        cmocka_unit_test(test_not_crossed_after_a_byte),
        cmocka_unit_test(test_answer_before_the_request),
        cmocka_unit_test(test_is_not_kept),
        cmocka_unit_test(test_is_nobody_elses),
        cmocka_unit_test(test_idle_limit),
        cmocka_unit_test(test_oldest_goes),
        cmocka_unit_test(test_tls_takes_more_room),
        cmocka_unit_test(test_abort),
    };
    return cmocka_run_group_tests(tests, evil_certificates_up, evil_certificates_down);
}
