/*
 * tree_budget: limits the memory of all parsed documents. A small body can be a large tree: a megabyte of
 * "[0,0,..." becomes fifty. A parser takes the tree's weight first, and gives it back when the tree is freed.
 * Any thread.
 */
#pragma once
#include "bytes.h"

struct tree_budget;

struct tree_budget *tree_budget_open(size_t bytes_max);
void tree_budget_close(struct tree_budget *tree_budget);
/* An estimate of the memory of this document's tree, with its body. */
size_t tree_budget_weight(struct bytes document);
/* False: there is no room. `patient`: waits instead. A single tree of any weight has room. */
bool tree_budget_take(struct tree_budget *tree_budget, size_t weight, bool patient);
void tree_budget_give(struct tree_budget *tree_budget, size_t weight);
