/*
 * log_vfs: an SQLite VFS that joins the writes to the log. SQLite writes each frame with two calls, for the
 * header of 24 bytes and for the page, and a call costs more than its bytes. Here writes wait in a buffer
 * while each begins where the last one ended. They are written in one piece when the buffer is full, and
 * before they are read or the log is sized, truncated, synced or closed.
 *
 * A checkpoint writes the database page by page, in order. These writes are joined too, unless a reader
 * delays the checkpoint: then others read the pages before the database is synced.
 *
 * Sequential reads, as of large documents, read 64 KiB at a time. Each write and each new transaction drops
 * the bytes that were read in advance.
 *
 * Accepted bytes are never dropped silently: while the buffer cannot be written, each of these calls fails
 * with the error of the write, sync included.
 *
 * Only for a connection with `synchronous = FULL`, which syncs each commit before others see it. It uses
 * the VFS that is the default when the connection opens.
 */
#pragma once
#include <sqlite3.h>
#include <stdbool.h>

struct log_vfs {
    sqlite3_vfs vfs; /* of this connection only */
    sqlite3_vfs *below;
    char name[32];
    struct log_vfs_file *log; /* NULL: not open */
};

/* As sqlite3_open_v2. Do not move `log_vfs` before the connection is closed. */
int log_vfs_open(struct log_vfs *log_vfs, const char *path, int flags, sqlite3 **db);
