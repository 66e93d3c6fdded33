/*
 * Jobs: somebody has what ended sent again while the world goes on; and when all has ended, a new endpoint
 * gets what came before it. Each step is written twice, as after a commit of unknown fate.
 */
#include "sim.h"
#include <assert.h>

enum { STEP_IDS = 3, STEPS = 30 };

static bool read_store(struct sim *sim, const struct node *node, struct store_query query,
                       struct store_answer *answer)
{
    arena_reset(&sim->oracle.arena);
    return sim->backend->read(node->store, 0, &query, &sim->oracle.arena, answer) == STORE_OK;
}

/* The next rows become due. False: there are none, or the store could not. */
static bool step(struct sim *sim, struct node *node, struct job *job)
{
    struct store_answer answer;
    int64_t ids[STEP_IDS];
    if (!read_store(sim, node, (struct store_query){.kind = STORE_JOB_ROWS, .job = job, .limit = STEP_IDS},
                    &answer))
        return false;
    for (int i = 0; i < answer.count; i++)
        ids[i] = answer.ids[i];
    struct store_op op = {.kind = STORE_JOB_STEP,
                          .job_step = {.id = job->id,
                                       .from = job->cursor,
                                       .to = answer.to,
                                       .ids = ids,
                                       .count = answer.count,
                                       .looked = answer.looked,
                                       .ahead_max = INT32_MAX,
                                       .finished = !answer.more}};
    struct store_op again = op;
    if (!disk_write_op(sim, node, &op) || op.result != STORE_DONE)
        return false;
    sim_trace(sim, node->number, "job", "made_due", op.count, "looked", op.job_step.looked, NULL, 0);
    disk_write_op(sim, node, &again);
    for (int i = 0; i < op.job_step.count && job->kind != JOB_BACKFILL; i++)
        oracle_again(sim, ids[i]);
    job->cursor = op.job_step.to;
    return !op.job_step.finished;
}

/* Makes it and runs it; what is left of it then is cancelled. False: nothing was made. */
static bool run(struct sim *sim, struct node *node, struct job job, int steps)
{
    struct store_op op = {.kind = STORE_JOB_CREATE, .job = job};
    if (!disk_write_op(sim, node, &op) || op.result != STORE_DONE)
        return false;
    job = op.job;
    while (steps-- > 0 && step(sim, node, &job))
        ;
    struct store_op cancel = {.kind = STORE_JOB_CANCEL, .job.id = job.id};
    disk_write_op(sim, node, &cancel);
    return true;
}

bool jobs_change(struct sim *sim, struct node *node)
{
    const struct receiver *receiver = &sim->receivers[sim_pick(sim, sim->receiver_count)];
    if (receiver->flow.ordered || sim->disk_full)
        return false; /* it would have to go out of its order */
    return run(sim, node,
               (struct job){.owner_id = receiver->user_id,
                            .endpoint_id = receiver->endpoint_id,
                            .kind = sim_chance(sim, 700) ? JOB_REPLAY : JOB_RECOVER,
                            .delivery_state = DELIVERY_DELIVERED,
                            .created_at_ms = node_wall_ms(node)},
               3);
}

void jobs_at_end(struct sim *sim)
{
    int64_t user_id = sim->receivers[0].user_id;
    struct node *node = sim->nodes;
    while (node < sim->nodes + sim->node_count && !node->store)
        node++;
    if (node == sim->nodes + sim->node_count)
        return;
    struct store_op create = {
        .kind = STORE_ENDPOINT_CREATE,
        .endpoint = {.endpoint = {.owner_id = user_id, .url = bytes_of("https://receiver.example/late")}}};
    if (!disk_write_op(sim, node, &create) || create.result != STORE_DONE)
        return;
    run(sim, node, (struct job){.owner_id = user_id, .endpoint_id = create.id, .kind = JOB_BACKFILL}, STEPS);
    for (int i = 0; i < sim->post_count; i++) {
        struct store_query list = {.kind = STORE_LIST_DELIVERIES, .id = sim->posts[i].event_id, .limit = 20};
        struct store_answer answer;
        int count = 0, expected = sim->posts[i].owner_id == user_id || sim->master_receives;
        if (!sim->posts[i].event_id || !read_store(sim, node, list, &answer))
            continue;
        for (int k = 0; k < answer.count; k++)
            count += answer.deliveries[k].endpoint_id == create.id;
        if (count != expected)
            sim_fail(sim, "jobs", "event %lld has %d deliveries to a new endpoint after its backfill, not %d",
                     (long long)sim->posts[i].event_id, count, expected);
    }
}
