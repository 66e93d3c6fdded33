#include "resolver_outage.h"
#include "owner.h"
#include <assert.h>

static const struct addresses none;

static int64_t now_ms(const struct silence *silence)
{
    return (int64_t)uv_now(silence->loop);
}

static void settle(struct silence *silence, enum failure verdict)
{
    struct resolver_question ring;

    deadline_lift(&silence->probe);
    questions_take(&silence->held, &ring);
    while (ring.next != &ring)
        question_answer(ring.next, verdict == FAILURE_DNS_TIMEOUT ? ring.next->blame : verdict, &none);
}

static void on_probe_passed(struct deadline *deadline)
{
    struct silence *silence = OWNER_OF(deadline, struct silence, probe);
    silence->known = true;
    settle(silence, FAILURE_LOCAL_OUTAGE);
}

void silence_init(struct silence *silence, uv_loop_t *loop, struct deadlines *deadlines,
                  void (*ask)(struct silence *silence))
{
    *silence = (struct silence){.loop = loop, .ask = ask};
    questions_init(&silence->held);
    silence->limit = deadlines_queue(deadlines, SILENCE_PROBE_MS, on_probe_passed);
}

void silence_fini(struct silence *silence)
{
    assert(silence->held.next == &silence->held);
    deadline_lift(&silence->probe);
}

void silence_heard(struct silence *silence)
{
    bool was_known = silence->known;

    silence->known = false;
    silence->heard_ms = now_ms(silence);
    if (was_known)
        silence->ended_ms = silence->heard_ms;
    settle(silence, was_known ? FAILURE_LOCAL_OUTAGE : FAILURE_DNS_TIMEOUT);
}

void silence_unanswered(struct silence *silence)
{
    if (silence->probe.next)
        on_probe_passed(&silence->probe);
}

/* NONE: that is not known yet. An answer from long before the look-up gave up says nothing of its end. */
static enum failure verdict_on(const struct silence *silence, const struct resolver_question *question)
{
    if (silence->ended_ms > question->begun_ms)
        return FAILURE_LOCAL_OUTAGE;
    if (silence->heard_ms > question->begun_ms && silence->heard_ms > now_ms(silence) - SILENCE_PROBE_MS)
        return FAILURE_DNS_TIMEOUT;
    return FAILURE_NONE;
}

void silence_judge(struct silence *silence, struct resolver_question *question)
{
    enum failure verdict = verdict_on(silence, question);

    if (verdict != FAILURE_NONE) {
        question_answer(question, verdict == FAILURE_DNS_TIMEOUT ? question->blame : verdict, &none);
        return;
    }
    resolver_drop(question);
    questions_append(&silence->held, question);
    if (silence->probe.next)
        return;
    deadline_set(&silence->probe, silence->limit);
    silence->ask(silence);
}
