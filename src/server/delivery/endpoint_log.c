#include "endpoint_log.h"
#include "failure.h"
#include "idmap.h"
#include "memory.h"
#include <assert.h>
#include <stdlib.h>

enum {
    ENDPOINTS_MAX = 16384, /* that fail at once and are told apart */
    QUIET_MS = 10 * 1000,  /* between two lines of a kind for an endpoint */
    LINES_AT_ONCE = 20,
    LINE_MS = 500, /* and then one in so long */
    FORGOTTEN_MS = 7 * 24 * 3600 * 1000
};

/* One that fails, or did a moment ago. */
struct logged_endpoint {
    int64_t endpoint_id, user_id;
    bool failing, held;                /* held: by a fault of ours */
    int64_t since_ms, seen_ms;         /* it fails since; its last attempt */
    int64_t quiet_ms;                  /* no line about failing or recovering before that */
    int64_t given_up_quiet_ms;         /* nor one about an event that is given up */
    int64_t failed;                    /* attempts since then */
    int64_t turns, given_up;           /* that no line was written about */
    struct logged_endpoint *next_idle; /* while the table is looked through */
};

struct endpoint_log {
    struct log *log;
    struct idmap endpoints;
    int64_t lines_left, lines_at_ms; /* a bucket, and when it was filled last */
    int64_t left_out;                /* lines, since that was said last */
};

struct endpoint_log *endpoint_log_open(struct log *log)
{
    struct endpoint_log *endpoints = memory_zero(1, sizeof *endpoints);
    endpoints->log = log;
    endpoints->lines_left = LINES_AT_ONCE;
    return endpoints;
}

void endpoint_log_close(struct endpoint_log *endpoints)
{
    if (!endpoints)
        return;
    size_t at = 0;
    for (struct logged_endpoint *endpoint; (endpoint = idmap_each(&endpoints->endpoints, &at));)
        free(endpoint);
    idmap_fini(&endpoints->endpoints);
    free(endpoints);
}

static void say_left_out(struct endpoint_log *endpoints)
{
    log_write(endpoints->log, LOG_LEVEL_INFO, "delivery", "lines about endpoints left out: count=%lld",
              (long long)endpoints->left_out);
    endpoints->left_out = 0;
}

/* May one more line be written? */
static bool take_line(struct endpoint_log *endpoints, int64_t now_ms)
{
    int64_t more = (now_ms - endpoints->lines_at_ms) / LINE_MS;
    if (more > 0) {
        endpoints->lines_at_ms += more * LINE_MS;
        endpoints->lines_left += more;
        if (endpoints->lines_left > LINES_AT_ONCE)
            endpoints->lines_left = LINES_AT_ONCE;
    }
    if (endpoints->lines_left == 0) {
        endpoints->left_out++;
        return false;
    }
    endpoints->lines_left--;
    if (endpoints->left_out > 0)
        say_left_out(endpoints);
    return true;
}

static void debug_attempt(const struct endpoint_log *endpoints, const struct endpoint_end *end)
{
    static const char *const names[] = {[DECISION_DELIVERED] = "delivered",
                                        [DECISION_RETRY] = "retry",
                                        [DECISION_GIVE_UP] = "given_up",
                                        [DECISION_RELEASE] = "released"};
    log_write(
        endpoints->log, LOG_LEVEL_DEBUG, "delivery",
        "attempt: user=%lld endpoint=%lld event=%lld delivery=%lld attempt=%d outcome=%s reason=%s status=%d "
        "ms=%lld next_ms=%lld",
        (long long)end->user_id, (long long)end->endpoint_id, (long long)end->event_id,
        (long long)end->delivery_id, end->attempt, names[end->decision.kind],
        failure_name(end->decision.reason), end->status, (long long)end->duration_ms,
        (long long)end->decision.delay_ms);
}

/* ---- failing and recovering ---- */

/* NULL: there is no room to tell it apart. */
static struct logged_endpoint *find_or_add(struct endpoint_log *endpoints, const struct endpoint_end *end)
{
    struct logged_endpoint *endpoint = idmap_get(&endpoints->endpoints, end->endpoint_id);
    if (endpoint || endpoints->endpoints.count >= ENDPOINTS_MAX)
        return endpoint;
    endpoint = memory_zero(1, sizeof *endpoint);
    endpoint->endpoint_id = end->endpoint_id;
    endpoint->user_id = end->user_id;
    idmap_put(&endpoints->endpoints, end->endpoint_id, endpoint);
    return endpoint;
}

static void starts_failing(struct endpoint_log *endpoints, int64_t now_ms, struct logged_endpoint *endpoint,
                           const struct endpoint_end *end)
{
    if (!endpoint->failing) {
        endpoint->since_ms = now_ms;
        endpoint->failed = 0;
    }
    endpoint->failing = true;
    endpoint->held = decision_is_outage(&end->decision);
    if (now_ms < endpoint->quiet_ms) {
        endpoint->turns++;
        return;
    }
    endpoint->quiet_ms = now_ms + QUIET_MS;
    if (!take_line(endpoints, now_ms))
        return;
    log_write(endpoints->log, endpoint->held ? LOG_LEVEL_WARN : LOG_LEVEL_INFO, "delivery",
              "%s: user=%lld endpoint=%lld reason=%s status=%d event=%lld delivery=%lld unlogged_turns=%lld",
              endpoint->held ? "endpoint is held up by a fault of posthorn's own machine"
                             : "endpoint starts failing",
              (long long)end->user_id, (long long)end->endpoint_id, failure_name(end->decision.reason),
              end->status, (long long)end->event_id, (long long)end->delivery_id, (long long)endpoint->turns);
    endpoint->turns = 0;
}

static void recovers(struct endpoint_log *endpoints, int64_t now_ms, struct logged_endpoint *endpoint)
{
    endpoint->failing = false;
    /* A line that says it fails is never left to stand alone. */
    if (endpoint->turns > 0 && now_ms < endpoint->quiet_ms) {
        endpoint->turns++;
        return;
    }
    if (!take_line(endpoints, now_ms))
        return;
    log_write(endpoints->log, LOG_LEVEL_INFO, "delivery",
              "endpoint recovers: user=%lld endpoint=%lld failed_attempts=%lld failed_for_ms=%lld "
              "unlogged_turns=%lld",
              (long long)endpoint->user_id, (long long)endpoint->endpoint_id, (long long)endpoint->failed,
              (long long)(now_ms - endpoint->since_ms), (long long)endpoint->turns);
    endpoint->turns = 0;
}

static void given_up(struct endpoint_log *endpoints, int64_t now_ms, struct logged_endpoint *endpoint,
                     const struct endpoint_end *end)
{
    if (endpoint && now_ms < endpoint->given_up_quiet_ms) {
        endpoint->given_up++;
        return;
    }
    if (endpoint)
        endpoint->given_up_quiet_ms = now_ms + QUIET_MS;
    if (!take_line(endpoints, now_ms))
        return;
    log_write(endpoints->log, LOG_LEVEL_INFO, "delivery",
              "event given up: user=%lld endpoint=%lld event=%lld delivery=%lld attempts=%d reason=%s "
              "status=%d unlogged=%lld",
              (long long)end->user_id, (long long)end->endpoint_id, (long long)end->event_id,
              (long long)end->delivery_id, end->attempt, failure_name(end->decision.reason), end->status,
              (long long)(endpoint ? endpoint->given_up : 0));
    if (endpoint)
        endpoint->given_up = 0;
}

/* Writes the number of deliveries without a line, after the quiet time. */
static void catch_up(struct endpoint_log *endpoints, int64_t now_ms, struct logged_endpoint *endpoint)
{
    bool turned = endpoint->turns > 0 && now_ms >= endpoint->quiet_ms;
    bool gave_up = endpoint->given_up > 0 && now_ms >= endpoint->given_up_quiet_ms;
    if ((!turned && !gave_up) || !take_line(endpoints, now_ms))
        return;
    log_write(endpoints->log, LOG_LEVEL_INFO, "delivery",
              "endpoint, unlogged: user=%lld endpoint=%lld failing=%s turns=%lld given_up=%lld",
              (long long)endpoint->user_id, (long long)endpoint->endpoint_id,
              endpoint->failing ? "true" : "false", (long long)endpoint->turns,
              (long long)endpoint->given_up);
    endpoint->turns = endpoint->given_up = 0;
}

static void failed(struct endpoint_log *endpoints, int64_t now_ms, const struct endpoint_end *end)
{
    struct logged_endpoint *endpoint = find_or_add(endpoints, end);
    if (endpoint && (!endpoint->failing || endpoint->held != decision_is_outage(&end->decision)))
        starts_failing(endpoints, now_ms, endpoint, end);
    else if (endpoint && endpoint->turns > 0) /* the last line may have said that it is well */
        catch_up(endpoints, now_ms, endpoint);
    else if (!endpoint)
        endpoints->left_out++;
    if (endpoint) {
        endpoint->failed++;
        endpoint->seen_ms = now_ms;
    }
    if (end->decision.kind == DECISION_GIVE_UP)
        given_up(endpoints, now_ms, endpoint, end);
    if (end->disabled && take_line(endpoints, now_ms))
        log_write(endpoints->log, LOG_LEVEL_INFO, "delivery",
                  "endpoint is disabled: user=%lld endpoint=%lld status=%d event=%lld delivery=%lld "
                  "(%s)",
                  (long long)end->user_id, (long long)end->endpoint_id, end->status, (long long)end->event_id,
                  (long long)end->delivery_id,
                  end->disabled == ENDPOINT_GONE ? "disable_on_410" : "disable_after");
}

void endpoint_log_ended(struct endpoint_log *endpoints, int64_t now_ms, const struct endpoint_end *end)
{
    assert((unsigned)end->decision.kind <= DECISION_RELEASE);
    debug_attempt(endpoints, end);
    if (end->decision.kind == DECISION_RETRY || end->decision.kind == DECISION_GIVE_UP ||
        decision_is_outage(&end->decision)) {
        failed(endpoints, now_ms, end);
    } else if (end->decision.kind == DECISION_DELIVERED && endpoints->endpoints.count > 0) {
        struct logged_endpoint *endpoint = idmap_get(&endpoints->endpoints, end->endpoint_id);
        if (endpoint && endpoint->failing)
            recovers(endpoints, now_ms, endpoint);
    }
}

/* ---- now and then ---- */

void endpoint_log_tick(struct endpoint_log *endpoints, int64_t now_ms)
{
    struct logged_endpoint *idle = NULL;
    size_t at = 0;
    for (struct logged_endpoint *endpoint; (endpoint = idmap_each(&endpoints->endpoints, &at));) {
        catch_up(endpoints, now_ms, endpoint);
        bool told = endpoint->turns == 0 && endpoint->given_up == 0;
        bool well =
            !endpoint->failing && now_ms >= endpoint->quiet_ms && now_ms >= endpoint->given_up_quiet_ms;
        if ((well && told) || now_ms - endpoint->seen_ms > FORGOTTEN_MS) {
            endpoint->next_idle = idle;
            idle = endpoint;
        }
    }
    while (idle) {
        struct logged_endpoint *next = idle->next_idle;
        free(idmap_remove(&endpoints->endpoints, idle->endpoint_id));
        idle = next;
    }
    if (endpoints->left_out > 0)
        say_left_out(endpoints);
}
