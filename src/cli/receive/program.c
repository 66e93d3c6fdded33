#include "program.h"
#include "clock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* The ends for the program, and ours. */
struct pipes {
    int input;      /* a file in memory, so a program that does not read it blocks nothing */
    int output[2];  /* its output */
    int failure[2]; /* the errno of a failed exec; a successful one closes it */
};

/* ---- the child, between fork and exec: only system calls ----------------------------------------------- */

static void become_ready(pid_t parent)
{
    struct sigaction standard = {.sa_handler = SIG_DFL};
    sigset_t none;

    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1); /* we died before the line above */
    sigaction(SIGPIPE, &standard, NULL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Copies beyond 2 first, because ours may have been started without 0, 1 and 2. */
static bool become_standard(const struct pipes *pipes)
{
    int input = fcntl(pipes->input, F_DUPFD_CLOEXEC, 3), output = fcntl(pipes->output[1], F_DUPFD_CLOEXEC, 3);

    return input >= 0 && output >= 0 && dup2(input, 0) == 0 && dup2(output, 1) == 1 && dup2(output, 2) == 2 &&
           close_range(3, UINT_MAX, CLOSE_RANGE_CLOEXEC) == 0;
}

static _Noreturn void be_program(const struct pipes *pipes, pid_t parent, const char *path,
                                 char *const environment[])
{
    char *const arguments[] = {(char *)path, NULL};

    int failure = fcntl(pipes->failure[1], F_DUPFD_CLOEXEC, 3);
    become_ready(parent);
    if (become_standard(pipes))
        execve(path, arguments, environment);
    int error = errno;
    if (write(failure, &error, sizeof error) < 0)
        _exit(126);
    _exit(127);
}

/* ---- the parent ---------------------------------------------------------------------------------------- */

static bool fill_input(int fd, struct bytes input)
{
    while (input.len > 0) {
        ssize_t put = write(fd, input.data, input.len);
        if (put <= 0)
            return false;
        input.data += put;
        input.len -= (size_t)put;
    }
    return lseek(fd, 0, SEEK_SET) == 0;
}

static bool open_pipes(struct pipes *pipes, struct bytes input)
{
    pipes->input = memfd_create("event", MFD_CLOEXEC);
    return pipes->input >= 0 && fill_input(pipes->input, input) &&
           pipe2(pipes->output, O_CLOEXEC | O_NONBLOCK) == 0 && fcntl(pipes->output[1], F_SETFL, 0) == 0 &&
           pipe2(pipes->failure, O_CLOEXEC) == 0;
}

static void close_one(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void close_pipes(struct pipes *pipes)
{
    close_one(&pipes->input);
    for (int i = 0; i < 2; i++) {
        close_one(&pipes->output[i]);
        close_one(&pipes->failure[i]);
    }
}

/* False: the end of the output. */
static bool take_output(int fd, struct program_end *end)
{
    enum { ROUNDS = 16 }; /* the content of a pipe: endless output must not keep us from the time limit */
    char piece[4096];
    ssize_t got = 0;

    for (int i = 0; i < ROUNDS && (got = read(fd, piece, sizeof piece)) > 0; i++) {
        size_t room = sizeof end->output - end->output_len;
        size_t len = (size_t)got < room ? (size_t)got : room;
        memcpy(end->output + end->output_len, piece, len);
        end->output_len += len;
    }
    return got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
}

/* Returns when the program has ended. It does not wait for the program's background processes. */
static bool watch(pid_t child, int pidfd, struct pipes *pipes, int64_t limit_ms, struct program_end *end)
{
    struct clock clock = clock_system();
    struct pollfd polled[] = {{.fd = pidfd, .events = POLLIN}, {.fd = pipes->output[0], .events = POLLIN}};
    int64_t until_ms = clock_mono_ms(&clock) + limit_ms;
    bool killed = false;

    while (!polled[0].revents) {
        int64_t left_ms = until_ms - clock_mono_ms(&clock);
        if (left_ms <= 0 && !killed) {
            kill(-child, SIGKILL);
            killed = true;
        }
        if (poll(polled, 2, killed ? -1 : left_ms > 60000 ? 60000 : (int)left_ms) < 0 && errno != EINTR)
            break;
        if (polled[1].revents && !take_output(polled[1].fd, end))
            polled[1].fd = -1;
    }
    if (polled[1].fd >= 0)
        take_output(polled[1].fd, end);
    return killed;
}

static void wait_for(pid_t child, struct pipes *pipes, int64_t limit_ms, struct program_end *end)
{
    int pidfd = pidfd_open(child, 0), status = 0, error;
    bool killed = false;

    if (pidfd >= 0)
        killed = watch(child, pidfd, pipes, limit_ms, end);
    else
        kill(-child, SIGKILL);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (pidfd >= 0)
        close(pidfd);
    end->how = killed ? PROGRAM_TIMED_OUT : WIFSIGNALED(status) ? PROGRAM_KILLED : PROGRAM_EXITED;
    end->code = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
    if (read(pipes->failure[0], &error, sizeof error) == sizeof error) {
        end->how = PROGRAM_NOT_STARTED;
        end->code = error;
    }
}

void program_run(const char *path, char *const environment[], struct bytes input, int64_t limit_ms,
                 struct program_end *end)
{
    struct pipes pipes = {-1, {-1, -1}, {-1, -1}};
    pid_t parent = getpid(), child = -1;

    *end = (struct program_end){.how = PROGRAM_NOT_STARTED};
    if (open_pipes(&pipes, input))
        child = fork();
    if (child == 0)
        be_program(&pipes, parent, path, environment);
    if (child < 0) {
        end->code = errno;
    } else {
        setpgid(child, child); /* parent and child both do it, so that the group exists at the limit */
        close_one(&pipes.output[1]);
        close_one(&pipes.failure[1]);
        wait_for(child, &pipes, limit_ms, end);
    }
    close_pipes(&pipes);
}
