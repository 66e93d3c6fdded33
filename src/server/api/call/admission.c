#include "admission.h"

/* ---- the version ---- */

/* x.y.z, numbers without leading zeros. */
static bool is_version(struct bytes text)
{
    int64_t number;
    for (int part = 0; part < 3; part++) {
        const char *dot = text.len ? memchr(text.data, '.', text.len) : NULL;
        size_t len = dot ? (size_t)(dot - text.data) : text.len;
        if ((dot == NULL) != (part == 2) || !bytes_to_int64(bytes_make(text.data, len), &number))
            return false;
        size_t skip = dot ? len + 1 : len;
        text = bytes_make(text.data + skip, text.len - skip);
    }
    return true;
}

static bool check_version(struct call *call)
{
    int count = 0;
    struct bytes given = listener_header(call->request, "Version", &count);
    if (count == 0 || (count == 1 && bytes_equal_text(given, API_VERSION)))
        return true;
    if (count > 1 || !is_version(given))
        return call_fail(call, API_HEADER_INVALID, SOURCE_HEADER, "Version",
                         "Version must be one version in the form x.y.z, for example " API_VERSION
                         ". Without this header, the oldest supported version answers.");
    return call_fail(call, API_VERSION_UNKNOWN, SOURCE_HEADER, "Version",
                     "This server supports version " API_VERSION ".");
}

/* ---- who comes from where, and how often ---- */

int64_t admission_pace(const struct call *call, int64_t rate_per_s)
{
    if (rate_per_s < 0)
        return 0;
    return rate_per_s > 0 ? rate_per_s : call->api->config.config->rate_limit;
}

/* False: the key has no limit. */
static bool rate_of(const struct call *call, struct rate *rate)
{
    int64_t own = call->caller.rate_per_s;
    *rate = (struct rate){.per_s = admission_pace(call, own),
                          .burst = own > 0 ? own : call->api->config.config->rate_burst};
    return rate->per_s > 0;
}

static bool spend(struct call *call)
{
    struct rate rate;
    if (!rate_of(call, &rate))
        return true;
    call->rate =
        keyring_spend(call->api->keyring, &call->caller, &rate, clock_mono_ms(&call->api->config.clock));
    call->rate_limit = rate.per_s;
    if (call->rate.allowed)
        return true;
    call_fail(call, API_RATE, SOURCE_HEADER, "Authorization",
              call->caller.rate_per_s > 0
                  ? "This key may make %lld requests a second. A batch of events counts as one request."
                  : "A user may make %lld requests a second, with all its keys together. A batch of events "
                    "counts as "
                    "one request.",
              (long long)rate.per_s);
    call->failure.retry_after_s = (int)((call->rate.retry_in_ms + 999) / 1000);
    return false;
}

/* False: too many. */
static bool take_public(struct call *call)
{
    int64_t per_s = call->api->config.config->public_rate;
    if (per_s == 0)
        return true;
    struct rate rate = {.per_s = per_s, .burst = per_s <= RATE_PER_S_MAX / 2 ? 2 * per_s : RATE_PER_S_MAX};
    call->rate = throttle_public(call->api->throttle, call->request->peer, &rate);
    call->rate_limit = per_s;
    return call->rate.allowed;
}

static bool spend_public(struct call *call)
{
    if (take_public(call))
        return true;
    call_fail(call, API_RATE, SOURCE_NONE, NULL,
              "Your address may make %lld requests a second without an API key.",
              (long long)call->rate_limit);
    call->failure.retry_after_s = (int)((call->rate.retry_in_ms + 999) / 1000);
    return false;
}

static bool check_address(struct call *call)
{
    return !call->caller.restricted ||
           keyring_admits(call->api->keyring, &call->caller, call->request->peer) ||
           call_fail(call, API_ADDRESS, SOURCE_HEADER, "Authorization",
                     "This key may be used only from the networks in its allow_from, and your address is not "
                     "in one of them.");
}

/* ---- whose key it is ---- */

static bool fail_auth(struct call *call, enum keyring_verdict verdict)
{
    if (verdict == KEYRING_FORBIDDEN)
        return call_fail(call, API_FORBIDDEN, SOURCE_HEADER, "Authorization",
                         "Only a Master's key can act as another user.");
    if (verdict == KEYRING_NO_USER)
        return call_fail(call, API_FORBIDDEN, SOURCE_HEADER, "Authorization",
                         "The user after \"user=\" does not belong to this Master.");
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

/* It counts against the address, but 429 comes from the throttle alone. */
static bool fail_guess(struct call *call, bool *held)
{
    take_public(call);
    *held = slow_guess(call);
    return false;
}

/* Finds the caller: the key, the place of its use, and its pace. Every answer that tells a valid key from an
 * invalid one is slowed. */
static bool authenticate(struct call *call, bool *held)
{
    int count = 0;
    struct bytes authorization = listener_header(call->request, "Authorization", &count);
    if (count > 1)
        return call_fail(call, API_HEADER_INVALID, SOURCE_HEADER, "Authorization",
                         "There are two Authorization headers.");
    if (!bytes_trim(authorization).len)
        return spend_public(call) && call_fail(call, API_AUTH_MISSING, SOURCE_HEADER, "Authorization",
                                               "Send your API key in the Authorization header.");
    enum keyring_verdict verdict = keyring_authenticate(call->api->keyring, authorization, &call->caller);
    if (verdict == KEYRING_UNKNOWN || verdict == KEYRING_MALFORMED) {
        fail_auth(call, verdict);
        return fail_guess(call, held);
    }
    if (!check_address(call))
        return fail_guess(call, held);
    return spend(call) && (verdict == KEYRING_OK || fail_auth(call, verdict));
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

static bool accepts(struct call *call, const struct route_method *method)
{
    struct bytes accept = listener_header(call->request, "Accept", NULL);
    if (!method->media)
        return check_accept(call);
    return negotiation_accepts(accept, method->media) ||
           call_fail(call, API_NOT_ACCEPTABLE, SOURCE_HEADER, "Accept",
                     "Accept is '%.*s'. This page is %s: name that, or */*.",
                     accept.len > 80 ? 80 : (int)accept.len, accept.data, method->media);
}

static bool enter_public(struct call *call, const struct route_method *method, bool *held)
{
    return (method->access == ROUTE_HEALTH || spend_public(call)) &&
           (method->access != ROUTE_METRICS || check_metrics_key(call, held)) && check_version(call) &&
           accepts(call, method) && check_query(call, method->query);
}

bool admission_count(struct call *call)
{
    check_accept(call);
    return spend_public(call);
}

void admission_count_refused(struct call *call)
{
    check_accept(call);
    take_public(call);
}

bool admission_enter(struct call *call, const struct route_method *method, bool *held)
{
    check_accept(call); /* an error before 406 is told in the type the client wants, too */
    if (method->access < ROUTE_USER)
        return enter_public(call, method, held);
    if (!authenticate(call, held))
        return false;
    if (method->access == ROUTE_MASTER && call->caller.role != USER_MASTER)
        return call_fail(call, API_FORBIDDEN, SOURCE_HEADER, "Authorization", "Only a Master may do this.");
    return check_version(call) && check_accept(call) && check_query(call, method->query);
}
