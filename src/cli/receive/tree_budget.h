/*
 * tree_budget: how much memory the parsed documents may take at once. A small body can be a large tree: a
 * megabyte of "[0,0,..." is fifty. Whoever parses takes the weight of its tree first, and gives it back when
 * the tree is freed. Any thread.
 */
#pragma once
#include "bytes.h"

struct tree_budget;

struct tree_budget *tree_budget_open(size_t bytes_max);
void tree_budget_close(struct tree_budget *tree_budget);
/* About how much memory the tree of this document takes, its body included. */
size_t tree_budget_weight(struct bytes document);
/* False: there is no room now, and `patient` is false; with it, waits. One alone always has room, whatever it
 * weighs. */
bool tree_budget_take(struct tree_budget *tree_budget, size_t weight, bool patient);
void tree_budget_give(struct tree_budget *tree_budget, size_t weight);
