/* The operator's exceptions as text. Whatever is accepted stays a list of networks, never "off": it opens
 * nothing outside itself. */
#include "guard.h"
#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum guard_verdict dial(const struct guard *guard, uint32_t ipv4, uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(ipv4);
    return guard_address(guard, (struct sockaddr *)&address);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* One address of each of the large special-purpose blocks: no exception holds two of them. */
    static const uint32_t special[] = {0x0a000001, 0x64400001, 0x7f000001, 0xa9fea9fe,
                                       0xac100001, 0xc0a80001, 0xe0000001, 0xffffffff};
    struct guard guard;
    guard_init(&guard);
    if (!guard_add_exception(&guard, bytes_make(data, size))) {
        assert(guard.exception_count == 0);
        return 0;
    }
    assert(guard.exception_count == 1);
    const struct network *network = &guard.exceptions[0];
    assert(network->prefix >= 7 && network->prefix <= (network->ipv6 ? 128 : 32));
    int open = 0;
    for (size_t i = 0; i < sizeof special / sizeof *special; i++)
        open += dial(&guard, special[i], network->port ? network->port : 443) == GUARD_ALLOWED;
    assert(open <= (network->ipv6 ? 0 : 1));

    /* An IPv4 address inside an IPv6 one stays closed. */
    struct sockaddr_in6 mapped = {.sin6_family = AF_INET6, .sin6_port = htons(443)};
    memcpy(mapped.sin6_addr.s6_addr, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x7f\0\0\1", 16);
    assert(guard_address(&guard, (struct sockaddr *)&mapped) == GUARD_ADDRESS);
    return 0;
}
