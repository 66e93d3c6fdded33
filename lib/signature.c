/* WEBHOOK-AUTH: makes the digest of a key, and checks the header's values against our keys. */
#include "posthorn.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <string.h>

enum posthorn_result posthorn_digest(struct posthorn_text key, char out[POSTHORN_DIGEST_HEX_LEN + 1])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char digest[SHA256_DIGEST_LENGTH];

    if (!key.data || key.len == 0)
        return POSTHORN_BAD_ARGUMENT;
    if (!SHA256((const unsigned char *)key.data, key.len, digest))
        return POSTHORN_CRYPTO;
    for (size_t i = 0; i < sizeof digest; i++) {
        out[2 * i] = digits[digest[i] >> 4];
        out[2 * i + 1] = digits[digest[i] & 15];
    }
    out[POSTHORN_DIGEST_HEX_LEN] = '\0';
    OPENSSL_cleanse(digest, sizeof digest);
    return POSTHORN_OK;
}

enum posthorn_result posthorn_verify(const struct posthorn_text *keys, size_t key_count,
                                     const struct posthorn_text *values, size_t value_count)
{
    /* A copy of fixed length, so that the comparison reads the same bytes for every input. */
    char given[POSTHORN_DIGEST_HEX_LEN] = {0}, expected[POSTHORN_DIGEST_HEX_LEN + 1];
    unsigned right = 0;

    if (!keys || key_count == 0)
        return POSTHORN_BAD_ARGUMENT;
    if (value_count == 0 || !values || !values[0].data)
        return POSTHORN_AUTH_MISSING;
    if (value_count > 1)
        return POSTHORN_AUTH_DOUBLED;
    if (values[0].len == sizeof given)
        memcpy(given, values[0].data, sizeof given);
    /* Compares every key, also after a match: the time must not reveal which one it was. */
    for (size_t i = 0; i < key_count; i++) {
        enum posthorn_result result = posthorn_digest(keys[i], expected);
        if (result != POSTHORN_OK)
            return result;
        right |= CRYPTO_memcmp(given, expected, sizeof given) == 0;
    }
    OPENSSL_cleanse(expected, sizeof expected);
    return right ? POSTHORN_OK : POSTHORN_AUTH_WRONG;
}

enum posthorn_result posthorn_verify_one(const char *key, const char *value)
{
    struct posthorn_text keys = {key, key ? strlen(key) : 0};
    struct posthorn_text values = {value, value ? strlen(value) : 0};
    return posthorn_verify(&keys, 1, &values, value ? 1 : 0);
}
