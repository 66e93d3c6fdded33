#include "engine.h"
#include "digest.h"
#include "ed25519.h"
#include "endpoint_cache.h"
#include "endpoint_log.h"
#include "format.h"
#include "memory.h"
#include "push_signer.h"
#include "tls.h"
#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    BOX_LEN_MAX = MODEL_SIGNING_LEN_MAX + MODEL_IDENTITY_LEN_MAX + PUSH_SETTINGS_LEN_MAX +
                  64 * 1024, /* url, what is sealed, and the answer kept for the record */
    ANSWER_KEPT_MAX = 1024,  /* of an acknowledgement; a failure keeps all that was read */
    PAYLOAD_KEPT_MAX = 4096, /* a smaller one goes with the record: from the thread whose malloc it was */
    SENDS_A_TURN_MAX = 32,
    OFFERED_MAX = 1024, /* empty boxes with the writer: a batch takes no more */
    LOCALS_REFRESH_MS = 60 * 1000
};

_Static_assert(PUSH_HEADERS_MAX <= (int)SENDER_HEADERS_MAX, "every header of a push is sent");

struct engine_slot {
    struct store_work box;
    struct queue_job record;
    struct attempt attempt; /* the history line, filled when the attempt ends */
    char address[64];       /* what attempt.address looks at */
    enum record_result recorded;
    struct engine_slot *next; /* in the inbox */
    struct engine *engine;
};

/* The things that other threads leave for the loop. */
struct engine_inbox {
    pthread_mutex_t lock;
    struct engine_slot *filled, *returned, *recorded;
    struct tls *tls; /* takes the place of the sender's; NULL: it stays */
    bool drain, abort, stop;
    bool awake; /* the loop is going to look, or has been told to */
    int64_t drain_ms;
    struct engine_stats published;
    int64_t cpu_us; /* of the loop's thread, when last asked for */
};

struct engine {
    struct engine_config config;
    struct guard guard; /* with the addresses of our own interfaces, refreshed */
    struct dispatch *dispatch;
    struct engine_slot *slots;
    struct store_work **offers; /* room for one pump's OFFER effects */
    struct sender *sender;
    struct endpoint_cache *endpoints;
    struct endpoint_log *endpoint_log;
    struct engine_inbox inbox;
    atomic_int recording; /* outcomes that the queue has */
    struct engine_stats stats;
    uv_loop_t loop;
    int wake_fd; /* an eventfd. Not uv_async: its loop spins while another thread is still telling it */
    uv_poll_t wake;
    uv_prepare_t pump;
    uv_check_t awake;
    uv_timer_t timer, drain_timer, locals_timer;
    pthread_t thread;
    bool thread_started, joined, draining, stopped;
};

static void engine_list_push(struct engine_slot **list, struct engine_slot *slot)
{
    slot->next = *list;
    *list = slot;
}

/* ---- coming in, from any thread ---- */

/* Unlocks; and tells the loop, unless that can wait or the loop is going to look anyway. */
static void engine_inbox_post(struct engine *engine, bool urgent)
{
    bool tell = urgent && !engine->inbox.awake;
    engine->inbox.awake = engine->inbox.awake || tell;
    pthread_mutex_unlock(&engine->inbox.lock);
    if (tell)
        eventfd_write(engine->wake_fd, 1);
}

void engine_work(struct engine *engine, struct store_work **boxes, int count)
{
    pthread_mutex_lock(&engine->inbox.lock);
    for (int i = count - 1; i >= 0; i--) {
        struct engine_slot *slot = &engine->slots[boxes[i]->slot];
        engine_list_push(boxes[i]->filled ? &engine->inbox.filled : &engine->inbox.returned, slot);
    }
    engine_inbox_post(engine, true);
}

/* A store that is damaged records nothing any more. The slot lets go of what happened: its delivery is leased
 * in the file as it was, and is sent again when the server is started on a sound one. */
static enum record_result engine_record_result(const struct queue_job *job, enum store_status status)
{
    if (status == STORE_DAMAGED || status == STORE_REFUSED)
        return RECORD_FENCED;
    if (status != STORE_OK)
        return RECORD_FAILED;
    return job->op.result == STORE_DONE ? RECORD_DONE : RECORD_FENCED;
}

/* The record needs the answer, but not what was asked. */
static void engine_drop_payload(struct engine_slot *slot)
{
    payload_drop(slot->box.payload);
    slot->box.payload = NULL;
}

/* On the writer thread, once an outcome: the loop is told of the last one, or of the work that comes with
 * them. As outcomes are submitted by the loop alone, right after it has looked, none is left lying. */
static void engine_on_recorded(struct queue_job *job, enum store_status status)
{
    struct engine_slot *slot = job->ctx;
    struct engine *engine = slot->engine;

    slot->recorded = engine_record_result(job, status);
    engine_drop_payload(slot);
    pthread_mutex_lock(&engine->inbox.lock);
    engine_list_push(&engine->inbox.recorded, slot);
    engine_inbox_post(engine, atomic_fetch_sub(&engine->recording, 1) == 1);
}

/* ---- the loop's side ---- */

static uint32_t engine_slot_number(const struct engine *engine, const struct engine_slot *slot)
{
    return (uint32_t)(slot - engine->slots);
}

static void engine_feed_filled(struct engine *engine, int64_t now_ms, const struct engine_slot *slot)
{
    const struct store_work *box = &slot->box;
    struct input input = {
        .kind = INPUT_WORK,
        .slot = engine_slot_number(engine, slot),
        .work = {.delivery_id = box->delivery_id,
                 .endpoint_id = box->endpoint_id,
                 .lease = box->lease,
                 .attempt = box->attempt,
                 .lost = box->lost,
                 .age_ms = box->age_ms,
                 .push = box->push,
                 .quick = box->quick},
    };
    dispatch_feed(engine->dispatch, now_ms, &input);
}

static void engine_on_drain_timer(uv_timer_t *timer)
{
    struct engine *engine = timer->data;
    sender_abort(engine->sender);
}

/* Counted when it is on record, so that one which had to be submitted again is not counted twice. */
static void engine_count(struct engine *engine, enum decision_kind kind)
{
    switch (kind) {
    case DECISION_DELIVERED:
        engine->stats.delivered++;
        break;
    case DECISION_RETRY:
        engine->stats.retried++;
        break;
    case DECISION_GIVE_UP:
        engine->stats.given_up++;
        break;
    case DECISION_RELEASE:
        engine->stats.released++;
        break;
    }
}

static void engine_log_end(struct engine *engine, int64_t now_ms, const struct engine_slot *slot)
{
    const struct store_op *op = &slot->record.op;
    endpoint_log_ended(engine->endpoint_log, now_ms,
                       &(struct endpoint_end){.user_id = slot->box.user_id,
                                              .endpoint_id = slot->box.endpoint_id,
                                              .event_id = slot->box.event_id,
                                              .delivery_id = op->outcome.delivery_id,
                                              .decision = op->outcome.decision,
                                              .attempt = op->outcome.attempt.attempt,
                                              .status = op->outcome.attempt.status,
                                              .duration_ms = op->outcome.attempt.duration_ms,
                                              .disabled = (enum endpoint_disabled)op->count});
}

static void engine_take_inbox(struct engine *engine, int64_t now_ms)
{
    pthread_mutex_lock(&engine->inbox.lock);
    struct engine_slot *filled = engine->inbox.filled, *returned = engine->inbox.returned;
    struct engine_slot *recorded = engine->inbox.recorded;
    engine->inbox.filled = engine->inbox.returned = engine->inbox.recorded = NULL;
    struct tls *tls = engine->inbox.tls;
    engine->inbox.tls = NULL;
    bool drain = engine->inbox.drain && !engine->draining, abort_now = engine->inbox.abort;
    bool stop = engine->inbox.stop && !engine->stopped;
    int64_t drain_ms = engine->inbox.drain_ms;
    engine->inbox.abort = engine->inbox.awake = false;
    pthread_mutex_unlock(&engine->inbox.lock);

    if (tls)
        sender_trust(engine->sender, tls);
    for (struct engine_slot *slot = recorded, *next; slot; slot = next) {
        next = slot->next;
        if (slot->recorded == RECORD_DONE)
            engine_log_end(engine, now_ms, slot);
        if (slot->recorded != RECORD_FAILED)
            store_work_clear(&slot->box);
        if (slot->recorded == RECORD_DONE)
            engine_count(engine, slot->record.op.outcome.decision.kind);
        dispatch_feed(engine->dispatch, now_ms,
                      &(struct input){.kind = INPUT_RECORDED,
                                      .slot = engine_slot_number(engine, slot),
                                      .recorded = slot->recorded});
    }
    for (struct engine_slot *slot = returned, *next; slot; slot = next) {
        next = slot->next;
        dispatch_feed(engine->dispatch, now_ms,
                      &(struct input){.kind = INPUT_RETURNED, .slot = engine_slot_number(engine, slot)});
    }
    for (struct engine_slot *slot = filled, *next; slot; slot = next) {
        next = slot->next;
        engine_feed_filled(engine, now_ms, slot);
    }
    if (stop) {
        engine->stopped = true;
        dispatch_feed(engine->dispatch, now_ms, &(struct input){.kind = INPUT_DRAIN});
    }
    if (drain) {
        engine->draining = true;
        uv_timer_start(&engine->drain_timer, engine_on_drain_timer, (uint64_t)drain_ms, 0);
        dispatch_feed(engine->dispatch, now_ms, &(struct input){.kind = INPUT_DRAIN});
    }
    if (abort_now)
        sender_abort(engine->sender);
}

/* The box may be full: the receiver's own words are a comfort, not a promise. */
static struct bytes engine_keep(struct engine_slot *slot, struct bytes text, size_t len_max)
{
    struct bytes kept = {NULL, 0};
    if (text.len > 0)
        kept = arena_copy(&slot->box.memory, bytes_make(text.data, text.len < len_max ? text.len : len_max));
    return kept.data ? kept : (struct bytes){NULL, 0};
}

/* An attempt has ended: the history line is kept with the slot, the outcome goes to the core. */
static void engine_on_sent(void *ctx, uint32_t tag, const struct sender_result *result)
{
    struct engine *engine = ctx;
    struct engine_slot *slot = &engine->slots[tag];
    bool answered_200 = result->failure == FAILURE_NONE && result->status == 200;

    memcpy(slot->address, result->address, sizeof slot->address);
    slot->attempt.duration_ms = (int32_t)result->duration_ms;
    slot->attempt.status = result->status;
    slot->attempt.body_incomplete = result->body_incomplete;
    slot->attempt.reused_connection = result->reused_connection;
    slot->attempt.mixed_answer = result->mixed_answer;
    slot->attempt.request_unread = result->request_unread;
    slot->attempt.address = bytes_of(slot->address);
    slot->attempt.detail = engine_keep(slot, result->detail, MODEL_DETAIL_LEN_MAX);
    slot->attempt.response =
        engine_keep(slot, result->response, answered_200 ? ANSWER_KEPT_MAX : result->response.len);
    if (slot->box.document_len > PAYLOAD_KEPT_MAX)
        engine_drop_payload(slot);
    dispatch_feed(engine->dispatch, clock_mono_ms(&engine->config.clock),
                  &(struct input){.kind = INPUT_OUTCOME,
                                  .slot = tag,
                                  .duration_ms = result->duration_ms,
                                  .outcome = {.failure = result->failure,
                                              .status = result->status,
                                              .retry_after_ms = result->retry_after_ms}});
}

/* The attempt is over before anything went out. */
static void engine_refuse(struct engine *engine, uint32_t number, enum failure failure)
{
    dispatch_feed(engine->dispatch, clock_mono_ms(&engine->config.clock),
                  &(struct input){.kind = INPUT_OUTCOME,
                                  .slot = number,
                                  .outcome = {.failure = failure, .retry_after_ms = -1}});
}

/* Which connections may be used again? For a first attempt any. For the next one none that the last can have
 * used: the receiver may have moved. If the last counted for nothing, as the lease tells, perhaps because its
 * connection was being closed, none at all; and none if the endpoint has retries of its own. */
static int64_t engine_age_ms_max(const struct engine *engine, const struct store_work *box)
{
    bool own_retry = push_settings_of(box->push)->retry.len > 0; /* perhaps changed since that attempt */
    if (box->lease > box->attempt + 1 || (box->lease > 1 && own_retry))
        return 0;
    const struct policy *policy = &engine->config.dispatch.policy;
    return box->lease == 1 ? INT64_MAX : policy->base_ms * (100 - policy->jitter_percent) / 100;
}

/* The bytes that are sent take the place of the document. NONE, or why there are none. */
static enum failure engine_render(struct store_work *box, struct format_push *format)
{
    enum push_format which = (enum push_format)push_settings_of(box->push)->format;
    if (!format_render(which, bytes_make(box->document, box->document_len), format))
        return FAILURE_DAMAGED;
    if (format->piece_count == 1)
        return FAILURE_NONE;
    struct payload *rendered = payload_make(box->payload->budget, format->len);
    if (!rendered)
        return FAILURE_LOCAL_LIMIT;
    format_write(format, rendered->data);
    payload_drop(box->payload); /* the headers have values of their own if there are pieces */
    box->payload = rendered;
    box->document = rendered->data;
    box->document_len = rendered->len;
    return FAILURE_NONE;
}

_Static_assert((int)MODEL_TIMEOUT_S_MAX == (int)SENDER_TIMEOUT_S_MAX, "what an endpoint asks for can be had");

static void engine_send(struct engine *engine, uint32_t number)
{
    struct engine_slot *slot = &engine->slots[number];
    struct store_work *box = &slot->box;
    const struct cached_endpoint *endpoint;
    struct push_headers headers;
    struct format_push format;
    void *signers[SIGNING_SECRETS_MAX];
    struct bytes secrets[SIGNING_SECRETS_MAX];
    struct message_key keys[SIGNING_SECRETS_MAX];

    slot->attempt = (struct attempt){.delivery_id = box->delivery_id,
                                     .lease = box->lease,
                                     .started_at_ms = clock_wall_ms(&engine->config.clock)};
    /* The settings may have become stricter since the URL was stored. */
    enum failure failure = endpoint_cache_find(engine->endpoints, &engine->guard, box, &endpoint);
    if (failure == FAILURE_SEALED)
        slot->attempt.started_at_ms = 0; /* no line of history: it may be held up for long */
    if (failure == FAILURE_NONE)
        failure = engine_render(box, &format);
    if (failure != FAILURE_NONE) {
        engine_refuse(engine, number, failure);
        return;
    }
    struct push_parts parts = {
        .event_id = box->event_id,
        .at_ms = slot->attempt.started_at_ms,
        .document = bytes_make(box->document, box->document_len),
        .format = &format,
        .digest = bytes_make(box->auth_digest, box->auth_digest[0] ? DIGEST_HEX_LEN : 0),
        .sign = push_signer_sign,
        .signers = signers,
        .signer_count = cached_endpoint_signers(endpoint, slot->attempt.started_at_ms, signers),
        .signatures = endpoint->signatures,
        .mac = digest_hmac,
        .secrets = secrets,
        .secret_count = cached_endpoint_secrets(endpoint, slot->attempt.started_at_ms, secrets),
        .url = &endpoint->url,
        .hash = digest_sha256,
        .sign_message = ed25519_sign,
        .keys = keys,
        .key_count = cached_endpoint_keys(endpoint, slot->attempt.started_at_ms, keys),
        .own = endpoint->own ? endpoint->own->list : NULL,
        .own_count = endpoint->own ? endpoint->own->count : 0};
    push_headers_make(&headers, &parts);
    sender_start(engine->sender,
                 &(struct sender_request){.timeout_s = push_settings_of(box->push)->timeout,
                                          .age_ms_max = engine_age_ms_max(engine, box),
                                          .pool_key = box->endpoint_id,
                                          .identity = endpoint->identity,
                                          .url = &endpoint->url,
                                          .headers = headers.list,
                                          .header_count = headers.count,
                                          .body = parts.document},
                 number, engine_on_sent, engine);
}

static void engine_record(struct engine *engine, const struct effect *effect)
{
    struct engine_slot *slot = &engine->slots[effect->slot];
    struct queue_job *job = &slot->record;
    bool tried =
        slot->attempt.lease == effect->work.lease && slot->attempt.delivery_id == effect->work.delivery_id;
    bool counted = effect->decision.kind != DECISION_RELEASE;

    if (!tried) { /* never sent: released while it waited, or too many lost leases */
        slot->attempt =
            (struct attempt){.delivery_id = effect->work.delivery_id, .lease = effect->work.lease};
        slot->attempt.started_at_ms = counted ? clock_wall_ms(&engine->config.clock) : 0;
    }
    slot->attempt.failure = effect->decision.reason;
    slot->attempt.counted = counted;
    slot->attempt.attempt = effect->work.attempt + (counted ? 1 : 0);
    job->op = (struct store_op){.kind = STORE_OUTCOME};
    job->op.outcome.delivery_id = effect->work.delivery_id;
    job->op.outcome.lease = effect->work.lease;
    job->op.outcome.decision = effect->decision;
    job->op.outcome.answered = effect->decision.kind == DECISION_DELIVERED;
    job->op.outcome.attempt = slot->attempt;
    job->done = engine_on_recorded;
    job->ctx = slot;
    atomic_fetch_add(&engine->recording, 1);
    bool taken = queue_submit(engine->config.queue, job);
    assert(taken && "outcomes are never refused");
    (void)taken;
}

/* A slot's memory is touched when it is first used: there are many, and most are for the worst days. */
static struct store_work *engine_empty_box(struct engine *engine, uint32_t number)
{
    struct engine_slot *slot = &engine->slots[number];
    if (!slot->engine) {
        arena_init_small(&slot->box.memory, BOX_LEN_MAX);
        slot->box.slot = number;
        slot->engine = engine;
    }
    slot->box.filled = false; /* from the last time */
    return &slot->box;
}

static void engine_offer(struct engine *engine, int count)
{
    if (count > 0)
        queue_offer(engine->config.queue, engine->offers, count);
}

static void engine_publish(struct engine *engine)
{
    for (int state = 0; state < SLOT_STATE_COUNT; state++)
        engine->stats.slots[state] = dispatch_count(engine->dispatch, (enum slot_state)state);
    sender_stats(engine->sender, &engine->stats.sender);
    pthread_mutex_lock(&engine->inbox.lock);
    engine->inbox.published = engine->stats;
    pthread_mutex_unlock(&engine->inbox.lock);
}

static void engine_on_timer(uv_timer_t *timer)
{
    (void)timer; /* the pump runs before the loop sleeps again */
}

static void engine_sleep(struct engine *engine, bool more)
{
    int64_t wake_at = more ? 0 : dispatch_wake_at(engine->dispatch);
    if (wake_at == INT64_MAX) {
        uv_timer_stop(&engine->timer);
        return;
    }
    int64_t delay_ms = wake_at - clock_mono_ms(&engine->config.clock);
    uv_timer_start(&engine->timer, engine_on_timer, delay_ms > 0 ? (uint64_t)delay_ms : 0, 0);
}

static void engine_close_handles(struct engine *engine)
{
    if (engine->sender)
        sender_close(engine->sender);
    uv_close((uv_handle_t *)&engine->wake, NULL);
    uv_close((uv_handle_t *)&engine->pump, NULL);
    uv_close((uv_handle_t *)&engine->awake, NULL);
    uv_close((uv_handle_t *)&engine->timer, NULL);
    uv_close((uv_handle_t *)&engine->drain_timer, NULL);
    uv_close((uv_handle_t *)&engine->locals_timer, NULL);
}

/* Once a turn of the loop, before it sleeps: what came in, then the effects. After so many requests the
 * sockets come first: each may be a new connection, and thousands may be ready at once. */
static void engine_on_pump(uv_prepare_t *prepare)
{
    struct engine *engine = prepare->data;
    struct effect effect;
    int offered = 0, sends = 0;
    int64_t now_ms = clock_mono_ms(&engine->config.clock); /* once a turn */

    engine_take_inbox(engine, now_ms);
    while (sends < SENDS_A_TURN_MAX && dispatch_next(engine->dispatch, now_ms, &effect)) {
        switch (effect.kind) {
        case EFFECT_OFFER:
            engine->offers[offered++] = engine_empty_box(engine, effect.slot);
            break;
        case EFFECT_SEND:
            engine_send(engine, effect.slot);
            sends++;
            break;
        case EFFECT_RECORD:
            engine_record(engine, &effect);
            break;
        case EFFECT_WITHDRAW:
            queue_withdraw(engine->config.queue);
            break;
        }
    }
    engine_offer(engine, offered);
    engine_publish(engine);
    if (engine->draining && dispatch_drained(engine->dispatch))
        engine_close_handles(engine);
    else
        engine_sleep(engine, sends == SENDS_A_TURN_MAX);
}

static void engine_on_wake(uv_poll_t *poll, int status, int events)
{
    struct engine *engine = poll->data;
    eventfd_t ignored;
    (void)status;
    (void)events;
    eventfd_read(engine->wake_fd, &ignored); /* the pump looks into the inbox */
}

/* The loop has slept, and the pump runs before it does so again. */
static void engine_on_awake(uv_check_t *check)
{
    struct engine *engine = check->data;
    pthread_mutex_lock(&engine->inbox.lock);
    engine->inbox.awake = true;
    pthread_mutex_unlock(&engine->inbox.lock);
}

/* G5: our own interfaces may change while we run. */
static void engine_refresh_locals(uv_timer_t *timer)
{
    struct engine *engine = timer->data;
    uv_interface_address_t *addresses;
    int count;

    if (uv_interface_addresses(&addresses, &count) != 0) {
        return; /* the last known ones stay denied */
    }
    endpoint_cache_judge_again(engine->endpoints);
    endpoint_log_tick(engine->endpoint_log, clock_mono_ms(&engine->config.clock));
    engine->guard = engine->config.guard;
    for (int i = 0; i < count; i++) {
        if (!guard_add_local(&engine->guard, (const struct sockaddr *)&addresses[i].address)) {
            log_write(engine->config.log, LOG_LEVEL_WARN, "engine",
                      "more interface addresses than the guard can hold");
            break;
        }
    }
    uv_free_interface_addresses(addresses, count);
}

static bool engine_allow(void *ctx, const struct sockaddr *address)
{
    struct engine *engine = ctx;
    return guard_address(&engine->guard, address) == GUARD_ALLOWED;
}

static void *engine_run(void *ctx)
{
    struct engine *engine = ctx;
    pthread_setname_np(pthread_self(), "ph-engine");
    uv_run(&engine->loop, UV_RUN_DEFAULT);
    return NULL;
}

/* ---- opening and closing ---- */

static void engine_open_loop(struct engine *engine)
{
    engine->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int failed =
        engine->wake_fd < 0 || uv_loop_init(&engine->loop) ||
        uv_loop_configure(&engine->loop, UV_METRICS_IDLE_TIME) || /* for the shares of handshakes */
        uv_poll_init(&engine->loop, &engine->wake, engine->wake_fd) ||
        uv_prepare_init(&engine->loop, &engine->pump) || uv_check_init(&engine->loop, &engine->awake) ||
        uv_timer_init(&engine->loop, &engine->timer) || uv_timer_init(&engine->loop, &engine->drain_timer) ||
        uv_timer_init(&engine->loop, &engine->locals_timer);
    assert(!failed && "a fresh loop takes its first handles");
    (void)failed;
    engine->wake.data = engine->awake.data = engine->pump.data = engine->drain_timer.data =
        engine->locals_timer.data = engine;
    uv_poll_start(&engine->wake, UV_READABLE, engine_on_wake);
    uv_prepare_start(&engine->pump, engine_on_pump);
    uv_check_start(&engine->awake, engine_on_awake);
    engine_refresh_locals(&engine->locals_timer);
    uv_timer_start(&engine->locals_timer, engine_refresh_locals, LOCALS_REFRESH_MS, LOCALS_REFRESH_MS);
}

static void engine_open_slots(struct engine *engine)
{
    uint32_t count = engine->config.dispatch.slots;
    engine->config.dispatch.offered_max = OFFERED_MAX;
    engine->slots = memory_zero(count, sizeof *engine->slots);
    engine->offers = memory_zero(OFFERED_MAX, sizeof *engine->offers);
    void *memory = memory_alloc(dispatch_size(&engine->config.dispatch));
    engine->dispatch = dispatch_init(memory, &engine->config.dispatch);
}

struct engine *engine_open(const struct engine_config *config)
{
    struct engine *engine = memory_zero(1, sizeof *engine);
    engine->config = *config;
    pthread_mutex_init(&engine->inbox.lock, NULL);
    engine_open_slots(engine);
    engine->endpoints = endpoint_cache_open(config->vault, config->log);
    engine->endpoint_log = endpoint_log_open(config->log);
    engine_open_loop(engine);
    struct sender_config sender = {.loop = &engine->loop,
                                   .clock = config->clock,
                                   .limits = config->limits,
                                   .attempts_max = (int)config->dispatch.slots,
                                   .idle_connections_max = config->idle_connections_max,
                                   .user_agent = "posthorn/" POSTHORN_VERSION,
                                   .ca_file = config->ca_file,
                                   .dns_servers = config->dns_servers,
                                   .allow = engine_allow,
                                   .ctx = engine,
                                   .sources = config->sources,
                                   .log = config->log};
    engine->sender = sender_open(&sender);
    if (!engine->sender || pthread_create(&engine->thread, NULL, engine_run, engine) != 0) {
        engine_free(engine);
        return NULL;
    }
    engine->thread_started = true;
    return engine;
}

void engine_drain(struct engine *engine, int64_t drain_ms)
{
    if (!engine->thread_started || engine->joined)
        return;
    pthread_mutex_lock(&engine->inbox.lock);
    engine->inbox.drain = true;
    engine->inbox.drain_ms = drain_ms;
    engine_inbox_post(engine, true);
    pthread_join(engine->thread, NULL);
    engine->joined = true;
}

bool engine_trust_again(struct engine *engine, const char *ca_file)
{
    struct tls *tls = tls_open(ca_file, engine->config.log);
    if (!tls)
        return false;
    pthread_mutex_lock(&engine->inbox.lock);
    struct tls *former = engine->inbox.tls;
    engine->inbox.tls = tls;
    engine_inbox_post(engine, true);
    tls_free(former);
    return true;
}

void engine_stop_sending(struct engine *engine)
{
    pthread_mutex_lock(&engine->inbox.lock);
    engine->inbox.stop = true;
    engine_inbox_post(engine, true);
}

void engine_abort(struct engine *engine)
{
    pthread_mutex_lock(&engine->inbox.lock);
    engine->inbox.abort = true;
    engine_inbox_post(engine, true);
}

void engine_free(struct engine *engine)
{
    if (!engine)
        return;
    engine_drain(engine, 0);
    if (!engine->joined) { /* the thread never ran */
        engine_close_handles(engine);
        uv_run(&engine->loop, UV_RUN_DEFAULT);
    }
    if (engine->sender)
        sender_free(engine->sender);
    tls_free(engine->inbox.tls);
    uv_loop_close(&engine->loop);
    close(engine->wake_fd);
    endpoint_cache_close(engine->endpoints);
    endpoint_log_close(engine->endpoint_log);
    for (uint32_t i = 0; i < engine->config.dispatch.slots && engine->slots[i].engine; i++) {
        store_work_clear(&engine->slots[i].box);
        arena_fini(&engine->slots[i].box.memory);
    }
    free(engine->dispatch);
    free(engine->slots);
    free(engine->offers);
    pthread_mutex_destroy(&engine->inbox.lock);
    free(engine);
}

void engine_stats(struct engine *engine, struct engine_stats *stats)
{
    pthread_mutex_lock(&engine->inbox.lock);
    if (!engine->inbox.drain) /* it may be joined from then on */
        engine->inbox.cpu_us = clock_cpu_of_us(engine->thread);
    *stats = engine->inbox.published;
    stats->cpu_us = engine->inbox.cpu_us;
    pthread_mutex_unlock(&engine->inbox.lock);
}
