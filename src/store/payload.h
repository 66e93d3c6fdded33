/*
 * payload: a stamped document in memory, ready to be sent. All boxes and leases of its event share it. The
 * last holder frees it and gives its bytes back to the budget; any thread may be that holder. It is not
 * changed once a box has it.
 *
 * A large document is a payload from the start: it is written where it is sent from, because each copy of a
 * MiB costs 256 page faults.
 */
#pragma once
#include "arena.h"
#include "budget.h"

struct payload {
    struct budget *budget; /* NULL: not counted */
    size_t taken;          /* from the budget */
    atomic_int holders;
    int leases; /* the writer's: leases that share it (leases.h) */
    char *data;
    size_t len;
    struct arena memory; /* has data, if payload_begin made it */
    char room[];         /* otherwise has data */
};

/* Room for a document of `len` bytes, with one holder. NULL: the budget has no room now. */
struct payload *payload_make(struct budget *budget, size_t len);
/* A payload whose holder writes the document into `memory`, and sets data and len. It is not counted yet. */
struct payload *payload_begin(size_t len_max);
/* Counts the memory of such a payload, once. False: the budget has no room now. */
bool payload_count(struct payload *payload, struct budget *budget);
struct payload *payload_hold(struct payload *payload);
void payload_drop(struct payload *payload); /* NULL: nothing */
/* True: an endpoint that holds `held` bytes may hold `len` more, and payload_make would succeed now. */
bool payload_fits(const struct budget *budget, size_t held, size_t len);
