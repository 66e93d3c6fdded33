#include "leases.h"
#include "memory.h"
#include "payload.h"
#include <assert.h>
#include <stdlib.h>

void leases_init(struct leases *leases)
{
    *leases = (struct leases){0};
    TAILQ_INIT(&leases->order);
    TAILQ_INIT(&leases->spare);
    TAILQ_INIT(&leases->born);
    LIST_INIT(&leases->changes);
}

static void queue_free(struct lease_queue *queue)
{
    for (struct lease *lease; (lease = TAILQ_FIRST(queue));) {
        TAILQ_REMOVE(queue, lease, order);
        payload_drop(lease->payload);
        free(lease);
    }
}

void leases_fini(struct leases *leases)
{
    for (struct lease *lease, *next = TAILQ_FIRST(&leases->born); (lease = next);) {
        next = TAILQ_NEXT(lease, birth);
        if (lease->waits)
            TAILQ_INSERT_TAIL(&leases->spare, lease, order);
    }
    queue_free(&leases->order);
    queue_free(&leases->spare);
    idmap_fini(&leases->by_delivery);
    idmap_fini(&leases->payloads);
}

static struct lease *make(struct leases *leases, int64_t delivery_id, bool born)
{
    struct lease *lease = TAILQ_FIRST(&leases->spare);
    if (lease)
        TAILQ_REMOVE(&leases->spare, lease, order);
    else
        lease = memory_alloc(sizeof *lease);
    *lease = (struct lease){.delivery_id = delivery_id, .born = born, .begun = true};
    if (born)
        TAILQ_INSERT_TAIL(&leases->born, lease, birth);
    LIST_INSERT_HEAD(&leases->changes, lease, change);
    idmap_put(&leases->by_delivery, delivery_id, lease);
    return lease;
}

static void go_out(struct leases *leases, struct lease *lease, int64_t begun_at_ms, int64_t ends_at_ms,
                   struct endpoint_leases *of)
{
    lease->begun_at_ms = begun_at_ms;
    lease->ends_at_ms = ends_at_ms;
    lease->of = of;
    assert(TAILQ_EMPTY(&leases->order) || TAILQ_LAST(&leases->order, lease_queue)->ends_at_ms <= ends_at_ms);
    TAILQ_INSERT_TAIL(&leases->order, lease, order);
    TAILQ_INSERT_TAIL(of, lease, sibling);
}

struct lease *leases_begin(struct leases *leases, int64_t delivery_id, int64_t begun_at_ms,
                           int64_t ends_at_ms, bool born, struct endpoint_leases *of)
{
    struct lease *lease = make(leases, delivery_id, born);
    go_out(leases, lease, begun_at_ms, ends_at_ms, of);
    return lease;
}

/* ---- tails ---- */

static void tail_leave(struct leases *leases, struct lease *lease)
{
    TAILQ_REMOVE(&lease->tail->list, lease, sibling);
    lease->tail->count--;
    leases->waiting--;
}

/* In order of acceptance, which is that of the ids. */
static void tail_enter(struct leases *leases, struct lease *lease)
{
    struct lease *before = TAILQ_LAST(&lease->tail->list, endpoint_leases);
    while (before && before->delivery_id > lease->delivery_id)
        before = TAILQ_PREV(before, endpoint_leases, sibling);
    if (before)
        TAILQ_INSERT_AFTER(&lease->tail->list, before, lease, sibling);
    else
        TAILQ_INSERT_HEAD(&lease->tail->list, lease, sibling);
    lease->waits = true;
    lease->tail->count++;
    leases->waiting++;
}

struct lease *leases_wait(struct leases *leases, int64_t delivery_id, int64_t since_ms,
                          struct lease_tail *tail)
{
    struct lease *lease = make(leases, delivery_id, true);
    lease->begun_at_ms = since_ms;
    lease->tail = tail;
    tail_enter(leases, lease);
    return lease;
}

void leases_take(struct leases *leases, struct lease *lease, int64_t begun_at_ms, int64_t ends_at_ms,
                 struct endpoint_leases *of)
{
    assert(lease->waits && !lease->ended && !lease->taken);
    if (!lease->begun)
        LIST_INSERT_HEAD(&leases->changes, lease, change);
    tail_leave(leases, lease);
    lease->waits = false;
    lease->taken = true;
    lease->since_ms = lease->begun_at_ms;
    go_out(leases, lease, begun_at_ms, ends_at_ms, of);
}

static struct lease *get(const struct leases *leases, int64_t delivery_id, bool waits)
{
    struct lease *lease = idmap_get(&leases->by_delivery, delivery_id);
    return lease && !lease->ended && lease->waits == waits ? lease : NULL;
}

struct lease *leases_get(const struct leases *leases, int64_t delivery_id)
{
    return get(leases, delivery_id, false);
}

struct lease *leases_get_waiting(const struct leases *leases, int64_t delivery_id)
{
    return get(leases, delivery_id, true);
}

void leases_share(struct leases *leases, struct lease *lease, struct payload *payload)
{
    assert(!lease->payload && lease->event_id);
    lease->payload = payload_hold(payload);
    if (payload->leases++ == 0)
        idmap_put(&leases->payloads, lease->event_id, payload);
}

struct payload *leases_payload(const struct leases *leases, int64_t event_id)
{
    return idmap_get(&leases->payloads, event_id);
}

void leases_end(struct leases *leases, struct lease *lease)
{
    assert(!lease->ended && !lease->taken);
    if (!lease->begun)
        LIST_INSERT_HEAD(&leases->changes, lease, change);
    lease->ended = true;
    if (lease->waits)
        tail_leave(leases, lease);
    else
        TAILQ_REMOVE(lease->of, lease, sibling);
}

struct lease *leases_first(const struct leases *leases)
{
    struct lease *lease = TAILQ_FIRST(&leases->order);
    while (lease && lease->ended)
        lease = TAILQ_NEXT(lease, order);
    return lease;
}

struct lease *leases_oldest(const struct endpoint_leases *of)
{
    return TAILQ_FIRST(of);
}

struct lease *leases_first_born(const struct leases *leases)
{
    struct lease *lease = TAILQ_FIRST(&leases->born);
    while (lease && lease->ended)
        lease = TAILQ_NEXT(lease, birth);
    return lease;
}

static void forget(struct leases *leases, struct lease *lease)
{
    /* A delivery whose lease ended may have been leased anew in the same batch. */
    if (idmap_get(&leases->by_delivery, lease->delivery_id) == lease)
        idmap_remove(&leases->by_delivery, lease->delivery_id);
    if (!lease->waits)
        TAILQ_REMOVE(&leases->order, lease, order);
    if (!lease->ended && lease->waits)
        tail_leave(leases, lease);
    else if (!lease->ended)
        TAILQ_REMOVE(lease->of, lease, sibling);
    if (lease->born)
        TAILQ_REMOVE(&leases->born, lease, birth);
    if (lease->payload && --lease->payload->leases == 0)
        idmap_remove(&leases->payloads, lease->event_id);
    payload_drop(lease->payload);
    lease->payload = NULL;
    TAILQ_INSERT_HEAD(&leases->spare, lease, order);
}

void leases_commit(struct leases *leases)
{
    for (struct lease *lease; (lease = LIST_FIRST(&leases->changes));) {
        LIST_REMOVE(lease, change);
        lease->begun = lease->taken = false;
        if (lease->ended)
            forget(leases, lease);
    }
}

/* It has not ended after all. */
static void revive(struct leases *leases, struct lease *lease)
{
    lease->ended = false;
    idmap_put(&leases->by_delivery, lease->delivery_id, lease);
    if (lease->waits) {
        tail_enter(leases, lease);
        return;
    }
    struct lease *later = TAILQ_FIRST(lease->of);
    while (later && later->ends_at_ms < lease->ends_at_ms)
        later = TAILQ_NEXT(later, sibling);
    if (later)
        TAILQ_INSERT_BEFORE(later, lease, sibling);
    else
        TAILQ_INSERT_TAIL(lease->of, lease, sibling);
}

/* It waits after all. */
static void take_back(struct leases *leases, struct lease *lease)
{
    TAILQ_REMOVE(&leases->order, lease, order);
    TAILQ_REMOVE(lease->of, lease, sibling);
    lease->taken = false;
    lease->begun_at_ms = lease->since_ms;
    tail_enter(leases, lease);
}

void leases_undo(struct leases *leases)
{
    for (struct lease *lease; (lease = LIST_FIRST(&leases->changes));) {
        LIST_REMOVE(lease, change);
        if (lease->begun)
            forget(leases, lease);
        else if (lease->taken)
            take_back(leases, lease);
        else
            revive(leases, lease);
    }
}
