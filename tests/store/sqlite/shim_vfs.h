/*
 * shim_vfs: an SQLite VFS over the usual one, with faults and power cuts. It becomes the default VFS, so
 * that the store under test needs no door for it.
 *
 *   faults      the n-th write (or sync, or read) of a kind of file fails, once or from then on
 *   power cuts  beside each file it keeps what a disk would have after a cut: what was synced, and of later
 *               writes any part, sector by sector
 */
#pragma once
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

enum shim_call { SHIM_WRITE, SHIM_SYNC, SHIM_READ };

struct shim_fault {
    enum shim_call call;
    int file; /* SQLITE_OPEN_MAIN_DB, SQLITE_OPEN_WAL; 0: any */
    int at;   /* fails when this many such calls were made; 0: never */
    int code; /* SQLITE_FULL, SQLITE_IOERR_WRITE, SQLITE_IOERR_FSYNC */
    bool lasting;
    bool fragile; /* a cut may spoil what stands beside a write; asked when a file is opened */
    int seen;     /* out: such calls */
    int failed;   /* out */
};

/* One at a time; `fault` is read and written at every call. */
void shim_install(struct shim_fault *fault, bool keep_images);
void shim_remove(void);
/* Writes the files as a power cut would leave them: the main file to `path`, the log to `path`-wal. */
void shim_cut(const char *path, uint64_t seed);
