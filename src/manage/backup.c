/*
 * posthorn backup DIR: copies the database, the key file and the catalogue of own types to a new folder; a
 * server may run. The folder gets its name only after all of its files have been read back and verified.
 */
#include "files.h"
#include "manage.h"
#include "snapshot.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NICE = 10 };

static const char details[] =
    "Writes a backup of the data folder to the folder DIR. The server may run. DIR then has:\n\n"
    "  posthorn.db     the database, as it was at one moment\n"
    "  posthorn.key    the key file, which decrypts the secrets in the database\n"
    "  catalogue.json  your own event types, if there are any\n\n"
    "DIR must not exist, or be empty. It appears only after the copy has been read back and checked, so a\n"
    "DIR that exists is complete. It holds all secrets of this server: keep it as safe as the data folder.\n"
    "Settings and TLS files are not included. `posthorn restore DIR` restores it.";

static const char *const names[] = {"posthorn.db", "posthorn.db-journal", "posthorn.key", "catalogue.json"};

/* Removes the rest of an interrupted backup. */
static void remove_partial(const char *folder)
{
    char path[MANAGE_PATH_LEN];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        files_join(path, folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
}

/* Returns the exit code. */
static int copy_key(const struct manage *manage, const char *folder, const struct snapshot_facts *facts)
{
    char from[MANAGE_PATH_LEN], to[MANAGE_PATH_LEN];
    struct vault *vault;
    server_key_path(&manage->config, from);
    files_join(to, folder, "posthorn.key");
    if (!files_copy(from, to)) {
        int code = errno == ENOENT ? EXIT_MISMATCH : EXIT_FAILED;
        command_failed(manage->invocation, "the key file %s cannot be copied: %s", from, strerror(errno));
        return code;
    }
    enum vault_error error = vault_open(to, &vault);
    bool ours = error == VAULT_OK &&
                (!facts->has_fingerprint ||
                 memcmp(vault_fingerprint(vault), facts->fingerprint, sizeof facts->fingerprint) == 0);
    vault_close(vault);
    if (!ours)
        command_failed(manage->invocation,
                       "the key file %s does not belong to this database: is the setting key-file right?",
                       from);
    return ours ? EXIT_DONE : EXIT_MISMATCH;
}

static int copy_catalogue(const struct manage *manage, const char *folder)
{
    char from[MANAGE_PATH_LEN], to[MANAGE_PATH_LEN];
    files_join(from, manage->config.data, "catalogue.json");
    files_join(to, folder, "catalogue.json");
    if (!files_exists(from) || files_copy(from, to))
        return EXIT_DONE;
    return command_failed(manage->invocation, "%s cannot be copied: %s", from, strerror(errno));
}

static int fill(const struct manage *manage, const char *folder, struct snapshot_facts *facts)
{
    char to[MANAGE_PATH_LEN], text[SNAPSHOT_TEXT_LEN];
    files_join(to, folder, "posthorn.db");
    if (!snapshot_copy(manage->store.path, to, true, text) || !snapshot_verify(to, facts, text))
        return command_failed(manage->invocation, "%s", text);
    int code = copy_key(manage, folder, facts);
    return code == EXIT_DONE ? copy_catalogue(manage, folder) : code;
}

static int settle(const struct manage *manage, const char *partial, const char *folder)
{
    char parent[MANAGE_PATH_LEN];
    snprintf(parent, sizeof parent, "%s", folder);
    char *slash = strrchr(parent, '/');
    if (slash)
        slash[slash == parent] = '\0';
    if (files_sync_folder(partial) && rename(partial, folder) == 0 && files_sync_folder(slash ? parent : "."))
        return EXIT_DONE;
    return command_failed(manage->invocation, "%s cannot be put in its place: %s", folder, strerror(errno));
}

static int back_up(struct manage *manage)
{
    char folder[MANAGE_PATH_LEN - 16], partial[MANAGE_PATH_LEN];
    struct snapshot_facts facts = {0};
    snprintf(folder, sizeof folder, "%s", manage->invocation->operands[0]);
    for (size_t len = strlen(folder); len > 1 && folder[len - 1] == '/';)
        folder[--len] = '\0';
    snprintf(partial, sizeof partial, "%s.partial", folder);
    if (files_exists(folder) && rmdir(folder) != 0)
        return command_failed(manage->invocation, "%s exists and is not empty: name a new folder", folder);
    remove_partial(partial);
    if (mkdir(partial, 0700) != 0)
        return command_failed(manage->invocation, "%s cannot be made: %s", partial, strerror(errno));
    int code = fill(manage, partial, &facts);
    if (code == EXIT_DONE)
        code = settle(manage, partial, folder);
    if (code != EXIT_DONE) {
        remove_partial(partial);
        return code;
    }
    if (manage->invocation->json)
        printf("{\"events\":%lld,\"users\":%lld,\"deliveries_pending\":%lld,\"bytes\":%lld}\n",
               (long long)facts.events, (long long)facts.users, (long long)facts.deliveries_pending,
               (long long)facts.bytes);
    else
        printf("%s: %lld events, %lld users, %lld waiting deliveries; read back and checked\n", folder,
               (long long)facts.events, (long long)facts.users, (long long)facts.deliveries_pending);
    return EXIT_DONE;
}

static int backup(const struct invocation *invocation, void *options)
{
    /* Yields to a running server; the disk's scheduler also respects it. */
    if (getpriority(PRIO_PROCESS, 0) < NICE)
        (void)setpriority(PRIO_PROCESS, 0, NICE);
    return back_up(options);
}

const struct command backup_command = {
    .name = "backup",
    .summary = "copy a data folder, while a server uses it",
    .details = details,
    .verbs = {{NULL, "DIR", backup}},
    .required = "--data DATA",
    MANAGE_COMMAND(struct manage, manage_run),
};
