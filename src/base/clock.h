/*
 * clock: the only file that reads clocks.
 *
 * It is passed as a value, so that a test or the simulator can replace it.
 *   wall_ms  milliseconds since 1970 in UTC. For records only; it may jump.
 *   mono_ms  milliseconds that never go back. For every timer and duration.
 */
#pragma once
#include <pthread.h>
#include <stdint.h>
#include <time.h>

struct clock {
    int64_t (*wall_ms)(void *ctx);
    int64_t (*mono_ms)(void *ctx);
    void *ctx;
};

struct clock clock_system(void);

static inline int64_t clock_wall_ms(const struct clock *clock)
{
    return clock->wall_ms(clock->ctx);
}
static inline int64_t clock_mono_ms(const struct clock *clock)
{
    return clock->mono_ms(clock->ctx);
}
/* CPU time of this process in microseconds: user and system. For /metrics and bench. */
void clock_cpu_us(int64_t *user_us, int64_t *system_us);
/* The same of the calling thread, user and system together. */
int64_t clock_thread_cpu_us(void);
/* CPU time of another thread, which has not been joined. */
int64_t clock_cpu_of_us(pthread_t thread);
/* The time this many milliseconds from now on CLOCK_MONOTONIC, for pthread_cond_timedwait. */
struct timespec clock_deadline(int64_t ms);
/* Sleeps about this long; a signal may end it early. */
void clock_pause_us(int64_t us);
