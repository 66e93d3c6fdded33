/*
 * network: an address block as text, `ADDRESS[/PREFIX][:PORT]`. This is the only parser of it. Pure.
 *
 * "10.0.0.0/8", "127.0.0.1", "[fd00::]/8", "fd00::/8", "127.0.0.0/8:3000", "[::1]:3000". Addresses in their
 * canonical forms only (url.h). Without a prefix it is a single address.
 */
#pragma once
#include "bytes.h"

struct network {
    bool ipv6;
    unsigned char address[16]; /* network order; IPv4 in the first four */
    uint8_t prefix;
    uint16_t port; /* 0: none given */
};

/* False: not a valid block. */
bool network_parse(struct bytes text, struct network *network);
/* An address alone, as inet_ntop writes it: no prefix, no port, no brackets. */
bool network_parse_address(struct bytes text, struct network *network);
/* True: every bit after the prefix is 0. False for 10.1.2.3/8, which may mean a network or an address. */
bool network_is_exact(const struct network *network);
/* True: `outer` contains every address of `inner`. */
bool network_is_within(const struct network *inner, const struct network *outer);
/* `address` in network order, 4 or 16 bytes. */
bool network_holds(const struct network *network, bool ipv6, const unsigned char *address);
