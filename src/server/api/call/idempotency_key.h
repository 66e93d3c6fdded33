/*
 * idempotency_key: the header Idempotency-Key (draft-ietf-httpapi-idempotency-key-header-07), on every POST
 * that makes something.
 *
 * The same key with the same body gets the first answer again, with `Idempotency-Replayed: true`; with
 * another body 422. A key belongs to the user that the request acts as, and to the path. It is written with
 * what it makes, and forgotten after the setting retention-idempotency. A request that repeats one which is
 * not answered yet gets 409 with Retry-After.
 *
 * What is shown once is kept nowhere, so a replay does not show it.
 */
#pragma once
#include "call.h"

/* The header's text; len 0: there is none. "a" in quotes (a string of RFC 9651) is the same key as a without.
 * False after call_fail. */
bool idempotency_key_read(struct call *call, size_t len_max, struct bytes *key);

/* From now until its answer the key is this request's alone. False after call_fail: another request has it;
 * `kind` and `source` say where this one has it from. */
bool idempotency_key_hold(struct call *call, const char *path, struct bytes key, enum source_kind kind,
                          const char *source);

/* Holds the key, and sets call->repeat for a write to `path` that makes what the request asks for; NULL when
 * it has no key. */
bool idempotency_key_take(struct call *call, const char *path);
/* call_fail: the key was used for another request. */
bool idempotency_key_refuse(struct call *call);
/* After that write. False after call_fail, when the key was used for another request. */
bool idempotency_key_fits(struct call *call);
/* The answer is that to an earlier request. `lost`: what it showed and is not shown again; NULL: nothing. */
void idempotency_key_replayed(struct call *call, const char *lost);
