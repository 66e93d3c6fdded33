/*
 * relay: the least that can stand between a producer and a receiver, as the honest ceiling. It answers 201 as
 * soon as a request is read, and forwards the body as a POST over a kept-alive connection. Nothing is looked
 * at, nothing is stored, nothing is tried again.
 *
 *   relay --target PORT [--threads 2] [--connections 64]
 *
 * Its first line is its port. Each thread has its share of the target's connections. End of input ends it.
 */
#include "bench.h"
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BUFFER_BYTES = 64 << 10, THREADS_MAX = 8, CONNECTIONS_MAX = 1024 };

static const char ANSWER[] =
    "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n{\"id\":\"1000\"}";

struct peer {
    int fd;
    bool upstream;
    size_t have;
    char bytes[BUFFER_BYTES];
};

/* A body that waits for a free connection to the target. */
struct parcel {
    struct parcel *next;
    size_t len;
    char bytes[];
};

struct worker {
    int epoll, listener, target, connection_count;
    struct peer *idle[CONNECTIONS_MAX];
    int idle_count;
    struct parcel *first, **end;
};

static struct peer *watch(const struct worker *worker, int fd, bool upstream)
{
    struct peer *peer = malloc(sizeof *peer);
    if (!peer)
        bench_die("memory");
    peer->fd = fd;
    peer->upstream = upstream;
    peer->have = 0;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = peer};
    if (epoll_ctl(worker->epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        bench_die("epoll_ctl");
    return peer;
}

static void send_whole(int fd, const char *bytes, size_t len)
{
    if (write(fd, bytes, len) != (ssize_t)len)
        bench_die("relay: a write took less than all of it");
}

static void forward(struct worker *worker, const char *body, size_t len)
{
    char request[BUFFER_BYTES + 256];
    if (worker->idle_count == 0) {
        struct parcel *parcel = malloc(sizeof *parcel + len);
        if (!parcel)
            bench_die("memory");
        parcel->next = NULL;
        parcel->len = len;
        memcpy(parcel->bytes, body, len);
        *worker->end = parcel;
        worker->end = &parcel->next;
        return;
    }
    int head = snprintf(request, sizeof request,
                        "POST /hook HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                        "Content-Length: %zu\r\n\r\n",
                        len);
    memcpy(request + head, body, len);
    send_whole(worker->idle[--worker->idle_count]->fd, request, (size_t)head + len);
}

/* The target has answered on this connection: the next parcel, if one waits. */
static void free_again(struct worker *worker, struct peer *peer)
{
    struct parcel *parcel = worker->first;
    worker->idle[worker->idle_count++] = peer;
    if (!parcel)
        return;
    worker->first = parcel->next;
    if (!worker->first)
        worker->end = &worker->first;
    forward(worker, parcel->bytes, parcel->len);
    free(parcel);
}

static void serve(struct worker *worker, struct peer *peer)
{
    ssize_t got = read(peer->fd, peer->bytes + peer->have, BUFFER_BYTES - peer->have);
    if (got < 0 && errno == EAGAIN)
        return;
    if (got <= 0) {
        if (peer->upstream)
            bench_die("relay: the target closed a connection");
        close(peer->fd);
        free(peer);
        return;
    }
    peer->have += (size_t)got;
    struct bench_message message;
    while (peer->have > 0 && bench_parse(peer->bytes, peer->have, &message)) {
        if (peer->upstream) {
            free_again(worker, peer);
        } else {
            send_whole(peer->fd, ANSWER, sizeof ANSWER - 1);
            forward(worker, message.body, message.body_len);
        }
        peer->have -= message.size;
        memmove(peer->bytes, peer->bytes + message.size, peer->have);
    }
    if (peer->have == BUFFER_BYTES)
        bench_die("relay: a message larger than the buffer");
}

static void welcome(struct worker *worker)
{
    int fd = accept4(worker->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0)
        watch(worker, fd, false);
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    struct epoll_event events[64];
    worker->end = &worker->first;
    for (int i = 0; i < worker->connection_count; i++)
        worker->idle[worker->idle_count++] = watch(worker, bench_connect(worker->target), true);
    for (;;) {
        int ready = epoll_wait(worker->epoll, events, 64, -1);
        for (int i = 0; i < ready; i++) {
            if (events[i].data.ptr == NULL)
                welcome(worker);
            else
                serve(worker, events[i].data.ptr);
        }
    }
    return NULL;
}

int main(int argc, char **argv)
{
    static struct worker workers[THREADS_MAX];
    int threads = (int)bench_number(argc, argv, "--threads", 2), port = 0;
    int connections = (int)bench_number(argc, argv, "--connections", 64);
    if (threads < 1 || threads > THREADS_MAX || connections < threads || connections > CONNECTIONS_MAX) {
        fputs("usage: relay --target PORT [--threads 2] [--connections 64]\n", stderr);
        return 2;
    }
    bench_descriptors();
    int listener = bench_listen(&port, 1);
    for (int i = 0; i < threads; i++) {
        struct worker *worker = &workers[i];
        *worker = (struct worker){.epoll = epoll_create1(EPOLL_CLOEXEC),
                                  .listener = listener,
                                  .target = (int)bench_number(argc, argv, "--target", 0),
                                  .connection_count = connections / threads};
        struct epoll_event knock = {.events = EPOLLIN | EPOLLEXCLUSIVE, .data.ptr = NULL};
        pthread_t thread;
        if (epoll_ctl(worker->epoll, EPOLL_CTL_ADD, listener, &knock) != 0 ||
            pthread_create(&thread, NULL, work, worker) != 0)
            bench_die("relay");
    }
    printf("%d\n", port);
    fflush(stdout);
    while (getchar() != EOF) {
    }
    return 0;
}
