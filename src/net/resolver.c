#include "resolver.h"
#include "memory.h"
#include "owner.h"
#include "silence.h"
#include "url.h"
#include <ares.h>
#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    NAMES_MAX = 1024,
    BUCKETS = 256,
    FAMILY_MAX = ADDRESSES_MAX / 2,
    TTL_S_MAX = 3600,
    HALF_ANSWER_TTL_S_MAX = 30, /* when one of the two families could not be asked */
    TRIES = 2,                  /* c-ares', when nothing is answered */
    REFUSALS_MAX = 3            /* servers that say they cannot tell, before we believe it */
};

enum family { FAMILY_V6, FAMILY_V4, FAMILIES };

struct name;

/* One of a name's two look-ups; c-ares holds a pointer to it until it has called back. */
struct lookup {
    struct name *name;
    bool running;
    int refusals;
    enum failure failure; /* NONE: `count` addresses */
    int count, ttl_s;
    union address list[FAMILY_MAX];
};

struct name {
    struct resolver *resolver;
    struct name *bucket_next;
    struct name *older, *newer;
    int64_t expires_ms; /* of the answer; 0: there is none */
    struct lookup lookups[FAMILIES];
    struct resolver_question waiting; /* ring */
    struct deadline second;
    int64_t begun_ms; /* its look-ups were */
    char host[URL_HOST_LEN_MAX + 1];
};

struct watch {
    uv_poll_t poll;
    struct resolver *resolver;
    struct watch *next;
    ares_socket_t fd;
};

struct resolver {
    uv_loop_t *loop;
    ares_channel channel;
    uv_timer_t timer; /* c-ares' own time-outs, while anything is asked */
    struct watch *watches;
    struct deadline_queue *second_limit, *question_limit;
    int name_count, running;
    int inside; /* calls into c-ares that have not returned: it must not be destroyed under them */
    bool closing, looked;
    struct name *oldest, *newest;
    struct name *buckets[BUCKETS];

    struct silence silence;
    int server_count;
    int probes; /* what c-ares has not called back for, of former probes too */
};

/* ---- names ---- */

static int64_t now_ms(const struct resolver *resolver)
{
    return (int64_t)uv_now(resolver->loop);
}

static struct name **bucket_of(struct resolver *resolver, const char *host)
{
    uint32_t hash = 2166136261u;
    for (const char *c = host; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 16777619u;
    return &resolver->buckets[hash % BUCKETS];
}

static bool is_busy(const struct name *name)
{
    return name->lookups[FAMILY_V4].running || name->lookups[FAMILY_V6].running ||
           name->waiting.next != &name->waiting;
}

static void unlink_age(struct resolver *resolver, struct name *name)
{
    *(name->older ? &name->older->newer : &resolver->oldest) = name->newer;
    *(name->newer ? &name->newer->older : &resolver->newest) = name->older;
}

static void link_newest(struct resolver *resolver, struct name *name)
{
    name->older = resolver->newest;
    name->newer = NULL;
    *(resolver->newest ? &resolver->newest->newer : &resolver->oldest) = name;
    resolver->newest = name;
}

static void name_free(struct name *name)
{
    struct resolver *resolver = name->resolver;
    struct name **link = bucket_of(resolver, name->host);

    assert(!is_busy(name));
    while (*link != name)
        link = &(*link)->bucket_next;
    *link = name->bucket_next;
    unlink_age(resolver, name);
    deadline_lift(&name->second);
    resolver->name_count--;
    free(name);
}

/* Names being asked for may exceed the maximum; there are no more of them than attempts under way. */
static void make_room(struct resolver *resolver)
{
    struct name *newer;
    for (struct name *name = resolver->oldest; name && resolver->name_count >= NAMES_MAX; name = newer) {
        newer = name->newer;
        if (!is_busy(name))
            name_free(name);
    }
}

static struct name *name_of(struct resolver *resolver, const char *host)
{
    struct name **bucket = bucket_of(resolver, host), *name;

    for (name = *bucket; name; name = name->bucket_next) {
        if (strcmp(name->host, host) == 0) {
            unlink_age(resolver, name);
            link_newest(resolver, name);
            return name;
        }
    }
    make_room(resolver);
    name = memory_zero(1, sizeof *name);
    name->resolver = resolver;
    questions_init(&name->waiting);
    assert(strlen(host) <= URL_HOST_LEN_MAX);
    memcpy(name->host, host, strlen(host) + 1);
    name->bucket_next = *bucket;
    *bucket = name;
    link_newest(resolver, name);
    resolver->name_count++;
    return name;
}

/* ---- answers ---- */

static enum failure failure_of(int status)
{
    switch (status) {
    case ARES_SUCCESS:
        return FAILURE_NONE;
    case ARES_ENODATA:
        return FAILURE_DNS_EMPTY;
    case ARES_ENOTFOUND:
    case ARES_EBADNAME:
        return FAILURE_DNS_NOT_FOUND;
    case ARES_ETIMEOUT:
    case ARES_ECONNREFUSED:         /* nobody listens where a server should be, or no route leads there */
        return FAILURE_DNS_TIMEOUT; /* until judged */
    case ARES_ENOMEM:
        return FAILURE_LOCAL_OUTAGE;
    default:
        return FAILURE_DNS_FAILURE;
    }
}

/* What to say of a name without any address: what is our own fault first, then what may heal. */
static enum failure failure_of_both(enum failure a, enum failure b)
{
    static const enum failure order[] = {FAILURE_LOCAL_OUTAGE, FAILURE_DNS_TIMEOUT, FAILURE_DNS_FAILURE,
                                         FAILURE_DNS_NOT_FOUND};
    for (size_t i = 0; i < sizeof order / sizeof *order; i++)
        if (a == order[i] || b == order[i])
            return order[i];
    return FAILURE_DNS_EMPTY;
}

static bool has_addresses(const struct name *name)
{
    return name->lookups[FAMILY_V4].count + name->lookups[FAMILY_V6].count > 0;
}

static void collect(const struct name *name, struct addresses *addresses)
{
    addresses->count = 0;
    addresses->expires_ms = name->expires_ms;
    for (int family = 0; family < FAMILIES; family++)
        for (int i = 0; i < name->lookups[family].count; i++)
            addresses->list[addresses->count++] = name->lookups[family].list[i];
}

static void answer_waiting(struct name *name)
{
    struct resolver *resolver = name->resolver; /* the name may be gone before the last one is answered */
    struct addresses addresses;
    struct resolver_question ring;

    collect(name, &addresses);
    enum failure failure = addresses.count > 0 ? FAILURE_NONE
                                               : failure_of_both(name->lookups[FAMILY_V4].failure,
                                                                 name->lookups[FAMILY_V6].failure);
    questions_take(&name->waiting, &ring);
    while (ring.next != &ring) {
        if (failure == FAILURE_DNS_TIMEOUT)
            silence_judge(&resolver->silence, ring.next);
        else
            question_answer(ring.next, failure, &addresses);
    }
}

static void keep_answer(struct name *name)
{
    int ttl_s = has_addresses(name) ? TTL_S_MAX : 0;
    for (int family = 0; family < FAMILIES; family++) {
        const struct lookup *lookup = &name->lookups[family];
        if (lookup->count > 0 && lookup->ttl_s < ttl_s)
            ttl_s = lookup->ttl_s;
        if (lookup->failure != FAILURE_NONE && lookup->failure != FAILURE_DNS_EMPTY &&
            ttl_s > HALF_ANSWER_TTL_S_MAX)
            ttl_s = HALF_ANSWER_TTL_S_MAX;
    }
    name->expires_ms = ttl_s > 0 ? now_ms(name->resolver) + ttl_s * (int64_t)1000 : 0;
}

static void query_done(struct resolver *resolver)
{
    if (--resolver->running == 0)
        uv_timer_stop(&resolver->timer);
}

static void lookup_done(struct lookup *lookup, enum failure failure)
{
    struct name *name = lookup->name;
    struct resolver *resolver = name->resolver;

    lookup->failure = failure;
    lookup->running = false;
    query_done(resolver);
    if (resolver->closing)
        return;
    if (name->lookups[FAMILY_V4].running || name->lookups[FAMILY_V6].running) {
        if (lookup->count > 0)
            deadline_set(&name->second, resolver->second_limit);
        return;
    }
    deadline_lift(&name->second);
    keep_answer(name);
    answer_waiting(name);
}

static void on_second_passed(struct deadline *deadline)
{
    answer_waiting(OWNER_OF(deadline, struct name, second));
}

/* ---- whose silence? ---- */

static void enter(struct resolver *resolver);
static void leave(struct resolver *resolver);

/* What c-ares hands on has come from a server of ours. */
static void hear(struct resolver *resolver, const unsigned char *reply)
{
    if (reply && !resolver->closing)
        silence_heard(&resolver->silence);
}

static void on_probe_answer(void *arg, int status, int timeouts, unsigned char *reply, int len)
{
    struct resolver *resolver = arg;

    query_done(resolver);
    resolver->probes--;
    hear(resolver, reply);
    if (resolver->probes == 0)
        silence_unanswered(&resolver->silence);
}

/* The name servers of the root: no resolver has to look for them, and it says nothing of any receiver. The
 * channel rotates: each server gets one first. */
static void probe(struct silence *silence)
{
    struct resolver *resolver = OWNER_OF(silence, struct resolver, silence);

    resolver->probes += resolver->server_count;
    resolver->running += resolver->server_count;
    enter(resolver);
    for (int i = 0; i < resolver->server_count; i++)
        ares_query(resolver->channel, ".", 1 /* IN */, 2 /* NS */, on_probe_answer, resolver);
    leave(resolver);
}

static void on_question_passed(struct deadline *deadline)
{
    struct resolver_question *question = OWNER_OF(deadline, struct resolver_question, limit);
    silence_judge(&question->resolver->silence, question);
}

void resolver_press(struct resolver_question *question)
{
    if (question->limit.next)
        silence_judge(&question->resolver->silence, question);
}

/* ---- look-ups ---- */

static void look_up(struct lookup *lookup);

/* A server that refuses is no verdict on the name yet: the next one is asked (the channel rotates). c-ares
 * would do so itself, but then reports what cannot be told from having no resolver at all. */
static bool asked_again(struct lookup *lookup, int status)
{
    bool refused = status == ARES_ESERVFAIL || status == ARES_EREFUSED || status == ARES_ENOTIMP;

    lookup->count = 0;
    lookup->ttl_s = TTL_S_MAX;
    if (!refused || lookup->name->resolver->closing || ++lookup->refusals == REFUSALS_MAX)
        return false;
    look_up(lookup);
    return true;
}

static void keep_address(struct lookup *lookup, union address address, int ttl_s)
{
    lookup->list[lookup->count++] = address;
    if (ttl_s < lookup->ttl_s)
        lookup->ttl_s = ttl_s;
}

static void on_answer_v4(void *arg, int status, int timeouts, unsigned char *reply, int len)
{
    struct lookup *lookup = arg;
    struct ares_addrttl found[FAMILY_MAX];
    int count = FAMILY_MAX;

    hear(lookup->name->resolver, reply);
    if (asked_again(lookup, status))
        return;
    if (status == ARES_SUCCESS)
        status = ares_parse_a_reply(reply, len, NULL, found, &count);
    for (int i = 0; status == ARES_SUCCESS && i < count; i++) {
        union address address = {.v4 = {.sin_family = AF_INET, .sin_addr = found[i].ipaddr}};
        keep_address(lookup, address, found[i].ttl);
    }
    lookup_done(lookup, status == ARES_SUCCESS && count == 0 ? FAILURE_DNS_EMPTY : failure_of(status));
}

static void on_answer_v6(void *arg, int status, int timeouts, unsigned char *reply, int len)
{
    struct lookup *lookup = arg;
    struct ares_addr6ttl found[FAMILY_MAX];
    int count = FAMILY_MAX;

    hear(lookup->name->resolver, reply);
    if (asked_again(lookup, status))
        return;
    if (status == ARES_SUCCESS)
        status = ares_parse_aaaa_reply(reply, len, NULL, found, &count);
    for (int i = 0; status == ARES_SUCCESS && i < count; i++) {
        union address address = {.v6 = {.sin6_family = AF_INET6}};
        memcpy(&address.v6.sin6_addr, &found[i].ip6addr, sizeof address.v6.sin6_addr);
        keep_address(lookup, address, found[i].ttl);
    }
    lookup_done(lookup, status == ARES_SUCCESS && count == 0 ? FAILURE_DNS_EMPTY : failure_of(status));
}

static void look_up(struct lookup *lookup)
{
    struct name *name = lookup->name;
    bool v6 = lookup == &name->lookups[FAMILY_V6];
    ares_query(name->resolver->channel, name->host, 1 /* IN */, v6 ? 28 /* AAAA */ : 1 /* A */,
               v6 ? on_answer_v6 : on_answer_v4, lookup);
}

/* ---- c-ares on the loop ---- */

static void arm_timer(struct resolver *resolver);

static void destroy(struct resolver *resolver)
{
    ares_destroy(resolver->channel); /* calls back for what is being asked, and drops its sockets */
    struct name *newer;
    for (struct name *name = resolver->oldest; name; name = newer) {
        newer = name->newer;
        name_free(name);
    }
}

static void enter(struct resolver *resolver)
{
    resolver->inside++;
}

static void leave(struct resolver *resolver)
{
    if (--resolver->inside > 0)
        return;
    if (resolver->closing)
        destroy(resolver);
    else
        arm_timer(resolver);
}

static void process(struct resolver *resolver, ares_socket_t readable, ares_socket_t writable)
{
    enter(resolver);
    ares_process_fd(resolver->channel, readable, writable);
    leave(resolver);
}

static void on_timer(uv_timer_t *timer)
{
    struct resolver *resolver = timer->data;
    if (!resolver->looked) { /* an answer that has come is read before a time-out is judged */
        resolver->looked = true;
        uv_timer_start(timer, on_timer, 1, 0);
        return;
    }
    resolver->looked = false;
    process(resolver, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

static void arm_timer(struct resolver *resolver)
{
    struct timeval tv;
    if (resolver->running == 0 || !ares_timeout(resolver->channel, NULL, &tv))
        return;
    resolver->looked = false;
    uv_timer_start(&resolver->timer, on_timer, (uint64_t)tv.tv_sec * 1000 + (uint64_t)tv.tv_usec / 1000 + 1,
                   0);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct watch *watch = poll->data;
    ares_socket_t fd = watch->fd;

    if (status < 0)
        events = UV_READABLE | UV_WRITABLE;
    process(watch->resolver, events & UV_READABLE ? fd : ARES_SOCKET_BAD,
            events & UV_WRITABLE ? fd : ARES_SOCKET_BAD);
}

static void on_watch_closed(uv_handle_t *handle)
{
    free(handle->data);
}

/* c-ares wants to know when a socket can be read or written; neither: it is about to close it. */
static void on_socket_state(void *ctx, ares_socket_t fd, int readable, int writable)
{
    struct resolver *resolver = ctx;
    struct watch **link = &resolver->watches, *watch;

    while (*link && (*link)->fd != fd)
        link = &(*link)->next;
    watch = *link;
    if (!readable && !writable) {
        if (!watch)
            return;
        *link = watch->next;
        uv_poll_stop(&watch->poll);
        uv_close((uv_handle_t *)&watch->poll, on_watch_closed);
        return;
    }
    if (!watch) {
        watch = memory_zero(1, sizeof *watch);
        if (uv_poll_init_socket(resolver->loop, &watch->poll, fd) != 0) {
            free(watch); /* the look-up will time out */
            return;
        }
        watch->resolver = resolver;
        watch->fd = fd;
        watch->poll.data = watch;
        watch->next = resolver->watches;
        resolver->watches = watch;
    }
    uv_poll_start(&watch->poll, (readable ? UV_READABLE : 0) | (writable ? UV_WRITABLE : 0), on_poll);
}

static int count_servers(ares_channel channel)
{
    struct ares_addr_port_node *servers = NULL;
    int count = 0;

    if (ares_get_servers_ports(channel, &servers) == ARES_SUCCESS)
        for (const struct ares_addr_port_node *server = servers; server; server = server->next)
            count++;
    ares_free_data(servers);
    return count;
}

struct resolver *resolver_open(uv_loop_t *loop, const char *servers, int limit_ms,
                               struct deadlines *deadlines)
{
    struct resolver *resolver = memory_zero(1, sizeof *resolver);
    char lookups[] = "b";
    struct ares_options options = {.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES | ARES_FLAG_NOCHECKRESP,
                                   .timeout = limit_ms * 3 / 10, /* then twice that: 0.9 of the limit */
                                   .tries = TRIES,
                                   .lookups = lookups,
                                   .sock_state_cb = on_socket_state,
                                   .sock_state_cb_data = resolver};
    int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS | ARES_OPT_DOMAINS |
               ARES_OPT_ROTATE | ARES_OPT_SOCK_STATE_CB;

    resolver->loop = loop;
    if (ares_init_options(&resolver->channel, &options, mask) != ARES_SUCCESS) {
        free(resolver);
        return NULL;
    }
    if (servers && ares_set_servers_ports_csv(resolver->channel, servers) != ARES_SUCCESS) {
        ares_destroy(resolver->channel);
        free(resolver);
        return NULL;
    }
    resolver->server_count = count_servers(resolver->channel);
    resolver->second_limit = deadlines_queue(deadlines, RESOLVER_SECOND_MS, on_second_passed);
    resolver->question_limit = deadlines_queue(deadlines, limit_ms, on_question_passed);
    silence_init(&resolver->silence, loop, deadlines, probe);
    uv_timer_init(loop, &resolver->timer);
    resolver->timer.data = resolver;
    return resolver;
}

void resolver_close(struct resolver *resolver)
{
    resolver->closing = true;
    silence_fini(&resolver->silence);
    uv_close((uv_handle_t *)&resolver->timer, NULL);
    if (resolver->inside == 0)
        destroy(resolver);
}

void resolver_free(struct resolver *resolver)
{
    free(resolver);
}

/* ---- questions ---- */

static bool is_localhost(const char *host)
{
    size_t len = strlen(host);
    return strcmp(host, "localhost") == 0 || (len > 10 && strcmp(host + len - 10, ".localhost") == 0);
}

static void answer_localhost(struct resolver_question *question)
{
    struct addresses addresses = {.count = 2};
    addresses.list[0].v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    addresses.list[1].v4 =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    question->answered(question, FAILURE_NONE, &addresses);
}

static void look_up_both(struct name *name)
{
    struct resolver *resolver = name->resolver;

    name->expires_ms = 0;
    name->begun_ms = now_ms(resolver);
    for (int family = 0; family < FAMILIES; family++) {
        name->lookups[family] = (struct lookup){.name = name, .running = true};
        resolver->running++;
    }
    enter(resolver);
    look_up(&name->lookups[FAMILY_V6]);
    look_up(&name->lookups[FAMILY_V4]);
    leave(resolver);
}

void resolver_ask(struct resolver *resolver, const char *host, struct resolver_question *question)
{
    assert(!question->next);
    if (is_localhost(host)) {
        answer_localhost(question);
        return;
    }
    struct name *name = name_of(resolver, host);
    bool running = name->lookups[FAMILY_V4].running || name->lookups[FAMILY_V6].running;
    bool half = running && has_addresses(name) && !name->second.next; /* waited for long enough */
    if (half || (!running && name->expires_ms > now_ms(resolver))) {
        struct addresses addresses;
        collect(name, &addresses);
        question->answered(question, FAILURE_NONE, &addresses);
        return;
    }
    question->resolver = resolver;
    question->begun_ms = running ? name->begun_ms : now_ms(resolver);
    questions_append(&name->waiting, question);
    deadline_set(&question->limit, resolver->question_limit);
    if (!running)
        look_up_both(name);
}
