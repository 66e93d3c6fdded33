/*
 * admission: may this request come in? The key, or that none is needed; the address that it may be used from;
 * its pace, or that of the address; guesses of keys, which are slowed; the version of the API, the media type
 * of the answer and the parameters of the query.
 */
#pragma once
#include "route.h"

/* Everything between the path and the handler. False: call->failure, or *held: it is answered later. */
bool admission_enter(struct call *call, const struct route_method *method, bool *held);

/* A request without a handler (an unknown path or method, OPTIONS) counts too. It counts against the address.
 * The key is not looked at, because it makes no difference. False: call->failure. */
bool admission_count(struct call *call);
/* The same of what the listener refuses, which is answered whatever the pace. */
void admission_count_refused(struct call *call);

/* Requests a second that a key with this rate_per_s (as in struct api_key) may make; 0: no limit. */
int64_t admission_pace(const struct call *call, int64_t rate_per_s);
