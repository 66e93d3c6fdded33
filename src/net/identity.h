/*
 * identity: our TLS identity for one receiver, and the receiver's that we accept. Mutual TLS ("2 way SSL"),
 * in PEM.
 *
 *   certificate  shown if the receiver asks for one: our own first, then the chain to its authority
 *   private_key  of the first certificate; not encrypted
 *   ca           trusted for this receiver instead of the sender's authorities: a root, an intermediate
 *                authority, or the receiver's own certificate
 *   server_name  the name or address that the receiver's certificate must have, instead of the URL's host; a
 *                name is also sent to the receiver (SNI)
 *
 * Each part may be missing, but not all of them; a key needs its certificate.
 *
 * One thread. Its opener and each attempt under way hold an identity; the last one to close it frees it.
 * Idle connections hold none.
 */
#pragma once
#include "arena.h"
#include "digest.h"
#include "url.h"
#include <openssl/ssl.h>

enum {
    IDENTITY_CERTIFICATE_LEN_MAX = 32 * 1024,
    IDENTITY_KEY_LEN_MAX = 16 * 1024,
    IDENTITY_CA_LEN_MAX = 64 * 1024,
    IDENTITY_CHAIN_MAX = 10,    /* certificates */
    IDENTITY_SUBJECT_LEN = 512, /* longer ones are cut */
    IDENTITY_FINGERPRINT_LEN = DIGEST_LEN * 3
};

struct identity;

/* An empty part is none. */
struct identity_source {
    struct bytes certificate, private_key, ca, server_name;
};

enum identity_part { IDENTITY_WHOLE, IDENTITY_CERTIFICATE, IDENTITY_KEY, IDENTITY_CA, IDENTITY_SERVER_NAME };

/*        symbol             code                        part         a sentence for people */
#define IDENTITY_ERROR_LIST(X)                                                                               \
    X(OK, "ok", WHOLE, "done")                                                                               \
    X(NOTHING, "identity_empty", WHOLE,                                                                      \
      "give a certificate with its private_key, a ca, a server_name, or several of them")                    \
    X(NO_KEY, "private_key_missing", KEY, "the certificate's private_key is missing")                        \
    X(NO_CERTIFICATE, "certificate_missing", CERTIFICATE, "the private_key's certificate is missing")        \
    X(CERTIFICATE_SYNTAX, "certificate_syntax", CERTIFICATE,                                                 \
      "this must be one to ten certificates in PEM, the private key's own first")                            \
    X(CERTIFICATE_IS_KEY, "certificate_holds_key", CERTIFICATE,                                              \
      "there is a private key among the certificates, where everybody may read it")                          \
    X(CERTIFICATE_WEAK, "certificate_weak", CERTIFICATE,                                                     \
      "the certificate's key or signature is too weak for TLS today (RSA needs 2048 bits, hashes SHA-256)")  \
    X(CERTIFICATE_EXPIRED, "certificate_expired", CERTIFICATE, "the certificate has expired")                \
    X(CERTIFICATE_EARLY, "certificate_not_yet_valid", CERTIFICATE, "the certificate is not valid yet")       \
    X(KEY_SYNTAX, "private_key_syntax", KEY, "this must be a private key in PEM")                            \
    X(KEY_ENCRYPTED, "private_key_encrypted", KEY,                                                           \
      "the private key is encrypted; take its passphrase off first (openssl pkey -in FILE)")                 \
    X(KEY_KIND, "private_key_unsupported", KEY,                                                              \
      "the key must be RSA with 2048 to 4096 bits, EC on P-256, P-384 or P-521, or Ed25519, and work")       \
    X(CERTIFICATE_KIND, "certificate_unsupported", CERTIFICATE,                                              \
      "every certificate's key must be RSA with at most 4096 bits, EC on P-256, P-384 or P-521, or Ed25519") \
    X(CA_KIND, "ca_unsupported", CA,                                                                         \
      "every authority's key must be RSA with at most 4096 bits, EC on P-256, P-384 or P-521, or Ed25519")   \
    X(KEY_MISMATCH, "private_key_mismatch", KEY, "the private key is not that of the first certificate")     \
    X(CA_SYNTAX, "ca_syntax", CA, "this must be certificates in PEM")                                        \
    X(CA_IS_KEY, "ca_holds_key", CA, "there is a private key among the authorities; nobody needs it here")   \
    X(CA_EXPIRED, "ca_expired", CA, "none of the authorities is valid today")                                \
    X(NAME_SYNTAX, "server_name_syntax", SERVER_NAME,                                                        \
      "this must be a host name or an address, without scheme and port")

#define IDENTITY_ERROR_ENUM(symbol, code, part, sentence) IDENTITY_ERROR_##symbol,
enum identity_error { IDENTITY_ERROR_LIST(IDENTITY_ERROR_ENUM) IDENTITY_ERROR_COUNT };
#undef IDENTITY_ERROR_ENUM

const char *identity_error_code(enum identity_error error);
const char *identity_error_sentence(enum identity_error error);
enum identity_part identity_error_part(enum identity_error error);

/* NULL: see *error. Expired certificates are accepted, because the receiver decides; see
 * identity_check_dates. */
struct identity *identity_open(const struct identity_source *source, enum identity_error *error);
/* Checks that the key fits the certificate: OK or KEY_KIND. It makes a signature, which may take some
 * milliseconds: not for the engine's loop. */
enum identity_error identity_check_key(const struct identity *identity);
struct identity *identity_hold(struct identity *identity);
void identity_close(struct identity *identity); /* NULL is fine */

/* OK, CERTIFICATE_EXPIRED, CERTIFICATE_EARLY or CA_EXPIRED. */
enum identity_error identity_check_dates(const struct identity *identity, int64_t wall_ms);

/* The public parts of the certificate. */
struct identity_description {
    char subject[IDENTITY_SUBJECT_LEN], issuer[IDENTITY_SUBJECT_LEN]; /* RFC 2253, ASCII */
    char fingerprint[IDENTITY_FINGERPRINT_LEN];                       /* SHA-256, "AB:CD:..." */
    int64_t not_before_ms, not_after_ms;
    bool for_servers_only; /* its extended key usage lacks clientAuth: most receivers will refuse it */
};
/* False: there is no certificate. */
bool identity_describe(const struct identity *identity, struct identity_description *description);
/* The parts as canonical PEM, on the arena. The caller wipes the key. False: too large for the arena. */
bool identity_print(const struct identity *identity, struct arena *arena, struct identity_source *source);

/* ---- for peer and tls ---- */

/* A digest of all parts: the same for equal identities, different for all others. */
const unsigned char *identity_digest(const struct identity *identity);
/* The name that the certificate must have; "" and NAME: the host of the URL. */
const char *identity_server_name(const struct identity *identity, enum url_host_kind *kind);
/* Sets its own authorities, if it has any. */
void identity_expect(const struct identity *identity, SSL *ssl);
/* Sets the certificate and key, if it has them. False: OpenSSL refuses them. */
bool identity_show(const struct identity *identity, SSL *ssl);
bool identity_has_certificate(const struct identity *identity);
