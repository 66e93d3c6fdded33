#include "pace.h"
#include <assert.h>

enum {
    SHARE_PART = 6,     /* of what is free, one endpoint may have the n-th part */
    RESERVE_PART = 4,   /* of all, for those that are quick */
    WINDOW_NEW = 64,    /* a new endpoint: enough for 50 a second that take a second each */
    WINDOW_BACK = 4,    /* one that answers again */
    WINDOW_GIVING = 64, /* one that fails, while what it is tried with is given up */
    FAILING_FROM = 5,   /* failures in a row, of one that has answered once */
    MISSES_MAX = 3,     /* of one delivery */
    QUICK_MS = 1000,
    /* With nothing answered for so long, and so many times what attempts took lately, it hangs. */
    LATE_MS = 250,
    LATE_TIMES = 4,
    SMOOTHING = 8, /* the n-th part of the newest goes into the mean */
    TOOK_MS_MAX = 600 * 1000,
    GROUPS_PER_S =
        4 /* of attempts to endpoints that fail: a transaction each costs less than one an attempt */
};

struct pace_config pace_default(void)
{
    return (struct pace_config){.slots = 16384,
                                .at_once_max = 1024,
                                .failing_per_s = 200,
                                .hold_first_ms = 1000,
                                .hold_ms_max = (int64_t)60 * 1000,
                                .growth_ms = 1000,
                                .local_delay_ms = 5000,
                                .day_ms = (int64_t)86400 * 1000};
}

static int64_t scaled(int64_t duration_ms, int scale)
{
    return duration_ms > scale ? duration_ms / scale : 1;
}

struct pace_config pace_scaled(struct pace_config config, int scale)
{
    assert(scale >= 1);
    config.hold_first_ms = scaled(config.hold_first_ms, scale);
    config.hold_ms_max = scaled(config.hold_ms_max, scale);
    config.local_delay_ms = scaled(config.local_delay_ms, scale);
    config.day_ms = scaled(config.day_ms, scale);
    return config;
}

enum pace_health pace_health(const struct pace *pace, int64_t oldest_ms, int64_t now_ms)
{
    if (pace->failing)
        return PACE_FAILING;
    int64_t late_ms = LATE_MS + (int64_t)LATE_TIMES * pace->took_ms;
    bool silent = oldest_ms >= late_ms && now_ms - pace->answered_ms >= late_ms;
    bool quick = pace->ever_answered && pace->took_ms < QUICK_MS && oldest_ms < QUICK_MS && !silent;
    return quick ? PACE_QUICK : PACE_PLAIN;
}

int64_t pace_share(int64_t total, int64_t in_use, enum pace_health health)
{
    int64_t free = total - in_use;
    if (health != PACE_QUICK)
        free -= total / RESERVE_PART;
    if (free <= 0)
        return 0;
    return free > SHARE_PART ? free / SHARE_PART : 1;
}

int pace_window(const struct pace *pace, const struct pace_config *config)
{
    int window = pace->released ? 1 : pace->window > 0 ? pace->window : WINDOW_NEW;
    return window < config->at_once_max ? window : config->at_once_max;
}

int64_t pace_from_ms(const struct pace *pace)
{
    return pace->held_until_ms > pace->pushback.from_ms ? pace->held_until_ms : pace->pushback.from_ms;
}

int pace_more(const struct pace *pace, const struct pace_config *config, int leased, int64_t now_ms)
{
    if (now_ms < pace_from_ms(pace))
        return 0;
    int more = pace_window(pace, config) - leased, left = pushback_left(&pace->pushback, now_ms);
    more = more < left ? more : left;
    return more > 0 ? more : 0;
}

void pace_begun(struct pace *pace, const struct pace_config *config, int leased, int64_t now_ms)
{
    pace->pinched = pace->pinched || leased >= pace_window(pace, config);
    if (pace->grew_ms == 0)
        pace->grew_ms = now_ms; /* its first */
    pushback_begun(&pace->pushback, now_ms);
}

void pace_hurry(struct pace *pace)
{
    pace->held_until_ms = 0;
    pushback_hurry(&pace->pushback);
}

void pace_renew(struct pace *pace)
{
    *pace = (struct pace){0};
}

void pace_resumed(struct pace *pace)
{
    pace->window = WINDOW_BACK;
}

void pace_proven(struct pace *pace)
{
    pace->ever_answered = true;
}

/* ---- the end of an attempt ---- */

static void grow(struct pace *pace, const struct pace_config *config, int64_t now_ms)
{
    if (!pace->pinched || now_ms - pace->grew_ms < config->growth_ms)
        return;
    int window = pace_window(pace, config);
    pace->window = window > config->at_once_max / 2 ? config->at_once_max : window * 2;
    pace->grew_ms = now_ms;
    pace->pinched = false;
}

static enum pace_change answered(struct pace *pace, const struct pace_config *config,
                                 const struct pace_end *end)
{
    bool recovered = pace->failing;
    if (pace->failing) {
        pace->window = WINDOW_BACK;
        pace->grew_ms = end->now_ms;
        pace->pinched = false;
        pace->took_ms = 0; /* of the time when it failed */
        pushback_forget(&pace->pushback);
    }
    pace->failing = false;
    pace->failures_in_a_row = pace->probes_failed = 0;
    pace->held_until_ms = 0;
    pace->ever_answered = true;
    pace->answered_ms = end->now_ms;
    pushback_taken(&pace->pushback, end->now_ms, end->began_ms);
    grow(pace, config, end->now_ms);
    return recovered ? PACE_RECOVERED : PACE_SAME;
}

/* splitmix64 */
static uint64_t scramble(uint64_t z)
{
    z += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

/* Doubles with each probe that failed, and is spread by a quarter either way, so that those which began to
 * fail together are not tried together. */
static void hold(struct pace *pace, const struct pace_config *config, const struct pace_end *end)
{
    int64_t hold_ms = config->hold_first_ms;
    for (int i = 0; i < pace->probes_failed && hold_ms < config->hold_ms_max; i++)
        hold_ms *= 2;
    if (hold_ms > config->hold_ms_max)
        hold_ms = config->hold_ms_max;
    int64_t spread_ms = hold_ms / 4;
    uint64_t random = scramble((uint64_t)end->endpoint_id ^ scramble((uint64_t)pace->probes_failed));
    int64_t until_ms = end->now_ms + hold_ms - spread_ms + (int64_t)(random % (uint64_t)(2 * spread_ms + 1));
    if (until_ms > pace->held_until_ms)
        pace->held_until_ms = until_ms;
}

/* Attempts that were under way when it began to fail, or when the last probe failed, say nothing new. */
static void probe_failed(struct pace *pace, const struct pace_config *config, const struct pace_end *end)
{
    if (end->began_ms < pace->began_failing_ms || end->now_ms < pace->held_until_ms)
        return;
    if (pace->probes_failed < INT32_MAX)
        pace->probes_failed++;
    /* A delivery older than the window is tried once more and ends, so it is not held up. */
    int window = pace_window(pace, config);
    pace->window = !end->given_up ? 1 : window < WINDOW_GIVING ? window * 2 : WINDOW_GIVING;
    if (!end->given_up)
        hold(pace, config, end);
    else if (!end->refused)
        pace->held_until_ms = 0;
}

/* True: it is a failure that counts. Those that were under way when it refused before say nothing new. */
static bool refused(struct pace *pace, const struct pace_end *end)
{
    int64_t until_ms = end->now_ms + end->retry_after_ms;
    if (end->retry_after_ms > 0 && until_ms > pace->held_until_ms)
        pace->held_until_ms = until_ms;
    return pushback_refused(&pace->pushback, end->now_ms, end->began_ms) || pace->failing;
}

static enum pace_change failed(struct pace *pace, const struct pace_config *config,
                               const struct pace_end *end)
{
    if (end->refused && !refused(pace, end))
        return PACE_SAME;
    if (pace->failures_in_a_row < INT32_MAX)
        pace->failures_in_a_row++;
    if (pace->failing) {
        probe_failed(pace, config, end);
        return PACE_SAME;
    }
    bool alive = pace->ever_answered || end->refused;
    if (alive && pace->failures_in_a_row < FAILING_FROM)
        return PACE_SAME;
    pace->failing = true;
    pace->window = 1;
    pace->began_failing_ms = end->now_ms;
    hold(pace, config, end);
    return PACE_BEGAN_FAILING;
}

enum pace_change pace_ended(struct pace *pace, const struct pace_config *config, const struct pace_end *end)
{
    assert(end->began_ms <= end->now_ms && end->took_ms >= 0);
    pace->released = false;
    int64_t took_ms = end->took_ms < TOOK_MS_MAX ? end->took_ms : TOOK_MS_MAX;
    pace->took_ms += (int32_t)((took_ms - pace->took_ms) / SMOOTHING);
    return end->answered ? answered(pace, config, end) : failed(pace, config, end);
}

/* A delivery that fails again and again while others are answered is its own trouble. */
enum pace_again pace_again(const struct pace *pace, const struct pace_end *end, int32_t attempt)
{
    if (end->answered || end->given_up)
        return PACE_BY_BACKOFF;
    if (end->refused && attempt <= MISSES_MAX)
        return PACE_ON_ANSWER;
    return pace->failing || attempt <= MISSES_MAX ? PACE_ON_RECOVERY : PACE_BY_BACKOFF;
}

/* ---- our own outage ---- */

void pace_released(struct pace *pace, struct pace_outage *outage, const struct pace_config *config,
                   int64_t now_ms)
{
    int64_t again_ms = now_ms + config->local_delay_ms;
    pace->released = true;
    if (pace->held_until_ms < again_ms)
        pace->held_until_ms = again_ms;
    if (!outage->on)
        *outage = (struct pace_outage){true, again_ms};
}

int64_t pace_outage_from_ms(const struct pace *pace, const struct pace_outage *outage)
{
    return outage->on && pace->released ? outage->from_ms : 0;
}

void pace_outage_begun(const struct pace *pace, struct pace_outage *outage, const struct pace_config *config,
                       int64_t now_ms)
{
    if (outage->on && pace->released)
        outage->from_ms = now_ms + config->local_delay_ms;
}

/* ---- the budget of those that fail ---- */

static struct rate failing_rate(const struct pace_config *config)
{
    int64_t burst = config->failing_per_s / GROUPS_PER_S;
    return (struct rate){.per_s = config->failing_per_s, .burst = burst > 0 ? burst : 1};
}

int pace_budget_left(const struct pace_budget *budget, const struct pace_config *config, int64_t now_ms)
{
    if (now_ms < budget->from_ms)
        return 0;
    struct rate_bucket look = budget->bucket;
    struct rate rate = failing_rate(config);
    struct rate_verdict verdict = rate_take(&look, &rate, now_ms);
    return verdict.allowed ? (int)verdict.remaining + 1 : 0;
}

void pace_budget_spend(struct pace_budget *budget, const struct pace_config *config, int64_t now_ms)
{
    struct rate rate = failing_rate(config);
    struct rate_verdict verdict = rate_take(&budget->bucket, &rate, now_ms);
    if (verdict.remaining == 0)
        budget->from_ms = now_ms + verdict.full_again_ms;
}
