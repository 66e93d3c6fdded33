/*
 * sender: attempts to deliver. One POST and its response over http or https, on a libuv loop, with strict
 * limits on everything that comes back.
 *
 * An attempt is answered (failure NONE) if and only if the whole request was written, the final status line
 * and header block are complete and valid, and no byte had come on this connection before the first byte of
 * the request.
 *
 * Connections are kept alive for one endpoint, authority and TLS identity, and are shared with no other.
 * After an answer that is neither 2xx nor 429, the connection is closed. Before one is reused, a readable
 * byte or EOF discards it. If a reused connection ends without a byte of an answer, and its close must have
 * been under way when the request was written (no byte of that was acknowledged, or the end came within the
 * round trip), the attempt ends with IDLE_CLOSED, and the caller makes another attempt on a new connection.
 * An attempt sends once. There are no redirects, cookies, encodings or proxies.
 *
 * Each attempt resolves the name (c-ares; answers are kept for their TTL), asks `allow` about every
 * address, and connects to the allowed ones in turn, with 250 ms between the families.
 *
 * All calls are made on the loop's thread. No globals.
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
    int age_ms;   /* a connection is reused up to this age, or up to the TTL of its name if that is longer,
                     at most SENDER_TTL_MS_MAX */
    int close_ms; /* a close may be under way this much longer than the round trip; 0: no close counts as
                     under way */
    int handshakes_max; /* TLS handshakes under way at once; others wait. 0: any number */
};
struct sender_limits
sender_limits_default(void); /* promises.md: 5 s, 5, 10, 5, 10, 15, 5, 30, 15; 60 s; 5 ms */
enum { SENDER_TTL_MS_MAX = 5 * 60 * 1000 };

struct sender_config {
    uv_loop_t *loop;
    const struct loop_sleep *sleep; /* of the loop; NULL: handshakes get none of its free time */
    struct clock clock;
    struct sender_limits limits;
    int attempts_max;         /* under way at once */
    int idle_connections_max; /* includes those in use, up to attempts_max; one over TLS counts as
                                 POOL_TLS_WEIGHT */
    const char *user_agent;   /* "posthorn/0.1.0" */
    const char *ca_file;      /* NULL: the system's bundle; loaded once */
    const char *dns_servers;  /* NULL: the system's; "127.0.0.1:5353,..." */
    /* Called for each resolved address, and again before connect. */
    bool (*allow)(void *ctx, const struct sockaddr *address);
    void *ctx;
    const struct source_addresses *sources; /* copied; NULL: any */
    struct log *log;
};

enum { SENDER_HEADERS_MAX = 40, SENDER_TIMEOUT_S_MAX = 60 };

/* The body must live until the result; everything else until sender_start returns. */
struct sender_request {
    int timeout_s; /* of the whole attempt, up to SENDER_TIMEOUT_S_MAX; the wait for an answer has no limit of
                      its own then. 0: limits.attempt_ms */
    int spent_s;   /* of that time, before now; at least a second is left all the same */
    int64_t age_ms_max; /* only a connection younger than this is reused; 0: a new one */
    bool once;          /* its connection is closed afterwards */
    int64_t pool_key; /* the endpoint's id: only attempts with one key and one authority share connections */
    struct identity *identity; /* NULL: none. The attempt holds it */
    const struct url *url;
    const struct header *headers; /* up to SENDER_HEADERS_MAX, written as given. The sender adds Host,
                                     User-Agent, Accept, Accept-Encoding and Content-Length */
    int header_count;
    struct bytes body;
};

struct sender_result {
    enum failure failure; /* NONE: answered, see status */
    int status;
    int64_t retry_after_ms; /* -1 */
    int64_t duration_ms;
    bool body_incomplete, reused_connection, mixed_answer;
    bool json;           /* response_json */
    bool request_unread; /* answered before the receiver had taken most of the request */
    char address[64];    /* "192.0.2.1:443", "[2001:db8::1]:443", or empty */
    /* Valid during the call only. */
    struct bytes detail;   /* a sentence that says more than the failure's; empty: none */
    struct bytes response; /* the first 16 KiB of the body; the first 1 KiB of an answer that is not HTTP */
};

typedef void sender_done(void *ctx, uint32_t tag, const struct sender_result *result);

/* NULL: the CA file cannot be read, or the loop fails; the log has the reason. */
struct sender *sender_open(const struct sender_config *config);
/* Calls `done` exactly once, after it has returned, at the latest at the attempt's limit (monotonic). If the
 * look-up of the name was not answered, it may take RESOLVER_OUTAGE_PROBE_MS more to find out whether our
 * servers are at fault. */
void sender_start(struct sender *sender, const struct sender_request *request, uint32_t tag,
                  sender_done *done, void *ctx);
/* New authorities for handshakes from now on; kept sessions are dropped. Takes the caller's hold of `tls`,
 * which is from tls_open. */
void sender_trust(struct sender *sender, struct tls *tls);
/* Ends all attempts under way with FAILURE_SHUTDOWN. */
void sender_abort(struct sender *sender);
/* Closes the handles; the caller runs the loop until it is empty, then sender_free. */
void sender_close(struct sender *sender);
void sender_free(struct sender *sender);

struct sender_stats {
    int64_t attempts, connections_opened, connections_reused, tls_full, tls_resumed;
    int under_way, idle;
};
void sender_stats(const struct sender *sender, struct sender_stats *stats);
