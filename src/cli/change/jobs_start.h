/* jobs_start: what the verbs recover, replay and backfill of `posthorn endpoints` ask for. */
#pragma once
#include "client.h"

struct jobs_wish {
    const char *since, *until; /* times, or durations for so long ago; NULL: not given */
    const char *type, *state;  /* of the event, of the deliveries; NULL: any, and the server's own */
    bool dry_run, wait;
};

/* Makes the job, or counts; with `wait` follows it to its end, with a progress bar. An exit code. */
int jobs_start(const struct invocation *invocation, struct client *client, const char *kind,
               const struct jobs_wish *wish);
