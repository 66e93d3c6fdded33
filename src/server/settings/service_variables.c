#include "service_variables.h"
#include "network.h"
#include <ctype.h>

static bool is_port(struct bytes text)
{
    int64_t port;
    return bytes_to_int64(text, &port) && port >= 1 && port <= UINT16_MAX;
}

static bool is_address(struct bytes text)
{
    struct network network;
    return network_parse_address(text, &network);
}

static bool is_protocol(struct bytes text)
{
    return bytes_equal_nocase(text, "tcp") || bytes_equal_nocase(text, "udp") ||
           bytes_equal_nocase(text, "sctp");
}

/* "tcp://10.0.0.7:8080", "udp://[fd00::7]:53". */
static bool is_location(struct bytes text)
{
    const char *slashes = memmem(text.data, text.len, "://", 3);
    struct network network;
    if (!slashes || !is_protocol(bytes_make(text.data, (size_t)(slashes - text.data))))
        return false;
    size_t skipped = (size_t)(slashes + 3 - text.data);
    return network_parse(bytes_make(slashes + 3, text.len - skipped), &network) && network.port != 0 &&
           network.prefix == (network.ipv6 ? 128 : 32);
}

static bool is_container_path(struct bytes text)
{
    return text.len > 1 && text.data[0] == '/' && memchr(text.data + 1, '/', text.len - 1) != NULL;
}

/* "8080_TCP", and what stands behind it. */
static bool port_and_protocol(struct bytes text, struct bytes *rest)
{
    size_t digits = 0, end;
    while (digits < text.len && isdigit((unsigned char)text.data[digits]))
        digits++;
    if (!is_port(bytes_make(text.data, digits)) || digits == text.len || text.data[digits] != '_')
        return false;
    for (end = digits + 1; end < text.len && text.data[end] != '_'; end++)
        continue;
    *rest = bytes_make(text.data + end, text.len - end);
    return is_protocol(bytes_make(text.data + digits + 1, end - digits - 1));
}

/* POSTHORN_PORT_8080_TCP and those that begin so. */
static bool is_of_a_port(struct bytes text, struct bytes value)
{
    struct bytes part;
    if (!port_and_protocol(text, &part))
        return false;
    if (part.len == 0 || bytes_equal_text(part, "_START") || bytes_equal_text(part, "_END"))
        return is_location(value);
    if (bytes_equal_text(part, "_PROTO"))
        return is_protocol(value);
    if (bytes_equal_text(part, "_ADDR"))
        return is_address(value);
    return (bytes_equal_text(part, "_PORT") || bytes_equal_text(part, "_PORT_START") ||
            bytes_equal_text(part, "_PORT_END")) &&
           is_port(value);
}

/* Without the name of the service before it. */
static bool is_shape(struct bytes text, struct bytes value)
{
    if (bytes_equal_text(text, "SERVICE_HOST"))
        return is_address(value);
    if (bytes_equal_text(text, "SERVICE_PORT") || bytes_starts(text, "SERVICE_PORT_"))
        return is_port(value);
    if (bytes_equal_text(text, "PORT"))
        return is_location(value);
    if (bytes_starts(text, "PORT_"))
        return is_of_a_port(bytes_make(text.data + 5, text.len - 5), value);
    /* Docker's links alone: the name of the other container, and its environment. */
    if (bytes_equal_text(text, "NAME"))
        return is_container_path(value);
    return bytes_starts(text, "ENV_");
}

/* Any name of a service may stand before the shape, also one that contains a shape itself ("port-1"). */
bool service_variable(struct bytes name, struct bytes value)
{
    for (size_t i = 0; i < name.len; i++)
        if ((i == 0 || name.data[i - 1] == '_') && is_shape(bytes_make(name.data + i, name.len - i), value))
            return true;
    return false;
}
