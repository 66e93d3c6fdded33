/*
 * shares: how much of the loop's time the TLS handshakes of one endpoint may take.
 *
 * A handshake costs us half a millisecond, and with a large client key ten. So each endpoint has
 * SHARES_PERCENT of the loop's time for them, and may save up SHARES_BURST_US of it. All of them together
 * have half of the loop's time; beyond that, those that took nearly nothing lately still go on. Endpoints are
 * told by a hash: two may share a share. For a listener, client addresses are the endpoints.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum {
    SHARES_PERCENT = 10,
    SHARES_ALL_PERCENT = 50,
    SHARES_BURST_US = 200 * 1000,
    SHARES_LIGHT_US = 20 * 1000, /* took nearly nothing lately: this, and two milliseconds a second */
    SHARES_LIGHT_PERMILLE = 2,
    SHARES_FIRST_US = 1000, /* what a handshake is taken to cost before one was measured */
    SHARES_PLACES = 4096
};

struct share {
    int64_t repaid_us; /* when what was taken will have been repaid */
    int64_t light_us;  /* the same at the pace of SHARES_LIGHT_PERMILLE */
    int64_t cost_us;   /* of a handshake, as lately measured */
};

struct shares {
    int percent; /* of one endpoint; 0: SHARES_PERCENT */
    struct share all, places[SHARES_PLACES];
};

/* May a handshake of this endpoint begin now? If so, what it will likely cost is taken at once. */
bool shares_take(struct shares *shares, int64_t endpoint, int64_t now_us);
/* What it has cost; once. */
void shares_took(struct shares *shares, int64_t endpoint, int64_t now_us, int64_t cost_us);
/* And what has come to that since. */
void shares_took_more(struct shares *shares, int64_t endpoint, int64_t now_us, int64_t more_us);
