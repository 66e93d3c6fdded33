#include "roster.h"
#include "memory.h"
#include <assert.h>
#include <limits.h>
#include <stdlib.h>

/* Memory given back by others is not told to who waits for it. */
enum { MEMORY_LOOK_MS = 50, QUICK_IN_A_ROW_MAX = 3 };
/* A tail waits in memory through a hold that is no longer. */
enum { TAIL_HELD_MS_MAX = 250 };

/* Shared by the endpoints that have had no work: by those that answered before the start, and by the others.
 */
static const struct roster_work idle[] = {
    {.counts.due_at_ms = ROSTER_NEVER, .place = PLACE_NONE},
    {.counts = {.due_at_ms = ROSTER_NEVER, .pace.ever_answered = true}, .place = PLACE_NONE}};

static bool is_idle(const struct roster_entry *endpoint)
{
    return endpoint->work == &idle[0] || endpoint->work == &idle[1];
}

_Static_assert(sizeof(struct roster_entry) <= 160, "there may be 100,000, most of them idle");

struct roster_work *roster_work(struct roster_entry *endpoint)
{
    if (!is_idle(endpoint))
        return endpoint->work;
    struct roster_work *own = memory_zero(1, sizeof *own);
    own->counts = endpoint->work->counts;
    own->place = PLACE_NONE;
    TAILQ_INIT(&own->out);
    TAILQ_INIT(&own->tail.list);
    return endpoint->work = own;
}

void roster_init(struct roster *roster, const struct pace_config *config)
{
    *roster = (struct roster){.config = *config};
    LIST_INIT(&roster->tailed);
}

static void endpoint_free(struct roster_entry *endpoint)
{
    TAILQ_REMOVE(&endpoint->owner->endpoints, endpoint, sibling);
    if (TAILQ_EMPTY(&endpoint->owner->endpoints))
        free(endpoint->owner);
    free(endpoint->url);
    wishes_free(endpoint->wishes);
    free(endpoint->flow);
    free((void *)endpoint->signing.data);
    free((void *)endpoint->identity.data);
    free(endpoint->push);
    if (!is_idle(endpoint)) {
        free(endpoint->work->missed);
        free(endpoint->work);
    }
    free(endpoint);
}

void roster_fini(struct roster *roster)
{
    size_t at = 0;
    for (struct roster_entry *endpoint; (endpoint = idmap_each(&roster->endpoints, &at));)
        endpoint_free(endpoint);
    idmap_fini(&roster->endpoints);
    free(roster->before);
    free(roster->owners_before);
    for (int place = 0; place < PLACE_COUNT; place++)
        free(roster->heaps[place].items);
}

/* ---- heaps ---- */

static bool before(const struct roster_entry *a, const struct roster_entry *b)
{
    return a->work->key != b->work->key ? a->work->key < b->work->key : a->work->turn < b->work->turn;
}

static void heap_set(struct roster_heap *heap, int at, struct roster_entry *endpoint)
{
    heap->items[at] = endpoint;
    endpoint->work->heap_at = at;
}

static void heap_sift(struct roster_heap *heap, int at)
{
    struct roster_entry *moving = heap->items[at];
    while (at > 0 && before(moving, heap->items[(at - 1) / 2])) {
        heap_set(heap, at, heap->items[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    for (;;) {
        int child = 2 * at + 1;
        if (child >= heap->count)
            break;
        if (child + 1 < heap->count && before(heap->items[child + 1], heap->items[child]))
            child++;
        if (!before(heap->items[child], moving))
            break;
        heap_set(heap, at, heap->items[child]);
        at = child;
    }
    heap_set(heap, at, moving);
}

static void heap_add(struct roster_heap *heap, struct roster_entry *endpoint)
{
    heap->items = memory_room(heap->items, heap->count, &heap->cap, sizeof *heap->items);
    heap_set(heap, heap->count++, endpoint);
    heap_sift(heap, heap->count - 1);
}

static void heap_remove(struct roster_heap *heap, struct roster_entry *endpoint)
{
    int at = endpoint->work->heap_at;
    assert(heap->items[at] == endpoint);
    struct roster_entry *last = heap->items[--heap->count];
    if (last != endpoint) {
        heap_set(heap, at, last);
        heap_sift(heap, at);
    }
}

static struct roster_entry *heap_first(const struct roster_heap *heap)
{
    return heap->count > 0 ? heap->items[0] : NULL;
}

/* ---- places: the one function that moves an endpoint ---- */

static bool is_open(const struct roster_entry *endpoint)
{
    return endpoint->url && endpoint->owner->auth_digest[0] && !endpoint->paused;
}

bool roster_is_ordered(const struct roster_entry *endpoint)
{
    return endpoint->flow && endpoint->flow->set.ordered;
}

struct lease *roster_tail_first(const struct roster_entry *endpoint)
{
    struct lease *first = roster_is_ordered(endpoint) ? NULL : TAILQ_FIRST(&endpoint->work->tail.list);
    return first && first->begun_at_ms <= endpoint->work->counts.due_at_ms ? first : NULL;
}

static int64_t due_at(const struct roster_entry *endpoint)
{
    const struct lease *first = roster_tail_first(endpoint);
    return first ? first->begun_at_ms : endpoint->work->counts.due_at_ms;
}

static int64_t held_until(const struct roster *roster, const struct roster_entry *endpoint)
{
    int64_t from_ms = pace_from_ms(&endpoint->work->counts.pace);
    int64_t outage_ms = pace_outage_from_ms(&endpoint->work->counts.pace, &roster->outage);
    int64_t flow_ms = endpoint->flow ? flow_from_ms(endpoint->flow) : 0;
    from_ms = from_ms > outage_ms ? from_ms : outage_ms;
    return from_ms > flow_ms ? from_ms : flow_ms;
}

int roster_window(const struct roster *roster, const struct roster_entry *endpoint)
{
    int window = pace_window(&endpoint->work->counts.pace, &roster->config);
    int limit = endpoint->flow ? flow_at_once(endpoint->flow) : window;
    return window < limit ? window : limit;
}

static int64_t ready_at(const struct roster *roster, const struct roster_entry *endpoint)
{
    int64_t from_ms = held_until(roster, endpoint), due_at_ms = due_at(endpoint);
    int64_t at_ms = due_at_ms > from_ms ? due_at_ms : from_ms;
    const struct roster_counts *counts = &endpoint->work->counts;
    if (roster_tail_first(endpoint))
        return at_ms; /* it has its memory */
    at_ms = at_ms > counts->memory_at_ms ? at_ms : counts->memory_at_ms;
    return at_ms > counts->rests_until_ms ? at_ms : counts->rests_until_ms;
}

static enum pace_health health(const struct roster *roster, const struct roster_entry *endpoint)
{
    const struct lease *oldest = leases_oldest(&endpoint->work->out);
    return pace_health(&endpoint->work->counts.pace, oldest ? roster->now_ms - oldest->begun_at_ms : 0,
                       roster->now_ms);
}

bool roster_is_quick(const struct roster *roster, const struct roster_entry *endpoint)
{
    return health(roster, endpoint) == PACE_QUICK;
}

static enum roster_place place_wanted(const struct roster *roster, const struct roster_entry *endpoint)
{
    const struct roster_counts *counts = &endpoint->work->counts;
    if (!is_open(endpoint) || due_at(endpoint) == ROSTER_NEVER ||
        counts->leased >= roster_window(roster, endpoint))
        return PLACE_NONE;
    return ready_at(roster, endpoint) > roster->now_ms ? PLACE_LATER
                                                       : (enum roster_place)health(roster, endpoint);
}

static void place(struct roster *roster, struct roster_entry *endpoint)
{
    if (is_idle(endpoint))
        return;
    bool failing = endpoint->url && endpoint->work->counts.pace.failing;
    roster->failing_count += failing - endpoint->work->counted_failing;
    endpoint->work->counted_failing = failing;
    if (due_at(endpoint) == ROSTER_NEVER && endpoint->work->place == PLACE_NONE && !endpoint->work->starved)
        return; /* nothing waits, and nothing did: as it is when all goes well */
    bool starved = is_open(endpoint) && !endpoint->work->counts.pace.failing &&
                   ready_at(roster, endpoint) <= roster->now_ms &&
                   endpoint->work->counts.leased >= roster_window(roster, endpoint);
    roster->starved_count += starved - endpoint->work->starved;
    endpoint->work->starved = starved;
    enum roster_place wanted = place_wanted(roster, endpoint);
    if (wanted != endpoint->work->place && endpoint->work->place != PLACE_NONE)
        heap_remove(&roster->heaps[endpoint->work->place], endpoint);
    endpoint->work->key = wanted == PLACE_LATER ? ready_at(roster, endpoint) : endpoint->work->counts.leased;
    if (wanted != endpoint->work->place && wanted != PLACE_NONE)
        heap_add(&roster->heaps[wanted], endpoint);
    else if (wanted != PLACE_NONE)
        heap_sift(&roster->heaps[wanted], endpoint->work->heap_at);
    endpoint->work->place = wanted;
}

static void touch(struct roster *roster, struct roster_entry *endpoint)
{
    roster_work(endpoint);
    if (endpoint->touched_in == roster->batch)
        return;
    endpoint->touched_in = roster->batch;
    roster->before =
        memory_room(roster->before, roster->before_count, &roster->before_cap, sizeof *roster->before);
    roster->before[roster->before_count++] = (struct roster_before){
        endpoint, endpoint->work->counts, endpoint->flow ? endpoint->flow->bucket : (struct rate_bucket){0}};
}

static void touch_owner(struct roster *roster, struct roster_owner *owner)
{
    if (owner->touched_in == roster->batch)
        return;
    owner->touched_in = roster->batch;
    roster->owners_before = memory_room(roster->owners_before, roster->owners_before_count,
                                        &roster->owners_before_cap, sizeof *roster->owners_before);
    roster->owners_before[roster->owners_before_count++] = (struct roster_owner_before){owner, owner->counts};
}

/* The note of this batch about it; NULL: none. */
static struct roster_before *before_of(struct roster *roster, const struct roster_entry *endpoint)
{
    for (int i = 0; endpoint->touched_in == roster->batch && i < roster->before_count; i++)
        if (roster->before[i].endpoint == endpoint)
            return &roster->before[i];
    return NULL;
}

static void count_leased(struct roster *roster, struct roster_entry *endpoint, int change)
{
    endpoint->work->counts.leased += change;
    roster->leased += change;
    assert(endpoint->work->counts.leased >= 0 && roster->leased >= 0);
}

static void tail_forget(struct roster_entry *endpoint)
{
    if (!endpoint->work->is_tailed)
        return;
    LIST_REMOVE(endpoint, work->tailed);
    endpoint->work->is_tailed = false;
}

/* ---- batches ---- */

void roster_begin(struct roster *roster, int64_t now_ms)
{
    roster->batch++;
    roster->now_ms = now_ms;
    roster->failing_before = roster->failing;
    roster->outage_before = roster->outage;
    roster->before_count = roster->owners_before_count = 0;
    for (struct roster_entry *with, *next = LIST_FIRST(&roster->tailed); (with = next);) {
        next = LIST_NEXT(with, work->tailed);
        if (with->work->tail.count == 0)
            tail_forget(with);
    }
    for (struct roster_entry *next;
         (next = heap_first(&roster->heaps[PLACE_LATER])) && next->work->key <= now_ms;)
        place(roster, next);
}

void roster_undo(struct roster *roster)
{
    for (int i = 0; i < roster->before_count; i++) {
        struct roster_entry *endpoint = roster->before[i].endpoint;
        if (!endpoint)
            continue;
        count_leased(roster, endpoint, roster->before[i].counts.leased - endpoint->work->counts.leased);
        endpoint->work->counts = roster->before[i].counts;
        if (endpoint->flow)
            endpoint->flow->bucket = roster->before[i].bucket;
        endpoint->touched_in = 0;
        place(roster, endpoint);
    }
    for (int i = 0; i < roster->owners_before_count; i++) {
        struct roster_owner *owner = roster->owners_before[i].owner;
        if (!owner)
            continue;
        owner->counts = roster->owners_before[i].counts;
        owner->touched_in = 0;
    }
    roster->before_count = roster->owners_before_count = 0;
    roster->failing = roster->failing_before;
    roster->outage = roster->outage_before;
}

/* ---- endpoints ---- */

struct roster_entry *roster_get(const struct roster *roster, int64_t id)
{
    return idmap_get(&roster->endpoints, id);
}

struct roster_owner *roster_owner(const struct roster *roster, int64_t user_id)
{
    struct roster_entry *endpoint = roster_get(roster, user_id);
    return endpoint && endpoint->owner->id == user_id ? endpoint->owner : NULL;
}

/* One that is made in a batch goes if that is undone: nothing is noted of it. */
static struct roster_owner *owner_make(const struct roster *roster, int64_t id)
{
    struct roster_owner *owner = memory_zero(1, sizeof *owner);
    owner->id = id;
    owner->touched_in = roster->batch;
    TAILQ_INIT(&owner->endpoints);
    return owner;
}

struct roster_entry *roster_add(struct roster *roster, int64_t id, struct roster_owner *owner)
{
    struct roster_entry *endpoint = memory_zero(1, sizeof *endpoint);
    endpoint->id = id;
    endpoint->touched_in = roster->batch;
    endpoint->owner = owner ? owner : owner_make(roster, id);
    TAILQ_INSERT_TAIL(&endpoint->owner->endpoints, endpoint, sibling);
    endpoint->work = (struct roster_work *)&idle[0];
    idmap_put(&roster->endpoints, id, endpoint);
    return endpoint;
}

void roster_drop(struct roster *roster, struct roster_entry *endpoint)
{
    struct roster_before *before = before_of(roster, endpoint);
    if (before)
        before->endpoint = NULL;
    if (!is_idle(endpoint))
        count_leased(roster, endpoint, -endpoint->work->counts.leased);
    tail_forget(endpoint);
    if (endpoint->work->place != PLACE_NONE)
        heap_remove(&roster->heaps[endpoint->work->place], endpoint);
    roster->starved_count -= endpoint->work->starved;
    roster->failing_count -= endpoint->work->counted_failing;
    idmap_remove(&roster->endpoints, endpoint->id);
    bool last = TAILQ_NEXT(TAILQ_FIRST(&endpoint->owner->endpoints), sibling) == NULL;
    for (int i = 0; last && i < roster->owners_before_count; i++)
        if (roster->owners_before[i].owner == endpoint->owner)
            roster->owners_before[i].owner = NULL;
    endpoint_free(endpoint);
}

void roster_flow(struct roster *roster, struct roster_entry *endpoint, const struct flow_settings *set)
{
    touch(roster, endpoint);
    if (flow_settings_none(set)) {
        free(endpoint->flow);
        endpoint->flow = NULL;
    } else {
        if (!endpoint->flow)
            endpoint->flow = memory_zero(1, sizeof *endpoint->flow);
        flow_set(endpoint->flow, set);
    }
    place(roster, endpoint);
}

void roster_changed(struct roster *roster, struct roster_entry *endpoint)
{
    place(roster, endpoint);
}

void roster_proven(struct roster *roster, struct roster_entry *endpoint)
{
    if (is_idle(endpoint))
        endpoint->work = (struct roster_work *)&idle[1];
    else
        roster_pace(roster, endpoint, pace_proven);
}

void roster_pace(struct roster *roster, struct roster_entry *endpoint, void (*change)(struct pace *pace))
{
    touch(roster, endpoint);
    change(&endpoint->work->counts.pace);
    place(roster, endpoint);
}

static int failing_left(const struct roster *roster)
{
    return pace_budget_left(&roster->failing, &roster->config, roster->now_ms);
}

/* ---- leases ---- */

bool roster_can_lease(struct roster *roster, const struct roster_entry *endpoint)
{
    if (roster_is_ordered(endpoint) && due_at(endpoint) != ROSTER_NEVER)
        return false; /* it is not the first of the line */
    return is_open(endpoint) && due_at(endpoint) > roster->now_ms && roster_leases_free(roster, endpoint) > 0;
}

int roster_leases_free(const struct roster *roster, const struct roster_entry *endpoint)
{
    const struct roster_counts *counts = &endpoint->work->counts;
    enum pace_health is = health(roster, endpoint);
    int64_t free = pace_more(&counts->pace, &roster->config, counts->leased, roster->now_ms);
    int64_t share = pace_share(roster->config.slots, roster->leased, is) - counts->leased;
    free = share < free ? share : free;
    if (endpoint->flow && free > 0) {
        int more = flow_at_once(endpoint->flow) - counts->leased,
            left = flow_left(endpoint->flow, roster->now_ms);
        more = more < left ? more : left;
        free = more < free ? more : free;
    }
    if (is == PACE_FAILING && free > 0) {
        int left = failing_left(roster);
        free = left < free ? left : free;
    }
    return free > 0 ? (int)free : 0;
}

void roster_leased(struct roster *roster, struct roster_entry *endpoint)
{
    touch(roster, endpoint);
    if (endpoint->work->counts.pace.failing)
        pace_budget_spend(&roster->failing, &roster->config, roster->now_ms);
    pace_outage_begun(&endpoint->work->counts.pace, &roster->outage, &roster->config, roster->now_ms);
    count_leased(roster, endpoint, 1);
    pace_begun(&endpoint->work->counts.pace, &roster->config, endpoint->work->counts.leased, roster->now_ms);
    if (endpoint->flow)
        flow_begun(endpoint->flow, roster->now_ms);
    endpoint->work->turn = ++roster->turn;
    if (endpoint->work->place == PLACE_QUICK)
        roster->quick_in_a_row++;
    else if (endpoint->work->place == PLACE_PLAIN || endpoint->work->place == PLACE_FAILING)
        roster->quick_in_a_row = 0;
    place(roster, endpoint);
}

void roster_unleased(struct roster *roster, struct roster_entry *endpoint)
{
    touch(roster, endpoint);
    count_leased(roster, endpoint, -1);
    place(roster, endpoint);
}

void roster_bytes(struct roster *roster, struct roster_entry *endpoint, size_t more, size_t fewer)
{
    touch(roster, endpoint);
    assert(endpoint->work->counts.bytes + more >= fewer);
    endpoint->work->counts.bytes += more - fewer;
    if (fewer > 0 && endpoint->work->counts.memory_at_ms > 0) {
        endpoint->work->counts.memory_at_ms = 0;
        place(roster, endpoint);
    }
}

void roster_wants_memory(struct roster *roster, struct roster_entry *endpoint, size_t wants)
{
    touch(roster, endpoint);
    endpoint->work->wants = wants;
    endpoint->work->counts.memory_at_ms = roster->now_ms + MEMORY_LOOK_MS;
    place(roster, endpoint);
}

void roster_rests(struct roster *roster, struct roster_entry *endpoint, int64_t ms)
{
    touch(roster, endpoint);
    endpoint->work->counts.rests_until_ms = roster->now_ms + ms;
    place(roster, endpoint);
}

void roster_past(struct roster *roster, struct roster_entry *endpoint, struct roster_past past)
{
    touch(roster, endpoint);
    endpoint->work->counts.past = past;
}

void roster_use(struct roster *roster, struct roster_owner *owner, int64_t stored_bytes, int64_t resources)
{
    touch_owner(roster, owner);
    owner->counts.stored_bytes += stored_bytes;
    owner->counts.resources += resources;
}

void roster_pending(struct roster *roster, struct roster_entry *endpoint, int64_t more)
{
    touch(roster, endpoint);
    endpoint->work->counts.pending += more;
}

struct user_usage roster_usage(const struct roster_owner *owner)
{
    struct user_usage usage = {.stored_bytes = owner->counts.stored_bytes,
                               .resources = owner->counts.resources};
    const struct roster_entry *endpoint;
    TAILQ_FOREACH(endpoint, &owner->endpoints, sibling)
    {
        usage.pending += endpoint->work->counts.pending;
    }
    return usage;
}

void roster_counted(struct roster *roster, struct roster_entry *endpoint, int64_t pending)
{
    struct roster_before *before = before_of(roster, endpoint);
    endpoint->counted = true;
    if (pending == 0)
        return;
    roster_work(endpoint)->counts.pending += pending;
    if (before)
        before->counts.pending += pending;
}

int roster_dead(struct roster *roster, struct roster_owner *owner)
{
    touch_owner(roster, owner);
    return ++owner->counts.dead;
}

void roster_swept(struct roster *roster, struct roster_owner *owner, int64_t to)
{
    touch_owner(roster, owner);
    owner->counts.swept_to = to;
    owner->counts.dead = 0;
}

bool roster_tails(const struct roster *roster, const struct roster_entry *endpoint)
{
    return is_open(endpoint) && !roster_is_ordered(endpoint) && roster_is_quick(roster, endpoint) &&
           held_until(roster, endpoint) <= roster->now_ms + TAIL_HELD_MS_MAX;
}

void roster_tailed(struct roster *roster, struct roster_entry *endpoint)
{
    touch(roster, endpoint);
    if (!endpoint->work->is_tailed)
        LIST_INSERT_HEAD(&roster->tailed, endpoint, work->tailed);
    endpoint->work->is_tailed = true;
    place(roster, endpoint);
}

void roster_waits(struct roster *roster, struct roster_entry *endpoint, int64_t due_at_ms)
{
    if (due_at_ms < endpoint->work->counts.due_at_ms)
        roster_waits_first(roster, endpoint, due_at_ms);
}

void roster_waits_first(struct roster *roster, struct roster_entry *endpoint, int64_t due_at_ms)
{
    if (is_idle(endpoint) && due_at_ms == ROSTER_NEVER)
        return;
    touch(roster, endpoint);
    endpoint->work->counts.due_at_ms = due_at_ms;
    place(roster, endpoint);
}

/* It is due again as pace_again says. */
static void miss(struct roster_entry *endpoint, int64_t delivery_id, enum pace_again again)
{
    struct roster_counts *counts = &endpoint->work->counts;
    if (again == PACE_BY_BACKOFF || counts->missed == PACE_MISSED_MAX)
        return;
    endpoint->work->missed = memory_room(endpoint->work->missed, counts->missed, &endpoint->work->missed_cap,
                                         sizeof *endpoint->work->missed);
    endpoint->work->missed[counts->missed++] = again == PACE_ON_ANSWER ? delivery_id : -delivery_id;
}

void roster_fails(struct roster *roster, struct roster_entry *endpoint, bool fails)
{
    touch(roster, endpoint);
    endpoint->work->counts.fails = fails;
}

struct ledger_pace roster_ended(struct roster *roster, struct roster_entry *endpoint,
                                const struct ledger_outcome *outcome, const struct ledger_row *row,
                                int64_t began_ms)
{
    touch(roster, endpoint);
    struct ledger_pace made = ledger_pace(&endpoint->work->counts.pace, &roster->outage, &roster->config,
                                          outcome, row, endpoint->id, began_ms, roster->now_ms);
    endpoint->work->counts.delivered += made.answered;
    miss(endpoint, outcome->delivery_id, made.missed);
    place(roster, endpoint);
    return made;
}

/* Undone, the batch may leave others in the list than those that were taken: they go by their backoff then.
 */
int64_t roster_again(struct roster *roster, struct roster_entry *endpoint, bool recovered)
{
    struct roster_counts *counts = &endpoint->work->counts;
    while (counts->missed > 0) {
        touch(roster, endpoint);
        int64_t id = endpoint->work->missed[--counts->missed];
        if (id > 0 || recovered)
            return id > 0 ? id : -id;
    }
    return 0;
}

/* ---- turns ---- */

/* Time alone, or a probe in our own outage, may have changed the place of those that are first. */
static void settle_first(struct roster *roster)
{
    for (int of = 0; of < PACE_STANDING_COUNT; of++) {
        struct roster_entry *first = heap_first(&roster->heaps[of]);
        if (!first || place_wanted(roster, first) == (enum roster_place)of)
            continue;
        place(roster, first);
        of = -1; /* all again: it is somewhere else now */
    }
}

struct roster_entry *roster_turn(struct roster *roster)
{
    struct roster_entry *next = NULL;
    settle_first(roster);
    for (int of = 0; of < PACE_STANDING_COUNT; of++) {
        struct roster_entry *first = heap_first(&roster->heaps[of]);
        /* If the first one has its share, all behind it have theirs: they hold as much. */
        if (!first || roster_leases_free(roster, first) <= 0)
            continue;
        if (of == PACE_QUICK && roster->quick_in_a_row < QUICK_IN_A_ROW_MAX)
            return first;
        if (!next || before(first, next))
            next = first;
    }
    return next;
}

int roster_each(const struct roster *roster, int boxes)
{
    int waiting = 0, free = (roster->config.slots - roster->leased) / 2;
    for (int of = 0; of < PACE_STANDING_COUNT; of++)
        waiting += roster->heaps[of].count;
    int each = (boxes < free ? boxes : free) / (waiting > 0 ? waiting : 1);
    return each > 0 ? each : 1;
}

int64_t roster_due_at(struct roster *roster)
{
    if (roster_turn(roster))
        return roster->now_ms;
    const struct roster_entry *later = heap_first(&roster->heaps[PLACE_LATER]);
    int64_t at_ms = later ? later->work->key : ROSTER_NEVER;
    bool waits_for_budget = roster->heaps[PLACE_FAILING].count > 0 && failing_left(roster) == 0;
    return waits_for_budget && roster->failing.from_ms < at_ms ? roster->failing.from_ms : at_ms;
}

/* An endpoint that is due and has a place waits for a box, or for its share of the leases. Those that fail
 * wait for their budget, which no outcome fills up. */
bool roster_starved(const struct roster *roster)
{
    return roster->starved_count > 0 || roster->heaps[PLACE_QUICK].count > 0 ||
           roster->heaps[PLACE_PLAIN].count > 0;
}
