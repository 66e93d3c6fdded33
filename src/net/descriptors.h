/*
 * descriptors: divides the file descriptors of the process, so that neither clients nor receivers can use up
 * all of them. The system's limit is read once, at the start.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct descriptor_shares {
    int64_t limit;       /* of the process */
    int64_t needed;      /* for all that the settings ask for */
    int64_t connections; /* from clients */
    int64_t deliveries;  /* connections to receivers in use; idle ones are closed for them */
};

/* Raises the soft limit to the hard one, and returns it. */
int64_t descriptors_limit(void);
/* Divides `limit`, of which the program itself needs `own`. If it is not enough for both, each gets at least
 * half. Pure. */
struct descriptor_shares descriptors_share(int64_t limit, int64_t own, int64_t connections,
                                           int64_t deliveries);
