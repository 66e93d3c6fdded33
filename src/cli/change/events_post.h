/* events_post: `posthorn events post FILE`: one document, or many events, one a line, in batches. */
#pragma once
#include "client.h"

/* An exit code. */
int events_post(const struct invocation *invocation, struct client *client);
