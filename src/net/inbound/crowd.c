/*
 * Who is here, by client address: when there are too many, the address with the most connections gives one
 * up, the slowest of its own. So one client, however many connections it opens, keeps nobody else out.
 * An IPv6 client owns at least a /64: that is what counts as one address.
 */
#include "listener_parts.h"
#include "memory.h"
#include "owner.h"
#include <assert.h>
#include <stdlib.h>

enum { SLOW_MS = 1000, LOOKED_AT_MAX = 64, RANK_JUST_COME = 4 };

struct guest {
    uint64_t name;
    int count;
    size_t weight;
    TAILQ_HEAD(, visitor) visitors; /* in the order in which they came to their stages */
    LIST_ENTRY(guest) same_bucket, same_count;
};

/* IPv4, mapped or not, beside IPv6 networks that are nobody's. */
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

void guests_init(struct guests *guests, int visitors_max)
{
    guests->cap = 64;
    while (guests->cap < (size_t)visitors_max)
        guests->cap *= 2;
    guests->count_max = visitors_max + GUESTS_OVER_MAX;
    guests->most = 0;
    guests->buckets = memory_zero(guests->cap, sizeof *guests->buckets);
    guests->by_count = memory_zero((size_t)guests->count_max + 1, sizeof *guests->by_count);
}

void guests_fini(struct guests *guests)
{
    assert(!guests->buckets || guests->most == 0);
    free(guests->buckets);
    free(guests->by_count);
}

static struct guest_list *bucket_of(struct guests *guests, uint64_t name)
{
    return &guests->buckets[(size_t)((name * UINT64_C(0x9E3779B97F4A7C15)) >> 32) & (guests->cap - 1)];
}

static void recount(struct guests *guests, struct guest *guest, int count)
{
    if (guest->count > 0)
        LIST_REMOVE(guest, same_count);
    guest->count = count;
    assert(count >= 0 && count <= guests->count_max);
    if (count > 0)
        LIST_INSERT_HEAD(&guests->by_count[count], guest, same_count);
    if (count > guests->most)
        guests->most = count;
    while (guests->most > 0 && LIST_EMPTY(&guests->by_count[guests->most]))
        guests->most--;
}

void guests_come(struct guests *guests, struct visitor *visitor, const struct sockaddr *address)
{
    uint64_t name = name_of(address);
    struct guest_list *bucket = bucket_of(guests, name);
    struct guest *guest = LIST_FIRST(bucket);
    while (guest && guest->name != name)
        guest = LIST_NEXT(guest, same_bucket);
    if (!guest) {
        guest = memory_zero(1, sizeof *guest);
        guest->name = name;
        TAILQ_INIT(&guest->visitors);
        LIST_INSERT_HEAD(bucket, guest, same_bucket);
    }
    visitor->guest = guest;
    TAILQ_INSERT_TAIL(&guest->visitors, visitor, by_stage);
    recount(guests, guest, guest->count + 1);
}

void guests_move(struct visitor *visitor)
{
    struct guest *guest = visitor->guest;
    visitor->since_ms = uv_now(&visitor->loop->loop);
    if (TAILQ_NEXT(visitor, by_stage)) {
        TAILQ_REMOVE(&guest->visitors, visitor, by_stage);
        TAILQ_INSERT_TAIL(&guest->visitors, visitor, by_stage);
    }
}

void guests_go(struct guests *guests, struct visitor *visitor)
{
    struct guest *guest = visitor->guest;
    guests_weigh(visitor, 0);
    visitor->guest = NULL;
    TAILQ_REMOVE(&guest->visitors, visitor, by_stage);
    recount(guests, guest, guest->count - 1);
    if (guest->count > 0)
        return;
    LIST_REMOVE(guest, same_bucket);
    free(guest);
}

/* Who goes first: who was told to go; who takes long over its hellos; who waits between two requests; who is
 * at it; who has only just come. Nobody whose request is ours. */
static int rank(const struct visitor *visitor, uint64_t now_ms)
{
    bool slow = now_ms - visitor->since_ms >= SLOW_MS;
    switch (visitor->stage) {
    case VISITOR_LINGER:
        return 0;
    case VISITOR_SECURING:
    case VISITOR_HEAD:
        return slow ? 1 : 3;
    case VISITOR_IDLE:
        return visitor->asked ? 2 : slow ? 1 : RANK_JUST_COME;
    case VISITOR_BODY:
    case VISITOR_REPLY:
        return 3;
    default:
        return GUESTS_STAYS;
    }
}

/* Of the address with the most. */
static struct visitor *slowest_of_most(struct guests *guests, uint64_t now_ms)
{
    struct visitor *slowest = NULL, *visitor;
    int best = GUESTS_STAYS, looked_at = 0;
    TAILQ_FOREACH(visitor, &LIST_FIRST(&guests->by_count[guests->most])->visitors, by_stage)
    {
        int its = rank(visitor, now_ms);
        if (its < best) {
            best = its;
            slowest = visitor;
        }
        if (best == 0 || (++looked_at >= LOOKED_AT_MAX && slowest))
            break;
    }
    return slowest;
}

/* The one longest in a stage, of an address that has at least half as many as the first. */
static struct visitor *oldest_in(const struct guests *guests, const struct deadline_queue *queue)
{
    const struct deadline *deadline = queue->ring.next;
    for (int i = 0; i < LOOKED_AT_MAX && deadline != &queue->ring; i++, deadline = deadline->next) {
        struct visitor *visitor = OWNER_OF(deadline, struct visitor, deadline);
        if (visitor->guest && visitor->guest->count * 2 >= guests->most)
            return visitor;
    }
    return NULL;
}

/* Those who have only just come may be the newcomers that this is about, when they come many at once from one
 * address: then others who have about as many are looked at, too, and of equals the one that came first goes.
 */
struct visitor *guests_slowest(struct guests *guests, struct listener_loop *loop)
{
    uint64_t now_ms = uv_now(&loop->loop);
    struct visitor *slowest = slowest_of_most(guests, now_ms);
    int best = slowest ? rank(slowest, now_ms) : GUESTS_STAYS;
    if (best < RANK_JUST_COME)
        return slowest;
    for (int stage = 0; stage < VISITOR_GONE; stage++) {
        struct visitor *other = loop->limits[stage] ? oldest_in(guests, loop->limits[stage]) : NULL;
        int its = other ? rank(other, now_ms) : GUESTS_STAYS;
        if (its < best || (slowest && its == best && other->since_ms <= slowest->since_ms)) {
            best = its;
            slowest = other;
        }
    }
    return slowest;
}

void guests_weigh(struct visitor *visitor, size_t weight)
{
    visitor->guest->weight += weight - visitor->weight;
    visitor->weight = weight;
}

size_t guests_weight(const struct guest *guest)
{
    return guest->weight;
}

/* Each queue is in the order in which they came to the stage. */
struct visitor *guests_heaviest(const struct listener_loop *loop)
{
    static const enum visitor_stage stages[] = {VISITOR_BODY, VISITOR_REPLY};
    struct visitor *heaviest = NULL;
    for (size_t i = 0; i < sizeof stages / sizeof *stages; i++) {
        const struct deadline_queue *queue = loop->limits[stages[i]];
        for (struct deadline *at = queue->ring.next; at != &queue->ring; at = at->next) {
            struct visitor *visitor = OWNER_OF(at, struct visitor, deadline);
            if (visitor->weight > 0 && (!heaviest || visitor->guest->weight > heaviest->guest->weight))
                heaviest = visitor;
        }
    }
    return heaviest;
}

int64_t guests_name(const struct sockaddr *address)
{
    return (int64_t)name_of(address);
}

struct visitor *guests_oldest_handshake(const struct listener_loop *loop)
{
    const struct deadline_queue *queue = loop->limits[VISITOR_SECURING];
    struct visitor *oldest = NULL;
    for (struct deadline *at = queue->ring.next; at != &queue->ring; at = at->next) {
        struct visitor *visitor = OWNER_OF(at, struct visitor, deadline);
        if (!visitor->guest || connection_waits_for_share(visitor->connection))
            continue;
        if (visitor->guest->count * 2 >= loop->guests.most)
            return visitor;
        oldest = oldest ? oldest : visitor;
    }
    return oldest;
}
