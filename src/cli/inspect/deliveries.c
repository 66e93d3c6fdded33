/* posthorn deliveries: lists those of an event or of all events; shows one with its attempts. */
#include "client.h"
#include "commands.h"
#include "evidence.h"
#include "json_c.h"
#include "show.h"
#include "since.h"

enum { DELIVERIES_MAX = 100000, LIMIT_MAX = 10000 };

struct deliveries {
    struct api_session api;
    const char *state, *endpoint, *user, *type, *reason, *since;
    int64_t limit; /* -1: not given */
};

static const struct show_column delivery_columns[] = {{"ID", "id", 19},
                                                      {"STATE", "attributes.state", 9},
                                                      {"ATTEMPTS", "attributes.attempt_count", 8},
                                                      {"LAST_STATUS", "attributes.last_status", 11},
                                                      {"LAST_REASON", "attributes.last_reason", 18},
                                                      {"NEXT_IN_MS", "attributes.next_attempt_in_ms", 10},
                                                      {"FINISHED_AT", "attributes.finished_at", 24},
                                                      {NULL}};
static const struct show_column attempt_columns[] = {
    {"ATTEMPT", "attempt", 7},     {"STARTED_AT", "started_at", 24},
    {"MS", "duration_ms", 6},      {"STATUS", "status", 6},
    {"ADDRESS", "address", 24},    {"REASON", "reason", 18},
    {"DETAIL", "detail", 0, true}, {NULL}};

/* For deliveries of many events; 80 columns. */
static const struct show_column feed_columns[] = {{"ID", "id", 17},
                                                  {"STATE", "attributes.state", 9},
                                                  {"TRIES", "attributes.attempt_count", 5},
                                                  {"STATUS", "attributes.last_status", 6},
                                                  {"ENDPOINT", "relationships.endpoint.data.id", 19},
                                                  {"REASON", "attributes.last_reason", 0},
                                                  {NULL}};

static int list_all(const struct deliveries *wanted)
{
    const struct {
        const char *name, *value;
    } filters[] = {{"filter[state]", wanted->state},
                   {"filter[endpoint]", wanted->endpoint},
                   {"filter[user]", wanted->user},
                   {"filter[event_type]", wanted->type},
                   {"filter[reason]", wanted->reason}};
    struct client *client = wanted->api.client;
    int64_t limit = wanted->limit > 0 ? wanted->limit : 20;
    char size[24], at[SINCE_LEN];
    snprintf(size, sizeof size, "%lld", (long long)(limit < 100 ? limit : 100));
    client_path(client, "/api/deliveries?page[size]=%s", size);
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++)
        client_add_query(client, filters[i].name, filters[i].value);
    const char *path = client_add_query(client, "filter[since]", since_of(wanted->since, at));
    return client_show_list(client, path, (size_t)limit, feed_columns);
}

static int list(const struct invocation *invocation, void *options)
{
    const struct deliveries *wanted = options;
    struct client *client = wanted->api.client;
    if (invocation->operand_count == 0)
        return list_all(wanted);
    if (wanted->state || wanted->endpoint || wanted->user || wanted->type || wanted->reason ||
        wanted->since || wanted->limit > 0)
        return command_wrong(invocation,
                             "give an event or filters, not both: all deliveries of an event are listed");
    const char *path =
        client_path(client, "/api/events/%s/deliveries?page[size]=100", invocation->operands[0]);
    return client_show_list(client, path, DELIVERIES_MAX, delivery_columns);
}

static int show(const struct invocation *invocation, void *options)
{
    struct client *client = ((struct api_session *)options)->client;
    const char *path = client_path(client, "/api/deliveries/%s", invocation->operands[0]);
    struct client_answer answer;

    if (!client_expect(client, 200, "GET", path, NULL, &answer))
        return EXIT_FAILED;
    if (invocation->json) {
        show_json(answer.json);
        return EXIT_DONE;
    }
    struct json_object *data = json_get(answer.json, "data");
    show_place(client_place(client));
    show_one(data, delivery_columns);
    printf("\n");
    show_table(json_at(data, "attributes.attempts"), attempt_columns);
    evidence_print_answers(json_get_object(data, "attributes"));
    return EXIT_DONE;
}

#define AT(field) offsetof(struct deliveries, field)
static const struct option_row rows[] = {
    {"state", OPTION_TEXT, AT(state), "", "STATE",
     "only `pending`, `delivered`, `given_up`, `cancelled` or `skipped`, or several with commas between",
     .verbs = "list"},
    {"endpoint", OPTION_TEXT, AT(endpoint), "", "ID", "only to this endpoint", .verbs = "list"},
    {"user", OPTION_TEXT, AT(user), "", "ID", "for a Master: only to this user's endpoints", .verbs = "list"},
    {"type", OPTION_TEXT, AT(type), "", "TYPE", "only of this event_type", .verbs = "list"},
    {"reason", OPTION_TEXT, AT(reason), "", "REASON", "only with this last_reason, as `unexpected_status`",
     .verbs = "list"},
    {"since", OPTION_TEXT, AT(since), "", "TIME",
     "only of events received since: a time, or `30m`, `12h`, `7d` for that long ago", .verbs = "list"},
    {"limit", OPTION_NUMBER, AT(limit), "", "N", "number of deliveries (default: 20)", 1, LIMIT_MAX,
     .verbs = "list"},
};

const struct command deliveries_command = {
    .name = "deliveries",
    .summary = "list deliveries, by filters or of an event, and show every attempt",
    .details =
        "`list` prints the newest deliveries to your endpoints, for a Master also to its users', or all\n"
        "deliveries of an event. `show` prints one delivery with every attempt.",
    .verbs = {{"list", "[EVENT_ID]", list}, {"show", "ID", show}},
    .rows = OPTION_TABLE(rows),
    API_COMMAND(struct deliveries),
    .json = JSON_OPTION("print the server's JSON document"),
};
