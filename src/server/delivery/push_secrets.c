#include "push_secrets.h"
#include "oauth.h"
#include <assert.h>
#include <openssl/crypto.h>
#include <stdio.h>

enum {
    CONTEXT_FRONT_LEN_MAX = 64,
    CONTEXT_LEN_MAX = CONTEXT_FRONT_LEN_MAX + OAUTH_SETTING_LEN_MAX,
    OPENED_LEN_MAX = 64 << 10
};

#define MAX_OF(name, max) MAX_OF_##name = (max),
enum { PUSH_SETTINGS_LIST(MAX_OF, MAX_OF, MAX_OF) };
_Static_assert((int)MAX_OF_header_names == (int)PUSH_OWN_NAMES_LEN_MAX &&
                   (int)MAX_OF_headers == (int)PUSH_OWN_SEALED_LEN_MAX &&
                   (int)MAX_OF_auth == (int)OAUTH_SETTING_LEN_MAX &&
                   (int)MAX_OF_header_names < (int)MAX_OF_auth,
               "the largest is stored");

struct push_secret push_secret_headers(int64_t owner_id, int64_t created_at_ms,
                                       const struct push_settings *push)
{
    return (struct push_secret){"headers", owner_id, created_at_ms, push->header_names, push->headers};
}

struct push_secret push_secret_auth(int64_t owner_id, int64_t created_at_ms, const struct push_settings *push)
{
    return (struct push_secret){"auth", owner_id, created_at_ms, push->auth, push->auth_secret};
}

static struct bytes context_of(const struct push_secret *secret, char out[CONTEXT_LEN_MAX])
{
    int len = snprintf(out, CONTEXT_FRONT_LEN_MAX, "%s/%lld/%lld/", secret->setting,
                       (long long)secret->owner_id, (long long)secret->created_at_ms);
    assert(len < CONTEXT_FRONT_LEN_MAX && secret->shown.len <= CONTEXT_LEN_MAX - CONTEXT_FRONT_LEN_MAX);
    if (secret->shown.len > 0)
        memcpy(out + len, secret->shown.data, secret->shown.len);
    return bytes_make(out, (size_t)len + secret->shown.len);
}

struct bytes push_secret_seal(const struct vault *vault, const struct push_secret *secret, struct bytes plain,
                              struct arena *arena)
{
    char context[CONTEXT_LEN_MAX];
    return vault_seal(vault, context_of(secret, context), plain, arena);
}

enum vault_error push_secret_unseal(const struct vault *vault, const struct push_secret *secret,
                                    struct arena *arena, struct bytes *plain)
{
    char context[CONTEXT_LEN_MAX];
    return vault_unseal(vault, context_of(secret, context), secret->sealed, arena, plain);
}

void push_secret_wipe(struct bytes plain)
{
    if (plain.len > 0)
        OPENSSL_cleanse((void *)plain.data, plain.len);
}

bool push_secret_is_lost(const struct vault *vault, const struct push_secret *secret)
{
    struct arena arena;
    struct bytes plain;
    if (!secret->shown.len && !secret->sealed.len)
        return false;
    arena_init(&arena, OPENED_LEN_MAX);
    bool opened = push_secret_unseal(vault, secret, &arena, &plain) == VAULT_OK;
    if (opened)
        push_secret_wipe(plain);
    arena_fini(&arena);
    return !opened;
}
