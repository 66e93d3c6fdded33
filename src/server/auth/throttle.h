/*
 * throttle: guesses of API keys are slowed, per client address (of IPv6, per /64). So are requests that need
 * no key.
 *
 * A key that is valid is never held up: only failures come here. The first few of an address are answered at
 * once; further ones wait a second for their 401, a few at a time; what comes on top of that is refused
 * at once with 429. One thread, asleep unless somebody guesses.
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
/* Takes a request of this address to what needs no key out of its bucket. */
struct rate_verdict throttle_public(struct throttle *throttle, const char *peer, const struct rate *rate);
/* Releases what is held, and returns when that is done; nothing is held any more from now on. */
void throttle_drain(struct throttle *throttle);
void throttle_close(struct throttle *throttle);
