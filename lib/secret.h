/*
 * secret: the three spellings of a Standard Webhooks secret, read strictly.
 */
#pragma once
#include "posthorn.h"

enum secret_kind { SECRET_HMAC, SECRET_ED25519_PRIVATE, SECRET_ED25519_PUBLIC };

enum { SECRET_BYTES_MAX = 64 };

struct secret {
    enum secret_kind kind;
    unsigned char bytes[SECRET_BYTES_MAX]; /* HMAC: the key. Ed25519: the seed, or the public key */
    size_t len;
};

/* False: not one of the three forms, not canonical base64, or a wrong length. Wipe it with OPENSSL_cleanse.
 */
bool secret_parse(struct posthorn_text text, struct secret *secret);
