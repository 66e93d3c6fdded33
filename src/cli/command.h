/*
 * command: what every command of the CLI shares: its table entry, options, exit codes, and talking to the
 * server.
 */
#pragma once

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct command {
    const char *name;
    const char *summary;
    int (*run)(int argc, char **argv); /* argv[0] is the command's name */
};

int receive_main(int argc, char **argv);
int trigger_main(int argc, char **argv);
int events_main(int argc, char **argv);
int catalog_main(int argc, char **argv);
