#include "purge.h"
#include "memory.h"
#include <assert.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { PURGE_HURRY_MS = 200 /* between two looks while there is more */ };

struct purge {
    struct purge_config config;
    pthread_t thread;
    int stop_fd, done_fd; /* eventfds */
    struct queue_job job;
    enum store_status status; /* of the job, before done_fd */
};

static void purge_done(struct queue_job *job, enum store_status status)
{
    struct purge *purge = job->ctx;
    purge->status = status;
    eventfd_write(purge->done_fd, 1);
}

/* True: there is more to remove. */
static bool purge_look(struct purge *purge)
{
    int64_t before_ms = clock_wall_ms(&purge->config.clock) - purge->config.retention_ms;
    purge->job = (struct queue_job){
        .op = {.kind = STORE_PURGE, .purge = {.before_ms = before_ms, .rows_max = purge->config.rows_max}},
        .done = purge_done,
        .ctx = purge};
    if (!queue_submit(purge->config.queue, &purge->job))
        return false; /* the queue is full: producers first */
    eventfd_t ignored;
    eventfd_read(purge->done_fd, &ignored);
    if (purge->status != STORE_OK || purge->job.op.count == 0)
        return false;
    log_write(purge->config.log, LOG_LEVEL_DEBUG, "purge", "removed rows=%lld",
              (long long)purge->job.op.count);
    return purge->job.op.count >= purge->config.rows_max;
}

static void *purge_main(void *argument)
{
    struct purge *purge = argument;
    struct pollfd stop = {.fd = purge->stop_fd, .events = POLLIN};
    int wait_ms = purge->config.period_ms;
    while (poll(&stop, 1, wait_ms) <= 0)
        wait_ms = purge_look(purge) ? PURGE_HURRY_MS : purge->config.period_ms;
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
