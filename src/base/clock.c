#include "clock.h"
#include <assert.h>
#include <stddef.h>
#include <sys/resource.h>
#include <time.h>

static int64_t read_ms(clockid_t id)
{
    struct timespec now;
    int failed = clock_gettime(id, &now);
    assert(!failed);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t system_wall_ms(void *ctx)
{
    return read_ms(CLOCK_REALTIME);
}

static int64_t system_mono_ms(void *ctx)
{
    return read_ms(CLOCK_MONOTONIC);
}

struct clock clock_system(void)
{
    return (struct clock){.wall_ms = system_wall_ms, .mono_ms = system_mono_ms, .ctx = NULL};
}

void clock_cpu_us(int64_t *user_us, int64_t *system_us)
{
    struct rusage usage;
    int failed = getrusage(RUSAGE_SELF, &usage);
    assert(!failed);
    *user_us = (int64_t)usage.ru_utime.tv_sec * 1000000 + usage.ru_utime.tv_usec;
    *system_us = (int64_t)usage.ru_stime.tv_sec * 1000000 + usage.ru_stime.tv_usec;
}

int64_t clock_thread_cpu_us(void)
{
    struct timespec spent;
    int failed = clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent);
    assert(!failed);
    return (int64_t)spent.tv_sec * 1000000 + spent.tv_nsec / 1000;
}

int64_t clock_cpu_of_us(pthread_t thread)
{
    clockid_t of;
    struct timespec spent;
    int failed = pthread_getcpuclockid(thread, &of) || clock_gettime(of, &spent);
    assert(!failed);
    return (int64_t)spent.tv_sec * 1000000 + spent.tv_nsec / 1000;
}

struct timespec clock_deadline(int64_t ms)
{
    struct timespec until;
    int failed = clock_gettime(CLOCK_MONOTONIC, &until);
    assert(!failed);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    return until;
}

void clock_pause_us(int64_t us)
{
    struct timespec pause = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
    (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
}
