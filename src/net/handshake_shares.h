/*
 * handshake_shares: how much of the loop's time the TLS handshakes of one endpoint may take.
 *
 * A handshake costs us half a millisecond, and with a large client key ten. So each endpoint has
 * HANDSHAKE_SHARES_PERCENT of the loop's time for them, and may save up HANDSHAKE_SHARES_BURST_US of it. All
 * of them together have half of the loop's time; beyond that, those that took nearly nothing lately still go
 * on. Endpoints are told by a hash: two may share a share. For a listener, client addresses are the
 * endpoints.
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
    HANDSHAKE_SHARES_FIRST_US = 1000, /* what a handshake is taken to cost before one was measured */
    HANDSHAKE_SHARES_PLACES = 4096
};

struct handshake_share {
    int64_t repaid_us; /* when what was taken will have been repaid */
    int64_t light_us;  /* the same at the pace of HANDSHAKE_SHARES_LIGHT_PERMILLE */
    int64_t cost_us;   /* of a handshake, as lately measured */
};

struct handshake_shares {
    int percent; /* of one endpoint; 0: HANDSHAKE_SHARES_PERCENT */
    struct handshake_share all, places[HANDSHAKE_SHARES_PLACES];
};

/* May a handshake of this endpoint begin now? If so, what it will likely cost is taken at once. */
bool handshake_shares_take(struct handshake_shares *shares, int64_t endpoint, int64_t now_us);
/* What it has cost; once. */
void handshake_shares_took(struct handshake_shares *shares, int64_t endpoint, int64_t now_us,
                           int64_t cost_us);
/* And what has come to that since. */
void handshake_shares_took_more(struct handshake_shares *shares, int64_t endpoint, int64_t now_us,
                                int64_t more_us);
