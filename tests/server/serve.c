/*
 * The program as a script sees it: exit codes, stdout and stderr, signals, systemd.
 *
 *   test_server_serve PATH-OF-POSTHORN
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OUTPUT_MAX = 64 * 1024, WORDS_MAX = 16 };

struct world {
    const char *program;
    char folder[64], data[96];
};

struct run {
    pid_t pid;
    int out, err;
    char out_text[OUTPUT_MAX], err_text[OUTPUT_MAX];
    int code; /* -1: a signal ended it */
};

/* `line` is cut at spaces; DATA stands for the data folder. */
static void launch(struct world *world, struct run *run, const char *line)
{
    char text[512], *argv[WORDS_MAX] = {text};
    int out[2], err[2], argc = 1;
    snprintf(text, sizeof text, "posthorn %s", line);
    strtok(text, " ");
    for (char *word; (word = strtok(NULL, " "));)
        argv[argc++] = strcmp(word, "DATA") == 0 ? world->data : word;
    argv[argc] = NULL;
    memset(run, 0, sizeof *run);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    assert_int_equal(pipe2(err, O_CLOEXEC), 0);
    run->pid = fork();
    if (run->pid == 0) {
        dup2(out[1], STDOUT_FILENO);
        dup2(err[1], STDERR_FILENO);
        execv(world->program, argv);
        _exit(127);
    }
    close(out[1]);
    close(err[1]);
    run->out = out[0];
    run->err = err[0];
}

static void read_all(int fd, char text[OUTPUT_MAX])
{
    size_t len = strlen(text);
    for (ssize_t got; len + 1 < OUTPUT_MAX && (got = read(fd, text + len, OUTPUT_MAX - 1 - len)) > 0;)
        len += (size_t)got;
    close(fd);
}

static int finish(struct run *run)
{
    int status;
    read_all(run->out, run->out_text);
    read_all(run->err, run->err_text);
    assert_int_equal(waitpid(run->pid, &status, 0), run->pid);
    run->code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return run->code;
}

static int execute(struct world *world, struct run *run, const char *line)
{
    launch(world, run, line);
    return finish(run);
}

/* Reads stdout until the ready line is whole. */
static void wait_ready(struct run *run, const char *mark)
{
    size_t len = 0;
    struct pollfd readable = {.fd = run->out, .events = POLLIN};
    for (;;) {
        const char *ready = strstr(run->out_text, mark);
        if (ready && strchr(ready, '\n'))
            return;
        if (poll(&readable, 1, 20000) <= 0)
            break;
        ssize_t got = read(run->out, run->out_text + len, OUTPUT_MAX - 1 - len);
        if (got <= 0)
            break;
        len += (size_t)got;
    }
    finish(run);
    fail_msg("never ready: %s%s", run->out_text, run->err_text);
}

static int start(void **state)
{
    struct world *world = *state;
    strcpy(world->folder, "/tmp/posthorn-serve-XXXXXX");
    assert_non_null(mkdtemp(world->folder));
    snprintf(world->data, sizeof world->data, "%s/data", world->folder);
    return 0;
}

static int stop(void **state)
{
    struct world *world = *state;
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", world->folder);
    return system(command);
}

static struct run run; /* too large for a stack; one at a time */

struct usage {
    const char *line;
    int code;
    const char *out, *err; /* each must hold this; NULL: must be empty */
};

static const struct usage usages[] = {
    {"", 2, NULL, "usage: posthorn COMMAND"},
    {"--help", 0, "serve ", NULL},
    {"help", 0, "receive ", NULL},
    {"help serve", 0, "--allow-target CIDR[:PORT]", NULL},
    {"serve --help", 0, "--time-scale N", NULL},
    {"init --help", 0, "usage: posthorn init", NULL},
    {"--version", 0, "posthorn ", NULL},
    {"version", 0, "posthorn ", NULL},
    {"version --json", 0, "{\"version\":\"", NULL},
    {"srve", 2, NULL, "did you mean 'serve'?"},
    {"frobnicate", 2, NULL, "there is no command 'frobnicate'\n"},
    {"help srve", 2, NULL, "did you mean 'serve'?"},
    {"serve", 2, NULL, "--data DIR is missing"},
    {"init", 2, NULL, "--data DIR is missing"},
    {"serve --data DATA --lisen x", 2, NULL, "there is no option --lisen; did you mean --listen?"},
    {"serve --data DATA --config /nowhere", 2, NULL, "/nowhere: cannot be read"},
    {"serve --data DATA --time-scale 5", 2, NULL, "needs --dev"},
    {"serve --data DATA --allow-target x", 2, NULL, "allow-target: 'x'"},
    {"init --data /dev/null", 1, NULL, "/dev/null cannot be made"},
    {"init --data DATA/a/b", 1, NULL, "cannot be made"},
};

static void test_usage(void **state)
{
    for (size_t i = 0; i < sizeof usages / sizeof *usages; i++) {
        const struct usage *usage = &usages[i];
        execute(*state, &run, usage->line);
        bool out = usage->out ? strstr(run.out_text, usage->out) != NULL : !run.out_text[0];
        bool err = usage->err ? strstr(run.err_text, usage->err) != NULL : !run.err_text[0];
        if (run.code != usage->code || !out || !err)
            fail_msg("posthorn %s: %d\n%s%s", usage->line, run.code, run.out_text, run.err_text);
    }
}

static void test_init(void **state)
{
    char id[8], key[80];
    assert_int_equal(execute(*state, &run, "init --data DATA --json"), 0);
    assert_string_equal(run.err_text, "");
    assert_int_equal(sscanf(run.out_text, "{\"user_id\":\"%1[0-9]\",\"api_key\":\"%64[0-9a-f]\"}\n", id, key),
                     2);
    assert_string_equal(id, "5");
    assert_int_equal(strlen(key), 64);
    assert_int_equal(execute(*state, &run, "init --data DATA"), 1);
    assert_string_equal(run.out_text, "");
    assert_non_null(strstr(run.err_text, "is already set up"));
}

/* The guide's call, to the byte, but for host and key. */
static void test_init_prints_the_call(void **state)
{
    char key[80], call[1024];
    assert_int_equal(execute(*state, &run, "init --data DATA"), 0);
    assert_int_equal(sscanf(strstr(run.out_text, "api key:"), "api key: %64[0-9a-f]\n", key), 1);
    snprintf(call, sizeof call,
             "curl --location --request PATCH 'http://127.0.0.1:8080/api/users/me' \\\n"
             "--header 'Content-Type: application/json' \\\n"
             "--header 'Authorization: %s' \\\n"
             "--data-raw '{\n"
             "    \"data\": {\n"
             "        \"id\": \"5\",\n"
             "        \"type\": \"users\",\n"
             "        \"attributes\": {\n"
             "            \"webhook_url\": \"https://example.com\",\n"
             "        }\n"
             "    }\n"
             "}'\n",
             key);
    assert_non_null(strstr(run.out_text, call));
    assert_non_null(strstr(run.out_text, "\nsigning secret: whsec_"));
}

static void end(struct run *ended, int expected)
{
    kill(ended->pid, SIGTERM);
    if (finish(ended) != expected)
        fail_msg("%d: %s%s", ended->code, ended->out_text, ended->err_text);
}

static void test_serve(void **state)
{
    static struct run second;
    launch(*state, &run, "serve --data DATA --listen 127.0.0.1:0");
    wait_ready(&run, "posthorn ");
    assert_non_null(strstr(run.out_text, "api key: "));
    assert_non_null(strstr(run.out_text, " ready: http://127.0.0.1:"));
    assert_non_null(strstr(run.out_text, " (sandbox, data "));
    assert_int_equal(execute(*state, &second, "serve --data DATA --listen 127.0.0.1:0"), 3);
    assert_non_null(strstr(second.err_text, "another posthorn is running"));
    assert_int_equal(execute(*state, &second, "init --data DATA"), 3);
    kill(run.pid, SIGHUP);
    kill(run.pid, SIGPIPE);
    end(&run, 0);
    /* The key is neither shown again nor in the log. */
    char key[80];
    assert_int_equal(sscanf(strstr(run.out_text, "api key:"), "api key: %64[0-9a-f]\n", key), 1);
    assert_null(strstr(run.err_text, key));
    launch(*state, &run, "serve --data DATA --listen 127.0.0.1:0 --dev --json");
    wait_ready(&run, "{\"ready\"");
    end(&run, 0);
    assert_null(strstr(run.out_text, "api_key"));
    assert_int_equal(strncmp(run.out_text, "{\"ready\":\"http://127.0.0.1:", 26), 0);
    assert_ptr_equal(strchr(run.out_text, '\n'), run.out_text + strlen(run.out_text) - 1); /* one line */
    assert_non_null(strstr(run.err_text, "--dev: do not use"));
}

static void test_systemd(void **state)
{
    struct world *world = *state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char told[64] = "";
    snprintf(address.sun_path, sizeof address.sun_path, "%s/notify", world->folder);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    setenv("NOTIFY_SOCKET", address.sun_path, 1);
    launch(world, &run, "serve --data DATA --listen 127.0.0.1:0");
    unsetenv("NOTIFY_SOCKET");
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&readable, 1, 20000), 1);
    assert_int_equal(recv(fd, told, sizeof told - 1, 0), 7);
    assert_string_equal(told, "READY=1");
    close(fd);
    end(&run, 0);
}

/* A reader that went away neither blocks nor ends the server. */
static void test_output_closed(void **state)
{
    launch(*state, &run, "serve --data DATA --listen 127.0.0.1:0 --log-level debug");
    wait_ready(&run, " ready: ");
    close(run.out);
    close(run.err);
    kill(run.pid, SIGTERM);
    int status;
    assert_int_equal(waitpid(run.pid, &status, 0), run.pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(int argc, char **argv)
{
    struct world world = {.program = argc > 1 ? argv[1] : "posthorn"};
    for (char **variable = environ; *variable;) /* settings of whoever runs the tests */
        if (strncmp(*variable, "POSTHORN_", 9) == 0) {
            char name[64];
            snprintf(name, sizeof name, "%.*s", (int)strcspn(*variable, "="), *variable);
            unsetenv(name);
            variable = environ;
        } else {
            variable++;
        }
#define WITH(f)                                                                                              \
    {                                                                                                        \
#f, f, start, stop, &world                                                                           \
    }
    const struct CMUnitTest tests[] = {
        WITH(test_usage), WITH(test_init),    WITH(test_init_prints_the_call),
        WITH(test_serve), WITH(test_systemd), WITH(test_output_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
