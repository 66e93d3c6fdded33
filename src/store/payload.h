/*
 * payload: a stamped document in hand, ready to be sent. It is held once, however many endpoints get it:
 * boxes and leases count as holders, on any thread; the last one frees it and gives its bytes back to the
 * budget. Nobody changes it once a box has it.
 *
 * A large document is a payload from the start: who makes it writes it where it is sent from. Each copy of a
 * MiB costs 256 page faults.
 */
#pragma once
#include "arena.h"
#include "budget.h"

struct payload {
    struct budget *budget; /* NULL: nobody counts */
    size_t taken;          /* from the budget */
    atomic_int holders;
    int leases; /* the writer's: leases that find it by its event (leases.h) */
    char *data;
    size_t len;
    struct arena memory; /* of data, if payload_begin made it */
    char room[];         /* else */
};

/* Room for a document of so many bytes, with one holder. NULL: the budget has no room now. */
struct payload *payload_make(struct budget *budget, size_t len);
/* One whose holder writes the document into `memory`, and sets data and len. Nobody counts it yet. */
struct payload *payload_begin(size_t len_max);
/* Counts the memory of such a one, if nobody has done so. False: the budget has no room now. */
bool payload_count(struct payload *payload, struct budget *budget);
struct payload *payload_hold(struct payload *payload);
void payload_drop(struct payload *payload); /* NULL: nothing */
/* May an endpoint that has `held` bytes under way have so many more, and would payload_make make them now? */
bool payload_fits(const struct budget *budget, size_t held, size_t len);
