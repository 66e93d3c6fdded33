/*
 * idmap: from a positive 64-bit id to a pointer. Open addressing; the pointers stay their owner's.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct idmap {
    struct idmap_slot *slots;
    size_t cap, count, gone; /* gone: slots of removed ids, reused when the map is laid out anew */
};

void idmap_fini(struct idmap *map);
void *idmap_get(const struct idmap *map, int64_t id); /* NULL: none */
void idmap_put(struct idmap *map, int64_t id, void *value);
void *idmap_remove(struct idmap *map, int64_t id); /* what was there; NULL: nothing */
/* Every value once, in no order: start with *at = 0, NULL ends. No put or remove in between. */
void *idmap_each(const struct idmap *map, size_t *at);
