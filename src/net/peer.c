#include "peer.h"
#include <assert.h>

void peer_init(struct peer *peer, int64_t pool_key, const struct url *url, const struct identity *identity)
{
    size_t len = strlen(url->host);
    uint64_t hash = 14695981039346656037u ^ (uint64_t)pool_key;

    assert(len <= URL_HOST_LEN_MAX);
    peer->pool_key = pool_key;
    peer->https = url->https;
    peer->host_kind = url->host_kind;
    peer->port = url->port;
    peer->host_len = (uint8_t)len;
    memcpy(peer->host, url->host, len + 1);
    for (size_t i = 0; i < len; i++) /* FNV-1a */
        hash = (hash ^ (unsigned char)url->host[i]) * 1099511628211u;
    hash = (hash ^ (uint64_t)(url->port * 2 + url->https)) * 1099511628211u;
    memset(peer->identity, 0, sizeof peer->identity);
    if (identity) {
        memcpy(peer->identity, identity_digest(identity), sizeof peer->identity);
        for (size_t i = 0; i < sizeof hash; i++)
            hash = (hash ^ peer->identity[i]) * 1099511628211u;
    }
    peer->hash = (uint32_t)(hash ^ (hash >> 32));
}

bool peer_equal(const struct peer *a, const struct peer *b)
{
    return a->hash == b->hash && a->pool_key == b->pool_key && a->port == b->port && a->https == b->https &&
           a->host_len == b->host_len && memcmp(a->host, b->host, a->host_len) == 0 &&
           memcmp(a->identity, b->identity, sizeof a->identity) == 0;
}
