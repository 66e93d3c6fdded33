/*
 * postpone: answers that are given later, without holding up a thread for each. One thread waits for the
 * oldest; all have the same delay, so a queue is enough.
 */
#pragma once
#include "listener.h"

struct postpone;

/* NULL: no thread to be had. */
struct postpone *postpone_open(int64_t delay_ms);
/* Answers `request` after the delay; body and headers of `reply` must be static. Any thread. */
void postpone_answer(struct postpone *postpone, struct listener_request *request,
                     const struct listener_reply *reply);
/* Gives at once what is still to be given, and returns when that is done; from now on postpone_answer answers
 * before it returns. */
void postpone_flush(struct postpone *postpone);
void postpone_close(struct postpone *postpone);
