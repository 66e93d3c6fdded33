#include "exchange.h"
#include "budget.h"
#include "grammar.h"
#include "instant.h"
#include "memory.h"
#include <assert.h>
#include <stdlib.h>

enum {
    FREE_CALLS_MAX = 256,
    ARENA_KEPT_MAX = 64 * 1024, /* an exchange that needed more frees its memory */
    HEAD_KEPT_MAX = 4 * 1024,
    HEAD_FIRST = 1024,
    CHUNKS_FIRST = 4096,
    LINE_ROOM = 128 /* the status line and our own headers */
};

struct exchange *exchange_take(struct listener_loop *loop)
{
    struct exchange *exchange = loop->free_exchanges;
    if (exchange) {
        loop->free_exchanges = exchange->next;
        loop->free_count--;
    } else {
        exchange = memory_alloc(sizeof *exchange);
        arena_init(&exchange->request.arena, loop->listener->config.arena_len_max);
        exchange->head = NULL;
        exchange->head_cap = 0;
    }
    struct listener_request *request = &exchange->request;
    request->method = request->target = request->path = request->query = bytes_of("");
    request->header_count = 0;
    request->body = exchange->no_body;
    request->body_len = 0;
    request->peer[0] = '\0';
    request->user = NULL;
    exchange->no_body[0] = '\0';
    exchange->loop = loop;
    exchange->client = NULL;
    exchange->next = NULL;
    exchange->head_len = exchange->body_cap = exchange->counted_len = 0;
    exchange->scan = (struct head_scan){0};
    exchange->facts = (struct head_facts){0};
    exchange->body_owned = exchange->close = exchange->cut_short = exchange->counted = false;
    chunked_init(&exchange->chunked);
    exchange->spare_head = exchange->spare_body = NULL;
    exchange->reply_head = exchange->reply_body = (struct bytes){0};
    atomic_init(&exchange->phase, EXCHANGE_READING);
    return exchange;
}

static void exchange_free(struct exchange *exchange)
{
    arena_fini(&exchange->request.arena);
    free(exchange->head);
    free(exchange);
}

void exchange_give(struct exchange *exchange)
{
    struct listener_loop *loop = exchange->loop;
    if (exchange->counted_len > 0)
        budget_give(loop->listener->config.budget, BUDGET_IN, exchange->counted_len);
    exchange->counted_len = 0;
    free(exchange->spare_head);
    free(exchange->spare_body);
    listener_forget_body(&exchange->request);
    if (loop->free_count == FREE_CALLS_MAX) {
        exchange_free(exchange);
        return;
    }
    if (exchange->request.arena.used > ARENA_KEPT_MAX) {
        arena_fini(&exchange->request.arena);
        arena_init(&exchange->request.arena, loop->listener->config.arena_len_max);
    } else {
        arena_reset(&exchange->request.arena);
    }
    if (exchange->head_cap > HEAD_KEPT_MAX) {
        free(exchange->head);
        exchange->head = NULL;
        exchange->head_cap = 0;
    }
    exchange->next = loop->free_exchanges;
    loop->free_exchanges = exchange;
    loop->free_count++;
}

void exchange_forget_free(struct listener_loop *loop)
{
    while (loop->free_exchanges) {
        struct exchange *exchange = loop->free_exchanges;
        loop->free_exchanges = exchange->next;
        exchange_free(exchange);
    }
}

/* ---- the request ---- */

void exchange_append_head(struct exchange *exchange, struct bytes piece)
{
    size_t needed = exchange->head_len + piece.len;
    if (needed > exchange->head_cap) {
        exchange->head_cap = needed > HEAD_FIRST ? 2 * needed : HEAD_FIRST;
        exchange->head = memory_grow(exchange->head, exchange->head_cap);
    }
    memcpy(exchange->head + exchange->head_len, piece.data, piece.len);
    exchange->head_len = needed;
}

bool exchange_make_room(struct exchange *exchange, size_t len)
{
    bool own = len > ARENA_KEPT_MAX;
    char *body = own ? memory_alloc(len + 1) : arena_alloc(&exchange->request.arena, len + 1);
    if (!body)
        return false;
    exchange->body_owned = own;
    exchange->request.body = body;
    exchange->body_cap = len;
    body[0] = '\0';
    return true;
}

void listener_forget_body(struct listener_request *request)
{
    struct exchange *exchange = (struct exchange *)request;
    if (exchange->body_owned)
        free(request->body);
    exchange->body_owned = false;
    request->body = exchange->no_body;
    request->body_len = exchange->body_cap = 0;
}

size_t exchange_held(const struct exchange *exchange)
{
    return exchange->request.arena.used + (exchange->body_owned ? exchange->body_cap : 0) +
           (exchange->spare_body ? exchange->reply_body.len : 0);
}

bool exchange_append(struct exchange *exchange, struct bytes content)
{
    struct listener_request *request = &exchange->request;
    size_t max = exchange->loop->listener->config.body_len_max, needed = request->body_len + content.len;
    if (needed > max)
        return false;
    if (needed > exchange->body_cap) {
        size_t cap = exchange->body_cap ? exchange->body_cap : CHUNKS_FIRST;
        while (cap < needed)
            cap *= 2;
        exchange->body_cap = cap < max ? cap : max;
        request->body = memory_grow(exchange->body_owned ? request->body : NULL, exchange->body_cap + 1);
        exchange->body_owned = true;
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

/* A header value that the application made from a client's bytes must not become two headers. */
static bool header_is_sound(struct exchange *exchange, const struct header *header)
{
    bool sound = grammar_is_token_text(header->name) && grammar_is_value(header->value);
    if (!sound)
        log_write(exchange->loop->listener->config.log, LOG_LEVEL_WARN, "listener",
                  "left out a malformed header");
    return sound;
}

/* RFC 9110 section 8.6: no Content-Length with 204, and with 304 it would be that of another body. Neither
 * has a body. */
static bool has_length(int status)
{
    return status != 204 && status != 304;
}

static void put_number(struct bytes *out, int64_t number)
{
    char digits[BYTES_INT64_LEN_MAX];
    put(out, bytes_from_int64(number, digits));
}

static void render_head(struct exchange *exchange, const struct listener_reply *reply, char *memory,
                        size_t room)
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
    if (exchange->close)
        put(&out, bytes_of("Connection: close\r\n"));
    else if (exchange->facts.http_1_0)
        put(&out, bytes_of("Connection: keep-alive\r\n"));
    for (int i = 0; i < reply->header_count; i++) {
        if (!header_is_sound(exchange, &reply->headers[i]))
            continue;
        put(&out, reply->headers[i].name);
        put(&out, bytes_of(": "));
        put(&out, reply->headers[i].value);
        put(&out, bytes_of("\r\n"));
    }
    put(&out, bytes_of("Date: "));
    exchange->date_at = out.len;
    out.len += LISTENER_DATE_LEN;
    put(&out, bytes_of("\r\n\r\n"));
    assert(out.len <= room);
    exchange->reply_head = out;
}

static void take_body(struct exchange *exchange, const struct listener_reply *reply)
{
    struct bytes body = reply->body;
    bool silent = bytes_equal_text(exchange->request.method, "HEAD") || !has_length(reply->status);
    exchange->reply_body = silent ? (struct bytes){0} : body;
    if (silent || body.len == 0 || reply->body_stays || arena_owns(&exchange->request.arena, body.data))
        return;
    exchange->reply_body = arena_copy(&exchange->request.arena, body);
    if (exchange->reply_body.data)
        return;
    exchange->spare_body = memory_alloc(body.len);
    memcpy(exchange->spare_body, body.data, body.len);
    exchange->reply_body = bytes_make(exchange->spare_body, body.len);
}

void exchange_render(struct exchange *exchange, const struct listener_reply *reply)
{
    size_t room = (size_t)4 * LINE_ROOM;
    for (int i = 0; i < reply->header_count; i++)
        room += reply->headers[i].name.len + reply->headers[i].value.len + (sizeof ": \r\n" - 1);
    char *memory = arena_alloc(&exchange->request.arena, room);
    if (!memory)
        memory = exchange->spare_head = memory_alloc(room);
    exchange->close = reply->close || exchange->cut_short || !exchange->facts.keep_alive ||
                      atomic_load_explicit(&exchange->loop->listener->quiescing, memory_order_relaxed);
    render_head(exchange, reply, memory, room);
    take_body(exchange, reply);
}

void exchange_write_date(struct exchange *exchange)
{
    struct listener_loop *loop = exchange->loop;
    int64_t now_s = clock_wall_ms(&loop->listener->config.clock) / 1000;
    if (now_s != loop->date_s) {
        loop->date_s = now_s;
        instant_format_http(now_s * 1000, loop->date);
    }
    memcpy((char *)exchange->reply_head.data + exchange->date_at, loop->date, LISTENER_DATE_LEN);
}
