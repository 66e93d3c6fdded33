/*
 * pem: certificates, keys and authorities from files: at the start, and again whenever the server is told to
 * reload. So what is no regular file is refused: a pipe that nobody writes to would hold the server.
 */
#pragma once

/* The file's text, for free(3); wipe it first if it is a key. NULL: *why says why. */
char *pem_read(const char *path, const char **why);
