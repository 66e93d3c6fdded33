/*
 * delayed_answers: answers that are given later, without holding up a thread for each. One thread waits for
 * the oldest; all have the same delay, so a queue is enough.
 */
#pragma once
#include "listener.h"

struct delayed_answers;

/* NULL: no thread to be had. */
struct delayed_answers *delayed_answers_open(int64_t delay_ms);
/* Answers `request` after the delay; body and headers of `reply` must be static. Any thread. */
void delayed_answers_answer(struct delayed_answers *delayed_answers, struct listener_request *request,
                            const struct listener_reply *reply);
/* Gives at once what is still to be given, and returns when that is done; from now on delayed_answers_answer
 * answers before it returns. */
void delayed_answers_flush(struct delayed_answers *delayed_answers);
void delayed_answers_close(struct delayed_answers *delayed_answers);
