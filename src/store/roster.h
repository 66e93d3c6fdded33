/*
 * roster: every user's endpoint in memory, and whose turn it is to be claimed.
 *
 * It is what makes a claim cost O(endpoints with due work + rows claimed): endpoints whose work is due stand
 * in a ring and take turns; the others wait in a heap by the time at which they will be due. Those that may
 * not be claimed now (held, or with all the leases that policy_pace allows) stand in neither. So a million
 * deliveries waiting for a dead endpoint are one entry in a heap.
 *
 * All times are of the due clock. What a batch changes can be undone, for the transaction may fail.
 * Used by the writer thread alone.
 */
#pragma once
#include "bytes.h"
#include "idmap.h"
#include "policy.h"
#include <stdbool.h>
#include <sys/queue.h>

#define ROSTER_NEVER INT64_MAX

/* What a user has here. */
struct usage {
    int64_t
        stored_bytes; /* documents of its events, until they are purged; snapshots that stand by themselves */
    int64_t resources; /* late by the events that are ahead of the table, 1,024 or so */
    int64_t pending;   /* deliveries to its endpoint that have not ended */
};

/* What changes with every batch, kept apart to be undone. */
struct endpoint_tally {
    int64_t due_at_ms;     /* of the delivery that waits first; ROSTER_NEVER: none waits */
    int64_t held_until_ms; /* by pace */
    int64_t memory_at_ms;  /* no memory for what waits first; looked at again then */
    int leased;            /* deliveries out under a lease */
    size_t bytes;          /* of their documents */
    int failures_in_a_row;
    bool ever_answered;
    struct usage usage;
};

enum endpoint_place { PLACE_NONE, PLACE_HEAP, PLACE_RING /* of its standing */ };

struct endpoint {
    int64_t id, master_id;
    char *url;            /* NULL: none */
    char auth_digest[65]; /* of the user's oldest active key; "": none */
    bool success_2xx, paused, receives_users_events;
    struct bytes signing, identity; /* its own; sealed */
    int64_t version;                /* of its user */

    struct endpoint_tally tally; /* changed through the functions below only */
    struct endpoint_tally tally_before;
    uint64_t touched_in; /* the batch in which tally_before was taken */
    LIST_ENTRY(endpoint) touched;

    size_t wants; /* bytes of the document that waits first, if there was no memory for it; else 0 */
    struct pace pace;
    enum endpoint_place place;
    enum standing ring; /* the one it stands in */
    TAILQ_ENTRY(endpoint) turn;
    int heap_at;
    bool seen; /* by the load under way */
};

TAILQ_HEAD(endpoint_ring, endpoint);
LIST_HEAD(endpoint_list, endpoint);

struct roster {
    struct policy policy;
    int unproven_max;
    struct idmap endpoints; /* one a user, with the user's id */
    struct endpoint_ring rings[STANDING_COUNT];
    int ring_count;     /* endpoints in all of them */
    enum standing turn; /* the rings take turns too */
    struct endpoint **heap;
    int heap_count, heap_cap;
    int shared[STANDING_COUNT]; /* leases held by each standing */
    struct endpoint_list touched;
    uint64_t batch;
    int64_t now_ms;
};

void roster_init(struct roster *roster, const struct policy *policy, int unproven_max);
void roster_fini(struct roster *roster);

/* A new batch: what it changes can be undone until the next one. Endpoints that became due join the rings. */
void roster_begin(struct roster *roster, int64_t now_ms);
void roster_undo(struct roster *roster);

struct endpoint *roster_get(const struct roster *roster, int64_t id);
struct endpoint *roster_add(struct roster *roster, int64_t id);
void roster_drop(struct roster *roster, struct endpoint *endpoint);
/* After a change of url, auth_digest or paused. */
void roster_changed(struct roster *roster, struct endpoint *endpoint);
/* Pace as if it had never been tried. */
void roster_renew(struct roster *roster, struct endpoint *endpoint);

/* May a new delivery be born leased? */
bool roster_can_lease(const struct roster *roster, const struct endpoint *endpoint);
void roster_leased(struct roster *roster, struct endpoint *endpoint);
void roster_unleased(struct roster *roster, struct endpoint *endpoint);
/* The documents under way are so many bytes more, or fewer. Fewer: it may look for memory again. */
void roster_bytes(struct roster *roster, struct endpoint *endpoint, size_t more, size_t fewer);
/* There is no memory for the document of `wants` bytes that waits first: again after some ms. */
void roster_wants_memory(struct roster *roster, struct endpoint *endpoint, size_t wants);
/* Its user's usage grows by so much; negative: it shrinks. */
void roster_use(struct roster *roster, struct endpoint *endpoint, struct usage change);
/* One more waits. */
void roster_waits(struct roster *roster, struct endpoint *endpoint, int64_t due_at_ms);
/* The one that waits first, afresh from the table. */
void roster_waits_first(struct roster *roster, struct endpoint *endpoint, int64_t due_at_ms);
/* An attempt that counted has ended. True: it is the first answer ever. */
bool roster_attempted(struct roster *roster, struct endpoint *endpoint, bool answered);

/* Whose turn it is; it goes to the end of its ring. NULL: nobody's. */
struct endpoint *roster_turn(struct roster *roster);
/* How many leases it may take now. */
int roster_leases_free(const struct roster *roster, const struct endpoint *endpoint);
/* When a claim would find something: now or earlier, or ROSTER_NEVER. */
int64_t roster_due_at(const struct roster *roster);
