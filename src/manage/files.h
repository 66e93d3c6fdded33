/* files: small files copied whole, folders locked and synced; what backup and restore need of them. */
#pragma once
#include <stdbool.h>

bool files_exists(const char *path);
/* A new file with mode 0600, synced; from a regular file of at most 16 MiB. False: errno says why. */
bool files_copy(const char *from, const char *to);
bool files_sync_folder(const char *path);
/* The lock that a server on this folder holds; -1: somebody has it (EWOULDBLOCK), or errno says why not. It
 * is held until the descriptor is closed. */
int files_lock_folder(const char *path);
/* FOLDER/NAME, cut at 4,096 bytes. */
void files_join(char out[4096], const char *folder, const char *name);
