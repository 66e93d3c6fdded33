/*
 * log: one line a message, `time level module: message key=value ...`, or one JSON object a line.
 * It never blocks and never ends the process: if the pipe is full or closed, lines are dropped, and the next
 * line that fits says how many. Never log a secret.
 *
 * Passed by pointer; thread-safe. A NULL log is silent, for tests.
 */
#pragma once
#include "clock.h"
#include <stdbool.h>
#include <stddef.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

struct log;

struct log *log_open(int fd, enum log_level level_max, bool json, struct clock clock);
/* From now on; any thread. */
void log_set_level(struct log *log, enum log_level level_max);
void log_close(struct log *log);
void log_write(struct log *log, enum log_level level, const char *module, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* "error", "warn", "info", "debug"; false: any other text. */
bool log_level_parse(const char *name, enum log_level *level);
