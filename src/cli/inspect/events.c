/* posthorn events: lists and shows them; events_post.c posts them. */
#include "client.h"
#include "commands.h"
#include "events_post.h"
#include "json_c.h"
#include "show.h"

enum { LIMIT_MAX = 100 };

struct events {
    struct api_session api;
    const char *type;
    int64_t limit;
    bool undelivered;
};

static int list(const struct invocation *invocation, void *options)
{
    static const struct show_column columns[] = {{"ID", "id", 19},
                                                 {"EVENT_TYPE", "attributes.event_type", 37},
                                                 {"CREATED_AT", "attributes.created_at", 24},
                                                 {"SENT_AT", "attributes.sent_at", 24},
                                                 {"RESOURCE", "relationships.resource.data", 0},
                                                 {NULL}};
    const struct events *events = options;
    struct client *client = events->api.client;
    char limit[24];

    snprintf(limit, sizeof limit, "%lld", (long long)events->limit);
    client_path(client, "/api/events?sort=-id&page[size]=%s", limit);
    client_add_query(client, "filter[event_type]", events->type);
    const char *path = client_add_query(client, "filter[undelivered]", events->undelivered ? "true" : NULL);
    return client_show_list(client, path, (size_t)events->limit, columns);
}

static int show(const struct invocation *invocation, void *options)
{
    struct client *client = ((struct api_session *)options)->client;
    const char *path = client_path(client, "/api/events/%s?include=resource", invocation->operands[0]);
    struct client_answer answer;

    if (!client_expect(client, 200, "GET", path, NULL, &answer))
        return EXIT_FAILED;
    show_json(answer.json);
    return EXIT_DONE;
}

static int post(const struct invocation *invocation, void *options)
{
    return events_post(invocation, ((struct api_session *)options)->client);
}

#define AT(field) offsetof(struct events, field)
static const struct option_row rows[] = {
    {"type", OPTION_TEXT, AT(type), "", "TYPE", "only this event_type", .verbs = "list"},
    {"undelivered", OPTION_FLAG, AT(undelivered), "", NULL, "only events that are not delivered",
     .verbs = "list"},
    {"limit", OPTION_NUMBER, AT(limit), "20", "N", "number of events", 1, LIMIT_MAX, .verbs = "list"},
};

const struct command events_command = {
    .name = "events",
    .summary = "list, show or post events",
    .details = "`list` prints your newest events, `show` one event with its snapshot. `post` sends events "
               "from a file,\n"
               "or from standard input (-): one JSON document, or many events, one a line.",
    .verbs = {{"list", "", list}, {"show", "ID", show}, {"post", "FILE", post}},
    .rows = OPTION_TABLE(rows),
    API_COMMAND(struct events),
    .json = JSON_OPTION("print the server's JSON document"),
};
