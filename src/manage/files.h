/* files: copies small files, locks and syncs folders; for backup and restore. */
#pragma once
#include <stdbool.h>

bool files_exists(const char *path);
/* Copies a regular file of at most 16 MiB to a new file with mode 0600, and syncs it. False: see errno. */
bool files_copy(const char *from, const char *to);
bool files_sync_folder(const char *path);
/* Takes the lock that a server holds on its folder, until the descriptor is closed. -1: see errno;
 * EWOULDBLOCK: another process holds it. */
int files_lock_folder(const char *path);
/* FOLDER/NAME, cut at 4,096 bytes. */
void files_join(char out[4096], const char *folder, const char *name);
