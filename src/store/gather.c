#include "gather.h"
#include "memory.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A batch of 64 events is about 100 KiB of log; twice the buffer saved nothing measurable. */
enum { BUFFER_LEN_MAX = 64 << 10, AHEAD_LEN_MAX = 64 << 10, FRAME_HEADER_LEN = 24 };

struct gather_file {
    sqlite3_file base;
    sqlite3_file *below; /* behind this struct */
    char *buffer;
    sqlite3_int64 offset; /* of the buffer in the file */
    int len, cap;         /* cap 0: nothing is gathered */
    bool failed;          /* the last time it was to be written */
    char *ahead;          /* what stands in the file behind the last read, if reads go on in order */
    sqlite3_int64 ahead_offset, read_end; /* where the last read ended */
    int ahead_len;                        /* 0: nothing is known */
};

static struct gather_file *of(sqlite3_file *file)
{
    return (struct gather_file *)(void *)file;
}

static int flush(struct gather_file *file)
{
    if (file->len == 0)
        return SQLITE_OK;
    int rc = file->below->pMethods->xWrite(file->below, file->buffer, file->len, file->offset);
    file->failed = rc != SQLITE_OK;
    if (!file->failed)
        file->len = 0;
    return rc;
}

static int gather_write(sqlite3_file *base, const void *data, int len, sqlite3_int64 offset)
{
    struct gather_file *file = of(base);
    file->ahead_len = 0;
    bool fits = offset == file->offset + file->len && len <= file->cap - file->len;
    if (!fits) {
        int rc = flush(file);
        if (rc != SQLITE_OK)
            return rc;
    }
    if (len > file->cap)
        return file->below->pMethods->xWrite(file->below, data, len, offset);
    if (file->len == 0)
        file->offset = offset;
    memcpy(file->buffer + file->len, data, (size_t)len);
    file->len += len;
    return SQLITE_OK;
}

/* A checkpoint reads a large document page by page, in the order in which they stand here. False: it is as
 * well to read this alone. */
static bool read_ahead(struct gather_file *file, int len, sqlite3_int64 offset)
{
    sqlite3_int64 size = 0;
    file->ahead_len = 0;
    if (file->below->pMethods->xFileSize(file->below, &size) != SQLITE_OK)
        return false;
    if (file->len > 0 && size > file->offset)
        size = file->offset; /* what is behind that is about to change */
    int ahead = size - offset < AHEAD_LEN_MAX ? (int)(size - offset) : AHEAD_LEN_MAX;
    if (ahead < 2 * len || file->below->pMethods->xRead(file->below, file->ahead, ahead, offset) != SQLITE_OK)
        return false;
    file->ahead_offset = offset;
    file->ahead_len = ahead;
    return true;
}

/* What stands elsewhere can be read without it: on a full disk that is all that is committed. */
static int gather_read(sqlite3_file *base, void *data, int len, sqlite3_int64 offset)
{
    struct gather_file *file = of(base);
    bool apart = offset >= file->offset + file->len || offset + len <= file->offset;
    int rc = apart ? SQLITE_OK : flush(file);
    if (rc != SQLITE_OK)
        return rc;
    bool in_order = offset >= file->read_end && offset - file->read_end <= FRAME_HEADER_LEN;
    file->read_end = offset + len;
    bool known = offset >= file->ahead_offset && offset + len <= file->ahead_offset + file->ahead_len;
    if (!known && !(in_order && read_ahead(file, len, offset)))
        return file->below->pMethods->xRead(file->below, data, len, offset);
    memcpy(data, file->ahead + (offset - file->ahead_offset), (size_t)len);
    return SQLITE_OK;
}

static int gather_truncate(sqlite3_file *base, sqlite3_int64 size)
{
    struct gather_file *file = of(base);
    file->ahead_len = 0;
    int rc = flush(file);
    return rc == SQLITE_OK ? file->below->pMethods->xTruncate(file->below, size) : rc;
}

static int gather_sync(sqlite3_file *base, int flags)
{
    struct gather_file *file = of(base);
    int rc = flush(file);
    return rc == SQLITE_OK ? file->below->pMethods->xSync(file->below, flags) : rc;
}

static int gather_size(sqlite3_file *base, sqlite3_int64 *size)
{
    struct gather_file *file = of(base);
    int rc = flush(file);
    return rc == SQLITE_OK ? file->below->pMethods->xFileSize(file->below, size) : rc;
}

/* On a disk that has refused it before, nothing is tried again. */
static int gather_close(sqlite3_file *base)
{
    struct gather_file *file = of(base);
    int written = file->failed ? SQLITE_OK : flush(file);
    int rc = file->below->pMethods->xClose(file->below);
    free(file->buffer);
    free(file->ahead);
    file->buffer = file->ahead = NULL;
    return written == SQLITE_OK ? rc : written;
}

/* ---- handed on ---- */

static int gather_lock(sqlite3_file *file, int lock)
{
    return of(file)->below->pMethods->xLock(of(file)->below, lock);
}

static int gather_unlock(sqlite3_file *file, int lock)
{
    return of(file)->below->pMethods->xUnlock(of(file)->below, lock);
}

static int gather_reserved(sqlite3_file *file, int *result)
{
    return of(file)->below->pMethods->xCheckReservedLock(of(file)->below, result);
}

static int gather_control(sqlite3_file *file, int op, void *argument)
{
    return of(file)->below->pMethods->xFileControl(of(file)->below, op, argument);
}

static int gather_sector(sqlite3_file *file)
{
    return of(file)->below->pMethods->xSectorSize(of(file)->below);
}

static int gather_traits(sqlite3_file *file)
{
    return of(file)->below->pMethods->xDeviceCharacteristics(of(file)->below);
}

/* Version 1: of a log SQLite asks no more. */
static const sqlite3_io_methods methods = {.iVersion = 1,
                                           .xClose = gather_close,
                                           .xRead = gather_read,
                                           .xWrite = gather_write,
                                           .xTruncate = gather_truncate,
                                           .xSync = gather_sync,
                                           .xFileSize = gather_size,
                                           .xLock = gather_lock,
                                           .xUnlock = gather_unlock,
                                           .xCheckReservedLock = gather_reserved,
                                           .xFileControl = gather_control,
                                           .xSectorSize = gather_sector,
                                           .xDeviceCharacteristics = gather_traits};

/* ---- open ---- */

static int gather_open_file(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *base, int flags, int *out)
{
    sqlite3_vfs *below = ((struct gather *)(void *)vfs)->below;
    if (!(flags & SQLITE_OPEN_WAL))
        return below->xOpen(below, name, base, flags, out); /* as if this were not here */
    struct gather_file *file = of(base);
    *file = (struct gather_file){.below = (sqlite3_file *)(void *)(file + 1)};
    memset(file->below, 0, (size_t)below->szOsFile);
    int rc = below->xOpen(below, name, file->below, flags, out);
    if (rc != SQLITE_OK) {
        if (file->below->pMethods)
            file->below->pMethods->xClose(file->below);
        return rc; /* without methods of its own it is not closed */
    }
    /* Without this promise SQLite fills up the sector of a commit, and goes on writing behind its sync. */
    int traits = file->below->pMethods->xDeviceCharacteristics(file->below);
    if (traits & SQLITE_IOCAP_POWERSAFE_OVERWRITE)
        file->cap = BUFFER_LEN_MAX;
    file->buffer = memory_alloc(BUFFER_LEN_MAX);
    file->ahead = memory_alloc(AHEAD_LEN_MAX);
    base->pMethods = &methods;
    return SQLITE_OK;
}

int gather_open(struct gather *gather, const char *path, int flags, sqlite3 **db)
{
    sqlite3_initialize();
    gather->below = sqlite3_vfs_find(NULL);
    gather->vfs = *gather->below;
    gather->vfs.pNext = NULL;
    gather->vfs.zName = gather->name;
    gather->vfs.szOsFile += (int)sizeof(struct gather_file);
    gather->vfs.xOpen = gather_open_file;
    snprintf(gather->name, sizeof gather->name, "gather-%p", (void *)gather);
    /* The list of names is the process's. Once the connection is open, it needs it no more. */
    int rc = sqlite3_vfs_register(&gather->vfs, 0);
    if (rc != SQLITE_OK)
        return rc;
    rc = sqlite3_open_v2(path, db, flags, gather->name);
    sqlite3_vfs_unregister(&gather->vfs);
    return rc;
}
