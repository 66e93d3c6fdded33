/* quota: what a user has stored and waiting, and the limits for it. */
#pragma once
#include <stdint.h>

struct user_usage {
    int64_t stored_bytes; /* of the documents of its events and of snapshots that are stored apart */
    int64_t resources;    /* without those of the last events, about 1,024, whose rows are written later */
    int64_t pending;      /* deliveries to its endpoints that have not ended */
};

enum quota { QUOTA_NONE, QUOTA_STORED_BYTES, QUOTA_RESOURCES, QUOTA_WAITING };

struct quota_reached {
    enum quota quota;
    int64_t limit, used;
};

/* The limit (0: none) that `used` and `more` together would exceed. A usage that does not grow exceeds none.
 */
struct quota_reached quota_beyond(const struct user_usage *used, const struct user_usage *more,
                                  const struct user_usage *limits);
