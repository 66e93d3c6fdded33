/*
 * pages: fills a man page's template from the tables the program itself runs on, so that page and program
 * cannot differ. Used at build time.
 *
 *   pages TEMPLATE > PAGE
 *
 * A line that is one of these words alone is replaced: @FORMS@ and @OPTIONS@ (command.h), @SETTINGS@ and
 * @EXAMPLE@ (config.h), @FAILURES@ (failure.h), @RESULTS@ (posthorn.h). @VERSION@ is replaced anywhere.
 */
#include "commands_list.h"
#include "config.h"
#include "failure.h"
#include "posthorn.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>

static void failures(void)
{
    static const char *const classes[] = {"", "receiver", "posthorn", "policy", "nobody"};
    for (enum failure failure = FAILURE_NONE + 1; failure < FAILURE_COUNT; failure++) {
        printf(".TP\n.B %s\n(%s) ", failure_name(failure), classes[failure_class_of(failure)]);
        option_print_roff_sentence(stdout, failure_sentence(failure));
        puts("");
    }
}

static void results(void)
{
    for (enum posthorn_result result = POSTHORN_OK; result < POSTHORN_RESULT_COUNT; result++) {
        printf(".TP\n.B POSTHORN_");
        for (const char *name = posthorn_result_name(result); *name; name++)
            putchar(toupper((unsigned char)*name));
        printf("\n(%d) ", posthorn_http_status(result));
        option_print_roff_sentence(stdout, posthorn_result_sentence(result));
        puts("");
    }
}

static void forms(void)
{
    for (int i = 0; i < commands_list_count; i++)
        command_print_man_forms(stdout, commands_list[i]);
}

/* The options of each command, and those that several have, once. */
static void options(void)
{
    for (int i = 0; i < commands_list_count; i++) {
        const struct command *command = commands_list[i];
        if (command->rows.count > 0)
            printf(".SS posthorn %s\n", command->name);
        for (int k = 0; k < command->rows.count; k++)
            option_print_man(stdout, &command->rows.rows[k]);
    }
    for (int i = 0; i < commands_list_count; i++) {
        const struct option_table *shared = commands_list[i]->shared;
        bool printed = !shared;
        for (int k = 0; k < i; k++)
            printed |= commands_list[k]->shared == shared;
        if (printed)
            continue;
        fputs(".SS", stdout);
        for (int k = i; k < commands_list_count; k++)
            if (commands_list[k]->shared == shared)
                printf("%s %s", k == i ? "" : ",", commands_list[k]->name);
        puts("");
        for (int k = 0; k < shared->count; k++)
            option_print_man(stdout, &shared->rows[k]);
    }
}

static void line_with_version(char *line)
{
    char *version = strstr(line, "@VERSION@");
    if (version) {
        *version = 0;
        printf("%s%s%s", line, POSTHORN_VERSION, version + strlen("@VERSION@"));
    } else {
        fputs(line, stdout);
    }
}

int main(int argc, char **argv)
{
    char line[1024];
    FILE *template = argc == 2 ? fopen(argv[1], "re") : NULL;
    if (!template) {
        fputs("usage: pages TEMPLATE\n", stderr);
        return 2;
    }
    while (fgets(line, sizeof line, template)) {
        if (strcmp(line, "@SETTINGS@\n") == 0)
            config_print_man(stdout);
        else if (strcmp(line, "@EXAMPLE@\n") == 0)
            config_print_example(stdout);
        else if (strcmp(line, "@OPTIONS@\n") == 0)
            options();
        else if (strcmp(line, "@FORMS@\n") == 0)
            forms();
        else if (strcmp(line, "@FAILURES@\n") == 0)
            failures();
        else if (strcmp(line, "@RESULTS@\n") == 0)
            results();
        else
            line_with_version(line);
    }
    fclose(template);
    return ferror(stdout) ? 1 : 0;
}
