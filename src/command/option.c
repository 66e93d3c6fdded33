#include "option.h"
#include "suggest.h"

#include <assert.h>
#include <ctype.h>

enum { NAMES_MAX = 128, HELP_COLUMN = 32, HELP_WIDTH = 100 };

/* ---- values ---- */

struct unit {
    const char *name;
    int64_t factor;
};

static const struct unit number_units[] = {{"", 1}, {NULL, 0}};
static const struct unit second_units[] = {{"", 1000}, {NULL, 0}};
static const struct unit duration_units[] = {{"ms", 1},      {"s", 1000},     {"m", 60000},
                                             {"h", 3600000}, {"d", 86400000}, {NULL, 0}};
static const struct unit size_units[] = {{"", 1},          {"B", 1},         {"KiB", 1 << 10},
                                         {"MiB", 1 << 20}, {"GiB", 1 << 30}, {NULL, 0}};

static bool parse_with_unit(const char *text, const struct unit *units, int64_t *value)
{
    size_t digits = strspn(text, "0123456789");
    int64_t number;
    if (!bytes_to_int64(bytes_make(text, digits), &number))
        return false;
    for (const char *unit = text + digits + strspn(text + digits, " "); units->name; units++)
        if (strcmp(unit, units->name) == 0)
            return !__builtin_mul_overflow(number, units->factor, value);
    *value = 0; /* needs no unit */
    return number == 0 && text[digits] == '\0';
}

/* Whole seconds, or with up to three decimals. */
static bool parse_seconds(const char *text, int64_t *ms)
{
    size_t digits = strspn(text, "0123456789");
    const char *part = text + digits + (text[digits] == '.');
    size_t part_len = strlen(part);
    int64_t thousandths = 0;
    if (!bytes_to_int64(bytes_make(text, digits), ms) || part_len > 3 ||
        (part_len == 0) != (text[digits] == 0))
        return false;
    for (size_t i = 0; i < 3; i++) {
        char c = i < part_len ? part[i] : '0';
        if (!isdigit((unsigned char)c))
            return false;
        thousandths = 10 * thousandths + (c - '0');
    }
    return !__builtin_mul_overflow(*ms, 1000, ms) && !__builtin_add_overflow(*ms, thousandths, ms);
}

static const char *print_with_unit(int64_t value, const struct unit *units, char out[32])
{
    const struct unit *best = units;
    for (const struct unit *unit = units; unit->name; unit++)
        if (unit->factor > best->factor && value != 0 && value % unit->factor == 0)
            best = unit;
    if (value % best->factor)
        snprintf(out, 32, "%g", (double)value / (double)best->factor);
    else
        snprintf(out, 32, "%lld%s", (long long)(value / best->factor), best->name);
    return out;
}

static bool set_number(const struct option_row *row, int64_t *number, const char *value,
                       char wrong[OPTION_WRONG_LEN])
{
    static const struct {
        const struct unit *units;
        const char *what, *form;
    } kinds[] = {[OPTION_NUMBER] = {number_units, "a whole number", ""},
                 [OPTION_SECONDS] = {second_units, "a number of seconds", ""},
                 [OPTION_DURATION] = {duration_units, "a time", ", such as 500ms, 10s, 5m, 12h or 3d"},
                 [OPTION_SIZE] = {size_units, "a size", ", such as 4096, 64KiB, 64MiB or 1GiB"}};
    const struct unit *units = kinds[row->kind].units;
    char min[32], max[32];
    int64_t read;
    bool parsed = row->kind == OPTION_NUMBER    ? bytes_to_int64(bytes_of(value), &read)
                  : row->kind == OPTION_SECONDS ? parse_seconds(value, &read)
                                                : parse_with_unit(value, units, &read);
    if (parsed && read >= row->min && read <= row->max) {
        *number = read;
        return true;
    }
    snprintf(wrong, OPTION_WRONG_LEN, "takes %s from %s to %s%s, not '%.40s'", kinds[row->kind].what,
             print_with_unit(row->min, units, min), print_with_unit(row->max, units, max),
             kinds[row->kind].form, value);
    return false;
}

static bool set_flag(bool *flag, const char *value, char wrong[OPTION_WRONG_LEN])
{
    static const char *const words[2][4] = {{"false", "no", "off", "0"}, {"true", "yes", "on", "1"}};
    for (int truth = 0; truth < 2; truth++)
        for (int i = 0; i < 4; i++)
            if (strcmp(value, words[truth][i]) == 0) {
                *flag = truth;
                return true;
            }
    snprintf(wrong, OPTION_WRONG_LEN, "takes true or false, not '%.40s'", value);
    return false;
}

/* "a, b or c" */
static void put_choices(char *out, size_t size, const char *choices)
{
    struct bytes rest = bytes_of(choices);
    size_t len = 0;
    while (rest.len > 0 && len < size) {
        struct bytes word = bytes_cut(&rest, '|');
        const char *comma = rest.len == 0 ? "" : memchr(rest.data, '|', rest.len) ? ", " : " or ";
        len += (size_t)snprintf(out + len, size - len, "%.*s%s", BYTES_ARG(word), comma);
    }
}

static bool set_choice(const struct option_row *row, const char **text, const char *value,
                       char wrong[OPTION_WRONG_LEN])
{
    char choices[OPTION_WRONG_LEN / 2];
    for (struct bytes rest = bytes_of(row->argument); rest.len > 0;)
        if (bytes_equal_text(bytes_cut(&rest, '|'), value)) {
            *text = value;
            return true;
        }
    put_choices(choices, sizeof choices, row->argument);
    snprintf(wrong, OPTION_WRONG_LEN, "takes %s, not '%.40s'", choices, value);
    return false;
}

static bool add_item(struct option_list *list, const char *item, char wrong[OPTION_WRONG_LEN])
{
    if (list->count < OPTION_LIST_MAX)
        list->items[list->count++] = item;
    else
        snprintf(wrong, OPTION_WRONG_LEN, "is given more than %d times", OPTION_LIST_MAX);
    return !*wrong;
}

static bool add_words(struct option_list *list, const char *value, struct arena *arena,
                      char wrong[OPTION_WRONG_LEN])
{
    for (size_t len; *value; value += len, value += strspn(value, ", ")) {
        len = strcspn(value, ", ");
        if (len > 0 && !add_item(list, arena_copy(arena, bytes_make(value, len)).data, wrong))
            return false;
    }
    return true;
}

bool option_set(const struct option_row *row, void *options, const char *value, struct arena *arena,
                char wrong[OPTION_WRONG_LEN])
{
    void *place = (char *)options + row->offset;
    *wrong = '\0';
    switch (row->kind) {
    case OPTION_TEXT:
        *(const char **)place = *value ? value : NULL;
        return true;
    case OPTION_CHOICE:
        return set_choice(row, place, value, wrong);
    case OPTION_FLAG:
        return set_flag(place, value, wrong);
    case OPTION_LIST:
        return add_item(place, value, wrong);
    case OPTION_WORDS:
        return add_words(place, value, arena, wrong);
    case OPTION_NUMBER:
    case OPTION_SECONDS:
    case OPTION_DURATION:
    case OPTION_SIZE:
        return set_number(row, place, value, wrong);
    }
    assert(!"every kind is handled");
    return false;
}

void option_set_defaults(const struct option_table *table, void *options, struct arena *arena)
{
    char wrong[OPTION_WRONG_LEN];
    for (int i = 0; table && i < table->count; i++) {
        const struct option_row *row = &table->rows[i];
        bool sound = true;
        if (*row->standard)
            sound = option_set(row, options, row->standard, arena, wrong);
        else if (row->kind >= OPTION_NUMBER)
            *(int64_t *)((char *)options + row->offset) = -1;
        assert(sound);
    }
}

int option_find(const struct option_table *table, struct bytes name, const char **near)
{
    const char *names[NAMES_MAX];
    char word[OPTION_NAME_LEN];
    assert(table->count <= NAMES_MAX);
    *near = NULL;
    for (int i = 0; i < table->count; i++) {
        if (bytes_equal_text(name, table->rows[i].name))
            return i;
        names[i] = table->rows[i].name;
    }
    snprintf(word, sizeof word, "%.*s", BYTES_ARG(name));
    *near = suggest_nearest(word, names, table->count);
    return -1;
}

static bool are_equal(const char *one, const char *other)
{
    return one && other ? strcmp(one, other) == 0 : one == other;
}

bool option_is_equal(const struct option_row *row, const void *options, const void *others)
{
    const void *one = (const char *)options + row->offset, *other = (const char *)others + row->offset;
    if (row->kind == OPTION_FLAG)
        return *(const bool *)one == *(const bool *)other;
    if (row->kind == OPTION_TEXT || row->kind == OPTION_CHOICE)
        return are_equal(*(const char *const *)one, *(const char *const *)other);
    if (row->kind != OPTION_LIST && row->kind != OPTION_WORDS)
        return *(const int64_t *)one == *(const int64_t *)other;
    const struct option_list *list = one, *list_of_other = other;
    bool equal = list->count == list_of_other->count;
    for (int i = 0; equal && i < list->count; i++)
        equal = are_equal(list->items[i], list_of_other->items[i]);
    return equal;
}

/* ---- for people ---- */

const char *option_environment_name(const struct option_row *row, char name[OPTION_NAME_LEN])
{
    snprintf(name, OPTION_NAME_LEN, "POSTHORN_%s", row->name);
    for (char *c = name; *c; c++)
        *c = (char)(*c == '-' ? '_' : toupper((unsigned char)*c));
    return name;
}

const char *option_kind_sentence(enum option_kind kind)
{
    static const char *const sentences[] = {
        [OPTION_FLAG] = "true or false",
        [OPTION_LIST] = "may be given several times",
        [OPTION_WORDS] = "may be given several times; in the environment, separated by commas",
        [OPTION_NUMBER] = "a whole number",
        [OPTION_SECONDS] = "a number of seconds",
        [OPTION_DURATION] = "a time: 500ms, 10s, 5m, 12h, 3d",
        [OPTION_SIZE] = "a size: 4096, 64KiB, 64MiB, 1GiB"};
    return sentences[kind];
}

/* Without backquotes; lines break at HELP_WIDTH and begin at HELP_COLUMN. */
static void print_wrapped(FILE *out, const char *text)
{
    int at = HELP_COLUMN;
    for (const char *word = text; *word; word += strspn(word, " ")) {
        size_t len = strcspn(word, " ");
        if (at > HELP_COLUMN && at + 1 + (int)len > HELP_WIDTH) {
            fprintf(out, "\n%*s", HELP_COLUMN, "");
            at = HELP_COLUMN;
        } else if (at > HELP_COLUMN) {
            fputc(' ', out);
            at++;
        }
        for (; len > 0; len--, word++)
            if (*word != '`') {
                fputc(*word, out);
                at++;
            }
    }
    fputc('\n', out);
}

void option_print_help(FILE *out, const struct option_row *row)
{
    char help[512], name[OPTION_NAME_LEN];
    bool shown = row->kind != OPTION_FLAG && *row->standard;
    int width =
        fprintf(out, "  --%s%s%s", row->name, row->argument ? " " : "", row->argument ? row->argument : "");
    if (width > HELP_COLUMN - 2)
        width = fprintf(out, "\n") - 1;
    fprintf(out, "%*s", HELP_COLUMN - width, "");
    snprintf(help, sizeof help, "%s%s%s%s%s%s%s%s%s", row->verbs ? row->verbs : "", row->verbs ? ": " : "",
             row->help, shown ? " [" : "", shown ? row->standard : "", shown ? "]" : "",
             row->environment ? " (or " : "", row->environment ? option_environment_name(row, name) : "",
             row->environment ? ")" : "");
    print_wrapped(out, help);
}

void option_print_roff(FILE *out, const char *text)
{
    bool bold = false;
    if (*text == '.' || *text == '\'')
        fputs("\\&", out);
    for (; *text; text++) {
        if (*text == '`') {
            bold = !bold;
            fputs(bold ? "\\fB" : "\\fR", out);
        } else if (*text == '-' || *text == '\\') {
            fputs(*text == '-' ? "\\-" : "\\e", out);
        } else {
            fputc(*text, out);
        }
    }
}

void option_print_roff_sentence(FILE *out, const char *help)
{
    char sentence[512];
    snprintf(sentence, sizeof sentence, "%c%s.", toupper((unsigned char)help[0]), help + 1);
    option_print_roff(out, sentence);
}

void option_print_man(FILE *out, const struct option_row *row)
{
    char name[OPTION_NAME_LEN];
    fputs(".TP\n\\fB", out);
    option_print_roff(out, "--");
    option_print_roff(out, row->name);
    fputs("\\fR \\fI", out);
    option_print_roff(out, row->argument ? row->argument : "");
    fprintf(out, "\\fR\n%s%s%s", row->verbs ? "(" : "", row->verbs ? row->verbs : "", row->verbs ? ") " : "");
    option_print_roff_sentence(out, row->help);
    if (row->kind != OPTION_FLAG && *row->standard) {
        fputs(" Default: ", out);
        option_print_roff(out, row->standard);
        fputs(".", out);
    }
    if (row->environment)
        fprintf(out, " Environment: %s.", option_environment_name(row, name));
    fputs("\n", out);
}
