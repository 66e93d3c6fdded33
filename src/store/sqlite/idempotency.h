/*
 * idempotency: finding the event that came with an Idempotency-Key, without a row for each key. An event's
 * row has its requester, key and digest, and decides; what is here only leads to it, from a hash of requester
 * and key. It may lead to an event that has another key, or that is gone.
 *
 *   recent   the keys of the latest events, in memory
 *   filter   does a run of older keys (key_lookup.c) perhaps have this one? 12 bits a key, so one in
 *            200 of the answers is a false yes, and none a false no
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

/* Of SHA-256: whoever chooses keys cannot choose many with the same hash. */
uint64_t idempotency_hash(const struct digest *digest, int64_t requester_id, struct bytes key);

/* Entries of a run stand in 2 to the power of `bits` buckets, by the first bits of their hashes. */
int64_t idempotency_bucket(uint64_t hash, int bits);

/* As it is stored: 16 bytes, little-endian, hash and event. */
enum { IDEMPOTENCY_ENTRY_LEN = 16 };
void idempotency_put(const struct idempotency_entry *entry, char out[IDEMPOTENCY_ENTRY_LEN]);
struct idempotency_entry idempotency_get(const char stored[IDEMPOTENCY_ENTRY_LEN]);

/* ---- recent ---- */

struct idempotency_recent {
    struct idempotency_link {
        struct idempotency_entry entry;
        int older; /* of the same list; -1: none */
    } * links;     /* in the order in which they came */
    int *heads;    /* of the lists: the latest of each */
    int count, cap;
};

void idempotency_recent_fini(struct idempotency_recent *recent);
void idempotency_recent_add(struct idempotency_recent *recent, uint64_t hash, int64_t event_id);
/* The latest with this hash, at first (`at` -1) or before `at`. -1: none. */
int idempotency_recent_find(const struct idempotency_recent *recent, uint64_t hash, int at);
/* The first `count` stay. */
void idempotency_recent_cut(struct idempotency_recent *recent, int count);

/* ---- filter ---- */

struct idempotency_filter;

/* For so many keys. More make it answer yes more often. */
struct idempotency_filter *idempotency_filter_new(int64_t keys);
void idempotency_filter_free(struct idempotency_filter *filter);
void idempotency_filter_add(struct idempotency_filter *filter, uint64_t hash);
bool idempotency_filter_has(const struct idempotency_filter *filter, uint64_t hash);
int64_t idempotency_filter_size(int64_t keys); /* bytes, of a filter for so many */
