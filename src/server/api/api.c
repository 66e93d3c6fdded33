#include "api.h"
#include "call.h"
#include "memory.h"
#include "reference.h"
#include "route.h"
#include <assert.h>
#include <stdlib.h>
#include <time.h>

enum {
    STRANGER_BODY_LEN_MAX = 16 << 10,
    LOAD_PAGE = 1000,
    LOAD_LEN_MAX = 512 << 20, /* a page of users, each with all that is sealed of it */
    REFUSAL_HEADERS_MAX = 5,
    WAIT_NS = 2 * 1000 * 1000
};

static const char media_json_api[] = "application/vnd.api+json";

/* ---- a request, from its head to its handler ---- */

static bool fail_route(struct call *call, enum route_error error)
{
    if (error == ROUTE_MALFORMED)
        call_fail(call, API_PATH_INVALID, SOURCE_NONE, NULL,
                  "The path has a malformed escape, a NUL, or is not UTF-8.");
    else
        call_fail(call, API_NOT_FOUND, SOURCE_NONE, NULL, "There is nothing at this path.");
    call->failure.close = true;
    return false;
}

static bool fail_auth(struct call *call, enum keyring_verdict verdict)
{
    if (verdict == KEYRING_FORBIDDEN)
        return call_fail(call, API_FORBIDDEN, SOURCE_HEADER, "Authorization",
                         "Only a Master's key can act as another user.");
    if (verdict == KEYRING_NO_USER)
        return call_fail(call, API_FORBIDDEN, SOURCE_HEADER, "Authorization",
                         "The user after \"user=\" is none of this Master's.");
    return call_fail(call, API_AUTH_INVALID, SOURCE_HEADER, "Authorization",
                     "The API key is unknown or revoked. Send the key itself, or \"Bearer\" and the key.");
}

/* A wrong key: answered now, later, or with 429. True: the throttle has it. */
static bool slow_guess(struct call *call)
{
    atomic_fetch_add_explicit(&call->api->guesses, 1, memory_order_relaxed);
    switch (throttle_guess(call->api->throttle, call->request->peer, call)) {
    case THROTTLE_HELD:
        return true;
    case THROTTLE_REFUSE:
        call_fail(call, API_GUESSES, SOURCE_HEADER, "Authorization", "Wait before you try another key.");
        call->failure.retry_after_s = THROTTLE_DELAY_MS / 1000;
        return false;
    default:
        return false;
    }
}

static bool check_accept(struct call *call)
{
    struct bytes accept = listener_header(call->request, "Accept", NULL);
    enum media media = negotiation_answers(accept);
    call->media = media == MEDIA_NONE ? MEDIA_JSON_API : media;
    if (media == MEDIA_NONE && negotiation_accepts_lines(accept) &&
        negotiation_reads_lines(listener_header(call->request, "Content-Type", NULL)))
        media =
            MEDIA_JSON_API; /* lines for lines; an error of the whole request is a document all the same */
    return media != MEDIA_NONE || call_fail(call, API_NOT_ACCEPTABLE, SOURCE_HEADER, "Accept",
                                            "Accept is '%.*s'. Answers are application/vnd.api+json without "
                                            "parameters, or application/json: name one, or */*.",
                                            accept.len > 80 ? 80 : (int)accept.len, accept.data);
}

static bool check_query(struct call *call, unsigned allowed)
{
    struct bytes name;
    enum query_error error =
        query_parse(&call->request->arena, call->request->query, allowed, &call->query, &name);
    if (error == QUERY_OK)
        return true;
    if (error == QUERY_MALFORMED)
        return call_fail(call, API_QUERY_INVALID, SOURCE_NONE, NULL,
                         "The query string has a malformed escape, a NUL, or is not UTF-8.");
    const char *parameter = call_printf(call, "%.*s", (int)(name.len > 64 ? 64 : name.len), name.data);
    return call_fail(call, error == QUERY_UNKNOWN ? API_PARAMETER_UNKNOWN : API_PARAMETER_REPEATED,
                     SOURCE_PARAMETER, parameter,
                     error == QUERY_UNKNOWN ? "This parameter is not known here."
                                            : "This parameter can be given once.");
}

static bool fail_guess(struct call *call, bool *held)
{
    *held = slow_guess(call);
    return false;
}

/* Who asks: the key, where it is used, and its pace. Whatever tells a key that is valid from one that is not
 * is slowed. */
static bool authenticate(struct call *call, bool *held)
{
    int count = 0;
    struct bytes authorization = listener_header(call->request, "Authorization", &count);
    if (count > 1)
        return call_fail(call, API_HEADER_INVALID, SOURCE_HEADER, "Authorization",
                         "There are two Authorization headers.");
    if (!bytes_trim(authorization).len)
        return call_fail(call, API_AUTH_MISSING, SOURCE_HEADER, "Authorization",
                         "Send your API key in the Authorization header.");
    enum keyring_verdict verdict = keyring_authenticate(call->api->keyring, authorization, &call->caller);
    if (verdict == KEYRING_UNKNOWN || verdict == KEYRING_MALFORMED) {
        fail_auth(call, verdict);
        return fail_guess(call, held);
    }
    if (!admission_check_address(call))
        return fail_guess(call, held);
    return admission_spend(call) && (verdict == KEYRING_OK || fail_auth(call, verdict));
}

static bool check_metrics_key(struct call *call, bool *held)
{
    const char *key = call->api->config.config->metrics_key;
    struct bytes given = bytes_trim(listener_header(call->request, "Authorization", NULL));
    if (!key)
        return true;
    if (!given.len)
        return call_fail(call, API_AUTH_MISSING, SOURCE_HEADER, "Authorization",
                         "Send the metrics-key of this server in the Authorization header.");
    if (given.len > 7 && bytes_equal_nocase(bytes_make(given.data, 7), "bearer "))
        given = bytes_trim(bytes_make(given.data + 7, given.len - 7));
    if (bytes_equal_secret(given, bytes_of(key)))
        return true;
    call_fail(call, API_AUTH_INVALID, SOURCE_HEADER, "Authorization",
              "This is not the metrics-key of this server.");
    return fail_guess(call, held);
}

static bool enter_public(struct call *call, const struct route_method *method, bool *held)
{
    enum media media = negotiation_answers(listener_header(call->request, "Accept", NULL));
    call->media = media == MEDIA_NONE ? MEDIA_JSON : media;
    return (method->access == ROUTE_HEALTH || admission_spend_public(call)) &&
           (method->access != ROUTE_METRICS || check_metrics_key(call, held)) &&
           admission_check_version(call) && check_query(call, method->query);
}

/* Everything between the path and the handler. False: call->failure; *held: the throttle answers. */
static bool enter(struct call *call, const struct route_method *method, bool *held)
{
    if (method->access < ROUTE_USER)
        return enter_public(call, method, held);
    check_accept(call); /* an error before 406 is told in the type the client wants, too */
    if (!authenticate(call, held))
        return false;
    if (method->access == ROUTE_MASTER && call->caller.role != USER_MASTER)
        return call_fail(call, API_FORBIDDEN, SOURCE_HEADER, "Authorization", "This is a Master's to do.");
    return admission_check_version(call) && check_accept(call) && check_query(call, method->query);
}

static bool answer_options(struct call *call, const struct route *route)
{
    const char *allow = route_allow(&call->request->arena, route);
    call_header(call, "Allow", bytes_of(allow ? allow : "OPTIONS"));
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
    enum route_error error = route_find(&request->arena, request->path, &route, &variables);
    if (error == ROUTE_FOUND && !is_served_here(call, route))
        error = ROUTE_UNKNOWN;
    if (error != ROUTE_FOUND)
        return fail_route(call, error);
    call->id_text = variables.id;
    call->type_text = variables.type;
    if (bytes_equal_text(request->method, "OPTIONS"))
        return answer_options(call, route);
    const struct route_method *method = route_method(route, request->method);
    if (!method) {
        const char *allow = route_allow(&request->arena, route);
        call->state = (void *)(allow ? allow : "OPTIONS");
        call_fail(call, API_METHOD_NOT_ALLOWED, SOURCE_NONE, NULL, "Allowed here: %s.",
                  (const char *)call->state);
        call->failure.close = true;
        return false;
    }
    if (!enter(call, method, &held))
        return held;
    return method->handle(call);
}

static void handle(struct api *api, struct listener_request *request, bool at_metrics)
{
    struct call *call = arena_zero(&request->arena, sizeof *call);
    assert(call); /* the listener's arenas are larger than this */
    atomic_fetch_add_explicit(&api->in_hand, 1, memory_order_relaxed);
    call->api = api;
    call->request = request;
    call->at_metrics = at_metrics;
    call->media = MEDIA_JSON_API;
    call->request_id = admission_id(&api->admission, request);
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

/* A 405 always says what is allowed; where there is no route, what is allowed anywhere. */
static const char *allowed_at(struct listener_request *request)
{
    const struct route *route;
    struct route_variables variables;
    const char *allow = NULL;
    if (route_find(&request->arena, request->path, &route, &variables) == ROUTE_FOUND)
        allow = route_allow(&request->arena, route);
    return allow ? allow : "GET, HEAD, POST, PATCH, PUT, DELETE, OPTIONS";
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
        [API_CLIENT_CERTIFICATE] = "Connect with a certificate, for clients, from the authorities "
                                   "that this server trusts.",
        [API_BODY_TOO_LARGE] = "A body has at most 1 MiB.",
        [API_TARGET_TOO_LONG] = "A request line has at most 8 KiB.",
        [API_HEADERS_TOO_LARGE] = "Headers have at most 32 KiB and 100 fields.",
        [API_BUSY] =
            "There is no room in memory for the body now (setting memory-max), or the server is ending. "
            "Nothing was written.",
        [API_INTERNAL] = "The server failed."};
    struct api *api = ctx;
    struct failure_report failure = {.error = api_error_of_status(status)};
    struct listener_header *headers = arena_zero(&request->arena, REFUSAL_HEADERS_MAX * sizeof *headers);
    struct bytes id = admission_id(&api->admission, request);
    struct text out;
    if ((size_t)failure.error < sizeof details / sizeof *details)
        failure.detail = details[failure.error];
    if (failure.error == API_REQUEST_TIMEOUT)
        failure.detail = say_late(request);
    text_init(&out, &request->arena, CALL_ANSWER_LEN_MAX);
    failure_put(&out, &failure, id);
    atomic_fetch_add_explicit(&api->answers[status / 100], 1, memory_order_relaxed);
    reply->status = status;
    reply->body = text_bytes(&out);
    if (!headers)
        return;
    headers[0] = (struct listener_header){bytes_of("Content-Type"), bytes_of(media_json_api)};
    reply->headers = headers;
    headers[1] = (struct listener_header){bytes_of("X-Request-Id"), id};
    headers[2] = (struct listener_header){bytes_of("Version"), bytes_of(API_VERSION)};
    reply->header_count = 3;
    if (status == 503)
        headers[reply->header_count++] = (struct listener_header){bytes_of("Retry-After"), bytes_of("1")};
    if (status == 401)
        headers[reply->header_count++] =
            (struct listener_header){bytes_of("WWW-Authenticate"), bytes_of("Bearer realm=\"posthorn\"")};
    if (status == 405)
        headers[reply->header_count++] =
            (struct listener_header){bytes_of("Allow"), bytes_of(allowed_at(request))};
}

/* ---- opening: the keyring from the store ---- */

struct load {
    pthread_mutex_t lock;
    pthread_cond_t done;
    bool is_done;
};

static void load_done(struct readers_job *job)
{
    struct load *load = job->ctx;
    pthread_mutex_lock(&load->lock);
    load->is_done = true;
    pthread_cond_signal(&load->done);
    pthread_mutex_unlock(&load->lock);
}

/* Waits: nothing else is under way while the API opens. */
static bool run_query(struct api *api, struct load *load, struct readers_job *job)
{
    load->is_done = false;
    job->done = load_done;
    job->ctx = load;
    arena_reset(job->arena);
    if (!readers_submit(api->config.readers, job))
        return false;
    pthread_mutex_lock(&load->lock);
    while (!load->is_done)
        pthread_cond_wait(&load->done, &load->lock);
    pthread_mutex_unlock(&load->lock);
    if (job->status == STORE_OK)
        return true;
    log_write(api->config.log, LOG_LEVEL_ERROR, "api", "cannot read users and keys: %s",
              store_status_sentence(job->status));
    return false;
}

static bool load_users(struct api *api, struct load *load, struct readers_job *job)
{
    job->query = (struct store_query){.kind = STORE_LIST_USERS, .limit = LOAD_PAGE};
    do {
        if (!run_query(api, load, job))
            return false;
        for (int i = 0; i < job->answer.count; i++) {
            const struct user *user = &job->answer.users[i];
            keyring_put_user(api->keyring, user->id, user->role, user->master_id);
            job->query.after_id = user->id;
        }
    } while (job->answer.more && job->answer.count);
    return true;
}

static bool load_keys(struct api *api, struct load *load, struct readers_job *job)
{
    job->query = (struct store_query){.kind = STORE_GET_KEYRING, .limit = LOAD_PAGE};
    do {
        if (!run_query(api, load, job))
            return false;
        for (int i = 0; i < job->answer.count; i++) {
            const struct api_key *key = &job->answer.keys[i];
            if (!keyring_put_key(api->keyring, key))
                log_write(api->config.log, LOG_LEVEL_ERROR, "api", "API key %lld is damaged and left out",
                          (long long)key->id);
            job->query.after_id = key->id;
        }
    } while (job->answer.more && job->answer.count);
    return true;
}

static bool load_keyring(struct api *api)
{
    struct load load = {.is_done = false};
    struct arena arena;
    struct readers_job job = {.arena = &arena};
    pthread_mutex_init(&load.lock, NULL);
    pthread_cond_init(&load.done, NULL);
    arena_init(&arena, LOAD_LEN_MAX);
    bool loaded = load_users(api, &load, &job) && load_keys(api, &load, &job);
    arena_fini(&arena);
    pthread_cond_destroy(&load.done);
    pthread_mutex_destroy(&load.lock);
    return loaded;
}

struct api *api_open(const struct api_config *config)
{
    struct api *api = memory_zero(1, sizeof *api);
    api->config = *config;
    admission_init(&api->admission);
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
    free(api);
}
