#include "crowd.h"
#include "memory.h"
#include "owner.h"
#include <assert.h>
#include <stdlib.h>

enum { SLOW_MS = 1000, LOOKED_AT_MAX = 64, RANK_JUST_COME = 4 };

struct crowd_origin {
    uint64_t name;
    int count;
    size_t weight;
    TAILQ_HEAD(, listener_client) clients; /* in the order in which they came to their stages */
    LIST_ENTRY(crowd_origin) same_bucket, same_count;
};

/* Maps IPv4, mapped or not, to IPv6 networks that nobody uses. */
static uint64_t name_of(const struct sockaddr *address)
{
    const struct sockaddr_in6 *six = (const void *)address;
    uint32_t four = 0;
    uint64_t network = 0;
    if (address->sa_family == AF_INET)
        four = ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr);
    else if (address->sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&six->sin6_addr))
        memcpy(&four, &six->sin6_addr.s6_addr[12], sizeof four), four = ntohl(four);
    else if (address->sa_family == AF_INET6)
        memcpy(&network, &six->sin6_addr, sizeof network);
    else
        return 0;
    return network ? network : UINT64_C(1) << 32 | four;
}

void crowd_init(struct crowd *crowd, int clients_max)
{
    crowd->cap = 64;
    while (crowd->cap < (size_t)clients_max)
        crowd->cap *= 2;
    crowd->count_max = clients_max + CROWD_OVER_MAX;
    crowd->most = 0;
    crowd->buckets = memory_zero(crowd->cap, sizeof *crowd->buckets);
    crowd->by_count = memory_zero((size_t)crowd->count_max + 1, sizeof *crowd->by_count);
}

void crowd_fini(struct crowd *crowd)
{
    assert(!crowd->buckets || crowd->most == 0);
    free(crowd->buckets);
    free(crowd->by_count);
}

static struct crowd_list *bucket_of(struct crowd *crowd, uint64_t name)
{
    return &crowd->buckets[(size_t)((name * UINT64_C(0x9E3779B97F4A7C15)) >> 32) & (crowd->cap - 1)];
}

static void recount(struct crowd *crowd, struct crowd_origin *origin, int count)
{
    if (origin->count > 0)
        LIST_REMOVE(origin, same_count);
    origin->count = count;
    assert(count >= 0 && count <= crowd->count_max);
    if (count > 0)
        LIST_INSERT_HEAD(&crowd->by_count[count], origin, same_count);
    if (count > crowd->most)
        crowd->most = count;
    while (crowd->most > 0 && LIST_EMPTY(&crowd->by_count[crowd->most]))
        crowd->most--;
}

void crowd_come(struct crowd *crowd, struct listener_client *client, const struct sockaddr *address)
{
    uint64_t name = name_of(address);
    struct crowd_list *bucket = bucket_of(crowd, name);
    struct crowd_origin *origin = LIST_FIRST(bucket);
    while (origin && origin->name != name)
        origin = LIST_NEXT(origin, same_bucket);
    if (!origin) {
        origin = memory_zero(1, sizeof *origin);
        origin->name = name;
        TAILQ_INIT(&origin->clients);
        LIST_INSERT_HEAD(bucket, origin, same_bucket);
    }
    client->origin = origin;
    TAILQ_INSERT_TAIL(&origin->clients, client, by_stage);
    recount(crowd, origin, origin->count + 1);
}

void crowd_move(struct listener_client *client)
{
    struct crowd_origin *origin = client->origin;
    client->since_ms = uv_now(&client->loop->loop);
    if (TAILQ_NEXT(client, by_stage)) {
        TAILQ_REMOVE(&origin->clients, client, by_stage);
        TAILQ_INSERT_TAIL(&origin->clients, client, by_stage);
    }
}

void crowd_go(struct crowd *crowd, struct listener_client *client)
{
    struct crowd_origin *origin = client->origin;
    crowd_weigh(client, 0);
    client->origin = NULL;
    TAILQ_REMOVE(&origin->clients, client, by_stage);
    recount(crowd, origin, origin->count - 1);
    if (origin->count > 0)
        return;
    LIST_REMOVE(origin, same_bucket);
    free(origin);
}

/* The order in which clients are closed, by stage: told to go; slow handshakes; between two requests; within
 * a request; just accepted. Never a client whose request the application has. */
static int rank(const struct listener_client *client, uint64_t now_ms)
{
    bool slow = now_ms - client->since_ms >= SLOW_MS;
    switch (client->stage) {
    case LISTENER_CLIENT_LINGER:
        return 0;
    case LISTENER_CLIENT_SECURING:
    case LISTENER_CLIENT_HEAD:
        return slow ? 1 : 3;
    case LISTENER_CLIENT_IDLE:
        return client->asked ? 2 : slow ? 1 : RANK_JUST_COME;
    case LISTENER_CLIENT_BODY:
    case LISTENER_CLIENT_REPLY:
        return 3;
    default:
        return CROWD_STAYS;
    }
}

/* The slowest client of the address with the most clients. */
static struct listener_client *slowest_of_most(struct crowd *crowd, uint64_t now_ms)
{
    struct listener_client *slowest = NULL, *client;
    int best = CROWD_STAYS, looked_at = 0;
    TAILQ_FOREACH(client, &LIST_FIRST(&crowd->by_count[crowd->most])->clients, by_stage)
    {
        int its = rank(client, now_ms);
        if (its < best) {
            best = its;
            slowest = client;
        }
        if (best == 0 || (++looked_at >= LOOKED_AT_MAX && slowest))
            break;
    }
    return slowest;
}

/* The client that is longest in a stage, of an address with at least half as many clients as the first. */
static struct listener_client *oldest_in(const struct crowd *crowd, const struct deadline_queue *queue)
{
    const struct deadline *deadline = queue->ring.next;
    for (int i = 0; i < LOOKED_AT_MAX && deadline != &queue->ring; i++, deadline = deadline->next) {
        struct listener_client *client = OWNER_OF(deadline, struct listener_client, deadline);
        if (client->origin && client->origin->count * 2 >= crowd->most)
            return client;
    }
    return NULL;
}

/* If the candidate has just come, it may be one of many new clients from one address. Then clients of
 * addresses with about as many are candidates too; of equals, the one that came first is closed. */
struct listener_client *crowd_slowest(struct crowd *crowd, struct listener_loop *loop)
{
    uint64_t now_ms = uv_now(&loop->loop);
    struct listener_client *slowest = slowest_of_most(crowd, now_ms);
    int best = slowest ? rank(slowest, now_ms) : CROWD_STAYS;
    if (best < RANK_JUST_COME)
        return slowest;
    for (int stage = 0; stage < LISTENER_CLIENT_GONE; stage++) {
        struct listener_client *other = loop->limits[stage] ? oldest_in(crowd, loop->limits[stage]) : NULL;
        int its = other ? rank(other, now_ms) : CROWD_STAYS;
        if (other && (its < best || (slowest && its == best && other->since_ms <= slowest->since_ms))) {
            best = its;
            slowest = other;
        }
    }
    return slowest;
}

void crowd_weigh(struct listener_client *client, size_t weight)
{
    client->origin->weight += weight - client->weight;
    client->weight = weight;
}

size_t crowd_weight(const struct crowd_origin *origin)
{
    return origin->weight;
}

/* Each queue is sorted by the start of the stage. */
struct listener_client *crowd_heaviest(const struct listener_loop *loop)
{
    static const enum listener_client_stage stages[] = {LISTENER_CLIENT_BODY, LISTENER_CLIENT_REPLY};
    struct listener_client *heaviest = NULL;
    for (size_t i = 0; i < sizeof stages / sizeof *stages; i++) {
        const struct deadline_queue *queue = loop->limits[stages[i]];
        for (struct deadline *at = queue->ring.next; at != &queue->ring; at = at->next) {
            struct listener_client *client = OWNER_OF(at, struct listener_client, deadline);
            if (client->weight > 0 && (!heaviest || client->origin->weight > heaviest->origin->weight))
                heaviest = client;
        }
    }
    return heaviest;
}

int64_t crowd_name(const struct sockaddr *address)
{
    return (int64_t)name_of(address);
}

struct listener_client *crowd_oldest_handshake(const struct listener_loop *loop)
{
    const struct deadline_queue *queue = loop->limits[LISTENER_CLIENT_SECURING];
    struct listener_client *oldest = NULL;
    for (struct deadline *at = queue->ring.next; at != &queue->ring; at = at->next) {
        struct listener_client *client = OWNER_OF(at, struct listener_client, deadline);
        if (!client->origin || connection_waits_for_share(client->connection))
            continue;
        if (client->origin->count * 2 >= loop->crowd.most)
            return client;
        oldest = oldest ? oldest : client;
    }
    return oldest;
}
