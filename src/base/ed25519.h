/*
 * ed25519: signs and verifies, from OpenSSL's libcrypto. Keys are texts as Standard Webhooks has them:
 * `whsk_` and the base64 of the seed with the public key behind it; `whpk_` and the base64 of the public key.
 */
#pragma once
#include "bytes.h"

enum {
    ED25519_SEED_LEN = 32,
    ED25519_PUBLIC_LEN = 32,
    ED25519_SIGNATURE_LEN = 64,
    ED25519_TEXT_LEN_MAX = 96
};

/* The texts of the key pair of a seed, with a NUL. */
void ed25519_spell(const unsigned char seed[ED25519_SEED_LEN], char private_key[ED25519_TEXT_LEN_MAX],
                   char public_key[ED25519_TEXT_LEN_MAX]);
/* False: not such a text. */
bool ed25519_sign(struct bytes private_key, struct bytes message, unsigned char out[ED25519_SIGNATURE_LEN]);
/* `key` may be either text. False: not such a text, or another key's or message's signature. */
bool ed25519_verify(struct bytes key, struct bytes message,
                    const unsigned char signature[ED25519_SIGNATURE_LEN]);
