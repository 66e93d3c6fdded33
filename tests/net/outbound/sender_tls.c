/*
 * TLS: the trusted certificates, the name of each refusal, and sessions that are resumed within one peer.
 */
#include "peer.h"
#include "scene.h"
#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
/* after the four above */
#include <cmocka.h>

#define OK_ANSWER "HTTP/1.1 200 OK\\r\\nConnection: close\\r\\nContent-Length: 2\\r\\n\\r\\nok"
#define EXCHANGE  "accept; request; send \"" OK_ANSWER "\"; goodbye; await; "
#define PLAIN     "accept; request; send \"" OK_ANSWER "\"; fin; await; "

struct hand {
    const char *name;
    struct evil_config evil; /* TLS unless `plain` */
    const char *host;        /* 127.0.0.1 */
    enum failure failure;
    bool plain;
    struct sender_limits limits;
    const char *says; /* in its detail; NULL: nothing in particular */
};

static const struct hand hands[] = {
    {"good by address", {.script = EXCHANGE}, NULL, FAILURE_NONE},
    {"good by name", {.script = EXCHANGE}, "localhost", FAILURE_NONE},
    {"good over TLS 1.2", {.script = EXCHANGE, .tls_version_max = TLS1_2_VERSION}, NULL, FAILURE_NONE},
    {"wrong name",
     {.script = EXCHANGE, .certificate = CERTIFICATE_WRONG_NAME},
     "localhost",
     FAILURE_TLS_NAME},
    {"wrong address",
     {.script = EXCHANGE, .certificate = CERTIFICATE_WRONG_NAME},
     NULL,
     FAILURE_TLS_NAME,
     .says = "the certificate is not for 127.0.0.1 but for other.example"},
    {"expired",
     {.script = EXCHANGE, .certificate = CERTIFICATE_EXPIRED},
     NULL,
     FAILURE_TLS_EXPIRED,
     .says = "the certificate expired on 20"},
    {"not yet valid",
     {.script = EXCHANGE, .certificate = CERTIFICATE_NOT_YET_VALID},
     NULL,
     FAILURE_TLS_EXPIRED,
     .says = "the certificate is not valid before 20"},
    {"self-signed",
     {.script = EXCHANGE, .certificate = CERTIFICATE_SELF_SIGNED},
     NULL,
     FAILURE_TLS_UNTRUSTED,
     .says = "is signed by itself, not by an authority: CN=good"},
    {"unknown authority",
     {.script = EXCHANGE, .certificate = CERTIFICATE_UNKNOWN_CA},
     NULL,
     FAILURE_TLS_UNTRUSTED},
    {"missing intermediate",
     {.script = EXCHANGE, .certificate = CERTIFICATE_MISSING_INTERMEDIATE},
     NULL,
     FAILURE_TLS_UNTRUSTED,
     .says = "the intermediate certificate is missing: CN=middle authority"},
    {"expired over TLS 1.2",
     {.script = EXCHANGE, .certificate = CERTIFICATE_EXPIRED, .tls_version_max = TLS1_2_VERSION},
     NULL,
     FAILURE_TLS_EXPIRED},
    {"TLS 1.1 at best", {.script = EXCHANGE, .tls_version_max = TLS1_1_VERSION}, NULL, FAILURE_TLS_WEAK},
    {"TLS 1.0 at best", {.script = EXCHANGE, .tls_version_max = TLS1_VERSION}, NULL, FAILURE_TLS_WEAK},
    {"demands a certificate (1.3: the alert follows the request)",
     {.script = EXCHANGE, .client_certificate = true},
     NULL,
     FAILURE_TLS_CLIENT_CERT},
    {"demands a certificate (1.2: in the handshake)",
     {.script = EXCHANGE, .client_certificate = true, .tls_version_max = TLS1_2_VERSION},
     NULL,
     FAILURE_TLS_CLIENT_CERT},
    {"a ServerHello of TLS 1.0 all the same",
     {.script = "accept; read 100; send \"\\x16\\x03\\x01\\0\\x2a\\x02\\0\\0\\x26\\x03\\x01"
                "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\\0\\0\\x2f\\0\"; await"},
     NULL,
     FAILURE_TLS_WEAK,
     .plain = true},
    {"plaintext at once",
     {.script = "accept; send \"HTTP/1.1 200 OK\\r\\n\\r\\n\"; await"},
     NULL,
     FAILURE_TLS_PROTOCOL,
     .plain = true},
    {"plaintext after our hello",
     {.script = "accept; read 100; send \"HTTP/1.1 400 Bad Request\\r\\n\\r\\n\"; await"},
     NULL,
     FAILURE_TLS_PROTOCOL,
     .plain = true,
     .says = "this port speaks HTTP without TLS"},
    {"a handshake alert",
     {.script = "accept; read 100; send \"\\x15\\x03\\x03\\0\\x02\\x02\\x28\"; await"},
     NULL,
     FAILURE_TLS_PROTOCOL,
     .plain = true,
     .says = "nothing in common with what posthorn offers"},
    {"8.31: the alert of a server of HTTP/2 alone",
     {.script = "accept; read 100; send \"\\x15\\x03\\x03\\0\\x02\\x02\\x78\"; await"},
     NULL,
     FAILURE_TLS_PROTOCOL,
     .plain = true,
     .says = "HTTP/2 only"},
    {"8.31: the alert of a server without that name",
     {.script = "accept; read 100; send \"\\x15\\x03\\x03\\0\\x02\\x02\\x70\"; await"},
     NULL,
     FAILURE_TLS_PROTOCOL,
     .plain = true,
     .says = "does not know the host name"},
    {"silence", {.script = "accept; silence"}, NULL, FAILURE_TLS_TIMEOUT, true, {.tls_ms = 100}},
    {"a handshake that drips",
     {.script = "accept; read 100; send \"\\x16\\x03\\x03\\x10\\0aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\" "
                "every 20 ms; silence"},
     NULL,
     FAILURE_TLS_TIMEOUT,
     true,
     {.tls_ms = 200}},
    {"ends in the handshake",
     {.script = "accept; read 100; fin; await"},
     NULL,
     FAILURE_CLOSED_EARLY,
     .plain = true,
     .says = "closed the connection in the TLS handshake; if this port speaks HTTP without TLS"},
    {"resets in the handshake",
     {.script = "accept; read 100; rst"},
     NULL,
     FAILURE_RESET,
     .plain = true,
     .says = "in the TLS handshake"},
};

static void scene_for(struct scene *scene, void **state, const struct sender_limits *limits)
{
    scene_init(scene);
    if (limits && limits->tls_ms)
        scene->limits.tls_ms = limits->tls_ms;
    if (limits)
        scene->limits.handshakes_max = limits->handshakes_max;
    scene->ca_file = certificates_of(state)->ca_file;
    scene_open(scene);
}

static void test_hands(void **state)
{
    for (size_t i = 0; i < sizeof hands / sizeof *hands; i++) {
        const struct hand *hand = &hands[i];
        struct evil_config config = hand->evil;
        struct evil_record record;
        struct scene scene;
        char url[64];

        config.tls = !hand->plain;
        config.certificates = certificates_of(state);
        struct evil *evil = evil_open(&config);
        scene_for(&scene, state, &hand->limits);
        scene_attempt(
            &scene, scene_url(url, sizeof url, true, hand->host ? hand->host : "127.0.0.1", evil_port(evil)));
        if (scene.result.failure != hand->failure)
            fail_msg("%s: %s", hand->name, failure_name(scene.result.failure));
        if (hand->says && !strstr(scene.detail, hand->says))
            fail_msg("%s: %s", hand->name, scene.detail);
        scene_fini(&scene);
        evil_close(evil, &record);
        if (hand->failure != FAILURE_NONE)
            assert_int_equal(record.requests, 0); /* nothing of the event has been shown */
    }
}

/* ---- 8.1: what a handshake costs is not for the receiver to choose ---- */

static EVP_PKEY *rsa(BIGNUM *modulus)
{
    OSSL_PARAM_BLD *parts = OSSL_PARAM_BLD_new();
    BIGNUM *exponent = BN_new();
    EVP_PKEY *key = NULL;
    assert_true(BN_set_word(exponent, 65537) &&
                OSSL_PARAM_BLD_push_BN(parts, OSSL_PKEY_PARAM_RSA_N, modulus) &&
                OSSL_PARAM_BLD_push_BN(parts, OSSL_PKEY_PARAM_RSA_E, exponent));
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(parts);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    assert_true(EVP_PKEY_fromdata_init(context) == 1 &&
                EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, params) == 1);
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(parts);
    BN_free(exponent);
    return key;
}

/* An authority of `bits` that nobody has the key of: it is enough to be sent. */
static X509 *authority_of(int bits)
{
    static const struct certificate_plan plan = {"large authority", NULL, -1000, 1000};
    BIGNUM *modulus = BN_new();
    assert_true(BN_rand(modulus, bits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ODD));
    EVP_PKEY *key = rsa(modulus), *signer = EVP_EC_gen("P-256");
    X509 *certificate = certificate_make(&plan, signer);
    assert_true(X509_set_pubkey(certificate, key) == 1 && X509_sign(certificate, signer, EVP_sha256()) > 0);
    EVP_PKEY_free(key);
    EVP_PKEY_free(signer);
    BN_free(modulus);
    return certificate;
}

static void expect_handshake(void **state, struct evil_config config, enum failure failure, const char *says)
{
    struct scene scene;
    char url[64];
    config.script = EXCHANGE;
    config.tls = true;
    config.certificates = certificates_of(state);
    struct evil *evil = evil_open(&config);
    scene_for(&scene, state, NULL);
    scene_attempt(&scene, scene_url(url, sizeof url, true, "127.0.0.1", evil_port(evil)));
    if (scene.result.failure != failure || !strstr(scene.detail, says))
        fail_msg("%s: %s", failure_name(scene.result.failure), scene.detail);
    scene_fini(&scene);
    evil_close(evil, NULL);
}

static void test_large_keys_are_refused(void **state)
{
    X509 *huge = authority_of(16384), *fair = authority_of(4096);
    expect_handshake(state, (struct evil_config){.also_sent = huge}, FAILURE_TLS_KEY, "16384 bits");
    expect_handshake(state, (struct evil_config){.also_sent = huge, .tls_version_max = TLS1_2_VERSION},
                     FAILURE_TLS_KEY, "large authority");
    expect_handshake(state, (struct evil_config){.also_sent = fair}, FAILURE_NONE, "");
    X509_free(huge);
    X509_free(fair);
}

/* Where the receiver would choose the group, and so what it costs. */
static void test_no_finite_field_groups(void **state)
{
    static const struct certificate_plan plan = {"rsa", "IP:127.0.0.1", -1000, 1000};
    EVP_PKEY *key = EVP_RSA_gen(2048);
    X509 *own = certificate_make(&plan, key);
    struct evil_config config = {.own = own, .own_key = key, .tls_version_max = TLS1_2_VERSION};
    expect_handshake(state, config, FAILURE_TLS_UNTRUSTED, "signed by itself");
    config.ciphers = "DHE:@SECLEVEL=0";
    expect_handshake(state, config, FAILURE_TLS_PROTOCOL, "nothing in common");
    config.ciphers = "kRSA:@SECLEVEL=0";
    expect_handshake(state, config, FAILURE_TLS_PROTOCOL, "nothing in common");
    X509_free(own);
    EVP_PKEY_free(key);
}

static void test_no_slow_signatures(void **state)
{
    static const struct certificate_plan plan = {"ed448", "IP:127.0.0.1", -1000, 1000};
    static const char *const kinds[] = {"ED448", "secp256k1", "brainpoolP512r1"};
    for (size_t i = 0; i < 3; i++) {
        EVP_PKEY *key = i == 0 ? EVP_PKEY_Q_keygen(NULL, NULL, kinds[i]) : EVP_EC_gen(kinds[i]);
        X509 *own = certificate_make(&plan, key);
        expect_handshake(state, (struct evil_config){.own = own, .own_key = key}, FAILURE_TLS_PROTOCOL, "");
        X509_free(own);
        EVP_PKEY_free(key);
    }
}

/* 8.31: what came in the midst of the handshake is not shown as if the port spoke no TLS. */
static void test_certificates_longer_than_the_limit(void **state)
{
    static char names[80 * 1024] = "IP:127.0.0.1";
    struct certificate_plan plan = {"many names", names, -1000, 1000};
    for (size_t i = 0, len = strlen(names); i < 5000; i++)
        len += (size_t)snprintf(names + len, sizeof names - len, ",DNS:h%zu.test", i);
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *own = certificate_make(&plan, key);
    struct evil_config config = {.own = own, .own_key = key};
    expect_handshake(state, config, FAILURE_TLS_PROTOCOL, "certificates may have 32 KiB at most");
    config.tls_version_max = TLS1_2_VERSION;
    expect_handshake(state, config, FAILURE_TLS_PROTOCOL, "certificates may have 32 KiB at most");
    X509_free(own);
    EVP_PKEY_free(key);
}

/* 8.1: each ticket costs us something, and none ends an attempt. */
static void test_tickets_without_end(void **state)
{
    struct evil_config config = {.script = "accept; request; tickets 2000; send \"" OK_ANSWER "\"; await",
                                 .tls = true,
                                 .certificates = certificates_of(state)};
    for (int large = 0; large < 2; large++) {
        struct scene scene;
        char url[64];
        config.ticket_len = large ? 60000 : 0;
        struct evil *evil = evil_open(&config);
        scene_for(&scene, state, NULL);
        scene_attempt(&scene, scene_url(url, sizeof url, true, "127.0.0.1", evil_port(evil)));
        if (scene.result.failure != FAILURE_TLS_PROTOCOL)
            fail_msg("%s", failure_name(scene.result.failure));
        scene_fini(&scene);
        evil_close(evil, NULL);
    }
}

/* 8.1: a thousand sessions are kept, so none may be large; without it the next handshake is a whole one. */
static void test_large_tickets_are_not_kept(void **state)
{
    static const size_t lens[] = {1000, 60000};
    for (int i = 0; i < 2; i++) {
        struct evil *evil = evil_open(&(struct evil_config){.script = EXCHANGE EXCHANGE,
                                                            .tls = true,
                                                            .ticket_len = lens[i],
                                                            .certificates = certificates_of(state)});
        struct scene scene;
        char url[64];
        scene_for(&scene, state, NULL);
        scene_url(url, sizeof url, true, "127.0.0.1", evil_port(evil));
        for (int attempt = 0; attempt < 2; attempt++) {
            scene_attempt(&scene, url);
            assert_int_equal(scene.result.failure, FAILURE_NONE);
        }
        assert_int_equal(scene_stats(&scene).tls_resumed, i == 0);
        scene_fini(&scene);
        evil_close(evil, NULL);
    }
}

/* A ticket that is longer than a record comes in pieces, and TLS writes nothing between them: the request
 * waits for the rest. */
static void test_a_request_waits_for_the_rest_of_a_ticket(void **state)
{
    struct evil_config config = {
        .script = "accept; request; send \"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok\"; piece; "
                  "request; send \"" OK_ANSWER "\"; await",
        .tls = true,
        .ticket_len = 60000,
        .certificates = certificates_of(state)};
    struct evil *evil = evil_open(&config);
    struct evil_record record;
    struct scene scene;
    char url[64];
    scene_for(&scene, state, NULL);
    scene_attempt(&scene, scene_url(url, sizeof url, true, "127.0.0.1", evil_port(evil)));
    assert_true(evil_wait(evil, 1, 20 * 1000));
    scene_begin(&scene, url);
    for (int i = 0; i < 20; i++)
        scene_turn(&scene);
    assert_int_equal(scene.results, 1);
    evil_go(evil);
    scene_finish(&scene);
    assert_int_equal(scene.result.failure, FAILURE_NONE);
    assert_int_equal(scene.result.status, 200);
    scene_fini(&scene);
    evil_close(evil, &record);
    assert_int_equal(record.connections, 1);
}

/* A kind of RSA key that may sign nothing but PSS. */
static void test_keys_for_pss_alone(void **state)
{
    static const struct certificate_plan plan = {"pss", "IP:127.0.0.1", -1000, 1000};
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA-PSS", NULL);
    EVP_PKEY *key = NULL;
    assert_true(EVP_PKEY_keygen_init(context) == 1 && EVP_PKEY_keygen(context, &key) == 1);
    X509 *own = certificate_make(&plan, key);
    expect_handshake(state, (struct evil_config){.own = own, .own_key = key}, FAILURE_TLS_UNTRUSTED,
                     "signed by itself");
    X509_free(own);
    EVP_PKEY_free(key);
    EVP_PKEY_CTX_free(context);
}

/* Another endpoint with the same URL, whose hash agrees in the bits a table might use. */
static int64_t colliding_key(const char *text)
{
    struct peer one, other;
    struct url url;
    int64_t key = 1;

    assert_int_equal(url_parse(bytes_of(text), &url), URL_OK);
    peer_init(&one, key, &url, NULL);
    do
        peer_init(&other, ++key, &url, NULL);
    while ((one.hash ^ other.hash) & 0xffff);
    return key;
}

static void expect_resumption(void **state, int tls_version_max)
{
    struct evil_config config = {.script = EXCHANGE EXCHANGE EXCHANGE,
                                 .tls = true,
                                 .tls_version_max = tls_version_max,
                                 .certificates = certificates_of(state)};
    struct evil *evil = evil_open(&config);
    struct scene scene;
    char url[64];

    scene_for(&scene, state, NULL);
    scene_url(url, sizeof url, true, "127.0.0.1", evil_port(evil));
    for (int i = 0; i < 3; i++) {
        if (i == 2)
            scene.pool_key = colliding_key(url); /* it shares no session */
        scene_attempt(&scene, url);
        assert_int_equal(scene.result.failure, FAILURE_NONE);
    }
    assert_int_equal(scene_stats(&scene).tls_resumed, 1);
    assert_int_equal(scene_stats(&scene).tls_full, 2);
    scene_fini(&scene);
    evil_close(evil, NULL);
}

/* 8.21: what hangs in its handshake holds OpenSSL's memory: so many are under way, and the others wait. */
static void test_handshakes_under_way_are_bounded(void **state)
{
    enum { MEANWHILE = 8 };
    struct evil_config hanging = {.script = "accept; silence"};
    struct evil_config good = {.script = EXCHANGE, .tls = true, .certificates = certificates_of(state)};
    struct evil_config plain = {.script = PLAIN PLAIN PLAIN PLAIN PLAIN PLAIN PLAIN PLAIN};
    struct evil *evil = evil_open(&hanging), *other = evil_open(&good), *third = evil_open(&plain);
    struct scene scene;
    char url[64];

    scene_for(&scene, state, &(struct sender_limits){.handshakes_max = 1});
    scene_begin(&scene, scene_url(url, sizeof url, true, "127.0.0.1", evil_port(evil)));
    while (scene_stats(&scene).connections_opened < 1)
        scene_turn(&scene);
    scene_begin(&scene, scene_url(url, sizeof url, true, "127.0.0.1", evil_port(other)));
    while (scene_stats(&scene).connections_opened < 2)
        scene_turn(&scene);
    scene_url(url, sizeof url, false, "127.0.0.1", evil_port(third));
    for (int i = 0; i < MEANWHILE; i++)
        scene_attempt(&scene, url);
    assert_int_equal(scene.results, MEANWHILE);
    assert_int_equal(scene_stats(&scene).tls_full, 0);
    evil_close(evil, NULL);
    while (scene.results < MEANWHILE + 2)
        scene_finish(&scene);
    assert_int_equal(scene.result.failure, FAILURE_NONE);
    scene_fini(&scene);
    evil_close(other, NULL);
    evil_close(third, NULL);
}

/* 8.21: many endpoints that hang do not stop one that has completed its handshakes. */
static void test_hanging_handshakes_leave_room(void **state)
{
    enum { ROOM = 8, HANGING = 20 };
    struct evil_config hanging = {.script = "accept; silence"};
    struct evil_config good = {
        .script = EXCHANGE EXCHANGE, .tls = true, .certificates = certificates_of(state)};
    struct evil *evil = evil_open(&hanging), *other = evil_open(&good);
    struct sender_limits limits = sender_limits_default();
    struct scene scene;
    char url[64], good_url[64];

    limits.handshakes_max = ROOM;
    limits.tls_ms = 30 * 1000;
    scene_for(&scene, state, &limits);
    scene_url(url, sizeof url, true, "127.0.0.1", evil_port(evil));
    scene_url(good_url, sizeof good_url, true, "127.0.0.1", evil_port(other));
    scene_attempt(&scene, good_url);
    int64_t healthy = scene.pool_key;
    for (int i = 0; i < HANGING; i++) {
        scene.pool_key++;
        scene_begin(&scene, url);
    }
    while (scene_stats(&scene).connections_opened < 1 + HANGING)
        scene_turn(&scene);
    for (int i = 0; i < 100; i++, usleep(1000))
        scene_turn(&scene);
    scene.pool_key = healthy;
    scene_attempt(&scene, good_url);
    assert_int_equal(scene.results, 2);
    assert_int_equal(scene.result.failure, FAILURE_NONE);
    sender_abort(scene.sender);
    scene_fini(&scene);
    evil_close(evil, NULL);
    evil_close(other, NULL);
}

static void test_resumption(void **state)
{
    expect_resumption(state, 0);
    expect_resumption(state, TLS1_2_VERSION);
}

/* A session is no way around the name: the same key at another authority begins anew. */
static void test_session_is_bound_to_its_name(void **state)
{
    struct evil *evil = evil_open(&(struct evil_config){
        .script = EXCHANGE EXCHANGE, .tls = true, .certificates = certificates_of(state)});
    struct scene scene;
    char url[64];

    scene_for(&scene, state, NULL);
    scene_attempt(&scene, scene_url(url, sizeof url, true, "127.0.0.1", evil_port(evil)));
    scene_attempt(&scene, scene_url(url, sizeof url, true, "localhost", evil_port(evil)));
    assert_int_equal(scene.result.failure, FAILURE_NONE);
    assert_int_equal(scene_stats(&scene).tls_resumed, 0);
    scene_fini(&scene);
    evil_close(evil, NULL);
}

/* Many records each way, and a window that makes the sender wait for the receiver between them. */
static void test_large_body(void **state)
{
    enum { LARGE_LEN = 4 * 1024 * 1024 + 17 };
    struct evil_record record;
    struct scene scene;
    char url[64], *large = calloc(1, LARGE_LEN);
    struct evil *evil = evil_open(&(struct evil_config){
        .script = EXCHANGE, .tls = true, .small_window = true, .certificates = certificates_of(state)});
    scene_for(&scene, state, NULL);
    scene.body = large;
    scene.body_len = LARGE_LEN;
    scene_attempt(&scene, scene_url(url, sizeof url, true, "127.0.0.1", evil_port(evil)));
    assert_int_equal(scene.result.failure, FAILURE_NONE);
    assert_int_equal(scene.result.status, 200);
    scene_fini(&scene);
    evil_close(evil, &record);
    assert_int_equal(record.body_len, LARGE_LEN);
    free(large);
}

static void test_authorities_must_be_readable(void **state)
{
    struct sender_config config = {.clock = clock_system(),
                                   .limits = sender_limits_default(),
                                   .attempts_max = 1,
                                   .idle_connections_max = 1,
                                   .user_agent = "posthorn/test",
                                   .ca_file = "/nonexistent/ca.pem"};
    uv_loop_t loop;
    uv_loop_init(&loop);
    config.loop = &loop;
    assert_null(sender_open(&config));
    config.ca_file = certificates_of(state)->ca_file;
    config.dns_servers = "not an address";
    assert_null(sender_open(&config));
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hands),
        cmocka_unit_test(test_handshakes_under_way_are_bounded),
        cmocka_unit_test(test_hanging_handshakes_leave_room),
        cmocka_unit_test(test_large_keys_are_refused),
        cmocka_unit_test(test_no_finite_field_groups),
        cmocka_unit_test(test_no_slow_signatures),
        cmocka_unit_test(test_certificates_longer_than_the_limit),
        cmocka_unit_test(test_tickets_without_end),
        cmocka_unit_test(test_large_tickets_are_not_kept),
        cmocka_unit_test(test_a_request_waits_for_the_rest_of_a_ticket),
        cmocka_unit_test(test_keys_for_pss_alone),
        cmocka_unit_test(test_resumption),
        cmocka_unit_test(test_session_is_bound_to_its_name),
        cmocka_unit_test(test_large_body),
        cmocka_unit_test(test_authorities_must_be_readable),
    };
    return cmocka_run_group_tests(tests, evil_certificates_up, evil_certificates_down);
}
