/* GET /api/endpoints/ID/stats: what happened to the endpoint's deliveries in the last seven days, by hour. */
#include "edit.h"
#include "hour.h"
#include "resources.h"

struct stats_row {
    int64_t id; /* the endpoint's */
    int64_t since_ms, oldest_waiting_at_ms;
    int64_t waiting; /* below 0: not known */
    struct hour sum;
    const struct hour *hours;
    int hour_count;
};

static void put_percentile(struct text *out, const struct hour *hour, int percent)
{
    int64_t ms = 0;
    if (hour_percentile(hour, percent, &ms))
        text_printf(out, "%lld", (long long)ms);
    else
        text_puts(out, "null");
}

static void put_p50(struct text *out, const struct call *call, const void *row)
{
    put_percentile(out, &((const struct stats_row *)row)->sum, 50);
}

static void put_p99(struct text *out, const struct call *call, const void *row)
{
    put_percentile(out, &((const struct stats_row *)row)->sum, 99);
}

static void put_waiting(struct text *out, const struct call *call, const void *row)
{
    int64_t waiting = ((const struct stats_row *)row)->waiting;
    text_printf(out, waiting < 0 ? "null" : "%lld", (long long)waiting);
}

static void put_hours(struct text *out, const struct call *call, const void *row)
{
    const struct stats_row *stats = row;
    text_putc(out, '[');
    for (int i = 0; i < stats->hour_count; i++) {
        const struct hour *hour = &stats->hours[i];
        text_puts(out, i ? ",{\"hour\":" : "{\"hour\":");
        jsonapi_put_instant(out, hour->hour * HOUR_MS);
        for (int kind = 0; kind < HOUR_KINDS; kind++)
            text_printf(out, ",\"%s\":%lld", hour_names[kind], (long long)hour->counts[kind]);
        text_puts(out, ",\"p50_ms\":");
        put_percentile(out, hour, 50);
        text_puts(out, ",\"p99_ms\":");
        put_percentile(out, hour, 99);
        text_putc(out, '}');
    }
    text_putc(out, ']');
}

#define ROW(name, kind, flags, member) FIELD(name, kind, flags, struct stats_row, member)
static const struct field fields[] = {
    {ROW("since", FIELD_INSTANT, 0, since_ms)},
    {ROW("accepted", FIELD_INTEGER, 0, sum.counts[HOUR_ACCEPTED])},
    {ROW("delivered", FIELD_INTEGER, 0, sum.counts[HOUR_DELIVERED])},
    {ROW("failed", FIELD_INTEGER, 0, sum.counts[HOUR_FAILED])},
    {ROW("given_up", FIELD_INTEGER, 0, sum.counts[HOUR_GIVEN_UP])},
    {ROW("cancelled", FIELD_INTEGER, 0, sum.counts[HOUR_CANCELLED])},
    {ROW("p50_ms", FIELD_INTEGER, FIELD_NULLABLE, sum), .put = put_p50},
    {ROW("p99_ms", FIELD_INTEGER, FIELD_NULLABLE, sum), .put = put_p99},
    {ROW("waiting", FIELD_INTEGER, FIELD_NULLABLE, waiting), .put = put_waiting},
    {ROW("oldest_waiting_at", FIELD_INSTANT, FIELD_NULLABLE, oldest_waiting_at_ms)},
    {ROW("hours", FIELD_LIST, 0, hours), .schema = "EndpointHour", .put = put_hours},
    {ROW("endpoint", FIELD_TO_ONE, 0, id), .related = "endpoints"}};
#undef ROW
const struct shape endpoint_stats_shape = {SHAPE("endpoint_stats", struct stats_row, fields),
                                           .self = "/api/endpoints/:id/stats"};

static bool show(struct call *call)
{
    struct stats_row *row = call->state;
    row->hours = call->read.answer.hours;
    row->hour_count = call->read.answer.count;
    for (int i = 0; i < row->hour_count; i++)
        hour_add(&row->sum, &row->hours[i]);
    const int64_t *sums = row->sum.counts;
    /* Within an hour the numbers only grow. */
    call->etag = call_printf(call, "\"%lld-%lld-%lld-%lld-%lld-%lld-%lld-%lld\"", (long long)row->since_ms,
                             (long long)sums[HOUR_ACCEPTED], (long long)sums[HOUR_DELIVERED],
                             (long long)sums[HOUR_FAILED], (long long)sums[HOUR_GIVEN_UP],
                             (long long)sums[HOUR_CANCELLED], (long long)row->waiting,
                             (long long)row->oldest_waiting_at_ms);
    return shape_answer(call, 200, &endpoint_stats_shape, row, (struct bytes){0});
}

static bool read_hours(struct call *call)
{
    struct stats_row *row = call->state;
    int64_t hour = hour_of(clock_wall_ms(&call->api->config.clock)) - HOURS_KEPT;
    row->since_ms = (hour + 1) * HOUR_MS;
    struct store_query query = {
        .kind = STORE_LIST_HOURS, .id = row->id, .after_id = hour, .limit = HOURS_KEPT};
    return call_query(call, &query, false, show);
}

/* The rows have all until now. A store that cannot write shows what is there, and does not say what waits. */
static void looked(struct queue_job *job, enum store_status status)
{
    struct call *call = job->ctx;
    struct stats_row *row = call->state;
    const struct store_figures *figures = job->op.look.figures;
    call_note_store(call, status);
    row->waiting = status == STORE_OK ? figures->waiting + figures->in_hand : -1;
    row->oldest_waiting_at_ms = status == STORE_OK ? figures->oldest_waiting_at_ms : 0;
    if (!read_hours(call))
        call_answer_failure(call);
}

static bool look(struct call *call)
{
    struct stats_row *row = call_state(call, sizeof *row);
    struct store_figures *figures = arena_zero(&call->request->arena, sizeof *figures);
    const struct endpoint *endpoint = edit_seen_endpoint(call);
    if (!endpoint)
        return call_not_found(call, "endpoint");
    if (!row || !figures)
        return call_too_large(call);
    row->id = figures->id = endpoint->id;
    call->write.op = (struct store_op){.kind = STORE_LOOK, .look = {figures, 1, true}};
    call->write.done = looked;
    call->write.ctx = call;
    return queue_submit(call->api->config.queue, &call->write) || call_fail_busy(call);
}

bool endpoint_stats_show(struct call *call)
{
    int64_t id;
    return jsonapi_path_id(call, "endpoint", &id) && call_get(call, STORE_GET_ENDPOINT, id, false, look);
}
