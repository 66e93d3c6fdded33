#include "push.h"
#include "body.h"
#include "clock.h"
#include "command.h"
#include "digest.h"
#include "ed25519.h"
#include "ids.h"
#include "instant.h"
#include "json_c.h"
#include "memory.h"
#include "push_signer.h"
#include "secret_flaw.h"
#include "sender.h"
#include "signatures_option.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { BODY_LEN_MAX = 1 << 20 };

struct push {
    struct url url;
    char digest[DIGEST_HEX_LEN + 1]; /* empty: no key */
    void *signers[OPTION_LIST_MAX];  /* struct posthorn_signer */
    int signer_count, signatures;
    struct bytes secrets[PUSH_SECRETS_MAX]; /* whsec_ */
    int secret_count;
    struct message_key keys[MESSAGE_KEYS_MAX]; /* whsk_ */
    char key_ids[MESSAGE_KEYS_MAX][16];
    int key_count;
    struct clock clock;
    struct ids ids;
    struct log *log;
    uv_loop_t loop;
    bool loop_open;
    struct sender *sender;
};

/* The guard protects a server from its users' URLs; the address of --to is typed on purpose. */
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

/* The sender asks only DNS. People also expect the names of /etc/hosts, above all localhost, which means IPv4
 * to most receivers. With https the name must stay, because the certificate has it. */
static void resolve_locally(struct url *url)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;

    hints.ai_family = strcmp(url->host, "localhost") == 0 ? AF_INET : AF_UNSPEC;
    if (url->https || url->host_kind != URL_HOST_NAME || getaddrinfo(url->host, NULL, &hints, &found) != 0)
        return;
    set_address(url, found->ai_addr);
    freeaddrinfo(found);
}

static void keep_secret(struct push *push, struct bytes secret)
{
    if (!bytes_starts(secret, "whsk_")) {
        if (push->secret_count < PUSH_SECRETS_MAX)
            push->secrets[push->secret_count++] = secret;
    } else if (push->key_count < MESSAGE_KEYS_MAX) {
        /* The first has the id of an endpoint's first key pair. */
        char *id = push->key_ids[push->key_count];
        snprintf(id, sizeof *push->key_ids, push->key_count ? "key-%d" : "default-v1a", push->key_count + 1);
        push->keys[push->key_count++] = (struct message_key){bytes_of(id), secret};
    }
}

/* -1, or the index of one that cannot sign. */
static int open_signers(struct push *push, const struct option_list *secrets)
{
    bool hmac = !push->signatures || push->signatures & PUSH_STANDARD;
    for (int i = 0; i < secrets->count; i++) {
        struct posthorn_text secret = {secrets->items[i], strlen(secrets->items[i])};
        struct posthorn_signer *signer;
        if (posthorn_signer_open(secret, &signer) != POSTHORN_OK)
            return i;
        keep_secret(push, bytes_of(secrets->items[i]));
        if (hmac || bytes_starts(bytes_of(secrets->items[i]), "whsk_"))
            push->signers[push->signer_count++] = signer;
        else
            posthorn_signer_close(signer);
    }
    return -1;
}

int push_open(const struct invocation *invocation, const char *url, const char *key,
              const struct option_list *secrets, int signatures, const char *ca_file, struct push **out)
{
    struct push *push = memory_zero(1, sizeof *push);
    enum url_error error = url_parse(bytes_of(url), &push->url);
    uint16_t node;

    *out = NULL;
    if (error != URL_OK) {
        free(push);
        return command_wrong(invocation, "--to '%.200s': %s", url, url_error_sentence(error));
    }
    resolve_locally(&push->url);
    if (key)
        digest_sha256_hex(bytes_of(key), push->digest);
    push->signatures = signatures;
    if (signatures_option_check_keys(invocation, signatures, key, secrets) != EXIT_DONE) {
        push_close(push);
        return EXIT_USAGE;
    }
    int flawed = open_signers(push, secrets);
    if (flawed >= 0) {
        push_close(push);
        return secret_flaw_say(invocation, secrets->items[flawed], true);
    }
    push->clock = clock_system();
    digest_random(&node, sizeof node); /* two simultaneous commands must not use the same ids */
    push->ids.node = (int)(node & IDS_NODE_MAX);
    push->log = log_open(STDERR_FILENO, LOG_LEVEL_ERROR, false, push->clock);
    uv_loop_init(&push->loop);
    push->loop_open = true;
    push->sender = sender_open(&(struct sender_config){.loop = &push->loop,
                                                       .clock = push->clock,
                                                       .limits = sender_limits_default(),
                                                       .attempts_max = 1,
                                                       .idle_connections_max = 1,
                                                       .user_agent = "posthorn/" POSTHORN_VERSION,
                                                       .ca_file = ca_file,
                                                       .allow = allow_every,
                                                       .log = push->log});
    if (!push->sender) {
        push_close(push);
        return command_failed(invocation, "the HTTP engine could not be started");
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
    if (push->loop_open)
        uv_loop_close(&push->loop);
    if (push->log)
        log_close(push->log);
    for (int i = 0; i < push->signer_count; i++)
        posthorn_signer_close(push->signers[i]);
    free(push);
}

/* ---- the document -------------------------------------------------------------------------------------- */

/* The relationships but the resource, which the API takes from a POST and pushes. */
static struct bytes further_relationships(struct arena *arena, struct json_object *relationships)
{
    struct text out;

    text_init(&out, arena, BODY_LEN_MAX);
    json_object_object_foreach(relationships, name, value)
    {
        if (strcmp(name, "resource") == 0 || strcmp(name, "user") == 0) /* `user` names the owner */
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

bool push_render(struct push *push, struct arena *arena, struct json_object *document,
                 struct push_event *event)
{
    struct json_object *data = json_get_object(document, "data");
    struct json_object *attributes = json_get_object(data, "attributes");
    struct json_object *relationships = json_get_object(data, "relationships");
    struct json_object *resource = json_get_object(json_get_object(relationships, "resource"), "data");
    int64_t now_ms = clock_wall_ms(&push->clock);
    struct body_parts parts = {.created_at_ms = now_ms};
    struct bytes given;
    struct text body;
    uint32_t stamp_offset;

    if (!json_get_text(data, "id", &given) || !bytes_to_int64(given, &parts.id))
        parts.id = ids_next(&push->ids, now_ms);
    if (json_get_text(attributes, "created_at", &given))
        instant_parse(given, &parts.created_at_ms);
    json_get_text(attributes, "event_type", &parts.event_type);
    json_get_text(resource, "type", &parts.resource_type);
    json_get_text(resource, "id", &parts.resource_id);
    parts.relationships = further_relationships(arena, relationships);
    parts.included = elements(arena, json_get_array(document, "included"));
    text_init(&body, arena, BODY_LEN_MAX);
    body_render(&body, &parts, &stamp_offset);
    if (body.overflow)
        return false;
    body_stamp(body.data, body.len, stamp_offset, now_ms);
    event->number = parts.id;
    snprintf(event->id, sizeof event->id, "%lld", (long long)parts.id);
    event->body = text_bytes(&body);
    return true;
}

void push_make_headers(struct push *push, const struct push_event *event, struct push_headers *headers)
{
    push_headers_make(headers, &(struct push_parts){.event_id = event->number,
                                                    .at_ms = clock_wall_ms(&push->clock),
                                                    .document = event->body,
                                                    .digest = bytes_of(push->digest),
                                                    .sign = push_signer_sign,
                                                    .signers = push->signers,
                                                    .signer_count = push->signer_count,
                                                    .signatures = push->signatures,
                                                    .mac = digest_hmac,
                                                    .secrets = push->secrets,
                                                    .secret_count = push->secret_count,
                                                    .url = &push->url,
                                                    .hash = digest_sha256,
                                                    .sign_message = ed25519_sign,
                                                    .keys = push->keys,
                                                    .key_count = push->key_count});
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
    snprintf(waiting->outcome->detail, PUSH_DETAIL_LEN, "%.*s", BYTES_ARG(result->detail));
    waiting->outcome->answer_len =
        result->response.len < PUSH_ANSWER_LEN ? result->response.len : PUSH_ANSWER_LEN;
    if (waiting->outcome->answer_len > 0)
        memcpy(waiting->outcome->answer, result->response.data, waiting->outcome->answer_len);
    waiting->done = true;
}

void push_send(struct push *push, const struct push_event *event, struct push_outcome *outcome)
{
    struct push_headers headers;
    struct waiting waiting = {.outcome = outcome};

    *outcome = (struct push_outcome){0};
    push_make_headers(push, event, &headers);
    sender_start(push->sender,
                 &(struct sender_request){.pool_key = 1,
                                          .url = &push->url,
                                          .headers = headers.list,
                                          .header_count = headers.count,
                                          .body = event->body},
                 0, on_done, &waiting);
    while (!waiting.done)
        uv_run(&push->loop, UV_RUN_ONCE);
}
