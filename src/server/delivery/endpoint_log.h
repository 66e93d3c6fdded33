/*
 * endpoint_log: the log lines about deliveries. Info: an endpoint starts failing, recovers or is disabled; an
 * event is given up. Warn: our own outage holds an endpoint. Debug: each attempt. A line has ids, reasons
 * and numbers, but no URL, no header and no words of the receiver, which may contain a secret.
 *
 * The log stays readable with any number of failing endpoints: a few lines a second in all, one line of a
 * kind in ten seconds for an endpoint; left out lines are counted. Used by the engine's thread only.
 */
#pragma once
#include "log.h"
#include "model.h"
#include "policy.h"

struct endpoint_log;

struct endpoint_end {
    int64_t user_id, endpoint_id, event_id, delivery_id;
    struct decision decision;
    int attempt; /* its number among the counted ones */
    int status;
    int64_t duration_ms;
    enum endpoint_disabled disabled; /* because of this answer */
};

struct endpoint_log *endpoint_log_open(struct log *log);
void endpoint_log_close(struct endpoint_log *endpoints);
/* The outcome of an attempt is recorded. `now_ms` is monotonic. */
void endpoint_log_ended(struct endpoint_log *endpoints, int64_t now_ms, const struct endpoint_end *end);
/* Call it now and then: logs the number of left out lines, and forgets healthy endpoints. */
void endpoint_log_tick(struct endpoint_log *endpoints, int64_t now_ms);
