#include "connection.h"
#include "clock.h"
#include "handshake_turn.h"
#include "memory.h"
#include "owner.h"
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* CIPHER_PENDING_MAX: ciphertext that the kernel has not taken yet. It is one record, and more only if the
 * peer makes TLS itself write. */
enum {
    CIPHER_PENDING_MAX = 32 * 1024,
    /* A receiver may send so much over TLS for one request. The largest answer that we read is 96 KiB. The
     * rest is tickets and changes of keys, which cost us time and never end an attempt. */
    CIPHER_HEARD_MAX = 256 * 1024
};

struct cipher_write {
    uv_write_t req;
    char data[];
};

/* The failure of a connect; `error` is a negative errno. */
static enum failure dial_failure(int error)
{
    switch (error) {
    case UV_ECONNREFUSED:
        return FAILURE_CONNECT_REFUSED;
    case UV_ETIMEDOUT:
        return FAILURE_CONNECT_TIMEOUT;
    case UV_ECONNRESET:
        return FAILURE_RESET;
    case UV_ENETUNREACH:
    case UV_ENETDOWN:
        return FAILURE_LOCAL_OUTAGE; /* this machine has no route */
    case UV_EMFILE:
    case UV_ENFILE:
    case UV_ENOBUFS:
    case UV_ENOMEM:
    case UV_EADDRNOTAVAIL:
    case UV_EADDRINUSE:
        return FAILURE_LOCAL_LIMIT;
    default:
        return FAILURE_UNREACHABLE;
    }
}

/* The failure of an established connection. */
static enum failure io_failure(int error)
{
    switch (error) {
    case UV_EOF:
        return FAILURE_CLOSED_EARLY;
    case UV_ENETUNREACH:
    case UV_ENETDOWN:
        return FAILURE_LOCAL_OUTAGE;
    case UV_ENOBUFS:
    case UV_ENOMEM:
        return FAILURE_LOCAL_LIMIT;
    default:
        return FAILURE_RESET;
    }
}

/* An error of the kernel before a packet has left, so this machine's fault: a route that is unreachable,
 * prohibited or a black hole, a local firewall, an address family that is missing. */
static enum failure dial_failure_at_once(int error)
{
    enum failure failure = dial_failure(error);
    return failure == FAILURE_UNREACHABLE ? FAILURE_LOCAL_OUTAGE : failure;
}

/* ---- closing ---- */

static void on_closed(uv_handle_t *handle)
{
    struct connection *c = handle->data;
    c->world->open--;
    free(c);
}

void connection_close(struct connection *c)
{
    bool healthy = c->state == CONNECTION_OPEN && !c->write_broken && !c->write_pending;

    deadline_lift(&c->deadline);
    handshake_turn_end(c);
    connection_state_move(&c->state, CONNECTION_CLOSED);
    tls_end(&c->tls, healthy);
    c->handler = NULL;
    uv_close((uv_handle_t *)&c->tcp, on_closed);
}

void connection_own(struct connection *c, const struct connection_handler *handler, void *owner)
{
    assert(c->state != CONNECTION_CLOSED);
    c->handler = handler;
    c->owner = owner;
}

/* ---- reading ---- */

static bool write_cipher(void *ctx, struct bytes piece);

/* A client's handshake begins with its first bytes, so a silent client costs nothing. The bytes stay in the
 * kernel until the handshake may begin. */
static bool may_read(struct connection *c)
{
    if (!c->inbound || c->state != CONNECTION_SECURING || c->tls.ssl)
        return true;
    if (!handshake_turn_take(c))
        return false;
    tls_accept(&c->tls, c->world->tls, write_cipher, c);
    return true;
}

static void give_read_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct connection *c = handle->data;
    *buffer = uv_buf_init(NULL, 0);
    if (!may_read(c))
        return;
    if (c->handler->place && !c->peer.https && c->state == CONNECTION_OPEN)
        *buffer = c->handler->place(c);
    if (buffer->len == 0)
        *buffer = uv_buf_init(c->world->read_buffer, (unsigned)c->world->buffer_len);
}

/* Reads no more, during the handshake or after it. */
static void end_reading(struct connection *c, enum failure failure)
{
    uv_read_stop((uv_stream_t *)&c->tcp);
    if (c->state == CONNECTION_SECURING)
        c->handler->secured(c, failure);
    else
        c->handler->ended(c, failure);
}

/* Hands on the decrypted bytes. The handler may close the connection or give it away. */
static void read_tls(struct connection *c)
{
    struct bytes piece;

    while (c->state == CONNECTION_OPEN) {
        switch (tls_read(&c->tls, c->world->plain_buffer, TLS_RECORD_LEN_MAX, &piece)) {
        case TLS_DONE:
            c->handler->received(c, piece);
            break;
        case TLS_WANTS_INPUT:
            return;
        case TLS_ENDED:
            end_reading(c, FAILURE_CLOSED_EARLY);
            return;
        case TLS_BROKEN:
            c->write_broken = true;
            end_reading(c, c->tls.failure);
            return;
        }
    }
}

static enum connection_written encrypt_some(struct connection *c);

/* Continues a write that waited for the kernel, or for TLS to read a whole message. */
static void write_on(struct connection *c)
{
    if (c->tcp.write_queue_size > 0 || !c->write_pending)
        return;
    enum connection_written written = encrypt_some(c);
    if (written == CONNECTION_WRITE_PENDING)
        return;
    c->write_pending = false;
    if (written == CONNECTION_WRITTEN)
        c->handler->written(c);
    else
        c->handler->write_failed(c);
}

static void shake_hands(struct connection *c)
{
    enum failure failure = FAILURE_NONE;

    int64_t begun_us = clock_thread_cpu_us();
    enum tls_status status = tls_handshake(&c->tls);
    c->handshake_us += clock_thread_cpu_us() - begun_us;
    switch (status) {
    case TLS_WANTS_INPUT:
        if (c->inbound) /* most of its cost is our signature, which is made; the client may stay silent */
            handshake_turn_charge(c);
        return;
    case TLS_DONE:
        connection_state_move(&c->state, CONNECTION_OPEN);
        if (tls_resumed(&c->tls))
            c->world->tls_resumed++;
        else
            c->world->tls_full++;
        if (!c->inbound) /* a client may speak at once, a receiver may not */
            failure = connection_quiet(c);
        break;
    default:
        failure = c->tls.failure;
    }
    handshake_turn_end(c);
    c->handler->secured(c, failure);
}

/* libuv reports an end even if the connection was reset. The socket has the error, unless a write has taken
 * it. */
static int end_of(struct connection *c)
{
    uv_os_fd_t fd;
    char byte;
    if (c->write_broken)
        return UV_ECONNRESET;
    if (uv_fileno((uv_handle_t *)&c->tcp, &fd) == 0 && recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0)
        return -errno;
    return UV_EOF;
}

static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buffer)
{
    struct connection *c = stream->data;
    bool was_securing = c->state == CONNECTION_SECURING;

    if (len == 0 || c->state == CONNECTION_CLOSED)
        return;
    if (len == UV_ENOBUFS) { /* may_read was false */
        connection_pause(c);
        deadline_set(&c->deadline, c->world->handshake_wait);
    } else if (len < 0) {
        end_reading(c, io_failure(len == UV_EOF ? end_of(c) : (int)len));
    } else if (!c->peer.https || c->state == CONNECTION_FINISHED) {
        c->handler->received(c, bytes_make(buffer->base, (size_t)len));
    } else {
        c->heard_len += (size_t)len;
        if (!c->inbound && c->heard_len > CIPHER_HEARD_MAX) {
            c->write_broken = true;
            end_reading(c, FAILURE_TLS_PROTOCOL);
            return;
        }
        c->tls.in = bytes_make(buffer->base, (size_t)len);
        if (c->heard_len == (size_t)len) /* the receiver's first bytes show its protocol */
            c->heard = c->tls.in;
        if (c->state == CONNECTION_SECURING)
            shake_hands(c);
        c->heard = (struct bytes){0};
        if (c->state == CONNECTION_OPEN && (c->inbound || !was_securing))
            read_tls(c);
        if (c->state == CONNECTION_OPEN)
            write_on(c);
    }
}

static enum failure quiet_tls(struct connection *c, uv_os_fd_t fd)
{
    char cipher[2048], plain[16];
    struct bytes piece;

    for (;;) {
        switch (tls_read(&c->tls, plain, sizeof plain, &piece)) {
        case TLS_DONE:
            return FAILURE_EARLY_RESPONSE;
        case TLS_ENDED:
            return FAILURE_CLOSED_EARLY;
        case TLS_BROKEN:
            return c->tls.failure;
        case TLS_WANTS_INPUT:
            break;
        }
        ssize_t len = recv(fd, cipher, sizeof cipher, MSG_DONTWAIT);
        if (len < 0)
            return errno == EAGAIN || errno == EINTR ? FAILURE_NONE : io_failure(-errno);
        if (len == 0)
            return FAILURE_CLOSED_EARLY;
        c->tls.in = bytes_make(cipher, (size_t)len);
    }
}

enum failure connection_quiet(struct connection *c)
{
    uv_os_fd_t fd;
    char byte;

    if (c->write_pending || c->write_broken || uv_fileno((uv_handle_t *)&c->tcp, &fd) != 0)
        return FAILURE_RESET;
    if (c->peer.https)
        return quiet_tls(c, fd);
    ssize_t len = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (len < 0)
        return errno == EAGAIN || errno == EINTR ? FAILURE_NONE : io_failure(-errno);
    return len == 0 ? FAILURE_CLOSED_EARLY : FAILURE_EARLY_RESPONSE;
}

/* ---- writing ---- */

static enum connection_written broken(struct connection *c)
{
    c->write_broken = true;
    return CONNECTION_WRITE_FAILED;
}

static void on_plain_written(uv_write_t *req, int status)
{
    struct connection *c = req->data;

    c->write_pending = false;
    if (c->state == CONNECTION_CLOSED)
        return;
    if (status == 0) {
        c->handler->written(c);
    } else {
        c->write_broken = true;
        c->handler->write_failed(c);
    }
}

/* Returns the bytes that the kernel took; -1: the connection is lost. Not uv_try_write: a socket's own call
 * is cheaper than a file's. Only while nothing waits to be written. */
static ssize_t send_now(struct connection *c, uv_buf_t *buffers, int count)
{
    struct iovec parts[2];
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = (size_t)count};
    uv_os_fd_t fd;
    ssize_t sent;

    assert(count <= 2 && c->tcp.write_queue_size == 0);
    for (int i = 0; i < count; i++)
        parts[i] = (struct iovec){buffers[i].base, buffers[i].len};
    if (uv_fileno((uv_handle_t *)&c->tcp, &fd) != 0)
        return -1;
    do
        sent = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent < 0 && (errno == EAGAIN || errno == ENOBUFS))
        return 0;
    return sent;
}

static enum connection_written write_plain(struct connection *c, struct bytes head, struct bytes body)
{
    uv_buf_t buffers[2] = {uv_buf_init((char *)head.data, (unsigned)head.len),
                           uv_buf_init((char *)body.data, (unsigned)body.len)};
    uv_stream_t *stream = (uv_stream_t *)&c->tcp;
    ssize_t sent = send_now(c, buffers, 2);

    if (sent < 0)
        return broken(c);
    for (int i = 0; i < 2 && sent > 0; i++) {
        size_t part = (size_t)sent < buffers[i].len ? (size_t)sent : buffers[i].len;
        buffers[i].base += part;
        buffers[i].len -= part;
        sent -= (ssize_t)part;
    }
    if (buffers[0].len + buffers[1].len == 0)
        return CONNECTION_WRITTEN;
    c->write_req.data = c;
    if (uv_write(&c->write_req, stream, buffers, 2, on_plain_written) != 0)
        return broken(c);
    c->write_pending = true;
    return CONNECTION_WRITE_PENDING;
}

static void on_cipher_written(uv_write_t *req, int status)
{
    struct connection *c = req->handle->data;

    free(req->data);
    if (c->state == CONNECTION_CLOSED)
        return;
    if (status != 0)
        c->write_broken = true;
    write_on(c);
}

/* Sends TLS's ciphertext: takes all of it, or the connection is lost. */
static bool write_cipher(void *ctx, struct bytes piece)
{
    struct connection *c = ctx;
    uv_stream_t *stream = (uv_stream_t *)&c->tcp;
    uv_buf_t buffer = uv_buf_init((char *)piece.data, (unsigned)piece.len);

    if (c->write_broken || c->tcp.write_queue_size + piece.len > CIPHER_PENDING_MAX)
        return false;
    int sent = uv_try_write(stream, &buffer, 1);
    if (sent < 0 && sent != UV_EAGAIN) {
        c->write_broken = true;
        return false;
    }
    size_t done = sent > 0 ? (size_t)sent : 0;
    if (done == piece.len)
        return true;
    struct cipher_write *write = memory_alloc(sizeof *write + piece.len - done);
    memcpy(write->data, piece.data + done, piece.len - done);
    write->req.data = write;
    buffer = uv_buf_init(write->data, (unsigned)(piece.len - done));
    if (uv_write(&write->req, stream, &buffer, 1, on_cipher_written) != 0) {
        free(write);
        c->write_broken = true;
        return false;
    }
    return true;
}

/* The next record: one view as it is, or both copied together if the head leaves room. Not in the world's
 * buffer, which may hold received bytes that are not handled yet. */
static struct bytes next_record(const struct connection *c, char gathered[TLS_RECORD_LEN_MAX])
{
    struct bytes head = c->unencrypted[0], body = c->unencrypted[1];

    if (head.len > 0 && head.len < TLS_RECORD_LEN_MAX) {
        size_t room = TLS_RECORD_LEN_MAX - head.len, part = body.len < room ? body.len : room;
        memcpy(gathered, head.data, head.len);
        if (part > 0)
            memcpy(gathered + head.len, body.data, part);
        return bytes_make(gathered, head.len + part);
    }
    struct bytes from = head.len > 0 ? head : body;
    return bytes_make(from.data, from.len < TLS_RECORD_LEN_MAX ? from.len : TLS_RECORD_LEN_MAX);
}

static void take_unencrypted(struct connection *c, size_t len)
{
    for (int i = 0; i < 2; i++) {
        struct bytes *from = &c->unencrypted[i];
        size_t part = len < from->len ? len : from->len;
        *from = bytes_make(from->data + part, from->len - part);
        len -= part;
    }
}

/* TLS writes nothing while it has read only a part of the peer's message, such as a session ticket that is
 * longer than a record. */
static enum connection_written encrypt_some(struct connection *c)
{
    char gathered[TLS_RECORD_LEN_MAX];

    while (c->unencrypted[0].len + c->unencrypted[1].len > 0) {
        if (c->write_broken)
            return CONNECTION_WRITE_FAILED;
        if (c->tcp.write_queue_size > 0)
            return CONNECTION_WRITE_PENDING;
        struct bytes record = next_record(c, gathered);
        enum tls_status status = tls_write(&c->tls, record);
        if (status == TLS_WANTS_INPUT)
            return CONNECTION_WRITE_PENDING;
        if (status != TLS_DONE)
            return broken(c);
        take_unencrypted(c, record.len);
    }
    if (c->write_broken)
        return CONNECTION_WRITE_FAILED;
    return c->tcp.write_queue_size > 0 ? CONNECTION_WRITE_PENDING : CONNECTION_WRITTEN;
}

enum connection_written connection_write(struct connection *c, struct bytes head, struct bytes body)
{
    assert((c->state == CONNECTION_OPEN || !c->peer.https) && !c->write_pending);
    c->heard_len = 0;
    c->tls.handshake_messages = 0;
    if (!c->peer.https)
        return write_plain(c, head, body);
    c->unencrypted[0] = head;
    c->unencrypted[1] = body;
    enum connection_written written = encrypt_some(c);
    c->write_pending = written == CONNECTION_WRITE_PENDING;
    return written;
}

struct tcp_report connection_report(const struct connection *c)
{
    uv_os_fd_t fd;
    if (uv_fileno((const uv_handle_t *)&c->tcp, &fd) != 0)
        return (struct tcp_report){0};
    return tcp_report_of(fd);
}

/* ---- dialling ---- */

void connection_print_address(const struct sockaddr *address, char out[CONNECTION_ADDRESS_LEN_MAX])
{
    char host[INET6_ADDRSTRLEN] = "";
    const struct sockaddr_in *v4 = (const void *)address;
    const struct sockaddr_in6 *v6 = (const void *)address;

    if (address->sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
        snprintf(out, CONNECTION_ADDRESS_LEN_MAX, "[%s]:%u", host, ntohs(v6->sin6_port));
    } else {
        inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
        snprintf(out, CONNECTION_ADDRESS_LEN_MAX, "%s:%u", host, ntohs(v4->sin_port));
    }
}

static void on_connected(uv_connect_t *req, int status)
{
    struct connection *c = req->data;

    if (c->state == CONNECTION_CLOSED)
        return;
    deadline_lift(&c->deadline);
    if (status != 0) {
        c->handler->connected(c, dial_failure(status));
        return;
    }
    connection_state_move(&c->state, c->peer.https ? CONNECTION_CONNECTED : CONNECTION_OPEN);
    c->world->opened++;
    c->opened_ms = (int64_t)uv_now(c->world->loop);
    c->handler->connected(c, FAILURE_NONE);
}

void connection_connect_passed(struct deadline *deadline)
{
    struct connection *c = OWNER_OF(deadline, struct connection, deadline);
    c->handler->connected(c, FAILURE_CONNECT_TIMEOUT);
}

struct connection *connection_dial(struct connection_world *world, const struct sockaddr *address,
                                   const struct peer *peer, const struct connection_handler *handler,
                                   void *owner, enum failure *failure)
{
    if (!source_addresses_cover(&world->sources, address->sa_family) || !world->allow(world->ctx, address)) {
        *failure = FAILURE_BLOCKED_ADDRESS;
        return NULL;
    }
    struct connection *c = memory_zero(1, sizeof *c);
    int error = uv_tcp_init_ex(world->loop, &c->tcp, address->sa_family);
    if (error) {
        free(c);
        *failure = dial_failure_at_once(error);
        return NULL;
    }
    world->open++;
    c->world = world;
    c->peer = *peer;
    c->tcp.data = c;
    c->connect_req.data = c;
    connection_print_address(address, c->address);
    connection_own(c, handler, owner);
    uv_tcp_nodelay(&c->tcp, 1);
    error = source_addresses_bind(&world->sources, &c->tcp, address->sa_family);
    if (error == UV_EADDRNOTAVAIL) /* this machine has lost a source address (a connect means ports by it) */
        error = UV_ENETUNREACH;
    if (!error)
        error = uv_tcp_connect(&c->connect_req, &c->tcp, address, on_connected);
    if (!error) /* reading begins once it is connected; asking now saves libuv a call of epoll */
        error = uv_read_start((uv_stream_t *)&c->tcp, give_read_buffer, on_read);
    if (error) {
        connection_close(c);
        *failure = dial_failure_at_once(error);
        return NULL;
    }
    deadline_set(&c->deadline, world->connect_limit);
    *failure = FAILURE_NONE;
    return c;
}

/* Bytes that come before it begins wait in the kernel. */
static void begin_handshake(struct connection *c)
{
    if (!handshake_turn_take(c)) {
        connection_pause(c);
        deadline_set(&c->deadline, c->world->handshake_wait);
        return;
    }
    connection_resume(c);
    tls_begin(&c->tls, c->world->tls, &c->peer, c->identity, write_cipher, c);
    shake_hands(c);
}

void connection_secure(struct connection *c, const struct identity *identity)
{
    connection_state_move(&c->state, CONNECTION_SECURING);
    c->identity = identity;
    begin_handshake(c);
}

void connection_handshake_passed(struct deadline *deadline)
{
    struct connection *c = OWNER_OF(deadline, struct connection, deadline);
    if (c->inbound)
        connection_resume(c);
    else
        begin_handshake(c);
}

bool connection_waits_for_share(const struct connection *c)
{
    return c->state == CONNECTION_SECURING && !c->tls.ssl;
}

/* ---- accepting ---- */

struct connection *connection_accept(struct connection_world *world, int fd, bool https, int64_t client,
                                     const struct connection_handler *handler, void *owner)
{
    struct connection *c = memory_zero(1, sizeof *c);
    if (uv_tcp_init(world->loop, &c->tcp) != 0) {
        close(fd);
        free(c);
        return NULL;
    }
    world->open++;
    world->opened++;
    c->world = world;
    c->inbound = true;
    c->peer.https = https;
    c->peer.pool_key = client;
    c->tcp.data = c;
    c->state = https ? CONNECTION_SECURING : CONNECTION_OPEN;
    if (uv_tcp_open(&c->tcp, fd) != 0) {
        close(fd);
        connection_close(c);
        return NULL;
    }
    uv_tcp_nodelay(&c->tcp, 1);
    if (uv_read_start((uv_stream_t *)&c->tcp, give_read_buffer, on_read) != 0) {
        connection_close(c);
        return NULL;
    }
    connection_own(c, handler, owner);
    return c;
}

bool connection_client_trusted(const struct connection *c)
{
    return !c->peer.https || !tls_asks_clients(c->tls.tls) || tls_client_trusted(&c->tls);
}

void connection_pause(struct connection *c)
{
    uv_read_stop((uv_stream_t *)&c->tcp);
}

void connection_resume(struct connection *c)
{
    if (!uv_is_active((uv_handle_t *)&c->tcp))
        uv_read_start((uv_stream_t *)&c->tcp, give_read_buffer, on_read);
}

void connection_finish(struct connection *c)
{
    uv_os_fd_t fd;

    assert(!c->write_pending);
    connection_state_move(&c->state, CONNECTION_FINISHED);
    tls_end(&c->tls, true);
    if (uv_fileno((uv_handle_t *)&c->tcp, &fd) == 0)
        shutdown(fd, SHUT_WR);
}
