#include "background.h"
#include <assert.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

static void *background_main(void *argument)
{
    struct background *background = argument;
    struct pollfd stop = {.fd = background->stop_fd, .events = POLLIN};
    int wait_ms = background->first_ms;
    while (poll(&stop, 1, wait_ms) <= 0)
        wait_ms = background->look(background->ctx);
    return NULL;
}

void background_start(struct background *background, int first_ms, int (*look)(void *ctx), void *ctx)
{
    *background = (struct background){.stop_fd = eventfd(0, EFD_CLOEXEC),
                                      .done_fd = eventfd(0, EFD_CLOEXEC),
                                      .look = look,
                                      .ctx = ctx,
                                      .first_ms = first_ms};
    int error = pthread_create(&background->thread, NULL, background_main, background);
    assert(background->stop_fd >= 0 && background->done_fd >= 0 && error == 0);
}

void background_stop(struct background *background)
{
    eventfd_write(background->stop_fd, 1);
    pthread_join(background->thread, NULL);
    close(background->stop_fd);
    close(background->done_fd);
}

static void write_done(struct queue_job *write, enum store_status status)
{
    struct background *background = write->ctx;
    background->status = status;
    eventfd_write(background->done_fd, 1);
}

static void read_done(struct readers_job *read)
{
    struct background *background = read->ctx;
    eventfd_write(background->done_fd, 1);
}

bool background_write(struct background *background, struct queue *queue, struct store_op op)
{
    eventfd_t ignored;
    background->status = STORE_OK;
    background->write = (struct queue_job){.op = op, .done = write_done, .ctx = background};
    if (!queue_submit(queue, &background->write))
        return false;
    eventfd_read(background->done_fd, &ignored);
    return background->status == STORE_OK;
}

bool background_read(struct background *background, struct readers *readers, struct store_query query,
                     struct arena *memory)
{
    eventfd_t ignored;
    arena_reset(memory);
    background->read =
        (struct readers_job){.query = query, .arena = memory, .done = read_done, .ctx = background};
    if (!readers_submit(readers, &background->read))
        return false;
    eventfd_read(background->done_fd, &ignored);
    return background->read.status == STORE_OK;
}
