/*
 * The listener over TLS: handshakes in pieces, requests that share records and flights, client certificates,
 * ends, and bytes that are no TLS at all.
 */
#include "evil_certificates.h"
#include "listener_rig.h"
#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FLOOD = 200 };

static struct evil_certificates certificates;
static char cert_file[] = "/tmp/posthorn-test-cert-XXXXXX", key_file[] = "/tmp/posthorn-test-key-XXXXXX";

static void keep(char *path, char *text)
{
    int fd = mkstemp(path);
    assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && close(fd) == 0);
    free(text);
}

static int make_files(void **state)
{
    evil_certificates_make(&certificates);
    keep(cert_file, pem_of_certificate(certificates.list[CERTIFICATE_GOOD]));
    keep(key_file, pem_of_key(certificates.key));
    return 0;
}

static int remove_files(void **state)
{
    unlink(cert_file);
    unlink(key_file);
    evil_certificates_free(&certificates);
    return 0;
}

static struct listener_config tls_config(void)
{
    struct listener_config config = rig_config();
    config.tls.cert = cert_file;
    config.handshakes_max = 10 * FLOOD;
    config.tls.key = key_file;
    return config;
}

static int start(void **state)
{
    *state = rig_open(tls_config());
    return 0;
}

static int start_mutual(void **state)
{
    struct listener_config config = tls_config();
    config.tls.client_ca = certificates.ca_file;
    *state = rig_open(config);
    return 0;
}

static int start_impatient(void **state)
{
    struct listener_config config = tls_config();
    config.head_ms_max = 300;
    config.body_ms_max = 600;
    *state = rig_open(config);
    return 0;
}

static void dial_shaken(struct secure *client, struct application *application)
{
    secure_dial(client, application, NULL, NULL);
    assert_true(secure_shake(client, SIZE_MAX));
}

/* ---- pieces, records, flights ---- */

static void test_dripped_byte_by_byte(void **state)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    static struct answer answer;
    for (int i = 0; i < 2; i++) {
        struct secure client;
        secure_dial(&client, *state, NULL, NULL);
        SSL_set_max_proto_version(client.ssl, versions[i]);
        assert_true(secure_shake(&client, 1));
        assert_int_equal(SSL_version(client.ssl), versions[i]);
        secure_put(&client, "POST /later HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello");
        secure_flush(&client, 1);
        secure_get(&client, &answer, false);
        assert_string_equal(answer.body, "POST|/later||2|5|hello");
        secure_close(&client);
    }
}

/* TLS 1.3: the client's Finished and its request arrive at once. */
static void test_request_with_the_last_flight(void **state)
{
    static struct answer answer;
    struct secure client;
    dial_shaken(&client, *state); /* Finished is made, and not yet sent */
    secure_ask(&client, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n", &answer);
    assert_string_equal(answer.body, "GET|/a||1|0|");
    secure_close(&client);
}

static int count_answers(struct secure *client)
{
    enum { ROOM = 1 << 20 };
    char *text = malloc(ROOM);
    size_t len = 0, got;
    int count = 0;
    struct answer *first = malloc(sizeof *first);
    secure_get(client, first, false); /* waits for the first; others may stand behind it */
    memcpy(text, first->text, first->len);
    len = first->len;
    for (int i = 0; i < 2000 && !strstr(first->text, "/bye|"); i++) {
        while (len + 1 < ROOM && SSL_read_ex(client->ssl, text + len, ROOM - len - 1, &got))
            len += got;
        text[len] = '\0';
        if (strstr(text, "/bye|"))
            break;
        usleep(1000);
    }
    text[len] = '\0';
    for (const char *at = text; (at = strstr(at, "HTTP/1.1 20")); at++)
        count++;
    free(first);
    free(text);
    return count;
}

/* Several requests in one record: the answer to the first must not be read as the second. */
static void test_requests_in_one_record(void **state)
{
    struct secure client;
    dial_shaken(&client, *state);
    secure_put(&client,
               "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
               "POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"
               "POST /later HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"
               "GET /c HTTP/1.1\r\nHost: h\r\n\r\n"
               "GET /bye HTTP/1.1\r\nHost: h\r\n\r\n");
    secure_flush(&client, SIZE_MAX);
    assert_int_equal(count_answers(&client), 5);
    assert_int_equal(((struct application *)*state)->refused, 0);
    secure_close(&client);
}

static void test_large_answer_to_a_slow_reader(void **state)
{
    struct secure client, gone;
    dial_shaken(&gone, *state);
    secure_put(&gone, "GET /large HTTP/1.1\r\nHost: h\r\n\r\n");
    secure_flush(&gone, SIZE_MAX);
    dial_shaken(&client, *state);
    secure_put(&client, "GET /large HTTP/1.1\r\nHost: h\r\n\r\nGET /bye HTTP/1.1\r\nHost: h\r\n\r\n");
    secure_flush(&client, SIZE_MAX);
    wait_for_handled(*state, 2);
    struct linger now = {.l_onoff = 1};
    setsockopt(gone.fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    secure_close(&gone); /* in the middle of its answer */
    size_t len = drink(client.fd, client.ssl, 8192);
    assert_in_range(len, LARGE_LEN + 200, LARGE_LEN + 1000); /* both answers */
    secure_close(&client);
}

/* ---- ends ---- */

/* close_notify behind the requests says: no more of them. They are answered, and TLS is ended properly. */
static void test_close_notify_behind_requests(void **state)
{
    struct application *application = *state;
    static struct answer answer;
    struct secure client;
    set_holding(application, true);
    dial_shaken(&client, application);
    secure_put(&client, "GET /later HTTP/1.1\r\nHost: h\r\n\r\nGET /b HTTP/1.1\r\nHost: h\r\n\r\n");
    SSL_shutdown(client.ssl);
    secure_flush(&client, SIZE_MAX);
    wait_for_handled(application, 1);
    usleep(20000); /* so that the end has been seen */
    set_holding(application, false);
    secure_get(&client, &answer, false);
    assert_non_null(strstr(answer.text, "GET|/later||1|0|"));
    if (!strstr(answer.text, "|/b|"))
        secure_get(&client, &answer, false);
    assert_non_null(strstr(answer.text, "GET|/b||1|0|"));
    char byte;
    assert_int_equal(SSL_read(client.ssl, &byte, 1) > 0, 0);
    for (int i = 0; i < 5000 && SSL_get_error(client.ssl, -1) == SSL_ERROR_WANT_READ; i++) {
        usleep(1000);
        assert_true(SSL_read(client.ssl, &byte, 1) <= 0);
    }
    assert_true(SSL_get_shutdown(client.ssl) & SSL_RECEIVED_SHUTDOWN);
    secure_close(&client);
}

static void test_refused_while_it_sends(void **state)
{
    static struct answer answer;
    static char more[8001];
    struct secure client;
    memset(more, 'x', sizeof more - 1);
    dial_shaken(&client, *state);
    secure_put(&client, "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999\r\n\r\n");
    for (int i = 0; i < 100; i++)
        secure_put(&client, more);
    secure_flush(&client, SIZE_MAX);
    secure_get(&client, &answer, true);
    assert_int_equal(answer.status, 413);
    assert_true(answer.closed);
    secure_close(&client);
}

static void *leave_at_random(void *argument)
{
    unsigned seed = 7;
    for (int i = 0; i < 60; i++) {
        struct secure client;
        secure_dial(&client, argument, NULL, NULL);
        if (rand_r(&seed) % 4 && secure_shake(&client, SIZE_MAX)) {
            secure_put(&client, "POST /later HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx"
                                "GET /large HTTP/1.1\r\nHost: h\r\n\r\nGET /a HTTP/1.1\r\nHost: h\r\n\r\n");
            if (rand_r(&seed) % 2)
                SSL_shutdown(client.ssl);
            secure_flush(&client, 1 + (size_t)(rand_r(&seed) % 300));
        }
        struct linger now = {.l_onoff = rand_r(&seed) % 2};
        setsockopt(client.fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        secure_close(&client);
    }
    return NULL;
}

static void test_clients_leave_at_random(void **state)
{
    pthread_t threads[3];
    static struct answer answer;
    struct secure client;
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, leave_at_random, *state);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    dial_shaken(&client, *state);
    secure_ask(&client, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n", &answer);
    assert_int_equal(answer.status, 200);
    secure_close(&client);
}

/* ---- certificates ---- */

static int status_with(struct application *application, X509 *certificate, EVP_PKEY *key)
{
    static struct answer answer;
    struct secure client;
    secure_dial(&client, application, certificate, key);
    assert_true(secure_shake(&client, SIZE_MAX));
    secure_ask(&client, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n", &answer);
    secure_close(&client);
    return answer.status;
}

static void test_client_certificates(void **state)
{
    struct application *application = *state;
    assert_int_equal(status_with(application, NULL, NULL), 403);
    static const enum evil_certificate wrong[] = {CERTIFICATE_EXPIRED, CERTIFICATE_NOT_YET_VALID,
                                                  CERTIFICATE_SELF_SIGNED, CERTIFICATE_UNKNOWN_CA,
                                                  CERTIFICATE_MISSING_INTERMEDIATE};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(status_with(application, certificates.list[wrong[i]], certificates.key), 403);
    assert_int_equal(application->handled, 0);
    assert_int_equal(status_with(application, certificates.list[CERTIFICATE_GOOD], certificates.key), 200);
}

/* A session is resumed with the verdict it began with. */
static void test_resumed_without_certificate(void **state)
{
    struct application *application = *state;
    static struct answer answer;
    SSL_SESSION *session = NULL;
    for (int i = 0; i < 2; i++) {
        struct secure client;
        secure_dial(&client, application, NULL, NULL);
        if (session)
            SSL_set_session(client.ssl, session);
        assert_true(secure_shake(&client, SIZE_MAX));
        secure_ask(&client, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n", &answer);
        assert_int_equal(answer.status, 403);
        if (!session)
            session = SSL_get1_session(client.ssl);
        SSL_set_quiet_shutdown(client.ssl, 1);
        SSL_shutdown(client.ssl);
        secure_close(&client);
    }
    SSL_SESSION_free(session);
    assert_int_equal(application->handled, 0);
}

/* ---- 8.1: what a handshake costs is not for the client to choose ---- */

static void test_no_finite_field_groups(void **state)
{
    static const char *const groups[] = {"ffdhe8192", "ffdhe2048", "X448"};
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
        struct secure client;
        secure_dial(&client, *state, NULL, NULL);
        assert_int_equal(SSL_set1_groups_list(client.ssl, groups[i]), 1);
        assert_false(secure_shake(&client, SIZE_MAX));
        secure_close(&client);
    }
    assert_int_equal(status_with(*state, NULL, NULL), 200);
}

/* RSA of 16,384 bits: nobody has the key, it is enough to be sent. */
static X509 *large_authority(EVP_PKEY *signer)
{
    static const struct certificate_plan plan = {"large authority", NULL, -1000, 1000};
    BIGNUM *modulus = BN_new(), *exponent = BN_new();
    EVP_PKEY *key = NULL;
    assert_true(BN_rand(modulus, 16384, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ODD) && BN_set_word(exponent, 65537));
    OSSL_PARAM_BLD *parts = OSSL_PARAM_BLD_new();
    OSSL_PARAM_BLD_push_BN(parts, OSSL_PKEY_PARAM_RSA_N, modulus);
    OSSL_PARAM_BLD_push_BN(parts, OSSL_PKEY_PARAM_RSA_E, exponent);
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(parts);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    assert_true(EVP_PKEY_fromdata_init(context) == 1 &&
                EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, params) == 1);
    X509 *certificate = certificate_make(&plan, signer);
    assert_true(X509_set_pubkey(certificate, key) == 1 && X509_sign(certificate, signer, EVP_sha256()) > 0);
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(parts);
    EVP_PKEY_free(key);
    BN_free(modulus);
    BN_free(exponent);
    return certificate;
}

static bool is_answered(struct secure *client)
{
    struct pollfd readable = {.fd = client->fd, .events = POLLIN};
    char byte;
    int result;
    secure_put(client, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
    secure_flush(client, SIZE_MAX);
    while ((result = SSL_read(client->ssl, &byte, 1)) <= 0 &&
           SSL_get_error(client->ssl, result) == SSL_ERROR_WANT_READ && poll(&readable, 1, 60000) > 0)
        ;
    return result == 1;
}

/* False: the handshake was ended, in TLS 1.3 behind the client's last message. */
static bool welcome_with(struct application *application, X509 *also_sent)
{
    struct secure client;
    secure_dial(&client, application, certificates.list[CERTIFICATE_UNKNOWN_CA], certificates.key);
    assert_int_equal(SSL_add1_chain_cert(client.ssl, also_sent), 1);
    bool welcome = secure_shake(&client, SIZE_MAX) && is_answered(&client);
    secure_close(&client);
    return welcome;
}

static void test_costly_client_certificates(void **state)
{
    static const struct certificate_plan plan = {"odd authority", NULL, -1000, 1000};
    EVP_PKEY *quick = EVP_EC_gen("P-256"), *odd = EVP_EC_gen("sect571r1");
    X509 *large = large_authority(quick), *slow = certificate_make(&plan, odd), *fair = certificates.ca;
    assert_true(welcome_with(*state, fair)); /* and told 403 */
    assert_false(welcome_with(*state, large));
    assert_false(welcome_with(*state, slow));
    X509_free(large);
    X509_free(slow);
    EVP_PKEY_free(quick);
    EVP_PKEY_free(odd);
}

/* Each costs us some 20 us and the client 30 bytes. */
static void test_key_updates_are_few(void **state)
{
    struct secure client;
    dial_shaken(&client, *state);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(SSL_key_update(client.ssl, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
        assert_int_equal(SSL_do_handshake(client.ssl), 1);
    }
    assert_false(is_answered(&client));
    secure_close(&client);
    assert_int_equal(((struct application *)*state)->handled, 0);
}

/* ---- no TLS ---- */

static void test_plain_on_the_tls_port(void **state)
{
    static struct answer answer;
    int fd = dial(*state);
    put_text(fd, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
    get(fd, &answer, false);
    assert_int_equal(answer.status, 0); /* an alert, or nothing; and the end */
    close(fd);
    assert_int_equal(((struct application *)*state)->handled, 0);
    assert_int_equal(status_with(*state, NULL, NULL), 200);
}

static void test_handshake_that_never_ends(void **state)
{
    char byte;
    static struct answer answer;
    struct secure client;
    int silent = dial(*state);
    dial_shaken(&client, *state);
    assert_int_equal(recv(silent, &byte, 1, 0), 0); /* closed on it */
    close(silent);
    secure_flush(&client, SIZE_MAX);
    secure_put(&client, "GET /a HTTP/1.1\r\n");
    secure_flush(&client, SIZE_MAX);
    secure_get(&client, &answer, true);
    assert_true(answer.status == 408 || answer.status == 0); /* its Finished may have been late itself */
    secure_close(&client);
}

enum { HANGING = 40 };

static int start_narrow(void **state)
{
    struct listener_config config = tls_config();
    config.threads = 1;
    config.handshakes_max = 4;
    config.head_ms_max = 120 * 1000; /* nobody leaves by himself */
    *state = rig_open(config);
    return 0;
}

static int count_closed(const struct secure *clients)
{
    int closed = 0;
    for (int i = 0; i < HANGING; i++) {
        struct pollfd ended = {.fd = clients[i].fd, .events = POLLRDHUP};
        closed += poll(&ended, 1, 0) > 0;
    }
    return closed;
}

/* 8.21, 8.25: the memory of handshakes under way is bounded by their number; newcomers win over the oldest.
 */
static void test_handshakes_that_hang_are_few(void **state)
{
    static struct secure hanging[HANGING];
    static struct answer answer;
    for (int i = 0; i < HANGING; i++) {
        secure_dial(&hanging[i], *state, NULL, NULL);
        assert_int_equal(SSL_do_handshake(hanging[i].ssl), -1); /* the hello */
        secure_flush(&hanging[i], SIZE_MAX);
    }
    while (count_closed(hanging) < HANGING - 4)
        usleep(1000);
    assert_int_equal(count_closed(hanging), HANGING - 4);
    for (int i = 0; i < 10; i++) {
        struct secure client;
        dial_shaken(&client, *state);
        secure_ask(&client, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n", &answer);
        assert_string_equal(answer.body, "GET|/a||1|0|");
        secure_close(&client);
    }
    for (int i = 0; i < HANGING; i++)
        secure_close(&hanging[i]);
}

/* Who says nothing has no handshake yet, and takes nobody's place. */
static void test_silent_clients_have_no_handshake(void **state)
{
    int fds[HANGING];
    static struct answer answer;
    struct secure client;
    for (int i = 0; i < HANGING; i++)
        fds[i] = dial(*state);
    dial_shaken(&client, *state);
    secure_ask(&client, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n", &answer);
    assert_string_equal(answer.body, "GET|/a||1|0|");
    secure_close(&client);
    for (int i = 0; i < HANGING; i++) {
        struct pollfd readable = {.fd = fds[i], .events = POLLIN};
        assert_int_equal(poll(&readable, 1, 0), 0); /* it is still welcome */
        close(fds[i]);
    }
}

/* A key of RSA 4096, with which a handshake costs us some milliseconds. */
static int start_costly(void **state)
{
    static char cert[] = "/tmp/posthorn-test-cert-XXXXXX", key_path[] = "/tmp/posthorn-test-key-XXXXXX";
    EVP_PKEY *key = EVP_RSA_gen(4096);
    X509 *certificate = X509_new();
    X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
    X509_set_pubkey(certificate, key);
    assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
    keep(cert, pem_of_certificate(certificate));
    keep(key_path, pem_of_key(key));
    X509_free(certificate);
    EVP_PKEY_free(key);
    struct listener_config config = tls_config();
    config.threads = 1;
    config.connections_max = 2 * FLOOD;
    config.head_ms_max = 120 * 1000;
    config.tls.cert = cert;
    config.tls.key = key_path;
    *state = rig_open(config);
    unlink(cert);
    unlink(key_path);
    return 0;
}

/* 8.25: an address that opens handshakes without end gets its share of the loop's time; another goes first.
 */
static void test_a_flood_of_handshakes(void **state)
{
    static struct secure flood[FLOOD];
    struct secure client;
    int answered = 0;
    for (int i = 0; i < FLOOD; i++) {
        secure_on(&flood[i], dial_from(*state, "127.0.0.2"), NULL, NULL);
        assert_int_equal(SSL_do_handshake(flood[i].ssl), -1);
    }
    for (int i = 0; i < FLOOD; i++)
        secure_flush(&flood[i], SIZE_MAX);
    secure_on(&client, dial_from(*state, "127.0.0.3"), NULL, NULL);
    assert_true(secure_shake(&client, SIZE_MAX));
    for (int i = 0; i < FLOOD; i++) {
        struct pollfd readable = {.fd = flood[i].fd, .events = POLLIN};
        answered += poll(&readable, 1, 0) > 0;
        secure_close(&flood[i]);
    }
    assert_true(answered < FLOOD);
    secure_close(&client);
}

int main(void)
{
#define WITH(f, s) cmocka_unit_test_setup_teardown(f, s, rig_stop)
    const struct CMUnitTest tests[] = {
        WITH(test_dripped_byte_by_byte, start),
        WITH(test_request_with_the_last_flight, start),
        WITH(test_requests_in_one_record, start),
        WITH(test_large_answer_to_a_slow_reader, start),
        WITH(test_close_notify_behind_requests, start),
        WITH(test_refused_while_it_sends, start),
        WITH(test_clients_leave_at_random, start),
        WITH(test_client_certificates, start_mutual),
        WITH(test_resumed_without_certificate, start_mutual),
        WITH(test_no_finite_field_groups, start),
        WITH(test_costly_client_certificates, start_mutual),
        WITH(test_key_updates_are_few, start),
        WITH(test_plain_on_the_tls_port, start),
        WITH(test_handshake_that_never_ends, start_impatient),
        WITH(test_handshakes_that_hang_are_few, start_narrow),
        WITH(test_a_flood_of_handshakes, start_costly),
        WITH(test_silent_clients_have_no_handshake, start_narrow),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
