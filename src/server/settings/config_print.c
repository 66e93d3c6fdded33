/*
 * What people read about the settings, made from the one table.
 */
#include "config.h"
#include <ctype.h>

enum { HELP_COLUMN = 36, HELP_WIDTH = 100 };

/* `code` loses its backquotes; everything else as it stands. Lines break at `width`. */
static void put_wrapped(FILE *out, const char *text, int column, int width)
{
    int at = column;
    for (const char *word = text; *word;) {
        size_t len = strcspn(word, " ");
        if (at > column && at + 1 + (int)len > width) {
            fprintf(out, "\n%*s", column, "");
            at = column;
        } else if (at > column) {
            fputc(' ', out);
            at++;
        }
        for (size_t i = 0; i < len; i++)
            if (word[i] != '`') {
                fputc(word[i], out);
                at++;
            }
        word += len;
        word += strspn(word, " ");
    }
    fputc('\n', out);
}

void config_print_help(FILE *out)
{
    for (int i = 0; i < config_setting_count; i++) {
        const struct config_setting *setting = &config_settings[i];
        int used = fprintf(out, "  --%s%s%s", setting->name, setting->argument ? " " : "",
                           setting->argument ? setting->argument : "");
        if (used >= HELP_COLUMN - 1) {
            fputc('\n', out);
            used = 0;
        }
        fprintf(out, "%*s", HELP_COLUMN - used, "");
        char line[512];
        bool shown = setting->kind != CONFIG_BOOL && setting->standard[0];
        snprintf(line, sizeof line, shown ? "%s (%s)" : "%s", setting->help, setting->standard);
        put_wrapped(out, line, HELP_COLUMN, HELP_WIDTH);
    }
}

static void put_environment_name(FILE *out, const char *name)
{
    fputs("POSTHORN_", out);
    for (; *name; name++)
        fputc(*name == '-' ? '_' : toupper((unsigned char)*name), out);
}

/* Roff: `code` becomes bold, hyphens in names and options are minus signs, backslashes are doubled. */
static void put_roff(FILE *out, const char *text)
{
    bool bold = false;
    for (; *text; text++) {
        if (*text == '`') {
            bold = !bold;
            fputs(bold ? "\\fB" : "\\fR", out);
        } else if (*text == '-') {
            fputs("\\-", out);
        } else if (*text == '\\') {
            fputs("\\e", out);
        } else {
            fputc(*text, out);
        }
    }
}

static const char *kind_sentence(enum config_kind kind)
{
    switch (kind) {
    case CONFIG_TEXT:
        return NULL;
    case CONFIG_BOOL:
        return "true or false";
    case CONFIG_INT:
        return "a whole number";
    case CONFIG_DURATION:
        return "a time: 500ms, 10s, 5m, 12h, 3d";
    case CONFIG_SIZE:
        return "a size: 4096, 64KiB, 64MiB, 1GiB";
    case CONFIG_LIST:
        return "may be given several times; in the environment, separated by commas";
    }
    return NULL;
}

void config_print_man(FILE *out)
{
    fputs(".SH SETTINGS\n", out);
    for (int i = 0; i < config_setting_count; i++) {
        const struct config_setting *setting = &config_settings[i];
        fputs(".TP\n.B ", out);
        put_roff(out, setting->name);
        if (setting->argument) {
            fputs(" = \\fI", out);
            put_roff(out, setting->argument);
            fputs("\\fR", out);
        }
        fputs("\n", out);
        char first = (char)toupper((unsigned char)setting->help[0]);
        char rest[512];
        snprintf(rest, sizeof rest, "%c%s.", first, setting->help + 1);
        put_roff(out, rest);
        const char *kind = kind_sentence(setting->kind);
        fputs("\n.br\n", out);
        if (kind) {
            char line[128];
            snprintf(line, sizeof line, "%c%s. ", toupper((unsigned char)kind[0]), kind + 1);
            put_roff(out, line);
        }
        fputs("Default: ", out);
        put_roff(out, setting->standard[0] ? setting->standard : "none");
        fputs(".\n.br\nOption \\fB\\-\\-", out);
        put_roff(out, setting->name);
        fputs("\\fR, environment \\fB", out);
        put_environment_name(out, setting->name);
        fputs("\\fR.\n", out);
    }
}

void config_print_example(FILE *out)
{
    fputs("# posthorn.conf: the settings of `posthorn serve`, see posthorn.conf(5).\n"
          "# What is commented out is at its default. The command line wins over the\n"
          "# environment (POSTHORN_...), and that wins over this file.\n",
          out);
    for (int i = 0; i < config_setting_count; i++) {
        const struct config_setting *setting = &config_settings[i];
        fputs("\n# ", out);
        fputs(setting->help, out);
        fprintf(out, "\n#%s = %s\n", setting->name,
                setting->standard[0] ? setting->standard
                : setting->argument  ? setting->argument
                                     : "");
    }
}
