/* input: reads a whole file or standard input. */
#pragma once
#include "arena.h"
#include "command.h"

/* "-" is standard input. At most len_max bytes, on the arena, and a NUL. data NULL: stderr has the reason. */
struct bytes input_read(const struct invocation *invocation, struct arena *arena, const char *path,
                        size_t len_max);
