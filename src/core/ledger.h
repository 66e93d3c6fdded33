/*
 * ledger: what an outcome, or a person's word, makes of a delivery and of its endpoint's pace. Pure.
 *
 * A store loads the delivery's row, asks one of these functions, and saves the row that it leaves behind. So
 * every store decides alike. tests/store/model has these rules once more, in its own words, and
 * tests/store/rules.c compares the two.
 *
 * A delivery is *under way* while it waits for a lease or is out under one. It is PENDING then, or DELIVERED:
 * one that is sent again after it was delivered stays delivered, however that ends.
 */
#pragma once
#include "model.h"
#include "pace.h"
#include "policy.h"

/* One instant on all clocks of a store (store.h), read once a batch. */
struct moment {
    int64_t wall_ms, mono_ms, due_ms, service_ms;
};

/* What the rules need of a delivery. */
struct ledger_row {
    int64_t lease;        /* the fence: rises with every lease */
    int64_t due_at_ms;    /* due clock: when it is due again; while it is out, when its lease runs out */
    int64_t aged_from_ms; /* service clock; of meaning once an attempt has counted */
    int32_t attempt;      /* that counted since it was accepted or resent: the step of the backoff */
    int32_t earlier;      /* that counted before it was resent */
    int32_t lost;         /* leases since the last record, with the one it is out under. 0: none is open */
    enum delivery_state state;
    bool under_way;
};

/* A row from a disk may hold any number: afterwards its state is one, and sums with its numbers are numbers
 * still. */
void ledger_bound(struct ledger_row *row);

/* A new delivery, due now. */
struct ledger_row ledger_accepted(int64_t now_ms);
/* It goes out. */
void ledger_lease(struct ledger_row *row, int64_t now_ms, int64_t lease_ms);
/* How long it has been tried, without our own outages (promise P3). */
int64_t ledger_age_ms(const struct ledger_row *row, const struct moment *now);

/* The end of an attempt, as its node tells it. */
struct ledger_outcome {
    int64_t delivery_id, lease;
    struct decision decision;
    bool answered; /* the receiver acknowledged: its pace opens */
    /* The line for the history, views included. started_at_ms 0: nothing was tried, no line. */
    struct attempt attempt;
};

enum ledger_line {
    LEDGER_NO_LINE,
    LEDGER_LINE,
    LEDGER_LINE_IF_NEWS,   /* of an outage of ours: not if the last line gives the same reason */
    LEDGER_LINE_IF_MISSING /* of a lease that ended before: counts for nothing; cut to
                              MODEL_RESPONSE_KEPT_LEN */
};

struct ledger_record {
    bool fenced; /* another lease has it, or it has ended: the row stays as it is */
    enum ledger_line line;
};
struct ledger_record ledger_record(struct ledger_row *row, const struct ledger_outcome *outcome,
                                   const struct moment *now);

enum ledger_resent {
    LEDGER_REFUSED,   /* it was skipped, and there is still no URL; or its endpoint is removed */
    LEDGER_IS_OUT,    /* nothing to do: it is on its way */
    LEDGER_HURRIED,   /* it waited, and is due now */
    LEDGER_SENT_AGAIN /* it had ended, and begins anew */
};
enum ledger_resent ledger_resend(struct ledger_row *row, bool has_url, bool removed, int64_t now_ms);
/* False: it has ended already. */
bool ledger_cancel(struct ledger_row *row);
/* It cannot be sent any more: what is stored of it is damaged. */
void ledger_give_up(struct ledger_row *row);

/* What an outcome makes of the endpoint. */
struct ledger_pace {
    bool first_answer;      /* ever: to be remembered across restarts */
    bool answered;          /* what was missed (pace_again) is due again */
    bool recovered;         /* also what waits for PACE_ON_RECOVERY */
    enum pace_again missed; /* of this delivery */
    bool gone;              /* 410: its owner is paused, if that is set */
};
/* `row` is as ledger_record has left it; `began_ms`: when the lease was given, due clock. */
struct ledger_pace ledger_pace(struct pace *pace, struct pace_outage *outage,
                               const struct pace_config *config, const struct ledger_outcome *outcome,
                               const struct ledger_row *row, int64_t endpoint_id, int64_t began_ms,
                               int64_t now_ms);
/* When one that was missed is due: before all others, in order of acceptance. */
int64_t ledger_missed_due_at(int64_t delivery_id);
