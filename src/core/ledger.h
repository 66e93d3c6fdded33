/*
 * ledger: how an outcome, a resend or a cancel changes a delivery and the pace of its endpoint. Pure.
 *
 * A store loads the row of the delivery, calls one of these functions, and saves the changed row. So all
 * stores decide alike. tests/store/model states these rules again, and tests/store/rules.c compares the
 * two.
 *
 * A delivery is *under way* while it waits for a lease or has one. Then its state is PENDING, or DELIVERED
 * if it is sent again after it was delivered: such a delivery stays delivered, whatever the resend brings.
 */
#pragma once
#include "model.h"
#include "pace.h"
#include "policy.h"

/* One instant on all clocks of a store (store.h), read once a batch. */
struct moment {
    int64_t wall_ms, mono_ms, due_ms, service_ms;
};

/* The fields of a delivery that the rules use. */
struct ledger_row {
    int64_t lease;        /* the fence: rises with every lease */
    int64_t due_at_ms;    /* due clock: when it is due; under a lease: when that expires */
    int64_t aged_from_ms; /* service clock; valid once an attempt has counted */
    int32_t attempt;      /* counted attempts since it was accepted or resent: the step of the backoff */
    int32_t earlier; /* counted attempts before it was resent, and failed ones that were tried out of turn */
    int64_t
        resumes_at_ms; /* due clock: it is tried out of turn, and its schedule goes on then; 0: it is not */
    int32_t lost;      /* leases since the last record, with the open one; 0: none is open */
    enum delivery_state state;
    bool under_way;
};

/* For a row from a disk, which may hold any number. Afterwards the state is valid, and sums with its numbers
 * do not overflow. */
void ledger_bound(struct ledger_row *row);

/* A new delivery, due now. */
struct ledger_row ledger_accepted(int64_t now_ms);
/* It gets a lease. */
void ledger_lease(struct ledger_row *row, int64_t now_ms, int64_t lease_ms);
/* The time since its first counted attempt, without our own outages (promise P3). */
int64_t ledger_age_ms(const struct ledger_row *row, const struct moment *now);

/* The end of an attempt, as a node reports it. */
struct ledger_outcome {
    int64_t delivery_id, lease;
    struct decision decision;
    bool answered; /* the receiver acknowledged */
    /* The line of the history. started_at_ms 0: nothing was sent, no line. */
    struct attempt attempt;
};

enum ledger_line {
    LEDGER_NO_LINE,
    LEDGER_LINE,
    LEDGER_LINE_IF_NEWS,   /* our outage: only if the last line has another reason */
    LEDGER_LINE_IF_MISSING /* of a lease that is over: not counted; its response is cut to
                              MODEL_RESPONSE_KEPT_LEN */
};

struct ledger_record {
    bool fenced; /* another lease has it, or it has ended: the row is unchanged */
    enum ledger_line line;
};
struct ledger_record ledger_record(struct ledger_row *row, const struct ledger_outcome *outcome,
                                   const struct moment *now);

enum ledger_resent {
    LEDGER_REFUSED,   /* it was skipped and there is still no URL, or its endpoint was removed */
    LEDGER_IS_OUT,    /* it has a lease: nothing to do */
    LEDGER_HURRIED,   /* it waited and is due now. If that attempt fails, its schedule goes on as before */
    LEDGER_SENT_AGAIN /* it had ended and starts again */
};
enum ledger_resent ledger_resend(struct ledger_row *row, bool has_url, bool removed, int64_t now_ms);
/* False: it has ended already. */
bool ledger_cancel(struct ledger_row *row);
/* Does a delivery that was read show it as it is now? Times that run are left out. */
bool ledger_is_as(const struct ledger_row *row, int64_t finished_at_ms, const struct delivery *seen,
                  int64_t now_ms);
/* It can no longer be sent: its stored data is damaged. */
void ledger_give_up(struct ledger_row *row);

/* The effect of an outcome on the endpoint. */
struct ledger_pace {
    bool first_answer;      /* its first ever: the store remembers it across restarts */
    bool answered;          /* deliveries that wait for PACE_ON_ANSWER are due */
    bool recovered;         /* also those that wait for PACE_ON_RECOVERY */
    enum pace_again missed; /* of this delivery */
};
/* `row`: after ledger_record. `began_ms`: the start of the lease, due clock. */
struct ledger_pace ledger_pace(struct pace *pace, struct pace_outage *outage,
                               const struct pace_config *config, const struct ledger_outcome *outcome,
                               const struct ledger_row *row, int64_t endpoint_id, int64_t began_ms,
                               int64_t now_ms);
/* The due time of a delivery that waited for its endpoint: before all others, in order of acceptance. */
int64_t ledger_missed_due_at(int64_t delivery_id);
