#include "listener_loop.h"
#include "budget.h"
#include "crowd.h"
#include "exchange.h"
#include "listener_client.h"
#include "listener_inbox.h"
#include "listener_memory.h"
#include "memory.h"
#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    DOOR_ACCEPTS_MAX = 64,
    DOOR_SHUT_MS = 100,
    HANDSHAKE_WAIT_MS = 20,
    CLIENT_PERCENT = 25,          /* of a loop's time, for the TLS handshakes of one client address */
    DOOR_COMPLAINT_MS = 60 * 1000 /* clients must not fill the log */
};

/* ---- the door ---- */

/* The loop with the fewest clients gets the new one, so that each has its share of connections_max. */
static struct listener_loop *least_visited(struct listener *listener)
{
    struct listener_loop *least = &listener->loops[0];
    for (int i = 1; i < listener->loop_count; i++)
        if (atomic_load_explicit(&listener->loops[i].clients, memory_order_relaxed) <
            atomic_load_explicit(&least->clients, memory_order_relaxed))
            least = &listener->loops[i];
    return least;
}

/* A loop may exceed its share for a moment: it closes clients when it runs, not when it gets one. */
static bool is_crowded(const struct listener_loop *loop)
{
    return atomic_load_explicit(&loop->clients, memory_order_relaxed) >= loop->clients_max + CROWD_OVER_MAX;
}

static void usher(struct listener_loop *door, int fd, const struct sockaddr_storage *address)
{
    struct listener_loop *loop = least_visited(door->listener);
    atomic_fetch_add_explicit(&loop->clients, 1, memory_order_relaxed);
    if (loop == door) {
        listener_client_welcome(loop, fd, (const struct sockaddr *)address);
        return;
    }
    listener_inbox_arrived(loop, fd, address);
}

static void on_door(uv_poll_t *door, int status, int events);

static void door_open(struct listener_loop *loop)
{
    uv_poll_start(&loop->door, UV_READABLE, on_door);
}

static void on_door_timer(uv_timer_t *timer)
{
    door_open(timer->data);
}

/* No descriptor or no memory is left: new connections wait in the kernel's queue. Without the pause this
 * would be a busy loop. */
static void door_shut(struct listener_loop *loop, int error)
{
    uint64_t now_ms = uv_now(&loop->loop);
    if (loop->complained_ms == 0 || now_ms - loop->complained_ms >= DOOR_COMPLAINT_MS) {
        loop->complained_ms = now_ms;
        log_write(loop->listener->config.log, LOG_LEVEL_WARN, "listener", "cannot accept: %s",
                  strerror(error));
    }
    uv_poll_stop(&loop->door);
    uv_timer_start(&loop->door_timer, on_door_timer, DOOR_SHUT_MS, 0);
}

static void on_door(uv_poll_t *door, int status, int events)
{
    struct listener_loop *loop = door->data;
    for (int i = 0; i < DOOR_ACCEPTS_MAX && !is_crowded(least_visited(loop->listener)); i++) {
        struct sockaddr_storage address = {0};
        socklen_t len = sizeof address;
        int fd = accept4(loop->listener->fd, (struct sockaddr *)&address, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            usher(loop, fd, &address);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            door_shut(loop, errno);
            return;
        } else if (errno == EAGAIN) {
            return;
        } /* else: that client has left; try the next */
    }
}

static void door_close(struct listener_loop *loop)
{
    if (!loop->door_open)
        return;
    loop->door_open = false;
    uv_close((uv_handle_t *)&loop->door, NULL);
    uv_close((uv_handle_t *)&loop->door_timer, NULL);
    close(loop->listener->fd);
    loop->listener->fd = -1;
}

/* ---- messages of other threads ---- */

/* For another loop: takes so many bytes from the budget. 0: no client here must give way. */
static size_t make_room(struct listener_loop *loop, size_t more, size_t weight)
{
    struct budget *budget = loop->listener->config.budget;
    while (!budget_take(budget, BUDGET_IN, more)) {
        struct listener_client *heaviest = crowd_heaviest(loop);
        if (!heaviest || crowd_weight(heaviest->origin) < weight)
            return 0;
        listener_client_give_way(heaviest);
    }
    return more;
}

static void use_room(struct listener_loop *loop, size_t given)
{
    loop->room = given;
    for (struct listener_client *client, *last = NULL;
         (client = LIST_FIRST(&loop->waiting)) && client != last;) {
        last = client;
        listener_client_room_made(client);
    }
    if (loop->room > 0)
        budget_give(loop->listener->config.budget, BUDGET_IN, loop->room);
    loop->room = 0;
}

static void close_all(struct listener_loop *loop)
{
    while (!LIST_EMPTY(&loop->present))
        listener_client_close(LIST_FIRST(&loop->present));
    uv_close((uv_handle_t *)&loop->wake, NULL);
    uv_close((uv_handle_t *)&loop->sweep, NULL);
    if (loop->world.sleep)
        loop_sleep_close(&loop->sleep);
    deadlines_close(&loop->deadlines);
}

static void on_wake(uv_poll_t *wake, int status, int events)
{
    struct listener_loop *loop = wake->data;
    struct listener_inbox inbox = listener_inbox_take(loop);

    if (inbox.next_tls) {
        tls_free(loop->world.tls);
        loop->world.tls = inbox.next_tls;
    }
    for (struct exchange *next; inbox.answered; inbox.answered = next) {
        next = inbox.answered->next;
        listener_client_answered(inbox.answered->client);
    }
    for (struct accepted_socket *next; inbox.arrivals; inbox.arrivals = next) {
        next = inbox.arrivals->next;
        listener_client_welcome(loop, inbox.arrivals->fd, (const struct sockaddr *)&inbox.arrivals->address);
        free(inbox.arrivals);
    }
    if (inbox.room_asked)
        listener_inbox_give_room(inbox.room_for, make_room(loop, inbox.room_more, inbox.room_weight));
    for (int i = 0; inbox.room_asked_again && i < loop->listener->loop_count; i++)
        listener_inbox_give_room(&loop->listener->loops[i], 0);
    if (inbox.room_made)
        use_room(loop, inbox.room_given);
    if (inbox.quiesce || inbox.stop)
        door_close(loop);
    if (inbox.stop)
        close_all(loop);
}

/* ---- the loop ---- */

static void on_sweep(uv_prepare_t *sweep)
{
    struct listener_loop *loop = sweep->data;
    while (loop->gone) {
        struct listener_client *client = loop->gone;
        loop->gone = client->next_gone;
        listener_memory_forget_held(client);
        free(client);
    }
}

static void run(struct listener_loop *loop)
{
    uv_run(&loop->loop, UV_RUN_DEFAULT);
    on_sweep(&loop->sweep);
}

static void *loop_main(void *argument)
{
    sigset_t pipe;
    pthread_setname_np(pthread_self(), "ph-api"); /* the name in top and in the bench */
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE); /* the write itself reports a closed connection */
    pthread_sigmask(SIG_BLOCK, &pipe, NULL);
    run(argument);
    return NULL;
}

static void set_limits(struct listener_loop *loop, const struct listener_config *config)
{
    struct deadlines *deadlines = &loop->deadlines;
    int64_t head_ms = config->head_ms_max ? config->head_ms_max : LISTENER_HEAD_MS_MAX;
    int64_t body_ms = config->body_ms_max ? config->body_ms_max : LISTENER_BODY_MS_MAX;
    deadlines_init(deadlines, &loop->loop);
    loop->world.handshake_wait = deadlines_queue(deadlines, HANDSHAKE_WAIT_MS, connection_handshake_passed);
    loop->limits[LISTENER_CLIENT_SECURING] =
        deadlines_queue(deadlines, head_ms, listener_client_close_passed);
    loop->limits[LISTENER_CLIENT_IDLE] =
        deadlines_queue(deadlines, (int64_t)config->idle_seconds * 1000, listener_client_close_passed);
    loop->limits[LISTENER_CLIENT_HEAD] = deadlines_queue(deadlines, head_ms, listener_client_late_passed);
    loop->limits[LISTENER_CLIENT_BODY] = deadlines_queue(deadlines, body_ms, listener_client_late_passed);
    loop->limits[LISTENER_CLIENT_REPLY] =
        deadlines_queue(deadlines, LISTENER_REPLY_MS_MAX, listener_client_close_passed);
    loop->limits[LISTENER_CLIENT_LINGER] =
        deadlines_queue(deadlines, LISTENER_LINGER_MS_MAX, listener_client_close_passed);
}

static void on_crowded(void *ctx)
{
    struct listener_client *oldest = crowd_oldest_handshake(ctx);
    if (oldest)
        listener_client_close(oldest);
}

static void set_world(struct listener_loop *loop, struct tls *tls)
{
    loop->world = (struct connection_world){.loop = &loop->loop,
                                            .tls = tls_hold(tls),
                                            .buffer_len = LISTENER_READ_LEN,
                                            .read_buffer = memory_alloc(LISTENER_READ_LEN)};
    if (!tls)
        return;
    loop->world.sleep = &loop->sleep;
    loop_sleep_start(&loop->sleep, &loop->loop);
    loop->world.plain_buffer = memory_alloc(TLS_RECORD_LEN_MAX);
    loop->world.shares = memory_zero(1, sizeof *loop->world.shares);
    loop->world.shares->percent = CLIENT_PERCENT;
    loop->world.ctx = loop;
    loop->world.crowded = on_crowded;
    int handshakes_max = loop->listener->config.handshakes_max, loops = loop->listener->loop_count;
    loop->world.handshakes_max = (handshakes_max + loops - 1) / loops;
}

bool listener_loop_start(struct listener_loop *loop, struct listener *listener, struct tls *tls,
                         bool with_door)
{
    loop->listener = listener;
    loop->clients_max = (listener->config.connections_max + listener->loop_count - 1) / listener->loop_count;
    LIST_INIT(&loop->present);
    LIST_INIT(&loop->waiting);
    crowd_init(&loop->crowd, loop->clients_max);
    loop->made = listener_inbox_init(loop) && uv_loop_init(&loop->loop) == 0;
    if (!loop->made)
        return false;
    set_world(loop, tls);
    set_limits(loop, &listener->config);
    uv_poll_init(&loop->loop, &loop->wake, loop->wake_fd);
    uv_poll_start(&loop->wake, UV_READABLE, on_wake);
    uv_prepare_init(&loop->loop, &loop->sweep);
    uv_prepare_start(&loop->sweep, on_sweep);
    uv_unref((uv_handle_t *)&loop->sweep);
    loop->wake.data = loop->sweep.data = loop->door.data = loop->door_timer.data = loop;
    if (with_door) {
        uv_poll_init(&loop->loop, &loop->door, listener->fd);
        uv_timer_init(&loop->loop, &loop->door_timer);
        loop->door_open = true;
        door_open(loop);
    }
    loop->started = pthread_create(&loop->thread, NULL, loop_main, loop) == 0;
    return loop->started;
}

void listener_loop_stop(struct listener_loop *loop)
{
    if (!loop->made)
        return;
    listener_inbox_stop(loop);
    if (loop->started)
        pthread_join(loop->thread, NULL);
    else
        run(loop);
}

void listener_loop_fini(struct listener_loop *loop)
{
    int failed = loop->made ? uv_loop_close(&loop->loop) : 0;
    assert(!failed && loop->world.open == 0);
    listener_inbox_fini(loop);
    exchange_forget_free(loop);
    crowd_fini(&loop->crowd);
    tls_free(loop->world.tls);
    free(loop->world.read_buffer);
    free(loop->world.plain_buffer);
    free(loop->world.shares);
}
