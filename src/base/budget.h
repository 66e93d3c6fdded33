/*
 * budget: how many bytes of bodies may be in memory at once, requests coming in and documents going out
 * together (setting memory-max). Any thread.
 *
 * The holder of a body takes its bytes first, and gives the same number back when it frees the memory. Each
 * side may hold three quarters at most, so requests cannot stop deliveries, and hanging receivers cannot stop
 * the API.
 *
 * One holder (an endpoint, a client) may have a share of the free bytes. The share shrinks as the memory
 * fills, and grows again by itself.
 */
#pragma once
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum budget_side { BUDGET_IN, BUDGET_OUT, BUDGET_SIDE_COUNT };

struct budget {
    size_t bytes_max;
    atomic_size_t used[BUDGET_SIDE_COUNT];
};

void budget_init(struct budget *budget, size_t bytes_max);
/* False: there are not enough free bytes; nothing was taken. */
bool budget_take(struct budget *budget, enum budget_side side, size_t bytes);
void budget_give(struct budget *budget, enum budget_side side, size_t bytes);
size_t budget_used(const struct budget *budget, enum budget_side side);
/* The bytes that this side may still take. */
size_t budget_free(const struct budget *budget, enum budget_side side);
/* May a holder of `held` bytes take so many more? Yes, if its total is then a small part of the free bytes: a
 * single holder gets a fifth of the budget. A holder of nothing may always ask for one body. */
bool budget_fair(const struct budget *budget, enum budget_side side, size_t held, size_t bytes);
