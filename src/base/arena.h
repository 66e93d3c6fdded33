/*
 * arena: memory that is freed all at once. One per request and one per slot.
 *
 * The maker states a maximum. arena_alloc returns NULL at the maximum: the input is too large, and the caller
 * reports that. If the system has no memory, memory.h ends the process.
 * A reset keeps the first block, so the common case does not call malloc. It frees blocks larger than 16 KiB:
 * a large input is rare, and others need the memory.
 * Not thread-safe; only one thread may use it at a time.
 */
#pragma once
#include "bytes.h"

struct arena_block;

struct arena {
    struct arena_block *first, *current;
    size_t used;     /* bytes handed out since the last reset */
    size_t size_max; /* handed out at most */
    bool small;
};

void arena_init(struct arena *arena, size_t size_max);
/* For an arena of which there are thousands: the first block is 1 KiB instead of 4. */
void arena_init_small(struct arena *arena, size_t size_max);
void arena_fini(struct arena *arena);
void arena_reset(struct arena *arena);

/* 16-byte aligned, not zeroed. NULL: the maximum is reached. */
void *arena_alloc(struct arena *arena, size_t size);
void *arena_zero(struct arena *arena, size_t size);
/* Grows the newest allocation in place. False: it is not the newest, or there is no room after it. */
bool arena_extend(struct arena *arena, const void *block, size_t size_old, size_t size_new);
/* True: the arena has allocated this byte since the last reset. */
bool arena_owns(const struct arena *arena, const void *byte);
/* A copy with a NUL after it (not counted in len). data == NULL: too large. */
struct bytes arena_copy(struct arena *arena, struct bytes source);
/* printf into the arena, NUL-terminated. NULL: too large. */
char *arena_printf(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
