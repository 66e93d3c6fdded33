#include "source_addresses.h"
#include "url.h"
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

bool source_addresses_add(struct source_addresses *sources, struct bytes text)
{
    struct sockaddr_storage address = {0};
    struct sockaddr_in *v4 = (void *)&address;
    struct sockaddr_in6 *v6 = (void *)&address;
    if (url_parse_ipv4(text, &v4->sin_addr)) {
        v4->sin_family = AF_INET;
    } else {
        address = (struct sockaddr_storage){0};
        if (!url_parse_ipv6(text, &v6->sin6_addr))
            return false;
        v6->sin6_family = AF_INET6;
    }
    for (int i = 0; i < sources->count; i++)
        if (memcmp(&sources->list[i], &address, sizeof address) == 0)
            return false;
    if (sources->count == SOURCE_ADDRESSES_MAX)
        return false;
    sources->list[sources->count++] = address;
    return true;
}

static socklen_t address_len(const struct sockaddr_storage *address)
{
    return address->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
}

static bool is_ours(const struct sockaddr_storage *address)
{
    int fd = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    bool bound = bind(fd, (const struct sockaddr *)address, address_len(address)) == 0;
    close(fd);
    return bound;
}

int source_addresses_check(const struct source_addresses *sources)
{
    for (int i = 0; i < sources->count; i++)
        if (!is_ours(&sources->list[i]))
            return i;
    return -1;
}

bool source_addresses_cover(const struct source_addresses *sources, int family)
{
    for (int i = 0; i < sources->count; i++)
        if (sources->list[i].ss_family == family)
            return true;
    return sources->count == 0;
}

int source_addresses_bind(struct source_addresses *sources, uv_tcp_t *tcp, int family)
{
    if (sources->count == 0)
        return 0;
    uv_os_fd_t fd;
    if (uv_fileno((uv_handle_t *)tcp, &fd) != 0)
        return -EAFNOSUPPORT;
    /* The port is chosen when it connects, so that each receiver has all of them (ip(7)). */
    const int on = 1;
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    int error = -EAFNOSUPPORT;
    for (int i = 0; i < sources->count && error; i++) {
        const struct sockaddr_storage *next = &sources->list[sources->turn++ % (unsigned)sources->count];
        if (next->ss_family == family)
            error = bind(fd, (const struct sockaddr *)next, address_len(next)) == 0 ? 0 : -errno;
    }
    return error;
}
