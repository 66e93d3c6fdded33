/*
 * identities: seals the TLS identities of endpoints with the vault, bound to the endpoint; see struct
 * endpoint.identity. Any thread.
 */
#pragma once
#include "identity.h"
#include "store.h"
#include "vault.h"

#define IDENTITY_CONTEXT "identity" /* the context is "identity/ID" */

/* data NULL: too large for the arena. */
struct bytes identities_seal(const struct vault *vault, int64_t endpoint_id,
                             const struct identity_source *source, struct arena *arena);
/* OK or SEALED. OK: the parts are on the arena, and the caller wipes them. */
enum vault_error identities_unseal(const struct vault *vault, int64_t endpoint_id, struct bytes sealed,
                                   struct arena *arena, struct identity_source *source);
void identities_wipe(struct identity_source *source); /* the private key */
