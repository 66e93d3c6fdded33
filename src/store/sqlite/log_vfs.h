/*
 * log_vfs: an SQLite VFS that puts the writes to the log together. SQLite writes every frame of it with two
 * calls, the header's 24 bytes and the page; a call costs more than its bytes. Here they wait in a buffer, as
 * long as each begins where the one before ended, and go out in one piece before they are read, before the
 * log is asked for its size, truncated, synced or closed, or when the buffer is full.
 *
 * A checkpoint writes the database page by page, in their order. These writes are put together, too, unless a
 * reader holds the checkpoint up: then others read the pages before the database is synced.
 *
 * Reads in order, as for large documents, are made 64 KiB at a time. Whatever is written makes what was read
 * ahead forgotten, and so does each new transaction.
 *
 * What was taken is never dropped in silence: as long as the buffer cannot be written, each of these calls
 * fails with the error of the write, sync before all.
 *
 * Only for a connection with `synchronous = FULL`: it syncs each commit before it lets others see it.
 *
 * It stands on the VFS that is the default when the connection opens.
 */
#pragma once
#include <sqlite3.h>
#include <stdbool.h>

struct log_vfs {
    sqlite3_vfs vfs; /* of this connection alone */
    sqlite3_vfs *below;
    char name[32];
    struct log_vfs_file *log; /* NULL: not open */
};

/* sqlite3_open_v2. `log_vfs` must stay where it is until the connection is closed. */
int log_vfs_open(struct log_vfs *log_vfs, const char *path, int flags, sqlite3 **db);
