/*
 * trust: which certificates are taken, and what is said of those that are not.
 *
 * What a stranger's certificate costs to check is bounded by its size before anything is reckoned with it:
 * the keys of the whole chain must be RSA of at most TRUST_RSA_BITS_MAX bits with a small exponent, EC on
 * P-256, P-384 or P-521, or Ed25519. A key of 16,384 bits would cost a hundred times as much. (Names and name
 * constraints are bounded by OpenSSL, a million comparisons, which take 10 ms.)
 */
#pragma once
#include "bytes.h"
#include <openssl/ssl.h>
#include <stdbool.h>

enum { TRUST_RSA_BITS_MAX = 4096, TRUST_RSA_EXPONENT_BITS_MAX = 64, TRUST_WHY_LEN_MAX = 240 };

/* Of a certificate in DER, before OpenSSL decodes it. That decodes the key too, and for EC with explicit
 * parameters it computes with numbers that the certificate chooses: 50 ms for 700 bytes. */
enum trust_kind { TRUST_KIND_TAKEN, TRUST_KIND_REFUSED, TRUST_KIND_MALFORMED };
enum trust_kind trust_kind_of(struct bytes der);
/* The same of the Certificate message of a handshake (RFC 5246 section 7.4.2; RFC 8446 section 4.4.2): the
 * first kind in it that is not taken. */
enum trust_kind trust_kind_of_message(struct bytes message, bool tls13);

/* Of a certificate, or our own private key, all of whose parts are looked at. */
bool trust_takes_key(const EVP_PKEY *key);

/* The verification of a peer's certificate, which is to bear the name `expected`: 1, or OpenSSL's other
 * answers, with `why` and whether it is a key that is not taken. */
int trust_verify(X509_STORE_CTX *store, const char *expected, char why[TRUST_WHY_LEN_MAX], bool *key_refused);
