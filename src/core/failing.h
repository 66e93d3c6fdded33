/*
 * failing: since when an endpoint has only failed. Pure. All times are of the service clock (store.h), so the
 * time while posthorn is down does not count.
 *
 * It begins with a failed attempt, and ends with an acknowledged one. It ends too when the endpoint is paused
 * or gets a new URL, because the time until it is tried again says nothing about the receiver. The time
 * during which our own outage keeps the endpoint from being tried does not count.
 */
#pragma once
#include "ledger.h"
#include "pace.h"

/* Zeroed memory: it does not fail. */
struct failing {
    int64_t since_ms;       /* the first failure, moved by our outages since; 0: none */
    int64_t outage_from_ms; /* our outage keeps it from being tried since then; 0: it does not */
};

/* For a row from a disk, which may hold any number. Afterwards both are 0 or an instant up to now. */
void failing_bound(struct failing *failing, int64_t now_ms);
/* It counts: not acknowledged, and not because of us. */
bool failing_is_failure(const struct ledger_outcome *outcome);
/* An attempt has ended. `idle`: the endpoint was paused or removed meanwhile. */
void failing_ended(struct failing *failing, const struct ledger_outcome *outcome, bool idle, int64_t now_ms);
static inline bool failing_equal(const struct failing *a, const struct failing *b)
{
    return a->since_ms == b->since_ms && a->outage_from_ms == b->outage_from_ms;
}
/* The owner's settings for it. */
struct failing_limits {
    bool disable_on_410;
    int32_t disable_after; /* days of failures only; 0: any number */
};
/* Why this outcome disables an endpoint that is not idle. After failing_ended. */
enum endpoint_disabled failing_disables(const struct failing *failing, const struct ledger_outcome *outcome,
                                        struct failing_limits limits, const struct pace_config *config,
                                        int64_t now_ms);
