/*
 * posthorn restore DIR: puts a backup into a data folder. The former files are kept beside it. After an
 * interruption no server starts on a half: a mark is in the folder from before the first change until after
 * the last.
 */
#include "files.h"
#include "manage.h"
#include "snapshot.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define STAGED ".restored"

static const char details[] =
    "Restores the backup DIR of `posthorn backup` into the data folder. The server must be stopped. It "
    "checks\n"
    "the backup first. If the data folder has data, --replace is needed; the former data is kept in its\n"
    "folder before-restore-TIME, beside the database.\n\n"
    "All changes after the backup are lost: events, outcomes, users, keys. Deliveries that waited at the\n"
    "time of the backup are tried again. No id is used twice: new users and keys get large ids.";

/* The files of a data folder; the database and the key file may be elsewhere. */
static const char *const names[] = {"posthorn.key", "posthorn.key.new", "catalogue.json"};
/* The files of a database. */
static const char *const endings[] = {"-wal", "-shm", ""};
enum { NAME_COUNT = sizeof names / sizeof *names, ENDING_COUNT = sizeof endings / sizeof *endings };

struct restore_options {
    struct manage manage;
    bool replace;
};

struct restore {
    struct manage *manage;
    const char *data;
    char key_path[MANAGE_PATH_LEN];  /* where the key file goes */
    char kept[MANAGE_PATH_LEN + 64]; /* the folder with what was there, beside the database, */
    bool has_kept;                   /* if there is any */
    struct snapshot_facts facts;
};

static bool fail(const struct restore *restore, const char *what)
{
    command_failed(restore->manage->invocation, "%s: %s", what, strerror(errno));
    return false;
}

/* ---- the backup ---- */

/* Returns the exit code. */
static int verify(struct restore *restore)
{
    char database[MANAGE_PATH_LEN], key[MANAGE_PATH_LEN], text[SNAPSHOT_TEXT_LEN];
    struct vault *vault;
    files_join(database, restore->manage->invocation->operands[0], "posthorn.db");
    files_join(key, restore->manage->invocation->operands[0], "posthorn.key");
    if (!snapshot_verify(database, &restore->facts, text))
        return command_failed(restore->manage->invocation, "%s", text);
    enum vault_error error = vault_open(key, &vault);
    bool fits = error == VAULT_OK && (!restore->facts.has_fingerprint ||
                                      memcmp(vault_fingerprint(vault), restore->facts.fingerprint,
                                             sizeof restore->facts.fingerprint) == 0);
    vault_close(vault);
    if (error != VAULT_OK)
        command_failed(restore->manage->invocation, "%s: %s", key, vault_error_sentence(error));
    else if (!fits)
        command_failed(restore->manage->invocation, "%s is not the key of the database beside it", key);
    return fits ? EXIT_DONE : EXIT_MISMATCH;
}

/* ---- into the folder ---- */

static bool stage(const struct restore *restore)
{
    char from[MANAGE_PATH_LEN], to[MANAGE_PATH_LEN + sizeof STAGED "-wal"], text[SNAPSHOT_TEXT_LEN];
    files_join(from, restore->manage->invocation->operands[0], "posthorn.db");
    for (int i = 0; i < ENDING_COUNT; i++) { /* the log of another copy would be read as this one's */
        snprintf(to, sizeof to, "%s" STAGED "%s", restore->manage->store.path, endings[i]);
        unlink(to);
    }
    if (!snapshot_copy(from, to, false, text) || !snapshot_renew_ids(to, text)) {
        command_failed(restore->manage->invocation, "%s", text);
        return false;
    }
    files_join(from, restore->manage->invocation->operands[0], "posthorn.key");
    snprintf(to, sizeof to, "%s" STAGED, restore->key_path);
    unlink(to);
    if (!files_copy(from, to))
        return fail(restore, to);
    files_join(from, restore->manage->invocation->operands[0], "catalogue.json");
    files_join(to, restore->data, "catalogue.json" STAGED);
    unlink(to);
    return !files_exists(from) || files_copy(from, to) || fail(restore, to);
}

static bool set_mark(const struct restore *restore)
{
    char mark[MANAGE_PATH_LEN];
    files_join(mark, restore->data, SERVER_RESTORE_MARK);
    int fd = open(mark, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || close(fd) != 0 || !files_sync_folder(restore->data))
        return fail(restore, mark);
    return true;
}

/* Moves a former file to the folder `kept`; copies it if it `stays`. */
static bool put_one_aside(struct restore *restore, const char *from, const char *name, bool stays)
{
    char to[2 * MANAGE_PATH_LEN];
    if (!files_exists(from))
        return true;
    if (!restore->has_kept && mkdir(restore->kept, 0700) != 0)
        return fail(restore, restore->kept);
    restore->has_kept = true;
    snprintf(to, sizeof to, "%s/%s", restore->kept, name);
    if (!stays && rename(from, to) == 0)
        return true;
    if (!stays && errno != EXDEV) /* a key or a catalogue may be on another file system than the database */
        return fail(restore, from);
    unlink(to);
    return (files_copy(from, to) && (stays || unlink(from) == 0)) || fail(restore, from);
}

static bool put_aside(struct restore *restore)
{
    char from[MANAGE_PATH_LEN + sizeof "-wal"], name[sizeof "posthorn.db-wal"];
    for (int i = 0; i < ENDING_COUNT; i++) {
        snprintf(from, sizeof from, "%s%s", restore->manage->store.path, endings[i]);
        snprintf(name, sizeof name, "posthorn.db%s", endings[i]);
        if (!put_one_aside(restore, from, name, false))
            return false;
    }
    for (int i = 0; i < NAME_COUNT; i++) {
        files_join(from, restore->data, names[i]);
        if (!put_one_aside(restore, from, names[i], false))
            return false;
    }
    return !restore->manage->config.key_file ||
           put_one_aside(restore, restore->key_path, "posthorn.key", true);
}

static bool put_in_place(const struct restore *restore)
{
    char from[MANAGE_PATH_LEN + sizeof STAGED], to[MANAGE_PATH_LEN];
    snprintf(from, sizeof from, "%s" STAGED, restore->key_path);
    if (rename(from, restore->key_path) != 0)
        return fail(restore, restore->key_path);
    files_join(from, restore->data, "catalogue.json" STAGED);
    files_join(to, restore->data, "catalogue.json");
    if (files_exists(from) && rename(from, to) != 0)
        return fail(restore, to);
    const struct store_choice *store = &restore->manage->store;
    snprintf(from, sizeof from, "%s" STAGED, store->path);
    if (rename(from, store->path) != 0 || !files_sync_folder(store->folder) ||
        !files_sync_folder(restore->data))
        return fail(restore, store->path);
    files_join(to, restore->data, SERVER_RESTORE_MARK);
    return (unlink(to) == 0 && files_sync_folder(restore->data)) || fail(restore, to);
}

/* ---- the command ---- */

/* False: there is data, and --replace is missing. */
static bool may_replace(const struct restore *restore, bool replace)
{
    char path[MANAGE_PATH_LEN];
    files_join(path, restore->data, SERVER_RESTORE_MARK);
    if (replace || files_exists(path)) /* the mark: an interrupted restore continues */
        return true;
    const char *database = restore->manage->store.path;
    if (!files_exists(database) && !files_exists(restore->key_path))
        return true;
    command_failed(restore->manage->invocation,
                   "%s has data: --replace moves it to a folder before-restore-TIME",
                   restore->manage->config.store ? database : restore->data);
    return false;
}

static int put_back(const struct invocation *invocation, void *options)
{
    struct restore_options *given = options;
    struct manage *manage = &given->manage;
    struct restore restore = {.manage = manage, .data = manage->config.data};
    char time_text[32];
    time_t now = (time_t)(clock_wall_ms(&manage->options.clock) / 1000);
    struct tm parts;
    strftime(time_text, sizeof time_text, "%Y%m%dT%H%M%SZ", gmtime_r(&now, &parts));
    snprintf(restore.kept, sizeof restore.kept, "%s/before-restore-%s-%d", manage->store.folder, time_text,
             (int)getpid());
    server_key_path(&manage->config, restore.key_path);
    int verdict = verify(&restore);
    if (verdict != EXIT_DONE)
        return verdict;
    if (mkdir(restore.data, 0700) != 0 && errno != EEXIST)
        return command_failed(manage->invocation, "%s cannot be made: %s", restore.data, strerror(errno));
    int lock = files_lock_folder(manage->store.folder);
    if (lock < 0 && errno == EWOULDBLOCK) {
        command_failed(manage->invocation, "another posthorn is running on %s; stop it first",
                       manage->store.folder);
        return EXIT_LOCKED;
    }
    bool done = may_replace(&restore, given->replace) && stage(&restore) && set_mark(&restore) &&
                put_aside(&restore) && put_in_place(&restore);
    if (lock >= 0)
        close(lock);
    if (!done)
        return EXIT_FAILED;
    if (manage->invocation->json)
        printf("{\"events\":%lld,\"users\":%lld,\"deliveries_pending\":%lld}\n",
               (long long)restore.facts.events, (long long)restore.facts.users,
               (long long)restore.facts.deliveries_pending);
    else
        printf("%s: %lld events, %lld users, %lld waiting deliveries%s%s\n", restore.data,
               (long long)restore.facts.events, (long long)restore.facts.users,
               (long long)restore.facts.deliveries_pending,
               restore.has_kept ? "; the former data is in " : "", restore.has_kept ? restore.kept : "");
    return EXIT_DONE;
}

static const struct option_row rows[] = {{"replace", OPTION_FLAG, offsetof(struct restore_options, replace),
                                          "", NULL, "move existing data aside"}};

const struct command restore_command = {
    .name = "restore",
    .summary = "restore a backup",
    .details = details,
    .verbs = {{NULL, "DIR", put_back}},
    .rows = OPTION_TABLE(rows),
    .required = "--data DATA",
    MANAGE_COMMAND(struct restore_options, manage_run),
};
