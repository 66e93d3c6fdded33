#include "handshake_turn.h"

static int64_t now_us(const struct connection *c)
{
    return (int64_t)uv_now(c->world->loop) * 1000;
}

/* A listener closes a hanging handshake; in a sender the shares decide. */
static bool has_room(struct connection_world *world, const struct connection *c)
{
    if (world->handshakes_max == 0)
        return true;
    if (world->shares && !world->crowded)
        return shares_has_room(world->shares, c->peer.pool_key, now_us(c), world->handshakes,
                               world->handshakes_max);
    if (world->handshakes >= world->handshakes_max && world->crowded)
        world->crowded(world->ctx);
    return world->handshakes < world->handshakes_max;
}

bool handshake_turn_take(struct connection *c)
{
    struct connection_world *world = c->world;
    c->crowded = !has_room(world, c);
    if (c->crowded)
        return false;
    if (world->shares && world->sleep)
        shares_see(world->shares, now_us(c), world->sleep->total_ms * 1000);
    if (world->shares && !handshake_shares_take(world->shares, c->peer.pool_key, now_us(c)))
        return false;
    world->handshakes++;
    return c->shaking = true;
}

void handshake_turn_charge(struct connection *c)
{
    struct handshake_shares *shares = c->world->shares;
    if (shares && c->charged)
        handshake_shares_took_more(shares, c->peer.pool_key, now_us(c), c->handshake_us - c->charged_us);
    else if (shares)
        handshake_shares_took(shares, c->peer.pool_key, now_us(c), c->handshake_us);
    c->charged = true;
    c->charged_us = c->handshake_us;
}

void handshake_turn_end(struct connection *c)
{
    if (!c->shaking)
        return;
    c->shaking = false;
    c->world->handshakes--;
    handshake_turn_charge(c);
    if (c->world->shares)
        shares_end(c->world->shares, c->peer.pool_key, now_us(c), c->state == CONNECTION_OPEN);
}
