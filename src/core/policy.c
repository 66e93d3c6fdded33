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
                           .scale = 1,
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
    policy.scale = scale;
    return policy;
}

static int64_t spread(const struct policy *policy, int64_t delay_ms, uint64_t random)
{
    int64_t spread_ms = delay_ms * policy->jitter_percent / 100;
    return delay_ms - spread_ms + (int64_t)(random % (uint64_t)(2 * spread_ms + 1));
}

int64_t policy_backoff_ms(const struct policy *policy, int32_t attempt, uint64_t random)
{
    assert(attempt >= 1 && policy->factor >= 1 && policy->jitter_percent >= 0 &&
           policy->jitter_percent < 100);
    int64_t delay_ms = policy->base_ms < policy->cap_ms ? policy->base_ms : policy->cap_ms;
    for (int32_t i = 1; i < attempt && delay_ms < policy->cap_ms && policy->factor > 1; i++)
        delay_ms = delay_ms > policy->cap_ms / policy->factor ? policy->cap_ms : delay_ms * policy->factor;
    return spread(policy, delay_ms, random);
}

struct policy policy_with(const struct policy *policy, const struct retry *retry)
{
    struct policy own = *policy;
    int64_t *const places[] = {
        [RETRY_BASE] = &own.base_ms, [RETRY_CAP] = &own.cap_ms, [RETRY_WINDOW] = &own.window_ms};
    for (int i = 0; i < RETRY_MEMBERS; i++)
        if (i != RETRY_FACTOR && retry->backoff[i] > 0)
            *places[i] = scaled((int64_t)retry->backoff[i] * SECOND_MS, policy->scale);
    if (retry->backoff[RETRY_FACTOR] > 0)
        own.factor = retry->backoff[RETRY_FACTOR];
    return own;
}

int policy_retries(const struct policy *policy, const struct retry *retry)
{
    struct policy own = policy_with(policy, retry);
    int64_t age_ms = 0;
    int count = 0;
    own.jitter_percent = 0;
    while (age_ms < own.window_ms && count <= RETRY_STEPS_MAX)
        age_ms += policy_backoff_ms(&own, ++count, 0);
    return retry->steps > 0 ? retry->steps : count;
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

/* The time until the retry; -1: this was the last attempt. */
static int64_t wait_ms(const struct policy *policy, const struct push_settings *push, int32_t attempt,
                       int64_t age_ms, uint64_t random)
{
    struct retry retry;
    bool own = push && retry_parse(push->retry, &retry);
    if (own && retry.steps > 0)
        return attempt >= retry.steps
                   ? -1
                   : spread(policy, scaled((int64_t)retry.step_s[attempt] * SECOND_MS, policy->scale),
                            random);
    struct policy with = own ? policy_with(policy, &retry) : *policy;
    return age_ms >= with.window_ms ? -1 : policy_backoff_ms(&with, attempt + 1, random);
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
    int64_t delay_ms = wait_ms(policy, push, attempt, age_ms, random);
    if (delay_ms < 0)
        return (struct decision){DECISION_GIVE_UP, 0, reason};
    int64_t after_ms = outcome->retry_after_ms < policy->retry_after_ms_max ? outcome->retry_after_ms
                                                                            : policy->retry_after_ms_max;
    bool refused = outcome->failure == FAILURE_NONE && (outcome->status == 429 || outcome->status == 503);
    return (struct decision){.kind = DECISION_RETRY,
                             .delay_ms = after_ms > delay_ms ? after_ms : delay_ms,
                             .reason = reason,
                             .refused = refused,
                             .hold_ms = refused && after_ms > 0 ? after_ms : 0};
}
