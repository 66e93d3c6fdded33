#include "identity.h"
#include "memory.h"
#include "trust.h"
#include <assert.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct identity {
    int holders;
    STACK_OF(X509) * chain; /* ours first; empty: none to show */
    EVP_PKEY *key;
    STACK_OF(X509) * authorities; /* empty: the sender's */
    X509_STORE *trust;            /* of the authorities */
    enum url_host_kind name_kind;
    char name[URL_HOST_LEN_MAX + 1]; /* "": the URL's host */
    unsigned char digest[DIGEST_LEN];
};

struct error_row {
    const char *code, *sentence;
    enum identity_part part;
};

#define ERROR_ROW(symbol, code, part, sentence) {code, sentence, IDENTITY_##part},
static const struct error_row rows[IDENTITY_ERROR_COUNT] = {IDENTITY_ERROR_LIST(ERROR_ROW)};
#undef ERROR_ROW

const char *identity_error_code(enum identity_error error)
{
    return rows[error].code;
}

const char *identity_error_sentence(enum identity_error error)
{
    return rows[error].sentence;
}

enum identity_part identity_error_part(enum identity_error error)
{
    return rows[error].part;
}

/* ---- reading PEM ---- */

static BIO *reader_of(struct bytes text)
{
    BIO *reader = BIO_new_mem_buf(text.data, (int)text.len);
    if (!reader)
        memory_exhausted();
    return reader;
}

enum block { BLOCK_CERTIFICATE, BLOCK_REFUSED, BLOCK_KEY, BLOCK_OTHER, BLOCK_NONE, BLOCK_MALFORMED };

static enum block decode_certificate(const unsigned char *data, long len, X509 **certificate)
{
    switch (trust_kind_of(bytes_make((const char *)data, (size_t)len))) {
    case TRUST_KIND_REFUSED:
        return BLOCK_REFUSED;
    case TRUST_KIND_MALFORMED:
        return BLOCK_MALFORMED;
    case TRUST_KIND_TAKEN:
        break;
    }
    const unsigned char *at = data;
    *certificate = d2i_X509(NULL, &at, len);
    return *certificate && at == data + len ? BLOCK_CERTIFICATE : BLOCK_MALFORMED;
}

/* The next block. Text between blocks is skipped, as usual for PEM. */
static enum block next_block(BIO *reader, X509 **certificate)
{
    char *name = NULL, *header = NULL;
    unsigned char *data = NULL;
    long len = 0;
    if (PEM_read_bio(reader, &name, &header, &data, &len) != 1)
        return ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE ? BLOCK_NONE : BLOCK_MALFORMED;
    enum block block = BLOCK_OTHER;
    if (strstr(name, "PRIVATE KEY")) {
        block = BLOCK_KEY;
    } else if (strcmp(name, PEM_STRING_X509) == 0) {
        block = decode_certificate(data, len, certificate);
    }
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_clear_free(data, (size_t)len);
    return block;
}

/* The errors of a list of certificates. */
struct list_errors {
    enum identity_error syntax, holds_key, kind;
};

/* Accepts only certificates. */
static enum identity_error read_certificates(struct bytes text, const struct list_errors *errors,
                                             STACK_OF(X509) * list)
{
    BIO *reader = reader_of(text);
    enum identity_error error = IDENTITY_ERROR_OK;
    for (bool more = true; more && error == IDENTITY_ERROR_OK;) {
        X509 *certificate = NULL;
        switch (next_block(reader, &certificate)) {
        case BLOCK_CERTIFICATE:
            sk_X509_push(list, certificate);
            certificate = NULL;
            break;
        case BLOCK_REFUSED:
            error = errors->kind;
            break;
        case BLOCK_KEY:
            error = errors->holds_key;
            break;
        case BLOCK_NONE:
            more = false;
            break;
        case BLOCK_OTHER:
        case BLOCK_MALFORMED:
            error = errors->syntax;
            break;
        }
        X509_free(certificate);
    }
    BIO_free(reader);
    return error == IDENTITY_ERROR_OK && sk_X509_num(list) == 0 ? errors->syntax : error;
}

/* A private key in PKCS #8. We check its kind first: while OpenSSL decodes DSA, or EC without a named curve,
 * it computes the public key, and numbers in 16 KiB of text can make that take minutes. */
static EVP_PKEY *decode_pkcs8(const unsigned char *data, long len)
{
    const ASN1_OBJECT *kind;
    const X509_ALGOR *algorithm;
    int parameter;
    PKCS8_PRIV_KEY_INFO *info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &data, len);
    if (!info || PKCS8_pkey_get0(&kind, NULL, NULL, &algorithm, info) != 1) {
        PKCS8_PRIV_KEY_INFO_free(info);
        return NULL;
    }
    X509_ALGOR_get0(NULL, &parameter, NULL, algorithm);
    int nid = OBJ_obj2nid(kind);
    bool bounded = nid == EVP_PKEY_RSA || nid == EVP_PKEY_RSA_PSS || nid == EVP_PKEY_ED25519 ||
                   (nid == EVP_PKEY_EC && parameter == V_ASN1_OBJECT);
    EVP_PKEY *key = bounded ? EVP_PKCS82PKEY(info) : NULL;
    PKCS8_PRIV_KEY_INFO_free(info);
    return key;
}

/* NULL: not a private key, or of a kind that is refused. */
static EVP_PKEY *decode_key(const char *name, const unsigned char *data, long len)
{
    if (strcmp(name, PEM_STRING_PKCS8INF) == 0)
        return decode_pkcs8(data, len);
    if (strcmp(name, PEM_STRING_RSA) == 0)
        return d2i_PrivateKey(EVP_PKEY_RSA, NULL, &data, len);
    if (strcmp(name, PEM_STRING_ECPRIVATEKEY) == 0)
        return d2i_PrivateKey(EVP_PKEY_EC, NULL, &data, len);
    return NULL;
}

/* The first private key in the text; certificates and EC parameters may stand before it. */
static enum identity_error read_key(struct identity *identity, struct bytes text)
{
    BIO *reader = reader_of(text);
    enum identity_error error = IDENTITY_ERROR_KEY_SYNTAX;
    char *name, *header;
    unsigned char *data;
    long len;
    for (bool found = false; !found && PEM_read_bio(reader, &name, &header, &data, &len) == 1;) {
        found = strstr(name, "PRIVATE KEY");
        if (found && (strcmp(name, PEM_STRING_PKCS8) == 0 || strstr(header, "ENCRYPTED"))) {
            error = IDENTITY_ERROR_KEY_ENCRYPTED;
        } else if (found) {
            identity->key = decode_key(name, data, len);
            error = identity->key ? IDENTITY_ERROR_OK : IDENTITY_ERROR_KEY_KIND;
        }
        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_clear_free(data, (size_t)len);
    }
    BIO_free(reader);
    return error;
}

/* ---- opening ---- */

static STACK_OF(X509) * intermediates(const struct identity *identity)
{
    STACK_OF(X509) *list = sk_X509_dup(identity->chain);
    if (!list)
        memory_exhausted();
    sk_X509_shift(list);
    return list;
}

/* Does OpenSSL's security level, which limits sizes and hashes, allow this certificate? */
static bool is_strong(const struct identity *identity)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    STACK_OF(X509) *rest = intermediates(identity);
    if (!context)
        memory_exhausted();
    bool strong =
        SSL_CTX_use_cert_and_key(context, sk_X509_value(identity->chain, 0), identity->key, rest, 1) == 1;
    sk_X509_free(rest);
    SSL_CTX_free(context);
    return strong;
}

static bool takes_keys(const STACK_OF(X509) * list)
{
    bool good = true;
    for (int i = 0; good && i < sk_X509_num(list); i++)
        good = trust_takes_key(X509_get0_pubkey(sk_X509_value(list, i)));
    return good;
}

static enum identity_error open_certificate(struct identity *identity, const struct identity_source *source)
{
    static const struct list_errors errors = {IDENTITY_ERROR_CERTIFICATE_SYNTAX,
                                              IDENTITY_ERROR_CERTIFICATE_IS_KEY,
                                              IDENTITY_ERROR_CERTIFICATE_KIND};
    if (!source->certificate.len)
        return source->private_key.len ? IDENTITY_ERROR_NO_CERTIFICATE : IDENTITY_ERROR_OK;
    enum identity_error error = IDENTITY_ERROR_CERTIFICATE_SYNTAX;
    if (source->certificate.len <= IDENTITY_CERTIFICATE_LEN_MAX)
        error = read_certificates(source->certificate, &errors, identity->chain);
    if (error == IDENTITY_ERROR_OK && sk_X509_num(identity->chain) > IDENTITY_CHAIN_MAX)
        error = IDENTITY_ERROR_CERTIFICATE_SYNTAX;
    if (error != IDENTITY_ERROR_OK)
        return error;
    if (!source->private_key.len)
        return IDENTITY_ERROR_NO_KEY;
    error = IDENTITY_ERROR_KEY_SYNTAX;
    if (source->private_key.len <= IDENTITY_KEY_LEN_MAX)
        error = read_key(identity, source->private_key);
    if (error != IDENTITY_ERROR_OK)
        return error;
    if (!trust_takes_key(identity->key))
        return IDENTITY_ERROR_KEY_KIND;
    if (!takes_keys(identity->chain))
        return IDENTITY_ERROR_CERTIFICATE_KIND;
    if (X509_check_private_key(sk_X509_value(identity->chain, 0), identity->key) != 1)
        return IDENTITY_ERROR_KEY_MISMATCH;
    return is_strong(identity) ? IDENTITY_ERROR_OK : IDENTITY_ERROR_CERTIFICATE_WEAK;
}

static enum identity_error open_authorities(struct identity *identity, struct bytes text)
{
    static const struct list_errors errors = {IDENTITY_ERROR_CA_SYNTAX, IDENTITY_ERROR_CA_IS_KEY,
                                              IDENTITY_ERROR_CA_KIND};
    if (!text.len)
        return IDENTITY_ERROR_OK;
    if (text.len > IDENTITY_CA_LEN_MAX)
        return IDENTITY_ERROR_CA_SYNTAX;
    enum identity_error error = read_certificates(text, &errors, identity->authorities);
    if (error != IDENTITY_ERROR_OK)
        return error;
    if (!takes_keys(identity->authorities))
        return IDENTITY_ERROR_CA_KIND;
    identity->trust = X509_STORE_new();
    if (!identity->trust)
        memory_exhausted();
    X509_STORE_set_flags(identity->trust,
                         X509_V_FLAG_PARTIAL_CHAIN); /* every certificate in `ca` is an anchor */
    for (int i = 0; i < sk_X509_num(identity->authorities); i++)
        X509_STORE_add_cert(identity->trust, sk_X509_value(identity->authorities, i));
    return IDENTITY_ERROR_OK;
}

/* Uses the URL parser, so that there is one definition of a host. */
static enum identity_error open_name(struct identity *identity, struct bytes name)
{
    char text[URL_HOST_LEN_MAX + sizeof "https://[]/"];
    struct in6_addr ipv6;
    struct url url;
    if (!name.len)
        return IDENTITY_ERROR_OK;
    if (name.len > URL_HOST_LEN_MAX)
        return IDENTITY_ERROR_NAME_SYNTAX;
    bool bare_ipv6 = url_parse_ipv6(name, &ipv6);
    int len = snprintf(text, sizeof text, bare_ipv6 ? "https://[%.*s]/" : "https://%.*s/", BYTES_ARG(name));
    if (url_parse(bytes_make(text, (size_t)len), &url) != URL_OK || url.target.len != 1 || url.port_given ||
        strlen(url.host) != name.len)
        return IDENTITY_ERROR_NAME_SYNTAX;
    identity->name_kind = url.host_kind;
    memcpy(identity->name, url.host, name.len + 1);
    return IDENTITY_ERROR_OK;
}

/* Without the key: the certificate identifies it. */
static void make_digest(struct identity *identity)
{
    const STACK_OF(X509) * lists[] = {identity->chain, identity->authorities};
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool made = context && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1;
    for (int l = 0; made && l < 2; l++) {
        int32_t count = sk_X509_num(lists[l]);
        made = EVP_DigestUpdate(context, &count, sizeof count) == 1;
        for (int i = 0; made && i < count; i++) {
            unsigned char fingerprint[DIGEST_LEN];
            made = X509_digest(sk_X509_value(lists[l], i), EVP_sha256(), fingerprint, NULL) == 1 &&
                   EVP_DigestUpdate(context, fingerprint, sizeof fingerprint) == 1;
        }
    }
    made = made && EVP_DigestUpdate(context, identity->name, strlen(identity->name)) == 1 &&
           EVP_DigestFinal_ex(context, identity->digest, NULL) == 1;
    assert(made && "SHA-256 takes every text");
    EVP_MD_CTX_free(context);
}

struct identity *identity_open(const struct identity_source *source, enum identity_error *error)
{
    struct identity *identity = memory_zero(1, sizeof *identity);
    identity->holders = 1;
    identity->chain = sk_X509_new_null();
    identity->authorities = sk_X509_new_null();
    if (!identity->chain || !identity->authorities)
        memory_exhausted();
    *error = open_certificate(identity, source);
    if (*error == IDENTITY_ERROR_OK)
        *error = open_authorities(identity, source->ca);
    if (*error == IDENTITY_ERROR_OK)
        *error = open_name(identity, source->server_name);
    if (*error == IDENTITY_ERROR_OK && !identity->key && !identity->trust && !identity->name[0])
        *error = IDENTITY_ERROR_NOTHING;
    ERR_clear_error();
    if (*error != IDENTITY_ERROR_OK) {
        identity_close(identity);
        return NULL;
    }
    make_digest(identity);
    return identity;
}

/* With a key whose parts do not fit, OpenSSL would use its slow path at every handshake. */
enum identity_error identity_check_key(const struct identity *identity)
{
    static const unsigned char text[] = "posthorn";
    unsigned char signature[1024];
    size_t len = sizeof signature;
    if (!identity->key)
        return IDENTITY_ERROR_OK;
    const EVP_MD *hash = EVP_PKEY_get_base_id(identity->key) == EVP_PKEY_ED25519 ? NULL : EVP_sha256();
    EVP_PKEY *public = X509_get0_pubkey(sk_X509_value(identity->chain, 0));
    EVP_MD_CTX *context = EVP_MD_CTX_new(), *check = EVP_MD_CTX_new();
    if (!context || !check)
        memory_exhausted();
    bool works = EVP_DigestSignInit(context, NULL, hash, NULL, identity->key) == 1 &&
                 EVP_DigestSign(context, signature, &len, text, sizeof text) == 1 &&
                 EVP_DigestVerifyInit(check, NULL, hash, NULL, public) == 1 &&
                 EVP_DigestVerify(check, signature, len, text, sizeof text) == 1;
    EVP_MD_CTX_free(context);
    EVP_MD_CTX_free(check);
    ERR_clear_error();
    return works ? IDENTITY_ERROR_OK : IDENTITY_ERROR_KEY_KIND;
}

struct identity *identity_hold(struct identity *identity)
{
    identity->holders++;
    return identity;
}

void identity_close(struct identity *identity)
{
    if (!identity || --identity->holders > 0)
        return;
    sk_X509_pop_free(identity->chain, X509_free);
    sk_X509_pop_free(identity->authorities, X509_free);
    EVP_PKEY_free(identity->key); /* wipes it */
    X509_STORE_free(identity->trust);
    free(identity);
}

/* ---- the public parts ---- */

static int64_t instant_of(const ASN1_TIME *time)
{
    struct tm tm;
    return ASN1_TIME_to_tm(time, &tm) == 1 ? (int64_t)timegm(&tm) * 1000 : INT64_MIN;
}

enum identity_error identity_check_dates(const struct identity *identity, int64_t wall_ms)
{
    for (int i = 0; i < sk_X509_num(identity->chain); i++) {
        const X509 *certificate = sk_X509_value(identity->chain, i);
        if (instant_of(X509_get0_notAfter(certificate)) < wall_ms)
            return IDENTITY_ERROR_CERTIFICATE_EXPIRED;
        if (instant_of(X509_get0_notBefore(certificate)) > wall_ms)
            return IDENTITY_ERROR_CERTIFICATE_EARLY;
    }
    bool valid = sk_X509_num(identity->authorities) == 0;
    for (int i = 0; i < sk_X509_num(identity->authorities); i++) {
        const X509 *authority = sk_X509_value(identity->authorities, i);
        valid = valid || (instant_of(X509_get0_notAfter(authority)) >= wall_ms &&
                          instant_of(X509_get0_notBefore(authority)) <= wall_ms);
    }
    return valid ? IDENTITY_ERROR_OK : IDENTITY_ERROR_CA_EXPIRED;
}

static void print_name(const X509_NAME *name, char out[IDENTITY_SUBJECT_LEN])
{
    BIO *writer = BIO_new(BIO_s_mem());
    if (!writer)
        memory_exhausted();
    X509_NAME_print_ex(writer, name, 0, XN_FLAG_RFC2253);
    int len = BIO_read(writer, out, IDENTITY_SUBJECT_LEN - 1);
    out[len > 0 ? len : 0] = '\0';
    BIO_free(writer);
}

bool identity_describe(const struct identity *identity, struct identity_description *description)
{
    unsigned char fingerprint[DIGEST_LEN];
    X509 *certificate = sk_X509_value(identity->chain, 0);
    if (!certificate)
        return false;
    print_name(X509_get_subject_name(certificate), description->subject);
    print_name(X509_get_issuer_name(certificate), description->issuer);
    X509_digest(certificate, EVP_sha256(), fingerprint, NULL);
    for (int i = 0; i < DIGEST_LEN; i++)
        snprintf(description->fingerprint + (ptrdiff_t)i * 3, 4, i < DIGEST_LEN - 1 ? "%02X:" : "%02X",
                 fingerprint[i]);
    description->not_before_ms = instant_of(X509_get0_notBefore(certificate));
    description->not_after_ms = instant_of(X509_get0_notAfter(certificate));
    description->for_servers_only = X509_check_purpose(certificate, X509_PURPOSE_SSL_CLIENT, 0) != 1;
    ERR_clear_error();
    return true;
}

static bool copy_out(BIO *writer, struct arena *arena, struct bytes *text)
{
    char *data = NULL;
    long len = BIO_get_mem_data(writer, &data);
    *text = arena_copy(arena, bytes_make(data, (size_t)len));
    BIO_free(writer); /* wipes its memory */
    return text->data != NULL;
}

static bool print_certificates(const STACK_OF(X509) * list, struct arena *arena, struct bytes *text)
{
    BIO *writer = BIO_new(BIO_s_mem());
    bool printed = writer != NULL;
    for (int i = 0; printed && i < sk_X509_num(list); i++)
        printed = PEM_write_bio_X509(writer, sk_X509_value(list, i)) == 1;
    if (!printed)
        memory_exhausted();
    return copy_out(writer, arena, text);
}

static bool print_key(EVP_PKEY *key, struct arena *arena, struct bytes *text)
{
    BIO *writer = BIO_new(BIO_s_mem());
    if (!writer || (key && PEM_write_bio_PKCS8PrivateKey(writer, key, NULL, NULL, 0, NULL, NULL) != 1))
        memory_exhausted();
    return copy_out(writer, arena, text);
}

bool identity_print(const struct identity *identity, struct arena *arena, struct identity_source *source)
{
    source->server_name = arena_copy(arena, bytes_of(identity->name));
    return source->server_name.data && print_certificates(identity->chain, arena, &source->certificate) &&
           print_certificates(identity->authorities, arena, &source->ca) &&
           print_key(identity->key, arena, &source->private_key);
}

/* ---- for peer and tls ---- */

const unsigned char *identity_digest(const struct identity *identity)
{
    return identity->digest;
}

const char *identity_server_name(const struct identity *identity, enum url_host_kind *kind)
{
    *kind = identity->name_kind;
    return identity->name;
}

void identity_expect(const struct identity *identity, SSL *ssl)
{
    if (identity->trust && SSL_set1_verify_cert_store(ssl, identity->trust) != 1)
        memory_exhausted();
}

bool identity_has_certificate(const struct identity *identity)
{
    return identity->key != NULL;
}

bool identity_show(const struct identity *identity, SSL *ssl)
{
    if (!identity->key)
        return true;
    STACK_OF(X509) *rest = intermediates(identity);
    bool shown = SSL_use_cert_and_key(ssl, sk_X509_value(identity->chain, 0), identity->key, rest, 1) == 1;
    sk_X509_free(rest);
    return shown;
}
