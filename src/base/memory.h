/*
 * memory: allocation that does not fail.
 *
 * posthorn has three kinds of error, and no caller can handle a lack of memory. State is durable and every
 * input is bounded, so the process ends cleanly and is restarted. If the system has no memory left, these
 * functions write one line to stderr and exit with code 4. They never return NULL. libposthorn (lib/) does
 * not use them, because a library must not end its host.
 */
#pragma once
#include <stddef.h>

void *memory_alloc(size_t size);              /* not zeroed; size > 0 */
void *memory_zero(size_t count, size_t size); /* zeroed; overflow-checked */
void *memory_grow(void *block, size_t size);  /* realloc */
/* Room for one more item in a list of `count`, which may move: its capacity doubles. NULL: an empty list. */
static inline void *memory_room(void *list, int count, int *cap, size_t item_size)
{
    if (count < *cap)
        return list;
    *cap = *cap ? 2 * *cap : 16;
    return memory_grow(list, (size_t)*cap * item_size);
}
char *memory_copy_text(const char *text); /* strdup */
/* Writes that line and exits; for the NULL of a library that allocates for itself. */
_Noreturn void memory_exhausted(void);
