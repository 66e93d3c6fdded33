/*
 * source_addresses: the local addresses that deliveries come from, so that receivers can list them (mission
 * row 48).
 *
 * If the set is empty, the system chooses. Otherwise each connection is bound to one of the addresses of
 * the receiver's family, in turns. A family without an address is not used.
 */
#pragma once
#include "bytes.h"
#include <netinet/in.h>
#include <uv.h>

enum { SOURCE_ADDRESSES_MAX = 64 };

struct source_addresses {
    struct sockaddr_storage list[SOURCE_ADDRESSES_MAX]; /* port 0 */
    int count;
    unsigned turn;
};

/* Adds a canonical IPv4 or IPv6 address. False: malformed, already in the set, or the set is full. */
bool source_addresses_add(struct source_addresses *sources, struct bytes text);
/* The index of the first address that is not on this machine; -1: all are. Asks the system by binding. */
int source_addresses_check(const struct source_addresses *sources);
/* True: this family may be used. */
bool source_addresses_cover(const struct source_addresses *sources, int family);
/* Binds a socket that is not connected yet to the next address of its family that this machine has. 0, or a
 * negative errno. */
int source_addresses_bind(struct source_addresses *sources, uv_tcp_t *tcp, int family);
