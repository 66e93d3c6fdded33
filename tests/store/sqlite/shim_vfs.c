#include "shim_vfs.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SECTOR = 512, IMAGES = 2 };

/* A write that no sync has confirmed yet. */
struct pending {
    struct pending *next;
    sqlite3_int64 offset; /* -1: a truncation to `len` */
    sqlite3_int64 len;
    char data[];
};

struct image {
    int file; /* SQLITE_OPEN_MAIN_DB or _WAL */
    char *data;
    sqlite3_int64 len, cap;
    struct pending *first, **end;
};

struct shim_file {
    sqlite3_file base;
    struct image *image; /* NULL: not kept */
    int file;
    sqlite3_file *real; /* behind this struct */
};

/* A VFS is process-wide in SQLite, so this is too. */
static struct {
    sqlite3_vfs vfs, *real;
    sqlite3_io_methods methods;
    struct shim_fault *fault;
    bool keep_images;
    struct image images[IMAGES];
} shim;

static struct shim_file *of(sqlite3_file *file)
{
    return (struct shim_file *)(void *)file;
}

/* ---- faults ---- */

static int fail(const struct shim_file *file, enum shim_call call)
{
    struct shim_fault *fault = shim.fault;
    if (!fault || fault->call != call || (fault->file && fault->file != file->file))
        return SQLITE_OK;
    fault->seen++;
    if (fault->at == 0 || fault->seen < fault->at || (fault->seen > fault->at && !fault->lasting))
        return SQLITE_OK;
    fault->failed++;
    return fault->code;
}

/* ---- images ---- */

static void image_write(struct image *image, sqlite3_int64 offset, const char *data, sqlite3_int64 len)
{
    if (offset + len > image->cap) {
        image->cap = 2 * (offset + len);
        image->data = realloc(image->data, (size_t)image->cap);
        assert(image->data);
    }
    if (offset > image->len)
        memset(image->data + image->len, 0, (size_t)(offset - image->len));
    memcpy(image->data + offset, data, (size_t)len);
    if (offset + len > image->len)
        image->len = offset + len;
}

static void pend(struct image *image, sqlite3_int64 offset, const void *data, sqlite3_int64 len)
{
    size_t bytes = offset < 0 ? 0 : (size_t)len;
    struct pending *write = malloc(sizeof *write + bytes);
    assert(write);
    *write = (struct pending){.offset = offset, .len = len};
    memcpy(write->data, bytes ? data : "", bytes);
    *image->end = write;
    image->end = &write->next;
}

static uint64_t mix(uint64_t *random)
{
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return *random;
}

/* random NULL: all of it, as after a sync. Else any of the sectors. */
static void settle(struct image *image, uint64_t *random)
{
    for (struct pending *write; (write = image->first);) {
        image->first = write->next;
        if (write->offset < 0) {
            if (write->len < image->len && (!random || mix(random) & 1))
                image->len = write->len;
        } else {
            for (sqlite3_int64 at = 0; at < write->len; at += SECTOR) {
                sqlite3_int64 piece = write->len - at < SECTOR ? write->len - at : SECTOR;
                if (!random || mix(random) & 1)
                    image_write(image, write->offset + at, write->data + at, piece);
            }
        }
        free(write);
    }
    image->end = &image->first;
}

void shim_cut(const char *path, uint64_t seed)
{
    uint64_t random = seed * 0x9E3779B97F4A7C15u + 1;
    for (int i = 0; i < IMAGES; i++) {
        struct image *image = &shim.images[i];
        char name[256];
        snprintf(name, sizeof name, "%s%s", path, image->file == SQLITE_OPEN_WAL ? "-wal" : "");
        settle(image, &random);
        FILE *file = fopen(name, "w");
        assert(file);
        size_t written = fwrite(image->data ? image->data : "", 1, (size_t)image->len, file);
        assert(written == (size_t)image->len);
        fclose(file);
    }
}

/* ---- the methods of a file ---- */

static int shim_close(sqlite3_file *file)
{
    return of(file)->real->pMethods->xClose(of(file)->real);
}

static int shim_read(sqlite3_file *file, void *data, int len, sqlite3_int64 offset)
{
    int rc = fail(of(file), SHIM_READ);
    return rc != SQLITE_OK ? rc : of(file)->real->pMethods->xRead(of(file)->real, data, len, offset);
}

static int shim_write(sqlite3_file *file, const void *data, int len, sqlite3_int64 offset)
{
    int rc = fail(of(file), SHIM_WRITE);
    if (rc != SQLITE_OK)
        return rc;
    rc = of(file)->real->pMethods->xWrite(of(file)->real, data, len, offset);
    if (rc == SQLITE_OK && of(file)->image)
        pend(of(file)->image, offset, data, len);
    return rc;
}

static int shim_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    if (of(file)->image)
        pend(of(file)->image, -1, NULL, size);
    return of(file)->real->pMethods->xTruncate(of(file)->real, size);
}

static int shim_sync(sqlite3_file *file, int flags)
{
    int rc = fail(of(file), SHIM_SYNC);
    if (rc != SQLITE_OK)
        return rc;
    if (of(file)->image)
        settle(of(file)->image, NULL);
    /* Nothing is lost here in earnest, so there is no need to wait for the disk. */
    return SQLITE_OK;
}

static int shim_size(sqlite3_file *file, sqlite3_int64 *size)
{
    return of(file)->real->pMethods->xFileSize(of(file)->real, size);
}

static int shim_lock(sqlite3_file *file, int lock)
{
    return of(file)->real->pMethods->xLock(of(file)->real, lock);
}

static int shim_unlock(sqlite3_file *file, int lock)
{
    return of(file)->real->pMethods->xUnlock(of(file)->real, lock);
}

static int shim_reserved(sqlite3_file *file, int *result)
{
    return of(file)->real->pMethods->xCheckReservedLock(of(file)->real, result);
}

static int shim_control(sqlite3_file *file, int op, void *argument)
{
    return of(file)->real->pMethods->xFileControl(of(file)->real, op, argument);
}

static int shim_sector(sqlite3_file *file)
{
    return SECTOR;
}

static int shim_traits(sqlite3_file *file)
{
    /* As the usual one says: a cut spoils no byte beside those that were being written. */
    return shim.fault->fragile ? 0 : SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static int shim_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **at)
{
    return of(file)->real->pMethods->xShmMap(of(file)->real, page, size, extend, at);
}

static int shim_shm_lock(sqlite3_file *file, int offset, int n, int flags)
{
    return of(file)->real->pMethods->xShmLock(of(file)->real, offset, n, flags);
}

static void shim_shm_barrier(sqlite3_file *file)
{
    of(file)->real->pMethods->xShmBarrier(of(file)->real);
}

static int shim_shm_unmap(sqlite3_file *file, int remove)
{
    return of(file)->real->pMethods->xShmUnmap(of(file)->real, remove);
}

static int shim_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *file, int flags, int *out)
{
    struct shim_file *shim_file = of(file);
    memset(shim_file, 0, sizeof *shim_file);
    shim_file->real = (sqlite3_file *)(void *)(shim_file + 1);
    shim_file->file = flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL);
    int rc = shim.real->xOpen(shim.real, name, shim_file->real, flags, out);
    if (rc != SQLITE_OK)
        return rc;
    for (int i = 0; i < IMAGES && shim.keep_images; i++)
        if (shim.images[i].file == shim_file->file)
            shim_file->image = &shim.images[i];
    file->pMethods = &shim.methods;
    return SQLITE_OK;
}

void shim_install(struct shim_fault *fault, bool keep_images)
{
    shim.real = sqlite3_vfs_find("unix");
    shim.vfs = *shim.real;
    shim.vfs.zName = "shim";
    shim.vfs.szOsFile += (int)sizeof(struct shim_file);
    shim.vfs.xOpen = shim_open;
    shim.methods = (sqlite3_io_methods){.iVersion = 2,
                                        .xClose = shim_close,
                                        .xRead = shim_read,
                                        .xWrite = shim_write,
                                        .xTruncate = shim_truncate,
                                        .xSync = shim_sync,
                                        .xFileSize = shim_size,
                                        .xLock = shim_lock,
                                        .xUnlock = shim_unlock,
                                        .xCheckReservedLock = shim_reserved,
                                        .xFileControl = shim_control,
                                        .xSectorSize = shim_sector,
                                        .xDeviceCharacteristics = shim_traits,
                                        .xShmMap = shim_shm_map,
                                        .xShmLock = shim_shm_lock,
                                        .xShmBarrier = shim_shm_barrier,
                                        .xShmUnmap = shim_shm_unmap};
    shim.fault = fault;
    shim.keep_images = keep_images;
    for (int i = 0; i < IMAGES; i++) {
        shim.images[i] = (struct image){.file = i ? SQLITE_OPEN_WAL : SQLITE_OPEN_MAIN_DB};
        shim.images[i].end = &shim.images[i].first;
    }
    int rc = sqlite3_vfs_register(&shim.vfs, 1);
    assert(rc == SQLITE_OK);
}

void shim_remove(void)
{
    sqlite3_vfs_unregister(&shim.vfs);
    sqlite3_vfs_register(shim.real, 1);
    for (int i = 0; i < IMAGES; i++) {
        settle(&shim.images[i], NULL);
        free(shim.images[i].data);
    }
}
