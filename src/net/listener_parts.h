/*
 * listener_parts: what the listener's own files share. Nobody else includes this.
 *
 *   listener.c             open, close, the way of one request through libmicrohttpd, the answer
 *   listener_framing.c     which heads are well-formed; pure
 *   listener_connections.c the open connections: deadlines against slow senders, the limit, the oldest idle
 * one listener_socket.c      the listening socket from its text
 */
#pragma once
#include "listener.h"
#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

enum {
    LISTENER_LINE_LEN_MAX = 8 * 1024,  /* the request line: 414 beyond */
    LISTENER_HEAD_LEN_MAX = 32 * 1024, /* the header lines: 431 beyond */
    LISTENER_HEAD_MS_MAX = 10 * 1000,  /* a head that has begun must be complete by then: 408 */
    LISTENER_BODY_MS_MAX = 30 * 1000,  /* and the body, however it drips */
    LISTENER_REPLY_MS_MAX = 60 * 1000, /* and the client must have read the answer */
    LISTENER_LINGER_LEN_MAX = 4 << 20  /* swallowed after a refusal in mid-body, so that it can be read */
};

/* ---- listener_framing.c ---- */

/* Splits the target; 0, or the status to refuse with. Absolute form is understood (RFC 9112, 3.2.2). */
int framing_target(struct bytes method, struct bytes target, struct bytes *path, struct bytes *query);

struct framing_body {
    bool chunked;
    int64_t length; /* from Content-Length; -1: none */
};
/* Header names and values, Host, Content-Length, Transfer-Encoding. 0, or the status to refuse with. */
int framing_headers(const struct listener_request *request, bool http_1_0, struct framing_body *body);

/* ---- listener_connections.c ---- */

enum connection_stage {
    CONNECTION_IDLE,    /* waiting for a request: the limit may close it */
    CONNECTION_HEAD,    /* the request line came */
    CONNECTION_BODY,    /* the head is complete */
    CONNECTION_HANDLED, /* the application's: no deadline of ours */
    CONNECTION_REPLY    /* answered */
};

/* One open connection. Made and freed on its epoll thread; stage and since_ms are read by the watch. */
struct connection {
    struct connection *next, *previous;
    struct listener *listener;
    int fd;
    atomic_int stage;
    atomic_int_least64_t since_ms; /* when this stage began, on the watch's coarse clock */
    bool trusted;                  /* its client certificate has been checked, if any is wanted */
    char peer[64];
};

struct connections {
    pthread_mutex_t lock; /* the list; a listed connection's fd is open */
    pthread_t thread;
    int wake_fd; /* an eventfd: the first connection has come, or stop */
    struct connection *first;
    int count;
    atomic_bool stopping;
    atomic_int_least64_t now_ms; /* refreshed every second while a connection is open */
};

void connections_start(struct listener *listener);
void connections_stop(struct listener *listener);
/* MHD_NotifyConnectionCallback. */
void connections_notify(void *listener, struct MHD_Connection *mhd, void **context,
                        enum MHD_ConnectionNotificationCode code);
void connection_enter(struct connection *connection, enum connection_stage stage);

/* ---- listener_socket.c ---- */

enum listener_error listener_socket(const char *listen_text, int *fd, char address[80]);

/* ---- listener_tls.c ---- */

struct listener_tls {
    char *cert, *key, *client_ca; /* PEM; all NULL without TLS */
};

/* False: the log says which file, and what is wrong with it. */
bool listener_tls_load(const struct listener_config *config, struct listener_tls *tls);
void listener_tls_forget(struct listener_tls *tls);
/* At most LISTENER_TLS_OPTIONS_MAX; returns how many. The PEM texts must live until the daemon runs. */
enum { LISTENER_TLS_OPTIONS_MAX = 4 };
int listener_tls_options(const struct listener_tls *tls, struct MHD_OptionItem *options);
/* Did the client show a certificate of one of the authorities? */
bool listener_tls_client_trusted(struct MHD_Connection *mhd);

/* ---- listener.c ---- */

enum call_phase { CALL_READING, CALL_HANDLING, CALL_SUSPENDED, CALL_ANSWERED };

/* A request and what libmicrohttpd's side of it needs. Reused from a free list: never zeroed as a whole. */
struct call {
    struct listener_request request; /* first, so that the one is the other */
    struct listener *listener;
    struct connection *connection;
    struct MHD_Connection *mhd;
    atomic_int phase;
    struct MHD_Response *response; /* the answer, from CALL_ANSWERED on */
    int status;
    bool head_taken, line_too_long, headers_too_many;
    const char *head_cursor; /* where the next header line must begin, see take_header */
    struct framing_body framing;
    char *chunks; /* a body of unknown length grows here */
    size_t body_cap;
    char no_body[1];
    bool handed_over;
    bool lingering; /* refused in mid-body: the rest is swallowed */
    size_t lingered;
    struct call *next_free;
};

struct listener {
    struct listener_config config;
    struct MHD_Daemon *daemon;
    int fd;
    char address[80];
    atomic_bool quiescing;
    atomic_int in_hand;  /* handed to the application; counted down when listener_answer is through */
    atomic_int replying; /* handed to the application; counted down when the answer is out */
    pthread_mutex_t free_lock;
    struct call *free_calls;
    int free_count;
    struct connections connections;
};

/* Writes a refusal by hand where libmicrohttpd has no way to: in the middle of a body, or before the head is
 * complete. Plain HTTP only; over TLS nothing is sent. */
void listener_refuse_raw(struct listener *listener, struct call *call, int fd, int status);
struct call *listener_call_take(struct listener *listener);
void listener_call_give(struct listener *listener, struct call *call);
