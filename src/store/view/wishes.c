#include "wishes.h"
#include "memory.h"
#include <stdlib.h>

/* A pattern of 4 KiB, its tree, and what it compiles to. */
enum { WISHES_SIZE_MAX = 1 << 20 };

struct wishes {
    struct arena arena;
    struct routing_wishes routing;
    struct bytes filter; /* as JSON */
};

static const struct filter *compile(struct arena *arena, struct bytes text)
{
    struct json_reading reading;
    struct filter_problem problem;
    const struct json_value *pattern = json_tree_read(arena, (char *)text.data, text.len, false, &reading);
    return pattern ? filter_compile(arena, pattern, &problem) : NULL;
}

bool wishes_set(struct wishes **wishes, struct bytes event_types, struct bytes channels, struct bytes filter)
{
    struct wishes *now = *wishes;
    if (now && bytes_equal(now->routing.event_types, event_types) &&
        bytes_equal(now->routing.channels, channels) && bytes_equal(now->filter, filter))
        return !now->filter.len || now->routing.filter;
    wishes_free(now);
    *wishes = NULL;
    if (event_types.len + channels.len + filter.len == 0)
        return true;
    *wishes = now = memory_alloc(sizeof *now);
    arena_init_small(&now->arena, WISHES_SIZE_MAX);
    now->filter = arena_copy(&now->arena, filter);
    now->routing = (struct routing_wishes){arena_copy(&now->arena, event_types),
                                           arena_copy(&now->arena, channels), NULL};
    if (filter.len > 0 && filter.len <= FILTER_LEN_MAX)
        now->routing.filter = compile(&now->arena, now->filter);
    return filter.len == 0 || now->routing.filter;
}

void wishes_free(struct wishes *wishes)
{
    if (wishes)
        arena_fini(&wishes->arena);
    free(wishes);
}

const struct routing_wishes *wishes_of(const struct wishes *wishes)
{
    return wishes ? &wishes->routing : NULL;
}
