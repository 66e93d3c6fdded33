/*
 * resolver_outage: decides whether the name or our servers are at fault for a question without an answer.
 *
 * If a server has answered anything shortly before the look-up's end, the name is at fault: DNS_TIMEOUT.
 * Otherwise the verdict is held, and one probe serves all held questions: each server is asked a question
 * that needs no look-up. Any answer to any question: DNS_TIMEOUT. No answer within RESOLVER_OUTAGE_PROBE_MS:
 * LOCAL_OUTAGE.
 *
 * It is also LOCAL_OUTAGE if the look-up began in an outage that a probe has found and that has ended
 * since. (An outage shorter than a look-up, into which no probe falls, may count as the name's.)
 */
#pragma once
#include "resolver_question.h"

enum { RESOLVER_OUTAGE_PROBE_MS = 2000 };

struct resolver_outage {
    uv_loop_t *loop;
    void (*ask)(struct resolver_outage *outage); /* all servers; may call back before it returns */
    struct deadline_queue *limit;
    struct deadline probe;         /* set during a probe */
    struct resolver_question held; /* ring: questions that wait for its result */
    bool known;                    /* an outage: nothing was answered since the last probe */
    int64_t heard_ms, ended_ms;    /* the last answer; the last end of a known outage */
};

/* Takes a queue of `deadlines`. */
void resolver_outage_init(struct resolver_outage *outage, uv_loop_t *loop, struct deadlines *deadlines,
                          void (*ask)(struct resolver_outage *outage));
/* Nobody may be held. */
void resolver_outage_fini(struct resolver_outage *outage);
/* The question is answered, at once or when its verdict is known, unless it is dropped. */
void resolver_outage_judge(struct resolver_outage *outage, struct resolver_question *question);
/* One of our servers has answered anything. */
void resolver_outage_heard(struct resolver_outage *outage);
/* No server has answered the questions of `ask`. */
void resolver_outage_unanswered(struct resolver_outage *outage);
