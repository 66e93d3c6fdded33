/*
 * connection: one TCP connection, to a receiver or from a client, with TLS over it when the peer is https.
 *
 * connection_dial is the only function in posthorn that connects to anybody; it asks `allow` itself.
 * connection_accept takes over the socket of somebody who has connected to us.
 * An owner (the dialer, then the attempt, then the pool) is told what happens through its handler. A handler
 * may close the connection, or hand it to another owner, from within any call; the memory is freed by the
 * loop later. Read bytes are views of one buffer that all connections of a sender share.
 */
#pragma once
#include "connection_state.h"
#include "deadline.h"
#include "failure.h"
#include "handshake_shares.h"
#include "peer.h"
#include "source_addresses.h"
#include "tcp_report.h"
#include "tls.h"
#include <sys/socket.h>

struct connection;

struct connection_handler {
    /* TCP stands, or does not (then close it). */
    void (*connected)(struct connection *connection, enum failure failure);
    /* After connection_secure: the handshake is done and nothing has been said yet, or failed. */
    void (*secured)(struct connection *connection, enum failure failure);
    void (*received)(struct connection *connection, struct bytes piece);
    /* Where bytes that come without TLS are wanted next, as `received` is told then; len 0: anywhere. May be
     * NULL: anywhere always. */
    uv_buf_t (*place)(struct connection *connection);
    /* What connection_write had to leave has gone to the kernel. */
    void (*written)(struct connection *connection);
    /* Nothing more can be written. Bytes may still come, and `ended` will. */
    void (*write_failed)(struct connection *connection);
    /* Nothing more will come: CLOSED_EARLY is an orderly end, anything else is not. */
    void (*ended)(struct connection *connection, enum failure failure);
};

/* What all connections of a sender have in common. */
struct connection_world {
    uv_loop_t *loop;
    struct tls *tls;
    bool (*allow)(void *ctx, const struct sockaddr *address);
    void *ctx;
    struct source_addresses sources;
    struct deadline_queue *connect_limit;  /* its `passed` is connection_connect_passed */
    struct deadline_queue *handshake_wait; /* its `passed` is connection_handshake_passed */
    struct handshake_shares *shares;       /* of the handshakes; NULL: none is held up. What is free is known
                                    if the loop has UV_METRICS_IDLE_TIME */
    int handshakes, handshakes_max;        /* under way, each with some 45 KiB of OpenSSL's. 0: any number */
    void (*crowded)(void *ctx);            /* one wants to begin, and there are so many; may be NULL */
    int open;                              /* handles not yet wholly closed */
    int64_t opened, tls_full, tls_resumed;
    size_t buffer_len;
    char *read_buffer;  /* buffer_len bytes */
    char *plain_buffer; /* TLS_RECORD_LEN_MAX bytes: what TLS decrypted */
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
    int64_t opened_ms, retire_ms; /* the loop's clock. The second is the dialer's owner's: kept no longer */
    struct deadline deadline;
    struct bytes unencrypted[2]; /* TLS: what is still to be written */
    struct tls_stream tls;
    struct bytes heard;              /* while `secured` is called for the first piece that came: that */
    const struct identity *identity; /* until the handshake begins */
    int64_t handshake_us;            /* what it has cost so far */
    int64_t charged_us;              /* of it, to its share */
    bool charged, shaking, crowded;  /* counted among the handshakes; held up by their number */
    size_t heard_len;                /* over TLS, since the last request */
    struct peer peer;
    char address[CONNECTION_ADDRESS_LEN_MAX];
    struct connection *idle_next; /* the pool's */
};

/* NULL and *failure: it could not even be begun. Otherwise `connected` follows, never before the return. */
struct connection *connection_dial(struct connection_world *world, const struct sockaddr *address,
                                   const struct peer *peer, const struct connection_handler *handler,
                                   void *owner, enum failure *failure);
void connection_connect_passed(struct deadline *deadline);
void connection_handshake_passed(struct deadline *deadline);
void connection_own(struct connection *connection, const struct connection_handler *handler, void *owner);
/* https: begins the handshake, at once or when its endpoint has a share of the loop's time left; `secured`
 * follows, perhaps before this returns. The identity (NULL: none) must be held until then, or until the
 * connection is closed. */
void connection_secure(struct connection *connection, const struct identity *identity);

/* Takes `fd` over, whatever comes of it. Over TLS (the world's is a server's, tls_open_server) `secured`
 * follows when the client has shaken hands; the handshake begins when its first bytes have come and `client`
 * has a share of the loop's time left. NULL: there is no memory in the kernel for it. */
struct connection *connection_accept(struct connection_world *world, int fd, bool https, int64_t client,
                                     const struct connection_handler *handler, void *owner);
/* Did the client show a certificate of one of our authorities? */
bool connection_client_trusted(const struct connection *connection);
/* No `received` until resumed, but for what one read has brought already. Harmless twice. */
void connection_pause(struct connection *connection);
void connection_resume(struct connection *connection);
/* Closes our side only (nothing may be pending): what comes after is handed on as it is, until `ended`. */
void connection_finish(struct connection *connection);

/* NONE if nothing has come that belongs to no request: EARLY_RESPONSE, CLOSED_EARLY, RESET, ... otherwise.
 * Asked right before a request is written; TLS session tickets are taken in on the way. */
enum failure connection_quiet(struct connection *connection);

enum connection_written { CONNECTION_WRITTEN, CONNECTION_WRITE_PENDING, CONNECTION_WRITE_FAILED };
/* The views must live until `written`, or until the connection is closed. */
enum connection_written connection_write(struct connection *connection, struct bytes head, struct bytes body);

/* The handshake has not begun: its endpoint's share is used up, or (`crowded`) too many are under way. */
bool connection_waits_for_share(const struct connection *connection);

struct tcp_report connection_report(const struct connection *connection);

/* No handler is called any more. */
void connection_close(struct connection *connection);

/* "192.0.2.1:443", "[2001:db8::1]:443". */
void connection_print_address(const struct sockaddr *address, char out[CONNECTION_ADDRESS_LEN_MAX]);
