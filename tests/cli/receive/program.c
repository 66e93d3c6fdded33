#include "program.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { LONG_MS = 30000 };

static char path[64]; /* of the script */

static int set_up(void **state)
{
    strcpy(path, "/tmp/posthorn-program-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    return 0;
}

static int tear_down(void **state)
{
    return unlink(path);
}

static void script(const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(chmod(path, 0700), 0);
}

static void run(const char *text, struct bytes input, int64_t limit_ms, struct program_end *end)
{
    char *const environment[] = {(char[]){"ONLY=this"}, (char[]){"PATH=/usr/bin:/bin"}, NULL};

    script(text);
    program_run(path, environment, input, limit_ms, end);
}

static void assert_output(const struct program_end *end, const char *expected)
{
    assert_int_equal(end->output_len, strlen(expected));
    assert_memory_equal(end->output, expected, end->output_len);
}

static void input_environment_output_and_code(void **state)
{
    struct program_end end;

    run("#!/bin/sh\ncat\necho \" $ONLY$HOME\"\necho error >&2\nexit 7\n", bytes_of("event"), LONG_MS, &end);
    assert_int_equal(end.how, PROGRAM_EXITED);
    assert_int_equal(end.code, 7);
    assert_output(&end, "event this\nerror\n");
}

static void who_does_not_read_is_not_waited_for(void **state)
{
    enum { LEN = 2 << 20 };
    struct program_end end;
    char *large = calloc(1, LEN);

    run("#!/bin/sh\nexit 0\n", bytes_make(large, LEN), LONG_MS, &end);
    assert_int_equal(end.how, PROGRAM_EXITED);
    assert_int_equal(end.code, 0);
    run("#!/bin/sh\nwc -c\n", bytes_make(large, LEN), LONG_MS, &end);
    assert_output(&end, "2097152\n");
    free(large);
}

static void what_is_too_much_is_read_and_forgotten(void **state)
{
    struct program_end end;

    run("#!/bin/sh\nhead -c 1000000 /dev/zero\n", bytes_of(""), LONG_MS, &end);
    assert_int_equal(end.how, PROGRAM_EXITED);
    assert_int_equal(end.code, 0);
    assert_int_equal(end.output_len, PROGRAM_OUTPUT_LEN_MAX);
}

static void at_the_limit_the_whole_group_is_killed(void **state)
{
    struct program_end end;

    run("#!/bin/sh\nsleep 300 &\necho $!\nwait\n", bytes_of(""), 300, &end);
    assert_int_equal(end.how, PROGRAM_TIMED_OUT);
    assert_true(end.output_len > 0 && end.output_len < 20);
    end.output[end.output_len] = '\0';
    pid_t child = atoi(end.output);
    for (int i = 0; i < 1000 && kill(child, 0) == 0; i++) {
        char stat_path[64], stat_line[256] = "";
        snprintf(stat_path, sizeof stat_path, "/proc/%d/stat", (int)child);
        FILE *file = fopen(stat_path, "r");
        if (!file || (fgets(stat_line, sizeof stat_line, file) && strstr(stat_line, ") Z "))) {
            if (file)
                fclose(file);
            return; /* a zombie waits for whoever adopts it */
        }
        fclose(file);
        usleep(10000);
    }
    assert_true(kill(child, 0) != 0);
}

static void what_stays_in_the_background_is_not_waited_for(void **state)
{
    struct program_end end;

    run("#!/bin/sh\nsleep 2 &\necho done\n", bytes_of(""), LONG_MS, &end);
    assert_int_equal(end.how, PROGRAM_EXITED);
    assert_output(&end, "done\n");
}

static void a_crash_and_what_cannot_be_run(void **state)
{
    struct program_end end;

    run("#!/bin/sh\nkill -ABRT $$\n", bytes_of(""), LONG_MS, &end);
    assert_int_equal(end.how, PROGRAM_KILLED);
    assert_int_equal(end.code, SIGABRT);
    run("no interpreter", bytes_of(""), LONG_MS, &end);
    assert_int_equal(end.how, PROGRAM_NOT_STARTED);
    assert_int_equal(end.code, ENOEXEC);
    assert_int_equal(chmod(path, 0600), 0);
    program_run(path, (char *const[]){NULL}, bytes_of(""), LONG_MS, &end);
    assert_int_equal(end.how, PROGRAM_NOT_STARTED);
    assert_int_equal(end.code, EACCES);
}

/* What whoever started the tests ignores, as a shell does SIGINT for what runs in the background, is handed
 * on. */
static unsigned long long ignored_by_inheritance(void)
{
    char line[128];
    unsigned long long ignored = 0;
    FILE *status = fopen("/proc/self/status", "r");
    assert_non_null(status);
    while (fgets(line, sizeof line, status)) {
        if (sscanf(line, "SigIgn: %llx", &ignored) == 1)
            break;
    }
    fclose(status);
    return ignored & ~(1ULL << (SIGPIPE - 1));
}

/* Ours are blocked, and SIGPIPE is ignored; a program starts with none of that. */
static void signals_are_as_at_the_start(void **state)
{
    struct program_end end;
    sigset_t blocked;

    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    signal(SIGPIPE, SIG_IGN);
    run("#!/bin/sh\ngrep -E 'SigBlk|SigIgn' /proc/$$/status | tr -d '\\t\\n'\n", bytes_of(""), LONG_MS, &end);
    sigprocmask(SIG_UNBLOCK, &blocked, NULL);
    char expected[64];
    snprintf(expected, sizeof expected, "SigBlk:0000000000000000SigIgn:%016llx", ignored_by_inheritance());
    assert_output(&end, expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(input_environment_output_and_code),
        cmocka_unit_test(who_does_not_read_is_not_waited_for),
        cmocka_unit_test(what_is_too_much_is_read_and_forgotten),
        cmocka_unit_test(at_the_limit_the_whole_group_is_killed),
        cmocka_unit_test(what_stays_in_the_background_is_not_waited_for),
        cmocka_unit_test(a_crash_and_what_cannot_be_run),
        cmocka_unit_test(signals_are_as_at_the_start),
    };
    return cmocka_run_group_tests_name("cli/receive/program", tests, set_up, tear_down);
}
