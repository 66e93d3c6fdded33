/*
 * evil_certificates: good and bad certificates for 127.0.0.1 and localhost, made when the tests start.
 */
#pragma once
#include <openssl/ssl.h>
#include <stdbool.h>

enum evil_certificate {
    CERTIFICATE_GOOD,
    CERTIFICATE_WRONG_NAME,
    CERTIFICATE_EXPIRED,
    CERTIFICATE_NOT_YET_VALID,
    CERTIFICATE_SELF_SIGNED,
    CERTIFICATE_UNKNOWN_CA,
    CERTIFICATE_MISSING_INTERMEDIATE,
    CERTIFICATE_COUNT
};

struct evil_certificates {
    char ca_file[64]; /* the one trusted authority */
    X509 *ca, *strange_ca;
    EVP_PKEY *key; /* everybody's */
    EVP_PKEY *strange_key;
    X509 *list[CERTIFICATE_COUNT];
};

void evil_certificates_make(struct evil_certificates *certificates);
void evil_certificates_free(struct evil_certificates *certificates);
/* As the state of a group of tests, without SIGPIPE; and the end of that. */
int evil_certificates_up(void **state);
int evil_certificates_down(void **state);
static inline const struct evil_certificates *certificates_of(void **state)
{
    return *state;
}

/* One more, signed by itself. The caller frees it. */
struct certificate_plan {
    const char *name, *subject_names; /* NULL: an authority */
    long from_s, to_s;                /* from now */
    const char *usage;                /* extended key usage; NULL: none */
};
X509 *certificate_make(const struct certificate_plan *plan, EVP_PKEY *key);

/* As PEM, for free(). */
char *pem_of_certificate(X509 *certificate);
char *pem_of_key(EVP_PKEY *key);
