#include "idempotency_key.h"
#include "digest.h"

enum { RETRY_IN_FLIGHT_S = 1 };

static bool fail_key(struct call *call, size_t len_max)
{
    return call_fail(call, API_HEADER_INVALID, SOURCE_HEADER, "Idempotency-Key",
                     "Idempotency-Key must be one text of 1 to %zu bytes, bare or in quotes.", len_max);
}

/* The text between the quotes. data NULL: it is no string of RFC 9651 section 3.3.3. */
static struct bytes unquote(struct call *call, struct bytes text)
{
    const struct bytes wrong = {0};
    char *out = arena_alloc(&call->request->arena, text.len);
    size_t len = 0;
    if (!out || text.len < 2 || text.data[text.len - 1] != '"')
        return wrong;
    for (size_t i = 1; i < text.len - 1; i++) {
        char c = text.data[i];
        bool escape = c == '\\';
        if (escape)
            c = text.data[++i];
        bool plain = c != '"' && c != '\\' && c >= 0x20 && c < 0x7f;
        if (i == text.len - 1 || plain == escape)
            return wrong;
        out[len++] = c;
    }
    return bytes_make(out, len);
}

bool idempotency_key_read(struct call *call, size_t len_max, struct bytes *key)
{
    int count = 0;
    *key = listener_header(call->request, "Idempotency-Key", &count);
    if (!count)
        return true;
    if (count == 1 && bytes_starts(*key, "\""))
        *key = unquote(call, *key);
    return (count == 1 && key->len && key->len <= len_max) || fail_key(call, len_max);
}

bool idempotency_key_hold(struct call *call, const char *path, struct bytes key, enum source_kind kind,
                          const char *source)
{
    struct arena *arena = &call->request->arena;
    const char *text =
        arena_printf(arena, "%lld %s %.*s", (long long)call->caller.user_id, path, BYTES_ARG(key));
    struct in_flight_key *held = arena_zero(arena, sizeof *held);
    if (!text || !held)
        return call_too_large(call);
    digest_sha256(bytes_of(text), held->digest);
    held->request = call;
    switch (in_flight_enter(&call->api->in_flight, held)) {
    case IN_FLIGHT_ENTERED:
        held->others = call->keys_held;
        call->keys_held = held;
        return true;
    case IN_FLIGHT_OWN:
        return true;
    case IN_FLIGHT_TAKEN:
        break;
    }
    call_fail(call, API_IDEMPOTENCY_IN_FLIGHT, kind, source,
              "A request with this key is not answered yet. Send this one again later: it then gets the same "
              "answer.");
    call->failure.retry_after_s = RETRY_IN_FLIGHT_S;
    return false;
}

bool idempotency_key_take(struct call *call, const char *path)
{
    struct bytes key;
    if (!idempotency_key_read(call, MODEL_KEY_LEN_MAX, &key))
        return false;
    if (!key.len)
        return true;
    if (!idempotency_key_hold(call, path, key, SOURCE_HEADER, "Idempotency-Key"))
        return false;
    const char *text = arena_printf(&call->request->arena, "%s %.*s", path, BYTES_ARG(key));
    call->repeat = arena_zero(&call->request->arena, sizeof *call->repeat);
    if (!text || !call->repeat)
        return call_too_large(call);
    call->repeat->requester_id = call->caller.user_id;
    call->repeat->key = bytes_of(text);
    /* The body says whose it is to be, or else it is the requester's. */
    digest_sha256(bytes_make(call->request->body, call->request->body_len), call->repeat->digest);
    return true;
}

bool idempotency_key_refuse(struct call *call)
{
    return call_fail(call, API_IDEMPOTENCY_CONFLICT, SOURCE_HEADER, "Idempotency-Key",
                     "This key was used for another request. Use a new key for each request.");
}

bool idempotency_key_fits(struct call *call)
{
    return call->write.op.result != STORE_REUSED || idempotency_key_refuse(call);
}

void idempotency_key_replayed(struct call *call, const char *lost)
{
    call_header(call, "Idempotency-Replayed", bytes_of("true"));
    if (lost)
        call_warn(
            call, "replayed", 0, 0,
            "this request was answered before; %s was shown then, is stored nowhere, and is not shown again",
            lost);
}
