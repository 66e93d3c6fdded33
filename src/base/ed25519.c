#include "ed25519.h"
#include "memory.h"
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

/* Each has one length, so its base64 has, too. */
enum {
    PREFIX_LEN = 5,
    PRIVATE_LEN = ED25519_SEED_LEN + ED25519_PUBLIC_LEN,
    PRIVATE_BASE64_LEN = 88,
    PUBLIC_BASE64_LEN = 44
};
static const char private_prefix[] = "whsk_", public_prefix[] = "whpk_";

static const unsigned char *raw(const char *text)
{
    return (const unsigned char *)text;
}

void ed25519_spell(const unsigned char seed[ED25519_SEED_LEN], char private_key[ED25519_TEXT_LEN_MAX],
                   char public_key[ED25519_TEXT_LEN_MAX])
{
    unsigned char both[PRIVATE_LEN];
    size_t len = ED25519_PUBLIC_LEN;
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, ED25519_SEED_LEN);
    memcpy(both, seed, ED25519_SEED_LEN);
    if (!key || EVP_PKEY_get_raw_public_key(key, both + ED25519_SEED_LEN, &len) != 1)
        memory_exhausted();
    memcpy(private_key, private_prefix, PREFIX_LEN);
    EVP_EncodeBlock((unsigned char *)private_key + PREFIX_LEN, both, PRIVATE_LEN);
    memcpy(public_key, public_prefix, PREFIX_LEN);
    EVP_EncodeBlock((unsigned char *)public_key + PREFIX_LEN, both + ED25519_SEED_LEN, ED25519_PUBLIC_LEN);
    OPENSSL_cleanse(both, sizeof both);
    EVP_PKEY_free(key);
}

/* The key of a text; NULL: it is none. */
static EVP_PKEY *open_private(struct bytes text)
{
    unsigned char both[PRIVATE_LEN + 2]; /* the padding counts as bytes */
    EVP_PKEY *key = NULL;
    if (text.len == PREFIX_LEN + PRIVATE_BASE64_LEN && bytes_starts(text, private_prefix) &&
        EVP_DecodeBlock(both, raw(text.data) + PREFIX_LEN, PRIVATE_BASE64_LEN) == sizeof both)
        key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, both, ED25519_SEED_LEN);
    OPENSSL_cleanse(both, sizeof both);
    return key;
}

static EVP_PKEY *open_public(struct bytes text)
{
    unsigned char bytes[ED25519_PUBLIC_LEN + 1];
    if (text.len != PREFIX_LEN + PUBLIC_BASE64_LEN || !bytes_starts(text, public_prefix) ||
        EVP_DecodeBlock(bytes, raw(text.data) + PREFIX_LEN, PUBLIC_BASE64_LEN) != sizeof bytes)
        return NULL;
    return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, bytes, ED25519_PUBLIC_LEN);
}

bool ed25519_sign(struct bytes private_key, struct bytes message, unsigned char out[ED25519_SIGNATURE_LEN])
{
    EVP_PKEY *key = open_private(private_key);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    size_t len = ED25519_SIGNATURE_LEN;
    if (!context)
        memory_exhausted();
    bool done = key && EVP_DigestSignInit(context, NULL, NULL, NULL, key) == 1 &&
                EVP_DigestSign(context, out, &len, raw(message.data), message.len) == 1;
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    return done;
}

bool ed25519_verify(struct bytes key, struct bytes message,
                    const unsigned char signature[ED25519_SIGNATURE_LEN])
{
    EVP_PKEY *opened = bytes_starts(key, private_prefix) ? open_private(key) : open_public(key);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (!context)
        memory_exhausted();
    bool right =
        opened && EVP_DigestVerifyInit(context, NULL, NULL, NULL, opened) == 1 &&
        EVP_DigestVerify(context, signature, ED25519_SIGNATURE_LEN, raw(message.data), message.len) == 1;
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(opened);
    return right;
}
