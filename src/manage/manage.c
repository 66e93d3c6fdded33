#include "manage.h"
#include <errno.h>
#include <signal.h>
#include <sys/stat.h>

enum { SETTINGS_ARENA_MAX = 2 << 20 };

static void open_log(struct manage *manage)
{
    enum log_level level =
        LOG_LEVEL_WARN; /* unless the settings ask for more: the output is for the command's result */
    log_level_parse(manage->config.log_level, &level);
    if (level == LOG_LEVEL_INFO)
        level = LOG_LEVEL_WARN;
    struct clock clock = clock_system();
    manage->log = log_open(STDERR_FILENO, level, manage->config.log_json, clock);
    manage->options = (struct server_options){.config = &manage->config, .clock = clock, .log = manage->log};
}

static int open_store(struct manage *manage)
{
    const char *path = manage->store.path;
    char error_text[256];
    struct stat about;
    if (stat(path, &about) != 0)
        return command_failed(manage->invocation, "%s: %s", path, strerror(errno));
    if (about.st_size == 0)
        return command_failed(manage->invocation, "%s is empty: it is not a database", path);
    enum server_error error = server_store_open(&manage->options, NULL, &manage->opened, error_text);
    return error == SERVER_OK ? EXIT_DONE : server_failed(manage->invocation, error, error_text);
}

static int run(struct manage *manage, const struct invocation *invocation, bool on_store)
{
    manage->invocation = invocation;
    umask(077);
    signal(SIGPIPE, SIG_IGN);
    arena_init(&manage->arena, SETTINGS_ARENA_MAX);
    int code = config_load_for(invocation, manage, &manage->config, &manage->arena);
    bool data_is_operand = strstr(invocation->verb->operands, "[DATA]") != NULL;
    if (data_is_operand && invocation->operand_count > 0)
        manage->config.data = invocation->operands[0];
    if (code == EXIT_DONE && !manage->config.data)
        code = command_wrong(invocation, "--data DIR is missing: name the data folder of the server");
    char error_text[256];
    if (code == EXIT_DONE && server_store_choose(&manage->config, &manage->store, error_text) != SERVER_OK)
        code = command_wrong(invocation, "%s", error_text);
    if (code == EXIT_DONE) {
        open_log(manage);
        code = on_store ? open_store(manage) : EXIT_DONE;
        if (code == EXIT_DONE)
            code = invocation->verb->run(invocation, manage);
        if (manage->opened)
            store_close(manage->opened);
        log_close(manage->log);
    }
    arena_fini(&manage->arena);
    return code;
}

int manage_run(const struct invocation *invocation, void *options)
{
    return run(options, invocation, false);
}

int manage_run_on_store(const struct invocation *invocation, void *options)
{
    return run(options, invocation, true);
}
