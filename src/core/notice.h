/*
 * notice: what posthorn itself tells about an endpoint, as an event. Pure. routing.h says who gets it.
 *
 * A store keeps for each endpoint and kind what is not told yet, in a row that an outcome writes and the
 * event of the notice settles, each in one transaction. So a dead endpoint has at most one row of each kind.
 * Times are of the service clock.
 */
#pragma once
#include "bytes.h"
#include "pace.h"
#include <stdbool.h>
#include <stdint.h>

enum notice_kind {
    NOTICE_FAILING,   /* NOTICE_FAILING_FROM failures in a row; again each day while it goes on */
    NOTICE_RECOVERED, /* it acknowledges again, after a notice that it fails */
    NOTICE_DISABLED,
    NOTICE_GIVEN_UP, /* deliveries were given up: one notice a minute, with their number */
    NOTICE_KINDS
};
extern const char *const notice_names[]; /* the event types; NULL ends */
enum { NOTICE_FAILING_FROM = 5, NOTICE_TYPE_LEN_MAX = 20 };

struct notice_row {
    int64_t count;  /* not told yet */
    int64_t due_ms; /* they are told then, or later */
    bool told;      /* once before */
};

/* One more. */
void notice_add(struct notice_row *row);
/* `count` of them were told. The row goes with its endpoint, or when the failures end. */
void notice_settle(struct notice_row *row, enum notice_kind kind, int64_t count,
                   const struct pace_config *config, int64_t now_ms);
static inline bool notice_due(const struct notice_row *row, int64_t now_ms)
{
    return row->count > 0 && row->due_ms <= now_ms;
}
