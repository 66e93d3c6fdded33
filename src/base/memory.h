/*
 * memory: allocation that does not fail.
 *
 * There are three kinds of error in posthorn, and running out of memory is the
 * one nobody can handle locally: state is durable and every input is bounded,
 * so the honest answer is to end the process cleanly and be restarted. These
 * functions write one line to stderr and leave with exit code 4 when the
 * system has no memory left; they never return NULL. libposthorn (lib/) does
 * not use them: a library must not end its host.
 */
#pragma once
#include <stddef.h>

void *memory_alloc(size_t size);              /* not zeroed; size > 0 */
void *memory_zero(size_t count, size_t size); /* zeroed; overflow-checked */
void *memory_grow(void *block, size_t size);  /* realloc */
char *memory_copy_text(const char *text);     /* strdup */
/* Says so and leaves, exactly as these do: for the NULL of a library that allocates for itself. */
_Noreturn void memory_exhausted(void);
