#include "network.h"
#include "url.h"

/* Takes the part before the first of the `stops`, or all; the stop stays in `text`. */
static struct bytes take_until(struct bytes *text, const char *stops)
{
    size_t len = 0;
    while (len < text->len && !strchr(stops, text->data[len]))
        len++;
    struct bytes taken = bytes_make(text->data, len);
    *text = bytes_make(text->data + len, text->len - len);
    return taken;
}

static bool take(struct bytes *text, const char *expected)
{
    if (!bytes_starts(*text, expected))
        return false;
    *text = bytes_make(text->data + 1, text->len - 1);
    return true;
}

/* An IPv6 address needs no brackets if a prefix or nothing follows: it always has two colons. */
static struct bytes take_address(struct bytes *text, bool *ipv6)
{
    struct bytes all = *text, address;
    *ipv6 = true;
    if (take(text, "[")) {
        address = take_until(text, "]");
        return take(text, "]") ? address : bytes_make(NULL, 0);
    }
    address = take_until(text, "/");
    if (address.len && memchr(address.data, ':', address.len) != memrchr(address.data, ':', address.len))
        return address;
    *ipv6 = false;
    *text = all;
    return take_until(text, "/:");
}

static bool read_address(struct bytes text, struct network *network)
{
    struct in_addr ipv4;
    struct in6_addr ipv6;
    if (network->ipv6 ? !url_parse_ipv6(text, &ipv6) : !url_parse_ipv4(text, &ipv4))
        return false;
    if (network->ipv6)
        memcpy(network->address, &ipv6, sizeof ipv6);
    else
        memcpy(network->address, &ipv4, sizeof ipv4);
    return true;
}

bool network_parse(struct bytes text, struct network *network)
{
    *network = (struct network){0};
    struct bytes address = take_address(&text, &network->ipv6);
    int64_t prefix_max = network->ipv6 ? 128 : 32, prefix = prefix_max;
    if (take(&text, "/") && (!bytes_to_int64(take_until(&text, ":"), &prefix) || prefix > prefix_max))
        return false;
    network->prefix = (uint8_t)prefix;
    if (text.len && (!take(&text, ":") || !url_parse_port(text, &network->port)))
        return false;
    return read_address(address, network);
}

bool network_parse_address(struct bytes text, struct network *network)
{
    bool ipv6 = text.len && memchr(text.data, ':', text.len) != NULL;
    *network = (struct network){.ipv6 = ipv6, .prefix = ipv6 ? 128 : 32};
    return read_address(text, network);
}

bool network_is_exact(const struct network *network)
{
    for (int bit = network->prefix; bit < (network->ipv6 ? 128 : 32); bit++)
        if (network->address[bit / 8] & (0x80 >> bit % 8))
            return false;
    return true;
}

bool network_holds(const struct network *network, bool ipv6, const unsigned char *address)
{
    if (network->ipv6 != ipv6)
        return false;
    int whole = network->prefix / 8, bits = network->prefix % 8;
    if (memcmp(network->address, address, (size_t)whole) != 0)
        return false;
    unsigned char mask = (unsigned char)(0xff00 >> bits);
    return bits == 0 || ((network->address[whole] ^ address[whole]) & mask) == 0;
}

bool network_is_within(const struct network *inner, const struct network *outer)
{
    return inner->prefix >= outer->prefix && network_holds(outer, inner->ipv6, inner->address);
}
