/*
 * silence: nobody answered a question in time. Whose fault is that?
 *
 * If our servers answered anything in the look-up's last moments, it is the name's: DNS_TIMEOUT. If not, the
 * verdict is held, and each server is asked something that it need not look for; one probe for all who wait.
 * An answer of any kind, to any question: DNS_TIMEOUT. None within SILENCE_PROBE_MS: LOCAL_OUTAGE.
 *
 * LOCAL_OUTAGE, too, if the look-up began within an outage that a probe had found and that has ended since.
 * (One that is shorter than a look-up, so that no probe falls into it, may pass for the name's.)
 */
#pragma once
#include "resolver_question.h"

enum { SILENCE_PROBE_MS = 2000 };

struct silence {
    uv_loop_t *loop;
    void (*ask)(struct silence *silence); /* all servers; may call back before it returns */
    struct deadline_queue *limit;
    struct deadline probe;         /* set while a probe is to tell */
    struct resolver_question held; /* ring: whose verdict it is to tell */
    bool known;                    /* the last probe was not answered, nor was anything since */
    int64_t heard_ms, ended_ms;    /* the last answer; the last one that ended a silence that was known */
};

/* Takes a queue of `deadlines`. */
void silence_init(struct silence *silence, uv_loop_t *loop, struct deadlines *deadlines,
                  void (*ask)(struct silence *silence));
/* Nobody may be held. */
void silence_fini(struct silence *silence);
/* The question is answered, at once or when its verdict is known, unless it is dropped. */
void silence_judge(struct silence *silence, struct resolver_question *question);
/* A server of ours has answered, whatever it says. */
void silence_heard(struct silence *silence);
/* What `ask` asked has come to nothing, everywhere. */
void silence_unanswered(struct silence *silence);
