/*
 * descriptors: how the file descriptors of the process are shared out, so that neither clients nor receivers
 * can use up what the others need. The system's limit is asked once, at the start.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct descriptor_shares {
    int64_t limit;       /* of the process */
    int64_t needed;      /* for all that was wanted */
    int64_t connections; /* of clients */
    int64_t deliveries;  /* connections to receivers that are in use; kept ones give way to them */
};

/* Raises the soft limit to the hard one, and returns it. */
int64_t descriptors_limit(void);
/* What each gets of `limit` when `own` are for the program itself. When there is not enough for both, each
 * has at least half. Pure. */
struct descriptor_shares descriptors_share(int64_t limit, int64_t own, int64_t connections,
                                           int64_t deliveries);
