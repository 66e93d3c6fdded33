/*
 * keyring: who may do what, in memory. Every active key's SHA-256 and every user's role and Master.
 *
 * Loaded when the API opens and changed after each commit that touches a key or a user, so that a
 * request is authenticated without a read of the store. The table is looked up by digest: a key's
 * bytes are never kept, and what a guess can learn from timing is about the digest of its own guess.
 * Any thread.
 */
#pragma once
#include "digest.h"
#include "model.h"
#include "network.h"
#include "rate.h"
#include "store.h"

struct keyring;

struct caller {
    int64_t user_id; /* as whom it acts */
    enum user_role role;
    int64_t master_id;   /* that user's; 0: none */
    int64_t key_user_id; /* whose key it is: differs when a Master acts as one of its users */
    int64_t key_id;
    int64_t rate_per_s; /* the key's own: as in struct api_key */
    bool restricted;    /* the key has a list of networks: ask keyring_admits */
    unsigned char digest[DIGEST_LEN];
};

enum { KEYRING_NETWORKS_MAX = 64 }; /* of one key */

enum keyring_verdict {
    KEYRING_OK,
    KEYRING_MALFORMED, /* the header's text is not KEY, `Bearer KEY`, with `; user=ID` or without */
    KEYRING_UNKNOWN,   /* no such key, or revoked */
    KEYRING_FORBIDDEN, /* `user=` by a Regular */
    KEYRING_NO_USER    /* `user=` names nobody of this Master's */
};

struct keyring *keyring_open(void);
void keyring_close(struct keyring *keyring);

void keyring_put_user(struct keyring *keyring, int64_t user_id, enum user_role role, int64_t master_id);
/* A new key, or new terms for one that is there. False: the digest is not 64 hex digits, or allow_from is no
 * list of networks; the key is then not taken. */
bool keyring_put_key(struct keyring *keyring, const struct api_key *key);
/* New terms for a key that is there: `changes` are bits of enum store_key_change. Called in the order of the
 * commits. allow_from is known to be sound. */
void keyring_change_key(struct keyring *keyring, const struct api_key *key, unsigned changes);
/* Reads the networks of allow_from, separated by spaces, without ports. -1: one of them is not understood,
 * has bits behind its prefix, or they are too many. */
int keyring_read_networks(struct bytes allow_from, struct network networks[KEYRING_NETWORKS_MAX]);
void keyring_drop_key(struct keyring *keyring, int64_t key_id);

/* The Authorization header's value. */
enum keyring_verdict keyring_authenticate(struct keyring *keyring, struct bytes authorization,
                                          struct caller *caller);
/* May the caller's key be used from this address? */
bool keyring_admits(struct keyring *keyring, const struct caller *caller, const char *peer);
/* The networks that the caller's key may be used from, as their text; len 0: any. On the arena, NULL there
 * when that is used up. */
struct bytes keyring_allow_from(struct keyring *keyring, const struct caller *caller, struct arena *arena);
/* Takes one request out of the bucket of the caller's key, if that has a pace of its own, or else of the one
 * that all keys of its user share. */
struct rate_verdict keyring_spend(struct keyring *keyring, const struct caller *caller,
                                  const struct rate *rate, int64_t now_ms);
/* Does this user exist, and is it the caller or one of the caller's own (for a Master)? */
bool keyring_may_see(struct keyring *keyring, const struct caller *caller, int64_t user_id);
/* How many users a Master has. */
int64_t keyring_user_count(struct keyring *keyring, int64_t master_id);
/* Whose key is this? 0: no such active key. */
int64_t keyring_key_user(struct keyring *keyring, int64_t key_id);
