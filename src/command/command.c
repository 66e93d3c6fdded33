#include "command.h"
#include "memory.h"
#include "suggest.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

enum { COMMANDS_MAX = 64, ARENA_LEN_MAX = 1 << 20, PLACE_LEN = 80 };

/* ---- saying things ---- */

__attribute__((format(printf, 2, 0))) static void say(const struct command *command, const char *format,
                                                      va_list arguments)
{
    char text[1024];
    vsnprintf(text, sizeof text, format, arguments);
    fprintf(stderr, "posthorn %s: %s\n", command->name, text);
}

int command_failed(const struct invocation *invocation, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say(invocation->command, format, arguments);
    va_end(arguments);
    return EXIT_FAILED;
}

void command_note(const struct invocation *invocation, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say(invocation->command, format, arguments);
    va_end(arguments);
}

int command_wrong(const struct invocation *invocation, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say(invocation->command, format, arguments);
    va_end(arguments);
    fprintf(stderr, "Try `posthorn %s --help`.\n", invocation->command->name);
    return EXIT_USAGE;
}

static bool flush(const char *name)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return true;
    fprintf(stderr, "posthorn %s: standard output cannot be written%s%s\n", name, errno ? ": " : "",
            errno ? strerror(errno) : "");
    return false;
}

bool command_flush(const struct invocation *invocation)
{
    return flush(invocation->command->name);
}

/* ---- the tables ---- */

static bool has_word(const char *words, const char *word)
{
    size_t len = strlen(word);
    for (const char *at = words; (at = strstr(at, word)); at += len)
        if ((at == words || at[-1] == ' ') && strchr(" ,", at[len]))
            return true;
    return false;
}

static int count_of(const struct option_table *table)
{
    return table ? table->count : 0;
}

int command_rows(const struct command *command, const struct option_row *rows[COMMAND_ROWS_MAX])
{
    static const struct option_row help = {"help", OPTION_FLAG, 0, "", NULL, "this text"};
    int count = 0;
    for (int i = 0; i < command->rows.count; i++)
        rows[count++] = &command->rows.rows[i];
    for (int i = 0; i < count_of(command->shared); i++)
        rows[count++] = &command->shared->rows[i];
    for (int i = 0; i < count_of(command->settings); i++)
        if (!command->settings_shown || has_word(command->settings_shown, command->settings->rows[i].name))
            rows[count++] = &command->settings->rows[i];
    if (command->json.name)
        rows[count++] = &command->json;
    rows[count++] = &help;
    assert(count <= COMMAND_ROWS_MAX);
    return count;
}

static void print_form(FILE *out, const struct command *command, const struct verb *verb)
{
    const char *const parts[] = {command->name, verb->name, verb->operands, command->required};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (parts[i] && *parts[i])
            fprintf(out, "%s%s", i ? " " : "", parts[i]);
}

static void print_help(const struct command *command)
{
    const struct option_row *rows[COMMAND_ROWS_MAX];
    int count = command_rows(command, rows);
    for (const struct verb *verb = command->verbs; verb->run; verb++) {
        printf("%s posthorn ", verb == command->verbs ? "usage:" : "      ");
        print_form(stdout, command, verb);
        puts(" [options]");
    }
    printf("\n%s\n\n", command->details);
    for (int i = 0; i < count; i++)
        option_print_help(stdout, rows[i]);
    if (command->settings)
        puts("\nSettings are also read from the file of --config, as `name = value`, and from the "
             "environment, as\n"
             "POSTHORN_NAME; see posthorn.conf(5).");
    printf("\nexit status: 0 done, 1 failed, 2 wrong usage%s\n", command->statuses ? command->statuses : "");
}

void command_print_man_forms(FILE *out, const struct command *command)
{
    for (const struct verb *verb = command->verbs; verb->run; verb++) {
        fputs("\\fBposthorn ", out);
        print_form(out, command, verb);
        fputs("\\fR [\\fIoption\\fR...]\n", out);
    }
}

/* ---- reading ---- */

struct command_reading {
    struct invocation *invocation;
    void *options;
    struct arena arena;
    const struct option_row *given[COMMAND_ROWS_MAX]; /* of the command's own */
    int given_count;
};

/* The row of this name; `options` is what it is set in, NULL for a setting. NULL after saying so. */
static const struct option_row *find_row(const struct command_reading *reading, struct bytes name,
                                         void **options)
{
    const struct command *command = reading->invocation->command;
    const struct option_table json = {&command->json, command->json.name != NULL};
    const struct {
        const struct option_table *table;
        void *options;
    } tables[] = {{&command->rows, reading->options},
                  {command->shared, reading->options},
                  {&json, reading->invocation},
                  {command->settings, NULL}};
    const char *near = NULL, *found;
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        if (!tables[i].table)
            continue;
        int index = option_find(tables[i].table, name, &found);
        *options = tables[i].options;
        if (index >= 0)
            return &tables[i].table->rows[index];
        near = near ? near : found;
    }
    command_wrong(reading->invocation, "there is no option --%.*s%s%s%s", BYTES_ARG(name),
                  near ? "; did you mean --" : "", near ? near : "", near ? "?" : "");
    return NULL;
}

static bool set(struct command_reading *reading, const struct option_row *row, void *options,
                const char *place, const char *value)
{
    char wrong[OPTION_WRONG_LEN] = "is empty";
    bool empty = !*value && (row->kind == OPTION_TEXT || row->kind == OPTION_LIST);
    if (!empty && option_set(row, options, value, &reading->arena, wrong))
        return true;
    command_wrong(reading->invocation, "%s %s", place, wrong);
    return false;
}

/* Takes argv[*i], and the value behind it if it needs one. */
static bool take_option(struct command_reading *reading, int argc, char **argv, int *i)
{
    struct invocation *invocation = reading->invocation;
    char *argument = argv[*i], *equals = strchr(argument, '='), place[PLACE_LEN];
    if (strncmp(argument, "--", 2) != 0) {
        command_wrong(invocation, "there is no option %.40s", argument);
        return false;
    }
    size_t len = equals ? (size_t)(equals - argument) : strlen(argument);
    void *options;
    const struct option_row *row = find_row(reading, bytes_make(argument + 2, len - 2), &options);
    if (!row)
        return false;
    const char *value = equals ? equals + 1 : row->kind == OPTION_FLAG ? "true" : NULL;
    if (!options)
        invocation->settings[invocation->setting_count++] = argument;
    if (!value && *i + 1 == argc) {
        command_wrong(invocation, "--%s needs a value: --%s %s", row->name, row->name, row->argument);
        return false;
    }
    if (!value) {
        value = argv[++*i];
        if (!options)
            invocation->settings[invocation->setting_count++] = argv[*i];
    }
    if (!options)
        return true;
    if (reading->given_count < COMMAND_ROWS_MAX)
        reading->given[reading->given_count++] = row;
    snprintf(place, sizeof place, "--%s", row->name);
    return set(reading, row, options, place, value);
}

static bool is_given(const struct command_reading *reading, const struct option_row *row)
{
    for (int i = 0; i < reading->given_count; i++)
        if (reading->given[i] == row)
            return true;
    return false;
}

static bool take_environment(struct command_reading *reading, const struct option_table *table)
{
    char name[OPTION_NAME_LEN];
    for (int i = 0; i < count_of(table); i++) {
        const struct option_row *row = &table->rows[i];
        const char *value =
            row->environment && !is_given(reading, row) ? getenv(option_environment_name(row, name)) : NULL;
        if (value && *value && !set(reading, row, reading->options, name, value))
            return false;
    }
    return true;
}

/* ---- verbs ---- */

static bool takes(const struct verb *verb, int count)
{
    int min = 0, max = 0;
    for (const char *at = verb->operands; *at; at += strspn(at, " ")) {
        size_t len = strcspn(at, " ");
        bool optional = *at == '[', many = memmem(at, len, "...", 3) != NULL;
        min += !optional;
        max = many ? count + 1 : max + 1;
        at += len;
    }
    return count >= min && count <= max;
}

/* "write `events list`, `events show ID` or `events post FILE`" */
static bool wrong_verb(const struct invocation *invocation)
{
    const struct command *command = invocation->command;
    fprintf(stderr, "posthorn %s: write ", command->name);
    for (const struct verb *verb = command->verbs; verb->run; verb++) {
        fputs(verb == command->verbs ? "`" : verb[1].run ? ", `" : " or `", stderr);
        print_form(stderr, command, verb);
        fputs("`", stderr);
    }
    fprintf(stderr, "\nTry `posthorn %s --help`.\n", command->name);
    return false;
}

static bool find_verb(struct invocation *invocation)
{
    const struct verb *plain = NULL;
    for (const struct verb *verb = invocation->command->verbs; verb->run; verb++) {
        if (!verb->name)
            plain = verb;
        else if (invocation->operand_count > 0 && strcmp(invocation->operands[0], verb->name) == 0)
            invocation->verb = verb;
    }
    if (invocation->verb) {
        invocation->operands++;
        invocation->operand_count--;
    } else {
        invocation->verb = plain;
    }
    if (!invocation->verb || !takes(invocation->verb, invocation->operand_count))
        return wrong_verb(invocation);
    return true;
}

static bool options_fit_verb(const struct command_reading *reading)
{
    const struct invocation *invocation = reading->invocation;
    const char *verb = invocation->verb->name ? invocation->verb->name : "";
    for (int i = 0; i < reading->given_count; i++) {
        const struct option_row *row = reading->given[i];
        if (!row->verbs || has_word(row->verbs, verb))
            continue;
        command_wrong(invocation, "--%s is not for `%s %s`, but for: %s", row->name,
                      invocation->command->name, verb, row->verbs);
        return false;
    }
    return true;
}

/* ---- running ---- */

/* -1: go on; else an exit code. */
static int read_arguments(struct command_reading *reading, int argc, char **argv)
{
    struct invocation *invocation = reading->invocation;
    const struct command *command = invocation->command;
    bool only_operands = false;
    option_set_defaults(&command->rows, reading->options, &reading->arena);
    option_set_defaults(command->shared, reading->options, &reading->arena);
    for (int i = 0; i < argc; i++) {
        if (!only_operands && (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)) {
            print_help(command);
            return EXIT_DONE;
        }
        if (!only_operands && strcmp(argv[i], "--") == 0)
            only_operands = true;
        else if (only_operands || argv[i][0] != '-' || !argv[i][1])
            invocation->operands[invocation->operand_count++] = argv[i];
        else if (!take_option(reading, argc, argv, &i))
            return EXIT_USAGE;
    }
    bool good = find_verb(invocation) && options_fit_verb(reading) &&
                take_environment(reading, &command->rows) && take_environment(reading, command->shared);
    return good ? -1 : EXIT_USAGE;
}

/* *served: it ran as a server did, and nobody needs to have read its output. */
static int run(const struct command *command, int argc, char **argv, bool *served)
{
    char **operands = memory_zero((size_t)argc + 1, sizeof *operands);
    char **settings = memory_zero(2 * ((size_t)argc + 1), sizeof *settings);
    struct invocation invocation = {.command = command, .operands = operands, .settings = settings};
    struct command_reading reading = {.invocation = &invocation,
                                      .options = memory_zero(1, command->options_len + 1)};
    arena_init(&reading.arena, ARENA_LEN_MAX);
    int code = read_arguments(&reading, argc, argv);
    *served = code < 0 && command->is_server;
    if (code < 0)
        code = (command->run ? command->run : invocation.verb->run)(&invocation, reading.options);
    arena_fini(&reading.arena);
    free(reading.options);
    free(settings);
    free(operands);
    return code;
}

static void print_commands(FILE *out, const struct command *const *commands, int count)
{
    fputs("usage: posthorn COMMAND [options]\n\n", out);
    for (int i = 0; i < count; i++)
        if (!strchr(commands[i]->name, ' '))
            fprintf(out, "  %-12s %s\n", commands[i]->name, commands[i]->summary);
    fputs("\nFor more, see `posthorn COMMAND --help`, posthorn(1) and posthorn.conf(5).\n", out);
}

/* The command that these words name, the longest name first; *used says how many words. NULL after saying so.
 */
static const struct command *find_command(const struct command *const *commands, int count, int argc,
                                          char **argv, int *used)
{
    const char *names[COMMANDS_MAX];
    char two[PLACE_LEN];
    assert(count <= COMMANDS_MAX);
    snprintf(two, sizeof two, "%s %s", argv[0], argc > 1 ? argv[1] : "");
    for (*used = 2; *used > 0; --*used)
        for (int i = 0; i < count; i++)
            if (strcmp(names[i] = commands[i]->name, *used == 2 ? two : argv[0]) == 0)
                return commands[i];
    const char *near = suggest_nearest(argv[0], names, count);
    fprintf(stderr, "posthorn: there is no command '%.40s'%s%s%s\n`posthorn --help` lists them.\n", argv[0],
            near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    return NULL;
}

static int run_line(const struct command *const *commands, int count, int argc, char **argv, bool *served)
{
    static char version[] = "version", help[] = "--help";
    if (argc < 2) {
        print_commands(stderr, commands, count);
        return EXIT_USAGE;
    }
    argc--;
    argv++;
    bool help_first = strcmp(argv[0], "help") == 0;
    if ((help_first && argc == 1) || strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0) {
        print_commands(stdout, commands, count);
        return EXIT_DONE;
    }
    if (strcmp(argv[0], "--version") == 0 || strcmp(argv[0], "-V") == 0)
        argv[0] = version;
    int used;
    const struct command *command =
        find_command(commands, count, argc - help_first, argv + help_first, &used);
    if (!command)
        return EXIT_USAGE;
    return help_first ? run(command, 1, (char *[]){help}, served)
                      : run(command, argc - used, argv + used, served);
}

int command_run(const struct command *const *commands, int count, int argc, char **argv)
{
    bool served = false;
    int code = run_line(commands, count, argc, argv, &served);
    /* The output may have gone nowhere, and a secret in it is shown only once. */
    return code == EXIT_DONE && !served && !flush(argv[1]) ? EXIT_FAILED : code;
}
