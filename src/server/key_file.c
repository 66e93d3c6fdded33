/*
 * The key file and the database belong together: the database keeps the key's fingerprint. With another key,
 * nothing that is sealed would open, and every signature would be one that no receiver knows.
 */
#include "server_parts.h"
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_LEN_MAX = 4096 };

void server_key_path(const struct config *config, char path[4096])
{
    if (config->key_file)
        snprintf(path, PATH_LEN_MAX, "%s", config->key_file);
    else
        snprintf(path, PATH_LEN_MAX, "%s/posthorn.key", config->data);
}

/* Where a new key stands until the database has its fingerprint: were it in its place before, a start that
 * was cut short would look like a database that is gone. */
static void staged_path(const struct config *config, char path[4096])
{
    server_key_path(config, path);
    size_t len = strlen(path);
    snprintf(path + len, PATH_LEN_MAX - len, ".new");
}

static enum server_error mismatch(char error_text[256], const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static enum server_error mismatch(char error_text[256], const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error_text, 256, format, arguments);
    va_end(arguments);
    return SERVER_MISMATCH;
}

static enum server_error failed(enum vault_error error, const char *path, char error_text[256])
{
    snprintf(error_text, 256, "key-file %.120s: %s%s%s", path, vault_error_sentence(error),
             error == VAULT_UNREADABLE ? ": " : "", error == VAULT_UNREADABLE ? strerror(errno) : "");
    return SERVER_DATA;
}

/* `posthorn init` with a key that the operator made. */
static bool may_begin_with_key(const struct server_options *options)
{
    return options->config->key_file && options->own_key;
}

static enum server_error no_database(const struct config *config, const char *key, char error_text[256])
{
    struct store_choice choice;
    if (server_store_choose(config, &choice, error_text) != SERVER_OK)
        return SERVER_CONFIG;
    return mismatch(error_text,
                    "the key %.70s exists, but %.62s is missing or empty: put it back, or "
                    "`posthorn restore` a backup; %s",
                    key, choice.path,
                    config->key_file ? "`posthorn init` starts from nothing"
                                     : "to start from nothing, move the key away");
}

enum server_error server_key_expected(const struct server_options *options, char error_text[256])
{
    const struct config *config = options->config;
    char path[PATH_LEN_MAX];
    struct store_choice choice;
    struct stat about;
    if (server_store_choose(config, &choice, error_text) != SERVER_OK)
        return SERVER_CONFIG;
    snprintf(path, sizeof path, "%s/" SERVER_RESTORE_MARK, config->data);
    if (access(path, F_OK) == 0)
        return mismatch(error_text, "a restore into %.100s was interrupted: run `posthorn restore` again",
                        config->data);
    server_key_path(config, path);
    if ((stat(choice.path, &about) == 0 && about.st_size > 0) || access(path, F_OK) != 0 ||
        may_begin_with_key(options))
        return SERVER_OK;
    return no_database(config, path, error_text);
}

/* The fingerprint that the database has, if any; and whether anybody lives there. */
static enum server_error read_known(struct store *store, struct store_stats *stats, bool *has_users,
                                    char error_text[256])
{
    struct arena arena;
    arena_init(&arena, (size_t)256 * 1024);
    struct store_query users = {.kind = STORE_LIST_USERS, .limit = 1}, query = {.kind = STORE_GET_STATS};
    struct store_answer answer = {0};
    enum store_status status = store_read(store, 0, &users, &arena, &answer);
    *has_users = answer.count > 0;
    if (status == STORE_OK)
        status = store_read(store, 0, &query, &arena, &answer);
    if (status == STORE_OK && answer.count == 1)
        *stats = *answer.stats;
    arena_fini(&arena);
    if (status == STORE_OK)
        return SERVER_OK;
    snprintf(error_text, 256, "the database cannot be read: %.150s", store_status_sentence(status));
    return SERVER_DATA;
}

enum server_error server_fingerprint_write(struct store *store, const struct vault *vault,
                                           char error_text[256])
{
    struct store_op op = {.kind = STORE_FINGERPRINT};
    struct store_op *ops[] = {&op};
    struct store_batch batch = {.ops = ops, .op_count = 1};
    memcpy(op.fingerprint, vault_fingerprint(vault), STORE_FINGERPRINT_LEN);
    enum store_status status = store_write(store, &batch);
    if (status == STORE_OK)
        return SERVER_OK;
    snprintf(error_text, 256, "the key's fingerprint cannot be written: %.150s",
             store_status_sentence(status));
    return SERVER_DATA;
}

static bool fits(const struct store_stats *known, const struct vault *vault)
{
    return memcmp(known->fingerprint, vault_fingerprint(vault), STORE_FINGERPRINT_LEN) == 0;
}

/* Synced, or a power cut could take the name back although the database counts on it. */
static bool move(const char *from, const char *to)
{
    char folder[PATH_LEN_MAX];
    snprintf(folder, sizeof folder, "%s", to);
    char *slash = strrchr(folder, '/');
    if (slash)
        slash[slash == folder] = '\0';
    if (rename(from, to) != 0)
        return false;
    int fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool synced = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return synced;
}

/* A start that was cut short behind its transaction: the key is whole, but not in its place. */
static bool finish(const struct config *config, const struct store_stats *known, const char *path)
{
    char staged[PATH_LEN_MAX];
    struct vault *vault;
    staged_path(config, staged);
    bool ours = vault_open(staged, &vault) == VAULT_OK && fits(known, vault);
    vault_close(vault);
    return ours && move(staged, path);
}

static enum server_error open_known(const struct server_options *options, struct store *store,
                                    const struct store_stats *known, struct server_key *key,
                                    char error_text[256])
{
    char path[PATH_LEN_MAX];
    server_key_path(options->config, path);
    enum vault_error error = vault_open(path, &key->vault);
    if (error == VAULT_ABSENT && known->has_fingerprint && finish(options->config, known, path))
        error = vault_open(path, &key->vault);
    if (error == VAULT_ABSENT)
        return mismatch(error_text,
                        "the key file %.90s is missing: put it back from your backup, or create new signing "
                        "secrets with `posthorn secrets reset`",
                        path);
    if (error == VAULT_MALFORMED)
        return mismatch(error_text,
                        "the key file %.90s does not hold a key of 64 hex digits: put it back from your "
                        "backup, or create new signing secrets with `posthorn secrets reset`",
                        path);
    if (error != VAULT_OK)
        return failed(error, path, error_text);
    if (!known->has_fingerprint)
        return server_fingerprint_write(store, key->vault, error_text);
    if (fits(known, key->vault))
        return SERVER_OK;
    return mismatch(error_text,
                    "the key file %.80s does not belong to this database: put the right one back from your "
                    "backup, or create new signing secrets with `posthorn secrets reset`",
                    path);
}

static enum server_error make_new(const struct server_options *options, struct server_key *key,
                                  char error_text[256])
{
    char path[PATH_LEN_MAX];
    server_key_path(options->config, path);
    enum vault_error error = vault_open(path, &key->vault);
    if (error == VAULT_OK && !may_begin_with_key(options))
        return no_database(options->config, path, error_text);
    if (error == VAULT_ABSENT) {
        staged_path(options->config, path);
        unlink(path); /* of a start that was cut short before its transaction: nobody has used it */
        error = vault_make(path, &key->vault);
        key->is_staged = error == VAULT_OK;
    }
    key->is_new = true;
    return error == VAULT_OK ? SERVER_OK : failed(error, path, error_text);
}

enum server_error server_key_open(const struct server_options *options, struct store *store,
                                  struct server_key *key, char error_text[256])
{
    struct store_stats known = {0};
    bool has_users = false;
    *key = (struct server_key){0};
    enum server_error error = read_known(store, &known, &has_users, error_text);
    if (error == SERVER_OK && !has_users && !known.has_fingerprint)
        error = make_new(options, key, error_text);
    else if (error == SERVER_OK)
        error = open_known(options, store, &known, key, error_text);
    if (error == SERVER_OK && vault_was_exposed(key->vault))
        log_write(options->log, LOG_LEVEL_WARN, "server",
                  "others could read the key file, and anyone who did can sign as this server");
    return error;
}

enum server_error server_key_keep(const struct server_options *options, const struct server_key *key,
                                  char error_text[256])
{
    char path[PATH_LEN_MAX], staged[PATH_LEN_MAX];
    server_key_path(options->config, path);
    staged_path(options->config, staged);
    if (!key->is_staged || move(staged, path))
        return SERVER_OK;
    snprintf(error_text, 256, "key-file %.120s cannot be put in its place: %s; start again to continue", path,
             strerror(errno));
    return SERVER_DATA;
}
