#include "descriptors.h"
#include <sys/resource.h>

int64_t descriptors_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 1024; /* the usual limit */
    if (limit.rlim_cur < limit.rlim_max) {
        struct rlimit raised = {limit.rlim_max, limit.rlim_max};
        if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
            limit = raised;
    }
    return limit.rlim_cur > INT32_MAX ? INT32_MAX : (int64_t)limit.rlim_cur;
}

static int64_t at_least_one(int64_t value)
{
    return value > 0 ? value : 1;
}

struct descriptor_shares descriptors_share(int64_t limit, int64_t own, int64_t connections,
                                           int64_t deliveries)
{
    struct descriptor_shares shares = {.limit = limit,
                                       .needed = own + connections + deliveries,
                                       .connections = connections,
                                       .deliveries = deliveries};
    int64_t left = limit - own, half = left / 2;
    if (shares.needed <= limit)
        return shares;
    if (connections <= half)
        shares.deliveries = left - connections;
    else if (deliveries <= left - half)
        shares.connections = left - deliveries;
    else
        shares = (struct descriptor_shares){limit, shares.needed, half, left - half};
    shares.connections = at_least_one(shares.connections);
    shares.deliveries = at_least_one(shares.deliveries);
    return shares;
}
