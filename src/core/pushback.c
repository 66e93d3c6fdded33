#include "pushback.h"

enum {
    ONE = 1000,           /* request */
    SECOND_MS = 1000,     /* of the meter */
    CUT_PERCENT = 20,     /* below what it took */
    RETURN_MS = 8 * 1000, /* until it is asked for as much again */
    RETURNS_MAX = 8,      /* so many times that without a refusal, and the limit is gone */
    PEAK_MIN = 250,       /* one in four seconds */
    FIRST_REST_MS = 1000, /* after the first refusal: many limits count by the second */
    REST_MS = 250,        /* after each that follows */
    GROUP_MS = 20,        /* what comes in so long begins together */
    CREDIT_MS = 50        /* credit is kept for so long */
};

static int64_t at_least(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* ---- what it takes ---- */

static void meter_turn(struct pushback *p, int64_t now_ms)
{
    int64_t elapsed_ms = now_ms - p->metered_from_ms;
    if (elapsed_ms < SECOND_MS)
        return;
    p->metered_last =
        elapsed_ms < (int64_t)2 * SECOND_MS ? (int64_t)p->metered * ONE * SECOND_MS / elapsed_ms : 0;
    p->metered = 0;
    p->metered_from_ms = now_ms;
}

/* In the second that ends now. */
static int64_t taken_lately(const struct pushback *p, int64_t now_ms)
{
    int64_t elapsed_ms = now_ms - p->metered_from_ms;
    int64_t left_ms = elapsed_ms < SECOND_MS ? SECOND_MS - elapsed_ms : 0;
    return (int64_t)p->metered * ONE + p->metered_last * left_ms / SECOND_MS;
}

void pushback_taken(struct pushback *p, int64_t now_ms, int64_t began_ms)
{
    meter_turn(p, now_ms);
    p->metered++;
    /* Answers to what was under way when it refused come in behind the refusal. */
    if (p->peak > 0 && began_ms <= p->cut_ms)
        p->peak = at_least(p->peak, taken_lately(p, now_ms));
}

bool pushback_refused(struct pushback *p, int64_t now_ms, int64_t began_ms)
{
    int64_t rate = pushback_rate(p, now_ms), asked = rate < p->peak ? rate : p->peak;
    if (p->peak > 0 && began_ms <= p->cut_ms)
        return false;
    meter_turn(p, now_ms);
    int64_t taken = taken_lately(p, now_ms);
    if (rate > 0 && taken == 0)
        taken = asked / 2;
    p->peak = at_least(taken, PEAK_MIN);
    p->cut_ms = now_ms;
    p->credit = ONE; /* at from_ms there is always one */
    p->credit_at_ms = p->from_ms = now_ms + (rate > 0 ? REST_MS : FIRST_REST_MS);
    return true;
}

void pushback_forget(struct pushback *p)
{
    *p = (struct pushback){
        .metered_from_ms = p->metered_from_ms, .metered_last = p->metered_last, .metered = p->metered};
}

void pushback_hurry(struct pushback *p)
{
    p->from_ms = 0;
    p->credit = at_least(p->credit, ONE);
}

/* ---- what may begin ---- */

/* peak * (1 + cut * x^3), with x from -1 at the cut over 0 when it has returned. */
int64_t pushback_rate(const struct pushback *p, int64_t now_ms)
{
    int64_t x = (now_ms - p->cut_ms - RETURN_MS) * ONE / RETURN_MS;
    if (p->peak == 0 || x >= (int64_t)(RETURNS_MAX - 1) * ONE)
        return 0;
    int64_t cubed = x * x / ONE * x / ONE;
    return at_least(p->peak + p->peak * CUT_PERCENT / 100 * cubed / ONE, PEAK_MIN / 2);
}

static int64_t credit(const struct pushback *p, int64_t rate, int64_t now_ms)
{
    int64_t elapsed_ms = at_least(now_ms - p->credit_at_ms, 0);
    int64_t most = at_least(rate * CREDIT_MS / SECOND_MS, ONE);
    int64_t sum = p->credit + rate * elapsed_ms / SECOND_MS;
    return sum < most ? sum : most;
}

int pushback_left(const struct pushback *p, int64_t now_ms)
{
    int64_t rate = pushback_rate(p, now_ms);
    if (rate == 0)
        return INT32_MAX;
    return now_ms < p->from_ms ? 0 : (int)(credit(p, rate, now_ms) / ONE);
}

void pushback_begun(struct pushback *p, int64_t now_ms)
{
    int64_t rate = pushback_rate(p, now_ms);
    if (rate == 0)
        return;
    p->credit = credit(p, rate, now_ms) - ONE;
    p->credit_at_ms = at_least(p->credit_at_ms, now_ms);
    if (p->credit < ONE)
        p->from_ms = now_ms + at_least((ONE - p->credit) * SECOND_MS / rate + 1, GROUP_MS);
}
