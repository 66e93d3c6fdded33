/*
 * sink: the bench's receiver. Answers 200 to every POST, kept alive, and counts.
 *
 *   sink [--port P] [--cpu N] [--records N] [--close] [--cert FILE --tls-key FILE [--no-resume]]
 *
 * Its first line is its port. Then it reads commands on stdin: "stats" answers with a line of JSON, "reset"
 * starts counting again, "write FILE" writes "ID NANOSECONDS" of every event seen since. End of input ends
 * it.
 * --close ends each connection after its answer, so that the sender needs a new one every time; --no-resume
 * keeps TLS sessions from being resumed.
 */
#include "bench.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { REQUEST_BYTES_MAX = 65536 };

static const char ANSWER_KEPT[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                                  "Content-Length: 20\r\n\r\n{\"status\":\"success\"}";
static const char ANSWER_LAST[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
                                  "Content-Length: 20\r\n\r\n{\"status\":\"success\"}";

struct peer {
    int fd;
    SSL *tls;
    size_t have;
    char bytes[REQUEST_BYTES_MAX];
};

struct sink {
    int epoll, listener;
    bool close_each;
    SSL_CTX *tls;
    int64_t requests, connections, handshakes, resumed, first_ns, last_ns;
    struct bench_record *records;
    int64_t record_count, records_max;
};

static void hang_up(struct peer *peer)
{
    SSL_free(peer->tls);
    close(peer->fd);
    free(peer);
}

static void welcome(struct sink *sink)
{
    for (;;) {
        int one = 1, fd = accept4(sink->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        struct peer *peer = malloc(sizeof *peer);
        if (!peer)
            bench_die("memory");
        peer->fd = fd;
        peer->have = 0;
        peer->tls = NULL;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        if (sink->tls) {
            peer->tls = SSL_new(sink->tls);
            SSL_set_fd(peer->tls, fd);
            SSL_set_accept_state(peer->tls);
        }
        sink->connections++;
        struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP, .data.ptr = peer};
        if (epoll_ctl(sink->epoll, EPOLL_CTL_ADD, fd, &event) != 0)
            bench_die("epoll_ctl");
    }
}

/* Bytes read, 0 for none yet, -1 for the end. */
static ssize_t receive(struct sink *sink, struct peer *peer)
{
    size_t room = REQUEST_BYTES_MAX - peer->have;
    if (!peer->tls) {
        ssize_t got = read(peer->fd, peer->bytes + peer->have, room);
        if (got > 0)
            return got;
        return got < 0 && errno == EAGAIN ? 0 : -1;
    }
    bool shaken = SSL_is_init_finished(peer->tls);
    int got = SSL_read(peer->tls, peer->bytes + peer->have, (int)room);
    if (!shaken && SSL_is_init_finished(peer->tls)) {
        sink->handshakes++;
        sink->resumed += SSL_session_reused(peer->tls);
    }
    if (got > 0)
        return got;
    int error = SSL_get_error(peer->tls, got);
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

static void reply(struct sink *sink, struct peer *peer)
{
    const char *answer = sink->close_each ? ANSWER_LAST : ANSWER_KEPT;
    size_t len = sink->close_each ? sizeof ANSWER_LAST - 1 : sizeof ANSWER_KEPT - 1;
    bool sent = peer->tls ? SSL_write(peer->tls, answer, (int)len) == (int)len
                          : write(peer->fd, answer, len) == (ssize_t)len;
    if (!sent)
        fputs("sink: an answer could not be sent whole\n", stderr);
}

static void count(struct sink *sink, const struct bench_message *message)
{
    sink->last_ns = bench_now_ns();
    if (sink->requests++ == 0)
        sink->first_ns = sink->last_ns;
    if (sink->record_count < sink->records_max)
        sink->records[sink->record_count++] =
            (struct bench_record){bench_find_id(message->body, message->body_len), sink->last_ns};
}

static void serve(struct sink *sink, struct peer *peer)
{
    for (;;) {
        ssize_t got = receive(sink, peer);
        if (got == 0)
            return;
        if (got < 0) {
            hang_up(peer);
            return;
        }
        peer->have += (size_t)got;
        struct bench_message message;
        while (peer->have > 0 && bench_parse(peer->bytes, peer->have, &message)) {
            count(sink, &message);
            reply(sink, peer);
            peer->have -= message.size;
            memmove(peer->bytes, peer->bytes + message.size, peer->have);
            if (sink->close_each) {
                if (peer->tls)
                    SSL_shutdown(peer->tls);
                hang_up(peer);
                return;
            }
        }
        if (peer->have == REQUEST_BYTES_MAX)
            bench_die("a request larger than the buffer");
        if (!peer->tls)
            return; /* level-triggered: what is left wakes us again */
    }
}

static void stats(const struct sink *sink)
{
    struct bench_cpu cpu = bench_cpu();
    printf("{\"requests\":%lld,\"connections\":%lld,\"handshakes\":%lld,\"resumed\":%lld,\"first_ns\":%lld,"
           "\"last_ns\":%lld,\"user_us\":%lld,\"system_us\":%lld}\n",
           (long long)sink->requests, (long long)sink->connections, (long long)sink->handshakes,
           (long long)sink->resumed, (long long)sink->first_ns, (long long)sink->last_ns,
           (long long)cpu.user_us, (long long)cpu.system_us);
}

/* False: end of input. */
static bool obey(struct sink *sink)
{
    char line[1024];
    ssize_t got = read(STDIN_FILENO, line, sizeof line - 1);
    if (got <= 0)
        return false;
    line[got] = 0;
    line[strcspn(line, "\n")] = 0;
    if (strcmp(line, "reset") == 0) {
        sink->requests = sink->connections = sink->handshakes = sink->resumed = sink->record_count = 0;
        puts("{}");
    } else if (strncmp(line, "write ", 6) == 0) {
        bench_records_write(line + 6, sink->records, sink->record_count);
        puts("{}");
    } else {
        stats(sink);
    }
    fflush(stdout);
    return true;
}

static SSL_CTX *tls_context(const char *cert, const char *key, bool resume)
{
    static const unsigned char id[] = "sink";
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (!context || SSL_CTX_use_certificate_chain_file(context, cert) != 1 ||
        SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1)
        bench_die("certificate");
    SSL_CTX_set_session_id_context(context, id, sizeof id);
    if (!resume) {
        SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
        SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
        SSL_CTX_set_num_tickets(context, 0);
    }
    return context;
}

int main(int argc, char **argv)
{
    int port = (int)bench_number(argc, argv, "--port", 0);
    const char *cert = bench_option(argc, argv, "--cert", NULL);
    struct sink sink = {.close_each = bench_flag(argc, argv, "--close"),
                        .records_max = bench_number(argc, argv, "--records", 0)};
    bench_pin((int)bench_number(argc, argv, "--cpu", -1));
    if (cert)
        sink.tls = tls_context(cert, bench_option(argc, argv, "--tls-key", cert),
                               !bench_flag(argc, argv, "--no-resume"));
    sink.records = bench_alloc(sizeof *sink.records * (size_t)(sink.records_max + 1));
    sink.listener = bench_listen(&port);
    sink.epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event knock = {.events = EPOLLIN, .data.ptr = &sink},
                       command = {.events = EPOLLIN, .data.ptr = NULL};
    if (epoll_ctl(sink.epoll, EPOLL_CTL_ADD, sink.listener, &knock) != 0 ||
        epoll_ctl(sink.epoll, EPOLL_CTL_ADD, STDIN_FILENO, &command) != 0)
        bench_die("epoll_ctl");
    printf("%d\n", port);
    fflush(stdout);
    for (;;) {
        struct epoll_event events[64];
        int ready = epoll_wait(sink.epoll, events, 64, -1);
        for (int i = 0; i < ready; i++) {
            if (events[i].data.ptr == &sink)
                welcome(&sink);
            else if (events[i].data.ptr != NULL)
                serve(&sink, events[i].data.ptr);
            else if (!obey(&sink))
                return 0;
        }
    }
}
