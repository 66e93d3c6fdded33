/*
 * pace: how many attempts to one endpoint may run at once (promise P7). Pure: time is an argument.
 *
 * Five limits. An endpoint may have one more lease if all of them allow it:
 *
 *   share     the part of all leases that one endpoint may have (pace_share)
 *   window    what this endpoint has shown that it can take: doubles each second while it answers and uses it
 *   rate      an endpoint that answers 429 or 503 gets as many requests a second as it takes (pushback.h)
 *   failing   a failing endpoint is tried with one delivery at a time, and held after each failure for a time
 *             that doubles. All failing endpoints together have a budget of attempts a second
 *   recovery  an endpoint that answers again starts with a small window
 *
 * The caller keeps one `struct pace` for each endpoint, reports the end of each attempt, and asks.
 */
#pragma once
#include "pushback.h"
#include "rate.h"
#include <stdbool.h>
#include <stdint.h>

struct pace_config {
    int slots;             /* leases of all endpoints together */
    int at_once_max;       /* leases of one endpoint */
    int64_t failing_per_s; /* attempts to all failing endpoints together */
    int64_t hold_first_ms; /* the first hold of an endpoint that starts failing */
    int64_t hold_ms_max;
    int64_t growth_ms;      /* the window doubles at most once in this time */
    int64_t local_delay_ms; /* between attempts during our own outage */
    int64_t day_ms;         /* of disable_after (failing.h) */
};
struct pace_config pace_default(void);
/* The same, `scale` times as fast (serve --time-scale). */
struct pace_config pace_scaled(struct pace_config config, int scale);

/* Zeroed memory: an endpoint that was never tried. */
struct pace {
    int64_t held_until_ms;
    int64_t began_failing_ms;
    int64_t grew_ms;
    int64_t answered_ms;
    int32_t window; /* 0: the window of a new endpoint */
    int32_t failures_in_a_row;
    int32_t probes_failed; /* in a row, since it started failing */
    int32_t took_ms;       /* smoothed duration of the last attempts */
    struct pushback pushback;
    bool ever_answered;
    bool failing;
    bool released; /* its last attempt met our own outage */
    bool pinched;  /* it has used its whole window since the window last grew */
};

enum pace_health {
    PACE_QUICK,   /* answers within a second and none of its attempts is late: goes first, has the reserve */
    PACE_PLAIN,   /* neither quick nor failing */
    PACE_FAILING, /* tried with one delivery at a time, within the common budget */
    PACE_STANDING_COUNT
};
/* `oldest_ms`: the age of its oldest lease; 0: it has none. */
enum pace_health pace_health(const struct pace *pace, int64_t oldest_ms, int64_t now_ms);

/*
 * The part of a pool that one endpoint may hold: a sixth of the free part. So N endpoints that keep all they
 * get leave total / (1 + N / 6) free, and each share shrinks as others come. The last quarter of the pool is
 * for endpoints that are PACE_QUICK. 0: nothing is left. The unit is the caller's: leases or bytes.
 */
int64_t pace_share(int64_t total, int64_t in_use, enum pace_health health);

/* The leases that this endpoint may have at once by its own window. */
int pace_window(const struct pace *pace, const struct pace_config *config);
/* Its deliveries are not claimed before this time. */
int64_t pace_from_ms(const struct pace *pace);
/* How many more leases its window and rate allow now, if it has `leased`; 0 or more. */
int pace_more(const struct pace *pace, const struct pace_config *config, int leased, int64_t now_ms);

/* It gets one more lease; `leased` includes that one. */
void pace_begun(struct pace *pace, const struct pace_config *config, int leased, int64_t now_ms);

struct pace_end {
    int64_t now_ms, began_ms; /* when the lease was given */
    int64_t took_ms;          /* duration of the attempt */
    bool answered;            /* true: acknowledged; false: failed */
    bool refused;             /* it failed with 429 or 503 */
    int64_t retry_after_ms;   /* Retry-After of a refusal; 0: none */
    bool given_up;            /* it was the delivery's last attempt */
    int64_t endpoint_id;      /* seed for spreading the holds */
};

enum pace_change { PACE_SAME, PACE_BEGAN_FAILING, PACE_RECOVERED };

/* A counted attempt has ended. */
enum pace_change pace_ended(struct pace *pace, const struct pace_config *config, const struct pace_end *end);
/*
 * A delivery that failed because of its endpoint waits for the endpoint, not for its own backoff. Such
 * deliveries become due in order of acceptance when the endpoint answers again. The caller keeps their ids,
 * at most PACE_MISSED_MAX for each endpoint; the others keep their backoff.
 */
enum { PACE_MISSED_MAX = 512 };
/* When a failed delivery is due again. `attempt`: its counted attempts, with this one. After pace_ended. */
enum pace_again {
    PACE_BY_BACKOFF,
    PACE_ON_ANSWER,  /* at the endpoint's next answer */
    PACE_ON_RECOVERY /* when the endpoint is no longer failing */
};
enum pace_again pace_again(const struct pace *pace, const struct pace_end *end, int32_t attempt);

/* A person wants it tried now: ends its holds. */
void pace_hurry(struct pace *pace);
/* It has a new URL: starts as a new endpoint. */
void pace_renew(struct pace *pace);
/* After a restart with waiting deliveries: starts with a small window. */
void pace_resumed(struct pace *pace);
/* It has answered before the restart. */
void pace_proven(struct pace *pace);

/*
 * Our own outage (no network, no resolver). Endpoints whose own attempt has met it are affected: all of them
 * together get one attempt in local_delay_ms, until some attempt ends in another way. Other endpoints are
 * tried as always, because their route may differ (IPv6). Zeroed memory: no outage.
 */
struct pace_outage {
    bool on;
    int64_t from_ms; /* the next common attempt */
};

/* An attempt to this endpoint met our outage. */
void pace_released(struct pace *pace, struct pace_outage *outage, const struct pace_config *config,
                   int64_t now_ms);
/* Because of the outage, no delivery to this endpoint is claimed before this time. */
int64_t pace_outage_from_ms(const struct pace *pace, const struct pace_outage *outage);
/* This endpoint gets one more lease. */
void pace_outage_begun(const struct pace *pace, struct pace_outage *outage, const struct pace_config *config,
                       int64_t now_ms);

/* The attempts that all failing endpoints together may begin. Zeroed memory: a full budget. */
struct pace_budget {
    struct rate_bucket bucket;
    int64_t from_ms; /* after it was used up: when it is full again. So attempts come in groups */
};

int pace_budget_left(const struct pace_budget *budget, const struct pace_config *config, int64_t now_ms);
void pace_budget_spend(struct pace_budget *budget, const struct pace_config *config, int64_t now_ms);
