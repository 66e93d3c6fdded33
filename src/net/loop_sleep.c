#include "loop_sleep.h"

enum { NS_PER_MS = 1000 * 1000 };

static void on_before(uv_prepare_t *before)
{
    struct loop_sleep *sleep = before->data;
    sleep->since_ms = (int64_t)(uv_hrtime() / NS_PER_MS);
}

/* uv_now is the time at which the poll returned. The callbacks of descriptors have run since then. */
static void on_after(uv_check_t *after)
{
    struct loop_sleep *sleep = after->data;
    int64_t slept_ms = (int64_t)uv_now(after->loop) - sleep->since_ms;
    sleep->total_ms += slept_ms > 0 ? slept_ms : 0;
}

void loop_sleep_start(struct loop_sleep *sleep, uv_loop_t *loop)
{
    uv_prepare_init(loop, &sleep->before);
    uv_check_init(loop, &sleep->after);
    sleep->before.data = sleep->after.data = sleep;
    uv_prepare_start(&sleep->before, on_before);
    uv_check_start(&sleep->after, on_after);
    uv_unref((uv_handle_t *)&sleep->before);
    uv_unref((uv_handle_t *)&sleep->after);
}

void loop_sleep_close(struct loop_sleep *sleep)
{
    uv_close((uv_handle_t *)&sleep->before, NULL);
    uv_close((uv_handle_t *)&sleep->after, NULL);
}
