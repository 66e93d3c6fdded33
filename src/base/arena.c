#include "arena.h"
#include "memory.h"
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct arena_block {
    struct arena_block *next;
    size_t cap, used;
    _Alignas(16) char data[];
};

enum {
    ALIGNMENT = 16,
    BLOCK_SIZE_MIN = 4096 - (int)sizeof(struct arena_block),
    BLOCK_SIZE_SMALL = 1024 - (int)sizeof(struct arena_block),
    BLOCK_SIZE_MAX = 1 << 20,
    KEPT_SIZE_MAX = 16 << 10
};

static size_t aligned(size_t size)
{
    return (size + (ALIGNMENT - 1)) & ~(size_t)(ALIGNMENT - 1);
}

void arena_init(struct arena *arena, size_t size_max)
{
    *arena = (struct arena){.size_max = size_max};
}

void arena_init_small(struct arena *arena, size_t size_max)
{
    *arena = (struct arena){.size_max = size_max, .small = true};
}

static void free_blocks(struct arena_block *block)
{
    while (block) {
        struct arena_block *next = block->next;
        free(block);
        block = next;
    }
}

void arena_fini(struct arena *arena)
{
    free_blocks(arena->first);
    arena->first = arena->current = NULL;
    arena->used = 0;
}

void arena_reset(struct arena *arena)
{
    arena->used = 0;
    if (!arena->first)
        return;
    if (arena->first->cap > KEPT_SIZE_MAX) {
        arena_fini(arena);
        return;
    }
    free_blocks(arena->first->next);
    arena->first->next = NULL;
    arena->first->used = 0;
    arena->current = arena->first;
}

/* Blocks double, so that n bytes cost O(log n) calls of malloc; an arena with a small maximum stays small. */
static struct arena_block *add_block(struct arena *arena, size_t size)
{
    size_t first = arena->small ? BLOCK_SIZE_SMALL : BLOCK_SIZE_MIN;
    size_t cap = arena->current ? arena->current->cap * 2 : first;
    if (cap > BLOCK_SIZE_MAX)
        cap = BLOCK_SIZE_MAX;
    if (cap > aligned(arena->size_max - arena->used))
        cap = aligned(arena->size_max - arena->used);
    if (cap < size)
        cap = size;
    struct arena_block *block = memory_alloc(sizeof *block + cap);
    *block = (struct arena_block){.cap = cap};
    if (arena->current)
        arena->current->next = block;
    else
        arena->first = block;
    arena->current = block;
    return block;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    assert(arena->used <= arena->size_max);
    if (size > arena->size_max - arena->used)
        return NULL;
    struct arena_block *block = arena->current;
    size_t taken = aligned(size ? size : 1);
    if (!block || taken > block->cap - block->used)
        block = add_block(arena, taken);
    void *result = block->data + block->used;
    block->used += taken;
    arena->used += size;
    return result;
}

void *arena_zero(struct arena *arena, size_t size)
{
    void *block = arena_alloc(arena, size);
    return block ? memset(block, 0, size) : NULL;
}

bool arena_extend(struct arena *arena, const void *block, size_t size_old, size_t size_new)
{
    assert(size_new >= size_old && size_old > 0);
    struct arena_block *current = arena->current;
    if (!current || aligned(size_old) > current->used)
        return false;
    size_t start = current->used - aligned(size_old);
    if (current->data + start != block || aligned(size_new) > current->cap - start ||
        size_new - size_old > arena->size_max - arena->used)
        return false;
    current->used = start + aligned(size_new);
    arena->used += size_new - size_old;
    return true;
}

bool arena_owns(const struct arena *arena, const void *byte)
{
    for (const struct arena_block *block = arena->first; block; block = block->next)
        if ((const char *)byte >= block->data && (const char *)byte < block->data + block->used)
            return true;
    return false;
}

struct bytes arena_copy(struct arena *arena, struct bytes source)
{
    char *copy = arena_alloc(arena, source.len + 1);
    if (!copy)
        return (struct bytes){NULL, 0};
    if (source.len)
        memcpy(copy, source.data, source.len);
    copy[source.len] = '\0';
    return (struct bytes){copy, source.len};
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    assert(len >= 0);
    char *result = arena_alloc(arena, (size_t)len + 1);
    if (result)
        vsnprintf(result, (size_t)len + 1, format, again);
    va_end(again);
    return result;
}
