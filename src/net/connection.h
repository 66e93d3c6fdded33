/*
 * connection: one TCP connection, to a receiver or from a client, with TLS if the peer is https.
 *
 * connection_dial is the only function in posthorn that connects to anything; it asks `allow` itself.
 * connection_accept takes the socket of a client that has connected to us.
 *
 * The owner (first the dialer, then the attempt, then the pool) gets its news through its handler. From
 * within any call, a handler may close the connection or give it to another owner; the loop frees the
 * memory later. Received bytes are views of a buffer that all connections of a sender share.
 */
#pragma once
#include "connection_state.h"
#include "deadline.h"
#include "failure.h"
#include "handshake_shares.h"
#include "loop_sleep.h"
#include "peer.h"
#include "source_addresses.h"
#include "tcp_report.h"
#include "tls.h"
#include <sys/socket.h>

struct connection;

struct connection_handler {
    /* TCP is connected, or has failed (then close the connection). */
    void (*connected)(struct connection *connection, enum failure failure);
    /* After connection_secure: the handshake is done and no data has come, or it has failed. */
    void (*secured)(struct connection *connection, enum failure failure);
    void (*received)(struct connection *connection, struct bytes piece);
    /* The place for the next bytes without TLS; `received` gets them there. len 0, or NULL: any place. */
    uv_buf_t (*place)(struct connection *connection);
    /* The kernel has taken the rest of connection_write. */
    void (*written)(struct connection *connection);
    /* Nothing more can be written. Bytes may still come, then `ended`. */
    void (*write_failed)(struct connection *connection);
    /* No more bytes will come. CLOSED_EARLY: an orderly end. */
    void (*ended)(struct connection *connection, enum failure failure);
};

/* The parts that all connections of a sender share. */
struct connection_world {
    uv_loop_t *loop;
    struct tls *tls;
    bool (*allow)(void *ctx, const struct sockaddr *address);
    void *ctx;
    struct source_addresses sources;
    struct deadline_queue *connect_limit;  /* its `passed` is connection_connect_passed */
    struct deadline_queue *handshake_wait; /* its `passed` is connection_handshake_passed */
    struct handshake_shares *shares;       /* NULL: no handshake is delayed */
    const struct loop_sleep *sleep;        /* of the loop; NULL: none of it is for handshakes */
    int handshakes, handshakes_max;        /* under way, each with 45 KiB in OpenSSL; 0: any number */
    void (*crowded)(void *ctx);            /* handshakes_max are under way and one more waits; may be NULL */
    int open;                              /* handles that are not closed yet */
    int64_t opened, tls_full, tls_resumed;
    size_t buffer_len;
    char *read_buffer;  /* buffer_len bytes */
    char *plain_buffer; /* TLS_RECORD_LEN_MAX bytes, decrypted */
};

enum { CONNECTION_ADDRESS_LEN_MAX = 64 };

struct connection {
    uv_tcp_t tcp;
    uv_connect_t connect_req;
    uv_write_t write_req;
    struct connection_world *world;
    const struct connection_handler *handler;
    void *owner;
    enum connection_state state;
    bool inbound, write_pending, write_broken;
    int64_t opened_ms, retire_ms; /* the loop's clock. retire_ms: not reused after it; the owner sets it */
    struct deadline deadline;
    struct bytes unencrypted[2]; /* TLS: still to be written */
    struct tls_stream tls;
    struct bytes heard;              /* the first piece received, while `secured` is called for it */
    const struct identity *identity; /* until the handshake begins */
    int64_t handshake_us;            /* CPU time so far */
    int64_t charged_us;              /* the part that is charged to its share */
    bool charged, shaking, crowded;  /* shaking: counted as under way; crowded: too many are */
    size_t heard_len;                /* received over TLS since the last request */
    struct peer peer;
    char address[CONNECTION_ADDRESS_LEN_MAX];
    struct connection *idle_next; /* the pool's */
};

/* NULL and *failure: it could not start. Otherwise `connected` follows, after the return. */
struct connection *connection_dial(struct connection_world *world, const struct sockaddr *address,
                                   const struct peer *peer, const struct connection_handler *handler,
                                   void *owner, enum failure *failure);
void connection_connect_passed(struct deadline *deadline);
void connection_handshake_passed(struct deadline *deadline);
void connection_own(struct connection *connection, const struct connection_handler *handler, void *owner);
/* https: begins the handshake, at once or when its endpoint has time of the loop left. `secured` follows,
 * perhaps before this returns. The caller holds the identity (NULL: none) until `secured` or the close. */
void connection_secure(struct connection *connection, const struct identity *identity);

/* Takes `fd`, also if it fails. Over TLS (with tls_open_server), the handshake begins when the client has
 * sent bytes and `client` has time of the loop left; then `secured` follows. NULL: the kernel has no memory.
 */
struct connection *connection_accept(struct connection_world *world, int fd, bool https, int64_t client,
                                     const struct connection_handler *handler, void *owner);
/* True: the client has a certificate of one of our authorities, or needs none. */
bool connection_client_trusted(const struct connection *connection);
/* No `received` until resumed, except for the bytes of the current read. May be repeated. */
void connection_pause(struct connection *connection);
void connection_resume(struct connection *connection);
/* Closes our side only; no write may be pending. Later bytes go to `received` as they come, until `ended`. */
void connection_finish(struct connection *connection);

/* Called right before a request is written. NONE: no unrequested bytes have come. Otherwise EARLY_RESPONSE,
 * CLOSED_EARLY, RESET, ... Takes TLS session tickets. */
enum failure connection_quiet(struct connection *connection);

enum connection_written { CONNECTION_WRITTEN, CONNECTION_WRITE_PENDING, CONNECTION_WRITE_FAILED };
/* The views must live until `written`, or until the connection is closed. */
enum connection_written connection_write(struct connection *connection, struct bytes head, struct bytes body);

/* True: the handshake waits: its endpoint's share is used up, or (`crowded`) too many are under way. */
bool connection_waits_for_share(const struct connection *connection);

struct tcp_report connection_report(const struct connection *connection);

/* No handler is called after it. */
void connection_close(struct connection *connection);

/* "192.0.2.1:443", "[2001:db8::1]:443". */
void connection_print_address(const struct sockaddr *address, char out[CONNECTION_ADDRESS_LEN_MAX]);
