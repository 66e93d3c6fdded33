#include "targets.h"
#include "memory.h"
#include <stdlib.h>

enum { PLACES = 16384 /* about 500 bytes each, once used */ };

struct target {
    bool allowed;
    struct url url; /* views into text */
    size_t len;
    char text[];
};

struct targets {
    struct target *places[PLACES];
};

struct targets *targets_open(void)
{
    return memory_zero(1, sizeof(struct targets));
}

void targets_forget(struct targets *targets)
{
    for (int i = 0; i < PLACES; i++) {
        free(targets->places[i]);
        targets->places[i] = NULL;
    }
}

void targets_close(struct targets *targets)
{
    if (!targets)
        return;
    targets_forget(targets);
    free(targets);
}

static struct target *target_new(const struct guard *guard, struct bytes text)
{
    struct target *target = memory_alloc(sizeof *target + text.len);
    target->len = text.len;
    if (text.len > 0)
        memcpy(target->text, text.data, text.len);
    target->allowed = url_parse(bytes_make(target->text, text.len), &target->url) == URL_OK &&
                      guard_url(guard, &target->url) == GUARD_ALLOWED;
    return target;
}

const struct url *targets_find(struct targets *targets, const struct guard *guard,
                               const struct store_work *work)
{
    struct target **place = &targets->places[(uint64_t)work->endpoint_id % PLACES];
    if (!*place || !bytes_equal(work->url, bytes_make((*place)->text, (*place)->len))) {
        free(*place);
        *place = target_new(guard, work->url);
    }
    return (*place)->allowed ? &(*place)->url : NULL;
}
