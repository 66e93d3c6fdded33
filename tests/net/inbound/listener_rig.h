/*
 * listener_rig: a listener with a small application behind it, and clients that speak raw bytes to it, in the
 * clear or over TLS.
 *
 * The application answers at once with what it understood ("POST|/path|query|headers|length|body"), but
 *   /later...    on another thread, and not while `holding`
 *   /bye...      and closes
 *   /large...    with 8 MiB: more than the kernel takes of it (4 MiB and a little)
 *   /whole       with a body of any length in it, where others say "..." for a long one
 *   /closed      is refused by its head, with 401
 *   /status/204  (or any other) with that status
 */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "listener.h"
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>

enum { BODY_MAX = 64 * 1024, LATER_MAX = 256, ANSWER_LEN_MAX = 256 * 1024, LARGE_LEN = 8 << 20 };

struct application {
    struct listener *listener;
    pthread_mutex_t lock;
    pthread_cond_t more;
    pthread_t thread;
    struct listener_request *later[LATER_MAX];
    int later_count;
    bool stopping, holding;
    atomic_int handled, refused;
    atomic_int refused_status;
    char *large; /* LARGE_LEN bytes */
    struct listener_config config;
};

/* What all tests have in common; change it, then rig_open. */
struct listener_config rig_config(void);
struct application *rig_open(struct listener_config config);
void rig_close(struct application *application);
/* cmocka's setup and teardown: two loops, 100 connections, plain. */
int rig_start(void **state);
int rig_stop(void **state);

void set_holding(struct application *application, bool holding);
void wait_for_handled(struct application *application, int count);
void wait_for_refused(struct application *application, int count);

/* ---- a client ---- */

int dial(struct application *application);
int dial_from(struct application *application, const char *address);
/* What the listener closes early cannot be written wholly; the answer is what counts. */
void put(int fd, const char *text, size_t len);
void put_text(int fd, const char *text);
void reset(int fd); /* closes, with a RST */

struct answer {
    char text[ANSWER_LEN_MAX];
    size_t len;
    int status;
    const char *body;
    bool closed; /* in an orderly way, and nothing more came */
};

const char *find_header(const struct answer *answer, const char *name);
/* One answer; `closing`: then the end of the stream too. */
void get(int fd, struct answer *answer, bool closing);
void ask(int fd, const char *request, struct answer *answer);
/* Reads to the end of the stream, a little at a time; how many bytes there were. */
size_t drink(int fd, SSL *ssl, size_t sip);

/* ---- a client over TLS ---- */

struct secure {
    int fd;
    SSL_CTX *context;
    SSL *ssl;
};

/* certificate NULL: it has none to show. */
void secure_dial(struct secure *client, struct application *application, X509 *certificate, EVP_PKEY *key);
void secure_on(struct secure *client, int fd, X509 *certificate, EVP_PKEY *key);
void secure_close(struct secure *client); /* the socket too; says nothing */
/* True: done. What it wrote is sent `drip` bytes at a time, but for the last flight, which waits for
 * secure_flush. */
bool secure_shake(struct secure *client, size_t drip);
void secure_put(struct secure *client, const char *text); /* encrypted, not yet sent */
void secure_flush(struct secure *client, size_t drip);
void secure_get(struct secure *client, struct answer *answer, bool closing);
void secure_ask(struct secure *client, const char *request, struct answer *answer);
