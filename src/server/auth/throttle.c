#include "throttle.h"
#include "bytes.h"
#include "memory.h"
#include <arpa/inet.h>
#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

enum { PEERS_MAX = 1024, PROBES_MAX = 8, REFILL_MS = 1000, TICK_NS = 20 * 1000 * 1000 };

struct throttled_address {
    uint64_t name; /* 0: free */
    int64_t seen_ms;
    int guesses; /* one is forgiven every REFILL_MS */
    int held;
    struct rate_bucket bucket; /* of requests that need no key */
};

struct held {
    void *item;
    struct throttled_address *peer;
    int64_t due_ms;
};

struct throttle {
    pthread_mutex_t lock;
    pthread_cond_t some; /* something is held, or it is over */
    pthread_t thread;
    bool draining, ended;
    struct clock clock;
    void (*release)(void *item);
    struct held ring[THROTTLE_HELD_MAX]; /* every delay is the same, so the oldest is due first */
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
    if (peer->guesses < THROTTLE_FREE_GUESSES || throttle->draining) {
        peer->guesses++;
        return THROTTLE_NOW;
    }
    if (peer->held == THROTTLE_HELD_PER_PEER_MAX || throttle->count == THROTTLE_HELD_MAX)
        return THROTTLE_REFUSE;
    peer->held++;
    throttle->ring[(throttle->first + throttle->count++) % THROTTLE_HELD_MAX] =
        (struct held){item, peer, now_ms + THROTTLE_DELAY_MS};
    pthread_cond_signal(&throttle->some);
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

/* The first item, when it is due or all must go; NULL: none. */
static void *take(struct throttle *throttle)
{
    struct held *held = &throttle->ring[throttle->first];
    if (throttle->count == 0)
        return NULL;
    if (!throttle->draining && clock_mono_ms(&throttle->clock) < held->due_ms)
        return NULL;
    held->peer->held--;
    throttle->first = (throttle->first + 1) % THROTTLE_HELD_MAX;
    throttle->count--;
    return held->item;
}

static void *release_loop(void *ctx)
{
    struct throttle *throttle = ctx;
    const struct timespec tick = {.tv_nsec = TICK_NS};
    pthread_mutex_lock(&throttle->lock);
    while (!throttle->ended || throttle->count) {
        if (throttle->count == 0) {
            pthread_cond_wait(&throttle->some, &throttle->lock);
            continue;
        }
        void *item = take(throttle);
        pthread_mutex_unlock(&throttle->lock);
        if (item)
            throttle->release(item);
        else
            nanosleep(&tick, NULL);
        pthread_mutex_lock(&throttle->lock);
    }
    pthread_mutex_unlock(&throttle->lock);
    return NULL;
}

struct throttle *throttle_open(struct clock clock, void (*release)(void *item))
{
    struct throttle *throttle = memory_zero(1, sizeof *throttle);
    throttle->clock = clock;
    throttle->release = release;
    int failed = pthread_mutex_init(&throttle->lock, NULL);
    failed |= pthread_cond_init(&throttle->some, NULL);
    assert(!failed);
    if (pthread_create(&throttle->thread, NULL, release_loop, throttle) == 0)
        return throttle;
    pthread_cond_destroy(&throttle->some);
    pthread_mutex_destroy(&throttle->lock);
    free(throttle);
    return NULL;
}

void throttle_drain(struct throttle *throttle)
{
    pthread_mutex_lock(&throttle->lock);
    throttle->draining = true;
    pthread_cond_signal(&throttle->some);
    pthread_mutex_unlock(&throttle->lock);
}

void throttle_close(struct throttle *throttle)
{
    if (!throttle)
        return;
    pthread_mutex_lock(&throttle->lock);
    throttle->draining = throttle->ended = true;
    pthread_cond_signal(&throttle->some);
    pthread_mutex_unlock(&throttle->lock);
    pthread_join(throttle->thread, NULL);
    pthread_cond_destroy(&throttle->some);
    pthread_mutex_destroy(&throttle->lock);
    free(throttle);
}
