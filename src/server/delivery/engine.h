/*
 * engine: the shell that joins core, store and net. It alone knows dispatch, queue and sender together.
 *
 * One thread, one libuv loop. The writer's completions and filled boxes come in over an inbox and a
 * wake-up; everything else happens on the loop: feed dispatch, drain its effects, start attempts, sleep.
 */
#pragma once
#include "dispatch.h"
#include "guard.h"
#include "queue.h"
#include "sender.h"
#include "vault.h"

struct engine;

struct engine_config {
    struct dispatch_config dispatch;
    struct sender_limits limits;
    int idle_connections_max;
    struct guard guard;
    const char *ca_file, *dns_servers;
    const struct source_addresses *sources; /* copied; NULL: any */
    struct clock clock;
    struct queue *queue;       /* used until engine_drain has returned */
    const struct vault *vault; /* must outlive the engine */
    struct log *log;
};

/* NULL: the log says why. */
struct engine *engine_open(const struct engine_config *config);
/* The queue's on_work: any thread. */
void engine_work(struct engine *engine, struct store_work **boxes, int count);
/* No new attempts; what is under way may finish within drain_ms, then is aborted; outcomes are recorded.
 * Returns when every slot is free and the thread has ended. */
void engine_drain(struct engine *engine, int64_t drain_ms);
/* Reads the authorities again (NULL: the system's), for handshakes from now on; kept connections go on.
 * False: the former stay, and the log says why. Any thread. */
bool engine_trust_again(struct engine *engine, const char *ca_file);
/* The store records nothing any more. Attempts under way go on to their end, no other is begun, and outcomes
 * are let go of. Any thread. */
void engine_stop_sending(struct engine *engine);
/* A second SIGTERM: ends attempts under way at once. Any thread. */
void engine_abort(struct engine *engine);
/* After the queue is closed: the last of its completions may still be telling the loop. */
void engine_free(struct engine *engine);

struct engine_stats {
    struct sender_stats sender;
    uint32_t slots[SLOT_STATE_COUNT];
    int64_t delivered, retried, given_up, released, cpu_us;
};
void engine_stats(struct engine *engine, struct engine_stats *stats);
