/*
 * push_secrets: seals the secret half of a setting of pushes (push_settings.h). The other half is stored and
 * shown as it is. A seal is bound to both, and to the endpoint: by its owner and its time of creation, as a
 * new endpoint has no id before it is stored. Any thread.
 */
#pragma once
#include "push_headers.h"
#include "store.h"
#include "vault.h"

struct push_secret {
    const char *setting;
    int64_t owner_id, created_at_ms; /* of the endpoint */
    struct bytes shown, sealed;
};
struct push_secret push_secret_headers(int64_t owner_id, int64_t created_at_ms,
                                       const struct push_settings *push);
struct push_secret push_secret_auth(int64_t owner_id, int64_t created_at_ms,
                                    const struct push_settings *push);

/* data NULL: too large for the arena. */
struct bytes push_secret_seal(const struct vault *vault, const struct push_secret *secret, struct bytes plain,
                              struct arena *arena);
/* OK or SEALED. OK: *plain is on the arena, and the caller wipes it. */
enum vault_error push_secret_unseal(const struct vault *vault, const struct push_secret *secret,
                                    struct arena *arena, struct bytes *plain);
void push_secret_wipe(struct bytes plain);
/* Is it in use, and its secret lost? */
bool push_secret_is_lost(const struct vault *vault, const struct push_secret *secret);
