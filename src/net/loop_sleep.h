/*
 * loop_sleep: how long a libuv loop has slept in its poll. libuv can measure this itself
 * (UV_METRICS_IDLE_TIME), but then each turn polls twice.
 *
 * The time in which callbacks run is no sleep, although a loop runs those of descriptors within its poll. (In
 * a turn that finds 1,024 descriptors ready, libuv polls again, and the callbacks before that count as
 * sleep.)
 */
#pragma once
#include <stdint.h>
#include <uv.h>

struct loop_sleep {
    uv_prepare_t before;
    uv_check_t after;
    int64_t since_ms,
        total_ms; /* both ends of a sleep are whole milliseconds, so the sum is right on average */
};

/* Start it before all other prepare handles of the loop: libuv runs them in the reverse order. No callback
 * may call uv_update_time. */
void loop_sleep_start(struct loop_sleep *sleep, uv_loop_t *loop);
/* The memory must live until the loop has run the close. */
void loop_sleep_close(struct loop_sleep *sleep);
