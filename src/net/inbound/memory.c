/*
 * What clients hold of our memory while they take their time: bodies that are not whole, answers that are not
 * read, requests that are sent ahead. All of it is in the budget. When that is full, a newcomer wins over the
 * slowest: the address that holds most gives up what it has held longest. So one client, however many slow
 * uploads it has, keeps nobody else's out.
 */
#include "budget.h"
#include "listener_parts.h"
#include <stdlib.h>

enum {
    COUNTED_FROM = 4 * 1024, /* less is bounded by the number of connections */
    COUNTED_STEP = 16 * 1024
};

void visitor_weigh(struct visitor *visitor)
{
    bool slow = visitor->stage == VISITOR_BODY || visitor->stage == VISITOR_REPLY;
    guests_weigh(visitor, slow ? visitor->call->counted_len + visitor->held_counted : 0);
}

static enum memory_room others_give_way(struct visitor *visitor, size_t more)
{
    struct listener_loop *loop = visitor->loop;
    struct visitor *heaviest = guests_heaviest(loop);
    if (heaviest && heaviest != visitor) {
        visitor_give_way(heaviest);
        return MEMORY_ROOM;
    }
    bool has_more = heaviest && guests_weight(visitor->guest) > visitor->weight;
    if (has_more || visitor->waits_left == 0 || loop->listener->loop_count == 1)
        return MEMORY_NO_ROOM;
    listener_loop_ask_room(loop, more, guests_weight(visitor->guest));
    return MEMORY_WAIT;
}

size_t listener_make_room(struct listener_loop *loop, size_t more, size_t weight)
{
    struct budget *budget = loop->listener->config.budget;
    while (!budget_take(budget, BUDGET_IN, more)) {
        struct visitor *heaviest = guests_heaviest(loop);
        if (!heaviest || guests_weight(heaviest->guest) < weight)
            return 0;
        visitor_give_way(heaviest);
    }
    return more;
}

/* What another loop has given up for this one comes first. */
static enum memory_room count(struct visitor *visitor, size_t *counted, size_t len)
{
    struct listener_loop *loop = visitor->loop;
    struct budget *budget = loop->listener->config.budget;
    if (!budget || len <= *counted || len <= COUNTED_FROM)
        return MEMORY_ROOM;
    size_t more = (len - *counted + COUNTED_STEP - 1) / COUNTED_STEP * COUNTED_STEP;
    bool given = loop->room >= more;
    if (given)
        loop->room -= more;
    while (!given && !budget_take(budget, BUDGET_IN, more)) {
        enum memory_room room = others_give_way(visitor, more);
        if (room != MEMORY_ROOM)
            return room;
    }
    *counted += more;
    visitor_weigh(visitor);
    return MEMORY_ROOM;
}

enum memory_room visitor_count_call(struct visitor *visitor, size_t len)
{
    return count(visitor, &visitor->call->counted_len, len);
}

bool visitor_count_held(struct visitor *visitor)
{
    return count(visitor, &visitor->held_counted, visitor->held_len) == MEMORY_ROOM;
}

void visitor_forget_held(struct visitor *visitor)
{
    if (visitor->held_counted > 0)
        budget_give(visitor->loop->listener->config.budget, BUDGET_IN, visitor->held_counted);
    free(visitor->held);
    visitor->held = NULL;
    visitor->held_len = visitor->held_counted = 0;
}
