/*
 * pushback: the rate at which an endpoint takes requests, measured by its refusals (429, 503). Pure.
 *
 * There is no limit until it refuses. Then the rate falls to four fifths of the last rate, returns to it
 * within some seconds, stays near it for a while, and then rises ever faster, as in TCP CUBIC. After a
 * minute without a refusal the limit ends. Requests that were under way at the refusal are not new
 * refusals. Requests begin in groups of about 20 ms, because one transaction for each would cost too much.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* Zeroed memory: an endpoint that has never refused. Rates are in thousandths of a request a second. */
struct pushback {
    int64_t peak;                          /* its rate when it refused; 0: no limit */
    int64_t cut_ms;                        /* the last refusal */
    int64_t credit, credit_at_ms;          /* thousandths of a request that may begin, at that time */
    int64_t from_ms;                       /* no request begins before */
    int64_t metered_from_ms, metered_last; /* requests taken in the last full second */
    int32_t metered;                       /* and in the current one */
};

/* A request that began at `began_ms` was taken, or refused. Refused: true if it is a new refusal. */
void pushback_taken(struct pushback *pushback, int64_t now_ms, int64_t began_ms);
bool pushback_refused(struct pushback *pushback, int64_t now_ms, int64_t began_ms);
void pushback_forget(struct pushback *pushback);
/* One request may begin now, whatever the rate. */
void pushback_hurry(struct pushback *pushback);

/* The requests that may begin now; INT32_MAX: no limit. */
int pushback_left(const struct pushback *pushback, int64_t now_ms);
void pushback_begun(struct pushback *pushback, int64_t now_ms);
/* 0: no limit. */
int64_t pushback_rate(const struct pushback *pushback, int64_t now_ms);
