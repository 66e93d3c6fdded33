#include "bench.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { DESCRIPTORS = 200000 };

const char *bench_option(int argc, char **argv, const char *name, const char *standard)
{
    for (int i = 1; i + 1 < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return argv[i + 1];
    return standard;
}

int64_t bench_number(int argc, char **argv, const char *name, int64_t standard)
{
    const char *text = bench_option(argc, argv, name, NULL);
    return text ? strtoll(text, NULL, 10) : standard;
}

bool bench_flag(int argc, char **argv, const char *name)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return true;
    return false;
}

void bench_die(const char *what)
{
    perror(what);
    exit(1);
}

void *bench_alloc(size_t size)
{
    void *memory = calloc(1, size);
    if (!memory)
        bench_die("memory");
    return memory;
}

char *bench_read_file(const char *path, size_t *len)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) != 0)
        bench_die(path);
    char *bytes = bench_alloc((size_t)status.st_size + 1);
    if (read(fd, bytes, (size_t)status.st_size) != status.st_size)
        bench_die(path);
    close(fd);
    *len = (size_t)status.st_size;
    return bytes;
}

int64_t bench_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void bench_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        bench_die("getrlimit");
    struct rlimit more = {DESCRIPTORS, limit.rlim_max > DESCRIPTORS ? limit.rlim_max : DESCRIPTORS};
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &more) != 0 && setrlimit(RLIMIT_NOFILE, &limit) != 0)
        bench_die("setrlimit");
}

void bench_pin(int cpu)
{
    if (cpu < 0)
        return;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0)
        bench_die("sched_setaffinity");
}

static int64_t micros(struct timeval time)
{
    return (int64_t)time.tv_sec * 1000000 + time.tv_usec;
}

struct bench_cpu bench_cpu(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (struct bench_cpu){micros(usage.ru_utime), micros(usage.ru_stime)};
}

static struct sockaddr_in loopback(int port, int host)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK - 1 + (uint32_t)host)};
}

int bench_connect(int port)
{
    struct sockaddr_in address = loopback(port, 1);
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        bench_die("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0)
        bench_die("fcntl");
    return fd;
}

int bench_listen(int *port, int host)
{
    struct sockaddr_in address = loopback(*port, host);
    socklen_t len = sizeof address;
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) != 0 || listen(fd, 4096) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0) {
        if (fd < 0 || errno != EADDRINUSE)
            bench_die("listen");
        close(fd);
        return -1;
    }
    *port = ntohs(address.sin_port);
    return fd;
}

/* The value of a header inside [head, end), or NULL. */
static const char *header(const char *head, const char *end, const char *name)
{
    size_t name_len = strlen(name);
    for (const char *line = head; line < end;) {
        const char *eol = memchr(line, '\n', (size_t)(end - line));
        if ((size_t)(end - line) > name_len && line[name_len] == ':' &&
            strncasecmp(line, name, name_len) == 0) {
            const char *value = line + name_len + 1;
            return value + strspn(value, " ");
        }
        if (!eol)
            break;
        line = eol + 1;
    }
    return NULL;
}

bool bench_parse(const char *bytes, size_t len, struct bench_message *message)
{
    const char *blank = memmem(bytes, len, "\r\n\r\n", 4);
    if (!blank)
        return false;
    const char *body = blank + 4;
    const char *length = header(bytes, blank, "Content-Length");
    const char *connection = header(bytes, blank, "Connection");
    message->body = body;
    message->body_len = length ? strtoul(length, NULL, 10) : 0;
    message->size = (size_t)(body - bytes) + message->body_len;
    message->close = connection && strncasecmp(connection, "close", 5) == 0;
    return len >= message->size;
}

int64_t bench_find_id(const char *body, size_t len)
{
    const char *id = memmem(body, len, "\"id\"", 4);
    for (const char *p = id ? id + 4 : NULL; p && p < body + len; p++) {
        if (*p >= '0' && *p <= '9')
            return strtoll(p, NULL, 10);
        if (*p != ':' && *p != ' ' && *p != '"')
            break;
    }
    return 0;
}

void bench_records_write(const char *path, const struct bench_record *records, int64_t count)
{
    FILE *file = fopen(path, "we");
    if (!file)
        bench_die(path);
    for (int64_t i = 0; i < count; i++)
        fprintf(file, "%lld %lld %lld\n", (long long)records[i].id, (long long)records[i].at_ns,
                (long long)records[i].due_ns);
    if (fclose(file) != 0)
        bench_die(path);
}
