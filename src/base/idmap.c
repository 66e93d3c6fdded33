#include "idmap.h"
#include "memory.h"
#include <assert.h>
#include <stdlib.h>

enum { ID_FREE = 0, ID_GONE = -1, CAP_FIRST = 64 };

struct idmap_slot {
    int64_t id;
    void *value;
};

static size_t slot_of(const struct idmap *map, int64_t id)
{
    uint64_t mixed = (uint64_t)id * 0x9E3779B97F4A7C15u; /* Fibonacci hashing: ids are often in sequence */
    return (size_t)(mixed >> 32) & (map->cap - 1);
}

static struct idmap_slot *find(const struct idmap *map, int64_t id)
{
    if (map->cap == 0)
        return NULL;
    for (size_t at = slot_of(map, id);; at = (at + 1) & (map->cap - 1)) {
        if (map->slots[at].id == id)
            return &map->slots[at];
        if (map->slots[at].id == ID_FREE)
            return NULL;
    }
}

/* At most half of the slots are taken or gone, so that find meets a free one soon. */
static void lay_out(struct idmap *map)
{
    struct idmap old = *map;
    map->cap = CAP_FIRST;
    while (map->cap < 4 * old.count)
        map->cap *= 2;
    map->slots = memory_zero(map->cap, sizeof *map->slots);
    map->count = map->gone = 0;
    for (size_t i = 0; i < old.cap; i++)
        if (old.slots[i].id > 0)
            idmap_put(map, old.slots[i].id, old.slots[i].value);
    assert(map->count == old.count);
    free(old.slots);
}

void idmap_fini(struct idmap *map)
{
    free(map->slots);
    *map = (struct idmap){0};
}

void *idmap_get(const struct idmap *map, int64_t id)
{
    const struct idmap_slot *slot = find(map, id);
    return slot ? slot->value : NULL;
}

void idmap_put(struct idmap *map, int64_t id, void *value)
{
    assert(id > 0 && value);
    struct idmap_slot *known = find(map, id);
    if (known) {
        known->value = value;
        return;
    }
    if (2 * (map->count + map->gone + 1) > map->cap)
        lay_out(map);
    size_t at = slot_of(map, id);
    while (map->slots[at].id != ID_FREE)
        at = (at + 1) & (map->cap - 1);
    map->slots[at] = (struct idmap_slot){id, value};
    map->count++;
}

void *idmap_remove(struct idmap *map, int64_t id)
{
    struct idmap_slot *slot = find(map, id);
    if (!slot)
        return NULL;
    void *value = slot->value;
    *slot = (struct idmap_slot){ID_GONE, NULL};
    map->count--;
    map->gone++;
    return value;
}

void *idmap_each(const struct idmap *map, size_t *at)
{
    while (*at < map->cap) {
        const struct idmap_slot *slot = &map->slots[(*at)++];
        if (slot->id > 0)
            return slot->value;
    }
    return NULL;
}
