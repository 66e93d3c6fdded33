/*
 * pool: idle connections that wait for the next request to the same peer.
 *
 * An idle connection is still read: a byte, an end or an error discards it. The oldest are closed if there
 * are too many, and each after the idle limit. None is used after its `retire_ms`, so that a receiver that
 * moves is found at its new address.
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
    int weight, weight_max; /* the same, but one over TLS counts as POOL_TLS_WEIGHT */
};

void pool_init(struct pool *pool, int weight_max, struct deadline_queue *idle_limit);
void pool_fini(struct pool *pool); /* closes all connections */
void pool_idle_passed(struct deadline *deadline);

void pool_put(struct pool *pool, struct connection *connection);
/* Keeps at most `count_max`: closes the oldest. */
void pool_fit(struct pool *pool, int count_max);
/* The newest connection that has received nothing and was opened less than `age_ms_max` ago; NULL: none. The
 * caller owns it (connection_own). */
struct connection *pool_take(struct pool *pool, const struct peer *peer, int64_t age_ms_max);
