#include "tree_budget.h"
#include "memory.h"

#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>

enum {
    VALUE_WEIGHT = 112, /* json-c's object, its place in an array or object, and malloc's own share */
    VALUES_MAX = 20000, /* posthorn_parse refuses more than half of that */
    COPIES = 4,         /* the body, the texts in the tree, and the file's content */
    TRIM_BYTES = 16 << 20
};

struct tree_budget {
    pthread_mutex_t lock;
    pthread_cond_t freed;
    size_t bytes_max, used, freed_bytes; /* since malloc gave back last */
};

struct tree_budget *tree_budget_open(size_t bytes_max)
{
    struct tree_budget *tree_budget = memory_zero(1, sizeof *tree_budget);

    pthread_mutex_init(&tree_budget->lock, NULL);
    pthread_cond_init(&tree_budget->freed, NULL);
    tree_budget->bytes_max = bytes_max;
    return tree_budget;
}

void tree_budget_close(struct tree_budget *tree_budget)
{
    if (!tree_budget)
        return;
    pthread_mutex_destroy(&tree_budget->lock);
    pthread_cond_destroy(&tree_budget->freed);
    free(tree_budget);
}

size_t tree_budget_weight(struct bytes document)
{
    size_t values = 1;

    for (size_t i = 0; i < document.len && values < VALUES_MAX; i++)
        values += document.data[i] == ',' || document.data[i] == ':' || document.data[i] == '[' ||
                  document.data[i] == '{';
    return values * VALUE_WEIGHT + COPIES * document.len;
}

bool tree_budget_take(struct tree_budget *tree_budget, size_t weight, bool patient)
{
    bool taken = false;

    pthread_mutex_lock(&tree_budget->lock);
    while (!(taken = tree_budget->used == 0 || tree_budget->used + weight <= tree_budget->bytes_max) &&
           patient)
        pthread_cond_wait(&tree_budget->freed, &tree_budget->lock);
    if (taken)
        tree_budget->used += weight;
    pthread_mutex_unlock(&tree_budget->lock);
    return taken;
}

void tree_budget_give(struct tree_budget *tree_budget, size_t weight)
{
    pthread_mutex_lock(&tree_budget->lock);
    tree_budget->used -= weight;
    tree_budget->freed_bytes += weight;
    bool much = tree_budget->used == 0 && tree_budget->freed_bytes > TRIM_BYTES;
    if (much)
        tree_budget->freed_bytes = 0;
    pthread_cond_broadcast(&tree_budget->freed);
    pthread_mutex_unlock(&tree_budget->lock);
    if (much)
        malloc_trim(0);
}
