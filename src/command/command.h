/*
 * command: a command of posthorn as a table: its verbs, its options, its help.
 *
 * A command's file declares one `const struct command` and a function for each verb. command_run reads the
 * command line into a zeroed struct of options, and calls the verb. --help, wrong usage, posthorn(1) and
 * shell completions (completions.h) come from the same table. Wrong usage is one line on stderr that says
 * what to do, and exit code 2.
 */
#pragma once
#include "option.h"

enum {
    EXIT_DONE = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_LOCKED = 3,  /* another server uses the data folder */
    EXIT_BROKEN = 5,  /* the store */
    EXIT_MISMATCH = 6 /* the key file and the database do not belong together */
};

struct invocation;

struct verb {
    const char *name; /* "list"; NULL: what the command does without a verb */
    /* Behind it: "" none, "ID" one, "[ID]" at most one, "TYPE..." one or more, "[TYPE...]" any number. Words
     * to choose from have | between them: "bash|zsh". Shells complete TYPE, FILE, DIR and FOLDER. */
    const char *operands;
    int (*run)(const struct invocation *invocation, void *options); /* an exit code */
};

enum { COMMAND_VERBS_MAX = 16 };

struct command {
    const char *name; /* "events"; of two words: "secrets reset" */
    const char *summary;
    const char *details;  /* for --help: paragraphs, lines up to 100 columns */
    const char *required; /* for the usage line: options that must be given, "--data DATA"; NULL: none */
    const char *statuses; /* "\n" and lines about more exit statuses than 0, 1 and 2; NULL: none */
    struct verb verbs[COMMAND_VERBS_MAX];
    size_t options_len; /* sizeof the struct of options */
    struct option_table rows;
    const struct option_table *shared; /* of the struct that the struct of options begins with; NULL: none */
    /* Settings of the server, which the command takes as `posthorn serve` does: they are not read, but kept
     * in invocation->settings for config_load. --help shows all, or those that `settings_shown` names. */
    const struct option_table *settings;
    const char *settings_shown; /* "data, key-file" */
    struct option_row json;     /* JSON_OPTION("what it prints"); name NULL: there is no such option */
    bool is_server;             /* runs until a signal; nobody needs to read its output */
    /* Called instead of the verb, which it calls: opens and closes what all verbs need. NULL: the verb. */
    int (*run)(const struct invocation *invocation, void *options);
};

/* A command line that was understood. */
struct invocation {
    const struct command *command;
    const struct verb *verb;
    char **operands; /* behind the verb */
    int operand_count;
    char **settings; /* "--listen", ":8080", "--dev" */
    int setting_count;
    bool json;
};

#define JSON_OPTION(help)                                                                                    \
    {                                                                                                        \
        "json", OPTION_FLAG, offsetof(struct invocation, json), "", NULL, help                               \
    }

/* Runs argv[1] with what follows. An exit code. */
int command_run(const struct command *const *commands, int count, int argc, char **argv);
/* "posthorn events: ..." on stderr; returns EXIT_FAILED. */
int command_failed(const struct invocation *invocation, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The same, of no failure. */
void command_note(const struct invocation *invocation, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The same, and where help is. Returns EXIT_USAGE. */
int command_wrong(const struct invocation *invocation, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Output that must have arrived before the next step. False: stderr says why not. (The end of every command
 * checks its output, too.) */
bool command_flush(const struct invocation *invocation);

/* The rows that the command shows, in the order of --help; the last is --help itself. */
enum { COMMAND_ROWS_MAX = 128 };
int command_rows(const struct command *command, const struct option_row *rows[COMMAND_ROWS_MAX]);
/* For posthorn(1), as roff: "posthorn events show ID", a line for each verb. */
void command_print_man_forms(FILE *out, const struct command *command);
