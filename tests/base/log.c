#include "log.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "memory.h"
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int64_t fixed_ms(void *ctx)
{
    return 946684800000;
}

static const struct clock fixed_clock = {.wall_ms = fixed_ms, .mono_ms = fixed_ms};

/* All that is in the pipe now. */
static size_t drain(int fd, char *out, size_t size)
{
    size_t len = 0;
    ssize_t got;
    fcntl(fd, F_SETFL, O_NONBLOCK);
    while (len + 1 < size && (got = read(fd, out + len, size - 1 - len)) > 0)
        len += (size_t)got;
    out[len] = '\0';
    return len;
}

static void lines_for_people(void **state)
{
    char out[8192];
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    struct log *log = log_open(fds[1], LOG_LEVEL_INFO, false, fixed_clock);
    log_write(log, LOG_LEVEL_INFO, "engine", "delivered event=%d", 8);
    log_write(log, LOG_LEVEL_DEBUG, "engine", "not shown");
    log_write(log, LOG_LEVEL_ERROR, "store", "hostile \n\x1b[2J %s", "\xe2\x80\xae");
    drain(fds[0], out, sizeof out);
    assert_string_equal(out, "2000-01-01T00:00:00.000Z info engine: delivered event=8\n"
                             "2000-01-01T00:00:00.000Z error store: hostile \\x0a\\x1b[2J \\xe2\\x80\\xae\n");
    log_write(NULL, LOG_LEVEL_ERROR, "x", "silent");
    log_close(log);
    log_close(NULL);
    close(fds[0]);
    close(fds[1]);
}

static void lines_for_machines(void **state)
{
    char out[8192];
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    struct log *log = log_open(fds[1], LOG_LEVEL_DEBUG, true, fixed_clock);
    log_write(log, LOG_LEVEL_DEBUG, "engine", "a \"quoted\" word");
    drain(fds[0], out, sizeof out);
    assert_string_equal(out,
                        "{\"time\":\"2000-01-01T00:00:00.000Z\",\"level\":\"debug\",\"module\":\"engine\","
                        "\"message\":\"a \\\"quoted\\\" word\"}\n");
    log_close(log);
    close(fds[0]);
    close(fds[1]);
}

static void a_long_message_is_still_one_line(void **state)
{
    char out[8192], *message = memory_alloc(20000);
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    memset(message, '\x01', 19999);
    message[19999] = '\0';
    for (int json = 0; json < 2; json++) {
        struct log *log = log_open(fds[1], LOG_LEVEL_INFO, json, fixed_clock);
        log_write(log, LOG_LEVEL_INFO, "x", "%s", message);
        size_t len = drain(fds[0], out, sizeof out);
        assert_true(len > 1000 && len <= 4000);
        assert_ptr_equal(strchr(out, '\n'), out + len - 1);
        log_close(log);
    }
    free(message);
    close(fds[0]);
    close(fds[1]);
}

/* A hang here is the failure: nobody reads, and the log goes on. */
static void check_full(int fds[2])
{
    char out[1 << 20];
    struct log *log = log_open(fds[1], LOG_LEVEL_INFO, false, fixed_clock);
    for (int i = 0; i < 20000; i++)
        log_write(log, LOG_LEVEL_INFO, "x", "line %d of many, and nobody reads them", i);
    assert_int_equal(fcntl(fds[1], F_GETFL) & O_NONBLOCK, 0); /* shared with others: not ours to change */
    size_t len = drain(fds[0], out, sizeof out);
    assert_true(len > 1000);
    int lines = 0;
    for (const char *c = out; (c = strchr(c, '\n')); c++)
        lines++;
    log_write(log, LOG_LEVEL_INFO, "x", "the next that fits");
    drain(fds[0], out, sizeof out);
    char expected[64];
    snprintf(expected, sizeof expected, "%d lines were dropped\n", 20000 - lines);
    assert_non_null(strstr(out, expected));
    assert_non_null(strstr(out, "the next that fits"));
    log_write(log, LOG_LEVEL_INFO, "x", "and one more");
    drain(fds[0], out, sizeof out);
    assert_null(strstr(out, "dropped"));
    log_close(log);
    close(fds[0]);
    close(fds[1]);
}

static void a_full_pipe_drops_and_counts(void **state)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    check_full(fds);
}

static void a_full_socket_drops_and_counts(void **state)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    check_full(fds);
}

static void a_closed_pipe_ends_nobody(void **state)
{
    for (int kind = 0; kind < 2; kind++) {
        int fds[2];
        assert_int_equal(kind ? socketpair(AF_UNIX, SOCK_STREAM, 0, fds) : pipe(fds), 0);
        struct log *log = log_open(fds[1], LOG_LEVEL_INFO, false, fixed_clock);
        close(fds[0]);
        errno = EXDEV;
        for (int i = 0; i < 10; i++)
            log_write(log, LOG_LEVEL_INFO, "x", "nobody is there");
        assert_int_equal(errno, EXDEV);
        sigset_t pending;
        sigpending(&pending);
        assert_false(sigismember(&pending, SIGPIPE));
        struct sigaction action;
        sigaction(SIGPIPE, NULL, &action);
        assert_ptr_equal(action.sa_handler, SIG_DFL); /* nor was the process' own choice changed */
        log_close(log);
        close(fds[1]);
    }
}

struct writer {
    pthread_t thread;
    struct log *log;
    int number;
};

static void *write_many(void *writer_)
{
    struct writer *writer = writer_;
    for (int i = 0; i < 200; i++)
        log_write(writer->log, LOG_LEVEL_INFO, "x", "thread %d line %d", writer->number, i);
    return NULL;
}

static void threads_do_not_mix_lines(void **state)
{
    char path[] = "/tmp/posthorn-log-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    unlink(path);
    struct log *log = log_open(fd, LOG_LEVEL_INFO, false, fixed_clock);
    struct writer writers[4];
    for (int i = 0; i < 4; i++) {
        writers[i] = (struct writer){.log = log, .number = i};
        assert_int_equal(pthread_create(&writers[i].thread, NULL, write_many, &writers[i]), 0);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(writers[i].thread, NULL);
    log_close(log);
    FILE *file = fdopen(fd, "r");
    rewind(file);
    int next[4] = {0}, number, line;
    for (int i = 0; i < 800; i++) {
        assert_int_equal(fscanf(file, "2000-01-01T00:00:00.000Z info x: thread %d line %d\n", &number, &line),
                         2);
        assert_int_equal(line, next[number]++);
    }
    assert_int_equal(fgetc(file), EOF);
    fclose(file);
}

static void level_names(void **state)
{
    enum log_level level;
    assert_true(log_level_parse("warn", &level) && level == LOG_LEVEL_WARN);
    assert_true(log_level_parse("debug", &level) && level == LOG_LEVEL_DEBUG);
    assert_false(log_level_parse("WARN", &level));
    assert_false(log_level_parse("", &level));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_for_people),
        cmocka_unit_test(lines_for_machines),
        cmocka_unit_test(a_long_message_is_still_one_line),
        cmocka_unit_test(a_full_pipe_drops_and_counts),
        cmocka_unit_test(a_full_socket_drops_and_counts),
        cmocka_unit_test(a_closed_pipe_ends_nobody),
        cmocka_unit_test(threads_do_not_mix_lines),
        cmocka_unit_test(level_names),
    };
    alarm(60);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
