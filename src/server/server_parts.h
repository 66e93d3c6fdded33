/*
 * server_parts: what server.c and server_init.c share. Nobody else includes this.
 */
#pragma once
#include "server.h"
#include "store.h"

struct catalogue;
#include "vault.h"

enum server_error server_store_open(const struct server_options *options, struct store **store,
                                    char error_text[256]);
/* The event types, with those of DATA/catalogue.json when there is one. */
enum server_error server_catalogue_open(const struct config *config, struct catalogue **catalogue,
                                        char error_text[256]);
/* While the store is open, so that no second server makes a key file at the same time. */
enum server_error server_vault_open(const struct server_options *options, struct vault **vault,
                                    char error_text[256]);
