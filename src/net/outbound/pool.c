#include "pool.h"
#include "memory.h"
#include "owner.h"
#include <assert.h>
#include <stdlib.h>

static struct connection **bucket_of(struct pool *pool, const struct peer *peer)
{
    return &pool->buckets[peer->hash & pool->bucket_mask].newest;
}

static int64_t now_ms(const struct connection *connection)
{
    return (int64_t)uv_now(connection->world->loop);
}

static int weight_of(const struct connection *connection)
{
    return connection->peer.https ? POOL_TLS_WEIGHT : 1;
}

static void remove_from(struct pool *pool, struct connection *connection)
{
    struct connection **link = bucket_of(pool, &connection->peer);
    while (*link != connection)
        link = &(*link)->idle_next;
    *link = connection->idle_next;
    connection->idle_next = NULL;
    deadline_lift(&connection->deadline);
    pool->count--;
    pool->weight -= weight_of(connection);
}

static void discard(struct connection *connection)
{
    remove_from(connection->owner, connection);
    connection_close(connection);
}

static void on_received(struct connection *connection, struct bytes piece)
{
    discard(connection); /* an answer without a request: the next request must never get it */
}

static void on_ended(struct connection *connection, enum failure failure)
{
    discard(connection);
}

static const struct connection_handler idle_handler = {
    .received = on_received, .ended = on_ended, .written = discard, .write_failed = discard};

void pool_idle_passed(struct deadline *deadline)
{
    discard(OWNER_OF(deadline, struct connection, deadline));
}

void pool_init(struct pool *pool, int weight_max, struct deadline_queue *idle_limit)
{
    uint32_t buckets = 16;
    while (buckets < (uint32_t)weight_max)
        buckets *= 2;
    *pool = (struct pool){.idle_limit = idle_limit, .weight_max = weight_max, .bucket_mask = buckets - 1};
    pool->buckets = memory_zero(buckets, sizeof *pool->buckets);
}

static struct connection *oldest(struct pool *pool)
{
    struct deadline *first = pool->idle_limit->ring.next;
    assert(first != &pool->idle_limit->ring);
    return OWNER_OF(first, struct connection, deadline);
}

void pool_fini(struct pool *pool)
{
    while (pool->count > 0)
        discard(oldest(pool));
    free(pool->buckets);
    pool->buckets = NULL;
}

void pool_put(struct pool *pool, struct connection *connection)
{
    struct connection **bucket = bucket_of(pool, &connection->peer);

    if (connection->retire_ms <= now_ms(connection)) {
        connection_close(connection);
        return;
    }
    connection_own(connection, &idle_handler, pool);
    connection->idle_next = *bucket;
    *bucket = connection;
    deadline_set(&connection->deadline, pool->idle_limit);
    pool->count++;
    pool->weight += weight_of(connection);
    while (pool->weight > pool->weight_max && pool->count > 1)
        discard(oldest(pool));
}

void pool_fit(struct pool *pool, int count_max)
{
    while (pool->count > 0 && pool->count > count_max)
        discard(oldest(pool));
}

struct connection *pool_take(struct pool *pool, const struct peer *peer, int64_t age_ms_max)
{
    struct connection *next;
    for (struct connection *c = *bucket_of(pool, peer); c; c = next) {
        next = c->idle_next;
        if (!peer_equal(&c->peer, peer) || now_ms(c) - c->opened_ms >= age_ms_max)
            continue;
        if (c->retire_ms > now_ms(c) && connection_quiet(c) == FAILURE_NONE) {
            remove_from(pool, c);
            return c;
        }
        discard(c);
    }
    return NULL;
}
