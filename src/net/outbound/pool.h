/*
 * pool: connections that wait for the next request of the same peer.
 *
 * While one waits it is still read: a byte, an end or an error discards it. The oldest go when there are
 * too many, each after the idle limit, and none is used after its `retire_ms`: so that a receiver that moved
 * is found where it is now, however busy its connections are.
 */
#pragma once
#include "connection.h"

enum { POOL_TLS_WEIGHT = 16 };

struct pool_bucket {
    struct connection *newest;
};

struct pool {
    struct deadline_queue *idle_limit; /* its `passed` is pool_idle_passed; its ring is the order of age */
    struct pool_bucket *buckets;       /* by the peer's hash */
    uint32_t bucket_mask;
    int count;              /* connections */
    int weight, weight_max; /* the same, those over TLS counted by what they take of memory */
};

void pool_init(struct pool *pool, int weight_max, struct deadline_queue *idle_limit);
void pool_fini(struct pool *pool); /* closes what waits */
void pool_idle_passed(struct deadline *deadline);

void pool_put(struct pool *pool, struct connection *connection);
/* Keeps no more than `count_max`: the oldest go. */
void pool_fit(struct pool *pool, int count_max);
/* The newest that is still quiet and was opened less than `age_ms_max` ago, or NULL. The caller owns it
 * (connection_own). */
struct connection *pool_take(struct pool *pool, const struct peer *peer, int64_t age_ms_max);
