#include "payload.h"
#include "memory.h"
#include <assert.h>
#include <stdlib.h>

static struct payload *payload_new(size_t room)
{
    struct payload *payload = memory_alloc(sizeof *payload + room);
    payload->budget = NULL;
    payload->taken = payload->len = 0;
    payload->leases = 0;
    payload->data = payload->room;
    arena_init(&payload->memory, 0);
    atomic_init(&payload->holders, 1);
    return payload;
}

struct payload *payload_make(struct budget *budget, size_t len)
{
    size_t taken = sizeof(struct payload) + len;
    if (budget && !budget_take(budget, BUDGET_OUT, taken))
        return NULL;
    struct payload *payload = payload_new(len);
    payload->budget = budget;
    payload->taken = taken;
    payload->len = len;
    return payload;
}

struct payload *payload_begin(size_t len_max)
{
    struct payload *payload = payload_new(0);
    arena_init(&payload->memory, len_max);
    return payload;
}

bool payload_count(struct payload *payload, struct budget *budget)
{
    size_t taken = sizeof *payload + payload->len;
    if (payload->taken > 0)
        return true;
    if (budget && !budget_take(budget, BUDGET_OUT, taken))
        return false;
    payload->budget = budget;
    payload->taken = taken;
    return true;
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
    arena_fini(&payload->memory);
    free(payload);
}

bool payload_fits(const struct budget *budget, size_t held, size_t len)
{
    return !budget || (budget_fair(budget, BUDGET_OUT, held, len) &&
                       budget_free(budget, BUDGET_OUT) >= sizeof(struct payload) + len);
}
