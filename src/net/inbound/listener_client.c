#include "listener_client.h"
#include "budget.h"
#include "crowd.h"
#include "exchange.h"
#include "listener_memory.h"
#include "memory.h"
#include "owner.h"
#include <arpa/inet.h>
#include <assert.h>
#include <stdlib.h>

enum { PLACED_FROM = 16 << 10, PLACED_LEN_MAX = 256 << 10, ROOM_WAITS_MAX = 64 };

#define MOVE(to) (1u << LISTENER_CLIENT_##to)
static const uint16_t moves[LISTENER_CLIENT_STAGE_COUNT] = {
    [LISTENER_CLIENT_ACCEPTED] = MOVE(SECURING) | MOVE(IDLE),
    [LISTENER_CLIENT_SECURING] = MOVE(IDLE) | MOVE(GONE),
    [LISTENER_CLIENT_IDLE] = MOVE(HEAD) | MOVE(GONE),
    [LISTENER_CLIENT_HEAD] = MOVE(BODY) | MOVE(REPLY) | MOVE(GONE),
    [LISTENER_CLIENT_BODY] = MOVE(HANDLED) | MOVE(REPLY) | MOVE(GONE),
    [LISTENER_CLIENT_HANDLED] = MOVE(REPLY) | MOVE(GONE),
    [LISTENER_CLIENT_REPLY] = MOVE(IDLE) | MOVE(LINGER) | MOVE(GONE),
    [LISTENER_CLIENT_LINGER] = MOVE(GONE),
};

static void stop_waiting(struct listener_client *client)
{
    if (client->waits)
        LIST_REMOVE(client, waiting);
    client->waits = false;
}

void listener_client_enter(struct listener_client *client, enum listener_client_stage stage)
{
    assert(moves[client->stage] & 1u << stage);
    client->stage = stage;
    stop_waiting(client);
    if (client->origin) {
        crowd_move(client);
        listener_memory_weigh(client);
    }
    if (client->loop->limits[stage])
        deadline_set(&client->deadline, client->loop->limits[stage]);
    else
        deadline_lift(&client->deadline);
}

/* Frees it later, because the caller may still use it. */
static void leave(struct listener_client *client)
{
    struct listener_loop *loop = client->loop;
    assert(client->stage == LISTENER_CLIENT_GONE && !client->exchange && !client->connection);
    client->next_gone = loop->gone;
    loop->gone = client;
}

void listener_client_close(struct listener_client *client)
{
    bool handled = client->stage == LISTENER_CLIENT_HANDLED,
         replying = client->stage == LISTENER_CLIENT_REPLY;
    listener_client_enter(client, LISTENER_CLIENT_GONE);
    connection_close(client->connection);
    client->connection = NULL;
    LIST_REMOVE(client, entry);
    crowd_go(&client->loop->crowd, client);
    atomic_fetch_sub_explicit(&client->loop->clients, 1, memory_order_relaxed);
    if (handled)
        return; /* the application has its exchange: listener_client_answered ends it */
    if (client->exchange) {
        if (replying && client->exchange->counted)
            atomic_fetch_sub(&client->loop->listener->replying, 1);
        exchange_give(client->exchange);
        client->exchange = NULL;
    }
    leave(client);
}

/* ---- the answer ---- */

static enum memory_room count(struct listener_client *client, size_t *counted, size_t len)
{
    struct listener_client *other;
    enum memory_room room;
    while ((room = listener_memory_count(client, counted, len, &other)) == MEMORY_AFTER_OTHER)
        listener_client_give_way(other);
    return room;
}

static void replied(struct listener_client *client)
{
    struct exchange *exchange = client->exchange;
    /* A client that did not ask for the close may still be sending. */
    bool linger = exchange->cut_short || exchange->facts.keep_alive || client->held_len > 0;
    bool close = exchange->close;
    client->exchange = NULL;
    if (exchange->counted)
        atomic_fetch_sub(&client->loop->listener->replying, 1);
    exchange_give(exchange);
    if (close && linger && !client->half_closed) {
        connection_finish(client->connection);
        connection_resume(client->connection);
        listener_client_enter(client, LISTENER_CLIENT_LINGER);
    } else if (close) {
        listener_client_close(client);
    } else {
        listener_client_enter(client, LISTENER_CLIENT_IDLE);
    }
}

static void reply(struct listener_client *client)
{
    struct exchange *exchange = client->exchange;
    listener_client_enter(client, LISTENER_CLIENT_REPLY);
    exchange_write_date(exchange);
    switch (connection_write(client->connection, exchange->reply_head, exchange->reply_body)) {
    case CONNECTION_WRITTEN:
        replied(client);
        break;
    case CONNECTION_WRITE_PENDING:
        if (!exchange->cut_short &&
            count(client, &exchange->counted_len, exchange_held(exchange)) != MEMORY_ROOM)
            listener_client_close(client);
        break;
    case CONNECTION_WRITE_FAILED:
        listener_client_close(client);
        break;
    }
}

static void refuse(struct listener_client *client, int status)
{
    const struct listener_config *config = &client->loop->listener->config;
    struct exchange *exchange = client->exchange;
    struct listener_reply answer = {.status = status};
    if (config->on_refused)
        config->on_refused(config->ctx, &exchange->request, status, &answer);
    answer.close = true;
    exchange->cut_short = true;
    exchange_render(exchange, &answer);
    reply(client);
}

/* ---- a request ---- */

static void hand_over(struct listener_client *client)
{
    struct listener *listener = client->loop->listener;
    struct exchange *exchange = client->exchange;
    int expected = EXCHANGE_HANDLING;
    /* The order matters: either listener_close sees this request in hand, or this request sees `closing`. */
    atomic_fetch_add(&listener->in_hand, 1);
    if (atomic_load(&listener->closing)) {
        atomic_fetch_sub(&listener->in_hand, 1);
        refuse(client, 503);
        return;
    }
    listener_client_enter(client, LISTENER_CLIENT_HANDLED);
    client->asked = true;
    exchange->counted = true;
    atomic_fetch_add(&listener->replying, 1);
    atomic_store(&exchange->phase, EXCHANGE_HANDLING);
    listener->config.handle(listener->config.ctx, &exchange->request);
    /* Already answered: we send the answer here. */
    if (!atomic_compare_exchange_strong(&exchange->phase, &expected, EXCHANGE_SUSPENDED))
        reply(client);
}

static bool is_trusted(struct listener_client *client)
{
    client->trusted = client->trusted || connection_client_trusted(client->connection);
    return client->trusted;
}

static int judge_head(struct listener_client *client)
{
    struct listener *listener = client->loop->listener;
    const struct listener_config *config = &listener->config;
    struct exchange *exchange = client->exchange;
    int status = head_read(&exchange->scan, bytes_make(exchange->head, exchange->head_len),
                           &exchange->request, &exchange->facts);
    if (status)
        return status;
    if (!is_trusted(client))
        return 403;
    if (atomic_load_explicit(&listener->quiescing, memory_order_relaxed))
        return 503;
    int64_t len = exchange->facts.body.length;
    if (len > (int64_t)config->body_len_max)
        return 413;
    status = config->accept_head ? config->accept_head(config->ctx, &exchange->request) : 0;
    return status == 0 && len > 0 && !exchange_make_room(exchange, (size_t)len) ? 413 : status;
}

/* The head is complete. */
static void take_head(struct listener_client *client, bool body_has_come)
{
    struct exchange *exchange = client->exchange;
    const struct framing_body *body = &exchange->facts.body;
    listener_client_enter(client, LISTENER_CLIENT_BODY);
    int status = judge_head(client);
    bool more = body->chunked || body->length > 0;
    if (status == LISTENER_NO_BODY)
        exchange->cut_short = more;
    if (status > 0) {
        refuse(client, status);
    } else if (!more || exchange->cut_short) {
        hand_over(client);
    } else if (exchange->facts.expects_continue && !exchange->facts.http_1_0 && !body_has_come) {
        static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
        if (connection_write(client->connection, bytes_of(go_on), (struct bytes){0}) != CONNECTION_WRITTEN)
            listener_client_close(client); /* it does not read the refusal either */
    }
}

static size_t head_bytes(struct listener_client *client, struct bytes piece)
{
    struct exchange *exchange = client->exchange;
    size_t before = exchange->head_len, whole;
    /* Usually the head comes in one piece, which is parsed in place. */
    if (before > 0)
        exchange_append_head(exchange, piece);
    struct bytes text = before > 0 ? bytes_make(exchange->head, exchange->head_len) : piece;
    int status = head_scan(&exchange->scan, text, &whole);
    size_t used = whole > 0 ? whole - before : piece.len;
    if (before == 0 && status == 0)
        exchange_append_head(exchange, bytes_make(piece.data, used));
    if (whole > 0)
        exchange->head_len = whole;
    if (status)
        refuse(client, status);
    else if (whole > 0)
        take_head(client, used < piece.len);
    return used;
}

/* Counts bytes of the body that will be held. False: do not use them now. */
static bool has_room(struct listener_client *client, size_t len)
{
    switch (count(client, &client->exchange->counted_len, len)) {
    case MEMORY_ROOM:
        return true;
    case MEMORY_NO_ROOM:
        refuse(client, 503);
        return false;
    default:
        break; /* it waits */
    }
    client->waits = true;
    client->waits_left--;
    LIST_INSERT_HEAD(&client->loop->waiting, client, waiting);
    return false;
}

static size_t sized_bytes(struct listener_client *client, struct bytes piece)
{
    struct listener_request *request = &client->exchange->request;
    size_t left = client->exchange->body_cap - request->body_len;
    size_t used = piece.len < left ? piece.len : left;
    if (!has_room(client, request->body_len + used))
        return used;
    if (piece.data != request->body + request->body_len) /* else body_place had it read there */
        memcpy(request->body + request->body_len, piece.data, used);
    request->body_len += used;
    request->body[request->body_len] = '\0';
    if (used == left)
        hand_over(client);
    return used;
}

static size_t chunk_bytes(struct listener_client *client, struct bytes piece)
{
    struct exchange *exchange = client->exchange;
    struct bytes content;
    if (!has_room(client, 2 * (exchange->request.body_len + piece.len))) /* it grows by doubling */
        return piece.len;
    size_t used = chunked_step(&exchange->chunked, piece, &content);
    if (!exchange_append(exchange, content))
        refuse(client, 413);
    else if (exchange->chunked.state == CHUNKED_BROKEN)
        refuse(client, 400);
    else if (exchange->chunked.state == CHUNKED_DONE)
        hand_over(client);
    return used;
}

static size_t body_bytes(struct listener_client *client, struct bytes piece)
{
    return client->exchange->facts.body.chunked ? chunk_bytes(client, piece) : sized_bytes(client, piece);
}

/* ---- bytes ---- */

static void hold(struct listener_client *client, struct bytes piece)
{
    connection_pause(client->connection); /* so that it holds at most the bytes of one read */
    assert(client->held_len + piece.len <= (size_t)(client->waits ? PLACED_LEN_MAX : 2 * LISTENER_READ_LEN));
    client->held = memory_grow(client->held, client->held_len + piece.len);
    memcpy(client->held + client->held_len, piece.data, piece.len);
    client->held_len += piece.len;
    if (!client->waits && count(client, &client->held_counted, client->held_len) != MEMORY_ROOM)
        listener_client_close(client);
}

static void begin(struct listener_client *client)
{
    struct exchange *exchange = exchange_take(client->loop);
    exchange->client = client;
    memcpy(exchange->request.peer, client->peer, sizeof exchange->request.peer);
    client->exchange = exchange;
    client->waits_left = ROOM_WAITS_MAX;
    listener_client_enter(client, LISTENER_CLIENT_HEAD);
}

/* Handles received bytes in order, as far as the stage allows. */
static void take(struct listener_client *client, struct bytes piece)
{
    while (piece.len > 0 && client->stage != LISTENER_CLIENT_GONE) {
        size_t used = piece.len;
        switch (client->stage) {
        case LISTENER_CLIENT_IDLE:
            begin(client);
            used = head_bytes(client, piece);
            break;
        case LISTENER_CLIENT_HEAD:
            used = head_bytes(client, piece);
            break;
        case LISTENER_CLIENT_BODY:
            if (!client->waits)
                used = body_bytes(client, piece);
            if (client->waits) {
                hold(client, piece);
                return;
            }
            break;
        case LISTENER_CLIENT_HANDLED:
        case LISTENER_CLIENT_REPLY:
            hold(client, piece);
            break;
        case LISTENER_CLIENT_LINGER:
            client->lingered += piece.len;
            if (client->lingered > LISTENER_LINGER_LEN_MAX)
                listener_client_close(client);
            break;
        default:
            assert(!"before its handshake, or when it has gone");
        }
        piece = bytes_make(piece.data + used, piece.len - used);
    }
}

static void take_held(struct listener_client *client)
{
    char *held = client->held;
    struct bytes piece = bytes_make(held, client->held_len);
    size_t counted = client->held_counted;
    client->held = NULL;
    client->held_len = client->held_counted = 0;
    take(client, piece);
    free(held);
    if (counted > 0)
        budget_give(client->loop->listener->config.budget, BUDGET_IN, counted);
}

/* After a later answer: handles the held bytes before the next read. */
static void go_on(struct listener_client *client)
{
    if (client->stage == LISTENER_CLIENT_IDLE && client->held_len > 0)
        take_held(client);
    bool wants_more = client->stage == LISTENER_CLIENT_IDLE || client->stage == LISTENER_CLIENT_HEAD ||
                      client->stage == LISTENER_CLIENT_BODY;
    if (wants_more && client->half_closed)
        listener_client_close(client);
    else if (client->stage != LISTENER_CLIENT_GONE && client->held_len == 0 && !client->half_closed)
        connection_resume(client->connection);
}

void listener_client_room_made(struct listener_client *client)
{
    stop_waiting(client);
    take_held(client);
    go_on(client);
}

void listener_client_answered(struct listener_client *client)
{
    if (client->stage == LISTENER_CLIENT_GONE) {
        atomic_fetch_sub(&client->loop->listener->replying, 1);
        exchange_give(client->exchange);
        client->exchange = NULL;
        leave(client);
        return;
    }
    assert(client->stage == LISTENER_CLIENT_HANDLED);
    reply(client);
    go_on(client);
}

/* ---- handlers of the connection ---- */

static void on_connected(struct connection *connection, enum failure failure)
{
    assert(false && "we do not dial clients");
}

static void on_secured(struct connection *connection, enum failure failure)
{
    struct listener_client *client = connection->owner;
    if (failure == FAILURE_NONE) {
        listener_client_enter(client, LISTENER_CLIENT_IDLE);
        return;
    }
    log_write(client->loop->listener->config.log, LOG_LEVEL_DEBUG, "listener", "no TLS with peer=%s: %s",
              client->peer, failure_name(failure));
    listener_client_close(client);
}

static void on_received(struct connection *connection, struct bytes piece)
{
    take(connection->owner, piece);
}

/* The rest of a large body is read in place. It is counted after the read, so one read is limited. */
static uv_buf_t body_place(struct connection *connection)
{
    const struct listener_client *client = connection->owner;
    const struct exchange *exchange = client->exchange;
    if (client->stage != LISTENER_CLIENT_BODY || exchange->facts.body.chunked)
        return uv_buf_init(NULL, 0);
    const struct listener_request *request = &exchange->request;
    size_t left = exchange->body_cap - request->body_len;
    if (left < PLACED_FROM)
        return uv_buf_init(NULL, 0);
    return uv_buf_init(request->body + request->body_len,
                       left < PLACED_LEN_MAX ? (unsigned)left : PLACED_LEN_MAX);
}

static void on_written(struct connection *connection)
{
    struct listener_client *client = connection->owner;
    if (client->stage != LISTENER_CLIENT_REPLY)
        return;
    replied(client);
    go_on(client);
}

static void on_write_failed(struct connection *connection)
{
    listener_client_close(connection->owner);
}

/* A client may close its side after the request and still read the answer. */
static void on_ended(struct connection *connection, enum failure failure)
{
    struct listener_client *client = connection->owner;
    bool asked = client->stage == LISTENER_CLIENT_HANDLED || client->stage == LISTENER_CLIENT_REPLY;
    if (asked && failure == FAILURE_CLOSED_EARLY)
        client->half_closed = true;
    else
        listener_client_close(client);
}

static const struct connection_handler handler = {.connected = on_connected,
                                                  .secured = on_secured,
                                                  .received = on_received,
                                                  .place = body_place,
                                                  .written = on_written,
                                                  .write_failed = on_write_failed,
                                                  .ended = on_ended};

/* ---- accepting, and deadlines ---- */

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

void listener_client_welcome(struct listener_loop *loop, int fd, const struct sockaddr *address)
{
    struct listener_client *client = memory_zero(1, sizeof *client);
    bool tls = loop->listener->secure;
    client->loop = loop;
    print_peer(address, client->peer);
    client->connection = connection_accept(&loop->world, fd, tls, crowd_name(address), &handler, client);
    if (!client->connection) {
        atomic_fetch_sub_explicit(&loop->clients, 1, memory_order_relaxed);
        free(client);
        return;
    }
    LIST_INSERT_HEAD(&loop->present, client, entry);
    crowd_come(&loop->crowd, client, address);
    listener_client_enter(client, tls ? LISTENER_CLIENT_SECURING : LISTENER_CLIENT_IDLE);
    if (atomic_load_explicit(&loop->clients, memory_order_relaxed) <= loop->clients_max)
        return;
    struct listener_client *slowest = crowd_slowest(&loop->crowd, loop);
    listener_client_close(slowest ? slowest : client);
}

void listener_client_give_way(struct listener_client *client)
{
    if (client->stage == LISTENER_CLIENT_BODY)
        refuse(client, 503);
    else
        listener_client_close(client);
}

void listener_client_late_passed(struct deadline *deadline)
{
    refuse(OWNER_OF(deadline, struct listener_client, deadline), 408);
}

void listener_client_close_passed(struct deadline *deadline)
{
    listener_client_close(OWNER_OF(deadline, struct listener_client, deadline));
}
