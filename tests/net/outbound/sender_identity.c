/*
 * The sender with identities: shown when asked for, each to its own receiver on its own connections.
 */
#include "peer.h"
#include "scene.h"
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
/* after the five above */
#include <cmocka.h>

#define ANSWER "HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok"
#define LAST   "HTTP/1.1 200 OK\\r\\nConnection: close\\r\\nContent-Length: 2\\r\\n\\r\\nok"
/* A connection that is kept, and one that is closed after its answer. */
#define KEPT   "accept; request; send \"" ANSWER "\"; "
#define AGAIN  "request; send \"" ANSWER "\"; "
#define CLOSED "accept; request; send \"" LAST "\"; goodbye; await; "

/* `certificate` negative: none. */
static struct identity *identity_of(void **state, int certificate, X509 *ca, const char *server_name)
{
    const struct evil_certificates *made = certificates_of(state);
    char *pem = certificate >= 0 ? pem_of_certificate(made->list[certificate]) : NULL,
         *key = certificate >= 0 ? pem_of_key(made->key) : NULL, *ca_pem = ca ? pem_of_certificate(ca) : NULL;
    struct identity_source source = {bytes_of(pem), bytes_of(key), bytes_of(ca_pem), bytes_of(server_name)};
    enum identity_error error;
    struct identity *identity = identity_open(&source, &error);
    assert_int_equal(error, IDENTITY_ERROR_OK);
    free(pem);
    free(key);
    free(ca_pem);
    return identity;
}

struct act {
    struct evil *evil;
    struct evil_record record;
    struct scene scene;
    char url[64];
};

static void act_open(struct act *act, void **state, const struct evil_config *config)
{
    struct evil_config copy = *config;
    copy.tls = true;
    copy.certificates = certificates_of(state);
    act->evil = evil_open(&copy);
    scene_init(&act->scene);
    act->scene.ca_file = copy.certificates->ca_file;
    scene_open(&act->scene);
    scene_url(act->url, sizeof act->url, true, "127.0.0.1", evil_port(act->evil));
}

static void act_close(struct act *act)
{
    scene_fini(&act->scene);
    evil_close(act->evil, &act->record);
}

/* One attempt; the identity is let go of while it is under way. */
static void act_as(struct act *act, struct identity *identity, enum failure failure)
{
    act->scene.identity = identity;
    scene_begin(&act->scene, act->url);
    identity_close(identity);
    scene_finish(&act->scene);
    if (act->scene.result.failure != failure)
        fail_msg("%s instead of %s", failure_name(act->scene.result.failure), failure_name(failure));
}

static void test_shown_to_whom_demands_it(void **state)
{
    static const struct {
        int certificate;
        enum failure failure;
        const char *client;
    } cases[] = {{CERTIFICATE_GOOD, FAILURE_NONE, "good"},
                 {CERTIFICATE_UNKNOWN_CA, FAILURE_TLS_CLIENT_REFUSED, ""},
                 {CERTIFICATE_SELF_SIGNED, FAILURE_TLS_CLIENT_REFUSED, ""},
                 {CERTIFICATE_EXPIRED, FAILURE_TLS_CLIENT_REFUSED, ""},
                 {CERTIFICATE_NOT_YET_VALID, FAILURE_TLS_CLIENT_REFUSED, ""},
                 {-1, FAILURE_TLS_CLIENT_CERT, ""}};
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t v = 0; v < 2; v++) {
            struct act act;
            act_open(&act, state,
                     &(struct evil_config){
                         .script = CLOSED, .client_certificate = true, .tls_version_max = versions[v]});
            act_as(&act, identity_of(state, cases[i].certificate, NULL, "127.0.0.1"), cases[i].failure);
            act_close(&act);
            assert_string_equal(act.record.clients, cases[i].client);
            assert_int_equal(act.record.requests, cases[i].failure == FAILURE_NONE);
        }
}

/* 8.1: a handshake with a large key of ours costs some ms. Who ends each of them has its share of our time,
 * and is told so; its neighbour goes on. */
static void test_handshakes_have_a_share_of_our_time(void **state)
{
    enum { ATTEMPTS_MAX = 1000, WAIT_MS = 50 };
    static char script[ATTEMPTS_MAX * 16 + 1];
    static const struct certificate_plan plan = {"large", NULL, -1000, 1000};
    for (int i = 0; i < ATTEMPTS_MAX; i++)
        memcpy(script + 16 * i, "accept; await;  ", 16);
    EVP_PKEY *key = EVP_RSA_gen(4096);
    X509 *certificate = certificate_make(&plan, key);
    char *pem = pem_of_certificate(certificate), *key_pem = pem_of_key(key);
    struct identity_source source = {bytes_of(pem), bytes_of(key_pem), bytes_of(""), bytes_of("")};
    enum identity_error error;
    struct act act;
    act_open(&act, state,
             &(struct evil_config){
                 .script = script, .client_certificate = true, .tls_version_max = TLS1_2_VERSION});
    act.scene.identity = identity_open(&source, &error);
    scene_fini(&act.scene);
    act.scene.limits.tls_ms = WAIT_MS;
    scene_open(&act.scene);
    int tried = 0;
    do
        scene_attempt(&act.scene, act.url);
    while (!strstr(act.scene.detail, "used up its share") && ++tried < ATTEMPTS_MAX / 2);
    assert_in_range(tried, 1, ATTEMPTS_MAX / 2 - 1);
    assert_int_equal(act.scene.result.failure, FAILURE_TLS_TIMEOUT);
    act.scene.pool_key++;
    scene_attempt(&act.scene, act.url);
    assert_null(strstr(act.scene.detail, "used up its share"));
    identity_close(act.scene.identity);
    act_close(&act);
    free(pem);
    free(key_pem);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

static void test_not_shown_to_whom_does_not_ask(void **state)
{
    struct act act;
    act_open(&act, state, &(struct evil_config){.script = CLOSED});
    act_as(&act, identity_of(state, CERTIFICATE_GOOD, NULL, ""), FAILURE_NONE);
    act_close(&act);
    assert_string_equal(act.record.clients, "-");
}

static void test_whom_it_is_taken_for(void **state)
{
    const struct evil_certificates *made = certificates_of(state);
    const struct {
        enum evil_certificate receiver;
        X509 *ca;
        const char *name;
        enum failure failure;
    } cases[] = {
        {CERTIFICATE_UNKNOWN_CA, made->strange_ca, "", FAILURE_NONE},
        {CERTIFICATE_GOOD, made->strange_ca, "", FAILURE_TLS_UNTRUSTED}, /* instead of the sender's */
        {CERTIFICATE_GOOD, made->ca, "", FAILURE_NONE},
        {CERTIFICATE_SELF_SIGNED, made->list[CERTIFICATE_SELF_SIGNED], "", FAILURE_NONE},
        {CERTIFICATE_GOOD, made->list[CERTIFICATE_GOOD], "", FAILURE_NONE}, /* itself an anchor */
        {CERTIFICATE_EXPIRED, made->list[CERTIFICATE_EXPIRED], "", FAILURE_TLS_EXPIRED},
        {CERTIFICATE_WRONG_NAME, made->ca, "", FAILURE_TLS_NAME},
        {CERTIFICATE_WRONG_NAME, NULL, "other.example", FAILURE_NONE},
        {CERTIFICATE_WRONG_NAME, NULL, "192.0.2.1", FAILURE_NONE},
        {CERTIFICATE_GOOD, NULL, "other.example", FAILURE_TLS_NAME},
        {CERTIFICATE_GOOD, NULL, "192.0.2.1", FAILURE_TLS_NAME},
        {CERTIFICATE_GOOD, NULL, "localhost", FAILURE_NONE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct act act;
        act_open(&act, state, &(struct evil_config){.script = CLOSED, .certificate = cases[i].receiver});
        act_as(&act, identity_of(state, CERTIFICATE_GOOD, cases[i].ca, cases[i].name), cases[i].failure);
        act_close(&act);
        assert_int_equal(act.record.requests, cases[i].failure == FAILURE_NONE);
    }
}

/* Everything else about the peer is the same: endpoint, host, port. */
static void test_connections_are_not_shared(void **state)
{
    struct act act;
    struct sender_stats stats;
    act_open(&act, state, &(struct evil_config){.script = KEPT AGAIN KEPT KEPT, .client_certificate = true});
    act_as(&act, identity_of(state, CERTIFICATE_GOOD, NULL, ""), FAILURE_NONE);
    act_as(&act, identity_of(state, CERTIFICATE_GOOD, NULL, ""), FAILURE_NONE); /* opened anew, the same */
    assert_true(act.scene.result.reused_connection);
    act_as(&act, identity_of(state, CERTIFICATE_GOOD, NULL, "localhost"), FAILURE_NONE);
    assert_false(act.scene.result.reused_connection);
    act_as(&act, identity_of(state, CERTIFICATE_GOOD, certificates_of(state)->ca, ""), FAILURE_NONE);
    assert_false(act.scene.result.reused_connection);
    stats = scene_stats(&act.scene);
    assert_int_equal(stats.connections_opened, 3);
    assert_int_equal(stats.tls_resumed, 0);
    act_close(&act);
    assert_string_equal(act.record.clients, "good good good");
}

static void test_nobody_does_not_inherit_a_connection(void **state)
{
    struct act act;
    act_open(&act, state, &(struct evil_config){.script = KEPT KEPT, .client_certificate = true});
    act_as(&act, identity_of(state, CERTIFICATE_GOOD, NULL, ""), FAILURE_NONE);
    act_as(&act, NULL, FAILURE_TLS_CLIENT_CERT);
    act_close(&act);
    assert_int_equal(act.record.requests, 1);
}

static void expect_sessions(void **state, int version)
{
    struct act act;
    act_open(&act, state,
             &(struct evil_config){.script = CLOSED CLOSED CLOSED CLOSED,
                                   .client_certificate = true,
                                   .tls_version_max = version});
    act_as(&act, identity_of(state, CERTIFICATE_GOOD, NULL, ""), FAILURE_NONE);
    act_as(&act, identity_of(state, CERTIFICATE_GOOD, NULL, ""), FAILURE_NONE);
    assert_int_equal(scene_stats(&act.scene).tls_resumed, 1); /* the control */
    act_as(&act, identity_of(state, CERTIFICATE_GOOD, NULL, "localhost"), FAILURE_NONE);
    act_as(&act, NULL, FAILURE_TLS_CLIENT_CERT); /* a session would have been a way around it */
    assert_int_equal(scene_stats(&act.scene).tls_resumed, 1);
    act_close(&act);
}

static void test_sessions_are_not_shared(void **state)
{
    expect_sessions(state, TLS1_2_VERSION);
    expect_sessions(state, TLS1_3_VERSION);
}

/* An identity that fell into the place of another one in memory is not that one. */
static void test_an_address_is_no_identity(void **state)
{
    struct act act;
    act_open(&act, state, &(struct evil_config){.script = KEPT KEPT});
    for (int i = 0; i < 2; i++) {
        act_as(&act, identity_of(state, i ? -1 : CERTIFICATE_GOOD, NULL, "localhost"), FAILURE_NONE);
        assert_false(act.scene.result.reused_connection);
    }
    act_close(&act);
}

static void test_abort_lets_go(void **state)
{
    struct act act;
    act_open(&act, state,
             &(struct evil_config){.script = "accept; request; silence", .client_certificate = true});
    act.scene.identity = identity_of(state, CERTIFICATE_GOOD, NULL, "");
    scene_begin(&act.scene, act.url);
    identity_close(act.scene.identity);
    sender_abort(act.scene.sender);
    assert_int_equal(act.scene.result.failure, FAILURE_SHUTDOWN);
    act_close(&act); /* and the sanitizer sees nothing left */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shown_to_whom_demands_it),
        cmocka_unit_test(test_handshakes_have_a_share_of_our_time),
        cmocka_unit_test(test_not_shown_to_whom_does_not_ask),
        cmocka_unit_test(test_whom_it_is_taken_for),
        cmocka_unit_test(test_connections_are_not_shared),
        cmocka_unit_test(test_nobody_does_not_inherit_a_connection),
        cmocka_unit_test(test_sessions_are_not_shared),
        cmocka_unit_test(test_an_address_is_no_identity),
        cmocka_unit_test(test_abort_lets_go),
    };
    return cmocka_run_group_tests(tests, evil_certificates_up, evil_certificates_down);
}
