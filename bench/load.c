/*
 * load: the bench's producer. Posts one body over N kept-alive connections, one request under way on each (no
 * pipelining), as fast as answers come or at a given rate; then prints the results as JSON.
 *
 *   load --port P [--path /api/events] [--key KEY] --body FILE --count N [--connections 64]
 *        [--content-type TYPE] [--rate PER_SECOND] [--record FILE] [--cpu N] [--seconds-max 120] [--batch N]
 *        [--idempotency] [--users FILE [--in-turn]]
 *
 * --batch sends the body N times in each request, a line each, as application/x-ndjson; --count counts
 * requests, and --rate requests a second.
 * --idempotency adds a random Idempotency-Key to each request (with --batch, the body has a key a line:
 * below).
 * --users names a file with the id of a user a line. The body's "@USER@", quotes included, with the 14 blanks
 * that must follow it, becomes the id of a random one of them, or of each in turn. Likewise KEY_MARK becomes
 * a random key of the same length.
 * --record writes "ID ANSWERED DUE" for every 201, on the monotonic clock that sink uses too. DUE is when
 * the request should have begun: at a given rate, a request that has to wait for a free connection is late
 * from its due time on, so that a slow server does not look better by slowing down its producer.
 */
#include "bench.h"
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 4096, ANSWER_BYTES_MAX = 64 << 10, STATUS_MAX = 600, USER_MARK_LEN = 22 };

static const char USER_MARK[] = "\"@USER@\"              ";
static const char KEY_MARK[] = "@KEY@00000000000";

struct connection {
    int fd;
    bool waiting; /* for an answer */
    int64_t due_ns;
    char *request; /* its own copy, since each has its users and keys */
    size_t sent, have;
    char answer[ANSWER_BYTES_MAX];
};

struct marks {
    size_t *at;
    size_t count;
};

struct load {
    const char *path, *key, *type, *record_path;
    int port, connection_count;
    int64_t count, rate, seconds_max;
    bool idempotency, in_turn;

    int64_t *users;
    size_t user_count, user_next;
    uint64_t random;

    char *request;
    size_t request_len;
    struct marks user_marks, key_marks;
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

static struct marks find_marks(const struct load *load, const char *mark)
{
    struct marks marks = {0};
    const char *end = load->request + load->request_len, *at = load->request;
    marks.at = bench_alloc(sizeof *marks.at * (load->request_len / strlen(mark) + 1));
    while ((at = memmem(at, (size_t)(end - at), mark, strlen(mark))) != NULL) {
        marks.at[marks.count++] = (size_t)(at - load->request);
        at += strlen(mark);
    }
    return marks;
}

static void make_request(struct load *load, const char *body, size_t body_len)
{
    size_t room = body_len + 1024;
    load->request = bench_alloc(room);
    int head = snprintf(load->request, room,
                        "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: %s\r\n"
                        "Content-Length: %zu\r\n%s%s%s%s%s%s\r\n",
                        load->path, load->port, load->type, body_len, load->key ? "Authorization: " : "",
                        load->key ? load->key : "", load->key ? "\r\n" : "",
                        load->idempotency ? "Idempotency-Key: " : "", load->idempotency ? KEY_MARK : "",
                        load->idempotency ? "\r\n" : "");
    memcpy(load->request + head, body, body_len);
    load->request_len = (size_t)head + body_len;
    load->key_marks = find_marks(load, KEY_MARK);
    if (load->user_count)
        load->user_marks = find_marks(load, USER_MARK);
}

static void read_users(struct load *load, const char *path)
{
    size_t len;
    char *text = bench_read_file(path, &len), *end;
    load->users = bench_alloc(sizeof *load->users * (len / 2 + 1));
    for (const char *at = text; *at; at = end + strspn(end, "\n"))
        load->users[load->user_count++] = strtoll(at, &end, 10);
    free(text);
}

static uint64_t next_random(struct load *load) /* xorshift64 */
{
    load->random ^= load->random << 13;
    load->random ^= load->random >> 7;
    load->random ^= load->random << 17;
    return load->random;
}

static void put_marks(struct load *load, char *request)
{
    char text[USER_MARK_LEN + 1];
    for (size_t i = 0; i < load->key_marks.count; i++) {
        snprintf(text, sizeof text, "%016llx", (unsigned long long)next_random(load));
        memcpy(request + load->key_marks.at[i], text, strlen(KEY_MARK));
    }
    for (size_t i = 0; i < load->user_marks.count; i++) {
        size_t user = (load->in_turn ? load->user_next++ : next_random(load)) % load->user_count;
        int len = snprintf(text, sizeof text, "\"%lld\"", (long long)load->users[user]);
        memset(text + len, ' ', (size_t)(USER_MARK_LEN - len));
        memcpy(request + load->user_marks.at[i], text, USER_MARK_LEN);
    }
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
        write(connection->fd, connection->request + connection->sent, load->request_len - connection->sent);
    if (wrote < 0 && errno != EAGAIN)
        bench_die("write to the server");
    if (wrote > 0)
        connection->sent += (size_t)wrote;
    if (connection->sent < load->request_len)
        want(load, connection, true);
}

static void begin(struct load *load, struct connection *connection, int64_t due_ns)
{
    connection->waiting = true;
    connection->due_ns = due_ns;
    connection->sent = connection->have = 0;
    put_marks(load, connection->request);
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
        load->records[load->record_count++] = (struct bench_record){
            bench_find_id(message->body, message->body_len), load->last_ns, connection->due_ns};
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
            begin(load, connection, bench_now_ns());
    } else if (connection->have == ANSWER_BYTES_MAX - 1) {
        bench_die("an answer larger than the buffer");
    }
}

static int64_t due_ns(const struct load *load, int64_t begun_ns, int64_t i)
{
    return begun_ns + i * 1000000000 / load->rate;
}

/* At a given rate: starts what is due by now on connections that are free. */
static void begin_due(struct load *load, int64_t begun_ns)
{
    int64_t now_ns = bench_now_ns();
    for (int i = 0; i < load->connection_count && load->begun < load->count; i++) {
        int64_t at_ns = due_ns(load, begun_ns, load->begun);
        if (at_ns > now_ns)
            return;
        if (!load->connections[i].waiting)
            begin(load, &load->connections[i], at_ns);
    }
}

/* Until the next request is due. Requests that are overdue wait for a free connection: for an answer. */
static struct timespec patience(const struct load *load, int64_t begun_ns)
{
    int64_t wait_ns = 1000000000;
    if (load->rate > 0 && load->begun < load->count) {
        int64_t due_in_ns = due_ns(load, begun_ns, load->begun) - bench_now_ns();
        wait_ns = due_in_ns > 0 ? due_in_ns : 1000000;
    }
    return (struct timespec){wait_ns / 1000000000, wait_ns % 1000000000};
}

static void run(struct load *load)
{
    struct epoll_event events[64];
    int64_t begun_ns = bench_now_ns(), end_ns = begun_ns + load->seconds_max * 1000000000;
    for (int i = 0; load->rate == 0 && i < load->connection_count && load->begun < load->count; i++)
        begin(load, &load->connections[i], begun_ns);
    while (load->answered < load->count) {
        if (load->rate > 0)
            begin_due(load, begun_ns);
        struct timespec wait = patience(load, begun_ns);
        int count = epoll_pwait2(load->epoll, events, 64, &wait, NULL);
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

static void open_connections(struct load *load)
{
    load->connections = bench_alloc(sizeof *load->connections * (size_t)load->connection_count);
    load->epoll = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; i < load->connection_count; i++) {
        load->connections[i].request = bench_alloc(load->request_len);
        memcpy(load->connections[i].request, load->request, load->request_len);
        dial(load, &load->connections[i]);
    }
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
                        .seconds_max = bench_number(argc, argv, "--seconds-max", 120),
                        .idempotency = bench_flag(argc, argv, "--idempotency"),
                        .in_turn = bench_flag(argc, argv, "--in-turn"),
                        .random = (uint64_t)bench_now_ns() | 1};
    const char *body_path = bench_option(argc, argv, "--body", NULL);
    const char *users_path = bench_option(argc, argv, "--users", NULL);
    if (!body_path || load.port == 0 || load.connection_count < 1 ||
        load.connection_count > CONNECTIONS_MAX) {
        fputs("usage: load --port P --body FILE --count N [...]\n", stderr);
        return 2;
    }
    bench_pin((int)bench_number(argc, argv, "--cpu", -1));
    bench_descriptors();
    size_t body_len;
    char *body = bench_read_file(body_path, &body_len);
    int64_t batch = bench_number(argc, argv, "--batch", 1);
    if (batch > 1) {
        body = repeat(body, &body_len, batch);
        load.type = "application/x-ndjson";
    }
    if (users_path)
        read_users(&load, users_path);
    make_request(&load, body, body_len);
    if (load.record_path)
        load.records = bench_alloc(sizeof *load.records * (size_t)load.count);
    open_connections(&load);
    run(&load);
    report(&load);
    return load.answered == load.count ? 0 : 1;
}
