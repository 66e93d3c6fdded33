/*
 * vault: encrypts secrets that must be readable again: signing secrets and the private keys of TLS
 * identities.
 *
 * AES-256-GCM, with a key derived from that in the key file (setting key-file; mode 0600). So a copy of the
 * database alone reveals nothing. A sealed blob is bound to a context ("signing/5") and does not open for
 * another user. Layout: one version byte, 12 bytes of nonce, 16 of tag, ciphertext.
 *
 * Read-only after the open: any number of threads.
 */
#pragma once
#include "arena.h"

struct vault;

enum vault_error {
    VAULT_OK,
    VAULT_ABSENT,
    VAULT_NOT_FILE,   /* a pipe, a folder */
    VAULT_UNREADABLE, /* see errno */
    VAULT_MALFORMED,  /* not a key of 64 hex digits */
    VAULT_EXPOSED,    /* every user can read the file, and we may not change that */
    VAULT_SEALED      /* sealed with another key or context, or damaged */
};
const char *vault_error_sentence(enum vault_error error);

enum vault_error vault_open(const char *path, struct vault **vault);
/* Makes a new key in a new file. UNREADABLE with EEXIST: the file exists. */
enum vault_error vault_make(const char *path, struct vault **vault);
/* 32 bytes that identify the key without revealing it. The database stores them, so that it is never used
 * with another key. */
const unsigned char *vault_fingerprint(const struct vault *vault);
/* True: users other than its owner could read the file until now. */
bool vault_was_exposed(const struct vault *vault);
void vault_close(struct vault *vault); /* wipes the key */

/* 32 secret bytes for this context, always the same with this key file, so that they need not be stored. */
void vault_derive(const struct vault *vault, struct bytes context, unsigned char out[32]);

/* On the arena. data NULL: too large for it. */
struct bytes vault_seal(const struct vault *vault, struct bytes context, struct bytes plain,
                        struct arena *arena);
/* OK or SEALED. OK: *plain is on the arena, and the caller wipes it. */
enum vault_error vault_unseal(const struct vault *vault, struct bytes context, struct bytes sealed,
                              struct arena *arena, struct bytes *plain);
