#include "secret.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>

enum {
    ED25519_LEN = 32,
    HMAC_KEY_LEN = 32,
    HMAC_KEY_LEN_MIN = 24,
    BASE64_LEN_MAX = 4 * ((SECRET_BYTES_MAX + 2) / 3)
};

/* EVP_DecodeBlock counts padding as zero bytes and is lenient, so we encode again and compare. */
static bool base64_decode(struct posthorn_text text, unsigned char out[SECRET_BYTES_MAX], size_t *len)
{
    unsigned char raw[SECRET_BYTES_MAX + 3], again[BASE64_LEN_MAX + 1];

    if (text.len == 0 || text.len > BASE64_LEN_MAX || text.len % 4 != 0)
        return false;
    int size = EVP_DecodeBlock(raw, (const unsigned char *)text.data, (int)text.len);
    if (size < 0)
        return false;
    size -= text.data[text.len - 1] == '=';
    size -= text.data[text.len - 2] == '=';
    bool canonical = size <= SECRET_BYTES_MAX && EVP_EncodeBlock(again, raw, size) == (int)text.len &&
                     CRYPTO_memcmp(again, text.data, text.len) == 0;
    if (canonical) {
        memcpy(out, raw, (size_t)size);
        *len = (size_t)size;
    }
    OPENSSL_cleanse(raw, sizeof raw);
    OPENSSL_cleanse(again, sizeof again);
    return canonical;
}

static bool starts(struct posthorn_text text, const char *prefix)
{
    return text.data && text.len > strlen(prefix) && memcmp(text.data, prefix, strlen(prefix)) == 0;
}

bool secret_parse(struct posthorn_text text, struct secret *secret)
{
    size_t prefix = starts(text, "whsec_") ? 6 : starts(text, "whsk_") || starts(text, "whpk_") ? 5 : 0;
    if (!prefix || !base64_decode((struct posthorn_text){text.data + prefix, text.len - prefix},
                                  secret->bytes, &secret->len))
        return false;
    if (prefix == 6) {
        secret->kind = SECRET_HMAC;
        return secret->len >= HMAC_KEY_LEN_MIN;
    }
    secret->kind = starts(text, "whsk_") ? SECRET_ED25519_PRIVATE : SECRET_ED25519_PUBLIC;
    /* The private form has the seed and then the public key. */
    size_t expected = secret->kind == SECRET_ED25519_PRIVATE ? 2 * ED25519_LEN : ED25519_LEN;
    bool right = secret->len == expected;
    secret->len = ED25519_LEN;
    return right;
}

static void spell(const char *prefix, const unsigned char *bytes, size_t len,
                  char out[POSTHORN_SECRET_LEN_MAX])
{
    size_t prefix_len = strlen(prefix);
    memcpy(out, prefix, prefix_len);
    EVP_EncodeBlock((unsigned char *)out + prefix_len, bytes, (int)len);
}

static enum posthorn_result ed25519_new(char secret[POSTHORN_SECRET_LEN_MAX],
                                        char public_key[POSTHORN_SECRET_LEN_MAX])
{
    unsigned char both[2 * ED25519_LEN];
    size_t seed_len = ED25519_LEN, public_len = ED25519_LEN;
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    bool made = key && EVP_PKEY_get_raw_private_key(key, both, &seed_len) == 1 &&
                EVP_PKEY_get_raw_public_key(key, both + ED25519_LEN, &public_len) == 1;

    if (made) {
        spell("whsk_", both, sizeof both, secret);
        spell("whpk_", both + ED25519_LEN, ED25519_LEN, public_key);
    }
    OPENSSL_cleanse(both, sizeof both);
    EVP_PKEY_free(key);
    return made ? POSTHORN_OK : POSTHORN_CRYPTO;
}

enum posthorn_result posthorn_secret_spell(const unsigned char *key, size_t len,
                                           char secret[POSTHORN_SECRET_LEN_MAX])
{
    if (!key || len < HMAC_KEY_LEN_MIN || len > SECRET_BYTES_MAX)
        return POSTHORN_BAD_ARGUMENT;
    spell("whsec_", key, len, secret);
    return POSTHORN_OK;
}

enum posthorn_result posthorn_secret_new(bool ed25519, char secret[POSTHORN_SECRET_LEN_MAX],
                                         char public_key[POSTHORN_SECRET_LEN_MAX])
{
    unsigned char key[HMAC_KEY_LEN];

    if (ed25519)
        return ed25519_new(secret, public_key);
    if (RAND_bytes(key, sizeof key) != 1)
        return POSTHORN_CRYPTO;
    enum posthorn_result result = posthorn_secret_spell(key, sizeof key, secret);
    public_key[0] = '\0';
    OPENSSL_cleanse(key, sizeof key);
    return result;
}
