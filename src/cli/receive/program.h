/*
 * program: runs an executable: bytes on its standard input, a time limit, and what it prints is kept. Never
 * through a shell. It runs in a process group of its own, which is killed as a whole at the limit, and it
 * does not outlive us.
 */
#pragma once
#include "bytes.h"

enum { PROGRAM_OUTPUT_LEN_MAX = 4096 };

struct program_end {
    enum {
        PROGRAM_EXITED,
        PROGRAM_KILLED, /* by a signal that was not ours */
        PROGRAM_TIMED_OUT,
        PROGRAM_NOT_STARTED
    } how;
    int code;                            /* the exit code, the signal, or the errno */
    char output[PROGRAM_OUTPUT_LEN_MAX]; /* stdout and stderr together; the rest is read and forgotten */
    size_t output_len;
};

/* Call it from a thread that lives on until the program ends: the kernel takes the end of the thread for
 * ours. */
void program_run(const char *path, char *const environment[], struct bytes input, int64_t limit_ms,
                 struct program_end *end);
