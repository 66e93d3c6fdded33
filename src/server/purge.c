#include "purge.h"
#include "memory.h"
#include <assert.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* A pause is so many times as long as the look before, or shorter, to keep up; 1 ms when there is more for
 * long. */
enum { GENTLE = 3, GENTLE_LOOKS = 64, KEEPS_UP_PER_S = 20000, PAUSE_MS_MAX = 1000 };

struct purge {
    struct purge_config config;
    pthread_t thread;
    int stop_fd, done_fd; /* eventfds */
    struct queue_job job;
    enum store_status status; /* of the job, before done_fd */
    int64_t removed;          /* events, since there was nothing to do */
    int looks;                /* since then */
};

static void purge_done(struct queue_job *job, enum store_status status)
{
    struct purge *purge = job->ctx;
    purge->status = status;
    eventfd_write(purge->done_fd, 1);
}

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
static int purge_look(struct purge *purge)
{
    const struct purge_config *config = &purge->config;
    int64_t begun_ms = clock_mono_ms(&config->clock);
    purge->job =
        (struct queue_job){.op = {.kind = STORE_PURGE,
                                  .purge = {.before_ms = before(purge, config->events_ms),
                                            .attempts_before_ms = before(purge, config->attempts_ms),
                                            .idempotency_before_ms = before(purge, config->idempotency_ms),
                                            .resources_before_ms = before(purge, config->resources_ms),
                                            .rows_max = config->rows_max}},
                           .done = purge_done,
                           .ctx = purge};
    if (!queue_submit(config->queue, &purge->job))
        return PAUSE_MS_MAX; /* the queue is full: producers first */
    eventfd_t ignored;
    eventfd_read(purge->done_fd, &ignored);
    if (purge->status != STORE_OK)
        return config->period_ms;
    purge->removed += purge->job.op.count;
    purge->looks++;
    if (purge->job.op.purge.more)
        return (int)purge_pause_ms(purge->looks, clock_mono_ms(&config->clock) - begun_ms, config->rows_max);
    int wait_ms = config->period_ms;
    if (purge->removed > 0) {
        log_write(config->log, LOG_LEVEL_INFO, "purge", "removed events=%lld", (long long)purge->removed);
        wait_ms = wait_ms < PAUSE_MS_MAX ? wait_ms : PAUSE_MS_MAX; /* more of it gets old all the time */
    }
    purge->removed = purge->looks = 0;
    return wait_ms;
}

static void *purge_main(void *argument)
{
    struct purge *purge = argument;
    struct pollfd stop = {.fd = purge->stop_fd, .events = POLLIN};
    int wait_ms = purge->config.period_ms;
    while (poll(&stop, 1, wait_ms) <= 0)
        wait_ms = purge_look(purge);
    return NULL;
}

struct purge *purge_open(const struct purge_config *config)
{
    struct purge *purge = memory_zero(1, sizeof *purge);
    purge->config = *config;
    purge->stop_fd = eventfd(0, EFD_CLOEXEC);
    purge->done_fd = eventfd(0, EFD_CLOEXEC);
    int error = pthread_create(&purge->thread, NULL, purge_main, purge);
    assert(purge->stop_fd >= 0 && purge->done_fd >= 0 && error == 0);
    return purge;
}

void purge_close(struct purge *purge)
{
    if (!purge)
        return;
    eventfd_write(purge->stop_fd, 1);
    pthread_join(purge->thread, NULL);
    close(purge->stop_fd);
    close(purge->done_fd);
    free(purge);
}
