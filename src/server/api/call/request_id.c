#include "request_id.h"
#include "digest.h"

enum { ID_LEN_MAX = 128, PREFIX_RANDOM_LEN = REQUEST_ID_OWN_LEN / 4 };

void request_ids_init(struct request_ids *ids)
{
    digest_random_hex(ids->prefix, PREFIX_RANDOM_LEN);
    atomic_init(&ids->count, 0);
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
    return id.len > 0 && id.len <= ID_LEN_MAX;
}

/* By hand, because every request pays for it. */
static struct bytes make_id(struct request_ids *ids, struct arena *arena)
{
    static const char digits[] = "0123456789abcdef";
    unsigned long long count = atomic_fetch_add_explicit(&ids->count, 1, memory_order_relaxed) + 1;
    char *id = arena_alloc(arena, REQUEST_ID_OWN_LEN + 2);
    if (!id)
        return bytes_of("-");
    size_t len = sizeof ids->prefix - 1;
    memcpy(id, ids->prefix, len);
    id[len++] = '-';
    int shift = 60;
    while (shift > 0 && count >> shift == 0)
        shift -= 4;
    for (; shift >= 0; shift -= 4)
        id[len++] = digits[count >> shift & 15];
    return bytes_make(id, len);
}

struct bytes request_id(struct request_ids *ids, struct listener_request *request)
{
    int count = 0;
    struct bytes given = listener_header(request, "X-Request-Id", &count);
    return count == 1 && is_safe(given) ? given : make_id(ids, &request->arena);
}
