#include "flow.h"
#include <assert.h>
#include <stdint.h>

enum { GROUP_MS = 20 };

static int64_t span_ms(enum flow_per per)
{
    static const int32_t spans[] = {
        [FLOW_PER_SECOND] = 1000, [FLOW_PER_MINUTE] = 60 * 1000, [FLOW_PER_HOUR] = 3600 * 1000};
    return spans[per];
}

/* A full bucket and what comes in before the span is over are `count` together. */
static struct rate rate_of(const struct flow_settings *set)
{
    int64_t span = span_ms(set->rate.per), burst = 1 + set->rate.count * (int64_t)GROUP_MS / span;
    if (burst > set->rate.count)
        burst = set->rate.count;
    return (struct rate){.per_s = set->rate.count - burst + 1, .burst = burst, .span_ms = span};
}

int flow_at_once(const struct flow *flow)
{
    if (flow->set.ordered)
        return 1;
    return flow->set.in_flight_max > 0 ? flow->set.in_flight_max : INT32_MAX;
}

int64_t flow_from_ms(const struct flow *flow)
{
    if (flow->set.rate.count == 0)
        return 0;
    struct rate rate = rate_of(&flow->set);
    struct rate_bucket look = flow->bucket;
    struct rate_verdict verdict = rate_take(&look, &rate, flow->bucket.at_ms);
    return verdict.allowed ? 0 : flow->bucket.at_ms + verdict.full_again_ms;
}

int flow_left(const struct flow *flow, int64_t now_ms)
{
    if (flow->set.rate.count == 0)
        return INT32_MAX;
    if (now_ms < flow_from_ms(flow))
        return 0;
    struct rate rate = rate_of(&flow->set);
    struct rate_bucket look = flow->bucket;
    struct rate_verdict verdict = rate_take(&look, &rate, now_ms);
    return verdict.allowed ? (int)verdict.remaining + 1 : 0;
}

void flow_begun(struct flow *flow, int64_t now_ms)
{
    if (flow->set.rate.count == 0)
        return;
    struct rate rate = rate_of(&flow->set);
    (void)rate_take(&flow->bucket, &rate, now_ms);
}

void flow_set(struct flow *flow, const struct flow_settings *set)
{
    if (flow->set.rate.count != set->rate.count || flow->set.rate.per != set->rate.per)
        flow->bucket = (struct rate_bucket){0};
    flow->set = *set;
}
