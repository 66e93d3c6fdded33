/*
 * /metrics: Prometheus' text format 0.0.4. Totals, at a cost that the number of users does not change;
 * nothing here names a URL or an event. Figures of single endpoints are for those that are asked for, so many
 * at most, and only where strangers cannot ask.
 */
#include "pages.h"

enum { ENDPOINTS_MAX = 50 };

static void put(struct text *out, const char *name, const char *type, const char *help, int64_t value)
{
    text_printf(out, "# HELP posthorn_%s %s\n# TYPE posthorn_%s %s\nposthorn_%s %lld\n", name, help, name,
                type, name, (long long)value);
}

static void put_seconds(struct text *out, const char *name, const char *help, int64_t us)
{
    text_printf(out, "# HELP posthorn_%s %s\n# TYPE posthorn_%s counter\nposthorn_%s %lld.%06lld\n", name,
                help, name, name, (long long)(us / 1000000), (long long)(us % 1000000));
}

static void put_api(struct text *out, struct api *api)
{
    put(out, "events_accepted_total", "counter", "Events accepted since the start.",
        atomic_load(&api->events_accepted));
    put(out, "events_replayed_total", "counter",
        "Requests that repeated an Idempotency-Key and got the first answer again.",
        atomic_load(&api->events_replayed));
    put(out, "guesses_total", "counter", "Requests with an invalid API key.", atomic_load(&api->guesses));
    put(out, "requests_in_hand", "gauge", "Requests not answered yet.", atomic_load(&api->in_hand));
    text_puts(out, "# HELP posthorn_answers_total Answers by class of status.\n"
                   "# TYPE posthorn_answers_total counter\n");
    for (int i = 2; i < 6; i++)
        text_printf(out, "posthorn_answers_total{class=\"%dxx\"} %lld\n", i,
                    (long long)atomic_load(&api->answers[i]));
}

static void put_engine(struct text *out, struct api *api)
{
    struct engine_stats engine = {0};
    if (!api->config.engine_stats)
        return;
    api->config.engine_stats(api->config.ctx, &engine);
    put(out, "delivered_total", "counter", "Deliveries acknowledged since the start.", engine.delivered);
    put(out, "retried_total", "counter", "Attempts that will be made again.", engine.retried);
    put(out, "given_up_total", "counter", "Deliveries given up since the start.", engine.given_up);
    put(out, "released_total", "counter", "Attempts that were not counted as failures.", engine.released);
    put_seconds(out, "engine_cpu_seconds_total", "CPU time of the sending thread.", engine.cpu_us);
}

static void put_store(struct text *out, const struct store_stats *stats, int64_t now_ms)
{
    int64_t oldest_ms = stats->oldest_waiting_at_ms, age_ms = oldest_ms ? now_ms - oldest_ms : 0;
    put(out, "endpoints_failing", "gauge", "Failing endpoints; each is tried with one delivery at a time.",
        stats->endpoints_failing);
    put(out, "oldest_waiting_seconds", "gauge",
        "Age of the event whose delivery has waited longest; 0: no delivery waits.",
        age_ms > 0 ? age_ms / 1000 : 0);
    put(out, "log_bytes", "gauge",
        "Size of the database's write-ahead log. It grows while another program keeps a read transaction "
        "open.",
        stats->log_bytes);
    put(out, "events", "gauge", "Events in the store.", stats->events);
    put(out, "endpoints", "gauge", "Endpoints in the store.", stats->endpoints);
    text_puts(out, "# HELP posthorn_deliveries Deliveries in the store by state.\n"
                   "# TYPE posthorn_deliveries gauge\n");
    text_printf(out, "posthorn_deliveries{state=\"pending\"} %lld\n", (long long)stats->deliveries_pending);
    text_printf(out, "posthorn_deliveries{state=\"delivered\"} %lld\n",
                (long long)stats->deliveries_delivered);
    text_printf(out, "posthorn_deliveries{state=\"given_up\"} %lld\n", (long long)stats->deliveries_given_up);
    text_printf(out, "posthorn_deliveries{state=\"cancelled\"} %lld\n",
                (long long)stats->deliveries_cancelled);
    text_printf(out, "posthorn_deliveries{state=\"skipped\"} %lld\n", (long long)stats->deliveries_skipped);
}

struct endpoint_series {
    const char *name, *type, *help;
    int64_t (*value)(const struct store_figures *figures);
};

static int64_t waiting_of(const struct store_figures *figures)
{
    return figures->waiting;
}

static int64_t in_hand_of(const struct store_figures *figures)
{
    return figures->in_hand;
}

static int64_t failing_of(const struct store_figures *figures)
{
    return figures->failing;
}

static int64_t window_of(const struct store_figures *figures)
{
    return figures->window;
}

static int64_t delivered_of(const struct store_figures *figures)
{
    return figures->delivered;
}

static const struct endpoint_series series[] = {
    {"waiting", "gauge", "Deliveries that wait for this endpoint.", waiting_of},
    {"in_hand", "gauge", "Deliveries to this endpoint in progress.", in_hand_of},
    {"failing", "gauge", "1: this endpoint is failing and is tried with one delivery at a time.", failing_of},
    {"window", "gauge", "Deliveries to this endpoint that may be in progress at once.", window_of},
    {"delivered_total", "counter", "Attempts that this endpoint acknowledged since the start.",
     delivered_of}};

static void put_endpoints(struct text *out, const struct store_op *look)
{
    for (size_t i = 0; i < sizeof series / sizeof *series; i++) {
        text_printf(out, "# HELP posthorn_endpoint_%s %s\n# TYPE posthorn_endpoint_%s %s\n", series[i].name,
                    series[i].help, series[i].name, series[i].type);
        for (int at = 0; at < look->look.count; at++)
            if (look->look.figures[at].found)
                text_printf(out, "posthorn_endpoint_%s{endpoint=\"%lld\"} %lld\n", series[i].name,
                            (long long)look->look.figures[at].id,
                            (long long)series[i].value(&look->look.figures[at]));
    }
}

static bool put_all(struct call *call)
{
    struct api *api = call->api;
    struct queue_stats queue;
    struct text out;
    int64_t user_us, system_us;
    text_init(&out, &call->scratch, CALL_ANSWER_LEN_MAX);
    text_printf(&out,
                "# HELP posthorn_info Version and mode.\n# TYPE posthorn_info gauge\n"
                "posthorn_info{version=\"%s\",mode=\"%s\"} 1\n",
                POSTHORN_VERSION, api->config.config->mode);
    put_api(&out, api);
    put_engine(&out, api);
    queue_stats(api->config.queue, &queue);
    put(&out, "store_stopped", "gauge",
        "1: the database is damaged; nothing is written or delivered until it is repaired.",
        queue.broken_by != STORE_OK);
    put(&out, "queue_waiting", "gauge", "Writes waiting for the next transaction.", queue.waiting);
    put(&out, "queue_jobs_total", "counter", "Writes done.", queue.jobs);
    put(&out, "queue_batches_total", "counter", "Transactions of these writes.", queue.batches);
    put_seconds(&out, "queue_cpu_seconds_total", "CPU time of the writer thread.", queue.cpu_us);
    clock_cpu_us(&user_us, &system_us);
    put_seconds(&out, "cpu_user_seconds_total", "CPU time in user mode.", user_us);
    put_seconds(&out, "cpu_system_seconds_total", "CPU time in the kernel.", system_us);
    if (call->read.answer.stats)
        put_store(&out, call->read.answer.stats, clock_wall_ms(&api->config.clock));
    if (call->write.op.kind == STORE_LOOK)
        put_endpoints(&out, &call->write.op);
    return call_answer_text(call, 200, "text/plain; version=0.0.4; charset=utf-8", text_bytes(&out));
}

/* A store that cannot be read takes its own figures from the page, and no others. */
static void stats_done(struct readers_job *job)
{
    struct call *call = job->ctx;
    if (job->status != STORE_OK)
        job->answer.stats = NULL;
    if (!put_all(call))
        call_answer_failure(call);
}

static bool show(struct call *call)
{
    call->read = (struct readers_job){
        .query.kind = STORE_GET_STATS, .arena = &call->scratch, .done = stats_done, .ctx = call};
    return readers_submit(call->api->config.readers, &call->read) || call_fail_busy(call);
}

/* Likewise: an endpoint that could not be looked at was not found. */
static void look_done(struct queue_job *job, enum store_status status)
{
    struct call *call = job->ctx;
    call_note_store(call, status);
    if (!show(call))
        call_answer_failure(call);
}

/* endpoint=5&endpoint=7, or endpoint=5,7. */
static bool read_endpoints(struct call *call, struct store_op *look)
{
    struct bytes list = call->query.values[QUERY_ENDPOINT];
    const char *name = query_name(QUERY_ENDPOINT);
    look->kind = STORE_LOOK;
    look->look.figures = arena_zero(&call->request->arena, ENDPOINTS_MAX * sizeof *look->look.figures);
    if (!look->look.figures)
        return call_too_large(call);
    for (bool more = true; more;) {
        const char *comma = memchr(list.data, ',', list.len);
        size_t len = comma ? (size_t)(comma - list.data) : list.len;
        int64_t id;
        if (look->look.count == ENDPOINTS_MAX || !bytes_to_int64(bytes_make(list.data, len), &id) || id <= 0)
            return call_fail(call, API_PARAMETER_INVALID, SOURCE_PARAMETER, name,
                             "endpoint takes at most %d user ids: endpoint=5&endpoint=7, or endpoint=5,7.",
                             ENDPOINTS_MAX);
        bool known = false;
        for (int i = 0; i < look->look.count; i++)
            known = known || look->look.figures[i].id == id;
        if (!known)
            look->look.figures[look->look.count++].id = id;
        more = comma != NULL;
        list = more ? bytes_make(comma + 1, list.len - len - 1) : list;
    }
    return true;
}

bool metrics_show(struct call *call)
{
    const struct config *config = call->api->config.config;
    if (!query_has(&call->query, QUERY_ENDPOINT))
        return show(call);
    if (!config->metrics_key && !config->metrics_listen)
        return call_fail(call, API_FORBIDDEN, SOURCE_PARAMETER, query_name(QUERY_ENDPOINT),
                         "Figures of single endpoints need a metrics-key or a metrics-listen address of its "
                         "own. Set one of them.");
    if (!read_endpoints(call, &call->write.op))
        return false;
    call->write.done = look_done;
    call->write.ctx = call;
    return queue_submit(call->api->config.queue, &call->write) || call_fail_busy(call);
}
