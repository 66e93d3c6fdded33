#include "tokens.h"
#include "idmap.h"
#include "memory.h"
#include "oauth.h"
#include "push_secrets.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum { TIMEOUT_DEFAULT_S = 30, ANSWER_LEN_MAX = 512 << 10, SECRET_LEN_MAX = 16 << 10 };

struct token {
    int holders;
    int64_t ends_at_ms; /* monotonic */
    size_t len;
    char text[]; /* "Bearer ..." */
};

/* Of one version of an endpoint. It is requested (in no list), or has a token (in the ring of tokens). */
struct token_entry {
    struct token_entry *prev, *next;
    struct tokens *tokens;
    int64_t endpoint_id, endpoint_version;
    struct token *token;
    bool current; /* in the map; false: requested, and a newer version has its place */
    int64_t requested_at_ms;
    struct token_wait *waiting, **waiting_end;
    size_t body_len;
    char body[OAUTH_BODY_LEN_MAX]; /* of the request */
};

struct tokens {
    struct tokens_config config;
    struct idmap entries;    /* by endpoint */
    struct token_entry ring; /* those with a token, the first that was got first */
    size_t count;            /* of the ring */
};

/* ---- tokens and entries ---- */

struct bytes token_authorization(const struct token *token)
{
    return bytes_make(token->text, token->len);
}

static struct token *token_hold(struct token *token)
{
    token->holders++;
    return token;
}

void token_drop(struct token *token)
{
    if (!token || --token->holders > 0)
        return;
    push_secret_wipe(token_authorization(token));
    free(token);
}

static struct token *token_make(struct bytes text, int64_t ends_at_ms)
{
    static const char scheme[] = "Bearer ";
    struct token *token = memory_alloc(sizeof *token + sizeof scheme - 1 + text.len);
    token->holders = 1;
    token->ends_at_ms = ends_at_ms;
    token->len = sizeof scheme - 1 + text.len;
    memcpy(token->text, scheme, sizeof scheme - 1);
    memcpy(token->text + sizeof scheme - 1, text.data, text.len);
    return token;
}

struct tokens *tokens_open(const struct tokens_config *config)
{
    struct tokens *tokens = memory_zero(1, sizeof *tokens);
    tokens->config = *config;
    tokens->ring.prev = tokens->ring.next = &tokens->ring;
    return tokens;
}

static bool is_requested(const struct token_entry *entry)
{
    return entry->token == NULL;
}

static void entry_end(struct token_entry *entry)
{
    struct tokens *tokens = entry->tokens;
    if (entry->current)
        idmap_remove(&tokens->entries, entry->endpoint_id);
    if (!is_requested(entry)) {
        entry->prev->next = entry->next;
        entry->next->prev = entry->prev;
        tokens->count--;
        token_drop(entry->token);
    }
    free(entry);
}

void tokens_close(struct tokens *tokens)
{
    if (!tokens)
        return;
    while (tokens->ring.next != &tokens->ring)
        entry_end(tokens->ring.next);
    assert(tokens->entries.count == 0);
    idmap_fini(&tokens->entries);
    free(tokens);
}

void tokens_tick(struct tokens *tokens)
{
    if (!tokens)
        return;
    int64_t now_ms = clock_mono_ms(&tokens->config.clock);
    for (struct token_entry *entry = tokens->ring.next, *next; entry != &tokens->ring; entry = next) {
        next = entry->next;
        if (entry->token->ends_at_ms <= now_ms)
            entry_end(entry);
    }
}

/* The entry of this version of the endpoint. NULL: none. */
static struct token_entry *entry_of(const struct tokens *tokens, const struct store_work *work)
{
    struct token_entry *entry = idmap_get(&tokens->entries, work->endpoint_id);
    return entry && entry->endpoint_version == work->endpoint_version ? entry : NULL;
}

struct token *tokens_find(struct tokens *tokens, const struct store_work *work)
{
    struct token_entry *entry = entry_of(tokens, work);
    if (!entry || is_requested(entry))
        return NULL;
    if (entry->token->ends_at_ms > clock_mono_ms(&tokens->config.clock))
        return token_hold(entry->token);
    entry_end(entry);
    return NULL;
}

bool tokens_forget(struct tokens *tokens, const struct store_work *work, const struct token *token)
{
    struct token_entry *entry = idmap_get(&tokens->entries, work->endpoint_id);
    if (entry && entry->endpoint_version > work->endpoint_version)
        return false;
    if (entry && entry->token == token)
        entry_end(entry);
    return true;
}

/* ---- the request ---- */

static struct token_outcome no_token(enum failure failure, const char *detail)
{
    struct token_outcome outcome = {.failure = failure, .retry_after_ms = -1};
    snprintf(outcome.detail, sizeof outcome.detail, "%s", detail);
    return outcome;
}

static void entry_keep(struct token_entry *entry, struct token *token)
{
    struct tokens *tokens = entry->tokens;
    if (tokens->count == TOKENS_MAX)
        entry_end(tokens->ring.next);
    entry->token = token_hold(token);
    entry->next = &tokens->ring;
    entry->prev = tokens->ring.prev;
    entry->prev->next = entry->next->prev = entry;
    tokens->count++;
}

static void entry_answer(struct token_entry *entry, struct token_outcome *outcome, struct token *token)
{
    struct token_wait *waiting = entry->waiting;
    entry->waiting = NULL;
    if (token && entry->current)
        entry_keep(entry, token);
    else
        entry_end(entry);
    while (waiting) { /* `done` may wait again, for another request */
        struct token_wait *wait = waiting;
        waiting = wait->next;
        outcome->token = token ? token_hold(token) : NULL;
        wait->done(wait, outcome);
    }
}

/* Of the answer only what RFC 6749 names is said: the rest may be anything, secrets too. */
static struct token_outcome judge(const struct sender_result *result, struct oauth_answer *answer,
                                  struct arena *arena)
{
    struct token_outcome outcome = no_token(FAILURE_NO_TOKEN, "");
    if (result->failure != FAILURE_NONE) {
        if (failure_class_of(result->failure) == FAILURE_CLASS_OURS)
            outcome.failure = result->failure;
        snprintf(outcome.detail, sizeof outcome.detail, "the request to the token server failed: %s",
                 failure_name(result->failure));
        return outcome;
    }
    outcome.retry_after_ms = result->retry_after_ms;
    oauth_answer_read(answer, result->status, result->json, !result->body_incomplete, result->response,
                      arena);
    if (answer->code)
        snprintf(outcome.detail, sizeof outcome.detail, "the token server answered %d %s", result->status,
                 answer->code);
    else if (answer->flaw)
        snprintf(outcome.detail, sizeof outcome.detail, "the token server answered %d: %s", result->status,
                 answer->flaw);
    return outcome;
}

static int64_t end_of(int64_t from_ms, int64_t expires_in_s)
{
    int64_t early_ms = expires_in_s * 1000 / 10;
    if (early_ms > TOKENS_EARLY_S_MAX * 1000)
        early_ms = TOKENS_EARLY_S_MAX * 1000;
    return from_ms + expires_in_s * 1000 - early_ms;
}

static void on_answered(void *ctx, uint32_t tag, const struct sender_result *result)
{
    struct token_entry *entry = ctx;
    struct oauth_answer answer = {0};
    struct arena arena;
    struct token *token = NULL;
    (void)tag;
    arena_init(&arena, ANSWER_LEN_MAX);
    struct token_outcome outcome = judge(result, &answer, &arena);
    if (answer.token.len > 0) {
        outcome.failure = FAILURE_NONE;
        token = token_make(answer.token, end_of(entry->requested_at_ms, answer.expires_in_s));
        push_secret_wipe(answer.token);
    }
    if (result->failure == FAILURE_NONE)
        push_secret_wipe(result->response);
    arena_fini(&arena);
    entry_answer(entry, &outcome, token);
    token_drop(token);
}

int tokens_request_s(const struct store_work *work)
{
    int timeout_s = push_settings_of(work->push)->timeout;
    int half_s = (timeout_s ? timeout_s : TIMEOUT_DEFAULT_S) / 2;
    return half_s < 1 ? 1 : half_s < TOKENS_REQUEST_S_MAX ? half_s : TOKENS_REQUEST_S_MAX;
}

static void send_request(struct token_entry *entry, const struct store_work *work, const struct url *url,
                         struct bytes authorization)
{
    const struct header headers[] = {
        {bytes_of("Content-Type"), bytes_of("application/x-www-form-urlencoded")},
        {bytes_of("Authorization"), authorization}};
    entry->requested_at_ms = clock_mono_ms(&entry->tokens->config.clock);
    sender_start(entry->tokens->config.sender,
                 &(struct sender_request){.timeout_s = tokens_request_s(work),
                                          .once = true,
                                          .pool_key = work->endpoint_id,
                                          .url = url,
                                          .headers = headers,
                                          .header_count = 2,
                                          .body = bytes_make(entry->body, entry->body_len)},
                 0, on_answered, entry);
}

/* NONE: the request is under way. */
static enum failure request(struct token_entry *entry, const struct store_work *work)
{
    const struct tokens_config *config = &entry->tokens->config;
    const struct push_settings *push = push_settings_of(work->push);
    struct push_secret secret = push_secret_auth(work->user_id, work->endpoint_created_at_ms, push);
    char authorization[OAUTH_AUTHORIZATION_LEN_MAX];
    struct oauth_client client;
    struct arena arena;
    struct bytes plain;
    struct url url;
    if (!oauth_client_read(push->auth, &client))
        return FAILURE_SEALED;
    if (url_parse(client.token_url, &url) != URL_OK || guard_url(config->guard, &url) != GUARD_ALLOWED)
        return FAILURE_BLOCKED_URL;
    arena_init(&arena, SECRET_LEN_MAX);
    bool opened = push_secret_unseal(config->vault, &secret, &arena, &plain) == VAULT_OK;
    size_t len = opened ? oauth_put_authorization(authorization, client.client_id, plain) : 0;
    if (opened)
        push_secret_wipe(plain);
    arena_fini(&arena);
    if (len == 0)
        return FAILURE_SEALED;
    entry->body_len = oauth_put_body(entry->body, client.scope);
    send_request(entry, work, &url, bytes_make(authorization, len));
    push_secret_wipe(bytes_make(authorization, len));
    return FAILURE_NONE;
}

static struct token_entry *entry_make(struct tokens *tokens, const struct store_work *work)
{
    struct token_entry *former = idmap_get(&tokens->entries, work->endpoint_id);
    bool current = !former || former->endpoint_version <= work->endpoint_version;
    if (former && current && is_requested(former)) { /* its waiters still get their answer */
        idmap_remove(&tokens->entries, work->endpoint_id);
        former->current = false;
    } else if (former && current) {
        entry_end(former);
    }
    struct token_entry *entry = memory_zero(1, sizeof *entry);
    entry->tokens = tokens;
    entry->endpoint_id = work->endpoint_id;
    entry->endpoint_version = work->endpoint_version;
    entry->current = current;
    entry->waiting_end = &entry->waiting;
    if (current)
        idmap_put(&tokens->entries, work->endpoint_id, entry);
    return entry;
}

void tokens_wait(struct tokens *tokens, const struct store_work *work, struct token_wait *wait)
{
    struct token_entry *entry = entry_of(tokens, work);
    wait->next = NULL;
    if (entry && is_requested(entry)) {
        *entry->waiting_end = wait;
        entry->waiting_end = &wait->next;
        return;
    }
    entry = entry_make(tokens, work);
    entry->waiting = wait;
    entry->waiting_end = &wait->next;
    enum failure failure = request(entry, work);
    if (failure == FAILURE_NONE)
        return;
    struct token_outcome outcome =
        no_token(failure == FAILURE_BLOCKED_URL ? FAILURE_NO_TOKEN : failure,
                 failure == FAILURE_BLOCKED_URL ? "this server's settings do not allow the token_url" : "");
    entry_answer(entry, &outcome, NULL);
}
