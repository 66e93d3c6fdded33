/*
 * The way of a request through libmicrohttpd, each step on the connection's epoll thread:
 *
 *   on_line       the request line: a call is taken from the free list, the raw target kept
 *   on_request    first time: the head is complete (take_head); then once per piece of the body
 *                 (take_piece); then the body is complete (hand_over); then, resumed, the answer
 * (send_answer) on_completed  the answer is out or the connection is gone: the call goes back
 *
 * An answer given inside `handle` is sent at once. Otherwise the connection is suspended until
 * listener_answer, on whatever thread, resumes it. `phase` decides the race between the two.
 */
#include "listener_parts.h"
#include "memory.h"
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    /* libmicrohttpd keeps head, header records and the answer's head in a fixed pool a connection, and clears
     * all of it after each request; so it is as small as the limits of listener_parts.h allow. */
    POOL_LEN = 48 * 1024,
    FREE_CALLS_MAX = 256,
    ARENA_KEPT_MAX = 64 * 1024, /* a call that needed more gives its memory back */
    CHUNKS_FIRST = 4096,
    CLOSE_WAIT_MS_MAX = 5000 /* for clients that read their last answer slowly */
};

/* ---- calls ---- */

struct call *listener_call_take(struct listener *listener)
{
    pthread_mutex_lock(&listener->free_lock);
    struct call *call = listener->free_calls;
    if (call) {
        listener->free_calls = call->next_free;
        listener->free_count--;
    }
    pthread_mutex_unlock(&listener->free_lock);
    if (!call) {
        call = memory_alloc(sizeof *call);
        arena_init(&call->request.arena, listener->config.arena_len_max);
    }
    struct listener_request *request = &call->request;
    request->method = request->target = request->path = request->query = bytes_of("");
    request->header_count = 0;
    request->body = call->no_body;
    request->body_len = 0;
    request->peer[0] = '\0';
    request->user = NULL;
    call->no_body[0] = '\0';
    call->listener = listener;
    call->connection = NULL;
    call->mhd = NULL;
    atomic_init(&call->phase, CALL_READING);
    call->response = NULL;
    call->head_taken = call->line_too_long = call->headers_too_many = false;
    call->chunks = NULL;
    call->body_cap = 0;
    call->handed_over = call->lingering = false;
    call->lingered = 0;
    return call;
}

void listener_call_give(struct listener *listener, struct call *call)
{
    if (call->response)
        MHD_destroy_response(call->response);
    free(call->chunks);
    if (call->request.arena.used > ARENA_KEPT_MAX) {
        arena_fini(&call->request.arena);
        arena_init(&call->request.arena, listener->config.arena_len_max);
    } else {
        arena_reset(&call->request.arena);
    }
    pthread_mutex_lock(&listener->free_lock);
    bool kept = listener->free_count < FREE_CALLS_MAX;
    if (kept) {
        call->next_free = listener->free_calls;
        listener->free_calls = call;
        listener->free_count++;
    }
    pthread_mutex_unlock(&listener->free_lock);
    if (!kept) {
        arena_fini(&call->request.arena);
        free(call);
    }
}

struct bytes listener_header(const struct listener_request *request, const char *name, int *count)
{
    struct bytes first = {NULL, 0};
    int found = 0;
    for (int i = 0; i < request->header_count; i++)
        if (bytes_equal_nocase(request->headers[i].name, name) && found++ == 0)
            first = request->headers[i].value;
    if (count)
        *count = found;
    return first;
}

/* ---- answers ---- */

static void add_header(struct call *call, struct MHD_Response *response, struct bytes name,
                       struct bytes value)
{
    char small[512];
    char *text = small;
    if (name.len + value.len + 2 > sizeof small)
        text = memory_alloc(name.len + value.len + 2);
    memcpy(text, name.data, name.len);
    text[name.len] = '\0';
    memcpy(text + name.len + 1, value.data, value.len);
    text[name.len + 1 + value.len] = '\0';
    /* Refused when there is a line break in it: a header the application made from a stranger's bytes. */
    if (MHD_add_response_header(response, text, text + name.len + 1) == MHD_NO)
        log_write(call->listener->config.log, LOG_LEVEL_WARN, "listener", "left out a malformed header");
    if (text != small)
        free(text);
}

static struct MHD_Response *make_response(struct call *call, const struct listener_reply *reply)
{
    struct bytes body = reply->body;
    enum MHD_ResponseMemoryMode mode = MHD_RESPMEM_PERSISTENT;
    if (body.len > 0 && !arena_owns(&call->request.arena, body.data)) {
        struct bytes copy = arena_copy(&call->request.arena, body);
        if (copy.data)
            body = copy;
        else
            mode = MHD_RESPMEM_MUST_COPY;
    }
    struct MHD_Response *response = MHD_create_response_from_buffer(body.len, (void *)body.data, mode);
    if (!response)
        memory_exhausted();
    if (reply->close || atomic_load_explicit(&call->listener->quiescing, memory_order_relaxed))
        MHD_add_response_header(response, "Connection", "close");
    for (int i = 0; i < reply->header_count; i++)
        add_header(call, response, reply->headers[i].name, reply->headers[i].value);
    return response;
}

static enum MHD_Result send_answer(struct call *call)
{
    connection_enter(call->connection, CONNECTION_REPLY);
    enum MHD_Result result = MHD_queue_response(call->mhd, (unsigned)call->status, call->response);
    MHD_destroy_response(call->response);
    call->response = NULL;
    return result;
}

void listener_answer(struct listener_request *request, const struct listener_reply *reply)
{
    struct call *call = (struct call *)request;
    struct listener *listener = call->listener;
    struct MHD_Connection *mhd = call->mhd;
    assert(reply->status >= 200 && reply->status <= 599);
    assert(!call->response);
    call->response = make_response(call, reply);
    call->status = reply->status;
    int phase = atomic_exchange(&call->phase, CALL_ANSWERED);
    /* From here on the call may be gone, unless it was suspended: then it waits for the resume. */
    assert(phase == CALL_HANDLING || phase == CALL_SUSPENDED);
    if (phase == CALL_SUSPENDED)
        MHD_resume_connection(mhd);
    atomic_fetch_sub(&listener->in_hand, 1);
}

static void refusal(struct call *call, int status, struct listener_reply *reply)
{
    const struct listener_config *config = &call->listener->config;
    *reply = (struct listener_reply){.status = status};
    if (config->on_refused)
        config->on_refused(config->ctx, &call->request, status, reply);
    reply->close = true;
}

static enum MHD_Result refuse(struct call *call, int status)
{
    struct listener_reply reply;
    refusal(call, status, &reply);
    call->response = make_response(call, &reply);
    call->status = reply.status;
    return send_answer(call);
}

void listener_refuse_raw(struct listener *listener, struct call *call, int fd, int status)
{
    if (listener->config.tls_cert_file)
        return;
    struct listener_reply reply;
    refusal(call, status, &reply);
    char head[2048];
    int len = snprintf(head, sizeof head, "HTTP/1.1 %d %s\r\nConnection: close\r\nContent-Length: %zu\r\n",
                       reply.status, MHD_get_reason_phrase_for((unsigned)reply.status), reply.body.len);
    for (int i = 0; i < reply.header_count && len < (int)sizeof head; i++)
        len += snprintf(head + len, sizeof head - (size_t)len, "%.*s: %.*s\r\n",
                        BYTES_ARG(reply.headers[i].name), BYTES_ARG(reply.headers[i].value));
    if (len + 2 >= (int)sizeof head)
        return;
    memcpy(head + len, "\r\n", 2);
    struct iovec parts[2] = {{head, (size_t)len + 2}, {(void *)reply.body.data, reply.body.len}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    /* One try: a client whose window is shut will not read a refusal either. */
    if (sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
        shutdown(fd, SHUT_WR);
}

/* ---- the head ---- */

static void *on_line(void *ctx, const char *target, struct MHD_Connection *mhd)
{
    struct listener *listener = ctx;
    struct call *call = listener_call_take(listener);
    call->mhd = mhd;
    call->connection = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    connection_enter(call->connection, CONNECTION_HEAD);
    memcpy(call->request.peer, call->connection->peer, sizeof call->request.peer);
    size_t len = strlen(target);
    call->line_too_long = len > LISTENER_LINE_LEN_MAX;
    /* A copy, because libmicrohttpd cuts its own to pieces at & and =. */
    if (!call->line_too_long)
        call->request.target = arena_copy(&call->request.arena, bytes_make(target, len));
    return call;
}

/*
 * libmicrohttpd reads header lines as C strings and is lenient: it takes bare LF, joins folded lines (to the
 * name!) and stops at a NUL. Each of these leaves a gap in its buffer, where the lines otherwise lie end
 * to end; so a head is sound only if names and values tile it exactly.
 */
static enum MHD_Result take_header(void *ctx, enum MHD_ValueKind kind, const char *name, size_t name_len,
                                   const char *value, size_t value_len)
{
    struct call *call = ctx;
    struct listener_request *request = &call->request;
    const char *end = value + value_len;
    if (name != call->head_cursor || value <= name + name_len || end[0] != '\0' || end[1] != '\0')
        return MHD_NO; /* and the cursor stays short of the end */
    call->head_cursor = end + 2;
    if (request->header_count == LISTENER_HEADERS_MAX) {
        call->headers_too_many = true;
        return MHD_NO;
    }
    struct listener_header *header = &request->headers[request->header_count++];
    header->name = bytes_make(name, name_len);
    header->value = bytes_trim(bytes_make(value, value_len));
    return MHD_YES;
}

static int read_head(struct call *call, const char *method, const char *version)
{
    struct listener_request *request = &call->request;
    request->method = bytes_of(method);
    size_t line_len = (size_t)(version - method) + strlen(version);
    if (call->line_too_long || line_len > LISTENER_LINE_LEN_MAX)
        return 414;
    if (!request->target.data)
        return 431;
    /* One space each, no NUL in between. */
    if (version != method + request->method.len + 1 + request->target.len + 1 || version[9] != '\0')
        return 400;
    size_t head_len =
        MHD_get_connection_info(call->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE)->header_size;
    if (head_len - line_len > LISTENER_HEAD_LEN_MAX)
        return 431;
    call->head_cursor = version + 10;
    MHD_get_connection_values_n(call->mhd, MHD_HEADER_KIND, take_header, call);
    if (call->headers_too_many)
        return 431;
    if (call->head_cursor + 2 != method + head_len)
        return 400;
    int status = framing_target(request->method, request->target, &request->path, &request->query);
    return status ? status : framing_headers(request, strcmp(version, "HTTP/1.0") == 0, &call->framing);
}

static int make_room(struct call *call)
{
    const struct listener_config *config = &call->listener->config;
    if (call->framing.length > (int64_t)config->body_len_max)
        return 413;
    if (call->framing.length <= 0)
        return 0;
    call->body_cap = (size_t)call->framing.length;
    call->request.body = arena_alloc(&call->request.arena, call->body_cap + 1);
    if (!call->request.body)
        return 413;
    call->request.body[0] = '\0';
    return 0;
}

static enum MHD_Result take_head(struct call *call, const char *method, const char *version)
{
    const struct listener_config *config = &call->listener->config;
    call->head_taken = true;
    connection_enter(call->connection, CONNECTION_BODY);
    int status = read_head(call, method, version);
    if (status == 0 && config->tls_client_ca_file && !call->connection->trusted) {
        call->connection->trusted = listener_tls_client_trusted(call->mhd);
        status = call->connection->trusted ? 0 : 403;
    }
    if (status == 0 && atomic_load_explicit(&call->listener->quiescing, memory_order_relaxed))
        status = 503;
    if (status == 0)
        status = make_room(call);
    if (status == 0 && config->accept_head)
        status = config->accept_head(config->ctx, &call->request);
    return status ? refuse(call, status) : MHD_YES;
}

/* ---- the body ---- */

static bool grow_chunks(struct call *call, size_t needed)
{
    size_t max = call->listener->config.body_len_max;
    if (needed > max)
        return false;
    if (needed <= call->body_cap)
        return true;
    size_t cap = call->body_cap ? call->body_cap : CHUNKS_FIRST;
    while (cap < needed)
        cap *= 2;
    call->body_cap = cap < max ? cap : max;
    call->chunks = memory_grow(call->chunks, call->body_cap + 1);
    call->request.body = call->chunks;
    return true;
}

static enum MHD_Result take_piece(struct call *call, const char *piece, size_t *len)
{
    struct listener_request *request = &call->request;
    size_t piece_len = *len;
    *len = 0;
    if (call->lingering) {
        call->lingered += piece_len;
        return call->lingered <= LISTENER_LINGER_LEN_MAX ? MHD_YES : MHD_NO;
    }
    if (call->framing.chunked && !grow_chunks(call, request->body_len + piece_len)) {
        /* libmicrohttpd has no answer in the middle of a body, and closing on unread bytes could take ours
         * off the wire: so write it by hand and swallow for a while. */
        listener_refuse_raw(call->listener, call, call->connection->fd, 413);
        call->lingering = true;
        return MHD_YES;
    }
    assert(request->body_len + piece_len <= call->body_cap);
    memcpy(request->body + request->body_len, piece, piece_len);
    request->body_len += piece_len;
    request->body[request->body_len] = '\0';
    return MHD_YES;
}

static enum MHD_Result hand_over(struct call *call)
{
    struct listener *listener = call->listener;
    if (call->lingering)
        return MHD_NO;
    connection_enter(call->connection, CONNECTION_HANDLED);
    call->handed_over = true;
    atomic_fetch_add(&listener->in_hand, 1);
    atomic_fetch_add(&listener->replying, 1);
    atomic_store(&call->phase, CALL_HANDLING);
    listener->config.handle(listener->config.ctx, &call->request);
    if (atomic_load(&call->phase) == CALL_ANSWERED)
        return send_answer(call);
    MHD_suspend_connection(call->mhd);
    int expected = CALL_HANDLING;
    /* Answered between the load and the suspension: then nobody else resumes it. */
    if (!atomic_compare_exchange_strong(&call->phase, &expected, CALL_SUSPENDED))
        MHD_resume_connection(call->mhd);
    return MHD_YES;
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *mhd, const char *url, const char *method,
                                  const char *version, const char *piece, size_t *piece_len, void **context)
{
    struct call *call = *context;
    if (!call->head_taken)
        return take_head(call, method, version);
    if (*piece_len > 0)
        return take_piece(call, piece, piece_len);
    if (atomic_load(&call->phase) == CALL_ANSWERED)
        return send_answer(call);
    return hand_over(call);
}

static void on_completed(void *ctx, struct MHD_Connection *mhd, void **context,
                         enum MHD_RequestTerminationCode code)
{
    struct listener *listener = ctx;
    struct call *call = *context;
    if (!call)
        return;
    *context = NULL;
    connection_enter(call->connection, CONNECTION_IDLE);
    bool handed_over = call->handed_over;
    listener_call_give(listener, call);
    if (handed_over)
        atomic_fetch_sub(&listener->replying, 1);
}

/* ---- open and close ---- */

static size_t leave_escapes(void *ctx, struct MHD_Connection *mhd, char *text)
{
    return strlen(text);
}

static void on_message(void *ctx, const char *format, va_list arguments)
{
    struct listener *listener = ctx;
    char line[256];
    int len = vsnprintf(line, sizeof line, format, arguments);
    while (len > 0 && (len >= (int)sizeof line || line[len - 1] == '\n' || line[len - 1] == '\0'))
        len--;
    line[len > 0 ? len : 0] = '\0';
    log_write(listener->config.log, LOG_LEVEL_DEBUG, "listener", "%s", line);
}

static enum listener_error start_daemon(struct listener *listener)
{
    const struct listener_config *config = &listener->config;
    struct MHD_OptionItem options[6 + LISTENER_TLS_OPTIONS_MAX];
    struct listener_tls tls;
    if (!listener_tls_load(config, &tls))
        return LISTENER_TLS;
    int count = listener_tls_options(&tls, options);
    if (config->threads > 1)
        options[count++] = (struct MHD_OptionItem){MHD_OPTION_THREAD_POOL_SIZE, config->threads, NULL};
    options[count++] = (struct MHD_OptionItem){MHD_OPTION_LISTEN_SOCKET, listener->fd, NULL};
    /* Its limit is divided among the threads, however unevenly they accept; ours is in connections_notify. */
    options[count++] = (struct MHD_OptionItem){MHD_OPTION_CONNECTION_LIMIT,
                                               (config->connections_max + 64) * config->threads, NULL};
    options[count++] = (struct MHD_OptionItem){MHD_OPTION_CONNECTION_TIMEOUT, config->idle_seconds, NULL};
    options[count++] = (struct MHD_OptionItem){MHD_OPTION_CONNECTION_MEMORY_LIMIT, POOL_LEN, NULL};
    options[count] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
    listener->daemon =
        MHD_start_daemon(tls.cert ? flags | MHD_USE_TLS : flags, 0, NULL, NULL, on_request, listener,
                         MHD_OPTION_EXTERNAL_LOGGER, on_message, listener, MHD_OPTION_URI_LOG_CALLBACK,
                         on_line, listener, MHD_OPTION_UNESCAPE_CALLBACK, leave_escapes, NULL,
                         MHD_OPTION_NOTIFY_COMPLETED, on_completed, listener, MHD_OPTION_NOTIFY_CONNECTION,
                         connections_notify, listener, MHD_OPTION_ARRAY, options, MHD_OPTION_END);
    bool with_tls = tls.cert != NULL;
    listener_tls_forget(&tls);
    if (listener->daemon)
        return LISTENER_OK;
    return with_tls ? LISTENER_TLS : LISTENER_FAILED;
}

enum listener_error listener_open(const struct listener_config *config, struct listener **out)
{
    assert(config->handle && config->threads >= 1 && config->connections_max >= 1);
    struct listener *listener = memory_zero(1, sizeof *listener);
    listener->config = *config;
    enum listener_error error = listener_socket(config->listen, &listener->fd, listener->address);
    if (error != LISTENER_OK) {
        free(listener);
        return error;
    }
    pthread_mutex_init(&listener->free_lock, NULL);
    connections_start(listener);
    error = start_daemon(listener);
    if (error != LISTENER_OK) {
        listener_close(listener);
        return error;
    }
    *out = listener;
    return LISTENER_OK;
}

const char *listener_address(const struct listener *listener)
{
    return listener->address;
}

void listener_quiesce(struct listener *listener)
{
    if (!atomic_exchange(&listener->quiescing, true)) {
        MHD_quiesce_daemon(listener->daemon);
        close(listener->fd);
        listener->fd = -1;
    }
}

static void pause_ms(int ms)
{
    nanosleep(&(struct timespec){.tv_nsec = ms * 1000000L}, NULL);
}

void listener_close(struct listener *listener)
{
    if (listener->daemon) {
        listener_quiesce(listener);
        while (atomic_load(&listener->in_hand) > 0)
            pause_ms(1);
        for (int i = 0; i < CLOSE_WAIT_MS_MAX && atomic_load(&listener->replying) > 0; i++)
            pause_ms(1);
        MHD_stop_daemon(listener->daemon);
    } else {
        close(listener->fd);
    }
    connections_stop(listener);
    while (listener->free_calls) {
        struct call *call = listener->free_calls;
        listener->free_calls = call->next_free;
        arena_fini(&call->request.arena);
        free(call);
    }
    pthread_mutex_destroy(&listener->free_lock);
    free(listener);
}

const char *listener_error_sentence(enum listener_error error)
{
    switch (error) {
    case LISTENER_OK:
        return "listening";
    case LISTENER_BAD_ADDRESS:
        return "not an address of this machine; write host:port, for example 127.0.0.1:8080 or [::1]:8080";
    case LISTENER_IN_USE:
        return "the address is in use by another program; choose another port or stop that program";
    case LISTENER_DENIED:
        return "not permitted; ports below 1024 need the right to bind them";
    case LISTENER_TLS:
        return "the certificate, its key or the client authorities cannot be used; the log says why";
    case LISTENER_FAILED:
        break;
    }
    return "the HTTP server could not be started";
}
