/*
 * push_request: makes the request of one attempt out of its work, and starts it. The engine's thread alone.
 */
#pragma once
#include "endpoint_cache.h"
#include "policy.h"
#include "sender.h"

struct push_request {
    struct store_work *work;
    const struct cached_endpoint *endpoint;
    int64_t at_ms;              /* wall clock, of the attempt */
    struct bytes authorization; /* in the place of the endpoint's; empty: the endpoint's */
    int spent_s;                /* of the attempt's timeout (sender.h) */
    const struct policy *policy;
    /* If the work is to be rendered again: takes over its payload, for push_request_again. NULL: no. */
    struct payload **document;
};

/* Renders the document in the endpoint's format, which takes its place in the work, and starts the request.
 * NONE, or why there is none: DAMAGED, LOCAL_LIMIT. */
enum failure push_request_start(const struct push_request *request, struct sender *sender, uint32_t tag,
                                sender_done *done, void *ctx);
/* Puts the document back. */
void push_request_again(struct store_work *work, struct payload **document);
