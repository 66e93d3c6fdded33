/* /metrics: Prometheus' text format 0.0.4. Totals only: nothing here names a user, a URL or an event. */
#include "resources.h"

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
    put(out, "events_replayed_total", "counter", "Requests answered again by their Idempotency-Key.",
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
    put(out, "released_total", "counter", "Attempts that did not count.", engine.released);
    put_seconds(out, "engine_cpu_seconds_total", "CPU time of the sending thread.", engine.cpu_us);
}

static void put_store(struct text *out, const struct store_stats *stats)
{
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
    put(&out, "queue_waiting", "gauge", "Writes waiting for the next transaction.", queue.waiting);
    put(&out, "queue_jobs_total", "counter", "Writes done.", queue.jobs);
    put(&out, "queue_batches_total", "counter", "Transactions they took.", queue.batches);
    put_seconds(&out, "queue_cpu_seconds_total", "CPU time of the writer thread.", queue.cpu_us);
    clock_cpu_us(&user_us, &system_us);
    put_seconds(&out, "cpu_user_seconds_total", "CPU time in user mode.", user_us);
    put_seconds(&out, "cpu_system_seconds_total", "CPU time in the kernel.", system_us);
    if (call->read.answer.stats)
        put_store(&out, call->read.answer.stats);
    return call_answer_text(call, 200, "text/plain; version=0.0.4; charset=utf-8", text_bytes(&out));
}

bool metrics_show(struct call *call)
{
    return call_query(call, &(struct store_query){.kind = STORE_GET_STATS}, false, put_all);
}
