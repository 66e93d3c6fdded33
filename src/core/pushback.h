/*
 * pushback: the rate at which an endpoint takes requests, found out from its refusals (429, 503). Pure.
 *
 * Until it refuses there is no limit. Then the rate falls to four fifths of what it was taking, comes back to
 * that within some seconds, stays near it for a while, and then asks for more and more, as TCP's CUBIC does;
 * after a minute without a refusal the limit is gone. Requests that were under way when it refused say
 * nothing new. What comes is let through in groups of some 20 ms, for a transaction each would cost too much.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* Zeroed memory is an endpoint that has never refused. Rates are in thousandths a second. */
struct pushback {
    int64_t peak;                          /* what it took when it refused; 0: no limit */
    int64_t cut_ms;                        /* when it refused last */
    int64_t credit, credit_at_ms;          /* thousandths of a request that may begin, as of when */
    int64_t from_ms;                       /* none begins before */
    int64_t metered_from_ms, metered_last; /* what it took in the last second that is over */
    int32_t metered;                       /* and has taken in the one that is not */
};

/* One was taken, or refused; `began_ms`: when it was begun. Refused: true if that is news. */
void pushback_taken(struct pushback *pushback, int64_t now_ms, int64_t began_ms);
bool pushback_refused(struct pushback *pushback, int64_t now_ms, int64_t began_ms);
void pushback_forget(struct pushback *pushback);
/* One may begin now, whatever it took. */
void pushback_hurry(struct pushback *pushback);

/* How many may begin now; INT32_MAX: there is no limit. */
int pushback_left(const struct pushback *pushback, int64_t now_ms);
void pushback_begun(struct pushback *pushback, int64_t now_ms);
/* Thousandths a second; 0: no limit. */
int64_t pushback_rate(const struct pushback *pushback, int64_t now_ms);
