/*
 * rate: a token bucket, which limits requests a second. Pure: time is an argument.
 *
 * The bucket holds at most `burst` tokens and gains `per_s` of them a second. A request takes one. So a
 * burst passes at once, and `per_s` requests a second pass in the long run. It counts in thousandths of a
 * token, so that it is exact at every rate: each millisecond adds `per_s` thousandths. With a span, all of
 * this is per span instead of per second.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum { RATE_PER_S_MAX = 1000000, RATE_SPAN_MS_MAX = 3600 * 1000 };

struct rate {
    int64_t per_s;   /* 1 to RATE_PER_S_MAX */
    int64_t burst;   /* 1 to RATE_PER_S_MAX */
    int64_t span_ms; /* 0: a second; RATE_SPAN_MS_MAX at most */
};

/* Zeroed memory is a full bucket. */
struct rate_bucket {
    int64_t spent; /* missing thousandths */
    int64_t at_ms; /* at this time */
};

struct rate_verdict {
    bool allowed;
    int64_t remaining;     /* requests that would still pass now */
    int64_t retry_in_ms;   /* time until one would pass; 0: allowed */
    int64_t full_again_ms; /* time until the bucket is full */
};

/* Takes a token if there is one. `now_ms` is monotonic; a smaller one than before counts as the same. */
struct rate_verdict rate_take(struct rate_bucket *bucket, const struct rate *rate, int64_t now_ms);
