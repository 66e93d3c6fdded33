/*
 * request_id: the name of one request. It comes back in X-Request-Id, and stands in the log and in each
 * error's `id`. The client's own is taken if it is 1 to 128 of A-Z a-z 0-9 . _ ~ : / + = @ -
 */
#pragma once
#include "listener.h"
#include <stdatomic.h>

enum { REQUEST_ID_OWN_LEN = 32 };

/* Makes ids that no other process makes. */
struct request_ids {
    char prefix[REQUEST_ID_OWN_LEN / 2 + 1];
    atomic_ullong count;
};
void request_ids_init(struct request_ids *ids);
/* On the request's arena, or a view of its header. */
struct bytes request_id(struct request_ids *ids, struct listener_request *request);
