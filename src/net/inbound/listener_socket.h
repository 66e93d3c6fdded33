/*
 * listener_socket: opens the listening socket from its text.
 */
#pragma once
#include "listener_parts.h"

enum listener_error listener_socket(const char *listen_text, int *fd, char address[80]);
/* listener_local, and listener_scope. */
const char *listener_describe(int fd, char local[80]);
