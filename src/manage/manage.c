#include "manage.h"
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SETTINGS_ARENA_MAX = 2 << 20, HELP_COLUMN = 22 };

/* ---- saying things ---- */

int manage_failed(const struct manage *manage, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    fprintf(stderr, "posthorn %s: %s\n", manage->usage->command, text);
    return MANAGE_FAILED;
}

int manage_refused(const struct manage *manage, enum server_error error, const char *text)
{
    manage_failed(manage, "%s", text);
    switch (error) {
    case SERVER_LOCKED:
        return MANAGE_LOCKED;
    case SERVER_CONFIG:
        return MANAGE_USAGE;
    case SERVER_MISMATCH:
        return MANAGE_MISMATCH;
    default:
        return MANAGE_FAILED;
    }
}

bool manage_flush(const struct manage *manage)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return true;
    manage_failed(manage, "standard output cannot be written: %s", strerror(errno));
    return false;
}

static int wrong_usage(const struct manage *manage, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static int wrong_usage(const struct manage *manage, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    fprintf(stderr,
            "posthorn %s: %s\n"
            "Try `posthorn %s --help`.\n",
            manage->usage->command, text, manage->usage->command);
    return MANAGE_USAGE;
}

static void print_option(const char *name, const char *argument, const char *help)
{
    int width = printf("  --%s%s%s", name, argument ? " " : "", argument ? argument : "");
    printf("%*s%s\n", width < HELP_COLUMN - 1 ? HELP_COLUMN - width : 1, "", help);
}

static void print_help(const struct manage_usage *usage)
{
    printf("usage: posthorn %s\n\n%s\n\n", usage->synopsis, usage->details);
    for (const struct manage_option *option = usage->options; option->name; option++)
        print_option(option->name, option->argument, option->help);
    print_option("data", "DIR", "data folder of the server (or POSTHORN_DATA)");
    print_option("store", "FILE", "database, if the server has this setting");
    print_option("key-file", "FILE", "key file, if the server has this setting");
    print_option("config", "FILE", "settings, as for `posthorn serve` (or POSTHORN_CONFIG)");
    print_option("json", NULL, "print the result as a JSON object");
    print_option("help", NULL, "this text");
    puts("\nexit status: 0 done, 1 failed, 2 wrong usage, 3 a server is running on DIR,\n"
         "6 the key file and the database do not belong together");
}

/* ---- the command line ---- */

/* Whether the argument behind this option is its value; false for what is no option of the settings: they say
 * so. */
static bool takes_value(const char *option)
{
    if (strchr(option, '='))
        return false;
    for (int i = 0; i < config_setting_count; i++)
        if (strcmp(option + 2, config_settings[i].name) == 0)
            return config_settings[i].kind != CONFIG_BOOL;
    return false;
}

/* Out of argv, wherever it stands. NULL: there is none. */
static const char *take_operand(int *argc, char **argv)
{
    for (int i = 0; i < *argc; i++) {
        if (strncmp(argv[i], "--", 2) == 0) {
            i += takes_value(argv[i]);
            continue;
        }
        const char *operand = argv[i];
        memmove(argv + i, argv + i + 1, sizeof *argv * (size_t)(*argc - i - 1));
        --*argc;
        return operand;
    }
    return NULL;
}

static int read_arguments(struct manage *manage, int argc, char **argv)
{
    const struct manage_usage *usage = manage->usage;
    for (const struct manage_option *option = usage->options; option->name; option++) {
        const char *value = config_take_option(&argc, argv, option->name, !option->argument);
        if (value)
            *option->value = value;
    }
    manage->json = config_take_option(&argc, argv, "json", true) != NULL;
    const char *file = config_take_option(&argc, argv, "config", false);
    if (!file)
        file = getenv("POSTHORN_CONFIG");
    if (usage->operand && !(manage->operand = take_operand(&argc, argv)) && !usage->operand_is_data)
        return wrong_usage(manage, "%s is missing: posthorn %s", usage->operand, usage->synopsis);
    struct config_error error;
    if (!config_load(&manage->config, &manage->arena, argc, argv, environ, file, &error))
        return wrong_usage(manage, "%s", error.text);
    if (usage->operand_is_data && manage->operand)
        manage->config.data = manage->operand;
    if (!manage->config.data)
        return wrong_usage(manage, "--data DIR is missing: name the data folder of the server");
    if (server_store_choose(&manage->config, &manage->store, error.text) != SERVER_OK)
        return wrong_usage(manage, "%s", error.text);
    return MANAGE_DONE;
}

bool manage_begin(struct manage *manage, const struct manage_usage *usage, int argc, char **argv, int *code)
{
    *manage = (struct manage){.usage = usage};
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            print_help(usage);
            *code = manage_flush(manage) ? MANAGE_DONE : MANAGE_FAILED;
            return false;
        }
    umask(077);
    signal(SIGPIPE, SIG_IGN);
    arena_init(&manage->arena, SETTINGS_ARENA_MAX);
    *code = read_arguments(manage, argc - 1, argv + 1);
    if (*code != MANAGE_DONE) {
        arena_fini(&manage->arena);
        return false;
    }
    enum log_level level = LOG_LEVEL_WARN; /* unless more is asked for: the output is the command's own */
    log_level_parse(manage->config.log_level, &level);
    if (level == LOG_LEVEL_INFO)
        level = LOG_LEVEL_WARN;
    struct clock clock = clock_system();
    manage->log = log_open(STDERR_FILENO, level, manage->config.log_json, clock);
    manage->options = (struct server_options){.config = &manage->config, .clock = clock, .log = manage->log};
    return true;
}

void manage_end(struct manage *manage)
{
    log_close(manage->log);
    arena_fini(&manage->arena);
}

/* ---- the store ---- */

int manage_open_store(struct manage *manage, struct store **store)
{
    const char *path = manage->store.path;
    char error_text[256];
    struct stat about;
    if (stat(path, &about) != 0)
        return manage_failed(manage, "%s: %s", path, strerror(errno));
    if (about.st_size == 0)
        return manage_failed(manage, "%s is empty: it is not a database", path);
    enum server_error error = server_store_open(&manage->options, NULL, store, error_text);
    return error == SERVER_OK ? MANAGE_DONE : manage_refused(manage, error, error_text);
}
