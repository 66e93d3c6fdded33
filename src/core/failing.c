#include "failing.h"

void failing_bound(struct failing *failing, int64_t now_ms)
{
    if (failing->since_ms <= 0 || failing->since_ms > now_ms)
        *failing = (struct failing){0};
    else if (failing->outage_from_ms < failing->since_ms || failing->outage_from_ms > now_ms)
        failing->outage_from_ms = 0;
}

bool failing_is_failure(const struct ledger_outcome *outcome)
{
    enum decision_kind kind = outcome->decision.kind;
    return !outcome->answered && (kind == DECISION_RETRY || kind == DECISION_GIVE_UP);
}

void failing_ended(struct failing *failing, const struct ledger_outcome *outcome, bool idle, int64_t now_ms)
{
    if (outcome->answered || idle) {
        *failing = (struct failing){0};
    } else if (decision_is_outage(&outcome->decision)) {
        if (failing->since_ms > 0 && failing->outage_from_ms == 0)
            failing->outage_from_ms = now_ms;
    } else if (failing_is_failure(outcome)) {
        if (failing->since_ms == 0)
            failing->since_ms = now_ms > 0 ? now_ms : 1;
        else if (failing->outage_from_ms > 0)
            failing->since_ms += now_ms - failing->outage_from_ms;
        failing->outage_from_ms = 0;
    }
}

enum endpoint_disabled failing_disables(const struct failing *failing, const struct ledger_outcome *outcome,
                                        struct failing_limits limits, const struct pace_config *config,
                                        int64_t now_ms)
{
    if (!failing_is_failure(outcome))
        return ENDPOINT_ENABLED;
    if (outcome->decision.reason == FAILURE_GONE && limits.disable_on_410)
        return ENDPOINT_GONE;
    bool too_long =
        limits.disable_after > 0 && now_ms - failing->since_ms >= limits.disable_after * config->day_ms;
    return too_long ? ENDPOINT_FAILING : ENDPOINT_ENABLED;
}
