#include "resolver.h"
#include "dns_line.h"
#include "memory.h"
#include "owner.h"
#include "resolver_outage.h"
#include "url.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    NAMES_MAX = 16384,
    BUCKETS = 8192,
    FAMILY_MAX = ADDRESSES_MAX / 2,
    TTL_S_MAX = 3600,
    HALF_ANSWER_TTL_S_MAX = 30, /* if one of the two families has no answer */
    REFUSALS_MAX = 3,           /* refusals of servers before one counts */
    PLAIN_LEN_MAX = 512,        /* an answer without EDNS */
    LONG_ANSWERS_MAX = 32,      /* simultaneous questions over TCP */
    RENEWAL_MS_MIN = 1000
};

enum family { FAMILY_V6, FAMILY_V4, FAMILIES };

struct resolver_name;

/* One of a name's two look-ups; c-ares has a pointer to it until the callback. */
struct lookup {
    struct resolver_name *name;
    struct dns_line *line;
    bool running;
    bool refused;   /* the servers answer, but refuse to serve us */
    bool truncated; /* `count` addresses came over UDP, and there are more */
    int refusals;
    enum failure failure; /* NONE: `count` addresses */
    int count, ttl_s;
    union address list[FAMILY_MAX];
};

struct resolver_name {
    struct resolver *resolver;
    struct resolver_name *bucket_next;
    struct resolver_name *older, *newer;
    int64_t expires_ms; /* of the answer; 0: there is none */
    struct lookup lookups[FAMILIES];
    struct resolver_question waiting; /* ring */
    struct deadline second;
    int64_t begun_ms; /* the start of its look-ups */
    char host[URL_HOST_LEN_MAX + 1];
};

struct resolver {
    uv_loop_t *loop;
    char *servers; /* NULL: the system's */
    /* All questions use the common line; one with a long answer is repeated on a TCP line of its own. The
     * common line is renewed if c-ares has turned EDNS off on it, which one answer can cause, and if no
     * server answers, because the system's servers may have changed. */
    int limit_ms;
    struct dns_line *lines, *common;
    int long_count;
    int64_t renewed_ms;
    struct deadline_queue *second_limit, *question_limit;
    int name_count;
    int inside; /* calls into c-ares that have not returned: it must not be destroyed meanwhile */
    bool closing;
    struct resolver_name *oldest, *newest;
    struct resolver_name *buckets[BUCKETS];

    struct resolver_outage outage;
    int server_count;
    int probes; /* probes without a callback so far, former ones included */
};

/* ---- names ---- */

static int64_t now_ms(const struct resolver *resolver)
{
    return (int64_t)uv_now(resolver->loop);
}

static struct resolver_name **bucket_of(struct resolver *resolver, const char *host)
{
    uint32_t hash = 2166136261u;
    for (const char *c = host; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 16777619u;
    return &resolver->buckets[hash % BUCKETS];
}

static bool is_busy(const struct resolver_name *name)
{
    return name->lookups[FAMILY_V4].running || name->lookups[FAMILY_V6].running ||
           name->waiting.next != &name->waiting;
}

static void unlink_age(struct resolver *resolver, struct resolver_name *name)
{
    *(name->older ? &name->older->newer : &resolver->oldest) = name->newer;
    *(name->newer ? &name->newer->older : &resolver->newest) = name->older;
}

static void link_newest(struct resolver *resolver, struct resolver_name *name)
{
    name->older = resolver->newest;
    name->newer = NULL;
    *(resolver->newest ? &resolver->newest->newer : &resolver->oldest) = name;
    resolver->newest = name;
}

static void name_free(struct resolver_name *name)
{
    struct resolver *resolver = name->resolver;
    struct resolver_name **link = bucket_of(resolver, name->host);

    assert(!is_busy(name));
    while (*link != name)
        link = &(*link)->bucket_next;
    *link = name->bucket_next;
    unlink_age(resolver, name);
    deadline_lift(&name->second);
    resolver->name_count--;
    free(name);
}

/* Names with a running look-up may exceed the maximum; there are at most as many as attempts under way. */
static void make_room(struct resolver *resolver)
{
    struct resolver_name *newer;
    for (struct resolver_name *name = resolver->oldest; name && resolver->name_count >= NAMES_MAX;
         name = newer) {
        newer = name->newer;
        if (!is_busy(name))
            name_free(name);
    }
}

static struct resolver_name *name_of(struct resolver *resolver, const char *host)
{
    struct resolver_name **bucket = bucket_of(resolver, host), *name;

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
    resolver_questions_init(&name->waiting);
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
        return FAILURE_DNS_TIMEOUT; /* until judged */
    case ARES_ECONNREFUSED:         /* nobody listens at the server's address, or there is no route */
    case ARES_ENOMEM:
        return FAILURE_LOCAL_OUTAGE;
    default:
        return FAILURE_DNS_FAILURE;
    }
}

/* The failure of a name without an address: first our own faults, then failures that may heal. */
static enum failure failure_of_both(enum failure a, enum failure b)
{
    static const enum failure order[] = {FAILURE_LOCAL_OUTAGE, FAILURE_DNS_TIMEOUT, FAILURE_DNS_FAILURE,
                                         FAILURE_DNS_NOT_FOUND};
    for (size_t i = 0; i < sizeof order / sizeof *order; i++)
        if (a == order[i] || b == order[i])
            return order[i];
    return FAILURE_DNS_EMPTY;
}

static bool has_addresses(const struct resolver_name *name)
{
    return name->lookups[FAMILY_V4].count + name->lookups[FAMILY_V6].count > 0;
}

static void collect(const struct resolver_name *name, struct addresses *addresses)
{
    addresses->count = 0;
    addresses->expires_ms = name->expires_ms;
    for (int family = 0; family < FAMILIES; family++)
        for (int i = 0; i < name->lookups[family].count; i++)
            addresses->list[addresses->count++] = name->lookups[family].list[i];
}

static void answer_waiting(struct resolver_name *name)
{
    struct resolver *resolver = name->resolver; /* an answer may free the name */
    struct addresses addresses;
    struct resolver_question ring;

    collect(name, &addresses);
    enum failure failure = addresses.count > 0 ? FAILURE_NONE
                                               : failure_of_both(name->lookups[FAMILY_V4].failure,
                                                                 name->lookups[FAMILY_V6].failure);
    bool refused = failure == FAILURE_DNS_FAILURE &&
                   (name->lookups[FAMILY_V4].refused || name->lookups[FAMILY_V6].refused);
    resolver_questions_take(&name->waiting, &ring);
    while (ring.next != &ring) {
        ring.next->blame = failure;
        if (failure == FAILURE_DNS_TIMEOUT || refused)
            resolver_outage_judge(&resolver->outage, ring.next);
        else
            resolver_question_answer(ring.next, failure, &addresses);
    }
}

static void keep_answer(struct resolver_name *name)
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

static void lookup_done(struct lookup *lookup, enum failure failure)
{
    struct resolver_name *name = lookup->name;
    struct resolver *resolver = name->resolver;

    lookup->failure = failure;
    lookup->running = false;
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
    answer_waiting(OWNER_OF(deadline, struct resolver_name, second));
}

/* ---- whose outage? ---- */

static void enter(void *ctx);
static void leave(void *ctx);
static struct dns_line *line_open(struct resolver *resolver, bool tcp);

/* The servers refuse to serve us, or do not understand the question. */
static bool is_refusal(int status)
{
    return status == ARES_EREFUSED || status == ARES_ENOTIMP || status == ARES_EFORMERR;
}

/* c-ares only hands on answers of our servers. A server that refuses everybody counts as silent. */
static void hear(struct resolver *resolver, int status, const unsigned char *reply)
{
    if (reply && !is_refusal(status) && !resolver->closing)
        resolver_outage_heard(&resolver->outage);
}

static void renew_common(struct resolver *resolver)
{
    struct dns_line *fresh = line_open(resolver, false);
    if (!fresh)
        return;
    resolver->renewed_ms = now_ms(resolver);
    resolver->common->retired = true;
    resolver->common = fresh;
    resolver->server_count = dns_line_servers(fresh);
}

/* c-ares reads resolv.conf only when a line is opened. The servers change if the network comes up late, or if
 * the machine moves to another network. */
static void read_servers_again(struct resolver *resolver)
{
    if (!resolver->servers && !resolver->closing && now_ms(resolver) - resolver->renewed_ms >= RENEWAL_MS_MIN)
        renew_common(resolver);
}

static void on_probe_answer(void *arg, int status, int timeouts, unsigned char *reply, int len)
{
    struct dns_line *line = arg;
    struct resolver *resolver = line->ctx;

    dns_line_answered(line);
    resolver->probes--;
    hear(resolver, status, reply);
    if (resolver->probes == 0)
        resolver_outage_unanswered(&resolver->outage);
}

/* Asks for the name servers of the root: every resolver knows them, and it reveals no receiver. The channel
 * rotates, so each server is asked first once. */
static void probe(struct resolver_outage *outage)
{
    struct resolver *resolver = OWNER_OF(outage, struct resolver, outage);

    read_servers_again(resolver);
    resolver->probes += resolver->server_count;
    resolver->common->running += resolver->server_count;
    enter(resolver);
    for (int i = 0; i < resolver->server_count; i++)
        ares_query(resolver->common->channel, ".", 1 /* IN */, 2 /* NS */, on_probe_answer, resolver->common);
    leave(resolver);
}

static void on_question_passed(struct deadline *deadline)
{
    struct resolver_question *question = OWNER_OF(deadline, struct resolver_question, limit);
    question->blame = FAILURE_DNS_TIMEOUT;
    resolver_outage_judge(&question->resolver->outage, question);
}

void resolver_press(struct resolver_question *question)
{
    question->blame = FAILURE_DNS_TIMEOUT;
    if (question->limit.next)
        resolver_outage_judge(&question->resolver->outage, question);
}

/* ---- look-ups ---- */

static void look_up(struct lookup *lookup, struct dns_line *line);

/* If a server refuses, the next one is asked (the channel rotates). c-ares would do so itself, but its final
 * status is then the same as without any server. */
static bool asked_again(struct lookup *lookup, int status)
{
    lookup->refused = is_refusal(status);
    if (lookup->name->resolver->closing || (!lookup->refused && status != ARES_ESERVFAIL) ||
        ++lookup->refusals == REFUSALS_MAX)
        return false;
    look_up(lookup, lookup->line); /* without EDNS by now, if EDNS was the cause */
    return true;
}

static void renew_line(struct dns_line *line, const unsigned char *reply, int len)
{
    struct resolver *resolver = line->ctx;
    if (resolver->closing || line != resolver->common || !reply || len < 12 || reply[10] || reply[11] ||
        now_ms(resolver) - resolver->renewed_ms < RENEWAL_MS_MIN || dns_line_has_edns(line))
        return;
    renew_common(resolver);
}

/* After a truncated answer, asks again over a TCP line of its own. */
static bool asked_over_tcp(struct lookup *lookup, const unsigned char *reply, int len)
{
    struct resolver *resolver = lookup->name->resolver;
    if (resolver->closing || lookup->line->tcp || !reply || len < 12 || !(reply[2] & 2))
        return false;
    lookup->truncated = true;
    struct dns_line *line = resolver->long_count < LONG_ANSWERS_MAX ? line_open(resolver, true) : NULL;
    if (!line)
        return false;
    look_up(lookup, line);
    return true;
}

/* After one answer has turned EDNS off, c-ares cuts the answers to earlier questions with EDNS. */
static bool asked_for_what_was_cut(struct lookup *lookup, int status, int len)
{
    struct resolver *resolver = lookup->name->resolver;
    if (resolver->closing || status == ARES_SUCCESS || len != PLAIN_LEN_MAX || lookup->line->tcp ||
        ++lookup->refusals == REFUSALS_MAX)
        return false;
    look_up(lookup, resolver->common);
    return true;
}

/* Handles the answer of one family, or its failure. True: the look-up was asked again. */
static bool answer_come(struct lookup *lookup, int status, const unsigned char *reply, int len)
{
    struct dns_line *line = lookup->line;
    dns_line_answered(line);
    hear(lookup->name->resolver, status, reply);
    renew_line(line, reply, len);
    if (!reply && status == ARES_ECONNREFUSED)
        read_servers_again(lookup->name->resolver);
    if (line->tcp) {
        line->retired = true;
        return false;
    }
    lookup->count = 0;
    lookup->ttl_s = TTL_S_MAX;
    return asked_again(lookup, status);
}

/* A truncated answer with some addresses is a success. */
static enum failure failure_of_lookup(const struct lookup *lookup, int status)
{
    if (lookup->count > 0)
        return FAILURE_NONE;
    if (lookup->truncated && status != ARES_SUCCESS && status != ARES_ENOTFOUND)
        return FAILURE_DNS_FAILURE; /* the server answers over UDP, so this is its answer for the name */
    return status == ARES_SUCCESS ? FAILURE_DNS_EMPTY : failure_of(status);
}

static void keep_address(struct lookup *lookup, union address address, int ttl_s)
{
    lookup->list[lookup->count++] = address;
    if (ttl_s < lookup->ttl_s)
        lookup->ttl_s = ttl_s;
}

static bool is_v6(const struct lookup *lookup)
{
    return lookup == &lookup->name->lookups[FAMILY_V6];
}

/* Keeps the reply's addresses instead of those that came over UDP. Returns c-ares' status. */
static int keep_addresses(struct lookup *lookup, const unsigned char *reply, int len)
{
    struct ares_addrttl v4[FAMILY_MAX];
    struct ares_addr6ttl v6[FAMILY_MAX];
    int count = FAMILY_MAX, status = is_v6(lookup) ? ares_parse_aaaa_reply(reply, len, NULL, v6, &count)
                                                   : ares_parse_a_reply(reply, len, NULL, v4, &count);
    if (status != ARES_SUCCESS)
        return status;
    lookup->count = 0;
    for (int i = 0; i < count; i++) {
        union address address = {.v4 = {.sin_family = AF_INET}};
        if (is_v6(lookup)) {
            address.v6 = (struct sockaddr_in6){.sin6_family = AF_INET6};
            memcpy(&address.v6.sin6_addr, &v6[i].ip6addr, sizeof address.v6.sin6_addr);
        } else {
            address.v4.sin_addr = v4[i].ipaddr;
        }
        keep_address(lookup, address, is_v6(lookup) ? v6[i].ttl : v4[i].ttl);
    }
    return status;
}

static void on_answer(void *arg, int status, int timeouts, unsigned char *reply, int len)
{
    struct lookup *lookup = arg;

    if (answer_come(lookup, status, reply, len))
        return;
    if (status == ARES_SUCCESS)
        status = keep_addresses(lookup, reply, len);
    if (!asked_over_tcp(lookup, reply, len) && !asked_for_what_was_cut(lookup, status, len))
        lookup_done(lookup, failure_of_lookup(lookup, status));
}

static void look_up(struct lookup *lookup, struct dns_line *line)
{
    lookup->line = line;
    line->running++;
    ares_query(line->channel, lookup->name->host, 1 /* IN */, is_v6(lookup) ? 28 /* AAAA */ : 1 /* A */,
               on_answer, lookup);
}

/* ---- c-ares on the loop ---- */

static void line_close(struct resolver *resolver, struct dns_line *line)
{
    struct dns_line **link = &resolver->lines;
    while (*link != line)
        link = &(*link)->next;
    *link = line->next;
    resolver->long_count -= line->tcp;
    dns_line_close(line);
}

static void destroy(struct resolver *resolver)
{
    while (resolver->lines)
        line_close(resolver, resolver->lines);
    struct resolver_name *newer;
    for (struct resolver_name *name = resolver->oldest; name; name = newer) {
        newer = name->newer;
        name_free(name);
    }
}

/* Closes the unused lines and arms the others. */
static void tend_lines(struct resolver *resolver)
{
    struct dns_line *next;
    for (struct dns_line *line = resolver->lines; line; line = next) {
        next = line->next;
        if (line->retired && line->running == 0)
            line_close(resolver, line);
        else
            dns_line_arm(line);
    }
}

static void enter(void *ctx)
{
    struct resolver *resolver = ctx;
    resolver->inside++;
}

static void leave(void *ctx)
{
    struct resolver *resolver = ctx;

    if (--resolver->inside > 0)
        return;
    if (resolver->closing)
        destroy(resolver);
    else
        tend_lines(resolver);
}

static struct dns_line *line_open(struct resolver *resolver, bool tcp)
{
    struct dns_line *line = dns_line_open(resolver->loop, resolver->servers, resolver->limit_ms, tcp);
    if (!line)
        return NULL;
    line->enter = enter;
    line->leave = leave;
    line->ctx = resolver;
    line->next = resolver->lines;
    resolver->lines = line;
    resolver->long_count += tcp;
    return line;
}

struct resolver *resolver_open(uv_loop_t *loop, const char *servers, int limit_ms,
                               struct deadlines *deadlines)
{
    struct resolver *resolver = memory_zero(1, sizeof *resolver);

    resolver->loop = loop;
    resolver->limit_ms = limit_ms;
    if (servers)
        resolver->servers = strdup(servers);
    if (servers && !resolver->servers)
        memory_exhausted();
    resolver->common = line_open(resolver, false);
    if (!resolver->common) {
        resolver_free(resolver);
        return NULL;
    }
    resolver->server_count = dns_line_servers(resolver->common);
    resolver->second_limit = deadlines_queue(deadlines, RESOLVER_SECOND_MS, on_second_passed);
    resolver->question_limit = deadlines_queue(deadlines, limit_ms, on_question_passed);
    resolver_outage_init(&resolver->outage, loop, deadlines, probe);
    return resolver;
}

void resolver_close(struct resolver *resolver)
{
    resolver->closing = true;
    resolver_outage_fini(&resolver->outage);
    if (resolver->inside == 0)
        destroy(resolver);
}

void resolver_free(struct resolver *resolver)
{
    free(resolver->servers);
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

static void look_up_both(struct resolver_name *name)
{
    struct resolver *resolver = name->resolver;

    name->expires_ms = 0;
    name->begun_ms = now_ms(resolver);
    for (int family = 0; family < FAMILIES; family++) {
        name->lookups[family] = (struct lookup){.name = name, .running = true};
    }
    enter(resolver);
    look_up(&name->lookups[FAMILY_V6], resolver->common);
    look_up(&name->lookups[FAMILY_V4], resolver->common);
    leave(resolver);
}

void resolver_ask(struct resolver *resolver, const char *host, struct resolver_question *question)
{
    assert(!question->next);
    if (is_localhost(host)) {
        answer_localhost(question);
        return;
    }
    struct resolver_name *name = name_of(resolver, host);
    bool running = name->lookups[FAMILY_V4].running || name->lookups[FAMILY_V6].running;
    bool half = running && has_addresses(name) && !name->second.next; /* the second family had its moment */
    if (half || (!running && name->expires_ms > now_ms(resolver))) {
        struct addresses addresses;
        collect(name, &addresses);
        question->answered(question, FAILURE_NONE, &addresses);
        return;
    }
    question->resolver = resolver;
    question->begun_ms = running ? name->begun_ms : now_ms(resolver);
    resolver_questions_append(&name->waiting, question);
    deadline_set(&question->limit, resolver->question_limit);
    if (!running)
        look_up_both(name);
}
