#include "engine.h"
#include "endpoint_cache.h"
#include "endpoint_log.h"
#include "local_guard.h"
#include "loop_sleep.h"
#include "memory.h"
#include "owner.h"
#include "push_request.h"
#include "tls.h"
#include "tokens.h"
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
    MINUTE_MS = 60 * 1000
};

struct engine_slot {
    struct store_work box;
    struct queue_job record;
    struct attempt attempt; /* the history line, filled when the attempt ends */
    char address[64];       /* what attempt.address looks at */
    enum record_result recorded;
    struct engine_slot *next; /* in the inbox, or of those that have their token */
    int64_t began_ms;         /* the attempt; monotonic */
    /* Of an endpoint whose auth is oauth2: */
    struct token_wait token_wait;
    struct token *token;      /* what it is sent with */
    struct payload *document; /* as it was before it was rendered, if it was */
    bool renewed;             /* after a 401, in this attempt */
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
    struct tokens *tokens;
    struct engine_slot *ready, **ready_end; /* they waited for a token; the pump sends them */
    struct endpoint_log *endpoint_log;
    struct engine_inbox inbox;
    atomic_int recording; /* outcomes that the queue has */
    struct engine_stats stats;
    uv_loop_t loop;
    int wake_fd; /* an eventfd. Not uv_async: its loop spins while another thread is still telling it */
    uv_poll_t wake;
    struct loop_sleep sleep;
    uv_prepare_t pump;
    uv_check_t awake;
    uv_timer_t timer, drain_timer, minute_timer;
    pthread_t thread;
    bool thread_started, joined, draining, stopped, aborted;
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

static void engine_feed(struct engine *engine, int64_t now_ms, const struct engine_slot *slot,
                        struct input input)
{
    input.slot = slot->box.slot;
    dispatch_feed(engine->dispatch, now_ms, &input);
}

static void engine_feed_filled(struct engine *engine, int64_t now_ms, const struct engine_slot *slot)
{
    const struct store_work *box = &slot->box;
    engine_feed(engine, now_ms, slot,
                (struct input){.kind = INPUT_WORK,
                               .work = {.delivery_id = box->delivery_id,
                                        .endpoint_id = box->endpoint_id,
                                        .lease = box->lease,
                                        .attempt = box->attempt,
                                        .lost = box->lost,
                                        .age_ms = box->age_ms,
                                        .push = box->push,
                                        .quick = box->quick}});
}

static void engine_abort_all(struct engine *engine)
{
    engine->aborted = true;
    sender_abort(engine->sender);
}

static void engine_on_drain_timer(uv_timer_t *timer)
{
    engine_abort_all(timer->data);
}

/* Counted when it is on record, so that one which had to be submitted again is not counted twice. */
static void engine_count(struct engine *engine, enum decision_kind kind)
{
    struct engine_stats *stats = &engine->stats;
    int64_t *counts[] = {[DECISION_DELIVERED] = &stats->delivered,
                         [DECISION_RETRY] = &stats->retried,
                         [DECISION_GIVE_UP] = &stats->given_up,
                         [DECISION_RELEASE] = &stats->released};
    ++*counts[kind];
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
        engine_feed(engine, now_ms, slot, (struct input){.kind = INPUT_RECORDED, .recorded = slot->recorded});
    }
    for (struct engine_slot *slot = returned, *next; slot; slot = next) {
        next = slot->next;
        engine_feed(engine, now_ms, slot, (struct input){.kind = INPUT_RETURNED});
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
        engine_abort_all(engine);
}

/* The box may be full: the receiver's own words are a comfort, not a promise. */
static struct bytes engine_keep(struct engine_slot *slot, struct bytes text, size_t len_max)
{
    struct bytes kept = {NULL, 0};
    if (text.len > 0)
        kept = arena_copy(&slot->box.memory, bytes_make(text.data, text.len < len_max ? text.len : len_max));
    return kept.data ? kept : (struct bytes){NULL, 0};
}

/* The pump sends it: there may be many of one endpoint. */
static void engine_make_ready(struct engine_slot *slot)
{
    slot->next = NULL;
    *slot->engine->ready_end = slot;
    slot->engine->ready_end = &slot->next;
}

static int64_t engine_spent_ms(const struct engine_slot *slot)
{
    return clock_mono_ms(&slot->engine->config.clock) - slot->began_ms;
}

/* An attempt has ended. */
static void engine_end(struct engine_slot *slot, int64_t duration_ms, struct outcome outcome)
{
    token_drop(slot->token);
    slot->token = NULL;
    payload_drop(slot->document);
    slot->document = NULL;
    engine_feed(slot->engine, clock_mono_ms(&slot->engine->config.clock), slot,
                (struct input){.kind = INPUT_OUTCOME, .duration_ms = duration_ms, .outcome = outcome});
}

/* After a 401, once an attempt: the next token, if there is time to get one, and deliveries of a newer
 * version of the endpoint do not use tokens yet. False: the answer stands. */
static bool engine_renew(struct engine_slot *slot)
{
    struct engine *engine = slot->engine;
    int timeout_s = push_settings_of(slot->box.push)->timeout;
    int64_t timeout_ms = timeout_s ? timeout_s * 1000 : engine->config.limits.attempt_ms;
    if (slot->renewed || engine_spent_ms(slot) + tokens_request_s(&slot->box) * 1000 > timeout_ms ||
        !tokens_forget(engine->tokens, &slot->box, slot->token))
        return false;
    slot->renewed = true;
    token_drop(slot->token);
    slot->token = NULL;
    push_request_again(&slot->box, &slot->document);
    engine_make_ready(slot);
    return true;
}

/* The history line is kept with the slot, the outcome goes to the core. */
static void engine_on_sent(void *ctx, uint32_t tag, const struct sender_result *result)
{
    struct engine *engine = ctx;
    struct engine_slot *slot = &engine->slots[tag];
    bool answered = result->failure == FAILURE_NONE, answered_200 = answered && result->status == 200;
    if (slot->token && answered && result->status == 401 && engine_renew(slot))
        return;
    memcpy(slot->address, result->address, sizeof slot->address);
    slot->attempt.duration_ms = (int32_t)(slot->token ? engine_spent_ms(slot) : result->duration_ms);
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
    engine_end(slot, slot->attempt.duration_ms,
               (struct outcome){.failure = result->failure,
                                .status = result->status,
                                .retry_after_ms = result->retry_after_ms});
}

static void engine_on_token(struct token_wait *wait, const struct token_outcome *outcome)
{
    struct engine_slot *slot = OWNER_OF(wait, struct engine_slot, token_wait);
    slot->token = outcome->token;
    if (slot->token) {
        engine_make_ready(slot);
        return;
    }
    slot->attempt.duration_ms = (int32_t)engine_spent_ms(slot);
    slot->attempt.detail = engine_keep(slot, bytes_of(outcome->detail), MODEL_DETAIL_LEN_MAX);
    engine_end(slot, slot->attempt.duration_ms,
               (struct outcome){.failure = outcome->failure, .retry_after_ms = outcome->retry_after_ms});
}

/* Sends it, once there is a token if its endpoint needs one. */
static void engine_push(struct engine *engine, struct engine_slot *slot)
{
    struct store_work *box = &slot->box;
    const struct cached_endpoint *endpoint;
    /* The settings may have become stricter since the URL was stored. */
    enum failure failure = endpoint_cache_find(engine->endpoints, &engine->guard, box, &endpoint);
    if (failure == FAILURE_SEALED)
        slot->attempt.started_at_ms = 0; /* no line of history: it may be held up for long */
    if (engine->aborted)
        failure = FAILURE_SHUTDOWN;
    if (failure == FAILURE_NONE && endpoint->oauth && !slot->token)
        slot->token = tokens_find(engine->tokens, box);
    if (failure == FAILURE_NONE && endpoint->oauth && !slot->token) {
        slot->token_wait.done = engine_on_token;
        tokens_wait(engine->tokens, box, &slot->token_wait);
        return;
    }
    struct push_request request = {.work = box,
                                   .endpoint = endpoint,
                                   .at_ms = slot->attempt.started_at_ms,
                                   .policy = &engine->config.dispatch.policy};
    if (slot->token) {
        request.authorization = token_authorization(slot->token);
        request.spent_s = (int)((engine_spent_ms(slot) + 999) / 1000);
        request.document = &slot->document;
    }
    if (failure == FAILURE_NONE)
        failure = push_request_start(&request, engine->sender, slot->box.slot, engine_on_sent, engine);
    if (failure != FAILURE_NONE) /* over before anything went out */
        engine_end(slot, 0, (struct outcome){.failure = failure, .retry_after_ms = -1});
}

static void engine_send(struct engine *engine, uint32_t number)
{
    struct engine_slot *slot = &engine->slots[number];
    slot->attempt = (struct attempt){.delivery_id = slot->box.delivery_id,
                                     .lease = slot->box.lease,
                                     .started_at_ms = clock_wall_ms(&engine->config.clock)};
    slot->began_ms = clock_mono_ms(&engine->config.clock);
    slot->renewed = false;
    engine_push(engine, slot);
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
    loop_sleep_close(&engine->sleep);
    uv_close((uv_handle_t *)&engine->pump, NULL);
    uv_close((uv_handle_t *)&engine->awake, NULL);
    uv_close((uv_handle_t *)&engine->timer, NULL);
    uv_close((uv_handle_t *)&engine->drain_timer, NULL);
    uv_close((uv_handle_t *)&engine->minute_timer, NULL);
}

static struct engine_slot *engine_take_ready(struct engine *engine)
{
    struct engine_slot *slot = engine->ready;
    engine->ready = slot->next;
    if (!engine->ready)
        engine->ready_end = &engine->ready;
    return slot;
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
    for (; sends < SENDS_A_TURN_MAX && engine->ready; sends++)
        engine_push(engine, engine_take_ready(engine));
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
    if (offered > 0)
        queue_offer(engine->config.queue, engine->offers, offered);
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
static void engine_on_minute(uv_timer_t *timer)
{
    struct engine *engine = timer->data;
    endpoint_cache_judge_again(engine->endpoints);
    local_guard_refresh(&engine->guard, &engine->config.guard, engine->config.log);
    tokens_tick(engine->tokens);
    endpoint_log_tick(engine->endpoint_log, clock_mono_ms(&engine->config.clock));
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
        uv_poll_init(&engine->loop, &engine->wake, engine->wake_fd) ||
        uv_prepare_init(&engine->loop, &engine->pump) || uv_check_init(&engine->loop, &engine->awake) ||
        uv_timer_init(&engine->loop, &engine->timer) || uv_timer_init(&engine->loop, &engine->drain_timer) ||
        uv_timer_init(&engine->loop, &engine->minute_timer);
    assert(!failed && "a fresh loop takes its first handles");
    (void)failed;
    engine->wake.data = engine->awake.data = engine->pump.data = engine->drain_timer.data =
        engine->minute_timer.data = engine;
    uv_poll_start(&engine->wake, UV_READABLE, engine_on_wake);
    loop_sleep_start(&engine->sleep, &engine->loop);
    uv_prepare_start(&engine->pump, engine_on_pump);
    uv_check_start(&engine->awake, engine_on_awake);
    engine_on_minute(&engine->minute_timer);
    uv_timer_start(&engine->minute_timer, engine_on_minute, MINUTE_MS, MINUTE_MS);
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
    engine->ready_end = &engine->ready;
    engine_open_loop(engine);
    struct sender_config sender = {.loop = &engine->loop,
                                   .sleep = &engine->sleep,
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
    engine->tokens = tokens_open(&(struct tokens_config){
        .vault = config->vault, .guard = &engine->guard, .sender = engine->sender, .clock = config->clock});
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

static void engine_ask(struct engine *engine, bool *flag)
{
    pthread_mutex_lock(&engine->inbox.lock);
    *flag = true;
    engine_inbox_post(engine, true);
}

void engine_stop_sending(struct engine *engine)
{
    engine_ask(engine, &engine->inbox.stop);
}

void engine_abort(struct engine *engine)
{
    engine_ask(engine, &engine->inbox.abort);
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
    tokens_close(engine->tokens);
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
