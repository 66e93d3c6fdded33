#include "model_store.h"
#include "memory.h"
#include "model_state.h"
#include <assert.h>
#include <stddef.h>
#include <stdlib.h>

/* ---- arrays and copies ---- */

void *model_room(void *array, int count, int *cap, size_t size)
{
    if (count < *cap)
        return array;
    *cap = *cap ? *cap * 2 : 16;
    return memory_grow(array, (size_t)*cap * size);
}

struct bytes model_copy(struct bytes source)
{
    if (source.len == 0)
        return (struct bytes){0};
    char *data = memory_alloc(source.len);
    memcpy(data, source.data, source.len);
    return bytes_make(data, source.len);
}

void model_drop(struct bytes owned)
{
    free((void *)owned.data);
}

struct model_user *model_find_user(struct model_disk *disk, int64_t id)
{
    for (int i = 0; i < disk->user_count; i++)
        if (disk->users[i].user.id == id)
            return &disk->users[i];
    return NULL;
}

struct model_event *model_find_event(struct model_disk *disk, int64_t id)
{
    for (int i = 0; i < disk->event_count; i++)
        if (disk->events[i].event.id == id)
            return &disk->events[i];
    return NULL;
}

struct model_delivery *model_find_delivery(struct model_disk *disk, int64_t id)
{
    for (int i = 0; i < disk->delivery_count; i++)
        if (disk->deliveries[i].id == id)
            return &disk->deliveries[i];
    return NULL;
}

bool model_under_way(const struct model_delivery *delivery)
{
    return delivery->state == DELIVERY_PENDING || delivery->resending;
}

/* ---- the two clocks ---- */

int64_t model_due_now_ms(const struct store *store)
{
    return store->due_base_ms + clock_mono_ms(&store->config.clock) - store->mono_base_ms;
}

int64_t model_service_now_ms(const struct store *store)
{
    int64_t mono = clock_mono_ms(&store->config.clock);
    int64_t down = store->down_ms + (store->disk->down ? mono - store->down_since_ms : 0);
    return store->service_base_ms + mono - store->mono_base_ms - down;
}

int64_t model_age_clock_ms(const struct store *store)
{
    int64_t jumps = 0;
#ifdef PLANT_EXPIRY_BY_WALL
    jumps = clock_wall_ms(&store->config.clock) - clock_mono_ms(&store->config.clock);
#endif
    return model_service_now_ms(store) + jumps;
}

/* A store that went down or came up since the last look: its time of service stands or goes on. */
static void model_watch_down(struct store *store, bool down)
{
    int64_t mono = clock_mono_ms(&store->config.clock);
    if (down && !store->disk->down)
        store->down_since_ms = mono;
    if (!down && store->disk->down)
        store->down_ms += mono - store->down_since_ms;
}

/* ---- events ---- */

static int model_delivery_add(struct model_disk *disk, const struct event *event, int64_t user_id,
                              int64_t now)
{
    disk->deliveries =
        model_room(disk->deliveries, disk->delivery_count, &disk->delivery_cap, sizeof *disk->deliveries);
    disk->deliveries[disk->delivery_count] = (struct model_delivery){
        .id = disk->last_delivery_id = model_delivery_next(disk->last_delivery_id, disk->opened->config.mark),
        .event_id = event->id,
        .user_id = user_id,
        .due_ms = now,
        .created_at_ms = event->received_at_ms,
    };
    return disk->delivery_count++;
}

/* One delivery for whoever gets this user's events; leased at once if it is nobody's turn before it. */
static int model_deliver_to(struct store *store, struct store_batch *batch, const struct event *event,
                            struct model_user *user)
{
    int64_t now = model_due_now_ms(store);
    if (!user || user->user.webhook_url.len == 0)
        return 0;
    bool born_leased = batch->filled_count < batch->box_count &&
                       !model_first_due(store->disk, user->user.id, now) && model_may_take(store, user, now);
    int index = model_delivery_add(store->disk, event, user->user.id, now);
    if (born_leased)
        model_lease(store, batch, &store->disk->deliveries[index]);
    return 1;
}

/* Of an event that has no recipients: one that has ended. */
static int64_t model_skip(struct model_disk *disk, const struct event *event)
{
    int index = model_delivery_add(disk, event, event->owner_id, 0);
    struct model_delivery *delivery = &disk->deliveries[index];
    delivery->state = DELIVERY_SKIPPED;
    delivery->finished_at_ms = event->received_at_ms;
    return delivery->id;
}

static int64_t model_skipped(const struct model_disk *disk, int64_t event_id)
{
    for (int i = 0; i < disk->delivery_count; i++)
        if (disk->deliveries[i].event_id == event_id && disk->deliveries[i].state == DELIVERY_SKIPPED)
            return disk->deliveries[i].id;
    return 0;
}

/* Seen before: by the client's key; or by id, because a commit's fate was unknown. */
static bool model_event_known(struct model_disk *disk, struct store_op *op)
{
    for (int i = 0; i < disk->idempotency_count && op->event.idempotency_key.len > 0; i++) {
        const struct model_key *key = &disk->idempotency[i];
        if (key->requester_id != op->event.requester_id ||
            !bytes_equal(key->key, op->event.idempotency_key) ||
            model_find_event(disk, key->event_id)->event.received_at_ms < disk->keys_before_ms)
            continue;
        bool same_request = memcmp(key->digest, op->event.request_digest, sizeof key->digest) == 0;
        op->result = same_request ? STORE_REPLAYED : STORE_CONFLICT;
        op->id = same_request ? key->event_id : 0;
        op->event.skipped = model_skipped(disk, op->id);
        return true;
    }
    struct model_event *same = model_find_event(disk, op->event.event.id);
    if (same) {
        op->id = same->event.id;
        op->count = same->delivery_count;
        op->event.skipped = model_skipped(disk, op->id);
    }
    return same != NULL;
}

static void model_event_insert(struct model_disk *disk, const struct store_op *op)
{
    disk->events = model_room(disk->events, disk->event_count, &disk->event_cap, sizeof *disk->events);
    struct event *event = &disk->events[disk->event_count++].event;
    *event = op->event.event;
    event->event_type = model_copy(event->event_type);
    event->resource_type = model_copy(event->resource_type);
    event->resource_id = model_copy(event->resource_id);
    event->document = model_copy(event->document);
    event->sent_at_ms = 0;
    if (event->id > disk->last_event_id)
        disk->last_event_id = event->id;
    if (op->event.idempotency_key.len == 0)
        return;
    disk->idempotency = model_room(disk->idempotency, disk->idempotency_count, &disk->idempotency_cap,
                                   sizeof *disk->idempotency);
    struct model_key *key = &disk->idempotency[disk->idempotency_count++];
    *key = (struct model_key){op->event.requester_id, event->id, model_copy(op->event.idempotency_key), {0}};
    memcpy(key->digest, op->event.request_digest, sizeof key->digest);
}

static void model_event(struct store *store, struct store_batch *batch, struct store_op *op)
{
    struct model_disk *disk = store->disk;
    struct model_user *owner = model_find_user(disk, op->event.event.owner_id);
    op->event.skipped = 0;
    if (model_event_known(disk, op))
        return;
    if (!owner || disk->no_space) {
        op->result = owner ? STORE_NO_SPACE : STORE_NOT_FOUND;
        return;
    }
    if (model_event_beyond(store, op, owner->user.webhook_url.len > 0))
        return;
    model_event_insert(disk, op);
    model_resources_take(disk, op);
    struct model_user *master = model_find_user(disk, owner->user.master_id);
    int count = model_deliver_to(store, batch, &op->event.event, owner);
    if (master && master->user.receives_users_events && !op->event.owner_only)
        count += model_deliver_to(store, batch, &op->event.event, master);
    if (count == 0)
        op->event.skipped = model_skip(disk, &op->event.event);
    disk->events[disk->event_count - 1].delivery_count = count;
    op->id = op->event.event.id;
    op->count = count;
}

/* ---- outcomes ---- */

/* The delivery's last line says the same. */
static bool model_says(const struct model_disk *disk, const struct attempt *attempt)
{
    const struct attempt *last = NULL;
    for (int i = 0; i < disk->attempt_count; i++)
        if (disk->attempts[i].delivery_id == attempt->delivery_id &&
            (!last || disk->attempts[i].lease > last->lease))
            last = &disk->attempts[i];
    return last && last->failure == attempt->failure;
}

static void model_line(struct model_disk *disk, const struct attempt *attempt, int32_t earlier)
{
    disk->attempts =
        model_room(disk->attempts, disk->attempt_count, &disk->attempt_cap, sizeof *disk->attempts);
    struct attempt *line = &disk->attempts[disk->attempt_count++];
    *line = *attempt;
    line->attempt += earlier;
    line->address = model_copy(line->address);
    line->detail = model_copy(line->detail);
    line->response = model_copy(line->response);
}

static void model_history(struct model_disk *disk, const struct attempt *attempt,
                          const struct decision *decision, int32_t earlier)
{
    if (attempt->started_at_ms == 0 || (decision_is_outage(decision) && model_says(disk, attempt)))
        return;
    for (int i = 0; i < disk->attempt_count; i++)
        if (disk->attempts[i].delivery_id == attempt->delivery_id &&
            disk->attempts[i].response.len > MODEL_RESPONSE_KEPT_LEN)
            disk->attempts[i].response.len = MODEL_RESPONSE_KEPT_LEN;
    model_line(disk, attempt, earlier);
}

/* It was sent all the same: it is in the history, and counts for nothing. */
static void model_fenced(struct model_disk *disk, const struct store_op *op,
                         const struct model_delivery *delivery)
{
    const struct attempt *attempt = &op->outcome.attempt;
    bool known = attempt->started_at_ms == 0 || op->outcome.lease > delivery->lease ||
                 decision_is_outage(&op->outcome.decision);
    struct attempt *last = NULL; /* the one before it */
    for (int i = 0; i < disk->attempt_count; i++) {
        struct attempt *line = &disk->attempts[i];
        if (line->delivery_id != delivery->id || line->lease > op->outcome.lease)
            continue;
        known |= line->lease == op->outcome.lease;
        if (!last || line->lease > last->lease)
            last = line;
    }
    if (known)
        return;
    if (last && last->response.len > MODEL_RESPONSE_KEPT_LEN)
        last->response.len = MODEL_RESPONSE_KEPT_LEN;
    model_line(disk, attempt, delivery->earlier);
    struct attempt *line = &disk->attempts[disk->attempt_count - 1];
    line->counted = false;
    if (line->response.len > MODEL_RESPONSE_KEPT_LEN)
        line->response.len = MODEL_RESPONSE_KEPT_LEN;
}

static void model_end(struct store *store, struct model_delivery *delivery, enum delivery_state state)
{
    delivery->leased = false;
    delivery->lost = 0;
    if (!delivery->resending) {
        delivery->state = state;
        delivery->finished_at_ms = clock_wall_ms(&store->config.clock);
    }
    delivery->resending = false;
}

static void model_failed(struct store *store, struct model_delivery *delivery, const struct store_op *op)
{
    if (delivery->attempt == 0)
        delivery->age_start_ms = model_age_clock_ms(store) - op->outcome.attempt.duration_ms;
    delivery->attempt++;
}

static void model_attempted(struct store *store, const struct model_delivery *delivery,
                            const struct store_op *op)
{
    struct model_user *user = model_find_user(store->disk, delivery->user_id);
    int64_t now = model_due_now_ms(store);
    store->outage.on = false;
    struct pace_end end = {.now_ms = now,
                           .began_ms =
                               delivery->due_ms > now ? delivery->due_ms - store->config.lease_ms : now,
                           .took_ms = op->outcome.attempt.duration_ms,
                           .answered = op->outcome.answered,
                           .refused = op->outcome.decision.refused,
                           .retry_after_ms = op->outcome.decision.hold_ms,
                           .given_up = op->outcome.decision.kind == DECISION_GIVE_UP,
                           .endpoint_id = user->user.id};
    user->delivered += end.answered;
    enum pace_change change = pace_ended(&user->pace, &store->config.pace, &end);
    enum pace_again again = pace_again(&user->pace, &end, delivery->attempt + 1);
    if (again != PACE_BY_BACKOFF && user->missed_count < PACE_MISSED_MAX)
        user->missed[user->missed_count++] = again == PACE_ON_ANSWER ? delivery->id : -delivery->id;
    while (end.answered && user->missed_count > 0) {
        int64_t id = user->missed[--user->missed_count];
        struct model_delivery *missed = model_find_delivery(store->disk, id > 0 ? id : -id);
        bool waits = missed && model_under_way(missed) && !(missed->leased && missed->due_ms > now) &&
                     missed != delivery;
        if (waits && (id > 0 || change == PACE_RECOVERED))
            missed->due_ms = (missed->id >> MODEL_MARK_BITS) - ((int64_t)1 << 40);
    }
}

static void model_outcome(struct store *store, struct store_op *op)
{
    struct model_delivery *delivery = model_find_delivery(store->disk, op->outcome.delivery_id);
    const struct decision *decision = &op->outcome.decision;
    bool fenced =
        delivery && !(model_under_way(delivery) && delivery->leased && delivery->lease == op->outcome.lease);
#ifdef PLANT_NO_FENCE
    fenced = false;
#endif
    if (!delivery || fenced) {
        op->result = delivery ? STORE_FENCED : STORE_NOT_FOUND;
        if (delivery)
            model_fenced(store->disk, op, delivery);
        return;
    }
    if (op->outcome.answered || decision->kind != DECISION_RELEASE)
        model_attempted(store, delivery, op);
    else if (decision_is_outage(decision))
        pace_released(&model_find_user(store->disk, delivery->user_id)->pace, &store->outage,
                      &store->config.pace, model_due_now_ms(store));
    model_history(store->disk, &op->outcome.attempt, decision, delivery->earlier);
    if (delivery->first_attempt_at_ms == 0)
        delivery->first_attempt_at_ms = op->outcome.attempt.started_at_ms;
    delivery->leased = false;
    delivery->lost = 0;
    delivery->due_ms = model_due_now_ms(store) + decision->delay_ms;
    delivery->last_reason = decision->reason;
    delivery->last_status = op->outcome.attempt.status;
    switch (decision->kind) {
    case DECISION_DELIVERED:
        delivery->attempt++;
        model_end(store, delivery, DELIVERY_DELIVERED);
        break;
    case DECISION_RETRY:
        model_failed(store, delivery, op);
        break;
    case DECISION_GIVE_UP:
        model_failed(store, delivery, op);
        model_end(store, delivery, DELIVERY_GIVEN_UP);
        break;
    case DECISION_RELEASE:
        delivery->age_start_ms += decision->delay_ms + op->outcome.attempt.duration_ms;
        break;
    }
    struct model_user *gone = model_find_user(store->disk, delivery->user_id);
    if (decision->reason == FAILURE_GONE && gone->user.disable_on_410 && !gone->user.paused) {
        gone->user.paused = true;
        gone->user.version++;
        op->count = 1;
    }
    op->id = delivery->id;
}

/* ---- users, keys, and what people do to deliveries ---- */

static void model_user_drop(const struct user *user)
{
    model_drop(user->name);
    model_drop(user->email);
    model_drop(user->webhook_url);
    model_drop(user->signing);
    model_drop(user->identity);
}

static void model_user_create(struct model_disk *disk, struct store_op *op)
{
    const struct user *from = &op->user.user;
    if (from->master_id && !model_find_user(disk, from->master_id)) {
        op->result = STORE_NOT_FOUND;
        return;
    }
    if (from->id && model_find_user(disk, from->id)) {
        op->result = STORE_CONFLICT;
        return;
    }
    disk->users = model_room(disk->users, disk->user_count, &disk->user_cap, sizeof *disk->users);
    struct model_user *user = &disk->users[disk->user_count++];
    *user = (struct model_user){.user = *from};
    if (user->user.id == 0)
        user->user.id = disk->last_user_id ? disk->last_user_id + 1 : MODEL_USER_ID_FIRST;
    if (user->user.id > disk->last_user_id)
        disk->last_user_id = user->user.id;
    user->user.name = model_copy(from->name);
    user->user.email = model_copy(from->email);
    user->user.webhook_url = model_copy(from->webhook_url);
    user->user.signing = model_copy(from->signing);
    user->user.identity = model_copy(from->identity);
    user->user.version = 1;
    op->id = user->user.id;
}

/* All settings at once; who it is (id, role, master, created_at) stays. */
static void model_user_update(struct model_disk *disk, struct store_op *op)
{
    const struct user *from = &op->user.user;
    struct model_user *user = model_find_user(disk, from->id);
    if (!user) {
        op->result = STORE_NOT_FOUND;
        return;
    }
    if (op->user.if_version != -1 && op->user.if_version != user->user.version) {
        op->result = STORE_CONFLICT;
        return;
    }
    if (!bytes_equal(user->user.webhook_url, from->webhook_url)) {
        pace_renew(&user->pace);
    }
    struct user old = user->user;
    user->user = *from;
    user->user.role = old.role;
    user->user.master_id = old.master_id;
    user->user.created_at_ms = old.created_at_ms;
    user->user.version = old.version + 1;
    user->user.name = model_copy(from->name);
    user->user.email = model_copy(from->email);
    user->user.webhook_url = model_copy(from->webhook_url);
    user->user.signing = model_copy(from->signing);
    user->user.identity = model_copy(from->identity);
    model_user_drop(&old);
    op->id = from->id;
}

static void model_key_create(struct model_disk *disk, struct store_op *op)
{
    if (!model_find_user(disk, op->key.user_id)) {
        op->result = STORE_NOT_FOUND;
        return;
    }
    for (int i = 0; i < disk->key_count; i++)
        if (memcmp(disk->keys[i].digest, op->key.digest, sizeof op->key.digest) == 0)
            op->result = STORE_CONFLICT;
    if (op->result == STORE_CONFLICT)
        return;
    int active = 0;
    for (int i = 0; i < disk->key_count; i++)
        active += disk->keys[i].user_id == op->key.user_id && !disk->keys[i].revoked_at_ms;
    if (op->keys_max > 0 && active >= op->keys_max) {
        op->result = STORE_QUOTA;
        return;
    }
    disk->keys = model_room(disk->keys, disk->key_count, &disk->key_cap, sizeof *disk->keys);
    struct api_key *key = &disk->keys[disk->key_count++];
    *key = op->key;
    key->id = ++disk->last_key_id;
    key->label = model_copy(op->key.label);
    key->allow_from = model_copy(op->key.allow_from);
    key->revoked_at_ms = 0;
    op->id = key->id;
}

static void model_replace(struct bytes *owned, struct bytes by)
{
    free((char *)owned->data);
    *owned = model_copy(by);
}

static void model_key_update(struct model_disk *disk, struct store_op *op)
{
    op->result = STORE_NOT_FOUND;
    for (int i = 0; i < disk->key_count; i++) {
        struct api_key *key = &disk->keys[i];
        if (key->id != op->key.id || key->user_id != op->key.user_id || key->revoked_at_ms)
            continue;
        if (op->key_changes & STORE_KEY_LABEL)
            model_replace(&key->label, op->key.label);
        if (op->key_changes & STORE_KEY_ALLOW_FROM)
            model_replace(&key->allow_from, op->key.allow_from);
        if (op->key_changes & STORE_KEY_RATE)
            key->rate_per_s = op->key.rate_per_s;
        op->id = key->id;
        op->result = STORE_DONE;
    }
}

/* Keys are in the order of their ids. */
static void model_forget_keys(struct model_disk *disk, int64_t user_id)
{
    int kept = 0;
    for (int i = disk->key_count - 1; i >= 0; i--) {
        struct api_key *key = &disk->keys[i];
        if (key->user_id != user_id || !key->revoked_at_ms || kept++ < STORE_REVOKED_KEPT)
            continue;
        free((char *)key->label.data);
        free((char *)key->allow_from.data);
        memmove(key, key + 1, sizeof *key * (size_t)(disk->key_count - i - 1));
        disk->key_count--;
    }
}

static void model_key_revoke(struct store *store, struct store_op *op)
{
    struct model_disk *disk = store->disk;
    struct api_key *key = NULL;
    int active = 0;
    for (int i = 0; i < disk->key_count; i++) {
        if (disk->keys[i].user_id != op->key.user_id)
            continue;
        active += disk->keys[i].revoked_at_ms == 0;
        if (disk->keys[i].id == op->key.id)
            key = &disk->keys[i];
    }
    if (!key || key->revoked_at_ms || active == 1) {
        op->result = key ? STORE_CONFLICT : STORE_NOT_FOUND;
        return;
    }
    key->revoked_at_ms = clock_wall_ms(&store->config.clock);
    op->id = key->id;
    model_forget_keys(disk, op->key.user_id);
}

static void model_resend_or_cancel(struct store *store, struct store_op *op)
{
    struct model_delivery *delivery = model_find_delivery(store->disk, op->delivery.delivery_id);
    if (!delivery || (op->delivery.user_id && op->delivery.user_id != delivery->user_id)) {
        op->result = STORE_NOT_FOUND;
        return;
    }
    bool under_way = model_under_way(delivery);
    bool nowhere = delivery->state == DELIVERY_SKIPPED &&
                   model_find_user(store->disk, delivery->user_id)->user.webhook_url.len == 0;
    if (!under_way && (op->kind == STORE_CANCEL || nowhere)) {
        op->result = STORE_CONFLICT;
        return;
    }
    op->id = delivery->id;
    int64_t now = model_due_now_ms(store);
    if (op->kind == STORE_CANCEL) {
        model_end(store, delivery, DELIVERY_CANCELLED);
        return;
    }
    if (under_way) {
        if (delivery->leased && delivery->due_ms > now)
            return;
        delivery->due_ms = now;
        pace_hurry(&model_find_user(store->disk, delivery->user_id)->pace);
        return;
    }
    delivery->resending = delivery->state == DELIVERY_DELIVERED;
    if (!delivery->resending) {
        delivery->state = DELIVERY_PENDING;
        delivery->finished_at_ms = 0;
    }
    delivery->earlier += delivery->attempt;
    delivery->attempt = delivery->lost = 0;
    delivery->due_ms = now;
    pace_hurry(&model_find_user(store->disk, delivery->user_id)->pace);
}

static bool model_event_ended(const struct model_disk *disk, int64_t event_id, int64_t before_ms)
{
    for (int i = 0; i < disk->delivery_count; i++)
        if (disk->deliveries[i].event_id == event_id &&
            (model_under_way(&disk->deliveries[i]) || disk->deliveries[i].finished_at_ms >= before_ms))
            return false;
    return true;
}

static void model_keys_purge(struct model_disk *disk, int64_t event_id)
{
    int keys = 0;
    for (int i = 0; i < disk->idempotency_count; i++) {
        if (disk->idempotency[i].event_id != event_id)
            disk->idempotency[keys++] = disk->idempotency[i];
        else
            model_drop(disk->idempotency[i].key);
    }
    disk->idempotency_count = keys;
}

static void model_attempts_purge(struct model_disk *disk, int64_t event_id)
{
    int lines = 0;
    for (int i = 0; i < disk->attempt_count; i++) {
        struct attempt line = disk->attempts[i];
        if (model_find_delivery(disk, line.delivery_id)->event_id != event_id) {
            disk->attempts[lines++] = line;
            continue;
        }
        model_drop(line.address);
        model_drop(line.detail);
        model_drop(line.response);
    }
    disk->attempt_count = lines;
}

static void model_event_drop(struct model_disk *disk, int at)
{
    struct event event = disk->events[at].event;
    int kept = 0;
    model_attempts_purge(disk, event.id);
    model_keys_purge(disk, event.id);
    for (int i = 0; i < disk->delivery_count; i++)
        if (disk->deliveries[i].event_id != event.id)
            disk->deliveries[kept++] = disk->deliveries[i];
    disk->delivery_count = kept;
    for (int i = 0; i < disk->resource_count; i++)
        if (disk->resources[i].event_id == event.id)
            disk->resources[i].event_id = 0; /* the snapshot stays */
    model_drop(event.event_type);
    model_drop(event.resource_type);
    model_drop(event.resource_id);
    model_drop(event.document);
    memmove(&disk->events[at], &disk->events[at + 1],
            (size_t)(disk->event_count - at - 1) * sizeof *disk->events);
    disk->event_count--;
}

static void model_purge(struct model_disk *disk, struct store_op *op)
{
    int64_t before_ms =
        op->purge.idempotency_before_ms ? op->purge.idempotency_before_ms : op->purge.before_ms;
    if (before_ms > disk->keys_before_ms)
        disk->keys_before_ms = before_ms;
    for (int i = 0; i < disk->event_count && op->count < op->purge.rows_max;) {
        const struct event *event = &disk->events[i].event;
        if (event->received_at_ms < op->purge.attempts_before_ms &&
            model_event_ended(disk, event->id, op->purge.attempts_before_ms))
            model_attempts_purge(disk, event->id);
        if (event->received_at_ms >= op->purge.before_ms ||
            !model_event_ended(disk, event->id, op->purge.before_ms)) {
            i++;
            continue;
        }
        model_event_drop(disk, i);
        op->count++;
    }
    op->purge.more = op->count == op->purge.rows_max;
    model_resources_purge(disk, op->purge.resources_before_ms);
}

/* ---- a batch ---- */

static void model_do(struct store *store, struct store_batch *batch, struct store_op *op)
{
    op->result = STORE_DONE;
    op->id = op->count = 0;
    op->reached = (struct quota_reached){0};
    switch (op->kind) {
    case STORE_EVENT:
        model_event(store, batch, op);
        break;
    case STORE_OUTCOME:
        model_outcome(store, op);
        break;
    case STORE_USER_CREATE:
        model_user_create(store->disk, op);
        break;
    case STORE_USER_UPDATE:
        model_user_update(store->disk, op);
        break;
    case STORE_KEY_CREATE:
        model_key_create(store->disk, op);
        break;
    case STORE_KEY_UPDATE:
        model_key_update(store->disk, op);
        break;
    case STORE_KEY_REVOKE:
        model_key_revoke(store, op);
        break;
    case STORE_RESEND:
    case STORE_CANCEL:
        model_resend_or_cancel(store, op);
        break;
    case STORE_RESOURCE_PUT:
        model_resource_put(store, op);
        break;
    case STORE_RESOURCE_DELETE:
        model_resource_delete(store->disk, op);
        break;
    case STORE_FINGERPRINT:
        memcpy(store->disk->fingerprint, op->fingerprint, sizeof op->fingerprint);
        store->disk->has_fingerprint = true;
        break;
    case STORE_LOOK:
        model_look(store, op);
        break;
    case STORE_PURGE:
        model_purge(store->disk, op);
        break;
    case STORE_OP_COUNT:
        assert(!"an op");
    }
}

static enum store_status model_write_locked(struct store *store, struct store_batch *batch)
{
    struct model_disk *disk = store->disk;
    enum model_fault fault = disk->fault;
    disk->fault = MODEL_FAULT_NONE;
    batch->filled_count = 0;
    batch->next_due_in_ms = -1;
    if (disk->down || fault == MODEL_FAULT_LOST)
        return STORE_DOWN;
    if (fault == MODEL_FAULT_FULL || fault == MODEL_FAULT_BROKEN)
        return fault == MODEL_FAULT_FULL ? STORE_FULL : STORE_BROKEN;
    for (int i = 0; i < batch->op_count; i++)
        model_do(store, batch, batch->ops[i]);
    model_claim(store, batch);
    disk->due_ms = model_due_now_ms(store);
    disk->service_ms = model_service_now_ms(store);
    if (fault != MODEL_FAULT_UNKNOWN)
        return STORE_OK;
    for (int i = 0; i < batch->filled_count; i++)
        batch->boxes[i]->filled = false;
    batch->filled_count = 0;
    return STORE_DOWN;
}

static enum store_status model_write(struct store *store, struct store_batch *batch)
{
    pthread_mutex_lock(&store->lock);
    enum store_status status = model_write_locked(store, batch);
    pthread_mutex_unlock(&store->lock);
    return status;
}

/* ---- opening and closing ---- */

struct model_disk *model_disk_new(void)
{
    struct model_disk *disk = memory_zero(1, sizeof *disk);
    memcpy(disk->path, "model", sizeof "model");
    return disk;
}

const char *model_disk_path(const struct model_disk *disk)
{
    return disk->path;
}

void model_disk_fault(struct model_disk *disk, enum model_fault fault)
{
    disk->fault = fault;
}

void model_disk_no_space(struct model_disk *disk, bool no_space)
{
    disk->no_space = no_space;
}

void model_disk_down(struct model_disk *disk, bool down)
{
    if (disk->opened)
        model_watch_down(disk->opened, down);
    disk->down = down;
}

void model_disk_free(struct model_disk *disk)
{
    assert(!disk->opened);
    while (disk->event_count > 0)
        model_event_drop(disk, disk->event_count - 1);
    for (int i = 0; i < disk->user_count; i++)
        model_user_drop(&disk->users[i].user);
    for (int i = 0; i < disk->key_count; i++) {
        model_drop(disk->keys[i].label);
        model_drop(disk->keys[i].allow_from);
    }
    model_resources_free(disk);
    free(disk->users);
    free(disk->keys);
    free(disk->events);
    free(disk->deliveries);
    free(disk->attempts);
    free(disk->idempotency);
    free(disk);
}

static enum store_status model_open(const struct store_config *config, struct store **opened)
{
    struct model_disk *disk = config->path ? (struct model_disk *)(void *)config->path : model_disk_new();
    if (disk->opened)
        return STORE_LOCKED;
    struct store *store = memory_zero(1, sizeof *store);
    int64_t wall = clock_wall_ms(&config->clock);
    store->disk = disk;
    store->disk_own = !config->path;
    store->config = *config;
    store->due_base_ms = wall > disk->due_ms ? wall : disk->due_ms;
    store->service_base_ms = disk->service_ms;
    store->mono_base_ms = store->down_since_ms = clock_mono_ms(&config->clock);
    pthread_mutex_init(&store->lock, NULL);
    for (int i = 0; i < disk->user_count; i++) {
        disk->users[i].pace = (struct pace){.ever_answered = disk->users[i].pace.ever_answered};
        disk->users[i].missed_count = 0;
        disk->users[i].delivered = 0;
    }
    for (int i = 0; i < disk->delivery_count; i++)
        if (model_under_way(&disk->deliveries[i]))
            pace_resumed(&model_find_user(disk, disk->deliveries[i].user_id)->pace);
    disk->opened = store;
    *opened = store;
    return STORE_OK;
}

static enum store_status model_read_one(struct store *store, int reader, const struct store_query *query,
                                        struct arena *arena, struct store_answer *answer)
{
    assert(reader >= 0 && reader < store->config.readers);
    pthread_mutex_lock(&store->lock);
    enum store_status status = store->disk->down ? STORE_DOWN : model_read(store, query, arena, answer);
    pthread_mutex_unlock(&store->lock);
    return status;
}

static int model_wait_fd(struct store *store)
{
    (void)store;
    return -1;
}

static void model_close(struct store *store)
{
    store->disk->opened = NULL;
    if (store->disk_own)
        model_disk_free(store->disk);
    pthread_mutex_destroy(&store->lock);
    free(store);
}

const struct store_backend store_model = {
    .name = "model",
    .open = model_open,
    .write = model_write,
    .read = model_read_one,
    .wait_fd = model_wait_fd,
    .close = model_close,
};
