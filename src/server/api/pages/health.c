/* /health and /api/meta: is it up, what is it. Neither reads the store, so both answer when it cannot. */
#include "jsonapi.h"
#include "pages.h"

static bool show(struct call *call)
{
    struct queue_stats queue;
    enum store_status told =
        (enum store_status)atomic_load_explicit(&call->api->store_told, memory_order_relaxed);
    struct text out;
    queue_stats(call->api->config.queue, &queue);
    if (queue.broken_by) /* perhaps by what no request has asked for */
        told = queue.broken_by;
    bool well = told == STORE_OK;
    jsonapi_begin(&out, &call->request->arena);
    text_printf(&out, ",\"meta\":{\"status\":\"%s\",\"mode\":", well ? "ok" : "degraded");
    text_put_json(&out, bytes_of(call->api->config.config->mode));
    text_printf(&out, ",\"version\":\"%s\",\"store\":", POSTHORN_VERSION);
    text_put_json(&out, bytes_of(well ? "ok" : store_status_sentence(told)));
    text_printf(&out, ",\"queue_waiting\":%d}}", queue.waiting);
    return jsonapi_answer(call, well ? 200 : 503, &out);
}

/* The result of the last write may be old. A write that changes nothing shows the present state: it takes the
 * lock. */
static void probe_done(struct queue_job *job, enum store_status status)
{
    struct call *call = job->ctx;
    call_note_store(call, status);
    if (!show(call))
        call_answer_failure(call);
}

bool health_show(struct call *call)
{
    if (atomic_load_explicit(&call->api->store_told, memory_order_relaxed) == STORE_OK)
        return show(call);
    call->write = (struct queue_job){.op = {.kind = STORE_PURGE}, .done = probe_done, .ctx = call};
    return queue_submit(call->api->config.queue, &call->write) || show(call);
}

bool meta_show(struct call *call)
{
    struct text out;
    jsonapi_begin(&out, &call->request->arena);
    text_puts(&out, ",\"links\":{\"self\":\"/api/meta\"},\"meta\":{\"mode\":");
    text_put_json(&out, bytes_of(call->api->config.config->mode));
    text_printf(&out, ",\"version\":\"%s\",\"api_version\":\"" API_VERSION "\",\"source_addresses\":[",
                POSTHORN_VERSION);
    const struct option_list *sources = &call->api->config.config->source_address;
    for (int i = 0; i < sources->count; i++) {
        text_puts(&out, i ? "," : "");
        text_put_json(&out, bytes_of(sources->items[i]));
    }
    text_puts(&out, "]}}");
    call->etag = call_etag_of(call, text_bytes(&out));
    return jsonapi_answer(call, 200, &out);
}
