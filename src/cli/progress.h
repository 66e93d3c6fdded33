/*
 * progress: a bar for long work, on stderr and only on a terminal; it is removed at the end. Call
 * progress_clear before you print.
 */
#pragma once
#include "clock.h"
#include <stdbool.h>

struct progress {
    bool on;
    int64_t total, done;
    int64_t begun_ms, drawn_ms;
    struct clock clock;
};

void progress_begin(struct progress *progress, int64_t total);
void progress_step(struct progress *progress);
/* So much is done by now. */
void progress_to(struct progress *progress, int64_t done);
void progress_clear(struct progress *progress);
