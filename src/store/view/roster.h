/*
 * roster: every endpoint in memory, with its owner, and whose turn it is to be claimed.
 *
 * It is what makes a claim cost O(endpoints with due work + rows claimed). An endpoint that may be claimed
 * stands in one of three queues by its health (pace.h), the one with the fewest leases first. Three of four
 * leases go to the quick ones, as long as something of theirs waits, and every fourth to whoever has the
 * fewest: or thousands that begin to hang, with none yet, would all go before one that answers. An endpoint
 * whose work is not due yet, or that is held, waits in a queue by time. Those that may not be claimed
 * (paused, without URL, or with all the leases of their window) stand in none. So a million deliveries
 * waiting for a dead endpoint are one entry.
 *
 * All times are of the due clock. What a batch changes can be undone, for the transaction may fail.
 * Used by the writer thread alone.
 */
#pragma once
#include "bytes.h"
#include "idmap.h"
#include "leases.h"
#include "pace.h"
#include "quota.h"
#include "wishes.h"
#include <stdbool.h>
#include <sys/queue.h>

#define ROSTER_NEVER INT64_MAX

/* What is due is read from behind this entry of the index on; delivery_id 0: from the first one. */
struct roster_past {
    int64_t due_at_ms, delivery_id;
};

/* What changes with every batch, kept apart to be undone. */
struct roster_counts {
    int64_t due_at_ms;    /* of the delivery that waits first in the table; ROSTER_NEVER: none waits there */
    int64_t memory_at_ms; /* no memory for what waits first; looked at again then */
    int64_t rests_until_ms;  /* what is said to be due was not to be had: the data is damaged */
    struct roster_past past; /* up to there, nothing of what is said to be due was to be had */
    int leased;              /* deliveries out under a lease */
    size_t bytes;            /* of their documents */
    int missed;              /* how many of endpoint.missed count */
    struct pace pace;
    int64_t pending;   /* deliveries to it that have not ended. Below 0 where more has ended since the store
                          was opened than has been counted of what waited then, or than damaged rows said */
    int64_t delivered; /* attempts that were acknowledged */
};

enum roster_place {
    PLACE_QUICK, /* the first three as enum pace_health */
    PLACE_PLAIN,
    PLACE_FAILING,
    PLACE_LATER, /* by the time at which it may be claimed */
    PLACE_COUNT,
    PLACE_NONE = PLACE_COUNT
};

TAILQ_HEAD(roster_siblings, roster_entry);

/* A user, as the store needs to know it. */
struct roster_owner {
    int64_t id, master_id;
    char auth_digest[65]; /* of its oldest active key; "": none */
    bool receives_users_events;
    struct roster_siblings endpoints; /* the default one, which has the user's id, first; then by id */
    struct roster_owned {
        int64_t stored_bytes, resources; /* see struct user_usage */
        int64_t swept_to; /* sweep.c: up to this event the rows of `owned` are all of events that are there */
        int dead;         /* rows behind it whose event is gone, as far as is known */
    } counts;
    uint64_t touched_in; /* as below */
};

struct roster_entry {
    int64_t id;
    struct roster_owner *owner;
    TAILQ_ENTRY(roster_entry) sibling; /* of the same owner */
    char *url;                         /* NULL: none */
    struct wishes *wishes;             /* NULL: all events */
    bool success_2xx, paused;
    bool removed;                   /* its deliveries are there still */
    struct bytes signing, identity; /* sealed */
    int64_t version, created_at_ms;

    struct roster_counts counts; /* changed through the functions below only */
    uint64_t touched_in;         /* the batch that has noted how they were, or in which it was made */
    struct endpoint_leases out;  /* its leases, oldest first */
    struct lease_tail tail;      /* what was just accepted and waits in memory (tail.c) */
    LIST_ENTRY(roster_entry) tailed;
    bool is_tailed;

    int64_t
        *missed; /* deliveries that are due when it answers again; negative: when it recovers (pace_again) */
    int missed_cap;
    size_t wants; /* bytes of the document that waits first, if there was no memory for it; else 0 */
    enum roster_place place;
    int64_t key, turn; /* its order in that place's heap */
    int heap_at;
    bool counted_failing;
    bool starved; /* due, and every lease it may have is out */
    bool seen;    /* by the load under way */
    bool counted; /* what waited when the store was opened is in its counts */
};

LIST_HEAD(roster_list, roster_entry);

/* A binary heap by (key, turn). */
struct roster_heap {
    struct roster_entry **items;
    int count, cap;
};

/* How one was before this batch. Kept here, so that an idle endpoint is small. NULL: it was dropped. */
struct roster_before {
    struct roster_entry *endpoint;
    struct roster_counts counts;
};
struct roster_owner_before {
    struct roster_owner *owner;
    struct roster_owned counts;
};

struct roster {
    struct pace_config config;
    struct idmap endpoints;
    struct roster_heap heaps[PLACE_COUNT];
    int64_t turn;       /* the last one taken */
    int leased;         /* of all endpoints */
    int quick_in_a_row; /* leases by turns */
    struct pace_budget failing, failing_before;
    struct pace_outage outage, outage_before;
    int failing_count;
    int starved_count;            /* endpoints to which an outcome would free a lease */
    struct roster_before *before; /* what the batch has changed, as it was */
    int before_count, before_cap;
    struct roster_owner_before *owners_before;
    int owners_before_count, owners_before_cap;
    struct roster_list tailed; /* all that have a tail, and some that had one */
    uint64_t batch;
    int64_t now_ms;
};

void roster_init(struct roster *roster, const struct pace_config *config);
void roster_fini(struct roster *roster);

/* A new batch: what it changes can be undone until the next one. Endpoints that became due take their places.
 */
void roster_begin(struct roster *roster, int64_t now_ms);
void roster_undo(struct roster *roster);

struct roster_entry *roster_get(const struct roster *roster, int64_t id);
/* NULL: there is no such user. */
struct roster_owner *roster_owner(const struct roster *roster, int64_t user_id);
/* `owner` NULL: the default endpoint of a user who is new here. */
struct roster_entry *roster_add(struct roster *roster, int64_t id, struct roster_owner *owner);
/* The owner goes with its last endpoint. */
void roster_drop(struct roster *roster, struct roster_entry *endpoint);
/* After a change of url or paused, or of its owner's auth_digest. */
void roster_changed(struct roster *roster, struct roster_entry *endpoint);
/* Its pace changes: pace_renew, pace_hurry, pace_resumed, pace_proven. */
void roster_pace(struct roster *roster, struct roster_entry *endpoint, void (*change)(struct pace *pace));

bool roster_is_quick(const struct roster *roster, const struct roster_entry *endpoint);
/* May a new delivery be born leased? */
bool roster_can_lease(struct roster *roster, const struct roster_entry *endpoint);
void roster_leased(struct roster *roster, struct roster_entry *endpoint);
void roster_unleased(struct roster *roster, struct roster_entry *endpoint);
/* The documents under way are so many bytes more, or fewer. Fewer: it may look for memory again. */
void roster_bytes(struct roster *roster, struct roster_entry *endpoint, size_t more, size_t fewer);
/* There is no memory for the document of `wants` bytes that waits first: again after some ms. */
void roster_wants_memory(struct roster *roster, struct roster_entry *endpoint, size_t wants);
/* It is due and nothing of it can be claimed: not its turn for a time, or it would always be. */
void roster_rests(struct roster *roster, struct roster_entry *endpoint);
void roster_past(struct roster *roster, struct roster_entry *endpoint, struct roster_past past);
/* The owner's usage grows by so much; negative: it shrinks. */
void roster_use(struct roster *roster, struct roster_owner *owner, int64_t stored_bytes, int64_t resources);
/* More deliveries to it that have not ended, or fewer. */
void roster_pending(struct roster *roster, struct roster_entry *endpoint, int64_t more);
struct user_usage roster_usage(const struct roster_owner *owner);
/* So many waited when the store was opened. That stays, whether the batch is undone or not. */
void roster_counted(struct roster *roster, struct roster_entry *endpoint, int64_t pending);
/* One more row of its events is dead; how many there are. And up to this event there is none any more. */
int roster_dead(struct roster *roster, struct roster_owner *owner);
void roster_swept(struct roster *roster, struct roster_owner *owner, int64_t to);
/* May what is accepted for it wait in memory? It is soon to be served: quick, open, and not held for long. */
bool roster_tails(const struct roster *roster, const struct roster_entry *endpoint);
/* Its tail has grown or shrunk. */
void roster_tailed(struct roster *roster, struct roster_entry *endpoint);
/* What waits first, does so in its tail. NULL: it does so in the table, or nothing waits. */
struct lease *roster_tail_first(const struct roster_entry *endpoint);
/* One more waits in the table. */
void roster_waits(struct roster *roster, struct roster_entry *endpoint, int64_t due_at_ms);
/* The one that waits first, afresh from the table. */
void roster_waits_first(struct roster *roster, struct roster_entry *endpoint, int64_t due_at_ms);

/* An attempt of this delivery has ended; `row` is what ledger_record made of it. The one place where an
 * endpoint starts failing or recovers. */
struct ledger_pace roster_ended(struct roster *roster, struct roster_entry *endpoint,
                                const struct ledger_outcome *outcome, const struct ledger_row *row,
                                int64_t began_ms);

/* Would the end of a lease let something that is due go? */
bool roster_starved(const struct roster *roster);
/* Takes one of those that are due now that it has answered, or `recovered`; 0: none is left. */
int64_t roster_again(struct roster *roster, struct roster_entry *endpoint, bool recovered);

/* Whose turn it is. NULL: nobody's. */
struct roster_entry *roster_turn(struct roster *roster);
/* How many leases it may take now. */
int roster_leases_free(const struct roster *roster, const struct roster_entry *endpoint);
/* How many leases each of those that wait would get of `boxes`, at least one. */
int roster_each(const struct roster *roster, int boxes);
/* When a claim would find something: now or earlier, or ROSTER_NEVER. */
int64_t roster_due_at(struct roster *roster);
