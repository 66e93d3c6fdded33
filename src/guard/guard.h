/*
 * guard: which URLs may be configured, and which addresses posthorn may connect to. Pure.
 *
 * Denied by default: special-purpose addresses (IANA registries; IPv4 by a list, IPv6 by allowing only
 * global unicast minus its special blocks), names that are local by convention, ports of well-known
 * services, plain http. The operator's exceptions are lists of networks, host names and ports; they cannot
 * turn the guard off.
 */
#pragma once
#include "network.h"
#include "url.h"

enum { GUARD_EXCEPTIONS_MAX = 64, GUARD_LOCALS_MAX = 64, GUARD_HOSTS_MAX = 64, GUARD_PORTS_MAX = 64 };
enum { GUARD_SENTENCE_LEN = 192 };

struct guard {
    bool http_allowed;
    struct network exceptions[GUARD_EXCEPTIONS_MAX];
    int exception_count;
    char hosts[GUARD_HOSTS_MAX][URL_HOST_LEN_MAX + 2]; /* "n8n", ".cluster.local" */
    int host_count;
    uint16_t ports[GUARD_PORTS_MAX];
    int port_count;
    struct network locals[GUARD_LOCALS_MAX]; /* addresses of our own interfaces: denied */
    int local_count;
};

enum guard_verdict { GUARD_ALLOWED, GUARD_SCHEME, GUARD_HOST, GUARD_ADDRESS, GUARD_PORT };

/* An empty guard: https only, no exceptions. */
void guard_init(struct guard *guard);
/* Adds a network as network.h reads it, "127.0.0.0/8:3000". An exception with a port opens that port too;
 * without one, the rule for ports stays. False: malformed, the list is full, wider than /8 (IPv6 /7), bits
 * after the prefix, or inside ::/8 (except ::1), where IPv6 addresses contain IPv4 ones. */
bool guard_add_exception(struct guard *guard, struct bytes text);
/* Adds a host name that is local by convention: "n8n", or ".cluster.local" for all names with that ending.
 * The addresses of the name are judged as always. False: not a host name, or the list is full. */
bool guard_add_host(struct guard *guard, struct bytes text);
/* Adds a port that is below 1024 or a service's. False: not a port, or the list is full. */
bool guard_add_port(struct guard *guard, struct bytes text);
bool guard_add_local(struct guard *guard, const struct sockaddr *address);

/* For a URL that is set. Judges scheme, port, and a host that is an address or a local name. "localhost" is
 * allowed if it is listed or an exception covers loopback. guard_address judges the addresses of names. */
enum guard_verdict guard_url(const struct guard *guard, const struct url *url);
/* For an address right before the connect. Families other than AF_INET and AF_INET6 are denied. */
enum guard_verdict guard_address(const struct guard *guard, const struct sockaddr *address);
/* True: this address, in host byte order, is in a special-purpose block. */
bool guard_ipv4_special(uint32_t address);
/* "url_address", "url_host", "url_port", "url_scheme"; NULL when allowed. */
const char *guard_verdict_code(enum guard_verdict verdict);
/* The fault of `url` and its fix, without a full stop; NULL: allowed. May use `out`. */
const char *guard_sentence(enum guard_verdict verdict, const struct url *url, char out[GUARD_SENTENCE_LEN]);
