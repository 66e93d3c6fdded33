/*
 * No answer: the receiver's fault or ours? A name's servers may be dead behind a living resolver of ours,
 * which is the receiver's failure; or our resolvers are, which is our own and costs nobody an attempt.
 */
#include "resolver_outage.h"
#include "owner.h"
#include "scene.h"
#include "stub_dns.h"
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* after the above */
#include <cmocka.h>

enum { SHORT_MS = 200, LONG_MS = 20000, ASKERS = 6 };

#define GOOD "good.posthorn.example" /* without a TTL: asked for each time */
#define DEAD "dead.posthorn.example" /* its name servers are */
#define HALF "half.posthorn.example" /* no A; and nothing of an AAAA */

#define NAMES                                                                                                \
    {GOOD, false, STUB_ANSWER, {"127.0.0.1"}}, {GOOD, true, STUB_ANSWER}, {DEAD, false, STUB_SILENT},        \
        {DEAD, true, STUB_SILENT}, {HALF, false, STUB_ANSWER},                                               \
    {                                                                                                        \
        HALF, true, STUB_SILENT                                                                              \
    }

static const struct stub_record names[] = {NAMES, {"", false, STUB_ANSWER}, {NULL}};
static const struct stub_record no_root[] = {NAMES, {NULL}}; /* NXDOMAIN, of all things */
static const struct stub_record failing_root[] = {NAMES, {"", false, STUB_SERVFAIL}, {NULL}};
static const struct stub_record silent_root[] = {NAMES, {"", false, STUB_SILENT}, {NULL}};

/* ---- look-ups without a sender ---- */

struct asker {
    struct resolver_question question;
    int answers;
    enum failure failure;
};

struct act {
    uv_loop_t loop;
    struct deadlines deadlines;
    struct stub_dns *dns;
    struct resolver *resolver;
    struct asker askers[ASKERS];
};

static void on_answered(struct resolver_question *question, enum failure failure,
                        const struct addresses *addresses)
{
    struct asker *asker = OWNER_OF(question, struct asker, question);
    asker->answers++;
    asker->failure = failure;
}

static void act_open_with(struct act *act, const char *servers, int limit_ms)
{
    memset(act, 0, sizeof *act);
    assert_int_equal(uv_loop_init(&act->loop), 0);
    deadlines_init(&act->deadlines, &act->loop);
    act->resolver = resolver_open(&act->loop, servers, limit_ms, &act->deadlines);
    assert_non_null(act->resolver);
}

static void act_open(struct act *act, const struct stub_record *records, int limit_ms)
{
    struct stub_dns *dns = stub_dns_open(records);
    char servers[32];
    snprintf(servers, sizeof servers, "127.0.0.1:%d", stub_dns_port(dns));
    act_open_with(act, servers, limit_ms);
    act->dns = dns;
}

/* Returns how many probes there were. */
static int act_close(struct act *act)
{
    int probes = act->dns ? stub_dns_probes(act->dns) : 0;
    resolver_close(act->resolver);
    deadlines_close(&act->deadlines);
    uv_run(&act->loop, UV_RUN_DEFAULT);
    resolver_free(act->resolver);
    assert_int_equal(uv_loop_close(&act->loop), 0);
    if (act->dns)
        stub_dns_close(act->dns);
    return probes;
}

static void ask(struct act *act, int asker, const char *host)
{
    act->askers[asker] = (struct asker){.question.answered = on_answered};
    uv_update_time(&act->loop);
    resolver_ask(act->resolver, host, &act->askers[asker].question);
}

static enum failure await(struct act *act, int asker)
{
    while (act->askers[asker].answers == 0)
        uv_run(&act->loop, UV_RUN_ONCE);
    assert_int_equal(act->askers[asker].answers, 1);
    return act->askers[asker].failure;
}

static enum failure look_up(struct act *act, const char *host)
{
    ask(act, 0, host);
    return await(act, 0);
}

/* The stub is a thread: on a busy machine it may answer when the limit, or even the probe's, has passed. Then
 * once more. */
static void expect_good(struct act *act)
{
    while (look_up(act, GOOD) != FAILURE_NONE)
        ;
}

static void expect_dead(struct act *act)
{
    enum failure failure;
    while ((failure = look_up(act, DEAD)) == FAILURE_LOCAL_OUTAGE)
        ;
    assert_int_equal(failure, FAILURE_DNS_TIMEOUT);
}

static void await_probe(struct act *act)
{
    while (stub_dns_probes(act->dns) == 0)
        uv_run(&act->loop, UV_RUN_NOWAIT);
}

static int expect(const struct stub_record *records, const char *host, enum failure failure)
{
    struct act act;
    act_open(&act, records, SHORT_MS);
    assert_string_equal(failure_name(look_up(&act, host)), failure_name(failure));
    return act_close(&act);
}

static void test_any_answer_is_life(void **state)
{
    assert_int_equal(expect(names, DEAD, FAILURE_DNS_TIMEOUT), 1);
    assert_int_equal(expect(no_root, DEAD, FAILURE_DNS_TIMEOUT), 1);
    assert_int_equal(expect(failing_root, DEAD, FAILURE_DNS_TIMEOUT), 1);
    assert_int_equal(expect(silent_root, DEAD, FAILURE_LOCAL_OUTAGE), 1);
    assert_int_equal(expect(names, GOOD, FAILURE_NONE), 0);
    assert_int_equal(expect(names, "missing.posthorn.example", FAILURE_DNS_NOT_FOUND), 0);
}

/* The other was answered, and there is none. */
static void test_one_family(void **state)
{
    expect(names, HALF, FAILURE_DNS_TIMEOUT);
}

static void test_an_answer_to_another(void **state)
{
    struct act act;
    act_open(&act, silent_root, 3 * SHORT_MS);
    ask(&act, 1, DEAD);
    while (act.askers[1].answers == 0) {
        assert_int_equal(look_up(&act, GOOD), FAILURE_NONE);
        uv_run(&act.loop, UV_RUN_NOWAIT);
    }
    assert_int_equal(act.askers[1].failure, FAILURE_DNS_TIMEOUT);
    assert_int_equal(act_close(&act), 0);
}

/* An answer while the verdict is held settles it before the probe does. */
static void test_an_answer_to_another_while_held(void **state)
{
    struct act act;
    act_open(&act, silent_root, LONG_MS);
    ask(&act, 1, DEAD);
    resolver_press(&act.askers[1].question);
    await_probe(&act);
    assert_int_equal(act.askers[1].answers, 0);
    assert_int_equal(look_up(&act, GOOD), FAILURE_NONE);
    assert_int_equal(await(&act, 1), FAILURE_DNS_TIMEOUT);
    act_close(&act);
}

/* It answered when the look-up began, and died: that is no evidence of its life at the end. */
static void test_an_answer_of_long_ago(void **state)
{
    struct act act;
    act_open(&act, names, 2 * RESOLVER_OUTAGE_PROBE_MS);
    ask(&act, 1, DEAD);
    uv_sleep(2); /* the clock has gone on */
    assert_int_equal(look_up(&act, GOOD), FAILURE_NONE);
    stub_dns_mute(act.dns, true);
    assert_int_equal(await(&act, 1), FAILURE_LOCAL_OUTAGE);
    assert_int_equal(act_close(&act), 1);
}

static void test_comes_back(void **state)
{
    struct act act;
    act_open(&act, names, SHORT_MS);
    stub_dns_mute(act.dns, true);
    assert_int_equal(look_up(&act, GOOD), FAILURE_LOCAL_OUTAGE);
    assert_int_equal(look_up(&act, GOOD), FAILURE_LOCAL_OUTAGE);
    stub_dns_mute(act.dns, false);
    expect_good(&act);
    expect_dead(&act);
    stub_dns_mute(act.dns, true);
    assert_int_equal(look_up(&act, DEAD), FAILURE_LOCAL_OUTAGE);
    act_close(&act);
}

/* The outage is over before the look-up is, too late for it: its outage is still ours. */
static void test_ends_meanwhile(void **state)
{
    for (int other = 0; other < 2; other++) { /* what is answered first: the probe, or another look-up */
        struct act act;
        act_open(&act, names, SHORT_MS);
        stub_dns_mute(act.dns, true);
        assert_int_equal(look_up(&act, DEAD), FAILURE_LOCAL_OUTAGE);
        ask(&act, 1, DEAD);
        uv_sleep(2); /* the clock has gone on */
        stub_dns_mute(act.dns, false);
        if (other)
            expect_good(&act);
        assert_int_equal(await(&act, 1), FAILURE_LOCAL_OUTAGE);
        expect_dead(&act);
        act_close(&act);
    }
}

static void test_one_probe_for_all(void **state)
{
    for (int mute = 0; mute < 2; mute++) {
        struct act act;
        char host[64];
        act_open(&act, names, SHORT_MS);
        stub_dns_mute(act.dns, mute);
        for (int i = 0; i < ASKERS; i++) {
            snprintf(host, sizeof host, mute ? "name%d.posthorn.example" : DEAD, i);
            ask(&act, i, host);
        }
        for (int i = 0; i < ASKERS; i++)
            assert_int_equal(await(&act, i), mute ? FAILURE_LOCAL_OUTAGE : FAILURE_DNS_TIMEOUT);
        assert_int_equal(act_close(&act), 1);
    }
}

static void test_dropped_while_held(void **state)
{
    for (int later = 0; later < 2; later++) {
        struct act act;
        act_open(&act, silent_root, SHORT_MS);
        ask(&act, 0, DEAD);
        await_probe(&act);
        resolver_press(&act.askers[0].question); /* changes nothing */
        resolver_drop(&act.askers[0].question);
        if (later) /* the probe ends with nobody waiting, and tells all the same */
            assert_int_equal(look_up(&act, DEAD), FAILURE_LOCAL_OUTAGE);
        assert_int_equal(act.askers[0].answers, later);
        act_close(&act);
    }
}

/* What counts is that all are silent; and it may be any that is asked first. */
static void expect_of_two(struct stub_dns *a, struct stub_dns *b, enum failure failure)
{
    for (int first = 0; first < 2; first++) {
        struct act act;
        char servers[64];
        int ports[2] = {a ? stub_dns_port(a) : evil_closed_port(), b ? stub_dns_port(b) : evil_closed_port()};
        snprintf(servers, sizeof servers, "127.0.0.1:%d,127.0.0.1:%d", ports[first], ports[!first]);
        act_open_with(&act, servers, SHORT_MS);
        assert_string_equal(failure_name(look_up(&act, DEAD)), failure_name(failure));
        act_close(&act);
    }
}

static void test_several_servers(void **state)
{
    struct stub_dns *mute = stub_dns_open(names), *dns = stub_dns_open(names);
    stub_dns_mute(mute, true);
    expect_of_two(mute, dns, FAILURE_DNS_TIMEOUT);
    expect_of_two(NULL, dns, FAILURE_DNS_TIMEOUT);
    expect_of_two(NULL, mute, FAILURE_LOCAL_OUTAGE);
    expect_of_two(NULL, NULL, FAILURE_LOCAL_OUTAGE);
    stub_dns_mute(dns, true);
    expect_of_two(mute, dns, FAILURE_LOCAL_OUTAGE);
    stub_dns_close(mute);
    stub_dns_close(dns);
}

/* No server's outage may use up the time in which another could answer the probe. */
static void test_all_servers_at_once(void **state)
{
    struct stub_dns *mute = stub_dns_open(names), *dns = stub_dns_open(names);
    stub_dns_mute(mute, true);
    for (int first = 0; first < 2; first++) {
        struct act act;
        char servers[64];
        snprintf(servers, sizeof servers, "127.0.0.1:%d,127.0.0.1:%d", stub_dns_port(first ? mute : dns),
                 stub_dns_port(first ? dns : mute));
        act_open_with(&act, servers, LONG_MS);
        ask(&act, 0, DEAD);
        resolver_press(&act.askers[0].question);
        assert_int_equal(await(&act, 0), FAILURE_DNS_TIMEOUT);
        act_close(&act);
    }
    stub_dns_close(mute);
    stub_dns_close(dns);
}

/* ---- attempts ---- */

struct play {
    struct scene scene;
    struct stub_dns *dns;
    char servers[32], url[64];
};

static void play_open(struct play *play, const struct stub_record *records, int dns_ms, int attempt_ms)
{
    play->dns = stub_dns_open(records);
    snprintf(play->servers, sizeof play->servers, "127.0.0.1:%d", stub_dns_port(play->dns));
    scene_init(&play->scene);
    play->scene.dns_servers = play->servers;
    play->scene.limits.dns_ms = dns_ms;
    play->scene.limits.attempt_ms = attempt_ms;
    scene_open(&play->scene);
    scene_url(play->url, sizeof play->url, false, DEAD, 8080);
}

static void play_close(struct play *play)
{
    scene_fini(&play->scene);
    stub_dns_close(play->dns);
}

/* The attempt's own time is up before the look-up's, or before its verdict is known. */
static void test_overdue(void **state)
{
    static const struct {
        const struct stub_record *records;
        int dns_ms, attempt_ms;
        enum failure failure;
    } cases[] = {{names, LONG_MS, SHORT_MS, FAILURE_TIMEOUT},
                 {silent_root, LONG_MS, SHORT_MS, FAILURE_LOCAL_OUTAGE},
                 {silent_root, SHORT_MS, SHORT_MS * 5 / 4, FAILURE_LOCAL_OUTAGE}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct play play;
        play_open(&play, cases[i].records, cases[i].dns_ms, cases[i].attempt_ms);
        scene_attempt(&play.scene, play.url);
        assert_string_equal(failure_name(play.scene.result.failure), failure_name(cases[i].failure));
        play_close(&play);
    }
}

static void test_aborted_while_held(void **state)
{
    struct play play;
    play_open(&play, silent_root, SHORT_MS, LONG_MS);
    scene_begin(&play.scene, play.url);
    while (stub_dns_probes(play.dns) == 0)
        scene_turn(&play.scene);
    sender_abort(play.scene.sender);
    assert_int_equal(play.scene.result.failure, FAILURE_SHUTDOWN);
    play_close(&play);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_answer_is_life),    cmocka_unit_test(test_one_family),
        cmocka_unit_test(test_an_answer_to_another),  cmocka_unit_test(test_an_answer_to_another_while_held),
        cmocka_unit_test(test_an_answer_of_long_ago), cmocka_unit_test(test_comes_back),
        cmocka_unit_test(test_ends_meanwhile),        cmocka_unit_test(test_one_probe_for_all),
        cmocka_unit_test(test_dropped_while_held),    cmocka_unit_test(test_several_servers),
        cmocka_unit_test(test_all_servers_at_once),   cmocka_unit_test(test_overdue),
        cmocka_unit_test(test_aborted_while_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
