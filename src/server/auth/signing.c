#include "signing.h"
#include "digest.h"
#include "ed25519.h"
#include <assert.h>
#include <openssl/crypto.h>
#include <stdio.h>

enum { CONTEXT_LEN_MAX = 60, LINES_LEN_MAX = SIGNING_SEALED_LEN_MAX - 64 };

static struct bytes context(int64_t endpoint_id, char out[CONTEXT_LEN_MAX])
{
    int len = snprintf(out, CONTEXT_LEN_MAX, SIGNING_CONTEXT "/%lld", (long long)endpoint_id);
    return bytes_make(out, (size_t)len);
}

void signing_default(const struct vault *vault, int64_t endpoint_id, int64_t created_at_ms,
                     char secret[POSTHORN_SECRET_LEN_MAX])
{
    char of[CONTEXT_LEN_MAX];
    unsigned char key[32];
    int len = snprintf(of, sizeof of, SIGNING_CONTEXT "/%lld/%lld", (long long)endpoint_id,
                       (long long)created_at_ms);
    vault_derive(vault, bytes_make(of, (size_t)len), key);
    enum posthorn_result result = posthorn_secret_spell(key, sizeof key, secret);
    assert(result == POSTHORN_OK);
    OPENSSL_cleanse(key, sizeof key);
}

static void add_default(const struct vault *vault, int64_t endpoint_id, int64_t created_at_ms,
                        struct signing *signing)
{
    struct signing_secret *secret = &signing->secrets[signing->count++];
    *secret = (struct signing_secret){.id = SIGNING_DEFAULT_ID};
    signing_default(vault, endpoint_id, created_at_ms, secret->secret);
}

static void add_default_ed25519(const struct vault *vault, int64_t endpoint_id, int64_t created_at_ms,
                                struct signing *signing)
{
    struct signing_secret *secret = &signing->secrets[signing->count++];
    char of[CONTEXT_LEN_MAX];
    unsigned char seed[ED25519_SEED_LEN];
    int len = snprintf(of, sizeof of, SIGNING_CONTEXT "-v1a/%lld/%lld", (long long)endpoint_id,
                       (long long)created_at_ms);
    *secret = (struct signing_secret){.id = SIGNING_DEFAULT_ED25519_ID, .ed25519 = true};
    vault_derive(vault, bytes_make(of, (size_t)len), seed);
    ed25519_spell(seed, secret->secret, secret->public_key);
    OPENSSL_cleanse(seed, sizeof seed);
}

static bool is_derived(const char *id)
{
    return strcmp(id, SIGNING_DEFAULT_ID) == 0 || strcmp(id, SIGNING_DEFAULT_ED25519_ID) == 0;
}

/* One secret a line: id, created, expires, public key or "-", secret or "-" for those that are derived. */
static bool read_line(const struct vault *vault, int64_t endpoint_id, int64_t created_at_ms, const char *line,
                      struct signing *signing)
{
    char id[SIGNING_ID_LEN + 1], public_key[POSTHORN_SECRET_LEN_MAX], secret[POSTHORN_SECRET_LEN_MAX];
    long long created, expires;
    if (signing->count == SIGNING_SECRETS_MAX ||
        sscanf(line, "%16s %lld %lld %127s %127s", id, &created, &expires, public_key, secret) != 5)
        return false;
    struct signing_secret *to = &signing->secrets[signing->count];
    if (strcmp(id, SIGNING_DEFAULT_ID) == 0) {
        add_default(vault, endpoint_id, created_at_ms, signing);
    } else if (strcmp(id, SIGNING_DEFAULT_ED25519_ID) == 0) {
        add_default_ed25519(vault, endpoint_id, created_at_ms, signing);
    } else {
        *to = (struct signing_secret){.ed25519 = strcmp(public_key, "-") != 0};
        memcpy(to->id, id, sizeof id);
        memcpy(to->secret, secret, sizeof secret);
        if (to->ed25519)
            memcpy(to->public_key, public_key, sizeof public_key);
        signing->count++;
    }
    to->created_at_ms = created;
    to->expires_at_ms = expires;
    OPENSSL_cleanse(secret, sizeof secret);
    return true;
}

enum vault_error signing_open(const struct vault *vault, int64_t endpoint_id, int64_t created_at_ms,
                              struct bytes sealed, struct signing *signing)
{
    char of[CONTEXT_LEN_MAX];
    struct arena arena;
    struct bytes plain = {0};

    signing->count = 0;
    if (sealed.len == 0) {
        add_default(vault, endpoint_id, created_at_ms, signing);
        return VAULT_OK;
    }
    arena_init(&arena, SIGNING_SEALED_LEN_MAX);
    enum vault_error error = vault_unseal(vault, context(endpoint_id, of), sealed, &arena, &plain);
    for (const char *line = plain.data; error == VAULT_OK && line < plain.data + plain.len;) {
        if (!read_line(vault, endpoint_id, created_at_ms, line, signing))
            error = VAULT_SEALED;
        const char *end = strchr(line, '\n');
        line = end ? end + 1 : plain.data + plain.len;
    }
    if (plain.data)
        OPENSSL_cleanse((char *)plain.data, plain.len);
    arena_fini(&arena);
    return error;
}

struct bytes signing_seal(const struct vault *vault, int64_t endpoint_id, const struct signing *signing,
                          struct arena *arena)
{
    char of[CONTEXT_LEN_MAX], lines[LINES_LEN_MAX];
    int len = 0;
    for (int i = 0; i < signing->count; i++) {
        const struct signing_secret *secret = &signing->secrets[i];
        len += snprintf(lines + len, sizeof lines - (size_t)len, "%s %lld %lld %s %s\n", secret->id,
                        (long long)secret->created_at_ms, (long long)secret->expires_at_ms,
                        secret->ed25519 ? secret->public_key : "-",
                        is_derived(secret->id) ? "-" : secret->secret);
        assert(len < LINES_LEN_MAX);
    }
    struct bytes sealed = vault_seal(vault, context(endpoint_id, of), bytes_make(lines, (size_t)len), arena);
    OPENSSL_cleanse(lines, sizeof lines);
    return sealed;
}

void signing_need_ed25519(const struct vault *vault, int64_t endpoint_id, int64_t created_at_ms,
                          struct signing *signing)
{
    for (int i = 0; i < signing->count; i++)
        if (signing->secrets[i].ed25519 && signing->secrets[i].expires_at_ms == 0)
            return;
    int old = signing_find(signing, bytes_of(SIGNING_DEFAULT_ED25519_ID));
    if (old >= 0) /* its successors are gone */
        signing->secrets[old].expires_at_ms = 0;
    else if (signing->count < SIGNING_SECRETS_MAX)
        add_default_ed25519(vault, endpoint_id, created_at_ms, signing);
}

void signing_wipe(struct signing *signing)
{
    OPENSSL_cleanse(signing, sizeof *signing);
}

bool signing_active(const struct signing_secret *secret, int64_t now_ms)
{
    return secret->expires_at_ms == 0 || secret->expires_at_ms > now_ms;
}

int signing_active_count(const struct signing *signing, int64_t now_ms)
{
    int count = 0;
    for (int i = 0; i < signing->count; i++)
        count += signing_active(&signing->secrets[i], now_ms);
    return count;
}

int signing_find(const struct signing *signing, struct bytes id)
{
    for (int i = 0; i < signing->count; i++)
        if (bytes_equal_text(id, signing->secrets[i].id))
            return i;
    return -1;
}

void signing_remove(struct signing *signing, int index)
{
    assert(index >= 0 && index < signing->count);
    signing->count--;
    memmove(&signing->secrets[index], &signing->secrets[index + 1],
            (size_t)(signing->count - index) * sizeof signing->secrets[0]);
    OPENSSL_cleanse(&signing->secrets[signing->count], sizeof signing->secrets[0]);
}

const struct signing_secret *signing_add(struct signing *signing, bool ed25519, int64_t now_ms,
                                         int64_t overlap_ms)
{
    for (int i = signing->count - 1; i >= 0; i--)
        if (!signing_active(&signing->secrets[i], now_ms))
            signing_remove(signing, i);
    if (signing->count >= SIGNING_ADDED_MAX)
        return NULL;
    for (int i = 0; i < signing->count; i++)
        if (signing->secrets[i].ed25519 == ed25519 && signing->secrets[i].expires_at_ms == 0)
            signing->secrets[i].expires_at_ms = now_ms + overlap_ms;
    struct signing_secret *secret = &signing->secrets[signing->count++];
    *secret = (struct signing_secret){.ed25519 = ed25519, .created_at_ms = now_ms};
    digest_random_hex(secret->id, SIGNING_ID_LEN / 2);
    enum posthorn_result result = posthorn_secret_new(ed25519, secret->secret, secret->public_key);
    assert(result == POSTHORN_OK && "libcrypto makes keys");
    return secret;
}
