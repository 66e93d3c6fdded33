/* posthorn mtls: the TLS identity with which an endpoint is reached. */
#include "client.h"
#include "command.h"
#include "json.h"
#include "show.h"
#include "text.h"

#include <errno.h>
#include <stdio.h>

enum { PATH_LEN_MAX = 4096, FILE_LEN_MAX = 128 * 1024, BODY_LEN_MAX = 1 << 20, MEMORY_LEN_MAX = 4 << 20 };

static const char details[] =
    "Mutual TLS (2 way SSL) for a webhook_url. `set` replaces the whole TLS identity: the client "
    "certificate\n"
    "with its private key, the authorities to trust for the receiver instead of the public ones, and the "
    "name\n"
    "expected in the receiver's certificate instead of the URL's host. Each part is optional. The private "
    "key\n"
    "is stored encrypted and cannot be read again. Files are PEM; - is standard input.";

struct mtls {
    const char *cert, *private_key, *ca, *server_name, *user;
    bool json;
    const struct usage *usage;
    struct client *client;
    char path[PATH_LEN_MAX];
    struct arena arena;
};

/* ---- set ---- */

/* False: stderr says why. `name` NULL puts nothing. */
static bool put_file(struct mtls *mtls, struct text *body, const char *attribute, const char *name)
{
    if (!name)
        return true;
    FILE *file = strcmp(name, "-") == 0 ? stdin : fopen(name, "re");
    char *data = file ? arena_alloc(&mtls->arena, FILE_LEN_MAX + 1) : NULL;
    size_t len = data ? fread(data, 1, FILE_LEN_MAX + 1, file) : 0;
    bool failed = !file || ferror(file);
    if (failed)
        fprintf(stderr, "posthorn mtls: %s cannot be read: %s\n", name, strerror(errno));
    if (file && file != stdin)
        fclose(file);
    if (failed)
        return false;
    if (!data || len > FILE_LEN_MAX || !bytes_are_utf8(bytes_make(data, len))) {
        fprintf(stderr, "posthorn mtls: %s is not PEM (openssl can convert it)\n", name);
        return false;
    }
    text_printf(body, ",\"%s\":", attribute);
    text_put_json(body, bytes_make(data, len));
    return true;
}

static bool make_body(struct mtls *mtls, struct text *body)
{
    text_init(body, &mtls->arena, BODY_LEN_MAX);
    text_puts(body, "{\"data\":{\"type\":\"tls_identities\",\"attributes\":{\"server_name\":");
    if (mtls->server_name && bytes_are_utf8(bytes_of(mtls->server_name)))
        text_put_json(body, bytes_of(mtls->server_name));
    else
        text_puts(body, "null");
    bool read = put_file(mtls, body, "certificate", mtls->cert) &&
                put_file(mtls, body, "private_key", mtls->private_key) &&
                put_file(mtls, body, "ca", mtls->ca);
    text_puts(body, "}}}");
    return read && !body->overflow;
}

/* ---- show ---- */

static void print_line(struct mtls *mtls, const char *title, struct json_object *attributes, const char *name)
{
    struct bytes value;
    struct text line;
    text_init(&line, &mtls->arena, BODY_LEN_MAX);
    if (json_get_text(attributes, name, &value))
        text_put_printable(&line, value);
    printf("%-12s %s\n", title, line.len ? line.data : "-");
}

static int count_certificates(struct json_object *attributes, const char *name)
{
    static const char begin[] = "-----BEGIN CERTIFICATE-----";
    struct bytes pem;
    int count = 0;
    if (!json_get_text(attributes, name, &pem))
        return 0;
    for (const char *at = pem.data; (at = strstr(at, begin)); at += sizeof begin - 1)
        count++;
    return count;
}

static void print_warnings(struct mtls *mtls, struct json_object *document)
{
    struct json_object *warnings = json_get_array(json_get_object(document, "meta"), "warnings");
    for (size_t i = 0; warnings && i < json_object_array_length(warnings); i++) {
        struct bytes detail;
        struct text line;
        text_init(&line, &mtls->arena, BODY_LEN_MAX);
        if (json_get_text(json_object_array_get_idx(warnings, i), "detail", &detail))
            text_put_escaped(&line, detail);
        fprintf(stderr, "posthorn mtls: warning: %s\n", line.len ? line.data : "");
    }
}

static void print(struct mtls *mtls, struct json_object *document)
{
    struct json_object *attributes = json_get_object(json_get_object(document, "data"), "attributes");
    int authorities = count_certificates(attributes, "ca");
    print_warnings(mtls, document);
    if (mtls->json) {
        show_json(document);
        return;
    }
    print_line(mtls, "subject", attributes, "subject");
    print_line(mtls, "issuer", attributes, "issuer");
    print_line(mtls, "fingerprint", attributes, "fingerprint");
    print_line(mtls, "not before", attributes, "not_before");
    print_line(mtls, "not after", attributes, "not_after");
    print_line(mtls, "server name", attributes, "server_name");
    printf("%-12s ", "authorities");
    if (authorities)
        printf("%d of its own\n", authorities);
    else
        puts("the server's");
}

/* ---- the command ---- */

static bool set(struct mtls *mtls)
{
    struct client_answer answer;
    struct text body;
    if (!make_body(mtls, &body) || !client_call(mtls->client, "PUT", mtls->path, body.data, &answer))
        return false;
    if (answer.status != 201 && !client_check(mtls->client, 200, &answer))
        return false;
    print(mtls, answer.json);
    return true;
}

static bool show(struct mtls *mtls)
{
    struct client_answer answer;
    if (!client_expect(mtls->client, 200, "GET", mtls->path, NULL, &answer))
        return false;
    print(mtls, answer.json);
    return true;
}

static bool remove_identity(struct mtls *mtls)
{
    struct client_answer answer;
    return client_expect(mtls->client, 204, "DELETE", mtls->path, NULL, &answer);
}

static int wrong_operand(const struct mtls *mtls)
{
    return options_wrong(mtls->usage, "write `mtls set`, `mtls show` or `mtls remove`");
}

static int check(const struct mtls *mtls, bool setting)
{
    bool given = mtls->cert || mtls->private_key || mtls->ca || mtls->server_name;
    if (!setting && given)
        return options_wrong(mtls->usage, "--cert, --private-key, --ca and --server-name are for `mtls set`");
    if (setting && !given)
        return options_wrong(mtls->usage,
                             "give --cert with --private-key, --ca, --server-name, or several of them");
    if (!mtls->cert != !mtls->private_key)
        return options_wrong(mtls->usage, "--cert and --private-key go together; %s is missing",
                             mtls->cert ? "--private-key" : "--cert");
    return EXIT_DONE;
}

int mtls_main(int argc, char **argv)
{
    struct mtls mtls = {.user = "me"};
    struct client_options server = {0};
    int count;
    const struct option_row rows[] = {
        {"cert", OPTION_TEXT, &mtls.cert, "FILE",
         "client certificate, followed by its intermediate certificates"},
        {"private-key", OPTION_TEXT, &mtls.private_key, "FILE",
         "private key of the certificate, not encrypted"},
        {"ca", OPTION_TEXT, &mtls.ca, "FILE", "authorities to trust for the receiver"},
        {"server-name", OPTION_TEXT, &mtls.server_name, "NAME",
         "name expected in the receiver's certificate"},
        {"user", OPTION_TEXT, &mtls.user, "ID", "for a Master: the user [yourself]"},
        CLIENT_OPTION_ROWS(server),
        {"json", OPTION_FLAG, &mtls.json, NULL, "print the server's JSON document"},
    };
    const struct usage usage = {"mtls",
                                "mtls set [--cert FILE --private-key FILE] [--ca FILE] [--server-name NAME]\n"
                                "mtls show\n"
                                "mtls remove",
                                details,
                                rows,
                                sizeof rows / sizeof *rows,
                                1,
                                1};
    static bool (*const verbs[])(struct mtls *) = {set, show, remove_identity};
    static const char *const names[] = {"set", "show", "remove"};
    size_t verb = 0;

    enum options_outcome outcome = options_read(&usage, argc, argv, &count);
    if (outcome != OPTIONS_GO)
        return outcome == OPTIONS_HELP ? EXIT_DONE : EXIT_USAGE;
    mtls.usage = &usage;
    while (verb < 3 && strcmp(argv[argc - 1], names[verb]) != 0)
        verb++;
    if (verb == 3)
        return wrong_operand(&mtls);
    int code = check(&mtls, verb == 0);
    if (code == EXIT_DONE)
        code = client_open(&usage, &server, &mtls.client);
    if (code != EXIT_DONE)
        return code;
    snprintf(mtls.path, sizeof mtls.path, "/api/users/%s/tls", client_escape(mtls.client, mtls.user));
    arena_init(&mtls.arena, MEMORY_LEN_MAX);
    bool done = verbs[verb](&mtls);
    arena_fini(&mtls.arena);
    client_close(mtls.client);
    return done ? EXIT_DONE : EXIT_FAILED;
}
