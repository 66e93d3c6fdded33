#include "budget.h"
#include <assert.h>

/* A holder may have this share of the free bytes: half the free part of the budget. A single holder gets
 * much, because a body that must wait is read from the disk again. n holders that hang leave 1 / (1 + n / 2)
 * free. */
enum { FAIR_DIVISOR = 2, KIB = 1024 };

void budget_init(struct budget *budget, size_t bytes_max)
{
    budget->bytes_max = bytes_max;
    for (int side = 0; side < BUDGET_SIDE_COUNT; side++)
        atomic_init(&budget->used[side], 0);
}

size_t budget_used(const struct budget *budget, enum budget_side side)
{
    return atomic_load_explicit(&budget->used[side], memory_order_relaxed);
}

static size_t own_max(const struct budget *budget)
{
    return budget->bytes_max - budget->bytes_max / 4;
}

size_t budget_free(const struct budget *budget, enum budget_side side)
{
    size_t own = budget_used(budget, side);
    size_t all = budget_used(budget, BUDGET_IN) + budget_used(budget, BUDGET_OUT);
    size_t max = own_max(budget);
    if (own >= max || all >= budget->bytes_max)
        return 0;
    return max - own < budget->bytes_max - all ? max - own : budget->bytes_max - all;
}

/* Takes first and checks afterwards, so that at most one of two threads gets the last bytes. */
bool budget_take(struct budget *budget, enum budget_side side, size_t bytes)
{
    if (bytes > budget_free(budget, side))
        return false;
    size_t own = atomic_fetch_add_explicit(&budget->used[side], bytes, memory_order_relaxed) + bytes;
    size_t other = budget_used(budget, side == BUDGET_IN ? BUDGET_OUT : BUDGET_IN);
    if (own <= own_max(budget) && own + other <= budget->bytes_max)
        return true;
    budget_give(budget, side, bytes);
    return false;
}

void budget_give(struct budget *budget, enum budget_side side, size_t bytes)
{
    size_t before = atomic_fetch_sub_explicit(&budget->used[side], bytes, memory_order_relaxed);
    assert(before >= bytes);
}

bool budget_fair(const struct budget *budget, enum budget_side side, size_t held, size_t bytes)
{
    size_t free_kib = budget_free(budget, side) / KIB, all_kib = own_max(budget) / KIB + 1;
    return held == 0 || (held + bytes) / KIB < free_kib * free_kib / all_kib / FAIR_DIVISOR;
}
