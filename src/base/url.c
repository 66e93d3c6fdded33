#include "url.h"
#include <arpa/inet.h>
#include <assert.h>

enum { LABEL_LEN_MAX = 63 };

bool url_parse_ipv4(struct bytes text, struct in_addr *address)
{
    unsigned char quad[4];
    size_t at = 0;
    for (int i = 0; i < 4; i++) {
        if (i && (at == text.len || text.data[at++] != '.'))
            return false;
        size_t start = at;
        int value = 0;
        while (at < text.len && bytes_is_digit(text.data[at]) && at - start < 3)
            value = value * 10 + (text.data[at++] - '0');
        bool leading_zero = at - start > 1 && text.data[start] == '0';
        if (at == start || leading_zero || value > 255)
            return false;
        quad[i] = (unsigned char)value;
    }
    memcpy(address, quad, sizeof quad);
    return at == text.len;
}

bool url_parse_ipv6(struct bytes text, struct in6_addr *address)
{
    char copy[INET6_ADDRSTRLEN];
    if (text.len == 0 || text.len >= sizeof copy || memchr(text.data, '\0', text.len))
        return false;
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    /* Strict: no zone, no brackets, quads without leading zeros. */
    return inet_pton(AF_INET6, copy, address) == 1;
}

bool url_parse_port(struct bytes text, uint16_t *port)
{
    int64_t value;
    if (text.len > 5 || !bytes_to_int64(text, &value) || value < 1 || value > 65535)
        return false;
    *port = (uint16_t)value;
    return true;
}

/* Bytes that no part of a URL may have. */
static enum url_error check_bytes(struct bytes text)
{
    if (text.len == 0 || text.len > URL_LEN_MAX)
        return URL_SYNTAX;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c <= 0x20 || c == 0x7f || c == '\\' || c == '#')
            return URL_SYNTAX;
    }
    return URL_OK;
}

static bool is_ascii(struct bytes text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.data[i] >= 0x80)
            return false;
    return true;
}

/* Cuts off the scheme and the slashes; `text` then begins with the authority. */
static enum url_error take_scheme(struct bytes *text, bool *https)
{
    const char *colon = memchr(text->data, ':', text->len);
    struct bytes scheme = bytes_make(text->data, colon ? (size_t)(colon - text->data) : 0);
    *https = bytes_equal_nocase(scheme, "https");
    if (!*https && !bytes_equal_nocase(scheme, "http"))
        return URL_SCHEME;
    *text = bytes_make(colon + 1, text->len - scheme.len - 1);
    if (!bytes_starts(*text, "//"))
        return URL_SYNTAX;
    *text = bytes_make(text->data + 2, text->len - 2);
    return URL_OK;
}

/* Letters, digits and inner hyphens (RFC 1123 section 2.1), which covers A-labels, and underscores, because
 * names of containers have them (`my_service`). Never empty. */
static bool is_label(struct bytes label)
{
    if (label.len == 0 || label.len > LABEL_LEN_MAX || label.data[0] == '-' ||
        label.data[label.len - 1] == '-')
        return false;
    for (size_t i = 0; i < label.len; i++) {
        char c = bytes_lower(label.data[i]);
        if (!bytes_is_digit(c) && !(c >= 'a' && c <= 'z') && c != '-' && c != '_')
            return false;
    }
    return true;
}

/* Might a resolver read a name that ends with this label as an address? */
static bool is_numeric_label(struct bytes label)
{
    if (bytes_starts(label, "0x") || bytes_starts(label, "0X"))
        return true;
    for (size_t i = 0; i < label.len; i++)
        if (!bytes_is_digit(label.data[i]))
            return false;
    return true;
}

static bool is_name(struct bytes host)
{
    if (host.len == 0 || host.len > URL_HOST_LEN_MAX)
        return false;
    struct bytes label;
    for (;;) {
        const char *dot = memchr(host.data, '.', host.len);
        label = bytes_make(host.data, dot ? (size_t)(dot - host.data) : host.len);
        if (!is_label(label))
            return false;
        if (!dot)
            return !is_numeric_label(label);
        host = bytes_make(dot + 1, host.len - label.len - 1);
    }
}

static bool read_host(struct bytes host, bool bracketed, struct url *url)
{
    if (bracketed) {
        url->host_kind = URL_HOST_IPV6;
        if (!url_parse_ipv6(host, &url->address.ipv6))
            return false;
    } else if (url_parse_ipv4(host, &url->address.ipv4)) {
        url->host_kind = URL_HOST_IPV4;
    } else if (is_name(host)) {
        url->host_kind = URL_HOST_NAME;
    } else {
        return false;
    }
    for (size_t i = 0; i < host.len; i++)
        url->host[i] = bytes_lower(host.data[i]);
    url->host[host.len] = '\0';
    return true;
}

/* host, or host:port, or the same with the host in brackets. */
static enum url_error read_authority(struct bytes authority, struct url *url)
{
    if (memchr(authority.data, '@', authority.len))
        return URL_USERINFO;
    bool bracketed = bytes_starts(authority, "[");
    const char *end = memchr(authority.data, bracketed ? ']' : ':', authority.len);
    if (bracketed && !end)
        return URL_HOST;
    struct bytes host = bytes_make(authority.data, end ? (size_t)(end - authority.data) : authority.len);
    struct bytes rest = bytes_make(host.data + host.len, authority.len - host.len);
    if (bracketed) {
        host = bytes_make(host.data + 1, host.len - 1);
        rest = bytes_make(rest.data + 1, rest.len - 1);
    }
    if (!read_host(host, bracketed, url) || (rest.len && rest.data[0] != ':'))
        return URL_HOST;
    url->port = url->https ? 443 : 80;
    url->port_given = rest.len > 0;
    if (url->port_given && !url_parse_port(bytes_make(rest.data + 1, rest.len - 1), &url->port))
        return URL_PORT;
    return URL_OK;
}

enum url_error url_parse(struct bytes text, struct url *url)
{
    memset(url, 0, sizeof *url);
    enum url_error error = check_bytes(text);
    if (!error)
        error = take_scheme(&text, &url->https);
    if (error)
        return error;
    assert(text.data);
    size_t len = 0;
    while (len < text.len && text.data[len] != '/' && text.data[len] != '?')
        len++;
    url->authority = bytes_make(text.data, len);
    url->target = bytes_make(text.data + len, text.len - len);
    error = read_authority(url->authority, url);
    if (error)
        return error;
    if (url->target.len == 0)
        url->target = bytes_of("/");
    /* "?x=1" without a path is rejected, never mended. */
    if (url->target.data[0] != '/' || !is_ascii(url->target))
        return URL_SYNTAX;
    return URL_OK;
}

const char *url_error_code(enum url_error error)
{
    static const char *const codes[] = {NULL,           "url_syntax", "url_scheme",
                                        "url_userinfo", "url_host",   "url_port"};
    return codes[error];
}

const char *url_error_sentence(enum url_error error)
{
    static const char *const sentences[] = {
        NULL,
        "the URL must be https://host/path in printable ASCII, at most 2048 bytes, without spaces, "
        "backslashes or "
        "fragment; a query needs a path before it",
        "the URL must begin with https://",
        "the URL must not carry a user name or password",
        "the host must be a full domain name, a plain dotted IPv4 address, or an IPv6 address in brackets; "
        "international names as xn-- labels",
        "the port must be a number from 1 to 65535 without leading zeros",
    };
    return sentences[error];
}
