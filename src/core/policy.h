/*
 * policy: what follows from the end of an attempt. One pure function; its test is a table.
 *
 * Mission rows 26 to 30. Only 200 acknowledges, or what the endpoint has in `success`. Otherwise the delivery
 * is retried with an exponential backoff (base 10 s, factor 3, cap 12 h, jitter 10 %). The first attempt that
 * fails 72 h or more after the first one is the last. Retry-After is honoured if it is later than the
 * backoff, at most 6 h; with 429 and 503 it holds the endpoint too. Our own faults use up neither attempts
 * nor window (promise P3).
 *
 * An endpoint's `retry` (retry.h) takes the place of base, factor, cap and window; a schedule has no window.
 */
#pragma once
#include "failure.h"
#include "push_settings.h"
#include "retry.h"
#include <stdbool.h>
#include <stdint.h>

struct policy {
    int64_t base_ms, cap_ms;
    int factor;
    int jitter_percent;         /* the delay is spread evenly over plus and minus this */
    int64_t window_ms;          /* an attempt that fails at this age or later is the last */
    int64_t retry_after_ms_max; /* a longer one is cut to this */
    int64_t local_delay_ms;     /* after a fault of our own */
    int scale; /* the durations here are divided by it already, an endpoint's own are when they are used */
    int lost_leases_max; /* from this number in a row on, a lost lease counts as an attempt */
};

struct policy policy_default(void);
/* The same, `scale` times as fast (serve --time-scale); no duration falls below 1 ms. */
struct policy policy_scaled(struct policy policy, int scale);

/* How an attempt ended. failure NONE: the whole request was written, and a final status line with a complete
 * and valid header block came back (the acknowledgement rule of posthorn-delivery(7)). */
struct outcome {
    enum failure failure;
    int status;             /* 0: no answer */
    int64_t retry_after_ms; /* -1: none or not understood */
};

enum decision_kind {
    DECISION_DELIVERED,
    DECISION_RETRY,   /* after delay_ms; counted as an attempt */
    DECISION_GIVE_UP, /* counted, and the last */
    DECISION_RELEASE  /* after delay_ms; not counted, the window is extended */
};

struct decision {
    enum decision_kind kind;
    int64_t delay_ms;
    enum failure
        reason;   /* NONE when delivered; a bare wrong status becomes GONE, REDIRECT or UNEXPECTED_STATUS */
    bool refused; /* 429 or 503: the endpoint, not this delivery, is to be tried less (pushback.h) */
    int64_t hold_ms; /* its Retry-After: the endpoint is not tried for this time */
};

/* True: released with a delay because posthorn could not send (no network, no resolver, no descriptors or
 * ports, a sealed identity). A release without a delay was never tried, and is no outage. */
bool decision_is_outage(const struct decision *decision);

/* Does this status acknowledge? `success` is that of push_settings.h. No status but 200 to 299 ever does. */
bool policy_acknowledges(struct bytes success, int status);

struct decision policy_decide(const struct policy *policy,
                              const struct push_settings *push /* the endpoint's; NULL: the defaults */,
                              const struct outcome *outcome,
                              int32_t attempt /* counted before this one, from 0 */,
                              int64_t age_ms /* since the first attempt, without our own outages */,
                              uint64_t random);

/* How many retries of a delivery that always fails at once these are, without jitter; RETRY_STEPS_MAX + 1:
 * more. */
int policy_retries(const struct policy *policy, const struct retry *retry);
/* The policy with what a `retry` without a schedule has in place of the settings. */
struct policy policy_with(const struct policy *policy, const struct retry *retry);

/* The backoff after the n-th counted failure; n from 1. */
int64_t policy_backoff_ms(const struct policy *policy, int32_t attempt, uint64_t random);
