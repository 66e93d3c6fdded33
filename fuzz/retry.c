/* An endpoint's retries, as they stand in a store that may be damaged. Accepted text keeps to the
 * limits, and the policy that follows it never waits less than 1 ms, nor for ever. */
#include "policy.h"
#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_limits(const struct retry *retry)
{
    assert(retry->steps >= 0 && retry->steps <= RETRY_STEPS_MAX);
    for (int i = 0; i < retry->steps; i++)
        assert(retry->step_s[i] >= 1 && retry->step_s[i] <= RETRY_S_MAX);
    for (int i = 0; i < RETRY_MEMBERS; i++)
        assert(retry->backoff[i] >= 0 && retry->backoff[i] <= retry_member_max((enum retry_member)i));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct policy policy = policy_default();
    struct push_settings push = {.retry = bytes_make(data, size)};
    struct outcome refused = {.status = 500, .retry_after_ms = -1};
    struct retry retry;
    if (!retry_parse(push.retry, &retry))
        return 0;
    check_limits(&retry);
    int retries = policy_retries(&policy, &retry);
    assert(retries >= 0 && retries <= RETRY_STEPS_MAX + 1);
    for (int attempt = 0; attempt <= RETRY_STEPS_MAX; attempt++) {
        struct decision decision = policy_decide(&policy, &push, &refused, attempt, 0, size * 2654435761u);
        bool last = retry.steps > 0 && attempt >= retry.steps;
        assert(decision.kind == (last ? DECISION_GIVE_UP : DECISION_RETRY));
        assert(last || (decision.delay_ms >= 1 && decision.delay_ms <= RETRY_S_MAX * 1100LL));
    }
    return 0;
}
