#include "log_vfs.h"
#include "memory.h"
#include "owner.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A new piece of a file costs a third of the CPU when it is not written page by page. SQLite's own VFS takes
 * less than 128 KiB at once. */
enum {
    BUFFER_LEN_MAX = 124 << 10,
    AHEAD_LEN_MAX = 64 << 10,
    FRAME_HEADER_LEN = 24,
    CHECKPOINT_LOCK = 1 /* of those that xShmLock takes: sqlite.org/walformat.html */
};

/* Behind the file of the VFS below, whose methods do all but what is here. */
struct log_vfs_file {
    sqlite3_io_methods methods; /* first: the way from the file to this */
    const sqlite3_io_methods *below;
    struct log_vfs *log_vfs;
    char *buffer;
    sqlite3_int64 offset; /* of the buffer in the file */
    int len, cap;         /* cap 0: nothing is gathered */
    bool failed;          /* the last time it was to be written */
    bool held_up;         /* a reader holds up this checkpoint */
    char *ahead;          /* what stands in the file behind the last read, if reads go on in order */
    sqlite3_int64 ahead_offset, read_end; /* where the last read ended */
    int ahead_len;                        /* 0: nothing is known */
};

static struct log_vfs_file *of(sqlite3_file *base)
{
    return OWNER_OF(base->pMethods, struct log_vfs_file, methods);
}

static int flush(sqlite3_file *base)
{
    struct log_vfs_file *file = of(base);
    if (file->len == 0)
        return SQLITE_OK;
    int rc = file->below->xWrite(base, file->buffer, file->len, file->offset);
    file->failed = rc != SQLITE_OK;
    if (!file->failed)
        file->len = 0;
    return rc;
}

static int log_vfs_write(sqlite3_file *base, const void *data, int len, sqlite3_int64 offset)
{
    struct log_vfs_file *file = of(base);
    file->ahead_len = 0;
    bool fits = offset == file->offset + file->len && len <= file->cap - file->len;
    if (!fits) {
        int rc = flush(base);
        if (rc != SQLITE_OK)
            return rc;
    }
    if (len > file->cap)
        return file->below->xWrite(base, data, len, offset);
    if (file->len == 0)
        file->offset = offset;
    memcpy(file->buffer + file->len, data, (size_t)len);
    file->len += len;
    return SQLITE_OK;
}

/* The pages of a large document are read one by one, in the order in which they stand here. False: it is as
 * well to read this alone. */
static bool read_ahead(sqlite3_file *base, int len, sqlite3_int64 offset)
{
    struct log_vfs_file *file = of(base);
    sqlite3_int64 size = 0;
    file->ahead_len = 0;
    if (file->below->xFileSize(base, &size) != SQLITE_OK)
        return false;
    if (file->len > 0 && offset < file->offset && size > file->offset)
        size = file->offset; /* what is behind that is about to change */
    int ahead = size - offset < AHEAD_LEN_MAX ? (int)(size - offset) : AHEAD_LEN_MAX;
    if (ahead < 2 * len || file->below->xRead(base, file->ahead, ahead, offset) != SQLITE_OK)
        return false;
    file->ahead_offset = offset;
    file->ahead_len = ahead;
    return true;
}

/* The rest can be read without it: on a full disk that is all that is committed. */
static int log_vfs_read(sqlite3_file *base, void *data, int len, sqlite3_int64 offset)
{
    struct log_vfs_file *file = of(base);
    bool apart = offset >= file->offset + file->len || offset + len <= file->offset;
    int rc = apart ? SQLITE_OK : flush(base);
    if (rc != SQLITE_OK)
        return rc;
    bool in_order = offset >= file->read_end && offset - file->read_end <= FRAME_HEADER_LEN;
    file->read_end = offset + len;
    bool known = offset >= file->ahead_offset && offset + len <= file->ahead_offset + file->ahead_len;
    if (!known && !(in_order && read_ahead(base, len, offset)))
        return file->below->xRead(base, data, len, offset);
    memcpy(data, file->ahead + (offset - file->ahead_offset), (size_t)len);
    return SQLITE_OK;
}

static int log_vfs_truncate(sqlite3_file *base, sqlite3_int64 size)
{
    of(base)->ahead_len = 0;
    int rc = flush(base);
    return rc == SQLITE_OK ? of(base)->below->xTruncate(base, size) : rc;
}

static int log_vfs_sync(sqlite3_file *base, int flags)
{
    int rc = flush(base);
    return rc == SQLITE_OK ? of(base)->below->xSync(base, flags) : rc;
}

static int log_vfs_size(sqlite3_file *base, sqlite3_int64 *size)
{
    int rc = flush(base);
    return rc == SQLITE_OK ? of(base)->below->xFileSize(base, size) : rc;
}

/* On a disk that has refused it before, nothing is tried again. */
static int log_vfs_close(sqlite3_file *base)
{
    struct log_vfs_file *file = of(base);
    int written = file->failed ? SQLITE_OK : flush(base);
    int rc = file->below->xClose(base);
    if (file->log_vfs->log == file)
        file->log_vfs->log = NULL;
    free(file->buffer);
    free(file->ahead);
    file->buffer = file->ahead = NULL;
    return written == SQLITE_OK ? rc : written;
}

/* ---- the database alone ---- */

/* A checkpoint that goes to the end of the log truncates and syncs the database, and hears there that a write
 * has failed. One that a reader holds up does neither before it lets others read what it has written. */
static int log_vfs_control(sqlite3_file *base, int op, void *argument)
{
    struct log_vfs_file *file = of(base);
    if (op == SQLITE_FCNTL_CKPT_START)
        file->cap = file->held_up ? 0 : BUFFER_LEN_MAX;
    else if (op == SQLITE_FCNTL_CKPT_DONE)
        file->cap = 0;
    return file->below->xFileControl(base, op, argument);
}

/* Before each transaction and each checkpoint: what others may have written since is not known. A checkpoint
 * learns from a lock that it does not get how far it may go. */
static int log_vfs_shm_lock(sqlite3_file *base, int offset, int count, int flags)
{
    struct log_vfs_file *file = of(base);
    int rc = file->below->xShmLock(base, offset, count, flags);
    if (!(flags & SQLITE_SHM_LOCK))
        return rc;
    file->ahead_len = 0;
    if (file->log_vfs->log)
        file->log_vfs->log->ahead_len = 0;
    if (flags & SQLITE_SHM_EXCLUSIVE)
        file->held_up =
            (file->held_up && !(offset == CHECKPOINT_LOCK && rc == SQLITE_OK)) || rc == SQLITE_BUSY;
    return rc;
}

/* ---- open ---- */

static sqlite3_int64 behind_file(const struct log_vfs *log_vfs)
{
    enum { ALIGNMENT = 16 };
    return (log_vfs->below->szOsFile + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static int log_vfs_open_file(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *base, int flags, int *out)
{
    struct log_vfs *log_vfs = OWNER_OF(vfs, struct log_vfs, vfs);
    struct log_vfs_file *file = (void *)((char *)base + behind_file(log_vfs));
    int rc = log_vfs->below->xOpen(log_vfs->below, name, base, flags, out);
    if (rc != SQLITE_OK || !(flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_DB)))
        return rc; /* as if this were not here */
    *file = (struct log_vfs_file){.methods = *base->pMethods, .below = base->pMethods, .log_vfs = log_vfs};
    file->methods.xClose = log_vfs_close;
    file->methods.xRead = log_vfs_read;
    file->methods.xWrite = log_vfs_write;
    file->methods.xTruncate = log_vfs_truncate;
    file->methods.xSync = log_vfs_sync;
    file->methods.xFileSize = log_vfs_size;
    /* Without this promise SQLite fills up the sector of a commit, and goes on writing behind its sync. */
    bool sound = file->below->xDeviceCharacteristics(base) & SQLITE_IOCAP_POWERSAFE_OVERWRITE;
    if (flags & SQLITE_OPEN_MAIN_DB) {
        file->methods.xFileControl = log_vfs_control;
        file->methods.xShmLock = log_vfs_shm_lock;
    } else {
        file->cap = sound ? BUFFER_LEN_MAX : 0;
        log_vfs->log = file;
    }
    file->buffer = memory_alloc(BUFFER_LEN_MAX);
    file->ahead = memory_alloc(AHEAD_LEN_MAX);
    base->pMethods = &file->methods;
    return SQLITE_OK;
}

int log_vfs_open(struct log_vfs *log_vfs, const char *path, int flags, sqlite3 **db)
{
    sqlite3_initialize();
    log_vfs->below = sqlite3_vfs_find(NULL);
    log_vfs->vfs = *log_vfs->below;
    log_vfs->vfs.pNext = NULL;
    log_vfs->vfs.zName = log_vfs->name;
    log_vfs->vfs.szOsFile = (int)(behind_file(log_vfs) + (sqlite3_int64)sizeof(struct log_vfs_file));
    log_vfs->log = NULL;
    log_vfs->vfs.xOpen = log_vfs_open_file;
    snprintf(log_vfs->name, sizeof log_vfs->name, "log_vfs-%p", (void *)log_vfs);
    /* The list of names is the process's. Once the connection is open, it needs it no more. */
    int rc = sqlite3_vfs_register(&log_vfs->vfs, 0);
    if (rc != SQLITE_OK)
        return rc;
    rc = sqlite3_open_v2(path, db, flags, log_vfs->name);
    sqlite3_vfs_unregister(&log_vfs->vfs);
    return rc;
}
