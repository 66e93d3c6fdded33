/*
 * One connection of a client, on its loop's thread. Bytes come in (take), a request is put together and
 * handed to the application, and its answer goes out; one request at a time, what is sent meanwhile is held.
 * Each stage but the application's own has an absolute deadline: however little comes how often, it does not
 * move.
 */
#include "budget.h"
#include "listener_parts.h"
#include "memory.h"
#include "owner.h"
#include <arpa/inet.h>
#include <assert.h>
#include <stdlib.h>

enum { PLACED_FROM = 16 << 10, PLACED_LEN_MAX = 256 << 10, ROOM_WAITS_MAX = 64 };

static void stop_waiting(struct visitor *visitor)
{
    if (visitor->waits)
        LIST_REMOVE(visitor, waiting);
    visitor->waits = false;
}

static void enter(struct visitor *visitor, enum visitor_stage stage)
{
    visitor->stage = stage;
    stop_waiting(visitor);
    if (visitor->guest) {
        guests_move(visitor);
        visitor_weigh(visitor);
    }
    if (visitor->loop->limits[stage])
        deadline_set(&visitor->deadline, visitor->loop->limits[stage]);
    else
        deadline_lift(&visitor->deadline);
}

/* Frees it a little later: whoever called us may still look at it. */
static void leave(struct visitor *visitor)
{
    struct listener_loop *loop = visitor->loop;
    assert(visitor->stage == VISITOR_GONE && !visitor->call && !visitor->connection);
    visitor->next_gone = loop->gone;
    loop->gone = visitor;
}

void visitor_close(struct visitor *visitor)
{
    assert(visitor->stage != VISITOR_GONE);
    bool handled = visitor->stage == VISITOR_HANDLED, replying = visitor->stage == VISITOR_REPLY;
    enter(visitor, VISITOR_GONE);
    connection_close(visitor->connection);
    visitor->connection = NULL;
    LIST_REMOVE(visitor, entry);
    guests_go(&visitor->loop->guests, visitor);
    atomic_fetch_sub_explicit(&visitor->loop->visitors, 1, memory_order_relaxed);
    if (handled)
        return; /* the application has its call: visitor_answered ends it */
    if (visitor->call) {
        if (replying && visitor->call->counted)
            atomic_fetch_sub(&visitor->loop->listener->replying, 1);
        call_give(visitor->call);
        visitor->call = NULL;
    }
    leave(visitor);
}

/* ---- the answer ---- */

static void replied(struct visitor *visitor)
{
    struct call *call = visitor->call;
    /* Who has not asked for the end himself may be sending. */
    bool linger = call->cut_short || call->facts.keep_alive || visitor->held_len > 0;
    bool close = call->close;
    visitor->call = NULL;
    if (call->counted)
        atomic_fetch_sub(&visitor->loop->listener->replying, 1);
    call_give(call);
    if (close && linger && !visitor->half_closed) {
        connection_finish(visitor->connection);
        connection_resume(visitor->connection);
        enter(visitor, VISITOR_LINGER);
    } else if (close) {
        enter(visitor, VISITOR_IDLE);
        visitor_close(visitor);
    } else {
        enter(visitor, VISITOR_IDLE);
    }
}

static void reply(struct visitor *visitor)
{
    struct call *call = visitor->call;
    enter(visitor, VISITOR_REPLY);
    memcpy((char *)call->reply_head.data + call->date_at, listener_loop_date(visitor->loop),
           LISTENER_DATE_LEN);
    switch (connection_write(visitor->connection, call->reply_head, call->reply_body)) {
    case CONNECTION_WRITTEN:
        replied(visitor);
        break;
    case CONNECTION_WRITE_PENDING:
        if (!call->cut_short && visitor_count_call(visitor, call_held(call)) != MEMORY_ROOM)
            visitor_close(visitor);
        break;
    case CONNECTION_WRITE_FAILED:
        visitor_close(visitor);
        break;
    }
}

static void refuse(struct visitor *visitor, int status)
{
    const struct listener_config *config = &visitor->loop->listener->config;
    struct call *call = visitor->call;
    struct listener_reply answer = {.status = status};
    if (config->on_refused)
        config->on_refused(config->ctx, &call->request, status, &answer);
    answer.close = true;
    call->cut_short = true;
    call_render(call, &answer);
    reply(visitor);
}

/* ---- a request ---- */

static void hand_over(struct visitor *visitor)
{
    struct listener *listener = visitor->loop->listener;
    struct call *call = visitor->call;
    int expected = CALL_HANDLING;
    /* In this order: listener_close sees this one in hand, or this one sees the listener closing. */
    atomic_fetch_add(&listener->in_hand, 1);
    if (atomic_load(&listener->closing)) {
        atomic_fetch_sub(&listener->in_hand, 1);
        refuse(visitor, 503);
        return;
    }
    enter(visitor, VISITOR_HANDLED);
    visitor->asked = true;
    call->counted = true;
    atomic_fetch_add(&listener->replying, 1);
    atomic_store(&call->phase, CALL_HANDLING);
    listener->config.handle(listener->config.ctx, &call->request);
    /* Answered already: then nobody else sends it. */
    if (!atomic_compare_exchange_strong(&call->phase, &expected, CALL_SUSPENDED))
        reply(visitor);
}

static bool is_trusted(struct visitor *visitor)
{
    visitor->trusted = visitor->trusted || connection_client_trusted(visitor->connection);
    return visitor->trusted;
}

static int judge_head(struct visitor *visitor)
{
    struct listener *listener = visitor->loop->listener;
    const struct listener_config *config = &listener->config;
    struct call *call = visitor->call;
    int status = head_read(&call->scan, bytes_make(call->head, call->head_len), &call->request, &call->facts);
    if (status)
        return status;
    if (!is_trusted(visitor))
        return 403;
    if (atomic_load_explicit(&listener->quiescing, memory_order_relaxed))
        return 503;
    int64_t len = call->facts.body.length;
    if (len > (int64_t)config->body_len_max)
        return 413;
    status = config->accept_head ? config->accept_head(config->ctx, &call->request) : 0;
    return status == 0 && len > 0 && !call_make_room(call, (size_t)len) ? 413 : status;
}

/* The head is complete. */
static void take_head(struct visitor *visitor, bool body_has_come)
{
    struct call *call = visitor->call;
    const struct framing_body *body = &call->facts.body;
    enter(visitor, VISITOR_BODY);
    int status = judge_head(visitor);
    bool more = body->chunked || body->length > 0;
    if (status == LISTENER_NO_BODY)
        call->cut_short = more;
    if (status > 0) {
        refuse(visitor, status);
    } else if (!more || call->cut_short) {
        hand_over(visitor);
    } else if (call->facts.expects_continue && !call->facts.http_1_0 && !body_has_come) {
        static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
        if (connection_write(visitor->connection, bytes_of(go_on), (struct bytes){0}) != CONNECTION_WRITTEN)
            visitor_close(visitor); /* it does not even read this */
    }
}

static size_t head_bytes(struct visitor *visitor, struct bytes piece)
{
    struct call *call = visitor->call;
    size_t before = call->head_len, whole;
    /* Mostly all of it comes in one piece, and is looked at where it lies. */
    if (before > 0)
        call_append_head(call, piece);
    struct bytes text = before > 0 ? bytes_make(call->head, call->head_len) : piece;
    int status = head_scan(&call->scan, text, &whole);
    size_t used = whole > 0 ? whole - before : piece.len;
    if (before == 0 && status == 0)
        call_append_head(call, bytes_make(piece.data, used));
    if (whole > 0)
        call->head_len = whole;
    if (status)
        refuse(visitor, status);
    else if (whole > 0)
        take_head(visitor, used < piece.len);
    return used;
}

/* So many bytes of body come to be held. False: none of them is to be looked at now. */
static bool has_room(struct visitor *visitor, size_t len)
{
    switch (visitor_count_call(visitor, len)) {
    case MEMORY_ROOM:
        return true;
    case MEMORY_NO_ROOM:
        refuse(visitor, 503);
        return false;
    case MEMORY_WAIT:
        break;
    }
    visitor->waits = true;
    visitor->waits_left--;
    LIST_INSERT_HEAD(&visitor->loop->waiting, visitor, waiting);
    return false;
}

static size_t sized_bytes(struct visitor *visitor, struct bytes piece)
{
    struct listener_request *request = &visitor->call->request;
    size_t left = visitor->call->body_cap - request->body_len;
    size_t used = piece.len < left ? piece.len : left;
    if (!has_room(visitor, request->body_len + used))
        return used;
    if (piece.data != request->body + request->body_len) /* else it was read there: body_place */
        memcpy(request->body + request->body_len, piece.data, used);
    request->body_len += used;
    request->body[request->body_len] = '\0';
    if (used == left)
        hand_over(visitor);
    return used;
}

static size_t chunk_bytes(struct visitor *visitor, struct bytes piece)
{
    struct call *call = visitor->call;
    struct bytes content;
    if (!has_room(visitor, 2 * (call->request.body_len + piece.len))) /* it grows by doubling */
        return piece.len;
    size_t used = chunked_step(&call->chunked, piece, &content);
    if (!call_append(call, content))
        refuse(visitor, 413);
    else if (call->chunked.state == CHUNKED_BROKEN)
        refuse(visitor, 400);
    else if (call->chunked.state == CHUNKED_DONE)
        hand_over(visitor);
    return used;
}

static size_t body_bytes(struct visitor *visitor, struct bytes piece)
{
    return visitor->call->facts.body.chunked ? chunk_bytes(visitor, piece) : sized_bytes(visitor, piece);
}

/* ---- bytes ---- */

static void hold(struct visitor *visitor, struct bytes piece)
{
    connection_pause(visitor->connection); /* so that this is bounded by what one read brings */
    assert(visitor->held_len + piece.len <=
           (size_t)(visitor->waits ? PLACED_LEN_MAX : 2 * LISTENER_READ_LEN));
    visitor->held = memory_grow(visitor->held, visitor->held_len + piece.len);
    memcpy(visitor->held + visitor->held_len, piece.data, piece.len);
    visitor->held_len += piece.len;
    if (!visitor->waits && !visitor_count_held(visitor))
        visitor_close(visitor);
}

static void begin(struct visitor *visitor)
{
    struct call *call = call_take(visitor->loop);
    call->visitor = visitor;
    memcpy(call->request.peer, visitor->peer, sizeof call->request.peer);
    visitor->call = call;
    visitor->waits_left = ROOM_WAITS_MAX;
    enter(visitor, VISITOR_HEAD);
}

/* What has come, in order, as far as its stage wants it. */
static void take(struct visitor *visitor, struct bytes piece)
{
    while (piece.len > 0 && visitor->stage != VISITOR_GONE) {
        size_t used = piece.len;
        switch (visitor->stage) {
        case VISITOR_IDLE:
            begin(visitor);
            used = head_bytes(visitor, piece);
            break;
        case VISITOR_HEAD:
            used = head_bytes(visitor, piece);
            break;
        case VISITOR_BODY:
            if (!visitor->waits)
                used = body_bytes(visitor, piece);
            if (visitor->waits) {
                hold(visitor, piece);
                return;
            }
            break;
        case VISITOR_HANDLED:
        case VISITOR_REPLY:
            hold(visitor, piece);
            break;
        case VISITOR_LINGER:
            visitor->lingered += piece.len;
            if (visitor->lingered > LISTENER_LINGER_LEN_MAX)
                visitor_close(visitor);
            break;
        case VISITOR_SECURING:
        case VISITOR_GONE:
            assert(false);
        }
        piece = bytes_make(piece.data + used, piece.len - used);
    }
}

static void take_held(struct visitor *visitor)
{
    char *held = visitor->held;
    struct bytes piece = bytes_make(held, visitor->held_len);
    size_t counted = visitor->held_counted;
    visitor->held = NULL;
    visitor->held_len = visitor->held_counted = 0;
    take(visitor, piece);
    free(held);
    if (counted > 0)
        budget_give(visitor->loop->listener->config.budget, BUDGET_IN, counted);
}

/* After an answer that was not given at once: what was held meanwhile comes before what is read next. */
static void go_on(struct visitor *visitor)
{
    if (visitor->stage == VISITOR_IDLE && visitor->held_len > 0)
        take_held(visitor);
    bool wants_more =
        visitor->stage == VISITOR_IDLE || visitor->stage == VISITOR_HEAD || visitor->stage == VISITOR_BODY;
    if (wants_more && visitor->half_closed)
        visitor_close(visitor);
    else if (visitor->stage != VISITOR_GONE && visitor->held_len == 0 && !visitor->half_closed)
        connection_resume(visitor->connection);
}

void visitor_room_made(struct visitor *visitor)
{
    stop_waiting(visitor);
    take_held(visitor);
    go_on(visitor);
}

void visitor_answered(struct visitor *visitor)
{
    if (visitor->stage == VISITOR_GONE) {
        atomic_fetch_sub(&visitor->loop->listener->replying, 1);
        call_give(visitor->call);
        visitor->call = NULL;
        leave(visitor);
        return;
    }
    assert(visitor->stage == VISITOR_HANDLED);
    reply(visitor);
    go_on(visitor);
}

/* ---- what the connection says ---- */

static void on_connected(struct connection *connection, enum failure failure)
{
    assert(false && "we do not dial clients");
}

static void on_secured(struct connection *connection, enum failure failure)
{
    struct visitor *visitor = connection->owner;
    if (failure == FAILURE_NONE) {
        enter(visitor, VISITOR_IDLE);
        return;
    }
    log_write(visitor->loop->listener->config.log, LOG_LEVEL_DEBUG, "listener", "no TLS with peer=%s: %s",
              visitor->peer, failure_name(failure));
    visitor_close(visitor);
}

static void on_received(struct connection *connection, struct bytes piece)
{
    take(connection->owner, piece);
}

/* The rest of a large body comes where it stays. It is counted when it has come, so only so much at once. */
static uv_buf_t body_place(struct connection *connection)
{
    const struct visitor *visitor = connection->owner;
    const struct call *call = visitor->call;
    if (visitor->stage != VISITOR_BODY || call->facts.body.chunked)
        return uv_buf_init(NULL, 0);
    const struct listener_request *request = &call->request;
    size_t left = call->body_cap - request->body_len;
    if (left < PLACED_FROM)
        return uv_buf_init(NULL, 0);
    return uv_buf_init(request->body + request->body_len,
                       left < PLACED_LEN_MAX ? (unsigned)left : PLACED_LEN_MAX);
}

static void on_written(struct connection *connection)
{
    struct visitor *visitor = connection->owner;
    if (visitor->stage != VISITOR_REPLY)
        return;
    replied(visitor);
    go_on(visitor);
}

static void on_write_failed(struct connection *connection)
{
    visitor_close(connection->owner);
}

/* A client may close its side when it has asked, and still read the answer. */
static void on_ended(struct connection *connection, enum failure failure)
{
    struct visitor *visitor = connection->owner;
    bool asked = visitor->stage == VISITOR_HANDLED || visitor->stage == VISITOR_REPLY;
    if (asked && failure == FAILURE_CLOSED_EARLY)
        visitor->half_closed = true;
    else
        visitor_close(visitor);
}

static const struct connection_handler handler = {.connected = on_connected,
                                                  .secured = on_secured,
                                                  .received = on_received,
                                                  .place = body_place,
                                                  .written = on_written,
                                                  .write_failed = on_write_failed,
                                                  .ended = on_ended};

/* ---- coming, and deadlines ---- */

static void print_peer(const struct sockaddr *address, char peer[64])
{
    const struct sockaddr_in6 *six = (const void *)address;
    if (address->sa_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)address)->sin_addr, peer, 64);
    else if (address->sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&six->sin6_addr))
        inet_ntop(AF_INET, &six->sin6_addr.s6_addr[12], peer, 64);
    else if (address->sa_family == AF_INET6)
        inet_ntop(AF_INET6, &six->sin6_addr, peer, 64);
}

void visitor_welcome(struct listener_loop *loop, int fd, const struct sockaddr *address)
{
    struct visitor *visitor = memory_zero(1, sizeof *visitor);
    bool tls = loop->listener->secure;
    visitor->loop = loop;
    print_peer(address, visitor->peer);
    visitor->connection = connection_accept(&loop->world, fd, tls, guests_name(address), &handler, visitor);
    if (!visitor->connection) {
        atomic_fetch_sub_explicit(&loop->visitors, 1, memory_order_relaxed);
        free(visitor);
        return;
    }
    LIST_INSERT_HEAD(&loop->present, visitor, entry);
    guests_come(&loop->guests, visitor, address);
    enter(visitor, tls ? VISITOR_SECURING : VISITOR_IDLE);
    if (atomic_load_explicit(&loop->visitors, memory_order_relaxed) <= loop->visitors_max)
        return;
    struct visitor *slowest = guests_slowest(&loop->guests, loop);
    visitor_close(slowest ? slowest : visitor);
}

void visitor_give_way(struct visitor *visitor)
{
    if (visitor->stage == VISITOR_BODY)
        refuse(visitor, 503);
    else
        visitor_close(visitor);
}

void visitor_late_passed(struct deadline *deadline)
{
    refuse(OWNER_OF(deadline, struct visitor, deadline), 408);
}

void visitor_close_passed(struct deadline *deadline)
{
    visitor_close(OWNER_OF(deadline, struct visitor, deadline));
}
