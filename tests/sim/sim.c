/*
 * sim: thousands of small worlds, each drawn from a seed, in which everything goes wrong that may; and an
 * oracle that knows what must hold all the same (SECURITY.md, promises P1 to P5).
 *
 * One thread, one virtual clock, one agenda of steps. What runs is the product's dispatch.c, policy.c, body.c
 * and ids.c; around it stand a store in memory (tests/store/model/model_store.c), a node's shell with its
 * queue, and a network with receivers. Each node has a handle of its own on the store, as on a database
 * server, with its own clock, its own view of endpoints, leases and pace, and its own keyring. A seed decides
 * all of it: how many nodes, slots, users and endpoints, who answers how, which faults strike how often.
 * After the chaos everything is healed, and what was accepted must end.
 *
 * Reading a failing seed
 *
 *   sim: seed 4711 failed at 82 s: P4: delivery 3 was sent twice under lease 2   (make sim SEED=4711)
 *
 * names the promise and what was seen. The same command prints the trace, which is the same in every run:
 *
 *       8.210s n0 post       post 3  event 1782...  owner 6
 *       8.214s n0 write      ops 2  filled 1  status 1        status * 10 + whether it was committed:
 *       8.215s n0 201        post 3  event 1782...  lost 0    1 OK; 20 DOWN; 21 DOWN, though committed
 *       8.215s n0 send       delivery 3  lease 1  attempt 0
 *       8.240s -- received   delivery 3  lease 1  receiver 1  -- is the world, not a node
 *       8.260s n0 result     delivery 3  failure 4  status 0  numbers as in failure.h
 *       8.260s n0 decided    delivery 3  decision 1  delay_ms 9431
 *
 * Begin at the end, take the delivery's number, and go up through its lines: every lease that was given, what
 * its attempt came to, what was recorded, and which crash or outage stood between.
 *
 * usage: sim [--seeds FROM-TO] [--seed N] [--trace] [--hash] [--sqlite] [--seconds-max S] [--expect PROMISE]
 *   --hash      print each seed's trace hash, to compare two processes
 *   --sqlite    on SQLite instead of the model; a seed then is another world, as SQLite is never down
 *   --expect P  for planted bugs (plants in meson.build): succeed only if P is the first promise broken
 */
#include "sim.h"
#include "memory.h"
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { CHECKED_TWICE_EVERY = 16, STEPS_MAX = 2000000 };

/* ---- randomness: one stream a seed ---- */

uint64_t sim_random(struct sim *sim)
{
    uint64_t z = sim->random += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

int64_t sim_pick(struct sim *sim, int64_t below)
{
    assert(below > 0);
    return (int64_t)(sim_random(sim) % (uint64_t)below);
}

int64_t sim_between(struct sim *sim, int64_t low, int64_t high)
{
    return high <= low ? low : low + sim_pick(sim, high - low + 1);
}

int64_t sim_between_log(struct sim *sim, int64_t low, int64_t high_max)
{
    int doublings = 0;
    while (low << (doublings + 1) <= high_max)
        doublings++;
    int64_t base = low << sim_pick(sim, doublings + 1);
    int64_t value = base + sim_pick(sim, base);
    return value < high_max ? value : high_max;
}

bool sim_chance(struct sim *sim, int permille)
{
    return permille > 0 && sim_pick(sim, 1000) < permille;
}

/* ---- trace and failure ---- */

uint64_t sim_hash(uint64_t hash, const void *data, size_t len)
{
    const unsigned char *bytes = data;
    hash ^= 0xcbf29ce484222325u;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ bytes[i]) * 0x100000001b3u;
    return hash;
}

static void trace_pair(const char *label, int64_t value)
{
    if (label)
        printf("  %s %lld", label, (long long)value);
}

void sim_trace(struct sim *sim, int node, const char *what, const char *a_label, int64_t a,
               const char *b_label, int64_t b, const char *c_label, int64_t c)
{
    int64_t line[] = {sim->now_ms, node, a, b, c};
    sim->hash = sim_hash(sim->hash, line, sizeof line);
    sim->hash = sim_hash(sim->hash, what, strlen(what));
    if (!sim->trace)
        return;
    char who[8];
    snprintf(who, sizeof who, node < 0 ? "--" : "n%d", node);
    printf("%10lld.%03llds %s %-12s", (long long)(sim->now_ms / 1000), (long long)(sim->now_ms % 1000), who,
           what);
    trace_pair(a_label, a);
    trace_pair(b_label, b);
    trace_pair(c_label, c);
    putchar('\n');
}

void sim_fail(struct sim *sim, const char *promise, const char *format, ...)
{
    if (sim->failed)
        return;
    va_list args;
    int len = snprintf(sim->failure, sizeof sim->failure, "%s: ", promise);
    va_start(args, format);
    vsnprintf(sim->failure + len, sizeof sim->failure - (size_t)len, format, args);
    va_end(args);
    sim->failed = true;
}

/* ---- the clock and the agenda, a binary heap ---- */

int64_t sim_wall_ms(const struct sim *sim)
{
    int64_t wall = sim->now_ms + sim->wall_offset_ms;
    return wall > SECOND ? wall : SECOND;
}

static bool step_before(const struct step *a, const struct step *b)
{
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->order < b->order;
}

void sim_at(struct sim *sim, int64_t at_ms, struct step step)
{
    if (sim->agenda_count == sim->agenda_cap) {
        sim->agenda_cap = sim->agenda_cap ? sim->agenda_cap * 2 : 256;
        sim->agenda = memory_grow(sim->agenda, (size_t)sim->agenda_cap * sizeof *sim->agenda);
    }
    step.at_ms = at_ms;
    step.order = sim->order++;
    int at = sim->agenda_count++;
    for (; at > 0 && step_before(&step, &sim->agenda[(at - 1) / 2]); at = (at - 1) / 2)
        sim->agenda[at] = sim->agenda[(at - 1) / 2];
    sim->agenda[at] = step;
}

static struct step agenda_pop(struct sim *sim)
{
    struct step first = sim->agenda[0], last = sim->agenda[--sim->agenda_count];
    int at = 0;
    for (;;) {
        int child = at * 2 + 1;
        if (child >= sim->agenda_count)
            break;
        if (child + 1 < sim->agenda_count && step_before(&sim->agenda[child + 1], &sim->agenda[child]))
            child++;
        if (!step_before(&sim->agenda[child], &last))
            break;
        sim->agenda[at] = sim->agenda[child];
        at = child;
    }
    sim->agenda[at] = last;
    return first;
}

/* ---- one seed ---- */

static void sim_step_node(struct sim *sim, const struct step *step)
{
    struct node *node = &sim->nodes[step->node];
    if (!node->alive || node->life != step->life)
        return;
    if (node_frozen(
            node)) { /* all of it at once, in its order, when it goes on; a supervisor then waits anew */
        bool patient = step->kind == STEP_DRAIN_END || step->kind == STEP_KILL;
        sim_at(sim, node->frozen_until_ms + (patient ? 3 * DRAIN_MS_MAX : 0), *step);
        return;
    }
    switch (step->kind) {
    case STEP_PUMP:
        node->pump_at_ms = INT64_MAX;
        node_pump(sim, node);
        break;
    case STEP_QUEUE:
        node->queue_at_ms = INT64_MAX;
        node_queue(sim, node);
        break;
    case STEP_WRITE:
        node_write(sim, node);
        break;
    case STEP_WRITTEN:
        node_written(sim, node);
        break;
    case STEP_REFRESH:
        keyring_refresh(sim, node);
        break;
    case STEP_DRAIN_END:
        node_abort(sim, node);
        break;
    case STEP_KILL:
        node_kill(sim, node);
        break;
    case STEP_RESULT:
        node_result(sim, (int)step->a, &sim->attempts[step->a].coming);
        break;
    default:
        assert(!"a step of a node");
    }
}

static void sim_step(struct sim *sim, const struct step *step)
{
    switch (step->kind) {
    case STEP_POST:
        world_post(sim, (int)step->a);
        break;
    case STEP_ANSWERED:
        world_answered(sim, (int)step->a, step->b);
        break;
    case STEP_START:
        node_start(sim, &sim->nodes[step->node]);
        break;
    case STEP_RECEIVE:
        world_receive(sim, (int)step->a);
        break;
    case STEP_FAULT:
        if (!sim->healed)
            faults_strike(sim, (enum fault_kind)step->a);
        break;
    case STEP_MEND:
        if (!sim->healed)
            faults_mend(sim, (enum fault_kind)step->a, step->node);
        break;
    case STEP_HEAL:
        faults_heal(sim);
        break;
    default:
        sim_step_node(sim, step);
    }
}

/* A receiver that refuses each of them and wants hours of peace after it has them tried one after the other.
 */
static int64_t refusals_ms(const struct sim *sim)
{
    int64_t ms = 0;
    for (int i = 0; i < sim->receiver_count; i++)
        if (sim->receivers[i].healed == RECEIVER_429)
            ms += sim->post_count * sim->dispatch_config.policy.retry_after_ms_max;
    return ms;
}

/* Until all that was accepted has ended. Receivers that are well again must have everything within the
 * longest backoff; the others' deliveries must be given up soon after the window. */
static void sim_live(struct sim *sim)
{
    int64_t healthy_by = sim->faults.chaos_ms + 16 * HOUR;
    int64_t all_by = sim->faults.chaos_ms + 100 * HOUR + refusals_ms(sim);
    bool healthy_checked = false;
    for (int64_t steps = 0; !sim->failed; steps++) {
        if (steps > STEPS_MAX)
            sim_fail(sim, "steps", "it goes round and round without an end");
        if (sim->agenda_count == 0 || sim->agenda[0].at_ms > all_by) {
            oracle_at_end(sim);
            sim_fail(sim, "P3", "something accepted has not ended %lld h after all was healed",
                     (long long)((sim->now_ms - sim->faults.chaos_ms) / HOUR));
            return;
        }
        struct step step = agenda_pop(sim);
        if (disk_store(sim) && !sim->store_down)
            sim->service_ms += step.at_ms - sim->now_ms;
        sim->now_ms = step.at_ms;
        sim->totals.steps++;
        if (!healthy_checked && sim->now_ms > healthy_by) {
            healthy_checked = true;
            if (!oracle_all_ended(sim, false))
                sim_fail(sim, "P3", "a healthy receiver still waits 16 h after all was healed");
        }
        sim_step(sim, &step);
        if (sim->healed && step.kind != STEP_PUMP && step.kind != STEP_QUEUE && oracle_all_ended(sim, true))
            break;
    }
    if (!sim->failed)
        oracle_at_end(sim);
    if (!sim->failed)
        jobs_at_end(sim);
    if (!sim->failed)
        notices_at_end(sim);
}

static void sim_init(struct sim *sim, uint64_t seed, bool sqlite, bool trace)
{
    *sim = (struct sim){.seed = seed, .random = seed * 0x2545F4914F6CDD1Du + 1, .trace = trace};
    disk_init(sim, sqlite);
    oracle_init(sim);
    world_draw(sim);
    for (int i = 0; i < sim->node_count; i++)
        node_start(sim, &sim->nodes[i]);
    world_populate(sim);
    faults_schedule(sim);
}

static void sim_fini(struct sim *sim)
{
    for (int i = 0; i < sim->node_count; i++)
        node_crash(sim, &sim->nodes[i]);
    oracle_fini(sim);
    disk_fini(sim);
    free(sim->attempts);
    free(sim->agenda);
}

static uint64_t sim_run(struct sim *sim, uint64_t seed, bool sqlite, bool trace)
{
    sim_init(sim, seed, sqlite, trace);
    sim_live(sim);
    uint64_t hash = sim_hash(sim->hash, sim->failure, strlen(sim->failure));
    sim_fini(sim);
    return hash;
}

/* ---- the command line ---- */

struct options {
    uint64_t from, to;
    bool trace, hash, sqlite;
    long seconds_max;
    const char *expect;
};

static bool options_parse(struct options *options, int argc, char **argv)
{
    *options = (struct options){.from = 1, .to = 2000, .seconds_max = 600};
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        char *end = NULL;
        if (strcmp(argv[i], "--trace") == 0) {
            options->trace = true;
        } else if (strcmp(argv[i], "--hash") == 0) {
            options->hash = true;
        } else if (strcmp(argv[i], "--sqlite") == 0) {
            options->sqlite = true;
        } else if (strcmp(argv[i], "--seed") == 0 && value) {
            options->from = options->to = strtoull(argv[++i], &end, 10);
        } else if (strcmp(argv[i], "--seeds") == 0 && value) {
            options->from = strtoull(argv[++i], &end, 10);
            if (*end != '-')
                return false;
            options->to = strtoull(end + 1, &end, 10);
        } else if (strcmp(argv[i], "--seconds-max") == 0 && value) {
            options->seconds_max = strtol(argv[++i], &end, 10);
        } else if (strcmp(argv[i], "--expect") == 0 && value) {
            options->expect = argv[++i];
        } else {
            return false;
        }
        if (end && *end != '\0')
            return false;
    }
    return options->from <= options->to;
}

static void totals_add(struct sim_totals *sum, const struct sim_totals *one)
{
    sum->events += one->events;
    sum->attempts += one->attempts;
    sum->delivered += one->delivered;
    sum->given_up += one->given_up;
    sum->crashes += one->crashes;
    sum->unknown_commits += one->unknown_commits;
    sum->steps += one->steps;
}

static int report_failure(const struct sim *sim, const struct options *options)
{
    bool expected = options->expect && strncmp(sim->failure, options->expect, strlen(options->expect)) == 0;
    printf("sim: seed %llu failed at %lld s: %s   ", (unsigned long long)sim->seed,
           (long long)(sim->now_ms / SECOND), sim->failure);
    printf(options->sqlite ? "(build-test/tests/sim/sim --sqlite --trace --seed %llu)\n"
                           : "(make sim SEED=%llu)\n",
           (unsigned long long)sim->seed);
    if (options->expect)
        printf("sim: the planted bug %s\n",
               expected ? "is caught" : "broke another promise than the expected one");
    return expected ? 0 : 1;
}

static int report_success(const struct options *options, uint64_t seeds, const struct sim_totals *sum)
{
    printf("sim: %llu seeds, %lld events, %lld attempts, %lld delivered, %lld given up, %lld crashes, "
           "%lld commits of unknown fate, %lld steps: ok\n",
           (unsigned long long)seeds, (long long)sum->events, (long long)sum->attempts,
           (long long)sum->delivered, (long long)sum->given_up, (long long)sum->crashes,
           (long long)sum->unknown_commits, (long long)sum->steps);
    if (options->expect)
        printf("sim: the planted bug went unnoticed\n");
    return options->expect ? 1 : 0;
}

int main(int argc, char **argv)
{
    struct options options;
    struct sim_totals sum = {0};
    if (!options_parse(&options, argc, argv)) {
        fprintf(stderr, "usage: sim [--seeds FROM-TO] [--seed N] [--trace] [--hash] [--sqlite] "
                        "[--seconds-max S] [--expect PROMISE]\n");
        return 2;
    }
    struct sim *sim = memory_zero(1, sizeof *sim);
    time_t began = time(NULL);
    uint64_t seed = options.from;
    int result = -1;
    for (; seed <= options.to && result < 0 && time(NULL) - began < options.seconds_max; seed++) {
        uint64_t hash = sim_run(sim, seed, options.sqlite, options.trace);
        totals_add(&sum, &sim->totals);
        if (options.hash)
            printf("%llu %016llx\n", (unsigned long long)seed, (unsigned long long)hash);
        if (sim->failed)
            result = report_failure(sim, &options);
        else if (seed % CHECKED_TWICE_EVERY == 0 && sim_run(sim, seed, options.sqlite, false) != hash) {
            printf("sim: seed %llu ran differently the second time\n", (unsigned long long)seed);
            result = 1;
        }
    }
    if (result < 0)
        result = report_success(&options, seed - options.from, &sum);
    free(sim);
    return result;
}
