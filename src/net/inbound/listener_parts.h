/*
 * listener_parts: the structs of a listener: its loops (a thread each), their clients, and the exchange of
 * each. Only the files of the listener include it.
 */
#pragma once
#include "chunked.h"
#include "connection.h"
#include "head.h"
#include "listener_limits.h"
#include <pthread.h>
#include <stdatomic.h>
#include <sys/queue.h>

/* ---- an exchange ---- */

enum exchange_phase { EXCHANGE_READING, EXCHANGE_HANDLING, EXCHANGE_SUSPENDED, EXCHANGE_ANSWERED };

/* A request and its answer. Reused from its loop's free list: never zeroed as a whole. */
struct exchange {
    struct listener_request request; /* first, so that a pointer to it is a pointer to the exchange */
    struct listener_loop *loop;
    struct listener_client *client;
    atomic_int phase;
    struct exchange *next; /* of a free list, or of the answered ones */

    char *head; /* the bytes of the request's views; kept for the next request */
    size_t head_len, head_cap;
    struct head_scan scan;
    struct head_facts facts;
    size_t body_cap;
    size_t counted_len; /* of the body, in the budget */
    bool body_owned;    /* a large body, or one of unknown length, is its own block, not the arena's */
    struct chunked chunked;
    char no_body[1];

    struct bytes reply_head, reply_body;
    size_t date_at;                /* in reply_head: where the loop writes the date */
    char *spare_head, *spare_body; /* for a full arena */
    bool close;                    /* after the answer */
    bool cut_short;                /* refused: the rest of it is not read */
    bool counted;                  /* in the listener's `replying` */
};

/* ---- a client ---- */

enum listener_client_stage {
    LISTENER_CLIENT_ACCEPTED, /* has only its socket */
    LISTENER_CLIENT_SECURING, /* TLS */
    LISTENER_CLIENT_IDLE,     /* waiting for a request: the limit may close it */
    LISTENER_CLIENT_HEAD,     /* the first byte of a request has come */
    LISTENER_CLIENT_BODY,     /* the head is complete */
    LISTENER_CLIENT_HANDLED,  /* the application has the request: no deadline */
    LISTENER_CLIENT_REPLY,    /* answered */
    LISTENER_CLIENT_LINGER,   /* told to go; reads on, because a close with unread bytes could destroy the
 answer (RFC 9112 section 9.6) */
    LISTENER_CLIENT_GONE,
    LISTENER_CLIENT_STAGE_COUNT
};

struct listener_client {
    struct listener_loop *loop;
    struct connection *connection; /* NULL: gone; then it only waits for its exchange's answer */
    enum listener_client_stage stage;
    struct deadline deadline;  /* of the stage */
    struct exchange *exchange; /* from HEAD to REPLY */
    bool trusted;              /* its client certificate has been checked, if any is wanted */
    bool half_closed;          /* it has closed its side */
    bool asked;                /* it has had a request handled */
    size_t lingered;
    char *held; /* bytes after the request in hand */
    size_t held_len;
    size_t held_counted; /* of it, in the budget */
    bool waits;          /* for other loops to make room for its body */
    int waits_left;      /* of this request */
    LIST_ENTRY(listener_client) waiting;
    char peer[64];
    LIST_ENTRY(listener_client) entry; /* of the loop's clients */
    struct crowd_origin *origin;       /* of its address */
    size_t weight;                     /* the bytes that closing it would free; part of its origin's weight */
    TAILQ_ENTRY(listener_client) by_stage;
    uint64_t since_ms; /* the start of its stage */
    struct listener_client *next_gone;
};

/* ---- a loop ---- */

struct crowd_origin;
LIST_HEAD(crowd_list, crowd_origin);

struct crowd {
    struct crowd_list *buckets;  /* cap of them, by address */
    struct crowd_list *by_count; /* by their number of clients, up to count_max */
    size_t cap;
    int count_max, most;
};

struct accepted_socket {
    struct accepted_socket *next;
    int fd;
    struct sockaddr_storage address;
};

/* Messages of other threads until the loop takes them. */
struct listener_inbox {
    struct exchange *answered, **answered_end;
    struct accepted_socket *arrivals;
    struct tls *next_tls; /* replaces the world's; NULL: no change */
    bool quiesce, stop;
    bool room_made;                /* the answer to our question: room_given bytes of the budget */
    bool room_asked;               /* by room_for */
    bool room_asked_again;         /* by one that was not noted down */
    size_t room_more, room_weight; /* asked for */
    struct listener_loop *room_for;
    size_t room_given;
};

enum { LISTENER_DATE_LEN = 29 };

struct listener_loop {
    struct listener *listener;
    pthread_t thread;
    bool made, started;
    uv_loop_t loop;
    int wake_fd; /* an eventfd. Not uv_async, whose loop spins until another thread's wake-up has ended */
    uv_poll_t wake;
    uv_prepare_t sweep; /* frees closed clients */
    struct loop_sleep sleep;
    struct connection_world world;
    struct deadlines deadlines;
    struct deadline_queue *limits[LISTENER_CLIENT_STAGE_COUNT]; /* by stage; NULL: none */
    LIST_HEAD(, listener_client) present;
    LIST_HEAD(, listener_client) waiting; /* for room */
    size_t room;                          /* bytes of the budget for those, not counted by a client yet */
    struct listener_client *gone;
    struct exchange *free_exchanges;
    int free_count;
    int clients_max;
    struct crowd crowd;
    int64_t date_s;
    char date[LISTENER_DATE_LEN + 1];
    atomic_int clients; /* read by the door */
    atomic_int telling; /* threads that write to wake_fd; the last one must end before it is closed */

    pthread_mutex_t lock;
    struct listener_inbox inbox; /* under the lock */
    bool woken;                  /* under the lock */

    /* Only the first loop has the door. */
    uv_poll_t door;
    uv_timer_t door_timer; /* shut for a moment, because no descriptors are left */
    uint64_t complained_ms;
    bool door_open;
};

/* ---- the listener ---- */

struct listener {
    struct listener_config config;
    int fd;
    char address[80], local[80];
    const char *scope;
    bool secure;           /* TLS; the loops hold the context */
    atomic_bool quiescing; /* no new requests */
    atomic_bool closing;   /* incomplete requests are not handed over either */
    atomic_int in_hand;    /* handed to the application, until listener_answer returns */
    atomic_int replying;   /* handed to the application, until the answer is sent */
    int loop_count;
    struct listener_loop *loops;
};
