/*
 * The man page of the settings and the example of a settings file, made from the table.
 */
#include "config.h"

void config_print_man(FILE *out)
{
    char name[OPTION_NAME_LEN];
    fputs(".SH SETTINGS\n", out);
    for (int i = 0; i < config_settings.count; i++) {
        const struct option_row *row = &config_settings.rows[i];
        fputs(".TP\n.B ", out);
        option_print_roff(out, row->name);
        if (row->argument) {
            fputs(" = \\fI", out);
            option_print_roff(out, row->argument);
            fputs("\\fR", out);
        }
        fputs("\n", out);
        option_print_roff_sentence(out, row->help);
        fputs("\n.br\n", out);
        if (option_kind_sentence(row->kind)) {
            option_print_roff_sentence(out, option_kind_sentence(row->kind));
            fputs(" ", out);
        }
        fputs("Default: ", out);
        option_print_roff(out, *row->standard ? row->standard : "none");
        fputs(".\n.br\nOption \\fB\\-\\-", out);
        option_print_roff(out, row->name);
        fprintf(out, "\\fR, environment \\fB%s\\fR.\n", option_environment_name(row, name));
    }
}

void config_print_example(FILE *out)
{
    fputs("# posthorn.conf: the settings of `posthorn serve`, see posthorn.conf(5).\n"
          "# A setting that is commented out has its default. The command line wins over the\n"
          "# environment (POSTHORN_...), and that wins over this file.\n",
          out);
    for (int i = 0; i < config_settings.count; i++) {
        const struct option_row *row = &config_settings.rows[i];
        const char *value = *row->standard ? row->standard : row->argument ? row->argument : "";
        fprintf(out, "\n# %s\n#%s = %s\n", row->help, row->name, value);
    }
}
