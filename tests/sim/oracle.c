#include "instant.h"
#include "memory.h"
#include "sim.h"
#include <assert.h>
#include <stdlib.h>

void oracle_init(struct sim *sim)
{
    arena_init(&sim->oracle.arena, 16 * 1024 * 1024);
}

void oracle_fini(struct sim *sim)
{
    arena_fini(&sim->oracle.arena);
    free(sim->oracle.events);
    free(sim->oracle.deliveries);
    free(sim->oracle.leases);
}

/* ---- what is known ---- */

static struct oracle_event *event_of(struct sim *sim, int64_t id)
{
    struct oracle *oracle = &sim->oracle;
    for (int i = 0; i < oracle->event_count; i++)
        if (oracle->events[i].id == id)
            return &oracle->events[i];
    if (oracle->event_count == oracle->event_cap) {
        oracle->event_cap = oracle->event_cap ? oracle->event_cap * 2 : 64;
        oracle->events = memory_grow(oracle->events, (size_t)oracle->event_cap * sizeof *oracle->events);
    }
    oracle->events[oracle->event_count] = (struct oracle_event){.id = id};
    return &oracle->events[oracle->event_count++];
}

static struct oracle_delivery *delivery_of(struct sim *sim, int64_t id, int64_t event_id)
{
    struct oracle *oracle = &sim->oracle;
    for (int i = 0; i < oracle->delivery_count; i++)
        if (oracle->deliveries[i].id == id)
            return &oracle->deliveries[i];
    if (oracle->delivery_count == oracle->delivery_cap) {
        oracle->delivery_cap = oracle->delivery_cap ? oracle->delivery_cap * 2 : 64;
        oracle->deliveries =
            memory_grow(oracle->deliveries, (size_t)oracle->delivery_cap * sizeof *oracle->deliveries);
    }
    oracle->deliveries[oracle->delivery_count] =
        (struct oracle_delivery){.id = id, .event_id = event_id, .first_start_ms = -1};
    return &oracle->deliveries[oracle->delivery_count++];
}

static struct sim_attempt *attempt_of(struct sim *sim, int64_t delivery_id, int64_t lease)
{
    for (int i = sim->attempt_count - 1; i >= 0; i--)
        if (sim->attempts[i].delivery_id == delivery_id && sim->attempts[i].lease == lease)
            return &sim->attempts[i];
    return NULL;
}

/* Straight from the store, past every node. False: it cannot be asked now, or knows no such thing. */
static bool ask(struct sim *sim, struct store_query query, struct store_answer *answer)
{
    arena_reset(&sim->oracle.arena);
    struct store *store = disk_store(sim);
    return store && !sim->store_down &&
           sim->backend->read(store, 0, &query, &sim->oracle.arena, answer) == STORE_OK;
}

static bool ask_delivery(struct sim *sim, int64_t id, struct delivery *delivery)
{
    struct store_answer answer;
    if (!ask(sim, (struct store_query){.kind = STORE_GET_DELIVERY, .id = id, .limit = 1}, &answer) ||
        answer.count != 1)
        return false;
    *delivery = answer.deliveries[0];
    return true;
}

/* Service time since its first attempt, without what our own faults took. An attempt's own duration counts
 * even if the store was down meanwhile: the first one's and this one's. */
static int64_t true_age_ms(const struct sim *sim, const struct oracle_delivery *delivery)
{
    int64_t longest_ms = sim->attempt_ms_max + (sim->nodes_freeze ? FROZEN_MS_MAX : 0);
    int64_t under_way_ms = sim->store_was_down ? 2 * longest_ms : 0;
    if (delivery->first_start_ms < 0)
        return 0;
    return sim->service_ms - delivery->first_start_ms - delivery->released_ms + under_way_ms;
}

/* ---- P1: a 201 means durable ---- */

void oracle_accepted(struct sim *sim, int number, int64_t event_id)
{
    struct post *post = &sim->posts[number];
    struct store_answer answer;
    for (int i = 0; i < sim->post_count; i++)
        if (i != number && sim->posts[i].event_id == event_id)
            sim_fail(sim, "ids", "posts %d and %d both became event %lld", i, number, (long long)event_id);
    if (post->has_key && post->event_id && post->event_id != event_id)
        sim_fail(sim, "P1", "post %d with one idempotency key became events %lld and %lld", number,
                 (long long)post->event_id, (long long)event_id);
    post->event_id = event_id;
    if (!ask(sim, (struct store_query){.kind = STORE_GET_EVENT, .id = event_id, .limit = 1}, &answer))
        return;
    if (answer.count != 1 || answer.events[0].owner_id != post->owner_id) {
        sim_fail(sim, "P1", "201 for event %lld, which is not in the store", (long long)event_id);
        return;
    }
    int expected = world_recipients(sim, post->owner_id);
    if (expected == 0)
        expected = 1; /* skipped */
    if (ask(sim, (struct store_query){.kind = STORE_LIST_DELIVERIES, .id = event_id, .limit = 10}, &answer) &&
        answer.count != expected)
        sim_fail(sim, "P1", "201 for event %lld with %d deliveries of %d", (long long)event_id, answer.count,
                 expected);
}

/* ---- P2, P3, P4 at a commit: outcomes ---- */

void oracle_before_write(struct sim *sim, const struct store_batch *batch)
{
    for (int i = 0; i < batch->op_count; i++) {
        struct store_op *op = batch->ops[i];
        if (op->kind == STORE_OUTCOME && !ask_delivery(sim, op->outcome.delivery_id, &sim->oracle.before[i]))
            sim->oracle.before[i] = (struct delivery){0};
    }
}

/* The owner's own retries: the waits are theirs, and so is the end. */
static void check_retry(struct sim *sim, const struct world_retry *retry,
                        const struct oracle_delivery *delivery, const struct decision *decision)
{
    const struct policy *policy = &sim->dispatch_config.policy;
    int step = 0, steps = 0;
    while (steps < 4 && retry->steps_s[steps])
        steps++;
    if (retry->window_s == 0 && (decision->kind == DECISION_GIVE_UP) != (delivery->counted >= steps)) {
        sim_fail(sim, "P3", "delivery %lld: decision %d after %d failures of a schedule of %d",
                 (long long)delivery->id, decision->kind, delivery->counted + 1, steps);
        return;
    }
    while (step < delivery->counted && step + 1 < steps)
        step++;
    /* What is scaled is the base of a backoff, and each step of a schedule. */
    int64_t scaled_s = retry->window_s > 0 ? retry->steps_s[0] : retry->steps_s[step];
    int64_t least_ms = scaled_s * SECOND / policy->scale * (retry->steps_s[step] / scaled_s) *
                       (100 - policy->jitter_percent) / 100;
    if (decision->kind == DECISION_RETRY && decision->delay_ms < least_ms)
        sim_fail(sim, "P3", "delivery %lld: retry %d in %lld ms, and its endpoint wants %d s",
                 (long long)delivery->id, delivery->counted + 1, (long long)decision->delay_ms,
                 (int)retry->steps_s[step]);
}

static void check_given_up(struct sim *sim, const struct world_retry *retry,
                           const struct oracle_delivery *delivery)
{
    const struct policy *policy = &sim->dispatch_config.policy;
    int64_t age = true_age_ms(sim, delivery);
    bool schedule = retry && retry->window_s == 0; /* it has no window */
    if (!schedule && age < (retry ? retry->window_s * SECOND / policy->scale : policy->window_ms))
        sim_fail(sim, "P3", "delivery %lld given up %lld ms after its first attempt", (long long)delivery->id,
                 (long long)age);
}

static bool acknowledged(const struct sim *sim, const struct sim_attempt *attempt)
{
    return attempt->outcome.failure == FAILURE_NONE &&
           world_acknowledges(&sim->receivers[attempt->receiver], attempt->outcome.status);
}

/* A decision that took hold must follow from what its own attempt came to. */
static void check_decision(struct sim *sim, struct oracle_delivery *delivery,
                           const struct sim_attempt *attempt, const struct store_op *op)
{
    const struct decision *decision = &op->outcome.decision;
    bool ended = attempt && attempt->ended;
    bool acknowledges = ended && acknowledged(sim, attempt);
    enum failure_class class = ended ? failure_class_of(attempt->outcome.failure) : FAILURE_CLASS_OURS;
    bool ours = class == FAILURE_CLASS_OURS || class == FAILURE_CLASS_CROSSED;
    bool lost = !attempt && decision->reason == FAILURE_LEASE_LOST;
    if ((decision->kind == DECISION_DELIVERED) != acknowledges)
        sim_fail(sim, "P2", "delivery %lld lease %lld: decision %d, and its attempt %s",
                 (long long)delivery->id, (long long)op->outcome.lease, decision->kind,
                 acknowledges ? "is acknowledged" : "is not");
    if ((decision->kind == DECISION_RELEASE) != (ours && !lost))
        sim_fail(sim, "P3", "delivery %lld lease %lld: decision %d for a fault of %s",
                 (long long)delivery->id, (long long)op->outcome.lease, decision->kind,
                 ours ? "ours" : "the receiver's");
    if (delivery->hurried || (decision->kind != DECISION_GIVE_UP && decision->kind != DECISION_RETRY))
        return;
    const struct world_retry *retry = sim->receivers[world_receiver(sim, delivery->endpoint_id)].retry;
    if (retry)
        check_retry(sim, retry, delivery, decision);
    if (decision->kind == DECISION_GIVE_UP)
        check_given_up(sim, retry, delivery);
}

static void apply_outcome(struct sim *sim, struct oracle_delivery *delivery, struct sim_attempt *attempt,
                          const struct store_op *op)
{
    const struct decision *decision = &op->outcome.decision;
    check_decision(sim, delivery, attempt, op);
    delivery->recorded_lease = op->outcome.lease;
    bool fails = decision->kind == DECISION_RETRY || decision->kind == DECISION_GIVE_UP;
    bool harmless = delivery->hurried && fails;
    if (decision->kind != DECISION_RELEASE)
        delivery->hurried = false;
    if (harmless)
        delivery->out_of_turn++;
    else if (decision->kind != DECISION_RELEASE)
        delivery->counted++;
    else if (delivery->counted > 0)
        delivery->released_ms += decision->delay_ms;
    if (delivery->counted > 0 && delivery->first_start_ms < 0)
        delivery->first_start_ms = sim->service_ms; /* leases lost again and again stand for an attempt */
    if (!harmless && (decision->kind == DECISION_DELIVERED || decision->kind == DECISION_GIVE_UP)) {
        bool delivered = decision->kind == DECISION_DELIVERED || delivery->resending;
        delivery->state = delivered ? DELIVERY_DELIVERED : DELIVERY_GIVEN_UP;
        delivery->resending = false;
    }
    sim->oracle.given_up += delivery->state == DELIVERY_GIVEN_UP;
    sim->totals.delivered += decision->kind == DECISION_DELIVERED;
    sim->totals.given_up += decision->kind == DECISION_GIVE_UP && !harmless;
    if (!attempt)
        return;
    attempt->recorded = true;
    attempt->lease_held = sim->now_ms < delivery->granted_ms + sim->lease_ms;
}

/* disable_after: no endpoint is disabled that has acknowledged something in those days. */
static void check_disabled(struct sim *sim, const struct store_op *op, int64_t endpoint_id)
{
    struct receiver *receiver = &sim->receivers[world_receiver(sim, endpoint_id)];
    int64_t days_ms = receiver->disable_after * sim->pace.day_ms;
    sim->oracle.disabled += op->count == ENDPOINT_FAILING;
    if (op->outcome.answered)
        receiver->acknowledged_ms = sim->service_ms;
    if (op->count == ENDPOINT_FAILING &&
        (days_ms == 0 || sim->service_ms - receiver->acknowledged_ms < days_ms))
        sim_fail(sim, "failing", "endpoint %lld is disabled %lld ms after it has acknowledged something",
                 (long long)endpoint_id, (long long)(sim->service_ms - receiver->acknowledged_ms));
}

/* One outcome of a batch that was committed; `before` is its delivery as the batch found it. */
static void check_outcome(struct sim *sim, const struct store_op *op, const struct delivery *before,
                          bool known)
{
    if (before->id == 0)
        return;
    struct oracle_delivery *delivery = delivery_of(sim, before->id, before->event_id);
    struct sim_attempt *attempt = attempt_of(sim, before->id, op->outcome.lease);
    bool valid = (delivery->state == DELIVERY_PENDING || delivery->resending) &&
                 before->lease == op->outcome.lease && delivery->recorded_lease != op->outcome.lease;
    if (known && valid != (op->result == STORE_DONE))
        sim_fail(sim, "P4", "delivery %lld: outcome of lease %lld %s, lease is %lld, state %d",
                 (long long)before->id, (long long)op->outcome.lease, valid ? "refused" : "taken",
                 (long long)before->lease, before->state);
    if (attempt && known)
        attempt->answered = true;
    if (valid) {
        apply_outcome(sim, delivery, attempt, op);
        check_disabled(sim, op, before->endpoint_id);
    }
}

/* After all of a batch: the store must hold what was recorded, and nothing else. */
static void check_recorded_state(struct sim *sim, int64_t delivery_id)
{
    struct delivery after;
    if (!ask_delivery(sim, delivery_id, &after))
        return;
    const struct oracle_delivery *delivery = delivery_of(sim, after.id, after.event_id);
    if (after.state != delivery->state)
        sim_fail(sim, after.state == DELIVERY_DELIVERED ? "P2" : "P4",
                 "delivery %lld is in state %d, recorded was state %d", (long long)after.id, after.state,
                 delivery->state);
    if (after.attempt != delivery->counted + delivery->out_of_turn)
        sim_fail(sim, "P3", "delivery %lld: %d attempts used up, %d counted", (long long)after.id,
                 after.attempt, delivery->counted + delivery->out_of_turn);
}

/* ---- a resend harms nothing ---- */

bool oracle_waiting(struct sim *sim, int64_t *delivery_id)
{
    struct oracle *oracle = &sim->oracle;
    int first = oracle->delivery_count ? (int)sim_pick(sim, oracle->delivery_count) : 0;
    struct delivery found;
    for (int i = 0; i < oracle->delivery_count; i++) {
        *delivery_id = oracle->deliveries[(first + i) % oracle->delivery_count].id;
        if (ask_delivery(sim, *delivery_id, &found) && found.state == DELIVERY_PENDING && !found.leased &&
            found.next_in_ms > 0)
            return true;
    }
    return false;
}

void oracle_hurried(struct sim *sim, int64_t delivery_id)
{
    delivery_of(sim, delivery_id, 0)->hurried = true;
}

/* It starts again: what was counted so far stays in its history alone. */
void oracle_again(struct sim *sim, int64_t delivery_id)
{
    struct delivery found;
    if (!ask_delivery(sim, delivery_id, &found))
        return;
    struct oracle_delivery *delivery = delivery_of(sim, delivery_id, found.event_id);
    bool under_way = found.state == DELIVERY_PENDING || found.resending;
    if (!under_way || delivery->resending || delivery->state == DELIVERY_PENDING)
        return;
    delivery->resending = delivery->state == DELIVERY_DELIVERED;
    if (!delivery->resending)
        delivery->state = DELIVERY_PENDING;
    delivery->out_of_turn += delivery->counted;
    delivery->counted = 0;
    delivery->first_start_ms = -1;
    delivery->released_ms = 0;
    delivery->hurried = false;
    delivery->again++;
}

/* ---- P3, P4 at a commit: claims ---- */

static void check_claim(struct sim *sim, const struct store_work *box)
{
    struct oracle_delivery *delivery = delivery_of(sim, box->delivery_id, box->event_id);
    bool open = delivery->lease != 0 && delivery->lease != delivery->recorded_lease &&
                delivery->store_life == sim->store_life && sim->now_ms < delivery->granted_ms + sim->lease_ms;
    if (delivery->state != DELIVERY_PENDING && !delivery->resending)
        sim_fail(sim, "P4", "delivery %lld was claimed after it had ended", (long long)box->delivery_id);
    if (open || box->lease <= delivery->lease)
        sim_fail(sim, "P4", "delivery %lld: lease %lld given while lease %lld was alive",
                 (long long)box->delivery_id, (long long)box->lease, (long long)delivery->lease);
    if (box->attempt != delivery->counted)
        sim_fail(sim, "P3", "delivery %lld: %d attempts used up, %d counted", (long long)box->delivery_id,
                 box->attempt, delivery->counted);
    int64_t age = true_age_ms(sim, delivery);
    if (box->age_ms > 0 && box->age_ms > age)
        sim_fail(sim, "P3", "delivery %lld: %lld ms of the window used up, %lld passed in service",
                 (long long)box->delivery_id, (long long)box->age_ms, (long long)age);
    delivery->lease = box->lease;
    delivery->granted_ms = sim->now_ms;
    delivery->store_life = sim->store_life;
}

/* ---- what the owner of an endpoint has set ---- */

/* Of an ordered endpoint, no delivery is claimed once a later one was: it would have had to end before. */
static void check_order(struct sim *sim, const struct store_work *box)
{
    delivery_of(sim, box->delivery_id, box->event_id)->endpoint_id = box->endpoint_id;
    if (!sim->receivers[world_receiver(sim, box->endpoint_id)].flow.ordered)
        return;
    for (int i = 0; i < sim->oracle.delivery_count; i++) {
        const struct oracle_delivery *other = &sim->oracle.deliveries[i];
        if (other->endpoint_id == box->endpoint_id && other->id > box->delivery_id)
            sim_fail(sim, "order", "delivery %lld is claimed after delivery %lld, which came later",
                     (long long)box->delivery_id, (long long)other->id);
    }
}

/* Each node counts for itself, from its start on. */
static void check_rate(struct sim *sim, const struct node *node, const struct store_work *box)
{
    static const int64_t spans[] = {SECOND, 60 * SECOND, 3600 * SECOND};
    const struct flow_settings *flow = &sim->receivers[world_receiver(sim, box->endpoint_id)].flow;
    struct oracle *oracle = &sim->oracle;
    int count = 1;
    if (flow->rate.count == 0)
        return;
    for (int i = 0; i < oracle->lease_count; i++)
        count += oracle->leases[i].endpoint_id == box->endpoint_id &&
                 oracle->leases[i].node == node->number && oracle->leases[i].life == node->life &&
                 oracle->leases[i].at_ms > sim->now_ms - spans[flow->rate.per];
    if (count > flow->rate.count)
        sim_fail(sim, "rate", "%d attempts to endpoint %lld began in a span of %d", count,
                 (long long)box->endpoint_id, (int)flow->rate.count);
    oracle->leases =
        memory_room(oracle->leases, oracle->lease_count, &oracle->lease_cap, sizeof *oracle->leases);
    oracle->leases[oracle->lease_count++] =
        (struct oracle_lease){box->endpoint_id, sim->now_ms, node->number, node->life};
}

/* ---- what a node knows of users, endpoints and keys ---- */

static bool ask_keys(struct sim *sim, int64_t user_id, struct store_answer *answer)
{
    struct store_query query = {.kind = user_id ? STORE_LIST_KEYS : STORE_GET_KEYRING, .id = user_id};
    return ask(sim, query, answer);
}

/* A claim goes by what is committed, whichever node committed it. */
static void check_fresh(struct sim *sim, const struct store_work *box)
{
    struct store_answer answer;
    if (sim->changes == 0)
        return;
    struct store_query get = {.kind = STORE_GET_ENDPOINT, .id = box->endpoint_id, .limit = 1};
    if (ask(sim, get, &answer) && answer.count == 1 &&
        (answer.endpoints[0].version != box->endpoint_version ||
         !bytes_equal(answer.endpoints[0].url, box->url)))
        sim_fail(sim, "fresh", "delivery %lld is claimed for a URL that endpoint %lld had before",
                 (long long)box->delivery_id, (long long)box->endpoint_id);
    int oldest = 0;
    if (!ask_keys(sim, box->user_id, &answer))
        return;
    while (oldest < answer.count && answer.keys[oldest].revoked_at_ms)
        oldest++;
    if (oldest == answer.count || strcmp(answer.keys[oldest].digest, box->auth_digest) != 0)
        sim_fail(sim, "fresh", "delivery %lld is claimed with a key of user %lld that is revoked",
                 (long long)box->delivery_id, (long long)box->user_id);
}

void oracle_refreshed(struct sim *sim, const struct node *node)
{
    struct store_answer answer;
    if (!ask_keys(sim, 0, &answer))
        return;
    int known = 0;
    for (int i = 0; i < answer.count; i++)
        for (int at = 0; at < node->key_count; at++)
            known += strcmp(node->keys[at].digest, answer.keys[i].digest) == 0;
    if (known != answer.count || node->key_count != answer.count)
        sim_fail(sim, "fresh", "node %d knows %d keys, %d of the %d that are active", node->number,
                 node->key_count, known, answer.count);
}

/* Somebody reads on after each commit, behind the last event seen. */
static void poll_events(struct sim *sim)
{
    struct store_answer answer;
    struct store_query query = {.kind = STORE_LIST_EVENTS, .after_id = sim->oracle.polled_to};
    if (!ask(sim, query, &answer) || answer.count == 0)
        return;
    sim->oracle.polled += answer.count;
    sim->oracle.polled_to = answer.events[answer.count - 1].id;
}

void oracle_after_write(struct sim *sim, const struct node *node, const struct store_batch *batch,
                        enum store_status status, bool committed)
{
    if (committed)
        poll_events(sim);
    for (int i = 0; i < batch->op_count && committed; i++)
        if (batch->ops[i]->kind == STORE_OUTCOME)
            check_outcome(sim, batch->ops[i], &sim->oracle.before[i], status == STORE_OK);
    for (int i = 0; i < batch->op_count; i++)
        if (batch->ops[i]->kind == STORE_OUTCOME)
            check_recorded_state(sim, batch->ops[i]->outcome.delivery_id);
    if (status != STORE_OK && batch->filled_count > 0)
        sim_fail(sim, "P4", "boxes were filled by a write that did not succeed");
    for (int i = 0; i < batch->filled_count; i++) {
        check_claim(sim, batch->boxes[i]);
        check_fresh(sim, batch->boxes[i]);
        check_order(sim, batch->boxes[i]);
        check_rate(sim, node, batch->boxes[i]);
    }
}

/* ---- P4, P5 at a send ---- */

static void check_body(struct sim *sim, struct oracle_event *event, const struct store_work *box,
                       uint64_t body_hash)
{
    struct store_answer answer;
    char stamp[INSTANT_LEN];
    struct store_query query = {.kind = STORE_GET_EVENT, .id = event->id, .limit = 1, .with_document = true};
    if (event->sent_at_ms == 0) {
        event->sent_at_ms = box->sent_at_ms;
        event->body_hash = body_hash;
    }
    if (event->sent_at_ms != box->sent_at_ms || event->body_hash != body_hash)
        sim_fail(sim, "P5", "event %lld: body or sent_at differs from the first attempt's",
                 (long long)event->id);
    if (!ask(sim, query, &answer) || answer.count != 1)
        return;
    const struct event *stored = &answer.events[0];
    if (stored->sent_at_ms != box->sent_at_ms)
        sim_fail(sim, "P5", "event %lld is sent with a sent_at that is not the durable one",
                 (long long)event->id);
    instant_format(box->sent_at_ms, stamp);
    if (stored->document.len != box->document_len)
        sim_fail(sim, "P5", "event %lld: body of another length", (long long)event->id);
    for (size_t i = 0; i < box->document_len && i < stored->document.len; i++) {
        size_t at = i - stored->stamp_offset;
        char expected = i >= stored->stamp_offset && at < INSTANT_LEN ? stamp[at] : stored->document.data[i];
        if (box->document[i] != expected) {
            sim_fail(sim, "P5", "event %lld: body differs from the accepted one", (long long)event->id);
            break;
        }
    }
}

void oracle_send(struct sim *sim, int number, const struct store_work *box)
{
    struct sim_attempt *attempt = &sim->attempts[number];
    struct oracle_delivery *delivery = delivery_of(sim, attempt->delivery_id, attempt->event_id);
    for (int i = 0; i < number; i++)
        if (sim->attempts[i].delivery_id == attempt->delivery_id && sim->attempts[i].lease == attempt->lease)
            sim_fail(sim, "P4", "delivery %lld was sent twice under lease %lld",
                     (long long)attempt->delivery_id, (long long)attempt->lease);
    if (delivery->first_start_ms < 0)
        delivery->first_start_ms = sim->service_ms;
    check_body(sim, event_of(sim, attempt->event_id), box, attempt->body_hash);
}

void oracle_result(struct sim *sim, const struct sim_attempt *attempt)
{
    int64_t limit_ms = world_attempt_ms(&sim->receivers[attempt->receiver]);
    bool late = attempt->duration_ms > limit_ms && !sim->nodes_freeze;
    bool early = attempt->outcome.failure == FAILURE_TIMEOUT && attempt->duration_ms < limit_ms;
    if (late || early)
        sim_fail(sim, "timeout", "delivery %lld: an attempt was ended after %lld ms, its endpoint wants %lld",
                 (long long)attempt->delivery_id, (long long)attempt->duration_ms, (long long)limit_ms);
}

/* ---- at the end ---- */

bool oracle_all_ended(struct sim *sim, bool bad_too)
{
    struct store_answer answer;
    for (int i = 0; i < sim->post_count; i++)
        if (!sim->posts[i].accepted)
            return false;
    if (!ask(sim, (struct store_query){.kind = STORE_GET_STATS}, &answer))
        return false;
    if (answer.stats->deliveries_pending == sim->oracle.notices)
        return true;
    for (int i = 0; i < sim->oracle.delivery_count && !bad_too; i++) {
        struct delivery delivery;
        if (!ask_delivery(sim, sim->oracle.deliveries[i].id, &delivery))
            return false;
        enum character healed = sim->receivers[world_receiver(sim, delivery.endpoint_id)].healed;
        if (delivery.state == DELIVERY_PENDING && (healed == RECEIVER_OK || healed == RECEIVER_SLOW))
            return false;
    }
    return !bad_too;
}

/* At most one, plus what failed after it went out, crashed in flight, or outlived its lease. */
static void check_duplicates(struct sim *sim, const struct oracle_delivery *delivery)
{
    int received = 0, excused = 0;
    for (int i = 0; i < sim->attempt_count; i++) {
        const struct sim_attempt *attempt = &sim->attempts[i];
        if (attempt->delivery_id != delivery->id || !attempt->received)
            continue;
        bool failed = attempt->ended && !acknowledged(sim, attempt);
        received++;
        excused += failed || attempt->crashed || !attempt->lease_held;
    }
    if (received > 1 + excused + delivery->again)
        sim_fail(sim, "P4", "delivery %lld was received %d times, with %d excuses", (long long)delivery->id,
                 received, excused);
}

/* What an attempt came to must reach the store, or hear that it is too late; only a crash excuses, and for a
 * while that its node stood still. */
static void check_recorded(struct sim *sim)
{
    for (int i = 0; i < sim->attempt_count; i++) {
        const struct sim_attempt *attempt = &sim->attempts[i];
        int64_t since_ms = sim->nodes[attempt->node].frozen_until_ms;
        if (attempt->ended_ms > since_ms)
            since_ms = attempt->ended_ms;
        if (attempt->ended && !attempt->crashed && !attempt->recorded && !attempt->answered &&
            since_ms < sim->now_ms - 10 * MINUTE)
            sim_fail(sim, "P4", "delivery %lld lease %lld: what it came to was never recorded",
                     (long long)attempt->delivery_id, (long long)attempt->lease);
    }
}

/* It went to nobody: only where there was nobody. */
static void check_skipped(struct sim *sim, const struct delivery *delivery, int count)
{
    if (count != 1 || world_has_url(sim, world_receiver(sim, delivery->endpoint_id)) ||
        delivery->next_in_ms != -1 || delivery->lease != 0)
        sim_fail(sim, "P1", "delivery %lld was skipped, though it has a receiver", (long long)delivery->id);
}

/* They wait: who asks for them is paused. */
static bool is_notice(const struct event *event)
{
    bool is_one = false;
    for (int kind = 0; kind < NOTICE_KINDS; kind++)
        is_one = is_one || bytes_equal_text(event->event_type, notice_names[kind]);
    return is_one;
}

static void check_ended(struct sim *sim, int64_t event_id, int64_t owner_id)
{
    int recipients = world_recipients(sim, owner_id);
    struct store_answer answer;
    if (!ask(sim, (struct store_query){.kind = STORE_LIST_DELIVERIES, .id = event_id, .limit = 10}, &answer))
        return;
    if (answer.count != (recipients ? recipients : 1))
        sim_fail(sim, "P1", "event %lld or some of its deliveries are lost, or there are too many",
                 (long long)event_id);
    for (int i = 0; i < answer.count; i++) {
        const struct delivery *delivery = &answer.deliveries[i];
        if (delivery->state == DELIVERY_SKIPPED) {
            check_skipped(sim, delivery, answer.count);
            return;
        }
        if (delivery->state != DELIVERY_DELIVERED && delivery->state != DELIVERY_GIVEN_UP)
            sim_fail(sim, "P3", "delivery %lld is in state %d at the end", (long long)delivery->id,
                     delivery->state);
        if (delivery_of(sim, delivery->id, event_id)->state != delivery->state)
            sim_fail(sim, "P2", "delivery %lld ended without an outcome", (long long)delivery->id);
    }
}

void oracle_at_end(struct sim *sim)
{
    struct store_answer answer;
    int64_t count;
    for (int i = 0; i < sim->oracle.delivery_count; i++)
        check_duplicates(sim, &sim->oracle.deliveries[i]);
    for (int i = 0; i < sim->post_count; i++)
        if (sim->posts[i].event_id)
            check_ended(sim, sim->posts[i].event_id, sim->posts[i].owner_id);
    check_recorded(sim);
    poll_events(sim);
    /* And those that were made durable without the producer ever hearing of it. */
    if (!ask(sim, (struct store_query){.kind = STORE_LIST_EVENTS, .limit = 10000}, &answer))
        return;
    count = answer.count;
    sim->totals.events += count;
    if (sim->oracle.polled != count)
        sim_fail(sim, "ids", "who pages by id has seen %lld of %lld events", (long long)sim->oracle.polled,
                 (long long)count);
    struct event *events = memory_alloc((size_t)(count + 1) * sizeof *events);
    int kept = 0;
    for (int i = 0; i < count; i++)
        if (!is_notice(&answer.events[i]))
            events[kept++] = answer.events[i];
    for (int i = 0; i < kept;
         i++) /* their numbers alone: the next question takes the memory of their texts */
        check_ended(sim, events[i].id, events[i].owner_id);
    free(events);
}
