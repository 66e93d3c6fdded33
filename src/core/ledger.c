#include "ledger.h"

enum { COUNT_MAX = 1 << 29 }; /* two of them, and what is counted on from there, are an int32_t */
static const int64_t NUMBER_MAX = (int64_t)1 << 53;

static int32_t bounded_count(int32_t count)
{
    return count < 0 ? 0 : count < COUNT_MAX ? count : COUNT_MAX;
}

void ledger_bound(struct ledger_row *row)
{
    if ((int)row->state < 0 || (int)row->state >= DELIVERY_STATES)
        row->state = DELIVERY_GIVEN_UP;
    row->attempt = bounded_count(row->attempt);
    row->earlier = bounded_count(row->earlier);
    row->lost = bounded_count(row->lost);
    if (row->lease < 0 || row->lease > NUMBER_MAX)
        row->lease = 0;
    if (row->due_at_ms < -NUMBER_MAX || row->due_at_ms > NUMBER_MAX)
        row->due_at_ms = 0;
    if (row->resumes_at_ms < 0 || row->resumes_at_ms > NUMBER_MAX)
        row->resumes_at_ms = 0;
    if (row->aged_from_ms < -NUMBER_MAX || row->aged_from_ms > NUMBER_MAX)
        row->aged_from_ms = 0;
}

struct ledger_row ledger_accepted(int64_t now_ms)
{
    return (struct ledger_row){.state = DELIVERY_PENDING, .under_way = true, .due_at_ms = now_ms};
}

void ledger_lease(struct ledger_row *row, int64_t now_ms, int64_t lease_ms)
{
    row->lease++;
    row->lost++;
    row->due_at_ms = now_ms + lease_ms;
}

int64_t ledger_age_ms(const struct ledger_row *row, const struct moment *now)
{
    return row->attempt > 0 && row->aged_from_ms < now->service_ms ? now->service_ms - row->aged_from_ms : 0;
}

static void end(struct ledger_row *row, enum delivery_state state)
{
    row->under_way = false;
    row->lost = 0;
    row->resumes_at_ms = 0;
    if (row->state != DELIVERY_DELIVERED)
        row->state = state;
}

/* It was cancelled under way, or another lease took over. It was sent all the same, so it is in the history:
 * the record is what the receiver saw. */
static enum ledger_line late_line(const struct ledger_row *row, const struct ledger_outcome *outcome)
{
    bool sent = outcome->attempt.started_at_ms && outcome->lease <= row->lease &&
                !decision_is_outage(&outcome->decision);
    return sent ? LEDGER_LINE_IF_MISSING : LEDGER_NO_LINE;
}

/* A person had it tried out of turn, and that failed: the schedule goes on as if it had not been. */
static void resume(struct ledger_row *row)
{
    row->earlier = bounded_count(row->earlier + 1);
    row->lost = 0;
    row->due_at_ms = row->resumes_at_ms;
    row->resumes_at_ms = 0;
}

struct ledger_record ledger_record(struct ledger_row *row, const struct ledger_outcome *outcome,
                                   const struct moment *now)
{
    const struct decision *decision = &outcome->decision;
    if (!row->under_way || row->lost == 0 || row->lease != outcome->lease)
        return (struct ledger_record){true, late_line(row, outcome)};
    bool started = outcome->attempt.started_at_ms != 0;
    enum ledger_line line = !started                       ? LEDGER_NO_LINE
                            : decision_is_outage(decision) ? LEDGER_LINE_IF_NEWS
                                                           : LEDGER_LINE;
    bool counted = decision->kind != DECISION_RELEASE;
    if (row->resumes_at_ms > 0 && counted && decision->kind != DECISION_DELIVERED) {
        resume(row);
        return (struct ledger_record){false, line};
    }
    if (!counted)
        row->aged_from_ms += decision->delay_ms + outcome->attempt.duration_ms;
    else if (row->attempt == 0)
        row->aged_from_ms = now->service_ms - outcome->attempt.duration_ms;
    row->attempt += counted;
    row->lost = 0;
    row->due_at_ms = now->due_ms + decision->delay_ms;
    if (decision->kind == DECISION_DELIVERED || decision->kind == DECISION_GIVE_UP)
        end(row, decision->kind == DECISION_DELIVERED ? DELIVERY_DELIVERED : DELIVERY_GIVEN_UP);
    return (struct ledger_record){false, line};
}

static bool is_out(const struct ledger_row *row, int64_t now_ms)
{
    return row->under_way && row->lost > 0 && row->due_at_ms > now_ms;
}

bool ledger_is_as(const struct ledger_row *row, int64_t finished_at_ms, const struct delivery *seen,
                  int64_t now_ms)
{
    bool resending = row->under_way && row->state == DELIVERY_DELIVERED;
    return seen->state == row->state && seen->resending == resending && seen->leased == is_out(row, now_ms) &&
           seen->lease == row->lease && seen->attempt == bounded_count(row->earlier + row->attempt) &&
           seen->finished_at_ms == finished_at_ms;
}

enum ledger_resent ledger_resend(struct ledger_row *row, bool has_url, bool removed, int64_t now_ms)
{
    if (is_out(row, now_ms))
        return LEDGER_IS_OUT;
    if ((removed && !row->under_way) || (row->state == DELIVERY_SKIPPED && !has_url))
        return LEDGER_REFUSED;
    if (row->under_way && row->resumes_at_ms == 0 && row->lost == 0 && row->due_at_ms > now_ms)
        row->resumes_at_ms = row->due_at_ms;
    row->due_at_ms = now_ms;
    if (row->under_way)
        return LEDGER_HURRIED;
    row->under_way = true;
    row->earlier = bounded_count(row->earlier + row->attempt);
    row->attempt = row->lost = 0;
    if (row->state != DELIVERY_DELIVERED)
        row->state = DELIVERY_PENDING;
    return LEDGER_SENT_AGAIN;
}

bool ledger_cancel(struct ledger_row *row)
{
    if (!row->under_way)
        return false;
    end(row, DELIVERY_CANCELLED);
    return true;
}

void ledger_give_up(struct ledger_row *row)
{
    end(row, DELIVERY_GIVEN_UP);
}

struct ledger_pace ledger_pace(struct pace *pace, struct pace_outage *outage,
                               const struct pace_config *config, const struct ledger_outcome *outcome,
                               const struct ledger_row *row, int64_t endpoint_id, int64_t began_ms,
                               int64_t now_ms)
{
    const struct decision *decision = &outcome->decision;
    struct ledger_pace made = {.answered = outcome->answered};
    if (decision_is_outage(decision))
        pace_released(pace, outage, config, now_ms);
    if (!outcome->answered && decision->kind != DECISION_RETRY && decision->kind != DECISION_GIVE_UP)
        return made;
    struct pace_end end = {.now_ms = now_ms,
                           .began_ms = began_ms,
                           .took_ms = outcome->attempt.duration_ms,
                           .answered = outcome->answered,
                           .refused = decision->refused,
                           .retry_after_ms = decision->hold_ms,
                           .given_up = decision->kind == DECISION_GIVE_UP,
                           .endpoint_id = endpoint_id};
    outage->on = false;
    made.first_answer = end.answered && !pace->ever_answered;
    made.recovered = pace_ended(pace, config, &end) == PACE_RECOVERED;
    made.missed = pace_again(pace, &end, row->attempt);
    return made;
}

/* Below every instant, and in the order of the numbers that ids begin with. */
int64_t ledger_missed_due_at(int64_t delivery_id)
{
    return (delivery_id >> MODEL_MARK_BITS) - ((int64_t)1 << 40);
}
