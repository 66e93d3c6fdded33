#include "body.h"
#include "memory.h"
#include "sim.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- life and death ---- */

int64_t node_wall_ms(const struct node *node)
{
    int64_t wall = node->sim->now_ms + node->sim->wall_offset_ms + node->wall_skew_ms;
    return wall > SECOND ? wall : SECOND;
}

bool node_frozen(const struct node *node)
{
    return node->frozen_until_ms > node->sim->now_ms;
}

static bool store_answers(struct sim *sim, struct node *node)
{
    struct store_query query = {.kind = STORE_GET_STATS};
    struct store_answer answer;
    arena_reset(&sim->oracle.arena);
    return sim->backend->read(node->store, 0, &query, &sim->oracle.arena, &answer) == STORE_OK;
}

static void node_restart_soon(struct sim *sim, const struct node *node)
{
    sim_at(sim, sim->now_ms + sim_between(sim, 1, 10 * SECOND),
           (struct step){.kind = STEP_START, .node = node->number});
}

void node_start(struct sim *sim, struct node *node)
{
    if (node->alive)
        return;
    disk_open(sim, node);
    if (!store_answers(sim, node)) { /* no store, no start: again in a moment */
        disk_close(sim, node);
        node_restart_soon(sim, node);
        return;
    }
    node->alive = true;
    node->life++;
    node->draining = node->withdrawn = node->writing = false;
    node->pump_at_ms = node->queue_at_ms = INT64_MAX;
    node->next_due_ms = sim->now_ms;
    node->standing_count = node->job_count = node->writing_count = 0;
    struct dispatch_config config = sim->dispatch_config;
    config.seed = sim_random(sim);
    node->memory = memory_alloc(dispatch_size(&config));
    node->dispatch = dispatch_init(node->memory, &config);
    for (uint32_t i = 0; i < config.slots; i++) {
        node->boxes[i] = (struct store_work){.slot = i};
        arena_init(&node->boxes[i].memory, 64 * 1024);
        node->attempt[i] = -1;
    }
    node->frozen_until_ms = 0;
    sim_trace(sim, node->number, "start", "life", node->life, NULL, 0, NULL, 0);
    keyring_start(sim, node);
    node_pump(sim, node);
}

static void node_end(struct sim *sim, struct node *node)
{
    node->alive = false;
    for (uint32_t i = 0; i < sim->dispatch_config.slots; i++) {
        store_work_clear(&node->boxes[i]);
        arena_fini(&node->boxes[i].memory);
    }
    free(node->memory);
    node->dispatch = NULL;
    disk_close(sim, node);
}

/* kill -9: everything in memory is gone; what was sent goes on without us. */
void node_crash(struct sim *sim, struct node *node)
{
    if (!node->alive)
        return;
    sim->totals.crashes++;
    for (int i = 0; i < sim->attempt_count; i++) {
        struct sim_attempt *attempt = &sim->attempts[i];
        if (attempt->node == node->number && attempt->life == node->life && !attempt->recorded)
            attempt->crashed = true;
    }
    for (int i = 0; i < node->job_count; i++)
        if (node->jobs[i].kind == NODE_JOB_EVENT && node->jobs[i].post >= 0)
            sim_at(sim, sim->now_ms + 1, (struct step){.kind = STEP_ANSWERED, .a = node->jobs[i].post});
    node_end(sim, node);
}

static void node_feed(struct sim *sim, struct node *node, struct input input)
{
    dispatch_feed(node->dispatch, sim->now_ms, &input);
}

void node_drain(struct sim *sim, struct node *node)
{
    if (!node->alive || node->draining || node_frozen(node))
        return;
    node->draining = true;
    node_feed(sim, node, (struct input){.kind = INPUT_DRAIN});
    struct step step = {.kind = STEP_DRAIN_END, .node = node->number, .life = node->life};
    sim_at(sim, sim->now_ms + DRAIN_MS_MAX, step);
    /* Whoever stops it has no patience without end: a store that is down may not let it finish. */
    step.kind = STEP_KILL;
    sim_at(sim, sim->now_ms + 3 * DRAIN_MS_MAX, step);
    node_pump(sim, node);
}

void node_kill(struct sim *sim, struct node *node)
{
    if (!sim->store_fails && !sim->nodes_freeze)
        sim_fail(sim, "drain",
                 "node %d was asked to stop and still runs after %d s, with a store that is well",
                 node->number, 3 * DRAIN_MS_MAX / 1000);
    node_crash(sim, node);
    node_restart_soon(sim, node);
}

void node_abort(struct sim *sim, struct node *node)
{
    for (uint32_t slot = 0; slot < sim->dispatch_config.slots; slot++)
        if (dispatch_slot_state(node->dispatch, slot) == SLOT_SENDING)
            node_result(sim, node->attempt[slot],
                        &(struct outcome){.failure = FAILURE_SHUTDOWN, .retry_after_ms = -1});
}

/* ---- the API's side: one POST of an event ---- */

static void answer_post(struct sim *sim, struct node *node, int post, int64_t event_id)
{
    if (event_id)
        oracle_accepted(sim, post, event_id);
    bool lost = sim_chance(sim, sim->faults.answer_lost_permille);
    sim_trace(sim, node->number, event_id ? "201" : "5xx", "post", post, "event", event_id, "lost", lost);
    sim_at(sim, sim->now_ms + sim_between(sim, 1, sim->network_ms_max),
           (struct step){.kind = STEP_ANSWERED, .a = post, .b = lost ? 0 : event_id});
}

static void render(const struct node *node, const struct post *post, struct node_job *job)
{
    struct event *event = &job->op.event.event;
    struct arena arena;
    struct text text;
    int64_t wall = node_wall_ms(node);
    *event = (struct event){.owner_id = post->owner_id,
                            .event_type = bytes_of("payment_finished"),
                            .resource_type = bytes_of("payments"),
                            .resource_id = bytes_of("1"),
                            .created_at_ms = wall,
                            .received_at_ms = wall};
    arena_init(&arena, 16 * 1024);
    text_init(&text, &arena, DOCUMENT_LEN_MAX);
    body_render(&text,
                &(struct body_parts){.event_type = event->event_type,
                                     .created_at_ms = wall,
                                     .resource_type = event->resource_type,
                                     .resource_id = event->resource_id},
                &event->stamp_offset);
    assert(!text.overflow);
    memcpy(job->document, text.data, text.len);
    event->document = bytes_make(job->document, text.len);
    arena_fini(&arena);
}

bool node_post(struct sim *sim, struct node *node, int number)
{
    const struct post *post = &sim->posts[number];
    /* Places are kept for one outcome a slot: outcomes are never refused. */
    if (!node->alive || node_frozen(node) || node->draining || node->job_count >= JOBS_MAX - SLOTS_MAX)
        return false;
    struct node_job *job = &node->jobs[node->job_count++];
    *job = (struct node_job){.kind = NODE_JOB_EVENT, .post = number, .op = {.kind = STORE_EVENT}};
    job->op.event.requester_id = post->owner_id;
    memcpy(job->op.event.request_digest, &number, sizeof number);
    if (post->has_key)
        snprintf(job->key, sizeof job->key, "key-%d", number);
    render(node, post, job);
    sim_trace(sim, node->number, "post", "post", number, "owner", post->owner_id, NULL, 0);
    node_queue(sim, node);
    return true;
}

/* ---- dispatch and its effects ---- */

static int64_t attempt_limit_ms(const struct store_work *box)
{
    int32_t timeout_s = push_settings_of(box->push)->timeout;
#ifdef PLANT_TIMEOUT_UNHEARD /* as if the endpoint had no limit of its own */
    timeout_s = 0;
#endif
    return timeout_s ? timeout_s * SECOND : ATTEMPT_MS;
}

static int attempt_begin(struct sim *sim, struct node *node, const struct effect *effect)
{
    if (sim->attempt_count == sim->attempt_cap) {
        sim->attempt_cap = sim->attempt_cap ? sim->attempt_cap * 2 : 256;
        sim->attempts = memory_grow(sim->attempts, (size_t)sim->attempt_cap * sizeof *sim->attempts);
    }
    const struct store_work *box = &node->boxes[effect->slot];
    sim->attempts[sim->attempt_count] = (struct sim_attempt){
        .node = node->number,
        .receiver = world_receiver(sim, box->endpoint_id),
        .life = node->life,
        .slot = effect->slot,
        .delivery_id = effect->work.delivery_id,
        .event_id = box->event_id,
        .lease = effect->work.lease,
        .started_ms = sim->now_ms,
        .limit_ms = attempt_limit_ms(box),
        .body_hash = sim_hash(0, box->document, box->document_len),
    };
    return sim->attempt_count++;
}

static void node_send(struct sim *sim, struct node *node, const struct effect *effect)
{
    int attempt = attempt_begin(sim, node, effect);
    if (node->draining)
        sim_fail(sim, "drain", "node %d began an attempt while it was stopping", node->number);
    node->attempt[effect->slot] = attempt;
    sim->totals.attempts++;
    sim_trace(sim, node->number, "send", "delivery", effect->work.delivery_id, "lease", effect->work.lease,
              "attempt", effect->work.attempt);
    oracle_send(sim, attempt, &node->boxes[effect->slot]);
    world_send(sim, attempt);
}

/* An attempt has ended, for its sender: nothing that comes later changes that. */
void node_result(struct sim *sim, int number, const struct outcome *outcome)
{
    struct sim_attempt *attempt = &sim->attempts[number];
    struct node *node = &sim->nodes[attempt->node];
    if (attempt->ended || !node->alive || node->life != attempt->life)
        return;
    attempt->ended = true;
    attempt->outcome = *outcome;
    attempt->ended_ms = sim->now_ms;
    attempt->duration_ms = sim->now_ms - attempt->started_ms;
    oracle_result(sim, attempt);
    sim_trace(sim, node->number, "result", "delivery", attempt->delivery_id, "failure", outcome->failure,
              "status", outcome->status);
    node_feed(sim, node,
              (struct input){.kind = INPUT_OUTCOME,
                             .slot = attempt->slot,
                             .outcome = *outcome,
                             .duration_ms = attempt->duration_ms});
    node_pump(sim, node);
}

static void node_record(struct sim *sim, struct node *node, const struct effect *effect)
{
    assert(node->job_count < JOBS_MAX);
    struct node_job *job = &node->jobs[node->job_count++];
    int attempt = node->attempt[effect->slot];
    bool counted = effect->decision.kind != DECISION_RELEASE;
    *job = (struct node_job){.kind = NODE_JOB_OUTCOME, .slot = effect->slot, .op = {.kind = STORE_OUTCOME}};
    job->op.outcome.delivery_id = effect->work.delivery_id;
    job->op.outcome.lease = effect->work.lease;
    job->op.outcome.decision = effect->decision;
    job->op.outcome.answered = effect->decision.kind == DECISION_DELIVERED;
    job->op.outcome.attempt = (struct attempt){.delivery_id = effect->work.delivery_id,
                                               .lease = effect->work.lease,
                                               .attempt = effect->work.attempt + counted,
                                               .failure = effect->decision.reason,
                                               .counted = counted};
    if (attempt >= 0) {
        job->op.outcome.attempt.started_at_ms = node_wall_ms(node);
        job->op.outcome.attempt.duration_ms = (int32_t)sim->attempts[attempt].duration_ms;
        job->op.outcome.attempt.status = sim->attempts[attempt].outcome.status;
    }
    sim_trace(sim, node->number, "decided", "delivery", effect->work.delivery_id, "decision",
              effect->decision.kind, "delay_ms", effect->decision.delay_ms);
}

static void return_empty_boxes(struct sim *sim, struct node *node)
{
    while (node->standing_count > 0) {
        uint32_t slot = node->standing[--node->standing_count]->slot;
        node_feed(sim, node, (struct input){.kind = INPUT_RETURNED, .slot = slot});
    }
}

static void node_effect(struct sim *sim, struct node *node, const struct effect *effect)
{
    switch (effect->kind) {
    case EFFECT_OFFER:
        node->boxes[effect->slot].filled = false;
        node->attempt[effect->slot] = -1;
        node->standing[node->standing_count++] = &node->boxes[effect->slot];
        break;
    case EFFECT_SEND:
        node_send(sim, node, effect);
        break;
    case EFFECT_RECORD:
        node_record(sim, node, effect);
        break;
    case EFFECT_WITHDRAW:
        node->withdrawn = true;
        return_empty_boxes(sim, node); /* those in a batch come back with it */
        break;
    }
}

void node_pump(struct sim *sim, struct node *node)
{
    struct effect effect;
    while (node->alive && !sim->failed && dispatch_next(node->dispatch, sim->now_ms, &effect))
        node_effect(sim, node, &effect);
    dispatch_check(node->dispatch);
    node_queue(sim, node);
    if (dispatch_drained(node->dispatch) && node->job_count == 0 && !node->writing) {
        sim_trace(sim, node->number, "drained", NULL, 0, NULL, 0, NULL, 0);
        node_end(sim, node);
        node_restart_soon(sim, node);
        return;
    }
    int64_t at = dispatch_wake_at(node->dispatch);
    if (at < node->pump_at_ms) {
        node->pump_at_ms = at;
        sim_at(sim, at, (struct step){.kind = STEP_PUMP, .node = node->number, .life = node->life});
    }
}

/* ---- the queue: group commit with a standing claim ---- */

/* Starts a batch if there is something to write or a box to fill; otherwise sees to being woken. */
void node_queue(struct sim *sim, struct node *node)
{
    if (node->writing)
        return;
    bool claim = node->standing_count > 0 && node->next_due_ms <= sim->now_ms;
    if (node->job_count > 0 || claim) {
        node->writing = true;
        sim_at(sim, sim->now_ms + sim_between(sim, 0, sim->commit_ms_max),
               (struct step){.kind = STEP_WRITE, .node = node->number, .life = node->life});
    } else if (node->standing_count > 0 && node->next_due_ms < node->queue_at_ms) {
        node->queue_at_ms = node->next_due_ms;
        sim_at(sim, node->queue_at_ms,
               (struct step){.kind = STEP_QUEUE, .node = node->number, .life = node->life});
    }
}

static void batch_gather(struct sim *sim, struct node *node, struct store_op **ops)
{
    node->writing_count = node->job_count < sim->batch_max ? node->job_count : sim->batch_max;
    for (int i = 0; i < node->writing_count; i++) {
        struct node_job *job = &node->jobs[i];
        ops[i] = &job->op;
        if (job->kind == NODE_JOB_EVENT) { /* views into the job, which may have moved */
            job->op.event.event.document.data = job->document;
            job->op.event.idempotency_key = bytes_of(job->key);
        }
    }
    memcpy(node->batch_boxes, node->standing, sizeof node->standing);
    node->batch_boxes_count = node->standing_count;
    node->standing_count = 0;
    node->next_due_ms = INT64_MAX; /* until the store or another node says otherwise */
    node->batch = (struct store_batch){.ops = ops,
                                       .op_count = node->writing_count,
                                       .boxes = node->batch_boxes,
                                       .box_count = node->batch_boxes_count};
}

void node_wake(struct sim *sim, struct node *node, int64_t due_ms)
{
    if (!node->alive || due_ms >= node->next_due_ms)
        return;
    node->next_due_ms = due_ms;
    node_queue(sim, node);
}

/* Other nodes hear of a commit at once, as over PostgreSQL's NOTIFY: they may have boxes where we have none.
 */
static void tell_others(struct sim *sim, const struct node *node, int64_t due_ms)
{
    for (int i = 0; i < sim->node_count; i++)
        if (&sim->nodes[i] != node)
            node_wake(sim, &sim->nodes[i], due_ms);
}

void node_write(struct sim *sim, struct node *node)
{
    struct store_op *ops[JOBS_MAX];
    enum model_fault fault = MODEL_FAULT_NONE;
    batch_gather(sim, node, ops);
    if (sim->disk_full)
        fault = MODEL_FAULT_FULL;
    else if (sim_chance(sim, sim->faults.commit_unknown_permille))
        fault = MODEL_FAULT_UNKNOWN;
    else if (sim_chance(sim, sim->faults.commit_lost_permille))
        fault = MODEL_FAULT_LOST;
    oracle_before_write(sim, &node->batch);
    enum store_status status = disk_write(sim, node, &node->batch, fault);
    bool committed = status == STORE_OK || (fault == MODEL_FAULT_UNKNOWN && !sim->store_down);
    sim->totals.unknown_commits += committed && status != STORE_OK;
    sim_trace(sim, node->number, "write", "ops", node->batch.op_count, "filled", node->batch.filled_count,
              "status", status * 10 + committed);
    oracle_after_write(sim, node, &node->batch, status, committed);
    node->batch_status = status;
    node->batch.ops = NULL; /* they lived on the stack; the jobs keep the ops */
    if (committed) {
        bool known = status == STORE_OK && node->batch.next_due_in_ms != 0;
        int64_t in = known ? node->batch.next_due_in_ms : 0;
        tell_others(sim, node, in < 0 ? INT64_MAX : sim->now_ms + in);
    }
    sim_at(sim, sim->now_ms + sim_between(sim, 0, sim->commit_ms_max),
           (struct step){.kind = STEP_WRITTEN, .node = node->number, .life = node->life});
}

/* True: the job stays, to be written again as it is. */
static bool job_done(struct sim *sim, struct node *node, struct node_job *job)
{
    bool written = node->batch_status == STORE_OK;
    if (job->kind == NODE_JOB_OUTCOME) {
        enum record_result result = !written                       ? RECORD_FAILED
                                    : job->op.result == STORE_DONE ? RECORD_DONE
                                                                   : RECORD_FENCED;
        node_feed(sim, node, (struct input){.kind = INPUT_RECORDED, .slot = job->slot, .recorded = result});
        return false;
    }
#ifdef PLANT_201_BEFORE_COMMIT
    if (job->op.event.event.id && job->post >= 0) { /* it has its id; whether that is durable is not asked */
        answer_post(sim, node, job->post, job->op.event.event.id);
        return false;
    }
#endif
    if (node->batch_status == STORE_DOWN && job->tries++ < 2)
        return true; /* its fate is unknown: the same event once more */
    bool accepted = written && (job->op.result == STORE_DONE || job->op.result == STORE_REPLAYED);
    if (written && (job->op.result == STORE_CONFLICT || job->op.result == STORE_NOT_FOUND))
        sim_fail(sim, "P1", "a post was answered with store result %d", job->op.result);
    if (job->post >= 0)
        answer_post(sim, node, job->post, accepted ? job->op.id : 0);
    return false;
}

/* Jobs that came while the batch was written stay; a job to be repeated goes before them. */
static void complete_jobs(struct sim *sim, struct node *node)
{
    int kept = 0, count = node->job_count;
    for (int i = 0; i < count; i++)
        if (i >= node->writing_count || job_done(sim, node, &node->jobs[i])) {
            if (kept != i)
                node->jobs[kept] = node->jobs[i];
            kept++;
        }
    node->job_count = kept;
}

void node_written(struct sim *sim, struct node *node)
{
    struct store_batch *batch = &node->batch;
    node->writing = false;
    complete_jobs(sim, node);
    node->writing_count = 0;
    for (int i = 0; i < node->batch_boxes_count; i++) {
        struct store_work *box = node->batch_boxes[i];
        if (!box->filled) {
            node->standing[node->standing_count++] = box;
            continue;
        }
        struct dispatch_work work = {box->delivery_id, box->endpoint_id, box->lease, box->attempt,
                                     box->lost,        box->age_ms,      box->push,  box->quick};
#ifdef PLANT_RETRY_UNHEARD /* as if the endpoint had no retries of its own */
        work.push = NULL;
#endif
#ifdef PLANT_SUCCESS_UNHEARD /* as if 200 alone acknowledged everywhere */
        struct push_settings *unheard = arena_alloc(&box->memory, sizeof *unheard);
        *unheard = *push_settings_of(box->push);
        unheard->success = (struct bytes){0};
        work.push = unheard;
#endif
        node_feed(sim, node, (struct input){.kind = INPUT_WORK, .slot = box->slot, .work = work});
    }
    if (node->withdrawn)
        return_empty_boxes(sim, node);
    int64_t in = node->batch_status == STORE_OK ? batch->next_due_in_ms : SECOND;
    if (in >= 0 && sim->now_ms + in < node->next_due_ms)
        node->next_due_ms = sim->now_ms + in;
    node_pump(sim, node);
}
