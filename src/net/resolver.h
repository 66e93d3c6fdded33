/*
 * resolver: names into addresses, from DNS alone (no hosts file, no search list), through c-ares.
 *
 * Answers are kept for their TTL, at most an hour; questions for the same name share one look-up. A and AAAA
 * are asked together; once one has addresses, the other is waited for a moment only. `localhost` and names
 * below it are the loopback addresses without asking (RFC 6761 section 6.3).
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
    union address list[ADDRESSES_MAX]; /* IPv6 first; port 0 */
};

struct resolver;

struct resolver_question {
    struct resolver_question *prev, *next; /* NULL: not waiting */
    /* `addresses` is valid during the call only. */
    void (*answered)(struct resolver_question *question, enum failure failure,
                     const struct addresses *addresses);
};

/* `second_limit` lasts RESOLVER_SECOND_MS, its `passed` is resolver_second_passed. NULL: c-ares refuses. */
struct resolver *resolver_open(uv_loop_t *loop, const char *servers /* NULL: the system's */, int limit_ms,
                               struct deadline_queue *second_limit);
void resolver_second_passed(struct deadline *deadline);
/* `answered` comes exactly once, perhaps before this returns, unless the question is dropped. */
void resolver_ask(struct resolver *resolver, const char *host, struct resolver_question *question);
void resolver_drop(struct resolver_question *question);
/* Nobody may be waiting. Closes the handles; free after the loop has run. */
void resolver_close(struct resolver *resolver);
void resolver_free(struct resolver *resolver);
