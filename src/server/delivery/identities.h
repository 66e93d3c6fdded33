/*
 * identities: the TLS identities of users. At rest they are sealed by the vault, bound to the user; see
 * struct user.identity. In the engine they are kept open for the next attempt, in a table with a fixed number
 * of places, by endpoint; a user's newer version replaces its entry, another endpoint with the same place
 * too.
 */
#pragma once
#include "identity.h"
#include "log.h"
#include "store.h"
#include "vault.h"

#define IDENTITY_CONTEXT "identity" /* of what is sealed, before "/ID" */

/* ---- at rest; any thread ---- */

/* data NULL: too large for the arena. */
struct bytes identities_seal(const struct vault *vault, int64_t user_id, const struct identity_source *source,
                             struct arena *arena);
/* OK or SEALED; on OK the parts are on the arena, and the caller wipes them. */
enum vault_error identities_unseal(const struct vault *vault, int64_t user_id, struct bytes sealed,
                                   struct arena *arena, struct identity_source *source);
void identities_wipe(struct identity_source *source); /* the private key */

/* ---- in use; the engine's thread ---- */

struct identities;

struct identities *identities_open(const struct vault *vault, struct log *log);
void identities_close(struct identities *identities);

/* *identity is as whom this work's endpoint is spoken to, NULL: as nobody in particular; good until the next
 * call, unless held. False: there is one and it does not open; the log says so, and nothing may be sent. */
bool identities_find(struct identities *identities, const struct store_work *work,
                     struct identity **identity);
