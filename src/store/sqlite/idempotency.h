/*
 * idempotency: finds the event of an Idempotency-Key without a row for each key. The row of an event has
 * its requester, key and digest, and decides. This index only leads from a hash of requester and key to the
 * event. The event may have another key, or may be gone.
 *
 *   recent   the keys of the latest events, in memory
 *   filter   tells whether a run of older keys (key_lookup.c) may have this key. 12 bits a key: one in 200
 *            answers is a false yes; there is no false no
 */
#pragma once
#include "bytes.h"
#include "digest.h"
#include <stdbool.h>
#include <stdint.h>

struct idempotency_entry {
    uint64_t hash;
    int64_t event_id;
};

/* Part of a SHA-256, so that clients cannot choose many keys with the same hash. */
uint64_t idempotency_hash(const struct digest *digest, int64_t requester_id, struct bytes key);

/* The entries of a run are in 2 to the power of `bits` buckets, by the first bits of their hashes. */
int64_t idempotency_bucket(uint64_t hash, int bits);

/* The stored form: 16 bytes, little-endian, hash and event. */
enum { IDEMPOTENCY_ENTRY_LEN = 16 };
void idempotency_put(const struct idempotency_entry *entry, char out[IDEMPOTENCY_ENTRY_LEN]);
struct idempotency_entry idempotency_get(const char stored[IDEMPOTENCY_ENTRY_LEN]);

/* ---- recent ---- */

struct idempotency_recent {
    struct idempotency_link {
        struct idempotency_entry entry;
        int older; /* of the same list; -1: none */
    } * links;     /* in order of arrival */
    int *heads;    /* the latest of each list */
    int count, cap;
};

void idempotency_recent_fini(struct idempotency_recent *recent);
void idempotency_recent_add(struct idempotency_recent *recent, uint64_t hash, int64_t event_id);
/* The latest entry with this hash (`at` -1), or the next older one before `at`. -1: none. */
int idempotency_recent_find(const struct idempotency_recent *recent, uint64_t hash, int at);
/* Keeps the first `count`. */
void idempotency_recent_cut(struct idempotency_recent *recent, int count);

/* ---- filter ---- */

struct idempotency_filter;

/* For this number of keys; with more, false answers are more frequent. */
struct idempotency_filter *idempotency_filter_new(int64_t keys);
void idempotency_filter_free(struct idempotency_filter *filter);
void idempotency_filter_add(struct idempotency_filter *filter, uint64_t hash);
bool idempotency_filter_has(const struct idempotency_filter *filter, uint64_t hash);
int64_t idempotency_filter_size(int64_t keys); /* in bytes */
