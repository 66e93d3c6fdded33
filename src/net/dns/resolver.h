/*
 * resolver: resolves names with c-ares, from DNS alone (no hosts file, no search list).
 *
 * Answers are kept for their TTL, at most an hour. Questions for the same name share one look-up. A and
 * AAAA are asked together; once one has addresses, the other gets only RESOLVER_SECOND_MS more. `localhost`
 * and names below it are the loopback addresses (RFC 6761 section 6.3).
 *
 * A look-up without an answer ends in DNS_TIMEOUT, or in LOCAL_OUTAGE if our own servers are silent: see
 * resolver_outage.h.
 */
#pragma once
#include "deadline.h"
#include "failure.h"
#include <netinet/in.h>
#include <stdbool.h>

enum { ADDRESSES_MAX = 16 /* 8 of each family */, RESOLVER_SECOND_MS = 250 };

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

struct addresses {
    int count;
    int64_t expires_ms;                /* on the loop's clock: the answer may be used until then */
    union address list[ADDRESSES_MAX]; /* IPv6 first; port 0 */
};

struct resolver;

struct resolver_question {
    struct resolver_question *prev, *next; /* NULL: not waiting */
    /* `addresses` is valid during the call only. */
    void (*answered)(struct resolver_question *question, enum failure failure,
                     const struct addresses *addresses);
    struct resolver *resolver;
    struct deadline limit; /* set until the answer, or until its verdict is held */
    int64_t begun_ms;      /* the start of its look-up */
    enum failure blame;    /* the failure if the name is at fault */
};

/* Takes three queues of `deadlines`. NULL: c-ares refuses. */
struct resolver *resolver_open(uv_loop_t *loop, const char *servers /* NULL: the system's */, int limit_ms,
                               struct deadlines *deadlines);
/* `answered` comes exactly once, perhaps before this returns, unless the question is dropped; at the latest
 * after `limit_ms`, and RESOLVER_OUTAGE_PROBE_MS more for a verdict. A question starts as zeroes and
 * `answered`. */
void resolver_ask(struct resolver *resolver, const char *host, struct resolver_question *question);
/* The caller's own time is up: acts as if the limit had passed. May answer. */
void resolver_press(struct resolver_question *question);
void resolver_drop(struct resolver_question *question);
/* Nobody may be waiting. Closes the handles; free after the loop has run. */
void resolver_close(struct resolver *resolver);
void resolver_free(struct resolver *resolver);
