/* posthorn mtls: the TLS identity for an endpoint. */
#include "client.h"
#include "commands.h"
#include "input.h"
#include "json_c.h"
#include "show.h"

enum { FILE_LEN_MAX = 128 * 1024, BODY_LEN_MAX = 1 << 20, MEMORY_LEN_MAX = 4 << 20 };

struct mtls {
    struct api_session api;
    const char *cert, *private_key, *ca, *server_name, *user, *endpoint;
};

static const char *path_of(const struct mtls *mtls)
{
    if (mtls->endpoint)
        return client_path(mtls->api.client, "/api/endpoints/%s/tls", mtls->endpoint);
    return client_path(mtls->api.client, "/api/users/%s/tls", mtls->user ? mtls->user : "me");
}

/* `name` NULL: does nothing. False: stderr has the reason. */
static bool put_file(const struct invocation *invocation, struct text *body, const char *attribute,
                     const char *name)
{
    if (!name)
        return true;
    struct bytes pem = input_read(invocation, body->arena, name, FILE_LEN_MAX);
    if (!pem.data)
        return false;
    if (!bytes_are_utf8(pem)) {
        command_failed(invocation, "%s is not PEM (openssl can convert it)", name);
        return false;
    }
    text_printf(body, ",\"%s\":", attribute);
    text_put_json(body, pem);
    return true;
}

static bool put_body(const struct invocation *invocation, struct text *body, const struct mtls *mtls)
{
    text_puts(body, "{\"data\":{\"type\":\"tls_identities\",\"attributes\":{\"server_name\":");
    if (mtls->server_name && bytes_are_utf8(bytes_of(mtls->server_name)))
        text_put_json(body, bytes_of(mtls->server_name));
    else
        text_puts(body, "null");
    bool read = put_file(invocation, body, "certificate", mtls->cert) &&
                put_file(invocation, body, "private_key", mtls->private_key) &&
                put_file(invocation, body, "ca", mtls->ca);
    text_puts(body, "}}}");
    return read && !body->overflow;
}

static int count_certificates(struct bytes pem)
{
    static const char begin[] = "-----BEGIN CERTIFICATE-----";
    int count = 0;
    for (const char *at = pem.data; (at = strstr(at, begin)); at += sizeof begin - 1)
        count++;
    return count;
}

static void print(const struct invocation *invocation, struct json_object *document)
{
    static const struct {
        const char *title, *attribute;
    } rows[] = {{"subject", "subject"},       {"issuer", "issuer"},       {"fingerprint", "fingerprint"},
                {"not before", "not_before"}, {"not after", "not_after"}, {"server name", "server_name"}};
    struct json_object *attributes = json_at(document, "data.attributes");
    struct json_object *warnings = json_at(document, "meta.warnings");
    struct line line;

    for (size_t i = 0; i < json_length(warnings); i++) {
        text_printf(line_begin(&line), "posthorn mtls: warning: ");
        text_put_escaped(&line.text, json_string(json_object_array_get_idx(warnings, i), "detail"));
        line_print(&line, stderr);
    }
    if (invocation->json) {
        show_json(document);
        return;
    }
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct bytes value = json_string(attributes, rows[i].attribute);
        text_printf(line_begin(&line), "%-12s ", rows[i].title);
        text_put_printable(&line.text, value.len ? value : bytes_of("-"));
        line_print(&line, stdout);
    }
    int authorities = count_certificates(json_string(attributes, "ca"));
    if (authorities)
        printf("authorities  %d of its own\n", authorities);
    else
        puts("authorities  the server's");
}

static int set(const struct invocation *invocation, void *options)
{
    struct mtls *mtls = options;
    struct client_answer answer;
    struct arena arena;
    struct text body;
    if (!mtls->cert && !mtls->private_key && !mtls->ca && !mtls->server_name)
        return command_wrong(invocation,
                             "give --cert with --private-key, --ca, --server-name, or several of them");
    if (!mtls->cert != !mtls->private_key)
        return command_wrong(invocation, "--cert and --private-key go together; %s is missing",
                             mtls->cert ? "--private-key" : "--cert");
    arena_init(&arena, MEMORY_LEN_MAX);
    text_init(&body, &arena, BODY_LEN_MAX);
    bool done = put_body(invocation, &body, mtls) &&
                client_call(mtls->api.client, "PUT", path_of(mtls), body.data, &answer) &&
                client_check(mtls->api.client, answer.status == 201 ? 201 : 200, &answer);
    if (done)
        print(invocation, answer.json);
    arena_fini(&arena);
    return done ? EXIT_DONE : EXIT_FAILED;
}

static int show(const struct invocation *invocation, void *options)
{
    struct mtls *mtls = options;
    struct client_answer answer;
    if (!client_expect(mtls->api.client, 200, "GET", path_of(mtls), NULL, &answer))
        return EXIT_FAILED;
    print(invocation, answer.json);
    return EXIT_DONE;
}

static int remove_identity(const struct invocation *invocation, void *options)
{
    struct mtls *mtls = options;
    return client_delete(mtls->api.client, path_of(mtls));
}

static int run(const struct invocation *invocation, void *options)
{
    const struct mtls *mtls = options;
    if (mtls->user && mtls->endpoint)
        return command_wrong(invocation, "give --endpoint or --user: an endpoint says whose it is");
    return api_run(invocation, options);
}

#define AT(field) offsetof(struct mtls, field)
static const struct option_row rows[] = {
    {"cert", OPTION_TEXT, AT(cert), "", "FILE",
     "client certificate, followed by its intermediate certificates", .verbs = "set"},
    {"private-key", OPTION_TEXT, AT(private_key), "", "FILE", "private key of the certificate, not encrypted",
     .verbs = "set"},
    {"ca", OPTION_TEXT, AT(ca), "", "FILE", "authorities to trust for the receiver", .verbs = "set"},
    {"server-name", OPTION_TEXT, AT(server_name), "", "NAME", "name expected in the receiver's certificate",
     .verbs = "set"},
    {"user", OPTION_TEXT, AT(user), "", "ID", "for a Master: the user; otherwise yourself"},
    {"endpoint", OPTION_TEXT, AT(endpoint), "", "ID", "the endpoint; otherwise the default endpoint"},
};

const struct command mtls_command = {
    .name = "mtls",
    .summary = "set, show or remove the TLS identity for your webhook URL",
    .details =
        "Mutual TLS (2 way SSL) for an endpoint. `set` replaces the whole TLS identity: the client "
        "certificate\n"
        "with its private key, the authorities to trust for the receiver instead of the public ones, and "
        "the\n"
        "name expected in the receiver's certificate instead of the URL's host. Each part is optional. The\n"
        "private key is stored encrypted and cannot be read again. Files are PEM; - is standard input.",
    .verbs = {{"set", "", set}, {"show", "", show}, {"remove", "", remove_identity}},
    .rows = OPTION_TABLE(rows),
    .options_len = sizeof(struct mtls),
    .run = run,
    .shared = &client_rows,
    .json = JSON_OPTION("print the server's JSON document"),
};
