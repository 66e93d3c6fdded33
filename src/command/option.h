/*
 * option: one row of a table of options: the settings of `posthorn serve`, and the options of every command.
 *
 * Everything about an option comes from its row: reading it (command line, environment, settings file),
 * --help, errors, the man pages, and what shells complete. The value goes to `offset` in a struct of options.
 */
#pragma once
#include "arena.h"
#include <stdio.h>

enum option_kind {
    OPTION_TEXT,     /* const char *; NULL: none */
    OPTION_CHOICE,   /* const char *, one of the words of `argument`: "plain|nginx" */
    OPTION_FLAG,     /* bool */
    OPTION_LIST,     /* struct option_list; each value adds an item */
    OPTION_WORDS,    /* struct option_list; a value may have several items, with commas or spaces between */
    OPTION_NUMBER,   /* int64_t */
    OPTION_SECONDS,  /* int64_t, milliseconds; written as 2 or 0.5 */
    OPTION_DURATION, /* int64_t, milliseconds; written as 500ms, 10s, 5m, 12h or 3d */
    OPTION_SIZE      /* int64_t, bytes; written as 4096, 64KiB, 64MiB or 1GiB */
};

enum { OPTION_LIST_MAX = 64 };

struct option_list {
    const char *items[OPTION_LIST_MAX];
    int count;
};

struct option_row {
    const char *name; /* "allow-target": --allow-target */
    enum option_kind kind;
    size_t offset;
    const char *standard; /* the default, as it would be written; "": none, and then a number is -1 */
    const char *argument; /* "CIDR[:PORT]", for people; NULL for a flag */
    const char *help;     /* begins in lower case, without a full stop; `code` in backquotes */
    int64_t min, max;     /* of a number, in the unit that is stored */
    bool environment;     /* of a command: POSTHORN_NAME is read, too */
    const char *verbs;    /* of a command: "list, show": only these take it; NULL: all */
};

struct option_table {
    const struct option_row *rows;
    int count;
};
#define OPTION_TABLE(array)                                                                                  \
    {                                                                                                        \
        array, sizeof(array) / sizeof *(array)                                                               \
    }

enum { OPTION_WRONG_LEN = 200 };

/* Sets `row` in `options`. WORDS copies items to `arena`; everything else keeps a view of `value`. False:
 * `wrong` says why, to be read behind the option's name: "takes a whole number from 1 to 100, not 'x'". */
bool option_set(const struct option_row *row, void *options, const char *value, struct arena *arena,
                char wrong[OPTION_WRONG_LEN]);
/* Fills `options`, which is zeroed, with the defaults; `table` may be NULL. */
void option_set_defaults(const struct option_table *table, void *options, struct arena *arena);
/* -1: there is none; `near` is then the likely name, or NULL. */
int option_find(const struct option_table *table, struct bytes name, const char **near);
bool option_is_equal(const struct option_row *row, const void *options, const void *others);

/* "POSTHORN_ALLOW_TARGET" */
enum { OPTION_NAME_LEN = 64 };
const char *option_environment_name(const struct option_row *row, char name[OPTION_NAME_LEN]);
/* The values of an option, in a sentence without a full stop; NULL for a text. */
const char *option_kind_sentence(enum option_kind kind);
/* The row as --help shows it: "  --name ARGUMENT   verbs: help [default] (or POSTHORN_NAME)", wrapped. */
void option_print_help(FILE *out, const struct option_row *row);
/* For roff: `code` becomes bold, hyphens are minus signs, backslashes are doubled. */
void option_print_roff(FILE *out, const char *text);
/* The row as a man page shows it. */
void option_print_man(FILE *out, const struct option_row *row);
/* `help` as a sentence of a man page: with a capital and a full stop. */
void option_print_roff_sentence(FILE *out, const char *help);
