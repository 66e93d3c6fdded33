/* posthorn endpoints: the URLs of a user, and the events for each. */
#include "client.h"
#include "commands.h"
#include "input.h"
#include "jobs_start.h"
#include "json_c.h"
#include "show.h"

enum { ENDPOINTS_MAX = 1000, SETTINGS_LEN_MAX = 256 << 10 };

struct endpoints {
    struct api api;
    const char *user, *url, *settings;
    struct jobs_wish wish;
};

static const struct show_column columns[] = {
    {"ID", "id", 19}, {"STATUS", "attributes.status", 8}, {"URL", "attributes.url", 0}, {NULL}};

static int list(const struct invocation *invocation, void *options)
{
    const struct endpoints *endpoints = options;
    struct client *client = endpoints->api.client;
    client_path(client, "/api/endpoints?page[size]=100");
    const char *path = client_add_query(client, "filter[user]", endpoints->user);
    return client_show_list(client, path, ENDPOINTS_MAX, columns);
}

/* The answer's endpoint: with --json the server's document, else its attributes. */
static void print(const struct invocation *invocation, const struct client_answer *answer)
{
    if (invocation->json) {
        show_json(answer->json);
        return;
    }
    struct json_object *data = json_get(answer->json, "data"), *one = json_object_new_array();
    json_object_array_add(one, json_object_get(data));
    show_table(one, columns);
    json_object_put(one);
    printf("\n");
    show_json(json_get(data, "attributes"));
}

static int show(const struct invocation *invocation, void *options)
{
    struct client *client = ((struct api *)options)->client;
    const char *path = client_path(client, "/api/endpoints/%s", invocation->operands[0]);
    struct client_answer answer;
    if (!client_expect(client, 200, "GET", path, NULL, &answer))
        return EXIT_FAILED;
    print(invocation, &answer);
    return EXIT_DONE;
}

/* ---- create, update ---- */

/* The attributes of --settings, or none. NULL: stderr says what is wrong. */
static struct json_object *read_settings(const struct invocation *invocation, const char *path)
{
    struct arena arena;
    struct json_reading reading;
    if (!path)
        return json_object_new_object();
    arena_init(&arena, 2 * (size_t)SETTINGS_LEN_MAX);
    struct bytes text = input_read(invocation, &arena, path, SETTINGS_LEN_MAX);
    struct json_object *attributes = NULL;
    if (text.data) {
        attributes = json_read((char *)text.data, text.len, true, &reading);
        if (!attributes)
            command_failed(invocation, "%s: %s", path, reading.problem.detail);
        else if (!json_object_is_type(attributes, json_type_object)) {
            command_failed(invocation, "%s: must be a JSON object: {\"event_types\": [\"payment_*\"]}", path);
            json_object_put(attributes);
            attributes = NULL;
        }
    }
    arena_fini(&arena);
    return attributes;
}

static void add_text(struct json_object *object, const char *name, const char *text)
{
    json_object_object_add(object, name, json_object_new_string(text));
}

/* {"data": {"type": "endpoints", "id": ..., "attributes": ...}}; takes the attributes. */
static struct json_object *document_of(const char *id, const char *user, struct json_object *attributes)
{
    struct json_object *document = json_object_new_object(), *data = json_object_new_object();
    json_object_object_add(document, "data", data);
    add_text(data, "type", "endpoints");
    if (id)
        add_text(data, "id", id);
    json_object_object_add(data, "attributes", attributes);
    if (user) {
        struct json_object *relationships = json_object_new_object(), *to = json_object_new_object(),
                           *linkage = json_object_new_object();
        add_text(linkage, "type", "users");
        add_text(linkage, "id", user);
        json_object_object_add(to, "data", linkage);
        json_object_object_add(relationships, "user", to);
        json_object_object_add(data, "relationships", relationships);
    }
    return document;
}

/* Posts or patches; takes the document. */
static bool send(struct client *client, int status, const char *method, const char *path,
                 struct json_object *document, struct client_answer *answer)
{
    bool done = client_expect(client, status, method, path, json_object_to_json_string(document), answer);
    json_object_put(document);
    return done;
}

static int create(const struct invocation *invocation, void *options)
{
    const struct endpoints *endpoints = options;
    struct client *client = endpoints->api.client;
    struct client_answer answer;
    if (!endpoints->url && !endpoints->settings)
        return command_wrong(invocation, "give --url URL, or --settings FILE with a \"url\" in it");
    struct json_object *attributes = read_settings(invocation, endpoints->settings);
    if (!attributes)
        return EXIT_FAILED;
    if (endpoints->url)
        add_text(attributes, "url", endpoints->url);
    if (!send(client, 201, "POST", client_path(client, "/api/endpoints"),
              document_of(NULL, endpoints->user, attributes), &answer))
        return EXIT_FAILED;
    print(invocation, &answer);
    /* On standard error, so that a redirect of the output does not store it. */
    if (!invocation->json)
        command_note(invocation, "its signing secret, shown once: %s",
                     json_string(json_get(answer.json, "meta"), "signing_secret").data);
    return EXIT_DONE;
}

static int patch(const struct invocation *invocation, struct client *client, struct json_object *attributes)
{
    const char *id = invocation->operands[0];
    struct client_answer answer;
    if (!send(client, 200, "PATCH", client_path(client, "/api/endpoints/%s", id),
              document_of(id, NULL, attributes), &answer))
        return EXIT_FAILED;
    print(invocation, &answer);
    return EXIT_DONE;
}

static int update(const struct invocation *invocation, void *options)
{
    const struct endpoints *endpoints = options;
    if (!endpoints->url && !endpoints->settings)
        return command_wrong(invocation, "give what to change: --url URL, --settings FILE, or both");
    struct json_object *attributes = read_settings(invocation, endpoints->settings);
    if (!attributes)
        return EXIT_FAILED;
    if (endpoints->url)
        add_text(attributes, "url", endpoints->url);
    return patch(invocation, endpoints->api.client, attributes);
}

static int set_status(const struct invocation *invocation, void *options, const char *status)
{
    struct json_object *attributes = json_object_new_object();
    add_text(attributes, "status", status);
    return patch(invocation, ((struct api *)options)->client, attributes);
}

static int pause_it(const struct invocation *invocation, void *options)
{
    return set_status(invocation, options, "paused");
}

static int resume(const struct invocation *invocation, void *options)
{
    return set_status(invocation, options, "active");
}

static int delete (const struct invocation *invocation, void *options)
{
    struct client *client = ((struct api *)options)->client;
    const char *path = client_path(client, "/api/endpoints/%s", invocation->operands[0]);
    struct client_answer answer;
    return client_expect(client, 204, "DELETE", path, NULL, &answer) ? EXIT_DONE : EXIT_FAILED;
}

static int ping(const struct invocation *invocation, void *options)
{
    struct client *client = ((struct api *)options)->client;
    const char *path = client_path(client, "/api/endpoints/%s/ping", invocation->operands[0]);
    struct client_answer answer;
    if (!client_expect(client, 201, "POST", path, NULL, &answer))
        return EXIT_FAILED;
    const char *id = json_string(json_get(answer.json, "data"), "id").data;
    if (invocation->json)
        show_json(answer.json);
    else
        printf("event %s will be sent now; see `posthorn why %s`\n", id, id);
    return EXIT_DONE;
}

static int recover(const struct invocation *invocation, void *options)
{
    const struct endpoints *endpoints = options;
    return jobs_start(invocation, endpoints->api.client, "recover", &endpoints->wish);
}

static int replay(const struct invocation *invocation, void *options)
{
    const struct endpoints *endpoints = options;
    return jobs_start(invocation, endpoints->api.client, "replay", &endpoints->wish);
}

static int backfill(const struct invocation *invocation, void *options)
{
    const struct endpoints *endpoints = options;
    return jobs_start(invocation, endpoints->api.client, "backfill", &endpoints->wish);
}

#define AT(field) offsetof(struct endpoints, field)
#define JOBS      "recover, replay, backfill"
static const struct option_row rows[] = {
    {"url", OPTION_TEXT, AT(url), "", "URL", "where its events are pushed", .verbs = "create, update"},
    {"settings", OPTION_TEXT, AT(settings), "", "FILE",
     "a JSON object of attributes (`event_types`, `filter`, `rate`, ...); `-` is standard input",
     .verbs = "create, update"},
    {"user", OPTION_TEXT, AT(user), "", "ID", "for a Master: the user; otherwise yourself",
     .verbs = "list, create"},
    {"since", OPTION_TEXT, AT(wish.since), "", "TIME",
     "from this time on: a time, or `30m`, `12h`, `7d` for that long ago", .verbs = JOBS},
    {"until", OPTION_TEXT, AT(wish.until), "", "TIME", "only before this time", .verbs = JOBS},
    {"type", OPTION_TEXT, AT(wish.type), "", "TYPE", "only events of this event_type", .verbs = JOBS},
    {"state", OPTION_TEXT, AT(wish.state), "", "STATE",
     "deliveries that are `delivered` (default), `given_up`, `cancelled` or `skipped`", .verbs = "replay"},
    {"dry-run", OPTION_FLAG, AT(wish.dry_run), "", NULL, "only count", .verbs = JOBS},
    {"wait", OPTION_FLAG, AT(wish.wait), "", NULL, "until the job is done, with a progress bar",
     .verbs = JOBS},
};

const struct command endpoints_command = {
    .name = "endpoints",
    .summary = "list, create, change, pause or delete endpoints",
    .details =
        "The URLs of a user, and which events go to each. Your default endpoint has your user's id, and "
        "its URL is\n"
        "your webhook_url.\n\n"
        "  list       lists the endpoints\n"
        "  show       prints one with all its attributes\n"
        "  create     creates one, and prints its signing secret once\n"
        "  update     changes the attributes given; the others stay\n"
        "  pause      attempts nothing; deliveries wait\n"
        "  resume     sends again, in order of acceptance; `enable` is the same\n"
        "  ping       sends an example event to this endpoint alone\n"
        "  recover    sends again what was given up or cancelled since a time\n"
        "  replay     sends again what was delivered\n"
        "  backfill   sends events from before the endpoint existed; these three run as jobs (posthorn "
        "jobs)\n"
        "  delete     deletes one, and cancels what waits for it; a default one stays",
    .verbs = {{"list", "", list},
              {"show", "ID", show},
              {"create", "", create},
              {"update", "ID", update},
              {"pause", "ID", pause_it},
              {"resume", "ID", resume},
              {"enable", "ID", resume},
              {"ping", "ID", ping},
              {"recover", "ID", recover},
              {"replay", "ID", replay},
              {"backfill", "ID", backfill},
              {"delete", "ID", delete}},
    .rows = OPTION_TABLE(rows),
    API_COMMAND(struct endpoints),
    .json = JSON_OPTION("print the server's JSON document"),
};
