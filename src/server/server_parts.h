/*
 * server_parts: what server.c, first_start.c, key_file.c and store_choice.c share, with each other and with
 * the commands of src/manage. Nobody else includes this.
 */
#pragma once
#include "command.h"
#include "server.h"
#include "store.h"
#include "vault.h"

/* 0 to `max`, which is a power of two less one. */
uint32_t server_random(uint32_t max);

/* ---- the store ---- */

/* Where the state is kept, by the form of the setting `store`. */
struct store_choice {
    const struct store_backend *backend;
    char path[4096];   /* SQLite: the file, and */
    char folder[4096]; /* its folder, which a server locks */
};

/* CONFIG: the form is not one of this build's. Touches nothing. */
enum server_error server_store_choose(const struct config *config, struct store_choice *choice,
                                      char error_text[256]);
/* `budget` may be NULL: nothing is claimed from it. */
enum server_error server_store_open(const struct server_options *options, struct budget *budget,
                                    struct store **store, char error_text[256]);
/* The text of DATA/catalogue.json, checked, for free(); empty when there is no such file. */
enum server_error server_own_types(const struct config *config, struct bytes *own_types,
                                   char error_text[256]);
/* For a command: prints the text, and returns the exit code of the error. */
int server_failed(const struct invocation *invocation, enum server_error error, const char *text);

/* ---- the key file, while the store is open, so that no second server makes one at the same time ---- */

/* In the data folder while a restore is under way. */
#define SERVER_RESTORE_MARK "restore-under-way"

struct server_key {
    struct vault *vault;
    bool is_new;    /* the data folder is empty: there is no user yet */
    bool is_staged; /* a new key, not in its place yet */
};

void server_key_path(const struct config *config, char path[4096]);
/* Before the store is opened, and so made: a key without its database is a database that is gone. CONFIG: the
 * setting `store` names none. */
enum server_error server_key_expected(const struct server_options *options, char error_text[256]);
/* The key of this database; for one without users a new key, which server_key_keep puts in its place once the
 * first user is written. MISMATCH: it is missing, or another's. The caller closes key->vault. */
enum server_error server_key_open(const struct server_options *options, struct store *store,
                                  struct server_key *key, char error_text[256]);
enum server_error server_key_keep(const struct server_options *options, const struct server_key *key,
                                  char error_text[256]);
enum server_error server_fingerprint_write(struct store *store, const struct vault *vault,
                                           char error_text[256]);
