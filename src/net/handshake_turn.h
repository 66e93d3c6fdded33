/*
 * handshake_turn: when a connection may shake hands, and what that is charged to: the number that are under
 * way in its world, and its endpoint's or client's share of the loop's time (handshake_shares.h).
 */
#pragma once
#include "connection.h"

/* May its handshake begin? Then it is among those under way, until end. */
bool handshake_turn_take(struct connection *c);
/* What it has cost so far. */
void handshake_turn_charge(struct connection *c);
/* It is over, or given up: what it has cost is charged all the same. */
void handshake_turn_end(struct connection *c);
