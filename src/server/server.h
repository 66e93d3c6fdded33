/*
 * server: one node, whole: store, queue, readers, engine, api, listener, opened and closed in that order. No
 * globals, so that three nodes can live in one test process. `posthorn serve` is server_open, signals,
 * server_drain, server_close.
 */
#pragma once
#include "config.h"
#include "posthorn.h"

struct server;

enum server_error {
    SERVER_OK,
    SERVER_DATA /* 1 */,
    SERVER_LOCKED /* exit 3 */,
    SERVER_NEWER,
    SERVER_MISMATCH, /* the key file and the database do not belong together; exit 6 */
    SERVER_LISTEN,
    SERVER_TLS,
    SERVER_CONFIG,
    SERVER_FAILED
};

/* The first user and key: filled only if the data folder was empty. */
struct server_first {
    bool created;
    int64_t user_id;
    char api_key[65]; /* shown once */
    char signing_secret[POSTHORN_SECRET_LEN_MAX];
};

struct server_options {
    const struct config *config;
    struct clock clock;
    struct log *log;
    /* The disk failed: called once, from any thread; `serve` exits with 5. NULL: abort. Damage is not told:
     * the server goes on reading. */
    void (*on_broken)(void *ctx);
    void *ctx;
    /* The first user's key, before anything is written: false, it cannot be shown, and nothing is set up. For
     * it is shown this once, and a key that nobody has seen would be lost. NULL: not wanted. */
    bool (*tell_first)(void *ctx, const struct server_first *first);
    bool own_key; /* init: a key-file that is there already may begin a new database */
};

/* Creates the folder and the first Master (id 5) with a key when there is none. `error_text` says what to do.
 */
enum server_error server_init_data(const struct server_options *options, struct server_first *first,
                                   char error_text[256]);
enum server_error server_open(const struct server_options *options, struct server **server,
                              char error_text[256]);
const char *server_address(const struct server *server);
/* listener_scope of the API's listener. */
const char *server_scope(const struct server *server);
/* Reads tls-cert, tls-key and tls-client-ca, or ca-file, again, as `config` names them: for connections that
 * are made from now on. False: the former stay, and the log says which file, and why. On the thread that
 * drains. */
bool server_secure_again(struct server *server, const struct config *config);
bool server_trust_again(struct server *server, const struct config *config);
/* Stops accepting, lets attempts end within drain_ms, records them. */
void server_drain(struct server *server, int64_t drain_ms);
/* At the start, and then about once a second: memory that is free goes back to the system. */
void server_tidy(struct server *server);
void server_abort(struct server *server); /* a second signal: drain at once; any thread */
void server_close(struct server *server);
