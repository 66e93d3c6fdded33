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
    queue_free(&leases->order);
    queue_free(&leases->spare);
    idmap_fini(&leases->by_delivery);
    idmap_fini(&leases->payloads);
}

struct lease *leases_begin(struct leases *leases, int64_t delivery_id, int64_t begun_at_ms,
                           int64_t ends_at_ms, bool born, struct endpoint_leases *of)
{
    struct lease *lease = TAILQ_FIRST(&leases->spare);
    if (lease)
        TAILQ_REMOVE(&leases->spare, lease, order);
    else
        lease = memory_alloc(sizeof *lease);
    *lease = (struct lease){.delivery_id = delivery_id,
                            .begun_at_ms = begun_at_ms,
                            .ends_at_ms = ends_at_ms,
                            .born = born,
                            .begun = true,
                            .of = of};
    assert(TAILQ_EMPTY(&leases->order) || TAILQ_LAST(&leases->order, lease_queue)->ends_at_ms <= ends_at_ms);
    TAILQ_INSERT_TAIL(&leases->order, lease, order);
    TAILQ_INSERT_TAIL(of, lease, sibling);
    if (born)
        TAILQ_INSERT_TAIL(&leases->born, lease, birth);
    LIST_INSERT_HEAD(&leases->changes, lease, change);
    idmap_put(&leases->by_delivery, delivery_id, lease);
    return lease;
}

struct lease *leases_get(const struct leases *leases, int64_t delivery_id)
{
    struct lease *lease = idmap_get(&leases->by_delivery, delivery_id);
    return lease && !lease->ended ? lease : NULL;
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
    assert(!lease->ended);
    if (!lease->begun)
        LIST_INSERT_HEAD(&leases->changes, lease, change);
    lease->ended = true;
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
    TAILQ_REMOVE(&leases->order, lease, order);
    if (!lease->ended)
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
        lease->begun = false;
        if (lease->ended)
            forget(leases, lease);
    }
}

/* It has not ended after all. */
static void revive(struct leases *leases, struct lease *lease)
{
    struct lease *later = TAILQ_FIRST(lease->of);
    while (later && later->ends_at_ms < lease->ends_at_ms)
        later = TAILQ_NEXT(later, sibling);
    if (later)
        TAILQ_INSERT_BEFORE(later, lease, sibling);
    else
        TAILQ_INSERT_TAIL(lease->of, lease, sibling);
    lease->ended = false;
    idmap_put(&leases->by_delivery, lease->delivery_id, lease);
}

void leases_undo(struct leases *leases)
{
    for (struct lease *lease; (lease = LIST_FIRST(&leases->changes));) {
        LIST_REMOVE(lease, change);
        if (lease->begun)
            forget(leases, lease);
        else
            revive(leases, lease);
    }
}
