#include "tree_budget.h"
#include "memory.h"

#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>

enum {
    VALUE_WEIGHT = 112, /* json-c's object, its place in an array or object, and malloc's own share */
    VALUES_MAX = 20000, /* posthorn_parse refuses more than half of that */
    COPIES = 4,         /* its own, the texts in the tree, and what is written to the file */
    TRIM_BYTES = 16 << 20
};

struct scale {
    pthread_mutex_t lock;
    pthread_cond_t freed;
    size_t bytes_max, used, freed_bytes; /* since malloc gave back last */
};

struct scale *scale_open(size_t bytes_max)
{
    struct scale *scale = memory_zero(1, sizeof *scale);

    pthread_mutex_init(&scale->lock, NULL);
    pthread_cond_init(&scale->freed, NULL);
    scale->bytes_max = bytes_max;
    return scale;
}

void scale_close(struct scale *scale)
{
    if (!scale)
        return;
    pthread_mutex_destroy(&scale->lock);
    pthread_cond_destroy(&scale->freed);
    free(scale);
}

size_t scale_weight(struct bytes document)
{
    size_t values = 1;

    for (size_t i = 0; i < document.len && values < VALUES_MAX; i++)
        values += document.data[i] == ',' || document.data[i] == ':' || document.data[i] == '[' ||
                  document.data[i] == '{';
    return values * VALUE_WEIGHT + COPIES * document.len;
}

bool scale_take(struct scale *scale, size_t weight, bool patient)
{
    bool taken = false;

    pthread_mutex_lock(&scale->lock);
    while (!(taken = scale->used == 0 || scale->used + weight <= scale->bytes_max) && patient)
        pthread_cond_wait(&scale->freed, &scale->lock);
    if (taken)
        scale->used += weight;
    pthread_mutex_unlock(&scale->lock);
    return taken;
}

void scale_give(struct scale *scale, size_t weight)
{
    pthread_mutex_lock(&scale->lock);
    scale->used -= weight;
    scale->freed_bytes += weight;
    bool much = scale->used == 0 && scale->freed_bytes > TRIM_BYTES;
    if (much)
        scale->freed_bytes = 0;
    pthread_cond_broadcast(&scale->freed);
    pthread_mutex_unlock(&scale->lock);
    if (much)
        malloc_trim(0);
}
