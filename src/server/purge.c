#include "purge.h"
#include "background.h"
#include "memory.h"
#include <stdlib.h>

/* A pause is so many times as long as the look before, or shorter, to keep up; 1 ms when there is more for
 * long. */
enum { GENTLE = 3, GENTLE_LOOKS = 64, KEEPS_UP_PER_S = 20000, PAUSE_MS_MAX = 1000 };

struct purge {
    struct purge_config config;
    struct background background;
    int64_t removed; /* events, since there was nothing to do */
    int looks;       /* since then */
};

static int64_t before(const struct purge *purge, int64_t kept_ms)
{
    return kept_ms > 0 ? clock_wall_ms(&purge->config.clock) - kept_ms : 0;
}

int64_t purge_pause_ms(int looks, int64_t took_ms, int rows_max)
{
    int64_t gentle_ms = looks <= GENTLE_LOOKS ? GENTLE * took_ms : 0;
    int64_t left_ms = (int64_t)rows_max * 1000 / KEEPS_UP_PER_S - took_ms;
    int64_t pause_ms = gentle_ms < left_ms ? gentle_ms : left_ms;
    return pause_ms < 1 ? 1 : pause_ms;
}

/* How long to sleep then. */
static int purge_look(void *ctx)
{
    struct purge *purge = ctx;
    const struct purge_config *config = &purge->config;
    int64_t begun_ms = clock_mono_ms(&config->clock);
    struct store_op op = {.kind = STORE_PURGE,
                          .purge = {.before_ms = before(purge, config->events_ms),
                                    .attempts_before_ms = before(purge, config->attempts_ms),
                                    .idempotency_before_ms = before(purge, config->idempotency_ms),
                                    .resources_before_ms = before(purge, config->resources_ms),
                                    .rows_max = config->rows_max}};
    if (!background_write(&purge->background, config->queue, op))
        return purge->background.status == STORE_OK ? PAUSE_MS_MAX : config->period_ms;
    const struct store_op *done = &purge->background.write.op;
    purge->removed += done->count;
    purge->looks++;
    if (done->purge.more)
        return (int)purge_pause_ms(purge->looks, clock_mono_ms(&config->clock) - begun_ms, config->rows_max);
    int wait_ms = config->period_ms;
    if (purge->removed > 0) {
        log_write(config->log, LOG_LEVEL_INFO, "purge", "removed events=%lld", (long long)purge->removed);
        wait_ms = wait_ms < PAUSE_MS_MAX ? wait_ms : PAUSE_MS_MAX; /* more of it gets old all the time */
    }
    purge->removed = purge->looks = 0;
    return wait_ms;
}

struct purge *purge_open(const struct purge_config *config)
{
    struct purge *purge = memory_zero(1, sizeof *purge);
    purge->config = *config;
    background_start(&purge->background, config->period_ms, purge_look, purge);
    return purge;
}

void purge_close(struct purge *purge)
{
    if (!purge)
        return;
    background_stop(&purge->background);
    free(purge);
}
