/* posthorn deliveries: those of an event, and one with its attempts. */
#include "client.h"
#include "commands.h"
#include "evidence.h"
#include "json.h"
#include "show.h"

enum { DELIVERIES_MAX = 100000 };

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

static int list(const struct invocation *invocation, void *options)
{
    struct client *client = ((struct api *)options)->client;
    const char *path =
        client_path(client, "/api/events/%s/deliveries?page[size]=100", invocation->operands[0]);
    return client_show_list(client, path, DELIVERIES_MAX, delivery_columns);
}

static int show(const struct invocation *invocation, void *options)
{
    struct client *client = ((struct api *)options)->client;
    const char *path = client_path(client, "/api/deliveries/%s", invocation->operands[0]);
    struct client_answer answer;

    if (!client_expect(client, 200, "GET", path, NULL, &answer))
        return EXIT_FAILED;
    if (invocation->json) {
        show_json(answer.json);
        return EXIT_DONE;
    }
    struct json_object *data = json_get(answer.json, "data"), *one = json_object_new_array();
    json_object_array_add(one, json_object_get(data));
    show_place(client_place(client));
    show_table(one, delivery_columns);
    json_object_put(one);
    printf("\n");
    show_table(json_at(data, "attributes.attempts"), attempt_columns);
    evidence_print_answers(json_get_object(data, "attributes"));
    return EXIT_DONE;
}

const struct command deliveries_command = {
    .name = "deliveries",
    .summary = "list the deliveries of an event, with every attempt",
    .details = "`list` prints the deliveries of an event. `show` prints one delivery with every attempt.",
    .verbs = {{"list", "EVENT_ID", list}, {"show", "ID", show}},
    API_COMMAND(struct api),
    .json = JSON_OPTION("print the server's JSON document"),
};
