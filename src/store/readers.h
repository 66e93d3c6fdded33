/*
 * readers: a few threads that run queries, so that a long list never holds up an HTTP thread.
 */
#pragma once
#include "store.h"

struct readers;

struct readers_job {
    struct store_query query;
    struct arena *arena; /* memory of the answer; the job has it until `done` */
    struct store_answer answer;
    enum store_status status;
    void (*done)(struct readers_job *job); /* on the reader thread */
    void *ctx;
};

/* NULL: no thread could be started. */
struct readers *readers_open(const struct store_backend *backend, struct store *store, int threads,
                             int waiting_max);
bool readers_submit(struct readers *readers, struct readers_job *job); /* false: full */
void readers_close(struct readers *readers); /* runs the waiting queries, ends the threads */
