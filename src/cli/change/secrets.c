/* posthorn secrets: the signing secrets of an endpoint; without a name, of the default one. */
#include "client.h"
#include "commands.h"
#include "json_c.h"
#include "show.h"
#include "write_request.h"

enum { OVERLAP_S_MAX = 30 * 24 * 3600, SECRETS_MAX = 1000 };

struct secrets {
    struct api_session api;
    const char *algorithm, *user, *endpoint;
    int64_t overlap_s;
};

/* `behind`: the end of the path: "", or "/%s" or "/%s/reveal" with an id. */
#define PATH_OF(secrets, behind, id)                                                                         \
    ((secrets)->endpoint ? client_path((secrets)->api.client, "/api/endpoints/%s/signing_secrets" behind,    \
                                       (secrets)->endpoint, id)                                              \
                         : client_path((secrets)->api.client, "/api/signing_secrets" behind, id))

static const char *list_path(const struct secrets *secrets)
{
    PATH_OF(secrets, "", NULL);
    return client_add_query(secrets->api.client, "filter[user]", secrets->user);
}

static int list(const struct invocation *invocation, void *options)
{
    static const struct show_column columns[] = {{"ID", "id", 16},
                                                 {"ALGORITHM", "attributes.algorithm", 9},
                                                 {"ACTIVE", "attributes.active", 6},
                                                 {"CREATED_AT", "attributes.created_at", 24},
                                                 {"EXPIRES_AT", "attributes.expires_at", 24},
                                                 {"PUBLIC_KEY", "attributes.public_key", 0},
                                                 {NULL}};
    const struct secrets *secrets = options;
    return client_show_list(secrets->api.client, list_path(secrets), SECRETS_MAX, columns);
}

/* Only the secret, for scripts: KEY=$(posthorn secrets reveal). */
static void print_secret(const struct invocation *invocation, const struct client_answer *answer)
{
    if (invocation->json)
        show_json(answer->json);
    else
        printf("%s\n", json_string(json_at(answer->json, "data.attributes"), "secret").data);
}

static bool is_active(struct json_object *secret)
{
    return json_flag(json_get(secret, "attributes"), "active");
}

/* On stderr, so that standard output has only secrets. */
static void say_its_end(const struct invocation *invocation, struct json_object *secret)
{
    struct bytes until = json_string(json_get(secret, "attributes"), "expires_at");
    if (until.len > 0 && !invocation->json)
        command_note(invocation, "%s %s %s", json_string(secret, "id").data,
                     is_active(secret) ? "signs until" : "expired at", until.data);
}

static int reveal(const struct invocation *invocation, void *options)
{
    const struct secrets *secrets = options;
    struct client *client = secrets->api.client;
    const char *id = invocation->operand_count ? invocation->operands[0] : NULL;
    const char *path = PATH_OF(secrets, "/%s/reveal", id ? id : "default");
    struct client_answer answer;

    if (!client_call(client, "POST", path, NULL, &answer))
        return EXIT_FAILED;
    if (answer.status == 404 && !id && !secrets->endpoint)
        return command_failed(invocation,
                              "your first signing secret has been removed; `posthorn secrets rotate` "
                              "creates a new one and prints it");
    if (!client_check(client, 200, &answer))
        return EXIT_FAILED;
    print_secret(invocation, &answer);
    say_its_end(invocation, json_get(answer.json, "data"));
    return EXIT_DONE;
}

/* Creates one and prints it. */
static bool make(const struct invocation *invocation, const struct secrets *secrets, const char *algorithm)
{
    struct client_answer answer;
    struct json_object *attributes = json_object_new_object();
    write_request_text(attributes, "algorithm", algorithm);
    json_object_object_add(attributes, "overlap_s", json_object_new_int64(secrets->overlap_s));
    bool made =
        write_request_send(secrets->api.client, 201, "POST", PATH_OF(secrets, "", NULL),
                           write_request("signing_secrets", NULL, secrets->user, attributes), &answer);
    if (made)
        print_secret(invocation, &answer);
    return made;
}

static bool fetch_list(const struct secrets *secrets, struct client_answer *answer)
{
    return client_expect(secrets->api.client, 200, "GET", list_path(secrets), NULL, answer);
}

static void say_what_expires(const struct invocation *invocation, const struct secrets *secrets)
{
    struct client_answer answer;

    if (invocation->json || !fetch_list(secrets, &answer))
        return;
    struct json_object *all = json_get(answer.json, "data");
    for (size_t i = 0; i < json_length(all); i++)
        if (is_active(json_object_array_get_idx(all, i)))
            say_its_end(invocation, json_object_array_get_idx(all, i));
}

static int create(const struct invocation *invocation, void *options)
{
    const struct secrets *secrets = options;

    if (!make(invocation, secrets, secrets->algorithm ? secrets->algorithm : "v1"))
        return EXIT_FAILED;
    say_what_expires(invocation, secrets);
    return EXIT_DONE;
}

static int rotate(const struct invocation *invocation, void *options)
{
    static const char *const algorithms[] = {"v1", "v1a"};
    const struct secrets *secrets = options;
    bool signs[2] = {false};
    struct client_answer answer;

    if (!fetch_list(secrets, &answer))
        return EXIT_FAILED;
    struct json_object *all = json_get(answer.json, "data");
    for (size_t i = 0; i < json_length(all); i++) {
        struct json_object *secret = json_object_array_get_idx(all, i);
        struct bytes algorithm = json_string(json_get(secret, "attributes"), "algorithm");
        for (int j = 0; j < 2; j++)
            signs[j] |= bytes_equal_text(algorithm, algorithms[j]) && is_active(secret);
    }
    for (int j = 0; j < 2; j++) {
        bool wanted = !secrets->algorithm || strcmp(secrets->algorithm, algorithms[j]) == 0;
        if (signs[j] && wanted && !make(invocation, secrets, algorithms[j]))
            return EXIT_FAILED;
    }
    say_what_expires(invocation, secrets);
    return EXIT_DONE;
}

static int remove_one(const struct invocation *invocation, void *options)
{
    const struct secrets *secrets = options;
    return client_delete(secrets->api.client, PATH_OF(secrets, "/%s", invocation->operands[0]));
}

static int run(const struct invocation *invocation, void *options)
{
    const struct secrets *secrets = options;
    if (secrets->user && secrets->endpoint)
        return command_wrong(invocation, "give --endpoint or --user: an endpoint says whose it is");
    return api_run(invocation, options);
}

#define AT(field) offsetof(struct secrets, field)
static const struct option_row rows[] = {
    {"algorithm", OPTION_CHOICE, AT(algorithm), "", "v1|v1a",
     "HMAC-SHA256 or Ed25519; `create` makes v1 without it", .verbs = "create, rotate"},
    {"overlap", OPTION_NUMBER, AT(overlap_s), "86400", "SECONDS", "older secrets keep signing for this long",
     0, OVERLAP_S_MAX, .verbs = "create, rotate"},
    {"user", OPTION_TEXT, AT(user), "", "ID", "for a Master: the user; otherwise yourself",
     .verbs = "list, create, rotate"},
    {"endpoint", OPTION_TEXT, AT(endpoint), "", "ID", "the endpoint; otherwise the default endpoint"},
};

const struct command secrets_command = {
    .name = "secrets",
    .summary = "list, create, rotate or remove your signing secrets",
    .details = "The signing secrets of an endpoint. Receivers check the header webhook-signature with them "
               "(Standard "
               "Webhooks). You\n"
               "have one from the start, with the id `default`.\n\n"
               "  list       lists the secrets without their text\n"
               "  reveal     prints the text of the first secret, `default`\n"
               "  create     creates a secret and prints it once; older secrets of its kind expire after the "
               "overlap\n"
               "  rotate     creates a new secret for each kind in use, and prints them once\n"
               "  remove ID  removes a secret at once; the last one cannot be removed\n\n"
               "If the key file of a server is lost, see `posthorn secrets reset --help`.",
    .verbs = {{"list", "", list},
              {"reveal", "[ID]", reveal},
              {"create", "", create},
              {"rotate", "", rotate},
              {"remove", "ID", remove_one}},
    .rows = OPTION_TABLE(rows),
    .options_len = sizeof(struct secrets),
    .run = run,
    .shared = &client_rows,
    .json = JSON_OPTION("print the server's JSON document"),
};
