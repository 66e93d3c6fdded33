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

void listener_client_weigh(struct listener_client *client)
{
    bool slow = client->stage == LISTENER_CLIENT_BODY || client->stage == LISTENER_CLIENT_REPLY;
    crowd_weigh(client, slow ? client->exchange->counted_len + client->held_counted : 0);
}

static enum memory_room others_give_way(struct listener_client *client, size_t more)
{
    struct listener_loop *loop = client->loop;
    struct listener_client *heaviest = crowd_heaviest(loop);
    if (heaviest && heaviest != client) {
        listener_client_give_way(heaviest);
        return MEMORY_ROOM;
    }
    bool has_more = heaviest && crowd_weight(client->origin) > client->weight;
    if (has_more || client->waits_left == 0 || loop->listener->loop_count == 1)
        return MEMORY_NO_ROOM;
    listener_loop_ask_room(loop, more, crowd_weight(client->origin));
    return MEMORY_WAIT;
}

size_t listener_make_room(struct listener_loop *loop, size_t more, size_t weight)
{
    struct budget *budget = loop->listener->config.budget;
    while (!budget_take(budget, BUDGET_IN, more)) {
        struct listener_client *heaviest = crowd_heaviest(loop);
        if (!heaviest || crowd_weight(heaviest->origin) < weight)
            return 0;
        listener_client_give_way(heaviest);
    }
    return more;
}

/* What another loop has given up for this one comes first. */
static enum memory_room count(struct listener_client *client, size_t *counted, size_t len)
{
    struct listener_loop *loop = client->loop;
    struct budget *budget = loop->listener->config.budget;
    if (!budget || len <= *counted || len <= COUNTED_FROM)
        return MEMORY_ROOM;
    size_t more = (len - *counted + COUNTED_STEP - 1) / COUNTED_STEP * COUNTED_STEP;
    bool given = loop->room >= more;
    if (given)
        loop->room -= more;
    while (!given && !budget_take(budget, BUDGET_IN, more)) {
        enum memory_room room = others_give_way(client, more);
        if (room != MEMORY_ROOM)
            return room;
    }
    *counted += more;
    listener_client_weigh(client);
    return MEMORY_ROOM;
}

enum memory_room listener_client_count_call(struct listener_client *client, size_t len)
{
    return count(client, &client->exchange->counted_len, len);
}

bool listener_client_count_held(struct listener_client *client)
{
    return count(client, &client->held_counted, client->held_len) == MEMORY_ROOM;
}

void listener_client_forget_held(struct listener_client *client)
{
    if (client->held_counted > 0)
        budget_give(client->loop->listener->config.budget, BUDGET_IN, client->held_counted);
    free(client->held);
    client->held = NULL;
    client->held_len = client->held_counted = 0;
}
