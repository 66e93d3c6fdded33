/*
 * sink: the bench's receivers, all of them in one process. The URL's path decides a receiver's behaviour:
 *
 *   /late/MS/...     answers 200 after so many milliseconds; at once while "switch prompt" holds
 *   /hang/...        never answers
 *   /take/N/...      takes N requests a second, and says 429 to what is beyond
 *   /switch/...      answers 200; never while "switch hang" holds
 *   anything else    answers 200 at once
 *
 *   sink [--port P] [--hosts N] [--cpu N] [--records N] [--close] [--cert FILE --tls-key FILE [--no-resume]]
 *
 * It listens at 127.0.0.1 to 127.0.0.N, on one port, which is its first line. Then it reads commands on
 * stdin: "stats" answers with a line of JSON, "reset" starts counting again, "write FILE" writes a line of
 * every event seen since. End of input ends it.
 * --close ends each connection after its answer, so that the sender needs a new one every time; --no-resume
 * keeps TLS sessions from being resumed.
 */
#include "bench.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { REQUEST_BYTES_MAX = 2 << 20, ROOM_FIRST = 4096, HOSTS_MAX = 16, TAKERS_MAX = 16, TRIES_MAX = 20 };

static const char ANSWER_KEPT[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                                  "Content-Length: 20\r\n\r\n{\"status\":\"success\"}";
static const char ANSWER_LAST[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
                                  "Content-Length: 20\r\n\r\n{\"status\":\"success\"}";

static const char ANSWER_BUSY[] = "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n";

struct peer {
    int fd;
    SSL *tls;
    size_t have, room;
    char *bytes;
    bool held;                  /* a request is read and not answered yet */
    int64_t due_ns;             /* when it will be; 0: never */
    struct peer *before, *next; /* among those with a due time, in its order */
};

/* What /take/N/... may still take, in billionths of a request, of at most a second's worth. */
struct taker {
    int64_t rate, left, at_ns;
};

struct sink {
    int epoll, port, listeners[HOSTS_MAX], host_count;
    bool close_each, hanging /* /switch/ */, prompt /* /late/ */;
    SSL_CTX *tls;
    struct peer *due_first, *due_last;
    struct taker takers[TAKERS_MAX];
    int64_t requests, refused, connections, handshakes, resumed, first_ns, last_ns;
    int64_t held, held_max, open, open_max;
    struct bench_record *records;
    int64_t record_count, records_max;
};

static void link_due(struct sink *sink, struct peer *peer)
{
    struct peer *after = sink->due_last;
    while (after && after->due_ns > peer->due_ns)
        after = after->before;
    peer->before = after;
    peer->next = after ? after->next : sink->due_first;
    *(after ? &after->next : &sink->due_first) = peer;
    *(peer->next ? &peer->next->before : &sink->due_last) = peer;
}

static void unlink_due(struct sink *sink, struct peer *peer)
{
    *(peer->before ? &peer->before->next : &sink->due_first) = peer->next;
    *(peer->next ? &peer->next->before : &sink->due_last) = peer->before;
}

static void hold(struct sink *sink, struct peer *peer, int64_t due_ns)
{
    peer->held = true;
    peer->due_ns = due_ns;
    if (due_ns)
        link_due(sink, peer);
    if (++sink->held > sink->held_max)
        sink->held_max = sink->held;
}

static void let_go(struct sink *sink, struct peer *peer)
{
    if (peer->held && peer->due_ns)
        unlink_due(sink, peer);
    sink->held -= peer->held;
    peer->held = false;
}

static void hang_up(struct sink *sink, struct peer *peer)
{
    let_go(sink, peer);
    SSL_free(peer->tls);
    close(peer->fd);
    free(peer->bytes);
    free(peer);
    sink->open--;
}

static void welcome_at(struct sink *sink, int listener)
{
    for (;;) {
        int one = 1, fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        struct peer *peer = bench_alloc(sizeof *peer);
        peer->fd = fd;
        peer->room = ROOM_FIRST;
        peer->bytes = bench_alloc(peer->room);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        if (sink->tls) {
            peer->tls = SSL_new(sink->tls);
            SSL_set_fd(peer->tls, fd);
            SSL_set_accept_state(peer->tls);
        }
        sink->connections++;
        if (++sink->open > sink->open_max)
            sink->open_max = sink->open;
        struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP, .data.ptr = peer};
        if (epoll_ctl(sink->epoll, EPOLL_CTL_ADD, fd, &event) != 0)
            bench_die("epoll_ctl");
    }
}

static void welcome(struct sink *sink)
{
    for (int i = 0; i < sink->host_count; i++)
        welcome_at(sink, sink->listeners[i]);
}

/* Bytes read, 0 for none yet, -1 for the end. */
static ssize_t receive(struct sink *sink, struct peer *peer)
{
    size_t room = peer->room - peer->have;
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

static void reply(const struct sink *sink, struct peer *peer, const char *answer)
{
    int len = (int)strlen(answer);
    bool sent =
        peer->tls ? SSL_write(peer->tls, answer, len) == len : write(peer->fd, answer, (size_t)len) == len;
    if (!sent && !sink->close_each)
        fputs("sink: an answer could not be sent whole\n", stderr);
}

static void count(struct sink *sink, const struct bench_message *message)
{
    sink->last_ns = bench_now_ns();
    if (sink->requests++ == 0)
        sink->first_ns = sink->last_ns;
    if (sink->record_count < sink->records_max)
        sink->records[sink->record_count++] =
            (struct bench_record){bench_find_id(message->body, message->body_len), sink->last_ns, 0};
}

/* The path's number, if it begins like this; else -1. */
static int64_t number_in(const char *request, const char *path)
{
    const char *at = request + strlen("POST ");
    return strncmp(at, path, strlen(path)) == 0 ? strtoll(at + strlen(path), NULL, 10) : -1;
}

static bool take(struct sink *sink, int64_t rate)
{
    struct taker *taker = sink->takers;
    while (taker->rate && taker->rate != rate && taker < sink->takers + TAKERS_MAX - 1)
        taker++;
    int64_t now_ns = bench_now_ns(), full = rate * 1000000000;
    if (!taker->rate)
        *taker = (struct taker){rate, full, now_ns};
    taker->left += (now_ns - taker->at_ns) * rate;
    taker->at_ns = now_ns;
    if (taker->left > full)
        taker->left = full;
    if (taker->left < 1000000000)
        return false;
    taker->left -= 1000000000;
    return true;
}

/* Does with the request what its path says. */
static void treat(struct sink *sink, struct peer *peer, const struct bench_message *message)
{
    int64_t late_ms = number_in(peer->bytes, "/late/"), rate = number_in(peer->bytes, "/take/");
    if (rate > 0 && !take(sink, rate)) {
        sink->refused++;
        reply(sink, peer, ANSWER_BUSY);
        return;
    }
    count(sink, message);
    if (late_ms > 0 && !sink->prompt)
        hold(sink, peer, bench_now_ns() + late_ms * 1000000);
    else if (number_in(peer->bytes, "/hang/") >= 0 ||
             (sink->hanging && number_in(peer->bytes, "/switch/") >= 0))
        hold(sink, peer, 0);
    else
        reply(sink, peer, sink->close_each ? ANSWER_LAST : ANSWER_KEPT);
}

/* Treats what has been read whole. False: the peer is gone. */
static bool advance(struct sink *sink, struct peer *peer)
{
    struct bench_message message;
    while (!peer->held && peer->have > 0 && bench_parse(peer->bytes, peer->have, &message)) {
        treat(sink, peer, &message);
        peer->have -= message.size;
        memmove(peer->bytes, peer->bytes + message.size, peer->have);
        if (sink->close_each && !peer->held) {
            if (peer->tls)
                SSL_shutdown(peer->tls);
            hang_up(sink, peer);
            return false;
        }
    }
    return true;
}

static void make_room(struct peer *peer)
{
    if (peer->have < peer->room)
        return;
    if (peer->room == REQUEST_BYTES_MAX)
        bench_die("a request larger than the buffer");
    peer->room *= 2;
    peer->bytes = realloc(peer->bytes, peer->room);
    if (!peer->bytes)
        bench_die("memory");
}

static void serve(struct sink *sink, struct peer *peer)
{
    for (;;) {
        ssize_t got = receive(sink, peer);
        if (got == 0)
            return;
        if (got < 0) {
            hang_up(sink, peer);
            return;
        }
        peer->have += (size_t)got;
        if (!advance(sink, peer))
            return;
        make_room(peer);
        if (!peer->tls)
            return; /* level-triggered: what is left wakes us again */
    }
}

/* Answers the late ones that are due. Returns the milliseconds until the next is, or -1. */
static int answer_due(struct sink *sink)
{
    int64_t now_ns = bench_now_ns();
    for (struct peer *peer; (peer = sink->due_first) != NULL;) {
        if (peer->due_ns > now_ns)
            return (int)((peer->due_ns - now_ns) / 1000000) + 1;
        let_go(sink, peer);
        reply(sink, peer, ANSWER_KEPT);
        advance(sink, peer);
    }
    return -1;
}

static void stats(const struct sink *sink)
{
    struct bench_cpu cpu = bench_cpu();
    printf(
        "{\"requests\":%lld,\"refused\":%lld,\"held\":%lld,\"held_max\":%lld,\"open\":%lld,\"open_max\":%lld,"
        "\"connections\":%lld,\"handshakes\":%lld,\"resumed\":%lld,\"first_ns\":%lld,\"last_ns\":%lld,"
        "\"user_us\":%lld,\"system_us\":%lld}\n",
        (long long)sink->requests, (long long)sink->refused, (long long)sink->held, (long long)sink->held_max,
        (long long)sink->open, (long long)sink->open_max, (long long)sink->connections,
        (long long)sink->handshakes, (long long)sink->resumed, (long long)sink->first_ns,
        (long long)sink->last_ns, (long long)cpu.user_us, (long long)cpu.system_us);
}

/* epoll's data: the sink itself for a knock, NULL for a command, otherwise the peer. */
static void watch(struct sink *sink, int fd, void *data)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = data};
    if (epoll_ctl(sink->epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        bench_die("epoll_ctl");
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
        sink->requests = sink->refused = sink->connections = sink->handshakes = sink->resumed = 0;
        sink->record_count = 0;
        sink->held_max = sink->held;
        sink->open_max = sink->open;
        puts("{}");
    } else if (strncmp(line, "switch ", 7) == 0) {
        sink->hanging = strcmp(line + 7, "hang") == 0;
        sink->prompt = strcmp(line + 7, "prompt") == 0;
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

/* One port at every address. A free one at the first may be somebody's at another: then false. */
static bool listen_everywhere(struct sink *sink, int port)
{
    sink->port = port;
    for (int i = 0; i < sink->host_count; i++) {
        sink->listeners[i] = bench_listen(&sink->port, i + 1);
        if (sink->listeners[i] < 0) {
            while (i-- > 0)
                close(sink->listeners[i]);
            return false;
        }
    }
    return true;
}

int main(int argc, char **argv)
{
    const char *cert = bench_option(argc, argv, "--cert", NULL);
    struct sink sink = {.close_each = bench_flag(argc, argv, "--close"),
                        .host_count = (int)bench_number(argc, argv, "--hosts", 1),
                        .records_max = bench_number(argc, argv, "--records", 0),
                        .epoll = epoll_create1(EPOLL_CLOEXEC)};
    signal(SIGPIPE, SIG_IGN); /* a caller that has gone is no end */
    bench_pin((int)bench_number(argc, argv, "--cpu", -1));
    bench_descriptors();
    if (cert)
        sink.tls = tls_context(cert, bench_option(argc, argv, "--tls-key", cert),
                               !bench_flag(argc, argv, "--no-resume"));
    sink.records = bench_alloc(sizeof *sink.records * (size_t)(sink.records_max + 1));
    if (sink.host_count > HOSTS_MAX)
        bench_die("--hosts");
    for (int tries = 0; !listen_everywhere(&sink, (int)bench_number(argc, argv, "--port", 0)); tries++)
        if (tries == TRIES_MAX)
            bench_die("listen");
    for (int i = 0; i < sink.host_count; i++)
        watch(&sink, sink.listeners[i], &sink);
    watch(&sink, STDIN_FILENO, NULL);
    printf("%d\n", sink.port);
    fflush(stdout);
    for (;;) {
        struct epoll_event events[64];
        int ready = epoll_wait(sink.epoll, events, 64, answer_due(&sink));
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
