/*
 * idmap: maps positive 64-bit ids to pointers. Open addressing. The map does not own the pointers.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct idmap {
    struct idmap_slot *slots;
    size_t cap, count, gone; /* gone: slots of removed ids, reused when the map is rebuilt */
};

void idmap_fini(struct idmap *map);
void *idmap_get(const struct idmap *map, int64_t id); /* NULL: none */
void idmap_put(struct idmap *map, int64_t id, void *value);
void *idmap_remove(struct idmap *map, int64_t id); /* returns the former pointer; NULL: none */
/* Returns every value once, in no order: start with *at = 0; NULL is the end. No put or remove meanwhile. */
void *idmap_each(const struct idmap *map, size_t *at);
