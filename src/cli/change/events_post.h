/*
 * events_post: `posthorn events post FILE|-`. One event as a JSON document, or many, a line each, which go in
 * batches; each batch has an idempotency key of its own, so that it can be sent again when the answer was
 * lost.
 */
#pragma once
#include "client.h"

/* `path` is a file, or "-" for standard input. With `json` each answer is a line on standard output. True:
 * every event is accepted and durable. */
bool events_post(struct client *client, const char *path, bool json);
