/* quota: what a user has here, and how much of it a user may have: its quotas. */
#pragma once
#include <stdint.h>

struct user_usage {
    int64_t stored_bytes; /* documents of its events, until they are purged; snapshots that stand alone */
    int64_t resources;    /* late by the events that are ahead of the table, 1,024 or so */
    int64_t pending;      /* deliveries to its endpoint that have not ended */
};

enum quota { QUOTA_NONE, QUOTA_STORED_BYTES, QUOTA_RESOURCES, QUOTA_WAITING };

struct quota_reached {
    enum quota quota;
    int64_t limit, used;
};

/* Which of the limits (0: there is none) would be passed with so much more. What does not grow passes none,
 * however much of it there is. */
struct quota_reached quota_beyond(const struct user_usage *used, const struct user_usage *more,
                                  const struct user_usage *limits);
