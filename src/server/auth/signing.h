/*
 * signing: the secrets of an endpoint for the second signature (Standard Webhooks 1.0), and their
 * replacement without a gap.
 *
 * An endpoint without stored secrets has one, `default`: HMAC, derived from the key file. So every push is
 * signed from the first on, and nothing is written for it. It is derived from the endpoint's id and its
 * time of creation: after a restore of an older database, an id may belong to another user, who must not
 * get the old user's secret. A new secret lets those of its kind expire after an overlap, during which both
 * sign.
 *
 * An endpoint that has to sign with Ed25519 and has no such secret has the derived key pair `default-v1a`,
 * likewise (signing_need_ed25519).
 *
 * At rest the vault seals the list, bound to the endpoint; see struct endpoint.signing.
 */
#pragma once
#include "posthorn.h"
#include "vault.h"

#define SIGNING_CONTEXT "signing" /* of what is sealed, before "/ID" */
enum {
    SIGNING_ADDED_MAX = 8,
    SIGNING_SECRETS_MAX = SIGNING_ADDED_MAX + 1,
    SIGNING_ID_LEN = 16,
    SIGNING_SEALED_LEN_MAX = 4096
};

#define SIGNING_DEFAULT_ID         "default"
#define SIGNING_DEFAULT_ED25519_ID "default-v1a"

struct signing_secret {
    char id[SIGNING_ID_LEN + 1]; /* "default", "default-v1a", or 16 hex digits */
    bool ed25519;
    char secret[POSTHORN_SECRET_LEN_MAX];
    char public_key[POSTHORN_SECRET_LEN_MAX]; /* "" for HMAC */
    int64_t created_at_ms;
    int64_t expires_at_ms; /* 0: never */
};

struct signing {
    struct signing_secret secrets[SIGNING_SECRETS_MAX];
    int count;
};

/* The default secret's text: a new user is told that of its default endpoint. */
void signing_default(const struct vault *vault, int64_t endpoint_id, int64_t created_at_ms,
                     char secret[POSTHORN_SECRET_LEN_MAX]);
/* Opens the sealed secrets; without any, the default. OK or SEALED (another key file, or damaged). */
enum vault_error signing_open(const struct vault *vault, int64_t endpoint_id, int64_t created_at_ms,
                              struct bytes sealed, struct signing *signing);
/* Adds the key pair `default-v1a`, unless an Ed25519 secret signs without an end. */
void signing_need_ed25519(const struct vault *vault, int64_t endpoint_id, int64_t created_at_ms,
                          struct signing *signing);
struct bytes signing_seal(const struct vault *vault, int64_t endpoint_id, const struct signing *signing,
                          struct arena *arena);
void signing_wipe(struct signing *signing);

/* Adds a new secret. Those of its kind without an expiry expire in overlap_ms. Expired ones are dropped
 * first. NULL: SIGNING_ADDED_MAX or more have not expired. */
const struct signing_secret *signing_add(struct signing *signing, bool ed25519, int64_t now_ms,
                                         int64_t overlap_ms);
/* The index; -1: no such id. */
int signing_find(const struct signing *signing, struct bytes id);
void signing_remove(struct signing *signing, int index);
bool signing_active(const struct signing_secret *secret, int64_t now_ms);
/* The number of secrets that sign now. */
int signing_active_count(const struct signing *signing, int64_t now_ms);
