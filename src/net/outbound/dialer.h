/*
 * dialer: from some addresses to one TCP connection (RFC 8305 in small).
 *
 * One lane for each family. The first family's addresses are tried in turn; the second family starts when the
 * first has had DIALER_SECOND_MS, or has failed. The first connection to stand wins, the other is closed.
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
    enum failure failure;  /* the most telling so far */
    union address address; /* the last one tried */
    int64_t expires_ms;    /* the addresses do */
    /* NONE: the connection is the caller's now. Exactly once, never before dialer_start returns. */
    void (*done)(struct dialer *dialer, struct connection *connection, enum failure failure);
};

/* Addresses that may be dialled, in order, with their ports; the first one's family goes first.
 * `second_limit` lasts DIALER_SECOND_MS, its `passed` is dialer_second_passed. A failure other than NONE:
 * nothing was begun, and `done` will not come. */
enum failure dialer_start(struct dialer *dialer, const struct addresses *addresses);
void dialer_second_passed(struct deadline *deadline);
/* Closes what it has begun; `done` will not come. */
void dialer_stop(struct dialer *dialer);
