/*
 * reload: what SIGHUP does. The settings are read again from where they came from at the start (file,
 * environment, command line), and of them log-level, tls-cert, tls-key, tls-client-ca and ca-file are taken
 * over, with the files that the last four name; the rest needs a restart. Nothing is cut off: a connection
 * ends with what it began with. What cannot be read or does not fit leaves the former in force, and an error
 * in the log.
 */
#pragma once
#include "server.h"

struct reload;

/* argv without the command's name and its own options, as for config_load; argv and `file` (may be NULL) stay
 * the caller's. `config` is what was read from them. */
struct reload *reload_open(int argc, char **argv, const char *file, const struct config *config);
/* On the thread that drains the server. */
void reload_run(struct reload *reload, struct server *server, struct log *log);
void reload_close(struct reload *reload);
