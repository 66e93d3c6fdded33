#include "options.h"
#include "bytes.h"
#include "command.h"

#include <assert.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROWS_MAX = 24, HELP_COLUMN = 26 };

int options_wrong(const struct usage *usage, const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    fprintf(stderr, "posthorn %s: %s\n", usage->command, text);
    fprintf(stderr, "Try `posthorn %s --help`.\n", usage->command);
    return EXIT_USAGE;
}

static void print_help(const struct usage *usage)
{
    const char *form = usage->synopsis;

    for (const char *end; *form; form = *end ? end + 1 : end) {
        end = strchrnul(form, '\n');
        printf("%s posthorn %.*s\n", form == usage->synopsis ? "usage:" : "      ", (int)(end - form), form);
    }
    printf("\n%s\n\n", usage->details);
    for (int i = 0; i < usage->row_count; i++) {
        const struct option_row *row = &usage->rows[i];
        int width =
            printf("  --%s%s%s", row->name, row->argument ? " " : "", row->argument ? row->argument : "");
        printf("%*s%s", width < HELP_COLUMN - 1 ? HELP_COLUMN - width : 1, "", row->help);
        if (row->environment)
            printf(" (or %s)", row->environment);
        putchar('\n');
    }
    printf("  --help%*sthis text\n", HELP_COLUMN - 8, "");
    printf("\nexit status: 0 done, 1 failed, 2 wrong usage\n");
}

/* Seconds with up to three decimals. */
static bool parse_seconds(const char *text, int64_t *ms)
{
    struct bytes whole = bytes_of(text), part = {"", 0};
    const char *point = strchr(text, '.');
    int64_t seconds, thousandths = 0;

    if (point) {
        whole.len = (size_t)(point - text);
        part = bytes_of(point + 1);
        if (part.len == 0 || part.len > 3)
            return false;
    }
    if (!bytes_to_int64(whole, &seconds) || seconds > INT64_MAX / 1000 - 1)
        return false;
    for (size_t i = 0; i < 3; i++) {
        int c = i < part.len ? part.data[i] : '0';
        if (c < '0' || c > '9')
            return false;
        thousandths = thousandths * 10 + (c - '0');
    }
    *ms = seconds * 1000 + thousandths;
    return true;
}

/* False: `value` is not one this row takes; stderr says so. */
static bool take(const struct usage *usage, const struct option_row *row, const char *place,
                 const char *value)
{
    int64_t number = 0;
    struct option_list *list = row->target;

    switch (row->kind) {
    case OPTION_FLAG:
        *(bool *)row->target = true;
        return true;
    case OPTION_TEXT:
        if (!*value) {
            options_wrong(usage, "%s is empty", place);
            return false;
        }
        *(const char **)row->target = value;
        return true;
    case OPTION_LIST:
        if (!*value || list->count == OPTION_LIST_MAX) {
            options_wrong(usage, *value ? "%s is given too often" : "%s is empty", place);
            return false;
        }
        list->items[list->count++] = value;
        return true;
    case OPTION_NUMBER:
    case OPTION_SECONDS:
        if (!(row->kind == OPTION_NUMBER ? bytes_to_int64(bytes_of(value), &number)
                                         : parse_seconds(value, &number)) ||
            number < row->min || number > row->max) {
            int64_t unit = row->kind == OPTION_NUMBER ? 1 : 1000;
            options_wrong(usage, "%s takes a number from %lld to %lld%s, not '%.40s'", place,
                          (long long)(row->min / unit), (long long)(row->max / unit),
                          row->kind == OPTION_NUMBER ? "" : " (seconds)", value);
            return false;
        }
        *(int64_t *)row->target = number;
        return true;
    }
    assert(!"every kind is handled");
    return false;
}

static bool take_environment(const struct usage *usage, const bool *given)
{
    for (int i = 0; i < usage->row_count; i++) {
        const struct option_row *row = &usage->rows[i];
        const char *value = row->environment && !given[i] ? getenv(row->environment) : NULL;
        if (value && *value && !take(usage, row, row->environment, value))
            return false;
    }
    return true;
}

/* getopt_long's answers below ROWS_MAX are rows; these are not. */
enum { GETOPT_HELP = 1000 };

static void fill_long_options(const struct usage *usage, struct option *options)
{
    int count = usage->row_count;

    assert(count < ROWS_MAX);
    for (int i = 0; i < count; i++)
        options[i] = (struct option){usage->rows[i].name,
                                     usage->rows[i].kind == OPTION_FLAG ? no_argument : required_argument,
                                     NULL, 1 + i};
    options[count] = (struct option){"help", no_argument, NULL, GETOPT_HELP};
    options[count + 1] = (struct option){0};
}

enum options_outcome options_read(const struct usage *usage, int argc, char **argv, int *operand_count)
{
    struct option options[ROWS_MAX + 2];
    bool given[ROWS_MAX] = {false};
    char place[64];

    fill_long_options(usage, options);
    optind = 0; /* getopt keeps its place between calls: start anew */
    for (int found; (found = getopt_long(argc, argv, ":h", options, NULL)) != -1;) {
        if (found == GETOPT_HELP || found == 'h') {
            print_help(usage);
            return OPTIONS_HELP;
        }
        if (found == '?' || found == ':') {
            options_wrong(usage,
                          found == ':' ? "%s needs a value" : "there is no option %s, or it takes no value",
                          argv[optind - 1]);
            return OPTIONS_WRONG;
        }
        const struct option_row *row = &usage->rows[found - 1];
        snprintf(place, sizeof place, "--%s", row->name);
        if (!take(usage, row, place, optarg))
            return OPTIONS_WRONG;
        given[found - 1] = true;
    }
    if (!take_environment(usage, given))
        return OPTIONS_WRONG;
    *operand_count = argc - optind;
    if (*operand_count < usage->operands_min || *operand_count > usage->operands_max) {
        if (*operand_count > usage->operands_max)
            options_wrong(usage, "unexpected argument '%.80s'", argv[optind + usage->operands_max]);
        else
            options_wrong(usage, "an argument is missing");
        return OPTIONS_WRONG;
    }
    return OPTIONS_GO;
}
