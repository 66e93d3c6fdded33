/*
 * endpoint_log: what the log says of deliveries: at info when an endpoint starts failing, recovers or is
 * paused, and when an event is given up; at warn when a fault of our own holds it up; at debug each attempt.
 * Ids, reasons and numbers only: no URL, no header and nothing that a receiver said comes here, as there may
 * be a secret in them.
 *
 * However many endpoints fail, the log stays readable: a few lines a second in all, one line of a kind in ten
 * seconds for an endpoint, and what was left out is counted and said. On one thread, the engine's.
 */
#pragma once
#include "log.h"
#include "policy.h"

struct endpoint_log;

struct endpoint_end {
    int64_t user_id, endpoint_id, event_id, delivery_id;
    struct decision decision;
    int attempt; /* which one that counted it was */
    int status;
    int64_t duration_ms;
    bool paused; /* the endpoint was paused for this answer */
};

struct endpoint_log *endpoint_log_open(struct log *log);
void endpoint_log_close(struct endpoint_log *endpoints);
/* An attempt's outcome is on record. `now_ms` is monotonic. */
void endpoint_log_ended(struct endpoint_log *endpoints, int64_t now_ms, const struct endpoint_end *end);
/* Now and then: says what was left out, and forgets who is well. */
void endpoint_log_tick(struct endpoint_log *endpoints, int64_t now_ms);
