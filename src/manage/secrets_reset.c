/*
 * posthorn secrets reset: continues with another key file. It removes the values that are sealed with the old
 * one, because nothing can open them any more. Values that are derived from the key file change.
 */
#include "identities.h"
#include "manage.h"
#include "push_secrets.h"
#include "signing.h"
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

enum { ENDPOINTS_PAGE = 200, PAGE_ARENA_MAX = 64 << 20, SCRATCH_MAX = 1 << 20 };

static const char details[] =
    "Use this when the key file is lost. If you have a backup of the key file, restore that instead. It\n"
    "uses the present key file, or creates one, and binds the database to it. A file that holds no key is\n"
    "kept as FILE.unusable. Every user's signing secret changes: each receiver that verifies signatures\n"
    "needs its new one. TLS identities, headers and auth are lost and must be set again. Events and "
    "deliveries "
    "stay. The\n"
    "server must be stopped.";

struct reset_counts {
    int users, secrets, identities, headers, auths;
};

static bool opens(const struct vault *vault, const char *what, int64_t endpoint_id, struct bytes sealed)
{
    char context[64];
    struct arena arena;
    struct bytes plain;
    arena_init(&arena, SCRATCH_MAX);
    snprintf(context, sizeof context, "%s/%lld", what, (long long)endpoint_id);
    bool opened = vault_unseal(vault, bytes_of(context), sealed, &arena, &plain) == VAULT_OK;
    arena_fini(&arena);
    return opened;
}

/* False: the store failed. */
static bool reset_endpoint(struct store *store, const struct vault *vault, const struct endpoint *endpoint,
                           struct reset_counts *counts)
{
    struct store_op op = {.kind = STORE_ENDPOINT_UPDATE,
                          .endpoint = {.endpoint = *endpoint, .if_version = -1}};
    struct store_op *ops[] = {&op};
    struct store_batch batch = {.ops = ops, .op_count = 1};
    bool signing =
        endpoint->signing.len > 0 && !opens(vault, SIGNING_CONTEXT, endpoint->id, endpoint->signing);
    bool identity =
        endpoint->identity.len > 0 && !opens(vault, IDENTITY_CONTEXT, endpoint->id, endpoint->identity);
    counts->users += endpoint->id == endpoint->owner_id; /* each has one default endpoint */
    counts->secrets += signing;
    counts->identities += identity;
    struct push_secret own =
        push_secret_headers(endpoint->owner_id, endpoint->created_at_ms, &endpoint->push);
    bool headers = push_secret_is_lost(vault, &own);
    counts->headers += headers;
    own = push_secret_auth(endpoint->owner_id, endpoint->created_at_ms, &endpoint->push);
    bool auth = push_secret_is_lost(vault, &own);
    counts->auths += auth;
    if (signing)
        op.endpoint.endpoint.signing = (struct bytes){0};
    if (identity)
        op.endpoint.endpoint.identity = (struct bytes){0};
    if (headers)
        op.endpoint.endpoint.push.header_names = op.endpoint.endpoint.push.headers = (struct bytes){0};
    if (auth)
        op.endpoint.endpoint.push.auth = op.endpoint.endpoint.push.auth_secret = (struct bytes){0};
    return (!signing && !identity && !headers && !auth) || store_write(store, &batch) == STORE_OK;
}

static bool reset_endpoints(struct store *store, const struct vault *vault, struct reset_counts *counts)
{
    struct store_query query = {.kind = STORE_LIST_ENDPOINTS, .limit = ENDPOINTS_PAGE};
    struct store_answer answer;
    struct arena arena;
    bool done = true;
    arena_init(&arena, PAGE_ARENA_MAX);
    do {
        arena_reset(&arena);
        done = store_read(store, 0, &query, &arena, &answer) == STORE_OK;
        for (int i = 0; done && i < answer.count; i++) {
            query.after_id = answer.endpoints[i].id;
            done = reset_endpoint(store, vault, &answer.endpoints[i], counts);
        }
    } while (done && answer.more && answer.count);
    arena_fini(&arena);
    return done;
}

/* The file has no valid key, but it may be a damaged one that an operator still needs. */
static bool set_aside(const char *path)
{
    char aside[MANAGE_PATH_LEN + sizeof ".unusable"];
    snprintf(aside, sizeof aside, "%s.unusable", path);
    return rename(path, aside) == 0;
}

static int reset(const struct invocation *invocation, void *options)
{
    struct manage *manage = options;
    struct store *store = manage->opened;
    char path[MANAGE_PATH_LEN], error_text[256];
    struct vault *vault;
    struct reset_counts counts = {0};
    server_key_path(&manage->config, path);
    enum vault_error error = vault_open(path, &vault);
    bool made = error == VAULT_ABSENT || (error == VAULT_MALFORMED && set_aside(path));
    if (made)
        error = vault_make(path, &vault);
    if (error != VAULT_OK)
        return command_failed(manage->invocation, "key-file %s: %s%s%s", path, vault_error_sentence(error),
                              error == VAULT_UNREADABLE ? ": " : "",
                              error == VAULT_UNREADABLE ? strerror(errno) : "");
    /* The fingerprint comes last: after an interruption before it, all is done again. */
    enum server_error written = SERVER_DATA;
    snprintf(error_text, sizeof error_text, "the endpoints cannot be written");
    if (reset_endpoints(store, vault, &counts))
        written = server_fingerprint_write(store, vault, error_text);
    vault_close(vault);
    if (written != SERVER_OK)
        return server_failed(manage->invocation, written, error_text);
    if (manage->invocation->json)
        printf("{\"key_file\":\"%s\",\"users\":%d,\"secrets_dropped\":%d,\"identities_dropped\":%d,"
               "\"headers_dropped\":%d,\"auth_dropped\":%d}\n",
               made ? "made" : "kept", counts.users, counts.secrets, counts.identities, counts.headers,
               counts.auths);
    else
        printf(
            "The database now belongs to %s%s.\n"
            "The signing secrets of all %d users have changed; %d that were created or rotated are removed.\n"
            "TLS identities removed: %d.\n"
            "Endpoints whose headers are removed: %d; whose auth is removed: %d.\n"
            "Use `posthorn secrets` to show and replace secrets when the server runs.\n",
            path, made ? ", which is new" : "", counts.users, counts.secrets, counts.identities,
            counts.headers, counts.auths);
    return EXIT_DONE;
}

const struct command secrets_reset_command = {
    .name = "secrets reset",
    .summary = "go on with another key file, when the old one is lost",
    .details = details,
    .verbs = {{NULL, "", reset}},
    .required = "--data DATA",
    MANAGE_COMMAND(struct manage, manage_run_on_store),
};
