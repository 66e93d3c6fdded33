/*
 * libmicrohttpd ends connections that are silent, but not those that drip, and at its limit it stops
 * accepting. So one thread looks at the open connections every second (while there are any): whoever
 * is past the absolute deadline of its stage gets a 408 and is shut down, and a new connection beyond the
 * limit costs the one that has been idle longest. Shutting down is all that happens here; the epoll thread
 * sees the end of the stream and cleans up.
 */
#include "listener_parts.h"
#include "memory.h"
#include <arpa/inet.h>
#include <assert.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WATCH_PERIOD_MS = 1000 };

void connection_enter(struct connection *connection, enum connection_stage stage)
{
    int64_t now_ms = atomic_load_explicit(&connection->listener->connections.now_ms, memory_order_relaxed);
    atomic_store_explicit(&connection->since_ms, now_ms, memory_order_relaxed);
    atomic_store_explicit(&connection->stage, stage, memory_order_relaxed);
}

static int64_t stage_ms_max(const struct listener *listener, enum connection_stage stage)
{
    switch (stage) {
    case CONNECTION_IDLE:
        /* Silence ends it after idle_seconds; who lives longer without a request line is dripping one. */
        return (int64_t)listener->config.idle_seconds * 1000 + LISTENER_HEAD_MS_MAX;
    case CONNECTION_HEAD:
        return LISTENER_HEAD_MS_MAX;
    case CONNECTION_BODY:
        return LISTENER_BODY_MS_MAX;
    case CONNECTION_REPLY:
        return LISTENER_REPLY_MS_MAX;
    case CONNECTION_HANDLED:
        break;
    }
    return INT64_MAX;
}

static void refuse_late(struct listener *listener, struct connection *connection)
{
    struct call *call = listener_call_take(listener);
    memcpy(call->request.peer, connection->peer, sizeof call->request.peer);
    listener_refuse_raw(listener, call, connection->fd, 408);
    listener_call_give(listener, call);
}

static void watch_look(struct listener *listener)
{
    struct connections *connections = &listener->connections;
    int64_t now_ms = clock_mono_ms(&listener->config.clock);
    atomic_store(&connections->now_ms, now_ms);
    pthread_mutex_lock(&connections->lock);
    for (struct connection *c = connections->first; c; c = c->next) {
        int64_t since_ms = atomic_load_explicit(&c->since_ms, memory_order_relaxed);
        enum connection_stage stage = (enum connection_stage)atomic_load(&c->stage);
        if (now_ms - since_ms <= stage_ms_max(listener, stage))
            continue;
        if (stage != CONNECTION_REPLY)
            refuse_late(listener, c);
        shutdown(c->fd, SHUT_RDWR);
        connection_enter(c, CONNECTION_HANDLED); /* once is enough */
    }
    pthread_mutex_unlock(&connections->lock);
}

static void *watch_main(void *argument)
{
    struct listener *listener = argument;
    struct connections *connections = &listener->connections;
    while (!atomic_load(&connections->stopping)) {
        pthread_mutex_lock(&connections->lock);
        bool any = connections->count > 0;
        pthread_mutex_unlock(&connections->lock);
        struct pollfd wake = {.fd = connections->wake_fd, .events = POLLIN};
        if (poll(&wake, 1, any ? WATCH_PERIOD_MS : -1) > 0) {
            eventfd_t ignored;
            eventfd_read(connections->wake_fd, &ignored);
        }
        watch_look(listener);
    }
    return NULL;
}

void connections_start(struct listener *listener)
{
    struct connections *connections = &listener->connections;
    pthread_mutex_init(&connections->lock, NULL);
    atomic_store(&connections->now_ms, clock_mono_ms(&listener->config.clock));
    connections->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    assert(connections->wake_fd >= 0);
    int error = pthread_create(&connections->thread, NULL, watch_main, listener);
    assert(error == 0);
}

void connections_stop(struct listener *listener)
{
    struct connections *connections = &listener->connections;
    atomic_store(&connections->stopping, true);
    eventfd_write(connections->wake_fd, 1);
    pthread_join(connections->thread, NULL);
    assert(connections->count == 0);
    close(connections->wake_fd);
    pthread_mutex_destroy(&connections->lock);
}

static void peer_print(const struct sockaddr *address, char peer[64])
{
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)address;
    peer[0] = '\0';
    if (address->sa_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)address)->sin_addr, peer, 64);
    else if (address->sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&six->sin6_addr))
        inet_ntop(AF_INET, &six->sin6_addr.s6_addr[12], peer, 64);
    else if (address->sa_family == AF_INET6)
        inet_ntop(AF_INET6, &six->sin6_addr, peer, 64);
}

/* With the lock held. The list is newest first, so among equals the last is the oldest. */
static struct connection *oldest_idle(struct connections *connections)
{
    struct connection *oldest = NULL;
    int64_t oldest_ms = INT64_MAX;
    for (struct connection *c = connections->first; c; c = c->next) {
        int64_t since_ms = atomic_load_explicit(&c->since_ms, memory_order_relaxed);
        if (atomic_load_explicit(&c->stage, memory_order_relaxed) != CONNECTION_IDLE || since_ms > oldest_ms)
            continue;
        oldest = c;
        oldest_ms = since_ms;
    }
    return oldest;
}

static void connection_open(struct listener *listener, struct MHD_Connection *mhd, void **context)
{
    struct connections *connections = &listener->connections;
    struct connection *connection = memory_zero(1, sizeof *connection);
    connection->listener = listener;
    connection->fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    peer_print(MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr,
               connection->peer);
    *context = connection;

    pthread_mutex_lock(&connections->lock);
    bool first = connections->count == 0;
    if (first)
        atomic_store(&connections->now_ms, clock_mono_ms(&listener->config.clock));
    connection_enter(connection, CONNECTION_IDLE);
    connection->next = connections->first;
    if (connection->next)
        connection->next->previous = connection;
    connections->first = connection;
    if (++connections->count > listener->config.connections_max) {
        struct connection *victim = oldest_idle(connections);
        shutdown(victim->fd, SHUT_RDWR); /* there is one: the newcomer itself is idle */
        connection_enter(victim, CONNECTION_HANDLED);
    }
    pthread_mutex_unlock(&connections->lock);
    if (first)
        eventfd_write(connections->wake_fd, 1);
}

static void connection_close(struct listener *listener, struct connection *connection)
{
    struct connections *connections = &listener->connections;
    pthread_mutex_lock(&connections->lock);
    if (connection->previous)
        connection->previous->next = connection->next;
    else
        connections->first = connection->next;
    if (connection->next)
        connection->next->previous = connection->previous;
    connections->count--;
    pthread_mutex_unlock(&connections->lock);
    free(connection);
}

void connections_notify(void *ctx, struct MHD_Connection *mhd, void **context,
                        enum MHD_ConnectionNotificationCode code)
{
    if (code == MHD_CONNECTION_NOTIFY_STARTED)
        connection_open(ctx, mhd, context);
    else
        connection_close(ctx, *context);
}
