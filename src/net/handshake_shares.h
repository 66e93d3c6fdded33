/*
 * handshake_shares: how much of the loop's time, and of the room for handshakes under way, the TLS handshakes
 * of one endpoint may take. For a listener, client addresses are the endpoints. They are told by a hash: two
 * may share a share.
 *
 * Time. A handshake costs us half a millisecond, and with a large client key ten. Each endpoint has
 * HANDSHAKE_SHARES_PERCENT of the loop's time for them, and may save up HANDSHAKE_SHARES_BURST_US of it. All
 * of them together have half of the loop's time; beyond that, those that took nearly nothing lately still go
 * on. While the loop sleeps, an endpoint gets more: all handshakes together take up to half of what is free,
 * and nobody owes what was free when he took it. Whoever is within his own share goes before.
 *
 * Room. One that hangs holds its memory for seconds. So an endpoint may hold a sixth of the places that are
 * free, and always one; the last quarter is for those whose last handshake was completed and that have waited
 * for none for a second. (The same rules as for leases: core/pace.h.)
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum {
    HANDSHAKE_SHARES_PERCENT = 10,
    HANDSHAKE_SHARES_ALL_PERCENT = 50,
    HANDSHAKE_SHARES_BURST_US = 200 * 1000,
    HANDSHAKE_SHARES_LIGHT_US =
        20 * 1000, /* took nearly nothing lately: this, and two milliseconds a second */
    HANDSHAKE_SHARES_LIGHT_PERMILLE = 2,
    HANDSHAKE_SHARES_FIRST_US = 1000,        /* what a handshake is taken to cost before one was measured */
    HANDSHAKE_SHARES_SPARE_US = 50 * 1000,   /* of what is free, taken ahead */
    HANDSHAKE_SHARES_WINDOW_US = 100 * 1000, /* over which the loop's sleep is measured */
    HANDSHAKE_SHARES_PART = 6,               /* of the places that are free: one sixth */
    HANDSHAKE_SHARES_HANGS_US = 1000 * 1000,
    HANDSHAKE_SHARES_PLACES = 1 << 16 /* 3 MB, touched as they are used */
};

struct handshake_share {
    int64_t repaid_us; /* when what was taken will have been repaid */
    int64_t light_us;  /* the same at the pace of HANDSHAKE_SHARES_LIGHT_PERMILLE */
    int64_t cost_us;   /* of a handshake, as lately measured */
    int64_t since_us;  /* that one began while none was under way, or the last one was completed */
    int under_way;
    bool completes; /* the last one that ended was completed */
};

/* What the loop does not need for other things. */
struct shares_spare {
    int64_t debt_us, at_us;
    int permille; /* of the time: the pace at which the debt is repaid */
    int64_t window_us, idle_us, cost_us;
};

struct handshake_shares {
    int percent; /* of one endpoint; 0: HANDSHAKE_SHARES_PERCENT */
    struct handshake_share all, places[HANDSHAKE_SHARES_PLACES];
    struct shares_spare spare;
};

/* How long the loop has slept in all its life. Without that, nothing is free. */
void shares_see(struct handshake_shares *shares, int64_t now_us, int64_t idle_us);
/* Is there a place for one more handshake of this endpoint, while so many are under way of the `max` that
 * may? */
bool shares_has_room(const struct handshake_shares *shares, int64_t endpoint, int64_t now_us, int under_way,
                     int max);
/* May a handshake of this endpoint begin now? If so, what it will likely cost is taken at once, and it is
 * under way until shares_end. */
bool handshake_shares_take(struct handshake_shares *shares, int64_t endpoint, int64_t now_us);
/* What it has cost; once. */
void handshake_shares_took(struct handshake_shares *shares, int64_t endpoint, int64_t now_us,
                           int64_t cost_us);
/* And what has come to that since. */
void handshake_shares_took_more(struct handshake_shares *shares, int64_t endpoint, int64_t now_us,
                                int64_t more_us);
void shares_end(struct handshake_shares *shares, int64_t endpoint, int64_t now_us, bool completed);
