/*
 * 8.1: a receiver cannot raise our cost of TLS: keys that OpenSSL computes with while it decodes
 * them, and messages after the handshake.
 */
#include "scene.h"
#include <openssl/core_names.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
/* after the four above */
#include <cmocka.h>

static void expect(void **state, struct evil_config config, enum failure failure, const char *says)
{
    struct scene scene;
    char url[64];
    config.tls = true;
    config.certificates = *state;
    struct evil *evil = evil_open(&config);
    scene_init(&scene);
    scene.ca_file = config.certificates->ca_file;
    scene_open(&scene);
    scene_attempt(&scene, scene_url(url, sizeof url, true, "127.0.0.1", evil_port(evil)));
    if (scene.result.failure != failure || !strstr(scene.detail, says))
        fail_msg("%s: %s", failure_name(scene.result.failure), scene.detail);
    scene_fini(&scene);
    evil_close(evil, NULL);
}

#define ANSWER "send \"HTTP/1.1 200 OK\\r\\nConnection: close\\r\\nContent-Length: 2\\r\\n\\r\\nok\"; silence"

static EVP_PKEY *spelled_out(const char *curve)
{
    EVP_PKEY *key = EVP_EC_gen(curve);
    assert_int_equal(
        EVP_PKEY_set_utf8_string_param(key, OSSL_PKEY_PARAM_EC_ENCODING, OSSL_PKEY_EC_ENCODING_EXPLICIT), 1);
    return key;
}

/* A prime of the form k * 2^640 + 1 made such a key of 626 bytes cost 50 ms to decode, and a chain of 32 KiB
 * with them two seconds. */
static void test_curves_that_are_spelled_out(void **state)
{
    static const struct certificate_plan plan = {"odd authority", NULL, -1000, 1000};
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    EVP_PKEY *keys[] = {spelled_out("P-256"), EVP_EC_gen("sect571r1"), EVP_EC_gen("secp256k1"),
                        EVP_PKEY_Q_keygen(NULL, NULL, "ED448")};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        X509 *authority = certificate_make(&plan, keys[i]);
        for (size_t v = 0; v < 2; v++)
            expect(state,
                   (struct evil_config){.script = "accept; request; " ANSWER,
                                        .also_sent = authority,
                                        .tls_version_max = versions[v]},
                   FAILURE_TLS_KEY, "of a kind that is not taken: RSA, EC on");
        X509_free(authority);
        EVP_PKEY_free(keys[i]);
    }
}

/* (The receiver reads nothing more: OpenSSL's server would reset at our refusal to renegotiate.)
 * Each costs us some 20 us, 256 KiB of them a fifth of a second. */
static void test_messages_after_the_handshake(void **state)
{
    static const struct {
        const char *script;
        int version;
        enum failure failure;
    } rows[] = {
        {"accept; request; wishes 8; " ANSWER, TLS1_2_VERSION, FAILURE_NONE},
        {"accept; request; wishes 8; " ANSWER, TLS1_3_VERSION, FAILURE_NONE},
        {"accept; request; tickets 8; " ANSWER, TLS1_3_VERSION, FAILURE_NONE},
        {"accept; request; wishes 100; " ANSWER, TLS1_2_VERSION, FAILURE_TLS_PROTOCOL},
        {"accept; request; wishes 100; " ANSWER, TLS1_3_VERSION, FAILURE_TLS_PROTOCOL},
        {"accept; request; tickets 100; " ANSWER, TLS1_3_VERSION, FAILURE_TLS_PROTOCOL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect(state, (struct evil_config){.script = rows[i].script, .tls_version_max = rows[i].version},
               rows[i].failure, rows[i].failure == FAILURE_NONE ? "" : "more than 32 session tickets");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_curves_that_are_spelled_out),
        cmocka_unit_test(test_messages_after_the_handshake),
    };
    return cmocka_run_group_tests(tests, evil_certificates_up, evil_certificates_down);
}
