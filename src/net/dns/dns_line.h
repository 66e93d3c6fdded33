/*
 * dns_line: one channel of c-ares on the loop: watches its sockets and keeps its time-outs.
 *
 * A line over UDP uses EDNS for answers of up to 1,232 bytes, which pass every path unfragmented; a longer
 * answer comes truncated (TC). A line over TCP is for one question, because in c-ares the faults of one
 * connection use up the tries of all questions to that server.
 */
#pragma once
#include <ares.h>
#include <stdbool.h>
#include <uv.h>

struct dns_line {
    struct dns_line *next; /* the owner's */
    uv_loop_t *loop;
    ares_channel channel;
    uv_timer_t timer; /* c-ares' own time-outs, while anything is asked */
    struct dns_watch *watches;
    /* Around each call into c-ares: it must not be closed from within. After `leave` it may be gone. */
    void (*enter)(void *ctx), (*leave)(void *ctx);
    void *ctx;
    int running;       /* questions asked and not answered; the owner counts up */
    bool tcp, retired; /* retired: the owner asks nothing more on it */
    bool looked;
};

/* servers NULL: the system's. NULL: c-ares refuses. */
struct dns_line *dns_line_open(uv_loop_t *loop, const char *servers, int limit_ms, bool tcp);
/* Calls back for what is being asked; frees later, from the loop. */
void dns_line_close(struct dns_line *line);
/* After questions were asked. */
void dns_line_arm(struct dns_line *line);
/* A question was answered. */
void dns_line_answered(struct dns_line *line);
int dns_line_servers(const struct dns_line *line);
/* Does it still ask with EDNS? c-ares turns that off for everybody when a server answers one name with
 * SERVFAIL, or does not know EDNS. */
bool dns_line_has_edns(const struct dns_line *line);
