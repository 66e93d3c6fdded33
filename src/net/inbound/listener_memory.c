#include "listener_memory.h"
#include "budget.h"
#include "crowd.h"
#include "listener_inbox.h"
#include <stdlib.h>

enum {
    COUNTED_FROM = 4 * 1024, /* less is bounded by the number of connections */
    COUNTED_STEP = 16 * 1024
};

void listener_memory_weigh(struct listener_client *client)
{
    bool slow = client->stage == LISTENER_CLIENT_BODY || client->stage == LISTENER_CLIENT_REPLY;
    crowd_weigh(client, slow ? client->exchange->counted_len + client->held_counted : 0);
}

/* The budget is full: chooses the client that must give way. */
static enum memory_room who_gives_way(struct listener_client *client, size_t more,
                                      struct listener_client **other)
{
    struct listener_loop *loop = client->loop;
    struct listener_client *heaviest = crowd_heaviest(loop);
    if (heaviest && heaviest != client) {
        *other = heaviest;
        return MEMORY_AFTER_OTHER;
    }
    bool has_more = heaviest && crowd_weight(client->origin) > client->weight;
    if (has_more || client->waits_left == 0 || loop->listener->loop_count == 1)
        return MEMORY_NO_ROOM;
    listener_inbox_ask_room(loop, more, crowd_weight(client->origin));
    return MEMORY_WAIT;
}

/* First uses the bytes that another loop has freed for this one. */
enum memory_room listener_memory_count(struct listener_client *client, size_t *counted, size_t len,
                                       struct listener_client **other)
{
    struct listener_loop *loop = client->loop;
    struct budget *budget = loop->listener->config.budget;
    if (!budget || len <= *counted || len <= COUNTED_FROM)
        return MEMORY_ROOM;
    size_t more = (len - *counted + COUNTED_STEP - 1) / COUNTED_STEP * COUNTED_STEP;
    if (loop->room >= more)
        loop->room -= more;
    else if (!budget_take(budget, BUDGET_IN, more))
        return who_gives_way(client, more, other);
    *counted += more;
    listener_memory_weigh(client);
    return MEMORY_ROOM;
}

void listener_memory_forget_held(struct listener_client *client)
{
    if (client->held_counted > 0)
        budget_give(client->loop->listener->config.budget, BUDGET_IN, client->held_counted);
    free(client->held);
    client->held = NULL;
    client->held_len = client->held_counted = 0;
}
