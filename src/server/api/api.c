#include "api.h"
#include "admission.h"
#include "memory.h"
#include "reference.h"
#include <assert.h>
#include <semaphore.h>
#include <stdlib.h>
#include <time.h>

enum {
    STRANGER_BODY_LEN_MAX = 16 << 10,
    LOAD_PAGE = 1000,
    LOAD_LEN_MAX = 512 << 20, /* a page of users, each with all that is sealed of it */
    REFUSED_RETRY_S = 1,
    WAIT_NS = 2 * 1000 * 1000
};

/* ---- a request, from its head to its handler ---- */

static bool fail_route(struct call *call, enum route_error error)
{
    if (error == ROUTE_MALFORMED)
        call_fail(call, API_PATH_INVALID, SOURCE_NONE, NULL,
                  "The path has a malformed escape, a NUL, or is not UTF-8.");
    else
        call_fail(call, API_NOT_FOUND, SOURCE_NONE, NULL, "This path does not exist.");
    call->failure.close = true;
    return false;
}

/* The methods of a route; without a route, the methods of the API. */
static const char *allowed_at(struct call *call, const struct route *route)
{
    const char *allow = route ? route_allow(&call->request->arena, route) : NULL;
    return allow ? allow : "GET, HEAD, POST, PATCH, PUT, DELETE, OPTIONS";
}

static bool fail_method(struct call *call, const struct route *route)
{
    call->state = (void *)allowed_at(call, route);
    call_fail(call, API_METHOD_NOT_ALLOWED, SOURCE_NONE, NULL, "Allowed here: %s.",
              (const char *)call->state);
    call->failure.close = true;
    return false;
}

static bool answer_options(struct call *call, const struct route *route)
{
    const char *allow = allowed_at(call, route);
    call_header(call, "Allow", bytes_of(allow));
    if (!call->at_metrics && cors_is_preflight(call->api->config.config, call->request)) {
        call_header(call, "Access-Control-Allow-Methods", bytes_of(allow));
        call_header(call, "Access-Control-Allow-Headers", bytes_of(cors_request_headers));
        call_header(call, "Access-Control-Max-Age", bytes_of(cors_max_age));
    }
    return call_answer(call, 204, (struct bytes){0});
}

/* With an address of their own the figures are not beside the API; /health is at both. */
static bool is_served_here(const struct call *call, const struct route *route)
{
    bool own_door = call->api->config.config->metrics_listen != NULL;
    enum route_access access = route->methods[0].access;
    if (call->at_metrics)
        return access == ROUTE_METRICS || access == ROUTE_HEALTH;
    return access != ROUTE_METRICS || !own_door;
}

/* True: answered, or on its way. */
static bool serve(struct call *call)
{
    struct listener_request *request = call->request;
    const struct route *route;
    struct route_variables variables;
    bool held = false;
    if (bytes_equal_text(request->path, "*")) /* of OPTIONS alone: the listener has seen to it */
        return admission_count(call) && answer_options(call, NULL);
    enum route_error error = route_find(&request->arena, request->path, &route, &variables);
    if (error == ROUTE_FOUND && !is_served_here(call, route))
        error = ROUTE_UNKNOWN;
    if (error != ROUTE_FOUND)
        return admission_count(call) && fail_route(call, error);
    call->id_text = variables.id;
    call->endpoint_text = variables.endpoint;
    call->type_text = variables.type;
    if (bytes_equal_text(request->method, "OPTIONS"))
        return admission_count(call) && answer_options(call, route);
    const struct route_method *method = route_method(route, request->method);
    if (!method)
        return admission_count(call) && fail_method(call, route);
    if (!admission_enter(call, method, &held))
        return held;
    return method->handle(call);
}

/* NULL: the request's memory is used up. */
static struct call *new_call(struct api *api, struct listener_request *request)
{
    struct call *call = arena_zero(&request->arena, sizeof *call);
    if (!call)
        return NULL;
    call->api = api;
    call->request = request;
    call->media = MEDIA_JSON_API;
    call->request_id = request_id(&api->request_ids, request);
    return call;
}

static void handle(struct api *api, struct listener_request *request, bool at_metrics)
{
    struct call *call = new_call(api, request);
    assert(call); /* the listener's arenas are larger than this */
    atomic_fetch_add_explicit(&api->in_hand, 1, memory_order_relaxed);
    call->at_metrics = at_metrics;
    arena_init(&call->scratch, CALL_SCRATCH_LEN_MAX);
    if (!serve(call))
        call_answer_failure(call);
}

void api_handle(void *ctx, struct listener_request *request)
{
    handle(ctx, request, false);
}

void api_handle_metrics(void *ctx, struct listener_request *request)
{
    handle(ctx, request, true);
}

static void release_held(void *item)
{
    call_answer_failure(item);
}

/* ---- what the listener asks before and beside ---- */

/* A large body is read only if something will be done with it: neither from a stranger, nor where there is
 * nothing to send it to. Such a request is answered as every other, the throttle included, but at once. Small
 * bodies go the ordinary way, which keeps the connection. */
int api_accept_head(void *ctx, struct listener_request *request)
{
    struct api *api = ctx;
    struct caller caller;
    int64_t len = 0;
    const struct route *route;
    struct route_variables variables;
    struct bytes length = listener_header(request, "Content-Length", NULL);
    bool chunked = listener_header(request, "Transfer-Encoding", NULL).data != NULL;
    if (!chunked && (!length.data || (bytes_to_int64(length, &len) && len <= STRANGER_BODY_LEN_MAX)))
        return 0;
    if (route_find(&request->arena, request->path, &route, &variables) != ROUTE_FOUND)
        return LISTENER_NO_BODY;
    const struct route_method *method = route_method(route, request->method);
    if (!method || method->access < ROUTE_USER)
        return LISTENER_NO_BODY;
    int count = 0;
    struct bytes authorization = listener_header(request, "Authorization", &count);
    bool known = count == 1 && keyring_authenticate(api->keyring, authorization, &caller) == KEYRING_OK &&
                 (!caller.restricted || keyring_admits(api->keyring, &caller, request->peer));
    return known ? 0 : LISTENER_NO_BODY;
}

int api_accept_head_metrics(void *ctx, struct listener_request *request)
{
    return LISTENER_NO_BODY;
}

static const char *say_late(struct listener_request *request)
{
    char late[LISTENER_LATE_LEN];
    listener_say_late(request, late);
    const char *detail = arena_printf(&request->arena, "%c%s.", late[0] == 't' ? 'T' : late[0], late + 1);
    return detail ? detail : "The request did not come in time.";
}

void api_on_refused(void *ctx, struct listener_request *request, int status, struct listener_reply *reply)
{
    static const char *const details[] = {
        [API_AUTH_INVALID] = "The API key is missing, unknown or revoked.",
        [API_CLIENT_CERTIFICATE] =
            "Connect with a client certificate from an authority that this server trusts.",
        [API_TARGET_TOO_LONG] = "A request line may have at most 8 KiB.",
        [API_HEADERS_TOO_LARGE] = "Headers may have at most 32 KiB and 100 fields.",
        [API_BUSY] = "There is no memory for the body now (setting memory-max), or the server is stopping. "
                     "Nothing was written. Retry.",
        [API_INTERNAL] = "The server failed.",
        [API_HTTP_VERSION] = "This server speaks HTTP/1.1, and HTTP/1.0."};
    struct call *call = new_call(ctx, request);
    struct route_variables variables;
    const struct route *route = NULL;
    reply->status = status;
    if (!call)
        return;
    admission_count_refused(call);
    struct failure_report *failure = &call->failure;
    *failure = (struct failure_report){.error = api_error_of_status(status)};
    if ((size_t)failure->error < sizeof details / sizeof *details)
        failure->detail = details[failure->error];
    if (failure->error == API_BODY_TOO_LARGE)
        failure->detail = call_printf(call, "A body may have at most %lld bytes (setting body-max).",
                                      (long long)call->api->config.config->body_bytes_max);
    if (failure->error == API_REQUEST_TIMEOUT)
        failure->detail = say_late(request);
    failure->retry_after_s = status == 503 ? REFUSED_RETRY_S : 0;
    if (status == 405 && route_find(&request->arena, request->path, &route, &variables) != ROUTE_FOUND)
        route = NULL;
    call->state = (void *)allowed_at(call, route);
    call_refuse(call, status, reply);
}

/* ---- opening: the keyring from the store ---- */

static void load_done(struct readers_job *job)
{
    sem_post(job->ctx);
}

/* All users, or all keys, page by page. Waits: nothing else is under way while the API opens. */
static bool load(struct api *api, struct readers_job *job, enum store_query_kind kind)
{
    job->query = (struct store_query){.kind = kind, .limit = LOAD_PAGE};
    do {
        arena_reset(job->arena);
        if (!readers_submit(api->config.readers, job))
            return false;
        while (sem_wait(job->ctx) != 0) /* a signal came */
            continue;
        if (job->status != STORE_OK) {
            log_write(api->config.log, LOG_LEVEL_ERROR, "api", "cannot read users and keys: %s",
                      store_status_sentence(job->status));
            return false;
        }
        for (int i = 0; i < job->answer.count; i++) {
            const struct user *user = kind == STORE_LIST_USERS ? &job->answer.users[i] : NULL;
            const struct api_key *key = user ? NULL : &job->answer.keys[i];
            if (user)
                keyring_put_user(api->keyring, user->id, user->role, user->master_id);
            else if (!keyring_put_key(api->keyring, key))
                log_write(api->config.log, LOG_LEVEL_ERROR, "api", "API key %lld is damaged and skipped",
                          (long long)key->id);
            job->query.after_id = user ? user->id : key->id;
        }
    } while (job->answer.more && job->answer.count);
    return true;
}

static bool load_keyring(struct api *api)
{
    sem_t done;
    struct arena arena;
    struct readers_job job = {.arena = &arena, .done = load_done, .ctx = &done};
    sem_init(&done, 0, 0);
    arena_init(&arena, LOAD_LEN_MAX);
    bool loaded = load(api, &job, STORE_LIST_USERS) && load(api, &job, STORE_GET_KEYRING);
    arena_fini(&arena);
    sem_destroy(&done);
    return loaded;
}

struct api *api_open(const struct api_config *config)
{
    struct api *api = memory_zero(1, sizeof *api);
    api->config = *config;
    request_ids_init(&api->request_ids);
    in_flight_init(&api->in_flight);
    api->keyring = keyring_open();
    api->reference = reference_open(config->own_types, config->config->mode);
    api->throttle = throttle_open(config->clock, release_held);
    if (api->throttle && load_keyring(api))
        return api;
    if (!api->throttle)
        log_write(config->log, LOG_LEVEL_ERROR, "api", "cannot start a thread");
    api_close(api);
    return NULL;
}

void api_drain(struct api *api)
{
    const struct timespec pause = {.tv_nsec = WAIT_NS};
    throttle_drain(api->throttle);
    while (atomic_load_explicit(&api->in_hand, memory_order_acquire) > 0)
        nanosleep(&pause, NULL);
}

void api_close(struct api *api)
{
    if (!api)
        return;
    if (api->throttle)
        api_drain(api);
    throttle_close(api->throttle);
    keyring_close(api->keyring);
    reference_close(api->reference);
    in_flight_fini(&api->in_flight);
    free(api);
}
