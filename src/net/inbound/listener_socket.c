#include "listener_socket.h"
#include "resolver.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LISTENER_BACKLOG = 1024 };

struct listen_place {
    char host[256], port[6];
};

/* Resolvers turn nearly any text into an address, even "*". */
static bool is_host(struct bytes host)
{
    for (size_t i = 0; i < host.len; i++)
        if (!isalnum((unsigned char)host.data[i]) && !strchr(".:%-_", host.data[i]))
            return false;
    return true;
}

/* "host:port", "[v6]:port", ":port". */
static bool place_parse(const char *text, struct listen_place *place)
{
    const char *colon = strrchr(text, ':');
    if (!colon)
        return false;
    struct bytes host = bytes_make(text, (size_t)(colon - text));
    if (host.len > 2 && host.data[0] == '[' && host.data[host.len - 1] == ']')
        host = bytes_make(host.data + 1, host.len - 2);
    else if (memchr(host.data, ':', host.len))
        return false; /* a bare IPv6 address: the port is ambiguous */
    int64_t port;
    if (!is_host(host) || host.len >= sizeof place->host || !bytes_to_int64(bytes_of(colon + 1), &port) ||
        port > 65535)
        return false;
    memcpy(place->host, host.data, host.len);
    place->host[host.len] = '\0';
    snprintf(place->port, sizeof place->port, "%d", (int)port);
    return true;
}

static enum listener_error error_of(int error)
{
    switch (error) {
    case EADDRINUSE:
        return LISTENER_IN_USE;
    case EACCES:
    case EPERM:
        return LISTENER_DENIED;
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
    case EINVAL: /* a link-local address without its interface */
        return LISTENER_BAD_ADDRESS;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
        return LISTENER_EXHAUSTED;
    default:
        return LISTENER_FAILED;
    }
}

/* A socket for IPv6 only cannot be bound to an IPv4-mapped address like [::ffff:127.0.0.1]. */
static socklen_t unmap(const struct addrinfo *info, union address *address)
{
    memcpy(address, info->ai_addr, info->ai_addrlen);
    if (info->ai_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&address->v6.sin6_addr))
        return info->ai_addrlen;
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = address->v6.sin6_port};
    memcpy(&v4.sin_addr, address->v6.sin6_addr.s6_addr + 12, sizeof v4.sin_addr);
    address->v4 = v4;
    return sizeof v4;
}

static enum listener_error open_one(const struct addrinfo *info, bool both_families, int *fd)
{
    union address address;
    socklen_t len = unmap(info, &address);
    *fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (*fd < 0)
        return error_of(errno);
    int on = 1, v6_only = !both_families;
    setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (address.any.sa_family == AF_INET6)
        setsockopt(*fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, sizeof v6_only);
    if (bind(*fd, &address.any, len) == 0 && listen(*fd, LISTENER_BACKLOG) == 0)
        return LISTENER_OK;
    enum listener_error error = error_of(errno);
    close(*fd);
    *fd = -1;
    return error;
}

static void name_print(const union address *name, char address[80])
{
    char host[64] = "?", port[8] = "?";
    socklen_t len = name->any.sa_family == AF_INET6 ? sizeof name->v6 : sizeof name->v4;
    getnameinfo(&name->any, len, host, sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV);
    snprintf(address, 80, name->any.sa_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

static union address name_of(int fd)
{
    union address name = {0};
    socklen_t len = sizeof name;
    getsockname(fd, &name.any, &len);
    return name;
}

const char *listener_describe(int fd, char local[80])
{
    union address name = name_of(fd);
    const char *scope = "";
    uint16_t port = name.v4.sin_port; /* in the same place for both families */
    bool ipv6 = name.any.sa_family == AF_INET6;
    int v6_only = 1;
    socklen_t len = sizeof v6_only;
    if (ipv6 && IN6_IS_ADDR_UNSPECIFIED(&name.v6.sin6_addr)) {
        getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, &len);
        scope = v6_only ? "every interface, IPv6 and no IPv4" : "every interface, IPv4 and IPv6";
        name.v6.sin6_addr = in6addr_loopback;
    } else if (!ipv6 && name.v4.sin_addr.s_addr == htonl(INADDR_ANY)) {
        scope = "every interface, IPv4 and no IPv6";
    }
    if (*scope && !(ipv6 && v6_only))
        name.v4 = (struct sockaddr_in){
            .sin_family = AF_INET, .sin_port = port, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    name_print(&name, local);
    return scope;
}

static void bound_print(int fd, char address[80])
{
    union address name = name_of(fd);
    name_print(&name, address);
}

enum listener_error listener_socket(const char *listen_text, int *fd, char address[80])
{
    struct listen_place place;
    *fd = -1;
    if (!place_parse(listen_text, &place))
        return LISTENER_BAD_ADDRESS;
    bool everywhere = place.host[0] == '\0';
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_family = everywhere ? AF_INET6 : AF_UNSPEC,
                             .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    if (getaddrinfo(everywhere ? NULL : place.host, place.port, &hints, &found) != 0)
        return LISTENER_BAD_ADDRESS;
    enum listener_error error = open_one(found, everywhere, fd);
    freeaddrinfo(found);
    if (everywhere && error != LISTENER_OK && error != LISTENER_IN_USE && error != LISTENER_DENIED) {
        /* A machine without IPv6. */
        hints.ai_family = AF_INET;
        if (getaddrinfo(NULL, place.port, &hints, &found) != 0)
            return LISTENER_BAD_ADDRESS;
        error = open_one(found, false, fd);
        freeaddrinfo(found);
    }
    if (error == LISTENER_OK)
        bound_print(*fd, address);
    return error;
}
