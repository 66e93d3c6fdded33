#include "input.h"
#include <errno.h>

struct bytes input_read(const struct invocation *invocation, struct arena *arena, const char *path,
                        size_t len_max)
{
    bool standard = strcmp(path, "-") == 0;
    FILE *file = standard ? stdin : fopen(path, "re");
    char *text = file ? arena_alloc(arena, len_max + 2) : NULL;
    size_t len = text ? fread(text, 1, len_max + 1, file) : 0;
    struct bytes content = {NULL, 0};

    if (!file || ferror(file))
        command_failed(invocation, "%s cannot be read: %s", standard ? "stdin" : path, strerror(errno));
    else if (!text || len > len_max)
        command_failed(invocation, "%s is larger than %zu KiB", standard ? "stdin" : path, len_max >> 10);
    else
        content = bytes_make(text, len);
    if (content.data)
        text[len] = '\0';
    if (file && !standard)
        fclose(file);
    return content;
}
