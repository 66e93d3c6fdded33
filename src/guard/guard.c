#include "guard.h"
#include "services.h"
#include <stdio.h>

/* An address and port, which guard_url and guard_address both judge. */
struct guard_target {
    bool ipv6;
    unsigned char address[16]; /* network order; IPv4 in the first four */
    uint16_t port;
};

#define IPV4(a, b, c, d) ((uint32_t)(a) << 24 | (b) << 16 | (c) << 8 | (d))
#define NETWORK(a, b, c, d, prefix)                                                                          \
    {                                                                                                        \
        IPV4(a, b, c, d), UINT32_MAX << (32 - (prefix))                                                      \
    }

/*
 * IPv4: the IANA special-purpose registry, multicast and what is reserved above it, and one address that a
 * large cloud answers on inside every virtual network.  */
static const struct {
    uint32_t network, mask;
} special_ipv4[] = {
    NETWORK(0, 0, 0, 0, 8),        /* this network */
    NETWORK(10, 0, 0, 0, 8),       /* private */
    NETWORK(100, 64, 0, 0, 10),    /* carrier-grade NAT */
    NETWORK(127, 0, 0, 0, 8),      /* loopback */
    NETWORK(168, 63, 129, 16, 32), /* Azure's wire server */
    NETWORK(169, 254, 0, 0, 16),   /* link-local, cloud metadata */
    NETWORK(172, 16, 0, 0, 12),    /* private */
    NETWORK(192, 0, 0, 0, 24),     /* protocol assignments */
    NETWORK(192, 0, 2, 0, 24),     /* documentation */
    NETWORK(192, 31, 196, 0, 24),  /* AS112 */
    NETWORK(192, 52, 193, 0, 24),  /* automatic multicast tunnelling */
    NETWORK(192, 88, 99, 0, 24),   /* 6to4 relays */
    NETWORK(192, 168, 0, 0, 16),   /* private */
    NETWORK(192, 175, 48, 0, 24),  /* AS112 */
    NETWORK(198, 18, 0, 0, 15),    /* benchmarks */
    NETWORK(198, 51, 100, 0, 24),  /* documentation */
    NETWORK(203, 0, 113, 0, 24),   /* documentation */
    NETWORK(224, 0, 0, 0, 3),      /* multicast, reserved, broadcast */
};

/* IPv6 is allowed inside 2000::/3 only, and there minus these. */
static const struct network special_ipv6[] = {
    {true, {0x20, 0x01}, 23, 0},                         /* 2001::/23         protocol assignments, Teredo */
    {true, {0x20, 0x01, 0x0d, 0xb8}, 32, 0},             /* 2001:db8::/32     documentation */
    {true, {0x20, 0x02}, 16, 0},                         /* 2002::/16         6to4: an IPv4 address inside */
    {true, {0x3f, 0xff}, 20, 0},                         /* 3fff::/20         documentation */
    {true, {0x26, 0x20, 0x00, 0x4f, 0x80, 0x00}, 48, 0}, /* 2620:4f:8000::/48 AS112 */
};
static const struct network global_unicast_ipv6 = {true, {0x20}, 3, 0};
static const struct network ipv6_with_loopback = {true, {0}, 8, 0}; /* ::1, mapped, compatible, NAT64 */
static const unsigned char loopback_ipv6[16] = {[15] = 1};

/* Last labels that mean the local machine or network by convention, or nothing at all. */
static const char *const local_labels[] = {"localhost", "local", "localdomain", "internal", "intranet",
                                           "lan",       "home",  "corp",        "svc",      "onion",
                                           "arpa",      "alt",   "test",        "invalid",  "example"};

#define COUNT(array) (sizeof(array) / sizeof *(array))

void guard_init(struct guard *guard)
{
    memset(guard, 0, sizeof *guard);
}

bool guard_ipv4_special(uint32_t address)
{
    bool special = false;
    for (size_t i = 0; i < COUNT(special_ipv4); i++)
        special |= (address & special_ipv4[i].mask) == special_ipv4[i].network;
    return special;
}

static bool is_special(const struct guard_target *target)
{
    const unsigned char *a = target->address;
    if (!target->ipv6)
        return guard_ipv4_special(IPV4(a[0], a[1], a[2], a[3]));
    if (!network_holds(&global_unicast_ipv6, true, a))
        return true;
    for (size_t i = 0; i < COUNT(special_ipv6); i++)
        if (network_holds(&special_ipv6[i], true, a))
            return true;
    return false;
}

static bool is_local(const struct guard *guard, const struct guard_target *target)
{
    for (int i = 0; i < guard->local_count; i++)
        if (network_holds(&guard->locals[i], target->ipv6, target->address))
            return true;
    return false;
}

static bool port_allowed(const struct guard *guard, uint16_t port)
{
    for (int i = 0; i < guard->port_count; i++)
        if (guard->ports[i] == port)
            return true;
    return port < 1024 ? port == 80 || port == 443 : !service_on_port(port);
}

/* An exception that names the port allows both address and port; one without a port allows the address, and
 * the rule for ports stands. */
static enum guard_verdict judge(const struct guard *guard, const struct guard_target *target)
{
    bool excepted = false;
    for (int i = 0; i < guard->exception_count; i++) {
        const struct network *exception = &guard->exceptions[i];
        if (!network_holds(exception, target->ipv6, target->address))
            continue;
        if (exception->port == target->port && exception->port != 0)
            return GUARD_ALLOWED;
        excepted = excepted || exception->port == 0;
    }
    if (!excepted && (is_special(target) || is_local(guard, target)))
        return GUARD_ADDRESS;
    return port_allowed(guard, target->port) ? GUARD_ALLOWED : GUARD_PORT;
}

/* ---- the operator's exceptions ---- */

/* Exceptions are never "off": at most as large as the largest private network, and none of the IPv6 forms
 * that carry an IPv4 address inside. */
static bool is_acceptable(const struct network *network)
{
    if (network->prefix < (network->ipv6 ? 7 : 8))
        return false;
    if (network->ipv6 && network_holds(&ipv6_with_loopback, true, network->address))
        return network->prefix == 128 && memcmp(network->address, loopback_ipv6, 16) == 0;
    return network_is_exact(network);
}

bool guard_add_exception(struct guard *guard, struct bytes text)
{
    struct network network;
    if (guard->exception_count == GUARD_EXCEPTIONS_MAX || !network_parse(text, &network) ||
        !is_acceptable(&network))
        return false;
    guard->exceptions[guard->exception_count++] = network;
    return true;
}

bool guard_add_host(struct guard *guard, struct bytes text)
{
    struct url url;
    char probe[sizeof "http:///" + URL_HOST_LEN_MAX + 1];
    bool suffix = text.len > 0 && text.data[0] == '.';
    struct bytes name = bytes_make(text.data + suffix, text.len - suffix);

    if (guard->host_count == GUARD_HOSTS_MAX || name.len > URL_HOST_LEN_MAX)
        return false;
    /* The one parser of names is that of URLs. */
    int len = snprintf(probe, sizeof probe, "http://%.*s/", BYTES_ARG(name));
    if (url_parse(bytes_make(probe, (size_t)len), &url) != URL_OK || url.host_kind != URL_HOST_NAME ||
        url.port_given || url.authority.len != name.len)
        return false;
    snprintf(guard->hosts[guard->host_count++], sizeof guard->hosts[0], "%s%.*s", suffix ? "." : "",
             URL_HOST_LEN_MAX, url.host);
    return true;
}

bool guard_add_port(struct guard *guard, struct bytes text)
{
    return guard->port_count < GUARD_PORTS_MAX && url_parse_port(text, &guard->ports[guard->port_count]) &&
           ++guard->port_count > 0;
}

/* ---- addresses ---- */

/* False: a family that is not dialled at all. Copied, because a sockaddr is rarely aligned for its kind. */
static bool read_sockaddr(const struct sockaddr *address, struct guard_target *target)
{
    *target = (struct guard_target){0};
    if (address->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, address, sizeof in);
        memcpy(target->address, &in.sin_addr, sizeof in.sin_addr);
        target->port = ntohs(in.sin_port);
        return true;
    }
    if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, address, sizeof in6);
        target->ipv6 = true;
        memcpy(target->address, &in6.sin6_addr, sizeof in6.sin6_addr);
        target->port = ntohs(in6.sin6_port);
        return true;
    }
    return false;
}

bool guard_add_local(struct guard *guard, const struct sockaddr *address)
{
    struct guard_target target;
    if (guard->local_count == GUARD_LOCALS_MAX || !read_sockaddr(address, &target))
        return false;
    struct network *local = &guard->locals[guard->local_count++];
    *local = (struct network){.ipv6 = target.ipv6, .prefix = target.ipv6 ? 128 : 32};
    memcpy(local->address, target.address, sizeof local->address);
    return true;
}

enum guard_verdict guard_address(const struct guard *guard, const struct sockaddr *address)
{
    struct guard_target target;
    return read_sockaddr(address, &target) ? judge(guard, &target) : GUARD_ADDRESS;
}

/* ---- URLs ---- */

static bool loopback_excepted(const struct guard *guard)
{
    for (int i = 0; i < guard->exception_count; i++) {
        const struct network *exception = &guard->exceptions[i];
        if (network_holds(exception, true, loopback_ipv6) ||
            (!exception->ipv6 && exception->address[0] == 127))
            return true;
    }
    return false;
}

static bool is_listed(const struct guard *guard, const char *host)
{
    size_t len = strlen(host);
    for (int i = 0; i < guard->host_count; i++) {
        const char *listed = guard->hosts[i];
        size_t listed_len = strlen(listed);
        bool fits = listed[0] == '.' ? len > listed_len : len == listed_len;
        if (fits && strcmp(host + len - listed_len, listed) == 0)
            return true;
    }
    return false;
}

static enum guard_verdict judge_name(const struct guard *guard, const char *host)
{
    const char *dot = strrchr(host, '.');
    const char *last = dot ? dot + 1 : host;
    if (is_listed(guard, host))
        return GUARD_ALLOWED;
    if (strcmp(last, "localhost") == 0 && loopback_excepted(guard))
        return GUARD_ALLOWED;
    if (!dot || strchr(host, '_')) /* no host on the internet: containers have such names */
        return GUARD_HOST;
    for (size_t i = 0; i < COUNT(local_labels); i++)
        if (strcmp(last, local_labels[i]) == 0)
            return GUARD_HOST;
    return GUARD_ALLOWED;
}

/* The port of a name: allowed if some address it might resolve to could be dialled there. */
static bool port_possible(const struct guard *guard, uint16_t port)
{
    for (int i = 0; i < guard->exception_count; i++)
        if (guard->exceptions[i].port == port)
            return true;
    return port_allowed(guard, port);
}

enum guard_verdict guard_url(const struct guard *guard, const struct url *url)
{
    enum guard_verdict verdict;
    if (url->host_kind == URL_HOST_NAME) {
        verdict = judge_name(guard, url->host);
        if (verdict == GUARD_ALLOWED && !port_possible(guard, url->port))
            verdict = GUARD_PORT;
    } else {
        struct guard_target target = {.ipv6 = url->host_kind == URL_HOST_IPV6, .port = url->port};
        memcpy(target.address, &url->address, target.ipv6 ? 16 : 4);
        verdict = judge(guard, &target);
    }
    /* Last, so that http://127.0.0.1 is told about the address: https would not mend it. */
    if (verdict == GUARD_ALLOWED && !url->https && !guard->http_allowed)
        return GUARD_SCHEME;
    return verdict;
}

const char *guard_verdict_code(enum guard_verdict verdict)
{
    static const char *const codes[] = {NULL, "url_scheme", "url_host", "url_address", "url_port"};
    return codes[verdict];
}

static const char *port_sentence(uint16_t port, char out[GUARD_SENTENCE_LEN])
{
    const char *service = service_on_port(port);
    int len = service ? snprintf(out, GUARD_SENTENCE_LEN, "port %d belongs to %s", port, service)
                      : snprintf(out, GUARD_SENTENCE_LEN, "below 1024, only ports 80 and 443 are allowed");
    snprintf(out + len, GUARD_SENTENCE_LEN - (size_t)len,
             "; use 443, 80 or a port from 1024 up, or ask this server's operator to allow it with "
             "allow-port = %d",
             port);
    return out;
}

const char *guard_sentence(enum guard_verdict verdict, const struct url *url, char out[GUARD_SENTENCE_LEN])
{
    switch (verdict) {
    case GUARD_ALLOWED:
        return NULL;
    case GUARD_SCHEME:
        return "this server sends to https only";
    case GUARD_HOST:
        snprintf(out, GUARD_SENTENCE_LEN,
                 "the host name '%.64s' is local by convention; use a public name, or ask this server's "
                 "operator to allow it with allow-host",
                 url->host);
        return out;
    case GUARD_ADDRESS:
        return "the address is not on the public internet; use a public address, or ask this server's "
               "operator to allow it with allow-target";
    case GUARD_PORT:
        return port_sentence(url->port, out);
    }
    return NULL;
}
