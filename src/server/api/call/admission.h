/*
 * admission: what every request and every answer of the API has in common. The request's id, the API's
 * version, the client's address, and the pace of its key.
 *
 *   X-Request-Id   the client's, if it is 1 to 128 of A-Z a-z 0-9 . _ ~ : / + = @ -, else one of ours; it
 *                  comes back in the answer and stands in the log and in each error's `id`
 *   Version        x.y.z; none means the oldest one still served. It comes back as what was served
 *   Posthorn-Mode  sandbox or production
 *   RateLimit-*    Limit, Remaining and Reset (seconds until the bucket is full), for keys that have a limit
 */
#pragma once
#include "listener.h"
#include "rate.h"
#include <stdatomic.h>

struct api;
struct call;

enum { ADMISSION_ID_LEN_MAX = 128, ADMISSION_OWN_ID_LEN = 32, ADMISSION_HEADERS_MAX = 6 };

#define API_VERSION "1.0.0" /* the only one so far, so the oldest, too */

/* Makes ids of requests that no other process makes. */
struct admission {
    char prefix[ADMISSION_OWN_ID_LEN / 2 + 1];
    atomic_ullong count;
};
void admission_init(struct admission *admission);
/* On the request's arena, or a view of its header. */
struct bytes admission_id(struct admission *admission, struct listener_request *request);

/* What the API itself demands of an authenticated request, in this order: the key's address, its pace. Of one
 * that needs no key, the pace of its address. And of every request: its Version. False: call->failure. */
bool admission_check_address(struct call *call);
bool admission_spend(struct call *call);
bool admission_spend_public(struct call *call);
bool admission_check_version(struct call *call);

/* Requests a second that a key with this rate_per_s (as in struct api_key) may make; 0: no limit. */
int64_t admission_pace(const struct call *call, int64_t rate_per_s);
/* The headers of every answer; returns how many. */
int admission_headers(const struct call *call, struct listener_header headers[ADMISSION_HEADERS_MAX]);
