/*
 * server_parts: what server.c and server_init.c share. Nobody else includes this.
 */
#pragma once
#include "server.h"
#include "store.h"
#include "vault.h"

/* `budget` may be NULL: nothing is claimed from it. */
enum server_error server_store_open(const struct server_options *options, struct budget *budget,
                                    struct store **store, char error_text[256]);
/* The text of DATA/catalogue.json, checked, for free(); empty when there is no such file. */
enum server_error server_own_types(const struct config *config, struct bytes *own_types,
                                   char error_text[256]);
/* While the store is open, so that no second server makes a key file at the same time. `used`: there are
 * users, so a key file that is not there is missed. */
enum server_error server_vault_open(const struct server_options *options, bool used, struct vault **vault,
                                    char error_text[256]);
