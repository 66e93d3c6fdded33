/*
 * TLS identities: those accepted, those refused and their codes, the shown parts.
 */
#include "identity.h"
#include "clock.h"
#include "evil_certificates.h"
#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
/* after the three above */
#include <cmocka.h>

#define DAY_MS ((int64_t)86400 * 1000)

struct papers {
    struct evil_certificates made;
    char *good, *expired, *early, *key, *strange_key, *ca, *strange_ca;
};

static int papers_up(void **state)
{
    struct papers *papers = calloc(1, sizeof *papers);
    evil_certificates_make(&papers->made);
    papers->good = pem_of_certificate(papers->made.list[CERTIFICATE_GOOD]);
    papers->expired = pem_of_certificate(papers->made.list[CERTIFICATE_EXPIRED]);
    papers->early = pem_of_certificate(papers->made.list[CERTIFICATE_NOT_YET_VALID]);
    papers->ca = pem_of_certificate(papers->made.ca);
    papers->strange_ca = pem_of_certificate(papers->made.strange_ca);
    papers->key = pem_of_key(papers->made.key);
    papers->strange_key = pem_of_key(papers->made.strange_key);
    *state = papers;
    return 0;
}

static int papers_down(void **state)
{
    struct papers *papers = *state;
    evil_certificates_free(&papers->made);
    free(papers->good);
    free(papers->expired);
    free(papers->early);
    free(papers->ca);
    free(papers->strange_ca);
    free(papers->key);
    free(papers->strange_key);
    free(papers);
    return 0;
}

static char *join(const char *a, const char *b)
{
    char *text = NULL;
    assert_true(asprintf(&text, "%s%s", a, b) > 0);
    return text;
}

static char *encrypted(EVP_PKEY *key, bool traditional)
{
    BIO *writer = BIO_new(BIO_s_mem());
    char *data = NULL;
    unsigned char word[] = "secret";
    if (traditional)
        PEM_write_bio_PrivateKey_traditional(writer, key, EVP_aes_128_cbc(), word, 6, NULL, NULL);
    else
        PEM_write_bio_PKCS8PrivateKey(writer, key, EVP_aes_256_cbc(), (char *)word, 6, NULL, NULL);
    long len = BIO_get_mem_data(writer, &data);
    char *text = strndup(data, (size_t)len);
    BIO_free(writer);
    return text;
}

/* A private RSA key made of numbers of these sizes: nothing ever signs with it but slowly. */
static EVP_PKEY *made_up_rsa(int modulus_bits, int exponent_bits, int private_bits)
{
    const int half = modulus_bits / 2;
    const int bits[] = {modulus_bits, exponent_bits, private_bits, half, half, half, half, half};
    static const char *const names[] = {OSSL_PKEY_PARAM_RSA_N,         OSSL_PKEY_PARAM_RSA_E,
                                        OSSL_PKEY_PARAM_RSA_D,         OSSL_PKEY_PARAM_RSA_FACTOR1,
                                        OSSL_PKEY_PARAM_RSA_FACTOR2,   OSSL_PKEY_PARAM_RSA_EXPONENT1,
                                        OSSL_PKEY_PARAM_RSA_EXPONENT2, OSSL_PKEY_PARAM_RSA_COEFFICIENT1};
    OSSL_PARAM_BLD *parts = OSSL_PARAM_BLD_new();
    BIGNUM *numbers[8];
    EVP_PKEY *key = NULL;
    for (int i = 0; i < 8; i++) {
        numbers[i] = BN_new();
        assert_true(BN_rand(numbers[i], bits[i], BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ODD) &&
                    OSSL_PARAM_BLD_push_BN(parts, names[i], numbers[i]));
    }
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(parts);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    assert_true(EVP_PKEY_fromdata_init(context) == 1 &&
                EVP_PKEY_fromdata(context, &key, EVP_PKEY_KEYPAIR, params) == 1);
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(parts);
    for (int i = 0; i < 8; i++)
        BN_free(numbers[i]);
    return key;
}

/* A certificate of that key, signed by somebody quick. */
static char *certificate_of(EVP_PKEY *key)
{
    static const struct certificate_plan plan = {"made up", "DNS:localhost", -1000, 1000};
    EVP_PKEY *signer = EVP_EC_gen("P-256");
    X509 *certificate = certificate_make(&plan, signer);
    assert_true(X509_set_pubkey(certificate, key) == 1 && X509_sign(certificate, signer, EVP_sha256()) > 0);
    char *text = pem_of_certificate(certificate);
    X509_free(certificate);
    EVP_PKEY_free(signer);
    return text;
}

static struct identity *open_parts(const char *certificate, const char *key, const char *ca, const char *name,
                                   enum identity_error *error)
{
    struct identity_source source = {bytes_of(certificate), bytes_of(key), bytes_of(ca), bytes_of(name)};
    return identity_open(&source, error);
}

static void expect(const char *certificate, const char *key, const char *ca, const char *name,
                   const char *code)
{
    enum identity_error error;
    struct identity *identity = open_parts(certificate, key, ca, name, &error);
    assert_string_equal(identity_error_code(error), code);
    assert_true((identity != NULL) == (error == IDENTITY_ERROR_OK));
    assert_true(strlen(identity_error_sentence(error)) > 0);
    identity_close(identity);
}

static void test_certificate_and_key(void **state)
{
    const struct papers *p = *state;
    char *both = join(p->good, p->key), *chain = join(p->good, p->ca), *reversed = join(p->ca, p->good),
         *cut = strndup(p->good, strlen(p->good) / 2), *noisy = join("subject=/CN=x\r\n", p->good),
         *broken = strdup(p->good),
         *crl = join(p->good, "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n");
    broken[200] = broken[200] == 'A' ? 'B' : 'A';
    expect(p->good, p->key, "", "", "ok");
    expect(chain, p->key, "", "", "ok");
    expect(noisy, p->key, "", "", "ok");
    expect(reversed, p->key, "", "", "private_key_mismatch"); /* ours comes first */
    expect(p->good, p->strange_key, "", "", "private_key_mismatch");
    expect(p->good, "", "", "", "private_key_missing");
    expect("", p->key, "", "", "certificate_missing");
    expect("garbage", p->key, "", "", "certificate_syntax");
    expect(cut, p->key, "", "", "certificate_syntax");
    expect(crl, p->key, "", "", "certificate_syntax");
    expect("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n", p->key, "", "", "certificate_syntax");
    expect("-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n", p->key, "", "",
           "certificate_syntax");
    expect(both, p->key, "", "", "certificate_holds_key");
    expect(p->key, p->key, "", "", "certificate_holds_key");
    expect(p->good, "garbage", "", "", "private_key_syntax");
    expect(p->good, p->good, "", "", "private_key_syntax");
    expect(p->good, both, "", "", "ok"); /* the usual combined file */
    enum identity_error error;
    identity_close(open_parts(broken, p->key, "", "", &error));
    assert_int_not_equal(error, IDENTITY_ERROR_KEY_SYNTAX);
    free(both);
    free(chain);
    free(reversed);
    free(cut);
    free(noisy);
    free(broken);
    free(crl);
}

static void test_encrypted_key(void **state)
{
    const struct papers *p = *state;
    for (int traditional = 0; traditional < 2; traditional++) {
        char *key = encrypted(p->made.key, traditional);
        expect(p->good, key, "", "", "private_key_encrypted");
        free(key);
    }
}

static void test_kinds_and_strength(void **state)
{
    static const struct certificate_plan plan = {"somebody", "DNS:x.example", -60, 3600, NULL};
    struct {
        EVP_PKEY *key;
        const char *code;
    } cases[] = {{EVP_RSA_gen(1024), "certificate_weak"},
                 {EVP_RSA_gen(2048), "ok"},
                 {EVP_EC_gen("P-384"), "ok"},
                 {EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), "ok"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        X509 *certificate = certificate_make(&plan, cases[i].key);
        char *pem = pem_of_certificate(certificate), *key = pem_of_key(cases[i].key);
        expect(pem, key, "", "", cases[i].code);
        free(pem);
        free(key);
        X509_free(certificate);
        EVP_PKEY_free(cases[i].key);
    }
}

static void test_limits(void **state)
{
    const struct papers *p = *state;
    char *chain = strdup(p->good);
    for (int i = 1; i < IDENTITY_CHAIN_MAX; i++) {
        char *longer = join(chain, p->ca);
        free(chain);
        chain = longer;
    }
    expect(chain, p->key, "", "", "ok");
    char *longer = join(chain, p->ca);
    expect(longer, p->key, "", "", "certificate_syntax");
    free(longer);
    free(chain);
    char *padding = calloc(1, IDENTITY_CA_LEN_MAX + 1);
    memset(padding, '\n', IDENTITY_CA_LEN_MAX);
    char *large = join(padding, p->good);
    expect(large, p->key, "", "", "certificate_syntax");
    expect("", "", large, "", "ca_syntax");
    free(large);
    large = join(padding, p->key);
    expect(p->good, large, "", "", "private_key_syntax");
    free(large);
    free(padding);
}

static void test_authorities_and_name(void **state)
{
    const struct papers *p = *state;
    static const char *const good_names[] = {"receiver",  "hooks.internal", "Hooks.Example.COM",
                                             "192.0.2.1", "2001:db8::1",    "xn--bcher-kva.example"};
    static const char *const bad_names[] = {
        "https://x",   "x:443", "x/y",         "a b",           "x.",  ".x",
        "[::1]",       "1.2.3", "u@x.com",     "x\\y",          "x?y", "-x",
        "b\xc3\xbc.x", "x\ny",  "127.0.0.1:1", "*.example.com", "a..b"};
    char *two = join(p->ca, p->strange_ca), *with_key = join(p->ca, p->key);
    expect("", "", p->ca, "", "ok");
    expect("", "", two, "", "ok");
    expect("", "", with_key, "", "ca_holds_key");
    expect("", "", "garbage", "", "ca_syntax");
    expect("", "", "", "", "identity_empty");
    free(two);
    free(with_key);
    for (size_t i = 0; i < sizeof good_names / sizeof *good_names; i++)
        expect("", "", "", good_names[i], "ok");
    for (size_t i = 0; i < sizeof bad_names / sizeof *bad_names; i++)
        expect("", "", "", bad_names[i], "server_name_syntax");
    char long_name[URL_HOST_LEN_MAX + 2];
    memset(long_name, 'a', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    expect("", "", "", long_name, "server_name_syntax");
}

static void expect_dates(const char *certificate, const char *key, const char *ca, int64_t wall_ms,
                         enum identity_error expected)
{
    enum identity_error error;
    struct identity *identity = open_parts(certificate, key, ca, "", &error);
    assert_non_null(identity); /* dates are the receiver's to judge */
    assert_int_equal(identity_check_dates(identity, wall_ms), expected);
    identity_close(identity);
}

static void test_dates(void **state)
{
    const struct papers *p = *state;
    struct clock clock = clock_system();
    int64_t now_ms = clock_wall_ms(&clock);
    char *chain = join(p->good, p->expired), *mixed = join(p->expired, p->ca);
    expect_dates(p->good, p->key, p->ca, now_ms, IDENTITY_ERROR_OK);
    expect_dates(p->good, p->key, "", now_ms + 2 * DAY_MS, IDENTITY_ERROR_CERTIFICATE_EXPIRED);
    expect_dates(p->good, p->key, "", now_ms - 2 * DAY_MS, IDENTITY_ERROR_CERTIFICATE_EARLY);
    expect_dates(p->expired, p->key, "", now_ms, IDENTITY_ERROR_CERTIFICATE_EXPIRED);
    expect_dates(p->early, p->key, "", now_ms, IDENTITY_ERROR_CERTIFICATE_EARLY);
    expect_dates(chain, p->key, "", now_ms, IDENTITY_ERROR_CERTIFICATE_EXPIRED);
    expect_dates("", "", p->expired, now_ms, IDENTITY_ERROR_CA_EXPIRED);
    expect_dates("", "", mixed, now_ms, IDENTITY_ERROR_OK); /* bundles keep old ones */
    free(chain);
    free(mixed);
}

static void test_description(void **state)
{
    const struct papers *p = *state;
    struct identity_description about;
    enum identity_error error;
    unsigned char fingerprint[DIGEST_LEN];
    char start[8];
    struct identity *identity = open_parts(p->good, p->key, "", "", &error);
    assert_true(identity_describe(identity, &about));
    assert_string_equal(about.subject, "CN=good");
    assert_string_equal(about.issuer, "CN=test authority");
    assert_int_equal(about.not_after_ms - about.not_before_ms, 2 * DAY_MS);
    X509_digest(p->made.list[CERTIFICATE_GOOD], EVP_sha256(), fingerprint, NULL);
    snprintf(start, sizeof start, "%02X:%02X:", fingerprint[0], fingerprint[1]);
    assert_int_equal(strncmp(about.fingerprint, start, 6), 0);
    assert_int_equal(strlen(about.fingerprint), 95);
    assert_false(about.for_servers_only);
    identity_close(identity);
    identity = open_parts("", "", p->ca, "", &error);
    assert_false(identity_describe(identity, &about));
    identity_close(identity);

    static const char *const usages[] = {"serverAuth", "clientAuth", "serverAuth,clientAuth"};
    for (size_t i = 0; i < 3; i++) {
        const struct certificate_plan plan = {"b\x1b[31m\nred", "DNS:x.example", -60, 3600, usages[i]};
        X509 *certificate = certificate_make(&plan, p->made.key);
        char *pem = pem_of_certificate(certificate);
        identity = open_parts(pem, p->key, "", "", &error);
        assert_true(identity_describe(identity, &about));
        assert_int_equal(about.for_servers_only, i == 0);
        assert_string_equal(about.subject, "CN=b\\1B[31m\\0Ared"); /* fit for a terminal */
        identity_close(identity);
        free(pem);
        X509_free(certificate);
    }
}

static void test_canonical_form(void **state)
{
    const struct papers *p = *state;
    enum identity_error error;
    struct arena arena;
    struct identity_source source;
    char *noisy = join("a comment\n", p->good), *combined = join(p->good, p->key);
    arena_init(&arena, 1 << 20);
    struct identity *identity = open_parts(noisy, combined, p->ca, "HOOKS.internal", &error);
    assert_true(identity_print(identity, &arena, &source));
    assert_true(bytes_equal_text(source.certificate, p->good));
    assert_true(bytes_equal_text(source.private_key, p->key)); /* PKCS #8 already */
    assert_true(bytes_equal_text(source.ca, p->ca));
    assert_true(bytes_equal_text(source.server_name, "hooks.internal"));
    struct identity *again = identity_open(&source, &error);
    assert_memory_equal(identity_digest(again), identity_digest(identity), DIGEST_LEN);
    identity_close(again);
    identity_close(identity);
    arena_fini(&arena);
    arena_init(&arena, 64);
    identity = open_parts(p->good, p->key, "", "", &error);
    assert_false(identity_print(identity, &arena, &source));
    identity_close(identity);
    arena_fini(&arena);
    free(noisy);
    free(combined);
}

static void test_digest_tells_every_part(void **state)
{
    const struct papers *p = *state;
    char *two = join(p->good, p->ca);
    const char *const parts[][4] = {
        {p->good, p->key, "", ""},   {p->expired, p->key, "", ""}, {p->good, p->key, p->ca, ""},
        {p->good, p->key, "", "ca"}, {two, p->key, "", ""},        {"", "", p->ca, ""},
        {"", "", "", "ca"},          {"", "", p->strange_ca, ""},  {p->good, p->key, p->strange_ca, ""},
    };
    enum { COUNT = sizeof parts / sizeof *parts };
    struct identity *list[COUNT];
    for (int i = 0; i < COUNT; i++) {
        enum identity_error error;
        list[i] = open_parts(parts[i][0], parts[i][1], parts[i][2], parts[i][3], &error);
        assert_non_null(list[i]);
        for (int j = 0; j < i; j++)
            assert_memory_not_equal(identity_digest(list[i]), identity_digest(list[j]), DIGEST_LEN);
    }
    for (int i = 0; i < COUNT; i++)
        identity_close(list[i]);
    free(two);
}

/* 8.1: what a tenant's key costs at each handshake is bounded when it is set. */
static void test_key_sizes(void **state)
{
    static const struct {
        int modulus_bits, exponent_bits, private_bits;
        enum identity_error error;
    } rows[] = {{16384, 17, 16384, IDENTITY_ERROR_KEY_KIND},
                {5120, 17, 5120, IDENTITY_ERROR_KEY_KIND},
                {4096, 17, 40000, IDENTITY_ERROR_KEY_KIND},
                {3072, 3072, 3072, IDENTITY_ERROR_KEY_KIND},
                {4096, 17, 4096, IDENTITY_ERROR_OK}};
    enum identity_error error;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        EVP_PKEY *key = made_up_rsa(rows[i].modulus_bits, rows[i].exponent_bits, rows[i].private_bits);
        char *text = pem_of_key(key), *certificate = certificate_of(key);
        struct identity *identity = open_parts(certificate, text, "", "", &error);
        assert_int_equal(identity ? IDENTITY_ERROR_OK : error, rows[i].error);
        if (identity) /* the right size, but it signs nothing that its certificate would vouch for */
            assert_int_equal(identity_check_key(identity), IDENTITY_ERROR_KEY_KIND);
        identity_close(identity);
        assert_null(open_parts("", "", i < 2 ? certificate : "x", "", &error));
        assert_int_equal(error, i < 2 ? IDENTITY_ERROR_CA_KIND : IDENTITY_ERROR_CA_SYNTAX);
        free(certificate);
        free(text);
        EVP_PKEY_free(key);
    }
}

static ASN1_TYPE *integer(int bits)
{
    BIGNUM *number = BN_new();
    ASN1_TYPE *type = ASN1_TYPE_new();
    assert_true(BN_rand(number, bits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ODD));
    ASN1_TYPE_set(type, V_ASN1_INTEGER, BN_to_ASN1_INTEGER(number, NULL));
    BN_free(number);
    return type;
}

/* A key of DSA in PKCS #8 lacks its public half: whoever decodes it computes g^x mod p. */
static char *dsa_key(int bits)
{
    const int sizes[] = {bits, 256, 2};
    STACK_OF(ASN1_TYPE) *numbers = sk_ASN1_TYPE_new_null();
    ASN1_STRING *parameters = ASN1_STRING_new();
    ASN1_TYPE *private = integer(bits);
    unsigned char *text = NULL, *key = NULL;
    for (size_t i = 0; i < 3; i++)
        sk_ASN1_TYPE_push(numbers, integer(sizes[i]));
    int text_len = i2d_ASN1_SEQUENCE_ANY(numbers, &text);
    ASN1_STRING_set0(parameters, text, text_len);
    int key_len = i2d_ASN1_INTEGER(private->value.integer, &key);
    PKCS8_PRIV_KEY_INFO *info = PKCS8_PRIV_KEY_INFO_new();
    assert_true(PKCS8_pkey_set0(info, OBJ_nid2obj(NID_dsa), 0, V_ASN1_SEQUENCE, parameters, key, key_len));
    BIO *writer = BIO_new(BIO_s_mem());
    char *data = NULL;
    PEM_write_bio_PKCS8_PRIV_KEY_INFO(writer, info);
    long len = BIO_get_mem_data(writer, &data);
    char *pem = strndup(data, (size_t)len);
    BIO_free(writer);
    PKCS8_PRIV_KEY_INFO_free(info);
    ASN1_TYPE_free(private);
    sk_ASN1_TYPE_pop_free(numbers, ASN1_TYPE_free);
    return pem;
}

/* 8.1: it is refused for its kind before anything is computed: one of 45,000 bits, which is 16 KiB, took
 * more than a minute. */
static void test_keys_of_other_kinds(void **state)
{
    const struct papers *p = *state;
    static const char *const kinds[] = {"ED448", "X25519"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, kinds[i]);
        char *text = pem_of_key(key);
        expect(p->good, text, "", "", "private_key_unsupported");
        free(text);
        EVP_PKEY_free(key);
    }
    char *dsa = dsa_key(24000);
    int64_t begun_us = clock_thread_cpu_us();
    expect(p->good, dsa, "", "", "private_key_unsupported");
    assert_in_range(clock_thread_cpu_us() - begun_us, 0, 500 * 1000);
    free(dsa);
    expect(p->good, "-----BEGIN OPENSSH PRIVATE KEY-----\nMA==\n-----END OPENSSH PRIVATE KEY-----\n", "", "",
           "private_key_unsupported");
}

/* 8.1: of a curve that is spelled out, the numbers choose what it costs to decode. */
static void test_curves_that_are_spelled_out(void **state)
{
    static const struct certificate_plan plan = {"somebody", "DNS:x.example", -60, 3600, NULL};
    EVP_PKEY *key = EVP_EC_gen("P-256");
    assert_int_equal(
        EVP_PKEY_set_utf8_string_param(key, OSSL_PKEY_PARAM_EC_ENCODING, OSSL_PKEY_EC_ENCODING_EXPLICIT), 1);
    X509 *certificate = certificate_make(&plan, key);
    char *pem = pem_of_certificate(certificate), *text = pem_of_key(key);
    expect(pem, text, "", "", "certificate_unsupported");
    expect("", "", pem, "", "ca_unsupported");
    expect(((const struct papers *)*state)->good, text, "", "", "private_key_unsupported");
    free(pem);
    free(text);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

/* What `openssl ecparam -genkey` and `openssl genrsa -traditional` write. */
static void test_traditional_keys(void **state)
{
    static const struct certificate_plan plan = {"somebody", "DNS:x.example", -60, 3600, NULL};
    for (int i = 0; i < 2; i++) {
        EVP_PKEY *key = i ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
        X509 *certificate = certificate_make(&plan, key);
        BIO *writer = BIO_new(BIO_s_mem());
        char *data = NULL, *pem = pem_of_certificate(certificate);
        if (!i)
            BIO_puts(writer,
                     "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n");
        PEM_write_bio_PrivateKey_traditional(writer, key, NULL, NULL, 0, NULL, NULL);
        long len = BIO_get_mem_data(writer, &data);
        char *text = strndup(data, (size_t)len);
        expect(pem, text, "", "", "ok");
        BIO_free(writer);
        free(text);
        free(pem);
        X509_free(certificate);
        EVP_PKEY_free(key);
    }
}

static void test_good_keys_work(void **state)
{
    struct papers *papers = *state;
    enum identity_error error;
    struct identity *identity = open_parts(papers->good, papers->key, "", "", &error);
    assert_int_equal(identity_check_key(identity), IDENTITY_ERROR_OK);
    identity_close(identity);
    identity = open_parts("", "", papers->ca, "", &error);
    assert_int_equal(identity_check_key(identity), IDENTITY_ERROR_OK);
    identity_close(identity);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_certificate_and_key),
        cmocka_unit_test(test_encrypted_key),
        cmocka_unit_test(test_key_sizes),
        cmocka_unit_test(test_keys_of_other_kinds),
        cmocka_unit_test(test_curves_that_are_spelled_out),
        cmocka_unit_test(test_traditional_keys),
        cmocka_unit_test(test_good_keys_work),
        cmocka_unit_test(test_kinds_and_strength),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_authorities_and_name),
        cmocka_unit_test(test_dates),
        cmocka_unit_test(test_description),
        cmocka_unit_test(test_canonical_form),
        cmocka_unit_test(test_digest_tells_every_part),
    };
    return cmocka_run_group_tests(tests, papers_up, papers_down);
}
