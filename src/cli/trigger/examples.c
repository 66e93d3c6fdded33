#include "examples.h"
#include "catalogue.h"
#include "command.h"
#include "json.h"
#include "suggest.h"

static bool add(struct examples *examples, const struct invocation *invocation, struct json_object *document)
{
    if (examples->count == EXAMPLES_EVENTS_MAX) {
        json_object_put(document);
        command_wrong(invocation, "more than %d events at once", EXAMPLES_EVENTS_MAX);
        return false;
    }
    struct json_object *data = json_get_object(document, "data");
    struct json_object *attributes = json_get_object(data, "attributes");
    json_object_object_del(data, "id");
    json_object_object_del(attributes, "created_at");
    json_object_object_del(attributes, "sent_at");
    examples->documents[examples->count++] = document;
    return true;
}

static bool add_type(struct examples *examples, const struct invocation *invocation,
                     const struct catalogue *catalogue, const char *name)
{
    const struct catalogue_type *type = catalogue_find(catalogue, bytes_of(name));

    if (type)
        return add(examples, invocation, catalogue_example(catalogue, type));
    type = catalogue_nearest(catalogue, bytes_of(name));
    if (type)
        command_wrong(invocation, "there is no example of '%.128s': did you mean %s?", name, type->name);
    else
        command_wrong(invocation, "there is no example of '%.128s': `posthorn catalog` lists the types",
                      name);
    return false;
}

static void unknown_scenario(const struct invocation *invocation, struct json_object *scenarios,
                             const char *wanted)
{
    const char *names[EXAMPLES_EVENTS_MAX];
    int count = 0;
    struct bytes name;

    for (size_t i = 0; i < json_object_array_length(scenarios) && count < EXAMPLES_EVENTS_MAX; i++)
        if (json_get_text(json_object_array_get_idx(scenarios, i), "name", &name))
            names[count++] = name.data;
    const char *near = suggest_nearest(wanted, names, count);
    if (near)
        command_wrong(invocation, "there is no scenario '%.128s': did you mean %s?", wanted, near);
    else
        command_wrong(invocation, "there is no scenario '%.128s': `posthorn catalog scenarios` lists them",
                      wanted);
}

static bool add_scenario(struct examples *examples, const struct invocation *invocation,
                         const struct catalogue *catalogue, const char *wanted)
{
    struct json_object *scenarios = catalogue_scenarios_json(catalogue), *steps = NULL;
    struct bytes name;

    for (size_t i = 0; i < json_object_array_length(scenarios); i++) {
        struct json_object *scenario = json_object_array_get_idx(scenarios, i);
        if (json_get_text(scenario, "name", &name) && bytes_equal_text(name, wanted))
            steps = json_get_array(scenario, "steps");
    }
    if (!steps) {
        unknown_scenario(invocation, scenarios, wanted);
        return false;
    }
    for (size_t i = 0; i < json_object_array_length(steps); i++) {
        const struct catalogue_type *type;
        struct json_object *document = catalogue_step(catalogue, json_object_array_get_idx(steps, i), &type);
        if (!document || !add(examples, invocation, document))
            return false;
    }
    return true;
}

bool examples_choose(struct examples *examples, const struct invocation *invocation,
                     const struct catalogue *catalogue, const struct examples_choice *choice)
{
    if ((invocation->operand_count > 0) + choice->all + choice->every + (choice->scenario != NULL) != 1) {
        command_wrong(invocation, "give one or more event types, or --all, or --every, or --scenario NAME");
        return false;
    }
    if (choice->scenario)
        return add_scenario(examples, invocation, catalogue, choice->scenario);
    for (int i = 0; (choice->all || choice->every) && i < catalogue_count(catalogue); i++) {
        const struct catalogue_type *type = catalogue_at(catalogue, i);
        if ((choice->every || type->status == CATALOGUE_DOCUMENTED) &&
            !add(examples, invocation, catalogue_example(catalogue, type)))
            return false;
    }
    for (int i = 0; i < invocation->operand_count; i++)
        if (!add_type(examples, invocation, catalogue, invocation->operands[i]))
            return false;
    return true;
}

void examples_free(struct examples *examples)
{
    for (int i = 0; i < examples->count; i++)
        json_object_put(examples->documents[i]);
    examples->count = 0;
}

struct bytes examples_event_type(struct json_object *document)
{
    struct bytes type = {"", 0};
    json_get_text(json_get_object(json_get_object(document, "data"), "attributes"), "event_type", &type);
    return type;
}
