/*
 * keyring: all active API keys and all users, in memory: authentication, roles and rates.
 *
 * It is loaded when the API opens, and changed after each commit that touches a key or a user. So a request
 * is authenticated without a read of the store. Keys are found by their SHA-256 and are never stored
 * themselves; the timing of a guess reveals only something about the digest of that guess. Any thread.
 */
#pragma once
#include "digest.h"
#include "model.h"
#include "network.h"
#include "rate.h"
#include "store.h"

struct keyring;

struct caller {
    int64_t user_id; /* the user for whom it acts */
    enum user_role role;
    int64_t master_id;   /* of that user; 0: none */
    int64_t key_user_id; /* the owner of the key; another one if a Master acts as one of its users */
    int64_t key_id;
    int64_t rate_per_s; /* the key's own: as in struct api_key */
    bool restricted;    /* the key has a list of networks: call keyring_admits */
    unsigned char digest[DIGEST_LEN];
};

enum { KEYRING_NETWORKS_MAX = 64 }; /* of one key */

enum keyring_verdict {
    KEYRING_OK,
    KEYRING_MALFORMED, /* the header is neither KEY nor `Bearer KEY`, each with `; user=ID` or without */
    KEYRING_UNKNOWN,   /* no such key, or revoked */
    KEYRING_FORBIDDEN, /* `user=` by a Regular */
    KEYRING_NO_USER    /* `user=` names no user of this Master */
};

struct keyring *keyring_open(void);
void keyring_close(struct keyring *keyring);

void keyring_put_user(struct keyring *keyring, int64_t user_id, enum user_role role, int64_t master_id);
/* Adds or replaces a key. False: the digest is not 64 hex digits, or allow_from is not a list of networks;
 * the key is not added. */
bool keyring_put_key(struct keyring *keyring, const struct api_key *key);
/* Changes a key; `changes` are bits of enum store_key_change. Call it in the order of the commits. allow_from
 * must be valid. */
void keyring_change_key(struct keyring *keyring, const struct api_key *key, unsigned changes);
/* Reads the networks of allow_from, separated by spaces, without ports. Returns their number. -1: one is
 * malformed or has bits after its prefix, or there are too many. */
int keyring_read_networks(struct bytes allow_from, struct network networks[KEYRING_NETWORKS_MAX]);
void keyring_drop_key(struct keyring *keyring, int64_t key_id);

/* `authorization`: the value of the Authorization header. */
enum keyring_verdict keyring_authenticate(struct keyring *keyring, struct bytes authorization,
                                          struct caller *caller);
/* True: the caller's key may be used from this address. */
bool keyring_admits(struct keyring *keyring, const struct caller *caller, const char *peer);
/* The networks of the caller's key as text, on the arena; len 0: any. data NULL: the arena is full. */
struct bytes keyring_allow_from(struct keyring *keyring, const struct caller *caller, struct arena *arena);
/* Takes one request from the bucket of the caller's key if the key has its own rate; otherwise from the
 * bucket that all keys of its user share. */
struct rate_verdict keyring_spend(struct keyring *keyring, const struct caller *caller,
                                  const struct rate *rate, int64_t now_ms);
/* True: this user exists, and is the caller or, for a Master, one of the caller's users. */
bool keyring_may_see(struct keyring *keyring, const struct caller *caller, int64_t user_id);
/* The number of users of a Master. */
int64_t keyring_user_count(struct keyring *keyring, int64_t master_id);
/* The user of a key. 0: no such active key. */
int64_t keyring_key_user(struct keyring *keyring, int64_t key_id);
