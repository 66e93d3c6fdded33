/*
 * budget: how many bytes of bodies may be in memory at once, requests coming in and documents going out
 * together (setting memory-max). Any thread.
 *
 * Whoever is about to hold a body takes its bytes first, and gives back the same number when the memory is
 * free again. Neither side can use up all of it: each may hold three quarters at most, so that requests do
 * not stop deliveries, nor hanging receivers the API.
 *
 * One holder among many (an endpoint, a client) is held to a share of what is free at the moment: its
 * fraction shrinks as the memory fills, and grows back by itself.
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
/* False: there is no room for so many now; nothing was taken. */
bool budget_take(struct budget *budget, enum budget_side side, size_t bytes);
void budget_give(struct budget *budget, enum budget_side side, size_t bytes);
size_t budget_used(const struct budget *budget, enum budget_side side);
/* What this side may still take. */
size_t budget_free(const struct budget *budget, enum budget_side side);
/* May one holder that has `held` bytes take so many more? If all it has then is a small part of what is free:
 * alone it comes to a fifth of the budget. One that holds nothing may always ask for one body. */
bool budget_fair(const struct budget *budget, enum budget_side side, size_t held, size_t bytes);
