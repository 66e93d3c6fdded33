/*
 * trust: which certificates are accepted, and the sentence about those that are not.
 *
 * The cost of checking a foreign certificate is bounded before anything is computed with it: all keys of
 * the chain must be RSA of at most TRUST_RSA_BITS_MAX bits with a small exponent, EC on P-256, P-384 or
 * P-521, or Ed25519. A key of 16,384 bits would cost a hundred times as much. (OpenSSL bounds names and
 * name constraints: a million comparisons, which take 10 ms.)
 */
#pragma once
#include "bytes.h"
#include <openssl/ssl.h>
#include <stdbool.h>

enum { TRUST_RSA_BITS_MAX = 4096, TRUST_RSA_EXPONENT_BITS_MAX = 64, TRUST_WHY_LEN_MAX = 240 };

/* The kind of key in a certificate in DER, before OpenSSL decodes it. OpenSSL decodes the key too, and for EC
 * with explicit parameters it computes with numbers of the certificate: 50 ms for 700 bytes. */
enum trust_kind { TRUST_KIND_TAKEN, TRUST_KIND_REFUSED, TRUST_KIND_MALFORMED };
enum trust_kind trust_kind_of(struct bytes der);
/* The same for the Certificate message of a handshake (RFC 5246 section 7.4.2; RFC 8446 section 4.4.2): the
 * first kind that is not TAKEN. */
enum trust_kind trust_kind_of_message(struct bytes message, bool tls13);

/* True: the key of a certificate, or our own private key with all its parts, is within the limits. */
bool trust_takes_key(const EVP_PKEY *key);

/* Verifies the certificate of a peer, which must have the name `expected`. 1: good. Otherwise OpenSSL's
 * result, `why`, and whether a key was refused. */
int trust_verify(X509_STORE_CTX *store, const char *expected, char why[TRUST_WHY_LEN_MAX], bool *key_refused);
