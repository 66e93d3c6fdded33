/*
 * source_addresses: the addresses that deliveries come from, so that receivers can list them (mission row
 * 48).
 *
 * An empty set leaves the choice to the system. A set that is not empty is the whole truth: each connection
 * is bound to one of its addresses before it is dialled, those of the receiver's family taking turns; a
 * family without one is not used at all.
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

/* A canonical IPv4 or IPv6 address. False: not understood, there already, or the set is full. */
bool source_addresses_add(struct source_addresses *sources, struct bytes text);
/* The number of the first address that is none of this machine's; -1: all are. Asks the system, by binding.
 */
int source_addresses_check(const struct source_addresses *sources);
/* May this family be dialled? */
bool source_addresses_cover(const struct source_addresses *sources, int family);
/* Binds a socket that has been made and not dialled, to the next of its family that this machine has. 0, or a
 * negative errno. */
int source_addresses_bind(struct source_addresses *sources, uv_tcp_t *tcp, int family);
