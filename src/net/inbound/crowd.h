/*
 * crowd: who is here, by client address. When there are too many, the address with the most connections gives
 * one up, the slowest of its own. So one client, however many connections it opens, keeps nobody else out.
 * An IPv6 client owns at least a /64: that is what counts as one address.
 */
#pragma once
#include "listener_parts.h"

enum {
    CROWD_OVER_MAX = 16, /* beyond the limit until one has gone */
    CROWD_STAYS = 5
};

void crowd_init(struct crowd *crowd, int clients_max);
void crowd_fini(struct crowd *crowd);
void crowd_come(struct crowd *crowd, struct listener_client *client, const struct sockaddr *address);
void crowd_move(struct listener_client *client); /* to another stage */
void crowd_go(struct crowd *crowd, struct listener_client *client);
/* The slowest of the address with the most clients. NULL: all of them wait for us. */
struct listener_client *crowd_slowest(struct crowd *crowd, struct listener_loop *loop);
/* What one holds has changed. */
void crowd_weigh(struct listener_client *client, size_t weight);
int64_t crowd_name(const struct sockaddr *address);
/* Of those in their TLS handshake, the oldest of an address with many clients. NULL: none. */
struct listener_client *crowd_oldest_handshake(const struct listener_loop *loop);
size_t crowd_weight(const struct crowd_origin *origin);
/* Of the address that holds most, the one that has held longest what it holds. NULL: nobody holds anything.
 */
struct listener_client *crowd_heaviest(const struct listener_loop *loop);
