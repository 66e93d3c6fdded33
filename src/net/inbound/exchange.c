#include "budget.h"
#include "grammar.h"
#include "instant.h"
#include "listener_parts.h"
#include "memory.h"
#include <assert.h>
#include <stdlib.h>

enum {
    FREE_CALLS_MAX = 256,
    ARENA_KEPT_MAX = 64 * 1024, /* a call that needed more gives its memory back */
    HEAD_KEPT_MAX = 4 * 1024,
    HEAD_FIRST = 1024,
    CHUNKS_FIRST = 4096,
    LINE_ROOM = 128 /* the status line, and the headers that are ours to write */
};

struct call *call_take(struct listener_loop *loop)
{
    struct call *call = loop->free_calls;
    if (call) {
        loop->free_calls = call->next;
        loop->free_count--;
    } else {
        call = memory_alloc(sizeof *call);
        arena_init(&call->request.arena, loop->listener->config.arena_len_max);
        call->head = NULL;
        call->head_cap = 0;
    }
    struct listener_request *request = &call->request;
    request->method = request->target = request->path = request->query = bytes_of("");
    request->header_count = 0;
    request->body = call->no_body;
    request->body_len = 0;
    request->peer[0] = '\0';
    request->user = NULL;
    call->no_body[0] = '\0';
    call->loop = loop;
    call->visitor = NULL;
    call->next = NULL;
    call->head_len = call->body_cap = call->counted_len = 0;
    call->scan = (struct head_scan){0};
    call->facts = (struct head_facts){0};
    call->body_owned = call->close = call->cut_short = call->counted = false;
    chunked_init(&call->chunked);
    call->spare_head = call->spare_body = NULL;
    call->reply_head = call->reply_body = (struct bytes){0};
    atomic_init(&call->phase, CALL_READING);
    return call;
}

static void call_free(struct call *call)
{
    arena_fini(&call->request.arena);
    free(call->head);
    free(call);
}

void call_give(struct call *call)
{
    struct listener_loop *loop = call->loop;
    if (call->counted_len > 0)
        budget_give(loop->listener->config.budget, BUDGET_IN, call->counted_len);
    call->counted_len = 0;
    free(call->spare_head);
    free(call->spare_body);
    if (call->body_owned)
        free(call->request.body);
    if (loop->free_count == FREE_CALLS_MAX) {
        call_free(call);
        return;
    }
    if (call->request.arena.used > ARENA_KEPT_MAX) {
        arena_fini(&call->request.arena);
        arena_init(&call->request.arena, loop->listener->config.arena_len_max);
    } else {
        arena_reset(&call->request.arena);
    }
    if (call->head_cap > HEAD_KEPT_MAX) {
        free(call->head);
        call->head = NULL;
        call->head_cap = 0;
    }
    call->next = loop->free_calls;
    loop->free_calls = call;
    loop->free_count++;
}

void call_forget_free(struct listener_loop *loop)
{
    while (loop->free_calls) {
        struct call *call = loop->free_calls;
        loop->free_calls = call->next;
        call_free(call);
    }
}

/* ---- the request ---- */

void call_append_head(struct call *call, struct bytes piece)
{
    size_t needed = call->head_len + piece.len;
    if (needed > call->head_cap) {
        call->head_cap = needed > HEAD_FIRST ? 2 * needed : HEAD_FIRST;
        call->head = memory_grow(call->head, call->head_cap);
    }
    memcpy(call->head + call->head_len, piece.data, piece.len);
    call->head_len = needed;
}

bool call_make_room(struct call *call, size_t len)
{
    char *body = arena_alloc(&call->request.arena, len + 1);
    if (!body)
        return false;
    call->request.body = body;
    call->body_cap = len;
    body[0] = '\0';
    return true;
}

size_t call_held(const struct call *call)
{
    return call->request.arena.used + (call->body_owned ? call->body_cap : 0) +
           (call->spare_body ? call->reply_body.len : 0);
}

bool call_append(struct call *call, struct bytes content)
{
    struct listener_request *request = &call->request;
    size_t max = call->loop->listener->config.body_len_max, needed = request->body_len + content.len;
    if (needed > max)
        return false;
    if (needed > call->body_cap) {
        size_t cap = call->body_cap ? call->body_cap : CHUNKS_FIRST;
        while (cap < needed)
            cap *= 2;
        call->body_cap = cap < max ? cap : max;
        request->body = memory_grow(call->body_owned ? request->body : NULL, call->body_cap + 1);
        call->body_owned = true;
    }
    if (content.len > 0)
        memcpy(request->body + request->body_len, content.data, content.len);
    request->body_len = needed;
    request->body[needed] = '\0';
    return true;
}

struct bytes listener_header(const struct listener_request *request, const char *name, int *count)
{
    struct bytes first = {NULL, 0};
    size_t name_len = strlen(name);
    int found = 0;
    for (int i = 0; i < request->header_count; i++)
        if (request->headers[i].name.len == name_len && bytes_equal_nocase(request->headers[i].name, name) &&
            found++ == 0)
            first = request->headers[i].value;
    if (count)
        *count = found;
    return first;
}

/* ---- the answer ---- */

static const char *reason_phrase(int status)
{
    static const struct {
        int status;
        const char *phrase;
    } reasons[] = {{200, "OK"},
                   {201, "Created"},
                   {202, "Accepted"},
                   {204, "No Content"},
                   {207, "Multi-Status"},
                   {304, "Not Modified"},
                   {400, "Bad Request"},
                   {401, "Unauthorized"},
                   {403, "Forbidden"},
                   {404, "Not Found"},
                   {405, "Method Not Allowed"},
                   {406, "Not Acceptable"},
                   {408, "Request Timeout"},
                   {409, "Conflict"},
                   {412, "Precondition Failed"},
                   {413, "Content Too Large"},
                   {414, "URI Too Long"},
                   {415, "Unsupported Media Type"},
                   {422, "Unprocessable Content"},
                   {429, "Too Many Requests"},
                   {431, "Request Header Fields Too Large"},
                   {500, "Internal Server Error"},
                   {501, "Not Implemented"},
                   {503, "Service Unavailable"},
                   {505, "HTTP Version Not Supported"},
                   {507, "Insufficient Storage"}};
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (reasons[i].status == status)
            return reasons[i].phrase;
    return ""; /* RFC 9112 section 4: it may be empty */
}

static void put(struct bytes *out, struct bytes piece)
{
    if (piece.len > 0)
        memcpy((char *)out->data + out->len, piece.data, piece.len);
    out->len += piece.len;
}

/* A header the application made from a stranger's bytes must not become two. */
static bool header_is_sound(struct call *call, const struct listener_header *header)
{
    bool sound = grammar_is_token_text(header->name) && grammar_is_value(header->value);
    if (!sound)
        log_write(call->loop->listener->config.log, LOG_LEVEL_WARN, "listener",
                  "left out a malformed header");
    return sound;
}

/* RFC 9110 section 8.6: none with 204; with 304 it would speak of another body. Nor do these have one. */
static bool has_length(int status)
{
    return status != 204 && status != 304;
}

static void put_number(struct bytes *out, int64_t number)
{
    char digits[BYTES_INT64_LEN_MAX];
    put(out, bytes_from_int64(number, digits));
}

static void render_head(struct call *call, const struct listener_reply *reply, char *memory, size_t room)
{
    struct bytes out = {memory, 0};
    put(&out, bytes_of("HTTP/1.1 "));
    put_number(&out, reply->status);
    put(&out, bytes_of(" "));
    put(&out, bytes_of(reason_phrase(reply->status)));
    put(&out, bytes_of("\r\n"));
    if (has_length(reply->status)) {
        put(&out, bytes_of("Content-Length: "));
        put_number(&out, (int64_t)reply->body.len);
        put(&out, bytes_of("\r\n"));
    }
    if (call->close)
        put(&out, bytes_of("Connection: close\r\n"));
    else if (call->facts.http_1_0)
        put(&out, bytes_of("Connection: keep-alive\r\n"));
    for (int i = 0; i < reply->header_count; i++) {
        if (!header_is_sound(call, &reply->headers[i]))
            continue;
        put(&out, reply->headers[i].name);
        put(&out, bytes_of(": "));
        put(&out, reply->headers[i].value);
        put(&out, bytes_of("\r\n"));
    }
    put(&out, bytes_of("Date: "));
    call->date_at = out.len;
    out.len += LISTENER_DATE_LEN;
    put(&out, bytes_of("\r\n\r\n"));
    assert(out.len <= room);
    call->reply_head = out;
}

static void take_body(struct call *call, const struct listener_reply *reply)
{
    struct bytes body = reply->body;
    bool silent = bytes_equal_text(call->request.method, "HEAD") || !has_length(reply->status);
    call->reply_body = silent ? (struct bytes){0} : body;
    if (silent || body.len == 0 || reply->body_stays || arena_owns(&call->request.arena, body.data))
        return;
    call->reply_body = arena_copy(&call->request.arena, body);
    if (call->reply_body.data)
        return;
    call->spare_body = memory_alloc(body.len);
    memcpy(call->spare_body, body.data, body.len);
    call->reply_body = bytes_make(call->spare_body, body.len);
}

void call_render(struct call *call, const struct listener_reply *reply)
{
    size_t room = (size_t)4 * LINE_ROOM;
    for (int i = 0; i < reply->header_count; i++)
        room += reply->headers[i].name.len + reply->headers[i].value.len + (sizeof ": \r\n" - 1);
    char *memory = arena_alloc(&call->request.arena, room);
    if (!memory)
        memory = call->spare_head = memory_alloc(room);
    call->close = reply->close || call->cut_short || !call->facts.keep_alive ||
                  atomic_load_explicit(&call->loop->listener->quiescing, memory_order_relaxed);
    render_head(call, reply, memory, room);
    take_body(call, reply);
}
