/*
 * roster: every endpoint in memory, with its owner, and the endpoint whose turn it is.
 *
 * It makes a claim cost O(endpoints with due work + rows claimed): a million deliveries that wait for a
 * dead endpoint are one entry. An endpoint that may be claimed is in one of three queues by its health
 * (pace.h), the one with the fewest leases first. Three of four leases go to quick endpoints while they
 * have work. Every fourth goes to the endpoint with the fewest leases: otherwise thousands of endpoints
 * that begin to hang would all go before one that answers. An endpoint that is held, or whose work is not
 * due yet, is in a queue by time. An endpoint that may not be claimed (paused, no URL, all leases of its
 * window out) is in none.
 *
 * All times are of the due clock. The changes of a batch can be undone, because its transaction may fail.
 * Used by the writer thread only.
 */
#pragma once
#include "bytes.h"
#include "flow.h"
#include "idmap.h"
#include "leases.h"
#include "pace.h"
#include "push_settings.h"
#include "quota.h"
#include "wishes.h"
#include <stdbool.h>
#include <sys/queue.h>

#define ROSTER_NEVER INT64_MAX

/* Due rows are read from behind this entry of the index; delivery_id 0: from the first entry. */
struct roster_past {
    int64_t due_at_ms, delivery_id;
};

/* The fields that a batch changes and an undo restores. */
struct roster_counts {
    int64_t due_at_ms;       /* of the first waiting delivery in the table; ROSTER_NEVER: there is none */
    int64_t memory_at_ms;    /* there was no memory for the first waiting delivery; next look */
    int64_t rests_until_ms;  /* see roster_rests */
    struct roster_past past; /* no row up to here could be read */
    int leased;              /* deliveries under a lease */
    size_t bytes;            /* of their documents */
    int missed;              /* used entries of endpoint.missed */
    struct pace pace;
    int64_t pending;   /* deliveries to it that have not ended. Below 0 until what waited at open is counted
                          (`counted`), or if rows are damaged */
    int64_t delivered; /* acknowledged attempts */
    bool fails;        /* the store keeps since when (failing.h) */
};

enum roster_place {
    PLACE_QUICK, /* the first three as enum pace_health */
    PLACE_PLAIN,
    PLACE_FAILING,
    PLACE_LATER, /* by the time from which it may be claimed */
    PLACE_COUNT,
    PLACE_NONE = PLACE_COUNT
};

TAILQ_HEAD(roster_siblings, roster_entry);

/* The fields of a user that the store uses. */
struct roster_owner {
    int64_t id, master_id;
    char auth_digest[65]; /* of its oldest active key; "": none */
    bool receives_users_events;
    struct roster_siblings endpoints; /* the default one, which has the user's id, first; then by id */
    struct roster_owned {
        int64_t stored_bytes, resources; /* see struct user_usage */
        int64_t swept_to;                /* sweep.c: up to this event, each row of `owned` has its event */
        int dead;                        /* later rows whose event is known to be gone */
    } counts;
    uint64_t touched_in; /* as below */
};

/* The part that only an endpoint with work needs. Endpoints without work since the start share one, which
 * nothing may change; so an idle endpoint costs a third. */
struct roster_work {
    struct roster_counts counts; /* only the functions below change it */
    struct endpoint_leases out;  /* its open leases, oldest first */
    struct lease_tail tail;      /* new deliveries that wait in memory (tail.c) */
    LIST_ENTRY(roster_entry) tailed;
    bool is_tailed;
    bool counted_failing;
    bool starved; /* it has due work, and all its leases are out */
    int missed_cap;
    int64_t
        *missed;  /* deliveries that are due when it answers again; negative: when it recovers (pace_again) */
    size_t wants; /* bytes of the first waiting document, if there was no memory for it; else 0 */
    int64_t key, turn; /* its order in the heap of its place */
    enum roster_place place;
    int heap_at;
};

struct roster_entry {
    int64_t id;
    struct roster_owner *owner;
    TAILQ_ENTRY(roster_entry) sibling; /* of the same owner */
    char *url;                         /* NULL: none */
    struct wishes *wishes;             /* NULL: all events */
    struct flow *flow;                 /* NULL: no limits are set */
    bool paused;
    bool removed;                   /* its deliveries still exist */
    struct bytes signing, identity; /* sealed */
    struct push_settings *push;     /* NULL: the defaults */
    int64_t version, created_at_ms;

    uint64_t touched_in; /* the batch that has saved `counts`, or that made the endpoint */
    struct roster_work *work;
    bool seen;    /* by the current load */
    bool counted; /* `pending` includes the deliveries that waited at open */
};

LIST_HEAD(roster_list, roster_entry);

/* A binary heap by (key, turn). */
struct roster_heap {
    struct roster_entry **items;
    int count, cap;
};

/* The counts before this batch. Kept apart, so that an idle endpoint is small. NULL: it was dropped. */
struct roster_before {
    struct roster_entry *endpoint;
    struct roster_counts counts;
    struct rate_bucket bucket; /* of its flow */
};
struct roster_owner_before {
    struct roster_owner *owner;
    struct roster_owned counts;
};

struct roster {
    struct pace_config config;
    struct idmap endpoints;
    struct roster_heap heaps[PLACE_COUNT];
    int64_t turn;       /* the last one */
    int leased;         /* of all endpoints */
    int quick_in_a_row; /* leases of quick endpoints */
    struct pace_budget failing, failing_before;
    struct pace_outage outage, outage_before;
    int failing_count;
    int starved_count;            /* endpoints that an outcome would give a lease */
    struct roster_before *before; /* entries that the batch has changed, as they were */
    int before_count, before_cap;
    struct roster_owner_before *owners_before;
    int owners_before_count, owners_before_cap;
    struct roster_list tailed; /* all endpoints with a tail, and some that had one */
    uint64_t batch;
    int64_t now_ms;
};

void roster_init(struct roster *roster, const struct pace_config *config);
void roster_fini(struct roster *roster);

/* Begins a batch, whose changes can be undone until the next one. Endpoints that became due take their
 * places. */
void roster_begin(struct roster *roster, int64_t now_ms);
void roster_undo(struct roster *roster);

struct roster_entry *roster_get(const struct roster *roster, int64_t id);
/* NULL: there is no such user. */
struct roster_owner *roster_owner(const struct roster *roster, int64_t user_id);
/* `owner` NULL: the default endpoint of a new user. */
struct roster_entry *roster_add(struct roster *roster, int64_t id, struct roster_owner *owner);
/* The owner is dropped with its last endpoint. */
void roster_drop(struct roster *roster, struct roster_entry *endpoint);
/* After a change of url or paused, or of its owner's auth_digest. */
void roster_changed(struct roster *roster, struct roster_entry *endpoint);
/* Its own, to be changed. */
struct roster_work *roster_work(struct roster_entry *endpoint);
/* A new entry whose endpoint answered before the start. */
void roster_proven(struct roster *roster, struct roster_entry *endpoint);
/* The limits that its owner sets. An undo gives back what its rate has counted in the batch. */
void roster_flow(struct roster *roster, struct roster_entry *endpoint, const struct flow_settings *set);
/* Its deliveries go one after the other, in a line (store.h). */
bool roster_is_ordered(const struct roster_entry *endpoint);
/* The leases that it may have at once, by its own pace and those limits. */
int roster_window(const struct roster *roster, const struct roster_entry *endpoint);
/* The store keeps since when it fails, or that is over. */
void roster_fails(struct roster *roster, struct roster_entry *endpoint, bool fails);
/* Its pace changes: pace_renew, pace_hurry, pace_resumed. */
void roster_pace(struct roster *roster, struct roster_entry *endpoint, void (*change)(struct pace *pace));

bool roster_is_quick(const struct roster *roster, const struct roster_entry *endpoint);
/* True: a new delivery may be born leased. */
bool roster_can_lease(struct roster *roster, const struct roster_entry *endpoint);
void roster_leased(struct roster *roster, struct roster_entry *endpoint);
void roster_unleased(struct roster *roster, struct roster_entry *endpoint);
/* The bytes of its documents under way change. If they fall, it may look for memory again. */
void roster_bytes(struct roster *roster, struct roster_entry *endpoint, size_t more, size_t fewer);
/* There is no memory for its first waiting document of `wants` bytes: it looks again after some ms. */
void roster_wants_memory(struct roster *roster, struct roster_entry *endpoint, size_t wants);
/* It is due, but none of its rows can be claimed, because of damage or because it moves them to its line: it
 * gets no turn for a time, or it would have every turn. */
void roster_rests(struct roster *roster, struct roster_entry *endpoint, int64_t ms);
void roster_past(struct roster *roster, struct roster_entry *endpoint, struct roster_past past);
/* Changes the usage of the owner; negative: it shrinks. */
void roster_use(struct roster *roster, struct roster_owner *owner, int64_t stored_bytes, int64_t resources);
/* Changes the number of deliveries to it that have not ended. */
void roster_pending(struct roster *roster, struct roster_entry *endpoint, int64_t more);
struct user_usage roster_usage(const struct roster_owner *owner);
/* `pending` deliveries waited at open. An undo does not revert this. */
void roster_counted(struct roster *roster, struct roster_entry *endpoint, int64_t pending);
/* One more of its rows is dead; returns their number. Swept: none is left up to this event. */
int roster_dead(struct roster *roster, struct roster_owner *owner);
void roster_swept(struct roster *roster, struct roster_owner *owner, int64_t to);
/* True: new deliveries may wait in memory, because it is quick, open, and not held for long. */
bool roster_tails(const struct roster *roster, const struct roster_entry *endpoint);
/* Its tail has grown or shrunk. */
void roster_tailed(struct roster *roster, struct roster_entry *endpoint);
/* Its first waiting delivery, if that is in the tail. NULL: it is in the table, or nothing waits. */
struct lease *roster_tail_first(const struct roster_entry *endpoint);
/* One more delivery waits in the table. */
void roster_waits(struct roster *roster, struct roster_entry *endpoint, int64_t due_at_ms);
/* The due time of the first waiting delivery, read from the table. */
void roster_waits_first(struct roster *roster, struct roster_entry *endpoint, int64_t due_at_ms);

/* An attempt has ended; `row` is after ledger_record. The only place where an endpoint starts failing or
 * recovers. */
struct ledger_pace roster_ended(struct roster *roster, struct roster_entry *endpoint,
                                const struct ledger_outcome *outcome, const struct ledger_row *row,
                                int64_t began_ms);

/* True: the end of a lease would let due work be claimed. */
bool roster_starved(const struct roster *roster);
/* Takes a delivery that is due because the endpoint has answered, or `recovered`; 0: none is left. */
int64_t roster_again(struct roster *roster, struct roster_entry *endpoint, bool recovered);

/* The endpoint whose turn it is; NULL: none. */
struct roster_entry *roster_turn(struct roster *roster);
/* The leases that it may take now. */
int roster_leases_free(const struct roster *roster, const struct roster_entry *endpoint);
/* The part of `boxes` for each waiting endpoint, at least one. */
int roster_each(const struct roster *roster, int boxes);
/* When a claim would find work; now or earlier: at once. ROSTER_NEVER: nothing waits. */
int64_t roster_due_at(struct roster *roster);
