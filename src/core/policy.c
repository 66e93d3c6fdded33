#include "policy.h"
#include <assert.h>

enum { SECOND_MS = 1000, HOUR_MS = 3600 * SECOND_MS };

struct policy policy_default(void)
{
    return (struct policy){.base_ms = (int64_t)10 * SECOND_MS,
                           .cap_ms = (int64_t)12 * HOUR_MS,
                           .factor = 3,
                           .jitter_percent = 10,
                           .window_ms = (int64_t)72 * HOUR_MS,
                           .retry_after_ms_max = (int64_t)6 * HOUR_MS,
                           .local_delay_ms = (int64_t)5 * SECOND_MS,
                           .lost_leases_max = 5};
}

static int64_t scaled(int64_t duration_ms, int scale)
{
    return duration_ms > scale ? duration_ms / scale : 1;
}

struct policy policy_scaled(struct policy policy, int scale)
{
    assert(scale >= 1);
    policy.base_ms = scaled(policy.base_ms, scale);
    policy.cap_ms = scaled(policy.cap_ms, scale);
    policy.window_ms = scaled(policy.window_ms, scale);
    policy.retry_after_ms_max = scaled(policy.retry_after_ms_max, scale);
    policy.local_delay_ms = scaled(policy.local_delay_ms, scale);
    return policy;
}

int64_t policy_backoff_ms(const struct policy *policy, int32_t attempt, uint64_t random)
{
    assert(attempt >= 1 && policy->factor >= 1 && policy->jitter_percent >= 0 &&
           policy->jitter_percent < 100);
    int64_t delay_ms = policy->base_ms < policy->cap_ms ? policy->base_ms : policy->cap_ms;
    for (int32_t i = 1; i < attempt && delay_ms < policy->cap_ms && policy->factor > 1; i++)
        delay_ms = delay_ms > policy->cap_ms / policy->factor ? policy->cap_ms : delay_ms * policy->factor;
    int64_t spread_ms = delay_ms * policy->jitter_percent / 100;
    return delay_ms - spread_ms + (int64_t)(random % (uint64_t)(2 * spread_ms + 1));
}

bool policy_acknowledges(struct bytes success, int status)
{
    if (success.len == 0 || status < 200 || status > 299)
        return status == 200;
    if (bytes_equal_text(success, "2xx"))
        return true;
    const char code[] = {'2', (char)('0' + status / 10 % 10), (char)('0' + status % 10)};
    while (success.len > 0)
        if (bytes_equal(bytes_cut(&success, ' '), bytes_make(code, sizeof code)))
            return true;
    return false;
}

static enum failure reason_of(const struct outcome *outcome)
{
    if (outcome->failure != FAILURE_NONE)
        return outcome->failure;
    if (outcome->status == 410)
        return FAILURE_GONE;
    return outcome->status >= 300 && outcome->status <= 399 ? FAILURE_REDIRECT : FAILURE_UNEXPECTED_STATUS;
}

/* The receiver has most likely not seen the request at all. */
static bool is_crossed(enum failure reason)
{
    return failure_class_of(reason) == FAILURE_CLASS_CROSSED;
}

/* A fault of our own uses up nothing; a lease lost again and again is most likely this delivery's doing. */
static bool is_free(enum failure reason)
{
    return failure_class_of(reason) == FAILURE_CLASS_OURS && reason != FAILURE_LEASE_LOST;
}

bool decision_is_outage(const struct decision *decision)
{
    bool here = decision->reason == FAILURE_LOCAL_OUTAGE || decision->reason == FAILURE_LOCAL_LIMIT ||
                decision->reason == FAILURE_SEALED;
    return decision->kind == DECISION_RELEASE && here && decision->delay_ms > 0;
}

struct decision policy_decide(const struct policy *policy, const struct push_settings *push,
                              const struct outcome *outcome, int32_t attempt, int64_t age_ms, uint64_t random)
{
    assert(attempt >= 0 && attempt < INT32_MAX);
    if (outcome->failure == FAILURE_NONE &&
        policy_acknowledges(push_settings_of(push)->success, outcome->status))
        return (struct decision){DECISION_DELIVERED, 0, FAILURE_NONE};
    enum failure reason = reason_of(outcome);
    if (is_crossed(reason))
        return (struct decision){DECISION_RELEASE, 0, reason};
    if (is_free(reason))
        return (struct decision){DECISION_RELEASE, policy->local_delay_ms, reason};
    if (age_ms >= policy->window_ms)
        return (struct decision){DECISION_GIVE_UP, 0, reason};
    int64_t delay_ms = policy_backoff_ms(policy, attempt + 1, random);
    int64_t after_ms = outcome->retry_after_ms < policy->retry_after_ms_max ? outcome->retry_after_ms
                                                                            : policy->retry_after_ms_max;
    bool refused = outcome->failure == FAILURE_NONE && (outcome->status == 429 || outcome->status == 503);
    return (struct decision){.kind = DECISION_RETRY,
                             .delay_ms = after_ms > delay_ms ? after_ms : delay_ms,
                             .reason = reason,
                             .refused = refused,
                             .hold_ms = refused && after_ms > 0 ? after_ms : 0};
}
