/* posthorn events: lists and shows them; events_post.c posts them. */
#include "client.h"
#include "command.h"
#include "events_post.h"
#include "json.h"
#include "show.h"
#include "text.h"
#include <stdio.h>

enum { PATH_LEN_MAX = 4096, PATH_MEMORY_MAX = 4 * PATH_LEN_MAX, LIMIT_MAX = 100 };

static const char details[] =
    "`list` prints your newest events, `show` one event with its snapshot. `post` sends events from a file,\n"
    "or from standard input (-): one JSON document, or many events, one a line.";

struct events {
    struct client_options server;
    const char *type;
    int64_t limit;
    bool undelivered, json;
};

static bool list(const struct events *events, struct client *client)
{
    static const struct show_column columns[] = {{"ID", "id", 19},
                                                 {"EVENT_TYPE", "attributes.event_type", 37},
                                                 {"CREATED_AT", "attributes.created_at", 24},
                                                 {"SENT_AT", "attributes.sent_at", 24},
                                                 {"RESOURCE", "relationships.resource.data", 0}};
    struct client_answer answer;
    struct arena arena;
    struct text path;

    arena_init(&arena, PATH_MEMORY_MAX);
    text_init(&path, &arena, PATH_LEN_MAX);
    text_printf(&path, "/api/events?sort=-id&page[size]=%lld", (long long)events->limit);
    if (events->type)
        text_printf(&path, "&filter[event_type]=%s", client_escape(client, events->type));
    if (events->undelivered)
        text_puts(&path, "&filter[undelivered]=true");
    bool done = client_expect(client, 200, "GET", path.data, NULL, &answer) &&
                client_gather(client, (size_t)events->limit, &answer);
    if (done && events->json)
        show_json(answer.json);
    else if (done) {
        show_place(client_place(client));
        show_table(json_get_array(answer.json, "data"), columns, sizeof columns / sizeof *columns);
    }
    arena_fini(&arena);
    return done;
}

static bool show(struct client *client, const char *id)
{
    struct client_answer answer;
    struct arena arena;

    arena_init(&arena, PATH_LEN_MAX);
    char *path = arena_printf(&arena, "/api/events/%s?include=resource", client_escape(client, id));
    bool done = path && client_expect(client, 200, "GET", path, NULL, &answer);
    if (done)
        show_json(answer.json);
    arena_fini(&arena);
    return done;
}

int events_main(int argc, char **argv)
{
    struct events events = {.limit = 20};
    struct client *client;
    int count;
    const struct option_row rows[] = {
        CLIENT_OPTION_ROWS(events.server),
        {"type", OPTION_TEXT, &events.type, "TYPE", "list: only this event_type"},
        {"undelivered", OPTION_FLAG, &events.undelivered, NULL, "list: only events that are not delivered"},
        {"limit", OPTION_NUMBER, &events.limit, "N", "list: number of events [20]", NULL, 1, LIMIT_MAX},
        {"json", OPTION_FLAG, &events.json, NULL, "print the server's JSON document"},
    };
    const struct usage usage = {"events",
                                "events list [--type TYPE] [--undelivered] [--limit N]\n"
                                "events show ID\n"
                                "events post FILE|-",
                                details,
                                rows,
                                sizeof rows / sizeof *rows,
                                1,
                                2};

    enum options_outcome outcome = options_read(&usage, argc, argv, &count);
    if (outcome != OPTIONS_GO)
        return outcome == OPTIONS_HELP ? EXIT_DONE : EXIT_USAGE;
    char **operands = argv + argc - count;
    bool listing = count == 1 && strcmp(operands[0], "list") == 0;
    bool posting = count == 2 && strcmp(operands[0], "post") == 0;
    if (!listing && !posting && !(count == 2 && strcmp(operands[0], "show") == 0))
        return options_wrong(&usage, "write `events list`, `events show ID` or `events post FILE`");
    int code = client_open(&usage, &events.server, &client);
    if (code != EXIT_DONE)
        return code;
    bool done = listing   ? list(&events, client)
                : posting ? events_post(client, operands[1], events.json)
                          : show(client, operands[1]);
    client_close(client);
    return done ? EXIT_DONE : EXIT_FAILED;
}
