#include "sim.h"

static const char *const fault_names[FAULT_COUNT] = {
    [FAULT_CRASH] = "crash",
    [FAULT_DRAIN] = "drain",
    [FAULT_STORE_DOWN] = "store-down",
    [FAULT_DISK_FULL] = "disk-full",
    [FAULT_DISK_RESERVE] = "disk-reserve",
    [FAULT_LOCAL_OUTAGE] = "local-outage",
    [FAULT_CLOCK_FORWARD] = "clock-forward",
    [FAULT_CLOCK_BACK] = "clock-back",
    [FAULT_CLOCK_1970] = "clock-1970",
    [FAULT_FREEZE] = "freeze",
    [FAULT_CHANGE] = "change",
};

/* A third of the seeds know a given fault; so most meet a few at once, and some none. */
void faults_draw(struct sim *sim)
{
    struct faults *faults = &sim->faults;
    faults->chaos_ms = sim_between_log(sim, 10 * SECOND, 100 * HOUR);
    for (int kind = 0; kind < FAULT_COUNT; kind++) {
        if (!sim_chance(sim, 350))
            continue;
        faults->every_ms[kind] = sim_between_log(sim, 2 * SECOND, 12 * HOUR);
        faults->lasts_ms[kind] =
            sim_between_log(sim, SECOND, kind == FAULT_LOCAL_OUTAGE ? HOUR : 10 * MINUTE);
        /* At most some 25 of a kind: what a seed costs stays bounded. */
        if (faults->every_ms[kind] < faults->chaos_ms / 25)
            faults->every_ms[kind] = faults->chaos_ms / 25;
    }
    if (!sim->disk) { /* SQLite is never away, and has the real disk's reserve */
        faults->every_ms[FAULT_STORE_DOWN] = 0;
        faults->every_ms[FAULT_DISK_RESERVE] = 0;
    }
    sim->nodes_freeze = faults->every_ms[FAULT_FREEZE] > 0;
    if (sim_chance(sim, 350))
        faults->commit_unknown_permille = (int)sim_between_log(sim, 5, 300);
    if (sim_chance(sim, 200))
        faults->commit_lost_permille = (int)sim_between_log(sim, 5, 300);
    sim->store_fails = faults->every_ms[FAULT_STORE_DOWN] || faults->every_ms[FAULT_DISK_FULL] ||
                       faults->commit_unknown_permille || faults->commit_lost_permille;
    if (sim_chance(sim, 300))
        faults->duplicate_post_permille = (int)sim_between_log(sim, 10, 500);
    if (sim_chance(sim, 300))
        faults->answer_lost_permille = (int)sim_between_log(sim, 10, 500);
}

static void fault_next(struct sim *sim, int kind)
{
    int64_t at = sim->now_ms + sim_between(sim, 1, 2 * sim->faults.every_ms[kind]);
    if (at < sim->faults.chaos_ms)
        sim_at(sim, at, (struct step){.kind = STEP_FAULT, .a = kind});
}

void faults_schedule(struct sim *sim)
{
    for (int kind = 0; kind < FAULT_COUNT; kind++)
        if (sim->faults.every_ms[kind] > 0)
            fault_next(sim, kind);
    sim_at(sim, sim->faults.chaos_ms, (struct step){.kind = STEP_HEAL});
}

void faults_strike(struct sim *sim, enum fault_kind kind)
{
    struct node *node = &sim->nodes[sim_pick(sim, sim->node_count)];
    int64_t *clock = sim_chance(sim, 500) ? &node->wall_skew_ms : &sim->wall_offset_ms;
    int64_t lasts = sim_between(sim, 1, sim->faults.lasts_ms[kind]);
    sim_trace(sim, node->number, fault_names[kind], "lasts_ms", lasts, NULL, 0, NULL, 0);
    switch (kind) {
    case FAULT_CRASH:
        node_crash(sim, node);
        break;
    case FAULT_DRAIN:
        node_drain(sim, node);
        break;
    case FAULT_STORE_DOWN:
        disk_down(sim, true);
        break;
    case FAULT_DISK_FULL:
        sim->disk_full = true;
        break;
    case FAULT_DISK_RESERVE:
        disk_reserve(sim, true);
        break;
    case FAULT_LOCAL_OUTAGE:
        node->network_down = true;
        break;
    case FAULT_CLOCK_FORWARD:
        *clock += 3 * DAY;
        break;
    case FAULT_CLOCK_BACK:
        *clock -= HOUR;
        break;
    case FAULT_CLOCK_1970:
        *clock = MINUTE - sim->now_ms - (clock == &node->wall_skew_ms ? sim->wall_offset_ms : 0);
        break;
    case FAULT_FREEZE:
        if (node->alive && !node_frozen(node))
            node->frozen_until_ms = sim->now_ms + lasts;
        break;
    case FAULT_CHANGE:
        keyring_change(sim, node);
        break;
    case FAULT_COUNT:
        break;
    }
    sim_at(sim, sim->now_ms + lasts, (struct step){.kind = STEP_MEND, .node = node->number, .a = kind});
    fault_next(sim, kind);
}

void faults_mend(struct sim *sim, enum fault_kind kind, int number)
{
    struct node *node = &sim->nodes[number];
    sim_trace(sim, number, "mended", fault_names[kind], 1, NULL, 0, NULL, 0);
    switch (kind) {
    case FAULT_CRASH:
    case FAULT_DRAIN:
        node_start(sim, node);
        break;
    case FAULT_STORE_DOWN:
        disk_down(sim, false);
        break;
    case FAULT_DISK_FULL:
        sim->disk_full = false;
        break;
    case FAULT_DISK_RESERVE:
        disk_reserve(sim, false);
        break;
    case FAULT_LOCAL_OUTAGE:
        node->network_down = false;
        break;
    case FAULT_CLOCK_FORWARD:
    case FAULT_CLOCK_BACK:
    case FAULT_CLOCK_1970: /* a wrong clock stays wrong until the next jump */
    case FAULT_FREEZE:     /* it goes on by itself */
    case FAULT_CHANGE:
    case FAULT_COUNT:
        break;
    }
}

void faults_heal(struct sim *sim)
{
    int64_t chaos_ms = sim->faults.chaos_ms;
    sim_trace(sim, -1, "healed", NULL, 0, NULL, 0, NULL, 0);
    sim->healed = true;
    sim->faults = (struct faults){.chaos_ms = chaos_ms};
    faults_mend(sim, FAULT_STORE_DOWN, 0);
    faults_mend(sim, FAULT_DISK_FULL, 0);
    faults_mend(sim, FAULT_DISK_RESERVE, 0);
    for (int i = 0; i < sim->receiver_count; i++)
        sim->receivers[i].character = sim->receivers[i].healed;
    for (int i = 0; i < sim->node_count; i++) {
        faults_mend(sim, FAULT_LOCAL_OUTAGE, i);
        node_start(sim, &sim->nodes[i]);
    }
    world_resume(sim);
}
