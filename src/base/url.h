/*
 * url: the only URL parser, a strict one. Pure.
 *
 * It rejects and never normalises: at most 2,048 bytes, only 0x21 to 0x7E, no backslash, no fragment, no
 * userinfo, no % in the host, no zone id, no trailing dot; schemes http and https (case-insensitive); a host
 * whose last label is numeric or 0x... must be a canonical dotted quad; IPv6 in brackets; port 1 to 65535
 * without leading zeros. The guard decides which well-formed URLs are allowed.
 */
#pragma once
#include "bytes.h"
#include <netinet/in.h>

enum { URL_LEN_MAX = 2048, URL_HOST_LEN_MAX = 253 };

enum url_error {
    URL_OK,
    URL_SYNTAX,   /* url_syntax: control bytes, spaces, backslash, fragment, too long, empty */
    URL_SCHEME,   /* url_scheme */
    URL_USERINFO, /* url_userinfo */
    URL_HOST,     /* url_host */
    URL_PORT      /* url_port */
};

enum url_host_kind { URL_HOST_NAME, URL_HOST_IPV4, URL_HOST_IPV6 };

struct url {
    bool https;
    enum url_host_kind host_kind;
    char host[URL_HOST_LEN_MAX + 1]; /* lower case, without brackets */
    uint16_t port;                   /* default filled in */
    bool port_given;
    union {
        struct in_addr ipv4; /* network byte order */
        struct in6_addr ipv6;
    } address; /* when host_kind is an address */
    /* Views of the input, as written: */
    struct bytes target;    /* path and query; "/" if the URL has none */
    struct bytes authority; /* host[:port], for the Host header */
};

/* After an error, do not use `url`. */
enum url_error url_parse(struct bytes text, struct url *url);
/* The parsers of the parts, for addresses and ports elsewhere: canonical forms only, no brackets, no zone. */
bool url_parse_ipv4(struct bytes text, struct in_addr *address);
bool url_parse_ipv6(struct bytes text, struct in6_addr *address);
bool url_parse_port(struct bytes text, uint16_t *port);
/* "url_syntax", "url_host", ...: the codes of the API; NULL for URL_OK. */
const char *url_error_code(enum url_error error);
const char *url_error_sentence(enum url_error error);
