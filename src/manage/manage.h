/*
 * manage: the commands that open the data folder themselves, on the machine that has it: what a server cannot
 * do to itself, or what is wanted when there is none. All others speak HTTP (src/cli).
 *
 * A command takes the settings as `posthorn serve` does, so that it finds the same folder and key file. One
 * that writes goes through the store's own contract and holds the lock of the folder, so it never meets a
 * server; one that only reads opens the database read-only and may run beside a server, but never checkpoints
 * (Debian 12's SQLite 3.40 loses data when two do).
 */
#pragma once
#include "server_parts.h"

enum { MANAGE_DONE = 0, MANAGE_FAILED = 1, MANAGE_USAGE = 2, MANAGE_LOCKED = 3, MANAGE_MISMATCH = 6 };
enum { MANAGE_PATH_LEN = 4096, MANAGE_OPTIONS_MAX = 8 };

/* An option of the command's own. */
struct manage_option {
    const char *name;     /* without the dashes */
    const char *argument; /* for --help; NULL: it takes none */
    const char *help;
    const char **value; /* of a flag "" */
};

struct manage_usage {
    const char *command;  /* "backup", "keys new" */
    const char *synopsis; /* behind "posthorn " */
    const char *details;  /* a paragraph for --help */
    const char *operand;  /* "DIR": must be given; NULL: there is none */
    bool operand_is_data; /* it is the data folder; --data says the same */
    struct manage_option options[MANAGE_OPTIONS_MAX];
};

struct manage {
    const struct manage_usage *usage;
    bool json;
    const char *operand;
    struct arena arena;
    struct config config;
    struct store_choice store; /* the database of these settings */
    struct log *log;
    struct server_options options;
};

/* MANAGE_DONE: go on, and manage_end in the end. Else *code is what to leave with: help was printed, or
 * stderr says what is wrong. */
bool manage_begin(struct manage *manage, const struct manage_usage *usage, int argc, char **argv, int *code);
void manage_end(struct manage *manage);
/* One line on stderr; returns MANAGE_FAILED, or what fits the error. */
int manage_failed(const struct manage *manage, const char *format, ...) __attribute__((format(printf, 2, 3)));
int manage_refused(const struct manage *manage, enum server_error error, const char *text);
/* What was printed has reached stdout; else says so on stderr. */
bool manage_flush(const struct manage *manage);

/* The store of the data folder, which must be there: MANAGE_DONE, or the code after saying why. */
int manage_open_store(struct manage *manage, struct store **store);

int backup_main(int argc, char **argv);
int restore_main(int argc, char **argv);
int compact_main(int argc, char **argv);
int check_main(int argc, char **argv);
int keys_main(int argc, char **argv);
int secrets_reset_main(int argc, char **argv);
