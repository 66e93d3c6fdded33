#include "stub_dns.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { HEADER_LEN = 12, PACKET_LEN_MAX = 1232, TYPE_A = 1, TYPE_NS = 2, TYPE_CNAME = 5, TYPE_AAAA = 28 };

enum { LATE_MAX = 16, WIDE_TIMES = 40 };

struct packet {
    unsigned char data[PACKET_LEN_MAX];
    size_t len;
};

/* An answer that goes out later. */
struct late {
    struct packet packet;
    struct sockaddr_in to;
    int64_t due_ms; /* 0: none */
};

struct stub_dns {
    const struct stub_record *records;
    pthread_t thread;
    int stop_pipe[2];
    int fd, port, questions;
    int last_probe; /* its id */
    atomic_bool mute;
    atomic_int probes, udp_size;
    int tcp_fd; /* -1: nothing is LONG */
    struct late late[LATE_MAX];
};

static void put16(struct packet *packet, unsigned value)
{
    packet->data[packet->len++] = (unsigned char)(value >> 8);
    packet->data[packet->len++] = (unsigned char)value;
}

static void put_name(struct packet *packet, const char *name)
{
    while (*name) {
        size_t len = strcspn(name, ".");
        packet->data[packet->len++] = (unsigned char)len;
        memcpy(packet->data + packet->len, name, len);
        packet->len += len;
        name += len + (name[len] == '.');
    }
    packet->data[packet->len++] = 0;
}

/* The head of a resource record; `owner` NULL: the name asked for. */
static void put_record(struct packet *packet, const char *owner, unsigned type, int ttl_s)
{
    if (owner)
        put_name(packet, owner);
    else
        put16(packet, 0xc000 + HEADER_LEN);
    put16(packet, type);
    put16(packet, 1);
    put16(packet, (unsigned)ttl_s >> 16);
    put16(packet, (unsigned)ttl_s & 0xffff);
}

/* Returns the type asked for, 0 when it is no question; the packet ends behind the question then. */
static unsigned read_question(struct packet *packet, char *name)
{
    size_t at = HEADER_LEN, out = 0;

    if (packet->len < HEADER_LEN + 5)
        return 0;
    while (at < packet->len && packet->data[at] != 0) {
        size_t len = packet->data[at++];
        if (out > 0)
            name[out++] = '.';
        if (at + len >= packet->len || out + len > 250)
            return 0;
        memcpy(name + out, packet->data + at, len);
        out += len;
        at += len;
    }
    name[out] = '\0';
    if (at + 5 > packet->len)
        return 0;
    packet->len = at + 5;
    return (unsigned)packet->data[at + 1] << 8 | packet->data[at + 2];
}

static const struct stub_record *find(const struct stub_dns *dns, const char *name, unsigned type)
{
    static const struct stub_record unknown = {.kind = STUB_NXDOMAIN};
    for (const struct stub_record *record = dns->records; record->name; record++)
        if (strcasecmp(record->name, name) == 0 && record->v6 == (type == TYPE_AAAA))
            return record;
    return &unknown;
}

static int put_answers(struct packet *packet, const struct stub_record *record)
{
    int count = 0;

    if (record->alias) {
        struct packet target = {.len = 0};
        put_name(&target, record->alias);
        put_record(packet, NULL, TYPE_CNAME, record->ttl_s);
        put16(packet, (unsigned)target.len);
        memcpy(packet->data + packet->len, target.data, target.len);
        packet->len += target.len;
        count++;
    }
    int times = record->kind == STUB_WIDE ? WIDE_TIMES : 1;
    for (int i = 0; i < 10 * times && record->addresses[i / times]; i++) {
        size_t len = record->v6 ? 16 : 4;
        put_record(packet, record->alias, record->v6 ? TYPE_AAAA : TYPE_A, record->ttl_s);
        put16(packet, (unsigned)len);
        if (inet_pton(record->v6 ? AF_INET6 : AF_INET, record->addresses[i / times],
                      packet->data + packet->len) != 1)
            abort();
        packet->len += len;
        count++;
    }
    return count;
}

static void count(struct stub_dns *dns, const struct packet *packet, const char *name, unsigned type)
{
    int id = packet->data[0] << 8 | packet->data[1];

    dns->questions++;
    if (type == TYPE_NS && *name == '\0' && id != dns->last_probe) {
        dns->last_probe = id;
        dns->probes++;
    }
}

/* False: say nothing. */
static bool answer(struct stub_dns *dns, struct packet *packet, bool tcp, bool *slow)
{
    char name[256];
    size_t whole = packet->len;
    unsigned type = read_question(packet, name);
    const struct stub_record *record = find(dns, name, type);
    bool edns = type && whole >= packet->len + 11 && packet->data[11] == 1;
    bool truncated = record->kind == STUB_TRUNCATED || (record->kind == STUB_LONG && !tcp) ||
                     (record->kind == STUB_WIDE && !edns);
    int answers = 0, code = 0;

    *slow = record->kind == STUB_SLOW || (record->kind == STUB_WIDE && edns);
    dns->udp_size = edns ? packet->data[packet->len + 3] << 8 | packet->data[packet->len + 4] : 0;

    count(dns, packet, name, type);
    if (type == 0 || dns->mute || record->kind == STUB_SILENT)
        return false;
    if (record->kind == STUB_GARBAGE) {
        memset(packet->data + 2, 0xff, packet->len - 2);
        return true;
    }
    if (record->kind == STUB_OLD && edns)
        code = 1;
    else if (record->kind == STUB_NXDOMAIN || record->kind == STUB_SERVFAIL || record->kind == STUB_REFUSED)
        code = record->kind == STUB_NXDOMAIN ? 3 : record->kind == STUB_SERVFAIL ? 2 : 5;
    else if (!truncated)
        answers = put_answers(packet, record);
    packet->data[2] = truncated ? 0x83 : 0x81; /* an answer to a recursive question */
    packet->data[3] = (unsigned char)(0x80 | code);
    packet->data[6] = 0;
    packet->data[7] = (unsigned char)answers;
    memset(packet->data + 8, 0, 4);
    return true;
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * (int64_t)1000 + now.tv_nsec / 1000000;
}

static void send_to(struct stub_dns *dns, const struct packet *packet, const struct sockaddr_in *to)
{
    if (sendto(dns->fd, packet->data, packet->len, 0, (const void *)to, sizeof *to) < 0)
        perror("stub_dns");
}

static void serve_udp(struct stub_dns *dns)
{
    struct sockaddr_in from;
    socklen_t from_len = sizeof from;
    struct packet packet;
    bool slow;
    ssize_t len = recvfrom(dns->fd, packet.data, sizeof packet.data, 0, (void *)&from, &from_len);
    packet.len = len > 0 ? (size_t)len : 0;
    if (!answer(dns, &packet, false, &slow))
        return;
    if (!slow) {
        send_to(dns, &packet, &from);
        return;
    }
    for (int i = 0; i < LATE_MAX; i++)
        if (dns->late[i].due_ms == 0) {
            dns->late[i] = (struct late){packet, from, now_ms() + STUB_SLOW_MS};
            return;
        }
}

static void send_late(struct stub_dns *dns)
{
    for (int i = 0; i < LATE_MAX; i++)
        if (dns->late[i].due_ms != 0 && dns->late[i].due_ms <= now_ms()) {
            send_to(dns, &dns->late[i].packet, &dns->late[i].to);
            dns->late[i].due_ms = 0;
        }
}

/* One question a connection. */
static void serve_tcp(struct stub_dns *dns)
{
    struct packet packet;
    bool slow;
    int fd = accept(dns->tcp_fd, NULL, NULL);
    unsigned char head[2];
    if (fd < 0 || recv(fd, head, 2, MSG_WAITALL) != 2)
        abort();
    packet.len = (size_t)(head[0] << 8 | head[1]);
    if (packet.len > sizeof packet.data ||
        recv(fd, packet.data, packet.len, MSG_WAITALL) != (ssize_t)packet.len)
        abort();
    if (answer(dns, &packet, true, &slow)) {
        unsigned char out[2 + PACKET_LEN_MAX] = {(unsigned char)(packet.len >> 8), (unsigned char)packet.len};
        memcpy(out + 2, packet.data, packet.len);
        send(fd, out, 2 + packet.len, MSG_NOSIGNAL);
    }
    close(fd);
}

static void *serve(void *arg)
{
    struct stub_dns *dns = arg;
    struct pollfd list[3] = {{.fd = dns->stop_pipe[0], .events = POLLIN},
                             {.fd = dns->fd, .events = POLLIN},
                             {.fd = dns->tcp_fd, .events = POLLIN}};

    while (poll(list, 3, 20) >= 0 && list[0].revents == 0) {
        if (list[1].revents)
            serve_udp(dns);
        if (list[2].revents)
            serve_tcp(dns);
        send_late(dns);
    }
    return NULL;
}

/* On the same port, if anything is LONG. */
static int listen_tcp(const struct stub_dns *dns, const struct sockaddr_in *address)
{
    bool wanted = false;
    for (const struct stub_record *record = dns->records; record->name; record++)
        wanted = wanted || record->kind == STUB_LONG;
    if (!wanted)
        return -1;
    const int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (fd < 0)
        abort();
    if (bind(fd, (const void *)address, sizeof *address) != 0 || listen(fd, 16) != 0) {
        close(fd);
        return -2; /* somebody has this port of TCP */
    }
    return fd;
}

struct stub_dns *stub_dns_open(const struct stub_record *records)
{
    struct stub_dns *dns = calloc(1, sizeof *dns);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;

    if (!dns)
        abort();
    dns->records = records;
    dns->last_probe = -1;
    do { /* until a port is free in both */
        if (dns->fd > 0)
            close(dns->fd);
        address.sin_port = 0;
        dns->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (dns->fd < 0 || bind(dns->fd, (void *)&address, sizeof address) != 0 ||
            getsockname(dns->fd, (void *)&address, &len) != 0)
            abort();
        dns->tcp_fd = listen_tcp(dns, &address);
    } while (dns->tcp_fd < -1);
    if (pipe2(dns->stop_pipe, O_CLOEXEC) != 0 || pthread_create(&dns->thread, NULL, serve, dns) != 0)
        abort();
    dns->port = ntohs(address.sin_port);
    return dns;
}

int stub_dns_port(const struct stub_dns *dns)
{
    return dns->port;
}

void stub_dns_mute(struct stub_dns *dns, bool mute)
{
    dns->mute = mute;
}

int stub_dns_udp_size(struct stub_dns *dns)
{
    return dns->udp_size;
}

int stub_dns_probes(struct stub_dns *dns)
{
    return dns->probes;
}

int stub_dns_close(struct stub_dns *dns)
{
    if (write(dns->stop_pipe[1], "", 1) != 1)
        abort();
    pthread_join(dns->thread, NULL);
    int questions = dns->questions;
    close(dns->fd);
    if (dns->tcp_fd >= 0)
        close(dns->tcp_fd);
    close(dns->stop_pipe[0]);
    close(dns->stop_pipe[1]);
    free(dns);
    return questions;
}
