/*
 * server_parts: what server.c and server_init.c share. Nobody else includes this.
 */
#pragma once
#include "server.h"
#include "store.h"

enum server_error server_store_open(const struct server_options *options, struct store **store,
                                    char error_text[256]);
