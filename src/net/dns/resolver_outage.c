#include "resolver_outage.h"
#include "owner.h"
#include <assert.h>

static const struct addresses none;

static int64_t now_ms(const struct resolver_outage *outage)
{
    return (int64_t)uv_now(outage->loop);
}

static void settle(struct resolver_outage *outage, enum failure verdict)
{
    struct resolver_question ring;

    deadline_lift(&outage->probe);
    resolver_questions_take(&outage->held, &ring);
    while (ring.next != &ring)
        resolver_question_answer(ring.next, verdict == FAILURE_DNS_TIMEOUT ? ring.next->blame : verdict,
                                 &none);
}

static void on_probe_passed(struct deadline *deadline)
{
    struct resolver_outage *outage = OWNER_OF(deadline, struct resolver_outage, probe);
    outage->known = true;
    settle(outage, FAILURE_LOCAL_OUTAGE);
}

void resolver_outage_init(struct resolver_outage *outage, uv_loop_t *loop, struct deadlines *deadlines,
                          void (*ask)(struct resolver_outage *outage))
{
    *outage = (struct resolver_outage){.loop = loop, .ask = ask};
    resolver_questions_init(&outage->held);
    outage->limit = deadlines_queue(deadlines, RESOLVER_OUTAGE_PROBE_MS, on_probe_passed);
}

void resolver_outage_fini(struct resolver_outage *outage)
{
    assert(outage->held.next == &outage->held);
    deadline_lift(&outage->probe);
}

void resolver_outage_heard(struct resolver_outage *outage)
{
    bool was_known = outage->known;

    outage->known = false;
    outage->heard_ms = now_ms(outage);
    if (was_known)
        outage->ended_ms = outage->heard_ms;
    settle(outage, was_known ? FAILURE_LOCAL_OUTAGE : FAILURE_DNS_TIMEOUT);
}

void resolver_outage_unanswered(struct resolver_outage *outage)
{
    if (outage->probe.next)
        on_probe_passed(&outage->probe);
}

/* NONE: not known yet. An answer from long before the look-up's end proves nothing about its end. */
static enum failure verdict_on(const struct resolver_outage *outage, const struct resolver_question *question)
{
    if (outage->ended_ms > question->begun_ms)
        return FAILURE_LOCAL_OUTAGE;
    if (outage->heard_ms > question->begun_ms && outage->heard_ms > now_ms(outage) - RESOLVER_OUTAGE_PROBE_MS)
        return FAILURE_DNS_TIMEOUT;
    return FAILURE_NONE;
}

void resolver_outage_judge(struct resolver_outage *outage, struct resolver_question *question)
{
    enum failure verdict = verdict_on(outage, question);

    if (verdict != FAILURE_NONE) {
        resolver_question_answer(question, verdict == FAILURE_DNS_TIMEOUT ? question->blame : verdict, &none);
        return;
    }
    resolver_drop(question);
    resolver_questions_append(&outage->held, question);
    if (outage->probe.next)
        return;
    deadline_set(&outage->probe, outage->limit);
    outage->ask(outage);
}
