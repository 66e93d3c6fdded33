#include "endpoint_cache.h"
#include "identities.h"
#include "memory.h"
#include "oauth.h"
#include "push_secrets.h"
#include <stdlib.h>

enum { UNSEALED_LEN_MAX = 2 * MODEL_IDENTITY_LEN_MAX };

struct endpoint_cache {
    const struct vault *vault;
    struct log *log;
    struct arena arena; /* of an identity while it is opened */
    int64_t guard_state;
    int identities;
    uint32_t hand; /* where the next identity to end is looked for */
    struct cached_endpoint *places[ENDPOINT_PLACES];
};

struct endpoint_cache *endpoint_cache_open(const struct vault *vault, struct log *log)
{
    struct endpoint_cache *cache = memory_zero(1, sizeof *cache);
    cache->vault = vault;
    cache->log = log;
    cache->guard_state = 1;
    arena_init(&cache->arena, UNSEALED_LEN_MAX);
    return cache;
}

static void end_entry(struct endpoint_cache *cache, struct cached_endpoint **place)
{
    struct cached_endpoint *entry = *place;
    *place = NULL;
    if (!entry)
        return;
    for (int i = 0; i < entry->signer_count; i++)
        posthorn_signer_close(entry->signers[i]);
    if (entry->secrets)
        signing_wipe(entry->secrets);
    free(entry->secrets);
    if (entry->own)
        push_secret_wipe(bytes_make(entry->own, sizeof *entry->own + entry->own->text_len));
    free(entry->own);
    cache->identities -= entry->identity != NULL;
    identity_close(entry->identity);
    free(entry);
}

void endpoint_cache_close(struct endpoint_cache *cache)
{
    if (!cache)
        return;
    for (int i = 0; i < ENDPOINT_PLACES; i++)
        end_entry(cache, &cache->places[i]);
    arena_fini(&cache->arena);
    free(cache);
}

static void prepare_signers(struct endpoint_cache *cache, const struct store_work *work,
                            struct cached_endpoint *entry)
{
    struct signing signing;
    enum vault_error error =
        signing_open(cache->vault, work->endpoint_id, work->endpoint_created_at_ms, work->signing, &signing);
    if (error != VAULT_OK)
        log_write(cache->log, LOG_LEVEL_ERROR, "endpoints",
                  "pushes go out without webhook-signature user=%lld endpoint=%lld why=\"%s\"",
                  (long long)work->user_id, (long long)work->endpoint_id, vault_error_sentence(error));
    if (error == VAULT_OK && entry->signatures & PUSH_ED25519)
        signing_need_ed25519(cache->vault, work->endpoint_id, work->endpoint_created_at_ms, &signing);
    bool hmac = !entry->signatures || entry->signatures & PUSH_STANDARD;
    for (int i = 0; error == VAULT_OK && i < signing.count; i++) {
        struct posthorn_signer *signer;
        if (!hmac && !signing.secrets[i].ed25519)
            continue;
        struct posthorn_text secret = {signing.secrets[i].secret, strlen(signing.secrets[i].secret)};
        if (posthorn_signer_open(secret, &signer) != POSTHORN_OK)
            continue; /* it came from posthorn_secret_new: only libcrypto can have failed, and the others
                         still sign */
        entry->expires_at_ms[entry->signer_count] = signing.secrets[i].expires_at_ms;
        entry->signers[entry->signer_count++] = signer;
    }
    if (error == VAULT_OK && entry->signatures & (PUSH_SIGNATURES_OTHERS | PUSH_RFC9421)) {
        entry->secrets = memory_alloc(sizeof *entry->secrets);
        *entry->secrets = signing;
    }
    signing_wipe(&signing);
}

static void tell_lost(struct endpoint_cache *cache, const struct store_work *work,
                      struct cached_endpoint *entry, const char *what, const char *why)
{
    entry->lost = true;
    log_write(cache->log, LOG_LEVEL_ERROR, "endpoints",
              "nothing is sent to this receiver: its %s cannot be decrypted user=%lld endpoint=%lld "
              "why=\"%s\"",
              what, (long long)work->user_id, (long long)work->endpoint_id, why);
}

static void make_room_for_identity(struct endpoint_cache *cache)
{
    while (cache->identities >= ENDPOINT_IDENTITIES_MAX) {
        struct cached_endpoint **place = &cache->places[cache->hand++ % ENDPOINT_PLACES];
        if (*place && (*place)->identity)
            end_entry(cache, place);
    }
}

static void prepare_identity(struct endpoint_cache *cache, const struct store_work *work,
                             struct cached_endpoint *entry)
{
    struct identity_source source;
    enum identity_error why = IDENTITY_ERROR_OK;
    arena_reset(&cache->arena);
    enum vault_error error =
        identities_unseal(cache->vault, work->endpoint_id, work->identity, &cache->arena, &source);
    if (error == VAULT_OK) {
        make_room_for_identity(cache);
        entry->identity = identity_open(&source, &why);
        cache->identities += entry->identity != NULL;
        identities_wipe(&source);
    }
    if (!entry->identity)
        tell_lost(cache, work, entry, "TLS identity",
                  error == VAULT_OK ? identity_error_sentence(why) : vault_error_sentence(error));
}

/* Views of one copy of what was sealed, and of the names. False: they are not as many. */
static bool list_headers(struct own_headers *own, struct bytes names, struct bytes values)
{
    char *at = own->text;
    memcpy(at, names.data, names.len);
    memcpy(at + names.len, values.data, values.len);
    names.data = at;
    values.data = at + names.len;
    while (names.len > 0 && values.len > 0 && own->count < PUSH_OWN_HEADERS_MAX)
        own->list[own->count++] = (struct header){bytes_cut(&names, ' '), bytes_cut(&values, '\n')};
    return names.len == 0 && values.len == 0;
}

/* False: what was sealed does not open. */
static bool open_headers(struct endpoint_cache *cache, const struct store_work *work,
                         struct cached_endpoint *entry)
{
    const struct push_settings *push = push_settings_of(work->push);
    struct push_secret secret = push_secret_headers(work->user_id, work->endpoint_created_at_ms, push);
    struct bytes values = {0};
    arena_reset(&cache->arena);
    if ((secret.shown.len || secret.sealed.len) &&
        push_secret_unseal(cache->vault, &secret, &cache->arena, &values) != VAULT_OK)
        return false;
    entry->own = memory_zero(1, sizeof *entry->own + secret.shown.len + values.len);
    entry->own->text_len = secret.shown.len + values.len;
    bool whole = !values.len || list_headers(entry->own, secret.shown, values);
    push_secret_wipe(values);
    return whole;
}

/* "Bearer TOKEN", or "Basic " and the base64 of "USERNAME:PASSWORD" (RFC 6750 section 2.1, RFC 7617). */
static size_t write_authorization(char *out, struct bytes auth, struct bytes plain)
{
    char pair[PUSH_USERNAME_LEN_MAX + 1 + PUSH_PASSWORD_LEN_MAX];
    struct bytes type = bytes_cut(&auth, '\n');
    if (bytes_equal_text(type, "bearer") && plain.len <= PUSH_TOKEN_LEN_MAX) {
        memcpy(out, "Bearer ", 7);
        memcpy(out + 7, plain.data, plain.len);
        return 7 + plain.len;
    }
    if (!bytes_equal_text(type, "basic") || !auth.len || auth.len > PUSH_USERNAME_LEN_MAX ||
        plain.len > PUSH_PASSWORD_LEN_MAX)
        return 0;
    size_t len = auth.len + 1 + plain.len;
    memcpy(pair, auth.data, auth.len);
    pair[auth.len] = ':';
    memcpy(pair + auth.len + 1, plain.data, plain.len);
    memcpy(out, "Basic ", 6);
    const char *end = bytes_put_base64(out + 6, (const unsigned char *)pair, len);
    push_secret_wipe(bytes_make(pair, len));
    return (size_t)(end - out);
}

static bool open_auth(struct endpoint_cache *cache, const struct store_work *work,
                      struct cached_endpoint *entry)
{
    const struct push_settings *push = push_settings_of(work->push);
    struct push_secret secret = push_secret_auth(work->user_id, work->endpoint_created_at_ms, push);
    struct own_headers *own = entry->own;
    struct oauth_client client;
    struct bytes plain;
    if (!secret.shown.len && !secret.sealed.len)
        return true;
    arena_reset(&cache->arena);
    if (push_secret_unseal(cache->vault, &secret, &cache->arena, &plain) != VAULT_OK)
        return false;
    entry->oauth = oauth_client_read(secret.shown, &client);
    own->authorization_len = write_authorization(own->authorization, secret.shown, plain);
    push_secret_wipe(plain);
    return entry->oauth || own->authorization_len > 0;
}

static void prepare_headers(struct endpoint_cache *cache, const struct store_work *work,
                            struct cached_endpoint *entry)
{
    const struct push_settings *push = push_settings_of(work->push);
    if (!push->header_names.len && !push->headers.len && !push->auth.len && !push->auth_secret.len)
        return;
    if (!open_headers(cache, work, entry))
        tell_lost(cache, work, entry, "headers", vault_error_sentence(VAULT_SEALED));
    else if (!open_auth(cache, work, entry))
        tell_lost(cache, work, entry, "auth", vault_error_sentence(VAULT_SEALED));
}

/* Once a version: a log line for each attempt would drown the first. */
static struct cached_endpoint *prepare(struct endpoint_cache *cache, const struct store_work *work)
{
    struct cached_endpoint *entry = memory_zero(1, sizeof *entry + work->url.len);
    entry->endpoint_id = work->endpoint_id;
    entry->endpoint_version = work->endpoint_version;
    entry->text_len = work->url.len;
    if (work->url.len > 0)
        memcpy(entry->text, work->url.data, work->url.len);
    entry->parsed = url_parse(bytes_make(entry->text, entry->text_len), &entry->url) == URL_OK;
    entry->signatures = push_settings_of(work->push)->signatures;
    prepare_signers(cache, work, entry);
    entry->has_identity = work->identity.len > 0;
    if (entry->has_identity)
        prepare_identity(cache, work, entry);
    prepare_headers(cache, work, entry);
    return entry;
}

static bool fits(const struct cached_endpoint *entry, const struct store_work *work)
{
    return entry->endpoint_id == work->endpoint_id && entry->endpoint_version == work->endpoint_version &&
           entry->has_identity == (work->identity.len > 0) &&
           bytes_equal(work->url, bytes_make(entry->text, entry->text_len));
}

enum failure endpoint_cache_find(struct endpoint_cache *cache, const struct guard *guard,
                                 const struct store_work *work, const struct cached_endpoint **endpoint)
{
    struct cached_endpoint **place = &cache->places[(uint64_t)work->endpoint_id % ENDPOINT_PLACES];
    if (!*place || !fits(*place, work)) {
        end_entry(cache, place);
        *place = prepare(cache, work);
    }
    struct cached_endpoint *entry = *place;
    if (entry->judged != cache->guard_state) {
        entry->allowed = entry->parsed && guard_url(guard, &entry->url) == GUARD_ALLOWED;
        entry->judged = cache->guard_state;
    }
    *endpoint = entry;
    if (!entry->allowed)
        return FAILURE_BLOCKED_URL;
    return entry->lost ? FAILURE_SEALED : FAILURE_NONE;
}

void endpoint_cache_judge_again(struct endpoint_cache *cache)
{
    cache->guard_state++;
}

int cached_endpoint_signers(const struct cached_endpoint *endpoint, int64_t wall_ms,
                            void *signers[SIGNING_SECRETS_MAX])
{
    int count = 0;
    for (int i = 0; i < endpoint->signer_count; i++)
        if (endpoint->expires_at_ms[i] == 0 || endpoint->expires_at_ms[i] > wall_ms)
            signers[count++] = endpoint->signers[i];
    return count;
}

int cached_endpoint_secrets(const struct cached_endpoint *endpoint, int64_t wall_ms,
                            struct bytes secrets[SIGNING_SECRETS_MAX])
{
    int count = 0;
    for (int i = endpoint->secrets ? endpoint->secrets->count - 1 : -1; i >= 0; i--) {
        const struct signing_secret *secret = &endpoint->secrets->secrets[i];
        if (!secret->ed25519 && signing_active(secret, wall_ms))
            secrets[count++] = bytes_of(secret->secret);
    }
    return count;
}

int cached_endpoint_keys(const struct cached_endpoint *endpoint, int64_t wall_ms,
                         struct message_key keys[SIGNING_SECRETS_MAX])
{
    int count = 0;
    if (!endpoint->secrets || !(endpoint->signatures & PUSH_RFC9421))
        return 0;
    for (int i = 0; i < endpoint->secrets->count; i++) {
        const struct signing_secret *secret = &endpoint->secrets->secrets[i];
        if (secret->ed25519 && signing_active(secret, wall_ms))
            keys[count++] = (struct message_key){bytes_of(secret->id), bytes_of(secret->secret)};
    }
    return count;
}
