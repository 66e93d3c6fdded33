#include "admission.h"
#include "call.h"
#include "digest.h"

enum { PREFIX_RANDOM_LEN = ADMISSION_OWN_ID_LEN / 4 };

/* ---- the request's id ---- */

void admission_init(struct admission *admission)
{
    digest_random_hex(admission->prefix, PREFIX_RANDOM_LEN);
    atomic_init(&admission->count, 0);
}

static bool is_safe(struct bytes id)
{
    static const char marks[] = "._~:/+=@-";
    for (size_t i = 0; i < id.len; i++) {
        char c = id.data[i];
        bool word = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (!word && (!c || !strchr(marks, c)))
            return false;
    }
    return id.len > 0 && id.len <= ADMISSION_ID_LEN_MAX;
}

/* By hand, because every request pays for it. */
static struct bytes make_id(struct admission *admission, struct arena *arena)
{
    static const char digits[] = "0123456789abcdef";
    unsigned long long count = atomic_fetch_add_explicit(&admission->count, 1, memory_order_relaxed) + 1;
    char *id = arena_alloc(arena, ADMISSION_OWN_ID_LEN + 2);
    if (!id)
        return bytes_of("-");
    size_t len = sizeof admission->prefix - 1;
    memcpy(id, admission->prefix, len);
    id[len++] = '-';
    int shift = 60;
    while (shift > 0 && count >> shift == 0)
        shift -= 4;
    for (; shift >= 0; shift -= 4)
        id[len++] = digits[count >> shift & 15];
    return bytes_make(id, len);
}

struct bytes admission_id(struct admission *admission, struct listener_request *request)
{
    int count = 0;
    struct bytes given = listener_header(request, "X-Request-Id", &count);
    return count == 1 && is_safe(given) ? given : make_id(admission, &request->arena);
}

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

bool admission_check_version(struct call *call)
{
    int count = 0;
    struct bytes given = listener_header(call->request, "Version", &count);
    if (count == 0 || (count == 1 && bytes_equal_text(given, API_VERSION)))
        return true;
    if (count > 1 || !is_version(given))
        return call_fail(call, API_HEADER_INVALID, SOURCE_HEADER, "Version",
                         "Version is one version as x.y.z, for example " API_VERSION
                         "; without it the oldest one served answers.");
    return call_fail(call, API_VERSION_UNKNOWN, SOURCE_HEADER, "Version",
                     "This server answers as version " API_VERSION ".");
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
    rate->per_s = admission_pace(call, own);
    rate->burst = own > 0 ? own : call->api->config.config->rate_burst;
    return rate->per_s > 0;
}

bool admission_spend(struct call *call)
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

bool admission_spend_public(struct call *call)
{
    int64_t per_s = call->api->config.config->public_rate;
    if (per_s == 0)
        return true;
    struct rate rate = {per_s, per_s <= RATE_PER_S_MAX / 2 ? 2 * per_s : RATE_PER_S_MAX};
    struct rate_verdict verdict = throttle_public(call->api->throttle, call->request->peer, &rate);
    if (verdict.allowed)
        return true;
    call_fail(call, API_RATE, SOURCE_NONE, NULL,
              "Your address may make %lld requests a second without an API key.", (long long)per_s);
    call->failure.retry_after_s = (int)((verdict.retry_in_ms + 999) / 1000);
    return false;
}

bool admission_check_address(struct call *call)
{
    return !call->caller.restricted ||
           keyring_admits(call->api->keyring, &call->caller, call->request->peer) ||
           call_fail(call, API_ADDRESS, SOURCE_HEADER, "Authorization",
                     "This key has a list of networks it may be used from, and your address is not on it.");
}

/* ---- the answer ---- */

static void put(struct listener_header *header, const char *name, struct bytes value)
{
    *header = (struct listener_header){bytes_of(name), value};
}

static void put_number(const struct call *call, struct listener_header *header, const char *name,
                       int64_t value)
{
    char digits[BYTES_INT64_LEN_MAX];
    struct bytes text = arena_copy(&call->request->arena, bytes_from_int64(value, digits));
    put(header, name, text.data ? text : bytes_of("0"));
}

int admission_headers(const struct call *call, struct listener_header headers[ADMISSION_HEADERS_MAX])
{
    put(&headers[0], "X-Request-Id", call->request_id);
    put(&headers[1], "Version", bytes_of(API_VERSION));
    put(&headers[2], "Posthorn-Mode", bytes_of(call->api->config.config->mode));
    if (!call->rate_limit)
        return 3;
    put_number(call, &headers[3], "RateLimit-Limit", call->rate_limit);
    put_number(call, &headers[4], "RateLimit-Remaining", call->rate.remaining);
    put_number(call, &headers[5], "RateLimit-Reset", (call->rate.full_again_ms + 999) / 1000);
    return 6;
}
