#include "quota.h"
#include <stdbool.h>

static bool passes(int64_t used, int64_t more, int64_t limit)
{
    return limit > 0 && more > 0 && used > limit - more;
}

struct quota_reached quota_beyond(const struct user_usage *used, const struct user_usage *more,
                                  const struct user_usage *limits)
{
    if (passes(used->pending, more->pending, limits->pending))
        return (struct quota_reached){QUOTA_WAITING, limits->pending, used->pending};
    if (passes(used->stored_bytes, more->stored_bytes, limits->stored_bytes))
        return (struct quota_reached){QUOTA_STORED_BYTES, limits->stored_bytes, used->stored_bytes};
    if (passes(used->resources, more->resources, limits->resources))
        return (struct quota_reached){QUOTA_RESOURCES, limits->resources, used->resources};
    return (struct quota_reached){QUOTA_NONE, 0, 0};
}
