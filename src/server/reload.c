#include "reload.h"
#include "memory.h"
#include "text.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SETTINGS_ARENA_MAX = 2 << 20, NAMES_LEN_MAX = 1024 };

enum part { PART_LOG, PART_LISTENER, PART_SENDER };

/* The settings that may change while the server runs. The settings of one part change together. */
static const struct {
    const char *name;
    size_t offset; /* in struct config, of a text */
    enum part part;
} reloadable[] = {{"log-level", offsetof(struct config, log_level), PART_LOG},
                  {"tls-cert", offsetof(struct config, tls_cert), PART_LISTENER},
                  {"tls-key", offsetof(struct config, tls_key), PART_LISTENER},
                  {"tls-client-ca", offsetof(struct config, tls_client_ca), PART_LISTENER},
                  {"ca-file", offsetof(struct config, ca_file), PART_SENDER}};
enum { RELOADABLE_COUNT = sizeof reloadable / sizeof *reloadable };

struct reload {
    int argc;
    char **argv;
    const char *file;
    struct config config;          /* in force. Its texts are the caller's */
    char *owned[RELOADABLE_COUNT]; /* or these, if they have changed since the start */
};

static const char **text_at(struct config *config, size_t offset)
{
    return (const char **)((char *)config + offset);
}

/* ---- what has changed ---- */

static bool same_text(const char *one, const char *other)
{
    return one && other ? strcmp(one, other) == 0 : one == other;
}

/* Neither can a listener that speaks plain HTTP begin with TLS, nor the other way round: its clients have the
 * address. */
static bool is_reloadable(const struct reload *reload, const struct config *next, const char *name)
{
    for (int i = 0; i < RELOADABLE_COUNT; i++)
        if (strcmp(reloadable[i].name, name) == 0)
            return reloadable[i].part != PART_LISTENER || !reload->config.tls_cert == !next->tls_cert;
    return false;
}

/* The names alone: a value may be a secret. */
static void name_the_rest(const struct reload *reload, const struct config *next, struct arena *arena,
                          struct log *log)
{
    struct text names;
    text_init(&names, arena, NAMES_LEN_MAX);
    for (int i = 0; i < config_settings.count; i++) {
        const struct option_row *row = &config_settings.rows[i];
        if (option_is_equal(row, &reload->config, next) || is_reloadable(reload, next, row->name))
            continue;
        text_puts(&names, names.len ? ", " : "");
        text_puts(&names, row->name);
    }
    if (names.len)
        log_write(log, LOG_LEVEL_WARN, "reload", "changed, and needs a restart: %.*s",
                  BYTES_ARG(text_bytes(&names)));
}

/* ---- reading and taking over ---- */

/* As at the start; but a file that would hold the server (a pipe, which was read then) is not opened. */
static bool read_settings(const struct reload *reload, struct config *next, struct arena *arena,
                          struct config_error *error)
{
    struct stat about;
    if (reload->file && stat(reload->file, &about) == 0 && !S_ISREG(about.st_mode)) {
        snprintf(error->text, sizeof error->text, "%.200s: is not a regular file", reload->file);
        return false;
    }
    return config_load(next, arena, reload->argc, reload->argv, environ, reload->file, error);
}

static void take_over(struct reload *reload, enum part part, struct config *next)
{
    for (int i = 0; i < RELOADABLE_COUNT; i++) {
        const char **in_force = text_at(&reload->config, reloadable[i].offset);
        const char *wanted = *text_at(next, reloadable[i].offset);
        if (reloadable[i].part != part || same_text(*in_force, wanted))
            continue;
        char *former = reload->owned[i];
        *in_force = reload->owned[i] = wanted ? memory_copy_text(wanted) : NULL;
        free(former);
    }
}

static void reload_log(struct reload *reload, struct config *next, struct log *log)
{
    enum log_level level, former;
    bool known =
        log_level_parse(next->log_level, &level) && log_level_parse(reload->config.log_level, &former);
    assert(known); /* config_load has looked */
    if (!known || level == former)
        return;
    /* At the wordier of the two levels. */
    log_set_level(log, level > former ? level : former);
    log_write(log, LOG_LEVEL_INFO, "reload", "log-level is %s now, and was %s", next->log_level,
              reload->config.log_level);
    log_set_level(log, level);
    take_over(reload, PART_LOG, next);
}

static void reload_listener(struct reload *reload, struct server *server, struct config *next,
                            struct log *log)
{
    if (!next->tls_cert || !reload->config.tls_cert)
        return;
    if (server_secure_again(server, next)) {
        log_write(log, LOG_LEVEL_INFO, "reload",
                  "new connections get the certificate tls-cert=%s tls-key=%s%s%s", next->tls_cert,
                  next->tls_key, next->tls_client_ca ? " tls-client-ca=" : "",
                  next->tls_client_ca ? next->tls_client_ca : "");
        take_over(reload, PART_LISTENER, next);
    } else
        log_write(log, LOG_LEVEL_ERROR, "reload",
                  "the former certificate, key and client authorities stay in force");
}

static void reload_sender(struct reload *reload, struct server *server, struct config *next, struct log *log)
{
    if (server_trust_again(server, next)) {
        log_write(log, LOG_LEVEL_INFO, "reload", "new connections to receivers trust ca-file=%s",
                  next->ca_file ? next->ca_file : "(the system's)");
        take_over(reload, PART_SENDER, next);
    } else
        log_write(log, LOG_LEVEL_ERROR, "reload", "the former authorities stay in force");
}

void reload_run(struct reload *reload, struct server *server, struct log *log)
{
    struct config next;
    struct config_error error;
    struct arena arena;
    arena_init(&arena, SETTINGS_ARENA_MAX);
    if (read_settings(reload, &next, &arena, &error)) {
        reload_log(reload, &next, log);
        name_the_rest(reload, &next, &arena, log);
        reload_listener(reload, server, &next, log);
        reload_sender(reload, server, &next, log);
    } else
        log_write(log, LOG_LEVEL_ERROR, "reload", "the settings stay as they were: %s", error.text);
    log_write(log, LOG_LEVEL_INFO, "reload", "done");
    arena_fini(&arena);
}

/* ---- opening and closing ---- */

struct reload *reload_open(int argc, char **argv, const char *file, const struct config *config)
{
    struct reload *reload = memory_zero(1, sizeof *reload);
    *reload = (struct reload){.argc = argc, .argv = argv, .file = file, .config = *config};
    return reload;
}

void reload_close(struct reload *reload)
{
    if (!reload)
        return;
    for (int i = 0; i < RELOADABLE_COUNT; i++)
        free(reload->owned[i]);
    free(reload);
}
