/* posthorn secrets: the signing secrets of a user. */
#include "client.h"
#include "command.h"
#include "json.h"
#include "show.h"
#include "text.h"

#include <stdio.h>

enum {
    PATH_LEN_MAX = 4096,
    BODY_LEN_MAX = 4096,
    OVERLAP_S_DEFAULT = 24 * 3600,
    OVERLAP_S_MAX = 30 * 24 * 3600
};

static const char details[] =
    "Your signing secrets. Receivers check the header webhook-signature with them (Standard Webhooks). You\n"
    "have one from the start, with the id `default`.\n\n"
    "  list       lists the secrets without their text\n"
    "  reveal     prints the text of the first secret, `default`\n"
    "  create     creates a secret and prints it once; older secrets of its kind expire after the overlap\n"
    "  rotate     creates a new secret for each kind in use, and prints them once\n"
    "  remove ID  removes a secret at once; the last one cannot be removed\n\n"
    "If the key file of a server is lost, see `posthorn secrets reset --help`.";

struct secrets {
    const struct usage *usage;
    struct client *client;
    const char *operand; /* behind the verb; NULL: none */
    const char *algorithm, *user;
    int64_t overlap_s;
    bool json;
};

static struct bytes attribute(struct json_object *secret, const char *name)
{
    struct bytes value = {"", 0};
    json_get_text(json_get_object(secret, "attributes"), name, &value);
    return value;
}

static bool fetch_list(const struct secrets *secrets, struct client_answer *answer)
{
    char path[PATH_LEN_MAX];

    snprintf(path, sizeof path, "/api/signing_secrets%s%s", secrets->user ? "?filter[user]=" : "",
             secrets->user ? client_escape(secrets->client, secrets->user) : "");
    return client_expect(secrets->client, 200, "GET", path, NULL, answer);
}

static bool list(const struct secrets *secrets)
{
    static const struct show_column columns[] = {{"ID", "id", 16},
                                                 {"ALGORITHM", "attributes.algorithm", 9},
                                                 {"ACTIVE", "attributes.active", 6},
                                                 {"CREATED_AT", "attributes.created_at", 24},
                                                 {"EXPIRES_AT", "attributes.expires_at", 24},
                                                 {"PUBLIC_KEY", "attributes.public_key", 0}};
    struct client_answer answer;

    if (!fetch_list(secrets, &answer))
        return false;
    if (secrets->json) {
        show_json(answer.json);
        return true;
    }
    show_place(client_place(secrets->client));
    show_table(json_get_array(answer.json, "data"), columns, sizeof columns / sizeof *columns);
    return true;
}

/* The text alone, so that a script can take it: KEY=$(posthorn secrets reveal). */
static void print_secret(const struct secrets *secrets, const struct client_answer *answer)
{
    struct json_object *secret = json_get_object(answer->json, "data");

    if (secrets->json)
        show_json(answer->json);
    else
        printf("%.*s\n", BYTES_ARG(attribute(secret, "secret")));
}

static bool is_active(struct json_object *secret)
{
    return json_object_get_boolean(json_get(json_get_object(secret, "attributes"), "active"));
}

static void say_its_end(struct json_object *secret)
{
    struct bytes id = {"", 0}, until = attribute(secret, "expires_at");
    if (until.len > 0 && json_get_text(secret, "id", &id))
        fprintf(stderr, "posthorn secrets: %.*s %s %.*s\n", BYTES_ARG(id),
                is_active(secret) ? "signs until" : "expired at", BYTES_ARG(until));
}

static bool reveal(const struct secrets *secrets)
{
    struct client_answer answer;
    char path[PATH_LEN_MAX];

    snprintf(path, sizeof path, "/api/signing_secrets/%s/reveal",
             client_escape(secrets->client, secrets->operand ? secrets->operand : "default"));
    if (!client_call(secrets->client, "POST", path, NULL, &answer))
        return false;
    if (answer.status == 404 && !secrets->operand)
        fprintf(stderr, "posthorn secrets: your first signing secret has been removed; `posthorn secrets "
                        "rotate` creates a new one and prints it\n");
    else if (client_check(secrets->client, 200, &answer))
        print_secret(secrets, &answer);
    if (answer.status == 200 && !secrets->json)
        say_its_end(json_get_object(answer.json, "data"));
    return answer.status == 200;
}

static bool make(const struct secrets *secrets, const char *algorithm, struct client_answer *answer)
{
    struct arena arena;
    struct text body;

    arena_init(&arena, 4 * (size_t)BODY_LEN_MAX);
    text_init(&body, &arena, BODY_LEN_MAX);
    text_printf(&body,
                "{\"data\":{\"type\":\"signing_secrets\",\"attributes\":{\"algorithm\":\"%s\",\"overlap_s\":"
                "%lld}",
                algorithm, (long long)secrets->overlap_s);
    if (secrets->user) {
        text_puts(&body, ",\"relationships\":{\"user\":{\"data\":{\"type\":\"users\",\"id\":");
        text_put_json(&body, bytes_of(secrets->user));
        text_puts(&body, "}}}");
    }
    text_puts(&body, "}}");
    bool made = !body.overflow &&
                client_expect(secrets->client, 201, "POST", "/api/signing_secrets", body.data, answer);
    arena_fini(&arena);
    return made;
}

/* On stderr, so that standard output is the new secrets alone. */
static void say_what_expires(const struct secrets *secrets)
{
    struct client_answer answer;

    if (secrets->json || !fetch_list(secrets, &answer))
        return;
    struct json_object *all = json_get_array(answer.json, "data");
    for (size_t i = 0; all && i < json_object_array_length(all); i++) {
        struct json_object *secret = json_object_array_get_idx(all, i);
        if (is_active(secret))
            say_its_end(secret);
    }
}

static bool create(const struct secrets *secrets)
{
    struct client_answer answer;

    if (!make(secrets, secrets->algorithm ? secrets->algorithm : "v1", &answer))
        return false;
    print_secret(secrets, &answer);
    say_what_expires(secrets);
    return true;
}

static bool rotate(const struct secrets *secrets)
{
    static const char *const algorithms[] = {"v1", "v1a"};
    bool signs[2] = {false};
    struct client_answer answer;

    if (!fetch_list(secrets, &answer))
        return false;
    struct json_object *all = json_get_array(answer.json, "data");
    for (size_t i = 0; all && i < json_object_array_length(all); i++) {
        struct json_object *secret = json_object_array_get_idx(all, i);
        for (int j = 0; j < 2; j++)
            signs[j] |= bytes_equal_text(attribute(secret, "algorithm"), algorithms[j]) &&
                        json_object_get_boolean(json_get(json_get_object(secret, "attributes"), "active"));
    }
    for (int j = 0; j < 2; j++) {
        if (!signs[j] || (secrets->algorithm && strcmp(secrets->algorithm, algorithms[j]) != 0))
            continue;
        if (!make(secrets, algorithms[j], &answer))
            return false;
        print_secret(secrets, &answer);
    }
    say_what_expires(secrets);
    return true;
}

static bool remove_one(const struct secrets *secrets)
{
    struct client_answer answer;
    char path[PATH_LEN_MAX];

    snprintf(path, sizeof path, "/api/signing_secrets/%s", client_escape(secrets->client, secrets->operand));
    return client_expect(secrets->client, 204, "DELETE", path, NULL, &answer);
}

static const struct verb {
    const char *name;
    bool (*run)(const struct secrets *secrets);
    int operands_min, operands_max;
} verbs[] = {{"list", list, 0, 0},
             {"reveal", reveal, 0, 1},
             {"create", create, 0, 0},
             {"rotate", rotate, 0, 0},
             {"remove", remove_one, 1, 1}};

static const struct verb *find_verb(const char *name, int operand_count)
{
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp(name, verbs[i].name) == 0 && operand_count >= verbs[i].operands_min &&
            operand_count <= verbs[i].operands_max)
            return &verbs[i];
    return NULL;
}

int secrets_main(int argc, char **argv)
{
    struct secrets secrets = {.overlap_s = OVERLAP_S_DEFAULT};
    struct client_options server = {0};
    int count;
    const struct option_row rows[] = {
        {"algorithm", OPTION_TEXT, &secrets.algorithm, "v1|v1a", "HMAC-SHA256 or Ed25519 [v1]"},
        {"overlap", OPTION_NUMBER, &secrets.overlap_s, "SECONDS",
         "older secrets keep signing for this long [86400]", NULL, 0, OVERLAP_S_MAX},
        {"user", OPTION_TEXT, &secrets.user, "ID", "list, create, rotate; for a Master: the user [yourself]"},
        CLIENT_OPTION_ROWS(server),
        {"json", OPTION_FLAG, &secrets.json, NULL, "print the server's JSON document"},
    };
    const struct usage usage = {"secrets",
                                "secrets list\n"
                                "secrets reveal\n"
                                "secrets create [--algorithm v1|v1a] [--overlap SECONDS]\n"
                                "secrets rotate [--overlap SECONDS]\n"
                                "secrets remove ID",
                                details,
                                rows,
                                sizeof rows / sizeof *rows,
                                1,
                                2};

    enum options_outcome outcome = options_read(&usage, argc, argv, &count);
    if (outcome != OPTIONS_GO)
        return outcome == OPTIONS_HELP ? EXIT_DONE : EXIT_USAGE;
    secrets.usage = &usage;
    const struct verb *verb = find_verb(argv[argc - count], count - 1);
    if (!verb)
        return options_wrong(&usage, "write `secrets list`, `reveal`, `create`, `rotate` or `remove ID`");
    secrets.operand = count == 2 ? argv[argc - 1] : NULL;
    if (secrets.algorithm && strcmp(secrets.algorithm, "v1") != 0 && strcmp(secrets.algorithm, "v1a") != 0)
        return options_wrong(&usage, "--algorithm must be v1 (HMAC-SHA256) or v1a (Ed25519), not '%.40s'",
                             secrets.algorithm);
    if (secrets.user && !bytes_are_utf8(bytes_of(secrets.user)))
        return options_wrong(&usage, "--user takes a user's id");
    if (secrets.user && (verb->run == reveal || verb->run == remove_one))
        return options_wrong(&usage, "`secrets %s` works for your own secrets only: use a key of that user",
                             verb->name);
    int code = client_open(&usage, &server, &secrets.client);
    if (code != EXIT_DONE)
        return code;
    bool done = verb->run(&secrets);
    client_close(secrets.client);
    return done ? EXIT_DONE : EXIT_FAILED;
}
