/* The model's events and their deliveries: accepted, tried, resent, cancelled. */
#include "model_state.h"
#include "plain_filter.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- events ---- */

int model_delivery_add(struct store *store, const struct event *event, const struct endpoint *endpoint,
                       int64_t now)
{
    struct model_disk *disk = store->disk;
    disk->deliveries =
        model_room(disk->deliveries, disk->delivery_count, &disk->delivery_cap, sizeof *disk->deliveries);
    disk->deliveries[disk->delivery_count] = (struct model_delivery){
        .id = disk->last_delivery_id = model_delivery_next(disk->last_delivery_id, store->config.mark),
        .event_id = event->id,
        .endpoint_id = endpoint->id,
        .user_id = endpoint->owner_id,
        .due_ms = now,
        .created_at_ms = event->received_at_ms,
    };
    return disk->delivery_count++;
}

/* One delivery for an endpoint; leased at once if it is nobody's turn before it. */
static void model_deliver_to(struct store *store, struct store_batch *batch, const struct event *event,
                             struct model_endpoint *endpoint)
{
    int64_t now = model_due_now_ms(store);
    bool born_leased = batch->filled_count < batch->box_count &&
                       !model_first_due(store->disk, endpoint->endpoint.id, now) &&
                       model_may_take(store, endpoint, now);
    for (int i = 0; i < store->disk->delivery_count && endpoint->endpoint.flow.ordered; i++)
        if (store->disk->deliveries[i].endpoint_id == endpoint->endpoint.id &&
            model_under_way(&store->disk->deliveries[i]))
            born_leased = false; /* it waits behind that one */
    int index = model_delivery_add(store, event, &endpoint->endpoint, now);
    model_hour_count(store, endpoint->endpoint.id, HOUR_ACCEPTED, HOUR_NO_ANSWER);
    if (born_leased)
        model_lease(store, batch, &store->disk->deliveries[index]);
}

/* " a b c " has the word "b", and what matches it if it ends in an asterisk. */
static bool model_word_matches(struct bytes word, struct bytes pattern)
{
    if (pattern.len > 0 && pattern.data[pattern.len - 1] == '*')
        return word.len + 1 >= pattern.len && strncmp(word.data, pattern.data, pattern.len - 1) == 0;
    return bytes_equal(word, pattern);
}

static bool model_words_meet(struct bytes words, struct bytes patterns)
{
    for (struct bytes rest = words; rest.len > 0;) {
        struct bytes word = bytes_cut(&rest, ' ');
        for (struct bytes others = patterns; others.len > 0;)
            if (model_word_matches(word, bytes_cut(&others, ' ')))
                return true;
    }
    return false;
}

static bool model_filter_matches(struct bytes filter, struct bytes document)
{
    struct arena arena;
    struct json_reading reading;
    arena_init(&arena, 16 << 20);
    struct bytes a = arena_copy(&arena, filter), b = arena_copy(&arena, document);
    const struct json_value *pattern = json_tree_read(&arena, (char *)a.data, a.len, false, &reading);
    const struct json_value *tree = json_tree_read(&arena, (char *)b.data, b.len, false, &reading);
    bool matches = !tree || plain_filter(pattern, tree);
    arena_fini(&arena);
    return matches;
}

const char *model_unwanted(const struct event *event, const struct endpoint *endpoint)
{
    if (endpoint->event_types.len > 0 && !model_words_meet(event->event_type, endpoint->event_types))
        return "type";
    if (endpoint->channels.len > 0 && !model_words_meet(event->channels, endpoint->channels))
        return "channel";
    if (endpoint->filter.len > 0 && !model_filter_matches(endpoint->filter, event->document))
        return "filter";
    return NULL;
}

static void model_unmatched(struct model_disk *disk, const struct endpoint *endpoint, const char *why)
{
    struct event *event = &disk->events[disk->event_count - 1].event;
    char text[ROUTING_UNMATCHED_LEN_MAX + 1];
    int len = snprintf(text, sizeof text, "%.*s%s%lld:%s%s", BYTES_ARG(event->unmatched),
                       event->unmatched.len ? " " : "", (long long)endpoint->id, why,
                       endpoint->owner_id == event->owner_id ? "" : ":master");
    model_drop(event->unmatched);
    event->unmatched = model_copy(bytes_make(text, (size_t)len));
}

/* One for each of the user's endpoints that has a URL and wants it. They are in the order in which they were
 * made. */
static int model_deliver_all(struct store *store, struct store_batch *batch, const struct event *event,
                             int64_t user_id, int64_t only_id, const struct store_notice *notice)
{
    int count = 0;
    for (int i = 0; i < store->endpoint_count; i++) {
        struct model_endpoint *endpoint = &store->endpoints[i];
        if (endpoint->endpoint.owner_id != user_id || endpoint->endpoint.url.len == 0 ||
            (only_id && endpoint->endpoint.id != only_id))
            continue;
        if (notice && !model_gets_notice(store, notice, &endpoint->endpoint))
            continue;
        const char *unwanted = only_id ? NULL : model_unwanted(event, &endpoint->endpoint);
        if (unwanted) {
            model_unmatched(store->disk, &endpoint->endpoint, unwanted);
            continue;
        }
#ifdef PLANT_PAUSE_DROPS
        if (endpoint->endpoint.paused)
            continue;
#endif
        model_deliver_to(store, batch, event, endpoint);
        count++;
#ifdef PLANT_DEFAULT_ENDPOINT_ONLY
        break; /* as if a user were its endpoint */
#endif
    }
    return count;
}

/* Of an event that has no recipients: one that has ended. */
static int64_t model_skip(struct store *store, const struct event *event)
{
    int index = model_delivery_add(store, event, &model_view(store, event->owner_id)->endpoint, 0);
    struct model_delivery *delivery = &store->disk->deliveries[index];
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
        op->count = op->id ? model_find_event(disk, op->id)->delivery_count : 0;
        return true;
    }
    struct model_event *same = op->event.event.id ? model_find_event(disk, op->event.event.id) : NULL;
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
    event->channels = model_copy(event->channels);
    event->unmatched = (struct bytes){0};
    event->sent_at_ms = 0;
    if (op->event.idempotency_key.len == 0)
        return;
    disk->idempotency = model_room(disk->idempotency, disk->idempotency_count, &disk->idempotency_cap,
                                   sizeof *disk->idempotency);
    struct model_key *key = &disk->idempotency[disk->idempotency_count++];
    *key = (struct model_key){op->event.requester_id, event->id, model_copy(op->event.idempotency_key), {0}};
    memcpy(key->digest, op->event.request_digest, sizeof key->digest);
}

/* Does anybody get it, or would have but for channels and filter? */
static bool model_notice_asked(struct store *store, const struct store_op *op, const struct user *owner)
{
    for (int i = 0; i < store->disk->endpoint_count; i++) {
        const struct model_row *row = &store->disk->endpoints[i];
        bool meant = row->endpoint.owner_id == owner->id || row->endpoint.owner_id == owner->master_id;
        if (meant && !row->removed && row->endpoint.url.len > 0 &&
            model_gets_notice(store, op->event.notice, &row->endpoint) &&
            !model_unwanted(&op->event.event, &row->endpoint))
            return true;
    }
    return false;
}

void model_event(struct store *store, struct store_batch *batch, struct store_op *op)
{
    struct model_disk *disk = store->disk;
    struct user *owner = model_find_user(disk, op->event.event.owner_id);
    op->event.skipped = 0;
    if (model_event_known(disk, op))
        return;
    if (!owner || disk->no_space) {
        op->result = owner ? STORE_NO_SPACE : STORE_NOT_FOUND;
        return;
    }
    const struct model_row *only = model_find_endpoint(disk, op->event.only_endpoint_id);
    if (op->event.only_endpoint_id && (!only || only->removed || only->endpoint.url.len == 0 ||
                                       only->endpoint.owner_id != op->event.event.owner_id)) {
        op->result = STORE_NOT_FOUND;
        return;
    }
    const struct store_notice *notice = op->event.notice;
    if (notice ? !model_notice_told(store, notice) || !model_notice_asked(store, op, owner)
               : model_event_beyond(store, op)) {
        op->result = notice ? STORE_NOT_FOUND : op->result;
        return;
    }
#ifdef PLANT_ID_KEPT
    if (op->event.event.id ==
        0) /* or it is written as what it was to be, though later ones may have been seen */
#endif
        store_event_named(op, model_next_id(store));
    model_event_insert(disk, op);
    model_resources_take(disk, op);
    struct user *master = model_find_user(disk, owner->master_id);
    disk->events[disk->event_count - 1].owner_only = op->event.owner_only;
    disk->events[disk->event_count - 1].for_chosen = op->event.only_endpoint_id != 0 || notice;
    int count =
        model_deliver_all(store, batch, &op->event.event, owner->id, op->event.only_endpoint_id, notice);
    bool to_master = notice || (master && master->receives_users_events && !op->event.owner_only);
    if (!op->event.only_endpoint_id && master && master != owner && to_master)
        count += model_deliver_all(store, batch, &op->event.event, master->id, 0, notice);
    if (count == 0 && disk->events[disk->event_count - 1].event.unmatched.len == 0)
        op->event.skipped = model_skip(store, &op->event.event);
    disk->events[disk->event_count - 1].delivery_count = count;
    op->id = op->event.event.id;
    op->count = count;
}

int64_t model_next_id(struct store *store)
{
#ifndef PLANT_OWN_IDS /* or it knows only of those that it gave itself */
    ids_floor(&store->ids, store->disk->last_event_id);
#endif
    return store->disk->last_event_id = ids_next(&store->ids, clock_wall_ms(&store->config.clock));
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

void model_end(struct store *store, struct model_delivery *delivery, enum delivery_state state)
{
    delivery->leased = false;
    delivery->lost = 0;
    delivery->resumes_ms = 0;
    if (!delivery->resending) {
        if (state != DELIVERY_DELIVERED)
            model_hour_count(store, delivery->endpoint_id,
                             state == DELIVERY_GIVEN_UP ? HOUR_GIVEN_UP : HOUR_CANCELLED, HOUR_NO_ANSWER);
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

/* It was tried out of turn: the attempt counts in the history alone. */
static void model_resumes(struct model_delivery *delivery)
{
    delivery->earlier++;
    delivery->due_ms = delivery->resumes_ms;
    delivery->resumes_ms = 0;
}

static void model_attempted(struct store *store, const struct model_delivery *delivery,
                            const struct store_op *op)
{
    struct model_endpoint *endpoint = model_view(store, delivery->endpoint_id);
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
                           .endpoint_id = endpoint->endpoint.id};
    endpoint->delivered += end.answered;
#ifdef PLANT_RATE_OF_DELIVERED /* as if only what is acknowledged counted */
    if (!end.answered && endpoint->begun_count > 0)
        endpoint->begun_count--;
#endif
    enum pace_change change = pace_ended(&endpoint->pace, &store->config.pace, &end);
    model_find_endpoint(store->disk, delivery->endpoint_id)->ever_answered = endpoint->pace.ever_answered;
    enum pace_again again = pace_again(&endpoint->pace, &end, delivery->attempt + 1);
    if (again != PACE_BY_BACKOFF && endpoint->missed_count < PACE_MISSED_MAX)
        endpoint->missed[endpoint->missed_count++] = again == PACE_ON_ANSWER ? delivery->id : -delivery->id;
    while (end.answered && endpoint->missed_count > 0) {
        int64_t id = endpoint->missed[--endpoint->missed_count];
        struct model_delivery *missed = model_find_delivery(store->disk, id > 0 ? id : -id);
        bool waits = missed && model_under_way(missed) && !(missed->leased && missed->due_ms > now) &&
                     missed != delivery;
        if (waits && (id > 0 || change == PACE_RECOVERED))
            missed->due_ms = (missed->id >> MODEL_MARK_BITS) - ((int64_t)1 << 40);
    }
}

static void model_disable(struct store *store, struct model_row *row, enum endpoint_disabled why,
                          struct store_op *op)
{
    row->endpoint.paused = true;
    row->endpoint.paused_at_ms = clock_wall_ms(&store->config.clock);
    row->endpoint.disabled = why;
    row->fails_since_ms = row->outage_since_ms = 0;
    model_endpoint_changed(store->disk, row);
    op->count = why;
}

/* Since when it has only failed, and whether that is too long. */
static void model_fails(struct store *store, struct model_row *row, struct store_op *op)
{
    const struct decision *decision = &op->outcome.decision;
    int64_t now = model_service_now_ms(store),
            days_ms = row->endpoint.disable_after * store->config.pace.day_ms;
    bool counts = decision->kind == DECISION_RETRY || decision->kind == DECISION_GIVE_UP;
    if (row->removed || row->endpoint.paused)
        return;
#ifdef PLANT_SUCCESS_KEEPS_FAILING /* as if one success among failures were none */
    if (op->outcome.answered)
        return;
#endif
    if (op->outcome.answered)
        row->fails_since_ms = row->outage_since_ms = 0;
    else if (counts && row->fails_since_ms == 0)
        row->fails_since_ms = now > 0 ? now : 1;
    else if (counts && row->outage_since_ms > 0)
        row->fails_since_ms += now - row->outage_since_ms;
    if (counts)
        row->outage_since_ms = 0;
    else if (decision_is_outage(decision) && row->fails_since_ms > 0 && row->outage_since_ms == 0)
        row->outage_since_ms = now;
    if (op->outcome.answered || !counts)
        return;
    if (decision->reason == FAILURE_GONE && row->endpoint.disable_on_410)
        model_disable(store, row, ENDPOINT_GONE, op);
    else if (days_ms > 0 && now - row->fails_since_ms >= days_ms)
        model_disable(store, row, ENDPOINT_FAILING, op);
}

void model_outcome(struct store *store, struct store_op *op)
{
    struct model_delivery *delivery = model_find_delivery(store->disk, op->outcome.delivery_id);
    const struct decision *decision = &op->outcome.decision;
    bool fenced =
        delivery && !(model_under_way(delivery) && delivery->leased && delivery->lease == op->outcome.lease);
#ifdef PLANT_NO_FENCE
    fenced = false;
#endif
#ifdef PLANT_OWN_LEASES /* as if nobody else could have claimed it since */
    fenced = delivery && !model_view_gave(store, delivery->id, op->outcome.lease);
#endif
    if (!delivery || fenced) {
        op->result = delivery ? STORE_FENCED : STORE_NOT_FOUND;
        if (delivery)
            model_fenced(store->disk, op, delivery);
        return;
    }
    model_view_ended(store, delivery->id);
    model_hour_attempt(store, delivery->endpoint_id, &op->outcome);
    if (op->outcome.answered || decision->kind != DECISION_RELEASE)
        model_attempted(store, delivery, op);
    else if (decision_is_outage(decision))
        pace_released(&model_view(store, delivery->endpoint_id)->pace, &store->outage, &store->config.pace,
                      model_due_now_ms(store));
    model_history(store->disk, &op->outcome.attempt, decision, delivery->earlier);
    if (delivery->first_attempt_at_ms == 0)
        delivery->first_attempt_at_ms = op->outcome.attempt.started_at_ms;
    delivery->leased = false;
    delivery->lost = 0;
    delivery->due_ms = model_due_now_ms(store) + decision->delay_ms;
    delivery->last_reason = decision->reason;
    delivery->last_status = op->outcome.attempt.status;
    bool out_of_turn = delivery->resumes_ms > 0;
#ifdef PLANT_RESEND_ENDS_SCHEDULE
    out_of_turn = false;
#endif
    switch (decision->kind) {
    case DECISION_DELIVERED:
        delivery->attempt++;
        model_end(store, delivery, DELIVERY_DELIVERED);
        break;
    case DECISION_RETRY:
    case DECISION_GIVE_UP:
        if (out_of_turn)
            model_resumes(delivery);
        else
            model_failed(store, delivery, op);
        if (!out_of_turn && decision->kind == DECISION_GIVE_UP)
            model_end(store, delivery, DELIVERY_GIVEN_UP);
        break;
    case DECISION_RELEASE:
        delivery->age_start_ms += decision->delay_ms + op->outcome.attempt.duration_ms;
        break;
    }
    struct model_row *row = model_find_endpoint(store->disk, delivery->endpoint_id);
    model_fails(store, row, op);
    bool given_up = delivery->state == DELIVERY_GIVEN_UP;
#ifdef PLANT_NOTICE_OF_HARMLESS /* a resend that failed is told as the end */
    given_up = decision->kind == DECISION_GIVE_UP || out_of_turn;
#endif
    model_notices(store, row, op, given_up);
    op->id = delivery->id;
}

void model_again(struct model_delivery *delivery, int64_t now)
{
    delivery->resending = delivery->state == DELIVERY_DELIVERED;
    if (!delivery->resending) {
        delivery->state = DELIVERY_PENDING;
        delivery->finished_at_ms = 0;
    }
    delivery->earlier += delivery->attempt;
    delivery->attempt = delivery->lost = 0;
    delivery->due_ms = now;
}

void model_resend_or_cancel(struct store *store, struct store_op *op)
{
    struct model_delivery *delivery = model_find_delivery(store->disk, op->delivery.delivery_id);
    if (!delivery || (op->delivery.user_id && op->delivery.user_id != delivery->user_id)) {
        op->result = STORE_NOT_FOUND;
        return;
    }
    bool under_way = model_under_way(delivery);
    int64_t now = model_due_now_ms(store);
    const struct delivery *seen = op->delivery.if_as;
    if (seen && (seen->state != delivery->state || seen->resending != delivery->resending ||
                 seen->leased != (under_way && delivery->leased && delivery->due_ms > now) ||
                 seen->lease != delivery->lease || seen->attempt != delivery->earlier + delivery->attempt ||
                 seen->finished_at_ms != delivery->finished_at_ms)) {
        op->result = STORE_FENCED;
        return;
    }
    const struct model_row *endpoint = model_find_endpoint(store->disk, delivery->endpoint_id);
    bool nowhere =
        endpoint->removed || (delivery->state == DELIVERY_SKIPPED && endpoint->endpoint.url.len == 0);
    if (!under_way && (op->kind == STORE_CANCEL || nowhere)) {
        op->result = STORE_CONFLICT;
        return;
    }
    op->id = delivery->id;
    if (op->kind == STORE_CANCEL) {
        model_end(store, delivery, DELIVERY_CANCELLED);
        return;
    }
    if (under_way) {
        if (delivery->leased && delivery->due_ms > now)
            return;
        if (!delivery->leased && delivery->resumes_ms == 0 && delivery->due_ms > now)
            delivery->resumes_ms = delivery->due_ms;
        delivery->due_ms = now;
        pace_hurry(&model_view(store, delivery->endpoint_id)->pace);
        return;
    }
    model_again(delivery, now);
    pace_hurry(&model_view(store, delivery->endpoint_id)->pace);
}
