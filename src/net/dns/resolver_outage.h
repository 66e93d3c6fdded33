/*
 * resolver_outage: decides whose fault it is that a question was not answered in time.
 *
 * If our servers have answered anything in the last moments of the look-up, it is the name's: DNS_TIMEOUT.
 * Otherwise the verdict is held, and each server is asked a question that needs no look-up; one probe for
 * all that wait. Any answer to any question: DNS_TIMEOUT. No answer within RESOLVER_OUTAGE_PROBE_MS:
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
    struct deadline probe;         /* set while a probe is to tell */
    struct resolver_question held; /* ring: whose verdict it is to tell */
    bool known;                    /* the last probe was not answered, nor was anything since */
    int64_t heard_ms, ended_ms;    /* the last answer; the last one that ended an outage that was known */
};

/* Takes a queue of `deadlines`. */
void resolver_outage_init(struct resolver_outage *outage, uv_loop_t *loop, struct deadlines *deadlines,
                          void (*ask)(struct resolver_outage *outage));
/* Nobody may be held. */
void resolver_outage_fini(struct resolver_outage *outage);
/* The question is answered, at once or when its verdict is known, unless it is dropped. */
void resolver_outage_judge(struct resolver_outage *outage, struct resolver_question *question);
/* A server of ours has answered, whatever it says. */
void resolver_outage_heard(struct resolver_outage *outage);
/* What `ask` asked has come to nothing, everywhere. */
void resolver_outage_unanswered(struct resolver_outage *outage);
