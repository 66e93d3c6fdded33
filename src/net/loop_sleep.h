/*
 * loop_sleep: how long a libuv loop has slept. libuv can measure this itself (UV_METRICS_IDLE_TIME), but then
 * each turn polls twice.
 */
#pragma once
#include <uv.h>

struct loop_sleep {
    uv_prepare_t before;
    uv_check_t after;
    uint64_t since_ns, total_ns;
};

/* Start it before all other prepare handles of the loop: libuv runs them in the reverse order. */
void loop_sleep_start(struct loop_sleep *sleep, uv_loop_t *loop);
/* The memory must live until the loop has run the close. */
void loop_sleep_close(struct loop_sleep *sleep);
