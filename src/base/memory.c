#include "memory.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_NO_MEMORY = 4 };

/* Neither stdio nor exit handlers: both may allocate memory. */
_Noreturn void memory_exhausted(void)
{
    static const char line[] = "posthorn: out of memory; stopping. All accepted events are on disk\n";
    ssize_t written = write(STDERR_FILENO, line, sizeof line - 1);
    (void)written;
    _exit(EXIT_NO_MEMORY);
}

void *memory_alloc(size_t size)
{
    void *block = malloc(size);
    if (!block)
        memory_exhausted();
    return block;
}

void *memory_zero(size_t count, size_t size)
{
    void *block = calloc(count, size);
    if (!block)
        memory_exhausted();
    return block;
}

void *memory_grow(void *block, size_t size)
{
    void *grown = realloc(block, size);
    if (!grown)
        memory_exhausted();
    return grown;
}

char *memory_copy_text(const char *text)
{
    size_t size = strlen(text) + 1;
    return memcpy(memory_alloc(size), text, size);
}
