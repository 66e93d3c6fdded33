/* posthorn deliveries: those of an event, and one with its attempts. */
#include "client.h"
#include "command.h"
#include "evidence.h"
#include "json.h"
#include "show.h"
#include "text.h"

#include <stdio.h>

enum { PATH_LEN_MAX = 4096, DELIVERIES_MAX = 100000 };

static const char details[] =
    "`list` prints the deliveries of an event. `show` prints one delivery with every attempt.";

static const struct show_column delivery_columns[] = {{"ID", "id", 19},
                                                      {"STATE", "attributes.state", 9},
                                                      {"ATTEMPTS", "attributes.attempt_count", 8},
                                                      {"LAST_STATUS", "attributes.last_status", 11},
                                                      {"LAST_REASON", "attributes.last_reason", 18},
                                                      {"NEXT_IN_MS", "attributes.next_attempt_in_ms", 10},
                                                      {"FINISHED_AT", "attributes.finished_at", 24}};
static const struct show_column attempt_columns[] = {
    {"ATTEMPT", "attempt", 7},    {"STARTED_AT", "started_at", 24}, {"MS", "duration_ms", 6},
    {"STATUS", "status", 6},      {"ADDRESS", "address", 24},       {"REASON", "reason", 18},
    {"DETAIL", "detail", 0, true}};

static void print(struct json_object *document, bool listing)
{
    struct json_object *data = json_get(document, "data");

    if (listing) {
        show_table(data, delivery_columns, sizeof delivery_columns / sizeof *delivery_columns);
        return;
    }
    struct json_object *one = json_object_new_array();
    json_object_array_add(one, json_object_get(data));
    show_table(one, delivery_columns, sizeof delivery_columns / sizeof *delivery_columns);
    json_object_put(one);
    printf("\n");
    show_table(json_get_array(json_get_object(data, "attributes"), "attempts"), attempt_columns,
               sizeof attempt_columns / sizeof *attempt_columns);
    evidence_print_answers(json_get_object(data, "attributes"));
}

static bool ask(struct client *client, const char *id, bool json, bool listing)
{
    struct client_answer answer;
    char path[PATH_LEN_MAX];

    snprintf(path, sizeof path, listing ? "/api/events/%s/deliveries?page[size]=100" : "/api/deliveries/%s",
             client_escape(client, id));
    if (!client_expect(client, 200, "GET", path, NULL, &answer) ||
        (listing && !client_gather(client, DELIVERIES_MAX, &answer)))
        return false;
    if (json)
        show_json(answer.json);
    else {
        show_place(client_place(client));
        print(answer.json, listing);
    }
    return true;
}

int deliveries_main(int argc, char **argv)
{
    struct client_options server = {0};
    struct client *client;
    bool json = false;
    int count;
    const struct option_row rows[] = {
        CLIENT_OPTION_ROWS(server),
        {"json", OPTION_FLAG, &json, NULL, "print the server's JSON document"},
    };
    const struct usage usage = {"deliveries",
                                "deliveries list EVENT_ID\n"
                                "deliveries show ID",
                                details,
                                rows,
                                sizeof rows / sizeof *rows,
                                2,
                                2};

    enum options_outcome outcome = options_read(&usage, argc, argv, &count);
    if (outcome != OPTIONS_GO)
        return outcome == OPTIONS_HELP ? EXIT_DONE : EXIT_USAGE;
    char **operands = argv + argc - count;
    bool listing = strcmp(operands[0], "list") == 0;
    if (!listing && strcmp(operands[0], "show") != 0)
        return options_wrong(&usage, "write `deliveries list EVENT_ID` or `deliveries show ID`");
    int code = client_open(&usage, &server, &client);
    if (code != EXIT_DONE)
        return code;
    bool done = ask(client, operands[1], json, listing);
    client_close(client);
    return done ? EXIT_DONE : EXIT_FAILED;
}
