/*
 * manage: the commands that open the data folder themselves: for work that a server cannot do to itself, and
 * for times when no server runs. All others speak HTTP (src/cli).
 *
 * A command takes the settings as `posthorn serve` does, so that it finds the same folder and key file. One
 * that writes uses the store's own contract and holds the folder's lock, so it never meets a server. One that
 * only reads opens the database read-only, may run beside a server, and never checkpoints (Debian 12's SQLite
 * 3.40 loses data when two do).
 */
#pragma once
#include "command.h"
#include "server_parts.h"

enum { MANAGE_PATH_LEN = 4096 };

/* The struct of options of such a command begins with this. */
struct manage {
    const char *config_file; /* the option; the first member */
    const struct invocation *invocation;
    struct arena arena;
    struct config config;
    struct store_choice store; /* the database of these settings */
    struct log *log;
    struct server_options options;
    struct store *opened; /* of manage_run_on_store; else NULL */
};

/* For command.run: read the settings, open the log, run the verb. The second also opens the store of the data
 * folder. */
int manage_run(const struct invocation *invocation, void *options);
int manage_run_on_store(const struct invocation *invocation, void *options);

#define MANAGE_STATUSES                                                                                      \
    ", 3 a server is running on DIR,\n6 the key file and the database do not belong together"
/* The members that these commands share; `runner` is one of the two functions above. */
#define MANAGE_COMMAND(type, runner)                                                                         \
    .options_len = sizeof(type), .run = (runner), .statuses = MANAGE_STATUSES,                               \
    .shared = &config_file_option, .settings = &config_settings, .settings_shown = "data, store, key-file",  \
    .json = JSON_OPTION("print the result as a JSON object")

extern const struct command backup_command, restore_command, compact_command, check_command, keys_command,
    secrets_reset_command;
