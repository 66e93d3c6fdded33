#include "payload.h"
#include "memory.h"
#include <assert.h>
#include <stdlib.h>

struct payload *payload_make(struct budget *budget, size_t len)
{
    size_t taken = sizeof(struct payload) + len;
    if (budget && !budget_take(budget, BUDGET_OUT, taken))
        return NULL;
    struct payload *payload = memory_alloc(taken);
    payload->budget = budget;
    payload->taken = taken;
    payload->leases = 0;
    payload->len = len;
    atomic_init(&payload->holders, 1);
    return payload;
}

struct payload *payload_hold(struct payload *payload)
{
    int before = atomic_fetch_add_explicit(&payload->holders, 1, memory_order_relaxed);
    assert(before > 0);
    return payload;
}

void payload_drop(struct payload *payload)
{
    if (!payload)
        return;
    int before = atomic_fetch_sub_explicit(&payload->holders, 1, memory_order_acq_rel);
    assert(before > 0);
    if (before > 1)
        return;
    if (payload->budget)
        budget_give(payload->budget, BUDGET_OUT, payload->taken);
    free(payload);
}

bool payload_fits(const struct budget *budget, size_t held, size_t len)
{
    return !budget || (budget_fair(budget, BUDGET_OUT, held, len) &&
                       budget_free(budget, BUDGET_OUT) >= sizeof(struct payload) + len);
}
