/*
 * flow: the limits that the owner of an endpoint has set: how many attempts at once, how many in a time, and
 * whether one after the other. Pure: time is an argument. They come on top of the endpoint's pace (pace.h),
 * and a delivery that they hold is not claimed: it uses up no attempt.
 *
 * rate     In any span of that length at most `count` attempts begin, spread evenly: there is no burst after
 *          a quiet time. So 100 an hour is one in 36 s. Rates of 50 a second and more go in groups, one in
 *          20 ms and more, because one transaction for each attempt would cost too much. A lease counts when
 * it begins, whatever comes of it. The count starts afresh with the program and with a new rate. ordered  One
 * attempt at a time.
 */
#pragma once
#include "model.h"
#include "rate.h"

struct flow {
    struct flow_settings set;
    struct rate_bucket bucket;
};

/* The attempts that may be under way at once; INT32_MAX: no limit. */
int flow_at_once(const struct flow *flow);
/* No attempt begins before this time. */
int64_t flow_from_ms(const struct flow *flow);
/* The attempts that may begin now; INT32_MAX: no limit. */
int flow_left(const struct flow *flow, int64_t now_ms);
/* An attempt begins. */
void flow_begun(struct flow *flow, int64_t now_ms);
/* New settings. The count goes on if the rate is the same. */
void flow_set(struct flow *flow, const struct flow_settings *set);
