/*
 * options: the command line of every command, read by one table (getopt_long underneath).
 *
 * A command fills a struct with defaults, lists its options with where they go, and calls options_read.
 * --help and --json are everybody's. Wrong usage is one line on stderr that says what to do.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum option_kind {
    OPTION_FLAG,    /* bool */
    OPTION_TEXT,    /* const char * */
    OPTION_LIST,    /* struct option_list: may be given several times */
    OPTION_NUMBER,  /* int64_t, min to max */
    OPTION_SECONDS, /* int64_t milliseconds; "2", "0.5", min to max in milliseconds */
};

enum { OPTION_LIST_MAX = 16 };

struct option_list {
    const char *items[OPTION_LIST_MAX];
    int count;
};

struct option_row {
    const char *name; /* without the dashes */
    enum option_kind kind;
    void *target;
    const char *argument; /* "KEY", for --help */
    const char *help;
    const char *environment; /* taken when the option is not given; NULL: none */
    int64_t min, max;
};

struct usage {
    const char *command;  /* "events" */
    const char *synopsis; /* behind "posthorn ", one line a form */
    const char *details;  /* a paragraph for --help */
    const struct option_row *rows;
    int row_count;
    int operands_min, operands_max;
};

enum options_outcome {
    OPTIONS_GO,
    OPTIONS_HELP, /* help was printed: exit 0 */
    OPTIONS_WRONG /* stderr says what: exit 2 */
};

/* Options and operands may be mixed; operands are argv[argc - *operand_count] and on afterwards. */
enum options_outcome options_read(const struct usage *usage, int argc, char **argv, int *operand_count);
/* "posthorn events: ...", and where help is. Returns EXIT_USAGE. */
int options_wrong(const struct usage *usage, const char *format, ...) __attribute__((format(printf, 2, 3)));
