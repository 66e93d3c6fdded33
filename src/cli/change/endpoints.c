/* posthorn endpoints: the URLs of a user, and the events for each. */
#include "client.h"
#include "commands.h"
#include "endpoint_stats.h"
#include "input.h"
#include "jobs_start.h"
#include "json_c.h"
#include "show.h"
#include "write_request.h"

enum { ENDPOINTS_MAX = 1000, SETTINGS_LEN_MAX = 256 << 10 };

struct endpoints {
    struct api_session api;
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

static int show(const struct invocation *invocation, void *options)
{
    struct client *client = ((struct api_session *)options)->client;
    const char *path = client_path(client, "/api/endpoints/%s", invocation->operands[0]);
    struct client_answer answer;
    if (!client_expect(client, 200, "GET", path, NULL, &answer))
        return EXIT_FAILED;
    return client_show_one(client, &answer, columns);
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
    write_request_text(attributes, "url", endpoints->url);
    if (!write_request_send(client, 201, "POST", client_path(client, "/api/endpoints"),
                            write_request("endpoints", NULL, endpoints->user, attributes), &answer))
        return EXIT_FAILED;
    client_show_one(client, &answer, columns);
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
    if (!write_request_send(client, 200, "PATCH", client_path(client, "/api/endpoints/%s", id),
                            write_request("endpoints", id, NULL, attributes), &answer))
        return EXIT_FAILED;
    return client_show_one(client, &answer, columns);
}

static int update(const struct invocation *invocation, void *options)
{
    const struct endpoints *endpoints = options;
    if (!endpoints->url && !endpoints->settings)
        return command_wrong(invocation, "give the change: --url URL, --settings FILE, or both");
    struct json_object *attributes = read_settings(invocation, endpoints->settings);
    if (!attributes)
        return EXIT_FAILED;
    write_request_text(attributes, "url", endpoints->url);
    return patch(invocation, endpoints->api.client, attributes);
}

static int set_status(const struct invocation *invocation, void *options, const char *status)
{
    struct json_object *attributes = json_object_new_object();
    write_request_text(attributes, "status", status);
    return patch(invocation, ((struct api_session *)options)->client, attributes);
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
    struct client *client = ((struct api_session *)options)->client;
    return client_delete(client, client_path(client, "/api/endpoints/%s", invocation->operands[0]));
}

static int ping(const struct invocation *invocation, void *options)
{
    struct client *client = ((struct api_session *)options)->client;
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
        "  stats      prints what happened to its deliveries in seven days, by hour\n"
        "  create     creates one, and prints its signing secret once\n"
        "  update     changes the attributes given; the others stay\n"
        "  pause      attempts nothing; deliveries wait\n"
        "  resume     sends again, in order of acceptance; `enable` is the same\n"
        "  ping       sends an example event to this endpoint alone\n"
        "  recover    sends deliveries again that were given up or cancelled since a time\n"
        "  replay     sends delivered ones again\n"
        "  backfill   sends events from before the endpoint existed; these three run as jobs (posthorn "
        "jobs)\n"
        "  delete     deletes one, and cancels its waiting deliveries; a default one stays",
    .verbs = {{"list", "", list},
              {"show", "ID", show},
              {"stats", "ID", endpoint_stats},
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
