/*
 * load: the bench's producer. Posts one body over N kept-alive connections, one request under way on each (no
 * pipelining), as fast as answers come or at a given rate; then prints what it saw as JSON.
 *
 *   load --port P [--path /api/events] [--key KEY] --body FILE --count N [--connections 64]
 *        [--content-type TYPE] [--rate PER_SECOND] [--record FILE] [--cpu N] [--seconds-max 120] [--batch N]
 *
 * --batch sends the body N times in each request, a line each, as application/x-ndjson; --count counts
 * requests.
 * --record writes "ID NANOSECONDS" for every 201, on the monotonic clock that sink uses too.
 */
#include "bench.h"
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 1024, ANSWER_BYTES_MAX = 64 << 10, STATUS_MAX = 600 };

struct connection {
    int fd;
    bool waiting; /* for an answer */
    size_t sent, have;
    char answer[ANSWER_BYTES_MAX];
};

struct load {
    const char *path, *key, *type, *record_path;
    int port, connection_count;
    int64_t count, rate, seconds_max;

    char *request;
    size_t request_len;
    struct connection *connections;
    int epoll;
    int64_t begun, answered;
    int64_t first_ns, last_ns;
    int64_t statuses[STATUS_MAX];
    struct bench_record *records;
    int64_t record_count;
};

/* N lines of the body, whose own line breaks become spaces. */
static char *repeat(char *body, size_t *len, int64_t times)
{
    char *lines = bench_alloc((*len + 1) * (size_t)times + 1);
    for (size_t i = 0; i < *len; i++)
        if (body[i] == '\n')
            body[i] = ' ';
    for (int64_t i = 0; i < times; i++) {
        memcpy(lines + (*len + 1) * (size_t)i, body, *len);
        lines[(*len + 1) * (size_t)i + *len] = '\n';
    }
    *len = (*len + 1) * (size_t)times;
    return lines;
}

static void make_request(struct load *load, const char *body, size_t body_len)
{
    size_t room = body_len + 1024;
    load->request = bench_alloc(room);
    int head = snprintf(load->request, room,
                        "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: %s\r\n"
                        "Content-Length: %zu\r\n%s%s%s\r\n",
                        load->path, load->port, load->type, body_len, load->key ? "Authorization: " : "",
                        load->key ? load->key : "", load->key ? "\r\n" : "");
    memcpy(load->request + head, body, body_len);
    load->request_len = (size_t)head + body_len;
}

static void want(struct load *load, struct connection *connection, bool writing)
{
    struct epoll_event event = {.events = EPOLLIN | (writing ? EPOLLOUT : 0), .data.ptr = connection};
    if (epoll_ctl(load->epoll, EPOLL_CTL_MOD, connection->fd, &event) != 0)
        bench_die("epoll_ctl");
}

static void dial(struct load *load, struct connection *connection)
{
    connection->fd = bench_connect(load->port);
    connection->waiting = false;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    if (epoll_ctl(load->epoll, EPOLL_CTL_ADD, connection->fd, &event) != 0)
        bench_die("epoll_ctl");
}

static void write_more(struct load *load, struct connection *connection)
{
    ssize_t wrote =
        write(connection->fd, load->request + connection->sent, load->request_len - connection->sent);
    if (wrote < 0 && errno != EAGAIN)
        bench_die("write to the server");
    if (wrote > 0)
        connection->sent += (size_t)wrote;
    if (connection->sent < load->request_len)
        want(load, connection, true);
}

static void begin(struct load *load, struct connection *connection)
{
    connection->waiting = true;
    connection->sent = connection->have = 0;
    if (load->begun++ == 0)
        load->first_ns = bench_now_ns();
    write_more(load, connection);
}

static void end(struct load *load, struct connection *connection, const struct bench_message *message)
{
    int status = atoi(connection->answer + strlen("HTTP/1.1 "));
    load->last_ns = bench_now_ns();
    load->answered++;
    load->statuses[status > 0 && status < STATUS_MAX ? status : 0]++;
    if (load->records && status == 201)
        load->records[load->record_count++] =
            (struct bench_record){bench_find_id(message->body, message->body_len), load->last_ns};
    connection->waiting = false;
    if (message->close) {
        close(connection->fd);
        dial(load, connection);
    }
}

static void read_more(struct load *load, struct connection *connection)
{
    ssize_t got =
        read(connection->fd, connection->answer + connection->have, ANSWER_BYTES_MAX - 1 - connection->have);
    if (got < 0 && errno == EAGAIN)
        return;
    if (got <= 0 && !connection->waiting) { /* an idle connection was closed on us */
        close(connection->fd);
        dial(load, connection);
        return;
    }
    if (got <= 0)
        bench_die("read from the server");
    connection->have += (size_t)got;
    connection->answer[connection->have] = 0;
    struct bench_message message;
    if (bench_parse(connection->answer, connection->have, &message)) {
        end(load, connection, &message);
        if (load->rate == 0 && load->begun < load->count)
            begin(load, connection);
    } else if (connection->have == ANSWER_BYTES_MAX - 1) {
        bench_die("an answer larger than the buffer");
    }
}

/* At a given rate: starts what is due by now on connections that are free. */
static void begin_due(struct load *load, int64_t begun_ns)
{
    int64_t due = (bench_now_ns() - begun_ns) * load->rate / 1000000000 + 1;
    if (due > load->count)
        due = load->count;
    for (int i = 0; i < load->connection_count && load->begun < due; i++)
        if (!load->connections[i].waiting)
            begin(load, &load->connections[i]);
}

static void run(struct load *load)
{
    struct epoll_event events[64];
    int64_t begun_ns = bench_now_ns(), end_ns = begun_ns + load->seconds_max * 1000000000;
    for (int i = 0; load->rate == 0 && i < load->connection_count && load->begun < load->count; i++)
        begin(load, &load->connections[i]);
    while (load->answered < load->count) {
        if (load->rate > 0)
            begin_due(load, begun_ns);
        int count = epoll_wait(load->epoll, events, 64, load->rate > 0 ? 1 : 1000);
        for (int i = 0; i < count; i++) {
            struct connection *connection = events[i].data.ptr;
            if (events[i].events & EPOLLOUT) {
                want(load, connection, false);
                write_more(load, connection);
            }
            if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
                read_more(load, connection);
        }
        if (bench_now_ns() > end_ns) {
            fprintf(stderr, "load: out of time after %lld answers\n", (long long)load->answered);
            break;
        }
    }
}

static void report(const struct load *load)
{
    struct bench_cpu cpu = bench_cpu();
    printf("{\"answered\":%lld,\"first_ns\":%lld,\"last_ns\":%lld,\"user_us\":%lld,\"system_us\":%lld,"
           "\"status\":{",
           (long long)load->answered, (long long)load->first_ns, (long long)load->last_ns,
           (long long)cpu.user_us, (long long)cpu.system_us);
    const char *comma = "";
    for (int status = 0; status < STATUS_MAX; status++) {
        if (load->statuses[status] > 0) {
            printf("%s\"%d\":%lld", comma, status, (long long)load->statuses[status]);
            comma = ",";
        }
    }
    printf("}}\n");
    if (load->record_path)
        bench_records_write(load->record_path, load->records, load->record_count);
}

int main(int argc, char **argv)
{
    struct load load = {.path = bench_option(argc, argv, "--path", "/api/events"),
                        .key = bench_option(argc, argv, "--key", NULL),
                        .type = bench_option(argc, argv, "--content-type", "application/json"),
                        .record_path = bench_option(argc, argv, "--record", NULL),
                        .port = (int)bench_number(argc, argv, "--port", 0),
                        .connection_count = (int)bench_number(argc, argv, "--connections", 64),
                        .count = bench_number(argc, argv, "--count", 10000),
                        .rate = bench_number(argc, argv, "--rate", 0),
                        .seconds_max = bench_number(argc, argv, "--seconds-max", 120)};
    const char *body_path = bench_option(argc, argv, "--body", NULL);
    if (!body_path || load.port == 0 || load.connection_count < 1 ||
        load.connection_count > CONNECTIONS_MAX) {
        fputs("usage: load --port P --body FILE --count N [...]\n", stderr);
        return 2;
    }
    bench_pin((int)bench_number(argc, argv, "--cpu", -1));
    size_t body_len;
    char *body = bench_read_file(body_path, &body_len);
    int64_t batch = bench_number(argc, argv, "--batch", 1);
    if (batch > 1) {
        body = repeat(body, &body_len, batch);
        load.type = "application/x-ndjson";
    }
    make_request(&load, body, body_len);
    load.connections = bench_alloc(sizeof *load.connections * (size_t)load.connection_count);
    if (load.record_path)
        load.records = bench_alloc(sizeof *load.records * (size_t)load.count);
    load.epoll = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; i < load.connection_count; i++)
        dial(&load, &load.connections[i]);
    run(&load);
    report(&load);
    return load.answered == load.count ? 0 : 1;
}
