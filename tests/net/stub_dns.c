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
#include <unistd.h>

enum { HEADER_LEN = 12, PACKET_LEN_MAX = 512, TYPE_A = 1, TYPE_NS = 2, TYPE_CNAME = 5, TYPE_AAAA = 28 };

struct stub_dns {
    const struct stub_record *records;
    pthread_t thread;
    int stop_pipe[2];
    int fd, port, questions;
    int last_probe; /* its id */
    atomic_bool mute;
    atomic_int probes;
};

struct packet {
    unsigned char data[PACKET_LEN_MAX];
    size_t len;
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
    for (int i = 0; i < 10 && record->addresses[i]; i++) {
        size_t len = record->v6 ? 16 : 4;
        put_record(packet, record->alias, record->v6 ? TYPE_AAAA : TYPE_A, record->ttl_s);
        put16(packet, (unsigned)len);
        if (inet_pton(record->v6 ? AF_INET6 : AF_INET, record->addresses[i], packet->data + packet->len) != 1)
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
static bool answer(struct stub_dns *dns, struct packet *packet)
{
    char name[256];
    unsigned type = read_question(packet, name);
    const struct stub_record *record = find(dns, name, type);
    int answers = 0, code = 0;

    count(dns, packet, name, type);
    if (type == 0 || dns->mute || record->kind == STUB_SILENT)
        return false;
    if (record->kind == STUB_GARBAGE) {
        memset(packet->data + 2, 0xff, packet->len - 2);
        return true;
    }
    if (record->kind == STUB_ANSWER)
        answers = put_answers(packet, record);
    else
        code = record->kind == STUB_NXDOMAIN ? 3 : 2;
    packet->data[2] = 0x81; /* an answer to a recursive question */
    packet->data[3] = (unsigned char)(0x80 | code);
    packet->data[6] = 0;
    packet->data[7] = (unsigned char)answers;
    memset(packet->data + 8, 0, 4);
    return true;
}

static void *serve(void *arg)
{
    struct stub_dns *dns = arg;
    struct pollfd list[2] = {{.fd = dns->stop_pipe[0], .events = POLLIN}, {.fd = dns->fd, .events = POLLIN}};

    while (poll(list, 2, -1) > 0 && list[0].revents == 0) {
        struct sockaddr_in from;
        socklen_t from_len = sizeof from;
        struct packet packet;
        ssize_t len = recvfrom(dns->fd, packet.data, sizeof packet.data, 0, (void *)&from, &from_len);
        packet.len = len > 0 ? (size_t)len : 0;
        if (answer(dns, &packet) && sendto(dns->fd, packet.data, packet.len, 0, (void *)&from, from_len) < 0)
            perror("stub_dns");
    }
    return NULL;
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
    dns->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (dns->fd < 0 || bind(dns->fd, (void *)&address, sizeof address) != 0 ||
        getsockname(dns->fd, (void *)&address, &len) != 0 || pipe2(dns->stop_pipe, O_CLOEXEC) != 0 ||
        pthread_create(&dns->thread, NULL, serve, dns) != 0)
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
    close(dns->stop_pipe[0]);
    close(dns->stop_pipe[1]);
    free(dns);
    return questions;
}
