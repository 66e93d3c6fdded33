/*
 * Names: the answers of DNS, and the outcome of an attempt for each. One question a name and family, kept for
 * its TTL; only allowed addresses are dialled; a second family stands in for a dead first one.
 */
#include "scene.h"
#include "stub_dns.h"
#include <arpa/inet.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
/* after the above */
#include <cmocka.h>

#define OK_ANSWER "HTTP/1.1 200 OK\\r\\nConnection: close\\r\\nContent-Length: 0\\r\\n\\r\\n"
#define EXCHANGE  "accept; request; send \"" OK_ANSWER "\"; await; "

/* Blocked in these tests: what no test may dial. */
#define CANARY    "10.0.0.1"
#define CANARY_V6 "fd00::1"

static const struct stub_record records[] = {
    {"good.posthorn.example", false, STUB_ANSWER, {"127.0.0.1"}, NULL, 60},
    {"good.posthorn.example", true, STUB_ANSWER},
    {"fleeting.posthorn.example", false, STUB_ANSWER, {"127.0.0.1"}, NULL, 0},
    {"fleeting.posthorn.example", true, STUB_ANSWER},
    {"alias.posthorn.example", false, STUB_ANSWER, {"127.0.0.1"}, "good.posthorn.example", 60},
    {"alias.posthorn.example", true, STUB_ANSWER, {NULL}, "good.posthorn.example", 60},
    {"loop.posthorn.example", false, STUB_ANSWER, {NULL}, "loop.posthorn.example", 60},
    {"loop.posthorn.example", true, STUB_ANSWER, {NULL}, "loop.posthorn.example", 60},
    {"empty.posthorn.example", false, STUB_ANSWER},
    {"empty.posthorn.example", true, STUB_ANSWER},
    {"failing.posthorn.example", false, STUB_SERVFAIL},
    {"failing.posthorn.example", true, STUB_SERVFAIL},
    {"silent.posthorn.example", false, STUB_SILENT},
    {"silent.posthorn.example", true, STUB_SILENT},
    {"garbage.posthorn.example", false, STUB_GARBAGE},
    {"garbage.posthorn.example", true, STUB_GARBAGE},
    {"mixed.posthorn.example", false, STUB_ANSWER, {CANARY, "127.0.0.1"}, NULL, 60},
    {"mixed.posthorn.example", true, STUB_ANSWER, {CANARY_V6}, NULL, 60},
    {"internal.posthorn.example", false, STUB_ANSWER, {CANARY}, NULL, 60},
    {"internal.posthorn.example", true, STUB_ANSWER, {CANARY_V6}, NULL, 60},
    {"half.posthorn.example", false, STUB_ANSWER, {"127.0.0.1"}, NULL, 60},
    {"half.posthorn.example", true, STUB_SILENT},
    {"both.posthorn.example", false, STUB_ANSWER, {"127.0.0.1"}, NULL, 60},
    {"both.posthorn.example", true, STUB_ANSWER, {"::1"}, NULL, 60},
    {"many.posthorn.example",
     false,
     STUB_ANSWER,
     {"127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.1"},
     NULL,
     60},
    {"many.posthorn.example", true, STUB_ANSWER},
    {"hole.posthorn.example", false, STUB_ANSWER, {"127.0.0.2", "127.0.0.1"}, NULL, 60},
    {"hole.posthorn.example", true, STUB_ANSWER},
    {"crowd.posthorn.example",
     false,
     STUB_ANSWER,
     {"127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5", "127.0.0.6", "127.0.0.7", "127.0.0.8", "127.0.0.9",
      "127.0.0.10", "127.0.0.11"},
     NULL,
     60},
    {"crowd.posthorn.example", true, STUB_ANSWER},
    {NULL},
};

struct act {
    struct stub_dns *dns;
    struct scene scene;
    char servers[32], url[128];
};

/* What is asked is dialled next, unless it is refused. */
static bool allow_all_but_canaries(void *ctx, const struct sockaddr *address)
{
    const struct sockaddr_in *v4 = (const void *)address;
    const struct sockaddr_in6 *v6 = (const void *)address;
    if (address->sa_family == AF_INET)
        return (ntohl(v4->sin_addr.s_addr) >> 24) == 127;
    return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

static void act_begin(struct act *act)
{
    act->dns = stub_dns_open(records);
    snprintf(act->servers, sizeof act->servers, "127.0.0.1:%d", stub_dns_port(act->dns));
    scene_init(&act->scene);
    act->scene.dns_servers = act->servers;
    act->scene.allow = allow_all_but_canaries;
}

static void act_open(struct act *act, int dns_ms)
{
    act_begin(act);
    if (dns_ms)
        act->scene.limits.dns_ms = dns_ms;
    scene_open(&act->scene);
}

/* Returns how many questions were asked. */
static int act_close(struct act *act)
{
    scene_fini(&act->scene);
    return stub_dns_close(act->dns);
}

static const struct sender_result *attempt(struct act *act, const char *host, int port)
{
    return scene_attempt(&act->scene, scene_url(act->url, sizeof act->url, false, host, port));
}

static void expect_failure(const char *host, enum failure failure, int dns_ms)
{
    struct act act;
    act_open(&act, dns_ms);
    for (int i = 0; i < 2; i++) { /* what is kept of the first says no different */
        attempt(&act, host, evil_closed_port());
        if (act.scene.result.failure != failure)
            fail_msg("%s: %s", host, failure_name(act.scene.result.failure));
    }
    act_close(&act);
}

static void test_failures(void **state)
{
    expect_failure("missing.posthorn.example", FAILURE_DNS_NOT_FOUND, 0);
    expect_failure("empty.posthorn.example", FAILURE_DNS_EMPTY, 0);
    expect_failure("loop.posthorn.example", FAILURE_DNS_EMPTY, 0);
    expect_failure("failing.posthorn.example", FAILURE_DNS_FAILURE, 0);
    expect_failure("silent.posthorn.example", FAILURE_DNS_TIMEOUT, 200);
    expect_failure("garbage.posthorn.example", FAILURE_DNS_TIMEOUT, 200);
    expect_failure("internal.posthorn.example", FAILURE_BLOCKED_ADDRESS, 0);
    expect_failure("good.posthorn.example", FAILURE_CONNECT_REFUSED, 0);
}

/* Nobody listens where the resolver should be: that is our fault, and costs the event nothing. */
static void test_no_resolver(void **state)
{
    struct scene scene;
    char url[128], servers[32];
    snprintf(servers, sizeof servers, "127.0.0.1:%d", evil_closed_port());
    scene_init(&scene);
    scene.dns_servers = servers;
    scene_open(&scene);
    scene_attempt(&scene, scene_url(url, sizeof url, false, "good.posthorn.example", 8080));
    assert_int_equal(scene.result.failure, FAILURE_LOCAL_OUTAGE);
    assert_string_equal(scene.result.address, "");
    scene_fini(&scene);
}

static void expect_answer(const char *host, bool mixed)
{
    struct evil *evil = evil_open(&(struct evil_config){.script = EXCHANGE});
    char address[64];
    struct act act;

    act_begin(&act);
    act.scene.limits.attempt_ms = 5000; /* long before a question that is not answered gives up */
    scene_open(&act.scene);
    attempt(&act, host, evil_port(evil));
    if (act.scene.result.failure != FAILURE_NONE)
        fail_msg("%s: %s", host, failure_name(act.scene.result.failure));
    assert_int_equal(act.scene.result.mixed_answer, mixed);
    snprintf(address, sizeof address, "127.0.0.1:%d", evil_port(evil));
    assert_string_equal(act.scene.result.address, address);
    act_close(&act);
    evil_close(evil, NULL);
}

static void test_answers(void **state)
{
    expect_answer("good.posthorn.example", false);
    expect_answer("alias.posthorn.example", false);
    expect_answer("mixed.posthorn.example", true);
    expect_answer("both.posthorn.example", false); /* nobody listens on [::1] */
    expect_answer("many.posthorn.example", false); /* nor on the first three */
    expect_answer("half.posthorn.example", false); /* its AAAA is never answered */
    expect_answer("localhost", false);
    expect_answer("deep.below.localhost", false);
}

static void test_more_addresses_than_are_kept(void **state)
{
    struct act act;
    act_open(&act, 0);
    attempt(&act, "crowd.posthorn.example", evil_closed_port());
    assert_int_equal(act.scene.result.failure, FAILURE_CONNECT_REFUSED);
    act_close(&act);
}

static int questions_of_two(const char *host)
{
    struct evil *evil = evil_open(&(struct evil_config){.script = EXCHANGE EXCHANGE});
    struct act act;
    act_open(&act, 0);
    for (int i = 0; i < 2; i++) {
        attempt(&act, host, evil_port(evil));
        assert_int_equal(act.scene.result.failure, FAILURE_NONE);
    }
    int questions = act_close(&act);
    evil_close(evil, NULL);
    return questions;
}

static void test_answers_are_kept_for_their_ttl(void **state)
{
    assert_int_equal(questions_of_two("good.posthorn.example"), 2);
    assert_int_equal(questions_of_two("fleeting.posthorn.example"), 4);
    assert_int_equal(questions_of_two("localhost"), 0);
}

/* Of two servers one cannot tell; whichever is asked first, the name is found. */
static void test_server_that_refuses(void **state)
{
    static const struct stub_record refusals[] = {
        {"good.posthorn.example", false, STUB_SERVFAIL},
        {"good.posthorn.example", true, STUB_SERVFAIL},
        {NULL},
    };
    for (int first = 0; first < 2; first++) {
        struct stub_dns *refusing = stub_dns_open(refusals), *dns = stub_dns_open(records);
        struct evil *evil = evil_open(&(struct evil_config){.script = EXCHANGE});
        struct scene scene;
        char servers[64], url[128];

        snprintf(servers, sizeof servers, "127.0.0.1:%d,127.0.0.1:%d", stub_dns_port(first ? refusing : dns),
                 stub_dns_port(first ? dns : refusing));
        scene_init(&scene);
        scene.dns_servers = servers;
        scene_open(&scene);
        scene_attempt(&scene, scene_url(url, sizeof url, false, "good.posthorn.example", evil_port(evil)));
        assert_int_equal(scene.result.failure, FAILURE_NONE);
        scene_fini(&scene);
        evil_close(evil, NULL);
        assert_true(stub_dns_close(refusing) > 0);
        stub_dns_close(dns);
    }
}

/* ---- 8.3: one name's trouble is its own ---- */

static const struct stub_record troubled[] = {
    {"slow.posthorn.example", false, STUB_SLOW, {"127.0.0.1"}, NULL, 60},
    {"slow.posthorn.example", true, STUB_SLOW},
    {"good.posthorn.example", false, STUB_ANSWER, {"127.0.0.1"}, NULL, 0},
    {"good.posthorn.example", true, STUB_ANSWER},
    {"truncated.posthorn.example", false, STUB_TRUNCATED},
    {"truncated.posthorn.example", true, STUB_TRUNCATED},
    {"failing.posthorn.example", false, STUB_SERVFAIL},
    {"failing.posthorn.example", true, STUB_SERVFAIL},
    {"refused.posthorn.example", false, STUB_REFUSED},
    {"refused.posthorn.example", true, STUB_REFUSED},
    {"old.posthorn.example", false, STUB_OLD, {"127.0.0.1"}, NULL, 0},
    {"old.posthorn.example", true, STUB_OLD},
    {"wide.posthorn.example", false, STUB_WIDE, {"127.0.0.1"}, NULL, 60},
    {"wide.posthorn.example", true, STUB_ANSWER},
    {NULL},
};

struct trouble {
    struct stub_dns *dns;
    struct evil *evil;
    struct scene scene;
    char servers[32];
};

static void trouble_open(struct trouble *trouble, const struct stub_record *table)
{
    trouble->dns = stub_dns_open(table);
    trouble->evil = evil_open(&(struct evil_config){.script = EXCHANGE EXCHANGE EXCHANGE EXCHANGE});
    snprintf(trouble->servers, sizeof trouble->servers, "127.0.0.1:%d", stub_dns_port(trouble->dns));
    scene_init(&trouble->scene);
    trouble->scene.dns_servers = trouble->servers;
    trouble->scene.limits.dns_ms = 5000;
    scene_open(&trouble->scene);
}

static void trouble_close(struct trouble *trouble)
{
    scene_fini(&trouble->scene);
    stub_dns_close(trouble->dns);
    evil_close(trouble->evil, NULL);
}

static void trouble_begin(struct trouble *trouble, const char *name)
{
    char host[64], url[128];
    snprintf(host, sizeof host, "%s.posthorn.example", name);
    scene_begin(&trouble->scene, scene_url(url, sizeof url, false, host, evil_port(trouble->evil)));
}

static void trouble_expect(struct trouble *trouble, enum failure failure)
{
    scene_finish(&trouble->scene);
    if (trouble->scene.result.failure != failure)
        fail_msg("%s instead of %s", failure_name(trouble->scene.result.failure), failure_name(failure));
}

static void test_troubles_of_others(void **state)
{
    static const struct {
        const char *name;
        enum failure failure;
    } others[] = {{"truncated", FAILURE_DNS_FAILURE},
                  {"failing", FAILURE_DNS_FAILURE},
                  {"refused", FAILURE_DNS_FAILURE},
                  {"old", FAILURE_NONE},
                  {"good", FAILURE_NONE}};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        struct trouble trouble;
        trouble_open(&trouble, troubled);
        trouble_begin(&trouble, "slow");
        trouble_begin(&trouble, others[i].name);
        trouble_expect(&trouble, others[i].failure);
        trouble_expect(&trouble, FAILURE_NONE);
        trouble_close(&trouble);
    }
}

static void test_edns(void **state)
{
    struct trouble trouble;
    trouble_open(&trouble, troubled);
    trouble_begin(&trouble, "good");
    trouble_expect(&trouble, FAILURE_NONE);
    assert_int_equal(stub_dns_udp_size(trouble.dns), 1232);
    trouble_begin(&trouble, "old"); /* turns EDNS off in c-ares */
    trouble_expect(&trouble, FAILURE_NONE);
    trouble_begin(&trouble, "good");
    trouble_expect(&trouble, FAILURE_NONE);
    assert_int_equal(stub_dns_udp_size(trouble.dns), 1232);
    trouble_close(&trouble);
}

/* c-ares cuts what comes after EDNS went off, for another name's sake, though it was asked for with EDNS. */
static void test_edns_off_cuts_no_answer_under_way(void **state)
{
    struct trouble trouble;
    trouble_open(&trouble, troubled);
    trouble_begin(&trouble, "wide");
    trouble_begin(&trouble, "old");
    trouble_expect(&trouble, FAILURE_NONE);
    trouble_expect(&trouble, FAILURE_NONE);
    trouble_close(&trouble);
}

static void test_long_answers_come_over_tcp(void **state)
{
    static const struct stub_record table[] = {
        {"long.posthorn.example", false, STUB_LONG, {"127.0.0.1"}, NULL, 60},
        {"long.posthorn.example", true, STUB_ANSWER},
        {NULL},
    };
    struct trouble trouble;
    trouble_open(&trouble, table);
    trouble_begin(&trouble, "long");
    trouble_expect(&trouble, FAILURE_NONE);
    trouble_close(&trouble);
}

/* A resolver that serves nobody is our trouble; so is one that is not there, whoever was answered just
 * before. */
static void test_local_resolver_trouble_is_ours(void **state)
{
    static const struct stub_record table[] = {
        {"", false, STUB_REFUSED},
        {"refused.posthorn.example", false, STUB_REFUSED},
        {"refused.posthorn.example", true, STUB_REFUSED},
        {NULL},
    };
    struct trouble trouble;
    trouble_open(&trouble, table);
    trouble_begin(&trouble, "refused");
    trouble_expect(&trouble, FAILURE_LOCAL_OUTAGE);
    trouble_close(&trouble);

    trouble_open(&trouble, troubled);
    trouble_begin(&trouble, "good");
    trouble_expect(&trouble, FAILURE_NONE);
    stub_dns_close(trouble.dns);
    trouble.scene.age_ms_max = 0;
    trouble_begin(&trouble, "good");
    trouble_expect(&trouble, FAILURE_LOCAL_OUTAGE);
    trouble.dns = stub_dns_open(troubled);
    trouble_close(&trouble);
}

static void test_one_look_up_for_all(void **state)
{
    struct evil *evil = evil_open(&(struct evil_config){.script = EXCHANGE EXCHANGE EXCHANGE});
    struct act act;
    act_open(&act, 0);
    scene_url(act.url, sizeof act.url, false, "fleeting.posthorn.example", evil_port(evil));
    for (int i = 0; i < 3; i++)
        scene_begin(&act.scene, act.url);
    while (act.scene.results < 3)
        uv_run(&act.scene.loop, UV_RUN_ONCE);
    assert_int_equal(act.scene.result.failure, FAILURE_NONE);
    assert_int_equal(act_close(&act), 2);
    evil_close(evil, NULL);
}

/* Its AAAA leads into a black hole, its A to a receiver. */
static void test_second_family(void **state)
{
    struct evil *evil = evil_open(&(struct evil_config){.script = EXCHANGE});
    struct black_hole hole;
    int port = evil_port(evil);
    struct act act;

    if (!black_hole_open(&hole, "::1", &port)) {
        evil_close(evil, NULL);
        skip(); /* no IPv6 here */
    }
    act_open(&act, 0);
    attempt(&act, "both.posthorn.example", port);
    assert_int_equal(act.scene.result.failure, FAILURE_NONE);
    act_close(&act);
    black_hole_close(&hole);
    evil_close(evil, NULL);
}

/* One address may not use up the time of all. */
static void test_next_address(void **state)
{
    struct evil *evil = evil_open(&(struct evil_config){.script = EXCHANGE});
    struct black_hole hole;
    int port = evil_port(evil);
    struct act act;

    for (int tries = 0; !black_hole_open(&hole, "127.0.0.2", &port); tries++) { /* somebody has it there */
        assert_true(tries < 10);
        evil_close(evil, NULL);
        evil = evil_open(&(struct evil_config){.script = EXCHANGE});
        port = evil_port(evil);
    }
    act_begin(&act);
    act.scene.limits.connect_ms = 100;
    scene_open(&act.scene);
    attempt(&act, "hole.posthorn.example", port);
    assert_int_equal(act.scene.result.failure, FAILURE_NONE);
    act_close(&act);
    black_hole_close(&hole);
    evil_close(evil, NULL);
}

static void test_aborted_while_asking(void **state)
{
    struct act act;
    act_open(&act, 0);
    scene_begin(&act.scene, scene_url(act.url, sizeof act.url, false, "silent.posthorn.example", 8080));
    sender_abort(act.scene.sender);
    assert_int_equal(act.scene.result.failure, FAILURE_SHUTDOWN);
    act_close(&act);
}

/* ---- our own faults ---- */

static void test_no_file_descriptors(void **state)
{
    struct evil *evil = evil_open(&(struct evil_config){.script = EXCHANGE});
    struct rlimit before, none;
    char url[64];
    struct scene scene;

    scene_init(&scene);
    scene_open(&scene);
    scene_url(url, sizeof url, false, "127.0.0.1", evil_port(evil));
    getrlimit(RLIMIT_NOFILE, &before);
    none = before;
    none.rlim_cur = 3;
    setrlimit(RLIMIT_NOFILE, &none);
    scene_attempt(&scene, url);
    setrlimit(RLIMIT_NOFILE, &before);
    assert_int_equal(scene.result.failure, FAILURE_LOCAL_LIMIT);
    scene_attempt(&scene, url);
    assert_int_equal(scene.result.failure, FAILURE_NONE);
    scene_fini(&scene);
    evil_close(evil, NULL);
}

/* In a network of its own that has no way to anywhere. Its exit status is the failure, 255 if there is none
 * to be had. */
static int failure_without_network(const char *url, const char *dns_servers)
{
    struct scene scene;
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
        return 255;
    scene_init(&scene);
    scene.dns_servers = dns_servers;
    scene_open(&scene);
    scene_attempt(&scene, url);
    return (int)scene.result.failure;
}

static void test_no_network(void **state)
{
    static const char *const urls[] = {"http://192.0.2.1/", "http://good.posthorn.example/"};
    for (size_t i = 0; i < 2; i++) {
        int status;
        pid_t child = fork();
        if (child == 0)
            _exit(failure_without_network(urls[i], "192.0.2.53"));
        assert_int_equal(waitpid(child, &status, 0), child);
        if (WEXITSTATUS(status) == 255)
            skip(); /* no namespaces here */
        assert_int_equal(WEXITSTATUS(status), FAILURE_LOCAL_OUTAGE);
    }
}

static int no_sigpipe(void **state)
{
    signal(SIGPIPE, SIG_IGN);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_no_resolver),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_more_addresses_than_are_kept),
        cmocka_unit_test(test_answers_are_kept_for_their_ttl),
        cmocka_unit_test(test_server_that_refuses),
        cmocka_unit_test(test_troubles_of_others),
        cmocka_unit_test(test_edns),
        cmocka_unit_test(test_edns_off_cuts_no_answer_under_way),
        cmocka_unit_test(test_long_answers_come_over_tcp),
        cmocka_unit_test(test_local_resolver_trouble_is_ours),
        cmocka_unit_test(test_one_look_up_for_all),
        cmocka_unit_test(test_second_family),
        cmocka_unit_test(test_next_address),
        cmocka_unit_test(test_aborted_while_asking),
        cmocka_unit_test(test_no_file_descriptors),
        cmocka_unit_test(test_no_network),
    };
    return cmocka_run_group_tests(tests, no_sigpipe, NULL);
}
