/*
 * work: events in work. The marker ID.work has the content of the event's file, so that completing it is one
 * rename. Its lock, not its existence, shows that a process works on it: a crash leaves no lock.
 *
 * After a process gets the lock, the name may mean another file, because the former holder renamed or removed
 * it meanwhile. Then it starts again.
 */
#include "event.h"
#include "layout.h"
#include "store_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MARKER_LEN_MAX = PH_ID_LEN_MAX + 5, TRIES = 16 };

static const char marker_suffix[] = ".work";

struct posthorn_work {
    struct posthorn_store *store;
    struct ph_put put;
    char marker[MARKER_LEN_MAX + 1];
    int fd; /* of the marker, locked */
};

/* ---- the marker ---------------------------------------------------------------------------------------- */

static bool is_still(const struct posthorn_store *store, const char *marker, const struct stat *opened)
{
    struct stat named;

    return fstatat(store->folder, marker, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
           named.st_ino == opened->st_ino && named.st_dev == opened->st_dev;
}

static enum posthorn_result could_not_open(void)
{
    return errno == ELOOP || errno == ENXIO || errno == ENODEV || errno == EISDIR ? POSTHORN_UNSAFE
                                                                                  : POSTHORN_IO;
}

/* One try. A second link could be a file outside the folder. *again: the name means another file now. */
static enum posthorn_result lock_once(const struct posthorn_store *store, const char *marker, int fd,
                                      bool *again)
{
    struct stat opened;

    if (fstat(fd, &opened) != 0)
        return POSTHORN_IO;
    if (!S_ISREG(opened.st_mode) || opened.st_nlink > 1)
        return POSTHORN_UNSAFE;
    if (flock(fd, LOCK_EX | LOCK_NB) != 0)
        return errno == EWOULDBLOCK ? POSTHORN_IN_WORK : POSTHORN_IO;
    *again = !is_still(store, marker, &opened);
    return *again ? POSTHORN_IN_WORK : POSTHORN_OK;
}

/* OK: *out is the locked marker; with O_CREAT in `flags`, it is made if absent. */
static enum posthorn_result lock_marker(const struct posthorn_store *store, const char *marker, int flags,
                                        int *out)
{
    enum posthorn_result result = POSTHORN_IN_WORK;
    bool again = true;

    for (int i = 0; again && i < TRIES; i++) {
        again = false;
        int fd = openat(store->folder, marker, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | flags, 0600);
        if (fd < 0)
            return could_not_open();
        result = lock_once(store, marker, fd, &again);
        if (result == POSTHORN_OK) {
            *out = fd;
            return POSTHORN_OK;
        }
        int error = errno;
        close(fd);
        errno = error;
    }
    return result;
}

/* Removes it before the unlock, so that a waiting process finds that the name is gone. */
static void drop_marker(const struct posthorn_store *store, const char *marker, int fd)
{
    int error = errno;

    unlinkat(store->folder, marker, 0);
    close(fd);
    errno = error;
}

/* Overwrites the rest that a crash may have left in the marker. */
static enum posthorn_result fill_marker(const struct posthorn_work *work)
{
    bool filled = ftruncate(work->fd, 0) == 0 && ph_write_all(work->fd, work->put.content) &&
                  fsync(work->fd) == 0 && fsync(work->store->folder) == 0;
    return filled ? POSTHORN_OK : POSTHORN_IO;
}

/* ---- work ---------------------------------------------------------------------------------------------- */

/* The event may have been stored between the first look and the lock; under the lock it cannot be. */
static enum posthorn_result look_again(struct posthorn_work *work)
{
    pthread_mutex_lock(&work->store->mutex);
    enum posthorn_result result = ph_store_look(work->store, &work->put);
    pthread_mutex_unlock(&work->store->mutex);
    return result == POSTHORN_OK && work->put.conflict ? POSTHORN_CONFLICT : result;
}

static enum posthorn_result begin(struct posthorn_work *work, const struct posthorn_event *event)
{
    enum posthorn_result result = ph_store_begin(work->store, event, &work->put);

    if (result == POSTHORN_OK && work->put.conflict)
        result = POSTHORN_CONFLICT;
    if (result != POSTHORN_OK)
        return result;
    snprintf(work->marker, sizeof work->marker, "%s%s", work->put.id, marker_suffix);
    result = lock_marker(work->store, work->marker, O_CREAT, &work->fd);
    if (result != POSTHORN_OK)
        return result;
    result = look_again(work);
    if (result == POSTHORN_OK)
        result = fill_marker(work);
    if (result != POSTHORN_OK)
        drop_marker(work->store, work->marker, work->fd);
    return result;
}

enum posthorn_result posthorn_work_begin(struct posthorn_store *store, const struct posthorn_event *event,
                                         struct posthorn_work **out)
{
    struct posthorn_work *work = calloc(1, sizeof *work);

    *out = NULL;
    if (!work)
        return POSTHORN_NO_MEMORY;
    work->store = store;
    enum posthorn_result result = begin(work, event);
    if (result == POSTHORN_OK) {
        *out = work;
        return result;
    }
    int error = errno;
    free(work);
    errno = error;
    return result;
}

enum posthorn_result posthorn_work_done(struct posthorn_work *work, char name[POSTHORN_NAME_LEN_MAX + 1])
{
    enum posthorn_result result = ph_store_settle(work->store, &work->put, work->marker);
    int error = errno;

    if (name)
        memcpy(name, work->put.name, sizeof work->put.name);
    close(work->fd);
    free(work);
    errno = error;
    return result;
}

void posthorn_work_fail(struct posthorn_work *work)
{
    drop_marker(work->store, work->marker, work->fd);
    free(work);
}

/* ---- with a dispatcher --------------------------------------------------------------------------------- */

enum posthorn_result posthorn_handle(const struct posthorn_dispatcher *dispatcher,
                                     struct posthorn_store *store, const struct posthorn_event *event,
                                     char name[POSTHORN_NAME_LEN_MAX + 1])
{
    struct posthorn_work *work;
    void *handler_ctx;
    posthorn_handler *handler = ph_dispatcher_find(dispatcher, event, &handler_ctx);

    if (!handler)
        return posthorn_store_put(store, event, name);
    enum posthorn_result result = posthorn_work_begin(store, event, &work);
    if (result == POSTHORN_DUPLICATE || result == POSTHORN_CONFLICT)
        return posthorn_store_put(store, event, name); /* it has the result and keeps a conflict */
    if (result != POSTHORN_OK)
        return result;
    result = handler(handler_ctx, event);
    if (result == POSTHORN_OK)
        return posthorn_work_done(work, name);
    int error = errno; /* the handler's, for its caller */
    posthorn_work_fail(work);
    errno = error;
    return result;
}

/* ---- after a crash ------------------------------------------------------------------------------------- */

static bool is_marker(const char *name)
{
    size_t len = strlen(name), suffix = sizeof marker_suffix - 1;

    return name[0] != '.' && len > suffix && len <= MARKER_LEN_MAX &&
           strcmp(name + len - suffix, marker_suffix) == 0;
}

static char *read_whole(int fd, size_t *len)
{
    struct stat status;

    *len = 0;
    if (fstat(fd, &status) != 0 || status.st_size > PH_LAYOUT_LEN_MAX)
        return NULL;
    char *content = malloc((size_t)status.st_size + 1);
    for (ssize_t got; content && *len < (size_t)status.st_size; *len += (size_t)got)
        if ((got = pread(fd, content + *len, (size_t)status.st_size - *len, (off_t)*len)) <= 0)
            break;
    return content;
}

/* NULL: another process works on it, or it is incomplete, so that no handler ever got it. */
static struct posthorn_event *read_marker(const struct posthorn_store *store, const char *marker)
{
    struct posthorn_event *event = NULL;
    size_t len;
    int fd;

    if (lock_marker(store, marker, 0, &fd) != POSTHORN_OK)
        return NULL;
    char *content = read_whole(fd, &len);
    if (content)
        ph_event_take(content, len, &event, NULL);
    close(fd);
    return event;
}

/* Removes a marker that is no longer needed: it is incomplete, or its event is stored. */
static void sweep_marker(const struct posthorn_store *store, const char *marker)
{
    int fd;

    if (lock_marker(store, marker, 0, &fd) == POSTHORN_OK)
        drop_marker(store, marker, fd);
}

enum posthorn_result posthorn_resume(const struct posthorn_dispatcher *dispatcher,
                                     struct posthorn_store *store, posthorn_resumed *each, void *ctx)
{
    DIR *entries = ph_store_list(store);
    bool more = true;

    if (!entries)
        return POSTHORN_IO;
    for (struct dirent *entry; more && (entry = readdir(entries));) {
        char name[POSTHORN_NAME_LEN_MAX + 1] = "";
        if (!is_marker(entry->d_name))
            continue;
        struct posthorn_event *event = read_marker(store, entry->d_name);
        enum posthorn_result result = POSTHORN_OK;
        if (event)
            result = posthorn_handle(dispatcher, store, event, name);
        if (event && result != POSTHORN_IN_WORK && each)
            more = each(ctx, event, result, name);
        posthorn_event_free(event);
        if (result == POSTHORN_OK || result == POSTHORN_DUPLICATE || result == POSTHORN_CONFLICT)
            sweep_marker(store, entry->d_name);
    }
    closedir(entries);
    return POSTHORN_OK;
}
