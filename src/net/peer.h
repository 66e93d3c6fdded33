/*
 * peer: the other end of a connection, and our identity for it. Connections and TLS sessions are shared
 * within one peer only. Another endpoint, authority or identity is another peer.
 */
#pragma once
#include "identity.h"
#include "url.h"

struct peer {
    int64_t pool_key; /* the endpoint */
    bool https;
    enum url_host_kind host_kind;
    uint16_t port;
    uint8_t host_len;
    uint32_t hash;
    unsigned char identity[DIGEST_LEN]; /* its digest; zeros: none */
    char host[URL_HOST_LEN_MAX + 1];
};

/* `identity` may be NULL; the peer keeps its digest, not the identity. */
void peer_init(struct peer *peer, int64_t pool_key, const struct url *url, const struct identity *identity);
bool peer_equal(const struct peer *a, const struct peer *b);
