/*
 * peer: whom a connection belongs to. Connections and TLS sessions are shared within one peer and never
 * beyond it.
 */
#pragma once
#include "url.h"

struct peer {
    int64_t pool_key; /* the endpoint */
    bool https;
    enum url_host_kind host_kind;
    uint16_t port;
    uint8_t host_len;
    uint32_t hash;
    char host[URL_HOST_LEN_MAX + 1];
};

void peer_init(struct peer *peer, int64_t pool_key, const struct url *url);
bool peer_equal(const struct peer *a, const struct peer *b);
