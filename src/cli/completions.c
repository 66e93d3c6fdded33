#include "completions.h"
#include "catalogue.h"
#include "command.h"
#include "text.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { HELP_LEN_MAX = 64 * 1024, OPTIONS_MAX = 96, NAME_LEN = 40, HINT_LEN = 240, CONTINUED_BLANKS = 20 };

/* One option as --help shows it: "  --name ARGUMENT   what it is". */
struct option_line {
    char name[NAME_LEN], argument[NAME_LEN], hint[HINT_LEN]; /* argument "": it takes none */
};

struct command_lines {
    const struct command *command;
    struct option_line options[OPTIONS_MAX];
    int option_count;
};

/* ---- what there is ---- */

/* The command's --help, run in a child because it goes to stdout. False: it could not be run. */
static bool read_help(const struct command *command, char help[HELP_LEN_MAX])
{
    char name[NAME_LEN], option[] = "--help";
    size_t len = 0;
    int ends[2], status = 0;

    snprintf(name, sizeof name, "%s", command->name);
    fflush(stdout);
    if (pipe(ends) != 0)
        return false;
    pid_t child = fork();
    if (child == 0) {
        if (dup2(ends[1], STDOUT_FILENO) < 0)
            _exit(EXIT_FAILED);
        close(ends[0]);
        close(ends[1]);
        int code = command->run(2, (char *[]){name, option, NULL});
        fflush(stdout);
        _exit(code);
    }
    close(ends[1]);
    for (ssize_t got; child > 0 && len < HELP_LEN_MAX - 1; len += (size_t)got)
        if ((got = read(ends[0], help + len, HELP_LEN_MAX - 1 - len)) <= 0)
            break;
    close(ends[0]);
    help[len] = '\0';
    return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
           WEXITSTATUS(status) == EXIT_DONE;
}

/* Up to the next space; returns what follows. */
static const char *take_word(const char *at, char word[NAME_LEN])
{
    size_t len = strcspn(at, " \n");

    snprintf(word, NAME_LEN, "%.*s", (int)len, at);
    return at + len;
}

/* False: the line shows no option. */
static bool read_option(const char *line, struct option_line *option)
{
    if (strncmp(line, "  --", 4) != 0)
        return false;
    *option = (struct option_line){0};
    const char *at = take_word(line + 4, option->name);
    if (at[0] == ' ' && at[1] != ' ' && isupper((unsigned char)at[1]))
        at = take_word(at + 1, option->argument);
    for (size_t used = 0; *at; used = strlen(option->hint)) {
        size_t blanks = strspn(at, " "), len;
        if (used > 0 && blanks < CONTINUED_BLANKS)
            break;
        at += blanks;
        len = strcspn(at, "\n");
        snprintf(option->hint + used, sizeof option->hint - used, "%s%.*s", used ? " " : "", (int)len, at);
        at += len + (at[len] == '\n');
    }
    return option->name[0] != '\0';
}

static bool read_options(struct command_lines *lines)
{
    char help[HELP_LEN_MAX];

    lines->option_count = 0;
    if (!read_help(lines->command, help))
        return false;
    for (const char *line = help; line && lines->option_count < OPTIONS_MAX; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (read_option(line, &lines->options[lines->option_count]))
            lines->option_count++;
        if (!*line)
            break;
    }
    return true;
}

/* What may stand behind a command besides options; the shells' own file names where it says so. */
static const char *operands_of(const char *command)
{
    static const struct {
        const char *command, *words;
    } rows[] = {{"events", "list show post"},
                {"deliveries", "list show"},
                {"catalog", "show scenarios"},
                {"mtls", "set show remove"},
                {"secrets", "list reveal create rotate remove reset"},
                {"completions", "bash zsh fish"}};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(command, rows[i].command) == 0)
            return rows[i].words;
    return "";
}

static bool takes_types(const char *command)
{
    return strcmp(command, "trigger") == 0 || strcmp(command, "catalog") == 0;
}

static bool takes_file(const struct option_line *option)
{
    return strcmp(option->argument, "FILE") == 0 || strcmp(option->argument, "DIR") == 0 ||
           strcmp(option->argument, "FOLDER") == 0;
}

static void print_types(const struct catalogue *catalogue)
{
    for (int i = 0; i < catalogue_count(catalogue); i++)
        printf(" %s", catalogue_at(catalogue, i)->name);
}

/* ---- bash ---- */

static void bash_begin(const struct command *const *commands, int count)
{
    printf(
        "# bash completion for posthorn; `posthorn completions bash` wrote it\n"
        "_posthorn()\n{\n"
        "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} options= words= files=\n"
        "    COMPREPLY=()\n"
        "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
        "        COMPREPLY=($(compgen -W \"");
    for (int i = 0; i < count; i++)
        printf("%s ", commands[i]->name);
    printf("help\" -- \"$word\"))\n        return\n    fi\n    case ${COMP_WORDS[1]} in\n");
}

static void bash_command(const struct command_lines *lines, const struct catalogue *catalogue)
{
    printf("    %s)\n        options=\"", lines->command->name);
    for (int i = 0; i < lines->option_count; i++)
        printf("%s--%s", i ? " " : "", lines->options[i].name);
    printf("\"\n        words=\"%s", operands_of(lines->command->name));
    if (takes_types(lines->command->name))
        print_types(catalogue);
    printf("\"\n        files=\"");
    for (int i = 0; i < lines->option_count; i++)
        if (takes_file(&lines->options[i]))
            printf(" --%s ", lines->options[i].name);
    printf("\"\n        ;;\n");
}

static void bash_end(void)
{
    printf("    esac\n"
           "    case $files in\n"
           "    *\" $before \"*)\n"
           "        compopt -o filenames 2>/dev/null\n"
           "        COMPREPLY=($(compgen -f -- \"$word\"))\n"
           "        return\n"
           "        ;;\n"
           "    esac\n"
           "    case $word in\n"
           "    -*) COMPREPLY=($(compgen -W \"$options\" -- \"$word\")) ;;\n"
           "    *) COMPREPLY=($(compgen -W \"$words\" -- \"$word\")) ;;\n"
           "    esac\n"
           "}\n"
           "complete -o bashdefault -F _posthorn posthorn\n");
}

/* ---- zsh and fish: with what each option is ---- */

/* Between single quotes; in zsh's specifications brackets and colons mean something, too. */
static void print_hint(const char *hint, bool zsh)
{
    for (; *hint; hint++) {
        if (*hint == '\'')
            fputs(zsh ? "'\\''" : "\\'", stdout);
        else if (*hint == '\\' || (zsh && strchr("[]:", *hint)))
            printf("\\%c", *hint);
        else
            putchar(*hint);
    }
}

static void zsh_begin(const struct command *const *commands, int count)
{
    printf("#compdef posthorn\n# zsh completion for posthorn; `posthorn completions zsh` wrote it\n"
           "_posthorn()\n{\n    local -a commands\n    commands=(\n");
    for (int i = 0; i < count; i++) {
        printf("        '%s:", commands[i]->name);
        print_hint(commands[i]->summary, true);
        printf("'\n");
    }
    printf(
        "    )\n    if (( CURRENT == 2 )); then\n        _describe command commands\n        return\n    fi\n"
        "    case $words[2] in\n");
}

static void zsh_command(const struct command_lines *lines, const struct catalogue *catalogue)
{
    printf("    %s)\n        _arguments", lines->command->name);
    for (int i = 0; i < lines->option_count; i++) {
        const struct option_line *option = &lines->options[i];
        printf(" \\\n            '*--%s[", option->name);
        print_hint(option->hint, true);
        printf("]");
        if (option->argument[0]) {
            printf(":");
            print_hint(option->argument, true);
            printf(":%s", takes_file(option) ? "_files" : " ");
        }
        printf("'");
    }
    printf(" \\\n            '*:operand:(%s", operands_of(lines->command->name));
    if (takes_types(lines->command->name))
        print_types(catalogue);
    printf(")'\n        ;;\n");
}

static void zsh_end(void)
{
    printf(
        "    esac\n}\n"
        "if [ \"$funcstack[1]\" = _posthorn ]; then _posthorn \"$@\"; else compdef _posthorn posthorn; fi\n");
}

static void fish_begin(const struct command *const *commands, int count)
{
    printf("# fish completion for posthorn; `posthorn completions fish` wrote it\n"
           "complete -c posthorn -f\n");
    for (int i = 0; i < count; i++) {
        printf("complete -c posthorn -n __fish_use_subcommand -a %s -d '", commands[i]->name);
        print_hint(commands[i]->summary, false);
        printf("'\n");
    }
}

static void fish_command(const struct command_lines *lines, const struct catalogue *catalogue)
{
    const char *name = lines->command->name, *words = operands_of(name);

    for (int i = 0; i < lines->option_count; i++) {
        const struct option_line *option = &lines->options[i];
        printf("complete -c posthorn -n '__fish_seen_subcommand_from %s' -l %s%s -d '", name, option->name,
               !option->argument[0] ? ""
               : takes_file(option) ? " -r -F"
                                    : " -x");
        print_hint(option->hint, false);
        printf("'\n");
    }
    if (*words || takes_types(name)) {
        printf("complete -c posthorn -n '__fish_seen_subcommand_from %s' -a '%s", name, words);
        if (takes_types(name))
            print_types(catalogue);
        printf("'\n");
    }
}

static void nothing(void)
{
}

static const struct shell {
    const char *name;
    void (*begin)(const struct command *const *commands, int count);
    void (*command)(const struct command_lines *lines, const struct catalogue *catalogue);
    void (*end)(void);
} shells[] = {{"bash", bash_begin, bash_command, bash_end},
              {"zsh", zsh_begin, zsh_command, zsh_end},
              {"fish", fish_begin, fish_command, nothing}};

int completions_print(const char *name, const struct command *const *commands, int count)
{
    const struct shell *shell = NULL;
    struct command_lines lines;

    for (size_t i = 0; i < sizeof shells / sizeof *shells; i++)
        if (strcmp(name, shells[i].name) == 0)
            shell = &shells[i];
    if (!shell) {
        fprintf(stderr, "posthorn completions: it is bash, zsh or fish, not '%.40s'\n", name);
        return EXIT_USAGE;
    }
    struct catalogue *catalogue = catalogue_open();
    shell->begin(commands, count);
    for (int i = 0; i < count; i++) {
        lines.command = commands[i];
        if (!read_options(&lines)) {
            fprintf(stderr, "posthorn completions: the options of %s cannot be read\n", commands[i]->name);
            catalogue_close(catalogue);
            return EXIT_FAILED;
        }
        shell->command(&lines, catalogue);
    }
    shell->end();
    catalogue_close(catalogue);
    return EXIT_DONE;
}
