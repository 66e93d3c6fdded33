#include "dispatch.h"
#include <assert.h>
#include <string.h>

#define NONE UINT32_MAX

enum {
    FIRST_IN_A_ROW_MAX = 3, /* turns, while others wait */
    CREDIT_FIRST = 1,       /* attempts of a quick endpoint that go first while none is under way */
    CREDIT_OF_AN_ANSWER = 2,
    CREDIT_MAX = 64,
    OFFERED_FIRST = 128
};

struct slot {
    enum slot_state state;
    uint32_t prev, next;    /* in its state's list, if that state has one */
    uint32_t endpoint_next; /* READY: behind it, of the same endpoint */
    uint32_t endpoint;      /* READY, SENDING: index into endpoints */
    int64_t until_ms;       /* READY: released then. DECIDED: not recorded before */
    struct dispatch_work work;
    struct decision decision;
};

struct list {
    uint32_t head, tail;
};

/* An endpoint exists here while a slot of it is READY or SENDING; so there are at most as many as slots. */
struct dispatch_endpoint {
    int64_t id;
    uint32_t sending, ready;
    uint32_t ready_head, ready_tail; /* slots, oldest first */
    uint32_t prev, next;             /* in a round of those that may send; or next free one */
    uint32_t credit;                 /* attempts that may go first */
    bool first;                      /* in which round */
};

struct dispatch {
    struct dispatch_config config;
    struct slot *slots;
    struct dispatch_endpoint *endpoints;
    uint32_t *table; /* endpoint indexes, hashed by id, linear probing */
    uint32_t table_mask;
    uint32_t endpoint_free;
    uint32_t slots_used, endpoints_used; /* those behind have not been touched */
    uint32_t offered_limit;              /* grows up to config.offered_max */
    bool all_offered;                    /* since it grew */
    uint32_t count[SLOT_STATE_COUNT];
    struct list free;    /* used before; last freed first: its memory is warm */
    struct list ready;   /* oldest first, so the first to be released is at the head */
    struct list decided; /* to be recorded now */
    struct list
        deferred; /* DECIDED too, but after a moment; in order of until_ms, as the moment is constant */
    struct list rounds[2]; /* endpoints with a READY slot and a connection to spare; [true]: they go first */
    uint32_t first_in_a_row;
    uint64_t random;
    bool draining, withdrawn;
};

#define MOVE(to) (1u << SLOT_##to)
static const uint8_t moves[SLOT_STATE_COUNT] = {
    [SLOT_FREE] = MOVE(OFFERED),
    [SLOT_OFFERED] = MOVE(READY) | MOVE(FREE),
    [SLOT_READY] = MOVE(SENDING) | MOVE(DECIDED),
    [SLOT_SENDING] = MOVE(DECIDED),
    [SLOT_DECIDED] = MOVE(RECORDING),
    [SLOT_RECORDING] = MOVE(FREE) | MOVE(DECIDED),
};

/* The state a slot must be in for an input; two of them lead to FREE, so the moves alone do not tell. */
static const enum slot_state input_wants[] = {
    [INPUT_WORK] = SLOT_OFFERED,
    [INPUT_RETURNED] = SLOT_OFFERED,
    [INPUT_OUTCOME] = SLOT_SENDING,
    [INPUT_RECORDED] = SLOT_RECORDING,
};

/* ---- memory ---- */

static uint32_t table_size(uint32_t slots)
{
    uint32_t size = 4;
    while (size < slots * 2)
        size *= 2;
    return size;
}

static size_t aligned(size_t size)
{
    return (size + 15) & ~(size_t)15;
}

size_t dispatch_size(const struct dispatch_config *config)
{
    return aligned(sizeof(struct dispatch)) + aligned(config->slots * sizeof(struct slot)) +
           aligned(config->slots * sizeof(struct dispatch_endpoint)) +
           table_size(config->slots) * sizeof(uint32_t);
}

struct dispatch *dispatch_init(void *memory, const struct dispatch_config *config)
{
    assert(config->slots >= 1 && config->slots <= 65535);
    assert(config->endpoint_sending_max >= 1 && config->ready_ms_max >= 1 && config->record_retry_ms >= 1);
    char *next = memory;
    struct dispatch *dispatch = memory;
    *dispatch = (struct dispatch){.config = *config, .random = config->seed};
    next += aligned(sizeof *dispatch);
    dispatch->slots = (struct slot *)(void *)next;
    next += aligned(config->slots * sizeof(struct slot));
    dispatch->endpoints = (struct dispatch_endpoint *)(void *)next;
    next += aligned(config->slots * sizeof(struct dispatch_endpoint));
    dispatch->table = (uint32_t *)(void *)next;
    dispatch->table_mask = table_size(config->slots) - 1;
    memset(dispatch->table, 0xff, table_size(config->slots) * sizeof(uint32_t));

    struct list empty = {NONE, NONE};
    dispatch->free = dispatch->ready = dispatch->decided = dispatch->deferred = empty;
    dispatch->rounds[false] = dispatch->rounds[true] = empty;
    dispatch->endpoint_free = NONE;
    dispatch->offered_limit = config->offered_max < OFFERED_FIRST ? config->offered_max : OFFERED_FIRST;
    dispatch->count[SLOT_FREE] = config->slots;
    return dispatch;
}

/* ---- lists of slots ---- */

static void slot_push_free(struct dispatch *dispatch, uint32_t index)
{
    struct slot *slot = &dispatch->slots[index];
    slot->prev = NONE;
    slot->next = dispatch->free.head;
    if (slot->next != NONE)
        dispatch->slots[slot->next].prev = index;
    else
        dispatch->free.tail = index;
    dispatch->free.head = index;
}

static void slot_append(struct dispatch *dispatch, struct list *list, uint32_t index)
{
    struct slot *slot = &dispatch->slots[index];
    slot->prev = list->tail;
    slot->next = NONE;
    if (list->tail != NONE)
        dispatch->slots[list->tail].next = index;
    else
        list->head = index;
    list->tail = index;
}

static void slot_remove(struct dispatch *dispatch, struct list *list, uint32_t index)
{
    struct slot *slot = &dispatch->slots[index];
    if (slot->prev != NONE)
        dispatch->slots[slot->prev].next = slot->next;
    else {
        assert(list->head == index);
        list->head = slot->next;
    }
    if (slot->next != NONE)
        dispatch->slots[slot->next].prev = slot->prev;
    else {
        assert(list->tail == index);
        list->tail = slot->prev;
    }
    slot->prev = slot->next = NONE;
}

/* The one place where a state changes. */
static void slot_move(struct dispatch *dispatch, uint32_t index, enum slot_state to)
{
    struct slot *slot = &dispatch->slots[index];
    assert(moves[slot->state] & 1u << to);
    assert(dispatch->count[slot->state] > 0);
    dispatch->count[slot->state]--;
    dispatch->count[to]++;
    slot->state = to;
}

/* ---- endpoints ---- */

static uint32_t table_home(const struct dispatch *dispatch, int64_t id)
{
    return (uint32_t)(((uint64_t)id * 0x9E3779B97F4A7C15u) >> 32) & dispatch->table_mask;
}

/* Where it is, or the empty place where it belongs. The table is at most half full, so there is one. */
static uint32_t table_find(const struct dispatch *dispatch, int64_t id)
{
    uint32_t at = table_home(dispatch, id);
    while (dispatch->table[at] != NONE && dispatch->endpoints[dispatch->table[at]].id != id)
        at = (at + 1) & dispatch->table_mask;
    return at;
}

/* Closes the gap: entries that were pushed past it move back. So no marks of deleted entries are needed. */
static void table_delete(struct dispatch *dispatch, uint32_t at)
{
    uint32_t mask = dispatch->table_mask, gap = at;
    for (;;) {
        at = (at + 1) & mask;
        if (dispatch->table[at] == NONE)
            break;
        uint32_t home = table_home(dispatch, dispatch->endpoints[dispatch->table[at]].id);
        if (((at - home) & mask) >= ((at - gap) & mask)) {
            dispatch->table[gap] = dispatch->table[at];
            gap = at;
        }
    }
    dispatch->table[gap] = NONE;
}

static uint32_t endpoint_take(struct dispatch *dispatch, int64_t id)
{
    uint32_t at = table_find(dispatch, id);
    if (dispatch->table[at] != NONE)
        return dispatch->table[at];
    uint32_t index = dispatch->endpoint_free;
    if (index != NONE)
        dispatch->endpoint_free = dispatch->endpoints[index].next;
    else
        index = dispatch->endpoints_used++;
    assert(index < dispatch->config.slots);
    dispatch->endpoints[index] = (struct dispatch_endpoint){
        .id = id, .ready_head = NONE, .ready_tail = NONE, .prev = NONE, .next = NONE};
    dispatch->table[at] = index;
    return index;
}

static bool endpoint_may_send(const struct dispatch *dispatch, const struct dispatch_endpoint *endpoint)
{
    return endpoint->ready > 0 && endpoint->sending < dispatch->config.endpoint_sending_max;
}

static void round_join(struct dispatch *dispatch, uint32_t index)
{
    struct dispatch_endpoint *endpoint = &dispatch->endpoints[index];
    endpoint->first = endpoint->credit > 0;
    struct list *round = &dispatch->rounds[endpoint->first];
    endpoint->prev = round->tail;
    endpoint->next = NONE;
    if (round->tail != NONE)
        dispatch->endpoints[round->tail].next = index;
    else
        round->head = index;
    round->tail = index;
}

static void round_leave(struct dispatch *dispatch, uint32_t index)
{
    struct dispatch_endpoint *endpoint = &dispatch->endpoints[index];
    struct list *round = &dispatch->rounds[endpoint->first];
    if (endpoint->prev != NONE)
        dispatch->endpoints[endpoint->prev].next = endpoint->next;
    else
        round->head = endpoint->next;
    if (endpoint->next != NONE)
        dispatch->endpoints[endpoint->next].prev = endpoint->prev;
    else
        round->tail = endpoint->prev;
    endpoint->prev = endpoint->next = NONE;
}

/* After its numbers changed: in the round or out of it, or gone. `was` is endpoint_may_send before. */
static void endpoint_settle(struct dispatch *dispatch, uint32_t index, bool was)
{
    struct dispatch_endpoint *endpoint = &dispatch->endpoints[index];
    bool may = endpoint_may_send(dispatch, endpoint);
    if (may && !was)
        round_join(dispatch, index);
    else if (was && !may)
        round_leave(dispatch, index);
    if (endpoint->ready == 0 && endpoint->sending == 0) {
        table_delete(dispatch, table_find(dispatch, endpoint->id));
        endpoint->next = dispatch->endpoint_free;
        dispatch->endpoint_free = index;
    }
}

/* So many more attempts of it go first. */
static void endpoint_credit(struct dispatch *dispatch, uint32_t index, uint32_t more)
{
    struct dispatch_endpoint *endpoint = &dispatch->endpoints[index];
    endpoint->credit = endpoint->credit + more < CREDIT_MAX ? endpoint->credit + more : CREDIT_MAX;
    if (endpoint_may_send(dispatch, endpoint) && !endpoint->first) {
        round_leave(dispatch, index);
        round_join(dispatch, index);
    }
}

/* ---- READY ---- */

static void ready_enter(struct dispatch *dispatch, int64_t now_ms, uint32_t index)
{
    struct slot *slot = &dispatch->slots[index];
    slot->until_ms = now_ms + dispatch->config.ready_ms_max;
    slot->endpoint = endpoint_take(dispatch, slot->work.endpoint_id);
    slot->endpoint_next = NONE;
    struct dispatch_endpoint *endpoint = &dispatch->endpoints[slot->endpoint];
    if (slot->work.quick && endpoint->sending == 0 && endpoint->credit == 0)
        endpoint_credit(dispatch, slot->endpoint, CREDIT_FIRST);
    bool was = endpoint_may_send(dispatch, endpoint);
    if (endpoint->ready_tail != NONE)
        dispatch->slots[endpoint->ready_tail].endpoint_next = index;
    else
        endpoint->ready_head = index;
    endpoint->ready_tail = index;
    endpoint->ready++;
    slot_append(dispatch, &dispatch->ready, index);
    endpoint_settle(dispatch, slot->endpoint, was);
}

/* Both queues are in order of arrival, so the one that leaves is the first of its endpoint. */
static void ready_leave(struct dispatch *dispatch, uint32_t index, bool to_send)
{
    struct slot *slot = &dispatch->slots[index];
    struct dispatch_endpoint *endpoint = &dispatch->endpoints[slot->endpoint];
    assert(endpoint->ready_head == index && endpoint->ready > 0);
    bool was = endpoint_may_send(dispatch, endpoint);
    endpoint->ready_head = slot->endpoint_next;
    if (endpoint->ready_head == NONE)
        endpoint->ready_tail = NONE;
    endpoint->ready--;
    slot->endpoint_next = NONE;
    slot_remove(dispatch, &dispatch->ready, index);
    if (to_send) {
        /* To the end of the round before its numbers change: everybody gets a turn. */
        assert(was);
        round_leave(dispatch, slot->endpoint);
        endpoint->sending++;
        endpoint->credit -= endpoint->first;
        endpoint_settle(dispatch, slot->endpoint, false);
    } else {
        endpoint_settle(dispatch, slot->endpoint, was);
        slot->endpoint = NONE;
    }
}

static void sending_leave(struct dispatch *dispatch, uint32_t index, bool answered)
{
    struct slot *slot = &dispatch->slots[index];
    struct dispatch_endpoint *endpoint = &dispatch->endpoints[slot->endpoint];
    assert(endpoint->sending > 0);
    if (answered)
        endpoint_credit(dispatch, slot->endpoint, CREDIT_OF_AN_ANSWER);
    bool was = endpoint_may_send(dispatch, endpoint);
    endpoint->sending--;
    endpoint_settle(dispatch, slot->endpoint, was);
    slot->endpoint = NONE;
}

/* ---- deciding ---- */

/* splitmix64: one step a decision is all the randomness there is here. */
static uint64_t random_next(struct dispatch *dispatch)
{
    uint64_t z = dispatch->random += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

static void decide(struct dispatch *dispatch, uint32_t index, struct decision decision)
{
    dispatch->slots[index].decision = decision;
    slot_move(dispatch, index, SLOT_DECIDED);
    slot_append(dispatch, &dispatch->decided, index);
}

static void decide_by_policy(struct dispatch *dispatch, uint32_t index, const struct outcome *outcome,
                             int64_t duration_ms)
{
    const struct dispatch_work *work = &dispatch->slots[index].work;
    decide(dispatch, index,
           policy_decide(&dispatch->config.policy, work->push, outcome, work->attempt,
                         work->age_ms + duration_ms, random_next(dispatch)));
}

static void release(struct dispatch *dispatch, uint32_t index, enum failure reason)
{
    ready_leave(dispatch, index, false);
    decide(dispatch, index, (struct decision){DECISION_RELEASE, 0, reason});
}

/* ---- inputs ---- */

static void feed_work(struct dispatch *dispatch, int64_t now_ms, uint32_t index,
                      const struct dispatch_work *work)
{
    dispatch->slots[index].work = *work;
    slot_move(dispatch, index, SLOT_READY);
    if (work->lost >= dispatch->config.policy.lost_leases_max) {
        /* It may be what ends the process every time: it must cost the delivery something, unsent. */
        struct outcome outcome = {.failure = FAILURE_LEASE_LOST, .retry_after_ms = -1};
        decide_by_policy(dispatch, index, &outcome, 0);
    } else {
        ready_enter(dispatch, now_ms, index);
    }
}

static void feed_recorded(struct dispatch *dispatch, int64_t now_ms, uint32_t index,
                          enum record_result result)
{
    if (result == RECORD_FAILED) {
        slot_move(dispatch, index, SLOT_DECIDED);
        dispatch->slots[index].until_ms = now_ms + dispatch->config.record_retry_ms;
        slot_append(dispatch, &dispatch->deferred, index);
    } else {
        slot_move(dispatch, index, SLOT_FREE);
        slot_push_free(dispatch, index);
    }
}

void dispatch_feed(struct dispatch *dispatch, int64_t now_ms, const struct input *input)
{
    assert(input->kind == INPUT_DRAIN ||
           (input->slot < dispatch->config.slots &&
            dispatch_slot_state(dispatch, input->slot) == input_wants[input->kind]));
    switch (input->kind) {
    case INPUT_WORK:
        feed_work(dispatch, now_ms, input->slot, &input->work);
        break;
    case INPUT_RETURNED:
        slot_move(dispatch, input->slot, SLOT_FREE);
        slot_push_free(dispatch, input->slot);
        break;
    case INPUT_OUTCOME:
        sending_leave(dispatch, input->slot, input->outcome.failure == FAILURE_NONE);
        decide_by_policy(dispatch, input->slot, &input->outcome, input->duration_ms);
        break;
    case INPUT_RECORDED:
        feed_recorded(dispatch, now_ms, input->slot, input->recorded);
        break;
    case INPUT_DRAIN:
        dispatch->draining = true;
        break;
    }
}

/* ---- effects ---- */

static void release_due(struct dispatch *dispatch, int64_t now_ms)
{
    while (dispatch->ready.head != NONE) {
        uint32_t index = dispatch->ready.head;
        if (dispatch->draining)
            release(dispatch, index, FAILURE_SHUTDOWN);
        else if (dispatch->slots[index].until_ms <= now_ms)
            release(dispatch, index, FAILURE_LOCAL_LIMIT);
        else
            break;
    }
}

static bool next_record(struct dispatch *dispatch, int64_t now_ms, struct effect *effect)
{
    struct list *list = &dispatch->decided;
    if (list->head == NONE) {
        list = &dispatch->deferred;
        if (list->head == NONE || dispatch->slots[list->head].until_ms > now_ms)
            return false;
    }
    uint32_t index = list->head;
    slot_remove(dispatch, list, index);
    slot_move(dispatch, index, SLOT_RECORDING);
    const struct slot *slot = &dispatch->slots[index];
    *effect = (struct effect){EFFECT_RECORD, index, slot->work, slot->decision};
    return true;
}

static const struct list *next_round(struct dispatch *dispatch)
{
    const struct list *first = &dispatch->rounds[true], *others = &dispatch->rounds[false];
    bool others_turn = others->head != NONE && dispatch->first_in_a_row >= FIRST_IN_A_ROW_MAX;
    bool is_first = first->head != NONE && !others_turn;
    dispatch->first_in_a_row = is_first ? dispatch->first_in_a_row + 1 : 0;
    return is_first ? first : others;
}

static bool next_send(struct dispatch *dispatch, struct effect *effect)
{
    const struct list *round = next_round(dispatch);
    if (round->head == NONE)
        return false;
    uint32_t index = dispatch->endpoints[round->head].ready_head;
    ready_leave(dispatch, index, true);
    slot_move(dispatch, index, SLOT_SENDING);
    *effect = (struct effect){.kind = EFFECT_SEND, .slot = index, .work = dispatch->slots[index].work};
    return true;
}

/* Boxes cost memory once they are used. So there are twice as many only after half of them were needed. */
static bool may_offer(struct dispatch *dispatch)
{
    uint32_t max = dispatch->config.offered_max, offered = dispatch->count[SLOT_OFFERED];
    if (max == 0)
        return true;
    if (dispatch->all_offered && offered <= dispatch->offered_limit / 2) {
        dispatch->offered_limit = dispatch->offered_limit < max / 2 ? 2 * dispatch->offered_limit : max;
        dispatch->all_offered = false;
    }
    dispatch->all_offered = dispatch->all_offered || offered >= dispatch->offered_limit;
    return offered < dispatch->offered_limit;
}

static bool next_offer(struct dispatch *dispatch, struct effect *effect)
{
    if (dispatch->draining || dispatch->count[SLOT_FREE] == 0 || !may_offer(dispatch))
        return false;
    uint32_t index = dispatch->free.head;
    if (index != NONE) {
        slot_remove(dispatch, &dispatch->free, index);
    } else {
        index = dispatch->slots_used++;
        dispatch->slots[index] =
            (struct slot){.state = SLOT_FREE, .endpoint = NONE, .prev = NONE, .next = NONE};
    }
    slot_move(dispatch, index, SLOT_OFFERED);
    *effect = (struct effect){.kind = EFFECT_OFFER, .slot = index};
    return true;
}

bool dispatch_next(struct dispatch *dispatch, int64_t now_ms, struct effect *effect)
{
    if (dispatch->draining && !dispatch->withdrawn) {
        dispatch->withdrawn = true;
        *effect = (struct effect){.kind = EFFECT_WITHDRAW};
        return true;
    }
    release_due(dispatch, now_ms);
    return next_record(dispatch, now_ms, effect) || next_offer(dispatch, effect) ||
           next_send(dispatch, effect);
}

int64_t dispatch_wake_at(const struct dispatch *dispatch)
{
    int64_t at = INT64_MAX;
    if (dispatch->ready.head != NONE)
        at = dispatch->slots[dispatch->ready.head].until_ms;
    if (dispatch->deferred.head != NONE && dispatch->slots[dispatch->deferred.head].until_ms < at)
        at = dispatch->slots[dispatch->deferred.head].until_ms;
    return at;
}

/* ---- looking ---- */

enum slot_state dispatch_slot_state(const struct dispatch *dispatch, uint32_t slot)
{
    assert(slot < dispatch->config.slots);
    return slot < dispatch->slots_used ? dispatch->slots[slot].state : SLOT_FREE;
}

uint32_t dispatch_count(const struct dispatch *dispatch, enum slot_state state)
{
    return dispatch->count[state];
}

bool dispatch_drained(const struct dispatch *dispatch)
{
    return dispatch->draining && dispatch->withdrawn && dispatch->count[SLOT_FREE] == dispatch->config.slots;
}

static uint32_t check_list(const struct dispatch *dispatch, const struct list *list, enum slot_state state)
{
    uint32_t count = 0, prev = NONE;
    for (uint32_t i = list->head; i != NONE; i = dispatch->slots[i].next) {
        assert(dispatch->slots[i].state == state && dispatch->slots[i].prev == prev);
        assert(prev == NONE || list == &dispatch->free || list == &dispatch->decided ||
               dispatch->slots[prev].until_ms <= dispatch->slots[i].until_ms);
        prev = i;
        count++;
        assert(count <= dispatch->config.slots);
    }
    assert(list->tail == prev);
    return count;
}

/* The sums over endpoints must be the counts over slots; each endpoint's own queue must hold together. */
static void check_endpoints(const struct dispatch *dispatch)
{
    uint32_t ready = 0, sending = 0, may_send = 0, in_round = 0;
    for (uint32_t at = 0; at <= dispatch->table_mask; at++) {
        uint32_t index = dispatch->table[at];
        if (index == NONE)
            continue;
        const struct dispatch_endpoint *endpoint = &dispatch->endpoints[index];
        assert(table_find(dispatch, endpoint->id) == at);
        assert(endpoint->ready + endpoint->sending > 0);
        assert(endpoint->sending <= dispatch->config.endpoint_sending_max);
        uint32_t queued = 0, last = NONE;
        for (uint32_t i = endpoint->ready_head; i != NONE; i = dispatch->slots[i].endpoint_next) {
            assert(dispatch->slots[i].state == SLOT_READY && dispatch->slots[i].endpoint == index);
            last = i;
            queued++;
        }
        assert(queued == endpoint->ready && last == endpoint->ready_tail);
        ready += queued;
        sending += endpoint->sending;
        may_send += endpoint_may_send(dispatch, endpoint);
    }
    for (int first = false; first <= true; first++)
        for (uint32_t i = dispatch->rounds[first].head; i != NONE; i = dispatch->endpoints[i].next) {
            assert(endpoint_may_send(dispatch, &dispatch->endpoints[i]));
            assert(dispatch->endpoints[i].first == first);
            in_round++;
        }
    assert(ready == dispatch->count[SLOT_READY] && sending == dispatch->count[SLOT_SENDING]);
    assert(in_round == may_send);
}

void dispatch_check(const struct dispatch *dispatch)
{
    uint32_t count[SLOT_STATE_COUNT] = {0};
    count[SLOT_FREE] = dispatch->config.slots - dispatch->slots_used;
    for (uint32_t i = 0; i < dispatch->slots_used; i++) {
        const struct slot *slot = &dispatch->slots[i];
        count[slot->state]++;
        bool in_hand = slot->state == SLOT_READY || slot->state == SLOT_SENDING;
        assert(in_hand == (slot->endpoint != NONE));
        assert(!in_hand || dispatch->endpoints[slot->endpoint].id == slot->work.endpoint_id);
    }
    for (int state = 0; state < SLOT_STATE_COUNT; state++)
        assert(count[state] == dispatch->count[state]);
    assert(check_list(dispatch, &dispatch->free, SLOT_FREE) + dispatch->config.slots - dispatch->slots_used ==
           count[SLOT_FREE]);
    assert(check_list(dispatch, &dispatch->ready, SLOT_READY) == count[SLOT_READY]);
    assert(check_list(dispatch, &dispatch->decided, SLOT_DECIDED) +
               check_list(dispatch, &dispatch->deferred, SLOT_DECIDED) ==
           count[SLOT_DECIDED]);
    check_endpoints(dispatch);
}
