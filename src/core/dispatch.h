/*
 * dispatch: the delivery machine. Pure: no syscall, clock, malloc or thread; time is an argument,
 * randomness a seed, memory handed in. The same code runs in the server and in the simulator.
 *
 * A slot carries one delivery through one attempt. Legal moves, and the effect or input that makes them:
 *
 *   FREE      -> OFFERED    effect OFFER      an empty box is given to the writer (the standing claim)
 *   OFFERED   -> READY      input WORK        the writer filled it; the lease is durable
 *   OFFERED   -> FREE       input RETURNED    the writer gave it back empty (drain)
 *   READY     -> SENDING    effect SEND       its endpoint has a connection to spare
 *   READY     -> DECIDED    (itself)          waited too long, drain, or too many lost leases
 *   SENDING   -> DECIDED    input OUTCOME     policy has decided
 *   DECIDED   -> RECORDING  effect RECORD     the decision goes to the writer, fenced by the lease
 *   RECORDING -> FREE       input RECORDED    durable, or fenced by a newer lease, or it cannot be recorded
 *   RECORDING -> DECIDED    input RECORDED    the store could not write (disk full): again after a moment
 *
 * An input for a slot in any other state is a bug of the owner, and aborts.
 *
 * The READY slots of an endpoint go in order of arrival, and endpoints take turns. To begin an attempt costs
 * time, and thousands of slots may be READY for receivers that hang. So a quick endpoint goes first with one
 * attempt, and any endpoint with two more for each answered attempt; three of four turns are for these. Empty
 * boxes are offered before anything is sent, so that new work finds one.
 *
 * A slot that is READY for ready_ms_max, or at a drain, is released without a delay and does not count. The
 * age at a decision is the age of the work plus the duration of the attempt.
 *
 * The owner feeds inputs, then drains effects until dispatch_next says false, then sleeps until
 * dispatch_wake_at. Calls are O(1) but for dispatch_check; nothing blocks or calls back.
 */
#pragma once
#include "policy.h"
#include <stddef.h>

enum slot_state {
    SLOT_FREE,
    SLOT_OFFERED,
    SLOT_READY,
    SLOT_SENDING,
    SLOT_DECIDED,
    SLOT_RECORDING,
    SLOT_STATE_COUNT
};

struct dispatch_config {
    struct policy policy;
    uint32_t slots;       /* deliveries in hand at once; at most 65,535 */
    uint32_t offered_max; /* empty boxes that the writer has at once, once it needs so many; 0: all */
    uint32_t endpoint_sending_max; /* attempts under way to one endpoint */
    int64_t ready_ms_max;          /* a READY slot older than this is released: its lease must not run out */
    int64_t record_retry_ms;       /* after a record that the store could not write */
    uint64_t seed;
};

/* The data of a delivery that the core uses. The owner keeps the rest by slot number. */
struct dispatch_work {
    int64_t delivery_id, endpoint_id, lease;
    int32_t attempt; /* counted so far */
    int32_t lost;    /* leases that ended without a record, in a row */
    int64_t age_ms;
    const struct push_settings *push; /* the owner keeps it; NULL: the defaults */
    bool quick;                       /* its endpoint answers at once (pace.h: PACE_QUICK) */
};

enum input_kind { INPUT_WORK, INPUT_RETURNED, INPUT_OUTCOME, INPUT_RECORDED, INPUT_DRAIN };
enum record_result { RECORD_DONE, RECORD_FENCED, RECORD_FAILED };

struct input {
    enum input_kind kind;
    uint32_t slot;               /* all but DRAIN */
    struct dispatch_work work;   /* WORK */
    struct outcome outcome;      /* OUTCOME */
    int64_t duration_ms;         /* OUTCOME: how long the attempt took; added to the age */
    enum record_result recorded; /* RECORDED */
};

enum effect_kind { EFFECT_OFFER, EFFECT_SEND, EFFECT_RECORD, EFFECT_WITHDRAW };

struct effect {
    enum effect_kind kind;     /* WITHDRAW: ask the writer for every empty box back */
    uint32_t slot;             /* all but WITHDRAW */
    struct dispatch_work work; /* SEND, RECORD */
    struct decision decision;  /* RECORD */
};

struct dispatch;

/* The bytes that dispatch_init needs, aligned as malloc does. Slots are used from the lowest on, so memory of
 * slots that are never used is never touched. */
size_t dispatch_size(const struct dispatch_config *config);
struct dispatch *dispatch_init(void *memory, const struct dispatch_config *config);

void dispatch_feed(struct dispatch *dispatch, int64_t now_ms, const struct input *input);
bool dispatch_next(struct dispatch *dispatch, int64_t now_ms, struct effect *effect);
/* INT64_MAX: only an input changes anything. */
int64_t dispatch_wake_at(const struct dispatch *dispatch);
/* Asserts every invariant: counts, lists, moves. */
void dispatch_check(const struct dispatch *dispatch);

enum slot_state dispatch_slot_state(const struct dispatch *dispatch, uint32_t slot);
uint32_t dispatch_count(const struct dispatch *dispatch, enum slot_state state);
/* Draining, and every slot is FREE. */
bool dispatch_drained(const struct dispatch *dispatch);
