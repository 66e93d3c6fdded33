#include "server.h"
#include "api.h"
#include "budget.h"
#include "digest.h"
#include "engine.h"
#include "jobs.h"
#include "listener.h"
#include "memory.h"
#include "notices.h"
#include "purge.h"
#include "server_parts.h"
#include <assert.h>
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    BATCH_MAX = 1024,
    READS_WAITING_MAX = 4096,
    REQUEST_ARENA_MAX = 8 << 20, /* a request's body, its parsed document, its answer */
    READY_MARGIN_MS = 15 * 1000, /* of the lease, kept for recording */
    RECORD_RETRY_MS = 1000,
    HANDSHAKE_BYTES = 45 << 10, /* measured: OpenSSL 3.0, a handshake of TLS 1.3 under way */
    TIDY_BYTES = 16 << 20,      /* so much more memory than it had is worth a look */
    TIDY_PAUSE_MAX = 7,         /* looks, about one a second */
    PURGE_PERIOD_MS = 5 * 1000,
    JOBS_PERIOD_MS = 1000,
    NOTICES_PERIOD_MS = 1000,
    PURGE_ROWS_MAX = 512,
    METRICS_CONNECTIONS_MAX = 64
};

struct server {
    struct server_options options;
    struct budget budget; /* of bodies in memory; older than every part that holds some */
    size_t resident_low;  /* bytes, the least ever seen */
    int tidy_pause;       /* looks to leave out after one that gave nothing back */
    int tidy_rest;        /* of them, still to leave out */
    struct store *store;
    struct vault *vault;
    struct queue *queue;
    struct readers *readers;
    struct api *api;
    pthread_mutex_t engine_lock; /* its boxes may be filled before engine_open has returned */
    struct engine *engine;
    struct purge *purge;
    struct jobs *jobs;
    struct notices *notices;
    struct bytes own_types;                       /* of DATA/catalogue.json */
    struct listener *listener, *metrics_listener; /* the second one may be NULL */
    char address[96];
};

/* ---- what the parts tell each other ---- */

static void on_work(void *ctx, struct store_work **boxes, int count)
{
    struct server *server = ctx;
    pthread_mutex_lock(&server->engine_lock);
    struct engine *engine = server->engine;
    pthread_mutex_unlock(&server->engine_lock);
    engine_work(engine, boxes, count); /* the queue is older, but only the engine offers boxes */
}

/* An attempt that cannot be recorded must not be sent. */
static void stop_sending(struct server *server)
{
    pthread_mutex_lock(&server->engine_lock);
    struct engine *engine = server->engine;
    pthread_mutex_unlock(&server->engine_lock);
    if (engine)
        engine_stop_sending(engine);
}

static void on_broken(void *ctx, enum store_status status)
{
    struct server *server = ctx;
    bool readable = status != STORE_BROKEN;
    log_write(server->options.log, LOG_LEVEL_ERROR, "server", "%s: %s",
              readable ? "nothing is written or delivered any more; reads are still answered"
                       : "the store is broken",
              store_status_sentence(status));
    if (readable) {
        stop_sending(server);
        return;
    }
    if (!server->options.on_broken)
        abort();
    server->options.on_broken(server->options.ctx);
}

static void on_engine_stats(void *ctx, struct engine_stats *stats)
{
    struct server *server = ctx;
    engine_stats(server->engine, stats);
}

/* ---- opening, in order ---- */

static enum server_error failed(char error_text[256], const char *what)
{
    snprintf(error_text, 256, "%s; the log says why", what);
    return SERVER_FAILED;
}

static enum server_error open_vault(struct server *server, char error_text[256])
{
    struct server_key key;
    enum server_error error = server_key_open(&server->options, server->store, &key, error_text);
    server->vault = key.vault;
    if (error == SERVER_OK && key.is_new)
        return failed(error_text, "there is no user"); /* server_init_data comes first */
    return error;
}

static enum server_error open_queue(struct server *server, char error_text[256])
{
    const struct config *config = server->options.config;
    struct queue_config queue = {.backend = store_backend(server->store),
                                 .store = server->store,
                                 .clock = server->options.clock,
                                 .batch_max = BATCH_MAX,
                                 .waiting_max = (int)config->queue_max,
                                 .on_work = on_work,
                                 .on_broken = on_broken,
                                 .ctx = server,
                                 .log = server->options.log};
    server->queue = queue_open(&queue);
    server->readers = readers_open(store_backend(server->store), server->store, (int)config->reader_threads,
                                   READS_WAITING_MAX);
    return server->queue && server->readers ? SERVER_OK : failed(error_text, "the store's threads");
}

/* Found out now, and not by every delivery. */
static enum server_error check_sources(const struct config *config, struct source_addresses *sources,
                                       char error_text[256])
{
    struct config_error error;
    int stranger = -1;
    bool understood = config_sources(config, sources, &error);
    if (understood)
        stranger = source_addresses_check(sources);
    if (understood && stranger < 0)
        return SERVER_OK;
    if (understood)
        snprintf(error_text, 256, "source-address: %.60s is not an address of this machine",
                 config->source_address.items[stranger]);
    else
        snprintf(error_text, 256, "%s", error.text);
    return SERVER_CONFIG;
}

/* OpenSSL's own objects are not in the budget: their number is bounded, so that they come to a part of it. */
static int handshakes_max(const struct config *config, int part)
{
    int64_t count = config->memory_max / part / HANDSHAKE_BYTES;
    return count < INT_MAX ? (int)count : INT_MAX;
}

static enum server_error open_engine(struct server *server, const struct guard *guard, char error_text[256])
{
    const struct config *config = server->options.config;
    struct sender_limits limits = sender_limits_default();
    limits.age_ms = (int)config->connection_age_ms;
    limits.handshakes_max = handshakes_max(config, 2);
    struct source_addresses sources;
    uint64_t seed;
    enum server_error error = check_sources(config, &sources, error_text);
    if (error != SERVER_OK)
        return error;
    digest_random(&seed, sizeof seed);
    struct engine_config engine = {
        .dispatch = {.policy = config_policy(config),
                     .slots = (uint32_t)config->slots,
                     .endpoint_sending_max = (uint32_t)config->endpoint_connections_max,
                     .ready_ms_max = config->lease_ms - SENDER_TIMEOUT_S_MAX * 1000 - READY_MARGIN_MS,
                     .record_retry_ms = RECORD_RETRY_MS,
                     .seed = seed},
        .limits = limits,
        .idle_connections_max = (int)config->idle_connections_max,
        .guard = *guard,
        .ca_file = config->ca_file,
        .dns_servers = config->dns_servers,
        .sources = &sources,
        .clock = server->options.clock,
        .queue = server->queue,
        .vault = server->vault,
        .log = server->options.log};
    assert(engine.dispatch.ready_ms_max > 0);
    pthread_mutex_lock(&server->engine_lock);
    server->engine = engine_open(&engine);
    pthread_mutex_unlock(&server->engine_lock);
    return server->engine ? SERVER_OK : failed(error_text, "deliveries cannot start");
}

static enum server_error open_api(struct server *server, const struct guard *guard, char error_text[256])
{
    struct api_config api = {.config = server->options.config,
                             .guard = *guard,
                             .queue = server->queue,
                             .readers = server->readers,
                             .vault = server->vault,
                             .clock = server->options.clock,
                             .log = server->options.log,
                             .own_types = server->own_types,
                             .engine_stats = on_engine_stats,
                             .ctx = server};
    server->api = api_open(&api);
    return server->api ? SERVER_OK : failed(error_text, "the API cannot start");
}

static enum server_error open_listener(struct server *server, char error_text[256])
{
    const struct config *config = server->options.config;
    struct listener_config listener = {
        .listen = config->listen,
        .threads = (int)config->http_threads,
        .body_len_max = (size_t)config->body_bytes_max,
        .arena_len_max = REQUEST_ARENA_MAX,
        .connections_max = (int)config->connections_max,
        .handshakes_max = handshakes_max(config, 8),
        .idle_seconds = (int)config->idle_s,
        .budget = &server->budget,
        .tls = {.cert = config->tls_cert, .key = config->tls_key, .client_ca = config->tls_client_ca},
        .accept_head = api_accept_head,
        .handle = api_handle,
        .on_refused = api_on_refused,
        .ctx = server->api,
        .clock = server->options.clock,
        .log = server->options.log};
    enum listener_error error = listener_open(&listener, &server->listener);
    if (error == LISTENER_OK) {
        snprintf(server->address, sizeof server->address, "%s://%s", config->tls_cert ? "https" : "http",
                 listener_local(server->listener));
        return SERVER_OK;
    }
    bool tls = error == LISTENER_TLS;
    snprintf(error_text, 256, "%s %.60s: %s", tls ? "tls-cert" : "listen",
             tls ? config->tls_cert : config->listen, listener_error_sentence(error));
    return tls ? SERVER_TLS : SERVER_LISTEN;
}

/* Plain HTTP, few connections, one thread: a monitor or two. */
static enum server_error open_metrics_listener(struct server *server, char error_text[256])
{
    const struct config *config = server->options.config;
    if (!config->metrics_listen)
        return SERVER_OK;
    struct listener_config listener = {.listen = config->metrics_listen,
                                       .threads = 1,
                                       .body_len_max = (size_t)config->body_bytes_max,
                                       .arena_len_max = REQUEST_ARENA_MAX,
                                       .connections_max = METRICS_CONNECTIONS_MAX,
                                       .idle_seconds = (int)config->idle_s,
                                       .accept_head = api_accept_head_metrics,
                                       .handle = api_handle_metrics,
                                       .on_refused = api_on_refused,
                                       .ctx = server->api,
                                       .clock = server->options.clock,
                                       .log = server->options.log};
    enum listener_error error = listener_open(&listener, &server->metrics_listener);
    if (error != LISTENER_OK) {
        snprintf(error_text, 256, "metrics-listen %.60s: %s", config->metrics_listen,
                 listener_error_sentence(error));
        return SERVER_LISTEN;
    }
    log_write(server->options.log, LOG_LEVEL_INFO, "server", "metrics at http://%s/metrics",
              listener_local(server->metrics_listener));
    return SERVER_OK;
}

/* "30d", as the settings have it; "ever" for 0. */
static const char *kept_for(int64_t ms, char out[32])
{
    static const struct {
        int64_t ms;
        const char *name;
    } units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"}};
    size_t i = 0;
    while (ms % units[i].ms)
        i++;
    snprintf(out, 32, "%lld%s", (long long)(ms / units[i].ms), ms ? units[i].name : "");
    return ms ? out : "unlimited";
}

static void open_purge(struct server *server)
{
    const struct config *config = server->options.config;
    char texts[4][32];
    log_write(server->options.log, LOG_LEVEL_INFO, "purge",
              "retention: events=%s attempts=%s idempotency=%s resources=%s",
              kept_for(config->retention_ms, texts[0]), kept_for(config->retention_attempts_ms, texts[1]),
              kept_for(config->retention_idempotency_ms, texts[2]),
              kept_for(config->retention_resources_ms, texts[3]));
    server->purge = purge_open(&(struct purge_config){.queue = server->queue,
                                                      .clock = server->options.clock,
                                                      .events_ms = config->retention_ms,
                                                      .attempts_ms = config->retention_attempts_ms,
                                                      .idempotency_ms = config->retention_idempotency_ms,
                                                      .resources_ms = config->retention_resources_ms,
                                                      .period_ms = PURGE_PERIOD_MS,
                                                      .rows_max = PURGE_ROWS_MAX,
                                                      .log = server->options.log});
}

enum server_error server_open(const struct server_options *options, struct server **out, char error_text[256])
{
    struct config_error config_error;
    struct guard guard;
    if (!config_guard(options->config, &guard, &config_error)) {
        snprintf(error_text, 256, "%s", config_error.text);
        return SERVER_CONFIG;
    }
    struct server *server = memory_zero(1, sizeof *server);
    server->options = *options;
    budget_init(&server->budget, (size_t)options->config->memory_max);
    pthread_mutex_init(&server->engine_lock, NULL);
    enum server_error error = server_own_types(options->config, &server->own_types, error_text);
    if (error == SERVER_OK)
        error = server_store_open(options, &server->budget, &server->store, error_text);
    if (error == SERVER_OK)
        error = open_vault(server, error_text);
    if (error == SERVER_OK)
        error = open_queue(server, error_text);
    if (error == SERVER_OK)
        error = open_api(server, &guard, error_text);
    if (error == SERVER_OK)
        error = open_engine(server, &guard, error_text);
    if (error == SERVER_OK)
        error = open_listener(server, error_text);
    if (error == SERVER_OK)
        error = open_metrics_listener(server, error_text);
    if (error != SERVER_OK) {
        server_close(server);
        return error;
    }
    open_purge(server);
    server->jobs = jobs_open(&(struct jobs_config){.queue = server->queue,
                                                   .readers = server->readers,
                                                   .period_ms = JOBS_PERIOD_MS,
                                                   .log = server->options.log});
    server->notices = notices_open(&(struct notices_config){
        .queue = server->queue, .clock = server->options.clock, .period_ms = NOTICES_PERIOD_MS});
    *out = server;
    return SERVER_OK;
}

const char *server_address(const struct server *server)
{
    return server->address;
}

const char *server_scope(const struct server *server)
{
    return listener_scope(server->listener);
}

bool server_secure_again(struct server *server, const struct config *config)
{
    return listener_secure_again(server->listener,
                                 &(struct listener_files){.cert = config->tls_cert,
                                                          .key = config->tls_key,
                                                          .client_ca = config->tls_client_ca});
}

bool server_trust_again(struct server *server, const struct config *config)
{
    return engine_trust_again(server->engine, config->ca_file);
}

/* ---- closing, in reverse ---- */

static void quiesce(struct server *server)
{
    if (server->listener)
        listener_quiesce(server->listener);
    if (server->metrics_listener)
        listener_quiesce(server->metrics_listener);
}

void server_drain(struct server *server, int64_t drain_ms)
{
    quiesce(server);
    engine_drain(server->engine, drain_ms);
}

/* From /proc/self/statm: pages in all, pages resident. 0: it cannot be read. */
static size_t resident_bytes(void)
{
    char text[64];
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t len = read(fd, text, sizeof text - 1);
    close(fd);
    text[len > 0 ? len : 0] = '\0';
    const char *second = strchr(text, ' ');
    return second ? strtoull(second, NULL, 10) * (size_t)sysconf(_SC_PAGESIZE) : 0;
}

/* Freed memory stays with the process, so that bodies under load cost no page faults (serve.c), until there
 * is much more of it than the bodies in memory explain. If one call gave nothing back, the next one may,
 * because the free memory then lay between blocks in use. */
void server_tidy(struct server *server)
{
    size_t resident = resident_bytes();
    if (server->resident_low == 0 || resident < server->resident_low)
        server->resident_low = resident;
    size_t more = resident - server->resident_low;
    size_t used = budget_used(&server->budget, BUDGET_IN) + budget_used(&server->budget, BUDGET_OUT);
    if (server->tidy_rest > 0 || more < TIDY_BYTES || used > more / 2) {
        server->tidy_rest -= server->tidy_rest > 0;
        return;
    }
    malloc_trim(0);
    bool gave_back = resident_bytes() + TIDY_BYTES / 4 <= resident;
    int longer = server->tidy_pause < TIDY_PAUSE_MAX ? 2 * server->tidy_pause + 1 : TIDY_PAUSE_MAX;
    server->tidy_pause = gave_back ? 0 : longer;
    server->tidy_rest = server->tidy_pause;
}

void server_abort(struct server *server)
{
    engine_abort(server->engine);
}

void server_close(struct server *server)
{
    /* The listener waits for the answers to the requests in hand, so the store's threads outlive it; they may
     * hand work to the engine and ask it for numbers, so it outlives them. */
    quiesce(server);
    if (server->listener)
        api_drain(server->api);
    if (server->metrics_listener)
        listener_close(server->metrics_listener);
    if (server->listener)
        listener_close(server->listener);
    if (server->engine)
        engine_drain(server->engine, 0);
    purge_close(server->purge);
    jobs_close(server->jobs);
    notices_close(server->notices);
    if (server->api)
        api_close(server->api);
    if (server->readers)
        readers_close(server->readers);
    if (server->queue)
        queue_close(server->queue);
    engine_free(server->engine);
    if (server->store)
        store_close(server->store);
    vault_close(server->vault);
    pthread_mutex_destroy(&server->engine_lock);
    free((void *)server->own_types.data);
    free(server);
}
