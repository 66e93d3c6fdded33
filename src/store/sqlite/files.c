/*
 * The files below the store: the lock that keeps a second server out, who else may read them, and whether
 * they are what they should be. All of it before SQLite opens anything.
 */
#include "sqlite_parts.h"
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_LEN_MAX = 4096, OTHERS_MODE = 077 };

enum store_status sqlite_refuse(struct store *store, const char *format, ...)
{
    char text[STORE_REFUSAL_LEN];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (store->config.refusal)
        snprintf(store->config.refusal, STORE_REFUSAL_LEN, "%s", text);
    log_write(store->config.log, LOG_LEVEL_ERROR, "store", "%s path=%s", text, store->path);
    return STORE_REFUSED;
}

/* The kernel frees a lock of flock(2) with the process, however it ends; and SQLite's own locks, which are
 * those of fcntl(2), do not see it. */
static enum store_status take_lock(struct store *store, int fd, bool needed)
{
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return STORE_OK;
    if (errno == EWOULDBLOCK)
        return STORE_LOCKED;
    return needed ? sqlite_refuse(store, "the database cannot be locked: %s", strerror(errno)) : STORE_OK;
}

static enum store_status lock_folder(struct store *store)
{
    char folder[PATH_LEN_MAX];
    snprintf(folder, sizeof folder, "%s", store->path);
    char *slash = strrchr(folder, '/');
    if (slash)
        slash[slash == folder] = '\0';
    store->folder_fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (store->folder_fd < 0)
        return sqlite_refuse(store, "the folder of the database cannot be opened: %s", strerror(errno));
    return take_lock(store, store->folder_fd, false); /* some file systems lock no folders */
}

/* SQLite throws the log of an empty database away. It is all that is left of what was there. */
static bool log_is_orphaned(const char *path)
{
    char log[PATH_LEN_MAX];
    struct stat about;
    snprintf(log, sizeof log, "%s-wal", path);
    bool has_log = stat(log, &about) == 0 && about.st_size > 0;
    return has_log && (stat(path, &about) != 0 || about.st_size == 0);
}

/* SQLite would call any trouble with them a disk that fails. */
static bool is_file_or_none(const struct store *store, const char *suffix)
{
    char path[PATH_LEN_MAX];
    struct stat about;
    snprintf(path, sizeof path, "%s%s", store->path, suffix);
    return lstat(path, &about) != 0 || S_ISREG(about.st_mode);
}

/* Made here rather than by SQLite, which would make it readable by others. The log takes over its mode. It
 * stays open as long as SQLite has it: to close it would free SQLite's locks. */
static enum store_status open_file(struct store *store)
{
    struct stat about;
    if (log_is_orphaned(store->path))
        return sqlite_refuse(store, "the database is missing or empty, but its log (-wal) exists: put the "
                                    "database back, or restore a backup");
    if (!is_file_or_none(store, "-wal") || !is_file_or_none(store, "-shm"))
        return sqlite_refuse(store, "the database's log (-wal) or its index (-shm) is not a regular file");
    store->file_fd = open(store->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (store->file_fd < 0 && errno == ELOOP)
        return sqlite_refuse(store, "the database is a symbolic link: use the folder that it points into");
    if (store->file_fd < 0)
        return sqlite_refuse(store, "the database cannot be opened: %s", strerror(errno));
    if (fstat(store->file_fd, &about) != 0 || !S_ISREG(about.st_mode))
        return sqlite_refuse(store, "the database is not a regular file");
    return take_lock(store, store->file_fd, true);
}

static void tighten(const struct store *store, const char *suffix)
{
    char path[PATH_LEN_MAX];
    struct stat about;
    snprintf(path, sizeof path, "%s%s", store->path, suffix);
    if (lstat(path, &about) != 0 || !S_ISREG(about.st_mode) || !(about.st_mode & OTHERS_MODE))
        return;
    bool done = chmod(path, about.st_mode & ~(mode_t)OTHERS_MODE & 07777) == 0;
    log_write(store->config.log, LOG_LEVEL_WARN, "store",
              done ? "others could read the database until now: its mode was %03o and is %03o now path=%s"
                   : "others can read the database: its mode is %03o, set it to %03o path=%s",
              (unsigned)about.st_mode & 0777, (unsigned)about.st_mode & 0700, path);
}

enum store_status sqlite_files_open(struct store *store)
{
    if (strlen(store->path) + sizeof "-wal" > PATH_LEN_MAX)
        return sqlite_refuse(store, "the path is too long");
    enum store_status status = lock_folder(store);
    if (status == STORE_OK)
        status = open_file(store);
    if (status != STORE_OK)
        return status;
    tighten(store, "");
    tighten(store, "-wal");
    tighten(store, "-shm");
    return STORE_OK;
}

void sqlite_files_close(struct store *store)
{
    if (store->file_fd >= 0)
        close(store->file_fd);
    if (store->folder_fd >= 0)
        close(store->folder_fd);
}
