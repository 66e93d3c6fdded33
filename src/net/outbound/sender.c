#include "sender.h"
#include "answer_detail.h"
#include "attempt_stage.h"
#include "dialer.h"
#include "memory.h"
#include "owner.h"
#include "pool.h"
#include "request.h"
#include "resolver.h"
#include "response.h"
#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum { READ_BUFFER_LEN = 64 * 1024, HANDSHAKE_WAIT_MS = 20, UNREAD_LEN_MIN = 32 * 1024 };

/* The failure of an attempt that is in a stage for too long. (The resolver has its own limit.) */
static const enum failure stage_passed[ATTEMPT_STAGE_COUNT] = {[ATTEMPT_CONNECTING] = FAILURE_CONNECT_TIMEOUT,
                                                               [ATTEMPT_SECURING] = FAILURE_TLS_TIMEOUT,
                                                               [ATTEMPT_SENDING] = FAILURE_SEND_TIMEOUT,
                                                               [ATTEMPT_WAITING] = FAILURE_HEADER_TIMEOUT};

struct sender_attempt {
    struct sender_attempt *prev, *next; /* under way, or on the free list (next only) */
    struct sender *sender;
    uint32_t tag;
    sender_done *done;
    void *ctx;

    enum attempt_stage stage;
    enum failure failure; /* in ATTEMPT_ENDING */
    struct deadline stage_deadline, whole_deadline;
    int64_t started_ms, sent_ms;
    int timeout_s; /* its own; 0: none */

    struct peer peer;
    struct identity *identity; /* held; NULL: none */
    char *head;                /* of the request; head_size allocated */
    size_t head_len, head_size;
    struct bytes body;
    struct resolver_question question;
    struct dialer dialer;
    struct connection *connection;
    char address[CONNECTION_ADDRESS_LEN_MAX]; /* empty: none was tried */

    bool starting; /* sender_start has not returned yet */
    bool overdue;  /* its time is up; whether our own resolver is at fault is not known yet */
    bool once;     /* of the request */
    bool reused, mixed_answer;
    bool written;    /* the whole request has gone to the kernel */
    bool read_ended; /* nothing more will come */
    bool surplus;    /* bytes came behind the response */
    struct response *response;
};

struct sender {
    struct sender_config config;
    struct bytes user_agent;
    struct deadlines deadlines;
    struct deadline_queue *stage_limits[ATTEMPT_STAGE_COUNT], *whole_limit, *dialer_limit;
    struct deadline_queue *own_limits[SENDER_TIMEOUT_S_MAX + 1]; /* by seconds; NULL: no request had it yet */
    struct connection_world world;
    struct pool pool;
    struct resolver *resolver;
    struct sender_attempt under_way; /* ring */
    struct sender_attempt *free;
    struct sender_stats stats;
    /* Of the attempt that is ending: */
    char detail[ANSWER_DETAIL_LEN_MAX];
    struct bytes refused; /* bytes that came instead of TLS */
};

struct sender_limits sender_limits_default(void)
{
    return (struct sender_limits){.dns_ms = 5000,
                                  .connect_ms = 5000,
                                  .connect_all_ms = 10000,
                                  .tls_ms = 5000,
                                  .send_ms = 10000,
                                  .header_ms = 15000,
                                  .body_ms = 5000,
                                  .attempt_ms = 30000,
                                  .idle_ms = 15000,
                                  .age_ms = 60000,
                                  .close_ms = 5};
}

/* ---- the end of an attempt ---- */

static void attempt_resolve(struct sender_attempt *a);

static void attempt_enter(struct sender_attempt *a, enum attempt_stage stage)
{
    struct deadline_queue *limit = a->sender->stage_limits[stage];

    attempt_stage_move(&a->stage, stage);
    deadline_lift(&a->stage_deadline);
    if (limit && (stage != ATTEMPT_WAITING || a->timeout_s == 0))
        deadline_set(&a->stage_deadline, limit);
}

/* The acknowledgement rule. `cause` is the reason for the attempt's end; NONE: the response ended. */
static void judge(const struct sender_attempt *a, enum failure cause, struct sender_result *result)
{
    char *detail = a->sender->detail;
    int status = response_status(a->response);

    if (status == 0) {
        result->failure =
            response_stage(a->response) == RESPONSE_FAILED ? response_failure(a->response) : cause;
        assert(result->failure != FAILURE_NONE);
        result->response = response_said(a->response);
        if (result->response.len == 0)
            result->response = a->sender->refused;
        if (result->failure == FAILURE_TIMEOUT && a->timeout_s > 0)
            snprintf(detail, ANSWER_DETAIL_LEN_MAX, "the attempt reached the endpoint's timeout of %d s",
                     a->timeout_s);
        if (!detail[0])
            answer_detail_of_answer(detail, result->failure, response_flaw(a->response), result->response);
        if (!detail[0] && !a->peer.https && !a->reused && a->written)
            answer_detail_of_silent_end(detail, result->failure);
        return;
    }
    result->response = response_said(a->response);
    if (a->written) {
        result->failure = FAILURE_NONE;
    } else if (status / 100 == 2) {
        result->failure = FAILURE_EARLY_RESPONSE; /* the receiver has not read the body that it answers */
        return;
    } else {
        result->failure = status / 100 == 3 ? FAILURE_REDIRECT : FAILURE_UNEXPECTED_STATUS;
    }
    result->status = status;
    result->retry_after_ms = response_retry_after_ms(a->response, clock_wall_ms(&a->sender->config.clock));
    result->body_incomplete = response_stage(a->response) != RESPONSE_DONE;
    result->json = response_json(a->response);
    if (status / 100 == 3)
        answer_detail_of_redirect(detail, response_location(a->response));
    else if (!a->peer.https)
        answer_detail_of_status(detail, status, result->response);
}

/* A receiver that fails may have moved; this connection leads to its old address. */
static bool may_be_kept(const struct sender_attempt *a)
{
    int status = response_status(a->response);
    return !a->once && a->written && !a->read_ended && !a->surplus && (status / 100 == 2 || status == 429) &&
           response_keep_alive(a->response);
}

/* Releases all that the attempt holds; its connection goes to the pool if it may. */
static void attempt_release(struct sender_attempt *a, bool healthy)
{
    struct connection *connection = a->connection;

    a->connection = NULL;
    resolver_drop(&a->question);
    if (a->stage == ATTEMPT_CONNECTING && !connection) {
        dialer_stop(&a->dialer);
        connection_print_address(&a->dialer.address.any, a->address);
    }
    if (!connection)
        return;
    if (healthy && may_be_kept(a))
        pool_put(&a->sender->pool, connection);
    else
        connection_close(connection);
}

/* True: the answer came while more than half of a long request was still in our kernel, so the receiver has
 * not read that half. (Of a short request this cannot be known: it may be unread in the receiver's kernel.)
 */
static bool is_unread(const struct sender_attempt *a)
{
    size_t len = a->head_len + a->body.len;
    return a->connection && a->written && response_status(a->response) != 0 && len >= UNREAD_LEN_MIN &&
           connection_report(a->connection).unacknowledged_len > len / 2;
}

static void attempt_finish(struct sender_attempt *a, enum failure cause)
{
    struct sender *sender = a->sender;
    struct sender_result result = {.retry_after_ms = -1, .mixed_answer = a->mixed_answer};

    result.request_unread = is_unread(a);
    attempt_release(a, cause == FAILURE_NONE && !result.request_unread);
    identity_close(a->identity);
    judge(a, cause, &result);
    result.detail = bytes_of(sender->detail);
    result.reused_connection = a->reused;
    result.duration_ms = clock_mono_ms(&sender->config.clock) - a->started_ms;
    memcpy(result.address, a->address, sizeof result.address);
    attempt_enter(a, ATTEMPT_FREE);
    deadline_lift(&a->whole_deadline);
    a->prev->next = a->next;
    a->next->prev = a->prev;
    sender->stats.under_way--;
    a->done(a->ctx, a->tag, &result); /* may start the next one */
    sender->detail[0] = '\0';
    sender->refused = (struct bytes){0};
    a->next = sender->free;
    sender->free = a;
}

/* Ends the attempt; from within sender_start, on the loop's next turn. */
static void attempt_end(struct sender_attempt *a, enum failure cause)
{
    if (!a->starting) {
        attempt_finish(a, cause);
        return;
    }
    attempt_release(a, false);
    a->failure = cause;
    attempt_enter(a, ATTEMPT_ENDING);
}

static void on_stage_passed(struct deadline *deadline)
{
    struct sender_attempt *a = OWNER_OF(deadline, struct sender_attempt, stage_deadline);
    if (a->stage == ATTEMPT_SECURING && connection_waits_for_share(a->connection) && a->connection->crowded) {
        attempt_finish(a, FAILURE_LOCAL_LIMIT);
        return;
    }
    if (a->stage == ATTEMPT_SECURING && connection_waits_for_share(a->connection))
        snprintf(a->sender->detail, ANSWER_DETAIL_LEN_MAX,
                 "this endpoint's TLS handshakes have used up its share of posthorn's CPU: keep connections "
                 "alive");
    attempt_finish(a, a->stage == ATTEMPT_ENDING ? a->failure : stage_passed[a->stage]);
}

static void on_whole_passed(struct deadline *deadline)
{
    struct sender_attempt *a = OWNER_OF(deadline, struct sender_attempt, whole_deadline);
    if (a->stage == ATTEMPT_RESOLVING) {
        a->overdue = true;
        resolver_press(&a->question);
        return;
    }
    attempt_finish(a, a->stage == ATTEMPT_ENDING ? a->failure : FAILURE_TIMEOUT);
}

/* ---- the exchange ---- */

/* Moves the attempt on after progress of the response or of the request. */
static void attempt_advance(struct sender_attempt *a)
{
    enum response_stage stage = response_stage(a->response);

    if (stage == RESPONSE_FAILED)
        attempt_end(a, response_failure(a->response));
    else if (!a->written)
        return; /* an early answer counts only once the whole body is out */
    else if (stage == RESPONSE_DONE || stage == RESPONSE_STOPPED)
        attempt_end(a, FAILURE_NONE);
    else if (stage == RESPONSE_BODY && a->stage != ATTEMPT_READING)
        attempt_enter(a, ATTEMPT_READING);
    else if (stage == RESPONSE_HEAD && a->stage != ATTEMPT_WAITING)
        attempt_enter(a, ATTEMPT_WAITING);
}

static void on_received(struct connection *connection, struct bytes piece)
{
    struct sender_attempt *a = connection->owner;
    if (response_feed(a->response, piece) < piece.len)
        a->surplus = true;
    attempt_advance(a);
}

static void on_written(struct connection *connection)
{
    struct sender_attempt *a = connection->owner;
    a->written = true;
    attempt_advance(a);
}

/* The receiver may have sent a reason before it closed, which is still unread. */
static void on_write_failed(struct connection *connection)
{
    struct sender_attempt *a = connection->owner;
    if (a->read_ended)
        attempt_end(a, FAILURE_RESET);
    else if (a->stage != ATTEMPT_WAITING)
        attempt_enter(a, ATTEMPT_WAITING);
}

/* True: the kept-alive connection was being closed when we wrote. That is certain if the receiver's kernel
 * closed it before it acknowledged any of the request. A reset does not show that, and after a close that we
 * read late an acknowledgement may have followed. Then the time decides: such an end comes within a round
 * trip. After that the receiver may have done the work, so the schedule decides about another try. */
static bool attempt_crossed(const struct sender_attempt *a, enum failure failure)
{
    int64_t close_ms = a->sender->config.limits.close_ms;

    if (!a->reused || response_started(a->response) || close_ms == 0)
        return false;
    struct tcp_report report = connection_report(a->connection);
    if (failure == FAILURE_CLOSED_EARLY && a->written &&
        report.unacknowledged_len >= a->head_len + a->body.len)
        return true;
    int64_t took_ms = clock_mono_ms(&a->sender->config.clock) - a->sent_ms;
    if (failure == FAILURE_CLOSED_EARLY) /* the time of its arrival, not of our read */
        took_ms -= report.heard_before_ms;
    return took_ms <= report.round_trip_ms + close_ms;
}

static void on_ended(struct connection *connection, enum failure failure)
{
    struct sender_attempt *a = connection->owner;

    a->read_ended = true;
    if (connection->tls.why)
        snprintf(a->sender->detail, ANSWER_DETAIL_LEN_MAX, "%s", connection->tls.why);
    if (attempt_crossed(a, failure)) {
        attempt_end(a, FAILURE_IDLE_CLOSED);
        return;
    }
    /* A reset truncates headers that had begun, but does not properly end a body. */
    if (response_started(a->response) &&
        (failure == FAILURE_CLOSED_EARLY || response_stage(a->response) == RESPONSE_HEAD))
        response_end(a->response);
    if (response_status(a->response) != 0 && !a->written && !connection->write_broken)
        return; /* already answered: the rest of the request decides */
    attempt_end(a, failure);
}

static void attempt_send(struct sender_attempt *a)
{
    if (a->reused)
        a->sent_ms = clock_mono_ms(&a->sender->config.clock);
    switch (connection_write(a->connection, bytes_make(a->head, a->head_len), a->body)) {
    case CONNECTION_WRITTEN:
        a->written = true;
        attempt_enter(a, ATTEMPT_WAITING);
        break;
    case CONNECTION_WRITE_PENDING:
        attempt_enter(a, ATTEMPT_SENDING);
        break;
    case CONNECTION_WRITE_FAILED:
        attempt_enter(a, ATTEMPT_WAITING);
        break;
    }
}

/* Explains a failed handshake by the bytes that came instead of TLS, or by TLS's reason. */
static void note_refusal(struct sender *sender, const struct connection *connection, enum failure failure)
{
    struct bytes heard = connection->heard;
    if (failure == FAILURE_TLS_PROTOCOL && !answer_detail_is_tls(heard))
        sender->refused =
            bytes_make(heard.data, heard.len < RESPONSE_RAW_KEPT_MAX ? heard.len : RESPONSE_RAW_KEPT_MAX);
    answer_detail_of_handshake(sender->detail, failure, connection->tls.why, heard,
                               connection->heard_len == 0);
}

static void on_secured(struct connection *connection, enum failure failure)
{
    struct sender_attempt *a = connection->owner;
    if (failure == FAILURE_NONE) {
        attempt_send(a);
        return;
    }
    note_refusal(a->sender, connection, failure);
    attempt_end(a, failure);
}

static const struct connection_handler exchange_handler = {.secured = on_secured,
                                                           .received = on_received,
                                                           .written = on_written,
                                                           .write_failed = on_write_failed,
                                                           .ended = on_ended};

/* ---- getting a connection ---- */

static void attempt_adopt(struct sender_attempt *a, struct connection *connection)
{
    a->connection = connection;
    connection_own(connection, &exchange_handler, a);
    memcpy(a->address, connection->address, sizeof a->address);
}

static int64_t retires_ms(const struct sender_limits *limits, int64_t opened_ms, int64_t expires_ms)
{
    int64_t ttl_end_ms = opened_ms + SENDER_TTL_MS_MAX;
    if (expires_ms < ttl_end_ms)
        ttl_end_ms = expires_ms;
    return opened_ms + limits->age_ms > ttl_end_ms ? opened_ms + limits->age_ms : ttl_end_ms;
}

static void on_dialled(struct dialer *dialer, struct connection *connection, enum failure failure)
{
    struct sender_attempt *a = OWNER_OF(dialer, struct sender_attempt, dialer);

    if (failure != FAILURE_NONE) {
        attempt_end(a, failure);
        return;
    }
    connection->retire_ms = retires_ms(&a->sender->config.limits, connection->opened_ms, dialer->expires_ms);
    attempt_adopt(a, connection);
    if (a->peer.https) {
        attempt_enter(a, ATTEMPT_SECURING);
        connection_secure(connection, a->identity);
        return;
    }
    failure = connection_quiet(connection);
    if (failure == FAILURE_NONE)
        attempt_send(a);
    else
        attempt_end(a, failure);
}

static void attempt_dial(struct sender_attempt *a, const struct addresses *addresses)
{
    const struct sender_config *config = &a->sender->config;
    struct addresses allowed = {.expires_ms = addresses->expires_ms};
    int usable = 0; /* of a family that we use */

    for (int i = 0; i < addresses->count; i++) {
        union address address = addresses->list[i];
        if (address.any.sa_family == AF_INET6)
            address.v6.sin6_port = htons(a->peer.port);
        else
            address.v4.sin_port = htons(a->peer.port);
        if (!source_addresses_cover(&a->sender->world.sources, address.any.sa_family))
            continue;
        usable++;
        if (config->allow(config->ctx, &address.any))
            allowed.list[allowed.count++] = address;
    }
    a->mixed_answer = allowed.count > 0 && allowed.count < usable;
    if (allowed.count == 0) {
        attempt_end(a, FAILURE_BLOCKED_ADDRESS);
        return;
    }
    attempt_enter(a, ATTEMPT_CONNECTING);
    enum failure failure = dialer_start(&a->dialer, &allowed);
    if (failure != FAILURE_NONE)
        attempt_end(a, failure);
}

static void on_resolved(struct resolver_question *question, enum failure failure,
                        const struct addresses *addresses)
{
    struct sender_attempt *a = OWNER_OF(question, struct sender_attempt, question);
    if (a->overdue && failure != FAILURE_LOCAL_OUTAGE)
        failure = FAILURE_TIMEOUT;
    if (failure == FAILURE_NONE)
        attempt_dial(a, addresses);
    else
        attempt_end(a, failure);
}

static void attempt_resolve(struct sender_attempt *a)
{
    struct addresses address = {.count = 1};

    switch (a->peer.host_kind) {
    case URL_HOST_IPV4:
        address.list[0].v4.sin_family = AF_INET;
        inet_pton(AF_INET, a->peer.host, &address.list[0].v4.sin_addr);
        attempt_dial(a, &address);
        break;
    case URL_HOST_IPV6:
        address.list[0].v6.sin6_family = AF_INET6;
        inet_pton(AF_INET6, a->peer.host, &address.list[0].v6.sin6_addr);
        attempt_dial(a, &address);
        break;
    case URL_HOST_NAME:
        attempt_enter(a, ATTEMPT_RESOLVING);
        resolver_ask(a->sender->resolver, a->peer.host, &a->question);
        break;
    }
}

/* ---- attempts ---- */

static struct deadline_queue *whole_limit(struct sender *sender, const struct sender_request *request)
{
    int left_s = request->timeout_s;
    assert(left_s >= 0 && left_s <= SENDER_TIMEOUT_S_MAX);
    if (left_s == 0 && request->spent_s == 0)
        return sender->whole_limit;
    if (left_s == 0)
        left_s = sender->config.limits.attempt_ms / 1000;
    left_s = left_s > request->spent_s ? left_s - request->spent_s : 1;
    struct deadline_queue **own = &sender->own_limits[left_s];
    if (!*own)
        *own = deadlines_queue(&sender->deadlines, (int64_t)left_s * 1000, on_whole_passed);
    return *own;
}

static struct sender_attempt *attempt_new(struct sender *sender)
{
    struct sender_attempt *a = sender->free;
    if (a) {
        sender->free = a->next;
    } else {
        a = memory_zero(1, sizeof *a);
        a->response = memory_alloc(response_size());
        a->sender = sender;
        a->question.answered = on_resolved;
        a->dialer.world = &sender->world;
        a->dialer.second_limit = sender->dialer_limit;
        a->dialer.peer = &a->peer;
        a->dialer.done = on_dialled;
    }
    a->next = &sender->under_way;
    a->prev = sender->under_way.prev;
    a->prev->next = a->next->prev = a;
    return a;
}

static void attempt_free(struct sender_attempt *a)
{
    free(a->head);
    free(a->response);
    free(a);
}

static void attempt_prepare(struct sender_attempt *a, const struct sender_request *request)
{
    size_t size = request_head_len_max(request, a->sender->user_agent);

    if (size > a->head_size) {
        a->head = memory_grow(a->head, size);
        a->head_size = size;
    }
    a->head_len = request_head_write(a->head, request, a->sender->user_agent);
    a->body = request->body;
    a->timeout_s = request->timeout_s;
    a->once = request->once;
    a->failure = FAILURE_NONE;
    a->address[0] = '\0';
    a->reused = a->mixed_answer = a->overdue = false;
    a->written = a->read_ended = a->surplus = false;
    a->response = response_init(a->response);
    a->identity = request->identity ? identity_hold(request->identity) : NULL;
    peer_init(&a->peer, request->pool_key, request->url, a->identity);
}

/* Connections in use and idle ones share the descriptors of deliveries. */
static void fit_pool(struct sender *sender)
{
    int idle_max = sender->config.idle_connections_max, attempts_max = sender->config.attempts_max;
    pool_fit(&sender->pool, (idle_max > attempts_max ? idle_max : attempts_max) - sender->stats.under_way);
}

void sender_start(struct sender *sender, const struct sender_request *request, uint32_t tag,
                  sender_done *done, void *ctx)
{
    assert(sender->stats.under_way < sender->config.attempts_max);
    struct sender_attempt *a = attempt_new(sender);

    sender->stats.attempts++;
    sender->stats.under_way++;
    a->tag = tag;
    a->done = done;
    a->ctx = ctx;
    a->started_ms = clock_mono_ms(&sender->config.clock);
    attempt_prepare(a, request);
    deadline_set(&a->whole_deadline, whole_limit(sender, request));
    a->starting = true;
    struct connection *connection = pool_take(&sender->pool, &a->peer, request->age_ms_max);
    if (connection) {
        attempt_adopt(a, connection);
        a->reused = true;
        sender->stats.connections_reused++;
        attempt_send(a);
    } else {
        fit_pool(sender); /* a new connection: an idle one makes room */
        attempt_resolve(a);
    }
    a->starting = false;
}

/* ---- the sender ---- */

static struct deadline_queue *limit(struct sender *sender, int after_ms,
                                    void (*passed)(struct deadline *deadline))
{
    return deadlines_queue(&sender->deadlines, after_ms, passed);
}

static void set_limits(struct sender *sender)
{
    const struct sender_limits *l = &sender->config.limits;

    sender->stage_limits[ATTEMPT_CONNECTING] = limit(sender, l->connect_all_ms, on_stage_passed);
    sender->stage_limits[ATTEMPT_SECURING] = limit(sender, l->tls_ms, on_stage_passed);
    sender->stage_limits[ATTEMPT_SENDING] = limit(sender, l->send_ms, on_stage_passed);
    sender->stage_limits[ATTEMPT_WAITING] = limit(sender, l->header_ms, on_stage_passed);
    sender->stage_limits[ATTEMPT_READING] = limit(sender, l->body_ms, on_stage_passed);
    sender->stage_limits[ATTEMPT_ENDING] = limit(sender, 0, on_stage_passed);
    sender->whole_limit = limit(sender, l->attempt_ms, on_whole_passed);
    sender->dialer_limit = limit(sender, DIALER_SECOND_MS, dialer_second_passed);
    sender->world.handshake_wait = limit(sender, HANDSHAKE_WAIT_MS, connection_handshake_passed);
    sender->world.connect_limit = limit(sender, l->connect_ms, connection_connect_passed);
}

static void on_abandoned(uv_handle_t *timer)
{
    free(OWNER_OF(timer, struct sender, deadlines.timer));
}

struct sender *sender_open(const struct sender_config *config)
{
    struct tls *tls = tls_open(config->ca_file, config->log);
    if (!tls)
        return NULL;
    struct sender *sender = memory_zero(1, sizeof *sender);
    sender->config = *config;
    sender->user_agent = bytes_of(config->user_agent);
    sender->under_way.prev = sender->under_way.next = &sender->under_way;
    deadlines_init(&sender->deadlines, config->loop);
    sender->resolver =
        resolver_open(config->loop, config->dns_servers, config->limits.dns_ms, &sender->deadlines);
    if (!sender->resolver) {
        log_write(config->log, LOG_LEVEL_ERROR, "sender", "the resolver cannot be set up servers=%s",
                  config->dns_servers ? config->dns_servers : "(the system's)");
        uv_close((uv_handle_t *)&sender->deadlines.timer, on_abandoned);
        tls_free(tls);
        return NULL;
    }
    set_limits(sender);
    pool_init(&sender->pool, config->idle_connections_max,
              limit(sender, config->limits.idle_ms, pool_idle_passed));
    sender->world.loop = config->loop;
    sender->world.tls = tls;
    sender->world.allow = config->allow;
    sender->world.ctx = config->ctx;
    if (config->sources)
        sender->world.sources = *config->sources;
    sender->world.buffer_len = READ_BUFFER_LEN;
    sender->world.read_buffer = memory_alloc(READ_BUFFER_LEN);
    sender->world.handshakes_max = config->limits.handshakes_max;
    sender->world.shares = memory_zero(1, sizeof *sender->world.shares);
    sender->world.sleep = config->sleep;
    sender->world.plain_buffer = memory_alloc(TLS_RECORD_LEN_MAX);
    return sender;
}

static void attempt_abort(struct sender_attempt *a)
{
    attempt_finish(a, a->stage == ATTEMPT_ENDING ? a->failure : FAILURE_SHUTDOWN);
}

void sender_trust(struct sender *sender, struct tls *tls)
{
    tls_free(sender->world.tls);
    sender->world.tls = tls;
}

void sender_abort(struct sender *sender)
{
    int count = sender->stats.under_way; /* attempts that `done` starts meanwhile come after these */
    while (count-- > 0)
        attempt_abort(sender->under_way.next);
}

void sender_close(struct sender *sender)
{
    assert(sender->stats.under_way == 0);
    pool_fini(&sender->pool);
    resolver_close(sender->resolver);
    deadlines_close(&sender->deadlines);
}

void sender_free(struct sender *sender)
{
    assert(sender->world.open == 0);
    while (sender->free) {
        struct sender_attempt *a = sender->free;
        sender->free = a->next;
        attempt_free(a);
    }
    resolver_free(sender->resolver);
    tls_free(sender->world.tls);
    free(sender->world.read_buffer);
    free(sender->world.plain_buffer);
    free(sender->world.shares);
    free(sender);
}

void sender_stats(const struct sender *sender, struct sender_stats *stats)
{
    *stats = sender->stats;
    stats->connections_opened = sender->world.opened;
    stats->tls_full = sender->world.tls_full;
    stats->tls_resumed = sender->world.tls_resumed;
    stats->idle = sender->pool.count;
}
