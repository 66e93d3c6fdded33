/*
 * crowd: the clients of a loop by address. If there are too many, the address with the most connections
 * loses its slowest one. So an address with many connections cannot keep others out. An IPv6 client owns at
 * least a /64, which counts as one address.
 */
#pragma once
#include "listener_parts.h"

enum {
    CROWD_OVER_MAX = 16, /* above the limit, until one is closed */
    CROWD_STAYS = 5
};

void crowd_init(struct crowd *crowd, int clients_max);
void crowd_fini(struct crowd *crowd);
void crowd_come(struct crowd *crowd, struct listener_client *client, const struct sockaddr *address);
void crowd_move(struct listener_client *client); /* after it entered another stage */
void crowd_go(struct crowd *crowd, struct listener_client *client);
/* The slowest client of the address with the most clients. NULL: all of them wait for us. */
struct listener_client *crowd_slowest(struct crowd *crowd, struct listener_loop *loop);
/* The bytes that a client holds have changed. */
void crowd_weigh(struct listener_client *client, size_t weight);
int64_t crowd_name(const struct sockaddr *address);
/* The oldest client in its TLS handshake, of an address with many clients. NULL: none. */
struct listener_client *crowd_oldest_handshake(const struct listener_loop *loop);
size_t crowd_weight(const struct crowd_origin *origin);
/* Of the address that holds the most bytes, the client that has held its bytes longest. NULL: none holds any.
 */
struct listener_client *crowd_heaviest(const struct listener_loop *loop);
