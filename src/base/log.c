#include "log.h"
#include "instant.h"
#include "memory.h"
#include "text.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    MESSAGE_LEN_MAX = 1500,
    LINE_LEN_MAX = 4000 /* below PIPE_BUF: a pipe takes all of it or nothing */
};

static const char *const level_names[] = {"error", "warn", "info", "debug"};
enum { LEVEL_COUNT = sizeof level_names / sizeof *level_names };

struct log {
    pthread_mutex_t mutex;
    int fd;
    bool fd_owned; /* a second, non-blocking open file of the same pipe or terminal */
    bool is_socket;
    bool may_block;
    bool line_cut; /* the last line ended in the middle */
    bool json;
    atomic_int level_max;
    struct clock clock;
    uint64_t dropped;
    struct arena arena;
};

/* Other processes share the open file of stderr, so O_NONBLOCK must not be set on it. A socket has
 * MSG_DONTWAIT. A pipe or terminal is opened a second time, as an open file of our own; where that is
 * forbidden, we poll before each write. */
static void choose_way(struct log *log, int fd)
{
    struct stat status;
    log->fd = fd;
    if (fstat(fd, &status))
        return;
    log->is_socket = S_ISSOCK(status.st_mode);
    log->may_block = S_ISFIFO(status.st_mode) || S_ISCHR(status.st_mode);
    if (!log->may_block)
        return;
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int own = open(path, O_WRONLY | O_NONBLOCK | O_APPEND | O_CLOEXEC | O_NOCTTY);
    if (own < 0)
        return;
    log->fd = own;
    log->fd_owned = true;
}

struct log *log_open(int fd, enum log_level level_max, bool json, struct clock clock)
{
    struct log *log = memory_zero(1, sizeof *log);
    pthread_mutex_init(&log->mutex, NULL);
    log->json = json;
    atomic_init(&log->level_max, (int)level_max);
    log->clock = clock;
    arena_init(&log->arena, (size_t)4 * LINE_LEN_MAX);
    choose_way(log, fd);
    return log;
}

void log_set_level(struct log *log, enum log_level level_max)
{
    atomic_store(&log->level_max, (int)level_max);
}

void log_close(struct log *log)
{
    if (!log)
        return;
    if (log->fd_owned)
        close(log->fd);
    arena_fini(&log->arena);
    pthread_mutex_destroy(&log->mutex);
    free(log);
}

/* A write to a closed pipe raises SIGPIPE in this thread: it is blocked during the write, then taken. */
static ssize_t write_without_sigpipe(int fd, struct bytes line)
{
    sigset_t sigpipe, before, pending;
    sigemptyset(&sigpipe);
    sigaddset(&sigpipe, SIGPIPE);
    sigpending(&pending);
    pthread_sigmask(SIG_BLOCK, &sigpipe, &before);
    ssize_t written = write(fd, line.data, line.len);
    if (written < 0 && errno == EPIPE && !sigismember(&pending, SIGPIPE))
        sigtimedwait(&sigpipe, NULL, &(struct timespec){0, 0});
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return written;
}

static ssize_t write_now(const struct log *log, struct bytes line)
{
    if (log->is_socket)
        return send(log->fd, line.data, line.len, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (log->may_block && !log->fd_owned) {
        struct pollfd ready = {.fd = log->fd, .events = POLLOUT};
        if (poll(&ready, 1, 0) != 1 || !(ready.revents & POLLOUT))
            return -1;
    }
    return write_without_sigpipe(log->fd, line);
}

static void put_line(struct text *line, const struct log *log, enum log_level level, const char *module,
                     struct bytes message)
{
    char time[INSTANT_LEN];
    instant_format(clock_wall_ms(&log->clock), time);
    struct bytes stamp = bytes_make(time, sizeof time);
    if (log->json) {
        text_printf(line, "{\"time\":\"%.*s\",\"level\":\"%s\",\"module\":", BYTES_ARG(stamp),
                    level_names[level]);
        text_put_json(line, bytes_of(module));
        text_puts(line, ",\"message\":");
        text_put_json(line, message);
        text_puts(line, "}\n");
    } else {
        text_printf(line, "%.*s %s %s: ", BYTES_ARG(stamp), level_names[level], module);
        text_put(line, message);
        text_putc(line, '\n');
    }
}

/* True: the line was written, at least in part. */
static bool put_out(struct log *log, struct bytes line)
{
    ssize_t written = write_now(log, line);
    if (written <= 0)
        return false;
    log->line_cut = (size_t)written < line.len;
    return true;
}

static void write_locked(struct log *log, enum log_level level, const char *module, struct bytes raw)
{
    struct text message, line;
    arena_reset(&log->arena);
    text_init(&message, &log->arena, MESSAGE_LEN_MAX);
    text_put_printable(&message, raw);
    text_init(&line, &log->arena, LINE_LEN_MAX);
    if (log->line_cut)
        text_putc(&line, '\n');
    if (log->dropped) {
        char lost[64];
        int len = snprintf(lost, sizeof lost, "%llu lines were dropped", (unsigned long long)log->dropped);
        put_line(&line, log, LOG_LEVEL_WARN, "log", bytes_make(lost, (size_t)len));
    }
    put_line(&line, log, level, module, text_bytes(&message));
    if (put_out(log, text_bytes(&line)))
        log->dropped = 0;
    else
        log->dropped++;
}

void log_write(struct log *log, enum log_level level, const char *module, const char *format, ...)
{
    if (!log || (int)level > atomic_load_explicit(&log->level_max, memory_order_relaxed))
        return;
    char message[MESSAGE_LEN_MAX];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(message, sizeof message, format, args);
    va_end(args);
    if (len < 0)
        return;
    if (len >= (int)sizeof message)
        len = sizeof message - 1;
    int errno_before = errno;
    pthread_mutex_lock(&log->mutex);
    write_locked(log, level, module, bytes_make(message, (size_t)len));
    pthread_mutex_unlock(&log->mutex);
    errno = errno_before;
}

bool log_level_parse(const char *name, enum log_level *level)
{
    for (int i = 0; i < LEVEL_COUNT; i++) {
        if (strcmp(level_names[i], name) == 0) {
            *level = (enum log_level)i;
            return true;
        }
    }
    return false;
}
