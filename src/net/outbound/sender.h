/*
 * sender: outbound attempts. One POST, one response, over http or https, on a libuv loop; strict limits on
 * everything that comes back.
 *
 * An attempt counts as answered (failure NONE) if and only if the whole request was written, the final status
 * line and header block are complete and valid, and no byte had arrived on this connection before our first
 * request byte. Connections are kept alive per endpoint, authority and TLS identity and shared with nobody
 * else, and after an answer that is neither 2xx nor 429 closed; before one is used again, any readable byte
 * or EOF discards it. If a reused connection ends without one byte of response, and its close must have been
 * under way when the request was written (no byte of it was acknowledged, or the end came within the round
 * trip), the attempt ends with IDLE_CLOSED: it is for the caller to make another one, over a fresh
 * connection. An attempt sends once. Redirects, cookies, encodings,
 * proxies: never.
 *
 * Resolves once an attempt (c-ares, answers kept for their TTL), asks `allow` about every address, dials the
 * allowed ones in turn with 250 ms between families, and nothing else in posthorn connects to a receiver.
 *
 * All calls on the loop's thread. No globals.
 */
#pragma once
#include "clock.h"
#include "failure.h"
#include "header.h"
#include "identity.h"
#include "log.h"
#include "source_addresses.h"
#include "url.h"
#include <sys/socket.h>
#include <uv.h>

struct sender;
struct tls;

struct sender_limits {
    int dns_ms, connect_ms /* an address */, connect_all_ms, tls_ms, send_ms, header_ms, body_ms, attempt_ms,
        idle_ms;
    int age_ms;   /* of a connection that is used again; its name's TTL, up to SENDER_TTL_MS_MAX, if that is
                     longer */
    int close_ms; /* how much longer than the round trip a close may be under way; 0: no close is ever taken
                     to have been under way */
    int handshakes_max; /* of TLS, under way at once: the others wait. 0: any number */
};
struct sender_limits
sender_limits_default(void); /* promises.md: 5 s, 5, 10, 5, 10, 15, 5, 30, 15; 60 s; 5 ms */
enum { SENDER_TTL_MS_MAX = 5 * 60 * 1000 };

struct sender_config {
    uv_loop_t *loop;
    struct clock clock;
    struct sender_limits limits;
    int attempts_max;         /* under way at once: sizes the tables */
    int idle_connections_max; /* those in use count too, up to attempts_max; one over TLS counts as
                                 POOL_TLS_WEIGHT */
    const char *user_agent;   /* "posthorn/0.1.0" */
    const char *ca_file;      /* NULL: the system's bundle; loaded once */
    const char *dns_servers;  /* NULL: the system's; "127.0.0.1:5353,..." */
    /* G7: asked for each resolved address, and again where connect is called. */
    bool (*allow)(void *ctx, const struct sockaddr *address);
    void *ctx;
    const struct source_addresses *sources; /* copied; NULL: any */
    struct log *log;
};

enum { SENDER_HEADERS_MAX = 16 };

/* The body must live until the result is given, all else until sender_start returns. */
struct sender_request {
    int64_t age_ms_max; /* only a connection opened less than so long ago is used again; 0: a new one */
    int64_t pool_key;   /* the endpoint's id: connections are shared only under one key and one authority */
    struct identity *identity; /* NULL: nobody in particular. The attempt holds it */
    const struct url *url;
    const struct header *headers; /* up to SENDER_HEADERS_MAX, written as given; Host, User-Agent, Accept,
                                     Accept-Encoding, Content-Length, Connection are the sender's own */
    int header_count;
    struct bytes body;
};

struct sender_result {
    enum failure failure; /* NONE: answered, see status */
    int status;
    int64_t retry_after_ms; /* -1 */
    int64_t duration_ms;
    bool body_incomplete, reused_connection, mixed_answer;
    bool request_unread; /* answered while the receiver had not taken most of the request */
    char address[64];    /* "192.0.2.1:443", "[2001:db8::1]:443", or empty */
    /* Valid during the call only. */
    struct bytes detail;   /* a sentence that says more than the failure's; empty: there is none */
    struct bytes response; /* the body's first 16 KiB; of an answer that is not HTTP its first 1 KiB */
};

typedef void sender_done(void *ctx, uint32_t tag, const struct sender_result *result);

/* NULL: the CA file cannot be read, or the loop refuses; the log says which. */
struct sender *sender_open(const struct sender_config *config);
/* Never calls `done` before it returns; calls it exactly once, at the latest limits.attempt_ms later
 * (monotonic), or SILENCE_PROBE_MS after that if the name's look-up was not answered and it has to be told
 * whether that is our own fault. */
void sender_start(struct sender *sender, const struct sender_request *request, uint32_t tag,
                  sender_done *done, void *ctx);
/* Ends everything under way with FAILURE_SHUTDOWN. */
/* Other authorities, and no session that was kept: for handshakes from now on. Takes over the hold of `tls`,
 * which is of tls_open. */
void sender_trust(struct sender *sender, struct tls *tls);
void sender_abort(struct sender *sender);
/* Closes the handles; the caller runs the loop until it is empty, then sender_free. */
void sender_close(struct sender *sender);
void sender_free(struct sender *sender);

struct sender_stats {
    int64_t attempts, connections_opened, connections_reused, tls_full, tls_resumed;
    int under_way, idle;
};
void sender_stats(const struct sender *sender, struct sender_stats *stats);
