#include "guard.h"

/* What guard_url and guard_address judge alike. */
struct target {
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

/* From 1024 upwards, the ports on which databases, caches, queues, container engines and remote consoles
 * listen: nobody's webhook handler, and an HTTP request can do harm there. */
static const uint16_t service_ports[] = {
    1080,  1099,  1433,  1434,  1521,  1527,  1723,  1883,  2049,  2181,  2375,  2376,  2377,  2379,  2380,
    2483,  2484,  3050,  3128,  3260,  3268,  3269,  3306,  3389,  4001,  4222,  4369,  4505,  4506,  4646,
    4647,  4648,  5432,  5433,  5439,  5601,  5671,  5672,  5900,  5901,  5984,  5985,  5986,  6000,  6379,
    6380,  6432,  6443,  6650,  7000,  7001,  7199,  7473,  7474,  7687,  7946,  8009,  8086,  8091,  8123,
    8200,  8300,  8301,  8302,  8500,  8501,  8529,  8600,  8883,  8983,  9042,  9092,  9093,  9142,  9160,
    9200,  9300,  9418,  10250, 10255, 10256, 10257, 10259, 11210, 11211, 15672, 16379, 16509, 16514, 25672,
    26257, 26379, 27017, 27018, 27019, 28015, 28017, 33060, 50000, 50070, 61613, 61616,
};

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

static bool is_special(const struct target *target)
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

static bool is_local(const struct guard *guard, const struct target *target)
{
    for (int i = 0; i < guard->local_count; i++)
        if (network_holds(&guard->locals[i], target->ipv6, target->address))
            return true;
    return false;
}

static bool port_allowed(uint16_t port)
{
    if (port < 1024)
        return port == 80 || port == 443;
    for (size_t i = 0; i < COUNT(service_ports); i++)
        if (service_ports[i] == port)
            return false;
    return true;
}

/* An exception that names the port allows both address and port; one without a port allows the address, and
 * the rule for ports stands. */
static enum guard_verdict judge(const struct guard *guard, const struct target *target)
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
    return port_allowed(target->port) ? GUARD_ALLOWED : GUARD_PORT;
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

/* ---- addresses ---- */

/* False: a family that is not dialled at all. Copied, because a sockaddr is rarely aligned for its kind. */
static bool read_sockaddr(const struct sockaddr *address, struct target *target)
{
    *target = (struct target){0};
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
    struct target target;
    if (guard->local_count == GUARD_LOCALS_MAX || !read_sockaddr(address, &target))
        return false;
    struct network *local = &guard->locals[guard->local_count++];
    *local = (struct network){.ipv6 = target.ipv6, .prefix = target.ipv6 ? 128 : 32};
    memcpy(local->address, target.address, sizeof local->address);
    return true;
}

enum guard_verdict guard_address(const struct guard *guard, const struct sockaddr *address)
{
    struct target target;
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

static enum guard_verdict judge_name(const struct guard *guard, const char *host)
{
    const char *dot = strrchr(host, '.');
    const char *last = dot ? dot + 1 : host;
    if (strcmp(last, "localhost") == 0 && loopback_excepted(guard))
        return GUARD_ALLOWED;
    if (!dot)
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
    return port_allowed(port);
}

enum guard_verdict guard_url(const struct guard *guard, const struct url *url)
{
    enum guard_verdict verdict;
    if (url->host_kind == URL_HOST_NAME) {
        verdict = judge_name(guard, url->host);
        if (verdict == GUARD_ALLOWED && !port_possible(guard, url->port))
            verdict = GUARD_PORT;
    } else {
        struct target target = {.ipv6 = url->host_kind == URL_HOST_IPV6, .port = url->port};
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

const char *guard_verdict_sentence(enum guard_verdict verdict)
{
    static const char *const sentences[] = {
        NULL,
        "this server sends to https only",
        "the host name is local by convention; webhooks need a public name",
        "the address is not on the public internet, and this server's operator has not listed it",
        "the port belongs to a service that is no webhook handler; use 443, 80, or a free one from 1024 "
        "upwards",
    };
    return sentences[verdict];
}
