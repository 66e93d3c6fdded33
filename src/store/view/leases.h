/*
 * leases: the deliveries that this process has under a lease, in memory. So an outcome is recorded without
 * a read, and expired leases are found without a query: all leases last equally long, so the oldest expires
 * first.
 *
 * While one endpoint has a lease on an event, other endpoints share the same document (payload.h).
 *
 * The changes of a batch can be undone, because its transaction may fail. Used by the writer thread only.
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
    bool born;                       /* began together with its delivery */
    bool ended;                      /* in this batch */
    bool begun;                      /* in this batch */
    bool waits;                      /* in a tail: the lease has not begun */
    bool taken;                      /* left its tail in this batch */
    uint32_t stamp_offset;           /* while it waits */
    int64_t since_ms;                /* due clock: when it began to wait */
    TAILQ_ENTRY(lease) order;        /* by ends_at_ms, or in the spare list */
    TAILQ_ENTRY(lease) birth;        /* the born ones, by delivery_id */
    LIST_ENTRY(lease) change;        /* begun or ended in this batch */
    struct endpoint_leases *of;      /* the open leases of its endpoint, in the order in which they began */
    TAILQ_ENTRY(lease) sibling;
    struct lease_tail *tail; /* NULL: it never waited */
};

/* New deliveries to one endpoint that wait in memory for their first lease, in order of acceptance. */
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
/* A new lease in the list `of` its endpoint; all other fields are 0. Times never go back, and neither do the
 * delivery ids of born leases. */
struct lease *leases_begin(struct leases *leases, int64_t delivery_id, int64_t begun_at_ms,
                           int64_t ends_at_ms, bool born, struct endpoint_leases *of);
/* A delivery that waits in memory for its lease. It counts as born, so born_from (schema.c) stays before it.
 */
struct lease *leases_wait(struct leases *leases, int64_t delivery_id, int64_t since_ms,
                          struct lease_tail *tail);
/* Its lease begins, in the list `of` its endpoint. */
void leases_take(struct leases *leases, struct lease *lease, int64_t begun_at_ms, int64_t ends_at_ms,
                 struct endpoint_leases *of);
/* NULL: this delivery has no lease. */
struct lease *leases_get(const struct leases *leases, int64_t delivery_id);
/* NULL: this delivery does not wait in memory. */
struct lease *leases_get_waiting(const struct leases *leases, int64_t delivery_id);
/* Other leases of its event may share the payload. */
void leases_share(struct leases *leases, struct lease *lease, struct payload *payload);
/* NULL: no lease shares a payload of this event. */
struct payload *leases_payload(const struct leases *leases, int64_t event_id);
void leases_end(struct leases *leases, struct lease *lease);
/* The lease that expires first; NULL: there is none. */
struct lease *leases_first(const struct leases *leases);
/* The same of one endpoint. */
struct lease *leases_oldest(const struct endpoint_leases *of);
/* The born lease of the oldest delivery; NULL: there is none. */
struct lease *leases_first_born(const struct leases *leases);
/* The batch was written; or it was not. */
void leases_commit(struct leases *leases);
void leases_undo(struct leases *leases);
