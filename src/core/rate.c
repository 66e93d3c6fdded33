#include "rate.h"
#include <assert.h>

/* A token in the unit of the bucket, of which each millisecond adds `per_s`. */
static int64_t token_of(const struct rate *rate)
{
    return rate->span_ms > 0 ? rate->span_ms : 1000;
}

static int64_t divide_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

/* The tokens gained since then. No more than were missing, so that the product cannot overflow. */
static void refill(struct rate_bucket *bucket, const struct rate *rate, int64_t now_ms)
{
    int64_t elapsed_ms = now_ms - bucket->at_ms;
    if (elapsed_ms <= 0)
        return;
    bucket->at_ms = now_ms;
    if (elapsed_ms >= divide_up(bucket->spent, rate->per_s))
        bucket->spent = 0;
    else
        bucket->spent -= elapsed_ms * rate->per_s;
}

struct rate_verdict rate_take(struct rate_bucket *bucket, const struct rate *rate, int64_t now_ms)
{
    assert(rate->per_s > 0 && rate->per_s <= RATE_PER_S_MAX);
    assert(rate->burst > 0 && rate->burst <= RATE_PER_S_MAX);
    assert(rate->span_ms >= 0 && rate->span_ms <= RATE_SPAN_MS_MAX);
    int64_t token = token_of(rate), capacity = rate->burst * token;
    refill(bucket, rate, now_ms);
    if (bucket->spent > capacity) /* the limits were narrowed meanwhile */
        bucket->spent = capacity;
    struct rate_verdict verdict = {.allowed = bucket->spent + token <= capacity};
    if (verdict.allowed)
        bucket->spent += token;
    else
        verdict.retry_in_ms = divide_up(bucket->spent + token - capacity, rate->per_s);
    verdict.remaining = (capacity - bucket->spent) / token;
    verdict.full_again_ms = divide_up(bucket->spent, rate->per_s);
    assert(bucket->spent >= 0 && bucket->spent <= capacity);
    return verdict;
}
