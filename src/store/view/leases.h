/*
 * leases: the deliveries that are out under a lease of this process, in memory. So recording an outcome
 * reads nothing, and leases that run out are found without a query: all last equally long, so the oldest
 * runs out first.
 *
 * A document that several endpoints get is found by its event as long as one of them has it under a lease, so
 * that it is held once.
 *
 * What a batch changes can be undone, for the transaction may fail. Used by the writer thread alone.
 */
#pragma once
#include "idmap.h"
#include "ledger.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct roster_entry;
struct payload;
struct lease;

TAILQ_HEAD(endpoint_leases, lease);

struct lease {
    int64_t delivery_id, event_id;
    struct ledger_row row; /* as the table has it */
    struct roster_entry *endpoint;
    int64_t begun_at_ms, ends_at_ms; /* due clock */
    size_t len;                      /* of its document */
    struct payload *payload;         /* held, if others may share it; else NULL */
    bool born;                       /* with its delivery, rather than claimed */
    bool ended;                      /* in this batch */
    bool begun;                      /* in this batch */
    bool waits;                      /* in a tail: not out yet */
    bool taken;                      /* out of its tail, in this batch */
    uint32_t stamp_offset;           /* of one that waits */
    int64_t since_ms;                /* due clock: when it began to wait */
    TAILQ_ENTRY(lease) order;        /* by ends_at_ms; or the spare ones */
    TAILQ_ENTRY(lease) birth;        /* the born ones, by delivery_id */
    LIST_ENTRY(lease) change;        /* what this batch began or ended */
    struct endpoint_leases *of; /* those of its endpoint that have not ended, in order of their beginning */
    TAILQ_ENTRY(lease) sibling;
    struct lease_tail *tail; /* NULL: it never waited */
};

/* Deliveries of one endpoint that were just accepted and wait in memory for their first lease, in that order.
 */
struct lease_tail {
    struct endpoint_leases list;
    int count;
};

TAILQ_HEAD(lease_queue, lease);
LIST_HEAD(lease_list, lease);

struct leases {
    struct idmap by_delivery;
    struct idmap payloads; /* by event: those that may be shared */
    struct lease_queue order, spare, born;
    struct lease_list changes;
    int waiting; /* in all tails */
};

void leases_init(struct leases *leases);
void leases_fini(struct leases *leases);
/* A new lease, all else zero, which joins those `of` its endpoint. Times never go back, nor does the
 * delivery_id of born ones. */
struct lease *leases_begin(struct leases *leases, int64_t delivery_id, int64_t begun_at_ms,
                           int64_t ends_at_ms, bool born, struct endpoint_leases *of);
/* A delivery that waits in memory to be leased. It is a born lease that is not out: born_from
 * (schema.c) stays before it. `delivery_id` as above. */
struct lease *leases_wait(struct leases *leases, int64_t delivery_id, int64_t since_ms,
                          struct lease_tail *tail);
/* It waits no more: it is out, `of` its endpoint. */
void leases_take(struct leases *leases, struct lease *lease, int64_t begun_at_ms, int64_t ends_at_ms,
                 struct endpoint_leases *of);
/* NULL: this delivery is not out. */
struct lease *leases_get(const struct leases *leases, int64_t delivery_id);
/* NULL: this delivery does not wait in memory. */
struct lease *leases_get_waiting(const struct leases *leases, int64_t delivery_id);
/* Others may share the payload of this lease's event. */
void leases_share(struct leases *leases, struct lease *lease, struct payload *payload);
/* NULL: no lease has a payload of this event to share. */
struct payload *leases_payload(const struct leases *leases, int64_t event_id);
void leases_end(struct leases *leases, struct lease *lease);
/* The one that runs out first; NULL: none is out. */
struct lease *leases_first(const struct leases *leases);
/* The same of one endpoint. */
struct lease *leases_oldest(const struct endpoint_leases *of);
/* The born lease of the oldest delivery; NULL: none is out. */
struct lease *leases_first_born(const struct leases *leases);
/* The batch is written, or it is not. */
void leases_commit(struct leases *leases);
void leases_undo(struct leases *leases);
