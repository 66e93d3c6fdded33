#include "completions.h"

/* The words after the name of a command. */
struct completion {
    const char *name;
    bool has_two_words;
    const struct option_row *rows[COMMAND_ROWS_MAX];
    int row_count;
    char words[512]; /* verbs, and words to choose from; each with a blank before it */
    const char *types;
};

static bool takes_file(const char *argument)
{
    return argument && (strstr(argument, "FILE") || strstr(argument, "DIR") || strstr(argument, "FOLDER"));
}

/* ---- collecting ---- */

static void add_word(struct completion *entry, struct bytes word)
{
    size_t len = strlen(entry->words);
    snprintf(entry->words + len, sizeof entry->words - len, " %.*s", BYTES_ARG(word));
}

static void collect(const struct completions *completions, const struct command *command,
                    struct completion *entry)
{
    size_t len = strlen(command->name);
    *entry = (struct completion){.name = command->name, .types = ""};
    entry->has_two_words = strchr(command->name, ' ') != NULL;
    entry->row_count = command_rows(command, entry->rows);
    for (const struct verb *verb = command->verbs; verb->run; verb++) {
        if (verb->name)
            add_word(entry, bytes_of(verb->name));
        if (strstr(verb->operands, "TYPE"))
            entry->types = completions->types;
        for (struct bytes rest = bytes_of(verb->operands); strchr(verb->operands, '|') && rest.len > 0;)
            add_word(entry, bytes_cut(&rest, '|'));
    }
    for (int i = 0; i < completions->command_count; i++) { /* "reset" of "secrets reset" */
        const char *name = completions->commands[i]->name;
        if (strncmp(name, command->name, len) == 0 && name[len] == ' ')
            add_word(entry, bytes_of(name + len + 1));
    }
}

/* ---- bash ---- */

static void bash_begin(const struct completions *completions)
{
    printf("# bash completion for posthorn; `posthorn completions bash` wrote it\n"
           "_posthorn()\n{\n"
           "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} options= words= "
           "files= choices=\n"
           "    COMPREPLY=()\n"
           "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
           "        COMPREPLY=($(compgen -W \"");
    for (int i = 0; i < completions->command_count; i++)
        if (!strchr(completions->commands[i]->name, ' '))
            printf("%s ", completions->commands[i]->name);
    printf("help\" -- \"$word\"))\n        return\n    fi\n"
           "    case \"${COMP_WORDS[1]} ${COMP_WORDS[2]}\" in\n");
}

static void bash_entry(const struct completion *entry)
{
    printf(entry->has_two_words ? "    \"%s\")\n" : "    \"%s \"*)\n", entry->name);
    printf("        options=\"");
    for (int i = 0; i < entry->row_count; i++)
        printf("%s--%s", i ? " " : "", entry->rows[i]->name);
    printf("\"\n        words=\"%s%s\"\n        files=\"", entry->words, entry->types);
    for (int i = 0; i < entry->row_count; i++)
        if (takes_file(entry->rows[i]->argument))
            printf(" --%s ", entry->rows[i]->name);
    printf("\"\n        case $before in\n");
    for (int i = 0; i < entry->row_count; i++)
        if (entry->rows[i]->kind == OPTION_CHOICE)
            printf("        --%s) choices=\"%s\" ;;\n", entry->rows[i]->name, entry->rows[i]->argument);
    printf("        esac\n        ;;\n");
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
           "    if [ \"$choices\" ]; then\n"
           "        COMPREPLY=($(compgen -W \"${choices//|/ }\" -- \"$word\"))\n"
           "        return\n"
           "    fi\n"
           "    case $word in\n"
           "    -*) COMPREPLY=($(compgen -W \"$options\" -- \"$word\")) ;;\n"
           "    *) COMPREPLY=($(compgen -W \"$words\" -- \"$word\")) ;;\n"
           "    esac\n"
           "}\n"
           "complete -o bashdefault -F _posthorn posthorn\n");
}

/* ---- zsh and fish: with the help of each option ---- */

/* Between single quotes; in zsh's specifications brackets and colons mean something, too. */
static void print_hint(const char *hint, bool zsh)
{
    for (; *hint; hint++) {
        if (*hint == '\'')
            fputs(zsh ? "'\\''" : "\\'", stdout);
        else if (*hint == '\\' || (zsh && strchr("[]:", *hint)))
            printf("\\%c", *hint);
        else if (*hint != '`')
            putchar(*hint);
    }
}

static void print_choices(const char *choices)
{
    for (; *choices; choices++)
        putchar(*choices == '|' ? ' ' : *choices);
}

static void zsh_begin(const struct completions *completions)
{
    printf("#compdef posthorn\n# zsh completion for posthorn; `posthorn completions zsh` wrote it\n"
           "_posthorn()\n{\n    local -a commands\n    commands=(\n");
    for (int i = 0; i < completions->command_count; i++) {
        if (strchr(completions->commands[i]->name, ' '))
            continue;
        printf("        '%s:", completions->commands[i]->name);
        print_hint(completions->commands[i]->summary, true);
        printf("'\n");
    }
    printf(
        "    )\n    if (( CURRENT == 2 )); then\n        _describe command commands\n        return\n    fi\n"
        "    case \"$words[2] $words[3]\" in\n");
}

static void zsh_entry(const struct completion *entry)
{
    printf(entry->has_two_words ? "    \"%s\")\n" : "    \"%s \"*)\n", entry->name);
    printf("        _arguments");
    for (int i = 0; i < entry->row_count; i++) {
        const struct option_row *row = entry->rows[i];
        printf(" \\\n            '*--%s[", row->name);
        print_hint(row->help, true);
        printf("]");
        if (row->argument) {
            printf(":");
            print_hint(row->argument, true);
            printf(":%s", takes_file(row->argument) ? "_files" : row->kind == OPTION_CHOICE ? "(" : " ");
        }
        if (row->kind == OPTION_CHOICE) {
            print_choices(row->argument);
            printf(")");
        }
        printf("'");
    }
    printf(" \\\n            '*:operand:(%s%s)'\n        ;;\n", entry->words, entry->types);
}

static void zsh_end(void)
{
    printf(
        "    esac\n}\n"
        "if [ \"$funcstack[1]\" = _posthorn ]; then _posthorn \"$@\"; else compdef _posthorn posthorn; fi\n");
}

static void fish_begin(const struct completions *completions)
{
    printf("# fish completion for posthorn; `posthorn completions fish` wrote it\n"
           "complete -c posthorn -f\n");
    for (int i = 0; i < completions->command_count; i++) {
        if (strchr(completions->commands[i]->name, ' '))
            continue;
        printf("complete -c posthorn -n __fish_use_subcommand -a %s -d '", completions->commands[i]->name);
        print_hint(completions->commands[i]->summary, false);
        printf("'\n");
    }
}

static void fish_entry(const struct completion *entry)
{
    char seen[128];
    const char *second = strchr(entry->name, ' ');
    int len = snprintf(seen, sizeof seen, "complete -c posthorn -n '__fish_seen_subcommand_from %.*s",
                       (int)strcspn(entry->name, " "), entry->name);
    snprintf(seen + len, sizeof seen - (size_t)len, "%s%s'",
             second ? "; and __fish_seen_subcommand_from" : "", second ? second : "");
    for (int i = 0; i < entry->row_count; i++) {
        const struct option_row *row = entry->rows[i];
        printf("%s -l %s%s", seen, row->name,
               !row->argument               ? ""
               : takes_file(row->argument)  ? " -r -F"
               : row->kind == OPTION_CHOICE ? " -x -a '"
                                            : " -x");
        if (row->kind == OPTION_CHOICE) {
            print_choices(row->argument);
            printf("'");
        }
        printf(" -d '");
        print_hint(row->help, false);
        printf("'\n");
    }
    if (*entry->words || *entry->types)
        printf("%s -a '%s%s'\n", seen, entry->words, entry->types);
}

static void nothing(void)
{
}

bool completions_print(const char *name, const struct completions *completions)
{
    static const struct {
        const char *name;
        void (*begin)(const struct completions *completions);
        void (*entry)(const struct completion *entry);
        void (*end)(void);
    } shells[] = {{"bash", bash_begin, bash_entry, bash_end},
                  {"zsh", zsh_begin, zsh_entry, zsh_end},
                  {"fish", fish_begin, fish_entry, nothing}};
    for (size_t i = 0; i < sizeof shells / sizeof *shells; i++) {
        struct completion entry;
        if (strcmp(name, shells[i].name) != 0)
            continue;
        shells[i].begin(completions);
        for (int two = 1; two >= 0; two--) /* "secrets reset" before "secrets" */
            for (int k = 0; k < completions->command_count; k++) {
                collect(completions, completions->commands[k], &entry);
                if (entry.has_two_words == two)
                    shells[i].entry(&entry);
            }
        shells[i].end();
        return true;
    }
    return false;
}
