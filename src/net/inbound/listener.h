/*
 * listener: inbound HTTP/1.1 (RFC 9112), strict, on libuv loops with a thread each, with TLS from OpenSSL.
 * The server's API and `posthorn receive` use it.
 *
 * It passes one complete, bounded request of a connection at a time to `handle`, which answers now or
 * later, from any thread. It answers faults of framing and limits itself: 413 for the body, 414 for the
 * line, 431 for headers, 405 for an unknown method, 400 for two Host headers or none, ... `on_refused`
 * gives these answers the shape of the application.
 */
#pragma once
#include "arena.h"
#include "clock.h"
#include "header.h"
#include "log.h"

struct listener;

enum { LISTENER_HEADERS_MAX = 100 };

struct listener_request {
    struct bytes method;
    struct bytes target; /* as on the wire, undecoded: path and query */
    struct bytes path;   /* the target before '?', undecoded */
    struct bytes query;  /* after '?', undecoded; may be empty */
    struct header headers[LISTENER_HEADERS_MAX];
    int header_count;
    char *body; /* NUL-terminated, writable; body_len bytes */
    size_t body_len;
    struct arena arena; /* the request's memory, freed after the answer is sent */
    char peer[64];      /* address of the client, without port */
    void *user;         /* of the application */
};

/* The first value of a header; the name is case-insensitive. *count (may be NULL): their number. data NULL:
 * absent. */
struct bytes listener_header(const struct listener_request *request, const char *name, int *count);

/* The reason of a 408 for people: how much of the body came. Without a full stop. */
enum { LISTENER_LATE_LEN = 160 };
void listener_say_late(const struct listener_request *request, char out[LISTENER_LATE_LEN]);

struct listener_reply {
    int status;
    const struct header *headers; /* copied */
    int header_count;
    struct bytes body; /* copied, unless it is on the request's arena or `body_stays` */
    bool body_stays;   /* the body outlives the listener */
    bool close;        /* close the connection afterwards */
};

/* A result of accept_head: `handle` gets the request at once without its body, which is never read. The
 * connection is closed after the answer. */
enum { LISTENER_NO_BODY = -1 };

struct budget;

/* cert NULL: plain HTTP. With client_ca, a client without a certificate of these authorities gets 403. */
struct listener_files {
    const char *cert, *key, *client_ca;
};

struct listener_config {
    const char *listen;  /* "127.0.0.1:8080", "[::1]:8080", ":8080" for every interface; port 0: any */
    int threads;         /* 1 or more loops */
    size_t body_len_max; /* 1 MiB */
    size_t arena_len_max;
    int connections_max;
    int handshakes_max; /* under way at once; more: the oldest is closed. Required with TLS */
    /* Counts the bodies of requests (BUDGET_IN). A body without room gets 503. NULL: not counted. It must
     * outlive the listener. */
    struct budget *budget;
    int idle_seconds;
    int64_t head_ms_max, body_ms_max; /* 0: 10 s, 30 s. Absolute; then 408 */
    struct listener_files tls;        /* used only by listener_open */
    /* Called after the headers and before the body. Return 0 to continue, LISTENER_NO_BODY, or the status of
     * a refusal: then `handle` is not called, and `on_refused` makes the answer. May be NULL. */
    int (*accept_head)(void *ctx, struct listener_request *request);
    void (*handle)(void *ctx, struct listener_request *request);
    /* Makes the reply to a request that is refused. */
    void (*on_refused)(void *ctx, struct listener_request *request, int status, struct listener_reply *reply);
    void *ctx;
    struct clock clock;
    struct log *log;
};

enum listener_error {
    LISTENER_OK,
    LISTENER_BAD_ADDRESS,
    LISTENER_IN_USE,
    LISTENER_DENIED,
    LISTENER_EXHAUSTED,
    LISTENER_TLS, /* the log has the file and the reason */
    LISTENER_FAILED
};
const char *listener_error_sentence(enum listener_error error);

enum listener_error listener_open(const struct listener_config *config, struct listener **listener);
/* "127.0.0.1:8080" with the real port. */
const char *listener_address(const struct listener *listener);
/* The same for clients on this machine: the loopback address if it listens on every address. */
const char *listener_local(const struct listener *listener);
/* Its addresses in words, if there are several: "every interface, IPv4 and IPv6"; otherwise "". */
const char *listener_scope(const struct listener *listener);
/* Frees the memory of a large body before the answer. The body stays counted, because the application may
 * have made a copy. */
void listener_forget_body(struct listener_request *request);
/* Call it exactly once for each handled request; any thread. */
void listener_answer(struct listener_request *request, const struct listener_reply *reply);
/* Reads certificate, key and client authorities again, for new connections. Not for plain HTTP. False: the
 * old ones stay; the log has the file and the reason. On the thread that closes the listener. */
bool listener_secure_again(struct listener *listener, const struct listener_files *files);
/* Stops accepting. Handled requests may still be answered. */
void listener_quiesce(struct listener *listener);
/* Every request must have been answered. */
void listener_close(struct listener *listener);
