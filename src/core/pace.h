/*
 * pace: how much of one endpoint may be under way (promise P7). Pure: time is an argument.
 *
 * Five limits, and an endpoint may take one more lease if all of them allow it:
 *
 *   share     what one endpoint may have of all leases: a part of those that are free (pace_share)
 *   window    what this endpoint has shown that it bears: doubles each second while it answers and uses it
 *   rate      an endpoint that refuses (429, 503) gets as many a second as it takes (pushback.h)
 *   failing   an endpoint that fails is tried once at a time, and held after each failure for a time that
 *             doubles; all of them together get so many attempts a second
 *   recovery  an endpoint that answers again starts with a small window
 *
 * The caller keeps one `struct pace` an endpoint, tells it how each attempt ended, and asks.
 */
#pragma once
#include "pushback.h"
#include "rate.h"
#include <stdbool.h>
#include <stdint.h>

struct pace_config {
    int slots;             /* leases of all endpoints together */
    int at_once_max;       /* leases of one endpoint */
    int64_t failing_per_s; /* attempts to all endpoints that fail together */
    int64_t hold_first_ms; /* after the failure with which an endpoint starts failing */
    int64_t hold_ms_max;
    int64_t growth_ms;      /* the window doubles at most once in so long */
    int64_t local_delay_ms; /* between attempts while the fault is our own */
};
struct pace_config pace_default(void);
/* The same, `scale` times as fast (serve --time-scale). */
struct pace_config pace_scaled(struct pace_config config, int scale);

/* Zeroed memory is an endpoint that was never tried. */
struct pace {
    int64_t held_until_ms;
    int64_t began_failing_ms;
    int64_t grew_ms;
    int64_t answered_ms;
    int32_t window; /* 0: as that of a new one */
    int32_t failures_in_a_row;
    int32_t probes_failed; /* in a row, since it fails */
    int32_t took_ms;       /* how long attempts took lately, smoothed */
    struct pushback pushback;
    bool ever_answered;
    bool failing;
    bool released; /* its last attempt failed for a fault of our own */
    bool pinched;  /* the window was what kept it from more, since it grew last */
};

enum pace_health {
    PACE_QUICK,   /* answers quickly and has nothing late under way: goes first, may draw on the reserve */
    PACE_PLAIN,   /* all others that do not fail */
    PACE_FAILING, /* tried once at a time, from a budget that all of them share */
    PACE_STANDING_COUNT
};
/* `oldest_ms`: how long its oldest lease has been out; 0 if none is. */
enum pace_health pace_health(const struct pace *pace, int64_t oldest_ms, int64_t now_ms);

/*
 * How much of a common pool one endpoint may have in hand: a part of what is free, so that N of them that
 * keep all they get leave total / (1 + N / 6) to everybody else, whatever N is; and each gives back as
 * others come. A quarter of the pool is a reserve for those that are PACE_QUICK. 0: nothing is left for it.
 * The unit is the caller's: leases, or bytes.
 */
int64_t pace_share(int64_t total, int64_t in_use, enum pace_health health);

/* How many leases this endpoint may have at once, for its own sake. */
int pace_window(const struct pace *pace, const struct pace_config *config);
/* Nothing of it is claimed before. */
int64_t pace_from_ms(const struct pace *pace);
/* How many more it may have now, for its own sake, with `leased` out; 0 or more. */
int pace_more(const struct pace *pace, const struct pace_config *config, int leased, int64_t now_ms);

/* One more lease; `leased` with it. */
void pace_begun(struct pace *pace, const struct pace_config *config, int leased, int64_t now_ms);

struct pace_end {
    int64_t now_ms, began_ms; /* when the lease was given */
    int64_t took_ms;          /* the attempt itself */
    bool answered;            /* acknowledged; else it failed */
    bool refused;             /* it failed with 429 or 503 */
    int64_t retry_after_ms;   /* of a refusal: nothing is tried before; 0: it did not say */
    bool given_up;            /* it was the delivery's last */
    int64_t endpoint_id;      /* the seed of what is spread */
};

enum pace_change { PACE_SAME, PACE_BEGAN_FAILING, PACE_RECOVERED };

/* An attempt that counts has ended. What it changed is for whoever tells people. */
enum pace_change pace_ended(struct pace *pace, const struct pace_config *config, const struct pace_end *end);
/*
 * Deliveries that failed because of their endpoint rather than of themselves wait for it, not for their own
 * backoff: they are due, in order of acceptance, when it answers again. The caller keeps the ids, at most so
 * many an endpoint; more go by their backoff.
 */
enum { PACE_MISSED_MAX = 512 };
/* When such a delivery is due again; `attempt`: what it has counted, with this one. After pace_ended. */
enum pace_again {
    PACE_BY_BACKOFF,
    PACE_ON_ANSWER, /* the next one */
    PACE_ON_RECOVERY
};
enum pace_again pace_again(const struct pace *pace, const struct pace_end *end, int32_t attempt);

/* A person wants it tried now: nothing holds it. */
void pace_hurry(struct pace *pace);
/* As if it had never been tried: it has a new URL. */
void pace_renew(struct pace *pace);
/* The process begins anew, and deliveries of it wait: who knows whether it takes them? It begins with few. */
void pace_resumed(struct pace *pace);
/* It has answered in a former life of the process. */
void pace_proven(struct pace *pace);

/*
 * Our own outage (no network, no resolver). An endpoint that was told so by its own attempt is tried once at
 * a time, and while nobody's attempt ends in another way, all such endpoints together are. One that has not
 * been told is tried: its way may be another, as over IPv6. Zeroed memory: there is none.
 */
struct pace_outage {
    bool on;
    int64_t from_ms; /* the next attempt of all */
};

/* An attempt of this endpoint failed for a fault of our own. */
void pace_released(struct pace *pace, struct pace_outage *outage, const struct pace_config *config,
                   int64_t now_ms);
/* Nothing of this endpoint is claimed before, for the outage's sake. */
int64_t pace_outage_from_ms(const struct pace *pace, const struct pace_outage *outage);
/* One more lease of this endpoint. */
void pace_outage_begun(const struct pace *pace, struct pace_outage *outage, const struct pace_config *config,
                       int64_t now_ms);

/* What all endpoints that fail may begin together. Zeroed memory is a full one. */
struct pace_budget {
    struct rate_bucket bucket;
    int64_t from_ms; /* once it was used up: nothing before it is full again, so that they come in groups */
};

int pace_budget_left(const struct pace_budget *budget, const struct pace_config *config, int64_t now_ms);
void pace_budget_spend(struct pace_budget *budget, const struct pace_config *config, int64_t now_ms);
