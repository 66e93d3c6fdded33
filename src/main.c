/*
 * posthorn: one binary, one command a verb. Each command reads its own options.
 */
#include "command.h"
#include "completions.h"
#include "manage.h"
#include "options.h"
#include "serve.h"
#include "suggest.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { COMMANDS_MAX = 32 };

static int version_main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--json") == 0)
        puts("{\"version\":\"" POSTHORN_VERSION "\"}");
    else
        puts("posthorn " POSTHORN_VERSION);
    return EXIT_DONE;
}

static const struct command own_commands[] = {
    {"serve", "accept events and deliver them", serve_main},
    {"init", "create a data folder, the first user and its API key", init_main},
    {"backup", "copy a data folder, while a server uses it", backup_main},
    {"compact", "shrink the database file", compact_main},
    {"restore", "restore a backup", restore_main},
    {"check", "find damaged rows and pages in a data folder", check_main},
    {"keys", "create an API key without a server", keys_main},
};
static int completions_main(int argc, char **argv);
static const struct command last_commands[] = {
    {"completions", "print shell completions for bash, zsh or fish", completions_main},
    {"version", "print the version", version_main},
};

/* Every command, in the order of --help; returns how many. */
static int list_commands(const struct command *commands[COMMANDS_MAX])
{
    int count = 0;
    for (size_t i = 0; i < sizeof own_commands / sizeof *own_commands; i++)
        commands[count++] = &own_commands[i];
    assert(count + cli_command_count + (int)(sizeof last_commands / sizeof *last_commands) <= COMMANDS_MAX);
    for (int i = 0; i < cli_command_count; i++)
        commands[count++] = &cli_commands[i];
    for (size_t i = 0; i < sizeof last_commands / sizeof *last_commands; i++)
        commands[count++] = &last_commands[i];
    return count;
}

static int completions_main(int argc, char **argv)
{
    static const char details[] =
        "Prints a script that completes commands, options and event types.\n"
        "bash: add `source <(posthorn completions bash)` to ~/.bashrc; zsh: the same with zsh, in ~/.zshrc;\n"
        "fish: posthorn completions fish > ~/.config/fish/completions/posthorn.fish";
    const struct usage usage = {"completions", "completions bash|zsh|fish", details, NULL, 0, 1, 1};
    const struct command *commands[COMMANDS_MAX];
    int count;

    enum options_outcome outcome = options_read(&usage, argc, argv, &count);
    if (outcome != OPTIONS_GO)
        return outcome == OPTIONS_HELP ? EXIT_DONE : EXIT_USAGE;
    count = list_commands(commands);
    return completions_print(argv[argc - 1], commands, count);
}

static void print_usage(FILE *out)
{
    const struct command *commands[COMMANDS_MAX];
    int count = list_commands(commands);
    fputs("usage: posthorn COMMAND [options]\n\n", out);
    for (int i = 0; i < count; i++)
        fprintf(out, "  %-12s %s\n", commands[i]->name, commands[i]->summary);
    fputs("\n"
          "For more, see `posthorn COMMAND --help`, posthorn(1) and posthorn.conf(5).\n",
          out);
}

static const struct command *find_command(const char *name)
{
    const struct command *commands[COMMANDS_MAX];
    int count = list_commands(commands);
    for (int i = 0; i < count; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

static int unknown_command(const char *name)
{
    const struct command *commands[COMMANDS_MAX];
    const char *names[COMMANDS_MAX];
    int count = list_commands(commands);
    for (int i = 0; i < count; i++)
        names[i] = commands[i]->name;
    const char *near = suggest_nearest(name, names, count);
    if (near)
        fprintf(stderr, "posthorn: there is no command '%.40s'; did you mean '%s'?\n", name, near);
    else
        fprintf(stderr, "posthorn: there is no command '%.40s'\n", name);
    fputs("`posthorn --help` lists them.\n", stderr);
    return EXIT_USAGE;
}

/* A standard stream that is closed would be the number of the next file that is opened: a database, say. So
 * it is opened, in a way in which what it is for still fails. */
static void keep_standard_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
            abort();
}

/* What a command was run for may have gone nowhere, a secret that is shown once among it. Nobody has to read
 * the lines of a server. */
static int ended(const char *name, int code)
{
    bool is_server = strcmp(name, "serve") == 0 || strcmp(name, "receive") == 0;
    errno = 0;
    bool written = fflush(stdout) == 0 && !ferror(stdout);
    if (written || is_server || code != EXIT_DONE)
        return code;
    fprintf(stderr, "posthorn %s: standard output cannot be written%s%s\n", name, errno ? ": " : "",
            errno ? strerror(errno) : "");
    return EXIT_FAILED;
}

static int run(int argc, char **argv)
{
    if (argc < 2) {
        print_usage(stderr);
        return EXIT_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0)
        name = "version";
    if (strcmp(name, "help") == 0 && argc > 2) {
        const struct command *command = find_command(argv[2]);
        char help[] = "--help";
        return command ? command->run(2, (char *[]){argv[2], help, NULL}) : unknown_command(argv[2]);
    }
    if (strcmp(name, "help") == 0 || strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        print_usage(stdout);
        return EXIT_DONE;
    }
    if (strcmp(name, "secrets") == 0 && argc > 2 && strcmp(argv[2], "reset") == 0)
        return secrets_reset_main(argc - 2, argv + 2); /* all others of `secrets` ask a server */
    const struct command *command = find_command(name);
    return command ? command->run(argc - 1, argv + 1) : unknown_command(name);
}

int main(int argc, char **argv)
{
    keep_standard_streams();
    return ended(argc > 1 ? argv[1] : "", run(argc, argv));
}
