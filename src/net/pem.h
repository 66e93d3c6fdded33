/*
 * pem: reads certificates, keys and authorities from files, at the start and at each reload. It refuses
 * anything but regular files: a pipe without a writer would block the server.
 */
#pragma once

/* The text of the file, for free(3). Wipe a key first. NULL: see *why. */
char *pem_read(const char *path, const char **why);
