#include "digest.h"
#include "memory.h"
#include <assert.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <stdlib.h>

static void put_hex(const unsigned char *data, size_t len, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        out[2 * i] = digits[data[i] >> 4];
        out[2 * i + 1] = digits[data[i] & 15];
    }
    out[2 * len] = '\0';
}

static void sha256(const EVP_MD *algorithm, struct bytes data, unsigned char out[DIGEST_LEN])
{
    unsigned len = 0;
    int done = EVP_Digest(data.data, data.len, out, &len, algorithm, NULL);
    assert(done && len == DIGEST_LEN);
}

void digest_sha256(struct bytes data, unsigned char out[DIGEST_LEN])
{
    sha256(EVP_sha256(), data, out);
}

struct digest {
    EVP_MD *algorithm;
};

struct digest *digest_open(void)
{
    struct digest *digest = memory_alloc(sizeof *digest);
    digest->algorithm = EVP_MD_fetch(NULL, "SHA256", NULL);
    if (!digest->algorithm)
        memory_exhausted();
    return digest;
}

void digest_close(struct digest *digest)
{
    EVP_MD_free(digest->algorithm);
    free(digest);
}

void digest_sha256_by(const struct digest *digest, struct bytes data, unsigned char out[DIGEST_LEN])
{
    sha256(digest->algorithm, data, out);
}

void digest_sha256_hex(struct bytes data, char out[DIGEST_HEX_LEN + 1])
{
    unsigned char digest[DIGEST_LEN];
    digest_sha256(data, digest);
    put_hex(digest, sizeof digest, out);
}

bool digest_from_hex(const char *hex, unsigned char out[DIGEST_LEN])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < DIGEST_HEX_LEN; i++) {
        const char *digit = hex[i] ? strchr(digits, hex[i]) : NULL;
        if (!digit)
            return false;
        out[i / 2] = (unsigned char)((i % 2 ? out[i / 2] << 4 : 0) | (digit - digits));
    }
    return true;
}

void digest_random(void *out, size_t len)
{
    assert(len <= INT32_MAX);
    if (RAND_bytes(out, (int)len) != 1)
        abort();
}

void digest_random_hex(char *out, size_t len)
{
    /* The bytes go to the back half, so that writing the digits never overtakes reading them. */
    unsigned char *bytes = (unsigned char *)out + len;
    digest_random(bytes, len);
    put_hex(bytes, len, out);
}

void digest_hmac(struct bytes key, const struct bytes *pieces, int count, unsigned char out[DIGEST_LEN])
{
    OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char[]){"SHA256"}, 0),
                               OSSL_PARAM_END};
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *context = mac ? EVP_MAC_CTX_new(mac) : NULL;
    size_t len = 0;
    if (!context || !EVP_MAC_init(context, (const unsigned char *)key.data, key.len, parameters))
        memory_exhausted();
    for (int i = 0; i < count; i++)
        if (!EVP_MAC_update(context, (const unsigned char *)pieces[i].data, pieces[i].len))
            memory_exhausted();
    if (!EVP_MAC_final(context, out, &len, DIGEST_LEN))
        memory_exhausted();
    assert(len == DIGEST_LEN);
    EVP_MAC_CTX_free(context);
    EVP_MAC_free(mac);
}
