/*
 * listener_parts: what the listener's own files share. Nobody else includes this.
 *
 *   listener.c          open, close, and answers from any thread
 *   loop.c     one thread: its connections, what other threads leave for it, and the door (accept)
 *   client.c  one connection: from bytes to an exchange, from its answer to bytes, deadlines
 *   crowd.c   who is here, by client address, and who goes when there are too many
 *   memory.c   what they hold of memory, and who gives way when there is none left
 *   exchange.c     one request and its answer: the memory, the bytes of the answer
 *   head.c     the head of a request, from bytes; pure
 *   framing.c  which heads are well-formed; pure
 *   socket.c   the listening socket, from its text
 *   secure.c      our side of TLS, from the files
 */
#pragma once
#include "chunked.h"
#include "connection.h"
#include "listener.h"
#include <pthread.h>
#include <stdatomic.h>
#include <sys/queue.h>

enum {
    LISTENER_LINE_LEN_MAX = 8 * 1024,  /* the request line: 414 beyond */
    LISTENER_HEAD_LEN_MAX = 32 * 1024, /* the header lines: 431 beyond */
    LISTENER_HEAD_MS_MAX =
        10 * 1000, /* a head that has begun must be complete by then, a handshake too: 408 */
    LISTENER_BODY_MS_MAX = 30 * 1000,  /* and the body, however it drips */
    LISTENER_REPLY_MS_MAX = 60 * 1000, /* and the client must have read the answer */
    LISTENER_LINGER_MS_MAX = 5 * 1000, /* and hang up when it was told to go */
    LISTENER_LINGER_LEN_MAX = 4 << 20, /* what is swallowed until then */
    LISTENER_READ_LEN = 64 * 1024      /* read at once, at most */
};

/* ---- framing.c ---- */

/* Splits the target; 0, or the status to refuse with. Absolute form is understood (RFC 9112, 3.2.2). */
int framing_target(struct bytes method, struct bytes target, struct bytes *path, struct bytes *query);

struct framing_body {
    bool chunked;
    int64_t length; /* from Content-Length; -1: none */
};
/* Header names and values, Host, Content-Length, Transfer-Encoding. 0, or the status to refuse with. */
int framing_headers(const struct listener_request *request, bool http_1_0, struct framing_body *body);

/* ---- head.c ---- */

/* How far a head has been looked at, while it comes in pieces. Zeroed memory is the beginning. */
struct head_scan {
    size_t scanned, line_start;
    size_t line_at,
        fields_at; /* of the request line and of the first header line; fields_at 0: not there yet */
};

/* Looks at all of a head that is there, again when there is more. 0: *head_len is its length with the empty
 * line, or 0 as long as that has not come. Otherwise the status to refuse with. */
int head_scan(struct head_scan *scan, struct bytes text, size_t *head_len);

struct head_facts {
    bool http_1_0, keep_alive, expects_continue;
    struct framing_body body;
};
/* A complete head. Fills method, target, path, query and headers with views of `head`; what can be read is
 * filled in also when the status it returns is not 0. */
int head_read(const struct head_scan *scan, struct bytes head, struct listener_request *request,
              struct head_facts *facts);

/* ---- exchange.c ---- */

enum exchange_phase { EXCHANGE_READING, EXCHANGE_HANDLING, EXCHANGE_SUSPENDED, EXCHANGE_ANSWERED };

/* A request and its answer. Reused from its loop's free list: never zeroed as a whole. */
struct exchange {
    struct listener_request request; /* first, so that the one is the other */
    struct listener_loop *loop;
    struct listener_client *client;
    atomic_int phase;
    struct exchange *next; /* of a free list, or of the answered ones */

    char *head; /* the bytes that the request's views look at; kept for the next one */
    size_t head_len, head_cap;
    struct head_scan scan;
    struct head_facts facts;
    size_t body_cap;
    size_t counted_len; /* of the body, in the budget */
    bool body_owned;    /* a body of unknown length is its own block, not the arena's */
    struct chunked chunked;
    char no_body[1];

    struct bytes reply_head, reply_body;
    size_t date_at;                /* in reply_head: where the loop writes the date */
    char *spare_head, *spare_body; /* when the arena is used up */
    bool close;                    /* after the answer */
    bool cut_short;                /* refused: what follows of it is not read */
    bool counted;                  /* in the listener's `replying` */
};

struct exchange *exchange_take(struct listener_loop *loop);
void exchange_give(struct exchange *exchange);
void exchange_forget_free(struct listener_loop *loop); /* the free list is freed */
/* Room for a body of known length; false: the arena is too small. */
bool exchange_make_room(struct exchange *exchange, size_t len);
/* Appends to a body of unknown length; false: it would pass the limit. */
bool exchange_append(struct exchange *exchange, struct bytes content);
/* Bytes that the exchange holds while it waits for its client to read. */
size_t exchange_held(const struct exchange *exchange);
void exchange_append_head(struct exchange *exchange, struct bytes piece);
/* The bytes of the answer, all but the date. Any thread. */
void exchange_render(struct exchange *exchange, const struct listener_reply *reply);

/* ---- client.c ---- */

enum listener_client_stage {
    LISTENER_CLIENT_ACCEPTED, /* its socket, and nothing else yet */
    LISTENER_CLIENT_SECURING, /* TLS */
    LISTENER_CLIENT_IDLE,     /* waiting for a request: the limit may close it */
    LISTENER_CLIENT_HEAD,     /* of a request, of which a byte has come */
    LISTENER_CLIENT_BODY,     /* the head is complete */
    LISTENER_CLIENT_HANDLED,  /* the application's: no deadline of ours */
    LISTENER_CLIENT_REPLY,    /* answered */
    LISTENER_CLIENT_LINGER,   /* told to go: closing on unread bytes could take the answer off the wire (RFC
                         9112   section 9.6) */
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
    bool half_closed;          /* it will send no more */
    bool asked;                /* a request of it has been handed over */
    size_t lingered;
    char *held; /* came before its turn: what follows the request in hand */
    size_t held_len;
    size_t held_counted; /* of it, in the budget */
    bool waits;          /* for other loops to make room for its body */
    int waits_left;      /* of this request */
    LIST_ENTRY(listener_client) waiting;
    char peer[64];
    LIST_ENTRY(listener_client) entry; /* among those who are here */
    struct crowd_origin *origin;       /* of its address */
    size_t weight;                     /* what it keeps us from freeing, and could end: its origin's too */
    TAILQ_ENTRY(listener_client) by_stage;
    uint64_t since_ms; /* it came to its stage */
    struct listener_client *next_gone;
};

/* The one place where a stage changes; a move that its table does not have is a bug, and aborts. */
void listener_client_enter(struct listener_client *client, enum listener_client_stage stage);
void listener_client_welcome(struct listener_loop *loop, int fd, const struct sockaddr *address);
/* It takes too much memory, and others come: 503, or if that cannot be said, the end. */
void listener_client_give_way(struct listener_client *client);
void listener_client_room_made(struct listener_client *client);
/* Its exchange has been answered, on whatever thread. */
void listener_client_answered(struct listener_client *client);
void listener_client_close(struct listener_client *client);
/* The deadlines' `passed`. */
void listener_client_late_passed(struct deadline *deadline);
void listener_client_close_passed(struct deadline *deadline);

/* ---- crowd.c ---- */

enum {
    CROWD_OVER_MAX = 16, /* beyond the limit until one has gone */
    CROWD_STAYS = 5
};

struct crowd_origin;
LIST_HEAD(crowd_list, crowd_origin);

struct crowd {
    struct crowd_list *buckets;  /* cap of them, by address */
    struct crowd_list *by_count; /* by how many clients they have, up to count_max */
    size_t cap;
    int count_max, most;
};

void crowd_init(struct crowd *crowd, int clients_max);
void crowd_fini(struct crowd *crowd);
void crowd_come(struct crowd *crowd, struct listener_client *client, const struct sockaddr *address);
void crowd_move(struct listener_client *client); /* to another stage */
void crowd_go(struct crowd *crowd, struct listener_client *client);
/* The slowest of the address with the most clients. NULL: all of them wait for us. */
struct listener_client *crowd_slowest(struct crowd *crowd, struct listener_loop *loop);
/* What one holds has changed. */
void crowd_weigh(struct listener_client *client, size_t weight);
int64_t crowd_name(const struct sockaddr *address);
/* Of those in their TLS handshake, the oldest of an address with many clients. NULL: none. */
struct listener_client *crowd_oldest_handshake(const struct listener_loop *loop);
size_t crowd_weight(const struct crowd_origin *origin);
/* Of the address that holds most, the one that has held longest what it holds. NULL: nobody holds anything.
 */
struct listener_client *crowd_heaviest(const struct listener_loop *loop);

/* ---- memory.c ---- */

enum memory_room { MEMORY_ROOM, MEMORY_NO_ROOM, MEMORY_WAIT };

/* Counts so many bytes of the exchange's in the budget. Where they do not fit, the slowest of those who hold
 * most give way. NO_ROOM: it is this one's turn to give way. WAIT: other loops have been asked, and when they
 * have made room, listener_client_room_made is called. */
enum memory_room listener_client_count_call(struct listener_client *client, size_t len);
/* The same for what it holds of requests whose turn has not come. */
bool listener_client_count_held(struct listener_client *client);
void listener_client_forget_held(struct listener_client *client); /* frees it */
/* For another loop: takes so many bytes from the budget. 0: nobody here is to give way for that. */
size_t listener_make_room(struct listener_loop *loop, size_t more, size_t weight);
/* Weighs it anew, after it came to another stage or holds more. */
void listener_client_weigh(struct listener_client *client);

/* ---- loop.c ---- */

struct arrival {
    struct arrival *next;
    int fd;
    struct sockaddr_storage address;
};

enum { LISTENER_DATE_LEN = 29 };

struct listener_loop {
    struct listener *listener;
    pthread_t thread;
    bool made, started;
    uv_loop_t loop;
    int wake_fd; /* an eventfd. Not uv_async: its loop spins while another thread is still telling it */
    uv_poll_t wake;
    uv_prepare_t sweep; /* frees who has gone */
    struct connection_world world;
    struct deadlines deadlines;
    struct deadline_queue *limits[LISTENER_CLIENT_STAGE_COUNT]; /* by stage; NULL: none */
    LIST_HEAD(, listener_client) present;
    LIST_HEAD(, listener_client) waiting; /* for room */
    size_t room;                          /* in the budget, for those: not counted by anybody yet */
    struct listener_client *gone;
    struct exchange *free_exchanges;
    int free_count;
    int clients_max;
    struct crowd crowd;
    int64_t date_s;
    char date[LISTENER_DATE_LEN + 1];
    atomic_int clients; /* read by the door */
    atomic_int telling; /* threads that write to wake_fd, which is closed behind the last */

    pthread_mutex_t lock;
    struct exchange *answered, **answered_end; /* under the lock, as are all below */
    struct arrival *arrivals;
    struct tls *next_tls; /* takes the place of the world's; NULL: it stays */
    bool woken, quiesce, stop;
    bool room_asked, room_made;
    bool room_asked_again;         /* by one that was not noted down */
    size_t room_more, room_weight; /* asked for */
    struct listener_loop *room_for;
    size_t room_given; /* bytes of the budget */

    /* Only the first loop has the door. */
    uv_poll_t door;
    uv_timer_t door_timer; /* shut for a moment: no descriptors are left */
    uint64_t complained_ms;
    bool door_open;
};

/* Starts the thread, and holds `tls` (NULL: plain HTTP); false: it cannot, and is to be stopped all the same.
 */
bool listener_loop_start(struct listener_loop *loop, struct listener *listener, struct tls *tls,
                         bool with_door);
/* Closes every connection and ends the thread. The one with the door first. */
void listener_loop_stop(struct listener_loop *loop);
/* When all have been stopped: until then one may wake another. */
void listener_loop_fini(struct listener_loop *loop);
/* Any thread. */
void listener_loop_answered(struct listener_loop *loop, struct exchange *exchange);
void listener_loop_quiesce(struct listener_loop *loop);
/* Other loops make room for so many bytes, if they have an origin that holds at least `weight`; then those
 * who wait on this one go on. */
void listener_loop_ask_room(struct listener_loop *loop, size_t more, size_t weight);
/* For the connections that come from now on. Holds it. Any thread. */
void listener_loop_secure(struct listener_loop *loop, struct tls *tls);
/* "Thu, 26 Nov 2026 16:00:00 GMT", as of this second. */
const char *listener_loop_date(struct listener_loop *loop);

/* ---- socket.c ---- */

enum listener_error listener_socket(const char *listen_text, int *fd, char address[80]);
/* listener_local, and listener_scope. */
const char *listener_describe(int fd, char local[80]);

/* ---- secure.c ---- */

/* *tls is NULL without TLS. False: the log says which file, and what is wrong with it. */
bool listener_tls_open(const struct listener_config *config, struct tls **tls);

/* ---- listener.c ---- */

struct listener {
    struct listener_config config;
    int fd;
    char address[80], local[80];
    const char *scope;
    bool secure;           /* TLS; the loops hold the context */
    atomic_bool quiescing; /* no new requests */
    atomic_bool closing;   /* and those half read are not handed over either */
    atomic_int in_hand;    /* handed to the application; counted down when listener_answer is through */
    atomic_int replying;   /* handed to the application; counted down when the answer is out */
    int loop_count;
    struct listener_loop *loops;
};
