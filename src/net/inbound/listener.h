/*
 * listener: inbound HTTP/1.1 (RFC 9112), strict, on libuv loops with a thread each, and TLS from OpenSSL. The
 * server's API and `posthorn receive` both stand on it.
 *
 * Hands one complete, bounded request at a time to `handle`, which answers now or later, from any thread
 * (its connection waits meanwhile). Limits and framing faults of bad-input are answered here:
 * body over the limit 413 at once, line 414, headers 431, unknown method 405, two Host or none 400, ...
 * through `on_refused`, so that the application gives errors its own shape.
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
    struct bytes path;   /* the target's part before '?' , undecoded */
    struct bytes query;  /* behind '?', undecoded; may be empty */
    struct header headers[LISTENER_HEADERS_MAX];
    int header_count;
    char *body; /* NUL-terminated, writable; body_len bytes */
    size_t body_len;
    struct arena arena; /* the request's memory, freed after the answer is sent */
    char peer[64];      /* address of the client, without port */
    void *user;         /* the application's */
};

/* First value of a header, name case-insensitive; *count (may be NULL) how many there are. data NULL: absent.
 */
struct bytes listener_header(const struct listener_request *request, const char *name, int *count);

/* Why a request is refused with 408, for people: how much of the body came, of how much. Without a full stop.
 */
enum { LISTENER_LATE_LEN = 160 };
void listener_say_late(const struct listener_request *request, char out[LISTENER_LATE_LEN]);

struct listener_reply {
    int status;
    const struct header *headers; /* copied */
    int header_count;
    struct bytes body; /* copied unless it lies on the request's arena, or `body_stays`: then it is sent from
                          there */
    bool body_stays;   /* the body outlives the listener */
    bool close;        /* close the connection afterwards */
};

/* From accept_head: `handle` gets the request at once, and its body is never read. The connection is closed
 * behind the answer. */
enum { LISTENER_NO_BODY = -1 };

struct budget;

/* cert NULL: plain HTTP. With client authorities, whoever shows no certificate of theirs is refused with 403.
 */
struct listener_files {
    const char *cert, *key, *client_ca;
};

struct listener_config {
    const char *listen;  /* "127.0.0.1:8080", "[::1]:8080", ":8080" for every interface; port 0: any */
    int threads;         /* 1 or more loops */
    size_t body_len_max; /* 1 MiB */
    size_t arena_len_max;
    int connections_max;
    int handshakes_max; /* under way at once; beyond, the oldest give way. Over TLS one must be set */
    /* The bodies that come and those in hand are counted in it (BUDGET_IN); what it has no room for is
     * refused with 503. NULL: they are not counted. It outlives the listener. */
    struct budget *budget;
    int idle_seconds;
    int64_t head_ms_max, body_ms_max; /* 0: 10 s, 30 s. Absolute: 408, however it drips */
    struct listener_files tls;        /* read while it is opened, and not looked at again */
    /* Headers are here, the body is not: return 0 to go on, a status to refuse with (after which `handle` is
     * not called, and `on_refused` shapes the answer), or LISTENER_NO_BODY. May be NULL. */
    int (*accept_head)(void *ctx, struct listener_request *request);
    void (*handle)(void *ctx, struct listener_request *request);
    /* Fill the reply for a request the listener refuses itself. */
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
    LISTENER_TLS, /* the log says which file, and why */
    LISTENER_FAILED
};
const char *listener_error_sentence(enum listener_error error);

enum listener_error listener_open(const struct listener_config *config, struct listener **listener);
/* "127.0.0.1:8080" with the real port. */
const char *listener_address(const struct listener *listener);
/* The same as this machine can call it: that of the loopback, if it is every address of a family. */
const char *listener_local(const struct listener *listener);
/* What it listens on when that is more than one address, in words: "every interface, IPv4 and IPv6"; "": it
 * is one. */
const char *listener_scope(const struct listener *listener);
/* Before it is answered, by whoever needs its body no more: of a large one the memory is free for the next.
 * It stays counted, for what was made of it. */
void listener_forget_body(struct listener_request *request);
/* Exactly once for each handled request; any thread. */
void listener_answer(struct listener_request *request, const struct listener_reply *reply);
/* Reads certificate, key and client authorities again, for the connections that come from now on; those that
 * stand go on with what they have. Not for plain HTTP. False: the former stay, and the log says which file,
 * and why. On the thread that closes it. */
bool listener_secure_again(struct listener *listener, const struct listener_files *files);
/* Stops accepting; requests in hand may still be answered. */
void listener_quiesce(struct listener *listener);
/* Every request must have been answered. */
void listener_close(struct listener *listener);
