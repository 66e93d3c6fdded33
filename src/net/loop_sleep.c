#include "loop_sleep.h"

static void on_before(uv_prepare_t *before)
{
    struct loop_sleep *sleep = before->data;
    sleep->since_ns = uv_hrtime();
}

static void on_after(uv_check_t *after)
{
    struct loop_sleep *sleep = after->data;
    sleep->total_ns += uv_hrtime() - sleep->since_ns;
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
