/*
 * A node's keyring: the active keys of all users, kept by reading on in STORE_LIST_CHANGED, at the start from
 * the first change and then whenever a change was made, here or elsewhere. Somebody changes keys and URLs
 * through any node.
 */
#include "sim.h"
#include <assert.h>
#include <stdio.h>

enum { CHANGES_PAGE = 2 };

static bool read_store(struct sim *sim, struct node *node, struct store_query query,
                       struct store_answer *answer)
{
    return sim->backend->read(node->store, 0, &query, &sim->oracle.arena, answer) == STORE_OK;
}

static void forget_user(struct node *node, int64_t user_id)
{
    int kept = 0;
    for (int i = 0; i < node->key_count; i++)
        if (node->keys[i].user_id != user_id)
            node->keys[kept++] = node->keys[i];
    node->key_count = kept;
}

static bool read_user(struct sim *sim, struct node *node, const struct user *user)
{
    struct store_answer answer;
    if (!read_store(sim, node, (struct store_query){.kind = STORE_LIST_KEYS, .id = user->id}, &answer))
        return false;
    forget_user(node, user->id);
    for (int i = 0; i < answer.count; i++)
        if (!answer.keys[i].revoked_at_ms) {
            assert(node->key_count < KEYS_MAX);
            struct node_key *key = &node->keys[node->key_count++];
            key->user_id = user->id;
            memcpy(key->digest, answer.keys[i].digest, sizeof key->digest);
        }
    node->seen_change = user->change;
    return true;
}

void keyring_refresh(struct sim *sim, struct node *node)
{
    struct store_answer answer = {.more = true};
    bool done = true;
    arena_reset(&sim->oracle.arena);
    while (done && answer.more) {
        struct store_query query = {
            .kind = STORE_LIST_CHANGED, .after_id = node->seen_change, .limit = CHANGES_PAGE};
        done = read_store(sim, node, query, &answer);
        for (int i = 0; done && i < answer.count; i++)
            done = read_user(sim, node, &answer.users[i]);
    }
    if (done)
        oracle_refreshed(sim, node);
    else
        sim_at(sim, sim->now_ms + SECOND,
               (struct step){.kind = STEP_REFRESH, .node = node->number, .life = node->life});
}

void keyring_start(struct sim *sim, struct node *node)
{
    node->key_count = 0;
    node->seen_change = 0;
    keyring_refresh(sim, node);
}

/* ---- the operator ---- */

static bool write_change(struct sim *sim, struct node *node, struct store_op *op)
{
    if (!disk_write_op(sim, node, op))
        return false;
    assert(op->result == STORE_DONE);
    return true;
}

static bool change_url(struct sim *sim, struct node *node, const struct receiver *receiver)
{
    struct store_op op = {.kind = STORE_ENDPOINT_UPDATE, .endpoint.if_version = -1};
    struct store_query get = {.kind = STORE_GET_ENDPOINT, .id = receiver->endpoint_id, .limit = 1};
    struct store_answer answer;
    char url[64];
    if (!read_store(sim, node, get, &answer) || answer.endpoints[0].url.len == 0)
        return false;
    op.endpoint.endpoint = answer.endpoints[0];
    if (sim->seed % 5 == 2 && !sim->healed)
        op.endpoint.endpoint.paused = !op.endpoint.endpoint.paused;
    snprintf(url, sizeof url, "https://receiver.example/hook%lld", (long long)sim->changes);
    op.endpoint.endpoint.url = bytes_of(url);
    return write_change(sim, node, &op);
}

/* A second key, or the first one is revoked. */
static bool replace_key(struct sim *sim, struct node *node, int64_t user_id)
{
    struct store_op op = {.kind = STORE_KEY_CREATE, .key = {.user_id = user_id}};
    struct store_answer answer;
    int64_t oldest = 0;
    int active = 0;
    if (!read_store(sim, node, (struct store_query){.kind = STORE_LIST_KEYS, .id = user_id}, &answer))
        return false;
    for (int i = answer.count - 1; i >= 0; i--) {
        oldest = answer.keys[i].revoked_at_ms ? oldest : answer.keys[i].id;
        active += !answer.keys[i].revoked_at_ms;
    }
    if (active > 1) {
        op.kind = STORE_KEY_REVOKE;
        op.key.id = oldest;
    }
    snprintf(op.key.digest, sizeof op.key.digest, "%064lld", (long long)(RECEIVERS_MAX + sim->changes));
    return write_change(sim, node, &op);
}

/* A person wants a delivery tried that waits for its next attempt. */
static bool resend(struct sim *sim, struct node *node)
{
    struct store_op op = {.kind = STORE_RESEND};
    if (!oracle_waiting(sim, &op.delivery.delivery_id) || !write_change(sim, node, &op))
        return false;
    oracle_hurried(sim, op.delivery.delivery_id);
    return true;
}

void keyring_change(struct sim *sim, struct node *node)
{
    const struct receiver *receiver = &sim->receivers[sim_pick(sim, sim->receiver_count)];
    bool url = sim_chance(sim, 500), again = sim_chance(sim, 400);
    if (!node->alive || node_frozen(node) || sim->store_down)
        return;
    arena_reset(&sim->oracle.arena);
    sim->changes++;
    notices_tell(sim, node);
    if ((again && resend(sim, node)) || (again && jobs_change(sim, node))) {
        for (int i = 0; i < sim->node_count; i++)
            node_wake(sim, &sim->nodes[i], sim->now_ms);
        return;
    }
    if (!(url ? change_url(sim, node, receiver) : replace_key(sim, node, receiver->user_id)))
        return;
    for (int i = 0; i < sim->node_count; i++) {
        struct node *other = &sim->nodes[i];
        sim_at(sim, sim->now_ms + sim_between(sim, 1, FRESH_MS_MAX),
               (struct step){.kind = STEP_REFRESH, .node = i, .life = other->life});
        node_wake(sim, other, sim->now_ms); /* a new URL may be tried at once */
    }
}
