/*
 * The second signature: Standard Webhooks 1.0. The signed bytes are `id.timestamp.body`.
 */
#include "posthorn.h"
#include "secret.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

enum { HMAC_LEN = 32, ED25519_SIGNATURE_LEN = 64, PREFIX_LEN_MAX = 512 };

struct posthorn_signer {
    EVP_MAC_CTX *mac;   /* HMAC: keyed once */
    EVP_PKEY *key;      /* Ed25519 */
    EVP_MD_CTX *digest; /* Ed25519: reused for every signature */
};

/* `id.timestamp.`, which precedes the body. 0: the id is too long. */
static size_t signed_prefix(struct posthorn_text id, struct posthorn_text timestamp, char out[PREFIX_LEN_MAX])
{
    if (id.len + timestamp.len + 2 > PREFIX_LEN_MAX)
        return 0;
    memcpy(out, id.data, id.len);
    out[id.len] = '.';
    memcpy(out + id.len + 1, timestamp.data, timestamp.len);
    out[id.len + 1 + timestamp.len] = '.';
    return id.len + timestamp.len + 2;
}

/* ---- signing ---- */

static bool signer_key_hmac(struct posthorn_signer *signer, const struct secret *secret)
{
    char digest[] = "SHA256";
    OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                               OSSL_PARAM_construct_end()};
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    signer->mac = mac ? EVP_MAC_CTX_new(mac) : NULL; /* keeps its own reference to `mac` */
    EVP_MAC_free(mac);
    return signer->mac && EVP_MAC_init(signer->mac, secret->bytes, secret->len, parameters) == 1;
}

static bool signer_key_ed25519(struct posthorn_signer *signer, const struct secret *secret)
{
    signer->key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, secret->bytes, secret->len);
    signer->digest = EVP_MD_CTX_new();
    return signer->key && signer->digest;
}

enum posthorn_result posthorn_signer_open(struct posthorn_text secret_text, struct posthorn_signer **out)
{
    struct secret secret;
    *out = NULL;
    if (!secret_parse(secret_text, &secret) || secret.kind == SECRET_ED25519_PUBLIC)
        return POSTHORN_BAD_ARGUMENT;
    struct posthorn_signer *signer = calloc(1, sizeof *signer);
    if (!signer) {
        OPENSSL_cleanse(&secret, sizeof secret);
        return POSTHORN_NO_MEMORY;
    }
    bool keyed =
        secret.kind == SECRET_HMAC ? signer_key_hmac(signer, &secret) : signer_key_ed25519(signer, &secret);
    OPENSSL_cleanse(&secret, sizeof secret);
    if (!keyed) {
        posthorn_signer_close(signer);
        return POSTHORN_CRYPTO;
    }
    *out = signer;
    return POSTHORN_OK;
}

void posthorn_signer_close(struct posthorn_signer *signer)
{
    if (!signer)
        return;
    EVP_MAC_CTX_free(signer->mac);
    EVP_MD_CTX_free(signer->digest);
    EVP_PKEY_free(signer->key);
    free(signer);
}

/* A NULL key starts the next message with the same key. */
static bool hmac(struct posthorn_signer *signer, const char *prefix, size_t prefix_len,
                 struct posthorn_text body, unsigned char out[HMAC_LEN])
{
    size_t len = 0;
    return EVP_MAC_init(signer->mac, NULL, 0, NULL) == 1 &&
           EVP_MAC_update(signer->mac, (const unsigned char *)prefix, prefix_len) == 1 &&
           EVP_MAC_update(signer->mac, (const unsigned char *)body.data, body.len) == 1 &&
           EVP_MAC_final(signer->mac, out, &len, HMAC_LEN) == 1 && len == HMAC_LEN;
}

/* Ed25519 needs the whole message at once. NULL: no memory. */
static char *signed_message(const char *prefix, size_t prefix_len, struct posthorn_text body)
{
    char *message = malloc(prefix_len + body.len + 1);
    if (message) {
        memcpy(message, prefix, prefix_len);
        if (body.len > 0)
            memcpy(message + prefix_len, body.data, body.len);
    }
    return message;
}

static enum posthorn_result ed25519_sign(struct posthorn_signer *signer, const char *prefix,
                                         size_t prefix_len, struct posthorn_text body,
                                         unsigned char out[ED25519_SIGNATURE_LEN])
{
    size_t len = ED25519_SIGNATURE_LEN;
    char *message = signed_message(prefix, prefix_len, body);
    if (!message)
        return POSTHORN_NO_MEMORY;
    EVP_MD_CTX_reset(signer->digest);
    bool made =
        EVP_DigestSignInit(signer->digest, NULL, NULL, NULL, signer->key) == 1 &&
        EVP_DigestSign(signer->digest, out, &len, (const unsigned char *)message, prefix_len + body.len) == 1;
    free(message);
    return made ? POSTHORN_OK : POSTHORN_CRYPTO;
}

/* Not printf: it would cost a tenth of the signature. */
static struct posthorn_text seconds_text(long long seconds, char out[24])
{
    unsigned long long rest = seconds < 0 ? 0 - (unsigned long long)seconds : (unsigned long long)seconds;
    size_t at = 24;
    do {
        out[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (seconds < 0)
        out[--at] = '-';
    return (struct posthorn_text){out + at, 24 - at};
}

enum posthorn_result posthorn_signer_sign(struct posthorn_signer *signer, struct posthorn_text id,
                                          long long timestamp_s, struct posthorn_text body,
                                          char out[POSTHORN_SIGNATURE_LEN_MAX])
{
    unsigned char raw[ED25519_SIGNATURE_LEN];
    char prefix[PREFIX_LEN_MAX], timestamp[24];
    size_t prefix_len = signed_prefix(id, seconds_text(timestamp_s, timestamp), prefix);

    if (prefix_len == 0)
        return POSTHORN_BAD_ARGUMENT;
    if (signer->mac) {
        if (!hmac(signer, prefix, prefix_len, body, raw))
            return POSTHORN_CRYPTO;
        memcpy(out, "v1,", 3);
        EVP_EncodeBlock((unsigned char *)out + 3, raw, HMAC_LEN);
        return POSTHORN_OK;
    }
    enum posthorn_result result = ed25519_sign(signer, prefix, prefix_len, body, raw);
    if (result != POSTHORN_OK)
        return result;
    memcpy(out, "v1a,", 4);
    EVP_EncodeBlock((unsigned char *)out + 4, raw, ED25519_SIGNATURE_LEN);
    return POSTHORN_OK;
}

/* ---- verifying ---- */

static bool is_seconds(struct posthorn_text text, long long *seconds)
{
    *seconds = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        *seconds = *seconds * 10 + (text.data[i] - '0');
    }
    return text.len > 0 && text.len <= 15;
}

/* The next of the space-separated signatures; false: there is none. */
static bool signature_next(struct posthorn_text *rest, struct posthorn_text *one)
{
    while (rest->len > 0 && *rest->data == ' ') {
        rest->data++;
        rest->len--;
    }
    const char *space = rest->len > 0 ? memchr(rest->data, ' ', rest->len) : NULL;
    *one = (struct posthorn_text){rest->data, space ? (size_t)(space - rest->data) : rest->len};
    rest->data += one->len;
    rest->len -= one->len;
    return one->len > 0;
}

/* HMAC: computes the expected signature once and compares each in constant time. */
static enum posthorn_result any_hmac(struct posthorn_text secret_text, const char *prefix, size_t prefix_len,
                                     struct posthorn_text signatures, struct posthorn_text body,
                                     unsigned *right)
{
    unsigned char raw[HMAC_LEN];
    char expected[POSTHORN_SIGNATURE_LEN_MAX] = "v1,";
    struct posthorn_signer *signer;
    struct posthorn_text one;
    enum posthorn_result result = posthorn_signer_open(secret_text, &signer);

    if (result != POSTHORN_OK)
        return result;
    result = hmac(signer, prefix, prefix_len, body, raw) ? POSTHORN_OK : POSTHORN_CRYPTO;
    posthorn_signer_close(signer);
    size_t len = 3 + (size_t)EVP_EncodeBlock((unsigned char *)expected + 3, raw, HMAC_LEN);
    while (result == POSTHORN_OK && signature_next(&signatures, &one))
        *right |= one.len == len && CRYPTO_memcmp(one.data, expected, len) == 0;
    OPENSSL_cleanse(expected, sizeof expected);
    return result;
}

static bool ed25519_fits(EVP_PKEY *key, struct posthorn_text signature, const char *message,
                         size_t message_len)
{
    unsigned char raw[ED25519_SIGNATURE_LEN + 2];
    enum { TEXT_LEN = 4 + 88 };

    if (signature.len != TEXT_LEN || memcmp(signature.data, "v1a,", 4) != 0 ||
        EVP_DecodeBlock(raw, (const unsigned char *)signature.data + 4, TEXT_LEN - 4) != (int)sizeof raw)
        return false;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool fits = context && EVP_DigestVerifyInit(context, NULL, NULL, NULL, key) == 1 &&
                EVP_DigestVerify(context, raw, ED25519_SIGNATURE_LEN, (const unsigned char *)message,
                                 message_len) == 1;
    EVP_MD_CTX_free(context);
    return fits;
}

static enum posthorn_result any_ed25519(const struct secret *secret, const char *prefix, size_t prefix_len,
                                        struct posthorn_text signatures, struct posthorn_text body,
                                        unsigned *right)
{
    struct posthorn_text one;
    EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, secret->bytes, secret->len);
    char *message = signed_message(prefix, prefix_len, body);

    while (key && message && signature_next(&signatures, &one))
        *right |= ed25519_fits(key, one, message, prefix_len + body.len);
    enum posthorn_result result = !message ? POSTHORN_NO_MEMORY : key ? POSTHORN_OK : POSTHORN_BAD_ARGUMENT;
    free(message);
    EVP_PKEY_free(key);
    return result;
}

static enum posthorn_result any_fits(struct posthorn_text secret_text, const char *prefix, size_t prefix_len,
                                     struct posthorn_text signatures, struct posthorn_text body,
                                     unsigned *right)
{
    struct secret secret;
    if (!secret_parse(secret_text, &secret) || secret.kind == SECRET_ED25519_PRIVATE)
        return POSTHORN_BAD_ARGUMENT; /* a receiver must not have a private key */
    enum posthorn_result result = secret.kind == SECRET_HMAC
                                      ? any_hmac(secret_text, prefix, prefix_len, signatures, body, right)
                                      : any_ed25519(&secret, prefix, prefix_len, signatures, body, right);
    OPENSSL_cleanse(&secret, sizeof secret);
    return result;
}

enum posthorn_result posthorn_verify_signature(const struct posthorn_text *secrets, size_t secret_count,
                                               struct posthorn_text id, struct posthorn_text timestamp,
                                               struct posthorn_text signatures, struct posthorn_text body,
                                               long long now_s, long long tolerance_s)
{
    char prefix[PREFIX_LEN_MAX];
    unsigned right = 0;
    long long at_s;

    if (!secrets || secret_count == 0)
        return POSTHORN_BAD_ARGUMENT;
    if (!id.data || !timestamp.data || !signatures.data || id.len == 0 || timestamp.len == 0 ||
        signatures.len == 0)
        return POSTHORN_SIGNATURE_MISSING;
    size_t prefix_len = signed_prefix(id, timestamp, prefix);
    for (size_t i = 0; prefix_len > 0 && i < secret_count; i++) {
        enum posthorn_result result = any_fits(secrets[i], prefix, prefix_len, signatures, body, &right);
        if (result != POSTHORN_OK)
            return result;
    }
    if (!right)
        return POSTHORN_SIGNATURE_WRONG;
    if (!is_seconds(timestamp, &at_s) || at_s - now_s > tolerance_s || now_s - at_s > tolerance_s)
        return POSTHORN_SIGNATURE_TIME;
    return POSTHORN_OK;
}
