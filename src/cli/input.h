/* input: a file that a command reads whole, or standard input. */
#pragma once
#include "arena.h"
#include "command.h"

/* "-" is standard input. At most len_max bytes, on the arena, with a NUL behind them. data NULL: stderr says
 * why. */
struct bytes input_read(const struct invocation *invocation, struct arena *arena, const char *path,
                        size_t len_max);
