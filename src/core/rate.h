/*
 * rate: how many requests a second somebody may make: a token bucket. Pure: time is an argument.
 *
 * The bucket holds `burst` tokens at most and gains `per_s` of them a second; a request takes one. So a burst
 * passes at once, and in the long run `per_s` a second do. Counted in thousandths, exact at every rate:
 * a millisecond brings per_s of them.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum { RATE_PER_S_MAX = 1000000 };

struct rate {
    int64_t per_s; /* 1 to RATE_PER_S_MAX */
    int64_t burst; /* 1 to RATE_PER_S_MAX */
};

/* Zeroed memory is a full bucket. */
struct rate_bucket {
    int64_t spent; /* thousandths that are missing */
    int64_t at_ms; /* as of when */
};

struct rate_verdict {
    bool allowed;
    int64_t remaining;     /* requests that would pass right now */
    int64_t retry_in_ms;   /* 0 when allowed: until one would pass */
    int64_t full_again_ms; /* until the bucket is full */
};

/* Takes a token if there is one. `now_ms` is monotonic; a smaller one than before counts as the same. */
struct rate_verdict rate_take(struct rate_bucket *bucket, const struct rate *rate, int64_t now_ms);
