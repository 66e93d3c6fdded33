#include "catalogue.h"
#include "client.h"
#include "command.h"
#include "json.h"
#include "own_types.h"
#include "push.h"
#include "terminal.h"
#include "text.h"

#include <stdio.h>

enum { BODY_LEN_MAX = 1 << 20, MEMORY_LEN_MAX = 4 * BODY_LEN_MAX, TYPES_MAX = 64 };

static const char details[] =
    "Sends the catalogue's example of an event_type (`posthorn catalog` lists them). By default it\n"
    "goes through the server's API: accepted, made durable, delivered to your webhook_url. With --to\n"
    "it plays the server against that URL itself: same headers, same WEBHOOK-AUTH, same document,\n"
    "one attempt, and the outcome is printed.";

struct trigger {
    struct client_options server;
    const char *to, *api_key, *scenario, *own_types;
    bool all, json;
    const struct usage *usage;
    struct catalogue *catalogue;
    const struct catalogue_type *types[TYPES_MAX];
    struct json_object
        *steps[TYPES_MAX]; /* of the scenario, each for its type; NULL: the type's own example */
    int count;
    struct colours colours;
};

/* ---- which ones ---------------------------------------------------------------------------------------- */

static bool add_type(struct trigger *trigger, struct bytes name)
{
    const struct catalogue_type *type = catalogue_find(trigger->catalogue, name);

    if (trigger->count == TYPES_MAX) {
        options_wrong(trigger->usage, "that is more than %d events at once", TYPES_MAX);
        return false;
    }
    if (type) {
        trigger->types[trigger->count++] = type;
        return true;
    }
    const struct catalogue_type *nearest = catalogue_nearest(trigger->catalogue, name);
    if (nearest)
        options_wrong(trigger->usage, "there is no example of '%.128s': did you mean %s?", name.data,
                      nearest->name);
    else
        options_wrong(trigger->usage, "there is no example of '%.128s': `posthorn catalog` lists the types",
                      name.data);
    return false;
}

static bool add_scenario(struct trigger *trigger)
{
    struct json_object *scenarios = catalogue_scenarios_json(trigger->catalogue);
    struct json_object *steps = NULL;
    struct bytes name;

    for (size_t i = 0; i < json_object_array_length(scenarios); i++) {
        struct json_object *scenario = json_object_array_get_idx(scenarios, i);
        if (json_get_text(scenario, "name", &name) && bytes_equal_text(name, trigger->scenario))
            steps = json_get_array(scenario, "steps");
    }
    if (!steps) {
        options_wrong(trigger->usage,
                      "there is no scenario '%.128s': `posthorn catalog scenarios` lists them",
                      trigger->scenario);
        return false;
    }
    for (size_t i = 0; i < json_object_array_length(steps); i++) {
        struct json_object *step = json_object_array_get_idx(steps, i);
        if (!add_type(trigger, bytes_of(catalogue_step_name(step))))
            return false;
        trigger->steps[trigger->count - 1] = step;
    }
    return true;
}

static bool choose(struct trigger *trigger, char **names, int name_count)
{
    if ((name_count > 0) + trigger->all + (trigger->scenario != NULL) != 1) {
        options_wrong(trigger->usage, "give one or more event types, or --all, or --scenario NAME");
        return false;
    }
    if (trigger->scenario)
        return add_scenario(trigger);
    for (int i = 0; trigger->all && i < catalogue_count(trigger->catalogue); i++) {
        const struct catalogue_type *type = catalogue_at(trigger->catalogue, i);
        if (type->status == CATALOGUE_DOCUMENTED && !add_type(trigger, bytes_of(type->name)))
            return false;
    }
    for (int i = 0; i < name_count; i++)
        if (!add_type(trigger, bytes_of(names[i])))
            return false;
    return true;
}

static struct json_object *example_of(const struct trigger *trigger, int index)
{
    const struct catalogue_type *type = trigger->types[index];
    struct json_object *step = trigger->steps[index];
    return step ? catalogue_step(trigger->catalogue, step, &type)
                : catalogue_example(trigger->catalogue, type);
}

/* ---- what came of it ----------------------------------------------------------------------------------- */

static void report(const struct trigger *trigger, const struct catalogue_type *type, const char *id,
                   bool good, int status, const char *outcome, const char *sentence)
{
    if (trigger->json)
        printf("{\"event_type\":\"%s\",\"id\":\"%s\",\"status\":%d,\"outcome\":\"%s\"}\n", type->name, id,
               status, outcome);
    else
        printf("%s%3d %-9s%s %s %s%s%s\n", colour_start(trigger->colours, good ? COLOUR_GOOD : COLOUR_BAD),
               status, outcome, colour_end(trigger->colours), type->name, id, sentence ? ": " : "",
               sentence ? sentence : "");
    fflush(stdout);
}

static bool push_one(const struct trigger *trigger, struct push *push, int index)
{
    const struct catalogue_type *type = trigger->types[index];
    struct json_object *example = example_of(trigger, index);
    struct push_outcome outcome;

    push_send(push, example, &outcome);
    json_object_put(example);
    bool good = outcome.failure == FAILURE_NONE && outcome.status == 200;
    if (good)
        report(trigger, type, outcome.id, true, 200, "delivered", NULL);
    else if (outcome.failure == FAILURE_NONE)
        report(trigger, type, outcome.id, false, outcome.status, "unexpected_status",
               "only 200 acknowledges; the server would try again");
    else
        report(trigger, type, outcome.id, false, outcome.status, failure_name(outcome.failure),
               failure_sentence(outcome.failure));
    return good;
}

static int push_all(const struct trigger *trigger)
{
    struct push *push;
    int code = push_open(trigger->usage, trigger->to, trigger->api_key, &push);
    bool good = true;

    if (code != EXIT_DONE)
        return code;
    for (int i = 0; i < trigger->count; i++)
        good = push_one(trigger, push, i) && good;
    push_close(push);
    return good ? EXIT_DONE : EXIT_FAILED;
}

/* The example as a request: the server gives the id and the dates. */
static bool post_one(const struct trigger *trigger, struct client *client, int index)
{
    const struct catalogue_type *type = trigger->types[index];
    struct json_object *example = example_of(trigger, index);
    struct json_object *data = json_get_object(example, "data");
    struct json_object *attributes = json_get_object(data, "attributes");
    struct client_answer answer;
    struct bytes id = {"", 0};
    struct arena arena;
    struct text body;

    json_object_object_del(data, "id");
    json_object_object_del(attributes, "created_at");
    json_object_object_del(attributes, "sent_at");
    arena_init(&arena, MEMORY_LEN_MAX);
    text_init(&body, &arena, BODY_LEN_MAX);
    json_put(&body, example);
    json_object_put(example);
    bool good = client_expect(client, 201, "POST", "/api/events", body.data, &answer);
    if (good) {
        json_get_text(json_get_object(answer.json, "data"), "id", &id);
        report(trigger, type, id.data, true, answer.status, "accepted", NULL);
    }
    arena_fini(&arena);
    return good;
}

static int post_all(const struct trigger *trigger)
{
    struct client *client;
    int code = client_open(trigger->usage, &trigger->server, &client);
    bool good = true;

    if (code != EXIT_DONE)
        return code;
    for (int i = 0; i < trigger->count && good; i++)
        good = post_one(trigger, client, i);
    client_close(client);
    return good ? EXIT_DONE : EXIT_FAILED;
}

int trigger_main(int argc, char **argv)
{
    struct trigger trigger = {.colours = colours_for(stdout)};
    int name_count, code = EXIT_USAGE;
    const struct option_row rows[] = {
        {"to", OPTION_TEXT, &trigger.to, "URL", "push to this URL, without a server"},
        {"api-key", OPTION_TEXT, &trigger.api_key, "KEY", "with --to: the key for WEBHOOK-AUTH",
         "POSTHORN_API_KEY"},
        {"all", OPTION_FLAG, &trigger.all, NULL, "every documented type, in the catalogue's order"},
        {"scenario", OPTION_TEXT, &trigger.scenario, "NAME", "a whole story (`posthorn catalog scenarios`)"},
        OWN_TYPES_OPTION_ROW(trigger.own_types),
        CLIENT_OPTION_ROWS(trigger.server),
        {"json", OPTION_FLAG, &trigger.json, NULL, "a JSON object a line"},
    };
    const struct usage usage = {"trigger",
                                "trigger TYPE... | --all | --scenario NAME [--server URL] [--key KEY]\n"
                                "trigger TYPE... | --all | --scenario NAME --to URL [--api-key KEY]",
                                details,
                                rows,
                                sizeof rows / sizeof *rows,
                                0,
                                TYPES_MAX};

    enum options_outcome outcome = options_read(&usage, argc, argv, &name_count);
    if (outcome != OPTIONS_GO)
        return outcome == OPTIONS_HELP ? EXIT_DONE : EXIT_USAGE;
    trigger.usage = &usage;
    trigger.catalogue = own_types_open(&usage, trigger.own_types, &code);
    if (!trigger.catalogue)
        return code;
    code = EXIT_USAGE;
    if (choose(&trigger, argv + argc - name_count, name_count))
        code = trigger.to ? push_all(&trigger) : post_all(&trigger);
    catalogue_close(trigger.catalogue);
    return code;
}
