/*
 * dialer: makes one TCP connection to one of several addresses (a small form of RFC 8305).
 *
 * Each family has a lane, whose addresses are tried in turn. The second lane starts when the first has had
 * DIALER_SECOND_MS, or has failed. The first connection wins; the other one is closed.
 */
#pragma once
#include "connection.h"
#include "resolver.h"

enum { DIALER_SECOND_MS = 250 };

struct dialer_lane {
    struct connection *connection;
    int count, next;
    union address list[ADDRESSES_MAX];
};

struct dialer {
    struct connection_world *world;
    struct deadline_queue *second_limit;
    const struct peer *peer;
    struct dialer_lane lanes[2];
    struct deadline second;
    enum failure failure;  /* the most informative so far */
    union address address; /* the last one tried */
    int64_t expires_ms;    /* of the addresses */
    /* NONE: the caller owns the connection. Called once, after dialer_start has returned. */
    void (*done)(struct dialer *dialer, struct connection *connection, enum failure failure);
};

/* `addresses`: allowed ones with ports, in order; the family of the first one starts. `second_limit` lasts
 * DIALER_SECOND_MS, and its `passed` is dialer_second_passed. On failure `done` is
 * not called. */
enum failure dialer_start(struct dialer *dialer, const struct addresses *addresses);
void dialer_second_passed(struct deadline *deadline);
/* Closes its connections; `done` is not called. */
void dialer_stop(struct dialer *dialer);
