/*
 * push: plays the server against one URL: the same document (body.h), the same headers, the same HTTP engine
 * (sender.h), so that a receiver cannot tell the difference (mission row 37). No guard: it is your own URL.
 * No retries.
 */
#pragma once
#include "failure.h"
#include "options.h"
#include <stdint.h>

struct json_object;
struct push;

/* EXIT_DONE, or another exit code, and stderr says what is wrong with the URL or with this machine. `key`
 * NULL: without WEBHOOK-AUTH. */
int push_open(const struct usage *usage, const char *url, const char *key, struct push **push);
void push_close(struct push *push);

struct push_outcome {
    char id[24]; /* of the event that was sent */
    enum failure failure;
    int status; /* 0: no answer */
    int64_t duration_ms;
};

/* `example` is a whole event document; it gets a new id and the dates of now. */
void push_send(struct push *push, struct json_object *example, struct push_outcome *outcome);
