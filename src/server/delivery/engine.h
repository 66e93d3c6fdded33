/*
 * engine: joins core, store and net. Only the engine knows dispatch, queue and sender together.
 *
 * One thread with one libuv loop. The writer's completions and filled boxes come through an inbox with a
 * wake-up. Everything else happens on the loop: feed dispatch, carry out its effects, run attempts, sleep.
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

/* NULL: the log has the reason. */
struct engine *engine_open(const struct engine_config *config);
/* The on_work of the queue. Any thread. */
void engine_work(struct engine *engine, struct store_work **boxes, int count);
/* Begins no new attempts. Those under way may finish within drain_ms and are then aborted; outcomes are
 * recorded. Returns when every slot is free and the thread has ended. */
void engine_drain(struct engine *engine, int64_t drain_ms);
/* Reads the authorities again (NULL: the system's) for new handshakes; open connections stay. False: the old
 * ones stay, and the log has the reason. Any thread. */
bool engine_trust_again(struct engine *engine, const char *ca_file);
/* The store no longer writes. Attempts under way finish, no other begins, and outcomes are dropped. Any
 * thread. */
void engine_stop_sending(struct engine *engine);
/* For a second SIGTERM: ends the attempts under way at once. Any thread. */
void engine_abort(struct engine *engine);
/* Call it after the queue is closed, whose last completions may still wake the loop. */
void engine_free(struct engine *engine);

struct engine_stats {
    struct sender_stats sender;
    uint32_t slots[SLOT_STATE_COUNT];
    int64_t delivered, retried, given_up, released, cpu_us;
};
void engine_stats(struct engine *engine, struct engine_stats *stats);
