/*
 * guard: which URLs may be configured and which addresses may be dialled. Pure.
 *
 * Denied by default: every special-purpose address (IANA registries; IPv4 by list, IPv6 by allowing only
 * global unicast minus its special blocks), names that are local by convention, ports of well-known
 * services, plain http. Exceptions are the operator's lists of networks, host names and ports, never "off".
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
/* A network as network.h reads it, "127.0.0.0/8:3000". An exception that names a port opens that port too;
 * one without leaves the rule for ports as it is. False: not understood, the list is full, or it would amount
 * to "off": wider than /8 (IPv6 /7), bits beyond the prefix, or inside
 * ::/8 (but ::1), where IPv6 addresses carry IPv4 ones. */
bool guard_add_exception(struct guard *guard, struct bytes text);
/* A host name that is allowed although it is local by convention: "n8n", or ".cluster.local" for every name
 * that ends so. The addresses it resolves to are judged as always. False: no host name, or the list is full.
 */
bool guard_add_host(struct guard *guard, struct bytes text);
/* A port that is open although it is below 1024 or a service's. False: no port, or the list is full. */
bool guard_add_port(struct guard *guard, struct bytes text);
bool guard_add_local(struct guard *guard, const struct sockaddr *address);

/* When a URL is set: scheme, port, and the host when it is an address or a name that is local by convention.
 * "localhost" is allowed here only if it is listed or some exception covers loopback; what a name resolves to
 * is judged by guard_address. */
enum guard_verdict guard_url(const struct guard *guard, const struct url *url);
/* At the one place that dials. Family other than AF_INET/AF_INET6: denied (fail closed). */
enum guard_verdict guard_address(const struct guard *guard, const struct sockaddr *address);
/* The list of guard.c alone, for an address in host byte order: is it in a special-purpose block? */
bool guard_ipv4_special(uint32_t address);
/* "url_address", "url_host", "url_port", "url_scheme"; NULL when allowed. */
const char *guard_verdict_code(enum guard_verdict verdict);
/* What is wrong with `url` and what would be right, without a full stop; NULL when allowed. May use `out`. */
const char *guard_sentence(enum guard_verdict verdict, const struct url *url, char out[GUARD_SENTENCE_LEN]);
