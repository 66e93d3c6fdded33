/*
 * targets: the URLs of the endpoints that are being sent to, parsed and judged by the guard, so that an
 * attempt costs a comparison and no parse. A cache with a fixed number of places, by endpoint; another URL
 * replaces the entry, another endpoint with the same place too. It holds the text itself and compares it, so
 * that no entry can be older than the work; what the guard would say may change, and then everything is
 * forgotten.
 *
 * The engine's thread alone.
 */
#pragma once
#include "guard.h"
#include "store.h"

struct targets;

struct targets *targets_open(void);
void targets_close(struct targets *targets);

/* The URL of this work, good until the next call. NULL: it does not parse, or the guard does not allow it. */
const struct url *targets_find(struct targets *targets, const struct guard *guard,
                               const struct store_work *work);
/* After each change of the guard. */
void targets_forget(struct targets *targets);
