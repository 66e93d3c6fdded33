#include "throttle.h"
#include "bytes.h"
#include "delay_queue.h"
#include "memory.h"
#include <arpa/inet.h>
#include <assert.h>
#include <stdlib.h>

enum { PEERS_MAX = 1024, PROBES_MAX = 8, REFILL_MS = 1000 };

struct throttled_address {
    uint64_t name; /* 0: free */
    int64_t seen_ms;
    int guesses; /* one is forgiven every REFILL_MS */
    int held;
    struct rate_bucket bucket; /* of requests that need no key */
};

struct held {
    struct delayed delayed;
    void *item;
    struct throttled_address *peer;
};

struct throttle {
    pthread_mutex_t lock;
    struct clock clock;
    struct delay_queue *delays;
    void (*release)(void *item);
    struct held ring[THROTTLE_HELD_MAX]; /* in the order of `delays` */
    int first, count;
    struct throttled_address peers[PEERS_MAX];
};

/* An IPv6 client owns at least a /64: that is what counts as one address. */
static uint64_t peer_name(const char *address)
{
    unsigned char raw[16];
    struct bytes view = bytes_of(address);
    if (inet_pton(AF_INET6, address, raw) == 1)
        view = bytes_make(raw, 8);
    uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */
    for (size_t i = 0; i < view.len; i++)
        hash = (hash ^ (unsigned char)view.data[i]) * UINT64_C(1099511628211);
    return hash ? hash : 1;
}

/* The peer's row; a row that nobody waits on, the one seen least lately, gives way to a new peer. */
static struct throttled_address *find_peer(struct throttle *throttle, uint64_t name, int64_t now_ms)
{
    struct throttled_address *oldest = NULL;
    for (size_t i = 0; i < PROBES_MAX; i++) {
        struct throttled_address *peer = &throttle->peers[(name + i) % PEERS_MAX];
        if (peer->name == name)
            return peer;
        if (peer->held == 0 && (!oldest || peer->seen_ms < oldest->seen_ms))
            oldest = peer;
    }
    if (oldest)
        *oldest = (struct throttled_address){.name = name, .seen_ms = now_ms};
    return oldest;
}

static void forgive(struct throttled_address *peer, int64_t now_ms)
{
    int64_t forgiven = (now_ms - peer->seen_ms) / REFILL_MS;
    if (forgiven <= 0)
        return;
    peer->guesses = forgiven >= peer->guesses ? 0 : peer->guesses - (int)forgiven;
    peer->seen_ms = now_ms;
}

static enum throttle_verdict judge(struct throttle *throttle, const char *address, void *item)
{
    int64_t now_ms = clock_mono_ms(&throttle->clock);
    struct throttled_address *peer = find_peer(throttle, peer_name(address), now_ms);
    if (!peer)
        return THROTTLE_REFUSE;
    forgive(peer, now_ms);
    if (peer->guesses < THROTTLE_FREE_GUESSES) {
        peer->guesses++;
        return THROTTLE_NOW;
    }
    if (peer->held == THROTTLE_HELD_PER_PEER_MAX || throttle->count == THROTTLE_HELD_MAX)
        return THROTTLE_REFUSE;
    struct held *held = &throttle->ring[(throttle->first + throttle->count) % THROTTLE_HELD_MAX];
    if (!delay_queue_put(throttle->delays, &held->delayed))
        return THROTTLE_NOW; /* draining */
    held->item = item;
    held->peer = peer;
    peer->held++;
    throttle->count++;
    return THROTTLE_HELD;
}

enum throttle_verdict throttle_guess(struct throttle *throttle, const char *peer, void *item)
{
    pthread_mutex_lock(&throttle->lock);
    enum throttle_verdict verdict = judge(throttle, peer, item);
    pthread_mutex_unlock(&throttle->lock);
    return verdict;
}

struct rate_verdict throttle_public(struct throttle *throttle, const char *address, const struct rate *rate)
{
    struct rate_verdict verdict = {.retry_in_ms = REFILL_MS};
    pthread_mutex_lock(&throttle->lock);
    int64_t now_ms = clock_mono_ms(&throttle->clock);
    struct throttled_address *peer = find_peer(throttle, peer_name(address), now_ms);
    if (peer) {
        forgive(peer, now_ms);
        verdict = rate_take(&peer->bucket, rate, now_ms);
    }
    pthread_mutex_unlock(&throttle->lock);
    return verdict;
}

static void release_first(void *ctx, struct delayed *delayed)
{
    struct throttle *throttle = ctx;
    pthread_mutex_lock(&throttle->lock);
    struct held *held = &throttle->ring[throttle->first];
    assert(&held->delayed == delayed);
    void *item = held->item;
    held->peer->held--;
    throttle->first = (throttle->first + 1) % THROTTLE_HELD_MAX;
    throttle->count--;
    pthread_mutex_unlock(&throttle->lock);
    throttle->release(item);
}

struct throttle *throttle_open(struct clock clock, void (*release)(void *item))
{
    struct throttle *throttle = memory_zero(1, sizeof *throttle);
    throttle->clock = clock;
    throttle->release = release;
    pthread_mutex_init(&throttle->lock, NULL);
    throttle->delays = delay_queue_open(clock, THROTTLE_DELAY_MS, release_first, throttle);
    if (throttle->delays)
        return throttle;
    throttle_close(throttle);
    return NULL;
}

void throttle_drain(struct throttle *throttle)
{
    delay_queue_flush(throttle->delays);
}

void throttle_close(struct throttle *throttle)
{
    if (!throttle)
        return;
    delay_queue_close(throttle->delays);
    pthread_mutex_destroy(&throttle->lock);
    free(throttle);
}
