/*
 * payload: a stamped document in hand, ready to be sent. It is held once, however many endpoints get it:
 * boxes and leases count as holders, on any thread; the last one frees it and gives its bytes back to the
 * budget. Nobody changes it once it has a second holder.
 */
#pragma once
#include "budget.h"
#include "bytes.h"

struct payload {
    struct budget *budget; /* NULL: nobody counts */
    size_t taken;          /* from the budget */
    atomic_int holders;
    int leases; /* the writer's: leases that find it by its event (leases.h) */
    size_t len;
    char data[];
};

/* Room for a document of so many bytes, with one holder. NULL: the budget has no room now. */
struct payload *payload_make(struct budget *budget, size_t len);
struct payload *payload_hold(struct payload *payload);
void payload_drop(struct payload *payload); /* NULL: nothing */
/* May an endpoint that has `held` bytes under way have so many more, and would payload_make make them now? */
bool payload_fits(const struct budget *budget, size_t held, size_t len);
