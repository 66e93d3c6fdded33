#include "ids.h"
#include "bytes.h"
#include <assert.h>
#include <stdbool.h>

enum { TIME_SHIFT = 20, NODE_SHIFT = 6, SEQUENCE_MAX = (1 << NODE_SHIFT) - 1 };

/* The ids of this millisecond are the first of 19 digits. */
#define TIME_MS_MIN ((int64_t)953674316407)

static int64_t first_of(int64_t time_ms, int node)
{
    return time_ms << TIME_SHIFT | (int64_t)node << NODE_SHIFT;
}

int64_t ids_first_at(int64_t wall_ms)
{
    if (wall_ms > INT64_MAX >> TIME_SHIFT)
        return INT64_MAX;
    return first_of(wall_ms > TIME_MS_MIN ? wall_ms : TIME_MS_MIN, 0);
}

int64_t ids_next(struct ids *ids, int64_t wall_ms)
{
    assert(ids->node >= 0 && ids->node <= IDS_NODE_MAX && ids->last >= 0);
    int64_t id = first_of(wall_ms > TIME_MS_MIN ? wall_ms : TIME_MS_MIN, ids->node);
    if (id <= ids->last) {
        /* The clock stands still or went back: go on in the last millisecond, or in the one after it when its
         * sequence is used up or the floor is another node's. */
        int64_t last_ms = ids->last >> TIME_SHIFT;
        bool ours = first_of(last_ms, ids->node) == (ids->last & ~(int64_t)SEQUENCE_MAX);
        bool room = (ids->last & SEQUENCE_MAX) < SEQUENCE_MAX;
        id = ours && room ? ids->last + 1 : first_of(last_ms + 1, ids->node);
    }
    assert(id > ids->last);
    ids->last = id;
    return id;
}

int64_t ids_from(int64_t wall_ms)
{
    if (wall_ms > INT64_MAX >> TIME_SHIFT)
        return INT64_MAX;
    return wall_ms > TIME_MS_MIN ? first_of(wall_ms, 0) : 0;
}

void ids_floor(struct ids *ids, int64_t id)
{
    if (id > ids->last)
        ids->last = id;
}

void ids_put(int64_t id, char out[IDS_DIGITS])
{
    char digits[BYTES_INT64_LEN_MAX];
    struct bytes text = bytes_from_int64(id, digits);
    assert(text.len == IDS_DIGITS);
    memcpy(out, text.data, IDS_DIGITS);
}
