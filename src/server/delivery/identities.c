#include "identities.h"
#include <openssl/crypto.h>
#include <stdio.h>

/* The sealed text is a version byte, then each part after its length. */
enum { PARTS = 4, LENGTH_LEN = 4, VERSION = 1 };

static struct bytes context_of(int64_t endpoint_id, char out[40])
{
    int len = snprintf(out, 40, IDENTITY_CONTEXT "/%lld", (long long)endpoint_id);
    return bytes_make(out, (size_t)len);
}

static void list_parts(struct identity_source *source, struct bytes *parts[PARTS])
{
    parts[0] = &source->certificate;
    parts[1] = &source->private_key;
    parts[2] = &source->ca;
    parts[3] = &source->server_name;
}

struct bytes identities_seal(const struct vault *vault, int64_t endpoint_id,
                             const struct identity_source *source, struct arena *arena)
{
    struct identity_source copy = *source;
    struct bytes *parts[PARTS];
    char context[40];
    size_t len = 1;
    list_parts(&copy, parts);
    for (int i = 0; i < PARTS; i++)
        len += LENGTH_LEN + parts[i]->len;
    unsigned char *plain = arena_alloc(arena, len), *at = plain;
    if (!plain)
        return (struct bytes){NULL, 0};
    *at++ = VERSION;
    for (int i = 0; i < PARTS; i++) {
        for (int shift = 24; shift >= 0; shift -= 8)
            *at++ = (unsigned char)(parts[i]->len >> shift);
        if (parts[i]->len)
            memcpy(at, parts[i]->data, parts[i]->len);
        at += parts[i]->len;
    }
    struct bytes sealed = vault_seal(vault, context_of(endpoint_id, context), bytes_make(plain, len), arena);
    OPENSSL_cleanse(plain, len);
    return sealed;
}

static bool take_part(struct bytes *rest, struct bytes *part)
{
    size_t len = 0;
    if (rest->len < LENGTH_LEN)
        return false;
    for (int i = 0; i < LENGTH_LEN; i++)
        len = len << 8 | (unsigned char)rest->data[i];
    if (len > rest->len - LENGTH_LEN)
        return false;
    *part = bytes_make(rest->data + LENGTH_LEN, len);
    *rest = bytes_make(part->data + len, rest->len - LENGTH_LEN - len);
    return true;
}

enum vault_error identities_unseal(const struct vault *vault, int64_t endpoint_id, struct bytes sealed,
                                   struct arena *arena, struct identity_source *source)
{
    struct bytes plain, *parts[PARTS];
    char context[40];
    enum vault_error error = vault_unseal(vault, context_of(endpoint_id, context), sealed, arena, &plain);
    if (error != VAULT_OK)
        return error;
    struct bytes rest = bytes_make(plain.data + 1, plain.len - (plain.len > 0));
    bool sound = plain.len > 0 && plain.data[0] == VERSION;
    list_parts(source, parts);
    for (int i = 0; sound && i < PARTS; i++)
        sound = take_part(&rest, parts[i]);
    if (sound && rest.len == 0)
        return VAULT_OK;
    OPENSSL_cleanse((void *)plain.data, plain.len); /* sealed by a newer posthorn */
    return VAULT_SEALED;
}

void identities_wipe(struct identity_source *source)
{
    if (source->private_key.len)
        OPENSSL_cleanse((void *)source->private_key.data, source->private_key.len);
    source->private_key = (struct bytes){NULL, 0};
}
