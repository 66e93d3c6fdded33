/*
 * throttle: slows down guesses of API keys, and requests that need no key, by client address (IPv6: by
 * /64).
 *
 * A valid key is never delayed; only failures come here. The first few of an address are answered at once.
 * Later ones wait a second for their 401, a few at a time. More than that are refused at once with 429. One
 * thread, which sleeps unless there are guesses.
 */
#pragma once
#include "clock.h"
#include "rate.h"
#include <stdbool.h>

struct throttle;

enum throttle_verdict {
    THROTTLE_NOW,  /* answer it */
    THROTTLE_HELD, /* `release` will be called with the item */
    THROTTLE_REFUSE
};

enum {
    THROTTLE_FREE_GUESSES = 10,
    THROTTLE_DELAY_MS = 1000,
    THROTTLE_HELD_MAX = 256,
    THROTTLE_HELD_PER_PEER_MAX = 8
};

struct throttle *throttle_open(struct clock clock, void (*release)(void *item));
enum throttle_verdict throttle_guess(struct throttle *throttle, const char *peer, void *item);
/* Takes a request without a key from the bucket of this address. */
struct rate_verdict throttle_public(struct throttle *throttle, const char *peer, const struct rate *rate);
/* Releases all held items, then returns. From now on nothing is held. */
void throttle_drain(struct throttle *throttle);
void throttle_close(struct throttle *throttle);
