/*
 * POST /api/events/batch, and POST /api/events with application/x-ndjson: one event a line, one answer a
 * line, in the same order.
 *
 * A line that is wrong gets its errors and stops no other. All that are right go to the queue as one group:
 * one transaction, one fsync; and nothing is answered before the last of them is durable. The answer's status
 * is 201 when every line has become an event, 207 otherwise: each line's own status is in its meta.
 */
#include "body.h"
#include "digest.h"
#include "event_draft.h"
#include "idempotency_key.h"
#include "ids.h"
#include "resources.h"

enum {
    BATCH_LINES_MAX = 1000,
    TREE_LEN_MAX = 8 << 20, /* of one line */
    BATCH_WARNINGS_MAX = 4, /* a line: the answer is to be bounded */
    KEY_SUFFIX_LEN_MAX = 12
};

struct batch;

struct batch_line {
    struct queue_job job;
    struct batch *batch;
    struct event_draft draft;
    int number; /* from 1, blank lines counted */
    bool sent;  /* to the queue */
    enum store_status status;
    struct bytes tail;   /* of its answer, from "meta" on */
    size_t id_places[2]; /* of the batch's answer */
    struct bytes errors; /* its answer, when there is no event */
};

struct batch {
    struct call *call;
    struct bytes key; /* the request's Idempotency-Key; may be empty */
    struct batch_line *lines;
    struct queue_job *first_job, **jobs_end; /* of the lines that are right */
    int line_count, job_count;
    struct arena tree;  /* of the line that is read */
    int retry_after_s;  /* for the lines that may be sent again; 0: there are none */
    int waiting;        /* for the writer's word; only the writer counts it down */
    struct text answer; /* made before the write, but for the ids */
};

/* ---- what a line is answered ---- */

/* `,"meta":{"line":1,"status":"201","warnings":[..]}}` */
static void put_meta(struct text *out, struct call *call, int line, int status)
{
    const char *meta = call_printf(call, "\"line\":%d,\"status\":\"%d\"", line, status);
    jsonapi_end(out, call, bytes_of(meta));
}

static void put_created(struct text *out, struct batch_line *line, int64_t id, struct bytes tail)
{
    text_puts(out, "{\"jsonapi\":{\"version\":\"1.1\"},\"data\":{\"type\":\"events\",\"id\":\"");
    line->id_places[0] = body_put_id(out, id);
    text_puts(out, "\"},\"links\":{\"self\":\"/api/events/");
    line->id_places[1] = body_put_id(out, id);
    text_puts(out, "\"}");
    text_put(out, tail);
    text_putc(out, '\n');
}

/* The call's failure as the line's answer; the call goes on. */
static void keep_errors(struct call *call, struct batch_line *line, struct arena *arena)
{
    const char *id = arena_printf(arena, "%.*s/%d", BYTES_ARG(call->request_id), line->number);
    struct text out;
    text_init(&out, arena, CALL_ANSWER_LEN_MAX);
    text_puts(&out, "{\"jsonapi\":{\"version\":\"1.1\"},\"errors\":[");
    failure_put_error(&out, &call->failure, bytes_of(id ? id : ""));
    text_putc(&out, ']');
    call->warning_count = 0; /* beside an error they would only distract */
    put_meta(&out, call, line->number, api_error_row(call->failure.error)->status);
    text_putc(&out, '\n');
    line->errors = text_bytes(&out);
    line->sent = false;
    if (call->failure.retry_after_s > line->batch->retry_after_s)
        line->batch->retry_after_s = call->failure.retry_after_s;
}

/* ---- reading ---- */

static bool fail_key(struct call *call, const char *pointer)
{
    return call_fail(call, API_ATTRIBUTE_INVALID, SOURCE_POINTER, pointer,
                     "An idempotency key must be a text of 1 to %d bytes.", MODEL_KEY_LEN_MAX);
}

/* meta.idempotency_key, or else the request's with the line's number behind it. */
static bool read_key(struct call *call, const struct request_document *document, struct batch_line *line)
{
    struct store_op *op = &line->job.op;
    const struct json_value *given = json_member(json_member(document->root, "meta"), "idempotency_key");
    if (given) {
        struct bytes key = given->text;
        if (!json_is(given, JSON_STRING) || !key.len || key.len > MODEL_KEY_LEN_MAX ||
            (unsigned char)key.data[0] < 0x20)
            return fail_key(call, "/meta/idempotency_key");
        op->event.idempotency_key = arena_copy(&call->scratch, key);
    } else if (line->batch->key.len) {
        op->event.idempotency_key =
            bytes_of(arena_printf(&call->scratch, "%.*s/%d", BYTES_ARG(line->batch->key), line->number));
    }
    if ((given || line->batch->key.len) && !op->event.idempotency_key.data)
        return call_too_large(call);
    bool held = !given && line->batch->key.len; /* with the request's */
    return event_draft_take_own_id(call, &line->draft, op) &&
           (held || event_draft_hold_key(call, op, SOURCE_POINTER, "/meta/idempotency_key"));
}

static bool read_line(struct call *call, struct batch_line *line, struct bytes text)
{
    struct request_document document;
    struct event_draft *draft = &line->draft;
    struct store_op *op = &line->job.op;
    size_t len_max = text.len + text.len / 8;
    op->event.requester_id = draft->owner_id = call->caller.user_id;
    text_init(&draft->relationships, &call->scratch, len_max);
    text_init(&draft->included, &call->scratch, len_max);
    digest_sha256(text, op->event.request_digest); /* lenient reading may change it */
    return jsonapi_read_line(call, &line->batch->tree, text, "events", &document) &&
           event_draft_read(call, &document, draft) && read_key(call, &document, line) &&
           event_draft_keep(call, &call->scratch, draft);
}

static void take_line(struct call *call, struct batch *batch, struct bytes text, int number)
{
    struct batch_line *line = &batch->lines[batch->line_count++];
    struct text tail;
    line->batch = batch;
    line->number = call->line = number;
    line->job.ctx = line;
    call->warning_count = 0;
    line->sent = read_line(call, line, text);
    arena_reset(&batch->tree);
    if (!line->sent) {
        keep_errors(call, line, &call->scratch);
        return;
    }
    if (call->warning_count > BATCH_WARNINGS_MAX)
        call->warning_count = BATCH_WARNINGS_MAX;
    text_init(&tail, &call->scratch, CALL_ANSWER_LEN_MAX);
    put_meta(&tail, call, number, 201);
    line->tail = text_bytes(&tail);
    *batch->jobs_end = &line->job;
    batch->jobs_end = &line->job.next;
    batch->job_count++;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* The next line without its end and the blanks around it, a NUL behind it. False: there is none. */
static bool next_line(char **at, char *end, struct bytes *line)
{
    if (*at >= end)
        return false;
    char *newline = memchr(*at, '\n', (size_t)(end - *at));
    char *stop = newline ? newline : end; /* a NUL stands behind the body */
    char *first = *at, *last = stop;
    while (first < last && is_blank(*first))
        first++;
    while (first < last && is_blank(last[-1]))
        last--;
    *last = '\0';
    *line = bytes_make(first, (size_t)(last - first));
    *at = stop + 1;
    return true;
}

static int count_lines(const struct call *call)
{
    const char *at = call->request->body, *end = at + call->request->body_len;
    int count = 0;
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *stop = newline ? newline : end;
        bool blank = true;
        for (; at < stop && blank; at++)
            blank = is_blank(*at);
        count += !blank;
        at = stop + 1;
    }
    return count;
}

static bool check_headers(struct call *call, struct batch *batch)
{
    /* The key of each line is this text, a slash and the line number. */
    return jsonapi_check_encoding(call) &&
           idempotency_key_read(call, MODEL_KEY_LEN_MAX - KEY_SUFFIX_LEN_MAX, &batch->key) &&
           (!batch->key.len ||
            idempotency_key_hold(call, "/api/events", batch->key, SOURCE_HEADER, "Idempotency-Key"));
}

/* No more than the queue could ever take at once. */
static int lines_max(const struct call *call)
{
    int64_t queue_max = call->api->config.config->queue_max;
    return queue_max > 0 && queue_max < BATCH_LINES_MAX ? (int)queue_max : BATCH_LINES_MAX;
}

static bool make_room(struct call *call, struct batch *batch)
{
    int count = count_lines(call);
    if (count == 0)
        return call_fail(call, API_DOCUMENT_INVALID, SOURCE_POINTER, "", "The batch is empty.");
    if (count > lines_max(call))
        return call_fail(call, API_BODY_TOO_LARGE, SOURCE_POINTER, "",
                         "A batch may have at most %d lines; this one has %d.", lines_max(call), count);
    batch->lines = arena_zero(&call->request->arena, (size_t)count * sizeof *batch->lines);
    batch->jobs_end = &batch->first_job;
    return batch->lines || call_too_large(call);
}

/* ---- the answer ---- */

static bool answer_lines(struct call *call, bool all_created)
{
    struct batch *batch = call->state;
    if (batch->answer.overflow)
        return call_too_large(call);
    return call_answer_text(call, all_created ? 201 : 207, negotiation_lines, text_bytes(&batch->answer));
}

static enum store_status line_store_status(const struct batch_line *line)
{
    bool no_space = line->status == STORE_OK && line->job.op.result == STORE_NO_SPACE;
    return no_space ? STORE_FULL : line->status;
}

/* False: call->failure says why the line is no event. */
static bool line_became_event(struct call *call, const struct batch_line *line)
{
    enum store_status status = line_store_status(line);
    if (status != STORE_OK)
        return call_fail_store(call, status);
    switch (line->job.op.result) {
    case STORE_DONE:
        atomic_fetch_add_explicit(&call->api->events_accepted, 1, memory_order_relaxed);
        return true;
    case STORE_REPLAYED:
        atomic_fetch_add_explicit(&call->api->events_replayed, 1, memory_order_relaxed);
        return true;
    case STORE_CONFLICT:
        if (event_draft_is_named_by_id(&line->job.op))
            return event_draft_fail_id(call);
        return call_fail(call, API_IDEMPOTENCY_CONFLICT,
                         line->batch->key.len ? SOURCE_HEADER : SOURCE_POINTER,
                         line->batch->key.len ? "Idempotency-Key" : "/meta/idempotency_key",
                         "This key was used for another event. Use a new key for each event.");
    case STORE_QUOTA:
        return call_fail_quota(call, line->job.op.event.event.owner_id, &line->job.op.reached);
    default:
        return call_not_found(call, "user");
    }
}

/* With more in its meta, if the write has told more. */
static struct bytes tail_of(struct call *call, const struct batch_line *line)
{
    static const char opening[] = ",\"meta\":{";
    size_t len = strlen(opening);
    const char *meta = event_draft_goes_nowhere(call, &line->job.op), *tail = NULL;
    if (meta)
        tail = arena_printf(&call->scratch, "%s%s,%.*s", opening, meta, (int)(line->tail.len - len),
                            line->tail.data + len);
    return tail ? bytes_of(tail) : line->tail;
}

/* Nothing was written, and that was our fault alone: then the whole request failed, with Retry-After. */
static bool all_failed_alike(const struct batch *batch, enum store_status *status)
{
    *status = line_store_status(&batch->lines[0]);
    for (int i = 0; i < batch->line_count; i++)
        if (!batch->lines[i].sent || line_store_status(&batch->lines[i]) != *status)
            return false;
    return *status != STORE_OK;
}

static bool finish(struct call *call)
{
    struct batch *batch = call->state;
    enum store_status status;
    bool as_expected = batch->job_count == batch->line_count;
    if (all_failed_alike(batch, &status))
        return call_fail_store(call, status);
    for (int i = 0; i < batch->line_count; i++) {
        struct batch_line *line = &batch->lines[i];
        if (line->sent && !line_became_event(call, line))
            keep_errors(call, line, &call->scratch);
        as_expected =
            as_expected && line->sent && line->job.op.result == STORE_DONE && line->job.op.count > 0;
    }
    if (as_expected) { /* the answer made before the write holds */
        for (int i = 0; i < 2 * batch->line_count; i++)
            ids_put(batch->lines[i / 2].job.op.id, batch->answer.data + batch->lines[i / 2].id_places[i % 2]);
        return answer_lines(call, true);
    }
    if (batch->retry_after_s)
        call_header(call, "Retry-After", bytes_of(call_printf(call, "%d", batch->retry_after_s)));
    bool all_created = true, all_replayed = true;
    text_init(&batch->answer, &call->scratch, CALL_ANSWER_LEN_MAX);
    for (int i = 0; i < batch->line_count; i++) {
        struct batch_line *line = &batch->lines[i];
        all_created = all_created && line->sent;
        all_replayed = all_replayed && line->sent && line->job.op.result == STORE_REPLAYED;
        if (line->sent)
            put_created(&batch->answer, line, line->job.op.id, tail_of(call, line));
        else
            text_put(&batch->answer, line->errors);
    }
    if (all_replayed)
        idempotency_key_replayed(call, NULL);
    return answer_lines(call, all_created);
}

static void line_written(struct queue_job *job, enum store_status status)
{
    struct batch_line *line = job->ctx;
    struct batch *batch = line->batch;
    line->status = status;
    if (--batch->waiting > 0)
        return;
    call_note_store(batch->call, status);
    if (!finish(batch->call))
        call_answer_failure(batch->call);
}

static bool submit(struct call *call, struct batch *batch)
{
    bool ready = true;
    text_init(&batch->answer, &call->request->arena, CALL_ANSWER_LEN_MAX);
    batch->waiting = batch->job_count;
    for (int i = 0; i < batch->line_count && ready; i++) {
        struct batch_line *line = &batch->lines[i];
        if (!line->sent)
            continue;
        line->job.op.kind = STORE_EVENT;
        line->job.done = line_written;
        ready = event_draft_render(call, &call->scratch, &line->draft, &line->job.op);
        put_created(&batch->answer, line, 0, line->tail);
    }
    ready = ready && (!batch->answer.overflow || call_too_large(call)); /* while nothing is written yet */
    return ready && (queue_submit_many(call->api->config.queue, batch->first_job) || call_fail_busy(call));
}

bool events_create_batch(struct call *call)
{
    struct batch *batch = call_state(call, sizeof *batch);
    if (!batch)
        return false;
    batch->call = call;
    if (!check_headers(call, batch) || !make_room(call, batch))
        return false;
    char *at = call->request->body, *end = at + call->request->body_len;
    struct bytes line;
    arena_init(&batch->tree, TREE_LEN_MAX);
    for (int number = 1; next_line(&at, end, &line); number++)
        if (line.len)
            take_line(call, batch, line, number);
    arena_fini(&batch->tree);
    call->line = 0;
    call->warning_count = 0;
    return batch->job_count ? submit(call, batch) : finish(call);
}
