/*
 * program: runs an executable, never through a shell: gives it standard input and a time limit, and keeps its
 * output. It runs in a process group of its own, which is killed as a whole at the limit, and it ends when we
 * end.
 */
#pragma once
#include "bytes.h"

enum { PROGRAM_OUTPUT_LEN_MAX = 4096 };

struct program_end {
    enum {
        PROGRAM_EXITED,
        PROGRAM_KILLED, /* by another process's signal */
        PROGRAM_TIMED_OUT,
        PROGRAM_NOT_STARTED
    } how;
    int code;                            /* the exit code, the signal, or the errno */
    char output[PROGRAM_OUTPUT_LEN_MAX]; /* stdout and stderr together; the rest is dropped */
    size_t output_len;
};

/* The calling thread must live until the program ends: to the kernel its end is the end of our process. */
void program_run(const char *path, char *const environment[], struct bytes input, int64_t limit_ms,
                 struct program_end *end);
