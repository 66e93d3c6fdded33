/*
 * signers: the prepared keys of the endpoints that are being sent to, so that a push costs one HMAC and
 * neither unsealing nor key set-up. A cache with a fixed number of places, by endpoint; a user's newer
 * version replaces its entry, another endpoint with the same place too.
 *
 * The engine's thread alone.
 */
#pragma once
#include "log.h"
#include "store.h"
#include "vault.h"

struct signers;

enum { SIGNERS_VALUE_LEN_MAX = 800 };

struct signers *signers_open(const struct vault *vault, struct log *log);
void signers_close(struct signers *signers);

/* The value of webhook-signature for this document at this time: every active secret's signature, separated
 * by spaces, with a NUL. 0: none (the secrets do not open; the log says so). The length otherwise. */
size_t signers_sign(struct signers *signers, const struct store_work *work, struct bytes id, int64_t wall_ms,
                    char out[SIGNERS_VALUE_LEN_MAX]);
