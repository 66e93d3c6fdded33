/*
 * handshake_shares: limits the loop's time and the number of simultaneous TLS handshakes of one endpoint. In
 * a listener, client addresses are the endpoints. A hash maps them to shares, so two may have the same share.
 *
 * Time. A handshake costs us half a millisecond; with a large client key, ten. Each endpoint has
 * HANDSHAKE_SHARES_PERCENT of the loop's time and may save up HANDSHAKE_SHARES_BURST_US of it. All together
 * have half of the loop's time; beyond that, endpoints that took nearly nothing lately still continue.
 * While the loop sleeps, endpoints may take more: all handshakes together up to half of the free time,
 * which is not charged. Endpoints within their own share go first.
 *
 * Room. A handshake that hangs holds its memory for seconds. So an endpoint may hold a sixth of the free
 * places, and always one. The last quarter is for endpoints whose last handshake was completed and that
 * have waited for none for a second. (The same rules as for leases: core/pace.h.)
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum {
    HANDSHAKE_SHARES_PERCENT = 10,
    HANDSHAKE_SHARES_ALL_PERCENT = 50,
    HANDSHAKE_SHARES_BURST_US = 200 * 1000,
    HANDSHAKE_SHARES_LIGHT_US = 20 * 1000, /* "nearly nothing": this, and two milliseconds a second */
    HANDSHAKE_SHARES_LIGHT_PERMILLE = 2,
    HANDSHAKE_SHARES_FIRST_US = 1000,        /* assumed cost before one was measured */
    HANDSHAKE_SHARES_SPARE_US = 50 * 1000,   /* free time that may be taken in advance */
    HANDSHAKE_SHARES_WINDOW_US = 100 * 1000, /* over which the loop's sleep is measured */
    HANDSHAKE_SHARES_PART = 6,               /* an endpoint may hold a sixth of the free places */
    HANDSHAKE_SHARES_HANGS_US = 1000 * 1000,
    HANDSHAKE_SHARES_PLACES = 1 << 16 /* 3 MB, touched as they are used */
};

struct handshake_share {
    int64_t repaid_us; /* when the taken time will be repaid */
    int64_t light_us;  /* the same at the pace of HANDSHAKE_SHARES_LIGHT_PERMILLE */
    int64_t cost_us;   /* of a handshake, smoothed */
    int64_t since_us;  /* the first one under way began, or the last one was completed */
    int under_way;
    bool completes; /* the last one that ended was completed */
};

/* The free time of the loop. */
struct shares_spare {
    int64_t debt_us, at_us;
    int permille; /* of the time: the rate at which the debt is repaid */
    int64_t window_us, idle_us, cost_us;
};

struct handshake_shares {
    int percent; /* of one endpoint; 0: HANDSHAKE_SHARES_PERCENT */
    struct handshake_share all, places[HANDSHAKE_SHARES_PLACES];
    struct shares_spare spare;
};

/* `idle_us`: the total sleep of the loop. Without this call nothing is free. */
void shares_see(struct handshake_shares *shares, int64_t now_us, int64_t idle_us);
/* True: there is a place for one more handshake of this endpoint, if `under_way` of `max` are under way. */
bool shares_has_room(const struct handshake_shares *shares, int64_t endpoint, int64_t now_us, int under_way,
                     int max);
/* True: a handshake of this endpoint begins now. Its likely cost is charged, and it is under way until
 * shares_end. */
bool handshake_shares_take(struct handshake_shares *shares, int64_t endpoint, int64_t now_us);
/* Its real cost; call it once. */
void handshake_shares_took(struct handshake_shares *shares, int64_t endpoint, int64_t now_us,
                           int64_t cost_us);
/* More cost since then. */
void handshake_shares_took_more(struct handshake_shares *shares, int64_t endpoint, int64_t now_us,
                                int64_t more_us);
void shares_end(struct handshake_shares *shares, int64_t endpoint, int64_t now_us, bool completed);
