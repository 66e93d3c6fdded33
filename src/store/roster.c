#include "roster.h"
#include "memory.h"
#include <assert.h>
#include <limits.h>
#include <stdlib.h>

/* Memory given back by others is not told to who waits for it. */
enum { MEMORY_LOOK_MS = 50 };

void roster_init(struct roster *roster, const struct policy *policy, int unproven_max)
{
    *roster = (struct roster){.policy = *policy, .unproven_max = unproven_max};
    for (int standing = 0; standing < STANDING_COUNT; standing++)
        TAILQ_INIT(&roster->rings[standing]);
    LIST_INIT(&roster->touched);
}

static void endpoint_free(struct endpoint *endpoint)
{
    free(endpoint->url);
    free((void *)endpoint->signing.data);
    free((void *)endpoint->identity.data);
    free(endpoint);
}

void roster_fini(struct roster *roster)
{
    size_t at = 0;
    for (struct endpoint *endpoint; (endpoint = idmap_each(&roster->endpoints, &at));)
        endpoint_free(endpoint);
    idmap_fini(&roster->endpoints);
    free(roster->heap);
}

/* ---- the heap: by the time at which an endpoint may be claimed next ---- */

static int64_t ready_at(const struct endpoint *endpoint)
{
    const struct endpoint_tally *tally = &endpoint->tally;
    int64_t at_ms = tally->due_at_ms > tally->held_until_ms ? tally->due_at_ms : tally->held_until_ms;
    return at_ms > tally->memory_at_ms ? at_ms : tally->memory_at_ms;
}

static void heap_set(struct roster *roster, int at, struct endpoint *endpoint)
{
    roster->heap[at] = endpoint;
    endpoint->heap_at = at;
}

static void heap_sift(struct roster *roster, int at)
{
    struct endpoint *moving = roster->heap[at];
    int64_t key = ready_at(moving);
    while (at > 0 && ready_at(roster->heap[(at - 1) / 2]) > key) {
        heap_set(roster, at, roster->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    for (;;) {
        int child = 2 * at + 1;
        if (child >= roster->heap_count)
            break;
        if (child + 1 < roster->heap_count &&
            ready_at(roster->heap[child + 1]) < ready_at(roster->heap[child]))
            child++;
        if (ready_at(roster->heap[child]) >= key)
            break;
        heap_set(roster, at, roster->heap[child]);
        at = child;
    }
    heap_set(roster, at, moving);
}

static void heap_add(struct roster *roster, struct endpoint *endpoint)
{
    if (roster->heap_count == roster->heap_cap) {
        roster->heap_cap = roster->heap_cap ? 2 * roster->heap_cap : 64;
        roster->heap = memory_grow(roster->heap, (size_t)roster->heap_cap * sizeof *roster->heap);
    }
    heap_set(roster, roster->heap_count++, endpoint);
    heap_sift(roster, roster->heap_count - 1);
}

static void heap_remove(struct roster *roster, struct endpoint *endpoint)
{
    int at = endpoint->heap_at;
    assert(roster->heap[at] == endpoint);
    struct endpoint *last = roster->heap[--roster->heap_count];
    if (last != endpoint) {
        heap_set(roster, at, last);
        heap_sift(roster, at);
    }
}

/* ---- places: the one function that moves an endpoint ---- */

static enum endpoint_place place_wanted(const struct roster *roster, const struct endpoint *endpoint)
{
    bool claimable = endpoint->url && endpoint->auth_digest[0] && !endpoint->paused &&
                     endpoint->tally.due_at_ms != ROSTER_NEVER &&
                     endpoint->tally.leased < endpoint->pace.leases_max;
    if (!claimable)
        return PLACE_NONE;
    if (ready_at(endpoint) > roster->now_ms)
        return PLACE_HEAP;
    return PLACE_RING;
}

static void move_to(struct roster *roster, struct endpoint *endpoint, enum endpoint_place place)
{
    if (place == PLACE_RING && endpoint->place == PLACE_RING && endpoint->ring == endpoint->pace.standing)
        return; /* it keeps its turn */
    if (place == PLACE_HEAP && endpoint->place == PLACE_HEAP) {
        heap_sift(roster, endpoint->heap_at);
        return;
    }
    if (endpoint->place == PLACE_HEAP) {
        heap_remove(roster, endpoint);
    } else if (endpoint->place == PLACE_RING) {
        TAILQ_REMOVE(&roster->rings[endpoint->ring], endpoint, turn);
        roster->ring_count--;
    }
    endpoint->place = place;
    if (place == PLACE_HEAP) {
        heap_add(roster, endpoint);
    } else if (place == PLACE_RING) {
        endpoint->ring = endpoint->pace.standing;
        TAILQ_INSERT_TAIL(&roster->rings[endpoint->ring], endpoint, turn);
        roster->ring_count++;
    }
}

static void place(struct roster *roster, struct endpoint *endpoint)
{
    move_to(roster, endpoint, place_wanted(roster, endpoint));
}

/* What an endpoint takes of its standing's share. One that fell holds more than it may for a while: that is
 * its own affair, and no reason to keep others waiting. */
static int share_of(const struct endpoint *endpoint)
{
    return endpoint->tally.leased < endpoint->pace.leases_max ? endpoint->tally.leased
                                                              : endpoint->pace.leases_max;
}

/* Pace follows from the tally, and what each standing holds from both. */
static void repace(struct roster *roster, struct endpoint *endpoint)
{
    roster->shared[endpoint->pace.standing] -= share_of(endpoint);
    endpoint->pace =
        policy_pace(&roster->policy, endpoint->tally.ever_answered, endpoint->tally.failures_in_a_row);
    roster->shared[endpoint->pace.standing] += share_of(endpoint);
}

static void touch(struct roster *roster, struct endpoint *endpoint)
{
    if (endpoint->touched_in == roster->batch)
        return;
    endpoint->touched_in = roster->batch;
    endpoint->tally_before = endpoint->tally;
    LIST_INSERT_HEAD(&roster->touched, endpoint, touched);
}

static void count_leased(struct roster *roster, struct endpoint *endpoint, int change)
{
    roster->shared[endpoint->pace.standing] -= share_of(endpoint);
    endpoint->tally.leased += change;
    assert(endpoint->tally.leased >= 0);
    roster->shared[endpoint->pace.standing] += share_of(endpoint);
}

/* ---- batches ---- */

void roster_begin(struct roster *roster, int64_t now_ms)
{
    roster->batch++;
    roster->now_ms = now_ms;
    LIST_INIT(&roster->touched);
    while (roster->heap_count > 0 && ready_at(roster->heap[0]) <= now_ms)
        place(roster, roster->heap[0]);
}

void roster_undo(struct roster *roster)
{
    struct endpoint *endpoint;
    LIST_FOREACH(endpoint, &roster->touched, touched)
    {
        count_leased(roster, endpoint, endpoint->tally_before.leased - endpoint->tally.leased);
        endpoint->tally = endpoint->tally_before;
        endpoint->touched_in = 0;
        repace(roster, endpoint);
        place(roster, endpoint);
    }
    LIST_INIT(&roster->touched);
}

/* ---- endpoints ---- */

struct endpoint *roster_get(const struct roster *roster, int64_t id)
{
    return idmap_get(&roster->endpoints, id);
}

struct endpoint *roster_add(struct roster *roster, int64_t id)
{
    struct endpoint *endpoint = memory_zero(1, sizeof *endpoint);
    endpoint->id = id;
    endpoint->tally.due_at_ms = ROSTER_NEVER;
    repace(roster, endpoint);
    idmap_put(&roster->endpoints, id, endpoint);
    return endpoint;
}

void roster_drop(struct roster *roster, struct endpoint *endpoint)
{
    if (endpoint->touched_in == roster->batch)
        LIST_REMOVE(endpoint, touched);
    count_leased(roster, endpoint, -endpoint->tally.leased);
    move_to(roster, endpoint, PLACE_NONE);
    idmap_remove(&roster->endpoints, endpoint->id);
    endpoint_free(endpoint);
}

void roster_changed(struct roster *roster, struct endpoint *endpoint)
{
    place(roster, endpoint);
}

void roster_renew(struct roster *roster, struct endpoint *endpoint)
{
    touch(roster, endpoint);
    endpoint->tally.ever_answered = false;
    endpoint->tally.failures_in_a_row = 0;
    endpoint->tally.held_until_ms = 0;
    repace(roster, endpoint);
    place(roster, endpoint);
}

static int share_left(const struct roster *roster, enum standing standing)
{
    int failing = roster->shared[STANDING_FAILING];
    int left = roster->unproven_max - roster->shared[STANDING_UNKNOWN] - failing;
    int left_failing = (roster->unproven_max + 1) / 2 - failing;
    switch (standing) {
    case STANDING_UNKNOWN:
        return left;
    case STANDING_FAILING:
        return left < left_failing ? left : left_failing;
    default:
        return INT_MAX;
    }
}

bool roster_can_lease(const struct roster *roster, const struct endpoint *endpoint)
{
    return endpoint->url && endpoint->auth_digest[0] && !endpoint->paused &&
           endpoint->tally.held_until_ms <= roster->now_ms && endpoint->tally.due_at_ms > roster->now_ms &&
           roster_leases_free(roster, endpoint) > 0;
}

int roster_leases_free(const struct roster *roster, const struct endpoint *endpoint)
{
    int free = endpoint->pace.leases_max - endpoint->tally.leased;
    int left = share_left(roster, endpoint->pace.standing);
    free = free < left ? free : left;
    return free > 0 ? free : 0;
}

void roster_leased(struct roster *roster, struct endpoint *endpoint)
{
    touch(roster, endpoint);
    count_leased(roster, endpoint, 1);
    place(roster, endpoint);
}

void roster_unleased(struct roster *roster, struct endpoint *endpoint)
{
    touch(roster, endpoint);
    count_leased(roster, endpoint, -1);
    place(roster, endpoint);
}

void roster_bytes(struct roster *roster, struct endpoint *endpoint, size_t more, size_t fewer)
{
    touch(roster, endpoint);
    assert(endpoint->tally.bytes + more >= fewer);
    endpoint->tally.bytes += more - fewer;
    if (fewer > 0 && endpoint->tally.memory_at_ms > 0) {
        endpoint->tally.memory_at_ms = 0;
        place(roster, endpoint);
    }
}

void roster_wants_memory(struct roster *roster, struct endpoint *endpoint, size_t wants)
{
    touch(roster, endpoint);
    endpoint->wants = wants;
    endpoint->tally.memory_at_ms = roster->now_ms + MEMORY_LOOK_MS;
    place(roster, endpoint);
}

void roster_use(struct roster *roster, struct endpoint *endpoint, struct usage change)
{
    touch(roster, endpoint);
    struct usage *usage = &endpoint->tally.usage;
    usage->stored_bytes += change.stored_bytes;
    usage->resources += change.resources;
    usage->pending += change.pending;
    assert(usage->pending >= 0);
}

void roster_waits(struct roster *roster, struct endpoint *endpoint, int64_t due_at_ms)
{
    if (due_at_ms < endpoint->tally.due_at_ms)
        roster_waits_first(roster, endpoint, due_at_ms);
}

void roster_waits_first(struct roster *roster, struct endpoint *endpoint, int64_t due_at_ms)
{
    touch(roster, endpoint);
    endpoint->tally.due_at_ms = due_at_ms;
    place(roster, endpoint);
}

bool roster_attempted(struct roster *roster, struct endpoint *endpoint, bool answered)
{
    struct endpoint_tally *tally = &endpoint->tally;
    if (answered && tally->ever_answered && tally->failures_in_a_row == 0)
        return false; /* the common case costs nothing */
    touch(roster, endpoint);
    bool first = answered && !tally->ever_answered;
    tally->ever_answered = tally->ever_answered || answered;
    if (answered)
        tally->failures_in_a_row = 0;
    else if (tally->failures_in_a_row < INT_MAX)
        tally->failures_in_a_row++;
    repace(roster, endpoint);
    tally->held_until_ms = answered ? 0 : roster->now_ms + endpoint->pace.hold_ms;
    place(roster, endpoint);
    return first;
}

/* ---- turns ---- */

static bool ring_may(const struct roster *roster, enum standing standing)
{
    return !TAILQ_EMPTY(&roster->rings[standing]) && share_left(roster, standing) > 0;
}

struct endpoint *roster_turn(struct roster *roster)
{
    for (int i = 0; i < STANDING_COUNT; i++) {
        enum standing standing = roster->turn;
        roster->turn = (standing + 1) % STANDING_COUNT;
        if (!ring_may(roster, standing))
            continue;
        struct endpoint *endpoint = TAILQ_FIRST(&roster->rings[standing]);
        TAILQ_REMOVE(&roster->rings[standing], endpoint, turn);
        TAILQ_INSERT_TAIL(&roster->rings[standing], endpoint, turn);
        return endpoint;
    }
    return NULL;
}

int64_t roster_due_at(const struct roster *roster)
{
    for (int standing = 0; standing < STANDING_COUNT; standing++)
        if (ring_may(roster, (enum standing)standing))
            return roster->now_ms;
    return roster->heap_count > 0 ? ready_at(roster->heap[0]) : ROSTER_NEVER;
}
