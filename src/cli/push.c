#include "push.h"
#include "body.h"
#include "clock.h"
#include "command.h"
#include "digest.h"
#include "ids.h"
#include "json.h"
#include "memory.h"
#include "sender.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { BODY_LEN_MAX = 1 << 20, MEMORY_LEN_MAX = 8 * BODY_LEN_MAX };

struct push {
    struct url url;
    char digest[DIGEST_HEX_LEN + 1]; /* empty: no key */
    struct clock clock;
    struct ids ids;
    struct log *log;
    uv_loop_t loop;
    struct sender *sender;
};

/* The guard protects a server from its users' URLs; whoever types --to means that address. */
static bool allow_every(void *ctx, const struct sockaddr *address)
{
    return true;
}

static void set_address(struct url *url, const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        url->host_kind = URL_HOST_IPV4;
        url->address.ipv4 = ((const struct sockaddr_in *)address)->sin_addr;
    } else {
        url->host_kind = URL_HOST_IPV6;
        url->address.ipv6 = ((const struct sockaddr_in6 *)address)->sin6_addr;
    }
}

/* The sender asks DNS only. A person also expects the names of /etc/hosts, localhost first of all, which
 * means IPv4 to most receivers. With https the name has to stay: the certificate is for it. */
static void resolve_locally(struct url *url)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;

    hints.ai_family = strcmp(url->host, "localhost") == 0 ? AF_INET : AF_UNSPEC;
    if (url->https || url->host_kind != URL_HOST_NAME || getaddrinfo(url->host, NULL, &hints, &found) != 0)
        return;
    set_address(url, found->ai_addr);
    freeaddrinfo(found);
}

int push_open(const struct usage *usage, const char *url, const char *key, struct push **out)
{
    struct push *push = memory_zero(1, sizeof *push);
    enum url_error error = url_parse(bytes_of(url), &push->url);
    uint16_t node;

    *out = NULL;
    if (error != URL_OK) {
        free(push);
        return options_wrong(usage, "--to '%.200s': %s", url, url_error_sentence(error));
    }
    resolve_locally(&push->url);
    if (key)
        digest_sha256_hex(bytes_of(key), push->digest);
    push->clock = clock_system();
    digest_random(&node, sizeof node); /* two commands at once must not use the same ids */
    push->ids.node = node % 1024;
    push->log = log_open(STDERR_FILENO, LOG_LEVEL_ERROR, false, push->clock);
    uv_loop_init(&push->loop);
    push->sender = sender_open(&(struct sender_config){.loop = &push->loop,
                                                       .clock = push->clock,
                                                       .limits = sender_limits_default(),
                                                       .attempts_max = 1,
                                                       .idle_connections_max = 1,
                                                       .user_agent = "posthorn/" POSTHORN_VERSION,
                                                       .allow = allow_every,
                                                       .log = push->log});
    if (!push->sender) {
        fprintf(stderr, "posthorn %s: the HTTP engine could not be started\n", usage->command);
        push_close(push);
        return EXIT_FAILED;
    }
    *out = push;
    return EXIT_DONE;
}

void push_close(struct push *push)
{
    if (push->sender) {
        sender_close(push->sender);
        uv_run(&push->loop, UV_RUN_DEFAULT);
        sender_free(push->sender);
    }
    uv_loop_close(&push->loop);
    log_close(push->log);
    free(push);
}

/* ---- the document -------------------------------------------------------------------------------------- */

/* Relationships other than the resource, as the API takes them from a POST. */
static struct bytes further_relationships(struct arena *arena, struct json_object *relationships)
{
    struct text out;

    text_init(&out, arena, BODY_LEN_MAX);
    json_object_object_foreach(relationships, name, value)
    {
        if (strcmp(name, "resource") == 0)
            continue;
        if (out.len > 0)
            text_putc(&out, ',');
        text_put_json(&out, bytes_of(name));
        text_putc(&out, ':');
        json_put(&out, value);
    }
    return text_bytes(&out);
}

static struct bytes elements(struct arena *arena, struct json_object *included)
{
    struct text out;

    text_init(&out, arena, BODY_LEN_MAX);
    for (size_t i = 0; included && i < json_object_array_length(included); i++) {
        if (i > 0)
            text_putc(&out, ',');
        json_put(&out, json_object_array_get_idx(included, i));
    }
    return text_bytes(&out);
}

static void render(struct push *push, struct arena *arena, struct json_object *example, struct text *document,
                   struct push_outcome *outcome)
{
    struct json_object *data = json_get_object(example, "data");
    struct json_object *relationships = json_get_object(data, "relationships");
    struct json_object *resource = json_get_object(json_get_object(relationships, "resource"), "data");
    int64_t now_ms = clock_wall_ms(&push->clock);
    struct body_parts parts = {.id = ids_next(&push->ids, now_ms), .created_at_ms = now_ms};
    uint32_t stamp_offset;

    json_get_text(json_get_object(data, "attributes"), "event_type", &parts.event_type);
    json_get_text(resource, "type", &parts.resource_type);
    json_get_text(resource, "id", &parts.resource_id);
    parts.relationships = further_relationships(arena, relationships);
    parts.included = elements(arena, json_get_array(example, "included"));
    text_init(document, arena, BODY_LEN_MAX);
    body_render(document, &parts, &stamp_offset);
    body_stamp(document->data, document->len, stamp_offset, clock_wall_ms(&push->clock));
    snprintf(outcome->id, sizeof outcome->id, "%lld", (long long)parts.id);
}

/* ---- sending ------------------------------------------------------------------------------------------- */

struct waiting {
    struct push_outcome *outcome;
    bool done;
};

static void on_done(void *ctx, uint32_t tag, const struct sender_result *result)
{
    struct waiting *waiting = ctx;

    waiting->outcome->failure = result->failure;
    waiting->outcome->status = result->status;
    waiting->outcome->duration_ms = result->duration_ms;
    waiting->done = true;
}

void push_send(struct push *push, struct json_object *example, struct push_outcome *outcome)
{
    struct sender_request request = {.pool_key = 1, .url = push->url};
    struct waiting waiting = {.outcome = outcome};
    struct arena arena;
    struct text document;

    *outcome = (struct push_outcome){0};
    arena_init(&arena, MEMORY_LEN_MAX);
    render(push, &arena, example, &document, outcome);
    request.body = text_bytes(&document);
    request.headers[request.header_count++] =
        (struct sender_header){bytes_of("Content-Type"), bytes_of("application/json")};
    if (push->digest[0])
        request.headers[request.header_count++] =
            (struct sender_header){bytes_of("WEBHOOK-AUTH"), bytes_of(push->digest)};
    sender_start(push->sender, &request, 0, on_done, &waiting);
    while (!waiting.done)
        uv_run(&push->loop, UV_RUN_ONCE);
    arena_fini(&arena);
}
