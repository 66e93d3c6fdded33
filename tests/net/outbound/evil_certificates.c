#include "evil_certificates.h"
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DAY_S = 86400 };

static void must(bool good)
{
    if (!good)
        abort();
}

static void extend(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_nconf_nid(NULL, &context, nid, value);
    must(extension && X509_add_ext(certificate, extension, -1));
    X509_EXTENSION_free(extension);
}

static X509 *make(const struct certificate_plan *plan, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key,
                  long serial)
{
    X509 *certificate = X509_new();
    must(certificate && X509_set_version(certificate, 2) &&
         ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial) &&
         X509_gmtime_adj(X509_getm_notBefore(certificate), plan->from_s) &&
         X509_gmtime_adj(X509_getm_notAfter(certificate), plan->to_s) && X509_set_pubkey(certificate, key));
    X509_NAME *name = X509_get_subject_name(certificate);
    must(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)plan->name, -1, -1, 0));
    must(X509_set_issuer_name(certificate, issuer ? X509_get_subject_name(issuer) : name));
    if (plan->subject_names)
        extend(certificate, issuer ? issuer : certificate, NID_subject_alt_name, plan->subject_names);
    else
        extend(certificate, issuer ? issuer : certificate, NID_basic_constraints, "critical,CA:TRUE");
    if (plan->usage)
        extend(certificate, issuer ? issuer : certificate, NID_ext_key_usage, plan->usage);
    must(X509_sign(certificate, issuer_key,
                   EVP_PKEY_get_id(issuer_key) == EVP_PKEY_ED25519 ||
                           EVP_PKEY_get_id(issuer_key) == EVP_PKEY_ED448
                       ? NULL
                       : EVP_sha256()));
    return certificate;
}

X509 *certificate_make(const struct certificate_plan *plan, EVP_PKEY *key)
{
    return make(plan, key, NULL, key, 1);
}

static char *text_of(BIO *writer)
{
    char *data = NULL;
    long len = BIO_get_mem_data(writer, &data);
    char *text = calloc(1, (size_t)len + 1);
    must(text != NULL);
    memcpy(text, data, (size_t)len);
    BIO_free(writer);
    return text;
}

char *pem_of_certificate(X509 *certificate)
{
    BIO *writer = BIO_new(BIO_s_mem());
    must(writer && PEM_write_bio_X509(writer, certificate) == 1);
    return text_of(writer);
}

char *pem_of_key(EVP_PKEY *key)
{
    BIO *writer = BIO_new(BIO_s_mem());
    must(writer && PEM_write_bio_PrivateKey(writer, key, NULL, NULL, 0, NULL, NULL) == 1);
    return text_of(writer);
}

static EVP_PKEY *new_key(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    must(key);
    return key;
}

void evil_certificates_make(struct evil_certificates *c)
{
    static const char here[] = "DNS:localhost,IP:127.0.0.1", elsewhere[] = "DNS:other.example,IP:192.0.2.1";
    static const struct certificate_plan ca_plan = {"test authority", NULL, -DAY_S, DAY_S},
                                         other_plan = {"strange authority", NULL, -DAY_S, DAY_S},
                                         middle_plan = {"middle authority", NULL, -DAY_S, DAY_S};
    static const struct certificate_plan good = {"good", here, -DAY_S, DAY_S},
                                         wrong = {"wrong", elsewhere, -DAY_S, DAY_S},
                                         expired = {"expired", here, -2 * DAY_S, -DAY_S},
                                         not_yet = {"not yet", here, DAY_S, 2 * DAY_S};
    EVP_PKEY *ca_key = new_key(), *other_key = new_key();
    X509 *ca = make(&ca_plan, ca_key, NULL, ca_key, 1),
         *other = make(&other_plan, other_key, NULL, other_key, 2);
    X509 *middle = make(&middle_plan, other_key, ca, ca_key, 3);

    c->key = new_key();
    c->list[CERTIFICATE_GOOD] = make(&good, c->key, ca, ca_key, 10);
    c->list[CERTIFICATE_WRONG_NAME] = make(&wrong, c->key, ca, ca_key, 11);
    c->list[CERTIFICATE_EXPIRED] = make(&expired, c->key, ca, ca_key, 12);
    c->list[CERTIFICATE_NOT_YET_VALID] = make(&not_yet, c->key, ca, ca_key, 13);
    c->list[CERTIFICATE_SELF_SIGNED] = make(&good, c->key, NULL, c->key, 14);
    c->list[CERTIFICATE_UNKNOWN_CA] = make(&good, c->key, other, other_key, 15);
    c->list[CERTIFICATE_MISSING_INTERMEDIATE] = make(&good, c->key, middle, other_key, 16);
    snprintf(c->ca_file, sizeof c->ca_file, "/tmp/posthorn-test-ca-XXXXXX");
    int fd = mkstemp(c->ca_file);
    must(fd >= 0);
    FILE *file = fdopen(fd, "w");
    must(file && PEM_write_X509(file, ca) && fclose(file) == 0);
    X509_free(middle);
    EVP_PKEY_free(ca_key);
    c->ca = ca;
    c->strange_ca = other;
    c->strange_key = other_key;
}

void evil_certificates_free(struct evil_certificates *c)
{
    unlink(c->ca_file);
    for (int i = 0; i < CERTIFICATE_COUNT; i++)
        X509_free(c->list[i]);
    X509_free(c->ca);
    X509_free(c->strange_ca);
    EVP_PKEY_free(c->key);
    EVP_PKEY_free(c->strange_key);
}

int evil_certificates_up(void **state)
{
    struct evil_certificates *certificates = calloc(1, sizeof *certificates);
    must(certificates);
    signal(SIGPIPE, SIG_IGN);
    evil_certificates_make(certificates);
    *state = certificates;
    return 0;
}

int evil_certificates_down(void **state)
{
    evil_certificates_free(*state);
    free(*state);
    return 0;
}
