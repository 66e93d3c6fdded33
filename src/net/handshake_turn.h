/*
 * handshake_turn: when a connection may begin its handshake, and how its cost is charged
 * (handshake_shares.h).
 */
#pragma once
#include "connection.h"

/* True: its handshake begins, and is under way until handshake_turn_end. */
bool handshake_turn_take(struct connection *c);
/* Charges the cost so far. */
void handshake_turn_charge(struct connection *c);
/* The handshake has ended or was given up. Charges the rest. */
void handshake_turn_end(struct connection *c);
