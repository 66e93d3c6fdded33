/*
 * network: an address block as text, `ADDRESS[/PREFIX][:PORT]`; nowhere is there a second parser. Pure.
 *
 * "10.0.0.0/8", "127.0.0.1", "[fd00::]/8", "fd00::/8", "127.0.0.0/8:3000", "[::1]:3000". Addresses in their
 * canonical forms only (url.h); without a prefix it is one address.
 */
#pragma once
#include "bytes.h"

struct network {
    bool ipv6;
    unsigned char address[16]; /* network order; IPv4 in the first four */
    uint8_t prefix;
    uint16_t port; /* 0: none given */
};

/* False: not understood. */
bool network_parse(struct bytes text, struct network *network);
/* An address alone, as inet_ntop writes it: no prefix, no port, no brackets. */
bool network_parse_address(struct bytes text, struct network *network);
/* Is every bit behind the prefix 0? 10.1.2.3/8 is not: a network, or an address? */
bool network_is_exact(const struct network *network);
/* Does `outer` hold every address of `inner`? */
bool network_is_within(const struct network *inner, const struct network *outer);
/* `address` in network order, 4 or 16 bytes. */
bool network_holds(const struct network *network, bool ipv6, const unsigned char *address);
