#include "sim.h"
#include <assert.h>
#include <stdio.h>

enum { FLAPPING_PERIOD_MS = 7 * 60 * 1000 };

/* ---- drawing a world from the seed ---- */

/* In every third seed each second one is a further endpoint of the user before it. */
static void draw_owners(struct sim *sim)
{
    int64_t users = 0;
    for (int i = 0; i < sim->receiver_count; i++) {
        struct receiver *receiver = &sim->receivers[i];
        receiver->further = sim->seed % 3 == 0 && i % 2 == 1;
        receiver->user_id = receiver->further ? sim->receivers[i - 1].user_id : MODEL_USER_ID_FIRST + users++;
        receiver->endpoint_id = receiver->further ? 0 : receiver->user_id;
    }
}

/* In every fifth seed. */
static void draw_flow(struct sim *sim)
{
    for (int i = 0; i < sim->receiver_count && sim->seed % 5 == 2; i++) {
        struct flow_settings *flow = &sim->receivers[i].flow;
        flow->ordered = sim_chance(sim, 400);
        if (flow->ordered) /* or its line would take 72 hours for each */
            sim->receivers[i].healed = RECEIVER_OK;
        flow->in_flight_max = sim_chance(sim, 300) ? (int32_t)sim_between(sim, 1, 4) : 0;
        if (sim_chance(sim, 500))
            flow->rate = (struct endpoint_rate){(int32_t)sim_between(sim, 1, 20), FLOW_PER_MINUTE};
    }
}

/* In every sixth seed, whose days are short. */
static void draw_disable_after(struct sim *sim)
{
    for (int i = 0; i < sim->receiver_count && sim->seed % 6 == 1; i++)
        sim->receivers[i].disable_after = (int32_t)sim_between(sim, 0, 3);
    sim->pace.day_ms = sim->seed % 6 == 1 ? sim_between_log(sim, MINUTE, DAY) : DAY;
}

/* In every seventh seed. None takes longer than the policy's window. */
static void draw_retries(struct sim *sim)
{
    static const struct world_retry retries[] = {{"schedule 20", {20}, 0},
                                                 {"schedule 5 300 60", {5, 300, 60}, 0},
                                                 {"backoff 30 2 240 3600", {30, 60, 120, 240}, 3600},
                                                 {"backoff 60 1 0 600", {60}, 600}};
    for (int i = 0; i < sim->receiver_count && sim->seed % 7 == 3; i++)
        sim->receivers[i].retry = sim_chance(sim, 700) ? &retries[sim_pick(sim, 4)] : NULL;
}

/* In every eighth seed. */
static void draw_success(struct sim *sim)
{
    static const char *const lists[] = {"2xx", "200 202", "201"};
    for (int i = 0; i < sim->receiver_count && sim->seed % 8 == 5; i++)
        sim->receivers[i].success = sim_chance(sim, 700) ? lists[sim_pick(sim, 3)] : NULL;
}

/* In every ninth seed. The lease is longer than an attempt and the wait before it, as server.c has it. */
static void draw_timeouts(struct sim *sim)
{
    sim->attempt_ms_max = ATTEMPT_MS;
    if (sim->seed % 9 != 4)
        return;
    for (int i = 0; i < sim->receiver_count; i++) {
        struct receiver *receiver = &sim->receivers[i];
        receiver->timeout_s = sim_chance(sim, 700) ? (int32_t)sim_between(sim, 5, 60) : 0;
        if (world_attempt_ms(receiver) > sim->attempt_ms_max)
            sim->attempt_ms_max = world_attempt_ms(receiver);
    }
    sim->lease_ms = sim_between(sim, 90, 120) * SECOND;
}

int64_t world_attempt_ms(const struct receiver *receiver)
{
    return receiver->timeout_s ? receiver->timeout_s * SECOND : ATTEMPT_MS;
}

bool world_acknowledges(const struct receiver *receiver, int status)
{
    char code[8];
    snprintf(code, sizeof code, "%d", status);
    if (!receiver->success)
        return status == 200;
    return strcmp(receiver->success, "2xx") == 0 ? status / 100 == 2
                                                 : strstr(receiver->success, code) != NULL;
}

static struct push_settings push_of(const struct receiver *receiver)
{
    return (struct push_settings){.retry = bytes_of(receiver->retry ? receiver->retry->text : ""),
                                  .success = bytes_of(receiver->success),
                                  .timeout = receiver->timeout_s};
}

static void draw_receivers(struct sim *sim)
{
    sim->receiver_count = (int)sim_between(sim, 1, RECEIVERS_MAX);
    sim->master_receives = sim_chance(sim, 300);
    for (int i = 0; i < sim->receiver_count; i++) {
        struct receiver *receiver = &sim->receivers[i];
        bool fine = sim_chance(sim, 400);
        *receiver = (struct receiver){
            .character = fine ? RECEIVER_OK : (enum character)sim_pick(sim, CHARACTER_COUNT),
            .healed = sim_chance(sim, 600) ? RECEIVER_OK : RECEIVER_SLOW,
        };
        if (sim_chance(sim, 150)) { /* for ever: its deliveries must be given up, at the right time */
            static const enum character bad[] = {RECEIVER_500, RECEIVER_429, RECEIVER_HANG, RECEIVER_DEAD};
            receiver->character = receiver->healed = bad[sim_pick(sim, 4)];
        }
    }
    draw_owners(sim);
    draw_flow(sim);
    draw_retries(sim);
    draw_success(sim);
}

static void draw_pace(struct sim *sim)
{
    sim->pace = pace_default();
    sim->pace.slots = (int)sim_between(sim, 1, SLOTS_MAX * NODES_MAX);
    sim->pace.at_once_max = (int)sim_between(sim, 1, SLOTS_MAX);
    sim->pace.failing_per_s = sim_between_log(sim, 1, 200);
}

void world_draw(struct sim *sim)
{
    /* SQLite is one process's. */
    sim->node_count = !sim->disk || sim_chance(sim, 500) ? 1 : (int)sim_between(sim, 2, NODES_MAX);
    for (int i = 0; i < sim->node_count; i++)
        sim->nodes[i] =
            (struct node){.number = i, .sim = sim, .wall_skew_ms = sim_between(sim, -5 * SECOND, 5 * SECOND)};
    sim->dispatch_config = (struct dispatch_config){
        .policy = policy_default(),
        .slots = (uint32_t)sim_between(sim, 1, SLOTS_MAX),
        .endpoint_sending_max = (uint32_t)sim_between(sim, 1, 4),
        .ready_ms_max = sim_between(sim, 5, 20) * SECOND,
        .record_retry_ms = sim_between_log(sim, 200, 5 * SECOND),
    };
    if (sim_chance(sim, 300)) { /* a window of minutes, with more attempts near its end */
        sim->dispatch_config.policy = policy_scaled(policy_default(), (int)sim_between_log(sim, 2, 500));
        sim->dispatch_config.policy.local_delay_ms = policy_default().local_delay_ms;
    }
    sim->lease_ms = sim_between(sim, 60, 120) * SECOND;
    draw_pace(sim);
    sim->batch_max = (int)sim_between_log(sim, 1, JOBS_MAX);
    sim->commit_ms_max = sim_between_log(sim, 1, 2 * SECOND);
    sim->network_ms_max = sim_between_log(sim, 2, 500);
    sim->wall_offset_ms = 1700000000000 - (int64_t)sim_pick(sim, 1000000000);
    draw_receivers(sim);
    draw_timeouts(sim);
    draw_disable_after(sim);
    faults_draw(sim);
    sim->post_count = (int)sim_between_log(sim, 1, POSTS_MAX);
    for (int i = 0; i < sim->post_count; i++)
        sim->posts[i] = (struct post){.owner_id = sim->receivers[sim_pick(sim, sim->receiver_count)].user_id,
                                      .has_key = sim_chance(sim, 700)};
}

static void write_one(struct sim *sim, struct store_op *op)
{
    struct store_batch batch = {.ops = &op, .op_count = 1};
    enum store_status status = sim->backend->write(disk_store(sim), &batch);
    assert(status == STORE_OK && op->result == STORE_DONE);
    (void)status;
}

/* In every fourth seed the last one has none, so that some events go to nobody, or to the Master alone. */
bool world_has_url(const struct sim *sim, int receiver)
{
    return sim->seed % 4 != 0 || sim->receiver_count == 1 || receiver != sim->receiver_count - 1;
}

int world_recipients(const struct sim *sim, int64_t owner_id)
{
    int count = 0;
    for (int i = 0; i < sim->receiver_count; i++)
        count += world_has_url(sim, i) &&
                 (sim->receivers[i].user_id == owner_id ||
                  (sim->receivers[i].user_id == MODEL_USER_ID_FIRST && sim->master_receives));
    return count;
}

static void make_user(struct sim *sim, int number, struct bytes url)
{
    bool master = number == 0;
    struct store_op user = {.kind = STORE_USER_CREATE}, key = {.kind = STORE_KEY_CREATE};
    user.user.user = (struct user){.role = master ? USER_MASTER : USER_REGULAR,
                                   .master_id = master ? 0 : MODEL_USER_ID_FIRST,
                                   .endpoint.url = url,
                                   .endpoint.flow = sim->receivers[number].flow,
                                   .endpoint.disable_after = sim->receivers[number].disable_after,
                                   .endpoint.push = push_of(&sim->receivers[number]),
                                   .receives_users_events = master && sim->master_receives};
    write_one(sim, &user);
    assert(user.id == sim->receivers[number].user_id);
    key.key.user_id = user.id;
    snprintf(key.key.digest, sizeof key.key.digest, "%064d", number);
    write_one(sim, &key);
}

static void make_endpoint(struct sim *sim, struct receiver *receiver, struct bytes url)
{
    struct store_op op = {.kind = STORE_ENDPOINT_CREATE};
    op.endpoint.endpoint = (struct endpoint){.owner_id = receiver->user_id,
                                             .url = url,
                                             .flow = receiver->flow,
                                             .disable_after = receiver->disable_after,
                                             .push = push_of(receiver)};
    write_one(sim, &op);
    receiver->endpoint_id = op.id;
}

/* A Master, and users it made. Needs a node that runs. */
void world_populate(struct sim *sim)
{
    for (int i = 0; i < sim->receiver_count; i++) {
        struct bytes url = bytes_of(world_has_url(sim, i) ? "https://receiver.example/hook" : "");
        if (sim->receivers[i].further)
            make_endpoint(sim, &sim->receivers[i], url);
        else
            make_user(sim, i, url);
    }
    notices_populate(sim);
    int64_t over_ms = sim_between_log(sim, 1, sim->faults.chaos_ms);
    for (int i = 0; i < sim->post_count; i++)
        sim_at(sim, sim_between(sim, 1, over_ms), (struct step){.kind = STEP_POST, .a = i});
}

void world_resume(struct sim *sim)
{
    for (int i = 0; i < sim->receiver_count; i++) {
        struct store_query get = {
            .kind = STORE_GET_ENDPOINT, .id = sim->receivers[i].endpoint_id, .limit = 1};
        struct store_answer answer;
        arena_reset(&sim->oracle.arena);
        enum store_status status = sim->backend->read(disk_store(sim), 0, &get, &sim->oracle.arena, &answer);
        assert(status == STORE_OK && answer.count == 1);
        (void)status;
        if (!answer.endpoints[0].paused && answer.endpoints[0].disable_after == 0)
            continue;
        struct store_op op = {.kind = STORE_ENDPOINT_UPDATE,
                              .endpoint = {.endpoint = answer.endpoints[0], .if_version = -1}};
        op.endpoint.endpoint.paused = false;
        op.endpoint.endpoint.disable_after = 0;
        write_one(sim, &op);
    }
    for (int i = 0; i < sim->node_count; i++)
        node_wake(sim, &sim->nodes[i], sim->now_ms);
}

int world_receiver(const struct sim *sim, int64_t endpoint_id)
{
    int index = 0;
    while (index < sim->receiver_count && sim->receivers[index].endpoint_id != endpoint_id)
        index++;
    assert(index < sim->receiver_count);
    return index;
}

/* ---- producers ---- */

/* Any node will do, as behind a balancer. A producer keeps on until it has a 201. */
void world_post(struct sim *sim, int number)
{
    struct post *post = &sim->posts[number];
    struct node *node = &sim->nodes[sim_pick(sim, sim->node_count)];
    post->posted++;
    if (!node_post(sim, node, number))
        sim_at(sim, sim->now_ms + sim_between(sim, 100, 10 * SECOND),
               (struct step){.kind = STEP_POST, .a = number});
}

void world_answered(struct sim *sim, int number, int64_t event_id)
{
    struct post *post = &sim->posts[number];
    if (event_id == 0) {
        sim_at(sim, sim->now_ms + sim_between(sim, SECOND, 30 * SECOND),
               (struct step){.kind = STEP_POST, .a = number});
        return;
    }
    post->accepted = true;
    if (post->has_key && sim_chance(sim, sim->faults.duplicate_post_permille))
        sim_at(sim, sim->now_ms + sim_between_log(sim, 1, HOUR),
               (struct step){.kind = STEP_POST, .a = number});
}

/* ---- the network and the receivers ---- */

static void result_at(struct sim *sim, int attempt, int64_t at_ms, struct outcome outcome)
{
    struct sim_attempt *sent = &sim->attempts[attempt];
    int64_t latest = sent->started_ms + sent->limit_ms;
    if (at_ms >= latest) {
        at_ms = latest;
        outcome = (struct outcome){.failure = FAILURE_TIMEOUT, .retry_after_ms = -1};
    }
    sent->coming = outcome;
    sim_at(sim, at_ms,
           (struct step){.kind = STEP_RESULT, .node = sent->node, .life = sent->life, .a = attempt});
}

static struct outcome failed(enum failure failure)
{
    return (struct outcome){.failure = failure, .retry_after_ms = -1};
}

void world_send(struct sim *sim, int attempt)
{
    const struct sim_attempt *sent = &sim->attempts[attempt];
    int64_t at = sim->now_ms + sim_between(sim, 1, sim->network_ms_max);
    if (sim->nodes[sent->node].network_down)
        result_at(sim, attempt, at, failed(FAILURE_LOCAL_OUTAGE));
    else if (sim->receivers[sent->receiver].character == RECEIVER_DEAD)
        result_at(sim, attempt, at, failed(FAILURE_CONNECT_REFUSED));
    else
        sim_at(sim, at, (struct step){.kind = STEP_RECEIVE, .a = attempt});
}

/* What it says when all is well: at times, of what it may say, what does not acknowledge. */
static int good_status(struct sim *sim, const struct receiver *receiver)
{
    static const int statuses[] = {200, 201, 202, 204};
    if (!receiver->success)
        return 200;
    int status = statuses[sim_pick(sim, 4)];
    while (!world_acknowledges(receiver, status) && (sim->healed || !sim_chance(sim, 100)))
        status = statuses[sim_pick(sim, 4)];
    return status;
}

/* The whole request has arrived: whatever the sender comes to know, the receiver has done its work. */
void world_receive(struct sim *sim, int attempt)
{
    struct sim_attempt *sent = &sim->attempts[attempt];
    const struct receiver *receiver = &sim->receivers[sent->receiver];
    struct outcome answer = {
        .failure = FAILURE_NONE, .status = good_status(sim, receiver), .retry_after_ms = -1};
    int64_t think = sim_between(sim, 0, 50), patience = world_attempt_ms(receiver);
    sent->received = true;
    sim_trace(sim, -1, "received", "delivery", sent->delivery_id, "lease", sent->lease, "receiver",
              sent->receiver);
    switch (receiver->character) {
    case RECEIVER_SLOW:
        think = sim_between_log(sim, SECOND, patience - SECOND);
        break;
    case RECEIVER_500:
        answer.status = (int)sim_between(sim, 500, 503);
        break;
    case RECEIVER_429:
        answer.status = 429;
        answer.retry_after_ms = sim_between_log(sim, SECOND, 12 * HOUR);
        break;
    case RECEIVER_HANG:
        think = HOUR;
        break;
    case RECEIVER_DID_THEN_RESET:
        if (sim_chance(sim, 700))
            answer = failed(FAILURE_RESET);
        break;
    case RECEIVER_FLAPPING:
        if (sim->now_ms / FLAPPING_PERIOD_MS % 2)
            answer.status = sim_chance(sim, 500) ? 502 : 204;
        break;
    case RECEIVER_OK:
        if (sim_chance(sim, 20)) /* its connection was being closed; or it was not, and it did its work */
            answer = failed(FAILURE_IDLE_CLOSED);
        break;
    case RECEIVER_DEAD: /* it died with the request on its way: it took it, and was gone */
    case CHARACTER_COUNT:
        break;
    }
    result_at(sim, attempt, sim->now_ms + think + sim_between(sim, 1, sim->network_ms_max), answer);
}
