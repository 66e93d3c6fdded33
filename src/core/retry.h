/*
 * retry: when an endpoint wants its retries, in place of the settings. Pure.
 *
 * It is stored as text (push_settings.h):
 *   schedule 10 30 90         the seconds before each retry. If the last one fails, the delivery is given up
 *   backoff 10 3 3600 86400   base, factor, cap and window (policy.h), in seconds; 0: as the settings say
 */
#pragma once
#include "bytes.h"

enum {
    RETRY_STEPS_MAX = 100,
    RETRY_S_MAX = 14 * 24 * 3600, /* of each number of seconds, and of a whole schedule */
    RETRY_FACTOR_MAX = 100
};

enum retry_member { RETRY_BASE, RETRY_FACTOR, RETRY_CAP, RETRY_WINDOW, RETRY_MEMBERS };
extern const char *const retry_member_names[]; /* NULL ends */
int32_t retry_member_max(enum retry_member member);

struct retry {
    int steps; /* of the schedule; 0: it is a backoff */
    int32_t step_s[RETRY_STEPS_MAX];
    int32_t backoff[RETRY_MEMBERS]; /* 0: as the settings say */
};

/* False: it is empty, or none that was ever stored; the settings hold. */
bool retry_parse(struct bytes text, struct retry *retry);
