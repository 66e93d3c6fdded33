/*
 * job: deliveries of one endpoint that become due again, or for the first time, some at a time. Pure.
 *
 *   JOB_RECOVER   those that were given up or cancelled since a time, by that time
 *   JOB_REPLAY    those that ended in one state, of events accepted since a time
 *   JOB_BACKFILL  events accepted since a time and before the endpoint existed, that it would get today and
 *                 has no delivery of
 *
 * A job goes through its rows once, in the order of its cursor, up to a bound that is fixed when it is made:
 * what ends again behind its back is not taken twice. A store finds the rows (STORE_JOB_ROWS), and makes some
 * of them due in one transaction with the cursor (STORE_JOB_STEP).
 *
 * When an event was accepted is read from its id (ids.h), which rises whatever the clock does.
 */
#pragma once
#include "routing.h"

enum job_kind { JOB_RECOVER, JOB_REPLAY, JOB_BACKFILL };
enum { JOB_KINDS = JOB_BACKFILL + 1 };
enum job_state { JOB_RUNNING, JOB_DONE, JOB_CANCELLED };
enum { JOB_STATES = JOB_CANCELLED + 1 };
extern const char *const job_kind_names[], *const job_state_names[]; /* NULL ends */

/* Of a RECOVER: when the delivery ended, and its id. Otherwise an event's id, and at_ms is 0. */
struct job_cursor {
    int64_t at_ms, id;
};

struct job {
    int64_t id, owner_id, endpoint_id; /* the owner is the endpoint's */
    enum job_kind kind;
    enum job_state state;
    int64_t since_ms, until_ms;                          /* until_ms is exclusive; 0: none */
    enum delivery_state delivery_state;                  /* REPLAY: deliveries in this state */
    struct bytes event_type, resource_type, resource_id; /* literal; len 0: any */
    struct job_cursor cursor;                            /* all rows up to here were looked at */
    int64_t below_id; /* events below this one. RECOVER: deliveries that ended before created_at_ms */
    int64_t looked;   /* rows so far */
    int64_t made_due; /* deliveries so far */
    int64_t total;    /* how many there were when it was made; -1: they were not all counted */
    int64_t created_at_ms, finished_at_ms; /* finished_at_ms 0: it is running */
};

/* Where it begins. */
struct job_cursor job_begin(const struct job *job);
/* The cursor is behind its last row. */
bool job_is_past(const struct job *job, struct job_cursor cursor);
bool job_cursor_equal(struct job_cursor a, struct job_cursor b);

/* May a delivery that has ended, or not, become due again by this job? `under_way`: see ledger.h. */
bool job_takes_delivery(const struct job *job, enum delivery_state state, bool under_way);
