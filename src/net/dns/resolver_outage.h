/*
 * resolver_outage: nobody answered a question in time. Whose fault is that?
 *
 * If our servers answered anything in the look-up's last moments, it is the name's: DNS_TIMEOUT. If not, the
 * verdict is held, and each server is asked something that it need not look for; one probe for all who wait.
 * An answer of any kind, to any question: DNS_TIMEOUT. None within RESOLVER_OUTAGE_PROBE_MS: LOCAL_OUTAGE.
 *
 * LOCAL_OUTAGE, too, if the look-up began within an outage that a probe had found and that has ended since.
 * (One that is shorter than a look-up, so that no probe falls into it, may pass for the name's.)
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
