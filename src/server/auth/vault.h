/*
 * vault: what must be readable again, but not at rest: signing secrets and the private keys of TLS
 * identities.
 *
 * AES-256-GCM with a key derived from that in a file of its own (setting key-file; mode 0600), so that a copy
 * of the database alone tells nothing. A sealed blob is bound to a context ("signing/5"): moved to another
 * user it does not open. Layout: one version byte, 12 bytes of nonce, 16 of tag, ciphertext.
 *
 * Read-only after opening: any number of threads.
 */
#pragma once
#include "arena.h"

struct vault;

enum vault_error {
    VAULT_OK,
    VAULT_ABSENT,
    VAULT_NOT_FILE,   /* a pipe, a folder */
    VAULT_UNREADABLE, /* errno says why */
    VAULT_MALFORMED,  /* not a key of 64 hex digits */
    VAULT_EXPOSED,    /* everybody can read the file, and that is not ours to change */
    VAULT_SEALED      /* not sealed with this key and context, or changed since */
};
const char *vault_error_sentence(enum vault_error error);

enum vault_error vault_open(const char *path, struct vault **vault);
/* A new key in a new file; UNREADABLE with EEXIST if there is one. */
enum vault_error vault_make(const char *path, struct vault **vault);
/* 32 bytes that tell this key from others and nothing about it. The database keeps them, so that it is never
 * used with another key. */
const unsigned char *vault_fingerprint(const struct vault *vault);
/* Others than its owner could read the file until now. */
bool vault_was_exposed(const struct vault *vault);
void vault_close(struct vault *vault); /* wipes the key */

/* 32 bytes that only this key file gives for this context, the same every time: a secret that needs no
 * storing. */
void vault_derive(const struct vault *vault, struct bytes context, unsigned char out[32]);

/* On the arena; data NULL: too large for it. */
struct bytes vault_seal(const struct vault *vault, struct bytes context, struct bytes plain,
                        struct arena *arena);
/* OK or SEALED; on OK *plain is on the arena. The caller wipes it when done. */
enum vault_error vault_unseal(const struct vault *vault, struct bytes context, struct bytes sealed,
                              struct arena *arena, struct bytes *plain);
